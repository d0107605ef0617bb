"""The register: which places it finds, what it refuses, and what the page says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.errors import HomingError
from pipelines.resources.version import PublishedTable, PublishedVersion
from pipelines.tables.register import (
    CAPABILITIES_PATH,
    Capability,
    Place,
    page,
    places,
    read_capabilities,
    unshown,
)

WISHES = [
    Capability(1, "Profile", "A profile", "建立客户档案"),
    Capability(2, "Profile", "A <history>", "购买历史"),
    Capability(3, "Care", "A connector", "纷享销客", missing="all", missing_because="Comes later."),
]


def manifest(*tables: dict[str, Any]) -> dict[str, Any]:
    nodes = {}
    for table in tables:
        columns = {
            name: {"name": name, "description": f"The {name}", "config": {"meta": meta}}
            for name, meta in table.pop("columns", {}).items()
        }
        meta = {"published": True} | table.pop("meta", {})
        node = {"resource_type": "model", "description": "Of  two\nlines", "columns": columns}
        nodes[f"model.homing.{table['name']}"] = node | table | {"config": {"meta": meta}}
    return {"nodes": nodes}


def test_places_are_published_tables_and_columns() -> None:
    found = places(
        manifest(
            {"name": "customers", "meta": {"capabilities": [1]}, "columns": {
                "orders": {"capabilities": [1, 2]}, "city": {},
            }},
            {"name": "drafts", "meta": {"capabilities": [2], "published": False}},
        ),
        WISHES,
        [PublishedTable("log", ("id",), description="A log", capabilities=(2,))],
    )  # fmt: skip
    assert {number: [place.name for place in there] for number, there in found.items()} == {
        1: ["customers", "customers.orders"],
        2: ["customers.orders", "log"],
        3: [],
    }
    assert found[1][0].description == "Of two lines"
    assert found[1][0].page == "index.html#!/model/model.homing.customers"


def test_rows_of_one_table_show_several_capabilities_each_under_its_condition() -> None:
    found = places(
        manifest(
            {"name": "lists", "columns": {
                "code": {
                    "capabilities": {"1": "code = 'a'", "2": "code = 'b'"},
                    "needs_earlier_days": [2],
                },
                "due_on": {"capabilities": [1]},
            }},
        ),
        WISHES,
    )  # fmt: skip
    assert {n: [(p.name, p.needs_earlier_days) for p in there] for n, there in found.items()} == {
        1: [("lists.code where code = 'a'", False), ("lists.due_on", False)],
        2: [("lists.code where code = 'b'", True)],
        3: [],
    }


def test_a_number_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(HomingError, match=r"customers\.city says that it shows capability 118"):
        places(
            manifest({"name": "customers", "columns": {"city": {"capabilities": [118]}}}), WISHES
        )


@pytest.mark.parametrize(
    ("look_up", "unknown"),
    [
        ("See `customers` and `customers.city`, or `log.id`.", ""),
        ("Plain words.", ""),
        ("See `customers.colour`.", r"capability 1 to customers\.colour"),
        ("See `drafts`.", "capability 1 to drafts"),
    ],
)
def test_how_to_look_it_up_names_what_is_published(look_up: str, unknown: str) -> None:
    wishes = [replace(WISHES[0], look_up=look_up)]
    tables = manifest(
        {"name": "customers", "columns": {"city": {}}},
        {"name": "drafts", "meta": {"published": False}},
    )
    own = [PublishedTable("log", ("id",), columns={"id": "The id"})]
    if unknown:
        with pytest.raises(HomingError, match=unknown):
            places(tables, wishes, own)
    else:
        assert places(tables, wishes, own) == {1: []}


@pytest.fixture
def version(tmp_path: Path) -> Callable[[str], PublishedVersion]:
    """A published version with one table, made of a query."""

    def make(query: str) -> PublishedVersion:
        con = duckdb.connect(str(tmp_path / "homing.duckdb"))
        con.execute(f"create table customers as {query}")
        con.execute(f"copy customers to '{tmp_path / 'customers.parquet'}'")
        [rows] = con.execute("select count(*) from customers").fetchall()[0]
        con.close()
        tables = {"customers": {"file": "customers.parquet", "rows": rows}}
        (tmp_path / "version.json").write_text(json.dumps({"tables": tables}))
        return PublishedVersion(tmp_path)

    return make


SHOWN = {1: [Place("customers", None, "")], 2: [Place("customers", "orders", "")], 3: []}


@pytest.mark.parametrize(
    ("query", "where", "missing"),
    [
        ("select 1 as orders", SHOWN, []),
        ("select null::int as orders", SHOWN, [2]),
        ("select 1 as orders where false", SHOWN, [1, 2]),
        ("select 1 as orders", SHOWN | {2: []}, [2]),
        ("select 1 as orders", SHOWN | {2: [Place("payments", None, "")]}, [2]),
        ("select 1 as orders", SHOWN | {2: [*SHOWN[2], Place("payments", None, "")]}, [2]),
        ("select 1 as orders", SHOWN | {2: [Place("customers", "orders", "", "orders = 1")]}, []),
        ("select 1 as orders", SHOWN | {2: [Place("customers", "orders", "", "orders > 1")]}, [2]),
        ("select 1 as orders", SHOWN | {2: [Place("customers", None, "", "orders > 1")]}, [2]),
    ],
    ids=[
        "all there",
        "only NULL",
        "no row",
        "nowhere",
        "no such table",
        "one of two places",
        "a row of that kind",
        "no value of that kind",
        "no row of that kind",
    ],
)
def test_a_capability_is_shown_by_content(
    version: Callable[[str], PublishedVersion],
    query: str,
    where: dict[int, list[Place]],
    missing: list[int],
) -> None:
    found = unshown(WISHES, where, version(query), has_earlier_days=True, has_many_customers=True)
    assert list(found) == missing


def test_what_needs_many_customers_may_be_empty_for_few(
    version: Callable[[str], PublishedVersion],
) -> None:
    where = SHOWN | {2: [Place("customers", "orders", "", needs_many_customers=True)]}
    empty = version("select null::int as orders")
    told = partial(unshown, WISHES, where, empty, has_earlier_days=True)
    assert told(has_many_customers=False) == {}
    assert list(told(has_many_customers=True)) == [2]


def test_what_needs_earlier_days_may_be_empty_on_the_first(
    version: Callable[[str], PublishedVersion],
) -> None:
    where = SHOWN | {2: [Place("customers", "orders", "", needs_earlier_days=True)]}
    empty = version("select null::int as orders")
    assert unshown(WISHES, where, empty, has_earlier_days=False, has_many_customers=True) == {}
    assert list(unshown(WISHES, where, empty, has_earlier_days=True, has_many_customers=True)) == [
        2
    ]
    assert "needs earlier days</em>" in page(WISHES, where).split("</h1>")[1].split("<h2>")[1]


def test_a_condition_that_cannot_be_asked_names_its_table(
    version: Callable[[str], PublishedVersion],
) -> None:
    where = SHOWN | {2: [Place("customers", None, "", "colour = 'red'")]}
    with pytest.raises(HomingError, match=r"meta\.capabilities of customers.*colour"):
        unshown(
            WISHES,
            where,
            version("select 1 as orders"),
            has_earlier_days=True,
            has_many_customers=True,
        )


def test_the_page_escapes_links_and_explains() -> None:
    wishes = [replace(WISHES[0], look_up="Sort by `a.b` & c."), *WISHES[1:]]
    text = page(wishes, {1: [Place("a", "b", "x & y", page="index.html#!/model/a")], 2: [], 3: []})
    assert '<a href="index.html#!/model/a"><code>a.b</code></a> x &amp; y' in text
    assert "Sort by <code>a.b</code> &amp; c." in text
    assert "A &lt;history&gt;" in text
    assert "Not shown yet." in text
    assert "Comes later." in text
    assert "建立客户档案" in text


def test_the_register_has_all_numbers_and_a_reason_for_what_is_missing() -> None:
    wishes = read_capabilities()
    assert [wish.number for wish in wishes] == list(range(1, 118))
    assert {wish.number: wish.missing for wish in wishes if wish.missing} == {
        6: "all", 10: "part", 16: "part", 30: "part", 47: "part", 94: "part", 98: "part",
    }  # fmt: skip


def test_missing_without_a_reason_is_refused(tmp_path: Path) -> None:
    text = CAPABILITIES_PATH.read_text(encoding="utf-8")
    path = tmp_path / "capabilities.csv"
    path.write_text(text.replace("建立客户画像,,", "建立客户画像,all,"), encoding="utf-8")
    with pytest.raises(HomingError, match="line 2"):
        read_capabilities(path)
