"""How good the forecasts of return, next order and profit are, out of time, beside their baselines.

    python -m benchmarks.forecasts data/real/cdnow data/real/online_retail

reads the warehouses of homes whose last run trained (`make real` makes the two above) and prints
the figures of every forecast: as of the day of the run, and as of each earlier month-end given by
--as-of, with nothing known that came after it. Where a file has no costs, profit is a share of net
amount (the var default_margin), the same for all methods.

Few files are long enough to learn from one year and judge by the next. So the expected profit is
looked back to, too: as it would have been served on every earlier month-end, carried to 12 months
or to six, beside what the days to come, which the home now knows, did earn.

Profit is set beside more than the baselines that training judges by: both of them moved to the
total that the latest finished window had over them. A mean absolute error is smaller for whoever
states less in all, so the gain is told at equal totals, too. Intervals are of 95%, over resamples
of the customers, the same for both sides of a difference.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from models.evaluation.amounts import AmountMetrics
from models.evaluation.judging import Figures, judge
from models.forecasts import outlook, profit
from models.forecasts.forecast import HORIZONS, Snapshots, Windows, longest_windows
from models.forecasts.training import Setting, train
from models.frame.features import NEXT_ORDER, OBSERVED, SNAPSHOT, FloatArray

FRAME = """
    select features.*, outcomes.* exclude (snapshot_on, customer_id)
    from purchase_features as features
    left join purchase_outcomes as outcomes using (snapshot_on, customer_id)
    order by features.snapshot_on, features.customer_id
"""
HORIZON_DAYS = 90
SEED = 20260630
THREADS = 2
OURS, KNOWN = "expected_profit", "bg_nbd + gamma_gamma"
# Days ahead that are looked back to.
LOOKED_BACK = (365, 180)
SHOWN = ("mae", "spearman", "poisson_deviance", "total_ratio", "rmse")


def known_by(frame: pd.DataFrame, day: date) -> pd.DataFrame:
    """The frame as somebody had it on the day of one of its snapshots."""
    known = frame[frame[SNAPSHOT] <= pd.Timestamp(day)].copy()
    observed = (pd.Timestamp(day) - known[SNAPSHOT]).dt.days.astype(float)
    known[OBSERVED] = observed.where(observed > 0)
    known[NEXT_ORDER] = known[NEXT_ORDER].where(known[NEXT_ORDER] <= observed)
    for horizon in HORIZONS:
        name = f"profit_next_{horizon}d"
        known[name] = pd.to_numeric(known[name]).where(observed >= horizon)
    return known


def rivals(snapshots: Snapshots, windows: Windows) -> dict[str, FloatArray]:
    """What BG/NBD and Pareto/NBD with Gamma-Gamma expect of the customers of the test.

    Each as it is, and moved by what the latest finished window earned over it.
    """

    def stated(day: date) -> dict[str, FloatArray]:
        view, matrix = snapshots.view(day), snapshots.of_days([day]).matrix
        return {
            KNOWN: profit.known(profit.fit_known(matrix), matrix, windows.horizon_days),
            "pareto_nbd + gamma_gamma": view.profit(matrix, windows.horizon_days),
        }

    latest = windows.training[-1]
    outcomes = snapshots.of_days([latest]).outcome(f"profit_next_{windows.horizon_days}d")
    then, now = stated(latest), stated(windows.test)
    moved = {
        f"{role}, latest level": each * outcomes.sum() / then[role].sum()
        for role, each in now.items()
    }
    return now | moved


def compare(snapshots: Snapshots, setting: Setting, serves: str) -> pd.DataFrame:
    """Expected profit as it is served, a row per rival, gains positive where it is better."""
    windows = longest_windows(snapshots.all_days, setting.as_of)
    horizon = windows.horizon_days
    tested = snapshots.of_days([windows.test])
    earned = tested.outcome(f"profit_next_{horizon}d")
    forecast = profit.fit(snapshots, windows.training, windows.test, horizon, setting)
    ours = profit.expected(replace(forecast, serves=serves), tested.matrix)
    stated = {OURS: ours, **rivals(snapshots, windows)}
    equal = {f"{role} =": each * ours.sum() / each.sum() for role, each in stated.items()}
    figures = judge(
        {role: AmountMetrics.of(earned, each) for role, each in (stated | equal).items()},
        len(earned),
        seed=setting.seed,
    )
    rows = []
    for role in stated:
        row = {name: f"{figures.figures[role][name]:.4g}" for name in SHOWN} | {"role": role}
        if role != OURS:
            row |= _gains_over(figures, role)
        rows.append(row)
    return pd.DataFrame(rows).set_index("role").fillna("")


def look_back(frame: pd.DataFrame, days_ahead: int) -> pd.DataFrame:
    """Expected profit as served on each month-end, beside BG/NBD with Gamma-Gamma of that day.

    Args:
        frame: of `FRAME`.
        days_ahead: of them; month-ends with fewer days behind them on record are left out.

    Returns:
        One row per month-end: what was served, learnt over how many days; error, rank
        correlation and total of both, and the gains with their intervals.
    """
    whole = Snapshots.of(frame)
    rows: dict[str, dict[str, str]] = {}
    for day in whole.all_days:
        if day + timedelta(days=days_ahead) > whole.all_days[-1]:
            break
        snapshots = Snapshots.of(known_by(frame, day))
        forecast, _ = train(profit.TRAINING, snapshots, Setting(day, HORIZON_DAYS, SEED, THREADS))
        if forecast.view is None:
            continue
        today = snapshots.of_days([day]).matrix
        earned = whole.of_days([day]).outcome(f"profit_next_{days_ahead}d")
        served = profit.predict(forecast, today, days_ahead)["expected_profit"].to_numpy()
        known = profit.known(profit.fit_known(today), today, days_ahead)
        stated = {OURS: served, KNOWN: known, f"{KNOWN} =": known * served.sum() / known.sum()}
        figures = judge(
            {role: AmountMetrics.of(earned, each) for role, each in stated.items()},
            len(earned),
            seed=SEED,
        )
        rows[day.isoformat()] = {
            "customers": f"{len(earned):,}",
            "served": forecast.serves,
            "learnt over": f"{forecast.horizon_days} d" if forecast.trees else "",
        } | _beside(figures)
    return pd.DataFrame(rows).T


def _beside(figures: Figures) -> dict[str, str]:
    """Both sides' figures and the gains, as text."""
    row = {
        metric: f"{figures.figures[OURS][metric]:.4g} / {figures.figures[KNOWN][metric]:.4g}"
        for metric in SHOWN[:4]
    }
    return row | _gains_over(figures, KNOWN)


