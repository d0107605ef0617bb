"""From past campaigns to what acting on each customer is worth: which evidence, and how good it is.

Frames in, frames out: what plans assume stands in `plans`, by how much that is off in `factors`,
the learner of individual effects in `effect_model`, the value of policies in `policy`, and what is
told of all this in `evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from models.effects import policy
from models.effects.effect_model import learn
from models.effects.evidence import MIN_ARM, Estimates, by_segment, evidence, in_brief, told
from models.effects.factors import Factors, held_out_factor
from models.effects.plans import TACTIC, assumed_rise, plan_of
from models.effects.qini import held_out_curve, held_out_qini
from models.effects.trial import Prepared, Trial, mean_with_interval
from models.evaluation.segments import divide
from models.frame.features import FloatArray

CUSTOMER: Final = "customer_id"
KEYS: Final = (CUSTOMER, "snapshot_on", "campaign_id")
WORTH: Final = "average_order_profit"
# What a customer is known by; the other columns of the trial are its draw and its outcomes.
DRAW: Final = ("purpose", TACTIC, "channel", "treated", "treated_share", "cost")
OUTCOMES: Final = ("orders_after", "profit_after")
DECIMALS: Final = 6
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
            window, 0-1) where it was measured, of customers like this one or of his plan.
        rises: one row per customer and tactic: rise of the probability to order (`rise`) as the
            signs of the day let expect it, and that probability without acting (`orders_anyway`).
        values: one row per outcome and policy: value per row of the trials (`kept`: customers who
            order because of it; `profit`: home currency, costs taken off).
        evidence: what is known of each tactic and plan (evidence.COLUMNS).
        by_segment: and of the customers of each segment (evidence.SEGMENT_COLUMNS).
        figures: what the decision rests on, by name, each with its 95% interval.
        curve: of the held-out ranking (qini.held_out_curve).
        drivers: share of the differences between customers that each feature makes up, largest
            first; empty where lists do not tell customers apart by it.
        numbers: what was learnt, JSON: factors, and the individual model.
    """

    basis: str
    decision: str
    effects: pd.DataFrame
    rises: pd.DataFrame
    values: pd.DataFrame
    evidence: Sequence[Mapping[str, Any]]
    by_segment: Sequence[Mapping[str, Any]]
    figures: Mapping[str, tuple[float, float, float]]
    curve: pd.DataFrame
    drivers: Mapping[str, float]
    numbers: Mapping[str, Any]

    @property
    def known(self) -> str:
        """What is known of each tactic and from whom, in a sentence a person can read."""
        if not self._is_measured:
            return (
                "No past campaign drew a control group: what acting does rests on the assumptions "
                "that the seed plan_by_reason states."
            )
        return (
            f"What acting does to the share that orders (lists rank by {self.basis} effects): "
            f"{told(self.evidence, self.basis)}. What lists count on starts from what "
            "plan_by_reason assumes and goes as far towards what was measured as the number of "
            "those drawn by lot allows."
        )

    @property
    def briefly(self) -> str:
        """The same for a line of a screen."""
        if not self._is_measured:
            return self.known
        return (
            "By how many points acting raises the share that orders, measured where a plan uses it "
            f"(95%), and counted on by lists: {in_brief(self.evidence)}. The card of the effects "
            "tells more."
        )

    @property
    def _is_measured(self) -> bool:
        return any(row["treated"] for row in self.evidence)


