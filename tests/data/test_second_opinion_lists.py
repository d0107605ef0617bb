"""The lists of the sample company, worked out a second time: in pandas, row by row, from the lake.

Who qualifies, what holds whom back, whom the cap and the budgets leave out: said once in SQL over
sets, and here in loops over people, from the same seeds and settings and from nothing else that the
mechanism of the lists makes.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import gamma

from tests.conftest import SAMPLE_CUSTOMERS
from tests.data.lake_in_pandas import LakeInPandas

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
VARS: Mapping[str, Any] = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())["vars"]
Pair = tuple[str, str]


@pytest.fixture(name="as_of")
def _as_of(marts_and_lake: duckdb.DuckDBPyConnection) -> date:
    [(day,)] = marts_and_lake.sql("select distinct as_of_date from retention_list").fetchall()
    return day


def records(con: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    return con.sql(query).to_arrow_table().to_pylist()


def members(con: duckdb.DuckDBPyConnection, code: str) -> set[str]:
    """Everybody who was taken into account for a list: on it, or held back from it."""
    return {
        row["customer_id"]
        for table in ("retention_list", "retention_list_suppressed")
        for row in records(con, f"select customer_id from {table} where list_code = '{code}'")
    }


def test_who_is_on_the_lists_of_complaints(
    marts_and_lake: duckdb.DuckDBPyConnection, as_of: date
) -> None:
    tickets = marts_and_lake.sql("from lake_tickets where kind = 'complaint'").df()
    since = pd.Timestamp(as_of - timedelta(days=VARS["badly_solved_days"]))
    is_open = tickets.resolved_at.isna()
    is_bad = (tickets.satisfaction <= VARS["bad_satisfaction"]) & (tickets.resolved_on >= since)
    assert members(marts_and_lake, "service_recovery") == set(
        tickets.customer_id[is_open | is_bad.fillna(False)]
    )


def test_who_has_a_birthday(marts_and_lake: duckdb.DuckDBPyConnection, as_of: date) -> None:
    until = as_of + timedelta(days=VARS["birthday_lead_days"])
    monday = as_of - timedelta(days=as_of.weekday())
    sunday = until + timedelta(days=6 - until.weekday())
    ahead = {monday + timedelta(days=n) for n in range((sunday - monday).days + 1)}
    near = {(day.month, day.day) for day in ahead}
    customers = records(
        marts_and_lake,
        """
        select customer_id, birth_date
        from lake_customers join customer_lifecycle using (customer_id)
        where birth_date is not null and lifecycle_stage not in ('prospect', 'churned')
        """,
    )
    expected = {
        row["customer_id"]
        for row in customers
        if (row["birth_date"].month, row["birth_date"].day) in near and row["birth_date"] <= as_of
    }
    assert expected
    assert members(marts_and_lake, "care_birthday") == expected


def test_the_day_of_a_birthday_is_on_the_restricted_side_alone(
    marts_and_lake: duckdb.DuckDBPyConnection,
) -> None:
    [(listed, told)] = marts_and_lake.sql(
        "select count(*), count(occasion_on) from retention_list where list_code = 'care_birthday'"
    ).fetchall()
    [(exported, shown)] = marts_and_lake.sql(
        "select count(*), count(occasion_on) from channel_export where list_code = 'care_birthday'"
    ).fetchall()
    assert (listed > 0, told) == (True, 0)
    assert exported == shown > 0
    rows = records(
        marts_and_lake,
        """
        select opened.due_on as open_due_on, export.due_on, export.occasion_on, opened.listed_on
        from retention_list as opened join channel_export as export using (list_row_id)
        where opened.list_code = 'care_birthday'
        """,
    )
    birthdays = defaultdict(set)
    for row in rows:
        assert row["due_on"] == row["occasion_on"]
        assert row["open_due_on"] == row["due_on"] + timedelta(days=6 - row["due_on"].weekday())
        birthdays[row["open_due_on"], row["listed_on"]].add(row["due_on"])
    assert max(map(len, birthdays.values())) > 1


def test_who_is_handed_over(
    marts_and_lake: duckdb.DuckDBPyConnection, as_of: date, lake: LakeInPandas
) -> None:
    """Whose representative has left or is about to, until one who is there has spoken to them."""
    reps, contacts = lake.rows["reps"].set_index("rep_id"), lake.rows["interactions"]
    today, soon = lake.as_of, lake.as_of + timedelta(days=VARS["handover_ahead_days"])
    people = lake.rows["customers"].set_index("customer_id")
    leaves = people.owner_id.map(reps.departed_on)
    spoken = contacts[contacts.kind.ne("care") & contacts.outcome.ne("no_answer")]
    last_day = spoken.owner_id.map(reps.departed_on).where(lambda day: day <= today)
    by_rep = spoken[spoken.owner_id.notna() & ~(spoken.occurred_on > last_day)]
    since = by_rep.groupby("customer_id").occurred_on.max().reindex(people.index)
    churned = lake.stages[lake.stages.valid_to.isna() & lake.stages.stage.eq("churned")]
    offers = lake.rows["opportunities"]
    waits = offers[offers.won.isna() & offers.closed_on.isna()].customer_id
    leaving, silent = leaves <= soon, ~(since > leaves)
    matters = ~people.index.isin(churned.customer_id) | people.index.isin(waits)
    assert members(marts_and_lake, "handover") == set(people.index[leaving & silent & matters])
    for is_seen in (silent, matters, leaves > today, since.notna()):
        assert (leaving & is_seen).any()
        assert (leaving & ~is_seen).any()


def test_who_is_called_for_two_missed_orders(marts_and_lake: duckdb.DuckDBPyConnection) -> None:
    stages = marts_and_lake.sql("select customer_id, lifecycle_stage from customer_lifecycle").df()
    assert members(marts_and_lake, "quasi_churn_call") == set(
        stages.customer_id[stages.lifecycle_stage == "quasi_churned"]
    )
    rows = records(marts_and_lake, "from retention_list where list_code = 'quasi_churn_call'")
    assert {(row["channel"], row["asks_reason"], row["reward_step"]) for row in rows} == {
        ("phone", True, None)
    }


def keeping_pays(order_days: pd.Series, today: pd.Timestamp, purchases: Mapping[str, Any]) -> float:
    """How many orders more within 12 months one has who orders in time than one who does not.

    Pareto/NBD as a story: every pair of a rate of buying and a rate of leaving that fits the
    history is lived on, there or gone, with or without an order in time.
    """
    horizon, rest = VARS["horizon_days"], 365 - VARS["horizon_days"]
    last, age = ((day - order_days.min()).days for day in (order_days.max(), today))
    # Closer together towards the ends: after a long silence it is the rarest lives that count.
    steps = (np.arange(300) + 0.5) / 300
    shares, weights = steps**2 * (3 - 2 * steps), steps * (1 - steps)
    # What was seen up to the last order is in these two, the silence since then is not.
    buys = gamma.ppf(shares, purchases["r"] + len(order_days) - 1)[:, None]
    buys /= purchases["alpha"] + last
    leaves = gamma.ppf(shares, purchases["s"])[None, :] / (purchases["beta"] + last)
    both = buys + leaves
    fitting = weights[:, None] * weights
    there = fitting * np.exp(-both * (age - last))
    gone = leaves / both * (fitting - there)
    there /= (there + gone).sum()

    def orders(days: int) -> Any:
        return buys * -np.expm1(-leaves * days) / leaves

    in_time = (there * buys / both * -np.expm1(-both * horizon)).sum()
    late = (there * np.exp(-both * horizon) * orders(rest)).sum()
    both_lives = (there * orders(365)).sum()
    return float((both_lives - late) / in_time - late / (1 - in_time))


def an_order_earns(profits: pd.Series, spending: Mapping[str, float]) -> float:
    """Gamma-Gamma: the customer's own order days beside those of others.

    Args:
        profits: of the order days, in home currency.
        spending: p, q and gamma of the others.
    """
    days = len(profits) if profits.sum() > 0 else 0
    own = spending["p"] * (spending["gamma"] + (profits.sum() if days else 0))
    return float(own / (spending["p"] * days + spending["q"] - 1))


def test_what_keeping_somebody_is_worth(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    """Of everybody on the list: from the days of his orders and what they have earned."""
    rows = records(
        marts_and_lake,
        """
        select customer_id, kept_profit_12m, churn_probability, listed.value_at_risk
        from retention_list as listed join customer_churn_scores using (customer_id)
        where list_code = 'save'
        """,
    )
    outlook = lake.batches("outlook")
    today = outlook[outlook._batch == str(lake.as_of.date())].set_index("customer_id")
    versions = lake.home / "models" / "profit" / "versions"
    bought = dict(list(lake.purchases.groupby("customer_id")))
    assert rows
    for row in rows:
        forecast = today.loc[row["customer_id"]]
        stored = (versions / forecast.profit_model_version / "model.json").read_text()
        view = json.loads(stored)["view"]
        profits = bought[row["customer_id"]].groupby("ordered_on").profit.sum() / 100
        more = keeping_pays(profits.index.to_series(), lake.as_of, view["pareto_nbd"])
        worth = more * an_order_earns(profits, view["gamma_gamma"])
        kept = float(row["kept_profit_12m"])
        assert kept == pytest.approx(worth, rel=0.005, abs=0.01)
        assert float(row["value_at_risk"]) == pytest.approx(
            row["churn_probability"] * kept, abs=0.006
        )


def test_what_it_is_worth_to_save_somebody(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas, as_of: date
) -> None:
    """The expected gain of every customer on the list: score, plan, and what keeping is worth.

    What past campaigns say of the tactic corrects what the plan is assumed to do: a rise that was
    measured takes its place, else a factor is put on it.
    """
    effects = lake.batches("treatment_effects")
    learnt = {
        (row.customer_id, row.tactic): row
        for row in effects[effects._batch == str(as_of)].itertuples()
    }
    rows = records(
        marts_and_lake,
        """
        select
            listed.*, scores.churn_probability, scores.kept_profit_12m,
            plans.assumed_effect, plans.tactic as tactic_of_plan
        from retention_list as listed
        join customer_churn_scores as scores using (customer_id)
        join plan_by_reason as plans on plans.goal = 'save' and plans.plan_for = listed.reason_code
        where list_code = 'save'
        """,
    )
    assert rows
    for row in rows:
        anyway = 1 - row["churn_probability"]
        of_plan = learnt.get((row["customer_id"], row["tactic_of_plan"]))
        factor = 1 if of_plan is None or pd.isna(of_plan.factor) else of_plan.factor
        stays = 1 - row["churn_probability"] * (1 - float(row["assumed_effect"]) * factor)
        if of_plan is not None and pd.notna(of_plan.effect):
            stays = min(max(anyway + of_plan.effect, 0), 1)
        gain = (stays - anyway) * float(row["kept_profit_12m"])
        assert float(row["expected_gain"]) == pytest.approx(gain, abs=0.006)
        assert row["effect_basis"] == ("assumed" if of_plan is None else of_plan.effect_basis)
        assert row["churn_probability"] >= VARS["save_from_probability"]
        assert row["priority"] == row["expected_gain"] - row["expected_cost"] > 0
        if row["reward_step"]:
            contact = float(row["reserved_cost"] - row["reward_amount"])
            expected_cost = contact + float(row["reward_amount"]) * stays
            assert float(row["expected_cost"]) == pytest.approx(expected_cost, abs=0.006)


def rescue_plans(
    lake: LakeInPandas,
    tasks: pd.DataFrame,
    contacts: pd.DataFrame,
    open_today: Mapping[tuple[str, int], Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, int], tuple[Any, ...]]:
    """The plan of everybody with whom it was begun, step by step, by customer and step.

    Args:
        lake: who has left since when, and who may not be profiled.
        tasks: tasks of earlier days as first published.
        contacts: what became of them.
        open_today: what the list asks for today.
        routes: which channels are blocked, and why.
    """
    steps = pd.read_csv(PROJECT_DIR / "seeds" / "rescue_step.csv", dtype={"channel": object})
    told = {
        "no_address": "no address or number for {}",
        "consent_withdrawn": "consent to {} withdrawn",
    }
    blocked = {
        (row["customer_id"], row["channel"]): told.get(row["blocked_by"], "no consent to {}")
        for row in routes
    }
    now = lake.stages[lake.stages.valid_to.isna() & lake.stages.stage.eq("churned")]
    left = now[~now.customer_id.isin(lake.unprofiled)].set_index("customer_id").valid_from.to_dict()
    answers = contacts[contacts.outcome.isin(["reached", "refused", "done"])]
    answered_on = answers.groupby("list_row_id").occurred_on.min().to_dict()
    recorded = {*tasks.channel[tasks.list_row_id.isin(contacts.list_row_id)]}

    taken: dict[str, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    still_open: dict[str, int] = {}
    for task in tasks[tasks.winback_step.notna()].sort_values("list_row_id").itertuples():
        step, customer = int(task.winback_step), task.customer_id
        if task.arm == "control" or not task.listed_on >= left.get(customer, pd.NaT):
            continue
        done_on = answered_on.get(task.list_row_id)
        if done_on is None and task.due_on >= lake.as_of:
            still_open[customer] = max(step, still_open.get(customer, 0))
            continue
        silence = "not_done" if task.channel in recorded else "not_recorded"
        ended = (done_on is not None, done_on or task.due_on)
        if step not in taken[customer] or ended > taken[customer][step][0]:
            state = "failed" if done_on is not None else silence
            taken[customer][step] = (ended, state, task.listed_on)

    plans = {}
    for customer in {customer for customer, _ in open_today} | {c for c in taken if taken[c]}:
        if customer not in left:
            continue
        barred = {
            step.winback_step: blocked[customer, step.channel].format(step.channel)
            for step in steps.itertuples()
            if (customer, step.channel) in blocked
        }
        last = max(
            (s for s, (_, state, _) in taken[customer].items() if state == "failed"), default=0
        )
        ahead = [step for step in steps.winback_step if step > last and step not in barred]
        current = still_open.get(customer) or min(ahead, default=len(steps) + 1)
        opens_from = None
        for step in steps.itertuples():
            number = step.winback_step
            begun_on = ends_on = why = action = None
            if task := open_today.get((customer, number)):
                state, action = "open", task["next_action"]
                begun_on, ends_on = pd.Timestamp(task["listed_on"]), pd.Timestamp(task["due_on"])
            elif number in taken[customer]:
                (_, ends_on), state, begun_on = taken[customer][number]
            elif number in barred or number < current:
                state, why = "skipped", barred.get(number, "permitted since a later step")
            else:
                state = "waiting" if number == current else "later"
            opens = opens_from if state in ("waiting", "later") else None
            if state != "skipped":
                surely = state in ("open", "failed")
                opens_from = ends_on + timedelta(days=step.wait_days) if surely else None
            plans[customer, number] = (
                step.title, state, why, left[customer], begun_on, ends_on, opens, action,
            )  # fmt: skip
    return plans


def plans_told(con: duckdb.DuckDBPyConnection, table: str) -> dict[Pair, tuple[Any, ...]]:
    """The same as a table says it."""
    columns = (
        "title", "state", "skipped_because", "churned_on", "opened_on", "ends_on", "opens_from_on",
        "next_action",
    )  # fmt: skip
    return {
        (row["customer_id"], row["winback_step"]): tuple(
            pd.Timestamp(row[name]) if isinstance(row[name], date) else row[name]
            for name in columns
        )
        for row in records(con, f"from {table}")
    }


@pytest.fixture(name="tasks")
def _tasks(lake: LakeInPandas) -> pd.DataFrame:
    """Tasks of the lists of earlier days, as first published."""
    listed = lake.batches("published_lists").sort_values("_batch")
    listed = listed[pd.to_datetime(listed._batch) < lake.as_of].drop_duplicates("list_row_id")
    days = {name: pd.to_datetime(listed[name]) for name in ("listed_on", "due_on")}
    return listed.assign(**days)


def open_steps(
    con: duckdb.DuckDBPyConnection, table: str = "retention_list"
) -> dict[tuple[str, int], dict[str, Any]]:
    """What a list asks for today, by customer and step."""
    query = f"from {table} where winback_step is not null and arm = 'treatment'"
    return {(row["customer_id"], row["winback_step"]): row for row in records(con, query)}


def test_the_steps_of_the_rescue_plan(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas, tasks: pd.DataFrame
) -> None:
    contacts, open_today = lake.rows["interactions"], open_steps(marts_and_lake)
    routes = records(marts_and_lake, "from customer_contactability where not may_be_contacted")
    expected = rescue_plans(lake, tasks, contacts, open_today, routes)
    assert plans_told(marts_and_lake, "rescue_plan") == expected
    states = Counter(row[1] for row in expected.values())
    # the sample company cannot record what it did with a list: it is made before there are any
    assert states.keys() == {"open", "not_recorded", "later", "skipped"}
    assert len({row[2] for row in expected.values()}) > 2


def test_the_rescue_plan_goes_on_where_steps_are_recorded(
    marts_and_lake: duckdb.DuckDBPyConnection,
    sample_home: Path,
    lake: LakeInPandas,
    tasks: pd.DataFrame,
) -> None:
    """The same tables over the sample's tasks, as if half of the calls and mails were recorded.

    Some of these went on to a later step, which is over or still open; some began anew. Visits,
    to which nobody has agreed, are permitted to all.
    """
    con = marts_and_lake
    first = tasks[tasks.winback_step.eq(1) & tasks.channel.isin(["email", "phone"])]
    first = first.sort_values("list_row_id")
    place = pd.Series(range(len(first)), first.index)
    over, still, again = (
        first[place % 8 == remainder].assign(
            list_row_id=lambda rows: rows.list_row_id + "later",
            winback_step=float(step),
            listed_on=pd.Timestamp(begun),
            due_on=pd.Timestamp(due),
            _batch=begun,
        )
        for remainder, step, begun, due in (
            (0, 3, "2026-05-01", "2026-05-15"),
            (2, 2, "2026-06-20", "2026-07-04"),
            (4, 1, "2026-04-20", "2026-05-04"),
        )
    )
    recorded = pd.concat([first[place % 2 == 0], over])
    contacts = pd.DataFrame({
        "list_row_id": recorded.list_row_id,
        "occurred_on": recorded.listed_on + timedelta(days=3),
        "outcome": ["no_answer" if n % 5 == 4 else "reached" for n in range(len(recorded))],
    })  # fmt: skip
    later = pd.concat([over, still, again])
    con.register("later_tasks", later[["list_row_id", "winback_step", "listed_on", "due_on"]])
    con.register("told_contacts", contacts)
    con.execute(
        """
        create temp table told_lists as
        select * from fed_back_published_lists
        union all by name
        select
            l.* replace (
                t.list_row_id as list_row_id, t.listed_on::date as batch_on,
                t.listed_on::date as listed_on, t.due_on::date as due_on,
                t.winback_step::integer as winback_step
            )
        from fed_back_published_lists as l join later_tasks as t
            on l.list_row_id || 'later' = t.list_row_id
        """
    )
    con.execute(
        """
        create temp table told_interactions as
        select * from stg_interactions
        union all by name
        select list_row_id, occurred_on::date as occurred_on, outcome from told_contacts
        """
    )
    con.execute(
        "create temp table told_listed as"
        " from retention_list where customer_id not in (select customer_id from past_tasks)"
    )
    con.execute(
        "create temp table told_routes as select * replace ("
        "may_be_contacted or channel = 'visit' as may_be_contacted) from customer_contactability"
    )
    other = {
        "customer_contactability": "told_routes",
        "fed_back_published_lists": "told_lists", "stg_interactions": "told_interactions",
        "retention_list": "told_listed",
    }  # fmt: skip
    compiled = sample_home / "dbt" / "compiled" / "homing" / "models" / "retention" / "mechanism"
    for table in ("past_tasks", "rescue_ladder", "rescue_plan"):
        query = (compiled / f"{table}.sql").read_text()
        for ours, theirs in other.items():
            query = query.replace(f'"warehouse"."main"."{ours}"', theirs)
        con.execute(f"create temp table told_{table} as {query}")
        other[table] = f"told_{table}"

    open_today = open_steps(con, "told_listed")
    routes = records(con, "from told_routes where not may_be_contacted")
    expected = rescue_plans(lake, pd.concat([tasks, later]), contacts, open_today, routes)
    assert plans_told(con, "told_rescue_plan") == expected
    states = Counter(row[1] for row in expected.values())
    assert states.keys() == {
        "open", "failed", "not_done", "not_recorded", "waiting", "later", "skipped"
    }  # fmt: skip
    assert "permitted since a later step" in {row[2] for row in expected.values()}
    assert any(row[1] == "waiting" and row[6] for row in expected.values())


def rules_about_customers(
    con: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> dict[str, set[str]]:
    """The rules that hold for a customer whatever the list, by customer: most are the person's."""
    of_person: dict[str, set[str]] = defaultdict(set)
    for row in records(con, "from lake_tickets where kind = 'complaint' and resolved_at is null"):
        of_person[lake.person.get(row["customer_id"], row["customer_id"])].add("open_complaint")
    rules: dict[str, set[str]] = defaultdict(set)
    for customer, first in lake.person.items():
        rules[customer] |= of_person[first]
    for customer, _ in lake.refusing("profiling"):
        rules[customer].add("profiling_objection")
    for row in records(con, "from lake_erasure_requests"):
        rules[row["customer_id"]].add("erasure")
    return rules


