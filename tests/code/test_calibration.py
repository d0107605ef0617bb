"""Calibration: probabilities come true, the ranking stays, the level follows the season."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from models.calibration import EPSILON, Calibration, Level, fit_level

DAY = np.datetime64("2025-01-31")


def _fit(margin: np.ndarray, churned: np.ndarray, day: np.datetime64 = DAY) -> Calibration:
    snapshots = np.full(len(margin), day)
    return Calibration.fit(margin, churned, snapshots, shape_on=[day.item()], horizon_days=90)


def test_distorted_log_odds_become_the_true_probability():
    rng = np.random.default_rng(0)
    true = rng.normal(-0.5, 1.2, 40_000)
    churned = rng.random(40_000) < special.expit(true)
    calibration = _fit(3 * true + 2, churned)
    stated = calibration.probability(3 * true + 2, np.full(40_000, DAY))
    assert np.abs(stated - special.expit(true)).mean() < 0.01


def test_the_ranking_stays_even_when_the_predictor_is_wrong():
    rng = np.random.default_rng(1)
    margin = rng.normal(0, 2, 500)
    churned = rng.random(500) < special.expit(-margin)
    stated = _fit(margin, churned).probability(margin, np.full(500, DAY))
    assert (np.diff(stated[np.argsort(margin)]) >= 0).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_any_slice_gives_finite_probabilities(rows: int, seed: int, rate: float):
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 5, rows)
    churned = rng.random(rows) < rate
    stated = _fit(margin, churned).probability(margin, np.full(rows, DAY))
    assert ((stated >= EPSILON) & (stated <= 1 - EPSILON)).all()


def test_a_level_makes_expected_and_observed_churners_agree():
    rng = np.random.default_rng(2)
    margin = rng.normal(0, 1, 5_000)
    churned = rng.random(5_000) < 0.8
    level = fit_level(margin, churned)
    assert special.expit(margin + level).sum() == pytest.approx(churned.sum(), rel=0.002)


def _of_levels(*logits: float) -> Calibration:
    days = pd.date_range("2024-01-31", periods=len(logits), freq="ME")
    levels = tuple(Level(d.date(), x, 100) for d, x in zip(days, logits, strict=True))
    return Calibration(1.0, 1.0, levels, 90)


def test_without_a_year_of_history_the_latest_known_level_is_used():
    calibration = _of_levels(0.1, 0.2, 0.3, 0.4)
    assert calibration.level_for(date(2024, 6, 28)) == 0.2
    assert calibration.level_for(date(2024, 6, 29)) == 0.3
    assert calibration.level_for(date(2025, 6, 30)) == 0.4
    assert calibration.level_for(date(2024, 1, 31)) == 0.1


def test_with_a_year_of_history_the_season_decides():
    """July a year ago, moved by half of what has changed since: March against March."""
    months = [0.0, 0.0, 0.2, 0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.6]
    assert _of_levels(*months).level_for(date(2025, 7, 31)) == pytest.approx(0.8 + 0.5 * 0.4)


def test_comes_back_from_json():
    calibration = _of_levels(0.1, 1 / 3)
    assert Calibration.from_json(calibration.to_json()) == calibration
