"""A company of a few rows, and dbt run on it: what every test of a table starts from.

`build` is the short way: rows by table in, the warehouse out. `company` is the long one: several
deliveries, several days. Both write through the real lake, so that what is tested is what runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from pipelines.resources.lake import Lake
from pipelines.sources.connector import Delivery, Part
from pipelines.sources.contract import load_contract
from pipelines.tables.parsed_dbt import parsed
from tests.conftest import SAMPLE_DAYS
from tests.data.lake_in_pandas import LakeInPandas

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
AS_OF = "2024-06-30"

Rows = Sequence[Mapping[str, Any]] | pa.Table


@dataclass
class Dbt:
    """dbt in this process: the project is parsed once, which takes longer than a small build."""

    scratch: Path

    @cached_property
    def manifest(self) -> Manifest:
        """The project as a run has it: what `make` parsed, and anew what has changed since."""
        return parsed(PROJECT_DIR, self.scratch / "target")

    def build(self, home: Path, select: str, variables: Mapping[str, Any], *, tested: bool) -> None:
        """Build the selected tables into the warehouse of a home."""
        left_out = ["unit_test"] if tested else ["unit_test", "test"]
        self._invoke(
            home, "build", variables,
            "--select", *select.split(), "--exclude-resource-types", *left_out,
            # a test that also reads a table that was not asked for cannot run
            "--indirect-selection", "buildable",
        )  # fmt: skip

    def unit_tests(self, home: Path) -> tuple[int, int]:
        """Run what the tables' YAML promises on made-up rows: how many ran, how many there are.

        The warehouse of the home must hold every table: dbt asks it for columns, not for rows.
        """
        chosen = ("--select", "test_type:unit", "--threads", "2")
        result = self._invoke(home, "test", {}, *chosen)
        return len(result.results), len(self.manifest.unit_tests)

    def compiled(self, home: Path, model: str, variables: Mapping[str, Any]) -> str:
        """The SQL of a model as it would run, its relations unbuilt."""
        result = self._invoke(home, "compile", variables, "--select", model)
        return str(result.results[0].node.compiled_code)

    def _invoke(
        self, home: Path, command: str, variables: Mapping[str, Any], *arguments: str
    ) -> Any:
        folders = ["--project-dir", PROJECT_DIR, "--profiles-dir", PROJECT_DIR]
        outputs = ["--target-path", self.scratch / "target", "--log-path", self.scratch / "logs"]
        with pytest.MonkeyPatch.context() as patch, _released_warehouse():
            patch.setenv("HOMING_HOME", str(home))
            result = dbtRunner(manifest=self.manifest).invoke(
                [command, *arguments, *map(str, [*folders, *outputs]),
                 "--vars", json.dumps(dict(variables)), "--quiet", "--no-use-colors",
                 "--no-write-json", "--log-level-file", "none"]
            )  # fmt: skip
        if not result.success:
            messages = [
                f"{r.node.name}: {r.message}"
                for r in getattr(result.result, "results", [])
                if r.status in ("error", "fail")
            ]
            pytest.fail(f"dbt {command} failed: {result.exception or ''}\n" + "\n".join(messages))
        return result.result


@contextmanager
def _released_warehouse() -> Iterator[None]:
    """dbt-duckdb holds its database for the life of the process, in case dbt is called again."""
    try:
        yield
    finally:
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
            DuckDBConnectionManager._ENV = None


@dataclass
class Company:
    """A home with a lake that tests fill and a warehouse that dbt builds from it."""

    home: Path
    dbt: Dbt
    timezone: str = "UTC"

    def deliver(self, table: str, rows: Rows, as_of: str = AS_OF) -> None:
        """Bring one batch in as a run for a day would; rows already there are not taken again."""
        data = rows if isinstance(rows, pa.Table) else _as_table(rows)
        part = Part(label=f"{table} of the test", schema=data.schema, batches=data.to_batches)
        contract = load_contract()[table]
        delivery = Delivery(source="test", table=contract, parts=(part,))
        lake = Lake(self.home / "lake", timezone=self.timezone, memory_limit="1GB")
        lake.write(contract, date.fromisoformat(as_of), [delivery])
        lake.accept(date.fromisoformat(as_of))

    def build(
        self, as_of: str = AS_OF, select: str = "staging", *, tested: bool = False, **variables: Any
    ) -> duckdb.DuckDBPyConnection:
        """Run dbt for a day and open the warehouse to read; close it before the next build.

        dbt's own tests on the tables, a third of the time, run on request.
        """
        lake = str(self.home / "lake")
        run = {"as_of": as_of, "lake": lake, "timezone": self.timezone, "training": False}
        # seeds and the tables that selected ones read are always built with them
        wanted = " ".join(f"+{name}" for name in select.split())
        self.dbt.build(self.home, wanted, run | variables, tested=tested)
        return duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True)

    def compiled(self, model: str, as_of: str = AS_OF, **vars: Any) -> str:
        """The SQL of a model for a day, to be run on tables of the test's own making."""
        run = {"as_of": as_of, "lake": str(self.home / "lake"), "timezone": self.timezone}
        return self.dbt.compiled(self.home, model, run | {"training": False} | vars)

    def rows(self, query: str, as_of: str = AS_OF, **build: Any) -> list[tuple[Any, ...]]:
        """Build, then answer one query."""
        with self.build(as_of, **build) as warehouse:
            return warehouse.sql(query).fetchall()


def _as_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows may leave columns out; what a column holds decides its type."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: [row.get(name) for row in rows] for name in names})


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """dbt with its own target folder."""
    return Dbt(tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="session")
def new_company(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Company]:
    """`new_company(timezone="Europe/Berlin")` -> a company without rows."""
    return lambda timezone="UTC": Company(tmp_path_factory.mktemp("home"), dbt, timezone)


@pytest.fixture
def company(new_company: Callable[..., Company]) -> Company:
    """An empty company for one test."""
    return new_company()


@pytest.fixture(scope="session")
def lake(sample_home: Path) -> LakeInPandas:
    """The sample company on its last day, as pandas reads it from the lake."""
    return LakeInPandas(sample_home, date.fromisoformat(SAMPLE_DAYS[-1]))


@pytest.fixture
def marts_and_lake(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> duckdb.DuckDBPyConnection:
    """The warehouse, and beside its tables as `lake_<table>` what pandas reads from the lake."""
    return lake.beside(sample_marts)


Build = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture(scope="session")
def build(new_company: Callable[..., Company]) -> Iterator[Build]:
    """`build({"orders": [{...}]}, select="fct_orders", vars={"as_of": ...})` -> the warehouse."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def build_in_new_home(
        lake_rows: Mapping[str, Rows],
        select: str = "staging",
        vars: Mapping[str, Any] | None = None,
        as_of: str = AS_OF,
    ) -> duckdb.DuckDBPyConnection:
        variables = dict(vars or {})
        as_of = variables.pop("as_of", as_of)
        company = new_company(timezone=variables.pop("timezone", "UTC"))
        for table, rows in lake_rows.items():
            company.deliver(table, rows, as_of)
        opened.append(company.build(as_of, select, tested=True, **variables))
        return opened[-1]

    yield build_in_new_home
    for connection in opened:
        connection.close()
