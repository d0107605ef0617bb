"""What past campaigns show of each tactic and plan, beside what is assumed and what lists count on.

A tactic is measured where a plan uses it: only there something was assumed, and only there lists
send it. Campaigns sent it to others, too; they stand on a line of their own. The customers of a
segment are looked at over all tactics, where plans use them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from models.effects.factors import Factor, Factors
from models.effects.plans import ALL, TACTIC
from models.effects.trial import mean_with_interval
from models.evaluation.segments import parts as parts_of
from models.frame.features import BoolArray, FloatArray, IntArray

# In the place of a sign and a goal: members of campaigns for whom no plan uses the tactic.
NO_PLAN: Final = "none"
DECIMALS: Final = 6
MIN_ARM: Final = 30  # rows of either arm below which nothing is learnt, and of a plan nothing told
# Chance of naming a plan that does what is assumed of it, over all that are looked at together.
FALSE_ALARM: Final = 0.05
TOO_FEW: Final = "too few"
LESS: Final = "less than assumed"
MORE: Final = "more than assumed"
CHANCE: Final = "not told apart from it"
NOTHING: Final = "nothing is assumed"
LESS_COUNTED: Final = "less than lists count on"
MORE_COUNTED: Final = "more than lists count on"
COLUMNS: Final = (
    TACTIC, "goal", "plan_for", "treated", "held_out", "assumed_effect", "assumed_rise",
    "rise", "rise_lower", "rise_upper", "against_assumed", "lists_count_on",
    "factor", "factor_lower", "factor_upper",
)  # fmt: skip
SEGMENT_COLUMNS: Final = (
    "division", "segment", "treated", "held_out", "assumed_rise",
    "rise", "rise_lower", "rise_upper", "lists_count_on", "against_lists",
)  # fmt: skip


@dataclass(frozen=True)
class Estimates:
    """What was learnt of the effect on each row of the trials.

    Attributes:
        scores: doubly robust, their mean is that of the effect.
        assumed: rise of the probability to order that the row's plan assumes (0-1).
        counted_on: rise that lists count on, for a customer like this one.
        factors: multiples of the assumed rises.
    """

    scores: FloatArray
    assumed: FloatArray
    counted_on: FloatArray
    factors: Factors


def evidence(
    trials: pd.DataFrame, plan: IntArray, plans: pd.DataFrame, learnt: Estimates | None
) -> list[dict[str, Any]]:
    """Rows of `COLUMNS`: each tactic where a plan uses it, where none does, then each plan.

    `treated` and `held_out` count draws: a customer is drawn once by each campaign. `assumed_rise`,
    `rise` and `lists_count_on` are of the same rows, and rises of the probability to order within
    the window (0-1); the interval is of 95%. A measured rise is named less or more than assumed
    when it is with the care that so many looks ask for (Bonferroni). Fewer than `MIN_ARM` draws of
    either arm show counts alone.

    Args:
        trials: as for `treatment_effects.estimate`.
        plan: place in `plans` of each row's plan; -1 where there is none.
        plans: as for `treatment_effects.estimate`.
        learnt: None: nothing.
    """
    given = trials[TACTIC].to_numpy(object)
    parts: list[tuple[tuple[str, str, str], BoolArray, float | None, Factor | None]] = []
    for tactic in sorted(set(plans[TACTIC])):
        of_all = learnt.factors.tactics[tactic] if learnt else None
        planned = (given == tactic) & (plan >= 0)
        parts.append(((tactic, ALL, ALL), planned, None, of_all))
        others = (given == tactic) & (plan < 0)
        if others.any():
            parts.append(((tactic, NO_PLAN, NO_PLAN), others, None, None))
    for place, each in enumerate(plans.to_dict("records")):
        parts.append(
            (
                (each[TACTIC], each["goal"], each["plan_for"]),
                plan == place,
                float(each["assumed_effect"]),
                learnt.factors.plans[place] if learnt else None,
            )
        )
    treated = trials["treated"].to_numpy(bool)
    enough = [
        learnt is not None and min(treated[rows].sum(), (~treated[rows]).sum()) >= MIN_ARM
        for _, rows, _, _ in parts
    ]
    looks = sum(
        large and name[1] != NO_PLAN for large, (name, *_) in zip(enough, parts, strict=True)
    )
    quantile = _quantile(looks)
    customer = trials["customer_id"].to_numpy(object)
    found = []
    for large, (name, rows, assumed_effect, factor) in zip(enough, parts, strict=True):
        held_out = int((~treated[rows]).sum())
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= dict(zip(COLUMNS, name, strict=False))
        row |= {
            "treated": int(rows.sum()) - held_out,
            "held_out": held_out,
            "assumed_effect": assumed_effect,
            "against_assumed": NOTHING if name[1] == NO_PLAN else TOO_FEW,
        }
        if learnt and rows.any() and name[1] != NO_PLAN:
            row["assumed_rise"] = learnt.assumed[rows].mean()
            row["lists_count_on"] = learnt.counted_on[rows].mean()
        if name[1] != NO_PLAN:
            used = (factor.value, factor.lower, factor.upper) if factor else (1.0, None, None)
            row |= dict(zip(("factor", "factor_lower", "factor_upper"), used, strict=True))
        if learnt and large:
            rise = mean_with_interval(learnt.scores[rows], customer[rows])
            row |= dict(zip(("rise", "rise_lower", "rise_upper"), rise, strict=True))
            if name[1] != NO_PLAN:
                more = learnt.scores[rows] - learnt.assumed[rows]
                row["against_assumed"] = _verdict(more, customer[rows], quantile, LESS, MORE)
        found.append({key: _rounded(value) for key, value in row.items()})
    return found


def by_segment(
    trials: pd.DataFrame,
    plan: IntArray,
    divisions: Mapping[str, pd.Series[Any]],
    learnt: Estimates,
) -> list[dict[str, Any]]:
    """Rows of `SEGMENT_COLUMNS`: what was measured of the customers of each segment.

    Counted are draws for whom a plan uses the tactic, of all tactics together; columns mean what
    they mean in `evidence`. Whether it was less or more than what lists count on is asked with the
    same care, and fewer than `MIN_ARM` draws of either arm show counts alone, too.

    Args:
        trials: as for `treatment_effects.estimate`.
        plan: place in `plans` of each row's plan; -1 where there is none.
        divisions: of `models.evaluation.segments.divide`, rows as in `trials`.
        learnt: what was learnt.
    """
    treated, customer = trials["treated"].to_numpy(bool), trials["customer_id"].to_numpy(object)
    counted = [
        (name, rows, int((rows & treated).sum()), int((rows & ~treated).sum()))
        for name, everyone in parts_of(divisions, len(trials))
        if (rows := everyone & (plan >= 0)).any()
    ]
    quantile = _quantile(sum(min(sent, kept) >= MIN_ARM for *_, sent, kept in counted))
    found = []
    for name, rows, sent, kept in counted:
        row: dict[str, Any] = dict.fromkeys(SEGMENT_COLUMNS)
        row |= dict(zip(SEGMENT_COLUMNS, (*name, sent, kept), strict=False))
        row |= {
            "assumed_rise": learnt.assumed[rows].mean(),
            "lists_count_on": learnt.counted_on[rows].mean(),
            "against_lists": TOO_FEW,
        }
        if min(sent, kept) >= MIN_ARM:
            rise = mean_with_interval(learnt.scores[rows], customer[rows])
            row |= dict(zip(("rise", "rise_lower", "rise_upper"), rise, strict=True))
            more = learnt.scores[rows] - learnt.counted_on[rows]
            row["against_lists"] = _verdict(
                more, customer[rows], quantile, LESS_COUNTED, MORE_COUNTED
            )
        found.append({key: _rounded(value) for key, value in row.items()})
    return found


def _quantile(looks: int) -> float:
    """Half an interval's width (standard errors), where so many are looked at together."""
    return float(stats.norm.ppf(1 - FALSE_ALARM / 2 / max(looks, 1)))


