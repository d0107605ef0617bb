"""How dbt's tables become Dagster assets, and what every dbt call of a run is told.

One `@dbt_assets` step a stage, since each call starts dbt anew (seconds, not tables, are the
cost). The manifest is built by `make` before anything is loaded.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtProject,
)
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from packaging.version import Version

from pipelines.errors import HomingError, TablesError
from pipelines.fingerprint import tables_fingerprint
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_ROOT, Settings, child_environment
from pipelines.tables.check_descriptions import description_of
from pipelines.tables.failed_tables import RESULTS, failures, tables_error
from pipelines.tables.lineage import STATE_PATH, column_lineage

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
PARSED_DBT = "pipelines.tables.parsed_dbt"  # started in place of `dbt`
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

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """A data test says what it asks, which dbt leaves to its name."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=description_of(manifest["nodes"][unique_id]))


class Dbt:
    """The dbt of a run, which reads the project before a step asks for anything.

    That takes it four seconds of a core, and the steps around leave one idle. dagster-dbt's own
    resource would start it when it is needed, after another one that is asked for its version,
    and load every macro into this process for an adapter that counts rows, which `build` does.

    Args:
        target: folder where dbt may write.
        project_dir: the project and its profiles.
    """

    def __init__(self, target: Path, project_dir: Path = PROJECT_DIR) -> None:
        self.target = target
        self.project_dir = project_dir
        self._ready: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have the next call's dbt read the project."""
        self._ready = self._ready or self._started(self.project_dir)

    def stop(self) -> None:
        """End what was started and not called."""
        if self._ready:
            self._ready.kill()
            self._ready.communicate()
            self._ready = None

    def cli(
        self, arguments: Sequence[str], *, context: dg.AssetExecutionContext | None
    ) -> DbtCliInvocation:
        """Call dbt for the tables that a step is to make.

        Args:
            arguments: of `build_arguments`.
            context: of the step; without one, the arguments alone select.
        """
        asked = get_updated_cli_invocation_params_for_context(context, {}, Translator())
        folder = asked.dbt_project.project_dir if asked.dbt_project else self.project_dir
        if folder != self.project_dir:  # a copy, in which a long selection is written down
            self.stop()
        process, self._ready = self._ready or self._started(folder), None
        (self.target / RESULTS).unlink(missing_ok=True)  # of the call before
        # What dbt says goes to the run's log; its own file would hold every event once more.
        words = ["--log-level-file", "none", "--no-use-colors", *arguments, *asked.selection_args]
        with suppress(BrokenPipeError), process.stdin as told:  # ended already: its output says why
            told.write(json.dumps(words).encode())
        return DbtCliInvocation(
            process=process,
            manifest=asked.manifest,
            dagster_dbt_translator=asked.dagster_dbt_translator,
            project_dir=folder,
            target_path=self.target,
            raise_on_error=True,
            cli_version=Version(importlib.metadata.version("dbt-core")),
            project=asked.dbt_project,
            context=context,
        )

    def _started(self, folder: Path) -> subprocess.Popen[bytes]:
        places = {
            "DBT_PROJECT_DIR": str(folder),
            "DBT_PROFILES_DIR": str(folder),
            "DBT_TARGET_PATH": str(self.target),
            "DBT_LOG_PATH": str(self.target),
            "DBT_LOG_FORMAT": "json",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            # Not from the folder in which dbt works, which may be another checkout's.
            [sys.executable, "-P", "-m", PARSED_DBT, str(folder), str(self.target)],
            cwd=folder,
            env=child_environment(places),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C is for the run, which ends its dbt
        )


@contextmanager
def open_dbt(target: Path, project_dir: Path = PROJECT_DIR) -> Iterator[Dbt]:
    """The dbt of a run, started; nothing of it is left afterwards."""
    dbt = Dbt(target, project_dir)
    dbt.start()
    try:
        yield dbt
    finally:
        dbt.stop()


@cache
def project() -> DbtProject:
    """The dbt project of this repository."""
    return DbtProject(project_dir=PROJECT_DIR)


@cache
def manifest() -> dict[str, Any]:
    """The parsed project.

    Raises:
        HomingError: the project as it stands was not parsed yet.
    """
    if not (MANIFEST_PATH.exists() and STATE_PATH.exists()):
        raise HomingError(f"{PROJECT_DIR} has not been parsed; run `make setup`")
    if STATE_PATH.read_text() != tables_fingerprint():
        raise HomingError(f"{PROJECT_DIR} has changed since it was parsed; run `make setup`")
    return json.loads(MANIFEST_PATH.read_bytes())


def asset_key(table: str) -> dg.AssetKey:
    """The asset key of a dbt table, by its name."""
    return dg.AssetKey([table])


def columns_of(table: str) -> tuple[str, ...]:
    """The columns that a dbt table's contract names."""
    return tuple(manifest()["nodes"][f"model.homing.{table}"]["columns"])


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
    dbt: Dbt,
    arguments: Sequence[str],
    *,
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    runs: Path,
    pictures: Mapping[str, Picture] | None = None,
    another_follows: bool = False,
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
        warehouse: what dbt writes.
        runs: folder for what a person has to see of tables that failed.
        pictures: by table, what draws it for the table's metadata.
        another_follows: whether a later step calls dbt again, which then starts meanwhile.

    Raises:
        TablesError: tables could not be built, or their tests failed; what was built and tested was
            yielded.
        Exception: dbt failed as a whole.
    """
    invocation = dbt.cli(arguments, context=context)
    results: list[Any] = []
    failure: Exception | None = None
    try:
        for result in invocation.stream():
            results.append(result)
            if isinstance(result, dg.Output):
                context.log.info(f"built {result.output_name}")
    except BaseException as error:
        if isinstance(error, DagsterDbtCliRuntimeError):
            failure = _of_tables(dbt, runs / f"{context.run_id}.failed.sql", warehouse) or error
        elif isinstance(error, Exception):
            failure = error
        # Where dbt itself did not fail it still runs, and holds the warehouse. Killed and not
        # asked: a signal that this process ignores is ignored by its children, too.
        invocation.process.kill()
        invocation.process.wait()
        if not failure:  # interrupted
            raise
    if another_follows and not failure:
        dbt.start()
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


def _of_tables(dbt: Dbt, report: Path, warehouse: Warehouse) -> TablesError | None:
    """The message about the tables that failed; None where dbt came to none of them."""
    try:
        results = json.loads((dbt.target / RESULTS).read_bytes())["results"]
    except FileNotFoundError:
        return None

    def first_column(query: str) -> list[str]:
        return [str(value) for value in warehouse.arrow(query).column(0).to_pylist()]

    failed = failures(results, manifest(), first_column)
    return tables_error(failed, report, warehouse.path) if failed else None


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
