"""What is an unusual amount, told from the manifests of earlier deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.suites.arrival import MAX_VOLUME_RATIO, MIN_VOLUME_RATIO
from pipelines.borders.volume import History

START = date(2026, 5, 31)
CLOSED_ON_SUNDAYS = [0 if (START + timedelta(days=i)).weekday() == 6 else 300 for i in range(1, 29)]


def history(first: int, *days: int, later: Sequence[int] = ()) -> History:
    """All of history on the first day, then a delivery a day; the run is of the last of `days`."""
    rows = Counter({START + timedelta(days=i): n for i, n in enumerate([first, *days, *later])})
    return History(START + timedelta(days=len(days)), rows)


def is_plausible(found: History) -> bool:
    ratio = found.volume_ratio
    return ratio is None or MIN_VOLUME_RATIO <= ratio <= MAX_VOLUME_RATIO


@pytest.mark.parametrize(
    ("found", "plausible"),
    [
        (history(1_000_000), True),  # the first delivery has nothing beside it
        (history(1_000_000, 300), True),  # the second would be judged by all of history
        (history(1_000_000, 300, 280), True),
        (history(1_000_000, 300, 29), False),  # - 90%
        (history(1_000_000, 300, 3001), False),  # x 10
        (history(1_000_000, *[300] * 20, 0, 300), True),  # one odd day does not change the usual
        (history(1_000_000, *[300] * 20, 0, 10), False),
        (history(1_000_000, *CLOSED_ON_SUNDAYS, 0), True),
        (history(1_000_000, 2, 1, 2, 1, 2, 19), True),  # a small shop has days ten times another
        (history(1_000_000, 2, 1, 2, 1, 2, 900), False),
        (history(1_000_000, 300, 300, 5, later=[300]), True),  # later days took its rows
    ],
)
def test_an_unusual_volume_is_told_from_a_usual_one(found: History, plausible: bool) -> None:
    assert is_plausible(found) == plausible


@pytest.mark.parametrize(
    ("found", "silent"),
    [
        (history(500), False),
        (history(0), False),  # nothing ever came: that is another check's sentence
        (history(500, 0), True),
        (history(500, 20, 0), True),
        (history(500, 20, 1), False),
        (history(500, *[20] * 10, 0, 0), True),
        (history(500, *CLOSED_ON_SUNDAYS), False),
        (history(500, *CLOSED_ON_SUNDAYS, 0), True),  # Monday, too
        (history(500, *[20] * 10, *[0] * 20), True),  # refused every day, it is still no habit
        (history(500, *[20] * 10, *[0] * 4, *[20] * 10, 0), True),  # one rest may be an accident
        (history(500, *([20] * 10 + [0] * 4) * 2, *[20] * 10, *[0] * 4), False),
        (history(500, *([20] * 10 + [0] * 4) * 2, *[20] * 10, *[0] * 5), True),
        (history(500, 20, 0, later=[20]), False),
    ],
)
def test_a_source_that_fell_silent_is_told_from_a_day_of_rest(found: History, silent: bool) -> None:
    assert found.fell_silent == silent


def test_a_delivery_after_a_gap_covers_the_days_of_the_gap() -> None:
    rows = Counter({START: 9000, START + timedelta(days=7): 2100, START + timedelta(days=8): 290})
    assert History(START + timedelta(days=8), rows).usual_rates == [300.0]


def test_backfills_that_found_nothing_left_are_no_first_delivery() -> None:
    rows = Counter({START - timedelta(days=60): 0, START: 9000})
    found = History(START, rows)
    assert found.is_first
    assert found.usual_rates == []


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(1, 10_000))
def test_a_volume_seen_before_on_most_days_is_always_plausible(days: list[int], first: int) -> None:
    middle = sorted(days)[len(days) // 2]
    assert is_plausible(history(first, *days, middle))
