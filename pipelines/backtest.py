"""`make backtest`: how good the predictions of a home would have been on earlier days.

Reads what the lake holds, so a run has to be there. The figures go into the lake; the next run
publishes them as `model_backtest`.
"""

from __future__ import annotations

import sys

import duckdb
from rich.console import Console
from rich.table import Table

from pipelines.errors import HomingError
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import literal
from pipelines.run import command_line, execute, resolve_as_of
from pipelines.settings import Settings

CHURN_METRICS = (
    "auc", "average_precision", "log_loss", "brier", "ece", "lift_at_10", "lift_at_10_cap",
)  # fmt: skip
METRICS = {
    "churn": CHURN_METRICS,
    "return": (*CHURN_METRICS[:4], "lift_at_10"),
    "next_order": ("log_loss", "auc", "mae_days", "coverage_80", "median_interval_days"),
    "profit": ("poisson_deviance", "mae", "spearman", "total_ratio", "mae_of_typical"),
}


def backtest(settings: Settings, console: Console) -> int:
    """Backtest on the data of a home, and print the means.

    Returns:
        The exit status.

    Raises:
        HomingError: there is nothing to read, or it failed.
    """
    settings.export()
    lake = Lake(settings.lake)
    # The day is the source's: that of another one would say nothing of these customers.
    lake.require_same_company(", ".join(settings.source))
    as_of = resolve_as_of(settings, console)
    if not any(lake.manifests(table) for table in ("orders", "order_lines")):
        raise HomingError(
            f"{settings.home} holds no orders yet: run `make run` with the same settings first"
        )
    console.print(f"Backtest of {settings.home} as of {as_of}")
    result = execute("backtest", settings, as_of, console)
    [told] = result.asset_materializations_for_node("feedback__backtests")
    if batch := lake.batch_of("backtests", as_of):
        with duckdb.connect() as con:
            file = literal(lake.data_file(batch))
            con.execute(f"create view figures as from read_parquet({file})")
            for kind in METRICS:
                _print(con, console, kind)
    console.print(str(told.metadata["summary"].value), soft_wrap=True, markup=False)
    for page in (each for name, each in told.metadata.items() if name.endswith("_page")):
        console.print(f"Pictures, and each cutoff: {page.value}", soft_wrap=True, markup=False)
    return 0


def _print(con: duckdb.DuckDBPyConnection, console: Console, kind: str) -> None:
    """The mean of every role and metric with its interval, and the days they are of."""
    [(days, horizon)] = con.execute(
        "select string_agg(distinct cutoff_on::varchar, ', ' order by cutoff_on::varchar),"
        " max(horizon_days) from figures where scope = 'cutoff' and model_kind = ?",
        [kind],
    ).fetchall()
    if days is None:
        return
    console.print(
        f"\n{kind}, {horizon} days ahead: mean over the cutoffs {days}, with 95% intervals\n"
    )
    figures = {
        (role, metric): (value, lower, upper)
        for role, metric, value, lower, upper in con.execute(
            "select role, metric, value, lower, upper from figures"
            " where scope = 'mean' and model_kind = ?",
            [kind],
        ).fetchall()
    }
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("role")
    for metric in METRICS[kind]:
        table.add_column(metric, justify="right")
    for role in dict.fromkeys(role for role, _ in figures):
        table.add_row(role, *(_figure(figures.get((role, metric))) for metric in METRICS[kind]))
    console.print(table)
    console.print()


def _figure(figure: tuple[float | None, float | None, float | None] | None) -> str:
    if figure is None or figure[0] is None:
        return "-"
    value, lower, upper = figure
    interval = f"\n{lower:.3f}-{upper:.3f}" if lower is not None and upper is not None else ""
    return f"{value:.4f}{interval}"


if __name__ == "__main__":
    sys.exit(command_line(backtest))
