"""What became of each row of a training frame: how long the customer stayed away, as far as seen.

A label is a question with a horizon, "no order within h days?", and the answer is known once h
days have passed. What is kept is the answer to all such questions at once: the days to the next
order, and the days that were watched. Who learns as of a day sees no further than that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import (
    NEXT_ORDER,
    OBSERVED,
    SNAPSHOT,
    BoolArray,
    FloatArray,
)


@dataclass(frozen=True)
class Outcomes:
    """One entry per row of the frame.

    Attributes:
        snapshots: day of the row.
        next_order: days from the snapshot to the next order; infinite where none was seen.
        observed: days that were watched after the snapshot.
    """

    snapshots: npt.NDArray[np.datetime64]
    next_order: FloatArray
    observed: FloatArray

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Outcomes:
        """Read the outcomes off a frame that `features.labelled` has checked."""
        next_order = pd.to_numeric(frame[NEXT_ORDER]).to_numpy(np.float64, na_value=np.inf)
        observed = pd.to_numeric(frame[OBSERVED]).to_numpy(np.float64)
        return cls(
            frame[SNAPSHOT].to_numpy(), np.where(np.isnan(next_order), np.inf, next_order), observed
        )

    def __len__(self) -> int:
        return len(self.snapshots)

    def rows(self, chosen: npt.NDArray[Any] | slice) -> Outcomes:
        """The chosen rows, by mask, position or slice."""
        return Outcomes(self.snapshots[chosen], self.next_order[chosen], self.observed[chosen])

    def known_by(self, day: date) -> Outcomes:
        """The same rows as somebody knew them on a day: nothing after it was seen."""
        passed = (np.datetime64(day, "D") - self.snapshots.astype("datetime64[D]")).astype(float)
        observed = np.minimum(self.observed, passed)
        return Outcomes(
            self.snapshots,
            np.where(self.next_order <= observed, self.next_order, np.inf),
            observed,
        )

    def finished(self, horizon_days: float | FloatArray) -> BoolArray:
        """Where a horizon of so many days is over."""
        finished: BoolArray = self.observed >= horizon_days
        return finished

    def churned(self, horizon_days: float | FloatArray) -> BoolArray:
        """Whether no order came within so many days; means nothing where `finished` is false."""
        churned: BoolArray = self.next_order > horizon_days
        return churned
