"""What a way of choosing whom to treat is worth, measured on customers whose arm chance decided.

Doubly robust: a policy's value is the mean over all rows of what it gives each row times the row's
score (trial.Prepared.scores). Policies rank by predictions that did not see the rows they rank
(held out), so that none is praised for what it knew by heart. They are compared at equal spending:
who chooses by expected profit stops where nothing more pays, and the others spend what that cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from models.effects.trial import Prepared, mean_with_interval
from models.frame.features import FloatArray

# Part of what treating everybody would cost that the policies may spend at most.
BUDGET_SHARE: Final = 0.2
# Part of the average below which no customer's order is taken as his measure.
LEAST_MEASURE: Final = 0.05
COLUMNS: Final = (
    "policy",
    "value",
    "lower",
    "upper",
    "treated_share",
    "cost",
    "customers",
    "members",
)


def within_budget(priority: FloatArray, cost: FloatArray, budget: float) -> FloatArray:
    """Who is treated, 1 or 0, when the highest priority comes first until the budget is used up.

    A priority that is not positive is never treated; equal ones come in the order of the rows.
    """
    order = np.argsort(-priority, kind="stable")
    order = order[priority[order] > 0]
    chosen = np.zeros(len(priority))
    chosen[order[np.cumsum(cost[order]) <= budget]] = 1
    return chosen


def at_equal_spending(
    gain: FloatArray, risk: FloatArray, cost: FloatArray
) -> dict[str, FloatArray]:
    """Probability with which each policy treats each row; those that choose spend the same.

    By churn risk up to one row's cost less; at random on average over all draws. Where nothing
    costs anything, chance treats as many.

    Args:
        gain: expected of treating each row, before its cost.
        risk: what the choice by churn risk ranks by.
        cost: of treating each row, in the unit of the gain.
    """
    ours = within_budget(priority_of(gain, cost), cost, BUDGET_SHARE * float(cost.sum()))
    # By the same sum as within_budget, so that rounding excludes nobody.
    spent = float(np.cumsum(ours * cost)[-1])
    total = float(np.cumsum(cost)[-1])
    n = len(cost)
    return {
        "expected_profit": ours,
        "churn_risk": within_budget(risk * (spent > 0 or total == 0), cost, spent),
        "random": np.full(n, spent / total if total > 0 else ours.mean()),
        "everybody": np.ones(n),
        "nobody": np.zeros(n),
    }


def priority_of(gain: FloatArray, cost: FloatArray) -> FloatArray:
    """Expected profit of acting per unit of cost: the order that gains most from a budget.

    Whoever is treated while his gain exceeds his cost, dearest returns first, makes the most of
    any budget but for the last customer who no longer fits (Dantzig, Operations Research 5(2),
    1957). Where nothing costs anything the profit itself decides.
    """
    return (gain - cost) / np.maximum(cost, 1e-6)


def own_measure(worth: FloatArray) -> FloatArray:
    """A measure of each customer's own, home currency, in which profit differs less: his order.

    What a trial shows of profit in units that were known before it is as unbiased, and what one
    large customer orders by chance no longer hides what all others do.
    """
    least = LEAST_MEASURE * float(np.abs(worth).mean())
    return np.maximum(worth, least) if least > 0 else np.ones(len(worth))


def policy_values(
    outcome: Prepared,
    effect: FloatArray,
    given: Mapping[str, FloatArray],
    *,
    measure: FloatArray,
    cost: FloatArray,
) -> pd.DataFrame:
    """Value of each policy per row of the trial, nobody treated being 0.

    Args:
        outcome: the trial with what is to be raised as outcome, each row in its own measure.
        effect: effect on the outcome expected of each row, held out; makes the figures vary less.
        given: by policy, the probability with which it treats each row.
        measure: what one of the outcome is on each row, such as the profit of an order.
        cost: of treating each row, in the measure's unit.

    Returns:
        One row per policy with the columns of `COLUMNS`; value and cost are per row. `members`
        counts the rows, `customers` who stands behind them.
    """
    score = measure * outcome.scores(effect) - cost
    customers = len(set(outcome.trial.customer))
    rows = []
    for policy, share in given.items():
        value, lower, upper = mean_with_interval(share * score, outcome.trial.customer)
        spent = (share * cost).mean()
        rows.append((policy, value, lower, upper, share.mean(), spent, customers, len(score)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
