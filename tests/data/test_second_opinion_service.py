"""Service, satisfaction and quality of the sample company, recomputed in pandas from the lake."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pytest

from tests.conftest import SAMPLE_DAYS
from tests.data.lake_in_pandas import PROJECT_DIR, VARS

AS_OF = pd.Timestamp(date.fromisoformat(SAMPLE_DAYS[-1]))
# The defaults of dbt_project.yml and of the seed service_level, once more.
FCR_DAYS, REPEAT_DAYS, VALID_DAYS, ANSWER_DAYS, SLOW_DAYS = 14, 90, 365, 30, 14
MIN_ANSWERS = 5
RESPONSE_MINUTES = {"high": 240, "medium": 480, "low": 1440}
SOLUTION_MINUTES = {"high": 72 * 60, "medium": 120 * 60, "low": 168 * 60}


def days(number: int) -> pd.Timedelta:
    return pd.Timedelta(days=number)


def frame(con: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    """A table; days as timestamps, whatever NULLs did to integers undone."""
    data = con.sql(f"select * from {table}").df()
    for column in data.columns:
        if column.endswith(("_on", "_at")) or column == "month":
            data[column] = pd.to_datetime(data[column])
    return data


def month_of(day: pd.Series) -> pd.Series:
    return day.dt.to_period("M").dt.to_timestamp()


def over(month: pd.Timestamp, after: int = 0) -> bool:
    """Whether a month, and so many days after it, are over."""
    return month + pd.offsets.MonthEnd(0) + days(after) <= AS_OF


def known(table: pd.DataFrame, key: Sequence[str], figures: Sequence[str]) -> pd.DataFrame:
    """The rows of a published table in which the figures are known, as comparable numbers."""
    rows = table.dropna(subset=[figures[0]]).set_index(list(key)).sort_index()
    return rows[list(figures)].astype(float)


def same(published: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Equal rows and equal figures; a row in which nothing is counted may be left out by pandas."""
    expected = expected.reindex(published.index)
    counts = [name for name in expected if not name.endswith(("_share", "_minutes", "_hours"))]
    expected[counts] = expected[counts].fillna(0)
    pd.testing.assert_frame_equal(
        published, expected[list(published)].astype(float), rtol=1e-9, check_names=False
    )
    assert published.to_numpy(na_value=0).sum() > 0


