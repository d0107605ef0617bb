"""What is made of past campaigns: which evidence is used, and that it is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from models.effects import treatment_effects
from models.effects.version import version_of_effects
from models.store import EffectStore

PLANS = pd.DataFrame(
    {
        "goal": ["save", "save", "win_back"],
        "plan_for": ["price", "unknown", "price"],
        "tactic": ["voucher", "voucher", "voucher"],
        "assumed_effect": [0.2, 0.05, 0.5],
    }
)


def past(rows: int, effect: float) -> pd.DataFrame:
    """Members of one campaign, all late, half of them for the price; the price is what it helps."""
    rng = np.random.default_rng(3)
    treated = rng.random(rows) < 0.75
    sign = rng.choice(["price", "unknown"], rows)
    orders = rng.random(rows) < 0.3 + effect * treated * (sign == "price")
    return pd.DataFrame(
        {
            "campaign_id": "V1",
            "customer_id": [f"C{number}" for number in range(rows)],
            "snapshot_on": pd.Timestamp("2026-01-01"),
            "purpose": "retain",
            "tactic": "voucher",
            "channel": "sms",
            "treated": treated,
            "treated_share": 0.75,
            "cost": np.where(treated, 1.0, 0.0),
            "orders_after": orders.astype(int),
            "orders_before": 0,
            "profit_after": orders * 40.0,
            "profit_before": 0.0,
            "average_order_profit": 40.0,
            "goal": "save",
            "sign_of": sign,
        }
    )


def today(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[["customer_id", "snapshot_on", "average_order_profit", "goal", "sign_of"]].head(9)


def test_what_a_customer_gains_is_used_where_the_trials_show_it() -> None:
    trials = past(4000, effect=0.3)
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    assert found.basis == "individual"
    by_sign = found.effects.merge(trials[["customer_id", "sign_of"]], on="customer_id")
    mean = by_sign.groupby("sign_of")["effect"].mean()
    assert mean["price"] > 0.2
    assert abs(mean["unknown"]) < 0.1
    values = found.values.set_index(["outcome", "policy"])
    assert values.loc[("profit", "expected_profit"), "lower"] > 0
    ours, chance = (values.loc[("profit", each), "value"] for each in ("expected_profit", "random"))
    assert ours > 1.3 * chance
    # Equal budgets; nobody is the measure.
    assert values.loc[("profit", "expected_profit"), "cost"] <= 0.2
    assert values.loc[("profit", "nobody"), "value"] == 0


def test_without_any_effect_the_measurement_takes_the_assumption_back() -> None:
    trials = past(4000, effect=0.0)
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    assert found.basis == "average"
    assert "do not tell customers apart" in found.decision
    assert (found.effects["factor"] < 0.5).all()
    # What lists rank by is the rise that was measured: little of the assumed 0.01 to 0.14.
    assert found.effects["effect"].between(0, 0.07).all()


def test_too_few_drawn_by_lot_leave_the_assumption_and_say_so() -> None:
    trials = past(60, effect=0.3)
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    assert found.basis == "assumed"
    assert f"{treatment_effects.MIN_ARM} in each are needed" in found.decision
    assert (found.effects["factor"] == 1).all()
    assert found.values.empty


def test_a_plan_that_works_and_one_that_does_not_are_told_apart() -> None:
    """One factor for the tactic would send the voucher to both."""
    trials = past(8000, effect=0.08)
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    by_plan = {(row["goal"], row["plan_for"]): row for row in found.evidence}
    # Assumed are 0.2 and 0.05 of the 0.7 who would not order; 0.08 and nothing is true.
    works, does_not = by_plan["save", "price"], by_plan["save", "unknown"]
    assert 0.4 < works["factor"] < 0.75
    assert does_not["factor_lower"] < 0 < works["factor_lower"]
    assert works["treated"] + works["held_out"] + does_not["treated"] + does_not["held_out"] == 8000
    # Of no trial of its own, a plan is drawn to what the tactic does.
    tactic = by_plan["all", "all"]
    assert by_plan["win_back", "price"]["factor"] == tactic["factor"]
    assert by_plan["win_back", "price"]["rise"] is None
    assert tactic["rise_lower"] < 0.04 < tactic["rise_upper"]
    assert "6," in found.known
    assert "held out" in found.known
    # What is measured stands beside what lists count on, which is drawn towards the assumption.
    counted = found.effects["effect"].mean()
    assert f"lists count on {100 * counted:+.1f} on average" in found.known
    assert f"voucher measured {100 * tactic['rise']:+.1f} points" in found.known


def test_an_effect_that_chance_explains_is_told_as_such() -> None:
    row = {"tactic": "reminder", "treated": 210, "held_out": 90, "rise": -0.007}
    told = treatment_effects._told({**row, "rise_lower": -0.03, "rise_upper": 0.016}, 0.026)
    assert told == (
        "reminder measured -0.7 points (-3.0 to +1.6, not told apart from 0; 210 treated, "
        "90 held out), lists count on +2.6 on average"
    )
    told = treatment_effects._told({**row, "rise_lower": -0.03, "rise_upper": -0.001}, np.nan)
    assert told.endswith("90 held out), lists count on what is assumed")
    assert "apart" not in told


def test_what_was_learnt_is_kept_as_a_version_with_its_card(tmp_path: Path) -> None:
    trials = past(4000, effect=0.1)
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    day = date(2026, 6, 30)
    learnt = version_of_effects(found, trials, as_of=day, threads=1)
    store = EffectStore(tmp_path)
    store.promote(store.save(learnt))
    again = store.load_champion(day).model
    assert again is not None
    assert again.files() == learnt.files()
    page = store.pages(learnt.version)["card.html"].read_text()
    assert "held out" in page
    assert "churn_risk" in page


def test_without_any_campaign_the_card_says_what_the_rank_rests_on() -> None:
    trials = past(60, effect=0.3).head(0)
    found = treatment_effects.estimate(trials, today(past(60, 0.3)), PLANS)
    assert "rests on the assumptions" in found.known
    card = version_of_effects(found, trials, as_of=date(2026, 6, 30), threads=1).card
    assert found.known in card.decision
    assert not card.metrics
    assert [row["factor"] for row in card.by_segment] == [1.0] * 4
