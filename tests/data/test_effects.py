"""Effects and monthly figures against a second computation: pandas and scipy, from the raw rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

AS_OF = date(2024, 6, 30)
WINDOW = timedelta(days=90)
CUSTOMERS = [f"C{number:03}" for number in range(240)]


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, Any]]]:
    """Two and a half years of customers who order, complain, answer and are treated at random."""
    rng = np.random.default_rng(3)
    first = date(2022, 1, 1)

    def days(customer: str, mean: float) -> list[date]:
        start = first + timedelta(days=int(rng.integers(0, 700)))
        steps = rng.exponential(mean, 60).astype(int).cumsum()
        end = start + timedelta(days=int(rng.exponential(500)))
        return [d for step in steps if (d := start + timedelta(days=int(step))) <= min(end, AS_OF)]

    orders = [
        {
            "customer_id": customer,
            "ordered_at": datetime.combine(day, datetime.min.time()) + timedelta(hours=12),
            "net_amount": round(float(rng.lognormal(4, 0.6)), 2),
        }
        for customer in CUSTOMERS
        for day in days(customer, float(rng.gamma(2, 25)) + 3)
    ]
    for number, order in enumerate(orders):
        order |= {"order_id": f"O{number}", "cost_amount": round(order["net_amount"] * 0.6, 2)}

    def some(share: float) -> list[dict[str, Any]]:
        return [orders[i] for i in np.flatnonzero(rng.random(len(orders)) < share)]

    answers = [
        {
            "response_id": f"S{number}",
            "customer_id": order["customer_id"],
            "survey": (kind := str(rng.choice(["nps", "csat"]))),
            "sent_at": order["ordered_at"],
            "responded_at": order["ordered_at"] + timedelta(days=3) if rng.random() < 0.8 else None,
            "score": int(rng.integers(0, 11) if kind == "nps" else rng.integers(1, 6)),
        }
        for number, order in enumerate(some(0.3))
    ]
    tickets = [
        {
            "ticket_id": f"T{number}",
            "customer_id": order["customer_id"],
            "opened_at": (at := order["ordered_at"] + timedelta(days=int(rng.integers(0, 5)))),
            "kind": str(rng.choice(["complaint", "question"])),
            "resolved_at": at + timedelta(days=int(rng.integers(0, 30)))
            if rng.random() < 0.9
            else None,
        }
        for number, order in enumerate(some(0.3))
    ]
    returns = [
        {
            "return_id": f"R{number}",
            "order_id": order["order_id"],
            "returned_at": order["ordered_at"] + timedelta(days=6),
            "amount": round(order["net_amount"] / 2, 2),
        }
        for number, order in enumerate(some(0.1))
    ]
    members = [
        {
            "campaign_id": campaign,
            "customer_id": customer,
            "assigned_at": datetime(2024, *assigned, 8) + timedelta(days=int(rng.integers(0, 20))),
            "arm": str(rng.choice(arms)),
        }
        for campaign, assigned, arms in (
            ("measured", (1, 3), ["treatment", "treatment", "control"]),
            ("half_over", (3, 22), ["treatment", "control"]),
            ("nobody_held_out", (1, 3), ["treatment"]),
        )
        for customer in CUSTOMERS
    ]
    members += [
        {
            "campaign_id": "small",
            "customer_id": customer,
            "assigned_at": datetime(2024, 1, 3, 8),
            "arm": arm,
        }
        for customer, arm in zip(CUSTOMERS[:20], ["treatment", "control"] * 10, strict=True)
    ]
    return {
        "orders": orders,
        "surveys": answers,
        "tickets": tickets,
        "returns": returns,
        "campaign_members": members,
    }


@pytest.fixture(scope="module")
def warehouse(build: Any, rows: dict[str, list[dict[str, Any]]]) -> duckdb.DuckDBPyConnection:
    return build(rows, select="retention_metrics_monthly list_effect", as_of=AS_OF.isoformat())


def followed(rows: dict[str, list[dict[str, Any]]], campaign: str, arm: str) -> pd.DataFrame:
    """Outcomes of the members whose window is over, one row each."""
    outcomes = []
    sold = {order["order_id"]: order for order in rows["orders"]}
    taken_back = [
        (
            (order := sold[r["order_id"]])["customer_id"],
            r["returned_at"].date(),
            r["amount"] * (1 - order["cost_amount"] / order["net_amount"]),
        )
        for r in rows["returns"]
    ]
    for member in rows["campaign_members"]:
        begun = member["assigned_at"].date()
        if (member["campaign_id"], member["arm"]) != (campaign, arm) or begun + WINDOW > AS_OF:
            continue
        mine = [
            order
            for order in rows["orders"]
            if order["customer_id"] == member["customer_id"]
            and begun < order["ordered_at"].date() <= begun + WINDOW
        ]
        profit = sum(round(o["net_amount"] - o["cost_amount"], 2) for o in mine)
        profit -= sum(
            lost
            for customer, day, lost in taken_back
            if customer == member["customer_id"] and begun < day <= begun + WINDOW
        )
        outcomes.append({"bought": bool(mine), "orders": len(mine), "profit": profit})
    return pd.DataFrame(outcomes)


def newcombe(successes: tuple[int, int], sizes: tuple[int, int]) -> tuple[float, float]:
    """Newcombe (1998), method 10, from the Wilson intervals that scipy computes."""
    shares = [s / n for s, n in zip(successes, sizes, strict=True)]
    wilson = [
        stats.binomtest(s, n).proportion_ci(method="wilson")
        for s, n in zip(successes, sizes, strict=True)
    ]
    difference = shares[0] - shares[1]
    return (
        difference - np.hypot(shares[0] - wilson[0].low, wilson[1].high - shares[1]),
        difference + np.hypot(wilson[0].high - shares[0], shares[1] - wilson[1].low),
    )


@pytest.mark.parametrize("campaign", ["measured", "half_over"])
def test_a_difference_has_the_interval_that_scipy_gives(
    warehouse: duckdb.DuckDBPyConnection, rows: dict[str, list[dict[str, Any]]], campaign: str
) -> None:
    treated, control = (followed(rows, campaign, arm) for arm in ("treatment", "control"))
    sizes = len(treated), len(control)
    expected = {}
    for outcome in ("orders", "profit"):
        test = stats.ttest_ind(treated[outcome], control[outcome])
        expected[outcome] = tuple(test.confidence_interval(0.95))
    expected["bought"] = newcombe((treated["bought"].sum(), control["bought"].sum()), sizes)

    found = warehouse.execute(
        "select outcome, treated_customers, control_customers, difference, lower_95, upper_95,"
        " is_measurable from list_effect where activity_code = ? and campaign_cycle = 'all'"
        " and outcome in ('bought', 'orders', 'profit') and window_days = 90",
        [campaign],
    ).fetchall()

    assert {outcome for outcome, *_ in found} == set(expected)
    for outcome, *counts, difference, lower, upper, is_measurable in found:
        assert tuple(counts) == sizes
        assert is_measurable
        assert difference == pytest.approx(
            treated[outcome].mean() - control[outcome].mean(),
            abs=1e-5 if outcome != "profit" else 0.01,
        )
        assert (lower, upper) == pytest.approx(expected[outcome], abs=0.01)


@pytest.mark.parametrize(
    ("campaign", "why_not"),
    [("nobody_held_out", "no control group"), ("small", "too few customers")],
)
def test_an_effect_that_cannot_be_measured_is_not_stated(
    warehouse: duckdb.DuckDBPyConnection, campaign: str, why_not: str
) -> None:
    found = warehouse.execute(
        "select distinct is_measurable, why_not, difference, lower_95, upper_95, gained_total"
        " from list_effect where activity_code = ? and outcome = 'profit'",
        [campaign],
    ).fetchall()

    assert found == [(False, why_not, None, None, None, None)]


def test_customers_whose_window_is_not_over_wait(
    warehouse: duckdb.DuckDBPyConnection, rows: dict[str, list[dict[str, Any]]]
) -> None:
    waiting = sum(
        member["campaign_id"] == "half_over" and member["assigned_at"].date() + WINDOW > AS_OF
        for member in rows["campaign_members"]
    )

    found = warehouse.execute(
        """
        select distinct
            waiting_customers, treated_customers + control_customers + waiting_customers
        from list_effect
        where activity_code = 'half_over' and outcome = 'profit'
        """
    ).fetchall()

    assert 0 < waiting < len(CUSTOMERS)
    assert found == [(waiting, len(CUSTOMERS))]


# -- the monthly figures --


@pytest.fixture(scope="module")
def monthly(warehouse: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    frame = warehouse.sql("from retention_metrics_monthly order by month").df().set_index("month")
    frame.index = pd.PeriodIndex(frame.index, freq="M")
    return frame


def frame_of(rows: list[dict[str, Any]], time: str) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    frame["day"] = frame[time].dt.normalize()
    frame["month"] = frame[time].dt.to_period("M")
    return frame


def same(found: pd.Series, expected: pd.Series, missing: float = 0) -> None:
    """Every finished month agrees; the expected series leaves out months without anything."""
    complete = expected.reindex(found.index).fillna(missing)
    np.testing.assert_allclose(found.astype(float), complete.astype(float), rtol=1e-6, atol=1e-6)


def test_sales_of_a_month(monthly: pd.DataFrame, rows: dict[str, list[dict[str, Any]]]) -> None:
    orders = frame_of(rows["orders"], "ordered_at")
    first = orders.groupby("customer_id")["day"].transform("min").dt.to_period("M")
    months = orders.groupby("month")

    same(monthly["orders"], months.size())
    same(monthly["net_amount"], months["net_amount"].sum())
    same(monthly["average_order_value"], months["net_amount"].mean(), missing=np.nan)
    same(monthly["buyers"], months["customer_id"].nunique())
    same(
        monthly["repeat_buyers"],
        orders[first < orders["month"]].groupby("month")["customer_id"].nunique(),
    )
    retained = orders[first + 12 <= orders["month"]].groupby("month")["net_amount"].sum()
    a_year_old = monthly.index >= monthly.index[12]
    same(monthly["retained_amount"][a_year_old], retained)
    same(monthly["amount_year_before"][a_year_old], months["net_amount"].sum().shift(12, freq="M"))
    assert monthly["revenue_retention"][~a_year_old].isna().all()


def test_second_orders_wait_for_their_window(
    monthly: pd.DataFrame, rows: dict[str, list[dict[str, Any]]]
) -> None:
    orders = frame_of(rows["orders"], "ordered_at")
    per_customer = orders.drop_duplicates(["customer_id", "day"]).sort_values("day")
    days = per_customer.groupby("customer_id")["day"].agg(list)
    joined = pd.DataFrame(
        {
            "month": [d[0].to_period("M") for d in days],
            "again": [len(d) > 1 and d[1] - d[0] <= WINDOW for d in days],
        }
    )
    over = monthly.index.to_timestamp(how="end").normalize() + WINDOW <= pd.Timestamp(AS_OF)

    same(monthly["first_buyers"][over], joined.groupby("month").size())
    same(monthly["second_buyers"][over], joined.groupby("month")["again"].sum())
    assert over.sum() == len(monthly) - 3
    assert monthly["second_purchase_rate"][~over].isna().all()


def mean_of(answers: pd.Series, month: pd.Series) -> pd.Series:
    """The mean of the months with five answers or more; fewer make no figure."""
    months = answers.groupby(month)
    return months.mean()[months.size() >= 5]


def test_answers_tickets_and_returns_of_a_month(
    monthly: pd.DataFrame, rows: dict[str, list[dict[str, Any]]]
) -> None:
    # an answer without a time counts from the day on which it was asked for
    answered = [{**r, "responded_at": r["responded_at"] or r["sent_at"]} for r in rows["surveys"]]
    surveys = frame_of(answered, "responded_at")
    nps = surveys[surveys["survey"] == "nps"]
    points = nps["score"].ge(9).astype(int) - nps["score"].le(6).astype(int)
    same(monthly["nps"], 100 * mean_of(points, nps["month"]), missing=np.nan)
    csat = surveys[surveys["survey"] == "csat"]
    same(monthly["csat"], mean_of(csat["score"].ge(4), csat["month"]), missing=np.nan)

    tickets = frame_of(rows["tickets"], "opened_at").sort_values(["opened_at", "ticket_id"])
    fortnight = pd.Timedelta(days=14)
    following = tickets.groupby("customer_id")["day"].shift(-1)
    at_once = (tickets["resolved_at"].dt.normalize() <= tickets["day"] + fortnight) & ~(
        following <= tickets["day"] + fortnight
    )
    over = monthly.index.to_timestamp(how="end").normalize() + fortnight <= pd.Timestamp(AS_OF)
    same(monthly["followed_tickets"][over], tickets.groupby("month").size())
    same(monthly["tickets_solved_at_once"][over], at_once.groupby(tickets["month"]).sum())
    assert monthly["first_contact_resolution"][~over].isna().all()

    returned = frame_of(rows["returns"], "returned_at")
    same(monthly["returned_amount"], returned.groupby("month")["amount"].sum())


def test_units_silent_for_twelve_months(
    monthly: pd.DataFrame, rows: dict[str, list[dict[str, Any]]]
) -> None:
    orders = frame_of(rows["orders"], "ordered_at")
    silent = {}
    for month in monthly.index:
        seen = orders[orders["month"] <= month].groupby("customer_id")["month"].max()
        silent[month] = (seen <= month - 12).sum()
    known = monthly.index >= monthly.index[12]

    same(monthly["silent_units"][known], pd.Series(silent))
    assert monthly["silent_units"][~known].isna().all()
    assert (monthly["service_churn_rate"] > 1).any()


def test_churn_and_win_back_from_the_stages_at_the_start_of_a_month(
    monthly: pd.DataFrame, warehouse: duckdb.DuckDBPyConnection
) -> None:
    spells = warehouse.sql("from lifecycle_history").df()
    spells["valid_to"] = spells["valid_to"].fillna(pd.Timestamp.max)
    customers = ["new", "active", "watch", "quasi_churned"]
    for month in monthly.index:
        start, end = month.to_timestamp(), (month + 1).to_timestamp()
        eve = spells[(spells["valid_from"] < start) & (spells["valid_to"] >= start)]
        mine = eve[eve["stage"].isin(customers)]["customer_id"]
        gone = eve[eve["stage"] == "churned"]["customer_id"]
        left = spells[
            (spells["stage"] == "churned")
            & (spells["valid_from"] >= start)
            & (spells["valid_from"] < end)
            & spells["customer_id"].isin(mine)
        ]
        back = spells[
            (spells["stage"] == "won_back")
            & (spells["valid_from"] >= start)
            & (spells["valid_from"] < end)
            & spells["customer_id"].isin(gone)
        ]
        found = monthly.loc[month]
        assert found["customers_at_start"] == len(mine)
        assert found["churned_customers"] == left["customer_id"].nunique()
        assert found["churned_at_start"] == len(gone)
        assert found["won_back_customers"] == back["customer_id"].nunique()
    assert monthly["churned_customers"].sum() > 50
    assert monthly["won_back_customers"].sum() > 10
