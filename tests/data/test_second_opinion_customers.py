"""Value, tiers, points, segments, tags, identities: recomputed in pandas and plain Python from the
lake of a whole sample company, and compared exactly with what is published."""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.data.lake_in_pandas import PROJECT_DIR, VARS, LakeInPandas, cents

Frame = pd.DataFrame


class Company:
    """What pandas reads from the lake, and the published tables to hold against it."""

    def __init__(self, warehouse: duckdb.DuckDBPyConnection, lake: LakeInPandas) -> None:
        self.warehouse = warehouse
        self.purchases, self.returns = lake.purchases, lake.returns
        self.as_of = lake.as_of.date()
        self.unprofiled = lake.unprofiled

    def judged(self, frame: Frame) -> Frame:
        """The rows of those of whom the company may make itself a picture."""
        return frame[~frame.customer_id.isin(self.unprofiled)]

    def read(self, query: str) -> Frame:
        return self.warehouse.sql(query).df()

    def days(self, frame: Frame, *columns: str) -> Frame:
        for column in columns:
            frame[column] = pd.to_datetime(frame[column])
        return frame


def percent_rank(values: pd.Series) -> pd.Series:
    return (values.rank(method="min") - 1) / max(len(values) - 1, 1)


def valued(purchases: Frame, returns: Frame, now: pd.Timestamp) -> Frame:
    """Value score and tier of everybody who had ordered by a day."""
    begins = now - timedelta(days=365)
    so_far = purchases[purchases.ordered_on <= now]
    year = so_far[so_far.ordered_on > begins]
    back = returns[(returns.returned_on <= now) & (returns.returned_on > begins)]
    people = so_far.groupby("customer_id").agg(
        last=("ordered_on", "max"),
        orders_total=("order_id", "count"),
        discounted_total=("discounted", "sum"),
    )
    people["orders"] = year.groupby("customer_id").order_id.count()
    people["net"] = year.groupby("customer_id").net.sum()
    people["profit"] = year.groupby("customer_id").profit.sum()
    people["lost"] = back.groupby("customer_id").lost.sum()
    people = people.fillna({"orders": 0, "net": 0, "profit": 0, "lost": 0})
    people["gross_profit"] = people.profit - people.lost
    people["score"] = (
        VARS["value_weight_profit"] * percent_rank(people.gross_profit)
        + VARS["value_weight_frequency"] * percent_rank(people.orders)
        + VARS["value_weight_recency"] * percent_rank(people["last"])
        + VARS["value_weight_monetary"] * percent_rank(people.net)
    )
    people["score"] = np.floor(100 * people.score * 100 + 0.5) / 100
    above = percent_rank(-people.score)
    people["tier"] = np.select(
        [
            people.gross_profit <= 0,
            above < VARS["value_core_share"],
            above < VARS["value_core_share"] + VARS["value_potential_share"],
        ],
        ["general", "core", "potential"],
        "general",
    )
    people["vip"] = np.where(
        (people.tier == "core") & (above < VARS["value_vip_share"]), "VIP", "normal"
    )
    return people


@pytest.fixture
def company(marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas) -> Company:
    return Company(marts_and_lake, lake)


def same(ours: pd.Series, published: pd.Series) -> None:
    """Equal for every customer, nobody missing on either side."""
    pd.testing.assert_series_equal(
        ours.sort_index(),
        published.sort_index(),
        check_names=False,
        check_dtype=False,
        check_exact=True,
    )


