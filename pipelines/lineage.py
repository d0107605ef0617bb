"""Column lineage: of which columns of other tables each column of a dbt table is made.

It follows from the SQL alone, so `make` computes it once for every state of the dbt project and
runs only read it. (dagster-dbt can compute it as well, but during the run, and it reads a table's
whole SQL again for every column: minutes of every run.)

Here: what stands in the select list, windows and conditions of a column included. Not here: joins
and filters, which decide about rows; which table is made of which, that is dbt's manifest.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.durable import write_atomically
from pipelines.errors import HomingError
from pipelines.settings import PROJECT_ROOT

if TYPE_CHECKING:
    import dagster as dg
    from dbt.contracts.graph.manifest import Manifest
    from sqlglot.optimizer.scope import Scope

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
LINEAGE_PATH = PROJECT_DIR / "target" / "column_lineage.json"

Origin = tuple[str, str]
"""A table, by its asset key as text (`stg_orders`, `lake/orders`), and one of its columns."""


@dataclass(frozen=True)
class Relation:
    """What lineage needs to know of a table.

    Attributes:
        name: its asset key as text; the name alone unless it is a source.
        parents: names of the tables it is made of.
        columns: the declared ones, in their order.
        sql: the query that makes it; None: nothing in this project does (a seed, a source).
    """

    name: str
    parents: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    sql: str | None = None

    @property
    def is_source(self) -> bool:
        """Whether it comes from the lake."""
        return "/" in self.name


def column_lineage(table: str) -> dg.TableColumnLineage | None:
    """The lineage of a dbt table, as Dagster shows it; None where none is recorded."""
    import dagster as dg  # noqa: PLC0415

    columns = _recorded().get(table)
    if columns is None:
        return None
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(dg.AssetKey.from_user_string(upstream), name)
                for upstream, name in origins
            ]
            for column, origins in columns.items()
        }
    )


@cache
def _recorded() -> dict[str, dict[str, list[list[str]]]]:
    # Lineage is there to be looked at: a run does without it rather than stop.
    return json.loads(LINEAGE_PATH.read_bytes()) if LINEAGE_PATH.exists() else {}


def project_lineage(
    relations: Iterable[Relation],
) -> tuple[dict[str, dict[str, list[Origin]]], dict[str, str]]:
    """The lineage of all tables that a query makes, each read once.

    Returns:
        The origins by table and column; and why a table is not among them, by table.
    """
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    by_name = {relation.name: relation for relation in relations}
    known = {relation.name: relation.columns for relation in by_name.values()}
    lineage, unreadable = {}, {}
    for name in TopologicalSorter({n: r.parents for n, r in by_name.items()}).static_order():
        relation = by_name[name]
        if relation.sql is None:
            continue
        try:
            found = query_lineage(relation.sql, {name: known[name] for name in relation.parents})
        except SqlglotError as error:
            unreadable[name] = str(error).partition("\n")[0]
            continue
        known[name] = tuple(found)
        sources = [by_name[parent] for parent in relation.parents if by_name[parent].is_source]
        if len(sources) == 1:
            found = {c: origins or _namesakes(c, sources[0]) for c, origins in found.items()}
        lineage[name] = {column: sorted(origins) for column, origins in found.items()}
    return lineage, unreadable


def _namesakes(column: str, source: Relation) -> set[Origin]:
    # A delivery is read by a macro and from files, which no SQL here shows; but its columns keep
    # their names, and the business date `x_on` is that of the time `x_at`.
    names = {column, column.removesuffix("_on") + "_at"}
    return {(source.name, name) for name in names.intersection(source.columns)}


def query_lineage(sql: str, tables: Mapping[str, Sequence[str]]) -> dict[str, set[Origin]]:
    """The origins of each column that a query returns.

    Args:
        sql: one query, in DuckDB's dialect.
        tables: the columns of the tables it may read; no other table is an origin.

    Raises:
        SqlglotError: the query cannot be read, or a `*` in it cannot be resolved.
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
    made_of: dict[Scope, list[set[Origin]]] = {}
    for scope in traverse_scope(query):  # inner scopes first
        made_of[scope] = _output_origins(scope, made_of, tables)
    return dict(zip(query.named_selects, made_of[scope], strict=True))


