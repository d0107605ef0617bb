"""What is watched of one kind of prediction: what it states, what came, and what was promised.

A kind says which columns of its batch speak, and what makes them true. Where the batches lie and
what customers did, the caller knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from models.frame.features import FloatArray
from models.monitoring import performance
from models.monitoring.performance import SHARE, TOTAL

# Of what came, one row per customer: days to the next order within the horizon (NaN: none), and
# the profit within it (home currency).
DAYS, PROFIT = "days_to_next_order", "profit"
YEAR_DAYS: Final = 365


@dataclass(frozen=True)
class Promise:
    """What a version said of itself when it was learnt.

    Attributes:
        tested: metric -> value, lower and upper end, out of time, of the predictor that it serves.
        errors: metric -> standard error beyond chance, as tests showed it: of a share or a
            coverage in shares, of a total in logarithms. What is not there is not known.
        level_error: of a probability's level in log odds, of its calibration; None: it has none.
    """

    tested: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    level_error: float | None = None

    def error(self, metric: str) -> float:
        """The error of a metric; NaN where it is not known."""
        return self.errors.get(metric, np.nan)


@dataclass(frozen=True)
class Interval:
    """Days ahead between which a share of the orders is to come.

    Attributes:
        metric: name of the share that it held.
        share: that it is to hold.
        low, high: columns of the days.
    """

    metric: str
    share: float
    low: str
    high: str


@dataclass(frozen=True)
class Prediction:
    """One kind of prediction, as its batches hold it.

    Attributes:
        kind: `return`.
        batch: name of the batches.
        value: column of what is stated, empty where nothing is.
        version: column of the version that stated it.
        metrics: what is watched of it.
        horizon: column of the days it speaks of.
        always_days: the days where no column says them.
    """

    kind: str
    batch: str
    value: str
    version: str
    metrics: tuple[str, ...]
    horizon: str | None = None
    always_days: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the batch that are read."""
        return (self.value, self.version)

    def expected(self, rows: pd.DataFrame, promise: Promise) -> pd.DataFrame:
        """What rows of a batch say of their own quality, with the columns of `COLUMNS`."""
        raise NotImplementedError

    def realised(self, rows: pd.DataFrame, came: pd.DataFrame, *, seed: int) -> pd.DataFrame:
        """How good they were, with the columns of `COLUMNS`.

        Args:
            rows: of a batch.
            came: DAYS and PROFIT of the same customers, in the same order.
            seed: of the bootstrap.
        """
        raise NotImplementedError

    def tested(self, promise: Promise, customers: int) -> pd.DataFrame:
        """What the test of the version promised, with the columns of `COLUMNS`."""
        rows = []
        for metric, figure in promise.tested.items():
            if metric in self.metrics:
                value, lower, upper = (np.nan if each is None else each for each in figure)
                rows.append((metric, value, lower, upper, customers))
        return performance.figures(rows)


@dataclass(frozen=True)
class Event(Prediction):
    """A probability that a customer orders within the horizon, or that none comes.

    Attributes:
        share: name of the share whom it happens to.
        is_order: whether an order is what it is of.
        interval: of the day of that order.
    """

    share: str = SHARE
    is_order: bool = True
    interval: Interval | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the batch that are read."""
        ends = (self.interval.low, self.interval.high) if self.interval else ()
        return (*super().columns, *ends)

    def expected(self, rows: pd.DataFrame, promise: Promise) -> pd.DataFrame:
        """What the probabilities say of themselves, and the share that the interval is to hold."""
        if not len(rows):
            return performance.figures([])
        probability = _numbers(rows, self.value)
        level_error = promise.level_error
        if level_error is None:
            p = performance.certain_of_nothing(probability)
            level_error = promise.error(self.share) / float((p * (1 - p)).mean())
        of_share = performance.expected(probability, level_error)
        return self._watched(of_share, self._expected_coverage(rows, promise))

    def _expected_coverage(self, rows: pd.DataFrame, promise: Promise) -> pd.DataFrame:
        if self.interval is None:
            return performance.figures([])
        named = rows[self.interval.low].notna().to_numpy()
        return performance.expected_coverage(
            self.interval.metric,
            self.interval.share,
            float(_numbers(rows, self.value)[named].sum()),
            promise.error(self.interval.metric),
        )

    def realised(self, rows: pd.DataFrame, came: pd.DataFrame, *, seed: int) -> pd.DataFrame:
        """How good the probabilities were, and the share of orders that the interval held."""
        days = _numbers(came, DAYS)
        ordered = ~np.isnan(days)
        happened = ordered if self.is_order else ~ordered
        of_share = performance.realised(_numbers(rows, self.value), happened, seed=seed)
        held = performance.figures([])
        if self.interval is not None:
            low, high = (_numbers(rows, end) for end in (self.interval.low, self.interval.high))
            within = (days >= low) & (days <= high)
            held = performance.realised_share(
                self.interval.metric, within[ordered & ~np.isnan(low)]
            )
        return self._watched(of_share, held)

    def _watched(self, of_share: pd.DataFrame, held: pd.DataFrame) -> pd.DataFrame:
        named = of_share.assign(metric=of_share["metric"].replace(SHARE, self.share))
        watched = named[named["metric"].isin(self.metrics)]
        return pd.concat([each for each in (watched, held) if len(each)] or [held])


@dataclass(frozen=True)
class Amount(Prediction):
    """A profit within the horizon.

    Attributes:
        typical: column of what to expect of one customer alone.
        total: name of the total.
    """

    typical: str = ""
    total: str = TOTAL

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the batch that are read."""
        return (*super().columns, self.typical)

    def expected(self, rows: pd.DataFrame, promise: Promise) -> pd.DataFrame:
        """The total that is stated."""
        stated = _numbers(rows, self.value)
        return self._watched(performance.expected_total(stated, promise.error(self.total)))

    def realised(self, rows: pd.DataFrame, came: pd.DataFrame, *, seed: int) -> pd.DataFrame:
        """The total that came, and how far each customer was from what was stated."""
        stated, typical = (_numbers(rows, column) for column in (self.value, self.typical))
        earned = _numbers(came, PROFIT)
        return self._watched(performance.realised_amounts(stated, typical, earned, seed=seed))

    def _watched(self, of_amounts: pd.DataFrame) -> pd.DataFrame:
        named = of_amounts.assign(metric=of_amounts["metric"].replace(TOTAL, self.total))
        return named[named["metric"].isin(self.metrics)]


def _numbers(frame: pd.DataFrame, column: str) -> FloatArray:
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
