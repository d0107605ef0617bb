"""Where customers and orders come from: one connector a module, all speaking the source contract.

Here: reading a source into Arrow batches, with foreign names and encodings resolved.
Not here: which rows a run takes (resources/lake.py), and what they mean (staging).

A new connector is a module with `connect(settings)`, which returns something with the members of
`connector.Connector`, and a line in `_MODULES`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING

from pipelines.errors import SettingsError, SourceError
from pipelines.sources.contract import ORDER_TABLES

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.sources.connector import Connector

# Named, not imported: the driver of a source that is not used need not be installed.
_MODULES = {
    "sample": "pipelines.sources.sample",
    "files": "pipelines.sources.files",
}

# An order day stands alone after a pause that is longer than a week and three times the longest one
# before it: a mistyped date, more likely than a shop that closed. Few days tell no usual pause.
MIN_ORDER_DAYS = 20
LEAST_PAUSE_DAYS = 7
UNUSUAL_PAUSE = 3


def connectors(settings: Settings) -> tuple[Connector, ...]:
    """The connectors that `HOMING_SOURCE` names, in that order.

    Raises:
        SettingsError: a name is unknown or given twice, or the sample is mixed with real data.
    """
    names = settings.source
    known = ", ".join(_MODULES)
    if unknown := [name for name in names if name not in _MODULES]:
        raise SettingsError(f"HOMING_SOURCE: unknown source {unknown[0]!r}; choose from {known}")
    if not names or len(set(names)) != len(names):
        raise SettingsError(f"HOMING_SOURCE: name one or more of {known}, each once")
    if "sample" in names and len(names) > 1:
        raise SettingsError("HOMING_SOURCE: the sample company cannot be mixed with real data")
    return tuple(import_module(_MODULES[name]).connect(settings) for name in names)


def offered_tables(sources: Iterable[Connector]) -> dict[str, set[str]]:
    """The names of the tables that each source can deliver, by the source's name.

    Raises:
        SourceError: a source cannot be used, none brings orders, or they come in both forms.
    """
    offered = {source.name: {table.name for table in source.tables()} for source in sources}
    given = [name for name in ORDER_TABLES if any(name in tables for tables in offered.values())]
    if not given:
        raise SourceError(
            f"no {' or '.join(ORDER_TABLES)} in {', '.join(offered)}: nothing can be computed "
            "without orders; see README, 'Your own data'"
        )
    if len(given) > 1:
        raise SourceError(
            f"{', '.join(offered)}: expected orders or order_lines, found both, and both say what "
            "was ordered. Remove orders if the lines make up all of them (orders, items, products "
            "and returns are then made of the lines); else remove order_lines, and give the "
            "lines as order_items."
        )
    return offered


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
