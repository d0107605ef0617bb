"""What goes to quarantine, under which rule, and what is mended on the way instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

CANARY = "canary-4711"
TABLES = "row_ledger quarantine stg_orders stg_surveys stg_products stg_consents stg_customers"

ORDER = {"customer_id": "c", "ordered_at": "2024-03-01 10:00:00", "net_amount": "10.00"}

# order_id: (what is odd about the row, rule it breaks or None), as text, the way a CSV comes
TEXT_ORDERS: dict[str, tuple[dict[str, str | None], str | None]] = {
    "plain": ({}, None),
    "customer empty": ({"customer_id": ""}, "customer_id_missing"),
    "customer blank": ({"customer_id": " \t\u00a0\u3000"}, "customer_id_missing"),
    "customer null word": ({"customer_id": "NULL"}, "customer_id_missing"),
    "customer nan": ({"customer_id": "nan"}, "customer_id_missing"),
    "amount missing": ({"net_amount": None}, "net_amount_missing"),
    "amount words": ({"net_amount": CANARY}, "net_amount_not_a_number"),
    "amount nan": ({"net_amount": "NaN"}, "net_amount_not_a_number"),
    "amount inf": ({"net_amount": "inf"}, "net_amount_not_a_number"),
    "amount overflow": ({"net_amount": "1e308"}, "net_amount_not_a_number"),
    "amount with comma": ({"net_amount": "1,234.50"}, "net_amount_not_a_number"),
    "amount too large": ({"net_amount": "60000000000"}, "net_amount_implausible"),
    "amount exponent": ({"net_amount": "1e3"}, None),
    "amount zero": ({"net_amount": "0"}, None),
    "time missing": ({"ordered_at": ""}, "ordered_at_missing"),
    "time words": ({"ordered_at": "yesterday"}, "ordered_at_not_a_time"),
    "time 30 February": ({"ordered_at": "2024-02-30"}, "ordered_at_not_a_time"),
    "time epoch": ({"ordered_at": "1970-01-01"}, "ordered_at_implausible"),
    "time placeholder": ({"ordered_at": "9999-12-31"}, "ordered_at_implausible"),
    "time infinite": ({"ordered_at": "infinity"}, "ordered_at_implausible"),
    "time leap day": ({"ordered_at": "2024-02-29"}, None),
    "paid words": ({"paid_at": "soon"}, "paid_at_not_a_time"),
    "paid placeholder": ({"paid_at": "9999-12-31 23:59:59"}, None),
    "paid epoch": ({"paid_at": "1970-01-01"}, "paid_at_implausible"),
    "due placeholder": ({"due_at": "9999-12-31"}, "due_at_implausible"),
    "status unknown": ({"status": "shipped"}, "status_unknown"),
    "status in capitals": ({"status": "Cancelled"}, None),
    "status empty": ({"status": ""}, None),
    "discount negative": ({"discount_amount": "-1"}, "discount_amount_below_minimum"),
    "two rules": ({"net_amount": "x", "status": "y"}, "net_amount_not_a_number"),
    "three rules": (
        {"ordered_at": "2024-02-30", "discount_amount": "-1", "status": "y"},
        "ordered_at_not_a_time",
    ),
    'quote " and ; drop table --': ({}, None),
    "emoji 🦊 \u202eRTL": ({}, None),
    "x" * 5000: ({}, None),
}

# the same as numbers, the way Parquet comes: a column with an empty cell is all doubles
NATIVE_ORDERS: dict[str, tuple[dict[str, float | None], str | None]] = {
    "native plain": ({}, None),
    "native customer missing": ({"customer_id": None}, "customer_id_missing"),
    "native customer nan": ({"customer_id": float("nan")}, "customer_id_missing"),
    "native amount nan": ({"net_amount": float("nan")}, "net_amount_not_a_number"),
    "native amount inf": ({"net_amount": float("-inf")}, "net_amount_not_a_number"),
    "native amount overflow": ({"net_amount": 1e308}, "net_amount_not_a_number"),
}

OTHER_TABLES: dict[str, list[tuple[dict[str, str], str | None]]] = {
    "surveys": [
        ({"response_id": "1", "survey": "NPS", "score": "10"}, None),
        ({"response_id": "2", "survey": "csat", "score": "7"}, "score_outside_scale"),
        ({"response_id": "3", "survey": "nps", "score": "11"}, "score_above_maximum"),
        ({"response_id": "4", "survey": "nps", "score": "2.5"}, "score_not_an_integer"),
        ({"response_id": "5", "survey": "nps", "score": "9.0"}, None),
    ],
    "products": [
        ({"product_id": "1", "name": "Null", "service_interval_days": "0"},
         "service_interval_days_below_minimum"),
        ({"product_id": "2", "name": "Null", "service_interval_days": "n/a"}, None),
    ],
    "consents": [
        ({"customer_id": "1", "channel": "email", "granted": "Yes"}, None),
        ({"customer_id": "2", "channel": "email", "granted": "0.0"}, None),
        ({"customer_id": "3", "channel": "email", "granted": CANARY}, "granted_not_a_boolean"),
        ({"customer_id": "4", "channel": "email", "granted": ""}, "granted_missing"),
    ],
    "customers": [
        ({"customer_id": "1", "birth_date": "1950-05-01", "name": "None"}, None),
        ({"customer_id": "2", "birth_date": "1850-05-01"}, "birth_date_implausible"),
        ({"customer_id": "3", "birth_date": CANARY}, "birth_date_not_a_date"),
        ({"customer_id": "4", "referred_by": "13085.0", "email": f" {CANARY} "}, None),
    ],
}  # fmt: skip
TIMES = {"surveys": "sent_at", "consents": "changed_at", "customers": "created_at"}


@pytest.fixture(scope="module")
def warehouse(new_company: Callable[..., Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    company = new_company()
    company.deliver(
        "orders",
        [{"order_id": key, **ORDER, **odd} for key, (odd, _) in TEXT_ORDERS.items()],
        as_of="2024-06-28",
    )
    numbers = {"customer_id": 13085.0, "net_amount": 12.345}
    company.deliver(
        "orders",
        [{"order_id": key, **ORDER, **numbers, **odd} for key, (odd, _) in NATIVE_ORDERS.items()],
        as_of="2024-06-29",
    )
    malformed = {name: pa.nulls(2, pa.string()) for name in ["order_id", *ORDER]}
    malformed["_defect"] = pa.array(["line 7: 3 fields, expected 4"] * 2)
    company.deliver("orders", pa.table(malformed), as_of="2024-06-30")
    for table, cases in OTHER_TABLES.items():
        common = {TIMES[table]: "2024-03-01"} if table in TIMES else {}
        if table == "surveys":
            common["customer_id"] = "c"
        company.deliver(table, [common | row for row, _ in cases])
    with company.build(select=TABLES) as connection:
        yield connection


def rules_of(warehouse: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    found = warehouse.execute(
        "select row_key, rule from quarantine where table_name = ?", [table]
    ).fetchall()
    return dict(found)


@pytest.mark.parametrize("order_id", [*TEXT_ORDERS, *NATIVE_ORDERS])
def test_an_odd_order_is_used_or_quarantined(
    warehouse: duckdb.DuckDBPyConnection, order_id: str
) -> None:
    _, expected = (TEXT_ORDERS | NATIVE_ORDERS)[order_id]
    used = warehouse.execute("select 1 from stg_orders where order_id = ?", [order_id]).fetchall()

    assert rules_of(warehouse, "orders").get(order_id) == expected
    assert len(used) == (expected is None)


@pytest.mark.parametrize("table", OTHER_TABLES)
def test_odd_rows_of_other_tables(warehouse: duckdb.DuckDBPyConnection, table: str) -> None:
    expected = [rule for _, rule in OTHER_TABLES[table] if rule]
    fine = sum(rule is None for _, rule in OTHER_TABLES[table])

    assert sorted(rules_of(warehouse, table).values()) == sorted(expected)
    assert warehouse.sql(f"from stg_{table}").shape[0] == fine


def test_a_row_with_several_faults_names_them_all(warehouse: duckdb.DuckDBPyConnection) -> None:
    several = warehouse.sql(
        "select row_key, further_rules from quarantine where further_rules is not null"
    ).fetchall()
    assert dict(several) == {
        "two rules": "status_unknown",
        "three rules": "status_unknown, discount_amount_below_minimum",
    }


def test_what_is_mended_on_the_way(warehouse: duckdb.DuckDBPyConnection) -> None:
    orders = dict(
        warehouse.sql(
            "select order_id, (customer_id, net_amount, status) from stg_orders"
        ).fetchall()
    )
    assert orders["native plain"] == ("13085", Decimal("12.35"), "completed")
    assert orders["amount exponent"] == ("c", Decimal("1000.00"), "completed")
    assert orders["status in capitals"][2] == "cancelled"
    assert orders["status empty"][2] == "completed"


def test_a_placeholder_for_not_yet_is_empty(warehouse: duckdb.DuckDBPyConnection) -> None:
    [(paid_at, paid_on)] = warehouse.sql(
        "select paid_at, paid_on from stg_orders where order_id = 'paid placeholder'"
    ).fetchall()
    assert paid_at is None
    assert paid_on is None


def test_words_for_nothing_are_names_elsewhere(warehouse: duckdb.DuckDBPyConnection) -> None:
    names = warehouse.sql("select name from stg_products union all select name from stg_customers")
    assert {"Null", "None"} <= {name for (name,) in names.fetchall()}


def test_a_spreadsheet_number_is_an_identifier(warehouse: duckdb.DuckDBPyConnection) -> None:
    [(referred_by, email)] = warehouse.sql(
        "select referred_by, email from stg_customers where customer_id = '4'"
    ).fetchall()
    assert (referred_by, email) == ("13085", CANARY)


def test_a_line_that_could_not_be_read_keeps_its_defect(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.sql(
        "select rule, reason, delivery_row from quarantine where batch_as_of = '2024-06-30'"
        " and table_name = 'orders'"
    )
    assert sorted(found.fetchall()) == [
        ("row_malformed", "line 7: 3 fields, expected 4", 1),
        ("row_malformed", "line 7: 3 fields, expected 4", 2),
    ]


def test_every_reason_says_what_was_expected(warehouse: duckdb.DuckDBPyConnection) -> None:
    reasons = [
        reason
        for (reason,) in warehouse.sql(
            "select reason from quarantine where rule <> 'row_malformed'"
        ).fetchall()
    ]
    assert reasons
    assert all("found" in reason for reason in reasons)


def test_no_reason_repeats_a_value(warehouse: duckdb.DuckDBPyConnection) -> None:
    [(leaks,)] = warehouse.sql(
        f"select count(*) from quarantine where reason like '%{CANARY}%'"
    ).fetchall()
    assert leaks == 0


def test_the_value_at_fault_is_shown_as_a_shape_since_it_may_be_personal(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    shown = dict(
        warehouse.sql(
            "select row_key, value_shape from quarantine where table_name = 'orders'"
        ).fetchall()
    )
    assert shown["amount words"] == "xxxxxx-9999"
    assert shown["amount with comma"] == "9,999.99"
    assert shown["status unknown"] == "xxxxxxx"
    assert shown["time words"] == "xxxxxxxxx"
    assert shown["customer empty"] is None


def test_everything_delivered_is_accounted_for(warehouse: duckdb.DuckDBPyConnection) -> None:
    delivered = len(TEXT_ORDERS) + len(NATIVE_ORDERS) + 2
    [totals] = warehouse.sql(
        "select sum(extracted)::int, sum(accepted)::int, sum(quarantined)::int, sum(duplicate)::int"
        " from row_ledger where table_name = 'orders'"
    ).fetchall()
    fine = sum(rule is None for _, rule in (TEXT_ORDERS | NATIVE_ORDERS).values())
    assert totals == (delivered, fine, delivered - fine, 0)
