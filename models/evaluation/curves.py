"""What plots show of probabilities: the calibration curve and the lift curve."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.evaluation.probabilities import ProbabilityMetrics, equal_mass
from models.frame.features import BoolArray, FloatArray

CALIBRATION_BINS = 10
LIFT_POINTS = 100


def calibration_curve(happened: BoolArray, probabilities: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Mean probability against the rate in bins of equal mass.

    Args:
        happened: whether it did, one per row.
        probabilities: role to probability of it, one per row.

    Returns:
        One row per role and bin: role, bin, predicted and observed (0-1), customers.
    """
    frames = [
        pd.DataFrame(
            {
                "bin": equal_mass(p, CALIBRATION_BINS),
                "predicted": p,
                "observed": happened.astype(float),
            }
        )
        .groupby("bin", as_index=False)
        .agg(
            predicted=("predicted", "mean"),
            observed=("observed", "mean"),
            customers=("observed", "size"),
        )
        .assign(role=role)
        for role, p in probabilities.items()
    ]
    columns = ["role", "bin", "predicted", "observed", "customers"]
    return pd.concat(frames or [pd.DataFrame(columns=columns)], ignore_index=True)[columns]


def lift_curve(happened: BoolArray, probabilities: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Share of the positives that is found in the share of customers with the highest p.

    Args:
        happened: whether it did, one per row.
        probabilities: role to probability of it, one per row.

    Returns:
        One row per role and hundredth of the customers: role, share and captured (0-1).
    """
    share = np.linspace(0, 1, LIFT_POINTS + 1)
    weights = np.ones((1, len(happened)))
    frames = []
    for role, p in probabilities.items():
        ranking = ProbabilityMetrics(happened, p)
        found = ranking.captured(*ranking.totals(weights), share)[0]
        frames.append(pd.DataFrame({"role": role, "share": share, "captured": found}))
    columns = ["role", "share", "captured"]
    return pd.concat(frames or [pd.DataFrame(columns=columns)], ignore_index=True)
