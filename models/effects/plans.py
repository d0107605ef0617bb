"""What the seed plan_by_reason assumes of acting: which plan a customer gets, and what it does."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import FloatArray, IntArray

TACTIC: Final = "tactic"
# In the place of a sign or a goal: no single one is meant.
ALL: Final = "all"
# Probabilities are kept off 0 and 1, where odds have no end.
LEAST_PROBABILITY: Final = 0.01


def plan_of(frame: pd.DataFrame, tactic: npt.NDArray[np.object_], plans: pd.DataFrame) -> IntArray:
    """Place in `plans` of the plan that is made of a tactic for each row; -1 where none is."""
    keys = ["goal", "plan_for", TACTIC]
    sought = pd.DataFrame(
        {"goal": frame["goal"].to_numpy(), "plan_for": frame["sign_of"].to_numpy(), TACTIC: tactic}
    )
    places = plans[keys].assign(place=np.arange(len(plans))).drop_duplicates(keys)
    found = sought.merge(places, on=keys, how="left")["place"]
    return found.fillna(-1).to_numpy(np.int64)


def assumed_rise(plan: IntArray, orders_anyway: FloatArray, plans: pd.DataFrame) -> FloatArray:
    """The rise of the probability to order that each row's plan assumes; 0 where there is none.

    save: so many of those who would not order are kept; win_back: the odds to order rise by so
    much.
    """
    share = np.append(plans["assumed_effect"].to_numpy(np.float64), 0.0)[plan]
    is_save = np.append((plans["goal"] == "save").to_numpy(bool), False)[plan]
    p = np.clip(orders_anyway, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    rise: FloatArray = np.where(is_save, (1 - p) * share, p * (1 + share) / (1 + p * share) - p)
    return rise
