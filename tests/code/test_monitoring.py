"""What scores say of themselves, whether they came true, and what people are told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import special

from models.evaluation.judging import evaluate
from models.monitoring.performance import (
    MONITORED,
    drift_alerts,
    expected,
    level_error,
    outcome_alerts,
    realised,
    separation_alerts,
)
from models.probability.calibration import Calibration, Level
from pipelines.defs.monitoring import judgeable
from pipelines.resources.lake import Lake

DAY = date(2026, 3, 31)


def _scores(seed: int = 0, n: int = 3000) -> np.ndarray:
    margin = np.random.default_rng(seed).normal(-0.3, 1.2, n)
    return np.clip(special.expit(margin), 1e-4, 1 - 1e-4)


def test_expected_figures_and_their_intervals_are_those_of_drawn_outcomes() -> None:
    p = np.round(_scores(n=400), 2).clip(0.01, 0.99)  # with ties
    rng = np.random.default_rng(1)
    drawn: dict[str, list[float]] = {metric: [] for metric in MONITORED}
    for _ in range(400):
        y = rng.random(len(p)) < p
        for metric, value in zip(MONITORED, _figures(p, y), strict=True):
            drawn[metric].append(value)
    stated = expected(p).set_index("metric")
    for metric, values in drawn.items():
        row = stated.loc[metric]
        assert np.mean(values) == pytest.approx(row["value"], abs=0.003)
        inside = np.mean((np.array(values) > row["lower"]) & (np.array(values) < row["upper"]))
        assert 0.92 <= inside <= 0.98, metric


def _figures(p: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    ranks = pd.Series(p).rank().to_numpy()
    auc = (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())
    log_loss = -np.where(y, np.log(p), np.log1p(-p)).mean()
    return auc, log_loss, ((p - y) ** 2).mean(), y.mean()


def test_the_level_s_own_error_widens_the_share_alone() -> None:
    p = _scores()
    sure, unsure = (expected(p, error).set_index("metric") for error in (0.0, 0.3))
    width = unsure["upper"] - unsure["lower"]
    assert width["churned_share"] > 3 * (sure["upper"] - sure["lower"])["churned_share"]
    assert width["auc"] == (sure["upper"] - sure["lower"])["auc"]
    assert not len(expected(p[:0]))
    assert not len(realised(p[:0], np.zeros(0, dtype=bool), seed=0))


def test_the_error_of_a_level_is_that_of_stating_it_beforehand() -> None:
    days = pd.date_range("2025-01-31", periods=8, freq="ME").date
    levels = tuple(Level(day, 0.1 * at, 1e-4) for at, day in enumerate(days))
    # The latest level known is three or four months old, and part of it is expected to pass.
    assert 0.29 < level_error(Calibration(1, 1, levels, (), 90)) < 0.5
    assert level_error(Calibration(1, 1, levels[:1], (), 90)) == 0
    assert level_error(None) == 0


def test_scores_that_come_true_alarm_nobody_and_others_do() -> None:
    alarms = 0
    for seed in range(60):
        p = _scores(seed, n=200)
        y = np.random.default_rng(seed + 500).random(len(p)) < p
        alarms += bool(outcome_alerts(expected(p), _seen(p, y), DAY, 90))
    assert alarms <= 5  # of 60; twice 1% is aimed at, more than 5 come once in 1,000 tests
    p = _scores()
    rng = np.random.default_rng(9)
    more = rng.random(len(p)) < special.expit(special.logit(p) + 0.5)
    [alert] = outcome_alerts(expected(p), _seen(p, more), DAY, 90)
    assert alert.alert == "level"
    assert alert.message.startswith("retrain: the share of churners is not what the scores stated")
    assert alert.observed > alert.tolerated
    shuffled = rng.permutation(more)
    assert {a.alert for a in outcome_alerts(expected(p), _seen(p, shuffled), DAY, 90)} == {
        "level",
        "ranking",
    }
    # An error that the level is known to have is none to be told.
    assert not outcome_alerts(expected(p, 0.5), _seen(p, more), DAY, 90)


def _seen(p: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """As `realised`, with the delta method in place of a bootstrap that costs a second a call."""
    stated = expected(p)
    half = (stated["upper"] - stated["lower"]) / 2
    # What was seen has no error beyond that which `expected` holds already, but for sampling.
    value = pd.Series(_figures(p, y))
    return pd.DataFrame(
        {"metric": MONITORED, "value": value, "lower": value - half, "upper": value + half}
    )


def test_realised_figures_are_those_of_evaluation() -> None:
    p = _scores(n=300)
    y = np.random.default_rng(2).random(len(p)) < p
    seen = realised(p, y, seed=3).set_index("metric")
    figures = evaluate(y, {"served": p}, seed=3)
    assert set(seen.index) == set(MONITORED)
    for metric in ("auc", "log_loss", "brier"):
        assert seen.loc[metric, "value"] == figures.figures["served"][metric]
        assert tuple(seen.loc[metric, ["lower", "upper"]]) == figures.interval("served", metric)
    share = seen.loc["churned_share"]
    assert share["lower"] < share["value"] == y.mean() < share["upper"]


def test_scores_that_tell_customers_apart_less_than_when_learnt_are_told() -> None:
    stated = expected(_scores())
    assert not separation_alerts(stated, expected(_scores(seed=1)))
    assert not separation_alerts(stated, stated[:0])
    [alert] = separation_alerts(expected(np.full(3000, 0.4)), stated)
    assert (alert.alert, alert.observed) == ("separation", 0.5)


def test_alerts_of_drift_say_what_to_do() -> None:
    drift = pd.DataFrame(
        {
            "feature": ["a", "b", "c", "d"],
            "statistic": [0.4, 0.38, 0.3, 0.01],
            "threshold": [0.05, 0.05, 0.1, 0.05],
            "missing_share": [0.42, 0.4, 0.0, 0.0],
            "reference_missing_share": [0.02, 0.02, 0.0, 0.0],
            "is_drifted": [True, True, True, False],
            "reference_on": pd.Timestamp(DAY),
        }
    )
    missing, moved = drift_alerts(drift, pd.Series(["surveys", "surveys", "orders", "orders"]))
    assert missing.message == (
        "look at source surveys: a is missing in 42% of rows, was 2%, b is missing in 40% of rows, "
        "was 2%"
    )
    assert moved.subject == "c"
    assert moved.message == (
        "retrain: customers have moved away from those of 2026-03-31 further than months usually "
        "do: c (0.30, up to 0.10 is usual)"
    )
    assert not drift_alerts(drift.assign(is_drifted=False), pd.Series(["orders"] * 4))


@pytest.mark.parametrize(
    ("run_before", "judged"),
    [
        (None, [3]),  # the first run: the latest of what is over
        (date(2026, 6, 29), [3]),  # daily: the scores of one day
        (date(2026, 6, 1), [3]),
        (date(2026, 5, 31), [2, 3]),  # days were left out: all that came due since
        (date(2026, 5, 1), [1, 2, 3]),
    ],
)
def test_no_scores_are_passed_over(
    tmp_path: Path, run_before: date | None, judged: list[int]
) -> None:
    lake, horizon, today = Lake(tmp_path), 30, date(2026, 6, 30)
    rows = pa.table({"customer_id": ["C1"]})
    for day in (date(2026, 4, 2), date(2026, 5, 2), date(2026, 5, 31), date(2026, 6, 1)):
        lake.replace("scores", day, rows)
    if run_before:
        lake.replace("monitoring", run_before, rows)
    lake.replace("monitoring", today, rows)  # of the same day, run once before
    scored = [date(2026, 4, 2), date(2026, 5, 2), date(2026, 5, 31)]
    found = [manifest.as_of for manifest in judgeable(lake, today, horizon)]
    assert found == [scored[n - 1] for n in judged]
