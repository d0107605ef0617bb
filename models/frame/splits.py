"""Which snapshots teach, and over how many days each: what is known by a day.

- a snapshot is finished for a horizon h when that is over: ``snapshot + h <= as_of``;
- the trees learn from every snapshot of which at least half a horizon has passed, each at the
  longest horizon that is over, so that the latest seasons teach as well;
- levels, shapes and baselines come from the snapshots that are finished for the full horizon;
- the test is no part of a fit: who fits as of the day of the test knows no label that ends after
  it, and whoever judges takes the outcome that came later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from models.errors import TooLittleDataError
from models.frame.features import BoolArray

# The stated minimum. Below it the three slices are single digits of churners per bin, and a
# learned score is a less honest rule; the fallback is a rule that says it is one.
MIN_TRAINING_SNAPSHOTS = 3
MIN_TRAINING_ROWS = 200
MIN_ROWS_OF_EITHER_CLASS = 30

# Snapshots whose outcome gives the shape of a calibration: one alone is one season's.
SHAPING_SNAPSHOTS = 2
# Share of the horizon that must be over: in less, the short rhythms of some tell of all too much.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Split:
    """Days of the snapshots that teach, oldest first, and the days over which each does."""

    windows: tuple[tuple[date, int], ...]
    horizon_days: int

    @property
    def finished(self) -> tuple[date, ...]:
        """Snapshots whose full horizon is over."""
        return tuple(day for day, days in self.windows if days == self.horizon_days)

    @property
    def shaping(self) -> tuple[date, ...]:
        """Snapshots that shape the calibrations."""
        return self.finished[-SHAPING_SNAPSHOTS:]

    def to_json(self) -> dict[str, Any]:
        """The windows as the model card states them, with the day the last label ends."""
        return {
            "horizon_days": self.horizon_days,
            "growing": {day.isoformat(): days for day, days in self.windows},
            "calibration": [day.isoformat() for day in self.shaping],
            "training_labels_end_on": max(
                day + timedelta(days=days) for day, days in self.windows
            ).isoformat(),
        }


def finished_snapshots(snapshots: Iterable[date], as_of: date, horizon_days: int) -> list[date]:
    """The snapshots whose horizon is over on a day, each once, oldest first."""
    horizon = timedelta(days=horizon_days)
    return sorted(day for day in set(snapshots) if day + horizon <= as_of)


def latest_finished(snapshots: Iterable[date], as_of: date, horizon_days: int) -> date:
    """The latest snapshot whose horizon is over.

    Raises:
        TooLittleDataError: when there is none.
    """
    finished = finished_snapshots(snapshots, as_of, horizon_days)
    if not finished:
        raise TooLittleDataError(
            f"no snapshot has a finished horizon of {horizon_days} days by {as_of}"
        )
    return finished[-1]


def split_snapshots(snapshots: Iterable[date], as_of: date, horizon_days: int) -> Split:
    """Give every snapshot the longest horizon that is over on a day.

    Raises:
        TooLittleDataError: with fewer than `MIN_TRAINING_SNAPSHOTS` finished for the full one.
    """
    seen = {day: min((as_of - day).days, horizon_days) for day in snapshots}
    least = LEAST_SHARE * horizon_days
    split = Split(
        tuple((day, seen[day]) for day in sorted(seen) if seen[day] >= max(least, 1)),
        horizon_days,
    )
    if len(split.finished) < MIN_TRAINING_SNAPSHOTS:
        raise TooLittleDataError(
            f"{len(split.finished)} training snapshots have labels that end by {as_of}, "
            f"at least {MIN_TRAINING_SNAPSHOTS} are needed"
        )
    return split


def require_enough(rows: Mapping[str, BoolArray], *, in_all: int = 0) -> None:
    """Refuse slices too small to learn from, to calibrate on, or to judge by.

    Args:
        rows: labels of the rows of each slice, by its name.
        in_all: rows that they must have together.

    Raises:
        TooLittleDataError: naming the first slice that falls short.
    """
    for name, churned in rows.items():
        churners = int(churned.sum())
        stayers = len(churned) - churners
        if min(churners, stayers) < MIN_ROWS_OF_EITHER_CLASS:
            raise TooLittleDataError(
                f"the {name} slice has {churners} customers who churned and {stayers} who stayed, "
                f"at least {MIN_ROWS_OF_EITHER_CLASS} of either are needed"
            )
    total = sum(map(len, rows.values()))
    if total < in_all:
        raise TooLittleDataError(f"{total} training rows, at least {in_all} are needed")
