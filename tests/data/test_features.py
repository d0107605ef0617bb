"""Features know what was known on their day, and nothing of what came after it."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, median, pstdev
from typing import Any

import duckdb
import pytest

from tests.data.random_company import AS_OF, Rows, random_company

THEN = date(2024, 2, 29)
HORIZON = 60

# Columns that become known later than the event they belong to.
LATER = {
    "tickets": ("resolved_at", ("satisfaction",)),
    "surveys": ("responded_at", ("score",)),
    "campaign_members": ("responded_at", ()),
    "opportunities": ("closed_at", ("won", "competitor")),
    "orders": ("paid_at", ()),
}
EVENT_TIME = {
    "orders": "ordered_at", "returns": "returned_at", "tickets": "opened_at", "surveys": "sent_at",
    "interactions": "occurred_at", "campaign_members": "sent_at", "loyalty_ledger": "posted_at",
    "usage_events": "occurred_at", "community_events": "occurred_at", "trainings": "attended_at",
    "opportunities": "quoted_at", "consents": "changed_at",
}  # fmt: skip


def with_another_future(company: dict[str, Rows], seed: int) -> dict[str, Rows]:
    """The same company up to THEN: later events are dropped, moved, changed, or made up."""
    chance = random.Random(seed)
    end_of_then = datetime(THEN.year, THEN.month, THEN.day, 23, 59, 59)
    changed: dict[str, Rows] = {}
    for table, rows in company.items():
        changed[table] = []
        for original in rows:
            row = dict(original)
            happened = row.get(EVENT_TIME.get(table, ""))
            if happened is not None and happened > end_of_then:
                if chance.random() < 0.5:
                    continue
                row[EVENT_TIME[table]] = happened + timedelta(days=chance.randrange(60))
                row |= {"net_amount": 77} if table == "orders" else {}
            time, values = LATER.get(table, ("", ()))
            if time and row.get(time) is not None and row[time] > end_of_then:
                row[time] += timedelta(days=chance.randrange(60))
                row |= {
                    value: (not row[value]) if value == "won" else 1
                    for value in values
                    if value in row
                }
            changed[table].append(row)
    last = company["orders"][-1]
    for number in range(30):
        changed["orders"].append(
            last
            | {"order_id": f"new {number}", "customer_id": f"C{number:02}"}
            | {"ordered_at": end_of_then + timedelta(hours=1 + 24 * number), "paid_at": None}
        )
    return changed


def features(warehouse: duckdb.DuckDBPyConnection, day: date) -> dict[str, dict[str, Any]]:
    """The rows of one snapshot, by customer, with floats as their exact digits."""
    rows = warehouse.execute(
        "select * from customer_features where snapshot_on = ?", [day]
    )  # fmt: skip
    names = [column[0] for column in rows.description]
    return {
        row[names.index("customer_id")]: {
            name: value.hex() if isinstance(value, float) else value
            for name, value in zip(names, row, strict=True)
        }
        for row in rows.fetchall()
    }


@pytest.fixture(scope="module")
def company() -> dict[str, Rows]:
    return random_company(7)


@pytest.fixture(scope="module")
def trained(build: Any, company: dict[str, Rows]) -> duckdb.DuckDBPyConnection:
    """Training on as_of: month-ends back to the beginning."""
    return build(
        company,
        select="customer_features customer_labels",
        vars={"as_of": AS_OF.isoformat(), "training": True, "horizon_days": HORIZON},
    )


def test_scoring_then_saw_what_training_sees_now(
    build: Any, company: dict[str, Rows], trained: duckdb.DuckDBPyConnection
) -> None:
    """Whatever happened after the day: the row is equal to the last bit."""
    then = build(
        with_another_future(company, 11),
        select="customer_features",
        vars={"as_of": THEN.isoformat(), "horizon_days": HORIZON},
    )
    now = features(trained, THEN)
    assert len(now) > 20
    assert features(then, THEN) == now
    assert then.execute("select distinct snapshot_on from customer_features").fetchall() == [
        (THEN,)
    ]
    filled = {name for row in now.values() for name, value in row.items() if value is not None}
    empty = now[next(iter(now))].keys() - filled
    assert empty <= {"industry", "region", "country"}, "the company should exercise every feature"


def test_rhythm_and_windows_agree_with_plain_python(
    company: dict[str, Rows], trained: duckdb.DuckDBPyConnection
) -> None:
    orders: dict[str, Rows] = defaultdict(list)
    for order in company["orders"]:
        orders[order["customer_id"]].append(order)
    checked = 0
    snapshots = [
        day for (day,) in trained.execute("select snapshot_on from snapshots order by 1").fetchall()
    ]
    assert snapshots[-2:] == [date(2024, 5, 31), AS_OF]
    for snapshot in snapshots:
        for customer, found in features(trained, snapshot).items():
            past = sorted(
                (o for o in orders[customer] if o["ordered_at"].date() <= snapshot),
                key=lambda order: (order["ordered_at"], order["order_id"]),
            )
            days = sorted({o["ordered_at"].date() for o in past})
            gaps = [(b - a).days for a, b in pairwise(days)]
            expected: dict[str, Any] = {
                "recency_days": (snapshot - days[-1]).days,
                "tenure_days": (snapshot - days[0]).days,
                "order_days": len(days),
                "orders": len(past),
                "last_gap_days": gaps[-1] if gaps else None,
                "longest_gap_days": max(gaps) if gaps else None,
                "median_gap_days": float(median(gaps)).hex() if gaps else None,
                "last_channel": past[-1]["channel"],
                "net_amount": sum(cents(o) for o in past),
            }
            for window in (30, 90, 180, 365):
                recent = [o for o in past if (snapshot - o["ordered_at"].date()).days < window]
                expected[f"orders_{window}d"] = len(recent)
                expected[f"net_amount_{window}d"] = sum(map(cents, recent), Decimal())
            assert {name: found[name] for name in expected} == expected, (snapshot, customer)
            if gaps:
                assert float.fromhex(found["mean_gap_days"]) == pytest.approx(fmean(gaps))
                assert float.fromhex(found["gap_deviation_days"]) == pytest.approx(pstdev(gaps))
            checked += 1
    assert checked > 200


def cents(order: dict[str, Any]) -> Decimal:
    return Decimal(str(order["net_amount"])).quantize(Decimal("0.01"))


def test_labels_agree_with_plain_python(
    company: dict[str, Rows], trained: duckdb.DuckDBPyConnection
) -> None:
    days = defaultdict(set)
    for order in company["orders"]:
        days[order["customer_id"]].add(order["ordered_at"].date())
    labels = trained.execute(
        "select snapshot_on, customer_id, days_to_next_order, days_observed, churned"
        " from customer_labels"
    ).fetchall()
    for snapshot, customer, to_next, observed, churned in labels:
        assert observed == (AS_OF - snapshot).days
        later = [(day - snapshot).days for day in days[customer] if snapshot < day <= AS_OF]
        assert to_next == min(later, default=None), (snapshot, customer)
        away = min(later, default=observed + 1) > HORIZON
        assert churned == (away if observed >= HORIZON else None), (snapshot, customer)
    assert {churned for *_, churned in labels} == {True, False, None}
    with_features = trained.execute(
        "select count(*) from customer_features where snapshot_on < ?", [AS_OF]
    ).fetchall()
    assert [(len(labels),)] == with_features


def test_a_source_is_unknown_before_it_begins_and_zero_after(
    company: dict[str, Rows], trained: duckdb.DuckDBPyConnection
) -> None:
    first_ticket = min(row["opened_at"] for row in company["tickets"]).date()
    first_order = min(row["ordered_at"] for row in company["orders"]).date()
    seen = set()
    for (day,) in trained.execute("select snapshot_on from snapshots").fetchall():
        for row in features(trained, day).values():
            assert (row["tickets_90d"] is None) == (day < first_ticket)
            a_year_of_orders = day - first_order >= timedelta(days=365)
            assert (row["orders_same_season_last_year"] is not None) == a_year_of_orders
            seen.add((row["tickets_90d"], row["days_since_ticket"] is None))
    assert {(None, True), (0, True)} <= seen
