"""From a predictor's log odds to probabilities that come true, also when the season changes.

Two parts, fitted apart because they move apart:

- *shape*: beta calibration (Kull, Silva Filho and Flach, 2017), ``a ln p - b ln(1 - p)``, with a
  ridge towards the identity. Two numbers suffice for small slices, and being strictly increasing
  it keeps the ranking, which isotonic steps do not.
- *level*: one intercept per finished snapshot. The share that churns moves with the season by
  15 points in retail; a level learnt in autumn is wrong in spring whatever the shape. The level
  for a day is forecast from what is known by that day.

Levels and forecast are means, over different windows, of one course of things: how little the
customers of this company order, day by day, beside what the predictor expects of them. Its prior
is a Gaussian process (Rasmussen and Williams, 2006, "Gaussian Processes for Machine Learning",
chapters 2 and 4), a sum of

- what lasts: a course that forgets itself over years;
- the season: the same with a period of a year, so that a year ago speaks and half a year ago does
  not;
- the start: what customers did before the first order on record is unknown, and levels drift until
  that matters less, which is no season;
- luck, which does not last.

It has seen the finished levels, each for its window, and the pulse: the purchase model's levels for
four weeks, known long before the horizon is over. The forecast is the mean of the window that
begins on the day, given all these; what a year ago, a trend or the last weeks are worth follows
from the windows and from how many customers each level rests on. `benchmarks/levels.py` measures
it.
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

from models.frame.features import BoolArray, FloatArray
from models.probability.predictors import probability_of

# Ridge towards a = b = 1, in pseudo-observations: gone at a thousand rows, firm at fifty.
SHAPE_RIDGE = 10.0
# A slope of zero would tie all customers; one below it would turn the ranking round.
MIN_SLOPE = 1e-3
# Pseudo-observations at level zero, so that a snapshot where all or none churned stays finite.
LEVEL_RIDGE = 1.0
# Days of the pulse: every month-end has been watched that long by the next one.
PULSE_DAYS = 28
# The prior of the course, standard deviations in log odds: what lasts and the season, each; the
# luck of a mean over 90 days, its variance in inverse proportion to the days; the start. Around
# these values the errors of benchmarks/levels.py are flat: half or twice of any of them changes
# them by a third of a point at most, and to weigh several values by their likelihood, company by
# company, gains nothing.
SPREAD = 0.25
LUCK, LUCK_DAYS = 0.07, 90
START = 1.0
# Days after which exp(-1) is left of a correlation, and of the start's effect.
LASTING_DAYS = 3_600.0
START_DAYS = 150.0
# How far neighbouring months share their season: next ones have a correlation of 0.59, those after
# them of 0.14.
SEASON_LENGTH = 0.5
YEAR_DAYS = 365.25
# Where the levels of a predictor lie at all is unknown.
ANYWHERE = 5.0
WEEK = 7.0
# A published probability is never certain; this is also what bounds the log-loss.
EPSILON = 1e-4


@dataclass(frozen=True)
class Level:
    """The intercept, in log odds, that makes one snapshot's mean probability come true.

    Attributes:
        variance: of the intercept, by the number of customers alone.
    """

    snapshot: date
    logit: float
    variance: float

    @classmethod
    def fit(cls, day: np.datetime64, logit: FloatArray, churned: BoolArray) -> Level:
        """Fit the level of one snapshot to log odds that lack it."""
        level = fit_level(logit, churned)
        p = special.expit(logit + level)
        return cls(pd.Timestamp(day).date(), level, 1 / (float((p * (1 - p)).sum()) + LEVEL_RIDGE))

    @classmethod
    def each(
        cls, logit: FloatArray, churned: BoolArray, snapshots: npt.NDArray[np.datetime64]
    ) -> tuple[Level, ...]:
        """Fit one level per snapshot, oldest first."""
        return tuple(
            cls.fit(day, logit[rows], churned[rows])
            for day in np.unique(snapshots)
            for rows in [snapshots == day]
        )

    def to_json(self) -> dict[str, Any]:
        """Day, intercept and variance."""
        return {
            "snapshot": self.snapshot.isoformat(),
            "logit": self.logit,
            "variance": self.variance,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Level:
        """Read a level back."""
        return cls(
            date.fromisoformat(stored["snapshot"]),
            float(stored["logit"]),
            float(stored["variance"]),
        )


@dataclass(frozen=True)
class Calibration:
    """Slopes of the shape, the levels of the finished snapshots and the pulse, oldest first.

    Attributes:
        since: the day from which orders are on record.
    """

    a: float
    b: float
    levels: tuple[Level, ...]
    pulse: tuple[Level, ...]
    horizon_days: int
    since: date = date.min

    @classmethod
    def fit(
        cls,
        margin: FloatArray,
        churned: BoolArray,
        snapshots: npt.NDArray[np.datetime64],
        *,
        shape_on: Sequence[date],
        pulse: Sequence[Level] = (),
        horizon_days: int,
        since: date = date.min,
    ) -> Calibration:
        """Fit the shape on some snapshots and a level for each of them all.

        Args:
            margin: uncalibrated log odds of churn, one per row.
            churned: what happened.
            snapshots: day of each row.
            shape_on: the snapshots that give the shape; without any it stays as it is.
            pulse: the purchase model's levels for `PULSE_DAYS`, up to the day of the fit.
            horizon_days: days until the label of a snapshot is known.
            since: the day from which orders are on record; long ago unless given.
        """
        shaping = np.isin(snapshots, np.array(shape_on, dtype="datetime64[s]"))
        a, b = _fit_shape(
            [
                (margin[rows], churned[rows])
                for rows in (shaping & (snapshots == day) for day in np.unique(snapshots))
                if rows.any()
            ]
        )
        return cls(a, b, (), (), horizon_days, since).with_levels(margin, churned, snapshots, pulse)

    def with_levels(
        self,
        margin: FloatArray,
        churned: BoolArray,
        snapshots: npt.NDArray[np.datetime64],
        pulse: Sequence[Level] = (),
    ) -> Calibration:
        """The same shape with the levels of these snapshots; arguments as for `fit`."""
        levels = Level.each(_shape(margin, self.a, self.b), churned, snapshots)
        return replace(self, levels=levels, pulse=tuple(pulse))

    def following(
        self, reference: Calibration, margin: FloatArray, expected: FloatArray, day: date
    ) -> Calibration:
        """The same shape, at levels as far from another calibration's as one day asks for.

        Args:
            reference: whose levels and pulse are taken over.
            margin: uncalibrated log odds of the customers of the day.
            expected: their probabilities by the reference; the means will agree.
            day: a day for which the reference has a level.
        """
        own = fit_level(_shape(margin, self.a, self.b), expected)
        apart = own - reference.level_for(day)
        levels = tuple(replace(each, logit=each.logit + apart) for each in reference.levels)
        return replace(self, levels=levels, pulse=reference.pulse)

    def probability(self, margin: FloatArray, snapshots: npt.NDArray[np.datetime64]) -> FloatArray:
        """Calibrated churn probability of each row, at the level expected for its day."""
        days, at = np.unique(snapshots, return_inverse=True)
        levels = np.array([self.level_for(pd.Timestamp(day).date()) for day in days])
        logit = _shape(margin, self.a, self.b) + (levels[at] if len(days) else 0.0)
        return np.clip(probability_of(logit), EPSILON, 1 - EPSILON)

    def level_for(self, day: date) -> float:
        """The level expected for a day, from what was known by that day."""
        levels = self._known(self.levels, day, self.horizon_days)
        if not levels:
            return self.levels[0].logit if self.levels else 0.0
        pulse = self._known(self.pulse, day, PULSE_DAYS)
        seen = (*levels, *pulse)
        is_pulse = np.repeat([False, True, False], [len(levels), len(pulse), 1])
        begin = [each.snapshot.toordinal() for each in seen] + [day.toordinal()]
        days = np.where(is_pulse, PULSE_DAYS, self.horizon_days)
        since = self.since.toordinal()
        covariance = _covariance(np.array(begin, dtype=np.float64) - since, days)
        covariance += ANYWHERE**2 * (is_pulse[:, None] == is_pulse)
        luck = LUCK**2 * LUCK_DAYS / days[:-1]
        chance = luck + np.array([each.variance for each in seen])
        weights = np.linalg.solve(covariance[:-1, :-1] + np.diag(chance), covariance[-1, :-1])
        return float(weights @ np.array([each.logit for each in seen]))

    @staticmethod
    def _known(levels: Sequence[Level], day: date, days: int) -> list[Level]:
        """The levels that were known on a day, each so many days after its snapshot."""
        return [each for each in levels if each.snapshot + timedelta(days=days) <= day]

    def to_json(self) -> dict[str, Any]:
        """Slopes, levels, pulse, first day and horizon."""
        return {
            "a": self.a,
            "b": self.b,
            "since": self.since.isoformat(),
            "horizon_days": self.horizon_days,
            "levels": [each.to_json() for each in self.levels],
            "pulse": [each.to_json() for each in self.pulse],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read a calibration back."""
        return cls(
            float(stored["a"]),
            float(stored["b"]),
            tuple(map(Level.from_json, stored["levels"])),
            tuple(map(Level.from_json, stored["pulse"])),
            int(stored["horizon_days"]),
            date.fromisoformat(stored["since"]),
        )