def test_value_scores_tiers_and_dependency_on_discounts(company: Company) -> None:
    purchases = company.purchases
    ours = valued(purchases, company.returns, pd.Timestamp(company.as_of))
    theirs = company.read("select * from customer_value where orders_total > 0")
    theirs = theirs.set_index("customer_id")
    same(ours.gross_profit / 100, theirs.gross_profit_12m)
    same(ours.net / 100, theirs.monetary_12m)
    # who may not be profiled is compared with nobody, and stands on the terms of everybody
    judged = valued(company.judged(purchases), company.returns, pd.Timestamp(company.as_of))
    others = theirs.drop(judged.index)
    assert len(others)
    assert others[["value_score", "discount_dependency", "profit_rank"]].isna().all(axis=None)
    assert set(others.value_tier) == {"general"}
    same(judged.score, theirs.value_score.dropna())
    same(judged.tier, theirs.value_tier[judged.index])
    same(judged.vip, theirs.grade_vip[judged.index])
    same(
        (judged.discounted_total / judged.orders_total).round(6),
        theirs.discount_dependency[judged.index],
    )
    of = purchases.groupby("customer_id")
    for column, figures in {
        "recency_score": judged["last"],
        "frequency_score": judged.orders,
        "monetary_score": judged.net,
        "profit_score": judged.gross_profit,
    }.items():
        same(np.minimum(1 + np.floor(5 * percent_rank(figures)), 5), theirs[column].dropna())
    back = company.returns.groupby("customer_id").lost.sum()
    earned = of.profit.sum() - back.reindex(ours.index, fill_value=0)
    of_first_days = purchases[purchases.ordered_on == of.ordered_on.transform("min")]
    first, weight = (
        of_first_days.groupby("customer_id").profit.mean(),
        VARS["value_shrinkage_orders"],
    )
    first = first.clip(upper=first.quantile(0.99)).mean()
    drawn = (earned + weight * first) / (of.size() + weight)
    assert np.allclose(drawn / 100, theirs.average_order_profit.loc[drawn.index], atol=0.0051)
    never = company.read("select * from customer_value where orders_total = 0")
    assert (
        never[[name for name in never if name.endswith(("_score", "_rank"))]].isna().all(axis=None)
    )
    assert set(never.value_tier) == {"general"}
    assert {"core", "potential", "general"} == set(theirs.value_tier)


def test_tiers_of_every_month_end(company: Company) -> None:
    theirs = company.days(company.read("from tier_history"), "valid_from", "valid_to")
    moves = company.days(company.read("from tier_migration"), "month").groupby(["month", "to_tier"])
    moved = moves.customers.sum()
    first = company.purchases.ordered_on.min().to_period("M").to_timestamp()
    months = pd.date_range(first, company.as_of, freq="MS")
    months = months[months + pd.offsets.MonthEnd(0) <= pd.Timestamp(company.as_of)]
    assert len(months) > 30
    for month in months[-VARS["tier_history_months"] :]:
        day = month + pd.offsets.MonthEnd(0)
        ours = valued(company.judged(company.purchases), company.returns, day)
        then = theirs[
            (theirs.valid_from <= day) & (theirs.valid_to.isna() | (theirs.valid_to > day))
        ]
        same(ours.tier, then.set_index("customer_id").value_tier)
        if month in moved:
            same(ours.tier.value_counts(), moved[month].loc[lambda n: n > 0])
    assert {*months[-VARS["tier_history_months"] :]} - {*moved.index.levels[0]} <= {months[0]}


def test_segments(company: Company) -> None:
    purchases = company.judged(company.purchases)
    year_ago = pd.Timestamp(company.as_of) - timedelta(days=365)
    year = purchases[purchases.ordered_on > year_ago]
    orders, net = year.groupby("customer_id").size(), year.groupby("customer_id").net.sum()
    frequency = pd.Series(
        np.select(
            [orders >= VARS["segment_frequent_orders"], orders >= VARS["segment_regular_orders"]],
            ["frequent", "regular"],
            "occasional",
        ),
        index=orders.index,
    )
    above = percent_rank(-net)
    high, medium = VARS["segment_high_amount_share"], VARS["segment_medium_amount_share"]
    amount = pd.Series(
        np.select([above < high, above < high + medium], ["high", "medium"], "low"), net.index
    )
    lines = company.days(
        company.read("""
            select customer_id, ordered_on, category,
                cast(quantity * unit_price as decimal(18, 2))
                - coalesce(discount_amount, 0) as amount
            from lake_order_items left join lake_products using (product_id)
            where order_id in (select order_id from lake_orders where status = 'completed')"""),
        "ordered_on",
    )
    lines = company.judged(lines[(lines.ordered_on > year_ago) & (lines.amount > 0)])
    lines["amount"] = cents(lines.amount)
    by_category = lines.groupby(["customer_id", "category"], dropna=False).amount.sum()
    share = by_category / by_category.groupby("customer_id").transform("sum")
    ruling = share[share >= VARS["segment_category_share"]].reset_index()
    theirs = company.read("select * from customer_segments where orders_12m > 0")
    theirs = theirs.set_index("customer_id")
    same(frequency, theirs.segment_frequency)
    same(amount, theirs.segment_amount)
    product_type = theirs[~theirs.segment_product_type.isin(["mixed", "unknown"])]
    same(
        ruling.dropna(subset="category").set_index("customer_id").category,
        product_type.segment_product_type,
    )
    everybody = company.read("""
        select segment_frequency, orders_total, orders_12m
        from customer_segments join customer_value using (customer_id, orders_12m)""")
    assert set(everybody[everybody.orders_total == 0].segment_frequency) == {"prospect"}
    assert set(
        everybody[(everybody.orders_total > 0) & (everybody.orders_12m == 0)].segment_frequency
    ) == {"inactive"}


