"""When a customer orders next: a distribution over days, hence a day with an interval.

A discrete-time hazard model: for each stretch of days ahead, the probability of the next order in
it given none before, by boosted trees that start from Pareto/NBD's own hazard and correct it. A row
counts in every stretch that was watched whole, so that recent snapshots teach the near future and
older ones the far one (right-censoring is no loss of rows).

What is published is conditional: *if* the customer orders within the horizon, half of such orders
are to come by `days_50`, and 80% between `days_10` and `days_90`; the card tells how many did.
Whether they order at all is `order_probability`. A day for somebody who will probably not order
would be a promise. The width is the model's own: where one window held fewer, those before it had
held more (docs/adr/0013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special, stats

from models.evaluation import amounts
from models.evaluation.curves import calibration_curve
from models.evaluation.judging import CHALLENGER, judge
from models.evaluation.probabilities import LEVEL_ERROR, ProbabilityMetrics
from models.evaluation.segments import (
    DECIMALS,
    FALSE_ALARM,
    MIN_OF_EITHER,
    by_segment,
    divide,
    parts,
)
from models.forecasts import kinds
from models.forecasts.forecast import (
    ENOUGH_ROWS,
    MODEL,
    Forecast,
    Snapshots,
    grow,
    longest_windows,
    require_judgeable,
)
from models.forecasts.training import Kind, Learnt, Setting, decide, role_of
from models.frame.features import (
    INTERVAL,
    NEXT_ORDER,
    OBSERVED,
    RECENCY,
    BoolArray,
    Feature,
    FeatureMatrix,
    FloatArray,
)
from models.probability.calibration import EPSILON, at_own_level
from models.versions.card import Card
from models.versions.plots import Plot
from models.versions.plots import calibration as calibration_plot

KIND: Final = kinds.NEXT_ORDER
BASELINE: Final = "pareto_nbd"
RULE: Final = "interval"
# Ends of the stretches (days ahead): narrow where most orders come, wide where few do.
EDGES = (7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365)
# Share of the orders within the horizon that the interval is to hold.
COVERAGE = 0.8
QUANTILES = {"days_10": (1 - COVERAGE) / 2, "days_50": 0.5, "days_90": (1 + COVERAGE) / 2}
# Below it no day is named: the customer rather does not order within the horizon.
MIN_ORDER_PROBABILITY = 0.5
# Customers and snapshots to learn from: each is several rows, one per stretch.
ENOUGH_HISTORIES = ENOUGH_ROWS // 2

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "subsample": 0.7,
    "colsample_bytree": 0.6,
    "reg_lambda": 5.0,
    "max_bin": 64,
    "min_child_weight": 5,
    "max_cat_to_onehot": 8,
    # Zero on the margin's scale: what is not corrected is Pareto/NBD's.
    "base_score": 0.5,
}
ROUNDS = 60
AHEAD = tuple(
    Feature(name, "number")
    for name in ("days_ahead", "silence_then", "silence_to_median_then", "silence_to_mean_then")
)
MEDIAN_GAP, MEAN_GAP = "median_gap_days", "mean_gap_days"
PURPOSE = (
    "When the customer orders next, if they order within the horizon: a day and the interval "
    "around it that is to hold 80% of such orders."
)
LIMITS = (
    "Conditional on an order within the horizon; order_probability says how likely one is.",
    "No day is named below an order probability of one half.",
    "The interval aims at 80% of the orders of all customers named, not of every single one of "
    "them; coverage_80 is the share that it held in the test, and differs by season.",
)


def _learn(snapshots: Snapshots, setting: Setting) -> Learnt:
    windows = longest_windows(snapshots.all_days, setting.as_of, setting.horizons)
    horizon = windows.horizon_days
    tested = snapshots.of_days([windows.test])
    next_order = _next_order(tested)
    happened = next_order <= horizon
    require_judgeable(happened, len(snapshots.of_days(windows.training).matrix))

    def fitted(known_by: date, before: date) -> Forecast:
        """What is learnt from all that was seen by a day, from the purchase model of one before."""
        days = [day for day in snapshots.all_days if day < known_by]
        rows = snapshots.of_days(days, most=ENOUGH_HISTORIES)
        watched = np.minimum(
            (np.datetime64(known_by, "D") - rows.days.astype("datetime64[D]")).astype(np.float64),
            rows.outcome(OBSERVED),
        )
        forecast = Forecast(
            KIND,
            setting.as_of,
            horizon,
            MODEL,
            snapshots.schema,
            (),
            snapshots.view(before),
            {},
            {},
            setting.threads,
            Card("", ""),
        )
        ends = _ends(horizon)
        begins = np.r_[0.0, ends[:-1]]
        came = _next_order(rows)
        # customers x stretches
        at_risk = (came[:, None] > begins) & (watched[:, None] >= ends)
        row, stretch = np.nonzero(at_risk)
        matrix, start = _stretches(forecast, rows.matrix)
        at = row * len(ends) + stretch
        ordered = came[row] <= ends[stretch]
        ubj = grow(
            matrix.rows(at),
            ordered.astype(np.float64),
            PARAMETERS,
            rounds=ROUNDS,
            seed=setting.seed,
            threads=setting.threads,
            start=at_own_level(start[at], ordered, rows.days[row]),
        )
        return replace(
            forecast, trees={MODEL: ubj}, names=matrix.names, view=snapshots.view(known_by)
        )

    judged = fitted(windows.test, windows.training[-1])
    by = {
        CHALLENGER: ordered_by(judged, tested.matrix),
        BASELINE: ordered_by(replace(judged, serves=BASELINE), tested.matrix),
    }
    within = {role: _within(curve) for role, curve in by.items()}
    named = {role: happened & (curve[:, -1] >= MIN_ORDER_PROBABILITY) for role, curve in by.items()}
    # The rule names everybody; it is set beside the trees, on the customers whom they name.
    named[RULE] = named[CHALLENGER]
    figures = judge(
        {
            **{
                role: _Metrics.of(next_order, curve, horizon, named[role])
                for role, curve in by.items()
            },
            RULE: _MetricsOfRule.of(next_order, tested.matrix, named[RULE]),
        },
        len(next_order),
        seed=setting.seed,
        counts={
            role: {"n": float(len(next_order)), "named": float(rows.sum())}
            | (
                {
                    "positives": float(happened.sum()),
                    LEVEL_ERROR: abs(float((within[role] - happened).mean())),
                }
                if role in by
                else {}
            )
            for role, rows in named.items()
        },
    )
    serves, decision = decide(
        figures, [BASELINE], what="the hazard trees", losses=["log_loss"], ranking="auc"
    )
    today = snapshots.all_days[-1]
    served = (
        fitted(today, windows.test)
        if serves == MODEL
        else replace(judged, serves=serves, view=snapshots.view(today), trees={}, names=())
    )
    divisions = divide(tested.described())
    segments = by_segment(
        divisions,
        happened,
        within,
        served=role_of(served),
        baselines=[role for role in within if role != role_of(served)],
        seed=setting.seed,
        event="order",
    )
    covered = _covered(next_order, by[role_of(served)], horizon)
    named_in = {
        each: named[role_of(served)] & rows
        for each, rows in dict(parts(divisions, len(happened))).items()
    }
    return Learnt(
        served,
        windows.to_json(),
        windows.test,
        figures,
        decision,
        PARAMETERS | {"rounds": ROUNDS, "stretches": list(EDGES)},
        [
            each.to_json() | _coverage(covered, named_in[each.division, each.segment])
            for each in segments
        ],
        [
            *(sentence for each in segments for sentence in each.failures()),
            *failures_of_interval(
                covered, {each.who: named_in[each.division, each.segment] for each in segments}
            ),
        ],
        (
            _calibration(next_order, by, horizon),
            calibration_plot(
                calibration_curve(happened, within),
                f"Probability stated of an order within {horizon} days",
                "Share that ordered",
            ),
        ),
        judged.importance(),
    )


TRAINING: Final = Kind(
    KIND,
    "Next order",
    PURPOSE,
    LIMITS,
    RULE,
    "The rule of the expected interval is served",
    EDGES[-1],
    _learn,
    loss="log_loss",
    ranking="auc",
)


def predict(forecast: Forecast, matrix: FeatureMatrix) -> pd.DataFrame:
    """The next order of each row of the matrix.

    Returns:
        order_probability (of an order within the horizon), days_10, days_50 and days_90 (days
        ahead, whole; NaN below `MIN_ORDER_PROBABILITY`). All NaN where the version is a rule or
        the customer's history is not known.
    """
    if forecast.view is None:
        nothing = np.full(len(matrix), np.nan)
        return pd.DataFrame(dict.fromkeys(("order_probability", *QUANTILES), nothing))
    curve = ordered_by(forecast, matrix)
    probability = curve[:, -1]
    named = probability >= MIN_ORDER_PROBABILITY
    quantiles = {
        name: np.where(named, np.ceil(_quantile(curve, share, forecast.horizon_days)), np.nan)
        for name, share in QUANTILES.items()
    }
    return pd.DataFrame({"order_probability": probability, **quantiles})


def ordered_by(forecast: Forecast, matrix: FeatureMatrix) -> FloatArray:
    """Probability of an order by the end of each stretch: customers x stretches."""
    if forecast.view is None:
        raise ValueError("a rule has no distribution")
    if forecast.serves != MODEL:
        return forecast.view.ordered_by(matrix, _ends(forecast.horizon_days))
    stretches, start = _stretches(forecast, matrix)
    hazard = special.expit(forecast.corrected(stretches, start))
    silent = np.cumprod(1 - hazard.reshape(len(matrix), len(_ends(forecast.horizon_days))), axis=1)
    ordered: FloatArray = 1 - silent
    return ordered


def _ends(horizon_days: int) -> FloatArray:
    return np.array([each for each in EDGES if each <= horizon_days], dtype=np.float64)


def _next_order(rows: Snapshots) -> FloatArray:
    came = rows.outcome(NEXT_ORDER)
    return np.where(np.isnan(came), np.inf, came)


def _stretches(forecast: Forecast, matrix: FeatureMatrix) -> tuple[FeatureMatrix, FloatArray]:
    """One row per customer and stretch, customer by customer, and Pareto/NBD's log odds of each."""
    if forecast.view is None:
        raise ValueError("a rule has no distribution")
    ends = _ends(forecast.horizon_days)
    begins = np.r_[0.0, ends[:-1]]
    wide = forecast.view.widen(matrix, forecast.horizon_days)
    names = [name for name in wide.names if name != "tenure_days"]
    silence = matrix.column(RECENCY)[:, None] + begins
    median, mean = (
        silence / np.maximum(matrix.column(gap), 1.0)[:, None] for gap in (MEDIAN_GAP, MEAN_GAP)
    )
    # customers x stretches x features, filled in place: this is the largest array of a run.
    values = np.empty((*silence.shape, len(names) + len(AHEAD)), dtype=np.float32)
    values[:, :, : len(names)] = wide.columns(names).values[:, None]
    for at, ahead in enumerate((begins, silence, median, mean), start=len(names)):
        values[:, :, at] = ahead
    viewed = forecast.view.ordered_by(matrix, ends)
    silent_before = 1 - np.column_stack([np.zeros(len(matrix)), viewed[:, :-1]])
    hazard = np.clip((viewed - (1 - silent_before)) / np.maximum(silent_before, 1e-9), 1e-5, 0.999)
    start = special.logit(np.where(np.isnan(hazard), 0.05, hazard)).reshape(-1)
    features = (*wide.columns(names).features, *AHEAD)
    return FeatureMatrix(features, values.reshape(-1, len(features))), start


