"""What was delivered for a day: a profile of every table and column, and a sample of the orders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import duckdb
import pandas as pd

from checks.suites.arrival import MIN_ROWS_FOR_SHARES
from checks.suites.features import MAX_QUARANTINED_SHARE
from pipelines.borders import CODES_TOLD, SAMPLE_ROWS, one_in
from pipelines.borders.reading import Reading
from pipelines.borders.volume import History
from pipelines.resources.lake import Lake, Manifest
from pipelines.resources.warehouse import literal, quoted
from pipelines.sources.connector import DEFECT
from pipelines.sources.contract import ORDER_TABLES, Table, load_contract, load_vars

# Rows of a delivery whose values are read: a share of a million rows is as good as one of fifty,
# and each million of order lines costs two and a half seconds.
_PROFILED_ROWS = 1_000_000

# Of the files that unknown codes stand in a refusal names so many.
_FILES_TOLD = 3

# The columns whose product is the amount of a row that brings an order.
_AMOUNTS = {"orders": ("net_amount",), "order_lines": ("quantity", "unit_price")}


def frames(
    lake: Lake,
    as_of: date,
    *,
    timezone: str = "UTC",
    memory_limit: str = "2GB",
    orders_max_age_days: int = 31,
) -> dict[str, pd.DataFrame]:
    """The frames of the arrival suites, by suite.

    Args:
        lake: holds the batches of the day, pending or accepted before.
        as_of: the day of the run.
        timezone: business time zone.
        memory_limit: of the engine, as DuckDB writes it.
        orders_max_age_days: how much older than the day the newest order may be.
    """
    engine = {
        "memory_limit": memory_limit,
        "TimeZone": timezone,
        # Extensions are downloaded from a site of their own; the time zones are built in.
        "autoinstall_known_extensions": False,
    }
    columns: list[Mapping[str, Any]] = []
    deliveries: list[Mapping[str, Any]] = []
    samples: list[pd.DataFrame] = []
    newest_days: list[date] = []
    with duckdb.connect(config=engine) as connection:
        for table in load_contract().values():
            manifests = lake.manifests(table.name, with_pending_of=as_of)
            history = History.of(manifests, as_of)
            for manifest in (each for each in manifests if each.as_of == as_of):
                delivered = _Delivered(connection, table, manifest, lake)
                is_judged = history.is_first or manifest.rows >= MIN_ROWS_FOR_SHARES
                columns += delivered.columns(is_judged=is_judged)
                deliveries.append(delivered.figures(history, is_judged=is_judged))
                if table.name in ORDER_TABLES:
                    newest_days += delivered.newest_day(as_of)
                    samples += [delivered.sample()] if is_judged else []
        purchases = _purchases(lake, as_of, newest_days, connection, orders_max_age_days)
    return {
        "arrival_columns": _frame(
            columns,
            table_name=str,
            column_name=str,
            required=bool,
            given=bool,
            missing_share=float,
            unreadable_share=float,
            decimal_comma_share=float,
            is_purchases=bool,
            unknown_share=float,
            unknown_codes=str,
        ),
        "arrival_deliveries": _frame(
            deliveries,
            table_name=str,
            is_purchases=bool,
            malformed_share=float,
            repeated_key_share=float,
            volume_ratio=float,
            earlier_deliveries=int,
        ),
        "arrival_purchases": _frame(
            [purchases],
            rows_up_to_as_of=int,
            fell_silent=bool,
            days_too_old=float,
        ),
        "arrival_sample": pd.concat(
            [_frame([], order_id=str, customer_id=str, amount=float), *samples]
        ),
    }


class _Delivered:
    """One delivered table, counted in one pass."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: Table,
        manifest: Manifest,
        lake: Lake,
    ) -> None:
        self._connection = connection
        self._table = table
        self._rows = manifest.rows
        self._parts = manifest.parts
        self._relation = f"read_parquet({literal(lake.data_file(manifest))})"
        stored = {name: kind for name, kind, *_ in self._fetch(f"describe from {self._relation}")}
        self._readings = {
            column.name: Reading(column, stored[column.name])
            for column in table.columns
            if column.name in manifest.columns
        }
        self._well_formed = f"{DEFECT} is null" if DEFECT in stored else "true"
        self._counts = self._count()

    def columns(self, *, is_judged: bool) -> Iterator[Mapping[str, Any]]:
        """One row a column that is required or given; its shares are of the rows well formed."""
        rows = self._counts["rows"]
        for column in self._table.columns:
            given = column.name in self._readings
            if given or column.required:
                has_shares = given and rows and is_judged
                shares = {
                    fault: self._counts[f"{column.name} {fault}"] / rows if has_shares else None
                    for fault in ("missing", "unreadable", "decimal_comma", "unknown")
                }
                is_foreign = (shares["unknown"] or 0) > MAX_QUARANTINED_SHARE
                yield {
                    "table_name": self._table.name,
                    "column_name": column.name,
                    "required": column.required,
                    "given": given,
                    "is_purchases": self._table.name in ORDER_TABLES,
                    **{f"{fault}_share": share for fault, share in shares.items()},
                    "unknown_codes": self._unknown_codes(column.name) if is_foreign else "",
                }

    def figures(self, history: History, *, is_judged: bool) -> Mapping[str, Any]:
        """The row of the table as a whole."""
        has_shares = self._rows and is_judged
        return {
            "table_name": self._table.name,
            "is_purchases": self._table.name in ORDER_TABLES,
            "malformed_share": 1 - self._counts["rows"] / self._counts["profiled"]
            if has_shares
            else None,
            "repeated_key_share": self._repeated_key_share() if has_shares else None,
            "volume_ratio": history.volume_ratio,
            "earlier_deliveries": len(history.usual_rates),
        }

    def newest_day(self, as_of: date) -> list[date]:
        """Day of the newest event, where it is known and not after the day of the run."""
        newest = self._counts.get("newest")
        return [newest] if newest and newest <= as_of else []

    def sample(self) -> pd.DataFrame:
        """Orders as they were delivered, identifiers as text and the amount as a number."""
        given = {name: reading.given for name, reading in self._readings.items()}
        factors = [given.get(name, "null") for name in _AMOUNTS[self._table.name]]
        return self._connection.sql(
            f"""
            select
                {given.get("order_id", "null")}::varchar as order_id,
                {given.get("customer_id", "null")}::varchar as customer_id,
                {" * ".join(f"try_cast({factor} as double)" for factor in factors)} as amount
            from {self._relation}
            where {self._well_formed} and hash(_row) % {one_in(self._rows)} = 0
            order by _row
            limit {SAMPLE_ROWS}
            """
        ).df()

    def _count(self) -> dict[str, Any]:
        given = [f"{self._well_formed} as is_row"]
        figures = ["count(*) as profiled", "count(*) filter (where is_row) as rows"]
        for index, (name, reading) in enumerate(self._readings.items()):
            value = f"value_{index}"
            given.append(f"{reading.given} as {value}")
            missing = f"is_row and {value} is null"
            unreadable = f"is_row and {value} is not null and {reading.is_unreadable(value)}"
            has_comma = f"{unreadable} and {reading.has_decimal_comma(value)}"
            figures += [
                f"count(*) filter (where {condition}) as {quoted(f'{name} {fault}')}"
                for fault, condition in {
                    "missing": missing,
                    # told apart, since it has a remedy of its own
                    "unreadable": f"{unreadable} and not ({has_comma})",
                    "decimal_comma": has_comma,
                    "unknown": f"is_row and {reading.is_unknown(value)}",
                }.items()
            ]
            if name == self._table.time:
                newest = f"max({reading.instant(value)}) filter (where not ({unreadable}))"
                figures.append(f"{newest}::date as newest")
        return self._fetch_one(
            f"""
            select {", ".join(figures)}
            from (
                select {", ".join(given)}
                from {self._relation}
                where _row % {one_in(self._rows, _PROFILED_ROWS)} = 0
            )
            """
        )

    def _unknown_codes(self, name: str) -> str:
        """The codes that nothing knows, where they stand, and those that are known.

        As in the table `quarantine` a longer word, one with digits or one that few customers have
        in common is not told: it may be a person's.
        """
        rules = load_vars()
        reading = self._readings[name]
        customer = (
            self._readings["customer_id"].given if "customer_id" in self._readings else "null"
        )
        self._connection.execute(
            f"""
            create or replace temp view unknown as
            select _row, code, customer_id
            from (
                select _row, {reading.given} as code, {customer} as customer_id
                from {self._relation}
                where {self._well_formed}
            )
            where {reading.is_unknown("code")}
            """
        )
        codes = self._fetch(
            f"""
            select code || ' ' || format('{{:,}}', count(*))
            from unknown
            where length(code) <= {rules["longest_code"]} and not regexp_matches(code, '[0-9@]')
            group by code
            having count(distinct customer_id) >= {rules["code_min_customers"]}
            order by count(*) desc, code
            limit {CODES_TOLD}
            """
        )
        told = ", ".join(code for (code,) in codes)
        known = ", ".join(reading.column.accepted)
        return f"{told or 'no code that many customers share'}{self._files()}; known are {known}"

    def _files(self) -> str:
        """The files that rows of the view `unknown` came in, those with most of them first."""
        if not self._parts:
            return ""
        starts = ", ".join(f"({row}, {literal(label)})" for row, label in self._parts.items())
        labels = self._fetch(
            f"""
            select label
            from unknown asof join (values {starts}) as parts(first_row, label)
                on unknown._row >= parts.first_row
            group by label
            order by count(*) desc, label
            """
        )
        told = ", ".join(label for (label,) in labels[:_FILES_TOLD])
        more = len(labels) - _FILES_TOLD
        return f" in {told}" + (f" and {more} more" if more > 0 else "")

    def _repeated_key_share(self) -> float | None:
        """Share of the different rows that repeat the key of another; versions are told apart."""
        key = [*self._table.key]
        if len(key) == len(self._table.columns) or not self._readings.keys() >= set(key):
            return None
        if "updated_at" in self._readings:
            key.append("updated_at")
        found = self._fetch_one(
            f"""
            select count(distinct _row_hash) as different, count(distinct key) as keys
            from (
                select _row_hash, hash({", ".join(quoted(name) for name in key)}) as key
                from {self._relation}
                where {self._well_formed}
            )
            where key % {one_in(self._rows)} = 0
            """
        )
        return 1 - found["keys"] / found["different"] if found["different"] else None

    def _fetch(self, sql: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql).fetchall()

    def _fetch_one(self, sql: str) -> dict[str, Any]:
        # Not `sql`, which binds these long lists of figures once to name them and once to count.
        found = self._connection.execute(sql)
        [row] = found.fetchall()
        return dict(zip((name for name, *_ in found.description), row, strict=True))


