"""Whether the next-best category is worth more than the most popular one.

    python benchmarks/next_best.py HOME --as-of 2026-06-30 --cutoff 2025-12-31 --cutoff 2026-03-31

takes the lake of a home that has run for as_of, builds customer_preferences for each cutoff, and
looks at what customers bought next that they had never bought before: how often was it the
category that the table named, how often the most popular of those they did not have? A cutoff
knows no order after it, so this is out of time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import duckdb

PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"

# A customer who took up several new categories on one day is right with any of them.
HITS = """
    with held as (
        select distinct customer_id, category from fct_order_lines
        where status = 'completed' and category is not null
    ),
    new_categories as (
        select customer_id, category, min(ordered_on) as first_on
        from later.fct_order_lines
        where status = 'completed' and category is not null and ordered_on > $cutoff
        group by customer_id, category
    ),
    taken_up as (
        select * from new_categories
        anti join held using (customer_id, category)
        semi join held using (customer_id)
        qualify first_on = min(first_on) over (partition by customer_id)
    ),
    holders as (select category, count(*) as customers from held group by category),
    popular as (
        select buyers.customer_id, holders.category
        from (select distinct customer_id from held) as buyers
        cross join holders
        anti join held
            on held.customer_id = buyers.customer_id and held.category = holders.category
        qualify row_number() over (
            partition by buyers.customer_id order by holders.customers desc, holders.category
        ) = 1
    ),
    judged as (
        select
            coalesce(bool_or(taken_up.category = named.next_best_category), false) as hit,
            coalesce(bool_or(taken_up.category = popular.category), false) as popular_hit
        from taken_up
        left join customer_preferences as named on taken_up.customer_id = named.customer_id
        left join popular on taken_up.customer_id = popular.customer_id
        group by taken_up.customer_id
    )
    select
        count(*),
        count(*) filter (where hit),
        count(*) filter (where popular_hit),
        count(*) filter (where hit and not popular_hit),
        count(*) filter (where popular_hit and not hit)
    from judged
"""


class Hits(NamedTuple):
    """How often each guess was right, over the customers who took up a new category."""

    customers: int
    named: int
    popular: int
    only_named: int
    only_popular: int


def measure(later: Path, earlier: Path, cutoff: str) -> Hits:
    """Compare the guesses of one warehouse with the orders of a later one."""
    with duckdb.connect(str(earlier), read_only=True) as con:
        con.execute(f"attach '{later}' as later (read_only)")
        found = con.execute(HITS, {"cutoff": cutoff}).fetchall()[0]
    return Hits(*found)


def build(scratch: Path, lake: Path, day: str) -> Path:
    """A warehouse with the tables of a day, in a folder of its own."""
    home = scratch / day
    home.mkdir()
    run = {"as_of": day, "lake": str(lake.resolve()), "timezone": "UTC", "training": False}
    subprocess.run(
        [Path(sys.executable).with_name("dbt"), "--quiet", "build",
         "--exclude-resource-types", "test", "unit_test",
         "--project-dir", PROJECT, "--profiles-dir", PROJECT,
         "--target-path", scratch / "target", "--log-path", scratch / "logs",
         "--vars", json.dumps(run), "--select", "+customer_preferences"],
        env=os.environ | {"HOMING_HOME": str(home), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        check=True,
    )  # fmt: skip
    return home / "warehouse.duckdb"


def main() -> None:
    """Print one line per cutoff and one for all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("home", type=Path)
    parser.add_argument("--as-of", required=True)
    parser.add_argument("--cutoff", action="append", required=True)
    arguments = parser.parse_args()
    lake = arguments.home / "lake"
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        later = build(scratch, lake, arguments.as_of)
        all_hits = [
            (cutoff, measure(later, build(scratch, lake, cutoff), cutoff))
            for cutoff in arguments.cutoff
        ]
    together = Hits(*(sum(figures) for figures in zip(*(h for _, h in all_hits), strict=True)))
    for cutoff, hits in [*all_hits, ("together", together)]:
        print(
            f"{cutoff:>10}: {hits.customers} customers took up a new category; named rightly"
            f" {hits.named / hits.customers:.1%}, most popular {hits.popular / hits.customers:.1%}"
            f" (only the one right: {hits.only_named}, only the other: {hits.only_popular})"
        )


if __name__ == "__main__":
    main()
