"""Whether the customers chosen by expected profit are worth more than other choices, truth known.

    python -m benchmarks.policy --seeds 20 --customers 20000 [--homes DIR]

For each seed a sample company is made and brought in, and dbt builds the features and outcomes of
treatments that a run builds. What is learnt from its randomised campaigns decides, as in a run, on
customers who are late, each with the plan for what the signs point to. Three choices spend the
same budget: most expected profit per unit of cost first, most at risk first, and chance. The truth
folder says what each choice brings within 90 days; nothing that chooses reads it. Beside it stands
what the randomised campaigns alone say of the same ways of choosing (table policy_value).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from rich.console import Console

from models import policy, treatment_effects
from models.uplift import FloatArray
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


def build(home: Path, customers: int, seed: int) -> None:
    """Make a sample company, bring it in, and build what effects are learnt from."""
    settings = Settings.read(
        home=home, source="sample", sample_customers=customers, sample_seed=seed
    )
    (source,) = connectors(settings)
    as_of, lake = source.latest_day(), Lake(settings.lake)
    offered = {table.name for table in source.tables()}
    for table in load_contract().values():
        if table.name in offered:
            lake.write(table, as_of, [source.deliver(table, as_of)])
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


def candidates(home: Path) -> tuple[pd.DataFrame, treatment_effects.Effects]:
    """Every late customer who may be contacted, with plan, expected and true figures."""
    warehouse = Warehouse(home / "warehouse.duckdb")
    trials, plans = warehouse.frame(effects.TRIALS), warehouse.frame(effects.PLANS)
    today = warehouse.frame(
        "select * from treatment_features where snapshot_on = (select max(snapshot_on)"
        " from treatment_features) order by customer_id"
    )
    found = treatment_effects.estimate(trials, today, plans)
    cost = trials[trials["treated"]].groupby("tactic")["cost"].mean()
    late = today.merge(plans, left_on=["goal", "sign_of"], right_on=["goal", "plan_for"])
    late = late[late["tactic"].isin(list(REACH))]
    late = late.merge(found.rises, on=["customer_id", "tactic"]).merge(
        truth_of(home), on="customer_id", suffixes=("", "_true")
    )
    late["unit_cost"] = late["tactic"].map(cost)

    def of_tactic(prefix: str) -> FloatArray:
        chosen: FloatArray = np.select(
            [late["tactic"] == tactic for tactic in REACH],
            [late[f"{prefix}_{tactic}"].to_numpy(np.float64) for tactic in REACH],
        )
        return chosen

    for tactic, channels in REACH.items():
        # The first channel with consent.
        late[f"reach_{tactic}"] = late[channels].replace(0, np.nan).bfill(axis=1).iloc[:, 0]
    reach = of_tactic("reach")
    orders, stays = of_tactic("orders"), of_tactic("stays")
    given_away = COUPONS * late["tactic"].map(DISCOUNT).fillna(0) * late["gross"].fillna(0)
    late["stays_anyway"] = late["stays_untreated"].astype(float)
    late["kept"] = reach * (stays - late["stays_anyway"])
    late["gain"] = (
        reach
        * ((orders - late["orders_untreated"]) * late["profit_per_order"] - orders * given_away)
        - late["unit_cost"]
    )
    return late[~np.isnan(reach)].reset_index(drop=True), found


def chosen_by(late: pd.DataFrame, rng: np.random.Generator) -> dict[str, list[FloatArray]]:
    """Who each way of choosing treats, 1 or 0, at the same budget; chance several times."""
    cost = late["unit_cost"].to_numpy(np.float64)
    budget = BUDGET_SHARE * cost.sum()
    expected = (late["rise"] * late["average_order_profit"]).to_numpy(np.float64)
    orders = {
        "expected profit": [policy.priority_of(expected, cost)],
        "churn risk": [1 - late["orders_anyway"].to_numpy(np.float64)],
        "chance": [rng.random(len(late)) for _ in range(DRAWS)],
    }
    return {
        name: [policy.within_budget(order, cost, budget) for order in drawn]
        for name, drawn in orders.items()
    }


def main() -> None:
    """Print what each choice brings, over all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--homes", type=Path, help="keep the homes there, and use those that are")
    asked = parser.parse_args()
    console = Console()
    totals: dict[str, list[dict[str, float]]] = {}
    measured: list[pd.DataFrame] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(1, asked.seeds + 1):
            home = (asked.homes or Path(scratch)).absolute() / str(seed)
            if not (home / "warehouse.duckdb").exists():
                build(home, asked.customers, seed)
            late, found = candidates(home)
            measured.append(found.values)
            for name, draws in chosen_by(late, np.random.default_rng(seed)).items():
                figures = [
                    {
                        "treated": given.sum(),
                        "cost": float(given @ late["unit_cost"]),
                        "profit": float(given @ late["gain"]),
                        "kept": float(given @ late["kept"]),
                        "stay anyway": float(given @ late["stays_anyway"]),
                    }
                    for given in draws
                ]
                mean: dict[str, Any] = pd.DataFrame(figures).mean().to_dict()
                totals.setdefault(name, []).append(mean)
            console.print(
                f"seed {seed}: {found.basis} effects; "
                + ", ".join(f"{name} {rows[-1]['profit']:,.0f}" for name, rows in totals.items())
            )
    _print_truth(console, totals)
    _print_measured(console, measured)


def _print_truth(console: Console, totals: dict[str, list[dict[str, float]]]) -> None:
    console.print("\nIn truth, within 90 days, mean of the seeds (standard error of the profit)")
    for name, rows in totals.items():
        mean, error = pd.DataFrame(rows).mean(), pd.DataFrame(rows)["profit"].sem()
        console.print(
            f"  {name:<16} treats {mean['treated']:7.0f} for {mean['cost']:6.0f}: "
            f"profit {mean['profit']:8.0f} ({error:,.0f}), "
            f"keeps {mean['kept'] / mean['stay anyway']:+.1%} more, "
            f"churn {-mean['kept'] / (mean['treated'] - mean['stay anyway']):+.1%}"
        )


def _print_measured(console: Console, measured: list[pd.DataFrame]) -> None:
    console.print("\nFrom the randomised campaigns alone, per customer, mean of the seeds")
    together = pd.concat([each for each in measured if len(each)])
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


if __name__ == "__main__":
    main()
