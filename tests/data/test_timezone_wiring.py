"""HOMING_TIMEZONE from the setting to the business day of an order, through files and the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.resources.lake import Lake
from pipelines.settings import Settings
from pipelines.sources import connectors
from pipelines.tables.dbt import build_arguments

ORDERS = """order_id,customer_id,ordered_at,net_amount
before midnight,c,2024-06-30T23:30+08:00,1
after midnight,c,2024-07-01T00:30+08:00,1
the same in UTC,c,2024-06-30T16:30:00Z,1
evening of the shop,c,2024-06-30 23:45:00,1
night of the shop,c,2024-07-01 00:15:00,1
a day,c,2024-06-30,1
"""


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (
            "2024-06-30",
            {
                "before midnight": ("2024-06-30 15:30:00", "2024-06-30"),
                "evening of the shop": ("2024-06-30 15:45:00", "2024-06-30"),
                "a day": ("2024-06-29 16:00:00", "2024-06-30"),
            },
        ),
        (
            "2024-07-01",
            {
                "before midnight": ("2024-06-30 15:30:00", "2024-06-30"),
                "after midnight": ("2024-06-30 16:30:00", "2024-07-01"),
                "the same in UTC": ("2024-06-30 16:30:00", "2024-07-01"),
                "evening of the shop": ("2024-06-30 15:45:00", "2024-06-30"),
                "night of the shop": ("2024-06-30 16:15:00", "2024-07-01"),
                "a day": ("2024-06-29 16:00:00", "2024-06-30"),
            },
        ),
    ],
)
def test_an_order_lands_on_its_business_day(
    new_company: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_of: str,
    expected: dict[str, tuple[str, str]],
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS)
    company = new_company(timezone="Asia/Shanghai")
    monkeypatch.setenv("HOMING_TIMEZONE", "Asia/Shanghai")
    settings = Settings.read(home=company.home, source=("files",), files_dir=tmp_path)
    assert (
        '"timezone": "Asia/Shanghai"'
        in build_arguments(settings, as_of=date.fromisoformat(as_of), training=False)[-1]
    )
    [source] = connectors(settings)
    assert max(source.order_days()) == date(2024, 7, 1)
    [table] = source.tables()
    day = date.fromisoformat(as_of)
    lake = Lake(settings.lake, timezone=settings.timezone)
    intake = lake.write(table, day, [source.deliver(table, day)])
    lake.accept(day)
    # the lake takes what has happened by the midnight of the shop
    assert intake.manifest.rows == len(expected)
    found = company.rows(
        "select order_id, ordered_at::varchar, ordered_on::varchar from stg_orders",
        as_of=as_of,
        select="stg_orders",
    )
    assert {name: (at, on) for name, at, on in found} == expected
