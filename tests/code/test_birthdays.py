"""From the open side of the list of birthdays nobody can read the day."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import duckdb
import pytest
import yaml

from pipelines.tables.dbt import PROJECT_DIR, lists_declared

FIRST_DAY = date(2026, 6, 1)  # a Monday


@pytest.fixture(scope="module")
def spans() -> list[tuple[date, date, date, date]]:
    """Birthday, first and last day on the list, and due day on the open side, for eight weeks.

    Runs are daily; `next_birthday_on` is what customer_occasions makes it for each of them.
    """
    declared = dict(lists_declared())["list_care_birthday"]["retention_list"]
    with duckdb.connect() as con:
        return con.execute(
            f"""
            with days as (select date '{FIRST_DAY}' + n::integer as day from range(56) t(n)),
            runs as (
                select
                    birthdays.day as birthday,
                    runs.day as as_of_date,
                    'active' as lifecycle_stage,
                    if(
                        birthdays.day >= date_trunc('week', runs.day),
                        birthdays.day, (birthdays.day + interval 1 year)::date
                    ) as next_birthday_on
                from days as birthdays cross join days as runs
            ),
            listed as (
                select birthday, as_of_date, {declared["due_on"]} as due_on
                from runs where {declared["qualifies"]}
            )
            select birthday, min(as_of_date), max(as_of_date), max(due_on)
            from listed group by birthday order by birthday
            """
        ).fetchall()


def test_birthdays_of_a_week_come_and_go_together(
    spans: list[tuple[date, date, date, date]],
) -> None:
    weeks = defaultdict(set)
    for birthday, *told in spans:
        weeks[birthday.isocalendar()[:2]].add(tuple(told))
    assert len(weeks) == 8
    assert {len(told) for told in weeks.values()} == {1}


def test_wishes_are_prepared_in_time(spans: list[tuple[date, date, date, date]]) -> None:
    settings = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    lead = settings["vars"]["birthday_lead_days"]
    # of the first weeks the list had begun before
    for birthday, first, last, due_on in spans[21:]:
        assert (birthday - first).days >= lead
        assert last == due_on >= birthday
        assert due_on.weekday() == 6
