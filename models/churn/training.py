"""One training: learn, judge out of time, decide. A frame in, a version and a verdict out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd

from models.churn.baselines import ParetoPurchaseModel, PurchaseModel, Rule
from models.churn.card import LIBRARIES, LIMITS, PURPOSE, TITLE, trained_card
from models.churn.fitting import BASELINE_ROLES, Progress, fit_history, levelled, silent
from models.churn.history import History
from models.churn.model import ChurnModel
from models.churn.out_of_time import judged_before, stated
from models.churn.trees import ChurnTrees
from models.errors import FrameError, TooLittleDataError
from models.evaluation.curves import calibration_curve, lift_curve
from models.evaluation.gate import CHAMPION, cannot_tell, gate
from models.evaluation.judging import (
    CHALLENGER,
    EVALUATION_COLUMNS,
    Evaluation,
    Sample,
    evaluate_jointly,
)
from models.frame.features import CUSTOMER, labelled, of_snapshot
from models.frame.splits import latest_finished, require_enough
from models.monitoring.drift import Reference
from models.native import thread_limit
from models.probability.predictors import Predictor, importance
from models.purchase.bg_nbd import BgNbd
from models.purchase.histories import are_enough
from models.purchase.pareto_nbd import ParetoNbd
from models.versions.card import Card
from models.versions.version import libraries

# How many windows, a horizon apart, judge together where the latest alone cannot tell.
WINDOWS: Final = 3
# Customers, all their snapshots with them, beyond which training takes longer and gets no better:
# whoever has more hands in a sample of whole customers.
ENOUGH_CUSTOMERS: Final = 50_000


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

    The latest snapshot whose horizon is over is the test: the challenger is what a fit learns as
    of its day, and it is judged by what came after. Where that leaves open whether it is better
    than the best baseline, both are learnt and judged at earlier snapshots as well. What is judged
    is what is served: afterwards only the calibration's levels, by their own rule, take in what has
    become known since.

    Where there is too little to learn from, a champion that was judged is kept. Without one,
    Pareto/NBD speaks as it is, which needs no outcome, or the rule where not even that can be
    fitted.

    Args:
        frame: as for `fitting.fit`.
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
    tell = progress or silent
    rows = labelled(frame)
    history = History.of(rows).known_by(as_of)
    try:
        test = latest_finished(history.days, as_of, horizon_days)
        tested = history.rows(history.outcomes.snapshots == np.datetime64(test))
        by_test = history.known_by(test)
        churned = tested.outcomes.churned(horizon_days)
        require_enough({"test": churned})
        with thread_limit(threads):
            model = fit_history(
                by_test,
                as_of=test,
                horizon_days=horizon_days,
                seed=seed,
                threads=threads,
                tell=tell,
            )
    except TooLittleDataError as reason:
        if champion is not None and (
            # What was not judged either is older; what knows other features could not score.
            not champion.is_judged or champion.schema.is_foreign_to(history.schema.names)
        ):
            champion = None
        with thread_limit(threads):
            return _unlearnt(history, as_of, horizon_days, str(reason), champion)

    tell(f"judging on {len(churned):,} customers of {test}")
    with thread_limit(threads):
        probabilities = stated(model, tested.matrix, tested.outcomes)
        test_frame = of_snapshot(rows, test)
        champion_note = None
        if champion is not None:
            try:
                probabilities[CHAMPION] = champion.probability(
                    champion.schema.encode(test_frame), tested.outcomes.snapshots
                )
            except FrameError as error:
                champion_note = f"The champion {champion.version} cannot be compared: {error}."
        samples = [Sample(churned, probabilities, test_frame[CUSTOMER].astype(str).to_numpy())]
        [evaluation] = evaluate_jointly(samples, seed=seed)
        verdict = gate(evaluation, BASELINE_ROLES)
        if verdict.serves in BASELINE_ROLES and cannot_tell(evaluation, BASELINE_ROLES):
            tell("judging earlier windows too: one alone cannot tell")
            samples += judged_before(
                rows,
                test,
                windows=WINDOWS - 1,
                horizon_days=horizon_days,
                seed=seed,
                threads=threads,
            )
            evaluation, *earlier = evaluate_jointly(samples, seed=seed)
            verdict = gate(evaluation, BASELINE_ROLES, earlier)
        calibrations = levelled(model.predictors, model.calibrations, history)
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
        data_sha256=history.sha256,
        # The gain of trees that are not served would explain nobody's score.
        drivers=model.card["importance"]
        if serves == ChurnTrees.role
        else importance(model.predictors[serves].explained(tested.matrix)[1]),
    )
    model = replace(
        model,
        as_of=as_of,
        serves=serves,
        calibrations=calibrations,
        card=card.to_json(),
        reference=Reference.of(
            by_test.matrix,
            by_test.outcomes.snapshots,
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
        calibration_curve=calibration_curve(evaluation.happened, evaluation.probabilities),
        lift_curve=lift_curve(evaluation.happened, evaluation.probabilities),
    )


def _unlearnt(
    history: History, as_of: date, horizon_days: int, reason: str, champion: ChurnModel | None
) -> TrainingResult:
    """The version where nothing could be learnt from outcomes; a champion is kept instead."""
    predictors: dict[str, Predictor] = {Rule.role: Rule(horizon_days)}
    serves, said = Rule.role, "A rule is served"
    purchases = history.purchases_by(as_of)
    if are_enough(*purchases):
        predictors |= {
            PurchaseModel.role: PurchaseModel(BgNbd.fit(*purchases), horizon_days),
            ParetoPurchaseModel.role: ParetoPurchaseModel(ParetoNbd.fit(*purchases), horizon_days),
        }
        serves = ParetoPurchaseModel.role
        said = f"The baseline {serves} is served as it is"
    if champion is not None:
        said = "The champion stays"
    decision = f"{said}, nothing was learnt: {reason}."
    model = ChurnModel(
        as_of=as_of,
        horizon_days=horizon_days,
        serves=serves,
        schema=history.schema,
        predictors=predictors,
        calibrations={},
        card=Card(
            title=TITLE,
            purpose=PURPOSE.format(horizon=horizon_days),
            decision=decision,
            limits=LIMITS[:2],
            libraries=libraries(*LIBRARIES),
        ).to_json(),
    )
    nothing = Evaluation({}, {}, {}, np.zeros(0, dtype=bool))
    return TrainingResult(
        model=model,
        evaluations=_evaluations(nothing, model, champion, None),
        served_role=serves if champion is None else CHAMPION,
        decision=decision,
        promoted=champion is None,
        calibration_curve=calibration_curve(nothing.happened, nothing.probabilities),
        lift_curve=lift_curve(nothing.happened, nothing.probabilities),
    )


def _speaking(serves: str) -> str:
    """The role in the evaluation of a version's own predictor.

    A version holds its trees and all baselines, and serves with one of them.
    """
    return CHALLENGER if serves == ChurnTrees.role else serves


def _evaluations(
    evaluation: Evaluation, model: ChurnModel, champion: ChurnModel | None, test: date | None
) -> pd.DataFrame:
    table = evaluation.table()
    versions = {CHAMPION: champion.version if champion else None}
    speaking = _speaking(model.serves)
    return table.assign(
        model_version=[versions.get(role) or model.version for role in table["role"]],
        cutoff_on=pd.Timestamp(test or model.as_of),
        horizon_days=model.horizon_days,
        speaks_for_version=[role in {CHAMPION, speaking} for role in table["role"]],
    )[list(EVALUATION_COLUMNS)]
