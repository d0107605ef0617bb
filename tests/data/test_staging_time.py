"""Days and hours: business time zone, daylight saving, zones in the data, the border of a run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest


def orders(times: dict[str, Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table(
        {
            "order_id": list(times),
            "customer_id": ["c"] * len(times),
            "ordered_at": pa.array(list(times.values()), kind),
            "net_amount": ["1"] * len(times),
        }
    )


# order_id: (as written, UTC, day in Berlin)
BERLIN_TEXT = {
    "winter": ("2024-01-15 12:00:00", "2024-01-15 11:00:00", "2024-01-15"),
    "summer": ("2024-06-15 12:00:00", "2024-06-15 10:00:00", "2024-06-15"),
    "midnight": ("2024-06-15 00:00:00", "2024-06-14 22:00:00", "2024-06-15"),
    "day only": ("2024-06-15", "2024-06-14 22:00:00", "2024-06-15"),
    "in the gap": ("2024-03-31 02:30:00", "2024-03-31 01:30:00", "2024-03-31"),
    "repeated hour": ("2023-10-29 02:30:00", "2023-10-29 01:30:00", "2023-10-29"),
    "zulu": ("2024-06-14T22:30:00Z", "2024-06-14 22:30:00", "2024-06-15"),
    "offset": ("2024-06-15T06:00:00+08:00", "2024-06-14 22:00:00", "2024-06-15"),
    "short offset": ("2024-06-15 06:00+08", "2024-06-14 22:00:00", "2024-06-15"),
    "fraction": ("2024-06-15 12:00:00.123456789", "2024-06-15 10:00:00.123456", "2024-06-15"),
}


@pytest.fixture(scope="module")
def berlin(new_company: Callable[..., Any]) -> dict[str, tuple[str, str]]:
    company = new_company(timezone="Europe/Berlin")
    company.deliver("orders", orders({n: text for n, (text, _, _) in BERLIN_TEXT.items()}))
    found = company.rows(
        "select order_id, ordered_at::text, ordered_on::text from stg_orders", select="stg_orders"
    )
    return {order_id: (moment, day) for order_id, moment, day in found}


@pytest.mark.parametrize("name", BERLIN_TEXT)
def test_text_is_business_time_unless_it_names_a_zone(
    berlin: dict[str, tuple[str, str]], name: str
) -> None:
    _, moment, day = BERLIN_TEXT[name]
    assert berlin[name] == (moment, day)


def test_no_hour_of_a_year_is_lost(new_company: Callable[..., Any]) -> None:
    company = new_company(timezone="America/New_York")
    hours = {
        f"{month}-{day}-{hour}": f"2023-{month:02}-{day:02} {hour:02}:30:00"
        for month, day in [(3, 11), (3, 12), (3, 13), (11, 4), (11, 5), (11, 6)]
        for hour in range(24)
    }
    company.deliver("orders", orders(hours))
    found = company.rows(
        "select ordered_on::text, count(*) from stg_orders group by 1 order by 1",
        select="stg_orders",
    )
    assert [count for _, count in found] == [24] * 6


# order_id: (type in the Parquet file, UTC, day in Berlin) of what is written as 2024-06-14 22:30
BERLIN_PARQUET = {
    "in UTC": (pa.timestamp("us", tz="UTC"), "2024-06-14 22:30:00", "2024-06-15"),
    "in a zone": (pa.timestamp("us", tz="Asia/Shanghai"), "2024-06-14 22:30:00", "2024-06-15"),
    "microseconds": (pa.timestamp("us"), "2024-06-14 20:30:00", "2024-06-14"),
    "nanoseconds": (pa.timestamp("ns"), "2024-06-14 20:30:00", "2024-06-14"),
    "seconds": (pa.timestamp("s"), "2024-06-14 20:30:00", "2024-06-14"),
    "days": (pa.date32(), "2024-06-13 22:00:00", "2024-06-14"),
}


def test_parquet_times_say_themselves_whether_they_have_a_zone(
    new_company: Callable[..., Any],
) -> None:
    company = new_company(timezone="Europe/Berlin")
    stored = datetime(2024, 6, 14, 22, 30, tzinfo=UTC)
    for day, (name, (kind, _, _)) in enumerate(BERLIN_PARQUET.items(), start=15):
        value = stored.date() if kind == pa.date32() else stored
        company.deliver("orders", orders({name: value}, kind), as_of=f"2024-06-{day}")
    found = company.rows(
        "select order_id, ordered_at::text, ordered_on::text from stg_orders", select="stg_orders"
    )
    assert {name: times for name, *times in found} == {
        name: [moment, day] for name, (_, moment, day) in BERLIN_PARQUET.items()
    }


@pytest.mark.parametrize(
    ("timezone", "included"),
    [
        ("Asia/Shanghai", []),
        ("America/New_York", ["last second", "next midnight"]),
    ],
)
def test_a_run_ends_at_midnight_of_the_business(
    new_company: Callable[..., Any], timezone: str, included: list[str]
) -> None:
    company = new_company(timezone=timezone)
    times = {"last second": "2024-06-30T23:59:59Z", "next midnight": "2024-07-01T00:00:00Z"}
    company.deliver("orders", orders(times), as_of="2024-12-31")
    found = company.rows("select order_id from stg_orders order by 1", select="stg_orders")
    assert [order_id for (order_id,) in found] == included
