"""Which snapshots the trees grow on, which calibrate, and which one tests: always later ones.

The windows, for a horizon h and a day as_of::

    growing snapshots ... | calibration snapshots | (labels of these end here) test | ... as_of
                                                              test + h <= as_of <---'

- a snapshot is finished when its horizon is over: ``snapshot + h <= as_of``; others are left out;
- the latest finished snapshot is the test;
- training snapshots are those whose own horizon ends on or before the day of the test, so that
  nothing known only after the test day was learnt from;
- of these the latest calibrate, and the trees grow on the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.errors import TooLittleDataError

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
    test: date
    horizon_days: int

    @property
    def training(self) -> tuple[date, ...]:
        """Growing and calibration snapshots."""
        return (*self.growing, *self.calibration)

    def to_json(self) -> dict[str, Any]:
        """The windows as the model card states them, each with the day its labels end."""
        horizon = timedelta(days=self.horizon_days)
        return {
            "horizon_days": self.horizon_days,
            "growing": [day.isoformat() for day in self.growing],
            "calibration": [day.isoformat() for day in self.calibration],
            "training_labels_end_on": (self.training[-1] + horizon).isoformat(),
            "test": self.test.isoformat(),
            "test_labels_end_on": (self.test + horizon).isoformat(),
        }


def split_snapshots(snapshots: Iterable[date], as_of: date, horizon_days: int) -> Split:
    """Assign snapshot days to growing, calibration and test.

    Raises:
        TooLittleDataError: with fewer than `MIN_TRAINING_SNAPSHOTS` training snapshots.
    """
    horizon = timedelta(days=horizon_days)
    finished = sorted(day for day in set(snapshots) if day + horizon <= as_of)
    if not finished:
        raise TooLittleDataError(
            f"no snapshot has a finished horizon of {horizon_days} days by {as_of}"
        )
    test = finished[-1]
    training = tuple(day for day in finished if day + horizon <= test)
    if len(training) < MIN_TRAINING_SNAPSHOTS:
        raise TooLittleDataError(
            f"{len(training)} training snapshots have labels that end by the test day {test}, "
            f"at least {MIN_TRAINING_SNAPSHOTS} are needed"
        )
    calibrating = 2 if len(training) >= SNAPSHOTS_FOR_TWO_CALIBRATING else 1
    return Split(training[:-calibrating], training[-calibrating:], test, horizon_days)


def require_enough(snapshots: pd.Series[Any], churned: npt.NDArray[np.bool_], split: Split) -> None:
    """Refuse slices too small to learn from, to calibrate on, or to judge by.

    Args:
        snapshots: day of each labelled row.
        churned: label of each row.
        split: the windows.

    Raises:
        TooLittleDataError: naming the first slice that falls short.
    """
    rows = int(snapshots.isin(_days(split.training)).sum())
    if rows < MIN_TRAINING_ROWS:
        raise TooLittleDataError(f"{rows} training rows, at least {MIN_TRAINING_ROWS} are needed")
    for name, members in (
        ("growing", split.growing),
        ("calibration", split.calibration),
        ("test", (split.test,)),
    ):
        inside = snapshots.isin(_days(members)).to_numpy()
        churners = int(churned[inside].sum())
        stayers = int(inside.sum()) - churners
        if min(churners, stayers) < MIN_ROWS_OF_EITHER_CLASS:
            raise TooLittleDataError(
                f"the {name} slice has {churners} customers who churned and {stayers} who stayed, "
                f"at least {MIN_ROWS_OF_EITHER_CLASS} of either are needed"
            )


def _days(members: tuple[date, ...]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(members)
