"""One training: split, fit, calibrate, evaluate, decide. A frame in, a version and verdict out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.churn.baselines import (
    Logistic,
    ParetoPurchaseModel,
    PurchaseModel,
    Recency,
    Rule,
)
from models.churn.card import PURPOSE, TITLE, trained_card
from models.churn.model import ChurnModel
from models.churn.trees import GIVEN, PARAMETERS, ROUNDS, ChurnTrees
from models.errors import FrameError, TooLittleDataError
from models.evaluation.judging import (
    CHALLENGER,
    EVALUATION_COLUMNS,
    Evaluation,
    Sample,
    cannot_tell,
    evaluate_jointly,
    gate,
)
from models.frame.features import (
    CUSTOMER,
    RHYTHM,
    SNAPSHOT,
    TENURE,
    FeatureMatrix,
    FeatureSchema,
    FloatArray,
    labelled,
)
from models.frame.outcomes import Outcomes
from models.frame.splits import MIN_TRAINING_ROWS, latest_finished, require_enough, split_snapshots
from models.monitoring.drift import Reference
from models.native import thread_limit
from models.probability.calibration import PULSE_DAYS, Calibration, Level
from models.probability.predictors import Predictor, log_odds
from models.purchase.bg_nbd import BgNbd
from models.purchase.histories import histories
from models.purchase.pareto_nbd import ParetoNbd
from models.versions.card import Card
from models.versions.version import libraries, sha256

BASELINE_ROLES = [
    Recency.role,
    Logistic.role,
    PurchaseModel.role,
    ParetoPurchaseModel.role,
]
# How many windows, a horizon apart, judge together where the latest alone cannot tell.
WINDOWS = 3
# Customers, all their snapshots with them, beyond which training takes longer and gets no better:
# whoever has more hands in a sample of whole customers.
ENOUGH_CUSTOMERS = 50_000
# Rows beyond which the logistic regression's weights no longer move.
LOGISTIC_ROWS = 50_000
LIMITS = (
    "Learnt from customers who were not churned on the day of the snapshot; "
    "it says nothing of prospects or of customers already lost.",
    "Churn means no completed order within the horizon, whatever the reason.",
    "Associations, not causes: a driver is not a lever. What acting does, control groups measure.",
    "The level of churn follows the season of a year earlier; without a year of history it is "
    "guessed from the latest months, and a first Christmas surprises it.",
)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves behind.

    Attributes:
        model: the version this training made; it is served only if `promoted`.
        evaluations: one row per model version, role and metric on the test snapshot.
        served_role: challenger, champion, a baseline, or rule.
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
            days_observed (customer_labels) and the features (customer_features).
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
    history = _History.of(rows[rows[SNAPSHOT] <= pd.Timestamp(as_of)]).known_by(as_of)
    with thread_limit(threads):
        return _fit(
            history,
            as_of=as_of,
            horizon_days=horizon_days,
            seed=seed,
            threads=threads,
            tell=progress or _silent,
        )


def train(
    frame: pd.DataFrame,
    *,
    as_of: date,
    horizon_days: int,
    seed: int = 0,
    threads: int = 2,
    champion: ChurnModel | None = None,
    groups: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a challenger and the baselines, judge them out of time, and decide what is served.

    The latest snapshot whose horizon is over is the test: the challenger is what `fit` learns as
    of its day, and it is judged by what came after. Where that leaves open whether it is better
    than the best baseline, both are learnt and judged at earlier snapshots as well. What is judged
    is what is served: afterwards only the calibration's levels, by their own rule, take in what has
    become known since.

    Too little data gives a version that serves the rule; it is promoted only where there is no
    champion to keep.

    Args:
        frame: as for `fit`.
        as_of: the day of the training.
        horizon_days: days without an order that count as churn.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded, since sums may differ in the last bits.
        champion: the version served so far; judged on the same customers.
        groups: customer_id and further columns by which the card tells customers apart, as of the
            test; nothing is learnt from them.
        progress: told what is being done.

    Raises:
        FrameError: when the frame does not have the keys, the outcome or the rhythm columns.
    """
    tell = progress or _silent
    rows = labelled(frame)
    history = _History.of(rows).known_by(as_of)
    try:
        test = latest_finished(history.days, as_of, horizon_days)
        tested = history.rows(history.outcomes.snapshots == np.datetime64(test))
        churned = tested.outcomes.churned(horizon_days)
        require_enough({"test": churned})
        with thread_limit(threads):
            model = _fit(
                history.known_by(test),
                as_of=test,
                horizon_days=horizon_days,
                seed=seed,
                threads=threads,
                tell=tell,
            )
    except TooLittleDataError as reason:
        if champion is not None and champion.schema.is_foreign_to(history.schema.names):
            champion = None  # it knows features that are no more: it could not score
        return _rule(history.schema, as_of, horizon_days, str(reason), champion)

    tell(f"judging on {len(churned):,} customers of {test}")
    with thread_limit(threads):
        probabilities = _stated(model, tested.matrix, tested.outcomes)
        test_frame = rows[rows[SNAPSHOT] == pd.Timestamp(test)]
        champion_note = None
        if champion is not None:
            try:
                probabilities["champion"] = champion.probability(
                    champion.schema.encode(test_frame), tested.outcomes.snapshots
                )
            except FrameError as error:
                champion_note = f"The champion {champion.version} cannot be compared: {error}."
        samples = [Sample(churned, probabilities, test_frame[CUSTOMER].astype(str).to_numpy())]
        [evaluation] = evaluate_jointly(samples, seed=seed)
        verdict = gate(evaluation, BASELINE_ROLES)
        if verdict.serves in BASELINE_ROLES and cannot_tell(evaluation, BASELINE_ROLES):
            tell("judging earlier windows too: one alone cannot tell")
            samples += _earlier(rows, test, horizon_days=horizon_days, seed=seed, threads=threads)
            evaluation, *earlier = evaluate_jointly(samples, seed=seed)
            verdict = gate(evaluation, BASELINE_ROLES, earlier)
        calibrations = _levelled(
            model.predictors, model.calibrations, history, _pulse(history, _pareto_nbd(model))
        )
    decision = " ".join(filter(None, (verdict.sentence, champion_note)))
    serves = verdict.serves if verdict.serves in model.predictors else ChurnTrees.role
    card = trained_card(
        {
            **model.card,
            "windows": {
                **model.card["windows"],
                "test": test.isoformat(),
                "test_labels_end_on": (test + timedelta(days=horizon_days)).isoformat(),
            },
            "rows": {**model.card["rows"], "test": len(churned)},
        },
        as_of=as_of,
        horizon_days=horizon_days,
        decision=decision,
        evaluation=evaluation,
        served_role=_speaking(serves),
        baselines=BASELINE_ROLES,
        tested=test_frame,
        groups=groups,
        data_sha256=sha256(np.ascontiguousarray(history.matrix.values).tobytes()),
    )
    model = replace(
        model,
        as_of=as_of,
        serves=serves,
        calibrations=calibrations,
        card=card.to_json(),
        reference=Reference.of(
            history.matrix,
            history.outcomes.snapshots,
            day=test,
            names=[
                name
                for name in history.schema.names
                if name not in card.facts["features_without_information"]
            ],
            horizon_days=horizon_days,
        ),
    )
    return TrainingResult(
        model=model,
        evaluations=_evaluations(evaluation, model, champion, test),
        served_role=verdict.serves,
        decision=decision,
        promoted=verdict.promoted,
        calibration_curve=evaluation.calibration_curve(),
        lift_curve=evaluation.lift_curve(),
    )


