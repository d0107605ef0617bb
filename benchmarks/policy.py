"""Whether the customers chosen by expected profit are worth more than other choices, truth known.

    python -m benchmarks.policy --seeds 20 --customers 20000 [--worlds DIR]
    python -m benchmarks.policy --listed HOME

For each seed a sample company is made and brought in, and dbt builds the features and outcomes of
treatments that a run builds. What is learnt from its randomised campaigns decides, as in a run, on
customers who are late, each with the plan for what the signs point to. Three choices spend the
same budget: most expected profit per unit of cost first, most at risk first, and chance.

What a choice brings in the 90 days to come is told twice:

- *measured*: every late customer's arm is drawn by lot, half are treated, and only what happens in
  the arm drawn is seen. Doubly robust with known propensities, what was bought before taking noise
  out (models/effects/trial.py); the same draw serves all three choices, and seeds are added up.
- *in truth*: both lives of every customer, from the truth folder, which nothing that chooses reads.

The second form judges the lists that the last run of a home with a sample company published.
Exit status 1 when a goal is missed, measured or in truth.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pandas as pd
from rich.console import Console

from models.effects import policy, treatment_effects
from models.effects.trial import Prepared, Trial
from models.evaluation.confidence import Z
from models.frame.features import FloatArray
from models.native import thread_limit
from pipelines.defs import effects
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import PROJECT_ROOT, Settings
from pipelines.sources import connectors
from pipelines.sources.contract import load_contract

PROJECT = PROJECT_ROOT / "dbt_project"
TABLES = ("treatment_features", "treatment_outcomes", "plan_by_reason")
# Part of what treating every late customer would cost that each choice may spend.
BUDGET_SHARE = 0.05
DRAWS = 20  # of the choice by chance
# What a message costs in coupons besides: share of orders with one, and its discount (truth).
COUPONS, DISCOUNT = 0.45, {"voucher": 0.10}
REACH = {
    "service_call": ["reach_phone"],
    "voucher": ["reach_sms", "reach_wechat", "reach_email"],
    "reminder": ["reach_sms", "reach_wechat", "reach_email"],
}
OURS, RISK, CHANCE = "expected profit", "churn risk", "chance"
# What is added up over the customers whom a choice treats: still customers 90 days later because
# of it, and without it; who order within them because of it, and without; profit of treating,
# what is spent taken off; customers treated; what is spent on them (home currency).
SUMS: Final = ("kept", "stay", "ordered", "order", "profit", "treated", "cost")
CHOICES: Final = (OURS, RISK, CHANCE)
Sums = Mapping[str, Mapping[str, float]]
Figure = tuple[float, float, float]  # with its 95% interval
# What choosing by expected profit has to reach.
GOALS: Final[tuple[tuple[str, float, Callable[[Sums], float]], ...]] = (
    (
        "more customers kept than without acting",
        0.15,
        lambda of: of[OURS]["kept"] / of[OURS]["stay"],
    ),
    (
        "of those who would have left, kept",
        0.10,
        lambda of: of[OURS]["kept"] / (of[OURS]["treated"] - of[OURS]["stay"]),
    ),
    # As differences: a ratio to a profit near or below 0 says nothing.
    (
        f"profit less 1.3 times that of {RISK}",
        0.0,
        lambda of: of[OURS]["profit"] - 1.3 * of[RISK]["profit"],
    ),
    (
        f"profit less 2 times that of {CHANCE}",
        0.0,
        lambda of: of[OURS]["profit"] - 2 * of[CHANCE]["profit"],
    ),
)


def build(home: Path, customers: int, seed: int) -> None:
    """Make a sample company, bring it in, and build what effects are learnt from."""
    settings = Settings.read(
        home=home, source="sample", sample_customers=customers, sample_seed=seed
    )
    (source,) = connectors(settings)
    as_of, lake = max(source.order_days()), Lake(settings.lake)
    offered = {table.name for table in source.tables()}
    for table in load_contract().values():
        if table.name in offered:
            lake.write(table, as_of, [source.deliver(table, as_of)])
    lake.accept(as_of)
    run = {"as_of": str(as_of), "lake": str(settings.lake), "timezone": "UTC", "training": False}
    with tempfile.TemporaryDirectory() as logs:
        subprocess.run(
            [Path(sys.executable).with_name("dbt"), "--quiet", "build",
             "--exclude-resource-types", "test", "unit_test",
             "--project-dir", PROJECT, "--profiles-dir", PROJECT,
             "--target-path", home.parent / "target", "--log-path", logs,
             "--vars", json.dumps(run), "--select", *(f"+{name}" for name in TABLES)],
            env=os.environ | {"HOMING_HOME": str(home), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            check=True,
        )  # fmt: skip


def truth_of(home: Path) -> pd.DataFrame:
    """Orders and presence in the 90 days to come, untreated and under each tactic, by customer."""
    (folder,) = (home / "truth").glob("*")
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(
            "select * from read_parquet($outlook) inner join"
            " (select * exclude profit_per_order from read_parquet($customers)) using (customer_id)"
            " left join (select customer_id, avg(gross_amount)::double as gross from int_orders"
            " where status = 'completed' group by customer_id) using (customer_id)",
            {
                "outlook": str(folder / "outlook" / "*.parquet"),
                "customers": str(folder / "customers" / "*.parquet"),
            },
        ).df()


@dataclass(frozen=True)
class World:
    """What one sample company gives to learn from and to decide on, and its truth."""

    trials: pd.DataFrame
    today: pd.DataFrame
    plans: pd.DataFrame
    truth: pd.DataFrame

    @classmethod
    def make(cls, scratch: Path, customers: int, seed: int) -> World:
        """Make the company in a folder that is emptied before and after.

        It is the same folder for every seed: dbt parses its project anew when a path changes.
        """
        home = scratch / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        build(home, customers, seed)
        warehouse = Warehouse(home / "warehouse.duckdb")
        world = cls(
            warehouse.frame(effects.TRIALS),
            warehouse.frame(
                "select * from treatment_features where snapshot_on = (select max(snapshot_on)"
                " from treatment_features) order by customer_id"
            ),
            warehouse.frame(effects.PLANS),
            truth_of(home),
        )
        shutil.rmtree(home)
        return world

    @classmethod
    def load(cls, folder: Path) -> World:
        """Read one that was kept."""
        return cls(
            *(pd.read_parquet(folder / f"{name}.parquet") for name in cls.__dataclass_fields__)
        )

    def save(self, folder: Path) -> None:
        """Keep it; a folder that is there is complete."""
        unfinished = folder.with_name(f".{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, frame in vars(self).items():
            frame.to_parquet(unfinished / f"{name}.parquet")
        unfinished.rename(folder)


@dataclass(frozen=True)
class Candidates:
    """Late customers who may be contacted, each with a plan, and their two lives.

    Attributes:
        known: one row per customer: features of the day, tactic, unit_cost, rise, orders_anyway.
        reach: chance that the message arrives.
        lives: stays, orders and profit (home currency), untreated and if the message arrives.
    """

    known: pd.DataFrame
    reach: FloatArray
    lives: Mapping[str, tuple[FloatArray, FloatArray]]

    def true_rows(self) -> list[FloatArray]:
        """What treating each row brings on average over the luck of messages, as `SUMS`."""
        (stay, stays), (orders, ordering), (profit, earning) = (
            self.lives[name] for name in ("stays", "orders", "profit")
        )
        cost = self.known["unit_cost"].to_numpy(np.float64)
        return [
            self.reach * (stays - stay),
            stay,
            self.reach * ((ordering > 0).astype(float) - (orders > 0)),
            (orders > 0).astype(float),
            self.reach * (earning - profit) - cost,
            np.ones(len(cost)),
            cost,
        ]

    def measured_rows(self, rng: np.random.Generator) -> list[FloatArray]:
        """What a lot drawn over all of them shows of each row, as `SUMS`; unbiased row by row."""
        treated = rng.random(len(self.known)) < 1 / 2
        sees = np.where(treated & (rng.random(len(self.known)) < self.reach), 1, 0)
        stays, orders, profit = (
            np.where(sees, *self.lives[name][::-1]) for name in ("stays", "orders", "profit")
        )
        features = self.known.drop(columns=["customer_id", "snapshot_on", "unit_cost"])
        rows: list[FloatArray] = []
        for outcome in (stays, (orders > 0).astype(float)):
            seen = Prepared.of(Trial.of(features, treated, 1 / 2, outcome))
            rows += [
                seen.scores(np.zeros(len(treated))),
                # Untreated: the mean, put right by those whom the lot left untreated.
                seen.mean + (1 - treated) / (1 / 2) * seen.residual,
            ]
        measure = policy.own_measure(self.known["average_order_profit"].to_numpy(np.float64))
        seen = Prepared.of(Trial.of(features, treated, 1 / 2, profit / measure))
        earned = measure * seen.scores(np.zeros(len(treated)))
        cost = self.known["unit_cost"].to_numpy(np.float64)
        return [*rows, earned - cost, np.ones(len(cost)), cost]


def candidates(world: World) -> tuple[Candidates, treatment_effects.Effects]:
    """Every late customer who may be contacted, with plan, expected and true figures."""
    found = treatment_effects.estimate(world.trials, world.today, world.plans)
    cost = world.trials[world.trials["treated"]].groupby("tactic")["cost"].mean()
    late = world.today.merge(
        world.plans, left_on=["goal", "sign_of"], right_on=["goal", "plan_for"]
    )
    late = late[late["tactic"].isin(list(REACH))]
    late = late.merge(found.rises, on=["customer_id", "tactic"])
    # Bad rows among the orders name customers who are not.
    late = late[late["customer_id"].isin(world.truth["customer_id"])]
    late["unit_cost"] = late["tactic"].map(cost)
    truth = late[["customer_id", "tactic"]].merge(world.truth, on="customer_id")
    for tactic, channels in REACH.items():
        # The first channel with consent.
        truth[f"reach_{tactic}"] = truth[channels].replace(0, np.nan).bfill(axis=1).iloc[:, 0]
    may = ~np.isnan(_of_tactic(truth, "reach"))
    truth, late = truth[may], late[may].reset_index(drop=True)
    return _with_lives(late, truth, _of_tactic(truth, "reach")), found


def _with_lives(known: pd.DataFrame, truth: pd.DataFrame, reach: FloatArray) -> Candidates:
    """Candidates with their two lives; `truth` row by row, with the tactic that each would get."""
    stays, orders = _of_tactic(truth, "stays"), _of_tactic(truth, "orders")
    anyway = truth["orders_untreated"].to_numpy(np.float64)
    worth = truth["profit_per_order"].to_numpy(np.float64)
    discount = COUPONS * truth["tactic"].map(DISCOUNT).fillna(0) * truth["gross"].fillna(0)
    return Candidates(
        known,
        reach,
        {
            "stays": (truth["stays_untreated"].to_numpy(np.float64), stays),
            "orders": (anyway, orders),
            "profit": (anyway * worth, orders * (worth - discount.to_numpy(np.float64))),
        },
    )


def listed(home: Path) -> tuple[Candidates, dict[str, FloatArray]]:
    """Whom the lists about money of a home's last run name, and what others would have named.

    The others choose among those whom nothing but money kept off these lists, and reserve in all
    as much of the owners' budgets. Treatment and control rows both count as chosen: which of them
    is held out, the lot decides. Rows whose tactic or channel the truth does not know are left out.
    """
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        path = str(home / "published" / "homing.duckdb").replace("'", "''")
        con.execute(f"attach '{path}' as published (read_only)")
        pool = con.execute(
            """
            select rows.customer_id, rows.as_of_date as snapshot_on, rows.list_code, rows.tactic,
                rows.channel, rows.reserved_cost::double as reserved_cost,
                situation.lifecycle_stage, situation.value_tier, situation.reason_code,
                situation.overdue_ratio, situation.days_since_last_order,
                situation.gross_profit_12m::double as profit_12m,
                situation.average_order_profit::double as average_order_profit,
                case when rows.list_code = 'save' then situation.churn_probability
                    else 1 - situation.return_probability end as risk,
                coalesce(effects.unit_cost, 0) as unit_cost,
                listed.list_row_id is not null as is_listed
            from list_candidates as rows
            inner join customer_situation as situation using (customer_id)
            left join (select tactic, avg(cost)::double as unit_cost from treatment_outcomes
                where treated group by tactic) as effects using (tactic)
            left join published.retention_list as listed using (list_row_id)
            where rows.list_code in ('save', 'win_back') and not exists (
                select 1 from retention_list_suppressed as held
                where held.list_row_id = rows.list_row_id
                    and held.rule not in ('budget', 'does_not_pay')
            )
            order by rows.list_code, rows.customer_id
            """
        ).df()
    truth = pool[["customer_id", "tactic", "channel"]].merge(
        truth_of(home), on="customer_id", how="left"
    )
    by_channel = [c for c in ("phone", "sms", "email", "wechat") if f"reach_{c}" in truth]
    reach = np.select(
        [truth["channel"] == c for c in by_channel],
        [truth[f"reach_{c}"].to_numpy(np.float64) for c in by_channel],
        np.nan,
    )
    known = ~np.isnan(reach) & truth["tactic"].isin(list(REACH)).to_numpy(bool)
    pool, truth = pool[known].reset_index(drop=True), truth[known]
    reserved = pool["reserved_cost"].to_numpy(np.float64)
    ours = pool["is_listed"].to_numpy(np.float64)
    budget = float(ours @ reserved)
    rng = np.random.default_rng(1)
    chance = [policy.within_budget(rng.random(len(pool)), reserved, budget) for _ in range(DRAWS)]
    given = {
        OURS: ours,
        RISK: policy.within_budget(pool["risk"].to_numpy(np.float64), reserved, budget),
        CHANCE: np.mean(chance, axis=0),
    }
    return _with_lives(
        pool.drop(columns=["is_listed", "risk", "list_code"]), truth, reach[known]
    ), given


def _of_tactic(truth: pd.DataFrame, what: str) -> FloatArray:
    chosen: FloatArray = np.select(
        [truth["tactic"] == tactic for tactic in REACH],
        [truth[f"{what}_{tactic}"].to_numpy(np.float64) for tactic in REACH],
    )
    return chosen


def chosen_by(late: pd.DataFrame, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Whom each way of choosing treats at the same budget, 1 or 0; for chance, how often."""
    cost = late["unit_cost"].to_numpy(np.float64)
    budget = BUDGET_SHARE * cost.sum()
    expected = (late["rise"] * late["average_order_profit"]).to_numpy(np.float64)
    drawn = [policy.within_budget(rng.random(len(late)), cost, budget) for _ in range(DRAWS)]
    at_risk = 1 - late["orders_anyway"].to_numpy(np.float64)
    return {
        OURS: policy.within_budget(policy.priority_of(expected, cost), cost, budget),
        RISK: policy.within_budget(at_risk, cost, budget),
        CHANCE: np.mean(drawn, axis=0),
    }


