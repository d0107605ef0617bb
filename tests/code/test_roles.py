"""Views of the roles: who sees which rows and columns, on both sides, and what is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

import duckdb
import pytest

from pipelines.errors import PublishError
from pipelines.resources.publisher import PublishedTable, Publisher
from pipelines.resources.roles import (
    AS_EVERYWHERE,
    CUSTOMER_ACCESS,
    Grant,
    Mask,
    Only,
    check_grants,
    grant_of,
    read_grants,
)
from pipelines.resources.version import PublishedVersion
from pipelines.resources.version_log import OWN_TABLES
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_ROOT
from pipelines.tables.dbt import tables_published

DAY = date(2026, 6, 1)
SEED = PROJECT_ROOT / "dbt_project" / "seeds" / "role_access.csv"

TABLES = {
    "customer_access": (
        "select * from (values ('C1', 'R1', 'north', true, true, false),"
        " ('C2', 'R2', 'north', true, false, true), ('C3', 'R3', 'south', false, false, false),"
        " ('C4', null, null, true, true, true))"
        " as t(customer_id, owner_id, team, may_contact, may_email, may_phone)"
    ),
    # C3's task went to R1, who stands in
    "retention_list": (
        "select 'L' || customer_id as list_row_id, customer_id,"
        " if(customer_id = 'C3', 'R1', owner_id) as owner_id, 7.5::decimal(18,2) as priority,"
        " 7.5::decimal(18,2) as rank_value, 'core' as value_tier,"
        " if(customer_id = 'C1', 'win_back', 'service_recovery') as list_code"
        " from customer_access"
    ),
    "owner_month_budget": (
        "select * from (values ('R1', 10), ('R2', 20), ('R3', 30), ('unassigned', 40))"
        " as t(budget_owner, monthly_budget)"
    ),
    "revenue_at_risk": (
        "select *, 5 as profit_at_risk from (values ('all', 'all'), ('region', 'east'),"
        " ('owner', 'R1'), ('owner', 'R2'), ('owner', 'R3'), ('team', 'north'), ('team', 'south'))"
        " as t(dimension, dimension_value)"
    ),
    "kpi_monthly": "select 1 as month, 0.1 as churn_rate, 99 as gross_profit",
    "owner_scorecard": (
        "select * from (values ('R1', 'north'), ('R2', 'north'), ('R3', 'south'))"
        " as t(owner_id, team)"
    ),
    "audit_log": "select 'v' as version_id",
    "quarantine": "select 'raw key' as row_key",
    "dim_customer_contact": (
        "select customer_id, 'Name ' || customer_id as name, customer_id || '@x.org' as email,"
        " '+1 ' || customer_id as phone, date '1980-01-02' as birth_date from customer_access"
    ),
}


def published(name: str) -> PublishedTable:
    side = "restricted" if name == "dim_customer_contact" else "open"
    key = {"kpi_monthly": "month", "owner_scorecard": "owner_id", "role_access": "because",
           "revenue_at_risk": "dimension_value"}  # fmt: skip
    with duckdb.connect() as con:
        con.execute(f"create table customer_access as {TABLES['customer_access']}")
        columns = con.execute(f"describe {TABLES.get(name, 'select 1 as because')}").fetchall()
    about = {column: f"What {column} is" for column, *_ in columns}
    return PublishedTable(
        name, (key.get(name, columns[0][0]),), side=side, description="About", columns=about
    )


Publish = Callable[..., PublishedVersion]


@pytest.fixture(scope="module")
def publish(tmp_path_factory: pytest.TempPathFactory) -> Publish:
    """Publishes the tables above with a declaration: the seed's, unless lines are given."""

    def publish_with(lines: list[dict[str, str]] | None = None) -> PublishedVersion:
        folder = tmp_path_factory.mktemp("roles")
        with duckdb.connect(str(folder / "warehouse.duckdb")) as con:
            for name, query in TABLES.items():
                con.execute(f"create table {name} as {query}")
            con.execute(f"create table role_access as from read_csv('{SEED}', all_varchar = true)")
            if lines is not None:
                con.execute("delete from role_access")
                for line in lines:
                    con.execute(
                        "insert into role_access"
                        " (role, table_name, row_rule, only_where, masked, because)"
                        " values (?, ?, ?, ?, ?, ?)",
                        [line["role"], line["table_name"], line["row_rule"],
                         line.get("only_where"), line["masked"], str(line)],
                    )  # fmt: skip
            else:
                con.execute("update role_access set because = role || table_name || because")
        return (
            Publisher(folder / "published")
            .publish(
                f"{DAY}-0123456789ab",
                DAY,
                [published(name) for name in [*TABLES, "role_access"]],
                Warehouse(folder / "warehouse.duckdb"),
                inputs="i",
                code="c",
                audit=lambda version: None,
            )
            .version
        )

    return publish_with


