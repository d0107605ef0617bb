"""How dbt's tables become Dagster assets, and what every dbt call of a run is told.

One `@dbt_assets` step a stage, since each call starts dbt anew (seconds, not tables, are the
cost). The manifest is built by `make` before anything is loaded.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
)
from packaging.version import Version

from pipelines.errors import HomingError
from pipelines.lineage import column_lineage
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_ROOT, Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
PARSED_DBT = PROJECT_ROOT / "pipelines" / "parsed_dbt.py"  # called by a step in place of `dbt`
MANIFEST_PATH = PROJECT_DIR / "target" / "manifest.json"

Picture = Callable[[duckdb.DuckDBPyConnection], dg.MetadataValue | None]


class Translator(DagsterDbtTranslator):
    """Tables keep their names as keys; the folder a table lives in is its group."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """`marts/<subject>` is grouped by subject, everything else by its first folder."""
        folders = dbt_resource_props["fqn"][1:-1]
        if dbt_resource_props["resource_type"] == "seed":
            return "business_rules"
        if len(folders) > 1 and folders[0] == "marts":
            return folders[1]
        return folders[0] if folders else None

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Lists are no tables of their own: what each is stands with the one that tells of all."""
        description = super().get_description(dbt_resource_props)
        if dbt_resource_props["name"] != "list_declarations":
            return description
        lists = [
            f"- `{name}`: {meta['title']}. {meta['grain']}." for name, meta in lists_declared()
        ]
        return "\n".join([*lists, "", description])


class Dbt(DbtCliResource):
    """The dbt of this environment.

    dagster-dbt would first start dbt to ask for its version, then load every macro into this
    process for an adapter that counts rows: five seconds a call. The version is known to the
    environment, and `build` counts for itself.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(importlib.metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        return None


@cache
def project() -> DbtProject:
    """The dbt project of this repository."""
    return DbtProject(project_dir=PROJECT_DIR)


@cache
def manifest() -> dict[str, Any]:
    """The parsed project.

    Raises:
        HomingError: the project was not parsed yet.
    """
    try:
        return json.loads(MANIFEST_PATH.read_bytes())
    except FileNotFoundError:
        raise HomingError(
            f"{MANIFEST_PATH} is missing: dbt's project has not been parsed; run `make setup`"
        ) from None


def asset_key(table: str) -> dg.AssetKey:
    """The asset key of a dbt table, by its name."""
    return dg.AssetKey([table])


def tables_published() -> Sequence[Mapping[str, Any]]:
    """The nodes of the manifest that are meant for BI tools, by name."""
    nodes = (
        node
        for node in manifest()["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        and node["config"].get("meta", {}).get("published")
    )
    return sorted(nodes, key=lambda node: node["name"])


def lists_declared() -> Sequence[tuple[str, Mapping[str, Any]]]:
    """What every file of retention/lists says of itself, by its name."""
    metas = {
        node["name"]: node["config"]["meta"]
        for node in manifest()["nodes"].values()
        if "retention_list" in node["config"].get("meta", {})
    }
    return sorted(metas.items())


def build_arguments(
    settings: Settings, *, as_of: date, training: bool, tests_of_later_stages: bool = False
) -> list[str]:
    """The arguments of the one dbt call that a stage makes.

    Unit tests say what the SQL promises on made-up rows: they belong to `make test`, where
    tests/data/test_unit_tests_of_tables.py runs them.

    Args:
        settings: where the lake is, and the business time zone.
        as_of: the day.
        training: whether the snapshots that training needs are built, too.
        tests_of_later_stages: whether some tests of the stage's tables must wait, since they read
            tables that a later stage builds.
    """
    variables = {
        "as_of": as_of.isoformat(),
        "lake": str(settings.lake),
        "timezone": settings.timezone,
        "training": training,
    }
    return [
        "build",
        "--exclude-resource-type",
        "unit_test",
        # A test that compares two tables runs in the stage that builds the later one.
        "--indirect-selection",
        "buildable" if tests_of_later_stages else "eager",
        "--vars",
        json.dumps(variables),
    ]


def build(
    dbt: DbtCliResource,
    arguments: Sequence[str],
    *,
    context: dg.AssetExecutionContext,
    target_path: Path,
    warehouse: Warehouse,
    pictures: Mapping[str, Picture] | None = None,
) -> Iterator[Any]:
    """Run one dbt call, and yield its tables and tests with rows, columns and lineage.

    dagster-dbt would ask for rows and columns through a connection of its own, which stays open
    in this process and is in the way of the next step; and it would parse the SQL of a table
    once per column. So the results wait until dbt has let go of the warehouse, and are described
    in one look.

    Args:
        dbt: how dbt is called.
        arguments: of `build_arguments`.
        context: of the step.
        target_path: where dbt keeps what it parsed, compiled and did.
        warehouse: what dbt writes.
        pictures: by table, what draws it for the table's metadata.

    Raises:
        Exception: dbt failed; what it built and tested before that was yielded.
    """
    invocation = dbt.cli(arguments, context=context, target_path=target_path)
    results: list[Any] = []
    failure: Exception | None = None
    try:
        for result in invocation.stream():
            results.append(result)
            if isinstance(result, dg.Output):
                context.log.info(f"built {result.output_name}")
    except Exception as error:
        failure = error
        # Where dbt itself did not fail it still runs, and holds the warehouse. Killed and not
        # asked: a signal that this process ignores is ignored by its children, too.
        invocation.process.kill()
        invocation.process.wait()
    described = _described(warehouse, pictures or {}) if results else {}
    for result in results:
        if isinstance(result, dg.Output):
            key = context.asset_key_for_output(result.output_name)
            table = key.path[-1]
            lineage = column_lineage(table)
            yield result.with_metadata(
                {
                    **result.metadata,
                    **described.get(table, {}),
                    **({"dagster/column_lineage": lineage} if lineage else {}),
                }
            )
        else:
            yield result
    if failure:
        raise failure


def _described(warehouse: Warehouse, pictures: Mapping[str, Picture]) -> dict[str, dict[str, Any]]:
    """Rows and columns of every table; a view has columns alone, since counting runs its query."""
    with warehouse.connect() as con:
        columns = con.execute(
            "select table_name,"
            " list({'name': column_name, 'type': data_type} order by column_index)"
            " from duckdb_columns() where not internal group by table_name"
        ).fetchall()
        drawn = {
            table: picture
            for table, draw in pictures.items()
            if table in {name for name, _ in columns} and (picture := draw(con))
        }
    rows = warehouse.rows_per_table()
    return {
        table: {
            "dagster/column_schema": dg.TableSchema(
                [dg.TableColumn(column["name"], column["type"]) for column in listed]
            ),
            **({"dagster/row_count": rows[table]} if table in rows else {}),
            **({"picture": drawn[table]} if table in drawn else {}),
        }
        for table, listed in columns
    }