def _gains_over(figures: Figures, rival: str) -> dict[str, str]:
    """By how much the served one is better than a rival, also at the same total, as text."""
    gains = {
        "mae better by": figures.gain(OURS, rival, "mae"),
        "at equal totals": figures.gain(OURS, f"{rival} =", "mae"),
        "spearman better by": figures.gain(OURS, rival, "spearman"),
    }
    return {
        title: f"{gain.value:.4g} ({gain.lower:.4g} to {gain.upper:.4g})"
        for title, gain in gains.items()
    }


def show(figures: pd.DataFrame) -> str:
    """The figures of one kind with their intervals, a row per metric and a column per role."""
    text = [
        f"{value:.4g}" + ("" if np.isnan(lower) else f" ({lower:.4g} to {upper:.4g})")
        for value, lower, upper in zip(
            figures["value"], figures["lower"], figures["upper"], strict=True
        )
    ]
    table = figures.assign(text=text).pivot(index="metric", columns="role", values="text")
    return str(table.fillna("").to_string())


def main() -> None:
    """Print one table per home, day and kind of forecast."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("homes", nargs="+", type=Path)
    parser.add_argument("--as-of", action="append", type=date.fromisoformat, default=[])
    arguments = parser.parse_args()
    for home in arguments.homes:
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
            frame = con.sql(FRAME).df()
        frame[NEXT_ORDER] = frame[NEXT_ORDER].astype(np.float64)
        days = [day.date() for day in sorted(frame[SNAPSHOT].unique())]
        if len(days) == 1:
            raise SystemExit(f"{home}: the last run did not train; run the job retrain first")
        for day in [each for each in [*arguments.as_of, days[-1]] if each in days]:
            known = known_by(frame, day)
            trained = outlook.train(
                known, as_of=day, horizon_days=HORIZON_DAYS, seed=SEED, threads=THREADS
            )
            for kind, forecast in trained.forecasts.items():
                figures = trained.evaluations
                figures = figures[figures["model_kind"] == kind]
                print(f"\n== {home.name}, known by {day}: {kind}, {forecast.horizon_days} days ==")
                print(forecast.card.decision)
                if len(figures):
                    print(f"test from {figures['cutoff_on'].iloc[0].date()}\n{show(figures)}")
                if kind == profit.KIND and forecast.serves != profit.TRAINING.rule:
                    setting = Setting(day, HORIZON_DAYS, SEED, THREADS)
                    table = compare(Snapshots.of(known), setting, forecast.serves)
                    print(table.to_string())
        for days_ahead in LOOKED_BACK:
            table = look_back(frame, days_ahead)
            if len(table):
                print(f"\n== {home.name}: profit of {days_ahead} days, looked back to ==")
                print(f"{OURS} / {KNOWN}\n{table.to_string()}")


if __name__ == "__main__":
    main()
