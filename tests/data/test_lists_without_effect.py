"""Do lists on which nobody acts show no effect?

Many small companies whose customers buy as they please, whatever arm the lists draw them into. The
project's own SQL draws the arms, cuts by budget, remembers what was published and judges it. Of
its intervals 95 of 100 must hold nothing, and they must lie on both sides of it alike.

What makes it hard is that whoever is worth acting for is somebody who buys little: any rule that
takes the two arms at different places of a list, or at different times, shows as an effect.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

COMPANIES, OWNERS, CUSTOMERS = 40, 24, 30  # owners of a company, customers of an owner
LISTS = ("save", "win_back")
# days in a row share a month's budget; ten weeks on, a list takes the same customers again
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-03-25")
AS_OF = "2026-08-31"
BUDGET = 40  # of an owner in a month: some ten tasks
SHARES = {"programme_control_share": 0.15, "control_share": 0.1}  # many, to see much
STEPS = ("past_tasks", "owner_budgets", "list_candidates", "retention_list_suppressed")
SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
WINDOWS = {"bought_30": 30, "bought_60": 60, "bought": 90, "orders": 90, "profit": 90}

Judged = Callable[..., pd.DataFrame]


def _customers(rng: np.random.Generator, companies: int) -> pd.DataFrame:
    """Customers of all companies: the more seldom one buys, the more is gained by acting."""
    number = np.arange(companies * OWNERS * CUSTOMERS)
    rate = rng.gamma(1.2, 1 / 80, len(number))  # orders a day
    return pd.DataFrame(
        {
            "company": number // (OWNERS * CUSTOMERS),
            "owner_id": [f"r{n}" for n in number // CUSTOMERS],
            "customer_id": [f"c{n}" for n in number],
            "rate": rate,
            "average_order_amount": np.round(20 + 8000 * rate, 2),
            "expected_gain": np.round(rng.lognormal(3, 0.2, len(number)) * np.exp(-30 * rate), 2),
        }
    )


def _purchases(rng: np.random.Generator, customers: pd.DataFrame) -> pd.DataFrame:
    """Days of orders from 200 days before the first lists on, drawn from each one's own rate."""
    days = (date.fromisoformat(AS_OF) - date.fromisoformat(DAYS[0])).days + 200
    count = rng.poisson(customers["rate"] * days)
    first = pd.Timestamp(DAYS[0]) - pd.Timedelta(days=200)
    return pd.DataFrame(
        {
            "customer_id": np.repeat(customers["customer_id"].to_numpy(), count),
            "ordered_on": first + pd.to_timedelta(rng.integers(0, days, count.sum()), unit="D"),
            "profit": np.round(rng.lognormal(3, 0.7, count.sum()), 2),
        }
    )


def _made(connection: duckdb.DuckDBPyConnection, customers: pd.DataFrame) -> None:
    """What the steps read beside each other, and what the lists of a day are made of."""
    connection.register("customers", customers)
    for seed in ("reward_ladder", "rescue_step"):
        connection.execute(f"create table {seed} as from '{SEEDS / seed}.csv'")
    connection.execute(
        f"""
        create table owner_budget as
        select
            '*' as owner_id, {BUDGET}::decimal(18, 2) as monthly_budget,
            null::decimal(5, 4) as profit_share;
        create table list_declarations as
        select
            company || ':' || list as list_code, company, 'promotion' as list_kind,
            true as is_optional, true as has_holdout,
            false as occasion_is_private, 50 + position as precedence, 20 as cooling_days
        from (select distinct company from customers)
        cross join (select unnest({list(LISTS)}) as list, unnest(range({len(LISTS)})) as position);
        create table customer_situation as
        select
            customer_id, owner_id, average_order_amount::decimal(18, 2) as average_order_amount,
            0::decimal(18, 2) as gross_profit_12m, null::date as oldest_complaint_on,
            customer_id as identity_id, null::date as person_complaint_on,
            'general' as value_tier, 'watch' as lifecycle_stage
        from customers;
        create table int_profiling_refusals
        (customer_id text, rule text, objected_on date);
        create table test_accounts (customer_id text);
        create table int_consents
        (customer_id text, channel text, is_granted boolean, changed_on date, basis text);
        create table int_identities as
        select customer_id, customer_id as identity_id from customers;
        create table stg_interactions
        (list_row_id text, outcome text, occurred_on date, occurred_at timestamp);
        create table contact_routes as
        select
            list_code, customer_id, 'email' as channel, 0.1::decimal(18, 2) as contact_cost,
            'granted' as consent_state, true as is_reachable
        from customers inner join list_declarations using (company);
        create table fed_back_published_lists
        (list_row_id text, list_code text, customer_id text, listed_on date, batch_on date,
         due_on date, arm text, held_out_of text, campaign_cycle text, list_kind text,
         occasion text, winback_step integer, reward_step integer, reserved_cost decimal(18, 2),
         reward_amount decimal(18, 2), reason_code text, owner_id text, channel text);
        """
    )