def _purchases(
    lake: Lake,
    as_of: date,
    newest_days: list[date],
    connection: duckdb.DuckDBPyConnection,
    max_age_days: int,
) -> Mapping[str, Any]:
    manifests = [
        manifest
        for name in ORDER_TABLES
        for manifest in lake.manifests(name, with_pending_of=as_of)
    ]
    history = History.of(manifests, as_of)
    rows = history.rows_so_far
    if not rows:
        # A backfill of a day whose rows a later day has taken.
        rows = sum(
            _rows_until(as_of, lake, manifest, connection)
            for manifest in manifests
            if manifest.as_of > as_of and manifest.rows
        )
    if not newest_days:
        # A day without a delivery of its own: the newest order is in another one.
        found = (_newest_until(as_of, lake, m, connection) for m in manifests if m.rows)
        newest_days = [day for day in found if day]
    age = (as_of - max(newest_days)).days if newest_days else None
    return {
        "rows_up_to_as_of": rows,
        "fell_silent": history.fell_silent,
        "days_too_old": None if age is None else max(age - max_age_days, 0),
    }


def _rows_until(
    as_of: date, lake: Lake, manifest: Manifest, connection: duckdb.DuckDBPyConnection
) -> int:
    return int(_until(as_of, lake, manifest, connection, "count(*)") or 0)


def _newest_until(
    as_of: date, lake: Lake, manifest: Manifest, connection: duckdb.DuckDBPyConnection
) -> date | None:
    day: date | None = _until(as_of, lake, manifest, connection, "max(event_at)::date")
    return day


def _until(
    as_of: date,
    lake: Lake,
    manifest: Manifest,
    connection: duckdb.DuckDBPyConnection,
    figure: str,
) -> Any:
    """A figure of the events of a batch (`event_at`) up to a day."""
    time = load_contract()[manifest.table].time
    if time not in manifest.columns:
        return None
    [(value,)] = connection.sql(
        f"select {figure} from (select try_cast({quoted(time)}::varchar as timestamp) as event_at"
        f" from read_parquet({literal(lake.data_file(manifest))}))"
        f" where event_at < timestamp '{as_of + timedelta(days=1)}'"
    ).fetchall()
    return value


def _frame(rows: list[Mapping[str, Any]], **types: type) -> pd.DataFrame:
    """A frame with these columns, in these types also where it has no row."""
    return pd.DataFrame(rows, columns=list(types)).astype(types)
