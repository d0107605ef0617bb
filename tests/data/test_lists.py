"""Lists from day to day: who is on them, who is not and why, and what a later day knows of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import yaml

from pipelines.resources.lake import Lake

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
DAY = date(2024, 6, 30)
EVERYTHING = "+retention_list"
WHAT_THE_PAST_CHANGES = "fed_back_published_lists+,+retention_list"
LISTS = ("retention_list", "retention_list_suppressed")
SPECIAL = {
    # gone: of who is not scored, lists that ask for no score alone can tell
    "erasure": "G001",
    "test_account": "L002",
    "no_consent": "L003",
    "profiling_objection": "G002",
    "open_complaint": "L005",
    "unreachable": "L006",
}

Rows = list[dict[str, Any]]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 10)


def rows() -> dict[str, Rows]:
    """Monthly buyers: L is quiet since 45 days, G for the second time since long, F is not."""
    quiet_days = {"L": 45, "G": 200, "F": 3}
    customers = [f"{kind}{n:03}" for kind in quiet_days for n in range(150 if kind != "F" else 20)]
    orders = [
        {
            "order_id": f"{customer}-{number}",
            "customer_id": customer,
            "ordered_at": at(DAY - timedelta(days=quiet_days[customer[0]] + 30 * number + pause)),
            "net_amount": (amount := 100 + int(customer[1:])),
            "cost_amount": amount / 2,
        }
        for customer in customers
        for number in range(8)
        for pause in [120 if customer[0] == "G" and number >= 4 else 0]
    ]
    profiles = [
        {
            "customer_id": customer,
            "created_at": at(date(2023, 1, 1)),
            "email": None if customer == SPECIAL["unreachable"] else f"{customer}@example.com",
            "phone": None if customer == SPECIAL["unreachable"] else "1",
            "owner_id": "rich" if int(customer[1:]) < 120 else "poor",
            "is_test": customer == SPECIAL["test_account"],
        }
        for customer in customers
    ]
    consents = [
        {
            "customer_id": customer,
            "channel": "email",
            "basis": basis,
            "granted": customer != SPECIAL[refused],
            "changed_at": at(date(2023, 5, 1)),
        }
        for customer in customers
        for basis, refused in (("marketing", "no_consent"), ("profiling", "profiling_objection"))
    ]
    return {
        "orders": orders,
        "customers": profiles,
        "consents": consents,
        "erasure_requests": [
            {"customer_id": SPECIAL["erasure"], "requested_at": at(date(2024, 6, 1))}
        ],
        "tickets": [
            {
                "ticket_id": "T1",
                "customer_id": SPECIAL["open_complaint"],
                "opened_at": at(date(2024, 6, 1)),
                "kind": "complaint",
            }
        ],
    }


@dataclass
class Days:
    """The lists of several days, each run knowing what those before it published."""

    company: Any

    def score(self, day: date) -> None:
        """Store the day's scores, as scoring does: the later in the alphabet, the likelier."""
        customers = [f"L{n:03}" for n in range(150)] + [f"F{n:03}" for n in range(20)]
        scores = [
            {
                "customer_id": customer,
                "churn_probability": 0.6 + int(customer[1:]) / 500,
                "score_kind": "model",
                "model_version": "m1",
                "scored_on": day,
                "driver_1": "quiet for long",
                "expected_orders_12m": 6.0,
            }
            for customer in customers
        ]
        self.lake.replace("scores", day, pa.Table.from_pylist(scores))

    def lists(self, day: date, select: str = WHAT_THE_PAST_CHANGES) -> dict[str, Rows]:
        """Build for a day; the lists by name."""
        run = {"as_of": day.isoformat(), "lake": str(self.company.home / "lake"), "timezone": "UTC"}
        self.company.dbt.build(self.company.home, select, run, tested=False)
        return {name: self.query(f"from {name} order by all").to_pylist() for name in LISTS}

    def query(self, query: str) -> pa.Table:
        """Ask the warehouse, and close it: the next build must be able to write it."""
        path = str(self.company.home / "warehouse.duckdb")
        with duckdb.connect(path, read_only=True) as con:
            return con.sql(query).to_arrow_table()

    def publish(self, day: date) -> None:
        """Put the day's list into the lake, as publishing does."""
        self.lake.replace("published_lists", day, self.query("from retention_list order by all"))

    @property
    def lake(self) -> Lake:
        return Lake(self.company.home / "lake", memory_limit="1GB")