def test_points_by_playing_every_queue(company: Company) -> None:
    """Each customer's points stand in a queue of months; what is spent leaves at the front."""
    postings = company.days(
        company.read("select * from lake_loyalty_ledger order by posted_at, entry_id"), "posted_on"
    )
    fate: dict[tuple[pd.Timestamp, str], float] = defaultdict(float)
    queues: dict[str, deque[list[Any]]] = defaultdict(deque)
    for row in postings.itertuples():
        month, queue = row.posted_on.to_period("M").to_timestamp(), queues[row.customer_id]
        if row.points > 0:
            queue.append([month, row.points])
            fate[month, "in"] += row.points
        spent = max(-row.points, 0)
        while spent and queue:
            taken = min(spent, queue[0][1])
            fate[queue[0][0], row.kind] += taken
            spent -= taken
            queue[0][1] -= taken
            if not queue[0][1]:
                queue.popleft()
    for queue in queues.values():
        for month, left in queue:
            fate[month, "open"] += left
    theirs = company.read("select * from loyalty_monthly where cohort_points > 0")
    over = pd.Timestamp(company.as_of)
    months = [
        month for month, what in fate if what == "in" and month + pd.offsets.MonthEnd(1) <= over
    ]
    assert len(months) > 12
    theirs = theirs.set_index(pd.to_datetime(theirs.month))
    fates = {
        what: pd.Series({month: fate[month, what] for month in months})
        for what in ("in", "redeem", "expire", "open")
    }
    same(fates["in"], theirs.cohort_points)
    same(fates["redeem"], theirs.cohort_points_redeemed)
    same(fates["expire"], theirs.cohort_points_expired)
    same(fates["open"], theirs.cohort_points_open)
    least = (fates["expire"] / fates["in"]).round(6)
    same(least, theirs.breakage_at_least)
    same(((fates["expire"] + fates["open"]) / fates["in"]).round(6), theirs.breakage_at_most)
    same(least.where(fates["open"] == 0), theirs.breakage_rate)

    members = company.read("select * from customer_loyalty").set_index("customer_id")
    same(pd.Series({c: sum(n for _, n in q) for c, q in queues.items()}), members.points_balance)
    recent = postings[
        (postings.posted_on > pd.Timestamp(company.as_of) - timedelta(days=365))
        & (postings.kind == "earn")
    ]
    earned = recent.groupby("customer_id").points.sum().reindex(members.index, fill_value=0)
    grades = pd.read_csv(PROJECT_DIR / "seeds" / "member_grade.csv")
    place = np.searchsorted(grades.from_points, earned, side="right") - 1
    same(pd.Series(grades.member_grade.to_numpy()[place], earned.index), members.member_grade)
    missing = np.append(grades.from_points.to_numpy(float), np.nan)[place + 1] - earned
    same(missing, members.points_to_next_grade)
    oldest = pd.Timestamp(company.as_of) - timedelta(
        days=VARS["points_life_days"] - VARS["points_expiring_days"]
    )
    last = postings[postings.points > 0].groupby("customer_id").posted_on.max()
    expiring = members.points_balance.where(last.reindex(members.index) <= oldest, 0.0)
    same(expiring, members.points_expiring)


def trend(now: float, before: float) -> str:
    """How a count moved against the window before."""
    if not now or not before:
        return "started" if now else "stopped" if before else "none"
    change, share = now / before - 1, VARS["trend_share"]
    return "rising" if change > share else "falling" if change < -share else "steady"


