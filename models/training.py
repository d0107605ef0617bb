"""One training: split, fit, calibrate, evaluate, decide. A frame in, a version and verdict out."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.baselines import Logistic, PurchaseModel, Recency, Rule
from models.bg_nbd import BgNbd
from models.calibration import Calibration, fit_level
from models.churn import DEFAULT_ROUNDS, PARAMETERS, ROUNDS, ChurnTrees
from models.errors import FrameError, TooLittleDataError
from models.evaluation import Evaluation, evaluate, gate
from models.features import (
    CUSTOMER,
    LABEL,
    ORDER_DAYS,
    RECENCY,
    RHYTHM,
    SNAPSHOT,
    TENURE,
    BoolArray,
    FeatureMatrix,
    FeatureSchema,
    FloatArray,
    labelled,
)
from models.model import ChurnModel
from models.native import thread_limit, xgboost
from models.predictors import Predictor
from models.splits import Split, require_enough, split_snapshots

BASELINE_ROLES = [Recency.role, Logistic.role, PurchaseModel.role]
# Customers, all their snapshots with them, beyond which training takes longer and gets no better:
# whoever has more hands in a sample of whole customers.
ENOUGH_CUSTOMERS = 50_000
# Rows beyond which the logistic regression's weights no longer move.
LOGISTIC_ROWS = 50_000
# Rows that suffice to see how many trees are too many.
ROUNDS_ROWS = 50_000
EVALUATION_COLUMNS = (
    "model_version",
    "role",
    "cutoff_on",
    "horizon_days",
    "metric",
    "value",
    "lower",
    "upper",
    "speaks_for_version",
)
LIMITS = (
    "Learnt from customers who were not churned on the day of the snapshot; "
    "it says nothing of prospects or of customers already lost.",
    "Churn means no completed order within the horizon, whatever the reason.",
    "Associations, not causes: a driver is not a lever. What acting does, control groups measure.",
    "The level of churn follows the season of a year earlier; without a year of history it is "
    "the level of the latest finished horizon.",
)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves behind.

    Attributes:
        model: the version this training made; it is served only if `promoted`.
        evaluations: one row per model version, role and metric on the test snapshot.
        served_role: challenger, champion, recency, logistic, bg_nbd or rule.
        decision: why, in one sentence.
        promoted: whether the champion pointer is to move to `model`.
        calibration_curve: role, bin, predicted, observed, customers.
        lift_curve: role, share, captured.
    """

    model: ChurnModel
    evaluations: pd.DataFrame
    served_role: str
    decision: str
    promoted: bool
    calibration_curve: pd.DataFrame
    lift_curve: pd.DataFrame


