"""What a customer is worth stays hidden from the service role in what was published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

# Amounts of one thing that a customer may ask about: an order, a quotation, a return, a bill.
OF_ONE_THING = {
    "fct_opportunities.previous_quoted_amount",
    "fct_opportunities.quoted_amount",
    "fct_opportunities.won_amount",
    "fct_order_lines.discount_amount",
    "fct_order_lines.gross_amount",
    "fct_order_lines.net_amount",
    "fct_order_lines.unit_price",
    "fct_orders.discount_amount",
    "fct_orders.gross_amount",
    "fct_orders.net_amount",
    "fct_returns.amount",
    "journey_touches.net_amount",
    "milestones.amount",
    "customer_behaviour.unpaid_overdue_amount",
}

# Figures that are told in a word or a place, and not in money.
WORDS_OF_WORTH = {"value_tier", "previous_tier", "grade_vip", "value_score", "value_score_at_start"}

Shown = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def published(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    database = sample_home / "published" / "homing.duckdb"
    with duckdb.connect(str(database), read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def shown(published: duckdb.DuckDBPyConnection) -> Shown:
    """Columns of every view of the service about customers that show anything: type by name."""
    columns: Shown = {}
    for table, column, kind in published.execute(
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = 'role_service'"
    ).fetchall():
        columns.setdefault(table, {})[column] = kind
    about_customers = {table: of for table, of in columns.items() if "customer_id" in of}
    for table, of in about_customers.items():
        counts = ", ".join(f'count("{column}")' for column in of)
        found = published.execute(f"select {counts} from role_service.{table}").fetchone()
        assert found
        about_customers[table] = {
            column: kind for (column, kind), rows in zip(of.items(), found, strict=True) if rows
        }
    return about_customers


def test_no_money_but_that_of_one_thing_is_shown(
    published: duckdb.DuckDBPyConnection, shown: Shown
) -> None:
    """Money says so: its unit stands in the description (tests/code/test_descriptions.py)."""
    in_money = published.execute(
        "select table_name, column_name from duckdb_columns()"
        " where schema_name = 'main' and comment like '%currency%'"
        " and data_type <> 'VARCHAR'"
    ).fetchall()
    money = {f"{table}.{column}" for table, column in in_money if column in shown.get(table, {})}
    assert "fct_orders.net_amount" in money
    assert money - OF_ONE_THING == set()


def test_no_tier_and_no_score_of_worth_is_shown(shown: Shown) -> None:
    assert "retention_list" in shown
    assert [table for table, of in shown.items() if WORDS_OF_WORTH & of.keys()] == []


def test_no_text_tells_the_profit(published: duckdb.DuckDBPyConnection, shown: Shown) -> None:
    """As `talking_points` once did; profits of few digits stand in many a text by chance."""
    published.execute(
        "create temp table profits as select customer_id, gross_profit_12m::varchar as profit"
        " from main.customer_value where gross_profit_12m >= 100"
    )
    for table, of in shown.items():
        texts = [f'"{column}"' for column, kind in of.items() if kind == "VARCHAR"]
        told = published.execute(
            f"select count(*) from role_service.{table} join profits using (customer_id)"
            f" where contains(concat_ws(' | ', {', '.join(texts)}), profit)"
        ).fetchone()
        assert told == (0,), table