@pytest.fixture(scope="module")
def days(new_company: Callable[..., Any]) -> Days:
    company = new_company()
    for table, delivered in rows().items():
        company.deliver(table, delivered, DAY.isoformat())
    days = Days(company)
    days.score(DAY)
    return days


@pytest.fixture(scope="module")
def first(days: Days) -> dict[str, Rows]:
    """The lists of the first day, published."""
    lists = days.lists(DAY, select=EVERYTHING)
    days.publish(DAY)
    return lists


def listed(lists: dict[str, Rows], code: str) -> dict[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in lists["retention_list"] if row["list_code"] == code}


def test_each_list_takes_those_it_is_meant_for(first: dict[str, Rows]) -> None:
    assert {customer[0] for customer in listed(first, "save")} == {"L"}
    assert {customer[0] for customer in listed(first, "win_back")} == {"G"}


def test_a_list_is_ranked_by_what_acting_is_expected_to_earn(first: dict[str, Rows]) -> None:
    for code in ("save", "win_back"):
        ranked = sorted(listed(first, code).values(), key=lambda row: row["rank"])
        assert [row["rank"] for row in ranked] == list(range(1, len(ranked) + 1))
        assert [row["priority"] for row in ranked] == sorted(
            (row["priority"] for row in ranked), reverse=True
        )
        assert all(row["priority"] == row["expected_gain"] - row["expected_cost"] for row in ranked)
        assert ranked[-1]["priority"] > 0


def test_suppressed_customers_are_named_with_their_rule_and_are_on_no_list_that_sells(
    first: dict[str, Rows],
) -> None:
    rules = {
        (row["customer_id"], row["rule"])
        for row in first["retention_list_suppressed"]
        if row["rule"] not in ("budget", "frequency_cap", "does_not_pay")
    }
    on_lists = {(row["list_code"], row["customer_id"]) for row in first["retention_list"]}

    assert rules == {(customer, rule) for rule, customer in SPECIAL.items()}
    # a complaint is no reason to leave the customer alone, but to solve it
    assert {pair for pair in on_lists if pair[1] in SPECIAL.values()} == {
        ("service_recovery", SPECIAL["open_complaint"])
    }


def test_whoever_qualifies_is_listed_or_suppressed_and_never_both(
    days: Days, first: dict[str, Rows]
) -> None:
    def pairs(rows: Rows) -> set[tuple[str, str]]:
        return {(row["list_code"], row["customer_id"]) for row in rows}

    qualified = pairs(days.query("select list_code, customer_id from list_qualified").to_pylist())
    listed, held = pairs(first["retention_list"]), pairs(first["retention_list_suppressed"])
    # a test account is no customer and qualifies for nothing
    held.remove(("all", SPECIAL["test_account"]))
    assert listed | held == qualified
    assert not listed & held


def test_a_duty_is_held_back_by_no_cap_budget_holdout_or_missing_consent(
    days: Days, first: dict[str, Rows]
) -> None:
    duties = [row for row in first["retention_list"] if row["list_kind"] == "duty"]
    assert duties
    assert {(row["arm"], row["consent_state"], row["reserved_cost"]) for row in duties} == {
        ("treatment", "not_needed", 0)
    }
    rules = {
        row["rule"] for row in first["retention_list_suppressed"] if row["list_kind"] == "duty"
    }
    assert rules <= {"erasure", "test_account"}


