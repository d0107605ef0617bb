"""The figures of the months, accounts, costs, risk and what is ahead, told again from the lake."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, isclose, log, sqrt
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.data.lake_in_pandas import PROJECT_DIR, VARS, LakeInPandas

Con = duckdb.DuckDBPyConnection
STAYING = ("new", "active", "watch", "quasi_churned", "won_back")


def month_of(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.to_timestamp()


def days(number: int) -> pd.Timedelta:
    return pd.Timedelta(days=number)


@pytest.fixture(scope="module")
def months(lake: LakeInPandas) -> pd.DatetimeIndex:
    """The first days of all months, that of the day of the run among them."""
    start = lake.purchases.ordered_on.min().to_period("M").to_timestamp()
    return pd.date_range(start, lake.as_of, freq="MS", name="month")


def closed(figures: pd.Series, lake: LakeInPandas, after: int = 0) -> pd.Series:
    """A figure by month, unknown until the month and so many days after it are over."""
    ends = figures.index + pd.offsets.MonthEnd(0) + days(after)
    return figures.fillna(0).astype(float).where(ends <= lake.as_of)


def monthly(con: Con, table: str = "retention_metrics_monthly") -> pd.DataFrame:
    found = con.sql(f"from {table}").df()
    found["month"] = pd.to_datetime(found["month"])
    return found.set_index("month").sort_index()


def same(found: pd.DataFrame, ours: Mapping[str, pd.Series]) -> None:
    """Equal in every month, NULL where unknown; each figure is seen both ways."""
    for name, figures in ours.items():
        pd.testing.assert_series_equal(
            found[name].astype(float), figures, check_names=False, check_freq=False, atol=1e-6
        )
        assert figures.abs().sum() > 0, name
        assert figures.isna().any(), name


def test_sales_of_the_month(
    sample_marts: Con, lake: LakeInPandas, months: pd.DatetimeIndex
) -> None:
    bought = lake.purchases.assign(month=month_of(lake.purchases.ordered_on))
    first = bought.groupby("customer_id").ordered_on.min()
    bought["since"] = month_of(bought.customer_id.map(first))
    by = bought.groupby("month")

    def over(figures: pd.Series, after: int = 0) -> pd.Series:
        return closed(figures.reindex(months), lake, after)

    orders, net, profit = over(by.size()), over(by.net.sum()), over(by.profit.sum())
    buyers = over(by.customer_id.nunique())
    repeat = over(bought[bought.since < bought.month].groupby("month").customer_id.nunique())
    new = first.groupby(month_of(first)).size()
    window = VARS["second_order_window_days"]
    later = bought[bought.ordered_on > bought.customer_id.map(first)]
    second = later.groupby("customer_id").ordered_on.min()
    soon = first.loc[second.index][second - first.loc[second.index] <= days(window)]
    returned = over(lake.returns.returned.groupby(month_of(lake.returns.returned_on)).sum())
    # customers when the same month of the year before ended
    kept = over(
        bought[bought.since + pd.DateOffset(months=12) <= bought.month].groupby("month").net.sum()
    )
    kept = kept.where(months >= months[12])
    before = pd.Series(net.to_numpy(), months + pd.DateOffset(months=12)).reindex(months)
    before = before.where(net.notna())
    same(
        monthly(sample_marts),
        {
            "orders": orders, "net_amount": net / 100, "profit_amount": profit / 100,
            "average_order_value": net / 100 / orders, "buyers": buyers, "repeat_buyers": repeat,
            "repeat_purchase_rate": repeat / buyers, "new_customers": over(new),
            "first_buyers": over(new, window),
            "second_buyers": over(soon.groupby(month_of(soon)).size(), window),
            "second_purchase_rate": over(soon.groupby(month_of(soon)).size(), window)
            / over(new, window).replace(0, np.nan),
            "retained_amount": kept / 100, "amount_year_before": before / 100,
            "revenue_retention": kept / before, "returned_amount": returned / 100,
            "return_rate": returned / net,
        },
    )  # fmt: skip


def test_what_customers_said_in_the_month(
    sample_marts: Con, lake: LakeInPandas, months: pd.DatetimeIndex
) -> None:
    """NPS, CSAT and solved at once of the whole company, without teams and tiers."""

    def over(rows: pd.DataFrame, day: str, after: int = 0) -> pd.Series:
        return closed(rows.groupby(month_of(rows[day])).size().reindex(months), lake, after)

    said = lake.rows["surveys"].dropna(subset="score")
    said = said.assign(day=said.responded_on.fillna(said.sent_on))
    asked = {kind: said[said.survey == kind] for kind in ("nps", "csat")}
    nps, csat = asked["nps"], asked["csat"][asked["csat"].score.between(1, 5)]
    promoters, detractors = over(nps[nps.score >= 9], "day"), over(nps[nps.score <= 6], "day")
    answers, happy = over(csat, "day"), over(csat[csat.score >= 4], "day")
    enough = VARS["min_survey_answers"]
    asked_nps = over(nps, "day")

    tickets = lake.rows["tickets"].sort_values(["opened_at", "ticket_id"])
    window = VARS["fcr_window_days"]
    next_on = tickets.groupby("customer_id").opened_on.shift(-1)
    until = tickets.opened_on + days(window)
    at_once = tickets[(tickets.resolved_on <= until) & ~(next_on <= until)]
    followed, solved = over(tickets, "opened_on", window), over(at_once, "opened_on", window)
    same(
        monthly(sample_marts),
        {
            "nps_answers": asked_nps, "promoters": promoters, "detractors": detractors,
            "nps": (100 * (promoters - detractors) / asked_nps).where(asked_nps >= enough),
            "csat_answers": answers, "satisfied_answers": happy,
            "csat": (happy / answers).where(answers >= enough),
            "complaints": over(tickets[tickets.kind == "complaint"], "opened_on"),
            "followed_tickets": followed, "tickets_solved_at_once": solved,
            "first_contact_resolution": solved / followed.replace(0, np.nan),
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def tasks(lake: LakeInPandas) -> pd.DataFrame:
    """Tasks of the lists of earlier days, as first published, and the day they were answered."""
    listed = lake.batches("published_lists")
    listed["_batch"] = pd.to_datetime(listed._batch)
    listed = listed[listed._batch < lake.as_of].sort_values("_batch")
    first = listed.drop_duplicates("list_row_id").set_index("list_row_id")
    contacts = lake.rows["interactions"]
    answers = contacts[contacts.outcome.isin(["reached", "refused", "done"])]
    done = answers.groupby("list_row_id").occurred_on.min()
    return first.assign(
        done_on=done.reindex(first.index), listed_on=pd.to_datetime(first.listed_on)
    )


def test_tasks_of_the_month_and_profit_at_risk(
    sample_marts: Con, lake: LakeInPandas, tasks: pd.DataFrame, months: pd.DatetimeIndex
) -> None:
    found = monthly(sample_marts)
    ours = tasks.assign(month=month_of(tasks.listed_on))
    given = ours[ours.arm == "treatment"]
    for name, rows in (
        ("list_tasks", given),
        ("list_tasks_held_out", ours[ours.arm == "control"]),
        ("list_tasks_done", given.dropna(subset="done_on")),
    ):
        expected = closed(rows.groupby("month").size().reindex(months), lake)
        expected[expected.index < ours.month.min()] = np.nan
        if name == "list_tasks_done" and ours.done_on.isna().all():
            expected[:] = np.nan
        pd.testing.assert_series_equal(
            found[name].astype(float), expected, check_names=False, check_freq=False
        )
    assert found.list_tasks.sum() == len(given) > 100
    assert found.list_tasks_held_out.sum() > 10
    risk = at_risk(lake)
    assert float(found.profit_at_risk.iloc[-1]) == pytest.approx(risk.profit_at_risk.sum())
    assert found.profit_at_risk.iloc[:-1].isna().all()
    [(of_all,)] = sample_marts.sql(
        "select profit_at_risk from revenue_at_risk where dimension = 'all'"
    ).fetchall()
    assert found.profit_at_risk.iloc[-1] == float(of_all)


def at_risk(lake: LakeInPandas) -> pd.DataFrame:
    """Today's scores and the forecast of profit: probability x expected profit, by customer.

    Those who asked to be forgotten or objected to profiling are no part of it.
    """
    today = lake.as_of.strftime("%Y-%m-%d")
    scores, outlook = (
        frame[frame._batch == today].set_index("customer_id")
        for frame in (lake.batches("scores"), lake.batches("outlook"))
    )
    assert lake.unprofiled & {*scores.index}
    scores = scores[~scores.index.isin(lake.unprofiled)]
    people = lake.rows["customers"].set_index("customer_id")
    risk = pd.DataFrame({
        "churn_probability": scores.churn_probability,
        "orders_ahead": scores.expected_orders_12m,
        "expected_profit_12m": outlook.expected_profit_12m.reindex(scores.index).astype(float),
        "region": people.region.reindex(scores.index),
        "owner": people.owner_id.reindex(scores.index),
    })  # fmt: skip
    assert risk.expected_profit_12m.notna().all()
    product = risk.churn_probability * risk.expected_profit_12m
    return risk.assign(profit_at_risk=product.round(2))


def test_revenue_at_risk_by_region_owner_team_and_tier(
    sample_marts: Con, lake: LakeInPandas
) -> None:
    risk = at_risk(lake)
    reps = lake.rows["reps"].set_index("rep_id")
    bought = lake.purchases.groupby("customer_id").net.agg(["sum", "size"]).loc[risk.index]
    amount = bought["sum"] / 100 / bought["size"] * risk.orders_ahead
    risk["amount_at_risk"] = (risk.churn_probability * amount.round(2)).round(2)
    tiers = sample_marts.sql("select customer_id, value_tier from customer_value").df()
    risk["tier"] = tiers.set_index("customer_id").value_tier
    risk["team"], risk["all"] = risk.owner.map(reps.team), "all"
    found = sample_marts.sql("from revenue_at_risk").df()
    for dimension, rows in found.groupby("dimension"):
        ours = risk.groupby(risk[dimension].fillna("none"))
        told = rows.set_index("dimension_value")
        assert set(told.index) == set(ours.groups)
        likely = risk.churn_probability >= VARS["save_from_probability"]
        total = risk.profit_at_risk.sum()
        for name, figures in {
            "customers": ours.size(),
            "customers_at_risk": likely.groupby(risk[dimension].fillna("none")).sum(),
            "expected_profit_12m": ours.expected_profit_12m.sum(),
            "profit_at_risk": ours.profit_at_risk.sum(),
            "amount_at_risk": ours.amount_at_risk.sum(),
            "share_at_risk": ours.profit_at_risk.sum() / ours.expected_profit_12m.sum(),
            "share_of_profit_at_risk": ours.profit_at_risk.sum() / total,
            "share_of_largest_customer": ours.profit_at_risk.max() / ours.profit_at_risk.sum(),
        }.items():
            np.testing.assert_allclose(
                told[name].astype(float), figures.loc[told.index].astype(float),
                rtol=1e-6, atol=0.05 if name == "amount_at_risk" else 1e-6,
            )  # fmt: skip
        ranked = told.sort_values("rank_in_dimension").profit_at_risk.astype(float)
        assert ranked.is_monotonic_decreasing
    assert set(found.dimension) == {"all", "region", "owner", "team", "tier"}


def test_every_kpi_is_held_against_its_target(sample_marts: Con) -> None:
    """A ratio of two columns of the month, a target that is a level or last year's value; of a
    comparison by lot, the whole interval on one side of the target."""
    parts = {
        "churn_rate": ("churned_customers", "customers_at_start"),
        "service_churn_rate": ("silent_units", "settled_units"),
        "win_back_rate": ("won_back_customers", "churned_at_start"),
        "revenue_retention": ("retained_amount", "amount_year_before"),
        "repeat_purchase_rate": ("repeat_buyers", "buyers"),
        "second_purchase_rate": ("second_buyers", "first_buyers"),
        "csat": ("satisfied_answers", "csat_answers"),
        "first_contact_resolution": ("tickets_solved_at_once", "followed_tickets"),
        "return_rate": ("returned_amount", "net_amount"),
        "average_order_value": ("net_amount", "orders"),
        "list_completion_rate": ("list_tasks_done", "list_tasks"),
    }
    plain = ("net_amount", "orders", "profit_amount", "new_customers")
    source = monthly(sample_marts)
    values = {
        metric: source[upper] / source[lower].replace(0, np.nan).astype(float)
        for metric, (upper, lower) in parts.items()
    } | {name: source[name].astype(float) for name in plain}
    answers = source.nps_answers.astype(float)
    values["nps"] = 100 * (source.promoters - source.detractors) / answers.replace(0, np.nan)
    for kind in ("nps", "csat"):
        values[kind] = values[kind].where(source[f"{kind}_answers"] >= VARS["min_survey_answers"])
    wanted = pd.read_csv(next((PROJECT_DIR / "seeds").rglob("kpi_target.csv"))).set_index("metric")
    found = monthly(sample_marts, "kpi_monthly")
    verdicts = set()
    for metric, ours in values.items():
        told, rule = found[found.metric == metric], wanted.loc[metric]
        last_year = pd.Series(ours.to_numpy(), ours.index + pd.DateOffset(months=12))
        last_year = last_year.reindex(ours.index)
        target = rule.target * last_year if rule.target_kind == "year_before" else rule.target
        for row, value, before, goal in zip(
            told.itertuples(), ours, last_year,
            target if isinstance(target, pd.Series) else [target] * len(ours), strict=True,
        ):  # fmt: skip
            for mine, theirs in ((value, row.value), (before, row.value_year_before)):
                assert pd.isna(mine) == pd.isna(theirs), (metric, row)
                assert pd.isna(mine) or isclose(mine, theirs, abs_tol=1e-6)
            known = not (pd.isna(value) or pd.isna(goal))
            assert pd.notna(row.is_target_met) == known
            if known and abs(value - goal) > 1e-6:
                assert row.is_target_met == ((value > goal) == rule.higher_is_better)
                verdicts.add(row.is_target_met)
    assert verdicts == {True, False}
    compared = {"retention_change": "retention_rate", "churn_change": "churn_rate"}
    changes = sample_marts.sql("from controlled_comparison where activity_kind = 'all'").df()
    for metric, measure in compared.items():
        rule = wanted.loc[metric]
        ours = changes[changes.measure == measure].set_index("month").sort_index()
        told = found[found.metric == metric].sort_index()
        pd.testing.assert_series_equal(ours.relative_change, told.value, check_names=False)
        assert ours.relative_change.notna().any()
        sign = 1 if rule.higher_is_better else -1
        ends = ours[["relative_lower_95", "relative_upper_95"]].astype(float) * sign
        for is_met, beyond in (
            (True, ends >= sign * rule.target),
            (False, ends < sign * rule.target),
        ):
            told_so = told.is_target_met.eq(is_met).fillna(False)
            assert told_so.tolist() == beyond.all(axis=1).tolist(), (metric, is_met)
    assert set(found.metric) == set(values) | set(compared)


def test_cohorts_of_first_months(
    sample_marts: Con, lake: LakeInPandas, months: pd.DatetimeIndex
) -> None:
    bought = lake.purchases.assign(month=month_of(lake.purchases.ordered_on))
    bought["cohort"] = bought.groupby("customer_id").month.transform("min")
    size = bought.groupby("cohort").customer_id.nunique()
    found = sample_marts.sql("from cohort_retention").df()
    cells = bought.groupby(["cohort", "month"])
    active, orders, net = cells.customer_id.nunique(), cells.size(), cells.net.sum()
    expected = {}
    for cohort, customers in size.items():
        for since, month in enumerate(months[months >= cohort]):
            over, key = month + pd.offsets.MonthEnd(0) <= lake.as_of, (cohort, month)
            there = active.get(key, 0)
            expected[cohort, since] = (
                customers,
                *((there, orders.get(key, 0), net.get(key, 0) / 100, there / customers)
                  if over else (None,) * 4),
            )  # fmt: skip
    told = {
        (row.cohort_month, row.months_since_first): (
            row.customers, *(None if pd.isna(x) else x for x in (
                row.active_customers, row.orders, row.net_amount, row.retention_rate
            )),
        )
        for row in found.itertuples()
    }  # fmt: skip
    assert told == expected
    assert any(value[1] is None for value in expected.values())
    assert all(value[-1] == 1 for (_, since), value in expected.items() if since == 0 and value[1])


def test_regular_business_accounts_that_fell_silent(sample_marts: Con, lake: LakeInPandas) -> None:
    people = lake.rows["customers"]
    firms = people[people.company_name.notna()].customer_id
    bought = lake.purchases.assign(month=lake.purchases.ordered_on.dt.to_period("M"))
    window, least = VARS["regular_account_window_months"], VARS["regular_account_min_months"]
    last_over = (lake.as_of + days(1)).to_period("M") - 1
    expected = {}
    for customer in set(firms) - lake.unprofiled:
        theirs = bought[bought.customer_id == customer]
        if theirs.empty:
            continue
        first, last = theirs.month.min(), theirs.month.max()
        empty, together = (last_over - last).n, (last - first).n + 1
        usual = theirs[theirs.month > last - window]
        is_regular = together >= window and usual.month.nunique() >= least
        if is_regular and empty >= VARS["silent_account_months"]:
            expected[customer] = (
                empty, together, usual.month.nunique(), usual.net.sum() / 100 / window,
                usual.profit.sum() / 100 / window,
            )  # fmt: skip
    found = {
        row.customer_id: (
            row.empty_months, row.months_together, row.months_with_orders,
            row.usual_monthly_amount, row.usual_monthly_profit,
        )
        for row in sample_marts.sql("from silent_business_accounts").df().itertuples()
    }  # fmt: skip
    assert found.keys() == expected.keys()
    assert expected
    for customer, figures in expected.items():
        assert found[customer] == pytest.approx(figures, abs=0.006)


def at(stages: pd.DataFrame, day: pd.Timestamp) -> pd.Series:
    """The stage of everybody on the evening before a day."""
    then = stages[(stages.valid_from < day) & ~(stages.valid_to < day)]
    return then.set_index("customer_id").stage


def test_churn_of_industries(sample_marts: Con, lake: LakeInPandas) -> None:
    people = lake.rows["customers"].set_index("customer_id")
    firms = people[people.company_name.notna()]
    industry = firms.industry.fillna("unknown")
    year_ago = lake.as_of + days(1) - pd.DateOffset(months=12)
    there = at(lake.stages, year_ago)
    falls = lake.stages[(lake.stages.stage == "churned") & (lake.stages.valid_from >= year_ago)]
    start = set(there[there.isin(STAYING)].index) & set(firms.index)
    lost = start & set(falls.customer_id)
    now = lake.stages[lake.stages.valid_to.isna()].set_index("customer_id").stage
    here = set(now[now != "churned"].index)
    found = sample_marts.sql("from industry_benchmark").df().set_index("industry")
    assert set(found.index) == {*industry, "all"}
    average = len(lost) / len(start)
    for name, row in found.iterrows():
        members = set(industry.index if name == "all" else industry.index[industry == name])
        n, gone = len(start & members), len(lost & members)
        assert (row.companies, row.active_companies) == (len(members), len(members & here))
        assert (row.companies_at_start, row.churned_companies) == (n, gone)
        if not n:
            assert pd.isna(row.churn_rate_12m)
            continue
        low, high = stats.binomtest(gone, n).proportion_ci(method="wilson")
        told = (row.churn_rate_12m, row.churn_rate_lower_95, row.churn_rate_upper_95)
        assert told == pytest.approx((gone / n, low, high), abs=1e-6)
        if name != "all":
            far = "worse" if low > average else "better" if high < average else None
            assert row.against_all == (far or "not_distinguishable")
    assert lost


def test_what_new_kept_and_returned_customers_cost(
    sample_marts: Con, lake: LakeInPandas, months: pd.DatetimeIndex
) -> None:
    """Money is sorted by what the customer was on the evening before it was spent."""
    members = lake.rows["campaign_members"].merge(
        lake.rows["campaigns"][["campaign_id", "unit_cost"]], how="left"
    )
    planned = members.unit_cost.where(members.arm != "control", 0)
    given = lake.purchases[lake.purchases.discount > 0]
    channels = pd.read_csv(next((PROJECT_DIR / "seeds").rglob("contact_channel.csv")))
    price = channels.set_index("channel").contact_cost
    contacts = lake.rows["interactions"]
    contacts = contacts[contacts.direction != "inbound"]
    purses = {
        "campaign_cost": (members.customer_id, members.assigned_on, members.cost.fillna(planned)),
        "contact_cost": (
            contacts.customer_id, contacts.occurred_on,
            contacts.channel.map(price).fillna(VARS["default_contact_cost"]),
        ),
        "discount_cost": (given.customer_id, given.ordered_on, given.discount / 100),
    }  # fmt: skip
    spent = pd.concat(
        [
            pd.DataFrame({"customer_id": customer, "day": day, purse: amount})
            for purse, (customer, day, amount) in purses.items()
        ],
        ignore_index=True,
    )
    first = lake.stages.groupby("customer_id").valid_from.min()
    away = lake.stages[lake.stages.stage == "churned"]
    spent["kind"] = "kept"
    joined = spent.reset_index().merge(away, on="customer_id")
    inside = (joined.valid_from < joined.day) & ~(joined.valid_to < joined.day)
    spent.loc[joined["index"][inside].unique(), "kind"] = "returned"
    spent.loc[~(spent.customer_id.map(first) < spent.day), "kind"] = "new"
    costs = spent.groupby(["kind", month_of(spent.day)])[[*purses]].sum()

    ordered = lake.stages.sort_values(["customer_id", "valid_from"])
    before = ordered.groupby("customer_id").stage.shift()
    month = month_of(ordered.valid_from)
    firsts = month_of(first)
    counts = {
        "new": firsts.groupby(firsts).size(),
        "returned": ordered[before == "churned"].groupby(month).size(),
    }
    lost = ordered[ordered.stage == "churned"].groupby(month).size()
    opening = pd.Series({m: at(lake.stages, m).isin(STAYING).sum() for m in months})
    counts["kept"] = (opening - lost.reindex(months, fill_value=0)).clip(lower=0)
    found = monthly(sample_marts, "cost_of_customers")
    for kind, counted in counts.items():
        told = found[found.kind == kind]
        cost = costs.loc[kind].reindex(months, fill_value=0)
        number = counted.reindex(months, fill_value=0)
        # who is kept is kept all the year: so many were there on average
        people = number.rolling(12).sum() / (12 if kind == "kept" else 1)
        year = cost.sum(axis=1).rolling(12).sum() / people.replace(0, np.nan)
        figures = {purse: closed(cost[purse], lake) for purse in purses}
        if kind == "new":  # hardly a campaign of the sample company is for who never ordered
            of_campaigns = figures.pop("campaign_cost")
            pd.testing.assert_series_equal(
                told.campaign_cost.astype(float), of_campaigns,
                check_names=False, check_freq=False, atol=1e-6,
            )  # fmt: skip
        same(told, figures | {"customers": closed(number, lake)})
        each = (cost.sum(axis=1) / number.replace(0, np.nan)).where(told.is_finished)
        np.testing.assert_allclose(told.cost_per_customer.astype(float), each, atol=1e-6)
        np.testing.assert_allclose(
            told.cost_per_customer_12m.astype(float), year.where(told.is_finished), atol=1e-6
        )


def test_the_forecast_of_the_next_horizon(sample_marts: Con, lake: LakeInPandas) -> None:
    """The last horizon carried on, and last year's season at the growth seen lately."""
    horizon = VARS["horizon_days"]
    bought = lake.purchases
    by_day = pd.DataFrame({
        "orders": bought.groupby("ordered_on").size(),
        "net_amount": bought.groupby("ordered_on").net.sum() / 100,
        "profit_amount": bought.groupby("ordered_on").profit.sum() / 100,
    })  # fmt: skip
    by_day = by_day.reindex(pd.date_range(by_day.index.min(), lake.as_of), fill_value=0)
    running = by_day.cumsum()

    def between(name: str, start: pd.Timestamp, stop: pd.Timestamp) -> float:
        """The total after a day up to another one, which is included."""
        upto = [running[name].asof(day) for day in (start, stop)]
        return float(upto[1] - (0 if pd.isna(upto[0]) else upto[0]))

    def forecast(name: str, day: pd.Timestamp) -> tuple[float, float]:
        year_ago = day - days(365)
        recent = between(name, day - days(horizon), day)
        season = between(name, year_ago, year_ago + days(horizon))
        growth = recent / between(name, year_ago - days(horizon), year_ago)
        return recent, sqrt(recent * season * growth)

    found = sample_marts.sql("from forecast_90d").df().set_index("measure")
    assert set(found.index) == {"orders", "net_amount", "profit_amount"}
    first_seen = by_day.index[0] + days(365 + horizon - 1)
    for name, row in found.iterrows():
        origins = pd.date_range(end=lake.as_of - days(horizon), periods=36, freq="30D")
        origins = origins[origins >= first_seen]
        told = pd.DataFrame(
            [(*forecast(name, day), between(name, day, day + days(horizon))) for day in origins],
            columns=["naive", "forecast", "actual"],
        )
        miss = (told[["naive", "forecast"]].sub(told.actual, axis=0)).abs().div(told.actual, axis=0)
        naive, seasonal = miss.naive.mean(), miss.forecast.mean()
        assert row.method == ("recent_and_same_season" if seasonal < naive else "recent")
        served = "forecast" if seasonal < naive else "naive"
        expected = dict(zip(("naive", "forecast"), forecast(name, lake.as_of), strict=True))
        assert row.forecast == pytest.approx(expected[served], abs=0.006)
        square = np.mean([log(a / f) ** 2 for a, f in zip(told.actual, told[served], strict=True)])
        free = len(told) * 30 / horizon
        margin = stats.t.ppf(0.975, free) * sqrt(square * (1 + 1 / free))
        assert row.backtests == len(told)
        assert row.mean_absolute_error == pytest.approx(min(naive, seasonal), abs=1e-6)
        assert row.naive_mean_absolute_error == pytest.approx(naive, abs=1e-6)
        assert row.seasonal_mean_absolute_error == pytest.approx(seasonal, abs=1e-6)
        assert row.lower_95 == pytest.approx(row.forecast * exp(-margin), rel=1e-3)
        assert row.upper_95 == pytest.approx(row.forecast * exp(margin), rel=1e-3)
        assert row.backtest_error == pytest.approx(
            told[served].iloc[-1] / told.actual.iloc[-1] - 1, abs=1e-6
        )


