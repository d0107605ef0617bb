"""The arrival border on batches as the lake holds them: what is refused, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from checks.runner import Verdict, refusal, validate
from checks.suites import arrival
from pipelines.borders import SAMPLE_ROWS, one_in
from pipelines.borders.arrival import frames
from pipelines.resources.lake import Lake
from pipelines.sources.connector import DEFECT, Delivery, Part
from pipelines.sources.contract import load_contract, load_vars

AS_OF = date(2026, 6, 30)
CANARY = "Wanda Canary"


@pytest.fixture(name="lake")
def _lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def deliver(lake: Lake, table: str, columns: Mapping[str, Any], as_of: date = AS_OF) -> None:
    rows = pa.table(dict(columns))
    part = Part(f"{table}.csv", rows.schema, rows.to_batches)
    lake.write(load_contract()[table], as_of, [Delivery("files", load_contract()[table], (part,))])
    lake.accept(as_of)


def orders(rows: int, first: int = 0, day: date = AS_OF, **changed: Any) -> dict[str, Any]:
    numbers = range(first, first + rows)
    delivered = {
        "order_id": [f"A{n}" for n in numbers],
        "customer_id": [f"c{n % 40}" for n in numbers],
        "ordered_at": [f"{day - timedelta(days=n % 28)} 10:00:00" for n in numbers],
        "net_amount": [f"{10 + n % 7}.50" for n in numbers],
        **changed,
    }
    return {name: values for name, values in delivered.items() if values is not None}


def test_what_is_judged_is_pending(lake: Lake) -> None:
    """A bad delivery beside the good one that was accepted for the same day before."""
    deliver(lake, "orders", orders(100))
    assert not failed(judge(lake))
    spoilt_orders = pa.table(orders(100, net_amount=["#REF!"] * 100))
    part = Part("orders.csv", spoilt_orders.schema, spoilt_orders.to_batches)
    contract = load_contract()["orders"]
    lake.write(contract, AS_OF, [Delivery("files", contract, (part,))])
    assert failed(judge(lake)) == {"required_values_are_readable"}


def judge(lake: Lake, as_of: date = AS_OF) -> list[Verdict]:
    found = frames(lake, as_of)
    return [verdict for suite in arrival.SUITES for verdict in validate(found[suite.name], suite)]


def failed(verdicts: list[Verdict], severity: str = "error") -> set[str]:
    return {v.name for v in verdicts if not v.passed and v.severity == severity}


def spoilt(good: list[Any], share: float, bad: Any) -> list[Any]:
    return [bad] * round(len(good) * share) + good[round(len(good) * share) :]


def test_a_delivery_of_text_and_one_of_types_pass_alike(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    typed = orders(100, first=100)
    typed["ordered_at"] = [datetime.fromisoformat(time) for time in typed["ordered_at"]]
    typed["net_amount"] = pa.array([10.5] * 100, pa.float64())
    typed["customer_id"] = pa.array([13085.0] * 100, pa.float64())
    deliver(lake, "orders", typed, AS_OF + timedelta(days=1))

    assert failed(judge(lake)) == set()
    verdicts = judge(lake, AS_OF + timedelta(days=1))
    assert failed(verdicts) | failed(verdicts, "warn") == set()


def test_order_lines_with_guests_and_cancellations_pass(lake: Lake) -> None:
    lines = orders(200, net_amount=None)
    lines["customer_id"] = spoilt(lines["customer_id"], 0.25, "")
    deliver(
        lake,
        "order_lines",
        {
            **lines,
            "order_id": [f"C{n // 4}" if n % 9 == 0 else f"{n // 4}" for n in range(200)],
            "product_id": [f"p{n % 5}" for n in range(200)],
            "quantity": [-1 if n % 9 == 0 else 3 for n in range(200)],
            "unit_price": ["2.55"] * 200,
        },
    )
    assert failed(judge(lake)) == set()


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        (
            {"net_amount": spoilt(["9.5"] * 100, 0.99, f"{CANARY} 12,50 EUR")},
            "required_values_are_readable",
            "orders.net_amount (99.0%)",
        ),
        (
            {"net_amount": ["12,50"] * 60 + ["1.299,5"] * 20 + ["9.5"] * 20},
            "numbers_have_a_decimal_point",
            "orders.net_amount (80.0%). 12,50 is mended by an expression in mapping.toml",
        ),
        (
            {"cost_amount": ["7,99"] * 100},
            "numbers_have_a_decimal_point",
            "orders.cost_amount (100.0%)",
        ),
        (
            {"ordered_at": ["31.12.2025 8:26"] * 100},
            "required_values_are_readable",
            "orders.ordered_at (100.0%)",
        ),
        (
            {"ordered_at": pa.array([20251231] * 100, pa.int64())},
            "required_values_are_readable",
            "orders.ordered_at (100.0%)",
        ),
        (
            {"ordered_at": ["1970-01-01"] * 50 + ["9999-12-31"] * 49 + ["2026-06-30"]},
            "required_values_are_readable",
            "orders.ordered_at (99.0%)",
        ),
        (
            {"status": ["已完成"] * 55 + ["退款"] * 25 + ["completed"] * 19 + [f"{CANARY}"]},
            "codes_of_orders_are_known",
            "found orders.status (81.0%: 已完成 55, 退款 25 in orders.csv; known are completed, "
            "cancelled, returned, pending). Translate the codes in mapping.toml",
        ),
        (
            {"status": [f"{CANARY} {n}" for n in range(100)]},
            "codes_of_orders_are_known",
            "orders.status (100.0%: no code that many customers share in orders.csv; known are",
        ),
        (
            {"customer_id": [""] * 60 + ["c1"] * 40},
            "required_values_are_present",
            "orders.customer_id (60.0%)",
        ),
        (
            {"net_amount": None},
            "required_columns_are_given",
            "found orders.net_amount. If the source calls it otherwise, rename it",
        ),
        (
            {"order_id": [f"A{n // 3}" for n in range(100)]},
            "keys_name_one_order",
            "found orders (66.0%)",
        ),
        (
            {DEFECT: ["line 3: 5 fields instead of 4"] * 99 + [None]},
            "rows_are_well_formed",
            "found orders (99.0%)",
        ),
        (
            {"customer_id": [f"1.2346E+{n}" for n in range(100)]},
            "customer_ids_kept_their_digits",
            "among 100 rows (personal values are not shown)",
        ),
        (
            {"order_id": [f"\ufffd\ufffd{n}" for n in range(100)]},
            "order_ids_are_clean_text",
            "among 100 rows (personal values are not shown)",
        ),
    ],
)
def test_a_delivery_that_went_wrong_is_refused_in_one_message(
    lake: Lake,
    changed: Mapping[str, Any],
    name: str,
    words: str,
) -> None:
    deliver(lake, "orders", orders(100, **changed))

    verdicts = judge(lake)

    assert failed(verdicts) == {name}
    message = refusal(verdicts)
    assert message is not None
    assert words in message
    assert CANARY not in repr(verdicts)


def test_a_bad_row_of_two_is_left_to_quarantine(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    tomorrow = AS_OF + timedelta(days=1)
    deliver(lake, "orders", orders(2, first=100, net_amount=["free", "9.5"]), tomorrow)
    assert failed(judge(lake, tomorrow)) == set()


def test_codes_that_half_of_the_orders_know_are_left_to_quarantine(lake: Lake) -> None:
    states = ["shipped"] * 50 + ["Completed", "cancelled", ""] * 16 + ["pending"] * 2
    deliver(lake, "orders", orders(100, status=states))
    deliver(
        lake,
        "tickets",
        {
            "ticket_id": [f"t{n}" for n in range(40)],
            "customer_id": [f"c{n}" for n in range(40)],
            "opened_at": ["2026-06-01"] * 40,
            "kind": ["bug"] * 40,
        },
    )
    verdicts = judge(lake)
    assert failed(verdicts) | failed(verdicts, "warn") == set()


def test_few_codes_and_files_are_named(lake: Lake) -> None:
    day = orders(280, status=[f"state {'abcdefg'[n // 40]}" for n in range(280)])
    parts = []
    for n in range(5):
        some = {name: values[n * 56 : n * 56 + 56] for name, values in day.items()}
        rows = pa.table(some)
        parts.append(Part(f"day-{n}.csv", rows.schema, rows.to_batches))
    contract = load_contract()["orders"]
    lake.write(contract, AS_OF, [Delivery("files", contract, tuple(parts))])
    assert (
        "orders.status (100.0%: state a 40, state b 40, state c 40, state d 40, state e 40 in "
        "day-0.csv, day-1.csv, day-2.csv and 2 more; known are"
    ) in str(refusal(judge(lake)))


def test_a_code_is_told_from_where_the_table_quarantine_tells_it(lake: Lake) -> None:
    rules = load_vars()
    least, code = rules["code_min_customers"], "s" * rules["longest_code"]
    told, rare, longer = [code] * least, ["rare"] * (least - 1), [f"{code}s"] * least
    status = [*told, *rare, *longer]
    deliver(lake, "orders", orders(len(status), status=status))
    assert f"orders.status (100.0%: {code} {least} in orders.csv; known are" in str(
        refusal(judge(lake))
    )


def test_a_first_delivery_is_judged_whatever_its_size(lake: Lake) -> None:
    deliver(lake, "orders", orders(2, net_amount=["free", "gratis"]))
    assert failed(judge(lake)) == {"required_values_are_readable"}


def test_an_optional_table_is_judged_too_and_its_optional_columns_only_warn(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    deliver(
        lake,
        "customers",
        {
            "customer_id": [f"c{n}" for n in range(40)],
            "created_at": ["2025-01-01"] * 40,
            "name": [CANARY] * 40,
            "birth_date": [CANARY] * 40,
        },
    )
    verdicts = judge(lake)
    assert failed(verdicts) == set()
    assert failed(verdicts, "warn") == {"optional_values_are_readable"}
    assert "customers.birth_date (100.0%)" in repr(verdicts)
    assert CANARY not in repr(verdicts)


def test_without_any_order_there_is_nothing_to_do(lake: Lake) -> None:
    assert failed(judge(lake)) == {"orders_arrived"}
    deliver(lake, "orders", orders(3, ordered_at=["2026-07-15"] * 3))
    verdicts = judge(lake)
    assert failed(verdicts) == {"orders_arrived"}
    assert "HOMING_AS_OF" in str(refusal(verdicts))


def test_a_later_day_without_a_new_order_is_refused_and_may_be_allowed(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    tomorrow = AS_OF + timedelta(days=1)
    deliver(lake, "orders", orders(100), tomorrow)

    verdicts = judge(lake, tomorrow)

    assert failed(verdicts) == {"orders_keep_coming"}
    assert "Refresh the export" in str(refusal(verdicts))
    assert failed(judge(lake)) == set()


def test_a_backfill_finds_its_rows_in_a_later_delivery(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    for day, expected in (
        (AS_OF - timedelta(days=10), set()),
        (date(1995, 1, 1), {"orders_arrived"}),
    ):
        deliver(lake, "orders", orders(100), day)
        assert failed(judge(lake, day)) == expected


def test_repeats_of_whole_rows_and_versions_of_a_row_are_no_second_grain(lake: Lake) -> None:
    once = orders(50)
    deliver(
        lake,
        "orders",
        {
            **{name: values * 3 for name, values in once.items()},
            "updated_at": ["2026-06-29"] * 50 + ["2026-06-30"] * 50 + ["2026-06-30"] * 50,
        },
    )
    assert failed(judge(lake)) == set()


@pytest.mark.parametrize(("age", "refused"), [(31, set()), (32, {"orders_are_recent"})])
def test_old_orders_are_refused(lake: Lake, age: int, refused: set[str]) -> None:
    deliver(lake, "orders", orders(100, day=AS_OF - timedelta(days=age)))
    verdicts = judge(lake)
    assert failed(verdicts) == refused
    if refused:
        assert "HOMING_ORDERS_MAX_AGE_DAYS" in str(refusal(verdicts))


def test_days_without_a_delivery_do_not_make_orders_young(lake: Lake) -> None:
    deliver(lake, "orders", orders(100))
    for days, expected in ((31, set()), (32, {"orders_are_recent"})):
        deliver(lake, "orders", orders(100), AS_OF + timedelta(days=days))
        silence = {"orders_keep_coming"}
        assert failed(judge(lake, AS_OF + timedelta(days=days))) - silence == expected


def test_odd_amounts_are_shown_and_passed(lake: Lake) -> None:
    deliver(lake, "orders", orders(100, net_amount=["-1e9"] * 100))
    verdicts = judge(lake)
    assert failed(verdicts) == set()
    assert failed(verdicts, "warn") == {
        "amounts_are_plausible",
        "amounts_are_mostly_sales",
    }


def test_a_sample_stays_within_its_bound() -> None:
    assert one_in(0) == one_in(1) == one_in(SAMPLE_ROWS) == 1
    assert one_in(SAMPLE_ROWS + 1) == 2
    assert one_in(50_000_000) == 250
