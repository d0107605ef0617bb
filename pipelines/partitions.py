"""The days that a run can speak for: one partition a business day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from itertools import pairwise

import dagster as dg

from pipelines.errors import HomingError
from pipelines.settings import Settings

_SETTINGS = Settings.read()

# Today belongs to the days, too: a shop may run on an export that was made this evening.
DAILY = dg.DailyPartitionsDefinition(
    start_date=_SETTINGS.first_day.isoformat(), timezone=_SETTINGS.timezone, end_offset=1
)

# An order day stands alone after a pause that is longer than a week and three times the longest one
# before it: a mistyped date, more likely than a shop that closed. Few days tell no usual pause.
MIN_ORDER_DAYS = 20
LEAST_PAUSE_DAYS = 7
UNUSUAL_PAUSE = 3


def latest_day(order_days: Collection[date]) -> tuple[date, list[date]]:
    """The day to run for when none is asked for: the last one that orders lead up to.

    One row with a mistyped date would move the whole company ahead: everybody would have been
    silent for as long.

    Args:
        order_days: the days with an order, at least one.

    Returns:
        The day, and later ones that stand alone, the first one first.
    """
    days, alone = sorted(set(order_days)), []
    while len(days) > MIN_ORDER_DAYS:
        *usual, last = ((after - before).days for before, after in pairwise(days))
        if last <= max(LEAST_PAUSE_DAYS, UNUSUAL_PAUSE * max(usual)):
            break
        alone.insert(0, days.pop())
    return days[-1], alone


def as_of_day(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.InitResourceContext,
) -> date:
    """The day that the run of this context speaks for.

    Raises:
        HomingError: the run has no day.
    """
    day = day_of(context.run.tags)
    if day is None:
        raise HomingError("the run speaks for no day; choose a partition and launch it again")
    return date.fromisoformat(day)


def day_of(tags: Mapping[str, str]) -> str | None:
    """The same, from the tags of a run, as YYYY-MM-DD; None: it was launched without a day.

    The runs of a backfill that a policy splits name a range, which is one day here.
    """
    return tags.get("dagster/partition") or tags.get("dagster/asset_partition_range_end")
