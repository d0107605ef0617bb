"""The flat file of a shop: what order lines become, and money in several currencies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from pipelines.resources.lake import Lake
from pipelines.sources.contract import load_contract
from pipelines.sources.files import Files


def line(order_id: str, product: str = "p", quantity: Any = "1", price: Any = "2.50", **more: Any):
    return {
        "order_id": order_id,
        "customer_id": "13085.0",
        "ordered_at": "2010-12-01 08:26:00",
        "product_id": product,
        "quantity": quantity,
        "unit_price": price,
    } | more


LINES = [
    line("1", "mug", "3", "0.3333", product_name="WHITE MUG", country="France"),
    line("1", "mug", "1", "2.50", product_name="WHITE MUG", country="France"),
    line("1", "mug", "1", "2.50", product_name="WHITE MUG", country="France"),  # a repeat
    line("1", "cup", "2", "0", product_name="cup", country="France"),
    line("1", "mug", "-1", "2.50", product_name="mug?"),
    line("C2", "mug", "-3", "2.50", product_name="mug?"),
    line("C3", "mug", "1", "4.00", product_name="WHITE MUG"),
    line("CO4", "tea", "1", "5.00"),
    line("only taken back", "tea", "-2", "5.00"),
    line("never taken back", "tea", "-2", "5.00", status="cancelled"),
    line("no customer", customer_id=""),
    line("nothing", quantity="0"),
    line("bad debt", price="-11062.06"),
    line("too much", quantity="1000000000", price="1000000000"),
]
PERSONAL_FREE = "stg_orders stg_order_items stg_products stg_returns row_ledger quarantine"


@pytest.fixture(scope="module")
def warehouse(new_company: Callable[..., Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    company = new_company()
    company.deliver("order_lines", LINES)
    with company.build(select=PERSONAL_FREE) as connection:
        yield connection


def test_lines_become_orders(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.sql(
        "select order_id, customer_id, status, net_amount, gross_amount, cost_amount, country"
        " from stg_orders order by 1"
    ).fetchall()
    assert found == [
        ("1", "13085", "completed", Decimal("3.50"), Decimal("3.50"), None, "France"),
        ("CO4", "13085", "completed", Decimal("5.00"), Decimal("5.00"), None, None),
        # what was cancelled took nothing back, and does not vanish
        ("never taken back", "13085", "cancelled", Decimal(-10), Decimal(-10), None, None),
    ]


def test_lines_become_items(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.sql(
        "select order_id, line_no, product_id, quantity, unit_price, customer_id, ordered_on::text"
        " from stg_order_items order by 1, 2"
    ).fetchall()
    assert found == [
        ("1", 1, "cup", Decimal(2), Decimal(0), "13085", "2010-12-01"),
        ("1", 2, "mug", Decimal(1), Decimal("2.5"), "13085", "2010-12-01"),
        ("1", 3, "mug", Decimal(3), Decimal("0.3333"), "13085", "2010-12-01"),
        ("CO4", 1, "tea", Decimal(1), Decimal(5), "13085", "2010-12-01"),
    ]


def test_negative_and_cancelled_lines_become_returns(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    found = warehouse.sql(
        "select order_id, customer_id, product_id, quantity, amount from stg_returns order by 1"
    ).fetchall()
    assert found == [
        ("1", "13085", "mug", Decimal(1), Decimal("2.50")),
        ("C2", "13085", "mug", Decimal(3), Decimal("7.50")),
        ("C3", "13085", "mug", Decimal(1), Decimal("4.00")),
        ("only taken back", "13085", "tea", Decimal(2), Decimal("10.00")),
    ]


def test_a_product_bears_its_most_frequent_name(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.sql("select product_id, name from stg_products order by 1").fetchall()
    assert found == [("cup", "cup"), ("mug", "WHITE MUG"), ("tea", None)]


def test_lines_that_cannot_be_used(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.sql("select split_part(row_key, '/', 1), rule from quarantine").fetchall()
    assert sorted(found) == [
        ("bad debt", "unit_price_below_minimum"),
        ("no customer", "customer_id_missing"),
        ("nothing", "quantity_zero"),
        ("too much", "amount_implausible"),
    ]
    assert warehouse.sql(
        "select extracted, accepted, quarantined, duplicate from row_ledger"
    ).fetchall() == [(14, 9, 4, 1)]


def test_a_shop_may_have_numbers_that_begin_like_cancellations(company: Any) -> None:
    company.deliver("order_lines", [line("C1001"), line("C1002", quantity="-1")])
    found = company.rows(
        "select order_id from stg_orders", select="stg_orders", cancelled_order_pattern=""
    )
    assert found == [("C1001",)]


def test_costs_and_discounts_of_lines_add_up(company: Any) -> None:
    known = {"unit_cost": "1.10", "discount_amount": "0.40"}
    company.deliver(
        "order_lines",
        [line("1", "a", "2", **known), line("1", "b", **known), line("2", "a", **known), line("2")],
    )
    found = company.rows(
        "select order_id, net_amount, discount_amount, cost_amount from stg_orders order by 1",
        select="stg_orders",
    )
    assert found == [
        ("1", Decimal("6.70"), Decimal("0.80"), Decimal("3.30")),
        ("2", Decimal("4.60"), Decimal("0.40"), None),
    ]


def test_a_line_that_is_told_again_counts_once(company: Any) -> None:
    """A renamed product or a new column changes every row of a flat export."""
    first = [line("1", quantity="2"), line("1", "cup", discount_amount="1"), line("1", "cup")]
    company.deliver("order_lines", first, "2024-06-28")
    query = "select net_amount from stg_orders"
    assert company.rows(query, "2024-06-28", select="stg_orders") == [(Decimal("9.00"),)]

    renamed = [row | {"product_name": "new"} for row in first]
    late = line("1", "late", product_name="new")
    company.deliver("order_lines", [*renamed, late], "2024-06-29")
    company.deliver("order_lines", [renamed[0] | {"country": "France"}], "2024-06-30")
    with company.build(select="stg_orders stg_products") as warehouse:
        assert warehouse.sql(query).fetchall() == [(Decimal("11.50"),)]
        assert warehouse.sql("select distinct name from stg_products").fetchall() == [("new",)]


def test_equal_lines_are_told_apart_by_their_number_and_cancelled_ones_by_their_state(
    company: Any,
) -> None:
    company.deliver(
        "order_lines",
        [
            line("1", line_no="1", status=""),
            line("1", line_no="2", status="completed"),
            line("1", line_no="3", status="cancelled"),
            line("2", line_no="1", status="cancelled"),
        ],
    )
    with company.build(select="stg_orders stg_order_items") as warehouse:
        orders = warehouse.sql("select order_id, status, net_amount from stg_orders order by 1")
        assert orders.fetchall() == [
            ("1", "completed", Decimal("5.00")),
            ("2", "cancelled", Decimal("2.50")),
        ]
        items = warehouse.sql("select order_id, line_no from stg_order_items order by all")
        assert items.fetchall() == [("1", 1), ("1", 2)]


def test_a_mended_price_replaces_the_line_that_was_wrong(company: Any) -> None:
    company.deliver("order_lines", [line("1", quantity="2"), line("1", "cup")], "2024-06-28")
    query = "select net_amount from stg_orders"
    [(before,)] = company.rows(query, "2024-06-28", select="stg_orders")
    mended = line("1", quantity="2") | {"unit_price": "1.00"}
    company.deliver("order_lines", [mended], "2024-06-29")
    assert before == Decimal("7.50")
    assert company.rows(query, select="stg_orders row_ledger") == [(Decimal("4.50"),)]


def bring(company: Any, folder: Path, as_of: str) -> None:
    table, day = load_contract()["order_lines"], date.fromisoformat(as_of)
    lake = Lake(company.home / "lake", memory_limit="1GB")
    lake.write(table, day, [Files(folder).deliver(table, day)])
    lake.accept(day)


def export(file: Path, *lines: dict[str, Any]) -> None:
    pd.DataFrame(lines).to_csv(file, index=False)


def test_a_changed_mapping_brings_back_nothing_that_a_later_file_corrected(
    company: Any, tmp_path: Path
) -> None:
    tea = line("untouched", "tea")
    export(tmp_path / "order_lines.csv", line("1", quantity="3"), line("1", quantity="4"), tea)
    bring(company, tmp_path, "2024-06-28")
    # by its name, the correction of the correction comes before it
    export(tmp_path / "order_lines-b.csv", line("1", quantity="7"), line("2", quantity="1"))
    bring(company, tmp_path, "2024-06-29")
    again = [line("1", quantity="10"), line("1", quantity="3"), line("1", quantity="3")]
    export(tmp_path / "order_lines-a.csv", *again)
    bring(company, tmp_path, "2024-06-30")
    query = "select order_id, net_amount from stg_orders order by 1"
    tables = "stg_orders row_ledger"
    before = company.rows(query, select=tables)
    assert before == [
        ("1", Decimal("32.50")),
        ("2", Decimal("2.50")),
        ("untouched", Decimal("2.50")),
    ]

    columns = 'product_name = { sql = "upper(product_id)" }'
    (tmp_path / "mapping.toml").write_text(f"[order_lines.columns]\n{columns}\n")
    bring(company, tmp_path, "2024-06-30")
    with company.build(select=tables) as warehouse:
        assert warehouse.sql(query).fetchall() == before
        told_again = warehouse.sql(
            "select extracted, accepted, duplicate, superseded from row_ledger"
            " where as_of = '2024-06-30'"
        ).fetchall()
    assert told_again == [(8, 6, 2, 2)]


def test_of_files_that_come_together_the_later_by_name_counts(company: Any, tmp_path: Path) -> None:
    first = [line("1", quantity="3"), line("1", "cup"), line("2", quantity="5"), line("2")]
    export(tmp_path / "order_lines.csv", *first)
    export(tmp_path / "order_lines-2024-9.csv", line("1", quantity="4"))
    export(tmp_path / "order_lines-2024-10.csv", line("1", quantity="10"), line("2"))
    bring(company, tmp_path, "2024-06-30")
    query = "select order_id, net_amount from stg_orders order by 1"
    found = company.rows(query, select="stg_orders row_ledger")
    assert found == [("1", Decimal("27.50")), ("2", Decimal("2.50"))]


def test_orders_items_and_returns_beside_lines(company: Any) -> None:
    company.deliver("order_lines", [line("1"), line("2")])
    order = {"customer_id": "c", "ordered_at": "2024-03-01", "net_amount": "9"}
    company.deliver(
        "orders",
        [
            order | {"order_id": "1"},
            order | {"order_id": "3", "net_amount": "-4"},
            order | {"order_id": "4", "net_amount": "-5", "status": "cancelled"},
            order | {"order_id": "5", "ordered_at": "2024-06-01"},
        ],
    )
    item = {"line_no": "1", "product_id": "p", "quantity": "1"}
    company.deliver("order_items", [item | {"order_id": n} for n in ("1", "5", "unknown")])
    company.deliver(
        "returns",
        [{"return_id": "r", "order_id": "1", "returned_at": "2024-04-01", "amount": "-3",
          "quantity": "-1"}],
    )  # fmt: skip
    tables = "stg_orders stg_order_items stg_returns"
    with company.build("2024-05-01", select=tables) as warehouse:
        orders = warehouse.sql("select order_id, net_amount from stg_orders order by 1").fetchall()
        items = warehouse.sql(
            "select order_id, customer_id, ordered_on::text from stg_order_items order by all"
        ).fetchall()
        returns = warehouse.sql(
            "select return_id, order_id, customer_id, amount, quantity from stg_returns order by 1"
        ).fetchall()
    # where both tell of an order, the table orders counts; a negative order is a return unless
    # it was cancelled
    assert orders == [("1", Decimal(9)), ("2", Decimal("2.50")), ("4", Decimal(-5))]
    assert returns == [
        ("order 3", "3", "c", Decimal(4), None),
        ("r", "1", "c", Decimal(3), Decimal(1)),
    ]
    # items of an order that is unknown, or later than the run, are left out
    assert items == [
        ("1", "c", "2024-03-01"),
        ("2", "13085", "2010-12-01"),
    ]


def test_money_is_added_up_in_one_currency(company: Any) -> None:
    def order(order_id: str, currency: str | None, day: str = "2024-03-01") -> dict[str, Any]:
        return {
            "order_id": order_id,
            "customer_id": "c",
            "ordered_at": day,
            "net_amount": "1000000.10",
            "currency": currency,
        }

    company.deliver(
        "orders",
        [
            order("1", "EUR"),
            order("2", "eur"),
            order("3", None),
            order("4", "GBP"),
            order("5", "GBP", "2019-03-01"),
            order("6", "GBP", "2001-03-01"),
            order("7", "XXX"),
        ],
    )
    company.deliver("order_lines", [line("8", currency="GBP", ordered_at="2024-03-01")])
    company.deliver(
        "order_items",
        [{"order_id": "4", "line_no": "1", "product_id": "p", "quantity": 1, "unit_price": 10}],
    )
    company.deliver(
        "returns", [{"return_id": "r", "order_id": "4", "returned_at": "2024-04-01", "amount": 10}]
    )
    select = "stg_orders stg_order_items stg_returns quarantine row_ledger"
    with company.build(select=select, home_currency="EUR") as warehouse:
        amounts = dict(warehouse.sql("select order_id, net_amount from stg_orders").fetchall())
        [price] = warehouse.sql(
            "select unit_price from stg_order_items where order_id = '4'"
        ).fetchall()
        [refund] = warehouse.sql("select amount from stg_returns").fetchall()
        quarantine = warehouse.sql("select row_key, rule from quarantine order by 1").fetchall()
        ledger = warehouse.sql(
            "select extracted, accepted, quarantined from row_ledger where table_name = 'orders'"
        ).fetchall()
    assert amounts == {
        "1": Decimal("1000000.10"),
        "2": Decimal("1000000.10"),
        "3": Decimal("1000000.10"),
        "4": Decimal("1181200.12"),
        "5": Decimal("1139300.11"),
        "8": Decimal("2.95"),
    }
    assert price == (Decimal("11.8120"),)
    assert refund == (Decimal("11.81"),)
    assert quarantine == [("6", "currency_without_rate"), ("7", "currency_without_rate")]
    assert ledger == [(7, 5, 2)]


def test_home_is_the_most_frequent_currency(company: Any) -> None:
    order = {"customer_id": "c", "ordered_at": "2024-03-01", "net_amount": "11.81"}
    company.deliver(
        "orders",
        [
            order | {"order_id": n, "currency": c}
            for n, c in [("1", "GBP"), ("2", "EUR"), ("3", "GBP")]
        ],
    )
    found = company.rows(
        "select order_id, net_amount from stg_orders order by 1",
        select="stg_orders",
    )
    assert found == [("1", Decimal("11.81")), ("2", Decimal(10)), ("3", Decimal("11.81"))]
