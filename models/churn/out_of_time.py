"""Out of time: what every candidate would have stated on a day, beside what came after it."""

from __future__ import annotations

from datetime import date

import pandas as pd

from models.churn.fitting import BASELINE_ROLES, fit
from models.churn.model import ChurnModel
from models.errors import TooLittleDataError
from models.evaluation.judging import CHALLENGER, Sample
from models.frame.features import CUSTOMER, SNAPSHOT, FeatureMatrix, FloatArray, of_snapshot
from models.frame.outcomes import Outcomes
from models.frame.splits import latest_finished
from models.native import thread_limit


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
    tested = of_snapshot(rows, day)
    matrix, outcomes = model.schema.encode(tested), Outcomes.of(tested)
    with thread_limit(threads):
        probabilities = stated(model, matrix, outcomes)
    return Sample(
        outcomes.churned(horizon_days), probabilities, tested[CUSTOMER].astype(str).to_numpy()
    )


def stated(model: ChurnModel, matrix: FeatureMatrix, outcomes: Outcomes) -> dict[str, FloatArray]:
    """The probabilities of what the model serves, and of each baseline that it holds."""
    judged = {CHALLENGER: model.serves, **{role: role for role in BASELINE_ROLES}}
    return {
        role: model.probability(matrix, outcomes.snapshots, served)
        for role, served in judged.items()
        if served in model.predictors
    }


def judged_before(
    rows: pd.DataFrame, test: date, *, windows: int, horizon_days: int, seed: int, threads: int
) -> list[Sample]:
    """The same at windows before a test, a horizon apart, as far as there was enough to learn from.

    Args:
        rows: of `features.labelled`.
        test: day of the snapshot that is judged already.
        windows: how many, at most.
        horizon_days: days without an order that count as churn.
        seed: of the fits.
        threads: of the native libraries.

    Returns:
        One sample per window, the latest first.
    """
    samples: list[Sample] = []
    days = [pd.Timestamp(day).date() for day in rows[SNAPSHOT].unique()]
    while len(samples) < windows:
        try:
            test = latest_finished(days, test, horizon_days)
            samples.append(
                judged_at(rows, test, horizon_days=horizon_days, seed=seed, threads=threads)
            )
        except TooLittleDataError:
            break
    return samples
