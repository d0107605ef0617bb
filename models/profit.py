"""Expected profit of the next 12 months, and the typical one, of every customer who ever ordered.

Half purchase model, half trees: the geometric mean of BG/NBD with Gamma-Gamma, which knows how
rhythm and dropout work, and of trees grown on the square root of profit, which see what it cannot
(last gaps, trends, amounts) and whose root keeps few large customers from ruling the many. Either
half ranks customers worse than both together. Two readings of the one ranking:

- `typical_profit` is the blend itself, between the mean and the median (most customers earn
  nothing in most periods, hence a median of 0 that orders nobody): the smallest mean absolute
  error, for a single customer;
- `expected_profit` is the mean given the blend, a power of it fitted by quasi-Poisson regression
  its level half way between what past windows earned and what the purchase model expects: for
  sums, such as revenue at risk.

With less past than a 12-month horizon asks for, a shorter one is learnt, and carried to 12 months
customer by customer with what the purchase model expects of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import optimize, stats

from models.card import Card
from models.errors import TooLittleDataError
from models.features import FeatureMatrix, FloatArray
from models.forecast import (
    ENOUGH_ROWS,
    HORIZONS,
    TREES,
    Forecast,
    Snapshots,
    Windows,
    evaluations,
    for_card,
    gain,
    grow,
    libraries,
    longest_windows,
    require_judgeable,
)
from models.native import thread_limit
from models.plots import Plot
from models.purchases import LEAST_PROFIT, VIEW

KIND: Final = "profit"
BASELINE: Final = "gamma_gamma"
YEAR_DAYS = 365
OUTCOMES = tuple(f"profit_next_{days}d" for days in HORIZONS)

# Shallow and few: the trees correct half of a forecast, on a few thousand customers at times.
PARAMETERS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
    "max_bin": 64,
    "min_child_weight": 20,
    "max_cat_to_onehot": 8,
}
ROUNDS = 60
PURPOSE = (
    "What a customer will earn in the next 12 months. The expected profit is for sums and for "
    "what acting is worth, the typical profit for what to expect of one customer."
)
LIMITS = (
    "Profit of completed orders less what returns took back; without costs, a share of net amount.",
    "A loss counts as 0 while learning; totals are then scaled to what was really earned.",
    "A horizon below 12 months carries the season of its test window with it.",
    "What a customer earns if nobody acts otherwise than before, not what acting brings.",
)


def train(
    snapshots: Snapshots, *, as_of: date, seed: int = 0, threads: int = 2
) -> tuple[Forecast, pd.DataFrame]:
    """Learn, judge out of time, decide, and learn again on all that is known.

    Args:
        snapshots: of every customer who ever ordered: purchase_features with the outcomes of
            purchase_outcomes (NaN where not over), the snapshot of the day itself among them.
        as_of: the day of the training.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded.

    Returns:
        The version, and its figures with the columns of `forecast.EVALUATION_COLUMNS`.
    """
    try:
        windows = longest_windows(snapshots.all_days, as_of)
        with thread_limit(threads):
            return _learn(snapshots, windows, as_of=as_of, seed=seed, threads=threads)
    except TooLittleDataError as reason:
        decision = f"The purchase model's expected orders are served, nothing was learnt: {reason}."
        card = Card("Expected profit", PURPOSE, decision, limits=LIMITS, libraries=libraries())
        rule = Forecast(
            KIND, as_of, YEAR_DAYS, "rule", snapshots.schema, (), None, None, {}, threads, card
        )
        return rule, evaluations(rule, {}, as_of)


def _learn(
    snapshots: Snapshots, windows: Windows, *, as_of: date, seed: int, threads: int
) -> tuple[Forecast, pd.DataFrame]:
    horizon, outcome = windows.horizon_days, f"profit_next_{windows.horizon_days}d"
    tested = snapshots.of_days([windows.test])
    earned = tested.outcome(outcome)
    require_judgeable(earned != 0, len(snapshots.of_days(windows.training).matrix))

    def fitted(days: tuple[date, ...], today: date) -> Forecast:
        """What is learnt from some days, with the purchase model as of another one."""
        rows = snapshots.of_days(days, most=ENOUGH_ROWS)
        wide = snapshots.view(days[-1]).widen(rows.matrix, horizon)
        profit = np.maximum(rows.outcome(outcome), 0.0)
        scale = float(profit.mean())
        if scale <= 0:
            raise TooLittleDataError(f"nothing was earned in the {horizon} days after {days[-1]}")
        names = (*snapshots.names, *(each.name for each in VIEW))
        ubj = grow(
            wide.columns(names),
            np.sqrt(profit / scale),
            PARAMETERS,
            rounds=ROUNDS,
            seed=seed,
            threads=threads,
        )
        there = snapshots.of_days([today]).matrix
        forecast = Forecast(
            KIND,
            as_of,
            horizon,
            TREES,
            snapshots.schema,
            names,
            snapshots.view(today),
            ubj,
            {"scale": scale},
            threads,
            Card("", ""),
        )
        blend = _blend(forecast, wide, wide.column("view_profit"))
        numbers = _mean_given(blend, profit, float(rows.outcome(outcome).sum()))
        forecast = replace(forecast, numbers={"scale": scale, **numbers})
        return replace(forecast, numbers=_between_levels(forecast, there))

    judged = fitted(windows.training, windows.test)
    readings = _readings(judged, tested.matrix)
    expected, typical = (
        readings[name].to_numpy(np.float64) for name in ("expected_profit", "typical_profit")
    )
    baseline = judged.view.profit(tested.matrix, horizon) if judged.view else np.zeros(0)
    figures = {
        "challenger": _figures(earned, expected, typical),
        BASELINE: _figures(earned, baseline, baseline),
    }
    better = gain(np.abs(earned - typical), np.abs(earned - baseline), seed=seed)
    ranks = figures["challenger"]["spearman"] - figures[BASELINE]["spearman"]
    wins = better.lower > 0 and ranks >= 0
    said = (
        f"mean absolute error smaller by {better.value:.2f} (95% from {better.lower:.2f} to "
        f"{better.upper:.2f}), rank correlation by {ranks:+.4f}"
    )
    served = fitted(windows.finished, snapshots.all_days[-1])
    decision = (
        f"The blend with trees is served: it beats BG/NBD with Gamma-Gamma; {said}."
        if wins
        else f"BG/NBD with Gamma-Gamma is served: the blend with trees does not beat it; {said}."
    )
    card = Card(
        "Expected profit",
        PURPOSE,
        decision,
        windows=windows.to_json(),
        metrics=for_card(figures),
        served_role="challenger" if wins else BASELINE,
        plots=(_by_tenth(earned, {"challenger": expected, BASELINE: baseline}),),
        drivers=served.importance(),
        limits=LIMITS,
        parameters=PARAMETERS | {"rounds": ROUNDS, "seed": seed, "threads": threads},
        libraries=libraries(),
    )
    served = replace(served, serves=TREES if wins else BASELINE, card=card)
    return served, evaluations(served, figures, windows.test)


def predict(forecast: Forecast, matrix: FeatureMatrix) -> pd.DataFrame:
    """Profit of the next 12 months, a row per row of the matrix (home currency).

    Returns:
        expected_profit and typical_profit; NaN where the version is a rule or a customer's
        history is not known.
    """
    readings = _readings(forecast, matrix)
    if forecast.view is not None and forecast.horizon_days != YEAR_DAYS:
        year = forecast.view.profit(matrix, YEAR_DAYS)
        readings = readings.mul(year / forecast.view.profit(matrix, forecast.horizon_days), axis=0)
    return readings


def _readings(forecast: Forecast, matrix: FeatureMatrix) -> pd.DataFrame:
    """Both readings for the forecast's own horizon."""
    if forecast.view is None:
        nothing = np.full(len(matrix), np.nan)
        return pd.DataFrame({"expected_profit": nothing, "typical_profit": nothing})
    wide = forecast.view.widen(matrix, forecast.horizon_days)
    viewed = wide.column("view_profit")
    if forecast.serves != TREES:
        return pd.DataFrame({"expected_profit": viewed, "typical_profit": viewed})
    blend = _blend(forecast, wide, viewed)
    numbers = forecast.numbers
    mean = np.exp(numbers["intercept"] + numbers["power"] * np.log(blend)) * numbers["level"]
    return pd.DataFrame({"expected_profit": mean, "typical_profit": blend})