def _qualified(day: str) -> str:
    """Who qualifies on a day: who has not ordered for a month."""
    return f"""
        create or replace table list_qualified as
        select
            list_code, customers.customer_id, 'email' as preferred_channel, 'p' as plan_code,
            null as next_action, null as talking_points, 'owner' as actor, false as asks_reason,
            'email' as plan_channel, null as prescribed_channel, true as with_reward,
            'offer' as tactic, 0.1 as assumed_effect, 'assumed' as effect_basis,
            0.1 as probability_rise, 4 as max_reward_step, 7 as due_within_days,
            null::integer as winback_step, false as is_stepped_out,
            expected_gain as value_at_risk, expected_gain::decimal(18, 2) as expected_gain,
            0.2 as redemption_probability, null::decimal(18, 2) as declared_rank,
            null as topic, null as occasion, null::date as occasion_on,
            null::date as declared_due_on
        from customers
        inner join list_declarations using (company)
        anti join int_purchases on
            customers.customer_id = int_purchases.customer_id
            and int_purchases.ordered_on between date '{day}' - 30 and date '{day}'
    """


def _outcomes() -> str:
    """What everybody listed did before and after: the same whatever the arm."""
    figures = []
    for name, days in WINDOWS.items():
        for when, window in (
            ("", f"between assigned_on + 1 and assigned_on + {days}"),
            ("_before", f"between assigned_on - {days} and assigned_on - 1"),
        ):
            figure = {"orders": "count(*)", "profit": "sum(profit)"}.get(name, "max(1)")
            kind = "decimal(18, 2)" if name == "profit" else "integer"
            figures.append(
                f"coalesce({figure} filter (where ordered_on {window}), 0)::{kind} as {name}{when}"
            )
    unknown = ", ".join(
        f"null::{kind} as {name}{when}"
        for name, kind in (
            ("churned", "integer"), ("complaints", "integer"), ("satisfaction", "decimal(18, 2)"),
        )
        for when in ("", "_before")
    )  # fmt: skip
    return f"""
        create or replace table activity_outcomes as
        select
            customer_id, assigned_on, false as free_of_revisit, false as free_of_training,
            false as free_of_community, null::text as stage, null::text as stratum,
            null::text as stratum_before, null::date as window_ends_on, true as is_over,
            {", ".join(figures)}, {unknown}
        from (select distinct customer_id, assigned_on from activity_assignments)
        left join int_purchases using (customer_id)
        group by customer_id, assigned_on
    """


