"""Fifth step: dbt builds every table that reads the scores: lists, metrics, effects."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import Dbt, Translator, build, build_arguments, manifest, project


@dbt_assets(
    manifest=manifest(),
    select="tag:retention",
    name="retention",
    project=project(),
    dagster_dbt_translator=Translator(),
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def retention(
    context: dg.AssetExecutionContext,
    dbt: dg.ResourceParam[Dbt],
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    session: dg.ResourceParam[Session],
) -> Iterator[Any]:
    """Scores, reasons, lists, metrics and effects of the day, with their tests."""
    yield from build(
        dbt,
        build_arguments(settings, as_of=as_of_day(context), training=session.training),
        context=context,
        warehouse=warehouse,
        runs=settings.runs,
    )
