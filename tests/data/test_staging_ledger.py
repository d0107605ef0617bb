"""What was delivered, what became of it, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from pipelines.sources.contract import Table, load_contract

ORDERS = [
    {"order_id": "1", "customer_id": "c", "ordered_at": "2024-03-01", "net_amount": "10"},
    {"order_id": "2", "customer_id": "", "ordered_at": "2024-03-01", "net_amount": "10"},
    {"order_id": "3", "customer_id": "c", "ordered_at": "2025-03-01", "net_amount": "10"},
]
PUBLISHED = "stg_orders quarantine row_ledger source_inventory"


@pytest.fixture(scope="module")
def orders_only(new_company: Callable[..., Any]) -> duckdb.DuckDBPyConnection:
    """A source of one table, and with it every table of the staging folder."""
    company = new_company()
    company.deliver("orders", ORDERS)
    return company.build(select="staging marts.ledger", tested=True)


def type_of(declared: str) -> str:
    upper = declared.upper()
    return {"STRING": "VARCHAR", "DOUBLE": "DOUBLE"}.get(upper, upper)


@pytest.mark.parametrize("table", load_contract().values(), ids=lambda table: table.name)
def test_every_table_has_the_types_of_the_contract(
    orders_only: duckdb.DuckDBPyConnection, table: Table
) -> None:
    described = orders_only.sql(f"describe stg_{table.name}").fetchall()
    found = {name: kind for name, kind, *_ in described}

    assert {c.name: type_of(c.data_type) for c in table.columns}.items() <= found.items()
    dates = {c.name[:-3] + "_on" for c in table.columns if c.data_type == "timestamp"}
    assert dict.fromkeys(dates, "DATE").items() <= found.items()


def test_a_table_that_was_never_delivered_is_empty(
    orders_only: duckdb.DuckDBPyConnection,
) -> None:
    sizes = {name: orders_only.sql(f"from stg_{name}").shape[0] for name in load_contract()}
    assert {name for name, size in sizes.items() if size} == {"orders"}


def test_the_inventory_says_what_is_missing_and_what_that_costs(
    orders_only: duckdb.DuckDBPyConnection,
) -> None:
    inventory = {
        (table, column): (given, rows, lost)
        for table, column, _, given, rows, lost in orders_only.sql(
            "from source_inventory"
        ).fetchall()
    }
    contract = load_contract()
    assert set(inventory) == {(t.name, c.name) for t in contract.values() for c in t.columns}
    assert inventory["orders", "net_amount"] == (True, 2, None)
    assert inventory["orders", "cost_amount"][0] is False
    assert "margin" in inventory["orders", "cost_amount"][2]
    assert "NPS" in inventory["surveys", "score"][2]
    # given instead of orders, so nothing is lost without it
    assert inventory["order_lines", "order_id"] == (False, 0, None)


def test_rows_of_later_days_are_not_in_the_delivery(
    orders_only: duckdb.DuckDBPyConnection,
) -> None:
    assert orders_only.sql(
        "select extracted, accepted, quarantined, duplicate from row_ledger"
    ).fetchall() == [(2, 1, 1, 0)]


def test_nothing_delivered_at_all_is_no_error(company: Any) -> None:
    with company.build(select=PUBLISHED) as warehouse:
        for table in ("stg_orders", "quarantine", "row_ledger"):
            assert warehouse.sql(f"from {table}").shape[0] == 0
        assert warehouse.sql("from source_inventory where given").shape[0] == 0


def test_a_row_that_is_lost_fails_the_build(company: Any) -> None:
    """The balance is a test of the tables, not only of this repository."""
    company.deliver("orders", ORDERS)
    company.build(select="row_ledger").close()
    with duckdb.connect(str(company.home / "warehouse.duckdb")) as warehouse:
        warehouse.execute("delete from checked_orders where order_id = '1'")
    with pytest.raises(pytest.fail.Exception, match="row_ledger_balances"):
        company.build(select="row_ledger", tested=True)
