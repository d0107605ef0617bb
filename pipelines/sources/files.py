"""Exports in a folder: CSV, Parquet or XLSX, one file or many a table.

Here: which files belong to which table, and what they are refused for.
Not here: how a format is read (readers/), and foreign names (mapping.py).

A table's files are `<table>.csv` (.tsv, .txt, each also .gz; .parquet; .xlsx), such as
`<table>-2026.csv`, and everything in a folder `<table>/`; the mapping file may name others. Of
files that come together, the later one by name corrects the earlier ones (lake.py).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from pipelines.errors import SettingsError, SourceError, source_error
from pipelines.sources.connector import Delivery, Part
from pipelines.sources.contract import ORDER_TABLES, Table, load_contract, load_vars
from pipelines.sources.event_time import event_time, is_plausible, midnight
from pipelines.sources.mapping import TableMapping, Translation, read_mapping
from pipelines.sources.notices import notice
from pipelines.sources.readers import Reader
from pipelines.sources.readers.delimited import Delimited
from pipelines.sources.readers.parquet import Parquet
from pipelines.sources.readers.workbook import Workbook

if TYPE_CHECKING:
    from pipelines.settings import Settings

MAPPING_FILE = "mapping.toml"

_TEXT, _PARQUET, _XLSX, _GZIP = "text", "Parquet", "XLSX", "gzip"
_KINDS = {
    ".csv": _TEXT,
    ".tsv": _TEXT,
    ".txt": _TEXT,
    ".parquet": _PARQUET,
    ".xlsx": _XLSX,
    ".gz": _GZIP,
}
_FIRST_BYTES = {
    b"PAR1": _PARQUET,
    b"PK\x03\x04": _XLSX,
    b"\x1f\x8b": _GZIP,
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel (.xls)",
}


def connect(settings: Settings) -> Files:
    """The files of `HOMING_FILES_DIR`."""
    if settings.files_dir is None:
        raise SettingsError("HOMING_FILES_DIR must name the folder with your exports")
    return Files(settings.files_dir, timezone=settings.timezone)


class Files:
    """The tables in one folder.

    Args:
        folder: where the files are.
        timezone: the business time zone.
        name: what the source is called in manifests.
        mapping: the mapping file; None: `mapping.toml` in the folder.
        today: the day after which no order can have been made; only tests bring their own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        timezone: str = "UTC",
        name: str = "files",
        mapping: Path | None = None,
        today: Callable[[], date] | None = None,
    ) -> None:
        self.name = name
        self._folder = folder
        self._timezone = timezone
        self._contract = load_contract()
        self._mapping_file = mapping or folder / MAPPING_FILE
        self._today = today or (lambda: datetime.now(ZoneInfo(timezone)).date())

    def tables(self) -> tuple[Table, ...]:
        """The tables for which there are files, in the order of the contract.

        Raises:
            SourceError: the folder is missing or holds no file of any table, or the mapping file
                is wrong.
        """
        found = self._files()
        used = {path for paths in found.values() for path in paths}
        unused = [self._label(path) for path in self._data_files() if path not in used]
        if not found:
            raise SourceError(
                f"{self._folder}: expected files named after tables, such as orders.csv or "
                f"order_lines.parquet; found {', '.join(unused) or 'no data files'}. Rename them, "
                f'or name them in {MAPPING_FILE} ([orders] file = "...").'
            )
        if unused:
            notice(
                self._folder,
                f"not used, because no table is called so: {', '.join(unused)}; rename them or "
                f"name them in {MAPPING_FILE}",
            )
        return tuple(self._contract[name] for name in found)

    def deliver(self, table: Table, as_of: date) -> Delivery:
        """All files of a table.

        Raises:
            SourceError: a file is not what its name says, or lacks a required column.
        """
        return Delivery(
            self.name,
            table,
            tuple(
                Part(
                    label=self._label(path),
                    schema=translation.schema,
                    batches=partial(_translated, reader, translation),
                    signature=partial(_signature, path, reader, translation),
                    evidence=translation.evidence,
                )
                for path, reader, translation in self._open(table)
            ),
        )

    def order_days(self) -> Sequence[date]:
        """The business days, today or before, with an order.

        Raises:
            SourceError: there is no order with a plausible time.
        """
        found = self._files()
        if not any(name in found for name in ORDER_TABLES):
            there = sorted(path.name for path in self._folder.iterdir() if path.is_file())
            raise SourceError(
                f"{self._folder}: expected a file {' or '.join(f'{n}.csv' for n in ORDER_TABLES)} "
                f"(also .parquet, .xlsx); found {', '.join(there[:8]) or 'nothing'}. Rename yours, "
                f'or name it in {MAPPING_FILE}: [orders] file = "...".'
            )
        looked_at = [
            (self._label(opened[0]), *self._order_days(self._contract[name], *opened))
            for name in ORDER_TABLES
            if name in found
            for opened in self._open(self._contract[name])
        ]
        if not any(rows for _, rows, _ in looked_at):
            raise SourceError(
                f"{', '.join(label for label, *_ in looked_at)}: expected orders, found a header "
                "and not one row. Export it again."
            )
        days = sorted(set().union(*(days for *_, days in looked_at)))
        if not days:
            raise SourceError(
                f"{self._folder}: expected orders with the time they were placed; found no time "
                f"between {load_vars()['earliest_plausible_on']} and today. ISO times "
                "(2026-06-30 17:45) are read as they are; for others, name their format in "
                f"{MAPPING_FILE}, under "
                '[orders.columns]: ordered_at = { column = "Date", format = "%d.%m.%Y %H:%M" }, or '
                'where there are several: format = ["%d.%m.%Y", "%Y/%m/%d"].'
            )
        return days

    # -- which files --

    def _files(self) -> dict[str, list[Path]]:
        if not self._folder.is_dir():
            raise SourceError(f"HOMING_FILES_DIR: expected a folder, found none at {self._folder}.")
        mapping = self._mapping()
        paths = {
            name: self._mapped_files(name, mapping[name])
            if name in mapping and mapping[name].file
            else self._named_files(name)
            for name in self._contract
        }
        return {name: found for name, found in paths.items() if found}

    def _mapping(self) -> Mapping[str, TableMapping]:
        return read_mapping(self._mapping_file, self._contract)

    def _mapped_files(self, table: str, mapping: TableMapping) -> list[Path]:
        found: dict[Path, None] = {}
        for pattern in mapping.file:
            paths = sorted((p for p in self._folder.glob(pattern) if p.is_file()), key=_by_name)
            if not paths:
                raise SourceError(
                    f'{MAPPING_FILE}, [{table}]: expected files called "{pattern}" in '
                    f"{self._folder}, found none."
                )
            found |= dict.fromkeys(paths)
        return list(found)

    def _named_files(self, table: str) -> list[Path]:
        found: dict[Path, Path] = {}
        for path in self._data_files():
            stem = _stem(path)
            is_named = stem == table or stem.startswith((f"{table}-", f"{table}."))
            is_inside = path.parent.name.casefold() == table
            if not (is_named if path.parent == self._folder else is_inside):
                continue
            twin = found.setdefault(path.with_name(stem), path)
            if twin is not path:
                raise SourceError(
                    f"{self._folder}: expected each part of {table} once, found "
                    f"{self._label(twin)} and {self._label(path)}. Keep one of them, or name in "
                    f"{MAPPING_FILE} which to read."
                )
        return list(found.values())

    def _data_files(self) -> list[Path]:
        """Files with a known ending, in the folder and in the folders named after a table."""
        folders = [self._folder, *(p for p in self._folder.iterdir() if p.is_dir())]
        found = (
            path
            for folder in folders
            if folder == self._folder or folder.name.casefold() in self._contract
            for path in folder.iterdir()
            # Programs leave lock and temporary files that begin so beside what is open in them.
            if path.is_file()
            and path.suffix.lower() in _KINDS
            and not path.name.startswith((".", "~$"))
        )
        return sorted(found, key=_by_name)

    # -- what is in them --

    def _open(self, table: Table) -> Iterator[tuple[Path, Reader, Translation]]:
        mapping = self._mapping().get(table.name, TableMapping())
        readers = {path: self._reader(path, mapping) for path in self._files()[table.name]}
        columns = list(dict.fromkeys(n for each in readers.values() for n in each.schema.names))
        for path, reader in readers.items():
            label = self._label(path)
            translation = Translation(
                table, reader.schema, mapping, self._timezone, label, elsewhere=columns
            )
            for column, made in translation.absent.items():
                notice(
                    path,
                    f"{label} has no column {column!r}, which other files of {table.name} have: "
                    f"it is empty there for {', '.join(made)}",
                )
            yield path, reader, translation

    def _reader(self, path: Path, mapping: TableMapping) -> Reader:
        label = self._label(path)
        try:
            return _reader(path, label, mapping)
        except OSError as error:
            raise source_error(
                f"{label}: cannot be read ({error.strerror}); check that it is reachable and "
                "may be read, then run again",
                error,
            ) from error

    def _label(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _order_days(
        self, table: Table, path: Path, reader: Reader, translation: Translation
    ) -> tuple[int, set[date]]:
        """The rows of a file, and the days of the orders among them."""
        tomorrow = self._today() + timedelta(days=1)
        rows, days = 0, set()
        with duckdb.connect() as session:
            session.execute(f"set TimeZone = '{self._timezone}'")
            for batch in _translated(reader, translation, [table.time]):
                rows += batch.num_rows
                session.register("arriving", pa.table(batch))
                query = f"""
                    select distinct event_at::date
                    from (select {event_time(table, batch.schema)} as event_at from arriving)
                    where {is_plausible("event_at")} and event_at < {midnight(tomorrow)}
                """
                days |= {day for (day,) in session.execute(query).fetchall()}
        return rows, days


def _stem(path: Path) -> str:
    """The name of a file without its endings (.csv, .csv.gz), in lower case."""
    name = path.name.casefold().removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _by_name(path: Path) -> tuple[Path, list[str | int], str]:
    """The order of files: `orders` before `orders-2026`, and `orders-9` before `orders-10`."""
    words = re.split(r"(\d+)", _stem(path))
    return path.parent, [int(word) if word.isdecimal() else word for word in words], path.name


def _translated(
    reader: Reader, translation: Translation, names: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    columns = None if names is None else translation.columns_for(names)
    return translation.apply(reader.batches(columns), names)


def _signature(path: Path, reader: Reader, translation: Translation) -> str:
    """A hash of the content and of how it is read: a corrected mapping is a new delivery."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    digest.update(f"{reader.how} {translation.how}".encode())
    return digest.hexdigest()


def _reader(path: Path, label: str, mapping: TableMapping) -> Reader:
    expected = _KINDS.get(path.suffix.lower(), _TEXT)
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise SourceError(
            f"{label}: expected a header and rows, found an empty file. Export it again, or take "
            "it out of the folder."
        )
    found = next((kind for first, kind in _FIRST_BYTES.items() if head.startswith(first)), _TEXT)
    if found != expected and not (expected == _PARQUET and found == _TEXT):
        raise SourceError(
            f"{label}: expected {expected} by its name, found {found}. Give the file the ending "
            "of what it is, or export it again as CSV, Parquet or XLSX."
        )
    if expected == _PARQUET:
        return Parquet(path, label)
    if expected == _XLSX:
        return Workbook(path, label, sheet=mapping.sheet)
    return Delimited(path, label, encoding=mapping.encoding_of(label), delimiter=mapping.delimiter)
