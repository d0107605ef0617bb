"""Gamma-Gamma: the published fit on CDNOW's one-tenth sample, and what it expects of whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.purchase.gamma_gamma import GammaGamma

SAMPLE = Path(__file__).parent / "cdnow_tenth_sample.txt"


def test_reproduces_the_published_fit_on_cdnow(real_data: Path):
    orders = pd.read_parquet(real_data / "cdnow_master.parquet")
    lines = SAMPLE.read_text().splitlines()
    steps = " ".join(line for line in lines if not line.startswith("#")).split()
    sample = {f"{each:05d}" for each in np.cumsum([int(step) for step in steps])}
    calibration = orders[
        orders["customer_id"].isin(sample) & (orders["date"] <= pd.Timestamp("1997-09-30"))
    ]
    days = calibration.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    repeats = days[days["customer_id"].duplicated()].groupby("customer_id")["amount"]
    repeats = repeats.agg(["size", "mean"])
    assert len(repeats) == 946

    fitted = GammaGamma.fit(repeats["size"].to_numpy(float), repeats["mean"].to_numpy(float))

    # Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value"
    assert (fitted.p, fitted.q, fitted.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.02)


def test_the_more_orders_the_more_a_customers_own_mean_counts():
    model = GammaGamma(p=6.25, q=3.74, gamma=15.44)
    everybody = 6.25 * 15.44 / 2.74
    orders, mean = np.array([0.0, 1, 5, 100, 3]), np.array([np.nan, 80.0, 80, 80, -5])

    expected = model.expected_value(orders, mean)

    assert expected[0] == pytest.approx(everybody)
    assert everybody < expected[1] < expected[2] < expected[3] < 80
    assert expected[3] == pytest.approx(80, rel=0.01)
    assert expected[4] == pytest.approx(everybody)  # a loss is no value the model knows


def test_no_orders_of_value_are_said():
    with pytest.raises(ValueError, match="orders have a positive mean value"):
        GammaGamma.fit(np.array([0.0, 2.0]), np.array([np.nan, -1.0]))


def test_two_samples_of_each_customer_tell_how_much_orders_differ_within_him():
    rng = np.random.default_rng(0)
    orders, p = 1 + rng.poisson(rng.gamma(0.5, 2.0, 4_000)).astype(float), 3.0
    # Who orders more often orders less at a time, which the model does not know.
    mean = 20 * np.exp(0.4 * rng.normal(size=len(orders))) * orders**-0.8
    first, repeats = rng.gamma(p, mean / p), orders - 1
    later = rng.gamma(p * np.maximum(repeats, 1), mean / p) / np.maximum(repeats, 1)
    both = (first + repeats * later) / orders

    alone = GammaGamma.fit(orders, both)
    apart = GammaGamma.fit(
        np.column_stack([np.ones_like(orders), repeats]), np.column_stack([first, later])
    )

    assert apart.p == pytest.approx(p, rel=0.2)
    assert alone.p > 1.5 * p
    assert GammaGamma.fit(orders[:, None], both[:, None]) == alone
