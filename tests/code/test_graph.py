"""The graph that Dagster loads: what is in it, and the policies that hold for all of it.

What dbt builds is compared with its manifest and not written down here: a new table is a new file
and changes no test.
"""

from __future__ import annotations

import json
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import (
    build_run_requests_with_backfill_policies,
)
from dagster._core.definitions.events import AssetKeyPartitionKey

from checks.suites import ALL_SUITES
from pipelines.definitions import DEFAULT_OWNER, FRESHNESS, OWNERS, defs
from pipelines.defs.backtest import MONTHLY
from pipelines.partitions import day_of
from pipelines.sources.contract import load_contract
from pipelines.tables.dbt import PROJECT_DIR, lists_declared, manifest

STEPS = {
    *(
        "extract",
        "tables",
        "train",
        "train_forecasts",
        "score",
        "score_outlook",
        "monitor",
        "effects",
    ),
    *("retention", "published__version"),
}
BESIDE = {"feedback__backtests"}  # not part of the daily way
BORDERS = {"arrival", "features", "outputs"}
OWN = {
    "models/churn": "models",
    "feedback/alerts": "models",
    "feedback/backtests": "models",
    "feedback/drift": "models",
    "feedback/evaluations": "models",
    "feedback/monitoring": "models",
    "feedback/policy_values": "models",
    "feedback/scores": "models",
    "models/forecasts": "models",
    "feedback/forecast_evaluations": "models",
    "feedback/outlook": "models",
    "feedback/treatment_effects": "models",
    "published/version": "published",
}


@pytest.fixture(scope="module")
def graph() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def specs(graph: dg.Definitions) -> dict[str, dg.AssetSpec]:
    made = (asset for asset in graph.assets if isinstance(asset, dg.AssetsDefinition))
    return {
        spec.key.to_user_string(): spec
        for asset in made
        for spec in asset.specs
        if asset.is_executable
    }


def definitions(graph: dg.Definitions) -> dict[str, dg.AssetsDefinition]:
    return {
        asset.node_def.name: asset
        for asset in graph.assets
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable
    }


