"""The one screen that a run ends with, read from the published version as a BI tool would."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from pipelines.resources.publisher import PublishedVersion

# The names that BI tools are built on; a screen has no room for all.
RELIED_ON = (
    "dim_customer", "dim_product", "dim_rep", "dim_date", "fct_orders",
    "customer_lifecycle", "lifecycle_history", "lifecycle_transitions",
    "customer_value", "cohort_retention", "customer_churn_scores", "churn_reasons",
    "retention_list", "retention_list_suppressed", "retention_metrics_monthly", "list_effect",
    "model_evaluations", "quarantine", "row_ledger", "run_log",
)  # fmt: skip
# All of it is meant to fit one screen of some forty lines: each part has its share of them.
_QUARANTINE_HEAD = 4
_SWITCHED_OFF_LINES = 12
# Lists about money: their heads show how customers are weighed against each other. The others are
# counted.
_HEADED = ("save", "win_back")
_HEAD = 3
_METRICS = ("auc", "average_precision", "log_loss", "ece", "lift_at_10")


def _table(console: Console, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float | Decimal) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    console.print(table)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return str(value)


def print_summary(
    version: PublishedVersion,
    console: Console,
    *,
    decision: str,
    known_effects: str,
    warnings: Sequence[str],
    seconds: float,
) -> None:
    """Print what a version holds: rows, stages, lists, the model, and what was left out.

    Args:
        version: the version that the run published or found published.
        console: where to print.
        decision: why the model that is served is served, one sentence.
        known_effects: what is known of what acting does, and from whom, one sentence.
        warnings: what else a person should look at, in sentences.
        seconds: how long the run took, wall clock.
    """
    console.print()
    with duckdb.connect(str(version.database), read_only=True) as con:
        _rows_per_table(console, version)
        _stages(console, con)
        _lists(console, con)
        _lists_off(console, con)
        _model(console, con, decision)
        console.print(known_effects, soft_wrap=True, markup=False)
        console.print()
        _left_out(console, con)
    for warning in warnings:
        console.print(f"Warning: {warning}", soft_wrap=True, markup=False)
    console.print()
    _where(console, version, seconds)


def _rows_per_table(console: Console, version: PublishedVersion) -> None:
    shown = [name for name in RELIED_ON if name in version.rows]
    told = ", ".join(f"{name} {_text(version.rows[name])}" for name in shown)
    console.print(f"Rows per table: {told}")
    if more := version.rows.keys() - set(shown):
        rows = sum(version.rows[name] for name in more)
        console.print(f"and {len(more)} more tables with {_text(rows)} rows: `make docs` lists all")
    console.print()


def _stages(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    rows = con.execute(
        """
        select lifecycle_stage, count(*)::bigint
        from customer_lifecycle
        group by lifecycle_stage
        order by array_position(
            ['prospect', 'new', 'active', 'won_back', 'watch', 'quasi_churned', 'churned'],
            lifecycle_stage
        )
        """
    ).fetchall()
    stages = ", ".join(f"{stage} {_text(customers)}" for stage, customers in rows)
    console.print(f"Customers per stage: {stages}\n")


def _lists(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """How many are on each list, and who comes first on those about money."""
    counts = con.execute(
        """
        select list_code, count(*) filter (where arm = 'treatment')::bigint,
               count(*) filter (where arm = 'control')::bigint
        from retention_list
        group by list_code
        order by list_code
        """
    ).fetchall()
    if not counts:
        [(held,)] = con.execute(
            "select count(distinct customer_id)::bigint from retention_list_suppressed"
            " where list_code <> 'all'"
        ).fetchall()
        console.print(
            f"Nobody is on a list: all {_text(held)} who qualify for one are held back, "
            "retention_list_suppressed says why\n"
            if held
            else "No customer qualifies for a list\n"
        )
        return
    told = ", ".join(
        f"{code} {_text(treated)}" + (f" + {_text(held_out)}" if held_out else "")
        for code, treated, held_out in counts
    )
    console.print(f"Customers to contact per list, + held out: {told}", markup=False)
    _addresses_not_delivered(console, con)
    heads = con.execute(
        """
        select list_code, customer_id, lifecycle_stage, priority, reason_code, plan_code
        from retention_list
        where arm = 'treatment' and list_code in $headed
        qualify row_number() over (partition by list_code order by rank) <= $head
        order by list_code, rank
        """,
        {"headed": list(_HEADED), "head": _HEAD},
    ).fetchall()
    if heads:
        [(home,)] = con.execute(
            "select coalesce(' ' || any_value(currency), '') from currency_rates where is_home"
        ).fetchall()
        gain = f"expected profit{home}"
        _table(console, ["first on", "customer", "stage", gain, "reason", "plan"], heads)
    console.print()


def _addresses_not_delivered(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """Where a caller finds whom to call if the source keeps addresses and numbers to itself."""
    [(tasks,)] = con.execute(
        "select count(*)::bigint from retention_list"
        " where arm = 'treatment' and is_reachable is null"
    ).fetchall()
    if tasks:
        console.print(
            f"No address or number delivered for {_text(tasks)} of them: work from "
            "restricted/channel_export and look each customer_id up in your own system; "
            "those held out are not in it",
            soft_wrap=True,
            markup=False,
        )


def _lists_off(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """The lists nobody can be on, for want of what they are made of, on one line."""
    off = con.execute(
        """
        with lacking as (
            select list_code, need_no,
                   string_agg(table_name || '.' || column_name, ' or ' order by table_name) as need
            from list_needs
            where not is_met
            group by all
        )
        select list_code, string_agg(need, ', ' order by need_no)
        from lacking
        group by list_code
        order by list_code
        """
    ).fetchall()
    if off:
        told = "; ".join(f"{code} (no {need})" for code, need in off)
        console.print(f"Lists off, since not delivered: {told}\n", soft_wrap=True, markup=False)


def _model(console: Console, con: duckdb.DuckDBPyConnection, decision: str) -> None:
    served = con.execute(
        "select any_value(score_kind), any_value(model_version), count(*)"
        " from customer_churn_scores"
    ).fetchone()
    rows = con.execute(
        f"""
        pivot (
            select role, metric, value::double as value from model_evaluations
            where model_kind = 'churn'
        )
        on metric in {_METRICS} using any_value(value) group by role order by auc desc nulls last
        """
    ).fetchall()
    if rows:
        _table(console, ["out of time", *_METRICS], rows)
    if served and served[0]:
        console.print(f"Served: {served[0]} {served[1]} for {_text(served[2])} customers")
        console.print(f"  {decision}", soft_wrap=True, markup=False)
        _alerts(console, con)


def _alerts(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """What a person should do about the model, on one line; nothing on a day without anything."""
    messages = [m for (m,) in con.execute(
        "select message from model_alerts order by alert, subject, model_kind"
    ).fetchall()]  # fmt: skip
    if messages:
        more = f" (and {len(messages) - 1} more: table model_alerts)" if len(messages) > 1 else ""
        console.print(f"  Warning: {messages[0]}{more}", soft_wrap=True, markup=False)


def _left_out(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    quarantined = con.execute(
        """
        select
            table_name, rule, count(*)::bigint,
            count(*) filter (where batch_as_of < (select max(as_of) from row_ledger))::bigint,
            string_agg(distinct code, ', ' order by code)
        from quarantine
        where not is_mended
        group by table_name, rule
        order by 3 desc, 1, 2
        """
    ).fetchall()
    if quarantined:
        total, earlier = (sum(row[at] for row in quarantined) for at in (2, 3))
        of_before = f", {_text(earlier)} of them delivered on earlier days" if earlier else ""
        head = [
            f"{table} {rule} {_text(rows)}" + (f" ({codes})" if codes else "")
            for table, rule, rows, _, codes in quarantined[:_QUARANTINE_HEAD]
        ]
        if more := len(quarantined) - len(head):
            head.append(f"and by {more} more rules, see table quarantine")
        told = ", ".join(head)
        console.print(f"Quarantined: {_text(total)} rows{of_before}: {told}", markup=False)
    mended = con.execute("select count(*)::bigint from quarantine where is_mended").fetchone()
    if mended and mended[0]:
        console.print(f"Quarantined before and mended since by a later row: {_text(mended[0])}")
    repeats = con.execute(
        """
        select table_name || ' ' || format('{:,}', sum(duplicate)::bigint)
        from row_ledger
        group by table_name
        having sum(duplicate) > 0
        order by table_name
        """
    ).fetchall()
    if repeats:
        console.print(
            f"Exact repeats left out: {', '.join(text for (text,) in repeats)}",
            soft_wrap=True,
            markup=False,
        )
    extra = con.execute(
        """
        select table_name || ': ' || string_agg(column_name, ', ' order by column_name)
        from source_inventory
        where kind = 'extra'
        group by table_name
        order by table_name
        """
    ).fetchall()
    if extra:
        console.print(
            f"Kept in the lake, read by no table: {'; '.join(text for (text,) in extra)}",
            soft_wrap=True,
            markup=False,
        )
    illustrative = con.execute(
        """
        select string_agg(distinct currency, ', ' order by currency)
        from fct_orders
        semi join (from currency_rates where is_illustrative) using (currency)
        """
    ).fetchone()
    if illustrative and illustrative[0]:
        console.print(
            f"Warning: {illustrative[0]} converted by the illustrative rates of the seed "
            "exchange_rates; put your own into dbt_project/seeds/exchange_rates.csv",
            soft_wrap=True,
            markup=False,
        )
    _switched_off(console, con)


def _switched_off(console: Console, con: duckdb.DuckDBPyConnection) -> None:
    """One entry a table, as many as there is room for; the rest by name."""
    off = con.execute(
        """
        with reasons as (
            select table_name, switched_off_what as what, min(position) as first_position,
                   string_agg(column_name, ', ' order by position) as columns
            from source_inventory
            where not given and switched_off_what is not null
            group by all
        ),
        delivered as (
            select table_name, bool_or(given) as is_delivered
            from source_inventory
            where kind = 'contract'
            group by table_name
        )
        select table_name, any_value(is_delivered),
               string_agg(case when is_delivered then 'without ' || columns || ': ' else '' end
                          || what, '; ' order by first_position)
        from reasons
        join delivered using (table_name)
        group by table_name
        -- that nobody was asked for consent is to be read first
        order by 2 desc, table_name <> 'consents', 1
        """
    ).fetchall()
    if not off:
        return
    lines: list[str] = []
    left: list[str] = []
    room = _SWITCHED_OFF_LINES - 2
    for table, is_delivered, what in off:
        folded = textwrap.wrap(
            f"{table} {what}" if is_delivered else f"{table}: {what}",
            console.width,
            subsequent_indent="  ",
        )
        if left or len(lines) + len(folded) > room:
            left.append(table)
        else:
            lines += folded
    if left:
        rest = f"and {len(left)} more tables, see table source_inventory: {', '.join(left)}"
        lines += textwrap.wrap(rest, console.width, subsequent_indent="  ")
    console.print("Switched off, since not delivered")
    console.print("\n".join(lines), markup=False, no_wrap=True)


def _where(console: Console, version: PublishedVersion, seconds: float) -> None:
    console.print(f"Published {version.id} in {seconds:.0f} s")
    published = version.path.parent.parent
    is_current = (published / "current").resolve() == version.path.resolve()
    # The address that stays the same from day to day, for the version that it shows.
    database = published / version.database.name if is_current else version.database
    console.print(f"  {_relative(database)}", soft_wrap=True)
    if not is_current:
        shown = (published / "current").resolve().name
        console.print(
            f"Readers still get {shown}, of a later day: this version stands beside it. To show "
            f"it to them: .venv/bin/python -m pipelines.rollback {version.id}",
            soft_wrap=True,
        )
    console.print("Next: open that file in your BI tool, or `make serve` for the UI")


def _relative(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
