"""Effects of treatments, on trials with planted effects: found where they are, and not else."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.effects import policy, treatment_effects, uplift
from models.effects.uplift import (
    EffectModel,
    Prepared,
    Trial,
    held_out_qini,
    learn,
    mean_with_interval,
)
from models.effects.version import version_of_effects
from models.store import EffectStore

ROWS = 4000


def trial(effect_on_own: float, effect_on_others: float, rows: int = ROWS) -> Trial:
    """Half of the customers are of a kind of their own; four fifths are treated."""
    rng = np.random.default_rng(11)
    kind = rng.choice(["own", "other"], rows)
    recency = rng.integers(1, 300, rows).astype(float)
    recency[::50] = np.nan
    treated = (rng.random(rows) < 0.8).astype(float)
    effect = np.where(kind == "own", effect_on_own, effect_on_others)
    likely = 0.5 - np.nan_to_num(recency, nan=150) / 1000 + treated * effect
    features = pd.DataFrame({"kind": kind, "recency_days": recency})
    return Trial.of(features, treated, 0.8, rng.random(rows) < likely)


@pytest.fixture(scope="module")
def differing() -> Prepared:
    return Prepared.of(trial(0.25, 0.0))


@pytest.fixture(scope="module")
def alike() -> Prepared:
    return Prepared.of(trial(0.1, 0.1))


def test_a_planted_difference_between_customers_is_found(differing: Prepared) -> None:
    learnt = learn(differing)
    _, lower, _ = held_out_qini(differing, learnt)
    assert lower > 0
    kinds = pd.DataFrame({"kind": ["own", "other"], "recency_days": [100.0, 100.0]})
    own, other = learnt.model.effect(kinds, np.array(["all", "all"], object), np.zeros(2))
    assert own > 0.15
    assert abs(other) < 0.1


def test_where_all_gain_alike_no_ranking_passes(alike: Prepared) -> None:
    _, lower, _ = held_out_qini(alike, learn(alike))
    assert lower <= 0


@pytest.mark.parametrize("name", ["differing", "alike"])
def test_the_average_effect_is_within_its_interval(
    name: str, request: pytest.FixtureRequest
) -> None:
    prepared = request.getfixturevalue(name)
    truth = {"differing": 0.125, "alike": 0.1}[name]
    scores = prepared.scores(learn(prepared).held_out)
    _, lower, upper = mean_with_interval(scores, prepared.trial.customer)
    assert lower < truth < upper


def test_what_was_bought_before_takes_noise_out_of_the_average() -> None:
    """A steady buyer buys after a campaign as before it."""
    rng = np.random.default_rng(5)
    before = rng.gamma(1.0, 2.0, ROWS)
    treated = (rng.random(ROWS) < 0.5).astype(float)
    bought = before + rng.normal(0, 0.5, ROWS) + 0.1 * treated
    widths = []
    for features in (pd.DataFrame({"before": before}), pd.DataFrame({"before": np.zeros(ROWS)})):
        prepared = Prepared.of(Trial.of(features, treated, 0.5, bought))
        effect, lower, upper = mean_with_interval(
            prepared.scores(np.zeros(ROWS)), prepared.trial.customer
        )
        assert lower < 0.1 < upper
        assert lower < effect < upper
        widths.append(upper - lower)
    assert widths[0] < widths[1] / 2


def test_rows_of_one_customer_are_one_piece_of_evidence() -> None:
    values = np.array([1.0, 0.0, 1.0, 0.0])
    apart = mean_with_interval(np.repeat(values, 9), np.arange(36).astype(object))
    together = mean_with_interval(np.repeat(values, 9), np.repeat(np.arange(4), 9).astype(object))
    assert apart[0] == together[0]
    assert together[2] - together[1] == pytest.approx(3 * (apart[2] - apart[1]))


def test_a_model_is_the_same_after_a_round_trip_and_from_the_same_rows(
    differing: Prepared,
) -> None:
    model = learn(differing).model
    text = json.dumps(model.to_json(), sort_keys=True)
    again = EffectModel.from_json(json.loads(text))
    assert json.dumps(again.to_json(), sort_keys=True) == text
    assert json.dumps(learn(differing).model.to_json(), sort_keys=True) == text
    rows = differing.trial.features.head(50)
    treatment, assumed = np.full(50, "all", object), np.zeros(50)
    np.testing.assert_array_equal(
        again.effect(rows, treatment, assumed), model.effect(rows, treatment, assumed)
    )


def test_a_share_of_treated_that_leaves_no_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Trial.of(pd.DataFrame({"x": [1.0]}), [1], 1.0, [1])


def test_the_dearest_returns_come_first_until_the_budget_is_used_up() -> None:
    gain, cost = np.array([10.0, 9.0, 1.0, 0.5]), np.array([8.0, 2.0, 0.5, 1.0])
    chosen = policy.within_budget(policy.priority_of(gain, cost), cost, 3.0)
    # The first does not fit beside the second, whose every unit spent brings more.
    assert chosen.tolist() == [0, 1, 1, 0]
    assert policy.within_budget(policy.priority_of(gain, cost), cost, 99.0).tolist() == [1, 1, 1, 0]


def test_a_policy_is_worth_what_it_gives_to_whom_it_gains(differing: Prepared) -> None:
    held_out = learn(differing).held_out
    own = (differing.trial.features["kind"] == "own").to_numpy(float)
    cost = np.full(ROWS, 0.02)
    given = {"own": own, "others": 1 - own, "nobody": np.zeros(ROWS)}
    values = policy.policy_values(
        differing, held_out, given, measure=np.ones(ROWS), cost=cost
    ).set_index("policy")
    assert values.loc["own", "lower"] > 0
    # Half of them times (effect less cost).
    margin = (values["upper"] - values["lower"]) / 2
    for policy_name, truth in {"own": 0.5 * (0.25 - 0.02), "others": 0.5 * -0.02}.items():
        # Three standard errors: one draw is judged.
        assert abs(values.loc[policy_name, "value"] - truth) < 1.5 * margin[policy_name]
    assert values.loc["nobody", "value"] == 0


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
    assert f"{uplift.MIN_ARM} in each are needed" in found.decision
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
