"""What is about to be published: counted over whole tables, and sampled.

A list is counted against what suppresses, knows and precedes it over all of its rows; a sample
would let the one customer pass who must not be called.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from checks.suites.outputs import MIN_ROWS_FOR_LIST_RATIO
from pipelines.borders import SAMPLE_ROWS, one_in
from pipelines.list_history import PUBLISHED_LISTS
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse, literal

# Rules of suppression that hold for a customer whatever the list.
RULES_FOR_GOOD = ("no_consent", "profiling_objection", "erasure", "test_account")


def frames(warehouse: Warehouse, lake: Lake, as_of: date) -> dict[str, pd.DataFrame]:
    """The frames of the outputs suites, by suite, for the lists of a day."""
    day = f"date '{as_of}'"
    return {
        "outputs_scores": _sample(
            warehouse,
            "customer_churn_scores",
            "customer_id",
            f"""
            customer_id,
            churn_probability,
            score_kind,
            date_diff('day', scored_on, {day}) as score_age_days
            """,
        ),
        "outputs_scored": warehouse.frame(
            f"""
            select
                (
                    select count(*)
                    from customer_features
                    anti join customer_churn_scores using (customer_id)
                    where snapshot_on = {day}
                ) as customers_without_score,
                count(*) as customers,
                count(distinct churn_probability) as different_scores
            from customer_churn_scores
            """
        ),
        "outputs_lists": _lists(warehouse),
        "outputs_list_rows": _sample(
            warehouse,
            "retention_list",
            "customer_id",
            f"""
            customer_id,
            list_row_id,
            date_diff('day', as_of_date, {day}) as days_from_as_of,
            arm,
            priority::double as priority,
            churn_or_return_probability::double as probability,
            score_age_days
            """,
        ),
        "outputs_suppressed": _sample(
            warehouse, "retention_list_suppressed", "customer_id", "rule"
        ),
        "outputs_release": _release(warehouse, lake, as_of),
    }


def _sample(warehouse: Warehouse, table: str, key: str, columns: str) -> pd.DataFrame:
    rows = int(warehouse.frame(f"select count(*) as rows from {table}")["rows"].iloc[0])
    return warehouse.frame(
        f"select {columns} from {table} where hash({key}) % {one_in(rows)} = 0 limit {SAMPLE_ROWS}"
    )


def _lists(warehouse: Warehouse) -> pd.DataFrame:
    for_good = ", ".join(literal(rule) for rule in RULES_FOR_GOOD)
    return warehouse.frame(
        f"""
        with suppressed as (
            select distinct list_code, customer_id from retention_list_suppressed
        ),

        suppressed_for_good as (
            select distinct customer_id from retention_list_suppressed where rule in ({for_good})
        ),

        listed as (
            select
                list_code,
                customer_id,
                rank,
                arm,
                customer_id in (select customer_id from suppressed_for_good)
                or (list_code, customer_id) in (select * from suppressed) as is_suppressed,
                customer_id in (select customer_id from dim_customer) as is_known
            from retention_list
        )

        select
            list_code,
            count(*) as rows_listed,
            count(*) filter (where is_suppressed) as suppressed_customers,
            count(*) filter (where not is_known) as unknown_customers,
            count(*) - count(distinct customer_id) as repeated_customers,
            count(*) - count(distinct rank) filter (where rank between 1 and n) as ranks_astray,
            avg((arm = 'control')::integer) as control_share
        from (select *, count(*) over (partition by list_code) as n from listed)
        group by list_code
        order by list_code
        """
    )


def _release(warehouse: Warehouse, lake: Lake, as_of: date) -> pd.DataFrame:
    rows = int(warehouse.frame("select count(*) as rows from retention_list")["rows"].iloc[0])
    earlier = [m.rows for m in lake.manifests(PUBLISHED_LISTS) if m.as_of < as_of]
    before = earlier[-1] if earlier else 0
    is_comparable = min(before, rows) >= 1 and max(before, rows) >= MIN_ROWS_FOR_LIST_RATIO
    figures = {
        "consents_may_be_relied_on": True,
        "emptied": before > 0 and rows == 0,
        "length_ratio": rows / before if is_comparable else None,
    }
    return pd.DataFrame([figures]).astype({"length_ratio": float})
