"""What keeping a customer is worth, as stated and as it came: of those whose order was in doubt.

    python -m benchmarks.keeping data/real/cdnow data/real/online_retail

reads the warehouses of homes whose last run trained (`make real` makes the two above). As of every
month-end, nothing known that came later, the purchase model names customers as the list `save`
does: for whom an order within 90 days is less likely than none, and three quarters of whose rhythm
have gone by. Months later some of them have ordered in time and some have not: by how much the
former earned more is what keeping was worth. They are compared with others as likely to order and
worth as much an order; the interval is of 95%. Beside it stands what could be stated: the profit of
keeping (models/purchase/view.py), the expected profit, and that over the probability of an order,
as if nobody came back later; all three are the purchase model's own.

With --left the customers are those who have left, by three intervals missed, and what their return
within 90 days was worth is told in the same way.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.forecasts import FRAME
from models.errors import TooLittleDataError
from models.evaluation.confidence import Z
from models.forecasts.forecast import MIN_TRAINING_ROWS, Snapshots
from models.frame.features import NEXT_ORDER, OVERDUE, FloatArray
from models.purchase.view import LEAST_IN_TIME

IN_TIME, HORIZON = 90, 180
# Vars save_from_probability and save_from_overdue_ratio.
AT_RISK, LATE = 0.5, 0.75
# Intervals missed from which a customer has left.
LEFT = 3
# As likely to order, and worth as much an order: fifths of either.
PARTS = 5
KEEPING, EXPECTED, GONE = "profit of keeping", "expected profit", "expected / P(order)"


def look_back(snapshots: Snapshots, horizon: int, *, left: bool = False) -> pd.DataFrame:
    """One row per month-end: what keeping was worth, and what was stated (home currency).

    Args:
        snapshots: with outcomes of the horizon.
        horizon: days ahead for which profit is counted.
        left: of those who have left, instead of those in doubt.
    """
    rows = []
    for day in snapshots.all_days:
        there = snapshots.of_days([day])
        earned = there.outcome(f"profit_next_{horizon}d")
        if np.isnan(earned).any():
            continue
        try:
            view = snapshots.view(day)
        except TooLittleDataError:
            continue
        order = view.ordered_by(there.matrix, np.array([IN_TIME]))[:, 0]
        late = there.matrix.column(OVERDUE)
        in_doubt = (order <= 1 - AT_RISK) & (late >= LATE) & (late < LEFT)
        named = np.flatnonzero(late >= LEFT if left else in_doubt)
        if len(named) < MIN_TRAINING_ROWS:
            continue
        matrix, order = there.matrix.rows(named), order[named]
        came = (there.outcome(NEXT_ORDER)[named] <= IN_TIME).astype(float)
        expected = view.profit(matrix, horizon)
        stated = {
            KEEPING: view.profit_of_keeping(matrix, IN_TIME, horizon),
            EXPECTED: expected,
            GONE: expected / np.maximum(order, LEAST_IN_TIME),
        }
        apart, more = _among_equals(came, earned[named], order, view.order_profit(matrix))
        weight = apart**2 / (apart**2).sum()
        worth = float((apart * more).sum() / (apart**2).sum())
        error = Z * float(np.sqrt((apart**2 * (more - worth * apart) ** 2).sum()))
        rows.append(
            {
                "as of": day,
                "customers": len(named),
                "ordered in time": f"{came.mean():.1%}",
                "worth": worth,
                "+-": error / float((apart**2).sum()),
                **{name: float(weight @ each) for name, each in stated.items()},
            }
        )
    return pd.DataFrame(rows)


def _among_equals(
    came: FloatArray, earned: FloatArray, order: FloatArray, order_profit: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Who came and what was earned, less the means of those who are alike."""
    fifth, of_worth = (
        pd.qcut(each, PARTS, labels=False, duplicates="drop") for each in (order, order_profit)
    )
    table = pd.DataFrame({"came": came, "earned": earned})
    apart = table - table.groupby([fifth, of_worth]).transform("mean")
    return apart["came"].to_numpy(), apart["earned"].to_numpy()


def main() -> None:
    """Print the figures of every home, and how far off each statement is in all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("homes", type=Path, nargs="+")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="days ahead: 180 or 365")
    parser.add_argument("--left", action="store_true", help="what the return of the lost is worth")
    asked = parser.parse_args()
    for home in asked.homes:
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
            frame = con.execute(FRAME).df()
        figures = look_back(Snapshots.of(frame), asked.horizon, left=asked.left)
        print(f"\n{home.name}: profit of {asked.horizon} days (home currency)")
        if figures.empty:
            print("  no month-end with so much after it")
            continue
        print(figures.to_string(index=False, float_format="{:.1f}".format))
        for name in (KEEPING, EXPECTED, GONE):
            times = figures[name].sum() / figures["worth"].sum()
            print(f"  {name}: {times:.2f} of what it was worth")


if __name__ == "__main__":
    main()
