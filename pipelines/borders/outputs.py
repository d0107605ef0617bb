"""What is about to be published: counted over whole tables, and sampled.

A list is counted against what suppresses, knows and precedes it over all of its rows; a sample
would let the one customer pass who must not be called.
"""

from __future__ import annotations

from datetime import date

import duckdb
import pandas as pd

from checks.suites.outputs import MIN_ROWS_FOR_LIST_RATIO
from pipelines.borders import SAMPLE_ROWS, one_in
from pipelines.list_history import PUBLISHED_LISTS
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse, literal

# Rules that keep a customer off every list; the others speak of one list.
_RULES_FOR_ALL_LISTS = ("erasure", "test_account")
_RULE_FOR_ALL_BUT_DUTIES = "profiling_objection"


def frames(warehouse: Warehouse, lake: Lake, as_of: date) -> dict[str, pd.DataFrame]:
    """The frames of the outputs suites, by suite, for the lists of a day."""
    with warehouse.connect() as connection:
        return {
            "outputs_scores": _scores(connection, as_of),
            "outputs_scored": _scored(connection, as_of),
            "outputs_lists": _lists(connection),
            "outputs_list_rows": _list_rows(connection, as_of),
            "outputs_suppressed": _sample(connection, "retention_list_suppressed", "rule"),
            "outputs_consents": _consents(connection),
            "outputs_release": _release(connection, lake, as_of),
        }


def _scores(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    return _sample(
        connection,
        "customer_churn_scores",
        f"""
        customer_id,
        churn_probability,
        score_kind,
        date_diff('day', scored_on, date '{as_of}') as score_age_days
        """,
    )


def _scored(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    return connection.sql(
        f"""
        select
            (
                select count(*)
                from customer_features
                anti join customer_churn_scores using (customer_id)
                anti join int_profiling_refusals using (customer_id)
                where snapshot_on = date '{as_of}'
            ) as customers_without_score,
            count(*) as customers,
            count(distinct churn_probability) as different_scores
        from customer_churn_scores
        """
    ).df()


def _list_rows(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    return _sample(
        connection,
        "retention_list",
        f"""
        customer_id,
        list_row_id,
        date_diff('day', as_of_date, date '{as_of}') as days_from_as_of,
        arm,
        list_kind = 'duty' and arm = 'control' as is_duty_held_out,
        consent_state,
        rank_value::double as rank_value,
        priority::double as priority,
        list_code in (select list_code from list_declarations where is_about_profit)
            as is_about_profit,
        churn_or_return_probability as probability,
        score_age_days
        """,
    )


def _sample(connection: duckdb.DuckDBPyConnection, table: str, columns: str) -> pd.DataFrame:
    """Columns of a table, of all of its rows or of those of some customers."""
    return connection.sql(
        f"""
        select {columns}
        from {table}
        where hash(customer_id) % {one_in(_rows(connection, table))} = 0
        limit {SAMPLE_ROWS}
        """
    ).df()


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    [(rows,)] = connection.sql(f"select count(*) from {table}").fetchall()
    return int(rows)


def _lists(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    for_all_lists = ", ".join(literal(rule) for rule in _RULES_FOR_ALL_LISTS)
    return connection.sql(
        f"""
        with suppressed as (
            select customer_id, list_code from retention_list_suppressed
        ),

        suppressed_from_all as (
            select customer_id from retention_list_suppressed where rule in ({for_all_lists})
            -- asked of the source again, for a rule that was never evaluated suppresses nobody
            union all
            select customer_id from stg_erasure_requests
        ),

        objectors as (
            select customer_id from retention_list_suppressed
            where rule = {literal(_RULE_FOR_ALL_BUT_DUTIES)}
        ),

        -- likewise: what a list calls granted must be the last word on the channel, of the customer
        -- and of the person under any record
        granted as (
            select customer_id, channel
            from (
                select
                    consents.customer_id,
                    consents.channel,
                    consents.granted,
                    row_number() over (
                        partition by consents.customer_id, consents.channel
                        order by consents.changed_at desc, consents.granted
                    ) as word,
                    first_value(consents.granted) over (
                        partition by
                            coalesce(records.identity_id, consents.customer_id), consents.channel
                        order by consents.changed_at desc, consents.granted
                    ) as is_granted_by_person
                from stg_consents as consents
                left join customer_xref as records on consents.customer_id = records.customer_id
                where coalesce(consents.basis, 'marketing') = 'marketing'
            )
            where word = 1 and granted and is_granted_by_person
        ),

        listed as (
            select
                list_code,
                customer_id,
                rank,
                arm,
                count(*) over (partition by list_code) as rows_listed,
                customer_id in (select customer_id from suppressed_from_all)
                or (customer_id, list_code) in (select customer_id, list_code from suppressed)
                or (list_kind <> 'duty' and customer_id in (select customer_id from objectors))
                    as is_suppressed,
                consent_state = 'granted'
                and (customer_id, channel) not in (select customer_id, channel from granted)
                    as is_unproven,
                customer_id in (select customer_id from dim_customer) as is_known
            from retention_list
        )

        select
            list_code,
            rows_listed,
            has_holdout,
            count(*) filter (where is_suppressed) as suppressed_customers,
            count(*) filter (where is_unproven) as unproven_consents,
            count(*) filter (where not is_known) as unknown_customers,
            rows_listed - count(distinct customer_id) as repeated_customers,
            rows_listed - count(distinct rank) filter (where rank between 1 and rows_listed)
                as ranks_astray,
            count(*) filter (where arm = 'control') / rows_listed::double as control_share
        from listed
        left join list_declarations using (list_code)
        group by list_code, rows_listed, has_holdout
        order by list_code
        """
    ).df()


def _consents(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """One row whatever the table holds: where nothing is known, nothing may be published."""
    return connection.sql(
        """
        select
            count(*) = 1 and coalesce(bool_and(may_publish), false) as may_publish,
            coalesce(
                'the last delivery on ' || max(last_delivered_on)::varchar,
                'no delivery of consents'
            ) as situation
        from consent_freshness
        """
    ).df()


def _release(connection: duckdb.DuckDBPyConnection, lake: Lake, as_of: date) -> pd.DataFrame:
    rows = _rows(connection, "retention_list")
    before = next((m.rows for m in reversed(lake.manifests(PUBLISHED_LISTS)) if m.as_of < as_of), 0)
    is_comparable = rows and before and max(rows, before) >= MIN_ROWS_FOR_LIST_RATIO
    figures = {
        "emptied": before > 0 and rows == 0,
        "length_ratio": rows / before if is_comparable else None,
    }
    return pd.DataFrame([figures]).astype({"length_ratio": float})
