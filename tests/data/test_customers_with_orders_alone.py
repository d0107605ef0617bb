"""A shop that has nothing but orders still gets values, tiers and segments; what needs more is
empty or NULL, not wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import duckdb
import pytest

TABLES = """customer_value tier_migration customer_segments customer_preferences customer_tags
    customer_loyalty loyalty_monthly fct_loyalty_ledger customer_engagement dim_campaign
    journey_touches customer_xref customer_contactability dim_channel deliveries
    cost_of_customers revisit_plan service_churn_monthly contact_data_quality"""
# What a source that delivers orders alone says nothing about, neither yes nor no, nor how often.
UNKNOWN = {
    "dim_customer": "is_company, has_email, has_phone",
    "dim_channel": (
        "orders, customers_won, customers_preferring, interactions, tickets, campaigns"
    ),
    "customer_preferences": "online_orders, offline_orders",
    "customer_contactability": "is_preferred",
    "revisit_plan": "is_due, unanswered_attempts",
    "service_churn_monthly": "silent_assets, settled_assets",
}
EMPTY = (
    "fct_order_lines", "category_affinity", "customer_needs", "customer_loyalty", "loyalty_monthly",
    "fct_loyalty_ledger", "dim_campaign", "customer_xref", "fct_trainings", "fct_community_events",
)  # fmt: skip


@pytest.fixture(scope="module")
def marts(new_company: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    orders = [
        {"order_id": f"{customer}{month}", "customer_id": customer, "net_amount": amount,
         "ordered_at": datetime(2024, month, 3)}
        for customer, months, amount in [("A", range(1, 7), 100), ("B", [2, 3], 50), ("C", [1], 9)]
        for month in months
    ]  # fmt: skip
    company = new_company()
    company.deliver("orders", orders)
    with company.build(select=" ".join(TABLES.split())) as warehouse:
        yield warehouse


def test_what_orders_tell_is_there(marts: duckdb.DuckDBPyConnection) -> None:
    assert marts.sql("""
        select customer_id, value_tier, segment_frequency, segment_amount, segment_product_type
        from customer_value join customer_segments using (customer_id) order by 1
    """).fetchall() == [
        ("A", "core", "frequent", "high", "unknown"),
        ("B", "general", "occasional", "low", "unknown"),
        ("C", "general", "occasional", "low", "unknown"),
    ]
    tags = marts.sql("select tag from customer_tags where customer_id = 'A' order by 1").fetchall()
    assert tags == [
        ("big_spender",), ("core",), ("frequent_buyer",), ("vip",),
    ]  # fmt: skip
    assert marts.sql("select sum(touches), min(touch) from journey_touches").fetchall() == [
        (9, "order")
    ]
    assert marts.sql("select table_name, source, rows from deliveries").fetchall() == [
        ("orders", "test", 9)
    ]


def test_what_they_do_not_tell_is_empty(marts: duckdb.DuckDBPyConnection) -> None:
    for table in EMPTY:
        assert marts.sql(f"select count(*) from {table}").fetchall() == [(0,)], table
    assert marts.sql("""
        select count(*), count(favourite_category), count(price_band), count(favourite_channel),
            count(next_best_category), count(needs)
        from customer_preferences""").fetchall() == [(3, 0, 0, 0, 0, 0)]
    assert marts.sql("""
        select count(has_address), bool_or(consent_state <> 'not_supplied')
        from customer_contactability
        where channel in ('email', 'phone')""").fetchall() == [(0, False)]
    for table, columns in UNKNOWN.items():
        [unknown] = marts.sql(
            f"select count(columns(*)) from (select {columns} from {table})"
        ).fetchall()
        assert set(unknown) == {0}, table
        assert marts.sql(f"from {table} limit 1").fetchall(), table
    [unknown] = marts.sql("""
        select count(discount_12m), count(returned_12m), count(discounted_orders_12m),
            count(discounted_orders_total), count(discount_dependency)
        from customer_value""").fetchall()
    assert set(unknown) == {0}
    [unknown] = marts.sql(
        "select count(columns(* exclude (customer_id))) from customer_engagement"
    ).fetchall()
    assert set(unknown) == {0}
    costs = "campaign_cost, contact_cost, discount_cost, cost, cost_per_customer, cost_12m"
    [unknown] = marts.sql(
        f"select count(columns(*)) from (select {costs} from cost_of_customers)"
    ).fetchall()
    assert set(unknown) == {0}
    assert marts.sql("select count(customers) > 0 from cost_of_customers").fetchall() == [(True,)]
    assert marts.sql("select count(profile_completeness) from dim_customer").fetchall() == [(0,)]
