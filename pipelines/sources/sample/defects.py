"""Bad rows, put in at a known rate: whoever reads the tables must find each of them and no other.

Every bad row is an extra one with a key of its own, so the good rows stay as they were. Most are
wrong in ways their column's type allows and stand at the end of the files. A time that is no time
and an amount that is no number need text, so they come in a file of their own,
`<table>/defects.parquet`.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample.columns import Columns
from pipelines.sources.sample.contact_faults import SHOWN_BY
from pipelines.sources.sample.parameters import Scale
from pipelines.sources.sample.streams import Purpose, stream

# Verdicts: what should become of the row.
QUARANTINED, DUPLICATE, ACCEPTED = "quarantined", "duplicate", "accepted"
DOUBTED = "doubted"  # accepted, no row beside the good ones: contact data that is judged (108)
EPOCH = datetime.datetime(1970, 1, 1)
PLACEHOLDER = datetime.datetime(9999, 12, 31)


@dataclass(frozen=True)
class Defect:
    """One kind of bad row.

    Attributes:
        kind: what is wrong, for people.
        column: the column that is wrong; empty for an exact repeat of a row.
        value: what stands there.
        verdict: what should become of the row.
        rule: the rule that staging names for it, empty where none does.
    """

    kind: str
    column: str = ""
    value: Any = None
    verdict: str = QUARANTINED
    rule: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the value fits no type but text."""
        return self.kind.endswith("_unreadable")


def _missing(column: str) -> Defect:
    return Defect(f"{column}_missing", column, None, rule=f"{column}_missing")


def _unknown(column: str) -> Defect:
    return Defect(f"{column}_unknown", column, "???", rule=f"{column}_unknown")


def _implausible(column: str, kind: str, value: datetime.datetime) -> Defect:
    return Defect(f"{column}_{kind}", column, value, rule=f"{column}_implausible")


REPEAT = Defect("repeated", verdict=DUPLICATE)

DEFECTS: dict[str, tuple[Defect, ...]] = {
    "orders": (
        REPEAT,
        _missing("customer_id"),
        _implausible("ordered_at", "1970", EPOCH),
        _implausible("ordered_at", "9999", PLACEHOLDER),
        _unknown("status"),
        Defect("ordered_at_unreadable", "ordered_at", "2026-02-31", rule="ordered_at_not_a_time"),
        Defect("net_amount_unreadable", "net_amount", "NaN", rule="net_amount_not_a_number"),
        Defect("discount_amount_negative", "discount_amount", Decimal("-5.00"),
               rule="discount_amount_below_minimum"),
        Defect("customer_id_orphan", "customer_id", "C9999999", verdict=ACCEPTED),
    ),
    "order_items": (
        REPEAT,
        _missing("product_id"),
        Defect("unit_price_negative", "unit_price", Decimal("-1.0000"),
               rule="unit_price_below_minimum"),
    ),
    "customers": (_missing("created_at"), _implausible("created_at", "1970", EPOCH)),
    "returns": (
        REPEAT,
        _missing("order_id"),
        Defect("returned_at_unreadable", "returned_at", "yesterday", rule="returned_at_not_a_time"),
    ),
    "interactions": (REPEAT, _missing("customer_id"), _unknown("outcome")),
    "tickets": (
        _unknown("kind"),
        _implausible("opened_at", "9999", PLACEHOLDER),
        Defect("satisfaction_above", "satisfaction", 9, rule="satisfaction_above_maximum"),
    ),
    "surveys": (_unknown("survey"), Defect("score_above", "score", 11, rule="score_above_maximum")),
    "loyalty_ledger": (REPEAT, _missing("points"), _unknown("kind")),
    "usage_events": (_missing("customer_id"), _implausible("occurred_at", "1970", EPOCH)),
}  # fmt: skip
# Column that tells rows of the table apart; bad rows get a key of their own there.
KEYS = {
    "orders": "order_id",
    "order_items": "line_no",
    "customers": "customer_id",
    "returns": "return_id",
    "interactions": "interaction_id",
    "tickets": "ticket_id",
    "surveys": "response_id",
    "loyalty_ledger": "entry_id",
    "usage_events": "event_id",
}
OWN_LINES = 100_000  # bad order lines are numbered from here


class Spoiler:
    """Puts bad rows into tables, and keeps count of them.

    Attributes:
        found: rows per (table, kind, verdict, rule); of what is doubted, customers, and for the
            rule the column of contact_data_quality that shows it.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.found: Counter[tuple[str, str, str, str]] = Counter()
        self._texts: dict[str, list[pa.Table]] = {}

    def spoil(self, table: str, chunk: int, columns: Columns) -> Columns:
        """The table of one chunk with its bad rows at the end."""
        kinds = DEFECTS.get(table, ())
        good = pa.table(columns)
        if not kinds or not self.scale.defect_rate or not good.num_rows:
            return columns
        number = list(DEFECTS).index(table)
        rng = stream(self.scale.seed, Purpose.DEFECTS, number, chunk)
        count = rng.poisson(self.scale.defect_rate * good.num_rows / len(kinds), len(kinds))
        if chunk == 0:
            count = np.maximum(count, 1)  # every kind shows, however small the company
        parts = [good]
        next_key = 1
        for kind, wanted in zip(kinds, count, strict=True):
            source = good.take(pa.array(rng.integers(0, good.num_rows, wanted)))
            self.found[table, kind.kind, kind.verdict, kind.rule] += int(wanted)
            if kind is REPEAT:
                parts.append(source)
                continue
            source = _with_key(source, table, chunk, next_key)
            next_key += int(wanted)
            if kind.is_text:
                spoiled = _as_text(source)
                self._texts.setdefault(table, []).append(_with(spoiled, kind))
            else:
                parts.append(_with(source, kind))
        whole = pa.concat_tables(parts)
        return {name: whole.column(name) for name in whole.column_names}

    def doubt(self, faults: Iterable[str | None]) -> None:
        """Count what is wrong with the contact data of customers, None where nothing is."""
        for fault in faults:
            if fault is not None:
                self.found["customers", fault, DOUBTED, SHOWN_BY[fault]] += 1

    def texts(self) -> dict[str, Columns]:
        """Bad rows that need text, by table."""
        together = {table: pa.concat_tables(parts) for table, parts in self._texts.items()}
        return {
            table: {name: rows.column(name) for name in rows.column_names}
            for table, rows in together.items()
        }


def _with(rows: pa.Table, kind: Defect) -> pa.Table:
    """The rows with the wrong value in its column."""
    at = rows.column_names.index(kind.column)
    column = rows.column(at)
    plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    values = pa.array([kind.value] * rows.num_rows, plain)
    return rows.set_column(
        at, kind.column, values.dictionary_encode() if plain != column.type else values
    )


def _with_key(rows: pa.Table, table: str, chunk: int, first: int) -> pa.Table:
    """The rows under keys of their own."""
    key = KEYS[table]
    at = rows.column_names.index(key)
    numbers = np.arange(first, first + rows.num_rows)
    if key == "line_no":
        return rows.set_column(at, key, pa.array(OWN_LINES + numbers))
    names = [f"BAD-{table}-{chunk:03d}-{number:06d}" for number in numbers]
    return rows.set_column(at, key, pa.array(names, pa.string()))


def _as_text(rows: pa.Table) -> pa.Table:
    """All columns as text, times and numbers as the engine itself would write them."""
    return pa.table({name: _text(rows.column(name)) for name in rows.column_names})


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%d %H:%M:%S")
    return column.cast(pa.string())
