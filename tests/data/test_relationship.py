"""Relationships on a company of a few rows: what is not delivered, and who is left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.data.conftest import Company

AS_OF = "2024-06-30"
TABLES = (
    "revisit_plan customer_follow_up milestones handover_pack owner_portfolio revisit_monthly "
    "owner_scorecard_monthly team_scorecard_monthly opportunity_funnel_monthly "
    "contact_data_quality competitor_mentions_monthly"
)


def orders(*customers: str) -> list[dict[str, Any]]:
    """An order of each customer in every month from January to May."""
    return [
        {
            "order_id": f"{customer}{month}",
            "customer_id": customer,
            "ordered_at": datetime(2024, month, 10),
            "net_amount": 100.0,
            "due_at": datetime(2024, month, 20),
        }
        for customer in customers
        for month in range(1, 6)
    ]


def built(new_company: Callable[..., Company], lake_rows: dict[str, list[dict[str, Any]]]) -> Any:
    """The warehouse of a company; dbt's own tests run on the sample."""
    company = new_company()
    for table, rows in lake_rows.items():
        company.deliver(table, rows, AS_OF)
    return company.build(AS_OF, TABLES)


def test_with_orders_alone_nothing_is_owed_promised_or_scored(
    new_company: Callable[..., Company],
) -> None:
    """Days due without payments, customers without owners: neither debts nor neglect."""
    company = built(new_company, {"orders": orders("A", "B")})
    for table in TABLES.split():
        ((count,),) = company.sql(f"select count(*) from {table}").fetchall()
        assert count == (2 if table == "revisit_plan" else 0), table
    # how often by tier is known; since when nobody came is not
    assert company.sql(
        "select owner_id, last_contact_on, due_on, channel_basis from revisit_plan group by all"
    ).fetchall() == [(None, None, None, "tier")]


@pytest.fixture(scope="module")
def neglected(new_company: Callable[..., Company]) -> Any:
    """Three customers of a leaver, each with a promise, a quotation and a debt.

    One of them asked to be forgotten, one is a test account.
    """
    customers = ("A", "forgotten", "test")
    return built(
        new_company,
        {
            "orders": [row | {"paid_at": None} for row in orders(*customers)]
            + [row | {"paid_at": row["due_at"]} for row in orders("payer")],
            "customers": [
                {"customer_id": customer, "created_at": datetime(2024, 1, 1), "owner_id": "leaver",
                 "is_test": customer == "test", "phone": "13800001234"}
                for customer in customers
            ],
            "reps": [
                {"rep_id": "leaver", "team": "North", "manager_id": "boss",
                 "departed_at": datetime(2024, 6, 20)},
                {"rep_id": "boss", "team": "North", "manager_id": None,
                 "departed_at": datetime(2024, 7, 20)},
            ],
            "interactions": [
                {"interaction_id": f"I{customer}", "customer_id": customer, "owner_id": "leaver",
                 "occurred_at": datetime(2024, 5, 1), "kind": "sales", "outcome": "reached",
                 "next_follow_up_at": datetime(2024, 5, 1) + timedelta(days=14)}
                for customer in customers
            ],
            "opportunities": [
                {"opportunity_id": f"F{customer}", "customer_id": customer, "owner_id": "leaver",
                 "quoted_amount": 500.0, "quoted_at": datetime(2024, 6, 1),
                 "expected_close_on": datetime(2024, 7, 15).date()}
                for customer in customers
            ],
            "erasure_requests": [
                {"customer_id": "forgotten", "requested_at": datetime(2024, 6, 1)}
            ],
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    "table",
    ["revisit_plan", "customer_follow_up", "milestones", "handover_pack", "contact_data_quality"],
)
def test_there_is_no_work_for_whoever_is_forgotten_or_a_test(neglected: Any, table: str) -> None:
    found = neglected.sql(f"select distinct customer_id from {table}").fetchall()
    assert ("A",) in found
    assert not {("forgotten",), ("test",)} & set(found)


def test_no_table_after_staging_knows_of_a_test_account(neglected: Any) -> None:
    tables = neglected.sql(
        "select table_name from information_schema.columns where column_name = 'customer_id'"
    ).fetchall()
    before = ("checked_", "delivered_", "priced_orders", "test_accounts")
    after = [name for (name,) in tables if not name.startswith(before)]
    knowing = [
        name
        for name in after
        if neglected.sql(f"from {name} where customer_id = 'test'").fetchall()
    ]
    assert {"stg_orders", "int_orders", "customer_value"} <= {*after}
    assert neglected.sql("from test_accounts").fetchall() == [("test",)]
    assert not knowing


def test_the_manager_acts_for_a_leaver_until_he_leaves_himself(neglected: Any) -> None:
    assert neglected.sql(
        "select owner_id, basis, days_overdue from customer_follow_up where customer_id = 'A'"
    ).fetchall() == [("boss", "promised", 46)]
    assert neglected.sql(
        """select owner_id, acting_owner_id, leaves_on::varchar, item_kind, amount::double
        from handover_pack order by item_number"""
    ).fetchall() == [
        ("leaver", "boss", "2024-06-20", "near_signing", 500.0),
        ("leaver", "boss", "2024-06-20", "key_customer", 150.0),
        ("leaver", "boss", "2024-06-20", "promise", None),
        *[("leaver", "boss", "2024-06-20", "payment_due", 100.0)] * 5,
    ]


def test_an_owner_is_measured_by_what_was_to_be_done(neglected: Any) -> None:
    """The promise for May was broken; the debts are only those that were not paid."""
    assert neglected.sql(
        """select follow_ups_due, follow_ups_kept, follow_ups_missed, contacts
        from owner_scorecard_monthly where owner_id = 'leaver' and month = '2024-05-01'"""
    ).fetchall() == [(2, 0, 2, 2)]
    assert neglected.sql(
        """select customer_id, sum(amount)::double from milestones
        where kind = 'payment_due' group by 1"""
    ).fetchall() == [("A", 500.0)]
    assert neglected.sql(
        """select customers, handover_state, near_signing_amount::double from owner_portfolio
        where owner_id = 'leaver'"""
    ).fetchall() == [(1, "due", 500.0)]