def _between_levels(forecast: Forecast, today: FeatureMatrix) -> dict[str, float]:
    """Move the level of the mean half of the way, in logarithms, to the purchase model's.

    The level learnt is that of past windows, with their season and their customers; the purchase
    model's is that of the day, and knows neither season nor trend. `benchmarks.forecasts` prints
    which share of what was earned the mean of both states.
    """
    numbers: dict[str, float] = dict(forecast.numbers)
    if forecast.view is not None:
        learnt = float(_readings(forecast, today)["expected_profit"].sum())
        viewed = float(forecast.view.profit(today, forecast.horizon_days).sum())
        if learnt > 0:
            numbers["level"] *= float(np.sqrt(viewed / learnt))
    return numbers


def _blend(forecast: Forecast, wide: FeatureMatrix, viewed: FloatArray) -> FloatArray:
    """Geometric mean of the purchase model's and the trees' profit of each row."""
    root = np.maximum(forecast.margin(wide.columns(forecast.names)), 0.0)
    blend: FloatArray = np.sqrt(
        np.maximum(viewed, LEAST_PROFIT)
        * np.maximum(forecast.numbers["scale"] * root**2, LEAST_PROFIT)
    )
    return blend


def _mean_given(blend: FloatArray, profit: FloatArray, total: float) -> dict[str, float]:
    """Quasi-Poisson regression of profit on log blend: its total is the observed one.

    Returns:
        intercept and power of the mean, and the level that takes losses into account.
    """
    x, scale = np.log(blend), float(profit.mean())

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        linear = np.clip(parameters[0] + parameters[1] * x, -30, 30)
        mean = np.exp(linear)
        off = mean - profit / scale
        return float(np.mean(mean - profit / scale * linear)), np.array(
            [off.mean(), off @ x / len(x)]
        )

    found = optimize.minimize(
        loss, np.array([-np.log(scale), 1.0]), jac=True, method="BFGS", options={"gtol": 1e-7}
    )
    return {
        "intercept": float(found.x[0] + np.log(scale)),
        "power": float(found.x[1]),
        "level": max(total, 0.0) / float(profit.sum()),
    }


