"""What customers write is told as they wrote it: no template, plan or spreadsheet reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb

from tests.data.shop import WORDS, Shop


def test_a_complaint_is_told_in_the_customers_own_words(shop: Shop) -> None:
    published = shop.home / "published" / "homing.duckdb"
    with duckdb.connect(str(published), read_only=True) as con:
        told = con.sql(
            "select talking_points from retention_list where list_code = 'service_recovery'"
        ).fetchall()
    assert sorted(words for (words,) in told) == sorted(
        f"Open since 2025-06-20: {words}" for words in WORDS
    )


def test_plans_may_name_known_figures_and_nothing_else(new_company: Callable[..., Any]) -> None:
    sql = new_company().compiled("talking_points_name_known_figures")
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as warehouse; use warehouse")
        con.execute(
            """
            create table plan_by_reason as
            from (values
                ('save', 'known', '{rhythm}; {next_grade}'),
                ('save', 'none', 'late'),
                ('save', 'empty', null),
                ('save', 'unknown', '{rhythm}; {hours_overdue}'),
                ('save', 'nameless', '{} days late'),
                ('save', 'unclosed', '{days_overdue} days late; {'),
                ('save', 'unopened', 'days_overdue} days late')
            ) as plans (goal, plan_for, talking_points)
            """
        )
        wrong = {plan_for for _, plan_for, _ in con.sql(sql).fetchall()}
    assert wrong == {"unknown", "nameless", "unclosed", "unopened"}
