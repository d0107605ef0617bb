"""The one dbt call of a stage: what it finds parsed, and what becomes of it when a step fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from dagster_dbt.errors import DagsterDbtCliRuntimeError
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from pipelines.errors import HomingError, TablesError
from pipelines.resources.warehouse import Warehouse
from pipelines.tables import dbt as dbt_calls
from pipelines.tables import parsed_dbt
from pipelines.tables.dbt import Dbt, build, manifest, open_dbt


class Unreadable:
    """A dbt that still runs while what it said cannot be read."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def stream(self) -> Iterator[Any]:
        raise KeyError("model.homing.unknown")


def test_dbt_has_let_go_of_the_warehouse_when_the_step_fails(tmp_path: Path) -> None:
    call = Unreadable()
    dbt = SimpleNamespace(cli=lambda *_, **__: call)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", memory_limit="1GB")
    results = build(dbt, ["build"], context=SimpleNamespace(), warehouse=warehouse, runs=tmp_path)
    with pytest.raises(KeyError, match="unknown"):
        list(results)
    assert call.process.poll() is not None


@pytest.fixture(name="project")
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one table, and the environment in which a step calls dbt."""
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models" / "one.sql").write_text("select {{ var('figure', 1) }} as figure")
    (project / "dbt_project.yml").write_text("{name: small, version: '1.0', profile: small}")
    profile = {"type": "duckdb", "path": "{{ env_var('HOMING_HOME', './data') }}/small.duckdb"}
    profiles = {"small": {"target": "here", "outputs": {"here": profile}}}
    (project / "profiles.yml").write_text(json.dumps(profiles))
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOMING_HOME", str(tmp_path))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    for folder in ("DBT_PROJECT_DIR", "DBT_PROFILES_DIR"):
        monkeypatch.setenv(folder, str(project))
    return project


def figures(*arguments: str) -> tuple[int, list[tuple[int]]]:
    """What dbt's command line returned, and what stands in the table."""
    project, target = Path(os.environ["DBT_PROJECT_DIR"]), Path(os.environ["DBT_TARGET_PATH"])
    words = ["--quiet", "--log-level-file", "none", "run", *arguments]
    status = parsed_dbt.call(parsed_dbt.parsed(project, target), words, target)
    DuckDBConnectionManager._ENV = None  # held for the life of the process, which a step's dbt ends
    with duckdb.connect(Path(os.environ["HOMING_HOME"], "small.duckdb"), read_only=True) as con:
        return status, con.sql("from one").fetchall()


def test_what_was_parsed_for_no_day_and_no_home_serves_every_one(project: Path) -> None:
    parsed_dbt.parsed(project)
    kept = project / parsed_dbt.PARSED
    before = kept.read_bytes()
    assert figures() == (0, [(1,)])
    assert figures("--vars", "{figure: 2}") == (0, [(2,)])
    assert kept.read_bytes() == before
    (project / "models" / "one.sql").write_text("select 3 as figure")
    assert figures() == (0, [(3,)])


def test_what_dbt_says_of_its_end_is_handed_on(project: Path) -> None:
    assert figures()[0] == 0
    assert figures("--vars", "{figure: nonsense}") == (parsed_dbt.FAILED, [(1,)])
    assert figures("--no-such-option") == (parsed_dbt.BROKEN, [(1,)])


def test_dbt_starts_before_it_is_called_and_says_what_a_run_reads(project: Path) -> None:
    target = project.parent / "target"
    with open_dbt(target, project) as dbt:
        ready = dbt._ready
        call = dbt.cli(["run"], context=None)
        assert call.process is ready
        said = [event.raw_event for event in call.stream_raw_events()]
        dbt.start()
        unused = dbt._ready
        assert unused.poll() is None
    assert unused.poll() is not None  # nothing is left behind
    assert {event["info"]["level"] for event in said} == {"info"}
    [built] = [event for event in said if event["info"]["name"] == "LogModelResult"]
    assert built["data"]["node_info"]["unique_id"] == "model.small.one"
    results = json.loads((target / parsed_dbt.RESULTS).read_bytes())["results"]
    assert [result["unique_id"] for result in results] == ["model.small.one"]


