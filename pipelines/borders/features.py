"""What the model is about to read: counted over all customers of the day, and sampled."""

from __future__ import annotations

import re
from datetime import date

import duckdb
import pandas as pd

from checks.suites.arrival import MIN_ROWS_FOR_SHARES
from checks.suites.features import RECENT_DAYS, UNUSUAL_QUARANTINED_SHARE
from pipelines.borders import CODES_TOLD, SAMPLE_ROWS, one_in
from pipelines.resources.warehouse import Warehouse, literal, quoted
from pipelines.sources.contract import ORDER_TABLES

_KEYS = ("snapshot_on", "customer_id")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_FRACTIONS = ("DECIMAL", "DOUBLE", "FLOAT")

# What a refusal tells of rows in quarantine, so that it still is one message.
_RULES_TOLD = 3

# Rows of a delivery that stand together.
_NEIGHBOURS = 100

# What a feature's name says of its values: a share, or a count or age that cannot be negative.
_SHARE = re.compile(r"_share(_|$)")
_COUNT = re.compile(r"^(?!.*_change_)(.*_\d+d|days_since_.*|orders|(order|recency|tenure)_days)$")


def frames(warehouse: Warehouse, as_of: date) -> dict[str, pd.DataFrame]:
    """The frames of the features suites, by suite, for the snapshot of a day."""
    with warehouse.connect() as connection:
        connection.execute(
            "create temp view customers as"
            f" select * from customer_features where snapshot_on = date '{as_of}'"
        )
        return {
            "features_ledger": _ledger(connection, as_of),
            "features_population": _population(connection, as_of),
            "features_columns": _columns(connection),
            "features_customers": _customers(connection),
        }