def granted_channels(con: duckdb.DuckDBPyConnection, lake: LakeInPandas) -> dict[str, set[str]]:
    """Channels on which marketing is allowed, by customer: a refusal of any record is one."""
    refused = lake.refusing("marketing")
    granted = defaultdict(set)
    for row in records(con, "from lake_consents where coalesce(basis, 'marketing') = 'marketing'"):
        if (row["customer_id"], row["channel"]) not in refused:
            granted[row["customer_id"]].add(row["channel"])
    return granted


def prescribed_channels(con: duckdb.DuckDBPyConnection) -> dict[Pair, str]:
    """The only channel on which an action is what the seeds call it, by list and customer."""
    steps = {
        f"{row['next_action']}: ": row["channel"]
        for row in records(con, "from rescue_step where channel is not null")
    }
    plans = dict(
        con.sql(
            "select next_action, channel from plan_by_reason where only_this_channel"
        ).fetchall()
    )
    found: dict[Pair, str] = {}
    for row in records(con, "select list_code, customer_id, next_action from list_candidates"):
        action = row["next_action"]
        of_step = [channel for said, channel in steps.items() if action.startswith(said)]
        if channel := next(iter(of_step), plans.get(action)):
            found[row["list_code"], row["customer_id"]] = channel
    return found