def judged_at(
    rows: pd.DataFrame, day: date, *, horizon_days: int, seed: int, threads: int
) -> Sample:
    """What every candidate would have stated on a day, learnt by then, and what came after.

    Args:
        rows: of `features.labelled`.
        day: of a snapshot whose horizon is over.
        horizon_days: days without an order that count as churn.
        seed: of the fit.
        threads: of the native libraries.

    Raises:
        TooLittleDataError: when the stated minimum was not reached by then.
    """
    model = fit(rows, as_of=day, horizon_days=horizon_days, seed=seed, threads=threads)
    tested = rows[rows[SNAPSHOT] == pd.Timestamp(day)]
    matrix, outcomes = model.schema.encode(tested), Outcomes.of(tested)
    with thread_limit(threads):
        probabilities = _stated(model, matrix, outcomes)
    return Sample(
        outcomes.churned(horizon_days), probabilities, tested[CUSTOMER].astype(str).to_numpy()
    )


def _stated(model: ChurnModel, matrix: FeatureMatrix, outcomes: Outcomes) -> dict[str, FloatArray]:
    """The probabilities of what the model serves, and of each baseline that it holds."""
    judged = {CHALLENGER: model.serves, **{role: role for role in BASELINE_ROLES}}
    return {
        role: model.probability(matrix, outcomes.snapshots, served)
        for role, served in judged.items()
        if served in model.predictors
    }


