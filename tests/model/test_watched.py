"""What each kind of prediction states and what came of it, and what a version promised."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.churn.watched import CHURN
from models.forecasts.forecast import MODEL, Forecast
from models.forecasts.watched import FORECASTS, promise
from models.frame.features import FeatureSchema
from models.monitoring.predictions import DAYS, PROFIT, Prediction, Promise
from models.probability.calibration import Calibration, Level
from models.versions.card import Card

RETURN, NEXT_ORDER, PROFIT_12M = FORECASTS
NOT_KNOWN = Promise()


def _company(n: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of batches, and what came as they said."""
    rng = np.random.default_rng(7)
    order = rng.uniform(0.02, 0.98, n)
    named = order >= 0.5
    days = np.where(rng.random(n) < order, rng.integers(1, 101, n), np.nan)
    profit = np.where(np.isnan(days), 0.0, rng.gamma(2.0, 50.0, n))
    rows = pd.DataFrame(
        {
            "churn_probability": 1 - order,
            "return_probability": order,
            "order_probability": order,
            "next_order_days_10": np.where(named, 11.0, np.nan),
            "next_order_days_90": np.where(named, 90.0, np.nan),
            "expected_profit_12m": 100 * order,
            "typical_profit_12m": 80 * order,
        }
    )
    return rows, pd.DataFrame({DAYS: days, PROFIT: profit})


def _by_metric(table: pd.DataFrame) -> pd.DataFrame:
    assert table["metric"].is_unique
    return table.set_index("metric")


@pytest.mark.parametrize(
    ("prediction", "share"),
    [(CHURN, "churned_share"), (RETURN, "returned_share"), (NEXT_ORDER, "ordered_share")],
    ids=["churn", "return", "next_order"],
)
def test_the_share_and_the_order_of_an_event(prediction: Prediction, share: str) -> None:
    rows, came = _company()
    stated = _by_metric(prediction.expected(rows, Promise(level_error=0.1)))
    seen = _by_metric(prediction.realised(rows, came, seed=1))
    assert set(stated.index) == set(seen.index) == set(prediction.metrics)
    ordered = came[DAYS].notna().mean()
    happened = 1 - ordered if prediction is CHURN else ordered
    assert stated.loc[share, "value"] == pytest.approx(rows[prediction.value].mean())
    assert seen.loc[share, "value"] == pytest.approx(happened)
    for metric in seen.index:
        assert seen.loc[metric, "lower"] < seen.loc[metric, "value"] < seen.loc[metric, "upper"]
    # It came as it was said: neither the level nor the order is off.
    assert stated.loc["auc", "value"] == pytest.approx(seen.loc["auc", "value"], abs=0.06)
    assert stated.loc[share, "value"] == pytest.approx(seen.loc[share, "value"], abs=0.06)


def test_the_interval_is_judged_by_the_orders_of_those_named_a_day() -> None:
    rows, came = _company()
    named = rows["next_order_days_10"].notna()
    days = came.loc[named, DAYS].dropna()
    seen = _by_metric(NEXT_ORDER.realised(rows, came, seed=1)).loc["coverage_80"]
    assert seen["customers"] == len(days) < named.sum()
    assert seen["value"] == pytest.approx(days.between(11, 90).mean())
    sure, unsure = (
        _by_metric(NEXT_ORDER.expected(rows, Promise(errors={"coverage_80": error})))
        for error in (0.0, 0.1)
    )
    stated = sure.loc["coverage_80"]
    assert stated["value"] == 0.8
    assert stated["customers"] == round(rows.loc[named, "order_probability"].sum())
    by_chance = 1.96 * np.sqrt(0.8 * 0.2 / stated["customers"])
    assert stated["upper"] - 0.8 == pytest.approx(by_chance, rel=1e-3)
    assert unsure.loc["coverage_80", "upper"] - 0.8 == pytest.approx(
        np.hypot(by_chance, 0.196), rel=1e-3
    )
    nobody = rows.assign(next_order_days_10=np.nan, next_order_days_90=np.nan)
    assert "coverage_80" not in set(NEXT_ORDER.expected(nobody, NOT_KNOWN)["metric"])
    assert "coverage_80" not in set(NEXT_ORDER.realised(nobody, came, seed=1)["metric"])


