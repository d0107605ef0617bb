"""What counts of every delivered row, and where every customer stands: told from the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.data.lake_in_pandas import ROLLUP, VARS, LakeInPandas
from tests.data.lifecycle_by_hand import OrderDay

TABLES = (
    "customers", "contacts", "orders", "order_items", "products", "assets", "returns",
    "interactions", "tickets", "surveys", "campaigns", "campaign_members", "loyalty_ledger", "reps",
    "opportunities", "consents", "trainings", "community_events", "usage_events", "churn_feedback",
    "erasure_requests",
)  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_staging_accepts_the_rows_that_count(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas, table: str
) -> None:
    columns = ", ".join(lake.rows[table])
    both = marts_and_lake.sql(
        f"""
        select
            count(*) filter (where teller = 'pandas') as ours,
            count(*) filter (where teller = 'dbt') as theirs
        from (
            select *, 'pandas' as teller from (
                select {columns} from lake_{table} except all select {columns} from stg_{table}
            )
            union all
            select *, 'dbt' as teller from (
                select {columns} from stg_{table} except all select {columns} from lake_{table}
            )
        )
        """
    ).fetchall()
    assert both == [(0, 0)]
    assert len(lake.rows[table])


def test_profit_of_orders_and_returns(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    names = {
        "profit": "profit_amount", "discount": "discount_amount", "net": "net_amount",
        "lost": "profit_amount", "returned": "amount",
    }  # fmt: skip
    for query, rows in (
        (
            "select * from fct_orders where status = 'completed'",
            lake.purchases[["order_id", "profit", "discount", "net"]],
        ),
        ("from int_returns", lake.returns[["return_id", "lost", "returned"]]),
    ):
        key = str(rows.columns[0])
        theirs, ours = sample_marts.sql(query).df().set_index(key), rows.set_index(key)
        assert set(theirs.index) == set(ours.index)
        for name in ours:
            found = (theirs[names[str(name)]].astype(float) * 100).round().reindex(ours.index)
            pd.testing.assert_series_equal(found, ours[name], check_names=False)


def test_the_history_of_every_customer_and_every_unit(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    told = marts_and_lake.sql(
        "select customer_id, stage, valid_from, valid_to from lifecycle_history"
        " where stage <> 'prospect' order by all"
    )
    ours = marts_and_lake.sql(
        "select customer_id, stage, valid_from, valid_to from lake_stages order by all"
    )
    assert told.fetchall() == ours.fetchall()
    of_units = {
        (customer, unit, *spell)
        for customer, units in lake.units.items()
        for unit, days in units.items()
        for spell in lake.spells_of(days)
    }
    found = marts_and_lake.sql(
        "select customer_id, unit_id, valid_from, valid_to, stage from lifecycle_history_unit"
    ).fetchall()
    assert set(found) == of_units
    assert len(found) == len(of_units)
    assert set(lake.stages.stage) == {
        "new", "active", "watch", "quasi_churned", "churned", "won_back"
    }  # fmt: skip


def test_transitions_of_the_months(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    """Who was a prospect before is told by the day on which a customer became known."""
    known = sample_marts.sql("select customer_id, known_on from dim_customer").df()
    created = lake.rows["customers"].set_index("customer_id").created_on
    seen = lake.rows["orders"].groupby("customer_id").ordered_on.min()
    first_seen = pd.concat([created, seen], axis=1).min(axis=1)
    assert known.set_index("customer_id").known_on.to_dict() == first_seen.to_dict()

    counts: Counter[tuple[pd.Timestamp, str, str]] = Counter()
    begun = lake.stages.groupby("customer_id")
    firsts = begun.valid_from.min()
    for customer, day in first_seen.items():
        if customer not in firsts or day < firsts[customer]:
            counts[day, "none", "prospect"] += 1
    for customer, spells in begun:
        before = "prospect" if first_seen[customer] < firsts[customer] else "none"
        for spell in spells.itertuples():
            counts[spell.valid_from, before, spell.stage] += 1
            before = spell.stage
    expected: Counter[tuple[date, str, str]] = Counter()
    for (day, before, after), number in counts.items():
        expected[day.date().replace(day=1), before, after] += number
    found = sample_marts.sql(
        "select month, from_stage, to_stage, transitions from lifecycle_transitions"
    ).fetchall()
    assert {(month, a, b): n for month, a, b, n in found} == expected


def deciding(units: Mapping[str, list[OrderDay]], day: date) -> OrderDay:
    """The last order day of the unit that decides: the least overdue; with rollup any the most."""
    by_ratio = {
        (day - last.day) / timedelta(days=last.interval): last
        for last in sorted((of[-1] for of in units.values()), key=lambda last: last.day)
    }
    return by_ratio[min(by_ratio) if ROLLUP == "all" else max(by_ratio)]


def test_where_every_customer_stands(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    told = sample_marts.sql("from customer_lifecycle").df().set_index("customer_id")
    stage_now = lake.stages[lake.stages.valid_to.isna()].set_index("customer_id")
    orders = lake.purchases.groupby("customer_id").ordered_on.agg(["size", "nunique", "min", "max"])
    as_of = lake.as_of
    assert set(stage_now.index) | set(lake.rows["customers"].customer_id) == set(told.index)
    for customer, row in told.iterrows():
        if customer not in stage_now.index:
            standing = (row.lifecycle_stage, row.stage_growth, row.orders)
            assert standing == ("prospect", "potential", 0)
            assert pd.isna(row.missed_intervals)
            continue
        stage, number = stage_now.stage[customer], orders.loc[customer]
        growth = "new" if number["nunique"] == 1 else "mature"
        last = deciding(lake.units[customer], as_of.date())
        since, due = as_of - pd.Timestamp(last.day), last.day + timedelta(days=last.interval)
        missed = since.days // last.interval
        assert (row.lifecycle_stage, row.stage_since_on) == (
            stage, stage_now.valid_from[customer]
        )  # fmt: skip
        assert row.stage_growth == ("churned" if stage == "churned" else growth)
        assert (row.orders, row.order_days) == (number["size"], number["nunique"])
        assert (row.first_order_on, row.last_order_on) == (number["min"], number["max"])
        assert row.days_since_last_order == (as_of - number["max"]).days
        assert (row.expected_interval_days, row.missed_intervals) == (last.interval, missed)
        assert row.overdue_ratio == since.days / last.interval
        assert row.is_past_red_line == (row.overdue_ratio >= VARS["red_line_ratio"])
        assert row.expected_next_order_on == pd.Timestamp(due)
        assert row.days_overdue == max((as_of.date() - due).days if missed else 0, 0)
        assert row.units == len(lake.units[customer])
        assert missed >= {"watch": 1, "quasi_churned": 2, "churned": 3}.get(stage, 0)
    for column in ("lifecycle_stage", "stage_growth"):
        assert told[column].nunique() == {"lifecycle_stage": 7, "stage_growth": 4}[column]


def test_where_every_unit_stands(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    told = {
        (row.customer_id, row.unit_id): row
        for row in sample_marts.sql("from unit_lifecycle").df().itertuples()
    }
    kinds = lake.rows["assets"].set_index("asset_id").kind
    assert told.keys() == lake.order_days.keys()
    for (customer, unit), days in lake.order_days.items():
        row, last = told[customer, unit], days[-1]
        since = (lake.as_of.date() - last.day).days
        begun, _, stage = lake.spells_of(days)[-1]
        assert (row.unit_stage, row.stage_since_on.date()) == (stage, begun)
        assert (row.is_asset, row.order_days) == (unit != customer, len(days))
        assert (row.last_order_on.date(), row.days_since_last_order) == (last.day, since)
        assert row.expected_interval_days == last.interval
        assert (row.missed_intervals, row.overdue_ratio) == (
            since // last.interval, since / last.interval
        )  # fmt: skip
        assert row.asset_kind == kinds.get(unit) or pd.isna(row.asset_kind)
    assert {row.unit_stage for row in told.values()} >= {"active", "watch", "churned", "won_back"}


def test_the_journey_of_every_customer(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    """The furthest of five steps, by what shows each of them."""
    of = lake.rows
    contacts, mails = of["interactions"], of["campaign_members"]
    answered = contacts[
        (contacts.direction == "inbound") | contacts.outcome.isin(["reached", "done"])
    ]
    opened = mails[mails.opened_on.notna() | mails.responded_on.notna()]
    engaged = pd.concat([
        answered.customer_id, opened.customer_id,
        of["surveys"].dropna(subset="responded_on").customer_id,
        of["opportunities"].dropna(subset="quoted_on").customer_id,
        *(of[table].customer_id for table in (
            "community_events", "loyalty_ledger", "trainings", "tickets", "usage_events"
        )),
    ])  # fmt: skip
    served = pd.concat([
        of["tickets"].set_index("customer_id").opened_on,
        of["trainings"].set_index("customer_id").attended_on,
        of["usage_events"].set_index("customer_id").occurred_on,
    ]).groupby(level=0).max()  # fmt: skip
    recommending = set(of["customers"].referred_by.dropna())
    days = lake.purchases.groupby("customer_id").ordered_on.agg(["nunique", "min"])
    awake = set(engaged) | recommending

    def journey(customer: str) -> str:
        if customer not in days.index:
            return "affinity" if customer in awake else "awareness"
        number, first = days.loc[customer]
        if number > 1 or customer in recommending:
            return "loyalty"
        return "support" if customer in served and served[customer] >= first else "purchase"

    told = dict(
        sample_marts.sql("select customer_id, stage_journey from customer_lifecycle").fetchall()
    )
    assert told == {customer: journey(customer) for customer in told}
    assert set(told.values()) == {"awareness", "affinity", "purchase", "support", "loyalty"}


def test_states_agree_with_what_really_happened(
    sample_home: Path, sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    """Every customer of the truth, by the rule: who never ordered, who has gone, who is there."""
    [truth] = (sample_home / "truth").iterdir()
    people = pd.read_parquet(truth / "customers").set_index("customer_id")
    causes = pd.read_parquet(truth / "causes")
    told = sample_marts.sql("from customer_lifecycle").df().set_index("customer_id")
    created = people.index.intersection(told.index)
    # some orders name a customer of whom nobody knows
    assert set(told.index) - set(created) == set(told.index) - set(
        lake.rows["customers"].customer_id
    )
    people, told = people.loc[created], told.loc[created]

    # nobody the truth calls a prospect has a stage of a buyer; others may order after the day
    prospects = set(told.index[told.lifecycle_stage == "prospect"])
    assert set(people.index[people.stage == "prospect"]) <= prospects
    assert len(prospects) < 2 * (people.stage == "prospect").sum()

    # who has departed for good does not order again: the rule must call them churned in the end
    gone = causes[(causes.outcome == "departed") & causes.returned_at.isna()]
    left = gone.groupby("customer_id").ended_at.max().dt.tz_localize(None)
    left = left[left < lake.as_of]
    left = left[[c in told.index and told.orders[c] > 0 for c in left.index]]
    last = told.last_order_on[left.index]
    assert (last <= left + pd.Timedelta(days=1)).all()
    silent = (lake.as_of - left).dt.days
    lost = silent >= 3 * told.expected_interval_days[left.index]
    assert (told.lifecycle_stage[left.index][lost] == "churned").all()
    assert lost.sum() > 30