def test_a_call_is_a_call_and_a_visit_a_visit(marts_and_lake: duckdb.DuckDBPyConnection) -> None:
    """Neither is a text message, whatever the customer prefers."""
    # that one will call again later is no call
    talk = re.compile(r"\b(calls?(?! again)|visits?|in person)\b", re.IGNORECASE)
    plans = records(marts_and_lake, "from plan_by_reason")
    assert [row["next_action"] for row in plans if talk.search(row["next_action"])] == [
        row["next_action"] for row in plans if row["only_this_channel"]
    ]
    prescribed = prescribed_channels(marts_and_lake)
    rows = records(marts_and_lake, "from retention_list")
    talks = [row for row in rows if talk.search(row["next_action"])]
    assert {row["channel"] for row in talks} <= {"phone", "visit"}
    for row in rows:
        channel = prescribed.get((row["list_code"], row["customer_id"]), row["channel"])
        assert row["channel"] == channel, row["next_action"]
    # of people who would rather be written to there are some
    assert {row["preferred_channel"] for row in talks} - {"phone", "visit", None}


def test_every_rule_about_a_customer_holds_where_it_should(
    marts_and_lake: duckdb.DuckDBPyConnection, lake: LakeInPandas
) -> None:
    kinds = dict(
        marts_and_lake.sql("select list_code, list_kind from list_declarations").fetchall()
    )
    prescribed = prescribed_channels(marts_and_lake)
    about = rules_about_customers(marts_and_lake, lake)
    granted = granted_channels(marts_and_lake, lake)
    held: dict[Pair, set[str]] = defaultdict(set)
    tests = records(marts_and_lake, "from lake_customer_versions where is_test")
    of_all = records(marts_and_lake, "from retention_list_suppressed where list_code = 'all'")
    assert {(row["customer_id"], row["rule"]) for row in of_all} == {
        (row["customer_id"], "test_account") for row in tests
    }
    for row in records(marts_and_lake, "from retention_list_suppressed where list_code <> 'all'"):
        held[row["list_code"], row["customer_id"]].add(row["rule"])
    listed = {
        (row["list_code"], row["customer_id"]): row
        for row in records(marts_and_lake, "from retention_list")
    }
    assert not listed.keys() & held.keys()
    seen: Counter[str] = Counter()
    for code, customer in {*listed, *held}:
        expected = set(about[customer])
        if kinds[code] == "duty":
            expected -= {"open_complaint", "profiling_objection"}
        if "erasure" in expected:
            expected = {"erasure"}
        named = held[code, customer] & {
            "erasure", "profiling_objection", "open_complaint"
        }  # fmt: skip
        assert named == expected, (code, customer)
        seen.update(named)
        if (row := listed.get((code, customer))) and kinds[code] != "duty":
            assert row["channel"] in granted[customer]
        # a talk needs a voice; other lists take any channel that is tried at all
        voices = {"quasi_churn_call": {"phone"}, "one_to_one": {"phone", "visit"}}
        usable = voices.get(code, {"email", "wechat", "sms", "phone"})
        if code in voices and row:
            assert row["channel"] in usable
        if kinds[code] != "duty" and "erasure" not in expected and not granted[customer]:
            assert "no_consent" in held[code, customer]
        if "no_consent" in held[code, customer]:
            if (code, customer) in prescribed and code not in voices:
                usable = {prescribed[code, customer]}
            assert not granted[customer] & usable
    assert seen.keys() >= {"profiling_objection", "open_complaint"}