def test_what_customers_did_in_the_windows_and_those_before(
    company: Company, lake: LakeInPandas
) -> None:
    told = company.read("from customer_behaviour").set_index("customer_id")
    used, kinds = lake.rows["usage_events"], company.read("from usage_kind")
    visits = used[used.kind.isin(kinds.kind[kinds.usage_group == "visit"])]
    purchases = company.judged(company.purchases)
    assert set(told.index) == set(purchases.customer_id)

    def counted(rows: Frame, day: str, window: int, ends: int = 0) -> pd.Series:
        age = (lake.as_of - rows[day]).dt.days - ends
        inside = rows[(age >= 0) & (age < window)]
        return inside.groupby("customer_id").size().reindex(told.index, fill_value=0)

    for prefix, rows, day, figure in (
        ("orders", purchases, "ordered_on", "order_trend"),
        ("usage_events", used, "occurred_on", "usage_trend"),
        ("visits", visits, "occurred_on", "visit_trend"),
    ):
        now, before = counted(rows, day, 90), counted(rows, day, 90, ends=90)
        same(now, told[f"{prefix}_90d"])
        same(before, told[f"{prefix}_previous_90d"])
        if prefix != "visits":
            same(counted(rows, day, 30), told[f"{prefix}_30d"])
            same(counted(rows, day, 365), told[f"{prefix}_365d"])
        ours = [trend(*pair) for pair in zip(now, before, strict=True)]
        same(pd.Series(ours, told.index), told[figure])
        assert len(set(ours)) == 6

    due = purchases.dropna(subset="due_on")
    due = due[(due.due_on > lake.as_of - timedelta(days=365)) & (due.due_on <= lake.as_of)]
    delay = (due.paid_on.fillna(lake.as_of) - due.due_on).dt.days
    late, unpaid = due[delay > 0], due[(delay > 0) & due.paid_on.isna()]
    for column, rows in (
        ("invoices_365d", due), ("late_payments_365d", late), ("unpaid_overdue_invoices", unpaid)
    ):  # fmt: skip
        same(rows.groupby("customer_id").size(), told[column][told[column] > 0])
    longest = delay[delay > 0].groupby(due.customer_id).max()
    same(longest, told.longest_payment_delay_days.dropna())
    owed = unpaid.groupby("customer_id").net.sum() / 100
    same(owed, told.unpaid_overdue_amount[told.unpaid_overdue_amount > 0])
    assert len(late)
    assert len(unpaid)


def test_profiles_tags_and_referrals(company: Company) -> None:
    customers = company.days(company.read("select * from lake_customers"), "updated_on").set_index(
        "customer_id"
    )
    fields = ["name", "email", "phone", "city", "region", "country",
              "acquisition_channel", "preferred_channel", "owner_id"]  # fmt: skip
    theirs = company.read("select * from dim_customer where is_recorded").set_index("customer_id")
    same(
        (customers[fields].notna().sum(axis=1) / len(fields)).round(6), theirs.profile_completeness
    )
    age = (pd.Timestamp(company.as_of) - customers.updated_on).dt.days
    same(age.where(age >= 0), theirs.days_since_profile_update.astype(float))

    tags = {
        (customer, tag.strip())
        for customer, text in customers.demand_tags.dropna().items()
        if customer not in company.unprofiled
        for tag in text.split(",")
    }
    rows = company.read("select customer_id, tag from customer_tags where tag_kind = 'demand'")
    assert set(rows.itertuples(index=False, name=None)) == tags

    named = customers.referred_by.dropna()
    named = named[named.isin(customers.index)]  # a test account is no customer
    engaged = company.read("select * from customer_engagement").set_index("customer_id")
    same(named.value_counts(), engaged.referrals[engaged.referrals > 0])
    buyers = set(company.purchases.customer_id)
    bought = named[named.index.isin(buyers)]
    same(bought.value_counts(), engaged.referred_buyers[engaged.referred_buyers > 0])


def test_every_touch_is_counted_once(company: Company) -> None:
    sources = {
        "order": ("lake_orders", "ordered_on", "status = 'completed'"),
        "contact": ("lake_interactions", "occurred_on", "true"),
        "complaint": ("lake_tickets", "opened_on", "kind = 'complaint'"),
        "survey_answer": ("lake_surveys", "responded_on", "true"),
        "campaign_message": ("lake_campaign_members", "sent_on", "true"),
        "training": ("lake_trainings", "attended_on", "true"),
        "community": ("lake_community_events", "occurred_on", "true"),
        "points_redeemed": ("lake_loyalty_ledger", "posted_on", "kind = 'redeem'"),
        "usage": ("lake_usage_events", "occurred_on", "true"),
    }
    theirs = company.read("select customer_id, month, touch, touches from journey_touches")
    theirs = company.days(theirs, "month")
    for touch, (table, day, which) in sources.items():
        rows = company.read(
            f"select customer_id, {day} as day from {table} where {which} and {day} is not null"
        )
        month = pd.to_datetime(rows.day).dt.to_period("M").dt.to_timestamp()
        ours = rows.groupby(["customer_id", month]).size()
        of_touch = theirs[theirs.touch == touch]
        same(ours, of_touch.groupby(["customer_id", "month"]).touches.sum())