def test_the_total_of_profit_stands_against_what_was_earned() -> None:
    rows, came = _company()
    [stated] = PROFIT_12M.expected(rows, Promise(errors={"profit_total": 0.1})).to_dict("records")
    total = rows["expected_profit_12m"].sum()
    assert (stated["metric"], stated["value"]) == ("profit_total", pytest.approx(total))
    assert stated["upper"] / total == pytest.approx(np.exp(0.196), rel=1e-3)
    assert total / stated["lower"] == pytest.approx(np.exp(0.196), rel=1e-3)
    seen = _by_metric(PROFIT_12M.realised(rows, came, seed=1))
    earned = came[PROFIT]
    assert set(seen.index) == set(PROFIT_12M.metrics)
    assert seen.loc["profit_total", "value"] == pytest.approx(earned.sum())
    by_chance = 1.96 * earned.std() * np.sqrt(len(earned))
    width = seen.loc["profit_total", "upper"] - seen.loc["profit_total", "lower"]
    assert width == pytest.approx(2 * by_chance, rel=0.15)
    assert seen.loc["mae", "value"] == pytest.approx(
        (rows["expected_profit_12m"] - earned).abs().mean()
    )
    assert seen.loc["mae_of_typical", "value"] == pytest.approx(
        (rows["typical_profit_12m"] - earned).abs().mean()
    )
    ranks = rows["expected_profit_12m"].corr(earned, method="spearman")
    assert seen.loc["spearman", "value"] == pytest.approx(ranks)
    # A young company is told a mean and nothing typical; a mean of nothing has no logarithm.
    young = rows.assign(typical_profit_12m=np.nan, expected_profit_12m=0.0)
    assert set(PROFIT_12M.realised(young, came, seed=1)["metric"]) == {
        "mae",
        "spearman",
        "profit_total",
    }


@pytest.mark.parametrize("prediction", [CHURN, *FORECASTS], ids=lambda each: each.kind)
def test_nothing_stated_is_no_figure_and_an_unknown_error_no_interval(
    prediction: Prediction,
) -> None:
    rows, came = _company()
    assert not len(prediction.expected(rows[:0], NOT_KNOWN))
    assert not len(prediction.realised(rows[:0], came[:0], seed=1))
    stated = _by_metric(prediction.expected(rows, NOT_KNOWN))
    [level] = [name for name in stated.index if name.endswith(("_share", "_total"))]
    assert np.isfinite(stated.loc[level, "value"])
    assert np.isnan([stated.loc[level, "lower"], stated.loc[level, "upper"]]).all()
    assert set(prediction.tested(NOT_KNOWN, 5)["metric"]) == set()


def _forecast(kind: str, horizon: int, numbers: dict[str, Any], **metrics: float) -> Forecast:
    card = Card(
        "",
        "",
        metrics={"challenger": {name: [value, None, None] for name, value in metrics.items()}},
        served_role="challenger",
    )
    return Forecast(
        kind,
        date(2026, 6, 30),
        horizon,
        MODEL,
        FeatureSchema(()),
        (),
        None,
        {},
        numbers,
        2,
        card,
    )


def test_what_a_version_promised_is_what_its_test_measured() -> None:
    days = pd.date_range("2025-01-31", periods=8, freq="ME").date
    levels = tuple(Level(day, 0.1 * at, 1e-4) for at, day in enumerate(days))
    calibration = Calibration(1, 1, levels, (), 90).to_json()
    returning = promise(_forecast("return", 90, {"calibration": calibration}, auc=0.8, ece=0.1))
    assert returning.level_error is not None
    assert returning.level_error > 0.29
    [tested] = RETURN.tested(returning, 50).to_dict("records")
    assert (tested["metric"], tested["value"], tested["customers"]) == ("auc", 0.8, 50)
    assert np.isnan(tested["upper"])

    order = promise(_forecast("next_order", 365, {}, coverage_80=0.83, level_error=0.04))
    assert order.errors == {"coverage_80": pytest.approx(0.03), "ordered_share": 0.04}
    rows, _ = _company()
    stated = _by_metric(NEXT_ORDER.expected(rows, order)).loc["ordered_share"]
    p = rows["order_probability"]
    by_chance = np.sqrt((p * (1 - p)).sum()) / len(p)
    assert stated["upper"] - stated["value"] == pytest.approx(
        1.96 * np.hypot(by_chance, 0.04), rel=1e-3
    )

    total = promise(_forecast("profit", 365, {}, total_ratio=0.8, mae=100.0))
    assert total.errors == {"profit_total": pytest.approx(np.log(1.25))}
    assert PROFIT_12M.tested(total, 5)["metric"].to_list() == ["mae"]


def test_a_young_company_is_promised_nothing() -> None:
    # A profit learnt of 90 days is carried to a year: how good that is, nobody has seen.
    assert promise(_forecast("profit", 90, {}, total_ratio=0.8, mae=100.0)) == NOT_KNOWN
    for kind in ("next_order", "profit"):
        unjudged = promise(_forecast(kind, 365, {}))
        assert (dict(unjudged.tested), dict(unjudged.errors)) == ({}, {})
