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
    ranked = _ranked(prepared, learnt)
    score = ranked["score"].to_numpy()[np.argsort(-ranked["rank"].to_numpy(), kind="stable")]
    gained = np.r_[0.0, np.cumsum(score)] / len(score)
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
    rank-weighted average treatment effect with Qini weights). Each fold is judged by what was
    learnt from those before it (Wager, 2024, "Sequential Validation of Treatment Heterogeneity"):
    folds that take turns in teaching and being judged share their luck, and an interval that takes
    them for independent holds the truth in two thirds of trials.
    """
    ranked = _ranked(prepared, learnt)
    of_each = ranked.groupby(["fold", "treatment"])
    centred = ranked[["rank", "score"]] - of_each[["rank", "score"]].transform("mean")
    return mean_with_interval(centred.prod(axis=1).to_numpy(), ranked["customer"].to_numpy(object))


def _ranked(prepared: Prepared, learnt: Learnt) -> pd.DataFrame:
    """Score and rank (0-1) of the rows of all folds but the first, ranked by fold and treatment.

    Predictions of different folds stand in no one order: their levels differ by what taught them.
    """
    trial = prepared.trial
    rows = pd.DataFrame(
        {
            "fold": prepared.folds,
            "treatment": trial.treatment.astype(str),
            "customer": trial.customer,
            "score": prepared.scores(learnt.in_turn),
            "effect": learnt.in_turn,
        }
    ).dropna(subset="effect")
    return rows.assign(rank=rows.groupby(["fold", "treatment"])["effect"].rank(pct=True))
