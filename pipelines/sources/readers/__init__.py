"""File formats: from the bytes of one file to Arrow batches under the file's own column names.

Here: one module a format, and what they have in common. A reader loses nothing silently: a file
that is not what it should be is refused with a reason, a line that is no row is still a row, with
its `_defect`. Not here: which files belong to which table, and what their columns mean
(files.py, mapping.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from pipelines.sources.connector import DEFECT

POSITION = "_row"
"""Number of a row within its file, from 1: a name for rows that have none, as long as the file
only grows at its end."""

OWN_FIELDS = (pa.field(POSITION, pa.int64()), pa.field(DEFECT, pa.string()))


class Reader(Protocol):
    """One file, opened as far as its header.

    Attributes:
        schema: the file's columns, then `_row` and `_defect`.
        how: all that decides what the file's bytes become, as text that belongs to a signature.
    """

    schema: pa.Schema
    how: str

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows, from the first one, each time it is called.

        Args:
            columns: only these columns of the file, in this order (`_row` and `_defect` come
                anyway); None: all.

        Raises:
            SourceError: the file turned out to be damaged; the message names it.
        """


def unique_names(header: Iterable[object]) -> list[str]:
    """Names that differ (in more than case) from one another, for whatever a header row holds."""
    names: list[str] = []
    taken = {field.name for field in OWN_FIELDS}
    for place, cell in enumerate(header, start=1):
        given = " ".join(str(cell).split()) if cell is not None else ""
        name = given = given or f"column_{place}"
        repeat = 1
        while name.casefold() in taken:
            repeat += 1
            name = f"{given}_{repeat}"
        taken.add(name.casefold())
        names.append(name)
    return names
