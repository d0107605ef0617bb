"""Effects of treatments, on trials with planted effects: found where they are, and not else."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from models.effects import policy
from models.effects.effect_model import learn
from models.effects.qini import held_out_qini
from models.effects.trial import Prepared, Trial, mean_with_interval

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


def test_the_interval_of_the_qini_holds_what_ranking_is_worth() -> None:
    """Where all gain alike that is nothing: one trial in forty may pass, and one lie below."""
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x, treated = rng.normal(size=1_500), (rng.random(1_500) < 0.8).astype(float)
        ordered = rng.random(1_500) < 1 / (1 + np.exp(1 - 0.8 * x)) + 0.03 * treated
        prepared = Prepared.of(
            Trial.of(pd.DataFrame({"x": x}), treated, 0.8, ordered.astype(float))
        )
        found.append(held_out_qini(prepared, learn(prepared)))
    _, lower, upper = np.array(found).T
    assert np.mean(lower > 0) <= 0.08
    assert np.mean(upper < 0) <= 0.08


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


def test_a_model_is_the_same_from_the_same_rows(differing: Prepared) -> None:
    one, other = (json.dumps(learn(differing).model.to_json(), sort_keys=True) for _ in range(2))
    assert one == other


def test_a_share_of_treated_that_leaves_no_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Trial.of(pd.DataFrame({"x": [1.0]}), [1], 1.0, [1])


def test_the_dearest_returns_come_first_until_the_budget_is_used_up() -> None:
    gain, cost = np.array([10.0, 9.0, 1.0, 0.5]), np.array([8.0, 2.0, 0.5, 1.0])
    chosen = policy.within_budget(policy.priority_of(gain, cost), cost, 3.0)
    # The first does not fit beside the second, whose every unit spent brings more.
    assert chosen.tolist() == [0, 1, 1, 0]
    assert policy.within_budget(policy.priority_of(gain, cost), cost, 99.0).tolist() == [1, 1, 1, 0]


def test_where_little_pays_all_spend_that_little() -> None:
    gain, risk = np.array([5.0, 0.0, 0.0, 0.5]), np.array([0.1, 0.9, 0.8, 0.7])
    given = policy.at_equal_spending(np.tile(gain, 5), np.tile(risk, 5), np.ones(20))
    # A fifth would pay for four, and five would pay: the budget binds.
    for each in ("expected_profit", "churn_risk", "random"):
        assert abs(given[each].sum() - 4) < 1e-9
    gain = np.array([5.0, 2.0, *[0.5] * 18])
    given = policy.at_equal_spending(gain, np.arange(20.0), np.ones(20))
    assert given["expected_profit"].tolist() == [1, 1, *[0] * 18]
    assert given["churn_risk"].tolist() == [*[0] * 18, 1, 1]
    assert np.allclose(given["random"], 0.1)
    # Nothing pays: nothing is spent; nothing costs: as many are treated.
    assert not policy.at_equal_spending(gain * 0, np.arange(20.0), np.ones(20))["churn_risk"].any()
    free = policy.at_equal_spending(gain, np.arange(20.0), np.zeros(20))
    assert abs(free["random"].sum() - free["expected_profit"].sum()) < 1e-9


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
