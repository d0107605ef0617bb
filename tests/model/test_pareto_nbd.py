"""Pareto/NBD: the published fit, the closed form, simulated customers, odd histories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from models.purchase.histories import are_enough
from models.purchase.pareto_nbd import ParetoNbd
from tests.model.test_bg_nbd import tenth_sample

PUBLISHED = ParetoNbd(r=0.5533, alpha=10.578 * 7, s=0.6061, beta=11.669 * 7)
DAYS = np.array


def test_reproduces_the_published_fit_on_cdnow(real_data: Path):
    order_days, recency, tenure = tenth_sample(real_data)
    fitted = ParetoNbd.fit(order_days, recency, tenure)
    found = (fitted.r, fitted.alpha / 7, fitted.s, fitted.beta / 7)
    assert found == pytest.approx((0.5533, 10.578, 0.6061, 11.669), rel=2e-3)
    # The published figure counts in weeks: each repeat purchase is a density per week.
    weeks = ParetoNbd(fitted.r, fitted.alpha / 7, fitted.s, fitted.beta / 7)
    total = weeks.log_likelihood(order_days, recency / 7, tenure / 7).sum()
    assert total == pytest.approx(-9595.0, abs=0.05)


@pytest.mark.parametrize("model", [PUBLISHED, ParetoNbd(0.8, 40.0, 1.5, 200.0)])
def test_likelihood_agrees_with_the_closed_form(model: ParetoNbd):
    """Fader and Hardie (2005), with the larger of alpha and beta in the denominators."""
    x, t_x, age = (
        DAYS([0.0, 0, 1, 2, 9]),
        DAYS([0.0, 0, 200, 30, 250]),
        DAYS([3.0, 270, 271, 260, 265]),
    )
    r, alpha, s, beta = model.r, model.alpha, model.s, model.beta
    larger, gap = max(alpha, beta), abs(alpha - beta)
    second = s + 1 if alpha >= beta else r + x

    def part(t: np.ndarray) -> np.ndarray:
        series = special.hyp2f1(r + s + x, second, r + s + x + 1, gap / (larger + t))
        return series / (larger + t) ** (r + s + x)

    stays = (alpha + age) ** -(r + x) * (beta + age) ** -s
    left = s / (r + s + x) * (part(t_x) - part(age))
    constant = special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) + s * np.log(beta)

    found = model.log_likelihood(x + 1, age - t_x, age)

    assert found == pytest.approx(constant + np.log(stays + left), abs=1e-6)
    assert model.probability_alive(x + 1, age - t_x, age) == pytest.approx(
        stays / (stays + left), abs=1e-6
    )


def test_silence_and_expected_orders_agree_with_simulated_customers():
    rng = np.random.default_rng(0)
    n, age, horizon = 200_000, 300.0, 90.0
    model = ParetoNbd(r=0.8, alpha=60.0, s=0.9, beta=150.0)
    rate, leaves = rng.gamma(model.r, 1 / model.alpha, n), rng.gamma(model.s, 1 / model.beta, n)
    left = rng.exponential(1 / leaves)
    now, count, last, later = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    while (now <= age + horizon).any():
        now = now + rng.exponential(1 / rate)
        happens = now <= left
        early = happens & (now <= age)
        count, last = count + early, np.where(early, now, last)
        later += happens & (now > age) & (now <= age + horizon)
    history = (count + 1, age - last, np.full(n, age))

    stated = model.probability_silent(*history, horizon)

    bins = np.digitize(stated, np.quantile(stated, np.linspace(0, 1, 11)[1:-1]))
    for each in np.unique(bins):
        rows = bins == each
        assert stated[rows].mean() == pytest.approx((later[rows] == 0).mean(), abs=0.01)
    expected = model.expected_orders(*history, horizon)
    assert expected.mean() == pytest.approx(later.mean(), rel=0.02)


@settings(deadline=None, max_examples=50)
@given(
    order_days=st.integers(1, 20_000),
    recency=st.integers(0, 20_000),
    more=st.integers(0, 20_000),
    horizon=st.integers(1, 400),
)
def test_any_history_gives_probabilities(order_days: int, recency: int, more: int, horizon: int):
    history = (DAYS([float(order_days)]), DAYS([float(recency)]), DAYS([float(recency + more)]))
    alive, silent = PUBLISHED.outlook(*history, horizon)
    assert 0 <= alive[0] <= 1
    assert 0 <= silent[0] <= 1
    assert 0 <= PUBLISHED.expected_orders(*history, horizon)[0] < np.inf


def test_unknown_and_impossible_histories_are_unknown():
    history = (DAYS([np.nan, 0.0, 3.0]), DAYS([5.0, 5.0, 50.0]), DAYS([9.0, 9.0, 20.0]))
    assert np.isnan(PUBLISHED.probability_silent(*history, 90)).all()
    assert np.isnan(PUBLISHED.expected_orders(*history, 90)).all()


@pytest.mark.parametrize("repeats", [0.0, 1.0, 400.0])
def test_a_fit_without_a_maximum_still_ends_in_numbers(repeats: float):
    age = np.arange(1.0, 51.0)
    fitted = ParetoNbd.fit(np.full(50, repeats + 1), np.zeros(50), age)
    assert np.isfinite([fitted.r, fitted.alpha, fitted.s, fitted.beta]).all()
    silent = fitted.probability_silent(np.full(50, repeats + 1), np.zeros(50), age, 90)
    assert ((silent >= 0) & (silent <= 1)).all()


@pytest.mark.parametrize(
    ("customers", "repeaters", "days", "enough"),
    [(300, 30, 56, True), (299, 30, 56, False), (300, 29, 56, False), (300, 30, 55, False)],
)
def test_histories_that_are_enough_to_speak_unjudged(
    customers: int, repeaters: int, days: int, enough: bool
):
    order_days = np.ones(customers + 5)
    order_days[:repeaters] = 2
    recency, tenure = np.full(customers + 5, 3.0), np.full(customers + 5, 3.0)
    tenure[0] = days
    tenure[customers:] = np.nan  # nobody knows since when
    assert are_enough(order_days, recency, tenure) is enough