@pytest.fixture
def surveys(marts_and_lake: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Surveys with the answers that count."""
    rows = frame(marts_and_lake, "lake_surveys")
    scale = rows["survey"].map({"csat": (1, 5), "nps": (0, 10)})
    low, high = (scale.map(lambda bounds, i=i: bounds[i]) for i in (0, 1))
    rows["answered"] = rows["score"].notna() & rows["score"].ge(low) & rows["score"].le(high)
    rows["answered_on"] = rows["responded_on"].fillna(rows["sent_on"]).where(rows["answered"])
    tiers = frame(marts_and_lake, "customer_value").set_index("customer_id")["value_tier"]
    rows["value_tier"] = rows["customer_id"].map(tiers).fillna("unknown")
    return rows


@pytest.fixture
def tickets(marts_and_lake: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Tickets timed, followed and judged one by one."""
    rows = frame(marts_and_lake, "lake_tickets").sort_values(["opened_at", "ticket_id"])
    teams = frame(marts_and_lake, "lake_reps").set_index("rep_id")["team"]
    rows["team"] = rows["handler_id"].map(teams).fillna("none")
    answered_at = rows[["first_response_at", "resolved_at"]].min(axis=1)
    rows["minutes"] = (answered_at - rows["opened_at"]).dt.total_seconds() // 60
    rows["solved_minutes"] = (rows["resolved_at"] - rows["opened_at"]).dt.total_seconds() // 60
    waited = (AS_OF + days(1) - rows["opened_at"]).dt.total_seconds() // 60
    for name, target, taken in (
        ("answered_in_time", rows["severity"].map(RESPONSE_MINUTES).fillna(1440), "minutes"),
        (
            "resolved_in_time",
            rows["severity"].map(SOLUTION_MINUTES).fillna(10080),
            "solved_minutes",
        ),
    ):
        rows[name] = (rows[taken] <= target).astype(float)
        rows.loc[rows[taken].isna() & (waited <= target), name] = np.nan

    next_on = rows.groupby("customer_id")["opened_on"].shift(-1)
    until = rows["opened_on"] + days(FCR_DAYS)
    solved = rows["resolved_on"].le(until) & (next_on.isna() | next_on.gt(until))
    rows["solved_at_once"] = solved.astype(float).where(until <= AS_OF)

    complaints = rows[rows["kind"] == "complaint"]
    since = complaints["opened_on"] - complaints.groupby("customer_id")["opened_on"].shift(1)
    rows["is_repeat"] = (since <= days(REPEAT_DAYS)).reindex(rows.index)
    return rows


def test_satisfaction_by_month_and_tier(
    marts_and_lake: duckdb.DuckDBPyConnection, surveys: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "satisfaction_monthly")
    answers = surveys[surveys["answered"]].assign(month=month_of(surveys["answered_on"]))
    csat, nps = (answers["survey"] == kind for kind in ("csat", "nps"))
    by_answer = pd.DataFrame({
        "month": answers["month"], "value_tier": answers["value_tier"],
        "csat_answers": csat, "satisfied_answers": csat & (answers["score"] >= 4),
        "nps_answers": nps, "promoters": nps & (answers["score"] >= 9),
        "detractors": nps & (answers["score"] <= 6),
    }).groupby(["month", "value_tier"]).sum()  # fmt: skip
    same(known(published, ["month", "value_tier"], list(by_answer)), by_answer)

    quick = surveys["answered"] & (surveys["answered_on"] <= surveys["sent_on"] + days(ANSWER_DAYS))
    by_sending = (
        pd.DataFrame({"surveys_sent": 1, "surveys_answered": quick})
        .groupby([month_of(surveys["sent_on"]).rename("month"), surveys["value_tier"]])
        .sum()
    )
    same(known(published, ["month", "value_tier"], list(by_sending)), by_sending)

    for row in published.itertuples():
        assert pd.notna(row.csat_answers) == over(row.month)
        assert pd.notna(row.surveys_sent) == over(row.month, ANSWER_DAYS)
        assert pd.isna(row.nps) or row.nps_answers >= MIN_ANSWERS
        assert pd.isna(row.csat) or row.csat_answers >= MIN_ANSWERS
        if over(row.month) and row.nps_answers >= MIN_ANSWERS:
            points = 100 * (row.promoters - row.detractors) / row.nps_answers
            assert row.nps == pytest.approx(points, abs=1e-6)
        if over(row.month) and row.csat_answers >= MIN_ANSWERS:
            assert row.csat == pytest.approx(row.satisfied_answers / row.csat_answers, abs=1e-6)
        if over(row.month, ANSWER_DAYS) and row.surveys_sent:
            assert row.response_rate == pytest.approx(
                row.surveys_answered / row.surveys_sent, abs=1e-6
            )


def test_coverage_counts_each_customer_once(
    marts_and_lake: duckdb.DuckDBPyConnection, surveys: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "satisfaction_monthly").dropna(subset=["customers"])
    value = frame(marts_and_lake, "customer_value").set_index("customer_id")["value_tier"]
    orders = frame(marts_and_lake, "lake_orders")
    first = orders[orders["status"] == "completed"].groupby("customer_id")["ordered_on"].min()
    assert len(published) >= 12
    for row in published.itertuples():
        end = row.month + pd.offsets.MonthEnd(0)
        begin = row.month - pd.DateOffset(months=11)
        customers = {c for c in first[first <= end].index if value[c] == row.value_tier}
        sent = surveys[surveys["sent_on"].between(begin, end)]
        answered = sent[sent["answered"] & (sent["answered_on"] <= end)]
        assert row.customers == len(customers)
        assert row.customers_surveyed_12m == len(customers & set(sent["customer_id"]))
        assert row.customers_answered_12m == len(customers & set(answered["customer_id"]))


def test_every_ticket_is_judged_as_by_hand(
    marts_and_lake: duckdb.DuckDBPyConnection, tickets: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "fct_tickets").set_index("ticket_id")
    expected = tickets.set_index("ticket_id").reindex(published.index)
    assert not published["has_implausible_times"].any()
    for ours, theirs in {
        "is_answered_in_time": "answered_in_time",
        "is_resolved_in_time": "resolved_in_time",
        "is_solved_at_once": "solved_at_once",
        "is_repeat_complaint": "is_repeat",
        "first_response_minutes": "minutes",
    }.items():
        pd.testing.assert_series_equal(
            published[ours].astype(float), expected[theirs].astype(float), check_names=False
        )
        assert expected[theirs].astype(float).nunique() > 1


def test_service_by_month_and_team(
    marts_and_lake: duckdb.DuckDBPyConnection, tickets: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "service_monthly")
    by_opening = [month_of(tickets["opened_on"]).rename("month"), tickets["team"]]
    opened = tickets.groupby(by_opening).agg(
        tickets=("ticket_id", "size"),
        response_due_tickets=("answered_in_time", "count"),
        answered_in_time=("answered_in_time", "sum"),
        resolution_due_tickets=("resolved_in_time", "count"),
        resolved_in_time=("resolved_in_time", "sum"),
        median_first_response_minutes=("minutes", "median"),
    )
    same(known(published, ["month", "team"], list(opened)), opened)

    followed = tickets.groupby(by_opening).agg(
        followed_tickets=("solved_at_once", "count"),
        tickets_solved_at_once=("solved_at_once", "sum"),
    )
    same(known(published, ["month", "team"], list(followed)), followed)

    done = tickets[tickets["resolved_on"].notna()].assign(
        hours=(tickets["solved_minutes"] / 60).round(2)
    )
    resolved = done.groupby([month_of(done["resolved_on"]).rename("month"), done["team"]]).agg(
        resolved_tickets=("ticket_id", "size"),
        rated_tickets=("satisfaction", "count"),
        satisfied_ratings=("satisfaction", lambda ratings: (ratings >= 4).sum()),
        median_resolution_hours=("hours", "median"),
    )
    same(known(published, ["month", "team"], list(resolved)), resolved)

    for row in published.itertuples():
        assert pd.notna(row.tickets) == over(row.month)
        assert pd.notna(row.followed_tickets) == over(row.month, FCR_DAYS)
        if over(row.month):
            end = row.month + pd.offsets.MonthEnd(0)
            theirs = tickets[(tickets["team"] == row.team) & (tickets["opened_on"] <= end)]
            still = theirs["resolved_on"].isna() | (theirs["resolved_on"] > end)
            assert row.open_tickets == still.sum()


def test_complaints_by_subject_cause_and_product(
    marts_and_lake: duckdb.DuckDBPyConnection, tickets: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "complaints_monthly")
    rows = tickets[tickets["kind"] == "complaint"]
    rows = rows[[over(day) for day in month_of(rows["opened_on"])]].copy()
    # nobody reads what those complained of who asked to be forgotten
    forgotten = rows["customer_id"].isin(frame(marts_and_lake, "lake_erasure_requests").customer_id)
    for told in ("category", "cause"):
        rows[told] = rows[told].mask(forgotten)
    is_open = rows["resolved_on"].isna()
    hours = (rows["solved_minutes"] / 60 + 1e-9).round(2)
    keys = [
        month_of(rows["opened_on"]).rename("month"), rows["category"].fillna("unknown"),
        rows["cause"].fillna("unknown").mask(is_open, "not_found_yet").rename("cause"),
        rows["product_id"].fillna("none"),
    ]  # fmt: skip
    judged = rows.assign(is_open=is_open, hours=hours, is_happy=rows["satisfaction"] >= 4)
    expected = judged.groupby(keys).agg(
        complaints=("ticket_id", "size"),
        customers=("customer_id", "nunique"),
        repeat_complaints=("is_repeat", "sum"),
        open_complaints=("is_open", "sum"),
        timed_complaints=("hours", "count"),
        resolution_hours=("hours", "sum"),
        response_due_complaints=("answered_in_time", "count"),
        answered_in_time=("answered_in_time", "sum"),
        resolution_due_complaints=("resolved_in_time", "count"),
        resolved_in_time=("resolved_in_time", "sum"),
        rated_complaints=("satisfaction", "count"),
        satisfied_ratings=("is_happy", "sum"),
    )
    found = known(published, ["month", "category", "cause", "product_id"], list(expected))
    pd.testing.assert_frame_equal(
        found, expected.astype(float).rename_axis(found.index.names), atol=0.02
    )
    assert (expected.sum() > 0).all()
    of_month = expected["complaints"].groupby("month").sum()
    assert published["complaints_of_month"].tolist() == of_month[published["month"]].tolist()


def test_where_the_time_of_tickets_goes(
    marts_and_lake: duckdb.DuckDBPyConnection, tickets: pd.DataFrame
) -> None:
    """Every ticket of a year through its stages, then told apart by each dimension."""
    groups = pd.read_csv(PROJECT_DIR / "seeds" / "service_channel.csv").set_index("channel")
    forgotten = tickets["customer_id"].isin(
        frame(marts_and_lake, "lake_erasure_requests")["customer_id"]
    )
    group = tickets["channel"].str.lower().map(groups["channel_group"]).fillna("other")
    rows = tickets.assign(
        all="all",
        channel_group=group.where(tickets["channel"].notna() & ~forgotten),
        category=tickets["category"].mask(forgotten),
        severity=tickets["severity"].mask(forgotten),
        team=tickets["team"].replace("none", None),
    )
    # the next one of the customer on the subject after the solution, where it came soon enough
    subjects = {
        key: list(zip(told["opened_at"], told["opened_on"], strict=True))
        for key, told in tickets.groupby(["customer_id", tickets["category"].fillna("")])
    }
    rows["back_hours"] = [
        next(
            (
                (opened_at - row.resolved_at).total_seconds() // 60 / 60
                for opened_at, opened_on in subjects[row.customer_id, row.category or ""]
                if opened_at > row.resolved_at and opened_on <= row.resolved_on + days(FCR_DAYS)
            ),
            np.nan,
        )
        for row in tickets.fillna({"category": ""}).itertuples()
    ]
    rows = rows[rows["opened_on"] > AS_OF - days(365)]
    answered = rows[rows["minutes"].notna()]
    followed = rows[rows["resolved_on"] + days(FCR_DAYS) <= AS_OF]
    stages = {
        "answer": (rows, rows["minutes"] / 60, rows["minutes"].isna()),
        "solution": (
            answered,
            (answered["solved_minutes"] - answered["minutes"]) / 60,
            answered["resolved_at"].isna(),
        ),
        "return": (followed, followed["back_hours"], followed["back_hours"].map(lambda _: False)),
    }
    published = frame(marts_and_lake, "service_stages").set_index(
        ["dimension", "stage", "dimension_value"]
    )
    published = published.sort_index()
    compared, bottlenecks = 0, set()
    for position, (stage, (reached, hours, is_waiting)) in enumerate(stages.items(), start=1):
        of_all = hours.median()
        assert hours.count()
        for dimension in ("all", "kind", "channel_group", "category", "severity", "team"):
            values = reached[dimension].fillna("unknown")
            told = published.loc[(dimension, stage)]
            assert set(told.index) == set(values)
            for value, row in told.iterrows():
                theirs = hours[values == value]
                passed = theirs.count()
                assert row.stage_position == position
                assert (row.tickets, row.passed_tickets) == (len(theirs), passed)
                assert row.waiting_tickets == is_waiting[values == value].sum()
                assert row.passed_share == pytest.approx(passed / len(theirs), abs=1e-6)
                # hours are kept to the hundredth, ticket by ticket
                assert float(row.hours) == pytest.approx(theirs.sum(), abs=0.01 * passed)
                for name, figure in {
                    "median_hours": theirs.median(),
                    "p90_hours": theirs.quantile(0.9),
                    "median_hours_of_all": of_all,
                }.items():
                    assert row[name] == pytest.approx(figure, abs=0.011, nan_ok=True), name
                assert row.share_of_tickets == pytest.approx(passed / hours.count(), abs=1e-6)
                assert row.share_of_hours == pytest.approx(theirs.sum() / hours.sum(), abs=1e-3)
                judged = stage != "return" and passed >= VARS["bottleneck_min_tickets"]
                assert pd.notna(row.is_bottleneck) == judged
                ratio = theirs.median() / of_all
                if judged and abs(ratio - VARS["bottleneck_ratio"]) > 0.01:
                    assert row.is_bottleneck == (ratio > VARS["bottleneck_ratio"])
                    bottlenecks.add(row.is_bottleneck)
                compared += 1
    assert compared == len(published)
    assert bottlenecks >= {False}
    assert published["waiting_tickets"].groupby("stage").sum()[["answer", "solution"]].all()


def test_the_teams_add_up_to_the_company_and_to_their_handlers(
    marts_and_lake: duckdb.DuckDBPyConnection,
) -> None:
    service = frame(marts_and_lake, "service_monthly").groupby("month").sum(numeric_only=True)
    handlers = frame(marts_and_lake, "handler_scorecard_monthly")
    by_handler = handlers.groupby("month").sum(numeric_only=True)
    company = frame(marts_and_lake, "retention_metrics_monthly").set_index("month")
    company = company.reindex(service.index)
    for ours, theirs in (
        ("complaints", "complaints"),
        ("followed_tickets", "followed_tickets"),
        ("tickets_solved_at_once", "tickets_solved_at_once"),
    ):
        assert service[ours].tolist() == company[theirs].fillna(0).tolist()
    for name in ("tickets", "resolved_tickets", "open_tickets", "answered_in_time"):
        assert service[name].tolist() == by_handler[name].tolist()
    tiers = frame(marts_and_lake, "satisfaction_monthly").groupby("month").sum(numeric_only=True)
    answered = (
        frame(marts_and_lake, "retention_metrics_monthly").set_index("month").loc[tiers.index]
    )
    for name in ("nps_answers", "promoters", "detractors", "csat_answers", "satisfied_answers"):
        assert tiers[name].tolist() == answered[name].fillna(0).tolist()
    complaints = frame(marts_and_lake, "complaints_monthly").groupby("month")["complaints"].sum()
    had_some = service["complaints"][service["complaints"] > 0]
    assert complaints.to_dict() == had_some.to_dict()


def test_how_satisfied_each_customer_is(
    marts_and_lake: duckdb.DuckDBPyConnection, surveys: pd.DataFrame, tickets: pd.DataFrame
) -> None:
    published = frame(marts_and_lake, "customer_satisfaction").set_index("customer_id")
    forgotten = set(frame(marts_and_lake, "lake_erasure_requests")["customer_id"])
    heard = set(surveys["customer_id"]) | set(tickets["customer_id"])
    assert set(published.index) == heard - forgotten

    answers = surveys[surveys["answered"]].assign(
        at=surveys["responded_at"].fillna(surveys["sent_at"])
    )
    answers = answers.sort_values(["at", "response_id"])
    last = answers.groupby(["customer_id", "survey"]).last()["score"].unstack()
    for kind in ("csat", "nps"):
        expected = last[kind].reindex(published.index).astype(float)
        pd.testing.assert_series_equal(
            published[f"last_{kind}"].astype(float), expected, check_names=False
        )

    latest = answers.groupby("customer_id").last()
    latest = latest[latest["answered_on"] > AS_OF - days(VALID_DAYS)]

    def judged(survey: str, score: int) -> str:
        steps = (3, 4) if survey == "csat" else (7, 9)
        return ["focus", "improvable", "satisfied"][sum(score >= step for step in steps)]

    classes = {c: judged(row["survey"], row["score"]) for c, row in latest.iterrows()}
    mine = published["satisfaction_class"].dropna().to_dict()
    assert mine == {c: label for c, label in classes.items() if c not in forgotten}
    assert set(mine.values()) == {"focus", "improvable", "satisfied"}

    open_since = tickets[(tickets["kind"] == "complaint") & tickets["resolved_on"].isna()]
    oldest = open_since.groupby("customer_id")["opened_on"].min()
    unsolved = set(oldest[oldest <= AS_OF - days(SLOW_DAYS)].index) - forgotten
    repeats = tickets[
        tickets["is_repeat"].fillna(False).astype(bool)
        & (tickets["opened_on"] > AS_OF - days(90))
    ]  # fmt: skip
    warned = unsolved | set(repeats["customer_id"]) | {c for c in mine if mine[c] == "focus"}
    assert set(published[published["is_early_warning"]].index) == warned - forgotten


@pytest.mark.parametrize("window", [90, 365])
def test_returns_and_complaints_by_product(
    marts_and_lake: duckdb.DuckDBPyConnection, tickets: pd.DataFrame, window: int
) -> None:
    published = frame(marts_and_lake, "product_quality")
    published = published[published["window_days"] == window].set_index("product_id")
    orders = frame(marts_and_lake, "lake_orders").set_index("order_id")
    items = frame(marts_and_lake, "lake_order_items")
    items["status"] = items["order_id"].map(orders["status"])
    items = items[items["status"].isin(["completed", "returned"])]
    since = AS_OF - days(window)
    sold = items[items["ordered_on"] > since].groupby("product_id")["quantity"].sum()

    returns = frame(marts_and_lake, "lake_returns")
    returns = returns[returns["returned_on"] > since]
    named = returns.dropna(subset=["product_id"])
    others = returns[returns["product_id"].isna()].set_index("order_id")
    held = items.groupby("order_id")["quantity"].sum().reindex(others.index)
    is_marked = orders["status"].reindex(others.index) == "returned"
    whole = others[is_marked | (others["quantity"] >= held)]
    came_back = pd.concat([
        named[["product_id", "quantity"]],
        items.merge(whole[[]], left_on="order_id", right_index=True)[["product_id", "quantity"]],
    ])  # fmt: skip
    back = came_back.groupby("product_id")["quantity"].sum()
    about = tickets[(tickets["kind"] == "complaint") & (tickets["opened_on"] > since)]
    complaints = about.groupby("product_id").size()

    assert len(whole)
    assert len(named)
    for product, row in published.iterrows():
        quantity = float(sold.get(product, 0))
        assert float(row["sold_quantity"]) == quantity
        returned = float(back.get(product, 0))
        assert float(row["returned_quantity"]) == returned
        assert row["complaints"] == complaints.get(product, 0)
        if quantity:
            assert row["return_rate"] == pytest.approx(returned / quantity, abs=1e-6)
        else:
            assert pd.isna(row["return_rate"])


def test_feedback_is_all_that_was_said_and_the_texts_are_restricted(
    marts_and_lake: duckdb.DuckDBPyConnection, surveys: pd.DataFrame, tickets: pd.DataFrame
) -> None:
    feedback = frame(marts_and_lake, "fct_feedback")
    said = frame(marts_and_lake, "lake_churn_feedback")
    assert feedback["source"].value_counts().to_dict() == {
        "ticket": len(tickets), "survey": surveys["answered"].sum(), "churn_feedback": len(said)
    }  # fmt: skip
    forgotten = set(frame(marts_and_lake, "lake_erasure_requests")["customer_id"])
    texts = frame(marts_and_lake, "fct_feedback_texts")
    written = feedback[feedback["is_text_recorded"] & ~feedback["customer_id"].isin(forgotten)]
    assert set(texts["feedback_id"]) == set(written["feedback_id"])
    hidden = feedback[feedback["customer_id"].isin(forgotten)]
    assert hidden[["topic"]].isna().all(axis=None)
