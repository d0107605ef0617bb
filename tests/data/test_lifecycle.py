"""Lifecycle stages against a second computation that walks through every day of every customer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import duckdb
import pytest

AS_OF = date(2024, 6, 30)
FIRST_DAY = date(2022, 11, 1)
# less than the defaults, so that a small company has segments of its own
SEGMENT_MIN_GAPS, SEGMENT_FOLLOW_UP_DAYS = 5, 150
SHRINKAGE, DEFAULT_DAYS, BOUNDS, WON_BACK_DAYS = 2, 90, (7, 730), 90
SERVICE_DAYS = {"boiler": 180, "van": None}

Rows = list[dict[str, Any]]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10)


def random_company(seed: int) -> dict[str, Rows]:
    """Customers of every rhythm: one order, same-day orders, long gaps, assets, leap days, none."""
    chance = random.Random(seed)
    orders: Rows = []
    assets: Rows = []
    items: Rows = []
    customers: Rows = []
    for number in range(70):
        customer = f"C{number:03}"
        kinds = [None] if number % 3 else ["boiler", "van", None][: 1 + number % 4]
        if number % 2:
            created = FIRST_DAY + timedelta(days=chance.randrange(500))
            customers.append({"customer_id": customer, "created_at": at(created)})
        for position, kind in enumerate(kinds):
            asset = f"{customer}-{position}" if kind else None
            if asset:
                assets.append({
                    "asset_id": asset, "customer_id": customer, "kind": kind,
                    "service_interval_days": SERVICE_DAYS[kind or ""],
                })  # fmt: skip
            day = FIRST_DAY + timedelta(days=chance.randrange(560))
            rhythm = chance.choice([3, 12, 40, 120])
            for _ in range(chance.choice([1, 1, 2, 5, 12])):
                for _ in range(chance.choice([1, 1, 1, 2])):
                    order = f"O{len(orders):04}"
                    orders.append({
                        "order_id": order, "customer_id": customer, "ordered_at": at(day),
                        "net_amount": chance.randrange(1, 90), "asset_id": asset,
                        "status": chance.choice(["completed"] * 9 + ["cancelled"]),
                    })  # fmt: skip
                    items.append({
                        "order_id": order, "line_no": 1, "product_id": f"P{number % 4}",
                        "quantity": 1, "unit_price": 3,
                    })  # fmt: skip
                late = chance.choice([1, 1, 1, 3, 6])
                day += timedelta(days=1 + int(chance.expovariate(1 / rhythm)) * late)
                if day > AS_OF:
                    break
    customers.append({"customer_id": "prospect", "created_at": at(date(2024, 2, 29))})
    orders.append(
        {"order_id": "leap", "customer_id": "leap", "ordered_at": at(date(2024, 2, 29)),
         "net_amount": 5, "asset_id": None, "status": "completed"}
    )  # fmt: skip
    products: Rows = [
        {"product_id": "P0", "category": "tea", "service_interval_days": None},
        {"product_id": "P1", "category": "coffee", "service_interval_days": None},
        {"product_id": "P2", "category": "filters", "service_interval_days": 60},
    ]
    return {
        "customers": customers, "orders": orders, "order_items": items, "assets": assets,
        "products": products,
    }  # fmt: skip


@dataclass(frozen=True)
class OrderDay:
    day: date
    interval: int


Unit = tuple[str, str]


def order_days(company: Mapping[str, Rows]) -> dict[Unit, list[OrderDay]]:
    """Every unit's order days with the interval expected after each, from what was known on it."""
    products = {row["product_id"]: row for row in company["products"]}
    assets = {row["asset_id"]: row for row in company["assets"]}
    product_of = {row["order_id"]: row["product_id"] for row in company["order_items"]}
    days: dict[Unit, dict[date, list[str]]] = defaultdict(lambda: defaultdict(list))
    for order in company["orders"]:
        if order["status"] == "completed":
            unit = (order["customer_id"], order["asset_id"] or order["customer_id"])
            days[unit][order["ordered_at"].date()].append(order["order_id"])

    def category(order: str) -> Any:
        return products.get(product_of.get(order, ""), {}).get("category")

    segment = {
        unit: assets[unit[1]]["kind"] if unit[1] in assets else category(of[min(of)][0])
        for unit, of in days.items()
    }
    # first gaps, each known from the day on which its unit has been followed to the end
    gaps: list[tuple[date, Any, int]] = []
    for unit, of in days.items():
        first, *later = sorted(of)
        if later and (gap := (later[0] - first).days) <= SEGMENT_FOLLOW_UP_DAYS:
            gaps.append((first + timedelta(days=SEGMENT_FOLLOW_UP_DAYS), segment[unit], gap))

    def segment_days(unit: Unit, day: date) -> float:
        before = [(s, gap) for on, s, gap in gaps if on <= day.replace(day=1)]
        for known in (
            [gap for s, gap in before if s and s == segment[unit]],
            [g for _, g in before],
        ):
            if len(known) >= SEGMENT_MIN_GAPS:
                return median(known)
        return DEFAULT_DAYS

    def expected(unit: Unit, day: date, own: Sequence[int]) -> int:
        asset_days = assets.get(unit[1], {}).get("service_interval_days")
        product_days = [
            due
            for order in days[unit][day]
            if (due := products.get(product_of.get(order, ""), {}).get("service_interval_days"))
        ]
        if asset_days or product_days:
            interval = float(asset_days or min(product_days))
        else:
            own_part = len(own) * median(own) if own else 0
            interval = (own_part + SHRINKAGE * segment_days(unit, day)) / (len(own) + SHRINKAGE)
        interval = max(BOUNDS[0], min(BOUNDS[1], interval))
        return int(interval + 0.5)

    result: dict[Unit, list[OrderDay]] = {}
    for unit, of in days.items():
        ordered = sorted(of)
        own = [(b - a).days for a, b in pairwise(ordered)]
        result[unit] = [
            OrderDay(day, expected(unit, day, own[:n])) for n, day in enumerate(ordered)
        ]
    return result


