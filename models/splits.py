"""Which snapshots the trees grow on and which calibrate: what is known by a day, later ones last.

- a snapshot is finished for a horizon h when that is over: ``snapshot + h <= as_of``;
- of the finished snapshots the latest calibrate, and the trees grow on the earlier ones;
- the test is no slice of a fit: who fits as of the day of the test knows no label that ends after
  it, and whoever judges takes the outcome that came later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from models.errors import TooLittleDataError
from models.features import BoolArray

# The stated minimum. Below it the three slices are single digits of churners per bin, and a
# learned score is a less honest rule; the fallback is a rule that says it is one.
MIN_TRAINING_SNAPSHOTS = 3
MIN_TRAINING_ROWS = 200
MIN_ROWS_OF_EITHER_CLASS = 30

# From this many training snapshots on, two calibrate: one alone is one season's shape.
SNAPSHOTS_FOR_TWO_CALIBRATING = 6


@dataclass(frozen=True)
class Split:
    """Days of the snapshots of each slice, oldest first."""

    growing: tuple[date, ...]
    calibration: tuple[date, ...]
    horizon_days: int

    @property
    def training(self) -> tuple[date, ...]:
        """Growing and calibration snapshots."""
        return (*self.growing, *self.calibration)

    def to_json(self) -> dict[str, Any]:
        """The windows as the model card states them, with the day the last label ends."""
        horizon = timedelta(days=self.horizon_days)
        return {
            "horizon_days": self.horizon_days,
            "growing": [day.isoformat() for day in self.growing],
            "calibration": [day.isoformat() for day in self.calibration],
            "training_labels_end_on": (self.training[-1] + horizon).isoformat(),
        }


def latest_finished(snapshots: Iterable[date], as_of: date, horizon_days: int) -> date:
    """The latest snapshot whose horizon is over.

    Raises:
        TooLittleDataError: when there is none.
    """
    horizon = timedelta(days=horizon_days)
    finished = [day for day in snapshots if day + horizon <= as_of]
    if not finished:
        raise TooLittleDataError(
            f"no snapshot has a finished horizon of {horizon_days} days by {as_of}"
        )
    return max(finished)


def split_snapshots(snapshots: Iterable[date], as_of: date, horizon_days: int) -> Split:
    """Assign the snapshot days that are finished by a day to growing and calibration.

    Raises:
        TooLittleDataError: with fewer than `MIN_TRAINING_SNAPSHOTS` of them.
    """
    horizon = timedelta(days=horizon_days)
    training = tuple(sorted(day for day in set(snapshots) if day + horizon <= as_of))
    if len(training) < MIN_TRAINING_SNAPSHOTS:
        raise TooLittleDataError(
            f"{len(training)} training snapshots have labels that end by {as_of}, "
            f"at least {MIN_TRAINING_SNAPSHOTS} are needed"
        )
    calibrating = 2 if len(training) >= SNAPSHOTS_FOR_TWO_CALIBRATING else 1
    return Split(training[:-calibrating], training[-calibrating:], horizon_days)


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
