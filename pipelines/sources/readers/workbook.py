"""XLSX: one sheet of a workbook, every value as text.

Dates become ISO text, whole numbers lose the `.0` that a spreadsheet gives them (a customer's
number stays what it was), and a formula gives the value that was last computed.
"""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from pipelines.errors import SourceError, source_error
from pipelines.sources.readers import OWN_FIELDS, unique_names
from pipelines.sources.readers.text import HARMLESS_BYTES, MOST_EXPANSION

_ROWS_PER_BATCH = 16_384

_Row = tuple[Any, ...]


class Workbook:
    """One sheet of an XLSX file, whose first row that is not empty is the header.

    Args:
        path: the file.
        label: its name in messages.
        sheet: name of the sheet; None: the first one.

    Raises:
        SourceError: the file is no workbook, or has no such sheet, or the sheet is empty.
    """

    def __init__(self, path: Path, label: str, *, sheet: str | None = None) -> None:
        self._path = path
        self._label = label
        self._sheet = sheet
        self.how = f"sheet {sheet}"
        self._refuse_bomb()
        with self._rows() as rows:
            header = next(rows, None)
        if header is None:
            raise SourceError(
                f"{label}: expected a header row, found an empty sheet. Put the table on the "
                'first sheet, or name its sheet in mapping.toml (sheet = "...").'
            )
        while header and header[-1] is None:
            header = header[:-1]
        self._names = unique_names(header)
        self.schema = pa.schema([*((name, pa.string()) for name in self._names), *OWN_FIELDS])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows; those with values outside the table have a `_defect` and no values."""
        names = self._names if columns is None else list(columns)
        schema = pa.schema([*((name, pa.string()) for name in names), *OWN_FIELDS])
        places = [self._names.index(name) for name in names]
        position = 0
        with self._rows() as rows:
            next(rows)
            while some := list(islice(rows, _ROWS_PER_BATCH)):
                numbers = range(position + 1, position + len(some) + 1)
                position += len(some)
                defects = [self._defect(*numbered) for numbered in zip(numbers, some, strict=True)]
                columns_of_text = [
                    [
                        None if defect or place >= len(row) else _as_text(row[place])
                        for row, defect in zip(some, defects, strict=True)
                    ]
                    for place in places
                ]
                yield pa.RecordBatch.from_arrays(
                    [
                        *(pa.array(column, pa.string()) for column in columns_of_text),
                        pa.array(numbers, pa.int64()),
                        pa.array(defects, pa.string()),
                    ],
                    schema=schema,
                )

    def _defect(self, number: int, row: _Row) -> str | None:
        if any(cell is not None for cell in row[len(self._names) :]):
            return f"{self._label}: row {number:,} has values to the right of the header's columns"
        return None

    @contextmanager
    def _rows(self) -> Iterator[Iterator[_Row]]:
        try:
            workbook = openpyxl.load_workbook(self._path, read_only=True, data_only=True)
            try:
                if self._sheet is not None and self._sheet not in workbook.sheetnames:
                    raise SourceError(
                        f'{self._label}: expected a sheet "{self._sheet}", found '
                        f"{', '.join(workbook.sheetnames)}. Correct sheet = in mapping.toml."
                    )
                sheet = workbook[self._sheet or workbook.sheetnames[0]]
                sheet.reset_dimensions()  # some programs write a wrong size, and rows would be lost
                yield (row for row in sheet.iter_rows(values_only=True) if not _is_blank(row))
            finally:
                workbook.close()
        # openpyxl lets whatever goes wrong inside a damaged file through as it is.
        except (
            zipfile.BadZipFile,
            InvalidFileException,
            OSError,
            KeyError,
            ValueError,
            SyntaxError,  # the XML parser's ParseError is one
        ) as error:
            raise source_error(
                f"{self._label}: expected an XLSX workbook, found a file that cannot be read "
                f"({error}). Save it again as .xlsx, or export CSV.",
                error,
            ) from None

    def _refuse_bomb(self) -> None:
        if not zipfile.is_zipfile(self._path):
            return  # openpyxl says so better
        with zipfile.ZipFile(self._path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        packed = self._path.stat().st_size
        if size > max(HARMLESS_BYTES, packed * MOST_EXPANSION):
            raise SourceError(
                f"{self._label}: expected a workbook, found {size:,} bytes packed into {packed:,}. "
                "Export CSV or Parquet if it is real."
            )


def _is_blank(row: _Row) -> bool:
    return all(cell is None or cell == "" for cell in row)


def _as_text(cell: Any) -> str | None:
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime.datetime():
            return cell.isoformat(sep=" ")
        case datetime.date() | datetime.time():
            return cell.isoformat()
        case _:
            return str(cell)