def test_who_may_be_contacted(company: Company, lake: LakeInPandas) -> None:
    """The consents replayed in the order of time; a withdrawal of the same moment comes last."""
    consents = company.read("""
        select customer_id, channel, granted from lake_consents
        where basis = 'marketing' order by changed_at, granted desc""")
    state = {(row.customer_id, row.channel): row.granted for row in consents.itertuples()}
    customers = company.read("select customer_id, email, phone from lake_customers")
    forgotten = set(company.read("select customer_id from lake_erasure_requests").customer_id)
    refused = lake.refusing("marketing")
    needs = {"email": "email", "sms": "phone", "wechat": "phone", "phone": "phone"}
    allowed = {
        (row.customer_id, channel)
        for row in customers.itertuples()
        for channel, need in needs.items()
        if state.get((row.customer_id, channel), False)
        and (row.customer_id, channel) not in refused
        and isinstance(getattr(row, need), str)
        and row.customer_id not in forgotten
    }
    theirs = company.read(
        "select customer_id, channel from customer_contactability where may_be_contacted"
    )
    assert set(theirs.itertuples(index=False, name=None)) == allowed
    assert len(allowed) > len(customers)


def test_identities_by_following_every_link(company: Company, lake: LakeInPandas) -> None:
    theirs = company.read("select customer_id, identity_id from customer_xref")
    assert dict(theirs.itertuples(index=False, name=None)) == lake.person
    assert (theirs.customer_id != theirs.identity_id).any()


def test_order_lines_add_up_to_the_orders(company: Company) -> None:
    """In the sample company every discount stands on a line."""
    sums = company.read("""
        select count(*) as orders, count(*) filter (where abs(amount - net_amount) < 0.005) as equal
        from (select order_id, sum(net_amount) as amount from fct_order_lines group by order_id)
        join fct_orders using (order_id)""")
    assert sums.orders[0] > 1000
    assert sums.equal[0] == sums.orders[0]


def test_favourites_are_what_was_bought_most(company: Company) -> None:
    begins = pd.Timestamp(company.as_of) - timedelta(days=VARS["preference_days"])
    purchases = company.judged(company.purchases)
    recent = purchases[purchases.ordered_on > begins].dropna(subset="channel")
    by_channel = recent.groupby(["customer_id", "channel"]).ordered_on.agg(["count", "max"])
    by_channel = by_channel.reset_index().sort_values(
        ["count", "max", "channel"], ascending=[False, False, True]
    )
    favourite = by_channel.drop_duplicates("customer_id").set_index("customer_id").channel
    theirs = company.read("select * from customer_preferences").set_index("customer_id")
    same(favourite, theirs.favourite_channel.dropna())
    weekday = recent.ordered_on.dt.dayofweek + 1
    counts = recent.groupby(["customer_id", weekday]).size()
    busiest = counts.groupby("customer_id").max() / recent.groupby("customer_id").size()
    habits = theirs.favourite_weekday_share.dropna()
    same(busiest[habits.index].round(6), habits)


def test_rules_of_what_follows_what(company: Company) -> None:
    lines = company.days(
        company.read("""
            select customer_id, category, min(ordered_on) as first_on from fct_order_lines
            where status = 'completed' and category is not null group by all"""),
        "first_on",
    )
    firsts = lines.pivot(index="customer_id", columns="category", values="first_on")
    rules = company.read("select * from category_affinity where signal_kind = 'bought'")
    assert len(rules) > 20
    for rule in rules.itertuples():
        holders = firsts[firsts[rule.signal].notna()]
        had, got = holders[rule.signal], holders[rule.category]
        assert rule.followed == (got > had).sum()
        assert rule.customers == (~(got <= had)).sum()