def _quantile(curve: FloatArray, share: float, horizon_days: int) -> FloatArray:
    """Days by which a share of the orders within the horizon have come, linear in between."""
    ends = np.r_[0.0, _ends(horizon_days)]
    grid = np.column_stack([np.zeros(len(curve)), curve])
    wanted = share * grid[:, -1]
    upper = np.clip((grid < wanted[:, None]).sum(axis=1), 1, len(ends) - 1)
    row = np.arange(len(grid))
    low, high = grid[row, upper - 1], grid[row, upper]
    within = (wanted - low) / np.maximum(high - low, 1e-12)
    days: FloatArray = ends[upper - 1] + np.clip(within, 0, 1) * (ends[upper] - ends[upper - 1])
    return days


def _log_loss(next_order: FloatArray, curve: FloatArray, horizon_days: int) -> FloatArray:
    """Minus the logarithm of the probability of what happened: the stretch, or no order."""
    ends = _ends(horizon_days)
    cells = np.diff(np.column_stack([np.zeros(len(curve)), curve, np.ones(len(curve))]), axis=1)
    came = np.searchsorted(ends, next_order, side="left")
    loss: FloatArray = -np.log(np.clip(cells[np.arange(len(curve)), came], 1e-6, 1))
    return loss


def _within(curve: FloatArray) -> FloatArray:
    """Probability of an order within the horizon, never certain, for logarithms of it."""
    within: FloatArray = np.clip(curve[:, -1], EPSILON, 1 - EPSILON)
    return within


