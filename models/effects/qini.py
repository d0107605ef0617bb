"""The Qini: how much more is gained by treating those first for whom more is predicted."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.effects.effect_model import Learnt
from models.effects.trial import Prepared, mean_with_interval


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