def _output_origins(
    scope: Scope, made_of: Mapping[Scope, list[set[Origin]]], tables: Mapping[str, Sequence[str]]
) -> list[set[Origin]]:
    """The origins of what a scope returns, by position."""
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.optimizer.scope import find_all_in_scope  # noqa: PLC0415

    if isinstance(scope.expression, exp.SetOperation):
        branches = [made_of[branch] for branch in scope.set_operation_scopes]
        return [set().union(*position) for position in zip(*branches, strict=True)]

    subqueries = {id(inner.expression): inner for inner in scope.subquery_scopes}

    def origins(select: exp.Expression) -> Iterator[Origin]:
        for part in find_all_in_scope(select, exp.Column, *exp.UNWRAPPED_QUERIES):
            if id(part) in subqueries:
                yield from set().union(*made_of[subqueries[id(part)]])
            elif isinstance(part, exp.Column):
                source = _source(scope, part.table)
                if source in made_of:
                    names = source.expression.named_selects
                    yield from made_of[source][names.index(part.name)]
                elif isinstance(source, exp.Table) and source.name in tables:
                    yield source.name, part.name

    return [set(origins(select)) for select in scope.expression.selects]


def _source(scope: Scope | None, alias: str) -> Any:
    """The table or inner scope that an alias stands for, here or around a correlated subquery."""
    while scope and alias not in scope.selected_sources:
        scope = scope.parent
    return scope and scope.selected_sources[alias][1]


def compiled_project() -> list[Relation]:
    """All tables of the dbt project, with the SQL that an empty lake makes of it.

    Raises:
        HomingError: dbt could not parse the project.
    """
    from dbt.cli.main import dbtRunner  # noqa: PLC0415

    folders = ["--project-dir", str(PROJECT_DIR)]
    parsed = dbtRunner().invoke(
        ["--quiet", "parse", *folders, "--profiles-dir", str(PROJECT_DIR)]
        + ["--log-path", str(LINEAGE_PATH.parent)]
    )
    if not parsed.success:
        raise HomingError(f"dbt cannot parse {PROJECT_DIR}: {parsed.exception or 'see above'}")
    with tempfile.TemporaryDirectory() as temporary:
        # A warehouse of its own: no run may wait for this, nor this for a run.
        warehouse = {"type": "duckdb", "path": f"{temporary}/warehouse.duckdb"}
        profile = {parsed.result.metadata.project_name: {"outputs": {"default": warehouse}}}
        Path(temporary, "profiles.yml").write_text(json.dumps(profile))
        dbtRunner(manifest=parsed.result).invoke(
            ["--quiet", "compile", "--select", "resource_type:model", *folders]
            + ["--profiles-dir", temporary, "--target-path", temporary, "--log-path", temporary]
            + ["--vars", json.dumps({"lake": f"{temporary}/lake"})]
        )
    return list(_relations(parsed.result))


def _relations(manifest: Manifest) -> Iterator[Relation]:
    tables = {id: node for id, node in manifest.nodes.items() if node.is_refable}
    names = {id: node.name for id, node in tables.items()}
    names |= {id: f"{source.source_name}/{source.name}" for id, source in manifest.sources.items()}
    for id, node in (tables | manifest.sources).items():
        yield Relation(
            name=names[id],
            parents=tuple(names[parent] for parent in node.depends_on_nodes),
            columns=tuple(node.columns),
            sql=(node.compiled_code or "") if node.resource_type == "model" else None,
        )


def main() -> int:
    """The command line: `python -m pipelines.lineage`, called by `make`."""
    try:
        lineage, unreadable = project_lineage(compiled_project())
    except HomingError as error:
        print(error, file=sys.stderr)
        return 1
    for table, reason in unreadable.items():
        print(f"warning: no column lineage for {table}: {reason}", file=sys.stderr)
    write_atomically(LINEAGE_PATH, json.dumps(lineage, separators=(",", ":")).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
