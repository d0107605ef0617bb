"""Making one batch of the lake: from what arrives to a sorted Parquet file, in one DuckDB session.

Here: numbering, hashing, choosing, sorting and naming the rows of a batch.
Not here: where batches lie and how they are committed (lake.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import source_error
from pipelines.resources.forgetting import Cells
from pipelines.resources.warehouse import literal, quoted
from pipelines.sources.connector import DEFECT, Part
from pipelines.sources.contract import Table
from pipelines.sources.event_time import event_time, is_plausible, midnight

_LATER = "rows_of_later_days"
# Of the rows that an export held when it was last read. Sources do delete a few.
_KEPT_SHARE = 0.8

_WIDEST = (
    (pa.types.is_null, pa.string()),
    (pa.types.is_large_string, pa.string()),
    (pa.types.is_string_view, pa.string()),
    (pa.types.is_uint64, pa.uint64()),
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_floating, pa.float64()),
    (pa.types.is_date, pa.date32()),
)


class Arrival:
    """The parts of all deliveries as one stream of one schema, numbered row by row."""

    def __init__(self, parts: Sequence[Part], held: Mapping[str, int]) -> None:
        self._parts = parts
        self._held = held
        self._rows_of_signed: dict[int, tuple[str, int]] = {}
        self._first_rows: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self.delivered = 0
        self.failure: BaseException | None = None
        self.schema = _common_schema([part.schema for part in parts])

    def reader(self) -> pa.RecordBatchReader:
        """The stream, to be read once."""
        numbers = [pa.field("_row", pa.int64()), pa.field("_part", pa.int32())]
        schema = pa.schema([*self.schema, *numbers])
        return pa.RecordBatchReader.from_batches(schema, self._numbered(schema))

    @property
    def evidence(self) -> frozenset[str]:
        """The further columns that contract columns were computed from, in any part."""
        return frozenset().union(*(part.evidence for part in self._parts))

    def parts(self, taken: Mapping[int, int]) -> dict[int, str]:
        """The labels of the parts that rows were taken of, by the position of their first row."""
        return {
            self._first_rows[place]: part.label
            for place, part in enumerate(self._parts)
            if place in taken
        }

    def offered(self) -> dict[str, int]:
        """The rows of each part, by its label."""
        return {self._parts[place].label: rows for place, rows in self._rows.items()}

    def shrunk(
        self, taken: Mapping[int, int], before: Mapping[str, int]
    ) -> dict[str, tuple[int, int]]:
        """The parts that have lost more than a fifth of their rows: rows before, rows now.

        A part of which most rows were taken is no export that tells everything again, but one of
        what is new since, and may be of any size.

        Args:
            taken: rows taken of each part, by its place.
            before: rows of each part when it was last read, by its label.
        """
        return {
            part.label: (before[part.label], rows)
            for place, rows in self._rows.items()
            if (part := self._parts[place]).label in before
            and rows < _KEPT_SHARE * before[part.label]
            and taken.get(place, 0) <= rows / 2
        }

    def whole_parts(self, taken: Mapping[int, int]) -> dict[str, int]:
        """The parts of which every row was taken, given the rows taken of each, by its place."""
        return {
            signature: rows
            for place, (signature, rows) in self._rows_of_signed.items()
            if rows and taken.get(place) == rows
        }

    def _numbered(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            for place, part in enumerate(self._parts):
                yield from self._numbered_part(part, place, schema)
        except BaseException as error:
            # DuckDB turns what an Arrow stream raises into an error of its own, without the cause.
            self.failure = error
            raise

    def _numbered_part(self, part: Part, place: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        try:
            signature = part.signature() if part.signature else None
            if signature and signature in self._held:
                self._rows[place] = self._held[signature]
                self.delivered += self._rows[place]
                return
            first_row = self._first_rows[place] = self.delivered
            for batch in part.batches():
                rows = batch.num_rows
                given = dict(zip(batch.schema.names, batch.columns, strict=True))
                columns = [
                    given[column.name].cast(options=_cast_to(column.type))
                    if column.name in given
                    else pa.nulls(rows, column.type)
                    for column in self.schema
                ]
                positions = np.arange(self.delivered, self.delivered + rows, dtype=np.int64)
                places = np.full(rows, place, dtype=np.int32)
                self.delivered += rows
                yield pa.RecordBatch.from_arrays([*columns, positions, places], schema=schema)
            self._rows[place] = self.delivered - first_row
            if signature:
                self._rows_of_signed[place] = (signature, self._rows[place])
        except (OSError, pa.ArrowException) as error:
            raise source_error(
                f"{part.label}: expected to read it to its end, found: {first_line(error)}. "
                "Check that the source is complete and reachable, then run again.",
                error,
            ) from error


class Batch:
    """One DuckDB session that holds the rows of one batch while it is made, in table `kept`.

    Args:
        connection: the session.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def take(
        self, arrival: Arrival, table: Table, as_of: date, known_files: Sequence[Path]
    ) -> None:
        """Keep the rows of the day that the files of other batches do not hold.

        A row without a plausible time would wait for its day for ever, so it is taken at once.
        Where a version is more than one row, it is taken whole: what agrees in the identity with a
        row that is new is told again beside it.
        """
        names = arrival.schema.names
        given = [name for name in table.column_names if name in names]
        extra = [name for name in names if name not in given]
        # The hash of a row has 64 bits. To be taken for one another, two rows must also clash in
        # the hash of their place in the order; both together cost 16 bytes a row, whatever its key.
        always_given = [name for name in table.sort if name in table.required_columns]
        sort_hash = f"hash({_listed(always_given)})"
        known = "select 0::ubigint as _row_hash, 0::ubigint as _sort_hash where false"
        if known_files:
            files = ", ".join(literal(path) for path in known_files)
            known = (
                f"select _row_hash, {sort_hash} as _sort_hash "
                f"from read_parquet([{files}], union_by_name = true)"
            )
        together = [name for name in table.identity if name in names]
        is_told_whole = table.identity != table.key and known_files
        later = (
            f"{is_plausible('_event_at')} and _event_at >= {midnight(as_of + timedelta(days=1))}"
        )
        # The stream is read once, so what waits for its day is counted as it passes.
        self.connection.execute(f"create temp sequence {_LATER}")
        self.connection.register("arriving", arrival.reader())
        try:
            self.connection.execute(
                f"""
                create temp {"table" if is_told_whole else "view"} hashed as
                select
                    {_listed([*given, *extra])},
                    _row,
                    _part,
                    {event_time(table, arrival.schema)} as _event_at,
                    hash({_listed([*given, DEFECT])}) as _row_hash,
                    {sort_hash} as _sort_hash
                from arriving
                where case when {later} then nextval('{_LATER}') is null else true end
                """
            )
            self.connection.execute(
                f"""
                create temp table kept as
                with known as ({known})
                select * exclude (_sort_hash)
                from hashed
                anti join known using (_row_hash, _sort_hash)
                """
            )
            if is_told_whole:
                self.connection.execute(
                    f"""
                    insert into kept
                    select * exclude (_sort_hash)
                    from hashed
                    anti join kept using (_row)
                    semi join kept using ({_listed(together)})
                    """
                )
        except duckdb.Error:
            if arrival.failure is not None:
                raise arrival.failure from None
            raise

    def take_all(self, rows: pa.Table) -> None:
        """Keep every row of a table."""
        self.connection.register("arriving", rows)
        self.connection.execute(
            f"""
            create temp table kept as
            select
                *,
                row_number() over () - 1 as _row,
                0 as _part,
                null::timestamptz as _event_at,
                hash({_listed(rows.column_names)}) as _row_hash
            from arriving
            """
        )

    def add(self, data_file: Path, table: Table) -> int:
        """Put the rows of a batch before those kept.

        Returns:
            By how much the positions of those kept have grown.
        """
        there = self._as_kept(data_file, table)
        shift: int
        [(shift, parts)] = self.connection.execute(
            f"select max(_row) + 1, max(_part) + 1 from ({there})"
        ).fetchall()
        self.connection.execute(
            f"""
            create or replace temp table kept as
            {there}
            union all by name
            select * replace (_row + {shift} as _row, _part + {parts} as _part) from kept
            """
        )
        return shift

    def load(self, data_file: Path, table: Table) -> None:
        """Keep the rows of a batch as they are."""
        self.connection.execute(
            f"create or replace temp table kept as {self._as_kept(data_file, table)}"
        )

    def schema_of(self, data_file: Path) -> pa.Schema:
        """The columns of a batch."""
        return self.connection.sql(f"from {_read(data_file)} limit 0").to_arrow_table().schema

    def learn_names(self, cells: Cells, data_file: Path) -> None:
        """Remember by which values the erased customers are named in a batch."""
        if cells.naming:
            self.connection.execute(
                f"insert into erased_values {cells.naming_values(_read(data_file))}"
            )

    def has_any(self, rows: Callable[[str], str], data_file: Path) -> bool:
        """Whether a batch has rows to forget.

        Args:
            rows: `Cells.nobodys` or `Cells.theirs`.
            data_file: of the batch.
        """
        count: int = self._value(f"select count(*) from ({rows(_read(data_file))})")
        return count > 0

    def forget(self, cells: Cells, rows: Callable[[str], str]) -> None:
        """Make NULL what has to go of such rows among those kept; they keep their hashes."""
        self.connection.execute(
            f"update kept set {cells.forgetting()} where _row in ({rows('kept')})"
        )

    def count(self) -> int:
        """Rows kept."""
        count: int = self._value("select count(*) from kept")
        return count

    def count_later(self) -> int:
        """Rows that arrived and wait for a later day."""
        count: int | None = self._value(
            f"select last_value from duckdb_sequences() where sequence_name = '{_LATER}'"
        )
        return count or 0

    def count_new(self, data_file: Path) -> int:
        """Rows kept that the file of another batch does not hold."""
        count: int = self._value(
            f"select count(*) from kept anti join {_read(data_file)} using (_row_hash)"
        )
        return count

    def rows_per_part(self) -> dict[int, int]:
        """Rows kept of each part that has any."""
        counted = self.connection.execute("select _part, count(*) from kept group by _part")
        return dict(counted.fetchall())

    def earliest_day(self) -> date | None:
        """Business day of the earliest event, if every row tells a plausible one."""
        day: date | None = self._value(
            f"""
            select case
                when bool_and(coalesce({is_plausible("_event_at")}, false))
                then min(_event_at)::date
            end
            from kept
            """
        )
        return day

    def data_columns(self) -> list[str]:
        """The columns that were delivered."""
        return [name for name, _ in self._columns() if not name.startswith("_")]

    def digest(self) -> str:
        """Twelve hexadecimal digits that name the rows: values, names, types, parts, positions."""
        columns = [(name, kind) for name, kind in self._columns() if name != "_event_at"]
        rows = self._value(
            f"select sum(hash({_listed(name for name, _ in columns)})::hugeint) from kept"
        )
        return hashlib.sha256(json.dumps([columns, str(rows)]).encode()).hexdigest()[:12]

    def copy_to(self, path: Path, order: Sequence[str], as_of: date, batch_id: str) -> None:
        """Write the rows kept as Parquet, sorted by `order` and their position."""
        self.connection.execute(
            f"""
            copy (
                select
                    * exclude (_event_at, _part, _row, _row_hash),
                    '{as_of}' as _batch,
                    '{batch_id}' as _batch_id,
                    _part,
                    _row,
                    _row_hash
                from kept
                order by {_listed([*order, "_row"])}
            ) to {literal(path)} (format parquet)
            """
        )

    def _as_kept(self, data_file: Path, table: Table) -> str:
        schema = self.schema_of(data_file)
        # absent in a batch from before rows told their part
        part = "" if "_part" in schema.names else "0 as _part, "
        return f"""
            select * exclude (_batch, _batch_id), {part}{event_time(table, schema)} as _event_at
            from {_read(data_file)}
        """

    def _columns(self) -> list[tuple[str, str]]:
        return [row[:2] for row in self.connection.execute("describe kept").fetchall()]

    def _value(self, query: str) -> Any:
        [value] = self.connection.execute(query).fetchall()[0]
        return value


def _common_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """One schema that rows of all the given ones fit into; types that disagree become text."""
    kinds: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for column in schema:
            kinds.setdefault(column.name, set()).add(_widest(column.type))
    kinds.setdefault(DEFECT, {pa.string()})
    return pa.schema(
        (name, found.pop() if len(found) == 1 else pa.string()) for name, found in kinds.items()
    )


def _widest(kind: pa.DataType) -> pa.DataType:
    """The widest type of a kind, so that a file of narrower numbers does not change every hash."""
    if pa.types.is_dictionary(kind):
        return _widest(kind.value_type)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    return next((widest for is_kind, widest in _WIDEST if is_kind(kind)), kind)


def _cast_to(kind: pa.DataType) -> pc.CastOptions:
    # Nanoseconds are cut to microseconds; whatever else would change a value is an error.
    return pc.CastOptions(kind, allow_time_truncate=True)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def _read(data_file: Path) -> str:
    return f"read_parquet({literal(data_file)})"


def first_line(error: BaseException) -> str:
    """What an error says, without the lines that only a debugger wants."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
