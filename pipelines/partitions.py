"""The days that a run can speak for."""

from __future__ import annotations

from datetime import date

import dagster as dg

from pipelines.settings import Settings


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """One partition a business day: the partition key is the run's `as_of`."""
    return dg.DailyPartitionsDefinition(
        start_date=settings.first_day.isoformat(), timezone=settings.timezone
    )


def as_of_day(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> date:
    """The day that the run of this context speaks for."""
    return date.fromisoformat(context.run.tags["dagster/partition"])