def _earlier(
    rows: pd.DataFrame, test: date, *, horizon_days: int, seed: int, threads: int
) -> list[Sample]:
    """The windows before the test, a horizon apart, as far as there was enough to learn from."""
    samples: list[Sample] = []
    days = [pd.Timestamp(day).date() for day in rows[SNAPSHOT].unique()]
    while len(samples) < WINDOWS - 1:
        try:
            test = latest_finished(days, test, horizon_days)
            samples.append(
                judged_at(rows, test, horizon_days=horizon_days, seed=seed, threads=threads)
            )
        except TooLittleDataError:
            break
    return samples


def _silent(_: str) -> None:
    """Progress that nobody asked for."""


@dataclass(frozen=True)
class _History:
    """Encoded rows of snapshots, oldest first, and what became of them."""

    schema: FeatureSchema
    matrix: FeatureMatrix
    outcomes: Outcomes
    customers: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _History:
        """Encode the rows of a labelled frame."""
        schema = FeatureSchema.of(rows)
        customers = pd.factorize(rows[CUSTOMER])[0]
        return cls(schema, schema.encode(rows), Outcomes.of(rows), customers)

    @property
    def days(self) -> list[date]:
        """The snapshot days, oldest first."""
        return [pd.Timestamp(day).date() for day in np.unique(self.outcomes.snapshots)]

    def rows(self, chosen: npt.NDArray[Any] | slice) -> _History:
        """The chosen rows, by mask, position or slice."""
        return _History(
            self.schema,
            self.matrix.rows(chosen),
            self.outcomes.rows(chosen),
            self.customers[chosen],
        )

    def of_days(self, days: Sequence[date]) -> _History:
        """The rows of the given snapshots."""
        return self.rows(np.isin(self.outcomes.snapshots, np.array(days, dtype="datetime64[s]")))

    def known_by(self, day: date) -> _History:
        """The rows that were there on a day, with what was known of them by then."""
        there = self.rows(self.outcomes.snapshots <= np.datetime64(day))
        return replace(there, outcomes=there.outcomes.known_by(day))

    def finished(self, horizon_days: int) -> _History:
        """The rows whose horizon is over."""
        return self.rows(self.outcomes.finished(horizon_days))


