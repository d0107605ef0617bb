"""Column lineage: what single queries yield, what a project of them does, and the real one."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import HomingError
from pipelines.tables import lineage
from pipelines.tables.lineage import Relation, column_lineage, project_lineage, query_lineage

TABLES = {
    "orders": ["order_id", "customer_id", "ordered_at", "amount", "discount"],
    "returns": ["order_id", "returned_at", "refund"],
}


def origins(sql: str) -> dict[str, set[str]]:
    found = query_lineage(sql, TABLES)
    return {column: {f"{t}.{c}" for t, c in of} for column, of in found.items()}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("select amount from orders", {"amount": "orders.amount"}, id="as it is"),
        pytest.param(
            'select O.Amount as PAID from "warehouse"."main"."orders" as o',
            {"paid": "orders.amount"},
            id="qualified, in any case",
        ),
        pytest.param(
            "select amount - discount as net from orders",
            {"net": "orders.amount orders.discount"},
            id="computed from two",
        ),
        pytest.param(
            "select amount - discount as net, net * 2 as twice from orders",
            {"net": "orders.amount orders.discount", "twice": "orders.amount orders.discount"},
            id="by an alias of the same select list",
        ),
        pytest.param(
            "select 'x' as kind, 1 + 1 as two, count(*) as rows from orders",
            {"kind": "", "two": "", "rows": ""},
            id="literals and counted rows have none",
        ),
        pytest.param(
            "select case when discount > 0 then amount else 0 end as cut from orders",
            {"cut": "orders.amount orders.discount"},
            id="the condition counts",
        ),
        pytest.param(
            "select sum(amount) filter (where discount > 0) as cut from orders where order_id > 1",
            {"cut": "orders.amount orders.discount"},
            id="a filter of the aggregate counts, one of the rows does not",
        ),
        pytest.param(
            "with paid as (select order_id, amount as a from orders),"
            " doubled as (select order_id, a * 2 as b from paid) select b from doubled",
            {"b": "orders.amount"},
            id="through common table expressions",
        ),
        pytest.param(
            "with orders as (select * from main.orders) select discount from orders",
            {"discount": "orders.discount"},
            id="through one that hides its table",
        ),
        pytest.param(
            "select * from returns",
            {c: f"returns.{c}" for c in TABLES["returns"]},
            id="a star",
        ),
        pytest.param(
            "with joined as (select o.*, r.refund from orders as o left join returns as r"
            " on o.order_id = r.order_id) select * exclude (ordered_at, discount) from joined",
            {
                "order_id": "orders.order_id",
                "customer_id": "orders.customer_id",
                "amount": "orders.amount",
                "refund": "returns.refund",
            },
            id="stars over a join",
        ),
        pytest.param(
            "select customer_id, refund from orders inner join returns using (order_id)",
            {"customer_id": "orders.customer_id", "refund": "returns.refund"},
            id="a join, columns without their table",
        ),
        pytest.param(
            "select order_id as id, amount from orders"
            " union all select order_id, -refund from returns union all select 0, 0",
            {"id": "orders.order_id returns.order_id", "amount": "orders.amount returns.refund"},
            id="a union, by position",
        ),
        pytest.param(
            "select paid from (select amount as paid from orders) as inner_orders",
            {"paid": "orders.amount"},
            id="a subquery in from",
        ),
        pytest.param(
            "select amount, amount > (select min(amount) from orders) as more,"
            " (select max(refund) from returns where returns.order_id = o.order_id) as r"
            " from orders as o",
            {"amount": "orders.amount", "r": "returns.refund", "more": "orders.amount"},
            id="subqueries in select",
        ),
        pytest.param(
            "select (select max(refund + o.amount) from returns) as r from orders as o",
            {"r": "returns.refund orders.amount"},
            id="a correlated subquery",
        ),
        pytest.param(
            "select row_number() over (partition by customer_id order by ordered_at) as n"
            " from orders",
            {"n": "orders.customer_id orders.ordered_at"},
            id="a window",
        ),
        pytest.param(
            "select lag(amount) over placed as before from orders"
            " window placed as (partition by customer_id order by ordered_at)",
            {"before": "orders.amount orders.customer_id orders.ordered_at"},
            id="a named window",
        ),
        pytest.param(
            "select amount * n.n as times, n.n as n from orders"
            " cross join (values (1), (2)) as n (n) cross join range(3) as numbers (i)",
            {"times": "orders.amount", "n": ""},
            id="made-up tables are no origin",
        ),
        pytest.param(
            "select x.a, orders.amount from orders cross join other as x",
            {"a": "", "amount": "orders.amount"},
            id="nor are those of others",
        ),
    ],
)
def test_a_query_tells_what_its_columns_are_made_of(sql: str, expected: dict[str, str]) -> None:
    assert origins(sql) == {column: set(of.split()) for column, of in expected.items()}


@given(st.lists(st.permutations("abc"), min_size=1, max_size=6))
def test_a_chain_of_renamings_is_followed_to_its_end(renamings: list[list[str]]) -> None:
    names = dict(zip("abc", "abc", strict=True))
    steps, before = [], "t"
    for number, renaming in enumerate(renamings):
        columns = ", ".join(f"{old} as {new}" for old, new in zip("abc", renaming, strict=True))
        steps.append(f"step_{number} as (select {columns} from {before})")
        names = {new: names[old] for old, new in zip("abc", renaming, strict=True)}
        before = f"step_{number}"
    found = query_lineage(f"with {', '.join(steps)} select * from {before}", {"t": "abc"})
    assert found == {new: {("t", first)} for new, first in names.items()}


PROJECT = [  # children first: the order in which they are given must not matter
    Relation("paid", ("stg_orders", "rates"), sql="select o.*, rate from stg_orders as o, rates"),
    Relation("stg_orders", ("checked_orders",), sql="select * from main.checked_orders"),
    Relation(
        "checked_orders",
        ("lake/orders", "lake_batches"),
        sql="select null as ordered_at, null as ordered_on, null as _row where false",
    ),
    Relation("lake_batches", sql="select 1 as as_of"),
    Relation("lake/orders", columns=("ordered_at", "status")),
    Relation("rates", columns=("currency", "rate")),
]


def test_a_table_knows_the_columns_of_its_parents_by_what_they_select() -> None:
    found, unreadable = project_lineage(PROJECT)
    assert not unreadable
    assert found["paid"] == {
        "ordered_at": [("stg_orders", "ordered_at")],
        "ordered_on": [("stg_orders", "ordered_on")],
        "_row": [("stg_orders", "_row")],
        "rate": [("rates", "rate")],
    }
    assert set(found) == {"paid", "stg_orders", "checked_orders", "lake_batches"}


def test_what_a_macro_reads_from_a_source_keeps_its_name() -> None:
    found, _ = project_lineage(PROJECT)
    assert found["checked_orders"] == {
        "ordered_at": [("lake/orders", "ordered_at")],
        "ordered_on": [("lake/orders", "ordered_at")],
        "_row": [],
    }


@pytest.mark.parametrize("sql", ["select from where", "", "select * from nowhere"])
def test_unreadable_sql_is_told_once_and_left_out(sql, tmp_path, monkeypatch, capsys) -> None:
    broken = Relation("stg_orders", ("checked_orders",), columns=("ordered_at",), sql=sql)
    monkeypatch.setattr(lineage, "LINEAGE_PATH", tmp_path / "column_lineage.json")
    monkeypatch.setattr(lineage, "compiled_project", lambda: [PROJECT[0], broken, *PROJECT[2:]])
    assert lineage.main() == 0
    shown = capsys.readouterr()
    assert not shown.out
    assert re.findall("warning: no column lineage of (.*?): .", shown.err) == ["stg_orders"]
    written = json.loads((tmp_path / "column_lineage.json").read_bytes())
    assert "stg_orders" not in written
    # What it declares is known all the same.
    assert written["paid"]["ordered_at"] == [["stg_orders", "ordered_at"]]


def test_nothing_is_said_when_nothing_is_wrong(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(lineage, "LINEAGE_PATH", tmp_path / "column_lineage.json")
    monkeypatch.setattr(lineage, "compiled_project", lambda: PROJECT)
    assert lineage.main() == 0
    assert capsys.readouterr() == ("", "")
    first = (tmp_path / "column_lineage.json").read_bytes()
    monkeypatch.setattr(lineage, "compiled_project", lambda: PROJECT[::-1])
    assert lineage.main() == 0
    assert (tmp_path / "column_lineage.json").read_bytes() == first


def test_a_project_that_dbt_refuses_stops_make(monkeypatch, capsys) -> None:
    def refused():
        raise HomingError("`dbt compile` failed: no such macro")

    monkeypatch.setattr(lineage, "compiled_project", refused)
    assert lineage.main() == 1
    assert capsys.readouterr().err == "`dbt compile` failed: no such macro\n"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Lineage of one column, in place of the project's."""
    path = tmp_path / "column_lineage.json"
    path.write_text('{"stg_orders": {"paid_on": [["lake/orders", "paid_at"]], "kind": []}}')
    monkeypatch.setattr(lineage, "LINEAGE_PATH", path)
    lineage._recorded.cache_clear()
    yield path
    lineage._recorded.cache_clear()


