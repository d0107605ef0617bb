"""Parquet: columns keep the types of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import SourceError, source_error
from pipelines.sources.readers import OWN_FIELDS, unique_names

_ROWS_PER_BATCH = 131_072


class Parquet:
    """One Parquet file.

    Args:
        path: the file.
        label: its name in messages.

    Raises:
        SourceError: the file is damaged.
    """

    how = ""

    def __init__(self, path: Path, label: str) -> None:
        self._path = path
        self._label = label
        with self._open() as file:
            given = file.schema_arrow
        self._names = dict(zip(unique_names(given.names), range(len(given)), strict=True))
        columns = [given.field(place).with_name(name) for name, place in self._names.items()]
        self.schema = pa.schema([*columns, *OWN_FIELDS])

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows, in the order of the file."""
        names = list(self._names) if columns is None else list(columns)
        schema = pa.schema([*(self.schema.field(name) for name in names), *OWN_FIELDS])
        position = 0
        with self._open() as file:
            # Asked for by name, which a dotted path of a nested column may answer to as well:
            # so the whole columns are picked from the batch by their place.
            given = [file.schema_arrow.names[self._names[name]] for name in names]
            try:
                for batch in file.iter_batches(_ROWS_PER_BATCH, columns=given):
                    rows = batch.num_rows
                    numbers = np.arange(position + 1, position + rows + 1)
                    position += rows
                    yield pa.RecordBatch.from_arrays(
                        [
                            *(batch.column(name) for name in given),
                            pa.array(numbers),
                            pa.nulls(rows, pa.string()),
                        ],
                        schema=schema,
                    )
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from None

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self._path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> SourceError:
        return source_error(
            f"{self._label}: expected a complete Parquet file, found one that cannot be read "
            f"({str(error).splitlines()[0]}). It may have been cut off while it was written or "
            "copied: export or copy it again.",
            error,
        )