def test_no_owner_is_charged_more_than_the_budget(days: Days, first: dict[str, Rows]) -> None:
    budgets = days.query("select budget_owner as owner, monthly_budget from owner_budgets")
    for owner, budget in (row.values() for row in budgets.to_pylist()):
        charged = sum(
            row["reserved_cost"]
            for row in first["retention_list"]
            if row["owner_id"] == owner and row["arm"] == "treatment"
        )
        assert 0 < charged <= budget
    held = {
        row["owner_id"] for row in first["retention_list_suppressed"] if row["rule"] == "budget"
    }
    assert held == {"rich", "poor"}


def test_the_arm_follows_from_list_cycle_and_customer_alone(first: dict[str, Rows]) -> None:
    for row in first["retention_list"]:
        of_all, of_one = (
            int(hashlib.md5("|".join(key).encode()).hexdigest()[:13], 16) / 2**52
            for key in (
                ("2024Q2", row["customer_id"]), (row["list_code"], "2024Q2", row["customer_id"])
            )
        )  # fmt: skip
        drawn = "all_lists" if of_all < 0.05 else "this_list" if of_one < 0.10 else "nothing"
        assert row["campaign_cycle"] == "2024Q2"
        assert row["held_out_of"] == (None if row["list_kind"] == "duty" else drawn)
        held_out = row["held_out_of"] in {"all_lists", "this_list"}
        assert row["arm"] == ("control" if held_out else "treatment")
    assert {row["arm"] for row in first["retention_list"]} == {"control", "treatment"}


def test_tomorrow_the_same_tasks_go_on_and_a_rerun_changes_nothing(
    days: Days, first: dict[str, Rows]
) -> None:
    tomorrow = DAY + timedelta(days=1)
    again = days.lists(tomorrow)

    for code in ("save", "win_back"):
        before, after = listed(first, code), listed(again, code)
        assert before.keys() <= after.keys()
        for customer, task in before.items():
            for what in ("list_row_id", "listed_on", "due_on", "arm", "campaign_cycle"):
                assert after[customer][what] == task[what]
    # a new month: what was held for want of budget may begin, in the new quarter
    begun = [row for row in again["retention_list"] if row["listed_on"] == tomorrow]
    assert begun
    assert {row["campaign_cycle"] for row in begun} == {"2024Q3"}
    days.publish(tomorrow)
    assert days.lists(tomorrow) == again
    assert days.lists(DAY) == first


def test_a_closed_task_cools_down_and_once_it_was_done_the_next_step_follows(
    days: Days, first: dict[str, Rows]
) -> None:
    one = next(
        row
        for row in sorted(listed(first, "win_back").values(), key=lambda row: row["rank"])
        if row["arm"] == "treatment" and row["reward_step"]
    )
    customer, closed_on = one["customer_id"], one["due_on"]

    def rules_that_hold(day: date) -> set[str]:
        suppressed = days.lists(day)["retention_list_suppressed"]
        return {row["rule"] for row in suppressed if row["customer_id"] == customer}

    # the first step of the rescue plan rests for 30 days (seed rescue_step)
    assert one["winback_step"] == 1
    assert "cooling_period" in rules_that_hold(closed_on + timedelta(days=29))
    assert "cooling_period" not in rules_that_hold(closed_on + timedelta(days=30))

    def next_task() -> dict[str, Any]:
        [task] = days.query(
            f"from list_candidates where customer_id = '{customer}' and list_code = 'win_back'"
        ).to_pylist()
        assert task["list_row_id"] != one["list_row_id"]
        return task

    # nobody told whether anybody acted
    assert (next_task()["winback_step"], next_task()["reward_step"]) == (1, one["reward_step"])
    answer = {
        "interaction_id": "I1",
        "customer_id": customer,
        "occurred_at": at(closed_on),
        "list_row_id": one["list_row_id"],
        "outcome": "refused",
    }
    days.company.deliver("interactions", [answer], closed_on.isoformat())
    with_answers = f"lake_batches checked_interactions stg_interactions {WHAT_THE_PAST_CHANGES}"
    days.lists(closed_on + timedelta(days=31), select=with_answers)
    task = next_task()
    # who permits mail alone is not kept waiting for a call
    assert task["is_stepped_out"]
    assert task["reward_step"] == one["reward_step"] + 1


