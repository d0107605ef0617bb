"""Who of the churned comes back: the probability of an order within the win-back window.

The customers are those who counted as churned on the day of a snapshot, the event is an order in
the days that follow. Trees correct BG/NBD and are judged against what is known without them: the
share that returned by time since churn and number of orders, recency alone, and BG/NBD. All are
calibrated in the same way, with a level per season; what beats the others beyond chance is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from models.baselines import Recency
from models.calibration import Calibration
from models.card import Card
from models.errors import TooLittleDataError
from models.evaluation import Evaluation, evaluate, gate
from models.features import NEXT_ORDER, OBSERVED, BoolArray, FeatureMatrix, FloatArray
from models.forecast import (
    ENOUGH_ROWS,
    MIN_TRAINING_SNAPSHOTS,
    TREES,
    Forecast,
    Snapshots,
    at_own_level,
    evaluations,
    grow,
    libraries,
)
from models.native import thread_limit
from models.plots import calibration as calibration_plot
from models.predictors import log_odds
from models.purchases import VIEW, PurchaseView
from models.splits import MIN_TRAINING_ROWS, latest_finished, require_enough

KIND: Final = "return"
RATES: Final = "rates"
RECENCY: Final = "recency"
BG_NBD: Final = "bg_nbd"
BASELINES = [RATES, RECENCY, BG_NBD]
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
# BG/NBD gives some who are long gone one chance in billions; no calibration brings them back.
LEAST_PROBABILITY = 1e-4

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
    "max_bin": 64,
    "min_child_weight": 5,
    "max_cat_to_onehot": 8,
}
ROUNDS = 80
PURPOSE = (
    "Probability that a customer who counts as churned orders again within {horizon} days. It "
    "ranks the list of whom to win back, and is multiplied by the profit of a return."
)
LIMITS = (
    "Learnt from customers who counted as churned on the day of the snapshot; of others it says "
    "nothing.",
    "How likely a return is with the care that was usual, not what another call would change.",
    "The level follows the season of a year earlier; without a year of history it is the level of "
    "the latest finished window.",
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


def train(
    snapshots: Snapshots, *, as_of: date, horizon_days: int, seed: int = 0, threads: int = 2
) -> tuple[Forecast, pd.DataFrame]:
    """Learn as of the latest finished snapshot, judge on it, decide what is served.

    What is judged is what is served; afterwards only the levels take in what has become known.

    Args:
        snapshots: of every customer who ever ordered; the churned among them are learnt from.
        as_of: the day of the training.
        horizon_days: days within which an order counts as a return.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded.

    Returns:
        The version, and its figures with the columns of `forecast.EVALUATION_COLUMNS`.
    """
    try:
        with thread_limit(threads):
            return _learn(
                snapshots, as_of=as_of, horizon_days=horizon_days, seed=seed, threads=threads
            )
    except TooLittleDataError as reason:
        decision = f"The rates by time since churn are served, nothing was learnt: {reason}."
        purpose = PURPOSE.format(horizon=horizon_days)
        card = Card("Return", purpose, decision, limits=LIMITS, libraries=libraries())
        rule = Forecast(
            KIND, as_of, horizon_days, RULE, snapshots.schema, (), None, None, {}, threads, card
        )
        return rule, evaluations(rule, {}, as_of)


def _learn(
    snapshots: Snapshots, *, as_of: date, horizon_days: int, seed: int, threads: int
) -> tuple[Forecast, pd.DataFrame]:
    horizon = timedelta(days=horizon_days)
    past = [day for day in snapshots.all_days if day + horizon <= as_of]
    test = latest_finished(past, as_of, horizon_days)
    training = [day for day in past if day + horizon <= test]
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

    few = growing.rows(slice(None, None, max(1, -(-len(growing.matrix) // ENOUGH_ROWS))))
    came = _returned(few, horizon_days)
    view = snapshots.view(training[-1])
    wide = view.widen(few.matrix, horizon_days)
    # The stage is the same for all of them.
    names = tuple(
        name for name in (*snapshots.names, *(each.name for each in VIEW)) if name != STAGE
    )
    ubj = grow(
        wide.columns(names),
        came.astype(np.float64),
        PARAMETERS,
        rounds=ROUNDS,
        seed=seed,
        threads=threads,
        start=at_own_level(_viewed(view, few.matrix, horizon_days), came, few.days),
    )
    all_came = _returned(growing, horizon_days)
    numbers = {
        RATES: Rates.fit(growing.matrix, all_came).shares,
        RECENCY: Recency.fit(growing.matrix, ~all_came).to_json(),
    }
    forecast = Forecast(
        KIND,
        as_of,
        horizon_days,
        TREES,
        snapshots.schema,
        names,
        view,
        ubj,
        numbers,
        threads,
        Card("", ""),
    )
    calibrations = {
        role: Calibration.fit(
            margin,
            _returned(known, horizon_days),
            known.days,
            shape_on=calibrated_on,
            horizon_days=horizon_days,
        )
        for role, margin in _margins(forecast, known.matrix).items()
    }
    stated = {
        "challenger" if role == TREES else role: calibrations[role].probability(margin, tested.days)
        for role, margin in _margins(forecast, tested.matrix).items()
    }
    evaluation = evaluate(returned, stated, seed=seed)
    verdict = gate(evaluation, BASELINES)
    serves = TREES if verdict.serves == "challenger" else verdict.serves
    served_calibration = calibrations[serves].with_levels(
        _margins(forecast, finished.matrix)[serves],
        _returned(finished, horizon_days),
        finished.days,
    )
    card = Card(
        "Return",
        PURPOSE.format(horizon=horizon_days),
        verdict.sentence,
        windows={
            "horizon_days": horizon_days,
            "growing": [day.isoformat() for day in grown_on],
            "calibration": [day.isoformat() for day in calibrated_on],
            "training_labels_end_on": (training[-1] + horizon).isoformat(),
            "test": test.isoformat(),
            "test_labels_end_on": (test + horizon).isoformat(),
        },
        metrics=_for_card(evaluation),
        served_role=verdict.serves,
        plots=(calibration_plot(evaluation.calibration_curve()),),
        drivers=forecast.importance(),
        limits=LIMITS,
        parameters=PARAMETERS | {"rounds": ROUNDS, "seed": seed, "threads": threads},
        libraries=libraries(),
    )
    forecast = replace(
        forecast,
        serves=serves,
        numbers={**numbers, "calibration": served_calibration.to_json()},
        card=card,
    )
    table = evaluations(forecast, evaluation.figures, test)
    bounds = [
        evaluation.interval(role, metric)
        for role, metric in zip(table["role"], table["metric"], strict=True)
    ]
    lower, upper = zip(*bounds, strict=True)
    return forecast, table.assign(lower=lower, upper=upper)


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


def _margins(forecast: Forecast, matrix: FeatureMatrix) -> dict[str, FloatArray]:
    return {role: _margin(forecast, matrix, role) for role in (TREES, *BASELINES)}


def _margin(forecast: Forecast, matrix: FeatureMatrix, role: str) -> FloatArray:
    """Log odds of a return, not yet calibrated."""
    if forecast.view is None:
        raise ValueError("a rule has no log odds")
    if role == TREES:
        wide = forecast.view.widen(matrix, forecast.horizon_days)
        return forecast.corrected(
            wide.columns(forecast.names), _viewed(forecast.view, matrix, forecast.horizon_days)
        )
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


def _for_card(evaluation: Evaluation) -> Mapping[str, Mapping[str, tuple[float | None, ...]]]:
    return {
        role: {
            metric: tuple(
                round(float(figure), 6) if np.isfinite(figure) else None
                for figure in (value, *evaluation.interval(role, metric))
            )
            for metric, value in figures.items()
        }
        for role, figures in evaluation.figures.items()
    }
