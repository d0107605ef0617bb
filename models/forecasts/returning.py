"""Who of the churned comes back: the probability of an order within the win-back window.

The customers are those who counted as churned on the day of a snapshot, the event is an order in
the days that follow.

What is learnt is small on purpose. Recency and the purchase model see different halves of it:
recency the shape of silence, whatever the rhythm; Pareto/NBD how silence and rhythm go together.
Their log odds are added up, three quarters of the latter and one of the former. Trees on all
features were tried from either start, and lost to recency on CDNOW: what few early months teach of
the churned is undone by later ones. The sum is judged against both, and against the share that
returned by time since churn and number of orders; all are calibrated in the same way, with a level
per season.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import numpy as np

from models.churn.baselines import Recency
from models.errors import TooLittleDataError
from models.evaluation.curves import calibration_curve
from models.evaluation.judging import CHALLENGER, PRIMARY, evaluate
from models.evaluation.segments import by_segment, divide
from models.forecasts import kinds
from models.forecasts.forecast import MIN_TRAINING_SNAPSHOTS, MODEL, Forecast, Snapshots
from models.forecasts.training import Kind, Learnt, Setting, decide, role_of
from models.frame.features import NEXT_ORDER, OBSERVED, BoolArray, FeatureMatrix, FloatArray
from models.frame.splits import (
    MIN_TRAINING_ROWS,
    finished_snapshots,
    latest_finished,
    require_enough,
)
from models.probability.calibration import Calibration
from models.probability.predictors import log_odds
from models.purchase.view import PurchaseView
from models.versions.card import Card
from models.versions.plots import calibration as calibration_plot

KIND: Final = kinds.RETURN
RATES: Final = "rates"
RECENCY: Final = "recency"
PARETO_NBD: Final = "pareto_nbd"
BASELINES = [RATES, RECENCY, PARETO_NBD]
RULE: Final = "rule"
CHURNED = "churned"
STAGE, SILENCE, ORDERS = "stage", "days_in_stage", "orders"

# As half-open bands: days since the customer counted as churned, and orders so far. The same as in
# dbt_project/models/retention/scores/return_rates.sql, which speaks where nothing can be learnt.
SILENCE_EDGES = (91, 181, 366)
ORDERS_EDGES = (2, 4)
# Pseudo-customers at the rate of all: a band of ten says little.
RATE_SHRINKAGE = 20.0
# From this many training snapshots on, two calibrate: one alone is one season's shape.
SNAPSHOTS_FOR_TWO_CALIBRATING = 6
# Pareto/NBD gives some who are long gone one chance in billions; no calibration brings them back.
LEAST_PROBABILITY = 1e-4

# Shares of the log odds that are added up. Fitting them on the one or two snapshots that neither
# part has seen made the log-loss worse in all of eleven windows of three companies. More of recency
# ranks CDNOW's churned better, though never as well as recency alone, and worsens the log-loss.
STACKED = {PARETO_NBD: 0.75, RECENCY: 0.25}
PURPOSE = (
    "Probability that a customer who counts as churned orders again within {horizon} days. It "
    "ranks the list of whom to win back, and is multiplied by the profit of a return."
)
LIMITS = (
    "Learnt from customers who counted as churned on the day of the snapshot; of others it says "
    "nothing.",
    "Where many are long gone, recency alone may rank them better; the decision says so where it "
    "did in the test.",
    "How likely a return is with the care that was usual, not what another call would change.",
    "The level is a forecast from all finished windows: what lasts, what recurs after a year, and "
    "less of either the longer ago it was; without a year of history no season is known to it.",
)


@dataclass(frozen=True)
class Rates:
    """Share of the churned who returned, by time since churn (rows) and orders (columns)."""

    shares: tuple[tuple[float, ...], ...]

    @classmethod
    def fit(cls, matrix: FeatureMatrix, returned: BoolArray) -> Rates:
        """Count, each cell drawn towards the share of all."""
        shape = (len(SILENCE_EDGES) + 1, len(ORDERS_EDGES) + 1)
        cell = np.ravel_multi_index(_bands(matrix), shape)
        cells = shape[0] * shape[1]
        seen = np.bincount(cell, minlength=cells)
        back = np.bincount(cell, returned.astype(np.float64), minlength=cells)
        share = (back + RATE_SHRINKAGE * returned.mean()) / (seen + RATE_SHRINKAGE)
        return cls(tuple(map(tuple, share.reshape(shape).tolist())))

    def margin(self, matrix: FeatureMatrix) -> FloatArray:
        """Log odds of a return."""
        return log_odds(np.array(self.shares)[_bands(matrix)])


def _bands(matrix: FeatureMatrix) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    silence = np.nan_to_num(matrix.column(SILENCE))
    orders = np.nan_to_num(matrix.column(ORDERS), nan=1.0)
    return (
        np.searchsorted(SILENCE_EDGES, silence, side="right"),
        np.searchsorted(ORDERS_EDGES, orders, side="right"),
    )


def _learn(snapshots: Snapshots, setting: Setting) -> Learnt:
    """Learn as of the latest finished snapshot, judge on it, decide what is served.

    What is judged is what is served; afterwards only the levels take in what has become known.
    """
    horizon_days = setting.horizon_days
    horizon = timedelta(days=horizon_days)
    past = finished_snapshots(snapshots.all_days, setting.as_of, horizon_days)
    test = latest_finished(past, setting.as_of, horizon_days)
    training = finished_snapshots(past, test, horizon_days)
    if len(training) < MIN_TRAINING_SNAPSHOTS:
        raise TooLittleDataError(
            f"{len(training)} training snapshots have windows that end by {test}, at least "
            f"{MIN_TRAINING_SNAPSHOTS} are needed"
        )
    calibrated_on = (
        training[-2:] if len(training) >= SNAPSHOTS_FOR_TWO_CALIBRATING else training[-1:]
    )
    grown_on = training[: -len(calibrated_on)]

    finished = _churned(snapshots.of_days(past))
    growing = _churned(snapshots.of_days(grown_on))
    calibrating = _churned(snapshots.of_days(calibrated_on))
    known = _churned(snapshots.of_days(training))
    tested = _churned(snapshots.of_days([test]))
    require_enough(
        {
            name: ~_returned(rows, horizon_days)
            for name, rows in (("growing", growing), ("calibration", calibrating))
        },
        in_all=MIN_TRAINING_ROWS,
    )
    returned = _returned(tested, horizon_days)
    require_enough({"test": ~returned})

    all_came = _returned(growing, horizon_days)
    forecast = Forecast(
        KIND,
        setting.as_of,
        horizon_days,
        MODEL,
        snapshots.schema,
        (),
        snapshots.view(training[-1]),
        {},
        {
            RATES: Rates.fit(growing.matrix, all_came).shares,
            RECENCY: Recency.fit(growing.matrix, ~all_came).to_json(),
        },
        setting.threads,
        Card("", ""),
    )
    calibrations = {
        role: Calibration.fit(
            _margin(forecast, known.matrix, role),
            _returned(known, horizon_days),
            known.days,
            shape_on=calibrated_on,
            horizon_days=horizon_days,
        )
        for role in (MODEL, *BASELINES)
    }
    stated = {
        CHALLENGER if role == MODEL else role: calibration.probability(
            _margin(forecast, tested.matrix, role), tested.days
        )
        for role, calibration in calibrations.items()
    }
    evaluation = evaluate(returned, stated, seed=setting.seed)
    serves, decision = decide(
        evaluation,
        BASELINES,
        what="three quarters purchase model, one quarter recency",
        losses=[PRIMARY],
        ranking="auc",
    )
    served_calibration = calibrations[serves].with_levels(
        _margin(forecast, finished.matrix, serves),
        _returned(finished, horizon_days),
        finished.days,
    )
    served = replace(
        forecast,
        serves=serves,
        numbers={**forecast.numbers, "calibration": served_calibration.to_json()},
    )
    segments = by_segment(
        divide(tested.described().drop(columns=STAGE)),
        returned,
        stated,
        served=role_of(served),
        baselines=[role for role in stated if role != role_of(served)],
        seed=setting.seed,
        event="return",
    )
    return Learnt(
        served,
        {
            "horizon_days": horizon_days,
            "growing": [day.isoformat() for day in grown_on],
            "calibration": [day.isoformat() for day in calibrated_on],
            "training_labels_end_on": (training[-1] + horizon).isoformat(),
            "test": test.isoformat(),
            "test_labels_end_on": (test + horizon).isoformat(),
        },
        test,
        evaluation,
        decision,
        {"shares of log odds": STACKED},
        [each.to_json() for each in segments],
        [sentence for each in segments for sentence in each.failures()],
        (
            calibration_plot(
                calibration_curve(returned, stated),
                "Return probability stated",
                "Share that returned",
            ),
        ),
        _drivers(forecast, tested.matrix),
    )


TRAINING: Final = Kind(
    KIND,
    "Return",
    PURPOSE,
    LIMITS,
    RULE,
    "The rates by time since churn are served",
    None,
    _learn,
    loss=PRIMARY,
    ranking="auc",
    has_horizons=False,
)


def _drivers(forecast: Forecast, matrix: FeatureMatrix) -> dict[str, float]:
    """Share of each part in how the stack tells customers apart: its share times its spread."""
    spread = {
        role: share * float(_margin(forecast, matrix, role).std())
        for role, share in STACKED.items()
    }
    total = sum(spread.values()) or 1.0
    ranked = sorted(spread.items(), key=lambda item: (-item[1], item[0]))
    return {role: round(each / total, 6) for role, each in ranked}


def predict(
    forecast: Forecast, matrix: FeatureMatrix, snapshots: np.ndarray[Any, np.dtype[np.datetime64]]
) -> FloatArray:
    """Probability of a return of each row; NaN for who is not churned, and for a rule."""
    probability = np.full(len(matrix), np.nan)
    rows = np.flatnonzero(_is_churned(forecast.schema, matrix))
    if forecast.view is not None and len(rows):
        churned = matrix.rows(rows)
        margin = _margin(forecast, churned, forecast.serves)
        calibration = Calibration.from_json(forecast.numbers["calibration"])
        probability[rows] = calibration.probability(margin, snapshots[rows])
    return probability


def _margin(forecast: Forecast, matrix: FeatureMatrix, role: str) -> FloatArray:
    """Log odds of a return, not yet calibrated."""
    if forecast.view is None:
        raise ValueError("a rule has no log odds")
    if role == MODEL:
        stacked: FloatArray = np.sum(
            [share * _margin(forecast, matrix, each) for each, share in STACKED.items()], axis=0
        )
        return stacked
    if role == RATES:
        return Rates(tuple(map(tuple, forecast.numbers[RATES]))).margin(matrix)
    if role == RECENCY:
        return -Recency.from_json(forecast.numbers[RECENCY]).margin(matrix)
    return _viewed(forecast.view, matrix, forecast.horizon_days)


def _viewed(view: PurchaseView, matrix: FeatureMatrix, horizon_days: int) -> FloatArray:
    """The purchase model's log odds of an order; even odds where a history is not known."""
    ordered = view.ordered_by(matrix, np.array([horizon_days]))[:, 0]
    return log_odds(np.clip(np.nan_to_num(ordered, nan=0.5), LEAST_PROBABILITY, 0.999))


def _is_churned(schema: Any, matrix: FeatureMatrix) -> BoolArray:
    stage = next(each for each in schema.features if each.name == STAGE)
    if CHURNED not in stage.categories:
        return np.zeros(len(matrix), dtype=bool)
    churned: BoolArray = matrix.column(STAGE) == stage.categories.index(CHURNED)
    return churned


def _churned(rows: Snapshots) -> Snapshots:
    return rows.rows(np.flatnonzero(_is_churned(rows.schema, rows.matrix)))


def _returned(rows: Snapshots, horizon_days: int) -> BoolArray:
    came = rows.outcome(NEXT_ORDER)
    if np.any(rows.outcome(OBSERVED) < horizon_days):
        raise ValueError("expected finished windows only")
    returned: BoolArray = came <= horizon_days  # NaN, none yet, is no return
    return returned
