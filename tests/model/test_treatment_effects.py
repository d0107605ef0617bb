"""What is made of past campaigns: which evidence is used, and that it is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from models.effects import evidence, treatment_effects
from models.effects.factors import Factor, Factors
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
    # What tells customers apart is the sign, and what is assumed of it.
    assert set(list(found.drivers)[:2]) == {"sign_of", "what is assumed"}
    assert abs(sum(found.drivers.values()) - 1) < 1e-9
    by_sign = found.effects.merge(trials[["customer_id", "sign_of"]], on="customer_id")
    mean = by_sign.groupby("sign_of")["effect"].mean()
    assert mean["price"] > 0.2
    assert abs(mean["unknown"]) < 0.1
    values = found.values.set_index(["outcome", "policy"])
    assert values.loc[("profit", "expected_profit"), "lower"] > 0
    ours, chance = (values.loc[("profit", each), "value"] for each in ("expected_profit", "random"))
    assert ours > 1.3 * chance
    # Equal spending; nobody is the measure.
    assert values.loc[("profit", "expected_profit"), "cost"] <= 0.2
    spent = values.loc["profit"].loc[["expected_profit", "churn_risk", "random"], "cost"]
    assert np.allclose(spent, spent.iloc[0], atol=1e-3)
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
    assert f"{evidence.MIN_ARM} in each are needed" in found.decision
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
    # What is measured stands beside what lists count on, of the same customers.
    assert f"voucher {100 * tactic['rise']:+.1f} (" in found.briefly
    assert f"voucher where a plan uses it measured {100 * tactic['rise']:+.1f}" in found.known
    assert f"count on {100 * tactic['lists_count_on']:+.1f} for the same" in found.known
    drawn = tactic["treated"] + tactic["held_out"]
    both = [(row["treated"] + row["held_out"]) * row["lists_count_on"] for row in (works, does_not)]
    assert abs(tactic["lists_count_on"] - sum(both) / drawn) < 1e-5


def test_what_is_assumed_is_only_called_wrong_beyond_chance() -> None:
    """Nothing works; a plan of forty customers proves nothing of it."""
    trials = past(8000, effect=0.0)
    few = pd.Series(range(8000)).lt(40)
    trials.loc[few, "goal"] = "win_back"
    trials.loc[few, "sign_of"] = "price"
    # To others campaigns sent it, too, and harmed them: no plan is blamed for it.
    other = pd.Series(range(8000)).ge(6000)
    trials.loc[other, "goal"] = None
    trials.loc[other & trials["treated"], "orders_after"] = 0
    found = treatment_effects.estimate(trials, today(trials), PLANS)
    rows = {(row["goal"], row["plan_for"]): row for row in found.evidence}
    few_told, others = rows["win_back", "price"], rows["none", "none"]
    assert few_told["held_out"] == (few & ~trials["treated"]).sum() < evidence.MIN_ARM
    assert few_told["against_assumed"] == "too few"
    assert few_told["rise"] is None
    # 0.2 of the 0.7 who would not order is assumed: 14 points of which nothing is there.
    assert rows["save", "price"]["against_assumed"] == "less than assumed"
    assert rows["save", "unknown"]["against_assumed"] == "not told apart from it"
    assert others["against_assumed"] == "nothing is assumed"
    assert others["rise_upper"] < -0.2
    assert abs(rows["all", "all"]["rise"]) < 0.1
    failures = evidence.failures(found.evidence)
    assert any(each.startswith("voucher to save for price: plan_by_reason") for each in failures)
    assert not any("unknown" in each or "win_back" in each for each in failures)


def test_plans_that_do_as_assumed_are_hardly_ever_blamed() -> None:
    """Of 60 worlds in which the assumption is right, one in twenty may name any plan at all."""
    rng = np.random.default_rng(5)
    plan = np.repeat(np.arange(10), 200)
    plans = pd.DataFrame(
        {
            "goal": "save",
            "plan_for": [f"sign {n}" for n in range(10)],
            "tactic": "voucher",
            "assumed_effect": 0.1,
        }
    )
    trials = pd.DataFrame(
        {
            "tactic": "voucher",
            "treated": np.arange(2000) % 2 == 0,
            "customer_id": np.arange(2000),
        }
    )
    factor = Factor(1.0, 0.0, 2.0, 0.5)
    factors = Factors(factor, {"voucher": factor}, (factor,) * 10)
    assumed = np.full(2000, 0.1)
    blamed = 0
    for _ in range(60):
        scores = rng.normal(0.1, 1.0, 2000)
        told = evidence.evidence(
            trials, plan, plans, evidence.Estimates(scores, assumed, assumed, factors)
        )
        blamed += any(row["against_assumed"] in (evidence.LESS, evidence.MORE) for row in told)
    # At 95% each, a third to a half of them would.
    assert blamed <= 8


def test_an_effect_that_chance_explains_is_told_as_such() -> None:
    row = {
        "tactic": "reminder", "plan_for": "all", "treated": 210, "held_out": 90, "rise": -0.007,
        "rise_lower": -0.03, "rise_upper": 0.016, "lists_count_on": 0.004, "factor": 0.5,
    }  # fmt: skip
    assert evidence.told([row], "average") == (
        "reminder where a plan uses it measured -0.7 points (-3.0 to +1.6, not told apart from 0; "
        "210 treated, 90 held out), lists count on +0.4 for the same customers"
    )
    assert "apart" not in evidence.told([{**row, "rise_upper": -0.001}], "average")
    assert evidence.told([{**row, "rise": None, "held_out": 2}], "average") == (
        "reminder has too few where a plan uses it (210 treated, 2 held out), lists count on "
        "0.50 times what is assumed"
    )
    assert evidence.in_brief([row]) == "reminder -0.7 (-3.0 to +1.6), +0.4"
    assert evidence.in_brief([{**row, "rise": None}]) == "reminder too few"


def test_what_was_learnt_is_kept_as_a_version_with_its_card(tmp_path: Path) -> None:
    trials = past(4000, effect=0.0)
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
    assert page.count("<svg") == len(learnt.card.plots) == 2
    # Lists do not tell customers apart, so nothing drives it.
    assert found.basis == "average"
    assert not learnt.card.drivers
    assert learnt.card.windows["draws_by_lot"] == 4000


def test_segments_are_told_apart_and_few_of_one_are_counted_alone() -> None:
    """Of two stages one gains nothing; what lists count on is the mean of both."""
    trials = past(4000, effect=0.0).assign(sign_of="price")
    rng = np.random.default_rng(5)
    stage = rng.choice(["watch", "churned"], len(trials))
    stage[:40], stage[3900:] = "new", "active"
    gained = trials["treated"] & (stage == "watch") & (rng.random(len(trials)) < 0.3)
    trials["orders_after"] = np.maximum(trials["orders_after"], gained)
    # The last hundred come under no plan: lists send them nothing.
    trials["goal"] = trials["goal"].where(np.arange(len(trials)) < 3900)
    groups = trials[["campaign_id", "customer_id"]].assign(stage=stage, value_tier="core")
    found = treatment_effects.estimate(
        trials, today(trials), PLANS, groups.sample(frac=1, random_state=1)
    )
    by = {(row["division"], row["segment"]): row for row in found.by_segment}

    # One tier tells nobody apart, and those whom lists send nothing are no segment of them.
    assert ("lifecycle stage", "active") not in by
    assert {division for division, _ in by} == {"all", "lifecycle stage"}
    everybody = by["all", "customers"]
    assert everybody["treated"] + everybody["held_out"] == 3900
    watch, churned = by["lifecycle stage", "watch"], by["lifecycle stage", "churned"]
    assert watch["rise_lower"] < 0.3 * 0.7 < watch["rise_upper"]
    assert churned["rise_lower"] < 0 < churned["rise_upper"]
    assert churned["against_lists"] == evidence.LESS_COUNTED
    assert watch["against_lists"] == evidence.MORE_COUNTED
    assert everybody["against_lists"] == evidence.CHANCE
    few = by["lifecycle stage", "new"]
    assert few["treated"] + few["held_out"] == 40
    assert few["rise"] is None
    assert few["against_lists"] == evidence.TOO_FEW

    card = version_of_effects(found, trials, as_of=date(2026, 6, 30), threads=1).card
    assert [each for each in card.failures if each.startswith("lifecycle stage")] == [
        each for each in card.failures if "lifecycle stage churned: lists count on +" in each
    ]
    page = card.page("2026-06-30.0123456789ab").decode()
    assert page.index("By tactic") < page.index("By segment") < page.index("Known failures")


def test_without_any_campaign_the_card_says_what_the_rank_rests_on() -> None:
    trials = past(60, effect=0.3).head(0)
    found = treatment_effects.estimate(trials, today(past(60, 0.3)), PLANS)
    assert "rests on the assumptions" in found.known
    card = version_of_effects(found, trials, as_of=date(2026, 6, 30), threads=1).card
    assert found.known in card.decision
    assert not card.metrics
    assert [row["factor"] for row in card.by_tactic] == [1.0] * 4
    assert not card.by_segment
    # Nothing was looked at: that is not that nothing was found.
    assert card.failures[0].startswith("None could be looked for")
    assert not card.plots