def _covariance(begin: FloatArray, days: npt.NDArray[Any]) -> FloatArray:
    """Prior covariance of the means of the course over windows.

    Args:
        begin: first day of each window, counted from the day on which the records begin.
        days: length of each window.
    """
    end = begin + days
    weeks = np.arange(begin.min(), end.max(), WEEK)
    seen = np.minimum(end[:, None], weeks + WEEK) - np.maximum(begin[:, None], weeks)
    share = np.clip(seen, 0.0, WEEK) / days[:, None]
    apart = np.abs(weeks[:, None] - weeks)
    recurring = np.exp(-2 * (np.sin(np.pi * apart / YEAR_DAYS) / SEASON_LENGTH) ** 2)
    course = SPREAD**2 * (1 + recurring) * np.exp(-apart / LASTING_DAYS)
    start = START * (share @ np.exp(-(weeks + WEEK / 2) / START_DAYS))
    covariance: FloatArray = share @ course @ share.T + np.outer(start, start)
    return covariance


def _shape(margin: FloatArray, a: float, b: float) -> FloatArray:
    # ln p and ln(1 - p) straight from the log odds: exact where p itself would round to 0 or 1.
    result: FloatArray = -a * np.logaddexp(0, -margin) + b * np.logaddexp(0, margin)
    return result


