"""Second step: dbt builds every table that a score needs, from staging to features."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from models.store import ModelStore
from pipelines.defs.forecasts import stores
from pipelines.fingerprint import tables_fingerprint
from pipelines.messages.pictures import stage_flow_of_last_month
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import (
    Dbt,
    Translator,
    build,
    build_arguments,
    columns_of,
    manifest,
    project,
)

RETRAIN_TAG = "homing/retrain"


def training_is_due(run: dg.DagsterRun, store: ModelStore, settings: Settings, as_of: date) -> bool:
    """Whether this run trains: asked for, the last training is old, or nothing can score today.

    A backfill of an older day may not use a model that knows later days, hence the day itself
    decides what is there to serve. What an earlier Homing stored in another form cannot be read,
    and what learnt from other features cannot read those that the tables have now: the stored form
    tells both, no model is loaded.
    """
    from models.frame.features import are_foreign  # noqa: PLC0415  pandas can wait

    if run.tags.get(RETRAIN_TAG) == "true":
        return True
    last = store.last_training(as_of)
    if last is None or as_of - last >= timedelta(days=settings.retrain_after_days):
        return True
    learnt_from = {
        "customer_features": [store.features_of_champion(as_of)],
        "purchase_features": [
            each.features_of_champion(as_of) for each in stores(settings).values()
        ],
    }
    return any(
        names is None or are_foreign(names, columns_of(table))
        for table, versions in learnt_from.items()
        for names in versions
    )


@dbt_assets(
    manifest=manifest(),
    select="tag:tables",
    name="tables",
    project=project(),
    dagster_dbt_translator=Translator(),
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def tables(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[Dbt],
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    session: dg.ResourceParam[Session],
) -> Iterator[Any]:
    """Staging, intermediate, marts and features of the day, with their tests."""
    as_of = as_of_day(context)
    warehouse.prepare(tables_fingerprint())
    session.training = training_is_due(context.run, model_store, settings, as_of)
    yield from build(
        dbt,
        build_arguments(
            settings, as_of=as_of, training=session.training, tests_of_later_stages=True
        ),
        context=context,
        warehouse=warehouse,
        runs=settings.runs,
        pictures={"lifecycle_transitions": stage_flow_of_last_month},
        another_follows=True,
    )
