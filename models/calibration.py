"""From a predictor's log odds to probabilities that come true, also when the season changes.

Two parts, fitted apart because they move apart:

- *shape*: beta calibration (Kull, Silva Filho and Flach, 2017), ``a ln p - b ln(1 - p)``, with a
  ridge towards the identity. Two numbers suffice for small slices, and being strictly increasing
  it keeps the ranking, which isotonic steps do not.
- *level*: one intercept per finished snapshot. The share that churns moves with the season by
  15 points in retail; a level learnt in autumn is wrong in spring whatever the shape. The level
  for a day is that of the same season a year earlier, moved by part of what has changed since;
  without a year of history it is the latest one known by that day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

from models.features import BoolArray, FloatArray
from models.predictors import probability_of

# Ridge towards a = b = 1, in pseudo-observations: gone at a thousand rows, firm at fifty.
SHAPE_RIDGE = 10.0
# A slope of zero would tie all customers; one below it would turn the ranking round.
MIN_SLOPE = 1e-3
# Pseudo-observations at level zero, so that a snapshot where all or none churned stays finite.
LEVEL_RIDGE = 1.0
# Two snapshots are of the same season when a year apart within half a month: month-ends vary.
SEASON = timedelta(days=365)
SEASON_TOLERANCE = timedelta(days=16)
# Share of the change from a year ago that is expected to last: single month-ends are noisy. On
# simulated companies 0.5 errs by 0.09-0.12 log odds, all of it by 0.11-0.15, the latest level
# alone by 0.26-0.52 where there is a season and by 0.10 where there is none.
CHANGE_KEPT = 0.5
# A published probability is never certain; this is also what bounds the log-loss.
EPSILON = 1e-4


@dataclass(frozen=True)
class Level:
    """The intercept, in log odds, that makes one snapshot's mean probability come true."""

    snapshot: date
    logit: float
    rows: int


@dataclass(frozen=True)
class Calibration:
    """Slopes of the shape and the levels of the finished snapshots, oldest first."""

    a: float
    b: float
    levels: tuple[Level, ...]
    horizon_days: int

    @classmethod
    def fit(
        cls,
        margin: FloatArray,
        churned: BoolArray,
        snapshots: npt.NDArray[np.datetime64],
        *,
        shape_on: Sequence[date],
        horizon_days: int,
    ) -> Calibration:
        """Fit the shape on some snapshots and a level for each of them all.

        Args:
            margin: uncalibrated log odds of churn, one per row.
            churned: what happened.
            snapshots: day of each row.
            shape_on: the calibration snapshots, later than those the predictor learnt from.
            horizon_days: days until the label of a snapshot is known.
        """
        calibrating = np.isin(snapshots, np.array(shape_on, dtype="datetime64[s]"))
        a, b = _fit_shape(
            [
                (margin[rows], churned[rows])
                for rows in (calibrating & (snapshots == day) for day in np.unique(snapshots))
                if rows.any()
            ]
        )
        return cls(a, b, (), horizon_days).with_levels(margin, churned, snapshots)

    def with_levels(
        self, margin: FloatArray, churned: BoolArray, snapshots: npt.NDArray[np.datetime64]
    ) -> Calibration:
        """The same shape with the levels of these snapshots; arguments as for `fit`."""
        levels = []
        for day in np.unique(snapshots):
            rows = snapshots == day
            logit = fit_level(_shape(margin[rows], self.a, self.b), churned[rows])
            levels.append(Level(pd.Timestamp(day).date(), logit, int(rows.sum())))
        return replace(self, levels=tuple(levels))

    def probability(self, margin: FloatArray, snapshots: npt.NDArray[np.datetime64]) -> FloatArray:
        """Calibrated churn probability of each row, at the level expected for its day."""
        days, at = np.unique(snapshots, return_inverse=True)
        levels = np.array([self.level_for(pd.Timestamp(day).date()) for day in days])
        logit = _shape(margin, self.a, self.b) + (levels[at] if len(days) else 0.0)
        return np.clip(probability_of(logit), EPSILON, 1 - EPSILON)

    def level_for(self, day: date) -> float:
        """The level expected for a day, from what was known by that day."""
        known = [
            each for each in self.levels if each.snapshot + timedelta(days=self.horizon_days) <= day
        ]
        if not known:
            return self.levels[0].logit if self.levels else 0.0
        latest = known[-1]
        then = _of_season(known, latest.snapshot - SEASON)
        target = _of_season(known, day - SEASON)
        if target is None or then is None:
            return latest.logit
        return target.logit + CHANGE_KEPT * (latest.logit - then.logit)

    def to_json(self) -> dict[str, Any]:
        """Slopes, levels and horizon."""
        return {
            "a": self.a,
            "b": self.b,
            "horizon_days": self.horizon_days,
            "levels": [
                {"snapshot": each.snapshot.isoformat(), "logit": each.logit, "rows": each.rows}
                for each in self.levels
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read a calibration back."""
        levels = tuple(
            Level(date.fromisoformat(each["snapshot"]), float(each["logit"]), int(each["rows"]))
            for each in stored["levels"]
        )
        return cls(float(stored["a"]), float(stored["b"]), levels, int(stored["horizon_days"]))


def _of_season(levels: Sequence[Level], day: date) -> Level | None:
    near = [each for each in levels if abs(each.snapshot - day) <= SEASON_TOLERANCE]
    return min(near, key=lambda each: abs(each.snapshot - day)) if near else None


def _shape(margin: FloatArray, a: float, b: float) -> FloatArray:
    # ln p and ln(1 - p) straight from the log odds: exact where p itself would round to 0 or 1.
    result: FloatArray = -a * np.logaddexp(0, -margin) + b * np.logaddexp(0, margin)
    return result


def _fit_shape(slices: Sequence[tuple[FloatArray, BoolArray]]) -> tuple[float, float]:
    """Slopes shared by the slices, with an intercept each, by penalised likelihood."""
    groups = [(np.logaddexp(0, -m), np.logaddexp(0, m), np.where(y, 1.0, -1.0)) for m, y in slices]

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        a, b = parameters[:2]
        value = SHAPE_RIDGE * ((a - 1) ** 2 + (b - 1) ** 2) / 2
        gradient = np.zeros_like(parameters)
        gradient[:2] = SHAPE_RIDGE * (parameters[:2] - 1)
        for at, (minus_log_p, minus_log_q, sign) in enumerate(groups, start=2):
            z = sign * (-a * minus_log_p + b * minus_log_q + parameters[at])
            value += float(np.logaddexp(0, -z).sum())
            pull = -sign * special.expit(-z)
            gradient[0] += float(-(pull @ minus_log_p))
            gradient[1] += float(pull @ minus_log_q)
            gradient[at] += float(pull.sum()) + LEVEL_RIDGE * parameters[at]
            value += LEVEL_RIDGE * parameters[at] ** 2 / 2
        return value, gradient

    bounds = [(MIN_SLOPE, None)] * 2 + [(None, None)] * len(groups)
    start = np.array([1.0, 1.0, *[0.0] * len(groups)])
    found = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), float(found.x[1])


def fit_level(logit: FloatArray, churned: BoolArray) -> float:
    """The intercept at which expected and observed churners agree, but for the ridge."""
    observed = float(churned.sum())

    def excess(level: float) -> float:
        return float(special.expit(logit + level).sum()) - observed + LEVEL_RIDGE * level

    bound = 2.0
    while excess(-bound) > 0 or excess(bound) < 0:
        bound *= 2
    return float(optimize.brentq(excess, -bound, bound, xtol=1e-10))
