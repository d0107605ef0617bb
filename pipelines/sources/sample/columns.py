"""Columns of numpy numbers turned into Arrow columns of the contract's types.

A generated table is a plain dict from column names to Arrow arrays. Identifiers are padded
numbers, so that text order is the order of the numbers.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bools = npt.NDArray[np.bool_]
Columns = dict[str, pa.Array]

SECONDS = 86_400
EPOCH = datetime.date(1970, 1, 1)


def codes(*parts: str | tuple[npt.NDArray[np.integer], int], null: Bools | None = None) -> pa.Array:
    """Identifiers put together from fixed text and padded numbers.

    `codes("O", (customer, 7), "-", (running, 4))` gives "O0000012-0003" and so on.

    Args:
        parts: fixed text, or numbers with the width they are padded to.
        null: where there is none.
    """
    rows = next(len(part[0]) for part in parts if isinstance(part, tuple))
    width = sum(part[1] if isinstance(part, tuple) else len(part.encode()) for part in parts)
    text = np.empty((rows, width), np.uint8)
    at = 0
    for part in parts:
        if isinstance(part, tuple):
            numbers, digits = part[0].astype(np.int64), part[1]
            for place in range(at + digits - 1, at - 1, -1):
                numbers, digit = np.divmod(numbers, 10)
                text[:, place] = 48 + digit
            at += digits
        else:
            fixed = part.encode()
            text[:, at : at + len(fixed)] = np.frombuffer(fixed, np.uint8)
            at += len(fixed)
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    whole = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))
    return hide(whole.cast(pa.string()), null)


def words(choices: Sequence[str], which: npt.NDArray[np.integer]) -> pa.Array:
    """Texts out of a list; null where `which` is negative."""
    index = pa.array(np.maximum(which, 0).astype(np.int32), mask=np.asarray(which) < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(list(choices), pa.string()))


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts joined end to end; null where any part is."""
    plain = [pc.cast(part, pa.string()) if isinstance(part, pa.Array) else part for part in parts]
    return pc.binary_join_element_wise(*plain, "")


def decimals(units: npt.NDArray[np.integer], precision: int, scale: int) -> pa.Array:
    """Decimals from whole numbers of their last place (cents for scale 2)."""
    low = np.ascontiguousarray(units, np.int64)
    both = np.empty((len(low), 2), np.int64)
    both[:, 0] = low
    both[:, 1] = low >> 63  # the sign, carried into the upper half of the 128 bits
    return pa.Array.from_buffers(
        pa.decimal128(precision, scale), len(low), [None, pa.py_buffer(both)]
    )


def cents(amount: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Amounts rounded to whole cents."""
    return np.rint(np.asarray(amount) * 100).astype(np.int64)


def moments(
    first_day: datetime.date, day: npt.NDArray[np.floating], null: Bools | None = None
) -> pa.Array:
    """Business times, to the second, from fractional day numbers. NaN gives null."""
    day = np.asarray(day, float)
    missing = np.isnan(day) if null is None else np.isnan(day) | null
    start = (first_day - EPOCH).days * SECONDS
    seconds = start + np.floor(np.where(missing, 0.0, day) * SECONDS).astype(np.int64)
    return pa.array(seconds * 1_000_000, pa.timestamp("us"), mask=missing)


def dates(first_day: datetime.date, day: npt.NDArray[np.floating], null: Bools) -> pa.Array:
    """Dates from day numbers."""
    number = np.floor(np.where(null, 0, day)).astype(np.int32) + (first_day - EPOCH).days
    return pa.array(number.astype(np.int32), pa.date32(), mask=null)


def together(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rows of several kinds as one table of numpy columns, by customer and time (`day`)."""
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    by_time = np.lexsort([rows["day"], rows["customer"]])
    return {name: column[by_time] for name, column in rows.items()}


def running(customer: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Running number, from 1, of each row within its customer; the rows are sorted by customer."""
    return np.arange(len(customer)) - np.searchsorted(customer, customer, side="left") + 1


def hide(column: pa.Array, null: Bools | None) -> pa.Array:
    """The column with nulls where asked."""
    if null is None or not null.any():
        return column
    return pc.if_else(pa.array(~null), column, pa.scalar(None, column.type))


def at_hours(
    rng: np.random.Generator, day: npt.NDArray[np.floating], office: Bools | None = None
) -> npt.NDArray[np.float64]:
    """The same days at a waking hour: nine to six at the office, till ten at home."""
    uniform = rng.beta(1.6, 1.6, len(day))
    span = np.where(office, 9.0, 13.0) if office is not None else np.full(len(day), 9.0)
    return np.floor(day) + (9.0 + span * uniform) / 24