def _by_return(row: dict[str, Any]) -> tuple[bool, float, float]:
    """Most profit per unit of budget first; where a list is not about profit, its own rank."""
    if row["priority"] is None or not row["reserved_cost"]:
        return True, 0.0, -row["rank_value"]
    return False, -round(row["priority"] / row["reserved_cost"], 6), -row["rank_value"]


def _beyond(left: dict[str, Decimal], rows: list[dict[str, Any]]) -> set[Pair]:
    """Whom the owners' budgets do not reach, the lists taking turns."""
    lines: dict[Pair, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        lines[row["owner_id"] or "unassigned", row["list_code"]].append(row)
    refused = set()
    for owner, budget in left.items():
        turns = []
        for (its_owner, code), line in lines.items():
            if its_owner == owner:
                line.sort(key=lambda row: (*_by_return(row), row["customer_id"]))
                turns += [
                    (place, row["precedence"], -row["rank_value"], code, row)
                    for place, row in enumerate(line)
                ]
        spent = Decimal(0)
        for *_, row in sorted(turns, key=lambda turn: turn[:4]):
            if spent + row["reserved_cost"] > budget:
                refused.add((row["list_code"], row["customer_id"]))
            spent += row["reserved_cost"] if row["arm"] == "treatment" else 0
    return refused


def test_the_cap_and_the_budgets_leave_out_whom_they_should(
    marts_and_lake: duckdb.DuckDBPyConnection,
    as_of: date,
    lake: LakeInPandas,
    pytestconfig: pytest.Config,
) -> None:
    """Replay the morning: duties first, then customer by customer, then owner by owner in turns."""
    candidates = records(
        marts_and_lake,
        "select c.*, s.owner_id"
        " from list_candidates c join customer_situation s using (customer_id)",
    )
    held = defaultdict(set)
    for row in records(marts_and_lake, "from retention_list_suppressed"):
        held[row["list_code"], row["customer_id"]].add(row["rule"])
    in_turn = {"frequency_cap", "budget"}
    open_to_all = [
        row for row in candidates if not held[row["list_code"], row["customer_id"]] - in_turn
    ]

    since = as_of - timedelta(days=VARS["contact_cap_days"])
    person = lake.person
    recent = Counter(
        person.get(row["customer_id"], row["customer_id"])
        for row in records(
            marts_and_lake,
            "select customer_id, list_row_id, min(listed_on) as listed_on"
            " from fed_back_published_lists group by all",
        )
        if row["listed_on"] > since
    )
    fresh = [row for row in open_to_all if not row["is_continued"]]
    fresh.sort(
        key=lambda row: (
            row["is_optional"],
            row["precedence"],
            -row["rank_value"],
            row["list_code"],
            row["customer_id"],
        )
    )
    left = {
        row["budget_owner"]: max(row["monthly_budget"] - row["reserved_before"], Decimal(0))
        for row in records(marts_and_lake, "from owner_month_budget")
    }
    refused: set[Pair] = set()
    # whom the budget cut is asked once more: what was cut uses up no cap
    for _ in range(2):
        capped, affordable = set(), []
        met = Counter(recent)
        for row in fresh:
            if (row["list_code"], row["customer_id"]) in refused:
                continue
            met[identity := person.get(row["customer_id"], row["customer_id"])] += 1
            if not row["is_optional"]:
                continue
            if met[identity] > VARS["contact_cap"]:
                capped.add((row["list_code"], row["customer_id"]))
            else:
                affordable.append(row)
        refused |= _beyond(left, affordable)

    assert {pair for pair, rules in held.items() if "frequency_cap" in rules} == capped
    assert {pair for pair, rules in held.items() if "budget" in rules} == refused
    assert capped
    # Of 20,000 customers campaigns measured enough: acting pays for fewer than budgets reach.
    assert refused or pytestconfig.getoption("customers") > SAMPLE_CUSTOMERS


def test_a_day_knows_what_earlier_days_published_and_nothing_else(
    marts_and_lake: duckdb.DuckDBPyConnection, as_of: date
) -> None:
    days = {row["batch_on"] for row in records(marts_and_lake, "from fed_back_published_lists")}
    assert days
    assert all(day < as_of for day in days)


def test_an_unfinished_duty_of_an_earlier_day_is_still_on_its_list(
    marts_and_lake: duckdb.DuckDBPyConnection,
) -> None:
    """The same occasion, not answered: the task goes on under its name, however late."""
    before = {
        (row["list_code"], row["customer_id"], row["occasion"]): row
        for row in records(marts_and_lake, "from past_tasks where list_kind = 'duty'")
    }
    today = {
        (row["list_code"], row["customer_id"], row["occasion"]): row
        for row in records(marts_and_lake, "from retention_list where list_kind = 'duty'")
    }
    goes_on = [key for key in today.keys() & before.keys() if before[key]["done_on"] is None]
    assert goes_on
    for key in goes_on:
        assert today[key]["list_row_id"] == before[key]["list_row_id"]
        assert today[key]["due_on"] == before[key]["due_on"]
        assert today[key]["days_late"] > 0


def test_control_is_held_out_of_what_may_be_held_out_and_never_exported(
    marts_and_lake: duckdb.DuckDBPyConnection,
) -> None:
    shares = marts_and_lake.sql(
        """
        select
            has_holdout, count(*) filter (where arm = 'control') / count(*) as share,
            count(*) as n
        from retention_list join list_declarations using (list_code) group by all
        """
    ).fetchall()
    held_out = {has_holdout: share for has_holdout, share, n in shares if n}
    assert held_out[False] == 0
    of_all, of_one = VARS["programme_control_share"], VARS["control_share"]
    assert held_out[True] == pytest.approx(of_all + (1 - of_all) * of_one, abs=0.06)
    [(exported,)] = marts_and_lake.sql(
        "select count(*) from channel_export semi join"
        " (from retention_list where arm = 'control') using (list_row_id)"
    ).fetchall()
    assert exported == 0


def test_every_list_can_be_looked_up(marts_and_lake: duckdb.DuckDBPyConnection) -> None:
    declared = {row["list_code"] for row in records(marts_and_lake, "from list_declarations")}
    in_files = {
        path.stem.removeprefix("list_")
        for path in (PROJECT_DIR / "models" / "retention" / "lists").glob("list_*.sql")
    }
    assert declared == in_files
    assert declared >= {
        "save", "win_back", "revisit", "quasi_churn_call", "follow_up_due", "care_birthday",
        "care_holiday", "keep_in_touch", "upgrade", "launch_match", "service_recovery",
        "handover", "early_warning", "one_to_one",
    }  # fmt: skip


def test_the_list_of_a_stage_takes_customers_of_that_stage(
    marts_and_lake: duckdb.DuckDBPyConnection,
) -> None:
    stages = marts_and_lake.sql(
        "select customer_id, stage_growth as growth, stage_journey as journey,"
        " lifecycle_stage as lifecycle from customer_lifecycle"
    ).df()
    policy = marts_and_lake.sql("from stage_policy").df()
    assert len(policy) == sum(stages[scheme].nunique() for scheme in policy["scheme"].unique())
    for row in policy.itertuples():
        on_list = stages["customer_id"].isin(members(marts_and_lake, row.list_code))
        assert (stages[row.scheme][on_list] == row.stage).any(), (row.stage, row.list_code)
