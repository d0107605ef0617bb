"""What is served before any outcome has taught anything, beside the rule: churn, out of time.

    python -m benchmarks.cold_start HOME ...

At every month-end of a home whose last run trained, up to the first one from which trees could be
learnt, a training is done with what was known by then, and its scores are judged by the 90 days
(the horizon of the home's labels) that followed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from models.churn.baselines import Rule
from models.churn.training import train
from models.evaluation.judging import evaluate
from models.frame.features import SNAPSHOT, labelled, of_snapshot
from models.frame.outcomes import Outcomes
from models.probability.calibration import EPSILON
from models.probability.predictors import probability_of
from pipelines.defs.training import SEED, horizon_days, training_frame
from pipelines.resources.warehouse import Warehouse

METRICS = ("auc", "log_loss", "ece")


def served_early(frame: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """One row per early month-end: what was served, and its figures beside the rule's."""
    rows = {}
    days = [day.date() for day in sorted(frame[SNAPSHOT].unique())]
    for day in days:
        known = frame[frame[SNAPSHOT] <= pd.Timestamp(day)]
        model = train(known, as_of=day, horizon_days=horizon, seed=SEED).model
        if model.is_judged or (days[-1] - day).days < horizon:
            break
        tested = of_snapshot(frame, day)
        matrix, outcomes = model.schema.encode(tested), Outcomes.of(tested)
        rule = probability_of(Rule(horizon).margin(matrix))
        figures = evaluate(
            outcomes.churned(horizon),
            {
                "served": model.probability(matrix, outcomes.snapshots),
                "rule": np.clip(rule, EPSILON, 1 - EPSILON),
            },
            seed=SEED,
        ).figures
        rows[day.isoformat()] = {"customers": f"{len(tested):,}", "served": model.serves} | {
            name: f"{figures['served'][name]:.3f} / {figures['rule'][name]:.3f}" for name in METRICS
        }
    return pd.DataFrame(rows).T


def main() -> None:
    """Print a table for each home."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("homes", nargs="+", type=Path)
    for home in parser.parse_args().homes:
        warehouse = Warehouse(home / "warehouse.duckdb")
        frame = labelled(training_frame(warehouse))
        table = served_early(frame, horizon_days(warehouse))
        print(f"\n{home.name}: served / rule\n{table.to_string()}", flush=True)


if __name__ == "__main__":
    main()