@dataclass(frozen=True)
class Totals:
    """Sums over treated customers of each choice.

    Attributes:
        sums: `SUMS` of the first choice, then of the next, shape (choices * sums,).
        covariance: of them.
    """

    sums: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, rows: list[FloatArray], given: Mapping[str, FloatArray]) -> Totals:
        """Add up what was measured of each row, or is true of it, over those treated."""
        parts, apart = [], []
        for choice in CHOICES:
            share = given[choice]
            for each in rows:
                parts.append(float(share @ each))
                # Who is treated is given; the lot that decides what is seen of them varies.
                apart.append(share * (each - np.average(each, weights=share)))
        distances = np.array(apart)
        return cls(np.array(parts), distances @ distances.T)

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.sums + other.sums, self.covariance + other.covariance)

    def figure(self, of: Callable[[Sums], float]) -> Figure:
        """A function of the sums with its 95% interval, by the delta method."""

        def value(sums: FloatArray) -> float:
            by_choice = sums.reshape(len(CHOICES), len(SUMS))
            return of(
                {
                    choice: dict(zip(SUMS, map(float, row), strict=True))
                    for choice, row in zip(CHOICES, by_choice, strict=True)
                }
            )

        at = value(self.sums)
        steps = 1e-4 * np.maximum(np.abs(self.sums), 1.0)
        slope = np.array(
            [
                (value(self.sums + step) - value(self.sums - step)) / (2 * step.sum())
                for step in np.diag(steps)
            ]
        )
        margin = Z * float(np.sqrt(slope @ self.covariance @ slope))
        return at, at - margin, at + margin


