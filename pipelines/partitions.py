"""The days that a run can speak for: one partition a business day."""

from __future__ import annotations

from datetime import date

import dagster as dg

from pipelines.settings import Settings

_SETTINGS = Settings.read()

# Today belongs to the days, too: a shop may run on an export that was made this evening.
DAILY = dg.DailyPartitionsDefinition(
    start_date=_SETTINGS.first_day.isoformat(), timezone=_SETTINGS.timezone, end_offset=1
)


def as_of_day(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> date:
    """The day that the run of this context speaks for."""
    return date.fromisoformat(context.run.tags["dagster/partition"])