def test_every_table_of_dbt_and_of_the_lake_is_an_asset(specs: dict[str, dg.AssetSpec]) -> None:
    tables = {
        node["name"]
        for node in manifest()["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        and node["config"]["materialized"] != "ephemeral"  # part of the tables that read it
    }
    assert set(specs) == tables | {f"lake/{name}" for name in load_contract()} | set(OWN)


def test_every_list_says_what_it_is_and_what_a_row_is(specs: dict[str, dg.AssetSpec]) -> None:
    lists = dict(lists_declared())
    assert set(lists) == {
        path.stem for path in (PROJECT_DIR / "models").glob("retention/lists/*.sql")
    }
    shown = specs["list_declarations"].description
    for name, meta in lists.items():
        assert len(meta["title"]) > 5
        assert meta["grain"].startswith("One row per ")
        assert f"`{name}`: {meta['title']}. {meta['grain']}." in shown


def test_groups_follow_the_folders(specs: dict[str, dg.AssetSpec]) -> None:
    assert {key: specs[key].group_name for key in OWN} == OWN
    assert {spec.group_name for key, spec in specs.items() if key.startswith("lake/")} == {"lake"}
    assert specs["stg_orders"].group_name == "staging"
    assert specs["exchange_rates"].group_name == "business_rules"
    assert specs["row_ledger"].group_name == "ledger"
    assert specs["retention_list"].group_name == "retention"
    assert all(spec.group_name not in {None, "default"} for spec in specs.values())


def test_one_step_a_stage_in_one_pool_and_one_run_a_day(graph: dg.Definitions) -> None:
    steps = definitions(graph)
    assert set(steps) == STEPS | BESIDE
    for asset in steps.values():
        assert asset.op.pool == "warehouse"
        assert asset.backfill_policy == dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
        assert isinstance(asset.partitions_def, dg.DailyPartitionsDefinition)
    for border in graph.asset_checks:
        assert border.op.pool == "warehouse"


def test_only_the_extraction_is_tried_again(graph: dg.Definitions) -> None:
    steps = {name: asset.op for name, asset in definitions(graph).items()}
    steps |= {border.op.name: border.op for border in graph.asset_checks}
    assert set(steps) == STEPS | BORDERS | BESIDE
    assert [name for name, op in steps.items() if op.retry_policy is not None] == ["extract"]
    assert steps["extract"].retry_policy.max_retries == 3


def test_every_asset_has_an_owner_a_freshness_and_a_description(
    specs: dict[str, dg.AssetSpec],
) -> None:
    for key, spec in specs.items():
        assert spec.owners == [OWNERS.get(spec.group_name, DEFAULT_OWNER)], key
        assert spec.freshness_policy == (MONTHLY if key == "feedback/backtests" else FRESHNESS), key
        assert spec.description, key
        assert spec.kinds, key


def test_jobs_schedules_and_sensors(graph: dg.Definitions) -> None:
    assert {job.name for job in graph.jobs} == {"backtest", "daily", "retrain"}
    assert {schedule.name: schedule.job_name for schedule in graph.schedules} == {
        "backtest_on_the_first": "backtest",
        "daily_at_six": "daily",
        "retrain_on_sunday": "retrain",
    }
    assert [sensor.name for sensor in graph.sensors] == ["run_failed"]
    assert graph.sensors[0].default_status == dg.DefaultSensorStatus.RUNNING
    for schedule in graph.schedules:
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_a_job_is_the_whole_way(graph: dg.Definitions) -> None:
    for name in ("daily", "retrain"):
        job = graph.resolve_job_def(name)
        assert {node.name for node in job.nodes} == STEPS | BORDERS


def test_a_backtest_reads_what_the_lake_holds_and_builds_no_list(graph: dg.Definitions) -> None:
    job = graph.resolve_job_def("backtest")
    assert {node.name for node in job.nodes} == {"tables"} | BESIDE


def test_every_check_hangs_on_its_asset(
    graph: dg.Definitions, specs: dict[str, dg.AssetSpec]
) -> None:
    declared = {check.name for suite in ALL_SUITES for check in suite.checks}
    assert {spec.name for border in graph.asset_checks for spec in border.check_specs} == declared
    of_dbt = [spec for asset in definitions(graph).values() for spec in asset.check_specs]
    assert {spec.asset_key.to_user_string() for spec in of_dbt} <= set(specs)
    tests = [n for n in manifest()["nodes"].values() if n["resource_type"] == "test"]
    # A test of one table is a check of it; one that compares several may hang on none.
    attached = {node["name"] for node in tests if node.get("attached_node")}
    assert attached <= {spec.name for spec in of_dbt}
    assert [spec.name for spec in of_dbt if not spec.description] == []


def test_nothing_is_learnt_from_what_the_second_border_refuses(graph: dg.Definitions) -> None:
    [border] = [each for each in graph.asset_checks if each.node_def.name == "features"]
    judged = {spec.asset_key for spec in border.check_specs if spec.blocking}
    for step in ("train", "train_forecasts", "effects"):
        assert definitions(graph)[step].dependency_keys & judged, step


def test_loading_takes_seconds_and_nothing_heavy() -> None:
    heavy = ["xgboost", "great_expectations", "sklearn", "matplotlib", "dbt.cli.main"]
    code = (
        "import json, sys, time; from pipelines.definitions import defs; defs(); "
        f"heavy = [name for name in {heavy} if name in sys.modules]; "
        "print(json.dumps([heavy, time.process_time()]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    loaded, seconds = json.loads(result.stdout.splitlines()[-1])
    assert loaded == []
    # Of the process itself: a machine that does ten things at once lets it wait.
    assert seconds < 15


def test_a_backfill_of_a_range_is_one_run_a_day_each_of_the_whole_way(
    graph: dg.Definitions,
) -> None:
    """As the daemon splits what was asked for in the UI. The steps read the day from the tags."""
    days = ["2026-06-28", "2026-06-29"]
    way = set(graph.resolve_job_def("daily").asset_layer.executable_asset_keys)
    with dg.DagsterInstance.ephemeral() as instance:
        requests = build_run_requests_with_backfill_policies(
            {AssetKeyPartitionKey(key, day) for key in way for day in days},
            graph.resolve_asset_graph(),
            instance,
        )
    assert sorted(day_of(request.tags) for request in requests) == days
    for tags in (request.tags for request in requests):
        ends = {tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")}
        assert ends == {day_of(tags)}
    assert all(set(request.asset_selection or ()) == way for request in requests)
