"""Who sees what of a published database: the declaration as views, one schema a role.

The declaration is the seed `role_access`, which is published with the tables it speaks of. For
every role there is a schema `role_<role>` with a view of each table that the role may see: its
rows, and its columns, of which a masked one is NULL. A table that no line of a role names is not
there for it, and a table of the restricted side is never meant by a wildcard.

A line may name the rows it is about by the values of a column (`only_where`): of the lists a
hotline is shown what is owed, not who is wooed.

Rows of one person or team are those of the session's variables: `set variable homing_owner = '…'`,
`set variable homing_team = '…'`. Without them there are none. A DuckDB file knows no users: the
views are what a BI tool may hand on, and the permissions of the files decide who opens them.

Here: reading the declaration, writing the views. Not here: which tables are published (version.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import duckdb

from pipelines.errors import PublishError
from pipelines.resources.warehouse import literal, quoted

ROLE_ACCESS = "role_access"  # the declaration
CUSTOMER_ACCESS = "customer_access"  # whose customer is whose, and what may be used to reach them

OWNER_VARIABLE = "homing_owner"
TEAM_VARIABLE = "homing_team"

AS_EVERYWHERE = "as everywhere"  # stands in a line for what the role's line for * hides
OWNER_KEYS = ("owner_id", "budget_owner")  # columns that say whose a row is
DIMENSION, DIMENSION_VALUE = "dimension", "dimension_value"  # a figure by owner, by team, by region

_ROW_RULES = ("all", "own", "team", "consenting", "none")
_ROLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_WILDCARDS = set("*?[")

Columns = Mapping[str, str]  # types by name


@dataclass(frozen=True)
class Mask:
    """A column that is NULL for a role.

    Attributes:
        column: its name, or a pattern with `*`.
        unless: column of `customer_access` that says for which customers it is shown after all.
        is_own: whether the line itself names it; a line that takes over what is hidden everywhere
            takes over columns, too, that its own table does not have.
    """

    column: str
    unless: str | None = None
    is_own: bool = True


@dataclass(frozen=True)
class Only:
    """Rows that a line is about: those where a column has one of some values."""

    column: str
    values: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Only | None:
        """Understand `column in value; value`; None where nothing is said.

        Raises:
            ValueError: it says something else.
        """
        if not text.strip():
            return None
        column, separator, values = text.partition(" in ")
        found = tuple(value.strip() for value in values.split(";") if value.strip())
        if not separator or not found:
            raise ValueError(text)
        return cls(column.strip(), found)


@dataclass(frozen=True)
class Grant:
    """One line of the declaration.

    Attributes:
        role: who.
        table: name of a table, or a pattern with `*` for tables of the open side.
        rows: which rows: all, own, team, consenting or none.
        masks: columns that are not shown.
        only: of these rows, those with certain values; None for all of them.
    """

    role: str
    table: str
    rows: str
    masks: tuple[Mask, ...] = ()
    only: Only | None = None

    @property
    def is_pattern(self) -> bool:
        """Whether it speaks of tables by a pattern."""
        return _is_pattern(self.table)


def _is_pattern(name: str) -> bool:
    return bool(_WILDCARDS & set(name))


def read_grants(connection: duckdb.DuckDBPyConnection, source: str) -> list[Grant]:
    """Read the declaration.

    Args:
        connection: any.
        source: SQL: the relation of it.

    Raises:
        PublishError: a line cannot be understood.
    """
    rows = connection.execute(
        "select role, table_name, row_rule, only_where, masked"
        f" from {source} order by role, table_name"
    ).fetchall()
    grants = []
    for role, table, rule, only_where, masked in rows:
        if not _ROLE_NAME.fullmatch(role or "") or rule not in _ROW_RULES:
            raise PublishError(
                f"{ROLE_ACCESS}: expected a role in lower-case letters and a row_rule of "
                f"{', '.join(_ROW_RULES)}; found role {role!r} with {rule!r}. Correct the seed."
            )
        try:
            only = Only.read(only_where or "")
        except ValueError as error:
            raise PublishError(
                f"{ROLE_ACCESS}: expected `column in value; value` in only_where; found {error}"
                f" with {role} and {table}. Correct the seed."
            ) from error
        items = [item.split(" unless ") for item in (masked or "").split(";") if item.strip()]
        masks = tuple(Mask(*(part.strip() for part in item)) for item in items)
        grants.append(Grant(role, table, rule, masks, only))
    everywhere = {grant.role: grant.masks for grant in grants if grant.table == "*"}
    return [
        replace(grant, masks=tuple(_with_those_of(everywhere.get(grant.role, ()), grant.masks)))
        for grant in grants
    ]


def _with_those_of(everywhere: Sequence[Mask], masks: Sequence[Mask]) -> Iterator[Mask]:
    for mask in masks:
        if mask.column == AS_EVERYWHERE:
            yield from (replace(each, is_own=False) for each in everywhere)
        else:
            yield mask


def check_grants(
    grants: Sequence[Grant], tables: Mapping[str, Columns], permissions: Columns
) -> None:
    """See that the declaration speaks of what there is: a slip must not open anything.

    A pattern may fit nothing: it is there for what may come.

    Args:
        grants: the declaration.
        tables: all published tables, of both sides.
        permissions: the columns of `customer_access`.

    Raises:
        PublishError: a table, column or permission is not there.
    """
    for grant in grants:
        named = [name for name in tables if fnmatchcase(name, grant.table)]
        wrong = [] if named or grant.is_pattern else [f"table {grant.table}"]
        if grant.only:
            wrong += [
                f"column {grant.only.column} of {table}"
                for table in named
                if grant.only.column not in tables[table]
            ]
        for mask in grant.masks if named else ():
            columns = {name for table in named for name in tables[table]}
            if mask.is_own and not _is_pattern(mask.column) and mask.column not in columns:
                wrong.append(f"column {mask.column} of {grant.table}")
            if mask.unless and permissions.get(mask.unless) != "BOOLEAN":
                wrong.append(f"permission {mask.unless} ({CUSTOMER_ACCESS}, yes or no)")
        if wrong:
            raise PublishError(
                f"{ROLE_ACCESS}: the role {grant.role} speaks of {', '.join(wrong)}, which is not "
                "published. Correct the seed: what nobody finds, nobody protects."
            )


def grant_of(role: str, table: str, side: str, grants: Sequence[Grant]) -> Grant | None:
    """The line that counts for a role and a table: by name before by pattern, longest first."""
    fitting = [
        grant
        for grant in grants
        if grant.role == role
        and fnmatchcase(table, grant.table)
        and (side == "open" or not grant.is_pattern)
    ]
    if not fitting:
        return None
    return max(fitting, key=lambda grant: (not grant.is_pattern, len(grant.table)))


def view_query(grant: Grant, table: str, columns: Columns) -> str:
    """What a role sees of a table."""
    selected = ", ".join(_column(name, kind, grant, columns) for name, kind in columns.items())
    conditions = [f"({rows})" for rows in (_rows(grant, columns), _only(grant)) if rows]
    condition = " and ".join(conditions)
    return f"select {selected} from main.{quoted(table)}" + (
        f" where {condition}" * bool(condition)
    )


def create_views(
    connection: duckdb.DuckDBPyConnection,
    grants: Sequence[Grant],
    tables: Mapping[str, Columns],
    side: str,
) -> None:
    """Write the schemas and views of all roles into the database that the connection is in.

    A view says what its table says of itself and of each column: BI tools show it.

    Args:
        connection: at home in the database, whose tables have their comments; its name is in no
            view, so that it can be attached under another one.
        grants: the declaration.
        tables: the published tables that the database holds.
        side: `open` or `restricted`.
    """
    about, columns = _comments(connection)
    # In one call: they are eleven thousand, and each of its own costs a tenth more.
    statements: list[str] = []
    for role in sorted({grant.role for grant in grants}):
        seen = {
            table: grant
            for table in sorted(tables)
            if (grant := grant_of(role, table, side, grants)) and grant.rows != "none"
        }
        if not seen:
            continue
        schema = f"role_{role}"
        statements.append(f"create schema {schema}")
        for table, grant in seen.items():
            query = view_query(grant, table, tables[table])
            view = f"{schema}.{quoted(table)}"
            statements.append(f"create view {view} as {query}")
            masks = ", ".join(
                f"{m.column} unless {m.unless}" if m.unless else m.column for m in grant.masks
            )
            told = about.get(table, "")
            told += f"{' ' * bool(told)}{table} for the role {role}: rows {grant.rows}"
            told += f", of which {grant.only.column} is one of" if grant.only else ""
            told += f" {', '.join(grant.only.values)}" if grant.only else ""
            told += f", without {masks}" if masks else ""
            statements.append(f"comment on view {view} is {literal(told)}")
            statements += (
                f"comment on column {view}.{quoted(column)} is {literal(text)}"
                for column, text in columns.get(table, {}).items()
            )
    connection.execute(";\n".join(statements))


def _comments(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What is said of the tables, and of their columns."""
    here = "database_name = current_database() and schema_name = 'main' and comment is not null"
    tables = dict(
        connection.execute(
            f"select table_name, comment from duckdb_tables() where {here}"
        ).fetchall()
    )
    columns: dict[str, dict[str, str]] = {}
    for table, column, text in connection.execute(
        f"select table_name, column_name, comment from duckdb_columns() where {here}"
    ).fetchall():
        columns.setdefault(table, {})[column] = text
    return tables, columns


