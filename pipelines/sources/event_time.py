"""When a row happened, as SQL: the one reading on which lake and sources agree.

Here: the instant of a row, in a session whose time zone is the business time zone.
Not here: what happens to a row without one (lake and staging).
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from pipelines.sources.contract import Table, load_vars


def event_time(table: Table, schema: pa.Schema) -> str:
    """The instant of a row's event; NULL where it has none or it cannot be read.

    Args:
        table: tells which column holds the time.
        schema: of the rows; a time in it may be a timestamp, a date or text.
    """
    if table.time not in schema.names:
        return "null::timestamptz"
    kind = schema.field(table.time).type
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return f"try_cast({table.time}{'' if is_time else '::varchar'} as timestamptz)"


def is_plausible(instant: str) -> str:
    """Whether an instant is one at which something may have happened."""
    days = load_vars()
    first, end = midnight(days["earliest_plausible_on"]), midnight(days["latest_plausible_on"])
    return f"({instant} >= {first} and {instant} < {end})"


def midnight(day: date | str) -> str:
    """The instant at which a business day begins."""
    return f"timestamptz '{day} 00:00:00'"
