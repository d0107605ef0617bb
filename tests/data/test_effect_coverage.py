"""Do the intervals of list_effect cover the true effects as often as they say?

Small worlds of the sample company, each with its own campaigns, lots and luck. In these worlds
alone the effect is known: every member's window was lived under either arm (lives.py). The
project's own SQL judges all of them in one query, the number of the world being part of the names.
Every test run looks at 50 worlds, `make coverage` at 200, and says what it found.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from pipelines.sources.sample.customers import make_customers
from pipelines.sources.sample.lives import Members, lives
from pipelines.sources.sample.orders import COMPLETED, Orders, orders
from pipelines.sources.sample.parameters import RATES, TACTICS, WINDOW_DAYS, Scale
from pipelines.sources.sample.timeline import purchases
from pipelines.sources.sample.world import World, make_world

CUSTOMERS, YEARS = 1000, 3
OUTCOMES = ("bought", "orders", "profit")
FAR = 1e5  # more days than a history has
AS_OF = date(2026, 6, 30)


class _Bought:
    """The completed orders of one world, to be summed between two days of each customer."""

    def __init__(self, made: Orders) -> None:
        done = made.status == COMPLETED
        self.keys = made.customer[done] * FAR + made.day[done]
        profit = (made.gross - made.discount - made.cost)[done]
        self.running = np.concatenate([[0], np.cumsum(profit)])
        customers = int(made.customer.max()) + 1
        count = np.bincount(made.customer[done], minlength=customers)

        def mean(cents: np.ndarray) -> np.ndarray:
            total = np.bincount(made.customer[done], weights=cents, minlength=customers)
            return np.where(count > 0, total / np.maximum(count, 1), cents.mean()) / 100

        self.profit, self.gross = mean(profit), mean(made.gross[done])

    def between(self, customer: np.ndarray, first: float, end: float) -> dict[str, np.ndarray]:
        """What each customer did from one day to another, the end excluded."""
        start, stop = (np.searchsorted(self.keys, customer * FAR + day) for day in (first, end))
        cents = self.running[stop] - self.running[start]
        return {"orders": stop - start, "bought": (stop > start) * 1, "profit": cents / 100}


def _members(world: World, number: int, members: Members, bought: _Bought) -> pd.DataFrame:
    """What the tables would say of the members of one campaign, and what is true of them."""
    campaign, customer = members.campaign, members.customer
    day = float(world.calendar.months[campaign.month])
    tactic = TACTICS[campaign.tactic]
    after = bought.between(customer, day + 1, day + 1 + WINDOW_DAYS)
    before = bought.between(customer, day - WINDOW_DAYS, day)
    untreated, treated = members.orders
    coupon = treated * members.reached * RATES.coupon_share * tactic.discount
    profit, gross = (
        worth[np.minimum(customer, len(worth) - 1)] for worth in (bought.profit, bought.gross)
    )
    return pd.DataFrame(
        {
            "world": number,
            "campaign": f"{number}:{campaign.number}",
            "tactic": f"{number}:{tactic.code}",
            "purpose": f"{number}:{campaign.purpose}",
            "customer_id": [f"{number}:{position}" for position in customer],
            "assigned_on": world.calendar.date(day),
            "arm": np.where(members.treated, "treatment", "control"),
            **after,
            **{f"{name}_before": values for name, values in before.items()},
            "true_orders": treated - untreated,
            "true_bought": (treated > 0) * 1 - (untreated > 0) * 1,
            "true_profit": (treated - untreated) * profit - coupon * gross,
        }
    )


def _worlds(count: int) -> Iterator[pd.DataFrame]:
    for number in range(count):
        world = make_world(Scale(customers=CUSTOMERS, years=YEARS, seed=1000 + number))
        lived = lives(world, 0, make_customers(world, 0, np.arange(CUSTOMERS)))
        bought = _Bought(orders(world, 0, lived, purchases(world.calendar, lived)))
        yield from (_members(world, number, m, bought) for m in lived.members if m.complete)


def tolerance(worlds: int) -> float:
    """How far a share may be off: two points among 200 worlds, more by chance among fewer."""
    return 0.02 * math.sqrt(200 / worlds)


@pytest.fixture(scope="module")
def worlds(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("worlds"))


@pytest.fixture(scope="module")
def members(worlds: int) -> pd.DataFrame:
    return pd.concat(_worlds(worlds), ignore_index=True)


@pytest.fixture(scope="module")
def judged(members: pd.DataFrame, new_company: Any) -> pd.DataFrame:
    """list_effect for every campaign, tactic, purpose and world, as the project's SQL has it."""
    company = new_company()
    sql = company.compiled("list_effect", as_of=AS_OF.isoformat())
    outcomes = [
        f"{name}{when}"
        for name in ("bought_30", "bought_60", *OUTCOMES, "churned", "complaints", "satisfaction")
        for when in ("", "_before")
    ]
    given = set(members.columns)
    columns = ", ".join(
        f"cast({name if name in given else 'null'} as"
        f" {'decimal(18,2)' if name.startswith(('profit', 'satisf')) else 'integer'}) as {name}"
        for name in outcomes
    )
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse")
        connection.register("members", members)
        connection.execute(
            f"""
            create table activity_assignments as
            select
                'campaign' as activity_kind, campaign as activity_code, '2025Q1' as campaign_cycle,
                customer_id, arm, cast(assigned_on as date) as assigned_on,
                'randomised' as comparison, campaign as stratum, null::text as reason_code,
                true as is_reached, 0::decimal(18, 2) as cost
            from members;
            create table activity_outcomes as
            select
                customer_id, cast(assigned_on as date) as assigned_on, false as free_of_revisit,
                false as free_of_training, false as free_of_community, null::text as stage,
                null::text as stratum, null::text as stratum_before, null::date as window_ends_on,
                true as is_over, {columns}
            from members;
            create table stg_campaigns as
            select distinct
                campaign as campaign_id, purpose, tactic, world::text as channel
            from members
            """
        )
        return connection.sql(f"from ({sql}) where campaign_cycle = 'all'").df()