def test_a_project_that_cannot_be_read_fails_the_call_and_says_so(project: Path) -> None:
    (project / "models" / "one.sql").write_text("select {{ oops(")
    with open_dbt(project.parent / "target", project) as dbt:
        call = dbt.cli(["run"], context=None)
        with pytest.raises(DagsterDbtCliRuntimeError, match=r"one\.sql"):
            call.wait()


def test_tables_that_failed_are_told_with_the_query_that_shows_the_rows(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What quotes a row stands in the report alone, but for codes of seeds: Dagster stores it."""
    models = project / "models"
    (project / "seeds").mkdir()
    (project / "seeds" / "plans.csv").write_text("actor\ndepartmnt_head\nowner\ndepartmnt_head\n")
    codes = {"accepted_values": {"arguments": {"values": ["owner", "department_head"]}}}
    seeds = [{"name": "plans", "columns": [{"name": "actor", "data_tests": [codes]}]}]
    (project / "seeds" / "plans.yml").write_text(json.dumps({"version": 2, "seeds": seeds}))
    (models / "two.sql").write_text("select 5 as figure union all select 5 union all select null")
    broken = "select cast('Wanda Canary' as integer) as figure"
    (models / "three.sql").write_text("{{ config(materialized='table') }} " + broken)
    (models / "four.sql").write_text("select * from {{ ref('three') }}")
    tested = [{"name": "figure", "data_tests": ["unique", "not_null"]}]
    declared = {"version": 2, "models": [{"name": "two", "columns": tested}]}
    (models / "two.yml").write_text(json.dumps(declared))
    of_project = parsed_dbt.parsed(project).writable_manifest().to_dict()
    monkeypatch.setattr("pipelines.tables.dbt.manifest", lambda: of_project)
    home = project.parent

    class Call:
        """As a step calls dbt, without Dagster's part in it."""

        def __init__(self, dbt: Dbt) -> None:
            call = dbt.cli(["build"], context=None)
            self.process, self._wait = call.process, call.wait

        def stream(self) -> Iterator[Any]:
            yield from ()
            self._wait()

    with open_dbt(home / "target", project) as dbt:
        results = build(
            SimpleNamespace(cli=lambda *_, **__: Call(dbt), target=dbt.target),
            ["build"],
            context=SimpleNamespace(run_id="42"),
            warehouse=Warehouse(home / "small.duckdb", memory_limit="1GB"),
            runs=home / "runs",
        )
        with pytest.raises(TablesError) as raised:
            list(results)
    report = home / "runs" / "42.failed.sql"
    assert str(raised.value).splitlines()[0] == (
        "3 tables of the run failed, so nothing was published"
    )
    assert sorted(str(raised.value).splitlines()[1:5]) == [
        "  - plans: accepted_values (actor): expected no row that breaks it, found 1: "
        "departmnt_head; correct the seed",
        "  - three: could not be built: Conversion Error",
        "  - two: not_null (figure): expected no row that breaks it, found 1",
        "  - two: unique (figure): expected no row that breaks it, found 1",
    ]
    assert str(report) in str(raised.value)
    assert str(home / "small.duckdb") in str(raised.value)
    assert "Wanda Canary" in report.read_text()
    with duckdb.connect(str(home / "small.duckdb"), read_only=True) as con:
        queries = con.extract_statements(report.read_text())
        shown = [con.execute(query).fetchall() for query in queries[1:]]
    assert sorted(shown, key=str) == [[("departmnt_head", 2)], [(5, 2)], [(None,)]]


def test_what_was_parsed_knows_no_day() -> None:
    """Runs of all days share it: a day in a declaration would be that of `make setup`."""
    declared = json.dumps([node["config"] for node in manifest()["nodes"].values()])
    assert "not known while dbt parses" not in declared
    assert "2026-06-30" not in declared  # the day that dbt_project.yml gives to editors


@pytest.mark.parametrize(
    ("parsed", "said"), [(None, "has not been parsed"), ("another state", "has changed since")]
)
def test_a_project_that_changed_since_it_was_parsed_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed: str | None, said: str
) -> None:
    state = tmp_path / "parsed_from.sha256"
    if parsed:
        state.write_text(parsed)
    monkeypatch.setattr(dbt_calls, "STATE_PATH", state)
    with pytest.raises(HomingError, match=f"{said}.*run `make setup`"):
        manifest.__wrapped__()
