"""What the service tables say when a source delivers only a part of what they are made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

TABLES = (
    "fct_tickets fct_surveys fct_returns fct_feedback fct_feedback_texts customer_satisfaction "
    "satisfaction_monthly satisfaction_topics complaints_monthly service_monthly "
    "handler_scorecard_monthly service_stages product_quality"
)
AT = datetime(2024, 5, 1, 12)
ORDER = {"order_id": "O1", "customer_id": "C1", "ordered_at": AT, "net_amount": 10}


def test_with_orders_alone_nothing_is_made_up(company: Any) -> None:
    company.deliver("orders", [ORDER])
    with company.build(select=TABLES) as warehouse:
        for table in TABLES.split():
            assert warehouse.sql(f"select count(*) from {table}").fetchall() == [(0,)], table


def test_what_a_delivery_lacks_is_unknown_not_zero(company: Any) -> None:
    """Flat order lines, tickets that nobody timed, undated answers to surveys of no kind."""
    line = {"customer_id": "C1", "ordered_at": AT, "unit_price": 5, "product_id": "P1"}
    company.deliver("order_lines", [
        line | {"order_id": "O1", "quantity": 8},
        line | {"order_id": "C2", "quantity": -2},
    ])  # fmt: skip
    company.deliver("tickets", [
        {"ticket_id": "T1", "customer_id": "stranger", "opened_at": AT, "kind": "complaint"},
        {"ticket_id": "T2", "customer_id": "stranger", "opened_at": AT, "kind": None},
    ])  # fmt: skip
    company.deliver("surveys", [
        {"response_id": "S1", "customer_id": "C1", "survey": "csat", "sent_at": AT, "score": 4},
        {"response_id": "S2", "customer_id": "C1", "survey": None, "sent_at": AT, "score": 4},
    ])  # fmt: skip
    with company.build(select=TABLES) as warehouse:
        sold = warehouse.sql(
            """select sold_quantity, returned_quantity, return_rate, complaints
            from product_quality where window_days = 90"""
        )
        assert sold.fetchall() == [(8, 2, 0.25, None)]
        judged = warehouse.sql(
            """select is_open, is_answered_in_time, is_resolved_in_time, is_solved_at_once
            from fct_tickets"""
        )
        assert judged.fetchall() == [(True, None, None, None)] * 2
        assert warehouse.sql("select count(*) from service_stages").fetchall() == [(0,)]
        months = warehouse.sql(
            """select value_tier, surveys_sent, surveys_answered, invalid_answers, satisfied_answers
            from satisfaction_monthly where month = date '2024-05-01' and csat_answers > 0"""
        )
        assert [row[1:] for row in months.fetchall()] == [(2, 1, 1, 1)]
        answer = warehouse.sql(
            "select last_csat, last_csat_on from customer_satisfaction where customer_id = 'C1'"
        )
        assert answer.fetchall() == [(4, AT.date())]
        off = dict(
            warehouse.sql(
                """select column_name, switched_off_what from source_inventory
                where table_name = 'tickets' and switched_off_what is not null"""
            ).fetchall()
        )
        assert {"first_response_at", "resolved_at", "handler_id", "product_id"} <= set(off)
