"""What a way of choosing whom to treat is worth, measured on customers whose arm chance decided.

Doubly robust: a policy's value is the mean over all rows of what it gives each row times the row's
score (uplift.Prepared.scores). Policies are compared at an equal budget, and rank by predictions
that did not see the rows they rank (held out), so that none is praised for what it knew by heart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from models.uplift import FloatArray, Prepared, mean_with_interval

# Part of what treating everybody would cost that the policies may spend, each the same.
BUDGET_SHARE: Final = 0.2
COLUMNS: Final = ("policy", "value", "lower", "upper", "treated_share", "cost", "customers")


def within_budget(priority: FloatArray, cost: FloatArray, budget: float) -> FloatArray:
    """Who is treated, 1 or 0, when the highest priority comes first until the budget is used up.

    A priority that is not positive is never treated; equal ones come in the order of the rows.
    """
    order = np.argsort(-priority, kind="stable")
    order = order[priority[order] > 0]
    chosen = np.zeros(len(priority))
    chosen[order[np.cumsum(cost[order]) <= budget]] = 1
    return chosen


def priority_of(gain: FloatArray, cost: FloatArray) -> FloatArray:
    """Expected profit of acting per unit of cost: the order that gains most from a budget.

    Whoever is treated while his gain exceeds his cost, dearest returns first, makes the most of
    any budget but for the last customer who no longer fits (Dantzig, Operations Research 5(2),
    1957). Where nothing costs anything the profit itself decides.
    """
    return (gain - cost) / np.maximum(cost, 1e-6)


def policy_values(
    profit: Prepared, effect: FloatArray, given: Mapping[str, FloatArray], cost: FloatArray
) -> pd.DataFrame:
    """Value of each policy, home currency per customer of the trial, nobody treated being 0.

    Args:
        profit: the trial with profit, before the cost of treating, as outcome.
        effect: effect on profit expected of each row, held out; makes the figures vary less.
        given: by policy, the probability with which it treats each row.
        cost: of treating each row.

    Returns:
        One row per policy with the columns of `COLUMNS`; `cost` is per customer, too.
    """
    score = profit.scores(effect) - cost
    rows = []
    for policy, share in given.items():
        value, lower, upper = mean_with_interval(share * score, profit.trial.customer)
        rows.append((policy, value, lower, upper, share.mean(), (share * cost).mean(), len(score)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
