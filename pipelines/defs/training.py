"""Third step, weekly: train a challenger, compare it out of time, and keep what is better."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pandas as pd

from models.store import ModelStore
from pipelines.dbt import asset_key
from pipelines.partitions import DAILY, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings

RETRAIN_TAG = "homing/retrain"
SEED = 20260630  # fixed, so that the same data give the same bytes

CHURN_MODEL = dg.AssetKey(["models", "churn"])
EVALUATIONS = dg.AssetKey(["feedback", "evaluations"])


def training_is_due(
    run: dg.DagsterRun, store: ModelStore, settings: Settings, as_of: date
) -> bool:
    """Whether this run trains: asked for, nothing to serve yet, or the last training is old.

    A backfill of an older day may not use a model that knows later days, hence the day itself
    decides what is there to serve.
    """
    if run.tags.get(RETRAIN_TAG) == "true":
        return True
    last = store.last_training(on_or_before=as_of)
    return last is None or as_of - last >= timedelta(days=settings.retrain_after_days)


@dg.multi_asset(
    name="train",
    specs=[
        dg.AssetSpec(
            CHURN_MODEL,
            deps=[asset_key("customer_features"), asset_key("customer_labels")],
            description="The model that is served: champion, best baseline, or rule.",
            group_name="models",
            kinds={"python", "xgboost"},
        ),
        dg.AssetSpec(
            EVALUATIONS,
            deps=[CHURN_MODEL],
            description="Out-of-time figures of challenger, champion and every baseline.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    pool="warehouse",
    required_resource_keys={"session"},
)
def train(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    lake: dg.ResourceParam[Lake],
) -> Iterator[dg.MaterializeResult]:
    """Train when due, else keep what is served; either way say which model that is."""