def _figures(earned: FloatArray, expected: FloatArray, typical: FloatArray) -> dict[str, float]:
    """Metrics of a test window; `mae` and `spearman` are of the typical profit."""
    total = float(earned.sum())
    return {
        "mae": float(np.abs(earned - typical).mean()),
        "mae_of_expected": float(np.abs(earned - expected).mean()),
        "spearman": float(stats.spearmanr(earned, typical).statistic),
        "rmse": float(np.sqrt(np.mean((earned - expected) ** 2))),
        "total_ratio": float(expected.sum() / total) if total > 0 else float("nan"),
        "n": float(len(earned)),
        "positives": float((earned > 0).sum()),
    }


def _by_tenth(earned: FloatArray, expected: Mapping[str, FloatArray]) -> Plot:
    """Mean profit by tenths of the expected one."""
    lines: dict[str, Any] = {}
    for role, values in expected.items():
        tenths = np.array_split(np.argsort(values, kind="stable"), 10)
        filled = [rows for rows in tenths if len(rows)]
        lines[role] = (
            [round(float(values[rows].mean()), 2) for rows in filled],
            [round(float(earned[rows].mean()), 2) for rows in filled],
        )
    return Plot(
        "Earned against expected, by tenths of customers",
        "expected profit (home currency)",
        "profit earned (home currency)",
        lines,
    )