def _verdict(
    more: FloatArray, customer: npt.NDArray[np.object_], quantile: float, less: str, greater: str
) -> str:
    _, lower, upper = mean_with_interval(more, customer, quantile)
    return less if upper < 0 else greater if lower > 0 else CHANCE


def _rounded(value: Any) -> Any:
    return round(float(value), DECIMALS) if isinstance(value, float) else value


def is_plan(row: Mapping[str, Any]) -> bool:
    """Whether a row of the evidence is of a single plan."""
    return row["plan_for"] not in (ALL, NO_PLAN)


def failures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where less is done than assumed, beyond chance, in words; that nothing could be looked at."""
    judged = [row for row in rows if row["against_assumed"] in (LESS, MORE, CHANCE)]
    if not judged:
        return [
            f"None could be looked for: no plan has {MIN_ARM} customers treated and {MIN_ARM} held "
            "out by lot."
        ]
    return [
        f"{_named(row)}: plan_by_reason assumes {_points(row['assumed_rise'])} points, "
        f"{_measured(row)}; lists count on {_points(row['lists_count_on'])}."
        for row in judged
        if row["against_assumed"] == LESS
    ]


def failures_by_segment(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Segments of which lists count on more than was measured, beyond chance, in words.

    Args:
        rows: of `by_segment`.
    """
    return [
        f"{row['division']} {row['segment']}: lists count on {_points(row['lists_count_on'])} "
        f"points, {_measured(row)}."
        for row in rows
        if row["against_lists"] == LESS_COUNTED
    ]