def estimate(
    trials: pd.DataFrame,
    today: pd.DataFrame,
    plans: pd.DataFrame,
    groups: pd.DataFrame | None = None,
) -> Effects:
    """Learn effects from past trials, or say that there is nothing to learn them from.

    Args:
        trials: one row per campaign and member with an arm drawn by lot: keys, draw, outcomes,
            orders_before and profit_before, and the features of the day before.
        today: the same features, one row per customer.
        plans: goal, plan_for, tactic, assumed_effect: what a plan is assumed to do, to whom.
        groups: campaign_id, customer_id and further columns of segments.DIVISIONS, one row per row
            of the trials at most; nothing is learnt from them.
    """
    tactics = sorted(set(plans[TACTIC].dropna()))
    plan = plan_of(trials, trials[TACTIC].to_numpy(object), plans)
    drawn = f"{len(trials):,} draws by lot of {trials[CUSTOMER].nunique():,} customers"
    smaller_arm = int(min(trials["treated"].sum(), (~trials["treated"].astype(bool)).sum()))
    if smaller_arm < MIN_ARM:
        decision = (
            f"The assumed effects are used: past campaigns with a control group made {drawn}, "
            f"{smaller_arm} of them into the smaller arm, and {MIN_ARM} in each are needed to "
            "learn anything."
        )
        nothing = pd.DataFrame(columns=list(VALUE_COLUMNS))
        return Effects(
            "assumed",
            decision,
            _effects(today, "assumed", {tactic: np.ones(len(today)) for tactic in tactics}, {}),
            pd.DataFrame(columns=[CUSTOMER, TACTIC, "orders_anyway", "rise"]),
            nothing,
            evidence(trials, plan, plans, None),
            [],
            {},
            pd.DataFrame(),
            {},
            {},
        )

    kept = _prepared(trials, (trials["orders_after"] > 0).to_numpy().astype(np.float64))
    kept = kept.assuming(assumed_rise(plan, kept.mean, plans))
    factors = Factors.of(kept, plan, plans, np.ones(len(plan), bool))
    learnt = learn(kept)
    qini = held_out_qini(kept, learnt)
    if qini[1] > 0:
        basis = "individual"
        why = "customers for whom more was predicted gained more, out of sample"
    elif factors.most_weight >= 1 / 2:
        basis = "average"
        why = (
            "the trials do not tell customers apart, but they weigh more than the assumption in "
            "how much acting does"
        )
    else:
        basis, why = "assumed", "the trials are too small to weigh more than the assumption"
    decision = (
        f"{basis.capitalize()} effects are used: {why} (Qini of the held-out ranking {qini[0]:.4f},"
        f" 95% from {qini[1]:.4f} to {qini[2]:.4f}; {drawn})."
    )
    anyway = kept.mean_model.of(today)
    rises: dict[str, FloatArray] = {}
    factor_of: dict[str, FloatArray] = {}
    measured: dict[str, FloatArray] = {}
    for tactic in tactics:
        everybody = np.full(len(today), tactic, object)
        own_plan = plan_of(today, everybody, plans)
        assumed = assumed_rise(own_plan, anyway, plans)
        factor_of[tactic] = np.ones(len(today))
        if basis == "average":
            factor_of[tactic] = factors.of_rows(own_plan, everybody)
        rises[tactic] = (
            learnt.model.effect(today, everybody, assumed)
            if basis == "individual"
            else assumed * factor_of[tactic]
        )
        if basis == "individual":
            measured[tactic] = rises[tactic]
        elif basis == "average":
            # Without a plan nothing was assumed that a factor could be of.
            measured[tactic] = np.where(own_plan >= 0, rises[tactic], np.nan)
    # Each policy is judged by what the day would have used, learnt from the other folds.
    effect = {
        "individual": learnt.held_out,
        "average": kept.trial.assumed * held_out_factor(kept, plan, plans),
        "assumed": kept.trial.assumed,
    }[basis]
    values = _values(trials, kept, effect)
    scores = kept.scores(learnt.held_out)
    given, assumed = trials[TACTIC].to_numpy(object), kept.trial.assumed
    counted_on = {
        "individual": learnt.model.effect(trials, given, assumed),
        "average": assumed * factors.of_rows(plan, given),
        "assumed": assumed,
    }[basis]
    estimates = Estimates(scores, assumed, counted_on, factors)
    return Effects(
        basis,
        decision,
        _effects(today, basis, factor_of, measured),
        _long(today, anyway, rises),
        values,
        evidence(trials, plan, plans, estimates),
        by_segment(trials, plan, _divisions(trials, groups), estimates),
        {"qini": qini, "average_rise": mean_with_interval(scores, kept.trial.customer)},
        held_out_curve(kept, learnt),
        learnt.model.drivers(trials, given, assumed) if basis == "individual" else {},
        {"factors": factors.to_json(plans), "individual": learnt.model.to_json()},
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


def _divisions(trials: pd.DataFrame, groups: pd.DataFrame | None) -> Mapping[str, pd.Series[Any]]:
    keys = ["campaign_id", CUSTOMER]
    return divide(trials if groups is None else trials.merge(groups, "left", keys))


def _features(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=[c for c in (*KEYS, *DRAW, *OUTCOMES) if c in frame.columns])


def _prepared(trials: pd.DataFrame, outcome: FloatArray) -> Prepared:
    return Prepared.of(
        Trial.of(
            _features(trials).drop(columns=["orders_before", "profit_before"]),
            trials["treated"].to_numpy(np.float64),
            trials["treated_share"].to_numpy(np.float64),
            outcome,
            treatment=trials[TACTIC].to_numpy(object),
            customer=trials[CUSTOMER].to_numpy(object),
        )
    )


def _effects(
    today: pd.DataFrame,
    basis: str,
    factor_of: Mapping[str, FloatArray],
    measured: Mapping[str, FloatArray],
) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                CUSTOMER: today[CUSTOMER].to_numpy(),
                TACTIC: tactic,
                "effect_basis": basis,
                "factor": np.round(factor, DECIMALS),
                "effect": np.round(measured[tactic], DECIMALS) if measured else np.nan,
            }
        )
        for tactic, factor in factor_of.items()
    ]
    empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in EFFECT_COLUMNS})
    return pd.concat(parts, ignore_index=True) if parts else empty


def _values(trials: pd.DataFrame, kept: Prepared, effect: FloatArray) -> pd.DataFrame:
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
    given = policy.at_equal_spending(effect * worth, 1 - kept.mean, unit)
    measure = policy.own_measure(worth)
    profit = _prepared(trials, trials["profit_after"].to_numpy(np.float64) / measure)
    nothing, one = np.zeros(n), np.ones(n)
    frames = [
        policy.policy_values(kept, effect, given, measure=one, cost=nothing).assign(outcome="kept"),
        policy.policy_values(profit, effect, given, measure=measure, cost=unit).assign(
            outcome="profit"
        ),
    ]
    values = pd.concat(frames, ignore_index=True)[list(VALUE_COLUMNS)]
    figures = ["value", "lower", "upper", "treated_share", "cost"]
    values[figures] = values[figures].round(DECIMALS)
    return values
