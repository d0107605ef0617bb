"""Lifecycle stages against a second computation that walks through every day of every customer."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from tests.data.lifecycle_by_hand import Asset, Order, OrderDay, Rules, order_days, walk

AS_OF = date(2024, 6, 30)
FIRST_DAY = date(2022, 11, 1)
# less than the defaults, so that a small company has segments of its own
RULES = Rules(
    segment_min_gaps=5,
    segment_follow_up_days=150,
    interval_shrinkage=2,
    default_interval_days=90,
    min_interval_days=7,
    max_interval_days=730,
    won_back_window_days=90,
)
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


def orders_of(company: Mapping[str, Rows]) -> list[Order]:
    """What the hand needs to know of the completed orders; each has one line."""
    products = {row["product_id"]: row for row in company["products"]}
    bought = {
        row["order_id"]: products.get(row["product_id"], {}) for row in company["order_items"]
    }
    return [
        Order(
            order["customer_id"], order["asset_id"], order["ordered_at"].date(),
            bought.get(order["order_id"], {}).get("category"),
            bought.get(order["order_id"], {}).get("service_interval_days"),
        )
        for order in company["orders"]
        if order["status"] == "completed"
    ]  # fmt: skip


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
            "segment_min_gaps": RULES.segment_min_gaps,
            "segment_follow_up_days": RULES.segment_follow_up_days,
        },
    )
    assets = {
        row["asset_id"]: Asset(row["kind"], row["service_interval_days"])
        for row in company["assets"]
    }
    expected = order_days(orders_of(company), assets, RULES)
    units: dict[str, list[list[OrderDay]]] = defaultdict(list)
    for unit, days in expected.items():
        units[unit[0]].append(days)

    found = spells(warehouse, "lifecycle_history", "customer_id")
    for customer, of in units.items():
        walked = dict(walk(of, rollup, AS_OF, RULES.won_back_window_days))
        spread = {
            day: stage
            for day, stage in stages_by_day(found[(customer,)]).items()
            if stage != "prospect"
        }
        assert spread == walked, customer
    of_units = spells(warehouse, "lifecycle_history_unit", "customer_id, unit_id")
    assert of_units.keys() == expected.keys()
    for unit, days in expected.items():
        assert stages_by_day(of_units[unit]) == dict(
            walk([days], rollup, AS_OF, RULES.won_back_window_days)
        ), unit

    statement(
        warehouse,
        {
            customer: dict(walk(of, rollup, AS_OF, RULES.won_back_window_days))
            for customer, of in units.items()
        },
    )


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