@pytest.fixture(scope="module")
def version(publish: Publish) -> PublishedVersion:
    """A version with the declaration that is delivered."""
    with SEED.open(newline="") as file:
        declared = list(csv.DictReader(file))
    # of what is declared, that which these few tables have
    lines = [line for line in declared if "*" in line["table_name"] or line["table_name"] in TABLES]
    with duckdb.connect() as con:
        con.execute(f"create table customer_access as {TABLES['customer_access']}")
        columns = {
            column
            for query in TABLES.values()
            for column, *_ in con.execute(f"describe {query}").fetchall()
        }
    for line in lines:
        masks = [mask.strip() for mask in line["masked"].split(";")]
        line["masked"] = "; ".join(
            mask
            for mask in masks
            if "*" in mask or mask == AS_EVERYWHERE or mask.split(" ")[0] in columns
        )
    return publish(lines)


class Reader:
    """Both databases of a version, each under a name that it was not written under."""

    def __init__(self, version: PublishedVersion, **variables: str) -> None:
        self.con = duckdb.connect()
        self.con.execute(f"attach '{version.database}' as somewhere (read_only)")
        self.con.execute(f"attach '{version.restricted_database}' as behind (read_only)")
        for name, value in variables.items():
            self.con.execute(f"set variable homing_{name} = '{value}'")

    def column(self, view: str, column: str) -> list[object]:
        return sorted(
            (value for (value,) in self.con.execute(f"select {column} from {view}").fetchall()),
            key=str,
        )


@pytest.fixture
def reader(version: PublishedVersion) -> Iterator[Callable[..., Reader]]:
    opened: list[Reader] = []

    def open_as(**variables: str) -> Reader:
        opened.append(Reader(version, **variables))
        return opened[-1]

    yield open_as
    for each in opened:
        each.con.close()


def test_an_owner_sees_own_customers_and_own_tasks(reader: Callable[..., Reader]) -> None:
    owner = reader(owner="R1")
    assert owner.column("somewhere.role_owner.customer_access", "customer_id") == ["C1"]
    assert owner.column("somewhere.role_owner.retention_list", "customer_id") == ["C1", "C3"]
    assert owner.column("somewhere.role_owner.owner_scorecard", "owner_id") == ["R1"]
    assert owner.column("somewhere.role_owner.kpi_monthly", "gross_profit") == [99]
    assert owner.column("behind.role_owner.dim_customer_contact", "email") == ["C1@x.org"]


def test_budgets_and_figures_by_owner_are_those_of_the_owner_and_the_team(
    reader: Callable[..., Reader],
) -> None:
    owner, lead, nobody = reader(owner="R1"), reader(team="north"), reader()
    budgets = "somewhere.role_{}.owner_month_budget"
    assert owner.column(budgets.format("owner"), "budget_owner") == ["R1"]
    assert lead.column(budgets.format("team_lead"), "budget_owner") == ["R1", "R2"]
    assert nobody.column(budgets.format("owner"), "budget_owner") == []
    at_risk = "somewhere.role_{}.revenue_at_risk"
    assert owner.column(at_risk.format("owner"), "dimension_value") == [
        "R1", "all", "east", "north", "south"
    ]  # fmt: skip
    assert lead.column(at_risk.format("team_lead"), "dimension_value") == [
        "R1", "R2", "all", "east", "north"
    ]  # fmt: skip
    assert nobody.column(at_risk.format("owner"), "dimension_value") == [
        "all", "east", "north", "south"
    ]  # fmt: skip


def test_nobody_in_particular_sees_no_customer(reader: Callable[..., Reader]) -> None:
    nobody = reader()
    for view in ("somewhere.role_owner.retention_list", "behind.role_owner.dim_customer_contact",
                 "somewhere.role_team_lead.retention_list"):  # fmt: skip
        assert nobody.column(view, "customer_id") == []


def test_a_team_lead_sees_the_team(reader: Callable[..., Reader]) -> None:
    lead = reader(team="north")
    assert lead.column("somewhere.role_team_lead.customer_access", "customer_id") == ["C1", "C2"]
    assert lead.column("somewhere.role_team_lead.retention_list", "customer_id") == [
        "C1", "C2", "C3"  # the task of C3 is R1's, who is of the team
    ]  # fmt: skip
    assert lead.column("somewhere.role_team_lead.owner_scorecard", "owner_id") == ["R1", "R2"]
    assert lead.column("behind.role_team_lead.dim_customer_contact", "phone") == ["+1 C1", "+1 C2"]
    assert lead.column("behind.role_team_lead.dim_customer_contact", "birth_date") == [None] * 2


