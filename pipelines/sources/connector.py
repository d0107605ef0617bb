"""What every connector offers: the tables it can deliver, as Arrow batches, part by part.

Here: the border between a source and the lake. Not here: any one source, and what the lake keeps
of a delivery (resources/lake.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa

from pipelines.sources.contract import Table

DEFECT = "_defect"
"""Text column of a delivered row that could not be read as a row of its table: where it stands and
what is wrong with it, without its values. Its other columns are NULL, except that a value which
could be told is kept. Staging quarantines it (`row_malformed`), so that no line of a file vanishes.
A source whose rows always have their columns leaves it out."""


@dataclass(frozen=True)
class Part:
    """A piece of a delivery that is read as one stream: a file, a query, an API resource.

    Attributes:
        label: what it is called in messages and logs, such as a file name.
        schema: contract columns under their contract names, further columns under their own
            (none begins with an underscore), and optionally `_defect`.
        batches: opens the stream; every batch has `schema`. May raise `SourceError` on the way;
            extraction is tried again after a `SourceUnreachableError`, which a `ConnectionError`
            and a `TimeoutError` become by themselves.
        signature: a hash that changes whenever a row of the part would; the lake passes over a
            part once it holds all of its rows. None: always read.
        evidence: further columns that contract columns were computed from.
    """

    label: str
    schema: pa.Schema
    batches: Callable[[], Iterable[pa.RecordBatch]]
    signature: Callable[[], str] | None = None
    evidence: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Delivery:
    """All that one source has for one table, whatever the day: the lake picks the rows of a run."""

    source: str
    table: Table
    parts: tuple[Part, ...]


class Connector(Protocol):
    """One source of customers and orders."""

    name: str

    def tables(self) -> tuple[Table, ...]:
        """The tables this source can deliver, in the order of the contract.

        Raises:
            SourceUnreachableError: the source cannot be reached now.
            SourceError: it is not what was declared.
        """

    def deliver(self, table: Table, as_of: date) -> Delivery:
        """One table of the source.

        Args:
            table: one of `tables()`.
            as_of: rows after this day may be left out; the lake leaves them out anyway.

        Raises:
            SourceError: the table lacks a required column or cannot be read.
        """

    def order_days(self) -> Sequence[date]:
        """The business days, today or before, with an order; the last one is enough.

        Raises:
            SourceError: there is no order with a plausible time.
        """
