"""One fit: trees and all baselines, each calibrated, at the levels that were known by a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from models.churn.baselines import (
    Logistic,
    ParetoPurchaseModel,
    PurchaseModel,
    PurchaseProcess,
    Recency,
)
from models.churn.card import LIBRARIES, LIMITS
from models.churn.history import History
from models.churn.model import ChurnModel
from models.churn.trees import GIVEN, PARAMETERS, ROUNDS, ChurnTrees
from models.frame.features import RHYTHM, SNAPSHOT, labelled
from models.frame.splits import MIN_TRAINING_ROWS, require_enough, split_snapshots
from models.native import thread_limit
from models.probability.calibration import PULSE_DAYS, Calibration, Level
from models.probability.predictors import Predictor, log_odds
from models.purchase.bg_nbd import BgNbd
from models.purchase.histories import histories
from models.purchase.pareto_nbd import ParetoNbd
from models.versions.version import libraries

# Roles of what stands beside the trees in every fit.
BASELINE_ROLES: Final = (
    Recency.role,
    Logistic.role,
    PurchaseModel.role,
    ParetoPurchaseModel.role,
)
# Rows beyond which the logistic regression's weights no longer move.
LOGISTIC_ROWS = 50_000

Progress: TypeAlias = Callable[[str], None]


def silent(_: str) -> None:
    """Progress that nobody asked for."""


def fit(
    frame: pd.DataFrame,
    *,
    as_of: date,
    horizon_days: int,
    seed: int = 0,
    threads: int = 2,
    progress: Progress | None = None,
) -> ChurnModel:
    """Learn everything that is known by a day: trees and all baselines, each calibrated.

    Rows of later snapshots are not looked at, nor what happened after the day: the same frame
    serves every cutoff of a backtest, and `ChurnModel.probability` or `scoring.score` states what
    would have been stated on that day. The model serves its trees; it has not been judged.

    Args:
        frame: one row per snapshot and customer: snapshot_on, customer_id, days_to_next_order,
            days_observed (customer_labels) and the features (customer_features). A row whose
            days_observed is empty only tells what a customer who had churned by then had bought,
            for the purchase models: its rhythm (purchase_features) is all that it needs.
        as_of: the day; labels that end later are not seen.
        horizon_days: days without an order that count as churn.
        seed: of sampling in the trees.
        threads: of the native libraries; recorded, since sums may differ in the last bits.
        progress: told what is being done.

    Raises:
        FrameError: when the frame does not have the keys, the outcome or the rhythm columns.
        TooLittleDataError: when the stated minimum is not reached.
    """
    rows = labelled(frame)
    history = History.of(rows[rows[SNAPSHOT] <= pd.Timestamp(as_of)]).known_by(as_of)
    with thread_limit(threads):
        return fit_history(
            history,
            as_of=as_of,
            horizon_days=horizon_days,
            seed=seed,
            threads=threads,
            tell=progress or silent,
        )


def fit_history(
    history: History, *, as_of: date, horizon_days: int, seed: int, threads: int, tell: Progress
) -> ChurnModel:
    """The same from rows of which no more is known than was on the day."""
    split = split_snapshots(history.days, as_of, horizon_days)
    growing = history.of_days([day for day, _ in split.windows])
    finished = history.finished(horizon_days)
    churned = finished.outcomes.churned(horizon_days)
    shaping = finished.of_days(split.shaping).outcomes.churned(horizon_days)
    require_enough({"growing": churned, "calibration": shaping}, in_all=MIN_TRAINING_ROWS)
    learnable, calendar = _without_calendar(growing)

    tell(f"fitting baselines on {len(split.finished)} snapshots")
    purchases = history.purchases_by(as_of)
    pareto_nbd = ParetoNbd.fit(*purchases)
    few = slice(None, None, -(-len(churned) // LOGISTIC_ROWS))
    logistic = Logistic.fit(finished.matrix.columns(learnable).rows(few), churned[few])
    predictors: dict[str, Predictor] = {
        Recency.role: Recency.fit(finished.matrix, churned),
        Logistic.role: logistic,
        PurchaseModel.role: PurchaseModel(BgNbd.fit(*purchases), horizon_days),
        ParetoPurchaseModel.role: ParetoPurchaseModel(pareto_nbd, horizon_days),
    }

    tell(f"growing trees on {len(growing.customers):,} rows of {len(learnable)} features")
    trees = ChurnTrees.fit(
        growing.matrix.columns(learnable),
        growing.outcomes,
        purchases=pareto_nbd,
        regression=logistic,
        horizon_days=horizon_days,
        seed=seed,
        threads=threads,
    )
    predictors[ChurnTrees.role] = trees

    tell("calibrating")
    since = history.on_record_since
    shaped = {
        role: Calibration.fit(
            predictor.margin(finished.matrix),
            churned,
            finished.outcomes.snapshots,
            # A few numbers fit no row by heart, so that the rows they were fitted on may shape
            # them; trees would look better there than they are, and are left as they grew.
            shape_on=() if role == ChurnTrees.role else split.shaping,
            horizon_days=horizon_days,
            since=since,
        )
        for role, predictor in predictors.items()
    }
    calibrations = levelled(predictors, shaped, history)
    card = {
        "windows": split.to_json(),
        "rows": {"growing": len(growing.customers)},
        "seed": seed,
        "threads": threads,
        "parameters": PARAMETERS | {"rounds": ROUNDS, "given": GIVEN},
        "features_without_information": calendar,
        "importance": trees.importance(),
        "libraries": libraries(*LIBRARIES),
        "limits": list(LIMITS),
    }
    return ChurnModel(
        as_of, horizon_days, ChurnTrees.role, history.schema, predictors, calibrations, card
    )


def levelled(
    predictors: Mapping[str, Predictor],
    calibrations: Mapping[str, Calibration],
    history: History,
) -> dict[str, Calibration]:
    """The same shapes at levels renewed from what is known.

    Pareto/NBD says which share of the customers of the latest snapshot will churn, and the others
    follow: fitted on all that was bought up to the day, it is off by less than any of them while
    records are short (`benchmarks.levels --whose`).
    """
    role = ParetoPurchaseModel.role
    pareto_nbd = predictors[role]
    if not isinstance(pareto_nbd, ParetoPurchaseModel):
        raise TypeError(f"expected a ParetoPurchaseModel as {role}, found {pareto_nbd!r}")
    finished = history.finished(calibrations[role].horizon_days)
    reference = calibrations[role].with_levels(
        pareto_nbd.margin(finished.matrix),
        finished.outcomes.churned(calibrations[role].horizon_days),
        finished.outcomes.snapshots,
        _pulse(history, pareto_nbd.process),
    )
    latest = history.of_days(history.days[-1:])
    expected = reference.probability(pareto_nbd.margin(latest.matrix), latest.outcomes.snapshots)
    return {
        each: calibration.following(
            reference, predictors[each].margin(latest.matrix), expected, history.days[-1]
        )
        for each, calibration in calibrations.items()
    }


def _pulse(history: History, process: PurchaseProcess) -> tuple[Level, ...]:
    """The purchase model's level of each snapshot that was watched for `PULSE_DAYS`."""
    watched = history.finished(PULSE_DAYS)
    silent = process.probability_silent(*histories(watched.matrix), PULSE_DAYS)
    known = np.isfinite(silent)
    return Level.each(
        log_odds(silent[known]),
        watched.outcomes.churned(PULSE_DAYS)[known],
        watched.outcomes.snapshots[known],
    )


def _without_calendar(growing: History) -> tuple[list[str], list[str]]:
    """Split the features into those that tell customers apart and those that only tell days apart.

    A column that is constant within every snapshot can teach nothing but each snapshot's share of
    churners, by heart; on a day that was not learnt it misleads. The calibration's level carries
    the season instead.
    """
    learnable: list[str] = []
    calendar: list[str] = []
    values = growing.matrix.values
    days, starts = np.unique(growing.outcomes.snapshots, return_index=True)
    for at, name in enumerate(growing.matrix.names):
        lowest = np.fmin.reduceat(values[:, at], starts)
        highest = np.fmax.reduceat(values[:, at], starts)
        missing = np.add.reduceat(np.isnan(values[:, at]).astype(np.int64), starts)
        rows = np.diff(np.append(starts, len(values)))
        constant = (missing == rows) | ((missing == 0) & (lowest == highest))
        (calendar if constant.all() and len(days) else learnable).append(name)
    # The rhythm is what the purchase model reads; constant it does no harm.
    calendar = [name for name in calendar if name not in RHYTHM]
    return [name for name in growing.matrix.names if name not in calendar], calendar