def told(rows: Sequence[Mapping[str, Any]], basis: str) -> str:
    """What is known of each tactic and from whom, in words.

    Args:
        rows: of `evidence`.
        basis: of the effects that lists use: individual, average or assumed.
    """
    others = {row[TACTIC]: row for row in rows if row["plan_for"] == NO_PLAN}
    return "; ".join(
        _told(row, others.get(row[TACTIC]), basis) for row in rows if row["plan_for"] == ALL
    )


def in_brief(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was measured of each tactic where a plan uses it, and what lists count on, in points.

    Args:
        rows: of `evidence`.
    """
    return "; ".join(
        f"{row[TACTIC]} too few"
        if row["rise"] is None
        else f"{row[TACTIC]} {_points(row['rise'])} ({_points(row['rise_lower'])} to "
        f"{_points(row['rise_upper'])}), {_points(row['lists_count_on'])}"
        for row in rows
        if row["plan_for"] == ALL
    )


def _told(row: Mapping[str, Any], others: Mapping[str, Any] | None, basis: str) -> str:
    if row["rise"] is None:
        counted = {
            "individual": "what its customers' features let expect",
            "average": f"{row['factor']:.2f} times what is assumed",
            "assumed": "what is assumed",
        }[basis]
        said = f"{row[TACTIC]} has too few where a plan uses it ({_who(row)})"
    else:
        counted = f"{_points(row['lists_count_on'])} for the same customers"
        said = f"{row[TACTIC]} where a plan uses it {_measured(row)}"
    elsewhere = (
        f" (for those whose plan is another or none, it {_measured(others)})"
        if others is not None and others["rise"] is not None
        else ""
    )
    return f"{said}, lists count on {counted}{elsewhere}"


def _measured(row: Mapping[str, Any]) -> str:
    unclear = ", not told apart from 0" if row["rise_lower"] <= 0 <= row["rise_upper"] else ""
    return (
        f"measured {_points(row['rise'])} points ({_points(row['rise_lower'])} to "
        f"{_points(row['rise_upper'])}{unclear}; {_who(row)})"
    )


def _who(row: Mapping[str, Any]) -> str:
    return f"{row['treated']:,} treated, {row['held_out']:,} held out"


def _named(row: Mapping[str, Any]) -> str:
    if not is_plan(row):
        return f"{row[TACTIC]}, all its plans"
    return f"{row[TACTIC]} to {row['goal']} for {row['plan_for']}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"