@dataclass(frozen=True)
class Result:
    """What one seed shows.

    Attributes:
        measured: by lot.
        true: by truth; its covariance means nothing.
        basis: of the effects that chose.
        trials: table policy_value: the same ways of choosing on the members of past campaigns.
    """

    measured: Totals
    true: Totals
    basis: str
    trials: pd.DataFrame


def judge(world: World, seed: int) -> Result:
    """Let each way of choosing choose, and tell what it brings, measured and in truth."""
    late, learnt = candidates(world)
    rng = np.random.default_rng(seed)
    given = chosen_by(late.known, rng)
    return Result(
        Totals.of(late.measured_rows(rng), given),
        Totals.of(late.true_rows(), given),
        learnt.basis,
        learnt.values,
    )


def main() -> int:
    """Print what each choice brings, over all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--worlds", type=Path, help="keep them there, and use those that are")
    parser.add_argument("--listed", type=Path, help="judge the list of that home's last run alone")
    asked = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    if asked.listed:
        late, given = listed(asked.listed)
        measured = Totals.of(late.measured_rows(np.random.default_rng(1)), given)
        true = Totals.of(late.true_rows(), given)
        _print_choices(console, measured, true)
        return _print_goals(console, measured, true)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as scratch, thread_limit(1):
        for seed in range(1, asked.seeds + 1):
            folder = asked.worlds and asked.worlds / f"{asked.customers}-{seed}"
            if folder and folder.exists():
                world = World.load(folder)
            else:
                world = World.make(Path(scratch), asked.customers, seed)
                if folder:
                    world.save(folder)
            results.append(judge(world, seed))
            profits = ", ".join(
                f"{choice} {results[-1].true.figure(lambda of, c=choice: of[c]['profit'])[0]:,.0f}"
                for choice in CHOICES
            )
            console.print(f"seed {seed}: {results[-1].basis} effects; true profit: {profits}")
    measured = sum((each.measured for each in results[1:]), results[0].measured)
    true = sum((each.true for each in results[1:]), results[0].true)
    _print_choices(console, measured, true)
    _print_trials(console, [each.trials for each in results])
    return _print_goals(console, measured, true)


def _print_choices(console: Console, measured: Totals, true: Totals) -> None:
    figures: Mapping[str, tuple[str, Callable[[Mapping[str, float]], float]]] = {
        "kept, of those who stay anyway": ("+.1%", lambda of: of["kept"] / of["stay"]),
        "kept, of those who would leave": (
            "+.1%",
            lambda of: of["kept"] / (of["treated"] - of["stay"]),
        ),
        "order in time, of those who do anyway": ("+.1%", lambda of: of["ordered"] / of["order"]),
        "order in time, of those who would not": (
            "+.1%",
            lambda of: of["ordered"] / (of["treated"] - of["order"]),
        ),
        "profit, home currency": (",.0f", lambda of: of["profit"]),
    }
    console.print("\nWithin 90 days, all seeds together: measured by lot (95%), and in truth")
    for choice in CHOICES:
        treated, cost = (
            true.figure(lambda of, c=choice, n=name: of[c][n])[0] for name in ("treated", "cost")
        )
        console.print(f"{choice}: treats {treated:,.0f} for {cost:,.0f}")
        for title, (form, of_one) in figures.items():
            value, lower, upper = measured.figure(lambda of, c=choice, f=of_one: f(of[c]))
            truth = true.figure(lambda of, c=choice, f=of_one: f(of[c]))[0]
            console.print(
                f"  {title:<38} {value:{form}} ({lower:{form}} to {upper:{form}}), {truth:{form}}"
            )


def _print_trials(console: Console, seeds: list[pd.DataFrame]) -> None:
    console.print("\nOn the members of past campaigns (policy_value), per member, mean of seeds")
    together = pd.concat([each for each in seeds if len(each)] or [pd.DataFrame()])
    if together.empty:
        console.print("  too few drawn by lot")
        return
    variance = ((together["upper"] - together["lower"]) / 2) ** 2
    for (outcome, name), rows in together.assign(variance=variance).groupby(
        ["outcome", "policy"], sort=False
    ):
        margin = float(np.sqrt(rows["variance"].sum())) / len(rows)
        value = rows["value"].mean()
        console.print(
            f"  {outcome:<7} {name:<16} {value:9.4f}  95% from {value - margin:9.4f} to "
            f"{value + margin:9.4f}"
        )


def _print_goals(console: Console, measured: Totals, true: Totals) -> int:
    console.print("\nGoals: measured by lot (95%), in truth")
    missed = 0
    for title, goal, of in GOALS:
        value, lower, upper = measured.figure(of)
        truth = true.figure(of)[0]
        form = ".1%" if goal else ",.0f"
        met = min(value, truth) >= goal
        missed += not met
        said = (
            "missed"
            if not met
            else "met, beyond chance"
            if lower >= goal
            else "met, but not beyond chance"
        )
        console.print(
            f"  {title}: {value:{form}} ({lower:{form}} to {upper:{form}}), {truth:{form}}; "
            f"at least {goal:{form}}: {said}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
