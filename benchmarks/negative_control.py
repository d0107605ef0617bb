"""Whether nothing is found where there is nothing to find: churn trained on permuted outcomes.

    python -m benchmarks.negative_control HOME ... [--seeds 20]

What came after each snapshot of a home whose last run trained is dealt out anew among that
snapshot's customers, and a training is done as a run does it. On the mean of the seeds the trees
must tell churners from stayers no better than chance, and a baseline must be served each time; what
chance does to one seed, with a few thousand customers a point or two of AUC, is told beside. Exit
status 1 where either fails.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from models.churn import training
from models.churn.fitting import BASELINE_ROLES
from models.evaluation.judging import CHALLENGER
from models.frame.features import OUTCOME, SNAPSHOT, is_asked
from pipelines.defs.training import SEED, horizon_days, training_frame
from pipelines.resources.warehouse import Warehouse

CHANCE = (0.47, 0.53)


def permuted(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The frame with the outcomes of each snapshot in another order."""
    rng = np.random.default_rng(seed)
    outcomes = [name for name in OUTCOME if name in frame]
    position = np.arange(len(frame))
    asked = frame.reset_index(drop=True).loc[is_asked(frame).to_numpy()]
    for rows in asked.groupby(SNAPSHOT).groups.values():
        position[rows] = rng.permutation(rows)
    dealt = frame[outcomes].iloc[position].set_axis(frame.index)
    return frame.drop(columns=outcomes).join(dealt)


def main() -> int:
    """Print a line for each home and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("homes", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    failed = False
    for home in asked.homes:
        warehouse = Warehouse(home / "warehouse.duckdb")
        frame, horizon = training_frame(warehouse), horizon_days(warehouse)
        [as_of] = warehouse.frame("select max(snapshot_on) as day from snapshots")["day"]
        found = []
        for seed in range(1, asked.seeds + 1):
            result = training.train(
                permuted(frame, seed), as_of=as_of.date(), horizon_days=horizon, seed=SEED
            )
            figures = result.evaluations.set_index(["role", "metric"])["value"]
            if (CHALLENGER, "auc") not in figures:
                raise SystemExit(f"{home}: the last run did not train; run the job retrain first")
            found.append(float(figures[CHALLENGER, "auc"]))
            is_baseline = result.served_role in BASELINE_ROLES
            failed |= not is_baseline
            print(
                f"{home.name}, seed {seed}: AUC {found[-1]:.3f}, {result.served_role} is served"
                + ("" if is_baseline else ": NO BASELINE"),
                flush=True,
            )
        held = CHANCE[0] <= np.mean(found) <= CHANCE[1]
        failed |= not held
        print(
            f"{home.name}: AUC {np.mean(found):.3f} on average, {min(found):.3f} to "
            f"{max(found):.3f}: "
            + ("nothing found, as it should be" if held else "SOMETHING WAS FOUND"),
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
