"""The lifecycle told a second time: every order day and every day of every customer, one by one.

From the definition alone (design, chapter 7): an interval is expected after each order day from
what was known on it; the stage of a day follows from the intervals missed by it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from statistics import median


@dataclass(frozen=True)
class Rules:
    """The vars of the lifecycle, in days where not gaps."""

    segment_min_gaps: int
    segment_follow_up_days: int
    interval_shrinkage: int
    default_interval_days: int
    min_interval_days: int
    max_interval_days: int
    won_back_window_days: int


@dataclass(frozen=True)
class Asset:
    """What is recorded of an asset, and from which day on it is (None: always)."""

    kind: str | None
    service_days: int | None
    acquired_on: date | None = None


@dataclass(frozen=True)
class Order:
    """A completed order; of its products the category of the largest line and the nearest due."""

    customer: str
    asset: str | None
    day: date
    category: str | None
    service_days: int | None


@dataclass(frozen=True)
class OrderDay:
    """A day on which a unit ordered, and the days until it is expected again."""

    day: date
    interval: int


Unit = tuple[str, str]
Spell = tuple[date, date | None, str]
NOBODY = Asset(None, None)


def order_days(
    orders: Sequence[Order], assets: Mapping[str, Asset], rules: Rules
) -> dict[Unit, list[OrderDay]]:
    """Every unit's order days with the interval expected after each, from what was known on it.

    Args:
        orders: in the order in which they were placed.
        assets: by identifier.
        rules: the vars.
    """
    days: dict[Unit, dict[date, list[Order]]] = defaultdict(lambda: defaultdict(list))
    for order in orders:
        days[order.customer, order.asset or order.customer][order.day].append(order)
    gaps: list[tuple[date, str | None, int]] = []

    def recorded(unit: Unit, day: date) -> Asset:
        asset = assets.get(unit[1], NOBODY)
        return asset if asset.acquired_on is None or asset.acquired_on <= day else NOBODY

    def segment(unit: Unit, day: date) -> str | None:
        bought = (order.category for order in days[unit][min(days[unit])])
        return recorded(unit, day).kind or next((c for c in bought if c), None)

    # first gaps, each known from the day on which its unit has been followed to the end
    for unit, of in days.items():
        first, *later = sorted(of)
        if later and (gap := (later[0] - first).days) <= rules.segment_follow_up_days:
            followed = first + timedelta(days=rules.segment_follow_up_days)
            gaps.append((followed, segment(unit, later[0]), gap))
    medians: dict[tuple[str | None, date], float] = {}

    def segment_days(of: str | None, month: date) -> float:
        if (of, month) not in medians:
            known = [(s, gap) for on, s, gap in gaps if on <= month]
            pools = ([gap for s, gap in known if s and s == of], [gap for _, gap in known])
            told = (median(pool) for pool in pools if len(pool) >= rules.segment_min_gaps)
            medians[of, month] = next(told, rules.default_interval_days)
        return medians[of, month]

    def expected(unit: Unit, day: date, own: Sequence[int]) -> int:
        due = recorded(unit, day).service_days or min(
            (order.service_days for order in days[unit][day] if order.service_days), default=None
        )
        weight = rules.interval_shrinkage
        pooled = segment_days(segment(unit, day), day.replace(day=1))
        own_part = len(own) * median(own) if own else 0
        interval = due or (own_part + weight * pooled) / (len(own) + weight)
        return int(max(rules.min_interval_days, min(rules.max_interval_days, interval)) + 0.5)

    result: dict[Unit, list[OrderDay]] = {}
    for unit, of in days.items():
        ordered = sorted(of)
        own = [(b - a).days for a, b in pairwise(ordered)]
        result[unit] = [
            OrderDay(day, expected(unit, day, own[:n])) for n, day in enumerate(ordered)
        ]
    return result


def walk(
    units: Sequence[Sequence[OrderDay]], rollup: str, as_of: date, won_back_days: int
) -> Iterator[tuple[date, str]]:
    """The stage of each day from the first order to as_of, by the day and the day before."""
    buying_days = sorted({order.day for unit in units for order in unit})
    again = set(buying_days[1:])
    placed = [[order.day for order in unit] for unit in units]
    missed_before, special, since = 0, "new", buying_days[0]
    day = buying_days[0]
    while day <= as_of:
        missed = []
        for unit, on in zip(units, placed, strict=True):
            if past := bisect_right(on, day):
                missed.append((day - on[past - 1]).days // unit[past - 1].interval)
        now = min(3, min(missed) if rollup == "all" else max(missed))
        if now == 0 and missed_before == 3:
            special, since = "won_back", day
        elif (
            now > 0
            or (special == "new" and day in again)
            or (special == "won_back" and (day - since).days >= won_back_days)
        ):
            special = "active"
        yield day, special if now == 0 else ("watch", "quasi_churned", "churned")[now - 1]
        missed_before = now
        day += timedelta(days=1)


def spells(days: Iterator[tuple[date, str]]) -> list[Spell]:
    """Days of one stage put together: the first day, the day after the last one, the stage."""
    found = [(stage, next(on)[0]) for stage, on in groupby(days, key=lambda day: day[1])]
    ends = [*(begun for _, begun in found[1:]), None]
    return [(begun, end, stage) for (stage, begun), end in zip(found, ends, strict=True)]
