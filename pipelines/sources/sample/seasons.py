"""The calendar of the company: how busy each day is, and the way between days and busyness.

Busy time is the day count with every day weighted by how busy it is; its mean day counts 1. A
customer who buys at a constant rate in busy time buys more before Christmas and hardly at all on
the days of Chinese New Year.
"""

from __future__ import annotations

import datetime
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Days = npt.NDArray[np.float64]

CONSUMER, BUSINESS = 0, 1
# The world goes on beyond the last day with data, as long as an effect is counted; the truth tells
# of that time, the tables do not.
FUTURE_MONTHS, FUTURE_MONTH_DAYS = 3, 30

# First day of the Chinese year; outside these years the holiday is left out.
NEW_YEARS = {
    2015: (2, 19), 2016: (2, 8), 2017: (1, 28), 2018: (2, 16), 2019: (2, 5), 2020: (1, 25),
    2021: (2, 12), 2022: (2, 1), 2023: (1, 22), 2024: (2, 10), 2025: (1, 29), 2026: (2, 17),
    2027: (2, 6), 2028: (1, 26), 2029: (2, 13), 2030: (2, 3), 2031: (1, 23), 2032: (2, 11),
    2033: (1, 31), 2034: (2, 19), 2035: (2, 8),
}  # fmt: skip

# Monday to Sunday; own assumption.
WEEKDAY = np.array(
    [[0.90, 0.88, 0.90, 0.95, 1.08, 1.25, 1.04], [1.30, 1.34, 1.32, 1.30, 1.20, 0.38, 0.16]]
)
# Persons: between all retail and electronics in the US Census' combined factors for 2024-25
# (December 1.11 and 1.37, January 0.92 and 0.94, February 0.88 and 0.88), with a summer lull;
# companies and the lull are own assumptions. Chinese New Year likewise.
MONTH = np.array(
    [
        [0.93, 0.92, 0.98, 0.97, 1.00, 0.98, 0.90, 0.90, 0.97, 1.00, 1.12, 1.24],
        [0.98, 0.95, 1.06, 1.03, 1.03, 1.02, 0.93, 0.86, 1.04, 1.05, 1.05, 0.98],
    ]
)
BEFORE_NEW_YEAR, BEFORE_DAYS = (1.35, 1.10), 18
DURING_NEW_YEAR, DURING_DAYS = (0.35, 0.05), 8


@dataclass(frozen=True)
class Seasons:
    """Days of the history, counted from its first day, and their busy time.

    Attributes:
        first_day: day 0, the first of a month.
        days: number of days, up to and including the last one with data.
        months: start of each month and, at the end, the day after the last (day numbers).
        busy: busy time at the start of each day, one row per profile; goes on into the future.
    """

    first_day: datetime.date
    days: int
    months: npt.NDArray[np.int64]
    busy: Days

    @property
    def _grid(self) -> Days:
        return np.arange(self.busy.shape[1], dtype=float)

    @property
    def future(self) -> list[tuple[float, float]]:
        """Start and end of the months after the last day with data."""
        edges = [float(self.days + FUTURE_MONTH_DAYS * k) for k in range(FUTURE_MONTHS + 1)]
        return list(itertools.pairwise(edges))

    def busy_at(self, day: Days, profile: npt.NDArray[np.int8]) -> Days:
        """Busy time at a moment given as a fractional day number."""
        business, consumer = (
            np.interp(day, self._grid, self.busy[p]) for p in (BUSINESS, CONSUMER)
        )
        return np.where(profile == BUSINESS, business, consumer)

    def day_at(self, busy: Days, profile: npt.NDArray[np.int8]) -> Days:
        """The moment at which a busy time is reached, as a fractional day number."""
        business, consumer = (
            np.interp(busy, self.busy[p], self._grid) for p in (BUSINESS, CONSUMER)
        )
        return np.where(profile == BUSINESS, business, consumer)

    def month_of(self, day: Days) -> npt.NDArray[np.int64]:
        """Number of the month, from 0, in which a day lies."""
        inside = np.clip(day, 0, self.days - 1)
        return np.searchsorted(self.months, inside, side="right") - 1

    def date(self, day: float) -> datetime.date:
        """Calendar date of a day number."""
        return self.first_day + datetime.timedelta(days=int(np.floor(day)))


def seasons(last_day: datetime.date, years: int) -> Seasons:
    """The calendar of the `years` up to `last_day`, from the first of a month."""
    months = [_month_before(last_day, back) for back in range(12 * years - 1, -1, -1)]
    first_day = months[0]
    days = (last_day - first_day).days + 1
    all_days = days + FUTURE_MONTHS * FUTURE_MONTH_DAYS
    dates = [first_day + datetime.timedelta(days=n) for n in range(all_days)]
    weights = np.stack([[_weight(date, profile) for date in dates] for profile in (0, 1)])
    weights /= weights.mean(axis=1, keepdims=True)
    return Seasons(
        first_day=first_day,
        days=days,
        months=np.array([(month - first_day).days for month in months] + [days]),
        busy=np.concatenate([np.zeros((2, 1)), weights.cumsum(axis=1)], axis=1),
    )


def _month_before(day: datetime.date, back: int) -> datetime.date:
    number = day.year * 12 + day.month - 1 - back
    return datetime.date(number // 12, number % 12 + 1, 1)


def _weight(date: datetime.date, profile: int) -> float:
    weight = float(MONTH[profile, date.month - 1] * WEEKDAY[profile, date.weekday()])
    if date.year in NEW_YEARS:
        new_year = datetime.date(date.year, *NEW_YEARS[date.year])
        distance = (date - new_year).days
        if -BEFORE_DAYS <= distance < 0:
            weight *= BEFORE_NEW_YEAR[profile]
        elif 0 <= distance < DURING_DAYS:
            weight *= DURING_NEW_YEAR[profile]
    return weight