def _fit(
    history: _History, *, as_of: date, horizon_days: int, seed: int, threads: int, tell: Progress
) -> ChurnModel:
    split = split_snapshots(history.days, as_of, horizon_days)
    growing = history.of_days([day for day, _ in split.windows])
    finished = history.finished(horizon_days)
    churned = finished.outcomes.churned(horizon_days)
    shaping = finished.of_days(split.shaping).outcomes.churned(horizon_days)
    require_enough({"growing": churned, "calibration": shaping}, in_all=MIN_TRAINING_ROWS)
    learnable, calendar = _without_calendar(growing)

    tell(f"fitting baselines on {len(split.finished)} snapshots")
    histories_by_now = _purchase_histories(history, as_of)
    pareto_nbd = ParetoNbd.fit(*histories_by_now)
    few = slice(None, None, -(-len(churned) // LOGISTIC_ROWS))
    logistic = Logistic.fit(finished.matrix.columns(learnable).rows(few), churned[few])
    predictors: dict[str, Predictor] = {
        Recency.role: Recency.fit(finished.matrix, churned),
        Logistic.role: logistic,
        PurchaseModel.role: PurchaseModel(BgNbd.fit(*histories_by_now), horizon_days),
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
    since = _on_record_since(history)
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
    calibrations = _levelled(predictors, shaped, history, _pulse(history, pareto_nbd))
    card = {
        "windows": split.to_json(),
        "rows": {"growing": len(growing.customers)},
        "seed": seed,
        "threads": threads,
        "parameters": PARAMETERS | {"rounds": ROUNDS, "given": GIVEN},
        "features_without_information": calendar,
        "importance": trees.importance(),
        "libraries": libraries("xgboost", "numpy", "pandas", "scipy", "scikit-learn"),
        "limits": list(LIMITS),
    }
    return ChurnModel(
        as_of, horizon_days, ChurnTrees.role, history.schema, predictors, calibrations, card
    )


def _levelled(
    predictors: Mapping[str, Predictor],
    calibrations: Mapping[str, Calibration],
    history: _History,
    pulse: Sequence[Level],
) -> dict[str, Calibration]:
    """The same shapes at levels renewed from what is known.

    Pareto/NBD says which share of the customers of the latest snapshot will churn, and the others
    follow: fitted on all that was bought up to the day, it is off by less than any of them while
    records are short (`benchmarks.levels --whose`).
    """
    role = ParetoPurchaseModel.role
    finished = history.finished(calibrations[role].horizon_days)
    reference = calibrations[role].with_levels(
        predictors[role].margin(finished.matrix),
        finished.outcomes.churned(calibrations[role].horizon_days),
        finished.outcomes.snapshots,
        pulse,
    )
    latest = history.of_days(history.days[-1:])
    expected = reference.probability(
        predictors[role].margin(latest.matrix), latest.outcomes.snapshots
    )
    return {
        each: calibration.following(
            reference, predictors[each].margin(latest.matrix), expected, history.days[-1]
        )
        for each, calibration in calibrations.items()
    }


def _pareto_nbd(model: ChurnModel) -> ParetoNbd:
    trees = model.predictors[ChurnTrees.role]
    assert isinstance(trees, ChurnTrees)
    return trees.purchases


def _on_record_since(history: _History) -> date:
    """The day from which orders are on record, but for a hundredth that may be misdated."""
    tenure = history.matrix.column(TENURE)
    known = np.isfinite(tenure)
    if not known.any():
        return history.days[0]
    first = history.outcomes.snapshots[known] - tenure[known].astype("timedelta64[D]")
    return pd.Timestamp(np.sort(first)[len(first) // 100]).date()


def _pulse(history: _History, pareto_nbd: ParetoNbd) -> tuple[Level, ...]:
    """The purchase model's level of each snapshot that was watched for `PULSE_DAYS`."""
    watched = history.finished(PULSE_DAYS)
    silent = pareto_nbd.probability_silent(*histories(watched.matrix), PULSE_DAYS)
    known = np.isfinite(silent)
    return Level.each(
        log_odds(silent[known]),
        watched.outcomes.churned(PULSE_DAYS)[known],
        watched.outcomes.snapshots[known],
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
        card=Card(
            title=TITLE,
            purpose=PURPOSE.format(horizon=horizon_days),
            decision=decision,
            limits=LIMITS[:2],
            libraries=libraries("xgboost", "numpy", "pandas", "scipy", "scikit-learn"),
        ).to_json(),
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


def _without_calendar(growing: _History) -> tuple[list[str], list[str]]:
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


def _purchase_histories(history: _History, day: date) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Order days, recency and tenure of all customers as they stood on a day.

    Snapshots hold only customers who were not churned, and a purchase model fitted on those finds
    that nobody ever leaves. Who is missing from later snapshots has not ordered since the last
    one that shows them: that last view, aged to the day, is their history.
    """
    # Of a customer's rows the last one: the first from behind.
    _, from_behind = np.unique(history.customers[::-1], return_index=True)
    last = np.sort(len(history.customers) - 1 - from_behind)
    snapshots = history.outcomes.snapshots[last].astype("datetime64[D]")
    order_days, recency, tenure = histories(history.matrix.rows(last))
    next_order = history.outcomes.next_order[last]
    # Who came back since is seen as of that last view; nobody else's silence is shortened.
    silent = np.isinf(next_order)
    age = np.where(silent, (np.datetime64(day, "D") - snapshots).astype(np.float64), 0.0)
    return order_days, recency + age, tenure + age


def _speaking(serves: str) -> str:
    """The role in the evaluation of a version's own predictor.

    A version holds its trees and all baselines, and serves with one of them.
    """
    return CHALLENGER if serves == ChurnTrees.role else serves


def _evaluations(
    evaluation: Evaluation, model: ChurnModel, champion: ChurnModel | None, test: date | None
) -> pd.DataFrame:
    table = evaluation.table()
    versions = {"champion": champion.version if champion else None}
    speaking = _speaking(model.serves)
    return table.assign(
        model_version=[versions.get(role) or model.version for role in table["role"]],
        cutoff_on=pd.Timestamp(test or model.as_of),
        horizon_days=model.horizon_days,
        speaks_for_version=[role in {"champion", speaking} for role in table["role"]],
    )[list(EVALUATION_COLUMNS)]