def test_service_reaches_everybody_and_knows_nobodys_worth(reader: Callable[..., Reader]) -> None:
    service = reader()
    assert len(service.column("behind.role_service.dim_customer_contact", "phone")) == 4
    # and of the lists those on which nobody stands for his worth
    for worth in ("priority", "rank_value", "value_tier"):
        assert service.column("somewhere.role_service.retention_list", worth) == [None] * 3
    assert service.column("somewhere.role_service.retention_list", "customer_id") == [
        "C2", "C3", "C4"
    ]  # fmt: skip
    assert service.column("somewhere.role_service.kpi_monthly", "gross_profit") == [None]
    assert service.column("somewhere.role_service.kpi_monthly", "churn_rate") != [None]


def test_marketing_reaches_who_agreed_where_they_agreed(reader: Callable[..., Reader]) -> None:
    marketing = reader()
    view = "behind.role_marketing.dim_customer_contact"
    rows = marketing.con.execute(f"select customer_id, email, phone, birth_date from {view}")
    assert sorted(rows.fetchall()) == [
        ("C1", "C1@x.org", None, None), ("C2", None, "+1 C2", None),
        ("C4", "C4@x.org", "+1 C4", None),
    ]  # fmt: skip
    assert marketing.column("somewhere.role_marketing.retention_list", "customer_id") == [
        "C1", "C2", "C4"
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["analyst", "auditor"])
def test_who_needs_to_reach_nobody_has_no_contact_data(
    reader: Callable[..., Reader], role: str
) -> None:
    them = reader()
    assert len(them.column(f"somewhere.role_{role}.retention_list", "priority")) == 4
    with pytest.raises(duckdb.CatalogException):
        them.column(f"behind.role_{role}.dim_customer_contact", "email")


@pytest.mark.parametrize(
    ("role", "hidden"),
    [("owner", {"audit_log", "quarantine"}), ("analyst", {"quarantine"}), ("auditor", set())],
)
def test_what_is_not_granted_is_not_there(
    reader: Callable[..., Reader], role: str, hidden: set[str]
) -> None:
    seen = reader().con.execute(
        "select view_name from duckdb_views() where database_name = 'somewhere'"
        " and schema_name = ?", [f"role_{role}"]
    ).fetchall()  # fmt: skip
    expected = {*TABLES, "role_access"} - hidden - {"dim_customer_contact"}
    assert {name for (name,) in seen} == expected


@pytest.mark.parametrize("after_forgetting", [False, True])
def test_a_view_says_what_its_table_says(publish: Publish, after_forgetting: bool) -> None:
    version = publish(
        [{"role": "service", "table_name": name, "row_rule": "all", "masked": ""}
         for name in ("*", "dim_customer_contact")]
    )  # fmt: skip
    if after_forgetting:
        assert Publisher(version.path.parents[1]).forget(["C2"]) == [version.id]
    for database in (version.database, version.restricted_database):
        with duckdb.connect(str(database), read_only=True) as con:
            shown = con.execute(
                "select v.comment, column_name, c.comment from duckdb_views() as v"
                " join duckdb_columns() as c on c.schema_name = v.schema_name"
                " and c.table_name = v.view_name"
                " where v.schema_name like 'role%' and view_name <> 'role_access'"
            ).fetchall()
        assert shown
        for view, column, text in shown:
            assert view.startswith("About ")
            assert " for the role " in view
            assert text == f"What {column} is"


def test_a_mask_keeps_the_type(reader: Callable[..., Reader]) -> None:
    kinds = reader().con.execute("describe somewhere.role_service.retention_list").fetchall()
    assert {name: kind for name, kind, *_ in kinds}["priority"] == "DECIMAL(18,2)"


def test_no_personal_value_is_in_the_open_database(version: PublishedVersion) -> None:
    assert b"C1@x.org" not in version.database.read_bytes()
    with duckdb.connect(str(version.database), read_only=True) as con:
        views = con.execute("select schema_name, view_name from duckdb_views() where not internal")
        for schema, view in views.fetchall():
            text = con.execute(f"from {schema}.{view}").fetchall()
            assert "@x.org" not in str(text), f"{schema}.{view}"


def test_a_version_that_forgets_keeps_its_views(publish: Publish) -> None:
    version = publish(
        [{"role": "service", "table_name": "dim_customer_contact", "row_rule": "all", "masked": ""}]
    )  # fmt: skip
    publisher = Publisher(version.path.parents[1])
    assert publisher.forget(["C2"]) == [version.id]
    assert b"C2@x.org" not in version.restricted_database.read_bytes()
    with duckdb.connect(str(version.restricted_database), read_only=True) as con:
        view = con.execute("select customer_id from role_service.dim_customer_contact")
        assert [id for (id,) in view.fetchall()] == ["C1", "C3", "C4"]
        told = con.execute("select comment from duckdb_tables() where table_name like '%contact'")
        assert told.fetchall() == [("About",)]
    assert publisher.forget(["C2"]) == []


