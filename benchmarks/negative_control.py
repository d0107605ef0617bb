"""Whether nothing is found where there is nothing to find: churn trained on permuted outcomes.

    python -m benchmarks.negative_control HOME ... [--seeds 2]

What came after each snapshot of a home whose last run trained is dealt out anew among that
snapshot's customers, and a training is done as a run does it. The trees must tell churners from
stayers no better than chance, and a baseline must be served. Exit status 1 where either fails.
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
from models.frame.features import OUTCOME, SNAPSHOT
from pipelines.defs.training import SEED, horizon_days, training_frame
from pipelines.resources.warehouse import Warehouse

CHANCE = (0.47, 0.53)


def permuted(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The frame with the outcomes of each snapshot in another order."""
    rng = np.random.default_rng(seed)
    outcomes = [name for name in OUTCOME if name in frame]
    position = np.arange(len(frame))
    for rows in frame.reset_index(drop=True).groupby(SNAPSHOT).indices.values():
        position[rows] = rng.permutation(rows)
    dealt = frame[outcomes].iloc[position].set_axis(frame.index)
    return frame.drop(columns=outcomes).join(dealt)


def main() -> int:
    """Print a line for each home and seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("homes", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    failed = False
    for home in asked.homes:
        warehouse = Warehouse(home / "warehouse.duckdb")
        frame, horizon = training_frame(warehouse), horizon_days(warehouse)
        [as_of] = warehouse.frame("select max(snapshot_on) as day from snapshots")["day"]
        for seed in range(1, asked.seeds + 1):
            result = training.train(
                permuted(frame, seed), as_of=as_of.date(), horizon_days=horizon, seed=SEED
            )
            figures = result.evaluations.set_index(["role", "metric"])["value"]
            if (CHALLENGER, "auc") not in figures:
                raise SystemExit(f"{home}: the last run did not train; run the job retrain first")
            auc = figures[CHALLENGER, "auc"]
            held = CHANCE[0] <= auc <= CHANCE[1] and result.served_role in BASELINE_ROLES
            failed |= not held
            print(
                f"{home.name}, seed {seed}: AUC {auc:.3f}, {result.served_role} is served: "
                + ("nothing found, as it should be" if held else "SOMETHING WAS FOUND"),
                flush=True,
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