def _covered(next_order: FloatArray, curve: FloatArray, horizon_days: int) -> BoolArray:
    """Whether the next order came within the interval that is stated."""
    low, _, high = (np.ceil(_quantile(curve, share, horizon_days)) for share in QUANTILES.values())
    covered: BoolArray = (next_order >= low) & (next_order <= high)
    return covered


def _coverage(covered: BoolArray, chosen: BoolArray) -> dict[str, Any]:
    """What a segment's row of the card says of the interval."""
    enough = chosen.sum() >= MIN_OF_EITHER
    return {
        "named": int(chosen.sum()),
        "coverage_80": round(float(covered[chosen].mean()), DECIMALS) if enough else None,
    }


def failures_of_interval(covered: BoolArray, named_of: Mapping[str, BoolArray]) -> list[str]:
    """For whom the interval holds more or less than it is to, beyond chance, in words.

    Args:
        covered: whether the order came within the interval.
        named_of: who a segment is in words, and its rows that were named.
    """
    large = {who: covered[rows] for who, rows in named_of.items() if rows.sum() >= MIN_OF_EITHER}
    by_chance = stats.norm.ppf(1 - FALSE_ALARM / max(len(large), 1) / 2)
    return [
        f"{who}: the interval held {held.mean():.1%} of the {len(held):,} orders of those named, "
        f"{'more' if held.mean() > COVERAGE else 'less'} than the {COVERAGE:.0%} it is to hold."
        for who, held in large.items()
        if abs(held.mean() - COVERAGE) > by_chance * np.sqrt(COVERAGE * (1 - COVERAGE) / len(held))
    ]