@pytest.mark.parametrize(
    ("table", "rule", "masked", "told"),
    [
        ("dim_customer", "all", "", "table dim_customer"),
        ("dim_customer_contact", "all", "fax", "column fax"),
        ("dim_customer_contact", "all", "email unless may_fax", "permission may_fax"),
        ("dim_customer_contact", "all", "email unless team", "permission team"),
        ("dim_customer_contact", "mine", "", "row_rule"),
    ],
)
def test_a_slip_in_the_declaration_stops_the_version(
    publish: Publish, table: str, rule: str, masked: str, told: str
) -> None:
    line = {"role": "service", "table_name": table, "row_rule": rule, "masked": masked}
    with pytest.raises(PublishError, match=told):
        publish([line])


@pytest.mark.parametrize("said", ["list_code", "list_code in ", "nowhere in save"])
def test_a_slip_in_the_rows_that_are_shown_stops_the_version(publish: Publish, said: str) -> None:
    line = {"role": "service", "table_name": "retention_list", "row_rule": "all", "masked": ""}
    with pytest.raises(PublishError, match=r"only_where|column nowhere of retention_list"):
        publish([line | {"only_where": said}])


def test_rows_are_shown_by_the_values_of_a_column() -> None:
    assert Only.read(" list_code in a; b ;") == Only("list_code", ("a", "b"))
    assert Only.read(" ") is None


def test_the_line_that_names_a_table_counts() -> None:
    grants = [
        Grant("a", "*", "all"), Grant("a", "fct_*", "own"), Grant("a", "fct_orders", "none"),
        Grant("b", "*", "team"),
    ]  # fmt: skip
    assert grant_of("a", "fct_orders", "open", grants) == grants[2]
    assert grant_of("a", "fct_returns", "open", grants) == grants[1]
    assert grant_of("a", "dim_date", "open", grants) == grants[0]
    assert grant_of("b", "dim_date", "open", grants) == grants[3]
    assert grant_of("b", "dim_date", "restricted", grants) is None
    assert grant_of("c", "dim_date", "open", grants) is None


def test_a_declaration_about_what_is_there_passes() -> None:
    grant = Grant("a", "c*", "all", (Mask("mail", unless="may_email"), Mask("p*")))
    check_grants(
        [grant], {"contact": {"mail": "VARCHAR", "phone": "VARCHAR"}}, {"may_email": "BOOLEAN"}
    )


def test_the_declaration_that_is_delivered_speaks_of_what_is_published() -> None:
    """As it is, beside every table: the versions above hold only what their few tables have."""
    tables = {table.name: dict(table.columns) for table in OWN_TABLES} | {
        node["name"]: {
            name: (column["data_type"] or "").upper() for name, column in node["columns"].items()
        }
        for node in tables_published()
    }
    with duckdb.connect() as con:
        grants = read_grants(con, f"read_csv('{SEED}', all_varchar = true)")
    check_grants(grants, tables, tables[CUSTOMER_ACCESS])
    for gone in ("days_late", "may_email"):
        rest = {
            table: {name: kind for name, kind in columns.items() if name != gone}
            for table, columns in tables.items()
        }
        with pytest.raises(PublishError, match=gone):
            check_grants(grants, rest, rest[CUSTOMER_ACCESS])


def test_texts_of_lists_name_no_figure_that_a_role_may_not_see() -> None:
    macros = (PROJECT_ROOT / "dbt_project" / "macros" / "retention" / "lists.sql").read_text()
    [body] = re.findall(r"macro talking_columns\(\) -%}(.*?)endmacro", macros, re.DOTALL)
    named = re.findall(r"'(\w+)'", body)
    assert "last_order_on" in named
    with SEED.open(newline="") as file:
        [line] = [
            line
            for line in csv.DictReader(file)
            if line["role"] == "service" and line["table_name"] == "*"
        ]
    masks = [mask.strip() for mask in line["masked"].split(";")]
    assert [name for name in named if any(fnmatchcase(name, mask) for mask in masks)] == []


def test_a_line_may_take_over_masks_for_columns_that_its_table_lacks() -> None:
    everywhere = Mask("value_tier"), Mask("treatment")
    taken_over = tuple(replace(mask, is_own=False) for mask in everywhere)
    tables = {"value": {"value_tier": "VARCHAR", "treatment": "VARCHAR"}, "few": {"lists": "INT"}}
    lines = [Grant("service", "*", "all", everywhere), Grant("service", "few", "all", taken_over)]
    check_grants(lines, tables, {})
    with pytest.raises(PublishError, match="column treatment of few"):
        check_grants([Grant("service", "few", "all", (Mask("treatment"),))], tables, {})