def test_a_duty_stays_on_the_list_until_it_is_done(days: Days, first: dict[str, Rows]) -> None:
    customer = SPECIAL["open_complaint"]
    task = listed(first, "service_recovery")[customer]
    late = listed(days.lists(task["due_on"] + timedelta(days=20)), "service_recovery")[customer]
    assert late["list_row_id"] == task["list_row_id"]
    assert (task["days_late"], late["days_late"]) == (0, 20)


def test_without_a_fresh_delivery_of_consents_nothing_may_be_published(
    days: Days, first: dict[str, Rows]
) -> None:
    def may_publish(day: date) -> bool:
        days.lists(day, select="consent_freshness")
        return days.query("select may_publish from consent_freshness").to_pylist()[0]["may_publish"]

    assert may_publish(DAY + timedelta(days=7))
    assert not may_publish(DAY + timedelta(days=8))
    days.company.deliver("consents", rows()["consents"], "2024-07-08")
    assert may_publish(DAY + timedelta(days=8))


@pytest.mark.parametrize(
    ("learnt", "basis", "effect", "gain"),
    [
        ("where false", "assumed", "null", "5.00"),
        ("", "average", "null", "10.00"),
        ("", "average", "0.2", "20.00"),
    ],
)
def test_a_new_list_is_one_new_file(
    tmp_path: Path, learnt: str, basis: str, effect: str, gain: str
) -> None:
    """The declarations, the one table that reads them and one stranger, without all the rest.

    The gain of acting rests on the assumption of the plan (0.05), that assumption scaled by what
    past campaigns measured, or the rise that they measured of such customers.
    """
    models = tmp_path / "models"
    retention = PROJECT_DIR / "models" / "retention"
    shutil.copytree(retention / "lists", models / "lists")
    for table in ("list_qualified", "list_declarations"):
        shutil.copy(retention / "mechanism" / f"{table}.sql", models)
    for name in ("profiles.yml", "macros", "seeds"):
        (tmp_path / name).symlink_to(PROJECT_DIR / name)
    settings = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    settings["models"] = {}
    (tmp_path / "dbt_project.yml").write_text(yaml.safe_dump(settings))
    declared = yaml.safe_load((retention / "mechanism" / "customer_situation.yml").read_text())
    types = {column["name"]: column["data_type"] for column in declared["models"][0]["columns"]}
    somebody = dict.fromkeys(types, "null") | {
        "customer_id": "'C1'",
        "lifecycle_stage": "'prospect'",
        "value_tier": "'core'",
        "reason_code": "'unknown'",
        "missed_intervals": "7",
    }
    values = (f"cast({value} as {types[name]}) as {name}" for name, value in somebody.items())
    (models / "customer_situation.sql").write_text("select " + ", ".join(values))
    (models / "fed_back_treatment_effects.sql").write_text(
        f"""
        select 'C1' as customer_id, tactic, '{basis}' as effect_basis,
            2.0 as factor, cast({effect} as double) as effect
        from (select distinct tactic from {{{{ ref('plan_by_reason') }}}} where tactic is not null)
        {learnt}
        """
    )
    (models / "lists" / "list_lucky.sql").write_text(
        """
        {% call retention_list(
            title='Seven misses', who='Whoever missed seven times', goal='save', cadence='save',
            at_stake='100', worth='100', anyway='0', acted='effect', holdout=false
        ) %}
            missed_intervals = 7
        {% endcall %}
        """
    )
    built = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "build", "--quiet"),
            *("--select", "+list_qualified", "list_declarations"),
            *("--exclude-resource-types", "test"),
            *("--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path)),
        ],
        env=os.environ | {"HOMING_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout

    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as con:
        qualified = con.sql("select list_code, effect_basis, expected_gain from list_qualified")
        assert qualified.fetchall() == [("lucky", basis, Decimal(gain))]
        declared = con.sql(
            "select who, list_kind, has_holdout from list_declarations where list_code = 'lucky'"
        )
        assert declared.fetchall() == [("Whoever missed seven times", "promotion", False)]
