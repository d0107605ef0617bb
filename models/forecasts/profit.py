"""Expected profit of the next 12 months, and the typical one, of every customer who ever ordered.

Three views of the same customers, none of which is enough:

- Pareto/NBD with Gamma-Gamma, which knows how rhythm and dropout work;
- trees that correct it under a Poisson likelihood, which see what it cannot (last gaps, trends)
  and keep means right;
- trees grown from nothing on the square root of profit, whose root keeps few large customers from
  ruling the many.

They are multiplied with the weights of `WEIGHTS`: half the corrected mean, a quarter each of the
other two. Two readings of that one ranking:

- `expected_profit` is the mean. Its total is the purchase model's own, moved as far as past
  windows agree that it is off (`level`): season and a young company's past are no such agreement;
- `typical_profit` is a power of the mean: the one with the smallest mean absolute error in past
  windows if taken of the purchase model's mean. (Rows that grew the trees fit them better than
  later ones will, and would teach too little caution.) It lies towards the median, which itself
  is 0 for most customers, and adds up to nothing.

With less past than a 12-month horizon asks for, a shorter one is learnt, and carried to 12 months
customer by customer with what the purchase model expects of either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import optimize

from models.errors import TooLittleDataError
from models.evaluation.amounts import AmountMetrics
from models.evaluation.judging import CHALLENGER, judge
from models.evaluation.segments import amounts_by_segment, divide
from models.forecasts.forecast import (
    ENOUGH_ROWS,
    HORIZONS,
    MODEL,
    Forecast,
    Snapshots,
    grow,
    longest_windows,
    require_judgeable,
)
from models.forecasts.training import Kind, Learnt, Setting, decide, role_of
from models.frame.features import ORDER_DAYS, REPEAT_PROFIT, FeatureMatrix, FloatArray
from models.purchase.bg_nbd import BgNbd
from models.purchase.gamma_gamma import GammaGamma
from models.purchase.histories import histories
from models.purchase.view import LEAST_PROFIT, VIEW
from models.versions.card import Card
from models.versions.plots import Plot

KIND: Final = "profit"
# The purchase model that is corrected, and served where correcting it is no gain or nothing can be
# learnt; and the baseline that everybody knows, BG/NBD with the Gamma-Gamma of repeat orders.
BASELINE: Final = "pareto_gamma_gamma"
KNOWN: Final = "gamma_gamma"
TYPICAL: Final = "typical"
YEAR_DAYS = 365
OUTCOMES = tuple(f"profit_next_{days}d" for days in HORIZONS)

# Shallow and few: the trees correct half of a forecast, on a few thousand customers at times.
PARAMETERS: dict[str, Any] = {
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
OBJECTIVES: dict[str, dict[str, Any]] = {
    # Without a bound on the step, the first large customer of a leaf would be all of it.
    MODEL: {"objective": "count:poisson", "max_delta_step": 0.7, "base_score": 1.0},
    "root": {"objective": "reg:squarederror"},
}
ROUNDS = 60
# Over thirteen windows of CDNOW, Online Retail and the sample company never behind BG/NBD in mean
# absolute error at the same total, nor in rank correlation, as either kind of trees alone was.
# Against Pareto/NBD it is even on CDNOW, by luck of the draw on either side, and ahead elsewhere.
WEIGHTS = {"view": 0.25, MODEL: 0.5, "root": 0.25}
# Share of customers, those of whom most is expected, that the typical profit does not learn from.
LARGEST = 0.0025
# Snapshots by which the total is judged: more of a past would be the same windows again.
LEVEL_SNAPSHOTS = 4
MIN_LEVEL_SNAPSHOTS = 2
PURPOSE = (
    "What a customer will earn in the next 12 months. The expected profit is a mean, and adds up; "
    "the typical profit is what to expect of a single customer. Both rank customers alike."
)
LIMITS = (
    "Profit of completed orders less what returns took back; without costs, a share of net amount.",
    "A loss counts as 0 while learning.",
    "The mean absolute error is smallest at a median, which is 0 for most customers: of two means "
    "the smaller one errs less. The rank correlation and the total tell the rest.",
    "A horizon below 12 months carries the season of its test window with it: totals of the months "
    "before Christmas are not those of the months after it.",
    "What a customer earns if nobody acts otherwise than before, not what acting brings.",
)


def fit(
    snapshots: Snapshots, days: Sequence[date], today: date, horizon: int, setting: Setting
) -> Forecast:
    """What is learnt from some days, with the purchase model as of another one.

    Args:
        snapshots: with outcomes of the horizon on each of the days.
        days: to learn from, oldest first, their outcomes over by `today`.
        today: whose customers the total is of.
        horizon: days ahead.
        setting: of the training.

    Raises:
        TooLittleDataError: when nothing was earned, or no purchase or spending model can be fitted.
    """
    for day in (days[-1], today):
        snapshots.view(day).spending()  # raises where there is none
    outcome = f"profit_next_{horizon}d"
    rows = snapshots.of_days(days, most=ENOUGH_ROWS)
    wide = snapshots.view(days[-1]).widen(rows.matrix, horizon)
    profit = np.maximum(rows.outcome(outcome), 0.0)
    scale = float(profit.mean())
    if scale <= 0:
        raise TooLittleDataError(f"nothing was earned in the {horizon} days after {days[-1]}")
    names = (*snapshots.names, *(each.name for each in VIEW))
    viewed = _at_own_total(wide.column("view_profit"), profit, rows.days)
    grown = {
        name: grow(
            wide.columns(names),
            np.sqrt(profit / scale) if start is None else profit / scale,
            PARAMETERS | OBJECTIVES[name],
            rounds=ROUNDS,
            seed=setting.seed,
            threads=setting.threads,
            start=start,
        )
        for name, start in ((MODEL, np.log(viewed / scale)), ("root", None))
    }
    forecast = Forecast(
        KIND,
        setting.as_of,
        horizon,
        MODEL,
        snapshots.schema,
        names,
        snapshots.view(today),
        grown,
        {"scale": scale},
        setting.threads,
        Card("", ""),
    )
    there = snapshots.view(today).widen(snapshots.of_days([today]).matrix, horizon)
    total = float(there.column("view_profit").sum()) * level(snapshots, days, horizon)
    numbers = {
        "scale": scale,
        "level": total / float(_blend(forecast, there).sum()),
        TYPICAL: typical_given(viewed / scale, profit / scale),
    }
    return replace(forecast, numbers=numbers)


def _learn(snapshots: Snapshots, setting: Setting) -> Learnt:
    windows = longest_windows(snapshots.all_days, setting.as_of, setting.horizons)
    horizon = windows.horizon_days
    tested = snapshots.of_days([windows.test])
    earned = tested.outcome(f"profit_next_{horizon}d")
    require_judgeable(earned != 0, len(snapshots.of_days(windows.training).matrix))

    judged = fit(snapshots, windows.training, windows.test, horizon, setting)
    view = snapshots.view(windows.test)
    stated = {
        CHALLENGER: expected(judged, tested.matrix),
        BASELINE: view.profit(tested.matrix, horizon),
        KNOWN: known(fit_known(tested.matrix), tested.matrix, horizon),
    }
    figures = judge(
        {
            role: AmountMetrics.of(earned, each, mae_of_typical=_typical(judged, each, horizon))
            for role, each in stated.items()
        },
        len(earned),
        seed=setting.seed,
        counts={
            role: {"n": float(len(earned)), "positives": float((earned > 0).sum())}
            for role in stated
        },
    )
    serves, decision = decide(
        figures,
        [BASELINE, KNOWN],
        what="the blend with trees",
        losses=["poisson_deviance", "mae"],
        ranking="spearman",
    )
    today = snapshots.all_days[-1]
    served = (
        fit(snapshots, windows.finished, today, horizon, setting)
        if serves == MODEL
        else replace(judged, serves=serves, view=snapshots.view(today), trees={}, names=())
    )
    if serves == KNOWN:
        there = fit_known(snapshots.of_days([today]).matrix)
        served = replace(served, numbers={**served.numbers, KNOWN: there})
    segments = amounts_by_segment(
        divide(tested.described()),
        earned,
        stated,
        served=role_of(served),
        baselines=[role for role in stated if role != role_of(served)],
        seed=setting.seed,
    )
    return Learnt(
        served,
        windows.to_json(),
        windows.test,
        figures,
        decision,
        PARAMETERS | {"objectives": OBJECTIVES, "rounds": ROUNDS, "weights": WEIGHTS},
        [each.to_json() for each in segments],
        [sentence for each in segments for sentence in each.failures()],
        (_by_tenth(earned, stated),),
        judged.importance(),
    )


TRAINING: Final = Kind(
    KIND,
    "Expected profit",
    PURPOSE,
    LIMITS,
    "rule",
    "No profit is foretold; orders ahead times the customer's mean profit of an order stand in",
    YEAR_DAYS,
    _learn,
    loss="poisson_deviance",
    ranking="spearman",
    unjudged=BASELINE,
)


def predict(forecast: Forecast, matrix: FeatureMatrix, days_ahead: int = YEAR_DAYS) -> pd.DataFrame:
    """Profit of the next 12 months, or of other days ahead, a row per row (home currency).

    Returns:
        expected_profit and typical_profit; NaN where the version is a rule or a customer's
        history is not known, and the typical one where nothing was learnt.
    """
    if forecast.view is None:
        nothing = np.full(len(matrix), np.nan)
        return pd.DataFrame({"expected_profit": nothing, "typical_profit": nothing})
    mean = expected(forecast, matrix)
    if forecast.horizon_days != days_ahead:
        carried = forecast.view.profit(matrix, days_ahead)
        mean = mean * carried / forecast.view.profit(matrix, forecast.horizon_days)
    typical = _typical(forecast, mean, days_ahead)
    return pd.DataFrame({"expected_profit": mean, "typical_profit": typical})


def level(snapshots: Snapshots, days: Sequence[date], horizon: int) -> float:
    """By how much what was earned exceeds the purchase model's total, as far as windows agree.

    The purchase model knows neither season nor trend, and past windows know those of their own
    alone. The mean logarithm of earned over expected, each window by the model of its own day, is
    kept in the share of its square that the windows' disagreement does not explain. Windows that
    overlap agree by themselves: their variance is divided by the share that they do not have in
    common, and they count as no more than would fit beside each other.
    """
    at = np.unique(np.linspace(0, len(days) - 1, LEVEL_SNAPSHOTS).round().astype(int))
    errors: dict[date, float] = {}
    for day in (days[each] for each in at):
        rows = snapshots.of_days([day])
        earned = float(rows.outcome(f"profit_next_{horizon}d").sum())
        try:
            viewed = float(snapshots.view(day).profit(rows.matrix, horizon).sum())
        except TooLittleDataError:
            continue  # nothing had been earned by then: there is nothing to be off
        if earned > 0:
            errors[day] = float(np.log(earned / viewed))
    if len(errors) < MIN_LEVEL_SNAPSHOTS:
        return 1.0
    apart = [min((b - a).days / horizon, 1.0) for a, b in combinations(errors, 2)]
    values = np.array(list(errors.values()))
    variance = float(values.var(ddof=1)) / float(np.mean(apart))
    beside = 1 + (max(errors) - min(errors)).days / horizon
    mean = float(values.mean())
    kept = max(0.0, 1 - variance / beside / mean**2) if mean else 0.0
    return float(np.exp(kept * mean))


def expected(forecast: Forecast, matrix: FeatureMatrix) -> FloatArray:
    """The mean profit of each row for the forecast's own horizon (home currency), above 0.

    Raises:
        ValueError: when the version is a rule.
    """
    if forecast.view is None:
        raise ValueError("a rule expects nothing")
    if forecast.serves == KNOWN:
        return known(forecast.numbers[KNOWN], matrix, forecast.horizon_days)
    if forecast.serves != MODEL:
        return forecast.view.profit(matrix, forecast.horizon_days)
    blend = _blend(forecast, forecast.view.widen(matrix, forecast.horizon_days))
    mean: FloatArray = np.maximum(blend * forecast.numbers["level"], LEAST_PROFIT)
    return mean


def _typical(forecast: Forecast, mean: FloatArray, days: int) -> FloatArray:
    """What goes with a mean for so many days; NaN where no past window has taught it."""
    if TYPICAL not in forecast.numbers:
        return np.full(len(mean), np.nan)
    given = forecast.numbers[TYPICAL]
    scale = forecast.numbers["scale"] * days / forecast.horizon_days
    typical = scale * np.exp(given["intercept"] + given["power"] * np.log(mean / scale))
    # What few earn much of is skewed to the right: the mean is the upper end.
    below: FloatArray = np.minimum(typical, mean)
    return below


def fit_known(matrix: FeatureMatrix) -> dict[str, Any]:
    """Parameters of BG/NBD and Gamma-Gamma, fitted on these customers as their authors do.

    Raises:
        TooLittleDataError: when nobody's repeat orders earned anything.
    """
    repeats, profit = matrix.column(ORDER_DAYS) - 1, matrix.column(REPEAT_PROFIT)
    try:
        spending = GammaGamma.fit(repeats, profit)
    except ValueError as error:
        raise TooLittleDataError(f"nothing to judge by: {error}") from error
    purchases = BgNbd.fit(*histories(matrix))
    return {"bg_nbd": purchases.to_json(), "gamma_gamma": spending.to_json()}


def known(fitted: Mapping[str, Any], matrix: FeatureMatrix, horizon: float) -> FloatArray:
    """Profit that they expect of the next `horizon` days (home currency), above 0."""
    orders = BgNbd.from_json(fitted["bg_nbd"]).expected_orders(*histories(matrix), horizon)
    spending = GammaGamma.from_json(fitted["gamma_gamma"])
    repeats, profit = matrix.column(ORDER_DAYS) - 1, matrix.column(REPEAT_PROFIT)
    return np.maximum(orders * spending.expected_value(repeats, profit), LEAST_PROFIT)


def _blend(forecast: Forecast, wide: FeatureMatrix) -> FloatArray:
    """Weighted geometric mean of the three views of each row, without their common level."""
    viewed, scale = wide.column("view_profit"), forecast.numbers["scale"]
    # XGBoost takes no missing start; the product is missing all the same.
    start = np.log(np.where(np.isnan(viewed), scale, viewed) / scale)
    views = {
        "view": viewed,
        MODEL: scale * np.exp(forecast.margin(wide, start)),
        "root": scale * np.maximum(forecast.margin(wide, trees="root"), 0.0) ** 2,
    }
    blend: FloatArray = np.exp(
        sum(WEIGHTS[name] * np.log(np.maximum(each, LEAST_PROFIT)) for name, each in views.items())
    )
    return blend


def _at_own_total(
    values: FloatArray, profit: FloatArray, snapshots: np.ndarray[Any, np.dtype[np.datetime64]]
) -> FloatArray:
    """Values moved to what each snapshot's customers really earned, all together.

    Season moves everybody, and is not to be learnt as something about some of them.
    """
    moved = np.nan_to_num(values, nan=LEAST_PROFIT)
    for day in np.unique(snapshots):
        rows = snapshots == day
        moved[rows] *= max(float(profit[rows].mean()), LEAST_PROFIT) / moved[rows].mean()
    return np.maximum(moved, LEAST_PROFIT)


def typical_given(mean: FloatArray, profit: FloatArray) -> dict[str, float]:
    """The factor (its logarithm) and power of the mean with the smallest mean absolute error.

    A customer counts by what is expected of them, and a single large one would bend the curve for
    all: it is fitted without the few (`LARGEST`) of whom most is expected, in the others'
    own unit.

    Args:
        mean: expected profit, above 0.
        profit: what was earned, in the same unit.
    """
    few = mean <= np.quantile(mean, 1 - LARGEST, method="lower")
    unit = float(mean[few].mean())
    x, profit = np.log(mean[few] / unit), profit[few] / unit
    found = optimize.minimize(
        lambda each: float(np.abs(np.exp(np.clip(each[0] + each[1] * x, -30, 30)) - profit).mean()),
        np.array([0.0, 1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-6, "maxfev": 400},
    )
    intercept, power = map(float, found.x)
    return {"intercept": intercept + (1 - power) * float(np.log(unit)), "power": power}


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
