"""Which of several versions a run sees, what it does not know yet, and how deliveries add up."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

NewCompany = Callable[..., Any]


def order(order_id: str, amount: str = "10.00", **more: Any) -> dict[str, Any]:
    return {
        "order_id": order_id,
        "customer_id": "c",
        "ordered_at": "2024-03-01",
        "net_amount": amount,
    } | more


AMOUNTS = "select order_id, net_amount from stg_orders order by all"


def test_of_several_versions_the_last_one_written_by_then_counts(company: Any) -> None:
    versions = [
        order("a", "1", updated_at="2024-03-01"),
        order("a", "3", updated_at="2024-05-01"),
        order("a", "2", updated_at="2024-04-01"),
        order("b", "8", updated_at="2024-05-20"),
        order("b", "9", updated_at="2024-06-20"),
        order("b", "7", updated_at=None),
        order("c", "4"),
        order("c", "4.00"),
        order("c", "5"),
        order("d", "12", updated_at="2024-06-02"),
        order("d", "11", updated_at="2024-05-02"),
    ]
    company.deliver("orders", versions)

    by_june = company.rows(AMOUNTS, select="stg_orders")
    by_april = company.rows(AMOUNTS, as_of="2024-04-15", select="stg_orders")

    assert [amount for _, amount in by_june] == [3, 9, 5, 12]
    # of b a version without a time, which may be of any; of d, all later, the earliest is nearest
    assert [amount for _, amount in by_april] == [2, 7, 5, 11]


def test_exact_repeats_count_once(company: Any) -> None:
    bad = {"net_amount": "x"}
    company.deliver(
        "orders", [order("a"), order("a"), order("a"), order("b"), order("c") | bad] * 2
    )
    with company.build(select="stg_orders row_ledger") as warehouse:
        assert warehouse.sql("select order_id from stg_orders order by 1").fetchall() == [
            ("a",),
            ("b",),
        ]
        # a repeat of a row in quarantine is in quarantine too
        assert warehouse.sql(
            "select extracted, accepted, quarantined, duplicate from row_ledger"
        ).fetchall() == [(10, 2, 2, 6)]


def test_the_order_of_the_rows_does_not_matter(new_company: NewCompany) -> None:
    draw = random.Random(7)
    rows = [
        order(
            str(draw.randrange(60)),
            draw.choice(["1", "2.5", "-3", "x", "", "0", "1e308"]),
            customer_id=draw.choice(["a", "b", " a ", "", "13085.0"]),
            ordered_at=draw.choice(["2024-02-29", "2024-03-31 02:30", "1970-01-01", "2024-12-01"]),
            updated_at=f"2024-04-{1 + i % 28:02} 00:00:{i // 28:02}",
        )
        for i in range(300)
    ]
    tables = []
    for shuffled in (rows, draw.sample(rows, len(rows))):
        company = new_company()
        company.deliver("orders", shuffled)
        with company.build(select="stg_orders stg_returns quarantine") as warehouse:
            tables.append(
                [
                    warehouse.sql(f"from {table} order by all").fetchall()
                    for table in ("stg_orders", "stg_returns")
                ]
                + warehouse.sql("select row_key, rule from quarantine order by all").fetchall()
            )
    assert tables[0] == tables[1]
    assert all(tables[0])


def test_what_a_later_event_tells_is_not_known_before_it(company: Any) -> None:
    company.deliver(
        "tickets",
        [
            {
                "ticket_id": ticket,
                "customer_id": "c",
                "opened_at": "2024-06-01",
                "first_response_at": "2024-06-02",
                "resolved_at": resolved_at,
                "resolution": "refund",
                "satisfaction": "4",
            }
            for ticket, resolved_at in [("early", "2024-06-10"), ("late", "2024-06-20")]
        ],
    )
    company.deliver(
        "surveys",
        [
            {"response_id": "timed", "customer_id": "c", "survey": "nps", "sent_at": "2024-06-01",
             "responded_at": "2024-06-20", "score": "9", "comment": "good"},
            {"response_id": "untimed", "customer_id": "c", "survey": "nps",
             "sent_at": "2024-06-01", "responded_at": None, "score": "3", "comment": "bad"},
        ],
    )  # fmt: skip
    company.deliver(
        "reps",
        [
            {"rep_id": "announced", "hired_at": "2023-01-01",
             "departure_announced_at": "2024-06-15", "departed_at": "2024-07-20"},
            {"rep_id": "announced_later", "hired_at": "2023-01-01",
             "departure_announced_at": "2024-06-16", "departed_at": "2024-07-20"},
            {"rep_id": "gone", "hired_at": "2023-01-01",
             "departure_announced_at": None, "departed_at": "2024-06-15"},
            # announced on paper after he had gone
            {"rep_id": "gone_before", "hired_at": "2023-01-01",
             "departure_announced_at": "2024-06-16", "departed_at": "2024-06-14"},
            {"rep_id": "unannounced", "hired_at": "2023-01-01",
             "departure_announced_at": None, "departed_at": "2024-06-16"},
        ],
    )  # fmt: skip
    with company.build("2024-06-15", select="stg_tickets stg_surveys stg_reps") as warehouse:
        departures = warehouse.sql(
            "select rep_id, departed_on::text, departure_announced_on::text from stg_reps"
            " order by 1"
        ).fetchall()
        tickets = warehouse.sql(
            "select ticket_id, first_response_on is not null, resolved_at is not null,"
            " resolved_on is not null, resolution, satisfaction from stg_tickets order by 1"
        ).fetchall()
        surveys = warehouse.sql(
            "select response_id, responded_at, score, comment from stg_surveys order by 1"
        ).fetchall()
    assert tickets == [
        ("early", True, True, True, "refund", 4),
        ("late", True, False, False, None, None),
    ]
    assert surveys == [("timed", None, None, None), ("untimed", None, 3, "bad")]
    assert departures == [
        ("announced", "2024-07-20", "2024-06-15"),
        ("announced_later", None, None),
        ("gone", "2024-06-15", None),
        ("gone_before", "2024-06-14", None),
        ("unannounced", None, None),
    ]


def test_a_second_delivery_adds_to_the_first(company: Any) -> None:
    first = [order("a", "1"), order("b", "2")]
    company.deliver("orders", first, "2024-06-29")
    query = "select rowid, * from checked_orders order by rowid"
    loaded = company.rows(query, "2024-06-29", select="stg_orders")
    [batch] = (company.home / "lake" / "orders").glob("2024-06-29.*.parquet")
    aside = batch.rename(company.home / "aside.parquet")  # to show that it is not read again
    assert company.rows(query, "2024-06-29", select="stg_orders") == loaded
    aside.rename(batch)

    late = order("late", "3", ordered_at="2023-01-01")
    corrected = order("b", "20")
    company.deliver("orders", [*first, late, corrected], "2024-06-30")
    batch.unlink()  # a day reads its own batch alone
    with company.build("2024-06-30", select="stg_orders") as warehouse:
        after = warehouse.sql(query).fetchall()
        assert after[: len(loaded)] == loaded
        assert len(after) == len(loaded) + 2
        assert warehouse.sql(AMOUNTS).fetchall() == [
            ("a", Decimal(1)),
            ("b", Decimal(20)),
            ("late", Decimal(3)),
        ]


def test_loading_day_by_day_or_at_once_gives_the_same(new_company: NewCompany) -> None:
    days = {
        "2024-06-28": [order("a", "1"), order("b", "2"), order("x", "no number")],
        "2024-06-29": [order("b", "3"), order("c", "4")],
        "2024-06-30": [order("a", "5", ordered_at="2024-06-30"), order("b", "6")],
    }
    tables = ("stg_orders", "checked_orders")
    step_by_step, at_once = new_company(), new_company()
    for day, rows in days.items():
        step_by_step.deliver("orders", rows, day)
        at_once.deliver("orders", rows, day)
        with step_by_step.build(day, select="stg_orders") as warehouse:
            seen = [warehouse.sql(f"from {table} order by all").fetchall() for table in tables]
    with at_once.build(select="stg_orders") as warehouse:
        complete = [warehouse.sql(f"from {table} order by all").fetchall() for table in tables]
    orders, checked = seen
    assert orders == complete[0]
    assert len(orders) == 3
    # of the rows that share a key, those loaded first cannot know it, nor need to
    assert [row[:-1] for row in checked] == [row[:-1] for row in complete[1]]


def test_a_replaced_delivery_replaces_its_rows(company: Any) -> None:
    company.deliver("orders", [order("a", "1"), order("gone", "2")])
    assert len(company.rows(AMOUNTS, select="stg_orders")) == 2

    company.deliver("orders", [order("a", "1.50"), order("new", "3")])
    with company.build(select="stg_orders") as warehouse:
        assert warehouse.sql(AMOUNTS).fetchall() == [("a", Decimal("1.50")), ("new", Decimal(3))]
        assert warehouse.sql("select count(*) from checked_orders").fetchall() == [(2,)]


def test_what_came_for_later_days_alone_changes_nothing(company: Any) -> None:
    """Such a delivery does not change the name of a published version, nor may it its tables."""
    tables = ("stg_orders", "row_ledger", "quarantine", "source_inventory", "currency_rates")
    company.deliver("orders", [order("a", "1", currency="EUR"), order("x", "no number")])

    def seen() -> list[Any]:
        with company.build("2024-06-30", select=" ".join(tables)) as warehouse:
            return [warehouse.sql(f"from {table} order by all").fetchall() for table in tables]

    before = seen()
    later = [order(n, "5", ordered_at="2024-07-02", currency="USD", channel="web") for n in "bcd"]
    company.deliver("orders", [*later, order("y", "no", ordered_at="2024-07-01")], "2024-07-03")
    assert seen() == before


def test_an_audit_sees_only_what_had_been_delivered(company: Any) -> None:
    company.deliver("orders", [order("a", "1")], "2024-06-01")
    company.deliver("orders", [order("a", "2"), order("late", "3")], "2024-06-30")
    day = {"as_of": "2024-06-15", "select": "stg_orders"}

    assert company.rows(AMOUNTS, **day) == [("a", Decimal(2)), ("late", Decimal(3))]
    assert company.rows(AMOUNTS, **day, as_known_then=True) == [("a", Decimal(1))]


def test_a_csv_delivery_and_a_parquet_one_are_one_table(company: Any) -> None:
    company.deliver("orders", [order("1001", "1.5", customer_id="13085.0")], "2024-06-29")
    native = {"order_id": 1002, "customer_id": 13085.0, "net_amount": 2.5, "channel": "web"}
    company.deliver("orders", [order("", "") | native, order("", "") | native | {"order_id": 1001}])
    found = company.rows(
        "select order_id, customer_id, net_amount, channel from stg_orders order by 1",
        select="stg_orders",
    )
    assert found == [
        ("1001", "13085", Decimal("2.50"), "web"),
        ("1002", "13085", Decimal("2.50"), "web"),
    ]


def test_versions_with_an_empty_part_of_the_key_are_versions(company: Any) -> None:
    change = {"customer_id": "c", "channel": "email", "changed_at": "2024-01-01"}
    company.deliver("consents", [change | {"granted": "true"}], "2024-06-29")
    company.rows("from stg_consents", as_of="2024-06-29", select="stg_consents")
    company.deliver("consents", [change | {"granted": "false"}], "2024-06-30")
    assert company.rows("select granted, basis from stg_consents", select="stg_consents") == [
        (False, None)
    ]
