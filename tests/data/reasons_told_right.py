"""How often the reasons that the pipeline names are the true ones of the sample company.

`python -m tests.data.reasons_told_right HOME` prints the figures for a home after a run. The
churned are the customers in stage churned who, by the truth, have departed and not come back: the
others in that stage (a third) only buy slowly, and have no reason to be right about.

Two questions, since a pipeline that may say "unknown" can be good at one and bad at the other: of
all churned, an unknown counted as wrong; and of those of whom a reason is named. The second reason
counts beside an unknown first one too, as it is published there. Customers who stated a reason are
left out of the first two lines: what they said was not inferred.

The other side of it: of all churned for whom a reason was inferred, how many have none, since by
the truth they have not departed, or came back.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd


@dataclass(frozen=True)
class Share:
    """Customers, and the share of them told right at once and within two."""

    customers: int
    first: float
    within_two: float


def told_right(home: Path) -> dict[str, Share]:
    """The shares by question: not_stated, not_stated_and_named, all, named, unknown."""
    marked = _churned(home).query("has_departed")
    questions = {
        "not_stated": marked.kind != "stated",
        "not_stated_and_named": marked.kind == "inferred",
        "all": marked.kind == marked.kind,
        "named": marked.kind != "unknown",
        "unknown": marked.kind == "unknown",
    }
    return {
        name: Share(len(rows), rows.is_first.mean(), rows.is_within_two.mean())
        for name, asked in questions.items()
        if len(rows := marked[asked])
    }


def told_without_cause(home: Path) -> tuple[int, int]:
    """Churned who have not departed but have an inferred reason; all churned who have one."""
    inferred = _churned(home).query("kind == 'inferred'")
    return int((~inferred.has_departed).sum()), len(inferred)


def _churned(home: Path) -> pd.DataFrame:
    """Customers in stage churned: have they departed, kind of their reason, whether it is right."""
    truth = next((home / "truth").glob("*/causes"))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        return con.sql(
            f"""
            with departed as (
                select customer_id, max_by(cause, ended_at) as cause
                from '{truth}/*.parquet'
                where outcome = 'departed' and returned_at is null
                    and ended_at < (select max(as_of_date) + 1 from churn_reasons)
                group by 1
            )
            select
                departed.customer_id is not null as has_departed,
                reasons.reason_kind as kind,
                coalesce(cause = reason_code, false) as is_first,
                is_first or coalesce(cause = second_reason_code, false) as is_within_two
            from customer_lifecycle as lifecycle
            join churn_reasons as reasons using (customer_id)
            left join departed using (customer_id)
            where lifecycle.lifecycle_stage = 'churned'
            """
        ).df()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, share in told_right(folder).items():
        print(
            f"{name:22}{share.customers:6} customers  first {share.first:.1%}"
            f"  within two {share.within_two:.1%}"
        )
    without, inferred = told_without_cause(folder)
    print(f"inferred without cause {without:5} of {inferred} customers  {without / inferred:.1%}")