@pytest.fixture(scope="module")
def judged(new_company: Any) -> Judged:
    """`judged()` -> list_effect per company; `but`: what is published though suppressed."""
    company = new_company()
    sql = {step: company.compiled(step, as_of=DAYS[0], **SHARES) for step in STEPS}
    sql["past_tasks at last"] = company.compiled("past_tasks", as_of=AS_OF)
    sql["activity_assignments"] = company.compiled("activity_assignments", as_of=AS_OF)
    sql["list_effect"] = company.compiled("list_effect", as_of=AS_OF)

    def judge(but: str = "false", companies: int = COMPANIES) -> pd.DataFrame:
        rng = np.random.default_rng(11)
        customers = _customers(rng, companies)
        purchases = _purchases(rng, customers)
        with duckdb.connect() as connection:
            connection.execute("attach ':memory:' as warehouse; use warehouse")
            connection.register("purchases", purchases)
            connection.execute(
                "create table int_purchases as select * replace (ordered_on::date as ordered_on,"
                " profit::decimal(18, 2) as profit) from purchases"
            )
            _made(connection, customers)
            for day in DAYS:
                connection.execute(_qualified(day))
                for step in STEPS:
                    of_the_day = sql[step].replace(DAYS[0], day)
                    connection.execute(f"create or replace table {step} as {of_the_day}")
                connection.execute(
                    f"""
                    insert into fed_back_published_lists by name
                    select
                        list_row_id, list_code, customer_id, listed_on, as_of_date as batch_on,
                        due_on, arm, held_out_of, campaign_cycle, list_kind, occasion, winback_step,
                        reward_step, reserved_cost, reward_amount, owner_id, channel
                    from list_candidates inner join customer_situation using (customer_id)
                    anti join (
                        from retention_list_suppressed where not ({but})
                    ) using (list_code, customer_id)
                    """
                )
            connection.execute(
                f"create or replace table past_tasks as {sql['past_tasks at last']};"
                "create table stg_campaign_members (campaign_id text, customer_id text, arm text,"
                " assigned_on date, opened_on date, responded_on date, cost decimal(18, 2));"
                "create table stg_campaigns (campaign_id text, tactic text, purpose text,"
                " channel text, unit_cost decimal(18, 2));"
                "create table campaign_type (tactic text, activity_kind text);"
                "create table activity_events (activity_kind text, activity_code text,"
                " customer_id text, occurred_on date, previous_on date, is_reached boolean,"
                " cost decimal(18, 2));"
                "create table stg_erasure_requests (customer_id text);"
                f"create table activity_assignments as {sql['activity_assignments']};"
            )
            connection.execute(_outcomes())
            # the scopes of list_effect, once per company
            connection.execute(
                """
                create table drawn as from activity_assignments;
                create or replace table activity_assignments as
                select * replace (
                    case
                        when activity_kind = 'list' then 'lists of ' || company
                        when activity_kind = 'reward' then 'rewards of ' || company
                        else 'programme of ' || company
                    end as activity_kind
                )
                from drawn
                inner join (select company, customer_id from customers) using (customer_id)
                """
            )
            found = connection.sql(
                f"from ({sql['list_effect']}) where campaign_cycle = 'all' and is_measurable"
                " and outcome in ('bought', 'orders', 'profit')"
            ).df()
        error = (found["upper_95"] - found["lower_95"]) / (2 * 1.96)
        effects: pd.DataFrame = found.assign(
            z=found["difference"] / error,
            holds_nothing=(found["lower_95"] <= 0) & (found["upper_95"] >= 0),
            together=found["activity_code"] == "all",
            of=found["activity_kind"].str.split().str[0],
        )
        return effects

    return judge


@pytest.fixture(scope="module")
def effects(judged: Judged) -> pd.DataFrame:
    return judged()


def _off_centre(effects: pd.DataFrame) -> pd.Series:
    """How many standard errors the mean difference of all companies is from nothing."""
    together = effects[effects["together"]]
    z = together.groupby(["of", "outcome", "window_days"])["z"].agg(["mean", "size"])
    off_centre: pd.Series = z["mean"] * np.sqrt(z["size"])
    return off_centre


def test_95_of_100_intervals_hold_nothing(effects: pd.DataFrame) -> None:
    assert len(effects) > 5 * COMPANIES
    # the intervals of one company are nearly one: they share its lots
    assert abs(effects["holds_nothing"].mean() - 0.95) < 2 * np.sqrt(0.95 * 0.05 / COMPANIES)


def test_differences_lie_around_nothing(effects: pd.DataFrame) -> None:
    off_centre = _off_centre(effects)

    assert set(off_centre.index.get_level_values("of")) == {"lists", "rewards", "programme"}
    assert (off_centre.abs() < 3).all(), off_centre


@pytest.mark.parametrize(
    ("of", "share"), [("lists", "control_share"), ("programme", "programme_control_share")]
)
def test_the_share_that_was_agreed_is_held_out(effects: pd.DataFrame, of: str, share: str) -> None:
    """A rule that cuts one arm before the other would be seen here first."""
    drawn = effects[(effects["outcome"] == "orders") & effects["together"] & (effects["of"] == of)]
    held_out = drawn["control_customers"].sum()
    rows = held_out + drawn["treated_customers"].sum()
    agreed = SHARES[share]

    assert abs(held_out - agreed * rows) < 3 * np.sqrt(agreed * (1 - agreed) * rows)


def test_arms_cut_at_different_places_would_be_found_out(judged: Judged) -> None:
    """The proof can fail: held out although the budget would not have reached so far."""
    off_centre = _off_centre(judged(but="arm = 'control' and rule = 'budget'", companies=10))

    assert (off_centre.abs() > 3).any()
