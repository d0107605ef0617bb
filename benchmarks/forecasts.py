"""How good the forecasts of return, next order and profit are, out of time, beside their baselines.

    python -m benchmarks.forecasts data/real/cdnow data/real/online_retail

reads the warehouses of homes whose last run trained (`make real` makes the two above) and prints
the figures of every forecast: as of the day of the run, and as of each earlier month-end given by
--as-of, with nothing known that came after it. Where a file has no costs, profit is a share of net
amount (the var default_margin), the same for all methods.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from models import outlook
from models.features import NEXT_ORDER, OBSERVED, SNAPSHOT
from models.forecast import HORIZONS

FRAME = """
    select features.*, outcomes.* exclude (snapshot_on, customer_id)
    from purchase_features as features
    left join purchase_outcomes as outcomes using (snapshot_on, customer_id)
    order by features.snapshot_on, features.customer_id
"""
HORIZON_DAYS = 90
SEED = 20260630


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
            trained = outlook.train(
                known_by(frame, day), as_of=day, horizon_days=HORIZON_DAYS, seed=SEED
            )
            for kind, forecast in trained.forecasts.items():
                figures = trained.evaluations
                figures = figures[figures["model_kind"] == kind]
                print(f"\n== {home.name}, known by {day}: {kind}, {forecast.horizon_days} days ==")
                print(forecast.card.decision)
                if len(figures):
                    cutoff = figures["cutoff_on"].iloc[0].date()
                    table = figures.pivot(index="role", columns="metric", values="value")
                    print(f"test from {cutoff}\n{table.round(4).to_string()}")


if __name__ == "__main__":
    main()
