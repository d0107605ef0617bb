"""Calibration: probabilities come true, the ranking stays, the level follows the season."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from models.probability.calibration import EPSILON, Calibration, Level, _covariance, fit_level

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


def _levels(logits: Sequence[float]) -> tuple[Level, ...]:
    days = pd.date_range("2024-01-31", periods=len(logits), freq="ME")
    return tuple(Level(d.date(), x, 1e-4) for d, x in zip(days, logits, strict=True))


def _of_levels(*logits: float, pulse: Sequence[float] = ()) -> Calibration:
    return Calibration(1.0, 1.0, _levels(logits), _levels(pulse), 90)


def test_what_is_not_finished_is_not_known():
    calibration = _of_levels(0.1, 0.2, 0.3, 0.4)
    assert calibration.level_for(date(2024, 1, 31)) == 0.1
    first, second = (calibration.level_for(date(2024, 5, day)) for day in (28, 29))
    assert first == pytest.approx(0.1, abs=0.001)
    assert first < second < 0.2


def test_a_change_of_the_pulse_moves_the_level_in_part():
    """The level of March is known on 30 June; May has been silent for four weeks by then."""
    calibration = _of_levels(0.0, 0.0, 0.0, pulse=[0.0, 0.0, 0.0, 0.0, 1.0])
    assert 0.1 < calibration.level_for(date(2024, 6, 29)) < 0.9
    assert calibration.level_for(date(2024, 6, 27)) == pytest.approx(0, abs=1e-9)


def test_with_a_year_of_history_the_season_decides():
    """Last July was 0.8 above the months around it; much of that is expected again."""
    months = [0.0] * 6 + [0.8] + [0.0] * 8
    calibration = _of_levels(*months)
    assert 0.25 < calibration.level_for(date(2025, 7, 31)) < 0.8
    assert abs(calibration.level_for(date(2025, 4, 30))) < 0.1


def test_a_change_since_last_year_is_carried_on():
    """All of this year's months so far lie as much above last year's."""
    year = [0.3 * math.sin(month * math.pi / 6) for month in range(12)]
    calibration = _of_levels(*year, *(each + 0.4 for each in year[:6]))
    assert calibration.level_for(date(2025, 9, 30)) == pytest.approx(year[8] + 0.4, abs=0.15)


def test_records_that_had_just_begun_tell_little_of_a_season():
    """What went before them was unknown for a while: a level's drift in that time is theirs."""
    months = [-0.8, -0.5, -0.3, -0.2] + [0.0] * 9
    old = _of_levels(*months)
    young = replace(old, since=date(2024, 1, 1))
    day = date(2025, 1, 31)
    assert old.level_for(day) < young.level_for(day) - 0.1
    assert young.level_for(day) > -0.3


def test_what_chance_explains_is_no_season():
    months = [0.0] * 6 + [0.8] + [0.0] * 8
    noisy = replace(
        _of_levels(*months),
        levels=tuple(replace(each, variance=3.0) for each in _levels(months)),
    )
    assert abs(noisy.level_for(date(2025, 7, 31))) < 0.1


def test_nothing_linear_beats_the_forecast_where_its_prior_is_true():
    """The latest level, and last year's, are weighings of the same levels: both do worse."""
    days = pd.date_range("2024-01-31", periods=24, freq="ME")
    begin = np.array([(day - days[0]).days for day in days], dtype=np.float64)
    covariance = _covariance(begin + 2_000, np.full(24, 90))
    drawn = np.random.default_rng(4).multivariate_normal(np.zeros(24), covariance, 300)
    errors = np.array(
        [
            np.array([_of_levels(*x[:21]).level_for(days[23].date()), x[20], x[11]]) - x[23]
            for x in drawn
        ]
    )
    forecast, latest, last_year = np.sqrt((errors**2).mean(axis=0))
    assert forecast < 0.9 * min(latest, last_year)


def test_a_level_of_a_day_knows_nothing_later():
    months = list(np.random.default_rng(3).normal(0, 0.5, 24))
    day = date(2025, 6, 30)
    whole = _of_levels(*months, pulse=months)
    known = replace(
        whole,
        levels=tuple(x for x in whole.levels if x.snapshot <= date(2025, 3, 31)),
        pulse=tuple(x for x in whole.pulse if x.snapshot <= date(2025, 5, 31)),
    )
    assert whole.level_for(day) == known.level_for(day)


def test_a_calibration_that_follows_expects_the_same_share():
    rng = np.random.default_rng(5)
    margin = rng.normal(0, 1.5, 2_000)
    reference = _of_levels(0.1, 0.4, 0.2, 0.3, pulse=[0.0, 0.1, 0.3])
    day = date(2024, 6, 30)
    days = np.full(2_000, np.datetime64(day))
    expected = reference.probability(margin, days)
    bold = Calibration(2.0, 2.0, (), (), 90).following(reference, margin - 0.5, expected, day)
    assert bold.probability(margin - 0.5, days).mean() == pytest.approx(expected.mean(), abs=1e-3)
    assert (bold.a, bold.b, bold.pulse) == (2.0, 2.0, reference.pulse)
    later = date(2024, 9, 30)
    moved = [each.level_for(later) - each.level_for(day) for each in (reference, bold)]
    assert moved[0] == pytest.approx(moved[1], abs=0.02)


def test_comes_back_from_json():
    calibration = _of_levels(0.1, 1 / 3, pulse=[0.2])
    assert Calibration.from_json(calibration.to_json()) == calibration