def _fit_shape(slices: Sequence[tuple[FloatArray, BoolArray]]) -> tuple[float, float]:
    """Slopes shared by the slices, with an intercept each, by penalised likelihood."""
    if not slices:
        return 1.0, 1.0
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


def fit_level(logit: FloatArray, churned: BoolArray | FloatArray) -> float:
    """The intercept at which expected and observed churners agree, but for the ridge.

    Args:
        logit: log odds of each customer.
        churned: whether, or with which probability by somebody else.
    """
    observed = float(churned.sum())

    def excess(level: float) -> float:
        return float(special.expit(logit + level).sum()) - observed + LEVEL_RIDGE * level

    bound = 2.0
    while excess(-bound) > 0 or excess(bound) < 0:
        bound *= 2
    return float(optimize.brentq(excess, -bound, bound, xtol=1e-10))


def at_own_level(
    start: FloatArray, happened: BoolArray, snapshots: npt.NDArray[np.datetime64]
) -> FloatArray:
    """Log odds moved to what each snapshot's customers really did, all together.

    Season moves everybody, and is not to be learnt as something about some of them.
    """
    moved = start.copy()
    for day in np.unique(snapshots):
        rows = snapshots == day
        moved[rows] += fit_level(start[rows], happened[rows])
    return moved
