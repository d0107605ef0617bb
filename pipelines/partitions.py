"""The days that a run can speak for: one partition a business day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dagster as dg

from pipelines.errors import HomingError
from pipelines.settings import Settings

_SETTINGS = Settings.read()

# Today belongs to the days, too: a shop may run on an export that was made this evening.
DAILY = dg.DailyPartitionsDefinition(
    start_date=_SETTINGS.first_day.isoformat(), timezone=_SETTINGS.timezone, end_offset=1
)
# Said by every step: a run speaks for one day, and dagster-dbt would have it build a range of them.
ONE_DAY_A_RUN = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)


def as_of_day(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.InitResourceContext,
) -> date:
    """The day that the run of this context speaks for.

    Raises:
        HomingError: the run has no day.
    """
    day = day_of(context.run.tags)
    if day is None:
        reason = "the run speaks for no day; choose a partition and launch it again"
        # Trying it again would not give it a day; and what is raised stands deep in a stack trace.
        context.instance.add_run_tags(context.run.run_id, {"dagster/max_retries": "0"})
        context.log.error(reason)
        raise HomingError(reason)
    return date.fromisoformat(day)


def day_of(tags: Mapping[str, str]) -> str | None:
    """The same, from the tags of a run, as YYYY-MM-DD; None: it was launched without a day.

    The runs of a backfill that a policy splits name a range, which is one day here.
    """
    return tags.get("dagster/partition") or tags.get("dagster/asset_partition_range_end")