@dataclass(frozen=True)
class _Metrics:
    """Metrics of a distribution: log_loss and auc of all, the others of those named who ordered.

    Attributes:
        loss: of each row.
        within: AUC and its kin of the probability of an order within the horizon.
        named: position of the rows named.
        error, covered, width: of the rows named: days off, whether within the interval, its days.
    """

    loss: FloatArray
    within: ProbabilityMetrics
    named: np.ndarray[Any, np.dtype[np.intp]]
    error: FloatArray
    covered: BoolArray
    width: FloatArray

    @classmethod
    def of(
        cls, next_order: FloatArray, curve: FloatArray, horizon_days: int, named: BoolArray
    ) -> _Metrics:
        """What each row adds to the metrics."""
        low, middle, high = (
            np.ceil(_quantile(curve[named], share, horizon_days)) for share in QUANTILES.values()
        )
        came = next_order[named]
        return cls(
            _log_loss(next_order, curve, horizon_days),
            ProbabilityMetrics(next_order <= horizon_days, _within(curve)),
            np.flatnonzero(named),
            np.abs(came - middle),
            (came >= low) & (came <= high),
            high - low,
        )

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The metrics of each resample."""
        of_named = weights[:, self.named]
        return {
            "log_loss": amounts.mean(self.loss, weights),
            "auc": self.within(weights)["auc"],
            **_of_days(self.error, of_named),
            "coverage_80": amounts.mean(self.covered.astype(np.float64), of_named),
            "median_interval_days": amounts.median(self.width, of_named),
        }


@dataclass(frozen=True)
class _MetricsOfRule:
    """The rule: the last order and the expected interval, tomorrow where that day is past."""

    named: np.ndarray[Any, np.dtype[np.intp]]
    error: FloatArray

    @classmethod
    def of(cls, next_order: FloatArray, matrix: FeatureMatrix, named: BoolArray) -> _MetricsOfRule:
        """What each row adds to the metrics."""
        expected = np.maximum(matrix.column(INTERVAL) - matrix.column(RECENCY), 1.0)
        return cls(np.flatnonzero(named), np.abs(next_order - expected)[named])

    def __call__(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The metrics of each resample."""
        return _of_days(self.error, weights[:, self.named])


def _of_days(error: FloatArray, weights: FloatArray) -> dict[str, FloatArray]:
    return {
        "median_error_days": amounts.median(error, weights),
        "mae_days": amounts.mean(error, weights),
    }


def _calibration(next_order: FloatArray, by: Mapping[str, FloatArray], horizon_days: int) -> Plot:
    """Share of customers who have ordered by each day, stated and true."""
    ends = _ends(horizon_days)
    lines: dict[str, Any] = {
        role: (ends.tolist(), [round(float(value), 4) for value in curve.mean(axis=0)])
        for role, curve in by.items()
    }
    lines["observed"] = (
        ends.tolist(),
        [round(float(np.mean(next_order <= end)), 4) for end in ends],
    )
    return Plot("Share of customers who have ordered, by days ahead", "days ahead", "share", lines)