def _ledger(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    figures = _shares(connection, as_of)
    worst = figures[["quarantined_share", "recent_quarantined_share"]].max(axis=1)
    figures["main_rules"] = [
        _main_rules(connection, table, as_of) if share > UNUSUAL_QUARANTINED_SHARE else ""
        for table, share in zip(figures["table_name"], worst, strict=True)
    ]
    return figures


def _main_rules(connection: duckdb.DuckDBPyConnection, table: str, as_of: date) -> str:
    """The rules that most rows of a delivery broke, with what was expected and found."""
    rules = connection.execute(
        f"""
        select rule, reason, count(*)
        from quarantine
        where table_name = {literal(table)} and batch_as_of = date '{as_of}'
        group by all
        order by 3 desc, 1, 2
        limit {_RULES_TOLD}
        """
    ).fetchall()
    found = _unknown_codes(connection, table, as_of)
    return "; ".join(
        f"{rule} {rows:,} ({reason}{found.get(rule, '')})" for rule, reason, rows in rules
    )


def _unknown_codes(
    connection: duckdb.DuckDBPyConnection, table: str, as_of: date
) -> dict[str, str]:
    """By rule, the codes that stood where one of a few others was expected, most frequent first."""
    found = connection.execute(
        f"""
        with codes as (
            select
                rule,
                code || ' ' || format('{{:,}}', count(*)) as told,
                row_number() over (partition by rule order by count(*) desc, code) as place
            from quarantine
            where
                table_name = {literal(table)} and batch_as_of = date '{as_of}'
                and code is not null
            group by rule, code
        )
        select rule, string_agg(told, ', ' order by place)
        from codes
        where place <= {CODES_TOLD}
        group by rule
        """
    ).fetchall()
    return {rule: f": {codes}" for rule, codes in found}


def _shares(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    purchases = ", ".join(literal(name) for name in ORDER_TABLES)
    recent = " union all ".join(
        f"""
        select
            {literal(name)} as table_name,
            checked._rule is not null or currency_without_rate._row is not null as is_quarantined,
            coalesce(checked.ordered_on, neighbours.ordered_on) as ordered_on
        from checked_{name} as checked
        left join neighbours
            on checked.ordered_on is null
            and neighbours.table_name = {literal(name)}
            and checked._batch_id = neighbours._batch_id
            and checked._row // {_NEIGHBOURS} = neighbours.place
        left join currency_without_rate
            on currency_without_rate.table_name = {literal(name)}
            and checked._batch_id = currency_without_rate._batch_id
            and checked._row = currency_without_rate._row
        where checked.ordered_on is null or checked.ordered_on <= date '{as_of}'
        """
        for name in ORDER_TABLES
    )
    # An order whose day cannot be read is of about the day of those that it was delivered among, as
    # exports are in the order of time or in none; where none of them can be, it counts as new.
    neighbours = " union all ".join(
        f"""
        select
            {literal(name)} as table_name,
            _batch_id,
            _row // {_NEIGHBOURS} as place,
            quantile_disc(ordered_on, 0.5) as ordered_on
        from checked_{name}
        semi join (select distinct _batch_id from checked_{name} where ordered_on is null)
            using (_batch_id)
        where ordered_on is not null
        group by all
        """
        for name in ORDER_TABLES
    )
    # One bad row of two is a bad row, not a bad delivery: few rows have no share.
    return connection.sql(
        f"""
        with neighbours as ({neighbours}),

        dated as ({recent}),

        newest as (
            select table_name, max(ordered_on) as ordered_on
            from dated
            group by table_name
        ),

        shares as (
            select
                table_name,
                coalesce(dated.ordered_on > newest.ordered_on - {RECENT_DAYS}, true) as is_recent,
                count(*) filter (where is_quarantined) / count(*)::double as quarantined_share
            from dated
            inner join newest using (table_name)
            group by all
            having count(*) >= {MIN_ROWS_FOR_SHARES}
        )

        select
            row_ledger.table_name,
            row_ledger.table_name || ' of ' || as_of::varchar as delivery,
            row_ledger.table_name in ({purchases}) as is_purchases,
            extracted - accepted - quarantined - duplicate as rows_unaccounted_for,
            case
                when as_of = date '{as_of}' and extracted >= {MIN_ROWS_FOR_SHARES}
                    then quarantined / extracted::double
            end as quarantined_share,
            case when as_of = date '{as_of}' then recent.quarantined_share end
                as recent_quarantined_share,
            recent_quarantined_share - earlier.quarantined_share as more_quarantined_share
        from row_ledger
        left join shares as recent
            on row_ledger.table_name = recent.table_name and recent.is_recent
        left join shares as earlier
            on row_ledger.table_name = earlier.table_name and not earlier.is_recent
        order by row_ledger.table_name, as_of
        """
    ).df()


def _population(connection: duckdb.DuckDBPyConnection, as_of: date) -> pd.DataFrame:
    return connection.sql(
        f"""
        select
            (select count(*) from customers) as customers,
            count(*) - count(distinct (snapshot_on, customer_id)) as repeated_rows,
            count(*) filter (where snapshot_on > date '{as_of}') as rows_after_as_of
        from customer_features
        """
    ).df()


def _customers(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    [(rows,)] = connection.sql("select count(*) from customers").fetchall()
    return connection.sql(
        f"""
        select customer_id, order_days, recency_days, tenure_days
        from customers
        where hash(customer_id) % {one_in(rows)} = 0
        limit {SAMPLE_ROWS}
        """
    ).df()


def _columns(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    described = connection.sql("describe customers").fetchall()
    features = [(name, kind) for name, kind, *_ in described if name not in _KEYS]
    figures = " union all ".join(
        _figures(position, name, kind) for position, (name, kind) in enumerate(features)
    )
    return connection.sql(f"select * exclude (position) from ({figures}) order by position").df()


def _figures(position: int, name: str, kind: str) -> str:
    column = quoted(name)
    is_number = kind.startswith((*_INTEGERS, *_FRACTIONS))
    value = f"{column}::double" if is_number else "null::double"
    is_share = _SHARE.search(name) is not None
    is_count = _COUNT.search(name) is not None and kind.startswith(_INTEGERS)
    return f"""
        select
            {position} as position,
            {literal(name)} as column_name,
            count({column}) = 0 and count(*) > 0 as is_empty,
            count(*) filter (where not isfinite({value})) as rows_not_finite,
            min({value}) filter (where isfinite({value})) as lowest,
            max({value}) filter (where isfinite({value})) as highest,
            {is_share or is_count} as is_never_negative,
            {is_share} as is_share
        from customers
    """
