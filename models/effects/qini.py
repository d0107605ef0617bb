"""The Qini: how much more is gained by treating those first for whom more is predicted."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from models.effects.effect_model import Learnt
from models.effects.trial import Prepared, mean_with_interval

SHARES: Final = 51  # points of the curve


def held_out_curve(prepared: Prepared, learnt: Learnt) -> pd.DataFrame:
    """The Qini curve of the same ranking, beside that of no ranking.

    Returns:
        role (`most promising first`, `by chance`), share of the rows treated (0-1), and what that
        gains per row, in units of the outcome.
    """
    trial = prepared.trial
    score = prepared.scores(learnt.held_out)
    rank = pd.Series(learnt.held_out).groupby(trial.treatment.astype(str)).rank(pct=True)
    order = np.argsort(-rank.to_numpy(), kind="stable")
    gained = np.r_[0.0, np.cumsum(score[order])] / len(score)
    share = np.linspace(0, 1, SHARES)
    ours = gained[np.round(share * len(score)).astype(int)]
    return pd.concat(
        pd.DataFrame({"role": role, "share": share, "gained": each})
        for role, each in (("most promising first", ours), ("by chance", share * gained[-1]))
    )


def held_out_qini(prepared: Prepared, learnt: Learnt) -> tuple[float, float, float]:
    """The Qini of predictions that did not see the rows they rank, with its interval.

    Area between the Qini curve of the held-out ranking and the diagonal, per row, in units of
    the outcome: the mean of score times centred rank, ranks taken within each treatment, so that
    what one treatment does better than another does not count (Yadlowsky et al., JASA 2025, the
    rank-weighted average treatment effect with Qini weights).
    """
    trial = prepared.trial
    product = np.zeros(len(trial))
    score = prepared.scores(learnt.held_out)
    for treatment in set(trial.treatment):
        rows = trial.treatment == treatment
        rank = pd.Series(learnt.held_out[rows]).rank(pct=True).to_numpy()
        own = score[rows]
        product[rows] = (rank - rank.mean()) * (own - own.mean())
    return mean_with_interval(product, trial.customer)
