"""A made-up company of a few dozen customers, with events of every kind; a seed decides."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

AS_OF = date(2024, 6, 30)
FIRST_DAY = date(2023, 1, 2)

Rows = list[dict[str, Any]]


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
