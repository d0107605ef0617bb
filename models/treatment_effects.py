"""From past campaigns to what acting on each customer is worth: which evidence, and how good it is.

Frames in, frames out: the learner stands in uplift.py, the value of policies in policy.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import policy, uplift
from models.uplift import FloatArray, Prepared, Trial, Z

CUSTOMER: Final = "customer_id"
KEYS: Final = (CUSTOMER, "snapshot_on", "campaign_id")
TACTIC: Final = "tactic"
WORTH: Final = "average_order_profit"
# What a customer is known by; the other columns of the trial are its draw and its outcomes.
DRAW: Final = ("purpose", TACTIC, "channel", "treated", "treated_share", "cost")
OUTCOMES: Final = ("orders_after", "profit_after")
# Probabilities are kept off 0 and 1, where odds have no end.
LEAST_PROBABILITY: Final = 0.01
DECIMALS: Final = 6
ALL: Final = "all"
EFFECT_COLUMNS: Final = (CUSTOMER, TACTIC, "effect_basis", "factor", "effect")
VALUE_COLUMNS: Final = ("outcome", *policy.COLUMNS)


@dataclass(frozen=True)
class Effects:
    """What is known of the effects.

    Attributes:
        basis: individual, average or assumed.
        decision: why, in one sentence.
        effects: one row per customer and tactic that a plan names: effect_basis, factor on the
            assumed effect, and the effect itself (rise of the probability to order within the
            window, 0-1) where it is individual.
        rises: one row per customer and tactic: rise of the probability to order (`rise`) as the
            signs of the day let expect it, and that probability without acting (`orders_anyway`).
        values: one row per outcome and policy: value per customer of the trials (`kept`:
            customers who order because of it; `profit`: home currency, costs taken off).
        card: the figures that the decision rests on, and the model.
    """

    basis: str
    decision: str
    effects: pd.DataFrame
    rises: pd.DataFrame
    values: pd.DataFrame
    card: Mapping[str, Any]


def estimate(trials: pd.DataFrame, today: pd.DataFrame, plans: pd.DataFrame) -> Effects:
    """Learn effects from past trials, or say that there is nothing to learn them from.

    Args:
        trials: one row per campaign and member with an arm drawn by lot: keys, draw, outcomes,
            orders_before and profit_before, and the features of the day before.
        today: the same features, one row per customer.
        plans: goal, plan_for, tactic, assumed_effect: what a plan is assumed to do, to whom.
    """
    tactics = sorted(set(plans[TACTIC].dropna()))
    smaller_arm = int(min(trials["treated"].sum(), (~trials["treated"].astype(bool)).sum()))
    if smaller_arm < uplift.MIN_ARM:
        decision = (
            f"The assumed effects are used: past campaigns drew {len(trials):,} customers with a "
            f"control group, {smaller_arm} of them in the smaller arm, and {uplift.MIN_ARM} in "
            "each are needed to learn anything."
        )
        nothing = pd.DataFrame(columns=list(VALUE_COLUMNS))
        return Effects(
            "assumed",
            decision,
            _effects(today, tactics, "assumed", {}, None),
            pd.DataFrame(columns=[CUSTOMER, TACTIC, "orders_anyway", "rise"]),
            nothing,
            {},
        )

    kept = _prepared(trials, (trials["orders_after"] > 0).to_numpy().astype(np.float64), plans)
    factors = _factors(kept, tactics)
    learnt = uplift.learn(kept)
    qini = uplift.held_out_qini(kept, learnt)
    if qini[1] > 0:
        basis = "individual"
        why = "customers for whom more was predicted gained more, out of sample"
    elif any(factor["weight"] >= 1 / 2 for factor in factors.values()):
        basis = "average"
        why = (
            "the trials do not tell customers apart, but they weigh more than the assumption in "
            "how much acting does"
        )
    else:
        basis, why = "assumed", "the trials are too small to weigh more than the assumption"
    decision = (
        f"{basis.capitalize()} effects are used: {why} (Qini of the held-out ranking {qini[0]:.4f},"
        f" 95% from {qini[1]:.4f} to {qini[2]:.4f}; {len(trials):,} customers drawn by lot)."
    )
    anyway = kept.mean_model.of(today)
    rises = {}
    for tactic in tactics:
        given = np.full(len(today), tactic, object)
        assumed = _assumed(today, given, anyway, plans)
        if basis == "individual":
            rises[tactic] = learnt.model.effect(today, given, assumed)
        else:
            rises[tactic] = assumed * (factors[tactic]["factor"] if basis == "average" else 1.0)
    # Each policy is judged by what the day would have used, learnt from the other folds.
    effect = {
        "individual": learnt.held_out,
        "average": kept.trial.assumed * _held_out_factor(kept),
        "assumed": kept.trial.assumed,
    }[basis]
    values = _values(trials, kept, effect, plans)
    card = {
        "decision": decision,
        "qini": list(qini),
        "average_effect": list(
            uplift.mean_with_interval(kept.scores(learnt.held_out), kept.trial.customer)
        ),
        "variance_explained": 1 - float(np.var(kept.residual) / np.var(kept.trial.outcome)),
        "factors": factors,
        "model": learnt.model.to_json(),
    }
    individual = rises if basis == "individual" else None
    return Effects(
        basis,
        decision,
        _effects(today, tactics, basis, factors, individual),
        _long(today, anyway, rises),
        values,
        card,
    )


def _long(today: pd.DataFrame, anyway: FloatArray, rises: Mapping[str, FloatArray]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(
                {
                    CUSTOMER: today[CUSTOMER].to_numpy(),
                    TACTIC: tactic,
                    "orders_anyway": anyway,
                    "rise": rise,
                }
            )
            for tactic, rise in rises.items()
        ],
        ignore_index=True,
    )


def _features(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=[c for c in (*KEYS, *DRAW, *OUTCOMES) if c in frame.columns])


def _prepared(trials: pd.DataFrame, outcome: FloatArray, plans: pd.DataFrame) -> Prepared:
    trial = Trial.of(
        _features(trials).drop(columns=["orders_before", "profit_before"]),
        trials["treated"].to_numpy(np.float64),
        trials["treated_share"].to_numpy(np.float64),
        outcome,
        treatment=trials[TACTIC].to_numpy(object),
        customer=trials[CUSTOMER].to_numpy(object),
    )
    prepared = Prepared.of(trial)
    assumed = _assumed(trials, trial.treatment, prepared.mean, plans)
    return Prepared(**{**vars(prepared), "trial": Trial(**{**vars(trial), "assumed": assumed})})


def _assumed(
    frame: pd.DataFrame,
    tactic: npt.NDArray[np.object_],
    orders_anyway: FloatArray,
    plans: pd.DataFrame,
) -> FloatArray:
    """The rise of the probability to order that the plans assume of a tactic on each row.

    save: so many of those who would not order are kept; win_back: the odds to order rise by so
    much. 0 where no plan of that tactic is made for the row's goal and sign.
    """
    sought = pd.DataFrame(
        {"goal": frame["goal"].to_numpy(), "plan_for": frame["sign_of"].to_numpy(), TACTIC: tactic}
    )
    found = sought.merge(
        plans.drop_duplicates(["goal", "plan_for", TACTIC]),
        on=["goal", "plan_for", TACTIC],
        how="left",
    )
    share = found["assumed_effect"].to_numpy(np.float64, na_value=np.nan)
    share = np.nan_to_num(share)
    p = np.clip(orders_anyway, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    saved = (1 - p) * share
    won_back = p * (1 + share) / (1 + p * share) - p
    rise: FloatArray = np.where((sought["goal"] == "save").to_numpy(bool), saved, won_back)
    return rise


def _factor(prepared: Prepared, rows: npt.NDArray[np.bool_], centre: float) -> dict[str, float]:
    """Measured effect as a multiple of the assumed one, drawn towards `centre`.

    Least squares of the residual on assumed effect times contrast, each row weighed by its
    variance; `weight` is that of the measurement against the assumption.
    """
    assumed = prepared.trial.assumed * prepared.contrast
    information = float((assumed[rows] ** 2 / prepared.variance[rows]).sum())
    moment = float((assumed * prepared.residual / prepared.variance)[rows].sum())
    own = 1 / uplift.ASSUMPTION_DEVIATION**2
    factor = (moment + own * centre) / (information + own)
    margin = Z / np.sqrt(information + own)
    return {
        # Whoever is harmed by acting is left alone; nobody is worth more for being harmed.
        "factor": max(factor, 0.0),
        "lower": factor - margin,
        "upper": factor + margin,
        "weight": information / (information + own),
    }


def _factors(prepared: Prepared, tactics: list[str]) -> dict[str, dict[str, float]]:
    everything = _factor(prepared, np.ones(len(prepared.trial), bool), 1.0)
    return {
        ALL: everything,
        **{
            tactic: _factor(prepared, prepared.trial.treatment == tactic, everything["factor"])
            for tactic in tactics
        },
    }


def _held_out_factor(prepared: Prepared) -> FloatArray:
    """Factor on the assumed effect of each row, learnt from the other folds."""
    factor = np.ones(len(prepared.trial))
    for fold in range(uplift.FOLDS):
        others = prepared.folds != fold
        centre = _factor(prepared, others, 1.0)["factor"]
        for tactic in set(prepared.trial.treatment):
            own = prepared.trial.treatment == tactic
            factor[~others & own] = _factor(prepared, others & own, centre)["factor"]
    return factor


def _effects(
    today: pd.DataFrame,
    tactics: list[str],
    basis: str,
    factors: Mapping[str, Mapping[str, float]],
    individual: Mapping[str, FloatArray] | None,
) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                CUSTOMER: today[CUSTOMER].to_numpy(),
                TACTIC: tactic,
                "effect_basis": basis,
                "factor": round(factors[tactic]["factor"], DECIMALS) if basis == "average" else 1.0,
                "effect": np.round(individual[tactic], DECIMALS) if individual else np.nan,
            }
        )
        for tactic in tactics
    ]
    empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in EFFECT_COLUMNS})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _values(
    trials: pd.DataFrame, kept: Prepared, effect: FloatArray, plans: pd.DataFrame
) -> pd.DataFrame:
    worth = trials[WORTH].to_numpy(np.float64)
    # The control group cost nothing; had it been treated, it would have cost as much.
    paid = trials["cost"].to_numpy(np.float64)
    treated = trials["treated"].to_numpy(bool)
    unit = (
        pd.Series(np.where(treated, paid, np.nan))
        .groupby(trials["campaign_id"].to_numpy())
        .transform("mean")
        .fillna(0)
        .to_numpy(np.float64)
    )
    n = len(trials)
    budget = policy.BUDGET_SHARE * unit.sum()
    given = {
        "expected_profit": policy.within_budget(
            policy.priority_of(effect * worth, unit), unit, budget
        ),
        "churn_risk": policy.within_budget(1 - kept.mean, unit, budget),
        # What chance would have chosen, on average over all its draws.
        "random": np.full(n, policy.BUDGET_SHARE),
        "everybody": np.ones(n),
        "nobody": np.zeros(n),
    }
    profit = _prepared(trials, trials["profit_after"].to_numpy(np.float64), plans)
    frames = [
        policy.policy_values(kept, effect, given, np.zeros(n)).assign(outcome="kept"),
        policy.policy_values(profit, effect * worth, given, unit).assign(outcome="profit"),
    ]
    values = pd.concat(frames, ignore_index=True)[list(VALUE_COLUMNS)]
    figures = ["value", "lower", "upper", "treated_share", "cost"]
    values[figures] = values[figures].round(DECIMALS)
    return values
