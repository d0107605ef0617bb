"""Whether the learner finds whom a campaign moves, on a real randomised test.

    python -m benchmarks.uplift ../shared/data/hillstrom_womens.parquet

Visits within two weeks after the women's mail against no mail (Hillstrom, MineThatData, 2008).
Qini as scikit-uplift computes it, of predictions by models that did not see the customer: five
folds, drawn anew for each repetition, all folds of a repetition ranked together. The average
effect's interval is that of the doubly robust scores, whose means take out what the purchases
before the mail explain.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from models.effects.effect_model import learn
from models.effects.qini import held_out_qini
from models.effects.trial import Prepared, Trial, mean_with_interval

FEATURES = ["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]
REPETITIONS = 5


def trial_of(data: pd.DataFrame, repetition: int = 0) -> Trial:
    """The test as a trial; a repetition draws other folds."""
    treated = (data["segment"] == "Womens E-Mail").to_numpy(np.float64)
    customers = [f"{repetition}:{customer}" for customer in data["customer_id"]]
    return Trial.of(data[FEATURES], treated, treated.mean(), data["visit"], customer=customers)


def main() -> None:
    """Print a line per repetition, their mean, and the average effect."""
    from sklift.metrics import qini_auc_score  # noqa: PLC0415  of the extra `dev`

    # scikit-uplift 0.5.1 sums by a function that scikit-learn 1.10 will no longer have.
    warnings.filterwarnings("ignore", message=".*stable_cumsum", category=FutureWarning)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    data = pd.read_parquet(parser.parse_args().file)
    table = Table(box=None)
    for name in (
        "repetition",
        "Qini (scikit-uplift)",
        "held-out gain over chance",
        "its lower end",
    ):
        table.add_column(name, justify="right")
    found = []
    for repetition in range(REPETITIONS):
        prepared = Prepared.of(trial_of(data, repetition))
        learnt = learn(prepared)
        qini = qini_auc_score(prepared.trial.outcome, learnt.held_out, prepared.trial.treated)
        gain, lower, _ = held_out_qini(prepared, learnt)
        found.append(qini)
        table.add_row(str(repetition), f"{qini:.4f}", f"{gain:.5f}", f"{lower:.5f}")
    console = Console()
    console.print(table)
    console.print(f"Qini: mean {np.mean(found):.4f}, lowest {min(found):.4f}")
    effect, lower, upper = mean_with_interval(
        prepared.scores(learnt.held_out), prepared.trial.customer
    )
    console.print(
        f"Average effect on visits: {100 * effect:.2f} points, 95% from {100 * lower:.2f} to "
        f"{100 * upper:.2f}"
    )


if __name__ == "__main__":
    main()
