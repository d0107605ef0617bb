"""Parquet files, written table by table and chunk by chunk; equal input gives equal bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.sample.columns import Columns


def write_part(folder: Path, table: str, part: str, columns: Columns) -> int:
    """Write one file `<folder>/<table>/<part>.parquet`; returns its rows.

    Texts that came out of a list are stored as plain text: what reads the file should not have to
    know how it was made.
    """
    return _write(folder / table / f"{part}.parquet", columns)


def write_whole(folder: Path, table: str, columns: Columns) -> int:
    """Write one file `<folder>/<table>.parquet`; returns its rows."""
    return _write(folder / f"{table}.parquet", columns)


def _write(path: Path, columns: Columns) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = pa.table(columns)
    plain = pa.schema(
        [
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in data.schema
        ]
    )
    # In one piece and decoded: pieces with different dictionaries are written with bits that
    # nobody set, so that equal tables would give different bytes.
    data = data.cast(plain).combine_chunks()
    pq.write_table(data, path, compression="snappy", store_schema=False)
    return data.num_rows
