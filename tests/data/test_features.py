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

AS_OF = date(2024, 6, 30)
THEN = date(2024, 2, 29)
FIRST_DAY = date(2023, 1, 2)
HORIZON = 60

Rows = list[dict[str, Any]]

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


def random_company(seed: int, customers: int = 40) -> dict[str, Rows]:
    """Events of every kind, most of them before as_of, each table beginning at its own time."""
    chance = random.Random(seed)

    def moment(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, chance.randrange(24), chance.randrange(60))

    def later(at: datetime, days: int) -> datetime | None:
        return at + timedelta(days=1 + chance.randrange(days)) if chance.random() < 0.6 else None

    company: dict[str, Rows] = defaultdict(list)
    for number in range(customers):
        customer = f"C{number:02}"
        if number % 4:
            company["customers"].append({
                "customer_id": customer, "created_at": moment(FIRST_DAY + timedelta(days=number)),
                "acquisition_channel": chance.choice(["shop", "web"]), "home_store_id": "S1",
                "referred_by": chance.choice([None, "C01"]), "distance_km": chance.randrange(90),
            })  # fmt: skip
        day = FIRST_DAY + timedelta(days=chance.randrange(300))
        rhythm = chance.choice([5, 20, 50])
        while day <= AS_OF:
            at = moment(day)
            order = f"O{len(company['orders']):04}"
            company["orders"].append({
                "order_id": order, "customer_id": customer, "ordered_at": at,
                "net_amount": chance.randrange(1, 9000) / 100, "status": "completed",
                "channel": chance.choice(["web", "shop"]),
                "discount_amount": chance.choice([0, 0, 2]),
                "store_id": chance.choice(["S1", "S2"]), "due_at": at + timedelta(days=10),
                "paid_at": later(at, 30),
            })  # fmt: skip
            company["order_items"].append({
                "order_id": order, "line_no": 1, "product_id": f"P{chance.randrange(4)}",
                "quantity": chance.randrange(1, 5), "unit_price": 3,
            })  # fmt: skip
            if chance.random() < 0.1:
                company["returns"].append({
                    "return_id": order, "order_id": order, "customer_id": customer,
                    "returned_at": at + timedelta(days=3), "amount": 1,
                })  # fmt: skip
            day += timedelta(days=int(chance.expovariate(1 / rhythm)))
            if chance.random() < 0.06:
                day += timedelta(days=120)
        for table, kinds in {
            "tickets": ["complaint", "question"], "surveys": [None], "interactions": ["revisit"],
            "campaign_members": [None], "loyalty_ledger": ["earn", "redeem"], "trainings": [None],
            "usage_events": ["login"], "community_events": ["post"], "opportunities": [None],
            "consents": [None],
        }.items():  # fmt: skip
            for _ in range(chance.randrange(7)):
                at = moment(FIRST_DAY + timedelta(days=100 + chance.randrange(440)))
                end = later(at, 90)
                known = end is not None
                number_of = len(company[table])
                specific: dict[str, Any] = {
                    "tickets": {
                        "ticket_id": f"T{number_of}", "opened_at": at, "resolved_at": end,
                        "satisfaction": chance.randrange(1, 6) if known else None,
                    },
                    "surveys": {
                        "response_id": f"R{number_of}", "survey": chance.choice(["nps", "csat"]),
                        "sent_at": at, "responded_at": end,
                        "score": chance.randrange(1, 6) if known else None,
                    },
                    "interactions": {
                        "interaction_id": f"I{number_of}", "occurred_at": at, "owner_id": "rep",
                        "direction": "outbound", "next_follow_up_at": later(at, 40),
                        "outcome": chance.choice(["reached", "refused"]),
                    },
                    "campaign_members": {
                        "campaign_id": f"K{number_of}", "assigned_at": at, "sent_at": at,
                        "opened_at": end, "responded_at": end, "arm": "treatment",
                    },
                    "loyalty_ledger": {
                        "entry_id": f"L{number_of}", "posted_at": at, "points": chance.randrange(9),
                    },
                    "trainings": {
                        "training_id": f"N{number_of}", "attended_at": at, "completed": known,
                    },
                    "usage_events": {"event_id": f"U{number_of}", "occurred_at": at, "quantity": 2},
                    "community_events": {"event_id": f"E{number_of}", "occurred_at": at},
                    "opportunities": {
                        "opportunity_id": f"Q{number_of}", "quoted_at": at, "closed_at": end,
                        "quoted_amount": 100, "won": chance.random() < 0.5 if known else None,
                    },
                    "consents": {
                        "channel": f"channel {number_of % 2}", "changed_at": at,
                        "granted": known, "basis": "marketing",
                    },
                }[table]  # fmt: skip
                kind = chance.choice(kinds)
                row = {"customer_id": customer} | specific
                company[table].append(row | ({"kind": kind} if kind else {}))
    company["reps"] = [{"rep_id": "rep", "departed_at": datetime(2024, 2, 10), "hired_at": None}]
    company["products"] = [
        {"product_id": f"P{n}", "category": f"category {n}", "unit_cost": 1} for n in range(3)
    ]
    return dict(company)


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
    assert snapshots[-2:] == [date(2024, 4, 30), AS_OF]
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
        "select snapshot_on, customer_id, churned from customer_labels"
    ).fetchall()
    for snapshot, customer, churned in labels:
        horizon = (snapshot + timedelta(days=n) for n in range(1, HORIZON + 1))
        assert churned == days[customer].isdisjoint(horizon), (snapshot, customer)
    assert {churned for *_, churned in labels} == {True, False}
    with_features = trained.execute(
        "select count(*) from customer_features where snapshot_on < ?", [AS_OF]
    ).fetchall()
    assert [(len(labels),)] == with_features


def test_a_source_that_never_came_is_unknown_and_not_zero(build: Any) -> None:
    orders = [
        {"order_id": "1", "customer_id": "A", "ordered_at": datetime(2024, 6, 1), "net_amount": 10}
    ]
    tickets = [{"ticket_id": "T", "customer_id": "B", "opened_at": datetime(2024, 6, 2)}]
    found = features(
        build({"orders": orders, "tickets": tickets}, select="customer_features"), AS_OF
    )["A"]
    assert (found["order_days"], found["recency_days"]) == (1, 29)
    assert (found["tickets_90d"], found["days_since_ticket"]) == (0, None)
    assert found["surveys_sent_365d"] is None
    assert found["orders_same_season_last_year"] is None, "the data begin later"
