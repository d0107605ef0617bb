"""BG/NBD: the published fit, the closed forms, and histories that break naive code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from models.purchase.bg_nbd import BgNbd

PUBLISHED = BgNbd(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)
SAMPLE = Path(__file__).parent / "cdnow_tenth_sample.txt"
DAYS = np.array


def tenth_sample(real_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order days, recency and tenure of the one-tenth sample at the end of its calibration."""
    orders = pd.read_parquet(real_data / "cdnow_master.parquet")
    lines = SAMPLE.read_text().splitlines()
    steps = " ".join(line for line in lines if not line.startswith("#")).split()
    sample = {f"{each:05d}" for each in np.cumsum([int(step) for step in steps])}
    end = pd.Timestamp("1997-09-30")
    calibration = orders[orders["customer_id"].isin(sample) & (orders["date"] <= end)]
    seen = calibration.groupby("customer_id")["date"].agg(["min", "max", "nunique"])
    assert len(seen) == 2357
    return (
        seen["nunique"].to_numpy(float),
        (end - seen["max"]).dt.days.to_numpy(float),
        (end - seen["min"]).dt.days.to_numpy(float),
    )


def test_reproduces_the_published_fit_on_cdnow(real_data: Path):
    fitted = BgNbd.fit(*tenth_sample(real_data))
    found = (fitted.r, fitted.alpha / 7, fitted.a, fitted.b)
    assert found == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.0006)


def test_expected_orders_agree_with_the_closed_form():
    x, t_x, age = DAYS([0.0, 1, 2, 9]), DAYS([0.0, 200, 30, 250]), DAYS([270.0, 271, 260, 265])
    m, horizon = PUBLISHED, 273.0
    factor = ((m.alpha + age) / (m.alpha + age + horizon)) ** (m.r + x)
    series = special.hyp2f1(
        m.r + x, m.b + x, m.a + m.b + x - 1, horizon / (m.alpha + age + horizon)
    )
    left = (x > 0) * m.a / (m.b + np.maximum(x, 1) - 1)
    left = left * ((m.alpha + age) / (m.alpha + t_x)) ** (m.r + x)
    closed = (m.a + m.b + x - 1) / (m.a - 1) * (1 - factor * series) / (1 + left)

    found = m.expected_orders(x + 1, age - t_x, age, horizon)

    assert found == pytest.approx(closed, rel=1e-5)


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.floats(0, 900), st.sampled_from([90.0, 91.0, 900.0])),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=40, deadline=None)
def test_expected_orders_of_many_are_those_of_each(rows: list[tuple[int, float, float]]):
    """Pairs that repeat, and histories that cannot be, among others."""
    order_days, recency, tenure = (np.array(each, dtype=float) for each in zip(*rows, strict=True))
    together = PUBLISHED.expected_orders(order_days, recency, tenure, 365)
    alone = [
        PUBLISHED.expected_orders(
            *(each[at : at + 1] for each in (order_days, recency, tenure)), 365
        )
        for at in range(len(rows))
    ]
    assert np.allclose(together, np.concatenate(alone), rtol=1e-13, atol=0, equal_nan=True)


def test_silence_agrees_with_simulated_customers():
    rng = np.random.default_rng(0)
    n, age, horizon = 200_000, 300.0, 90.0
    model = BgNbd(r=0.8, alpha=60.0, a=1.0, b=3.0)
    rate, leave = rng.gamma(model.r, 1 / model.alpha, n), rng.beta(model.a, model.b, n)
    now, alive = np.zeros(n), np.ones(n, dtype=bool)
    count, last, later = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
    while alive.any():
        now = now + rng.exponential(1 / rate)
        early = alive & (now <= age)
        count, last = count + early, np.where(early, now, last)
        later |= alive & (now > age) & (now <= age + horizon)
        alive &= (now <= age + horizon) & (rng.random(n) >= leave)

    stated = model.probability_silent(count + 1, age - last, np.full(n, age), horizon)

    bins = np.digitize(stated, np.quantile(stated, np.linspace(0, 1, 11)[1:-1]))
    for each in np.unique(bins):
        rows = bins == each
        assert stated[rows].mean() == pytest.approx((~later[rows]).mean(), abs=0.01)


@settings(deadline=None, max_examples=50)
@given(
    order_days=st.integers(1, 20_000),
    recency=st.integers(0, 20_000),
    more=st.integers(0, 20_000),
    horizon=st.integers(1, 400),
)
def test_any_history_gives_probabilities(order_days: int, recency: int, more: int, horizon: int):
    history = (DAYS([float(order_days)]), DAYS([float(recency)]), DAYS([float(recency + more)]))
    assert 0 <= PUBLISHED.probability_alive(*history)[0] <= 1
    assert 0 <= PUBLISHED.probability_silent(*history, horizon)[0] <= 1
    assert 0 <= PUBLISHED.expected_orders(*history, horizon)[0] < np.inf


def test_unknown_and_impossible_histories_are_unknown():
    history = (DAYS([np.nan, 0.0, 3.0]), DAYS([5.0, 5.0, 50.0]), DAYS([9.0, 9.0, 20.0]))
    assert np.isnan(PUBLISHED.probability_alive(*history)).all()
    assert np.isnan(PUBLISHED.expected_orders(*history, 90)).all()


@pytest.mark.parametrize("repeats", [0.0, 1.0, 400.0])
def test_a_fit_without_a_maximum_still_ends_in_numbers(repeats: float):
    age = np.arange(1.0, 51.0)
    fitted = BgNbd.fit(np.full(50, repeats + 1), np.zeros(50), age)
    assert np.isfinite([fitted.r, fitted.alpha, fitted.a, fitted.b]).all()
    assert np.isfinite(fitted.expected_orders(np.full(50, repeats + 1), age, age, 365)).all()


def test_no_history_is_refused():
    with pytest.raises(ValueError, match="at least one customer"):
        BgNbd.fit(DAYS([np.nan]), DAYS([1.0]), DAYS([1.0]))
