"""What Dagster shows of a run: rows and column lineage of every asset, or why there are none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.sources.contract import load_contract
from pipelines.tables.dbt import manifest
from tests.conftest import SAMPLE_DAYS

ROWS = {"dagster/row_count", "dagster/partition_row_count"}
LINEAGE = "dagster/column_lineage"


@pytest.fixture(scope="module")
def metadata(
    sample_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """Metadata of the last day's materializations, by asset."""
    # A copy: whoever opens the storage also writes to it.
    storage = tmp_path_factory.mktemp("dagster") / "dagster"
    shutil.copytree(sample_home / "dagster", storage)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DAGSTER_HOME", str(storage))
        with dg.DagsterInstance.from_config(str(storage)) as instance:
            [run] = instance.get_runs(
                dg.RunsFilter(tags={"dagster/partition": SAMPLE_DAYS[-1]}), limit=2
            )
            records = instance.get_records_for_run(
                run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=5000
            ).records
    told = [record.asset_materialization for record in records]
    return {each.asset_key.to_user_string(): dict(each.metadata) for each in told if each}


def tables(**wanted: str) -> set[str]:
    """Names of dbt's tables of a resource type or a materialization."""
    return {
        node["name"]
        for node in manifest()["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        and node["config"]["materialized"] != "ephemeral"
        and wanted.items() <= {**node["config"], **node}.items()
    }


def test_every_asset_was_made(metadata: dict[str, dict[str, Any]]) -> None:
    delivered = {f"lake/{table}" for table in load_contract()}
    assert metadata.keys() >= tables() | delivered


def test_every_asset_tells_its_rows(metadata: dict[str, dict[str, Any]]) -> None:
    silent = {name for name, told in metadata.items() if not ROWS & told.keys()}
    # To count the rows of a view is to run its query: whoever reads it pays for that already.
    assert silent == tables(materialized="view")


def test_every_asset_tells_its_column_lineage(metadata: dict[str, dict[str, Any]]) -> None:
    silent = {name for name, told in metadata.items() if LINEAGE not in told}
    because = {
        "delivered by a source, which is outside": {f"lake/{table}" for table in load_contract()},
        "written by hand": tables(resource_type="seed"),
        "no table: a folder of trees and coefficients": {"models/churn", "models/forecasts"},
        "all published tables as they are; each tells its own": {"published/version"},
    }
    assert silent == set().union(*because.values())


def test_figures_and_scores_are_made_of_features(metadata: dict[str, dict[str, Any]]) -> None:
    for asset, column, kind in (
        ("feedback/scores", "churn_probability", "customer_features"),
        ("feedback/evaluations", "value", "customer_labels"),
        ("feedback/outlook", "expected_profit_12m", "purchase_features"),
    ):
        told = metadata[asset]
        assert told["dagster/partition_row_count"].value > 0
        origins = told[LINEAGE].value.deps_by_column[column]
        assert kind in {origin.asset_key.to_user_string() for origin in origins}