def train(
    frame: pd.DataFrame,
    *,
    as_of: date,
    horizon_days: int,
    seed: int = 0,
    threads: int = 2,
    champion: ChurnModel | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a challenger and the baselines, and decide what is served.

    Too little data gives a version that serves the rule; it is promoted only where there is no
    champion to keep.

    Args:
        frame: one row per snapshot and customer: snapshot_on, customer_id, churned, features.
        as_of: the day of the training; snapshots whose horizon ends later are left out.
        horizon_days: days without an order that count as churn.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded, since sums may differ in the last bits.
        champion: the version served so far; judged on the same customers.
        progress: told what is being done.

    Raises:
        FrameError: when the frame does not have the keys, the label or the rhythm columns.
    """
    tell = progress or (lambda _: None)
    rows = labelled(frame)
    schema = FeatureSchema.of(rows)
    try:
        split = split_snapshots(rows[SNAPSHOT].dt.date, as_of, horizon_days)
        churned = rows[LABEL].astype(bool).to_numpy()
        require_enough(rows[SNAPSHOT], churned, split)
    except TooLittleDataError as reason:
        return _rule(schema, as_of, horizon_days, str(reason), champion)

    with thread_limit(threads):
        return _learn(
            rows,
            split,
            schema,
            as_of=as_of,
            seed=seed,
            threads=threads,
            champion=champion,
            tell=tell,
        )


@dataclass(frozen=True)
class _Rows:
    """Encoded rows of some snapshots."""

    matrix: FeatureMatrix
    churned: BoolArray
    snapshots: npt.NDArray[np.datetime64]

    def of(self, days: Sequence[date]) -> _Rows:
        """The rows of the given snapshots."""
        chosen = np.isin(self.snapshots, np.array(days, dtype="datetime64[s]"))
        return _Rows(self.matrix.rows(chosen), self.churned[chosen], self.snapshots[chosen])


def _learn(
    frame: pd.DataFrame,
    split: Split,
    schema: FeatureSchema,
    *,
    as_of: date,
    seed: int,
    threads: int,
    champion: ChurnModel | None,
    tell: Progress,
) -> TrainingResult:
    rows = _Rows(
        schema.encode(frame), frame[LABEL].astype(bool).to_numpy(), frame[SNAPSHOT].to_numpy()
    )
    finished = rows.of((*split.training, split.test))
    growing = rows.of(split.growing)
    learnable, calendar = _without_calendar(growing)

    tell(f"fitting baselines on {len(split.growing)} snapshots")
    bg_nbd = _fit_purchases(frame, split.training[-1])
    few = slice(None, None, -(-len(growing.churned) // LOGISTIC_ROWS))
    predictors: dict[str, Predictor] = {
        Recency.role: Recency.fit(growing.matrix, growing.churned),
        Logistic.role: Logistic.fit(
            growing.matrix.columns(learnable).rows(few), growing.churned[few]
        ),
        PurchaseModel.role: PurchaseModel(bg_nbd, split.horizon_days),
    }

    tell(f"growing trees on {len(growing.churned):,} rows of {len(learnable)} features")
    options: dict[str, Any] = {
        "bg_nbd": bg_nbd,
        "horizon_days": split.horizon_days,
        "seed": seed,
        "threads": threads,
    }
    rounds = _choose_rounds(growing, split, learnable, options)
    trees = ChurnTrees.fit(
        growing.matrix.columns(learnable), growing.churned, rounds=rounds, **options
    )
    predictors[ChurnTrees.role] = trees

    tell("calibrating and evaluating")
    calibrations = {
        role: Calibration.fit(
            predictor.margin(finished.matrix),
            finished.churned,
            finished.snapshots,
            shape_on=split.calibration,
            horizon_days=split.horizon_days,
        )
        for role, predictor in predictors.items()
    }
    model = ChurnModel(
        as_of, split.horizon_days, ChurnTrees.role, schema, predictors, calibrations, {}
    )
    tested = rows.of((split.test,))
    probabilities = {
        "challenger": model.probability(tested.matrix, tested.snapshots),
        **{
            role: model.probability(tested.matrix, tested.snapshots, role)
            for role in BASELINE_ROLES
        },
    }
    champion_note = None
    if champion is not None:
        try:
            test_frame = frame[frame[SNAPSHOT] == pd.Timestamp(split.test)]
            probabilities["champion"] = champion.probability(
                champion.schema.encode(test_frame), tested.snapshots
            )
        except FrameError as error:
            champion_note = f"The champion {champion.version} cannot be compared: {error}."
    evaluation = evaluate(tested.churned, probabilities, seed=seed)
    verdict = gate(evaluation, BASELINE_ROLES)
    decision = " ".join(filter(None, (verdict.sentence, champion_note)))

    serves = verdict.serves if verdict.serves in predictors else ChurnTrees.role
    card = {
        "decision": decision,
        "windows": split.to_json(),
        "rows": {"growing": len(growing.churned), "test": len(tested.churned)},
        "metrics": _for_card(evaluation),
        "seed": seed,
        "threads": threads,
        "parameters": PARAMETERS | {"rounds": rounds},
        "features_without_information": calendar,
        "importance": trees.importance(),
        "libraries": _libraries(),
        "limits": list(LIMITS),
    }
    model = replace(model, serves=serves, card=card)
    return TrainingResult(
        model=model,
        evaluations=_evaluations(evaluation, model, champion, split),
        served_role=verdict.serves,
        decision=decision,
        promoted=verdict.promoted,
        calibration_curve=evaluation.calibration_curve(),
        lift_curve=evaluation.lift_curve(),
    )


def _rule(
    schema: FeatureSchema,
    as_of: date,
    horizon_days: int,
    reason: str,
    champion: ChurnModel | None,
) -> TrainingResult:
    """The version for too little data; a champion that was once earned is kept instead."""
    if champion is None:
        decision = f"A rule is served, nothing was learnt: {reason}."
    else:
        decision = f"The champion stays, nothing was learnt: {reason}."
    model = ChurnModel(
        as_of=as_of,
        horizon_days=horizon_days,
        serves=Rule.role,
        schema=schema,
        predictors={Rule.role: Rule(horizon_days)},
        calibrations={},
        card={"decision": decision, "libraries": _libraries(), "limits": list(LIMITS[:2])},
    )
    nothing = Evaluation({}, {}, {}, np.zeros(0, dtype=bool))
    return TrainingResult(
        model=model,
        evaluations=_evaluations(nothing, model, champion, None),
        served_role=Rule.role if champion is None else "champion",
        decision=decision,
        promoted=champion is None,
        calibration_curve=nothing.calibration_curve(),
        lift_curve=nothing.lift_curve(),
    )


def _without_calendar(growing: _Rows) -> tuple[list[str], list[str]]:
    """Split the features into those that tell customers apart and those that only tell days apart.

    A column that is constant within every snapshot can teach nothing but each snapshot's share of
    churners, by heart; on a day that was not learnt it misleads. The calibration's level carries
    the season instead.
    """
    learnable: list[str] = []
    calendar: list[str] = []
    values = growing.matrix.values
    days, starts = np.unique(growing.snapshots, return_index=True)
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


def _fit_purchases(frame: pd.DataFrame, day: date) -> BgNbd:
    """Fit BG/NBD on the histories of all customers as they stood on a day.

    Snapshots hold only customers who were not churned, and a fit on those finds that nobody ever
    leaves. Who is missing from later snapshots has not ordered since the last one that shows
    them: that last view, aged to the day, is their history.
    """
    seen = frame[frame[SNAPSHOT] <= pd.Timestamp(day)].drop_duplicates(CUSTOMER, keep="last")
    age = (pd.Timestamp(day) - seen[SNAPSHOT]).dt.days.to_numpy()
    order_days, recency, tenure = (
        pd.to_numeric(seen[name]).to_numpy(np.float64, na_value=np.nan)
        for name in (ORDER_DAYS, RECENCY, TENURE)
    )
    return BgNbd.fit(order_days, recency + age, tenure + age)


def _choose_rounds(
    growing: _Rows, split: Split, learnable: list[str], options: dict[str, Any]
) -> int:
    """How many trees do best on the latest growing snapshot, grown on those known by then."""
    last = split.growing[-1]
    known = [
        day
        for day in split.growing
        if (pd.Timestamp(day) + pd.Timedelta(days=split.horizon_days)).date() <= last
    ]
    early, late = growing.of(known), growing.of((last,))
    few = slice(None, None, max(1, -(-len(early.churned) // ROUNDS_ROWS)))
    if len(known) < 2 or min(late.churned.sum(), (~late.churned).sum()) == 0:  # noqa: PLR2004
        return DEFAULT_ROUNDS
    trees = ChurnTrees.fit(
        early.matrix.columns(learnable).rows(few), early.churned[few], rounds=ROUNDS[-1], **options
    )
    losses = [
        _loss_at_own_level(trees.margin(late.matrix, rounds), late.churned) for rounds in ROUNDS
    ]
    return ROUNDS[int(np.argmin(losses))]


def _loss_at_own_level(margin: FloatArray, churned: BoolArray) -> float:
    """Log-loss after shifting to the snapshot's own share of churners: season is no error."""
    logit = margin + fit_level(margin, churned)
    return float(np.mean(np.logaddexp(0, np.where(churned, -logit, logit))))


def _evaluations(
    evaluation: Evaluation, model: ChurnModel, champion: ChurnModel | None, split: Split | None
) -> pd.DataFrame:
    table = evaluation.table()
    versions = {"champion": champion.version if champion else None}
    # A version holds its trees and all baselines, and serves with one of them.
    speaking = "challenger" if model.serves == ChurnTrees.role else model.serves
    return table.assign(
        model_version=[versions.get(role) or model.version for role in table["role"]],
        cutoff_on=pd.Timestamp(split.test if split else model.as_of),
        horizon_days=model.horizon_days,
        speaks_for_version=[role in {"champion", speaking} for role in table["role"]],
    )[list(EVALUATION_COLUMNS)]


def _for_card(evaluation: Evaluation) -> dict[str, dict[str, list[float | None]]]:
    """Value, lower and upper bound by role and metric; null where undefined."""
    card: dict[str, dict[str, list[float | None]]] = {}
    for role, figures in evaluation.figures.items():
        card[role] = {
            metric: [
                float(figure) if np.isfinite(figure) else None
                for figure in (value, *evaluation.interval(role, metric))
            ]
            for metric, value in figures.items()
        }
    return card


def _libraries() -> dict[str, str]:
    names = ("numpy", "pandas", "scipy", "scikit-learn")
    return {
        "python": platform.python_version(),
        "xgboost": xgboost().__version__,
        **{name: installed(name) for name in names},
    }
