"""How often the reasons that the pipeline names are the true ones of the sample company.

`python -m tests.data.reasons_told_right HOME` prints the figures for a home after a run. The
churned are the customers in stage churned who, by the truth, have departed and not come back: the
others in that stage (a third) only buy slowly, and have no reason to be right about.

Two questions, since a pipeline that may say "unknown" can be good at one and bad at the other: of
all churned, an unknown counted as wrong; and of those of whom a reason is named. The second reason
counts beside an unknown first one too, as it is published there. Customers who stated a reason are
left out of the first two lines: what they said was not inferred.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class Share:
    """Customers, and the share of them told right at once and within two."""

    customers: int
    first: float
    within_two: float


def told_right(home: Path) -> dict[str, Share]:
    """The shares by question: not_stated, not_stated_and_named, all, named, unknown."""
    truth = next((home / "truth").glob("*/causes"))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        marked = con.sql(
            f"""
            with departed as (
                select customer_id, max_by(cause, ended_at) as cause
                from '{truth}/*.parquet'
                where outcome = 'departed' and returned_at is null
                    and ended_at < (select max(as_of_date) + 1 from churn_reasons)
                group by 1
            )
            select
                reasons.reason_kind as kind,
                cause = reason_code as is_first,
                is_first or coalesce(cause = second_reason_code, false) as is_within_two
            from customer_lifecycle as lifecycle
            join departed using (customer_id)
            join churn_reasons as reasons using (customer_id)
            where lifecycle.lifecycle_stage = 'churned'
            """
        ).df()
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


if __name__ == "__main__":
    for name, share in told_right(Path(sys.argv[1])).items():
        print(
            f"{name:22}{share.customers:6} customers  first {share.first:.1%}"
            f"  within two {share.within_two:.1%}"
        )
