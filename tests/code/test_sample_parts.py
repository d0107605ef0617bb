"""The parts the sample company is built of: calendar, purchase times, columns, luck."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sources.sample.columns import (
    codes,
    dates,
    decimals,
    joined,
    moments,
    running,
    together,
    words,
)
from pipelines.sources.sample.purchase_times import purchase_times
from pipelines.sources.sample.seasons import BUSINESS, CONSUMER, seasons
from pipelines.sources.sample.streams import Purpose, stream

CALENDAR = seasons(datetime.date(2026, 6, 30), 3)
JULY = datetime.date(2023, 7, 1)


# -- calendar --


def day_of(date: datetime.date) -> int:
    return (date - CALENDAR.first_day).days


def weight(date: datetime.date, profile: int) -> float:
    day = day_of(date)
    return float(CALENDAR.busy[profile, day + 1] - CALENDAR.busy[profile, day])


def test_history_begins_on_the_first_of_a_month_and_ends_on_the_last_day():
    assert CALENDAR.first_day == JULY
    assert CALENDAR.date(CALENDAR.days - 1) == datetime.date(2026, 6, 30)
    assert len(CALENDAR.months) == 37
    assert CALENDAR.months[-1] == CALENDAR.days
    assert CALENDAR.future[0][0] == CALENDAR.days
    assert CALENDAR.future[-1][1] == CALENDAR.days + 90


@pytest.mark.parametrize("last_day", [datetime.date(2024, 2, 29), datetime.date(2026, 3, 15)])
def test_any_last_day_will_do(last_day: datetime.date):
    calendar = seasons(last_day, 2)
    assert calendar.first_day.day == 1
    assert calendar.date(calendar.days - 1) == last_day
    assert (np.diff(calendar.months) > 0).all()


def test_a_mean_day_counts_one():
    assert CALENDAR.busy[:, -1] == pytest.approx(CALENDAR.busy.shape[1] - 1)


def test_busy_before_christmas_quiet_in_the_new_year_holidays():
    friday_before, first_day_of_year = datetime.date(2024, 12, 20), datetime.date(2025, 1, 29)
    ordinary = datetime.date(2024, 5, 17)
    assert weight(friday_before, CONSUMER) > 1.15 * weight(ordinary, CONSUMER)
    assert weight(first_day_of_year, CONSUMER) < 0.5 * weight(ordinary, CONSUMER)
    assert weight(first_day_of_year, BUSINESS) < 0.1 * weight(ordinary, BUSINESS)
    assert weight(datetime.date(2024, 5, 19), BUSINESS) < 0.2  # a Sunday


@given(day=st.floats(0, CALENDAR.days + 90), profile=st.sampled_from([CONSUMER, BUSINESS]))
def test_busy_time_and_days_are_two_ways_to_say_the_same(day: float, profile: int):
    profiles = np.array([profile], np.int8)
    back = CALENDAR.day_at(CALENDAR.busy_at(np.array([day]), profiles), profiles)
    assert back[0] == pytest.approx(day, abs=1e-6)


def test_months_begin_where_they_begin():
    days = np.array([0.0, 30.999, 31.0, CALENDAR.days - 0.001])
    assert CALENDAR.month_of(days).tolist() == [0, 0, 1, 35]


# -- purchase times --


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from([1.0, 2.0, 9.0]))
def test_purchases_come_at_the_rate_they_should(seed: int, shape: float):
    n, longest = 400, 20.0
    times = purchase_times(
        np.random.default_rng(seed), np.full(n, longest), np.full(n, shape), np.zeros(n, bool)
    )
    within = (times.moment < longest).sum() / n
    assert within == pytest.approx(longest, rel=0.10)
    assert (np.diff(times.key) > 0).all()
    assert (times.moment >= 0).all()


def test_who_joins_to_buy_buys_at_once_and_who_never_buys_never_does():
    times = purchase_times(
        np.random.default_rng(1), np.array([5.0, 0.0, 5.0]), np.ones(3), np.array([True] * 3)
    )
    first = times.moment[np.unique(times.customer, return_index=True)[1]]
    assert set(times.customer) == {0, 2}
    assert first.tolist() == [0.0, 0.0]


def test_counting_purchases_between_two_moments():
    times = purchase_times(
        np.random.default_rng(1), np.array([9.0, 9.0]), np.ones(2), np.array([True, True])
    )
    everybody = np.array([0, 1])
    between = times.until(everybody, np.array([4.0, 4.0])) - times.until(
        everybody, np.array([-0.5, 2.0])
    )
    expected = [
        ((times.customer == 0) & (times.moment <= 4)).sum(),
        ((times.customer == 1) & (times.moment > 2) & (times.moment <= 4)).sum(),
    ]
    assert between.tolist() == expected


# -- luck --


def test_streams_depend_on_seed_purpose_and_part_alone():
    def draw(*key: int) -> float:
        return float(stream(key[0], Purpose(key[1]), *key[2:]).random())

    assert draw(7, 3, 0) == draw(7, 3, 0)
    assert len({draw(7, 3, 0), draw(8, 3, 0), draw(7, 4, 0), draw(7, 3, 1)}) == 4


# -- columns --


@given(st.lists(st.integers(0, 9_999_999), min_size=1), st.integers(0, 99))
def test_identifiers_are_padded_numbers(numbers: list[int], second: int):
    column = codes("C", (np.array(numbers), 7), "-", (np.full(len(numbers), second), 2))
    assert column.to_pylist() == [f"C{number:07d}-{second:02d}" for number in numbers]


def test_identifiers_may_be_missing():
    column = codes("S", (np.array([1, 2]), 3), null=np.array([False, True]))
    assert column.to_pylist() == ["S001", None]


@given(st.lists(st.integers(-(10**15), 10**15)))
def test_decimals_hold_whole_cents(cents: list[int]):
    column = decimals(np.array(cents, np.int64), 18, 2)
    assert column.to_pylist() == [Decimal(c).scaleb(-2) for c in cents]
    column.validate(full=True)


def test_words_are_null_where_there_is_none():
    assert words(("a", "b"), np.array([1, -1, 0])).to_pylist() == ["b", None, "a"]


def test_texts_are_joined_end_to_end():
    assert joined(pa.array(["王", None]), "-", pa.array(["伟", "芳"])).to_pylist() == [
        "王-伟",
        None,
    ]


def test_times_count_from_the_first_day_and_may_lie_before_it():
    times = moments(JULY, np.array([0.5, -1.0, np.nan]))
    assert times.to_pylist() == [
        datetime.datetime(2023, 7, 1, 12),
        datetime.datetime(2023, 6, 30),
        None,
    ]
    days = dates(JULY, np.array([1.9, 0.0]), np.array([False, True]))
    assert days.to_pylist() == [datetime.date(2023, 7, 2), None]


def test_rows_of_several_kinds_stand_by_customer_and_time():
    parts = [
        {"customer": np.array([2, 1]), "day": np.array([1.0, 9.0]), "kind": np.array([0, 0])},
        {"customer": np.array([1]), "day": np.array([3.0]), "kind": np.array([1])},
    ]
    rows = together(parts)
    assert rows["customer"].tolist() == [1, 1, 2]
    assert rows["kind"].tolist() == [1, 0, 0]
    assert running(rows["customer"]).tolist() == [1, 2, 1]