def test_rewards_climb_the_ladder_one_step_at_a_time(
    sample_marts: Con, lake: LakeInPandas, tasks: pd.DataFrame
) -> None:
    """Small first; the next step only when the last reward was surely offered and ran out."""
    ladder = pd.read_csv(next((PROJECT_DIR / "seeds").rglob("reward_ladder.csv")))
    ladder = ladder.set_index("reward_step")
    assert set(ladder.grant_on) == {"after_order"}
    assert ladder.reward_percent.is_monotonic_increasing
    told_of = tasks.index.isin(lake.rows["interactions"].list_row_id.dropna())
    is_over = tasks.done_on.isna() & (pd.to_datetime(tasks.due_on) < lake.as_of)
    surely_not = is_over & tasks.channel.isin(tasks.channel[told_of]) & (tasks.list_kind != "duty")
    offered = tasks[(tasks.arm == "treatment") & tasks.reward_step.notna() & ~surely_not]
    offered = offered.sort_values(["listed_on", "list_row_id"], ascending=[False, True])
    last = offered.drop_duplicates("customer_id").set_index("customer_id")
    bought = lake.purchases.groupby("customer_id").ordered_on.apply(list)
    rows = sample_marts.sql(
        """
        select c.*, q.max_reward_step, q.with_reward, s.average_order_amount
        from list_candidates as c
        inner join list_qualified as q using (list_code, customer_id)
        inner join customer_situation as s using (customer_id)
        """
    ).df()
    seen: dict[str, int] = {"first": 0, "waits": 0, "stays": 0, "climbs": 0, "redeemed": 0}

    def step_of(row: Any) -> int:
        if row.customer_id not in last.index:
            seen["first"] += 1
            return 1
        offer = last.loc[row.customer_id]
        since = offer.listed_on if pd.isna(offer.done_on) else offer.done_on
        until = since + days(int(ladder.window_days[offer.reward_step]))
        if any(since < day <= until for day in bought.get(row.customer_id, [])):
            seen["redeemed"] += 1
            return 1
        climbs = until < lake.as_of and pd.notna(offer.done_on)
        seen["climbs" if climbs else "stays" if until < lake.as_of else "waits"] += 1
        return int(min(offer.reward_step + climbs, row.max_reward_step))

    for row in rows.itertuples():
        if not row.with_reward:
            assert pd.isna(row.reward_step)
        elif not row.is_continued:
            step = step_of(row)
            assert row.reward_step == step
            # of who may not be profiled nobody asks what an order of his is worth
            unknown = row.customer_id in lake.unprofiled
            amount = 0 if unknown else ladder.reward_percent[step] * row.average_order_amount / 100
            assert float(row.reward_amount) == pytest.approx(amount, abs=0.0051)
    assert seen["first"] > 10
    # the sample company cannot record what it did with a list: it is made before there are any
    assert seen["stays"] > 3
