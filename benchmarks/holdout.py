"""A published holdout: one cutoff, one horizon, every customer judged, whoever has left included.

    python -m benchmarks.holdout data/real/cdnow --cutoff 1997-12-31 --days 181

The literature on CDNOW calibrates to the end of 1997 and asks who orders in the half year after
it, all 23,570 customers, while the product scores those who have not churned. So the features are
built anew from the home's lake, in a folder that goes away, with customers who have churned among
them (var features_of_churned); models and baselines are those of the product. What is random in
the trees' growth moves the fourth decimal of their AUC, so that figures are means over some seeds,
that of a run the first of them, and the spread is told. `make real` makes the home.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

from models.churn.fitting import fit
from models.evaluation.judging import evaluate
from models.frame.features import labelled
from models.frame.outcomes import Outcomes
from pipelines.defs.training import SEED
from pipelines.settings import PROJECT_ROOT

METRICS = ("auc", "average_precision", "log_loss", "brier", "ece")
FRAME = """
    select features.*, labels.days_to_next_order, labels.days_observed
    from customer_features as features
    inner join customer_labels as labels using (snapshot_on, customer_id)
    order by features.snapshot_on, features.customer_id
"""


def frame_of(lake: Path, cutoff: date, days: int) -> pd.DataFrame:
    """Features of every customer at every month-end, with what is known of them after `days`.

    Raises:
        CalledProcessError: dbt could not build them; it has said why.
    """
    project = str(PROJECT_ROOT / "dbt_project")
    variables = {
        "as_of": (cutoff + timedelta(days=days)).isoformat(),
        "lake": str(lake.resolve()),
        "training": True,
        "horizon_days": days,
        "features_of_churned": True,
    }
    with tempfile.TemporaryDirectory() as home:
        places = ["--project-dir", project, "--profiles-dir", project, "--target-path", home]
        # In a process of its own: dbt keeps the warehouse open.
        subprocess.run(
            [
                Path(sys.executable).with_name("dbt"),
                *("--quiet", "--log-level-file", "none", "build", *places),
                *("--vars", json.dumps(variables), "--select", "+customer_labels"),
                *("--exclude-resource-types", "test", "unit_test"),
            ],
            env={**os.environ, "HOMING_HOME": home, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            check=True,
        )
        with duckdb.connect(f"{home}/warehouse.duckdb", read_only=True) as con:
            frame = con.sql(FRAME).df()
    return labelled(frame)


def judged(
    frame: pd.DataFrame, cutoff: date, days: int, *, seed: int, threads: int = 2
) -> pd.DataFrame:
    """Figures of the trees and all baselines as of the cutoff, one row per role."""
    model = fit(frame, as_of=cutoff, horizon_days=days, seed=seed, threads=threads)
    tested = frame[frame["snapshot_on"] == pd.Timestamp(cutoff)]
    outcomes, matrix = Outcomes.of(tested), model.schema.encode(tested)
    evaluation = evaluate(
        outcomes.churned(float(days)),
        {role: model.probability(matrix, outcomes.snapshots, role) for role in model.predictors},
        seed=seed,
    )
    return pd.DataFrame(evaluation.figures).T[list(METRICS)].assign(customers=len(tested))


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, fit, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("home", type=Path)
    parser.add_argument("--cutoff", type=date.fromisoformat, required=True)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    frame = frame_of(chosen.home / "lake", chosen.cutoff, chosen.days)
    seeds = [SEED, *range(1, chosen.seeds)]
    each = pd.concat(
        {seed: judged(frame, chosen.cutoff, chosen.days, seed=seed) for seed in seeds},
        names=["seed", "role"],
    )
    mean = each.groupby("role").mean().sort_values("auc", ascending=False)
    print(f"\nAs of {chosen.cutoff}, who orders within {chosen.days} days")
    print(f"Mean of {len(seeds)} seeds:\n")
    print(mean.astype({"customers": int}).to_string(float_format="{:.4f}".format))
    trees = each.loc[pd.IndexSlice[:, "trees"], "auc"]
    print(f"\nAUC of the trees over the seeds: {trees.min():.4f} to {trees.max():.4f}")


if __name__ == "__main__":
    main()
