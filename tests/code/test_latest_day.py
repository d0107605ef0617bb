"""The day a run speaks for when none is asked for: orders lead up to it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources import MIN_ORDER_DAYS, latest_day

FIRST = date(2026, 1, 1)


def every(step: int, days: int) -> list[date]:
    return [FIRST + timedelta(days=step * n) for n in range(days)]


def after(days: list[date], pause: int) -> date:
    return days[-1] + timedelta(days=pause)


@pytest.mark.parametrize(
    ("step", "pause", "waits"),
    [(1, 7, False), (1, 8, True), (4, 12, False), (4, 13, True), (30, 90, False), (30, 91, True)],
)
def test_a_day_alone_after_an_unusual_pause_waits(step: int, pause: int, waits: bool) -> None:
    days = every(step, 40)
    lonely = after(days, pause)
    assert latest_day([*days, lonely]) == ((days[-1], [lonely]) if waits else (lonely, []))


def test_a_shop_that_opens_again_is_believed_on_its_second_day() -> None:
    days = every(1, 40)
    opened = after(days, 60)
    again = [opened, opened + timedelta(days=1)]
    assert latest_day([*days, opened])[0] == days[-1]
    assert latest_day([*days, *again]) == (again[1], [])


def test_several_mistyped_days_wait_in_their_order() -> None:
    days = every(1, 40)
    wrong = [after(days, 30), after(days, 300)]
    assert latest_day([*reversed(wrong), *days]) == (days[-1], wrong)


def test_few_days_tell_no_usual_pause() -> None:
    few = every(1, MIN_ORDER_DAYS - 1)
    assert latest_day([*few, after(few, 100)]) == (after(few, 100), [])


@given(st.sets(st.integers(0, 2000), min_size=1))
def test_no_day_is_lost(offsets: set[int]) -> None:
    days = {FIRST + timedelta(days=n) for n in offsets}
    latest, alone = latest_day(days)
    assert latest in days
    assert {day for day in days if day > latest} == set(alone)
