"""From a file's own columns to those of the contract: by name, by format, or by an SQL expression.

Here: the mapping file `mapping.toml`, and its application to batches.
Not here: how files are found (files.py) and read (readers/), and what runs SQL (expressions.py).

The file has one section a table, everything in it optional:

    [orders]
    file = "sales-*.csv"              # or a list; default: orders.*, orders-*.*, orders/*
    encoding = "gb18030"              # default: UTF-8, UTF-16, or GB18030 if certain
    delimiter = ";"                   # default: told by the header
    sheet = "2026"                    # of an XLSX file; default: the first
    timezone = "Asia/Shanghai"        # of times without a zone; default: the business time zone

    [orders.columns]                  # columns of the contract, from those of the file
    customer_id = "Kundennummer"
    ordered_at = { column = "Datum", format = "%d.%m.%Y %H:%M" }  # or a list of formats
    net_amount = { sql = "try_cast(replace(Betrag, ',', '.') as decimal(18, 2))" }
    order_id = { sql = "_file || ' ' || _row" }
    currency = { sql = "'EUR'" }
    status = { sql = "case Stand when 'bezahlt' then 'completed' else Stand end" }   # codes

One table's files may differ. A column that only some of them have is NULL in the others, with a
notice: `net_amount = { sql = 'coalesce(Betrag, "Betrag EUR")' }` reads a column that was renamed.
Where encodings differ, name each: `encoding = { "orders-2025.csv" = "cp1252", "*" = "utf-8" }`;
the first pattern that fits counts, and a file that none fits is read as if nothing was declared.

Columns that are called as in the contract, or nearly so (`CustomerID`, `Customer ID`), need no
mention. An expression sees one row: the file's columns, `_row` (its number in the file, from 1)
and `_file`. It must give the same for the same row every day, so there is no clock and no chance.
The codes that a column may hold stand with it in dbt_project/models/staging/lake.yml.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pyarrow as pa

from pipelines.errors import SourceError
from pipelines.sources.connector import DEFECT
from pipelines.sources.contract import Column, Table
from pipelines.sources.expressions import (
    Expressions,
    as_identifier,
    as_literal,
    columns_used,
)
from pipelines.sources.readers import POSITION, unique_names


@dataclass(frozen=True)
class Foreign:
    """Where a contract column comes from: `column`, in one of `formats` if given, or `sql`."""

    column: str | None = None
    formats: tuple[str, ...] = ()
    sql: str | None = None


@dataclass(frozen=True)
class TableMapping:
    """One section of the mapping file."""

    file: tuple[str, ...] = ()
    encoding: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    sheet: str | None = None
    timezone: str | None = None
    columns: Mapping[str, Foreign] = field(default_factory=dict)

    def encoding_of(self, label: str) -> str | None:
        """The encoding declared for a file: that of the first pattern that fits."""
        fitting = (name for pattern, name in self.encoding.items() if fnmatchcase(label, pattern))
        return next(fitting, None)


def read_mapping(path: Path, contract: Mapping[str, Table]) -> dict[str, TableMapping]:
    """Read a mapping file; a missing one maps nothing.

    Raises:
        SourceError: it is not TOML, or names what does not exist.
    """
    if not path.exists():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{path.name}: expected TOML in UTF-8, found: {error}.") from None
    _refuse_unknown(path.name, "table", document, contract)
    return {
        name: _read_section(f"{path.name}, [{name}]", section, contract[name])
        for name, section in document.items()
    }


def _read_section(where: str, section: Any, table: Table) -> TableMapping:
    if not isinstance(section, dict):
        raise SourceError(f"{where}: expected a section, found {section!r}.")
    known = TableMapping.__dataclass_fields__
    _refuse_unknown(where, "key", section, known)
    columns = section.get("columns", {})
    _refuse_unknown(f"{where}.columns", "column of the contract", columns, table.column_names)
    encoding = section.get("encoding", {})
    encoding = {"*": encoding} if isinstance(encoding, str) else encoding
    if not (isinstance(encoding, dict) and _are_texts([*encoding.values()])):
        raise SourceError(
            f'{where}: expected encoding = "cp1252", or {{ "orders-2025.csv" = "cp1252" }}; found '
            f"encoding = {encoding!r}."
        )
    for key in known.keys() - {"columns", "file", "encoding"}:
        if not isinstance(section.get(key, ""), str):
            raise SourceError(f"{where}: expected text for {key}, found {section[key]!r}.")
    files = section.get("file", [])
    files = [files] if isinstance(files, str) else files
    if not _are_texts(files):
        raise SourceError(
            f'{where}: expected file = "sales-*.csv" or a list of such, found file = {files!r}.'
        )
    delimiter = section.get("delimiter")
    if delimiter is not None and not (len(delimiter) == 1 and delimiter.isascii()):
        raise SourceError(
            f"{where}: expected one ASCII character, found delimiter = {delimiter!r}."
        )
    if section.get("timezone") not in {None, *available_timezones()}:
        raise SourceError(
            f"{where}: unknown time zone {section['timezone']!r}; use a name such as Asia/Shanghai."
        )
    return TableMapping(
        file=tuple(files),
        encoding=encoding,
        delimiter=delimiter,
        sheet=section.get("sheet"),
        timezone=section.get("timezone"),
        columns={
            name: _read_column(f"{where}.columns.{name}", given) for name, given in columns.items()
        },
    )


def _read_column(where: str, given: Any) -> Foreign:
    match given:
        case str():
            return Foreign(column=given)
        case {"sql": str(sql), **rest} if not rest:
            return Foreign(sql=sql)
        case {"column": str(column), "format": str(format_), **rest} if not rest:
            return Foreign(column=column, formats=(format_,))
        case {"column": str(column), "format": [*formats], **rest} if not rest:
            if formats and _are_texts(formats):
                return Foreign(column=column, formats=tuple(formats))
    raise SourceError(
        f"{where}: expected a column of the file in quotes, {{ column = ..., format = ... }} or "
        f"{{ sql = ... }}; found {given!r}."
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _refuse_unknown(where: str, kind: str, given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}."
            raise SourceError(f"{where}: unknown {kind} {name!r}; {hint}")


class Translation:
    """What turns batches of one file into batches of one table.

    Args:
        table: the table.
        given: schema of the file, from its reader.
        mapping: its section of the mapping file.
        timezone: the business time zone.
        label: the file's name in messages, and the value of `_file`.
        elsewhere: columns of the table's other files. What the mapping reads of them, and this file
            has not, is NULL here.

    Attributes:
        schema: of the batches of the table.
        absent: columns of other files that are NULL here, each with the columns made of it.
        evidence: columns kept beside those of the contract that one of them was computed from.

    Raises:
        SourceError: a required column, or one that the mapping names, is not in the file, or an
            expression cannot be used.
    """

    def __init__(
        self,
        table: Table,
        given: pa.Schema,
        mapping: TableMapping,
        timezone: str,
        label: str,
        *,
        elsewhere: Iterable[str] = (),
    ) -> None:
        self._label = label
        self._given = given
        self._required = table.required_columns
        own = {name.casefold() for name in given.names}
        self._elsewhere = {
            name.casefold(): name for name in elsewhere if name.casefold() not in own
        }
        self.absent: dict[str, list[str]] = {}
        self._timezone = mapping.timezone or timezone
        self._foreign = [name for name in given.names if name not in {POSITION, DEFECT}]
        # Of columns that differ in punctuation only, the first one bears the name.
        self._by_key = {_key(name): name for name in reversed(self._foreign)}
        self._taken: set[str] = set()
        self._consulted: set[str] = set()  # by expressions, in lower case
        # Contract columns, then the rest of the file's columns, under the names they get.
        self._renamed: dict[str, str] = {}
        self._computed: dict[str, str] = {}
        for column in table.columns:
            self._resolve(column, mapping)
        self._refuse_missing(table)
        spare = [name for name in self._foreign if name not in self._taken]
        spare_names = dict(zip(_spare_names(spare, table), spare, strict=True))
        self._renamed |= spare_names
        self.evidence = frozenset(
            name for name, own in spare_names.items() if own.casefold() in self._consulted
        )
        self._expressions = Expressions(
            self._computed, self._foreign, self._timezone, label, absent=self.absent
        )
        self.schema = self._result_schema(table)

    @property
    def how(self) -> str:
        """All that decides what a row becomes, as text that belongs to a signature."""
        return json.dumps([self._renamed, self._computed, self._timezone], sort_keys=True)

    def columns_for(self, names: Collection[str]) -> list[str]:
        """The columns of the file that the given columns of the table are made of."""
        if any(name in self._computed for name in names):
            return self._foreign
        return [self._renamed[name] for name in names]

    def apply(
        self, batches: Iterable[pa.RecordBatch], names: Sequence[str] | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Translate batches of the file.

        Args:
            batches: as the reader gives them.
            names: only these columns of the table; None: all, and `_defect`.

        Raises:
            SourceError: an expression fails on a value.
        """
        wanted = self.schema.names if names is None else names
        schema = pa.schema([self.schema.field(name) for name in wanted])
        for batch, values in self._expressions.beside(batches, wanted):
            arrays = [
                values[name] if name in values else batch.column(self._renamed.get(name, name))
                for name in wanted
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    # -- names --

    def _resolve(self, column: Column, mapping: TableMapping) -> None:
        foreign = mapping.columns.get(column.name)
        if foreign is None:
            found = self._by_key.get(_key(column.name))
            if found is None:
                return
            foreign = Foreign(column=found)
        if foreign.sql is not None:
            used = columns_used(foreign.sql, self._foreign, f"{self._label}: {column.name}")
            self._consulted |= used
            for key in used & self._elsewhere.keys():
                self.absent.setdefault(self._elsewhere[key], []).append(column.name)
            self._computed[column.name] = foreign.sql
            return
        name = self._by_key.get(_key(foreign.column or ""))
        if name is None:
            others = {_key(other): other for other in self._elsewhere.values()}
            other = others.get(_key(foreign.column or ""))
            if other is not None and column.name not in self._required:
                self.absent.setdefault(other, []).append(column.name)
                return
            raise SourceError(
                f"{self._label}: expected a column {foreign.column!r} for {column.name}, as the "
                f"mapping says; found {_listed(self._foreign)}. Correct the mapping or the export."
            )
        self._taken.add(name)
        sql = as_identifier(name)
        if foreign.formats:
            sql = _reformatted(sql, foreign.formats)
        if column.data_type == "timestamp" and mapping.timezone is not None:
            sql = self._with_zone(sql, name)
        if sql == as_identifier(name):
            self._renamed[column.name] = name
        else:
            self._computed[column.name] = sql

    def _with_zone(self, sql: str, name: str) -> str:
        """SQL for the same instant with its zone; text that is no time stays what it is."""
        if not _is_text(self._given.field(name).type):
            return f"cast({sql} as timestamptz)"
        utc = f"(try_cast({sql} as timestamptz) at time zone 'UTC')"
        return f"coalesce(strftime({utc}, '%Y-%m-%d %H:%M:%S.%fZ'), {sql})"

    def _refuse_missing(self, table: Table) -> None:
        missing = [
            name
            for name in table.required_columns
            if name not in self._renamed and name not in self._computed
        ]
        if missing:
            raise SourceError(
                f"{self._label}: expected the columns {_listed(table.required_columns)} of "
                f"{table.name}; {_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing, "
                f"found {_listed(self._foreign)}. Name the file's own column in mapping.toml, "
                f'under [{table.name}.columns]: {missing[0]} = "...".'
            )

    def _result_schema(self, table: Table) -> pa.Schema:
        kinds = {name: self._given.field(given).type for name, given in self._renamed.items()}
        kinds |= self._expressions.types(self._given)
        order = [name for name in table.column_names if name in kinds]
        order += [name for name in kinds if name not in order]
        return pa.schema([*((name, kinds[name]) for name in order), (DEFECT, pa.string())])


def _key(name: str) -> str:
    """What is left of a name when case, spaces and punctuation do not count."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _spare_names(names: Iterable[str], table: Table) -> list[str]:
    """Plain lower-case names for columns that the contract does not know, none of them its own."""
    plain = (re.sub(r"\W+", "_", name).strip("_").lower() for name in names)
    return unique_names([*table.column_names, *plain])[len(table.column_names) :]


def _reformatted(sql: str, formats: Sequence[str]) -> str:
    """ISO text for a time in the first format that it has; other text stays as it is."""
    parsed = f"try_strptime({sql}::varchar, [{', '.join(map(as_literal, formats))}])"
    return f"coalesce(strftime({parsed}, '%Y-%m-%d %H:%M:%S'), {sql}::varchar)"


def _is_text(kind: pa.DataType) -> bool:
    is_one_of = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_it(kind) for is_it in is_one_of)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