def test_dagster_gets_asset_keys(recorded) -> None:
    found = column_lineage("stg_orders").deps_by_column
    assert [(d.asset_key.path, d.column_name) for d in found["paid_on"]] == [
        (["lake", "orders"], "paid_at")
    ]
    assert found["kind"] == []
    assert column_lineage("stg_returns") is None


def test_a_run_does_without_lineage_that_was_never_made(recorded) -> None:
    recorded.unlink()
    assert column_lineage("stg_orders") is None


class TestRealProject:
    """What `make` wrote for the tables of this repository."""

    @pytest.fixture(scope="class")
    def made(self) -> dict[str, dict[str, list[tuple[str, str]]]]:
        if not lineage.LINEAGE_PATH.exists():
            pytest.fail("the lineage of this project is missing; run `make setup`")
        return json.loads(lineage.LINEAGE_PATH.read_bytes())

    @pytest.fixture(scope="class")
    def manifest(self) -> dict:
        return json.loads(lineage.LINEAGE_PATH.with_name("manifest.json").read_bytes())

    def test_no_table_is_left_out(self, made, manifest) -> None:
        models = (n for n in manifest["nodes"].values() if n["resource_type"] == "model")
        assert set(made) == {model["name"] for model in models}

    def test_every_origin_exists(self, made, manifest) -> None:
        columns = {table: set(found) for table, found in made.items()}
        for node in manifest["nodes"].values():
            if node["resource_type"] == "seed":
                columns[node["name"]] = set(node["columns"])
        for source in manifest["sources"].values():
            columns[f"{source['source_name']}/{source['name']}"] = set(source["columns"])
        for table, found in made.items():
            for column, upstream in found.items():
                missing = [(t, c) for t, c in upstream if c not in columns[t]]
                assert not missing, f"{table}.{column}"

    def test_published_columns_have_an_origin_unless_they_are_constants_or_counts(
        self, made, manifest
    ) -> None:
        published = [
            node
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model" and node["config"]["meta"].get("published")
        ]
        assert published
        for table in published:
            assert set(made[table["name"]]) == set(table["columns"])
        found = [bool(of) for table in published for of in made[table["name"]].values()]
        assert sum(found) / len(found) > 0.85

    @pytest.mark.parametrize(
        ("table", "column", "source", "its_column"),
        [
            ("customer_lifecycle", "lifecycle_stage", "lake/orders", "ordered_at"),
            ("customer_lifecycle", "last_order_on", "lake/order_lines", "ordered_at"),
            ("customer_value", "monetary_12m", "lake/orders", "net_amount"),
            ("dim_customer_contact", "email", "lake/customers", "email"),
            ("customer_features", "open_complaints", "lake/tickets", "kind"),
            ("customer_churn_scores", "churn_probability", "feedback/scores", "churn_probability"),
            ("model_evaluations", "value", "feedback/evaluations", "value"),
            ("retention_list", "customer_id", "lake/orders", "customer_id"),
        ],
    )
    def test_it_reaches_what_was_delivered(self, made, table, column, source, its_column) -> None:
        seen: set[tuple[str, str]] = set()
        ahead = [(table, column)]
        while ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                ahead += map(tuple, made.get(at[0], {}).get(at[1], []))
        assert (source, its_column) in seen
