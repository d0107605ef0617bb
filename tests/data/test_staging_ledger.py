"""What was delivered, what became of it, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.resources.lake import Lake
from pipelines.sources.contract import Table, load_contract
from pipelines.sources.files import Files

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
        for table, column, given, rows, lost in orders_only.sql(
            "select table_name, column_name, given, rows, switched_off_what from source_inventory"
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


def test_what_the_contract_does_not_know_is_kept_and_shown(company: Any) -> None:
    company.deliver("orders", [ORDERS[0] | {"salesman": "x", "remark": "y"}])
    company.deliver("tickets", [{"ticket_id": "t", "customer_id": "c", "opened_at": "2024-03-01"}])
    extra = company.rows(
        "select table_name, column_name, kind, position, given, rows, switched_off_what"
        " from source_inventory where kind <> 'contract' order by all",
        select="source_inventory",
    )
    assert extra == [
        ("orders", "remark", "extra", None, True, 1, None),
        ("orders", "salesman", "extra", None, True, 1, None),
    ]


@pytest.mark.parametrize(
    ("amount", "status", "lost"),
    [
        ("10", "completed", "return features"),
        ("-10", "completed", "orders with a negative amount count as returns"),
        ("-10", "pending", "return features"),
    ],
)
def test_negative_orders_are_returns_to_the_inventory(
    company: Any, amount: str, status: str, lost: str
) -> None:
    company.deliver("orders", [ORDERS[0] | {"net_amount": amount, "status": status}])
    [(text,)] = company.rows(
        "select distinct switched_off_what from source_inventory where table_name = 'returns'",
        select="source_inventory",
    )
    assert lost in text


def test_a_version_that_another_one_replaced_is_told_in_the_ledger(company: Any) -> None:
    told = ["a 2024-03-01", "a 2024-04-01", "a 2024-05-01", "b 2024-03-01", "b 2024-03-01"]
    told += ["c 2024-03-01", "c 2024-06-02"]
    versions = [
        ORDERS[0] | {"order_id": order, "updated_at": day} for order, day in map(str.split, told)
    ]
    company.deliver("orders", versions[:-1], "2024-06-01")
    company.deliver("orders", versions)
    columns = "extracted, accepted, quarantined, duplicate, superseded"
    with company.build(select="row_ledger stg_orders", tested=True) as warehouse:
        assert warehouse.sql(
            f"select as_of::varchar, {columns} from row_ledger order by as_of"
        ).fetchall() == [("2024-06-01", 6, 5, 0, 1, 3), ("2024-06-30", 1, 1, 0, 0, 0)]
        [(used,)] = warehouse.sql("select sum(accepted - superseded) from row_ledger").fetchall()
        assert used == warehouse.sql("from stg_orders").shape[0] == 3


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


def test_a_person_finds_a_bad_row_in_the_file_by_what_quarantine_says(
    company: Any, tmp_path: Path
) -> None:
    """Two files, a malformed line, rows of another day in between, and a later delivery."""
    header = "order_id,customer_id,ordered_at,net_amount,status"
    files = tmp_path / "exports"
    files.mkdir()
    (files / "orders-1.csv").write_text(
        f"{header}\n1,c,2024-03-01,1,\n2,c\n\n3,c,2025-03-01,3,\n4,c,2024-03-01,12,,50\n"
        "5,,2024-03-01,5,\n"
    )
    unknown = [("退货", 20), ("Wanda", 19), ("0171 5550", 20), ("a@b.example", 20), ("z" * 21, 20)]
    shared = "".join(
        f"Z-{place}-{n},c{n},2024-03-01,1,{word}\n"
        for place, (word, customers) in enumerate(unknown)
        for n in range(customers)
    )
    (files / "orders-2.csv").write_text(
        f'{header}\n6,c,2024-03-01,"12,50",\n7,c,2024-03-01,7,shipped\n{shared}'
    )
    (files / "customers.csv").write_text(
        "customer_id,created_at,birth_date,distance_km\n"
        "c,2020-01-01,canary,1\nd,2020-01-01,1990-01-01,-3\n"
    )
    deliver_files(company, files, "2024-06-01")
    (files / "orders-1.csv").write_text(f"{header}\n9,c,2024-06-02,9,\n10,c,2024-06-02,ten,\n")
    deliver_files(company, files, "2024-06-02")
    (files / "orders-2.csv").write_text(f"{header}\n11,c,2024-03-01,eleven,\n")
    deliver_files(company, files, "2024-06-01")  # an older day only gains rows
    found = company.rows(
        "select batch_as_of::varchar, delivery_part, row_number, row_key, rule, value_shape"
        " from quarantine where row_key not like 'Z-%'"
        " order by table_name desc, batch_as_of, delivery_row",
        select="quarantine",
    )
    first, second = "2024-06-01", "2024-06-02"
    assert found == [
        (first, "orders-1.csv", 2, "", "row_malformed", None),
        (first, "orders-1.csv", 4, "", "row_malformed", None),
        (first, "orders-1.csv", 5, "5", "customer_id_missing", None),
        (first, "orders-2.csv", 1, "6", "net_amount_not_a_number", "99,99"),
        (first, "orders-2.csv", 2, "7", "status_unknown", "xxxxxxx"),
        (first, "orders-2.csv", 1, "11", "net_amount_not_a_number", "xxxxxx"),
        (second, "orders-1.csv", 2, "10", "net_amount_not_a_number", "xxx"),
        (first, "customers.csv", 1, "c", "birth_date_not_a_date", None),
        (first, "customers.csv", 2, "d", "distance_km_below_minimum", "-9"),
    ]
    with duckdb.connect(str(company.home / "warehouse.duckdb"), read_only=True) as warehouse:
        [(hint,)] = warehouse.sql(
            "select reason from quarantine where value_shape = '99,99'"
        ).fetchall()
        codes = warehouse.sql("select code, count(*) from quarantine where code <> '' group by all")
        # what fewer than 20 customers share, a number, an address, a sentence may be personal
        assert codes.fetchall() == [("退货", 20)]
    assert hint.endswith(
        """net_amount = { sql = "replace(replace(net_amount, '.', ''), ',', '.')" }"""
    )


def deliver_files(company: Any, folder: Path, as_of: str) -> None:
    source = Files(folder)
    lake = Lake(company.home / "lake")
    for table in source.tables():
        delivery = source.deliver(table, date.fromisoformat(as_of))
        lake.write(table, date.fromisoformat(as_of), [delivery])
    lake.accept(date.fromisoformat(as_of))


def test_a_row_that_came_again_in_order_is_mended(new_company: Callable[..., Any]) -> None:
    company = new_company()
    fine = {"customer_id": "c", "ordered_at": "2024-03-01", "net_amount": "10"}
    broken = fine | {"net_amount": "ten"}
    first = [("mended", broken), ("still", broken), ("fine_before", fine), ("both", broken)]
    then = [("mended", fine), ("fine_before", broken), ("both", fine | {"net_amount": "eleven"})]
    for day, rows in (
        ("2024-05-01", first),
        ("2024-05-02", then),
        ("2024-05-03", [("both", fine)]),
    ):
        company.deliver("orders", [{"order_id": key, **row} for key, row in rows], as_of=day)
    assert company.rows(
        "select row_key, batch_as_of::varchar, is_mended from quarantine order by all",
        select="quarantine",
    ) == [
        ("both", "2024-05-01", True),
        ("both", "2024-05-02", True),
        ("fine_before", "2024-05-02", False),
        ("mended", "2024-05-01", True),
        ("still", "2024-05-01", False),
    ]


def test_what_the_ledger_accepts_is_an_order_or_a_return_of_a_known_customer(company: Any) -> None:
    told = [("1", "buyer", "9", "completed"), ("2", "buyer", "-4", "completed")]
    told += [("3", "returner", "-4", "returned"), ("4", "undecided", "-4", "pending")]
    company.deliver(
        "orders",
        [
            ORDERS[0] | {"order_id": order, "customer_id": customer, "net_amount": amount,
                         "status": status}
            for order, customer, amount, status in told
        ],
    )  # fmt: skip
    tables = "row_ledger fct_orders fct_returns dim_customer"
    with company.build(select=tables, tested=True) as warehouse:
        [(accepted,)] = warehouse.sql("select accepted - superseded from row_ledger").fetchall()
        facts = warehouse.sql("""
            select order_id, customer_id from fct_orders union all
            select order_id, customer_id from fct_returns order by 1
        """).fetchall()
        known = warehouse.sql("select customer_id from dim_customer order by 1").fetchall()
    assert facts == [(order, customer) for order, customer, *_ in told]
    assert len(facts) == accepted
    assert known == [("buyer",), ("returner",), ("undecided",)]
