"""Column lineage: of which columns of other tables each column of a dbt table is made.

It follows from the SQL alone, so `make` computes it once for every state of the dbt project and
a run only reads it. (dagster-dbt can do it too, but within the run, reading a table's whole SQL
again for each of its columns: minutes.)

Here: all that a column's own expression mentions, its windows and conditions included. Not here:
joins and filters, which decide about rows; which table is made of which, see dbt's manifest.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.durable import write_atomically
from pipelines.errors import HomingError
from pipelines.fingerprint import tables_fingerprint
from pipelines.settings import PROJECT_ROOT

if TYPE_CHECKING:
    import dagster as dg
    from dbt.contracts.graph.manifest import Manifest
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
LINEAGE_PATH = PROJECT_DIR / "target" / "column_lineage.json"
# Which state of the project the files in its target folder were made from.
STATE_PATH = PROJECT_DIR / "target" / "parsed_from.sha256"

# Tables that macros ask while SQL is being compiled: they must be there, though empty.
ASKED_BY_MACROS = ("lake_batches",)
DELIVERED = "lake/"  # before the name of a table that a source delivers

Origin = tuple[
    str, str
]  # a table, by its asset key as text (`stg_orders`, `lake/orders`); a column


@dataclass(frozen=True)
class Relation:
    """What lineage needs to know of a table.

    Attributes:
        name: its asset key as text: with a slash if it is a source.
        parents: names of the tables it is made of.
        columns: the declared ones.
        sql: the query that makes it; None for a seed or a source.
    """

    name: str
    parents: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sql: str | None = None


def column_lineage(table: str) -> dg.TableColumnLineage | None:
    """The lineage of a dbt table as Dagster shows it; None where none is recorded."""
    columns = _recorded().get(table)
    return None if columns is None else shown(columns, columns)


def shown(made_of: Mapping[str, Iterable[Origin]], columns: Iterable[str]) -> dg.TableColumnLineage:
    """Of which columns each column of a table is made, as Dagster shows it.

    Args:
        made_of: by column, those it is made of; a column that is not there is made of none.
        columns: of the table.
    """
    import dagster as dg  # noqa: PLC0415

    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(dg.AssetKey.from_user_string(table), name)
                for table, name in made_of.get(column, ())
            ]
            for column in columns
        }
    )


def sources_of_columns(table: str) -> dict[str, set[str]]:
    """The delivered tables that each column of a dbt table is made of in the end, by column."""
    recorded = _recorded()
    found = {}
    for column in recorded.get(table, {}):
        seen: set[Origin] = set()
        ahead: list[Origin] = [(table, column)]
        while ahead:
            origin = ahead.pop()
            if origin not in seen:
                seen.add(origin)
                name, of = origin
                ahead += [(upstream, each) for upstream, each in recorded.get(name, {}).get(of, [])]
        found[column] = {
            name.removeprefix(DELIVERED) for name, _ in seen if name.startswith(DELIVERED)
        }
    return found


@cache
def _recorded() -> dict[str, dict[str, list[Origin]]]:
    # Lineage is there to be looked at: without it a run is poorer, but not wrong.
    return json.loads(LINEAGE_PATH.read_bytes()) if LINEAGE_PATH.exists() else {}


def project_lineage(
    relations: Iterable[Relation],
) -> tuple[dict[str, dict[str, list[Origin]]], dict[str, str]]:
    """The lineage of all tables that a query makes.

    Returns:
        The origins by table and column; and, by table, why a table is not among them.
    """
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    by_name = {relation.name: relation for relation in relations}
    known = {name: relation.columns for name, relation in by_name.items()}
    lineage, unreadable = {}, {}
    for name in TopologicalSorter({n: r.parents for n, r in by_name.items()}).static_order():
        relation = by_name[name]
        if relation.sql is None:
            continue
        try:
            made_of = query_lineage(relation.sql, {name: known[name] for name in relation.parents})
        except SqlglotError as error:
            unreadable[name] = str(error).partition("\n")[0]
            continue
        known[name] = tuple(made_of)
        sources = [parent for parent in relation.parents if "/" in parent]
        if len(sources) == 1:
            source = by_name[sources[0]]
            made_of = {name: found or _namesakes(name, source) for name, found in made_of.items()}
        lineage[name] = {column: sorted(origins) for column, origins in made_of.items()}
    return lineage, unreadable


def _namesakes(column: str, source: Relation) -> set[Origin]:
    # Macros read the files of a source, so no SQL names it. But columns keep their names on the
    # way in, and the business date `x_on` is that of the time `x_at`.
    names = {column, re.sub("_on$", "_at", column)}
    return {(source.name, name) for name in names.intersection(source.columns)}


def query_lineage(sql: str, tables: Mapping[str, Sequence[str]]) -> dict[str, set[Origin]]:
    """The origins of each column that a query returns; it is parsed and resolved once.

    Args:
        sql: one query in DuckDB's dialect.
        tables: the columns of the tables it may read; no other table counts as an origin.

    Raises:
        SqlglotError: the query cannot be read, or a `*` in it not be resolved.
    """
    from sqlglot import parse_one  # noqa: PLC0415
    from sqlglot.errors import OptimizeError  # noqa: PLC0415
    from sqlglot.optimizer.qualify import qualify  # noqa: PLC0415
    from sqlglot.optimizer.scope import traverse_scope  # noqa: PLC0415

    query = qualify(
        parse_one(sql, dialect="duckdb"),
        dialect="duckdb",
        schema={table: dict.fromkeys(names, "unknown") for table, names in tables.items() if names},
        validate_qualify_columns=False,
    )
    if query.is_star:
        raise OptimizeError("it selects * from a table whose columns are not known")
    outputs: dict[Scope, list[set[Origin]]] = {}
    for scope in traverse_scope(query):  # inner scopes come first, the query itself last
        outputs[scope] = _origins_by_position(scope, outputs, tables)
    return dict(zip(query.named_selects, outputs[scope], strict=True))


def _origins_by_position(
    scope: Scope, outputs: Mapping[Scope, list[set[Origin]]], tables: Mapping[str, Sequence[str]]
) -> list[set[Origin]]:
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.optimizer.scope import find_all_in_scope  # noqa: PLC0415

    if isinstance(scope.expression, exp.SetOperation):
        branches = [outputs[branch] for branch in scope.set_operation_scopes]
        return [set().union(*position) for position in zip(*branches, strict=True)]

    subqueries = {id(inner.expression): inner for inner in scope.subquery_scopes}
    windows = {window.name: window for window in scope.expression.args.get("windows") or ()}
    mentions = (exp.Column, exp.Window, *exp.UNWRAPPED_QUERIES)

    def origins(expression: exp.Expr) -> Iterator[Origin]:
        for part in find_all_in_scope(expression, *mentions):
            if id(part) in subqueries:
                yield from set().union(*outputs[subqueries[id(part)]])
            elif isinstance(part, exp.Window) and part.alias in windows:
                yield from origins(windows[part.alias])
            elif isinstance(part, exp.Column):
                source = _source(scope, part.table)
                if source in outputs:
                    names = source.expression.named_selects
                    yield from dict(zip(names, outputs[source], strict=True)).get(part.name, ())
                elif isinstance(source, exp.Table) and source.name in tables:
                    yield source.name, part.name

    return [set(origins(select)) for select in scope.expression.selects]


def _source(scope: Scope | None, alias: str) -> exp.Table | Scope | None:
    # A correlated subquery sees the tables around it.
    while scope and alias not in scope.selected_sources:
        scope = scope.parent
    return scope and scope.selected_sources[alias][1]


def compiled_project() -> list[Relation]:
    """All tables of the dbt project, with their SQL as it is over an empty lake.

    Raises:
        HomingError: dbt cannot parse or compile the project.
    """
    from pipelines.tables.parsed_dbt import parsed  # noqa: PLC0415

    try:
        manifest = parsed(PROJECT_DIR)
    except RuntimeError as error:
        raise HomingError(f"{error}: {error.__cause__ or 'see its output above'}") from error
    with tempfile.TemporaryDirectory() as home:
        # A warehouse of its own: no run has to wait for it, nor it for a run.
        warehouse = {"type": "duckdb", "path": f"{home}/warehouse.duckdb"}
        profile = {manifest.metadata.project_name: {"outputs": {"default": warehouse}}}
        Path(home, "profiles.yml").write_text(json.dumps(profile))
        there = ["--profiles-dir", home, "--target-path", home, "--log-path", home]
        there += ["--vars", json.dumps({"lake": f"{home}/lake"})]
        _dbt("run", "--select", *ASKED_BY_MACROS, *there, manifest=manifest)
        _dbt("compile", "--select", "resource_type:model", *there, manifest=manifest)
    return list(_relations(manifest))


def _dbt(command: str, *arguments: str | Path, manifest: Manifest) -> None:
    # In this process, since a project handed over need not be parsed again.
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    folders = ["--project-dir", PROJECT_DIR, "--profiles-dir", PROJECT_DIR]
    outcome = dbtRunner(manifest=manifest).invoke(
        ["--quiet", command, *map(str, [*folders, *arguments])]
    )
    if not outcome.success:
        raise HomingError(f"`dbt {command}` failed: {outcome.exception or 'see its output above'}")


def _relations(manifest: Manifest) -> Iterator[Relation]:
    tables = {id: node for id, node in manifest.nodes.items() if node.is_refable}
    names = {id: node.name for id, node in tables.items()}
    names |= {id: f"{source.source_name}/{source.name}" for id, source in manifest.sources.items()}
    for id, node in (tables | manifest.sources).items():
        yield Relation(
            name=names[id],
            parents=tuple(names[parent] for parent in node.depends_on_nodes),
            columns=tuple(node.columns),
            sql=node.compiled_code if node.resource_type == "model" else None,
        )


def main() -> int:
    """The command line, for `make`: parse the project, write the files, say only what is wrong."""
    state = tables_fingerprint()  # before it is read: what changes meanwhile was not parsed
    try:
        lineage, unreadable = project_lineage(compiled_project())
    except HomingError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped: interrupted; the next command reads the tables anew", file=sys.stderr)
        return 130
    for table, reason in unreadable.items():
        print(f"warning: no column lineage of {table}: {reason}", file=sys.stderr)
    write_atomically(LINEAGE_PATH, json.dumps(lineage, sort_keys=True).encode())
    write_atomically(STATE_PATH, state.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