def _column(name: str, kind: str, grant: Grant, columns: Columns) -> str:
    for mask in grant.masks:
        if fnmatchcase(name, mask.column):
            if mask.unless is None or "customer_id" not in columns:
                return f"null::{kind} as {quoted(name)}"
            shown = f"customer_id in ({_customers(quoted(mask.unless))})"
            return f"case when {shown} then {quoted(name)} end as {quoted(name)}"
    return quoted(name)


def _only(grant: Grant) -> str:
    if grant.only is None:
        return ""
    return f"{quoted(grant.only.column)} in ({', '.join(map(literal, grant.only.values))})"


def _rows(grant: Grant, columns: Columns) -> str:
    """SQL: the rows of a role; empty where it may see all of them."""
    if grant.rows == "all":
        return ""
    if grant.rows == "consenting":
        kept = f"customer_id in ({_customers('may_contact')})"
        return kept if "customer_id" in columns else ""
    key, variable = ("owner_id", OWNER_VARIABLE) if grant.rows == "own" else ("team", TEAM_VARIABLE)
    me = f"getvariable({literal(variable)})::varchar"
    mine = f"{key} = {me}"
    owners = me
    if grant.rows == "team":
        owners = f"select owner_id from main.{CUSTOMER_ACCESS} where {mine}"
    conditions = []
    if "customer_id" in columns:
        conditions.append(f"customer_id in ({_customers(mine)})")
    if key == "team" and key in columns:
        conditions.append(mine)
    conditions += [f"{name} in ({owners})" for name in OWNER_KEYS if name in columns]
    if {DIMENSION, DIMENSION_VALUE} <= columns.keys():
        people = f"{DIMENSION} = 'owner' and {DIMENSION_VALUE} in ({owners})"
        others = "'owner'"
        if grant.rows == "team":
            people += f" or {DIMENSION} = 'team' and {DIMENSION_VALUE} = {me}"
            others = "'owner', 'team'"
        conditions.append(f"{DIMENSION} not in ({others}) or {people}")
    return " or ".join(conditions)


def _customers(condition: str) -> str:
    return f"select customer_id from main.{CUSTOMER_ACCESS} where {condition}"