def walk(units: Sequence[Sequence[OrderDay]], rollup: str) -> Iterator[tuple[date, str]]:
    """The stage of each day from the first order to as_of, by the day and the day before."""
    buying_days = sorted({order.day for unit in units for order in unit})
    missed_before, special, since = 0, "new", buying_days[0]
    day = buying_days[0]
    while day <= AS_OF:
        missed = []
        for unit in units:
            past = [order for order in unit if order.day <= day]
            if past:
                missed.append((day - past[-1].day).days // past[-1].interval)
        now = min(3, min(missed) if rollup == "all" else max(missed))
        if now == 0 and missed_before == 3:
            special, since = "won_back", day
        elif (
            now > 0
            or (special == "new" and day in buying_days[1:])
            or (special == "won_back" and (day - since).days >= WON_BACK_DAYS)
        ):
            special = "active"
        yield day, special if now == 0 else ("watch", "quasi_churned", "churned")[now - 1]
        missed_before = now
        day += timedelta(days=1)


def stages_by_day(rows: Sequence[tuple[date, date | None, str]]) -> dict[date, str]:
    """Spells spread over their days; a day in two spells fails."""
    stages: dict[date, str] = {}
    for valid_from, valid_to, stage in rows:
        for offset in range(((valid_to or AS_OF + timedelta(days=1)) - valid_from).days):
            day = valid_from + timedelta(days=offset)
            assert day not in stages
            stages[day] = stage
    return stages


@pytest.mark.parametrize(("seed", "rollup"), [(1, "all"), (2, "any")])
def test_history_agrees_with_a_walk_through_every_day(build: Any, seed: int, rollup: str) -> None:
    company = random_company(seed)
    warehouse = build(
        company,
        select="lifecycle_history lifecycle_history_unit lifecycle_statement",
        vars={
            "as_of": AS_OF.isoformat(),
            "lifecycle_rollup": rollup,
            "segment_min_gaps": SEGMENT_MIN_GAPS,
            "segment_follow_up_days": SEGMENT_FOLLOW_UP_DAYS,
        },
    )
    expected = order_days(company)
    units: dict[str, list[list[OrderDay]]] = defaultdict(list)
    for unit, days in expected.items():
        units[unit[0]].append(days)

    found = spells(warehouse, "lifecycle_history", "customer_id")
    for customer, of in units.items():
        walked = dict(walk(of, rollup))
        spread = {
            day: stage
            for day, stage in stages_by_day(found[(customer,)]).items()
            if stage != "prospect"
        }
        assert spread == walked, customer
    of_units = spells(warehouse, "lifecycle_history_unit", "customer_id, unit_id")
    assert of_units.keys() == expected.keys()
    for unit, days in expected.items():
        assert stages_by_day(of_units[unit]) == dict(walk([days], rollup)), unit

    statement(warehouse, {customer: dict(walk(of, rollup)) for customer, of in units.items()})


def spells(
    warehouse: duckdb.DuckDBPyConnection, table: str, keys: str
) -> dict[tuple[str, ...], list[tuple[date, date | None, str]]]:
    result: dict[tuple[str, ...], list[tuple[date, date | None, str]]] = defaultdict(list)
    for *key, valid_from, valid_to, stage in warehouse.sql(
        f"select {keys}, valid_from, valid_to, stage from {table} order by all"
    ).fetchall():
        result[tuple(key)].append((valid_from, valid_to, stage))
    return result


def statement(
    warehouse: duckdb.DuckDBPyConnection, walked: Mapping[str, Mapping[date, str]]
) -> None:
    """Each month's closing, recounted from the stages of its last day."""
    rows = warehouse.sql("select month, closing, is_finished from lifecycle_statement").fetchall()
    for month, closing, is_finished in rows:
        next_month = (month + timedelta(days=32)).replace(day=1)
        last = min(next_month - timedelta(days=1), AS_OF)
        there = [days.get(last, "churned") for days in walked.values()]
        assert closing == sum(stage != "churned" for stage in there), month
        assert is_finished == (next_month - timedelta(days=1) <= AS_OF)
    assert rows[-1][0] == AS_OF.replace(day=1)
