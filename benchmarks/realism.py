"""How real order files behave, so that the sample company can be held to it.

    python benchmarks/realism.py ../shared/data/cdnow_master.parquet \\
        ../shared/data/online_retail_ii_to_2011_05.parquet

prints, for each file, the figures of `describe`. The range over the files stands as constants
in tests/code/test_sample_realism.py, so that the test needs no real data. Here stands the
arithmetic alone: the test calls the same functions on the sample company.
"""

from __future__ import annotations

import argparse
import datetime
import math
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

HORIZON = 90  # days without an order that count as churn, as in the pipeline itself
SNAPSHOTS = 3  # late snapshots looked at: the last full horizon and the two months before it

# Customer and day of every purchase. Refunds, cancelled invoices and lines without a customer
# are no purchases.
PURCHASES = {
    "cdnow_master": "select customer_id, date::date as ordered_on from '{path}' where amount > 0",
    "online_retail_ii_to_2011_05": """
        select "CustomerID"::varchar as customer_id, "InvoiceDate"::date as ordered_on
        from '{path}'
        where "CustomerID" is not null and "Quantity" > 0 and "UnitPrice" > 0
          and "InvoiceNo" not like 'C%'
    """,
}


class Realism(NamedTuple):
    """What a real order file and the sample company have to have in common."""

    repeat_share: float  # of all buyers, those with two or more order days
    gap_variation: float  # standard deviation / mean of the gaps between order days, all pooled
    gap_quantile_ratio: float  # 90% quantile / median of the same gaps
    recency_auc: tuple[float, ...]  # of "days since the last order" for "no order in 90 days"


def describe(days: npt.NDArray[np.int64], customers: npt.NDArray[np.int64]) -> Realism:
    """Figures of one order file.

    Args:
        days: day number of every purchase, in any order.
        customers: customer number of every purchase.
    """
    pairs = np.unique(np.column_stack([customers, days]), axis=0)
    customer, day = pairs[:, 0], pairs[:, 1]
    gaps = np.diff(day)[np.diff(customer) == 0]
    order_days = np.unique(customer, return_counts=True)[1]
    last_day = int(day.max())
    cutoffs = [last_day - HORIZON - 30 * months_back for months_back in range(SNAPSHOTS)]
    return Realism(
        repeat_share=float(np.mean(order_days > 1)),
        gap_variation=float(gaps.std() / gaps.mean()),
        gap_quantile_ratio=float(np.quantile(gaps, 0.9) / np.median(gaps)),
        recency_auc=tuple(recency_auc(day, customer, cutoff) for cutoff in cutoffs),
    )


def recency_auc(day: npt.NDArray[np.int64], customer: npt.NDArray[np.int64], cutoff: int) -> float:
    """AUC of recency alone for "no order in the `HORIZON` days after `cutoff`".

    Everybody who bought on or before the cutoff takes part. NaN where all or none return.
    """
    before = day <= cutoff
    buyers, position = np.unique(customer[before], return_inverse=True)
    last = np.full(len(buyers), np.iinfo(np.int64).min)
    np.maximum.at(last, position, day[before])
    returned = np.isin(buyers, customer[(day > cutoff) & (day <= cutoff + HORIZON)])
    ranks = rankdata(cutoff - last)
    gone = int((~returned).sum())
    if gone in (0, len(buyers)):
        return math.nan
    return float((ranks[~returned].sum() - gone * (gone + 1) / 2) / (gone * returned.sum()))


def purchases_of(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Day and customer number of every purchase of one of the known real files."""
    rows = duckdb.sql(
        f"""
        select ordered_on - date '1970-01-01' as day,
               dense_rank() over (order by customer_id) as customer
        from ({PURCHASES[path.stem].format(path=path)})
        """
    ).fetchnumpy()
    return rows["day"].astype(np.int64), rows["customer"].astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="real order files, Parquet")
    for path in parser.parse_args().files:
        day, customer = purchases_of(path)
        until = datetime.date(1970, 1, 1) + datetime.timedelta(days=int(day.max()))
        figures = describe(day, customer)
        print(f"{path.stem} (to {until})")
        for name, value in figures._asdict().items():
            values = value if isinstance(value, tuple) else (value,)
            print(f"  {name:<20}" + "  ".join(f"{v:.4f}" for v in values))


if __name__ == "__main__":
    main()
