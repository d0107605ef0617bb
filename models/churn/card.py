"""What the churn model's card says, from the figures of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pandas as pd

from models.evaluation.curves import calibration_curve, lift_curve
from models.evaluation.judging import Evaluation
from models.evaluation.segments import by_segment, divide
from models.frame.features import CUSTOMER
from models.versions import plots
from models.versions.card import Card

# What a version is made with.
LIBRARIES = ("xgboost", "numpy", "pandas", "scipy", "scikit-learn")
TITLE = "Churn"
PURPOSE = (
    "Probability that a customer places no completed order within the {horizon} days that follow. "
    "It ranks customers for the lists, and is multiplied by money: what is at risk, what acting is "
    "worth."
)
LIMITS = (
    "Learnt from customers who were not churned on the day of the snapshot; "
    "it says nothing of prospects or of customers already lost.",
    "Churn means no completed order within the horizon, whatever the reason.",
    "Associations, not causes: a driver is not a lever. What acting does, control groups measure.",
    "The level of churn follows the season of a year earlier; without a year of history it is "
    "guessed from the latest months, and a first Christmas surprises it.",
    "An order that was cancelled or returned counts as none on the days before that, too, as few "
    "sources date it: so many of the newest orders have yet to be undone.",
)
REPRODUCE = (
    "The same rows, settings, threads and library versions give the same bytes, and so the same "
    "version name.",
    "In the home that trained it: HOMING_AS_OF={as_of} make run, in a copy of the home without "
    "its folder `models` from that day on.",
    "In Python, with the home's warehouse of that day and the champion of before, if any: "
    "models.churn.training.train(frame, as_of=date.fromisoformat({as_of!r}), "
    "horizon_days={horizon}, seed={seed}, threads={threads}, groups=groups, champion=champion), "
    "frame and groups being training_frame(warehouse) and warehouse.frame(TIERS_AT_TEST) of "
    "pipelines.defs.training; sha256 of the encoded rows and their outcomes: {data}.",
)


def trained_card(
    facts: Mapping[str, Any],
    *,
    as_of: date,
    horizon_days: int,
    decision: str,
    evaluation: Evaluation,
    served_role: str,
    baselines: Sequence[str],
    tested: pd.DataFrame,
    groups: pd.DataFrame | None,
    data_sha256: str,
    drivers: Mapping[str, float],
) -> Card:
    """The card of a version that was learnt and judged.

    Args:
        facts: windows, rows, parameters, seed, threads, importance (of the trees), libraries,
            limits, features_without_information.
        as_of: day of the training.
        horizon_days: days without an order that count as churn.
        decision: the gate's sentence.
        evaluation: on the test snapshot.
        served_role: role of the evaluation that the version speaks with.
        baselines: roles that segments are compared with.
        tested: features of the test snapshot, rows as in the evaluation.
        groups: customer_id and further columns that divide the same customers.
        data_sha256: of the rows learnt from.
        drivers: share of what is served that each feature makes up, largest first.
    """
    divided = tested
    if groups is not None:
        further = groups.drop_duplicates(CUSTOMER).set_index(CUSTOMER)
        divided = tested.join(further, on=CUSTOMER, rsuffix="_of_group")
    segments = by_segment(
        divide(divided),
        evaluation.happened,
        evaluation.probabilities,
        served=served_role,
        baselines=[role for role in baselines if role != served_role],
        seed=int(facts["seed"]),
    )
    said = {
        "as_of": as_of.isoformat(),
        "horizon": horizon_days,
        "seed": facts["seed"],
        "threads": facts["threads"],
        "data": data_sha256,
    }
    return Card(
        title=TITLE,
        purpose=PURPOSE.format(horizon=horizon_days),
        decision=decision,
        windows={**facts["windows"], "rows": facts["rows"]},
        metrics=evaluation.for_card(),
        served_role=served_role,
        by_segment=[each.to_json() for each in segments],
        plots=[
            plots.calibration(calibration_curve(evaluation.happened, evaluation.probabilities)),
            plots.lift(lift_curve(evaluation.happened, evaluation.probabilities)),
        ],
        drivers=drivers,
        failures=[sentence for each in segments for sentence in each.failures()],
        limits=facts["limits"],
        parameters={**facts["parameters"], "seed": facts["seed"], "threads": facts["threads"]},
        libraries=facts["libraries"],
        reproduce=[line.format(**said) for line in REPRODUCE],
        facts={
            "data_sha256": data_sha256,
            "features_without_information": facts["features_without_information"],
        },
    )