def _truth(members: pd.DataFrame, scope: str) -> pd.DataFrame:
    """The true effect on the members of a scope, its campaigns weighing as in the difference."""
    treated = members["arm"] == "treatment"
    draws = members.assign(treated=treated).groupby([scope, "campaign"])
    sizes = draws["treated"].agg(["sum", "size"])
    weight = sizes["sum"] * (sizes["size"] - sizes["sum"]) / sizes["size"]
    truth = {}
    for outcome in OUTCOMES:
        weighted = (draws[f"true_{outcome}"].mean() * weight).groupby(level=0).sum()
        truth[outcome] = weighted / weight.groupby(level=0).sum()
    frame = pd.DataFrame(truth).rename_axis("activity_code").reset_index()
    frame["activity_code"] = frame["activity_code"].astype(str)
    return frame.melt("activity_code", var_name="outcome", value_name="truth")


@pytest.fixture(scope="module")
def intervals(members: pd.DataFrame, judged: pd.DataFrame) -> pd.DataFrame:
    """Measured effects beside the true ones."""
    kinds = {
        "campaign": "campaign",
        "tactic": "campaign_tactic",
        "purpose": "campaign_purpose",
        "world": "campaign_channel",
    }
    found = []
    for scope, kind in kinds.items():
        rows = judged[(judged["activity_kind"] == kind) & judged["is_measurable"]]
        rows = rows[(rows["window_days"] == WINDOW_DAYS) & rows["outcome"].isin(OUTCOMES)]
        found.append(rows.merge(_truth(members, scope), on=["activity_code", "outcome"]))
    return pd.concat(found, ignore_index=True)


@pytest.mark.parametrize("adjusted", ["", "adjusted_"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_95_of_100_intervals_hold_the_true_effect(
    intervals: pd.DataFrame,
    outcome: str,
    adjusted: str,
    worlds: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = intervals[(intervals["outcome"] == outcome) & intervals[f"{adjusted}difference"].notna()]
    lower, upper = rows[f"{adjusted}lower_95"], rows[f"{adjusted}upper_95"]
    covers = (lower <= rows["truth"]) & (rows["truth"] <= upper)
    with capsys.disabled():
        per_kind = covers.groupby(rows["activity_kind"]).agg(["mean", "size"])
        told = "; ".join(f"{k} {m:.1%} of {n}" for k, (m, n) in per_kind.iterrows())
        print(f"\n{adjusted}{outcome}: {covers.mean():.1%} of {len(rows)} intervals ({told})")

    assert set(rows["activity_kind"]) >= {"campaign_channel", "campaign_tactic"}
    assert len(rows) > worlds
    assert abs(covers.mean() - 0.95) <= tolerance(worlds)


def test_holding_the_past_equal_narrows_the_intervals(intervals: pd.DataFrame) -> None:
    width = intervals["upper_95"] - intervals["lower_95"]
    adjusted = intervals["adjusted_upper_95"] - intervals["adjusted_lower_95"]

    narrowed = (adjusted / width).groupby(intervals["outcome"]).median()

    assert narrowed["orders"] < 0.85
    assert narrowed["profit"] < 0.85
    assert narrowed["bought"] < 0.97


def test_the_placebo_of_a_lot_is_as_often_wrong_as_it_should_be(
    judged: pd.DataFrame, worlds: int
) -> None:
    rows = judged[judged["before_lower_95"].notna() & (judged["outcome"].isin(OUTCOMES))]
    rows = rows[(rows["window_days"] == WINDOW_DAYS) & (rows["activity_kind"] != "campaign")]

    wrong = (rows["before_lower_95"] > 0) | (rows["before_upper_95"] < 0)

    assert abs(wrong.mean() - 0.05) <= tolerance(worlds)


def test_half_the_width_would_be_found_out(intervals: pd.DataFrame) -> None:
    """The proof can fail: intervals that promise too much do not pass."""
    middle = (intervals["lower_95"] + intervals["upper_95"]) / 2
    half = (intervals["upper_95"] - intervals["lower_95"]) / 4

    assert (abs(intervals["truth"] - middle) <= half).mean() < 0.8
