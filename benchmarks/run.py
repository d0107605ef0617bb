"""Times a first day and one more day on a generated company, step by step.

Each day runs in a process of its own, as `make run` does, so that start-up and imports count for
both alike; seconds, processor time and peak memory are those of that process and its children.
Beside it stands a hand-written query that reads the same sorted Parquet of orders and order items
once.

Usage: python -m benchmarks.run [CUSTOMERS] [LINES_PER_CUSTOMER]; 200,000 and 50 unless given.
Needs Linux.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
from dagster._core.events.log import EventLogEntry
from rich.console import Console

from pipelines import run as runner
from pipelines.settings import PROJECT_ROOT, Settings
from pipelines.tables.dbt import manifest

FIRST_DAY, NEXT_DAY = date(2026, 6, 28), date(2026, 6, 29)
ONE_DAY = "--one-day"
START, BETWEEN = "start", "between"  # what a run does outside its steps
PHASES = {START: "start-up, imports", **runner.DAILY_STEPS, BETWEEN: "between, summary"}
SAMPLING_SECONDS = 0.1
MEGABYTE = 1 << 20

# The last table whose content the hand-written query has, too; it and what it is made of.
COMPARED = "int_features_purchases"

# What a person would write for the purchase features of one day: lines to orders to customers.
ONE_PASS = """
    with items as (
        select
            order_id,
            count(*) as lines,
            count(distinct product_id) as products,
            sum(try_cast(quantity as decimal(18, 3))) as quantity,
            sum(try_cast(quantity as decimal(18, 3)) * try_cast(unit_price as decimal(18, 4)))
                as listed_amount,
            sum(try_cast(discount_amount as decimal(18, 2))) as discount_amount
        from read_parquet('{order_items}')
        group by order_id
    ),

    orders as (
        select
            order_id,
            customer_id,
            try_cast(ordered_at as timestamp)::date as ordered_on,
            try_cast(net_amount as decimal(18, 2)) as amount
        from read_parquet('{orders}')
        where status = 'completed'
    )

    select
        customer_id,
        count(distinct ordered_on) as order_days,
        min(ordered_on) as first_on,
        max(ordered_on) as last_on,
        sum(amount) as monetary,
        count(*) filter (where ordered_on > date '{as_of}' - 30) as orders_30d,
        count(*) filter (where ordered_on > date '{as_of}' - 90) as orders_90d,
        count(*) filter (where ordered_on > date '{as_of}' - 365) as orders_365d,
        sum(amount) filter (where ordered_on > date '{as_of}' - 365) as monetary_365d,
        sum(lines) as lines,
        max(products) as most_products,
        sum(quantity) filter (where ordered_on > date '{as_of}' - 365) as quantity_365d,
        sum(listed_amount) filter (where ordered_on > date '{as_of}' - 365) as listed_amount_365d,
        sum(discount_amount) filter (where ordered_on > date '{as_of}' - 365) as discount_365d
    from orders
    left join items using (order_id)
    group by customer_id
"""


class Teller(runner.Progress):
    """Progress that tells the process that measures in which phase the run is."""

    def __call__(self, entry: EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.step_key in runner.DAILY_STEPS:
            if event.event_type_value == "STEP_START":
                self._tell(str(event.step_key))
            elif event.event_type_value in {"STEP_SUCCESS", "STEP_FAILURE"}:
                self._tell(BETWEEN)

    @staticmethod
    def _tell(phase: str) -> None:
        # Not sys.stdout: a run sends that into its log.
        print(json.dumps([phase, _cpu_seconds()]), file=sys.__stdout__, flush=True)


@dataclass
class Day:
    """What one run cost, by phase: wall clock, processor seconds, peak bytes."""

    seconds: Counter[str] = field(default_factory=Counter)
    cpu: Counter[str] = field(default_factory=Counter)
    peak: dict[str, int] = field(default_factory=dict)
    phase: str = START
    compared_seconds: float = 0.0

    def share_of(self, other: Day, *, without: tuple[str, ...] = ()) -> float:
        """Its seconds over another's, some phases left out of both."""
        mine, others = (
            sum(seconds for phase, seconds in day.seconds.items() if phase not in without)
            for day in (self, other)
        )
        return mine / others

    def watch(self, process: int, stop: threading.Event) -> None:
        while not stop.wait(SAMPLING_SECONDS):
            phase = self.phase
            self.peak[phase] = max(self.peak.get(phase, 0), _resident_bytes(process))


def _cpu_seconds(*, of_children: bool = False) -> float:
    """Processor time of this process and of its children that have ended, or of these alone."""
    whose = [resource.RUSAGE_CHILDREN, *([] if of_children else [resource.RUSAGE_SELF])]
    used = map(resource.getrusage, whose)
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _resident_bytes(process: int) -> int:
    """Memory of a process and of all that descend from it, as the kernel counts it."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = [
            int(child)
            for thread in Path(f"/proc/{process}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return 0
    return pages * resource.getpagesize() + sum(map(_resident_bytes, children))


def _measured(home: Path, files: Path, as_of: date) -> Day:
    environment = {
        **os.environ,
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "files",
        "HOMING_FILES_DIR": str(files),
        "HOMING_AS_OF": as_of.isoformat(),
    }
    day, stop = Day(), threading.Event()
    used_before = _cpu_seconds(of_children=True)
    began, cpu = time.monotonic(), 0.0

    def end_phase(cpu_now: float) -> None:
        nonlocal began, cpu
        now = time.monotonic()
        day.seconds[day.phase] += now - began
        day.cpu[day.phase] += cpu_now - cpu
        began, cpu = now, cpu_now

    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.run", ONE_DAY],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        watcher = threading.Thread(target=day.watch, args=(process.pid, stop))
        watcher.start()
        try:
            for line in process.stdout or ():
                phase, cpu_now = json.loads(line)
                end_phase(cpu_now)
                if day.phase == "tables":
                    day.compared_seconds = compared_seconds(manifest(), home / "dbt")
                day.phase = phase
            status = process.wait()
        finally:
            stop.set()
            watcher.join()
    end_phase(_cpu_seconds(of_children=True) - used_before)
    if status:
        raise RuntimeError(f"the run of {as_of} ended with status {status}; it said why above")
    return day


def compared_seconds(manifest: Mapping[str, Any], target: Path) -> float:
    """Seconds in which dbt worked on the compared table or on what it is made of.

    Args:
        manifest: the project, as dbt has parsed it.
        target: where the run's dbt wrote what it measured.
    """
    [wanted] = [id for id, node in manifest["nodes"].items() if node["name"] == COMPARED]
    nodes, found = [wanted], {wanted}
    while nodes:
        new = set(manifest["parent_map"][nodes.pop()]) & manifest["nodes"].keys() - found
        nodes.extend(new)
        found |= new
    results = json.loads((target / "run_results.json").read_bytes())["results"]
    spans = sorted(
        tuple(datetime.fromisoformat(part[edge]) for edge in ("started_at", "completed_at"))
        for result in results
        if result["unique_id"] in found
        for part in result["timing"]
    )
    seconds, until = 0.0, spans[0][0]
    for start, end in spans:  # two at a time: what overlaps counts once
        seconds += max((end - max(start, until)).total_seconds(), 0.0)
        until = max(until, end)
    return seconds


def _one_pass(lake: Path, as_of: date) -> tuple[float, float]:
    """Wall clock and processor seconds of the hand-written query, its result materialised."""
    files = {
        table: next((lake / table).glob(f"{as_of}.*.parquet"))
        for table in ("orders", "order_items")
    }
    with duckdb.connect(config={"threads": 2}) as con:
        wall, cpu = time.monotonic(), _cpu_seconds()
        con.execute(f"create table result as {ONE_PASS.format(**files, as_of=as_of)}")
        return time.monotonic() - wall, _cpu_seconds() - cpu


def _report(title: str, day: Day) -> None:
    print(f"\n{title}")
    print(f"  {'step':<20}{'seconds':>9}{'cpu':>9}{'peak MB':>9}")
    for phase, name in PHASES.items():
        peak = day.peak.get(phase, 0) / MEGABYTE
        print(f"  {name:<20}{day.seconds[phase]:>9.1f}{day.cpu[phase]:>9.1f}{peak:>9.0f}")
    peak = max(day.peak.values()) / MEGABYTE
    print(
        f"  {'all':<20}{day.seconds.total():>9.1f}{day.cpu.total():>9.1f}{peak:>9.0f}", flush=True
    )


def _report_one_pass(days: dict[str, Day], wall: float, cpu: float) -> None:
    print(f"\nbeside one hand-written pass over orders and items ({wall:.2f} s, {cpu:.2f} cpu s)")
    for title, day in days.items():
        print(
            f"  {title}: all tables and tests {day.cpu['tables'] / cpu:.1f} times its cpu "
            f"({day.cpu['tables']:.1f} s); staging to {COMPARED} alone "
            f"{day.compared_seconds / wall:.1f} times its wall clock ({day.compared_seconds:.1f} s)"
        )
    print("  the first day makes them for every snapshot of training, the pass for one day")


def one_day() -> int:
    """Run the day that the environment names, and tell the phases on standard output."""
    runner.Progress = Teller  # type: ignore[misc]
    return runner.run(Settings.read(), Console(quiet=True))


def main() -> int:
    """Generate, run two days, print."""
    # Here, so that a measured run does not import what generates.
    from pipelines.sources.sample import generate  # noqa: PLC0415

    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    lines = float(sys.argv[2]) if len(sys.argv) > 2 else 50.0  # noqa: PLR2004
    with tempfile.TemporaryDirectory() as folder:
        files, home = Path(folder) / "files", Path(folder) / "home"
        print(
            f"generating {customers:,} customers, {customers * lines:,.0f} order lines ...",
            flush=True,
        )
        generate(
            files,
            Path(folder) / "truth",
            customers=customers,
            lines_per_customer=lines,
            defect_rate=0.0,  # columns keep their types, as in a database's export
        )
        first = _measured(home, files, FIRST_DAY)
        _report(f"first day, {FIRST_DAY}", first)
        wall, cpu = _one_pass(home / "lake", FIRST_DAY)
        second = _measured(home, files, NEXT_DAY)
        _report(f"one more day, {NEXT_DAY}", second)
        _report_one_pass({"first day": first, "one more day": second}, wall, cpu)
        print(
            f"one more day costs {second.share_of(first):.0%} of the first run; it does not train "
            "(that is due weekly).\n"
            f"without the step train in either: {second.share_of(first, without=('train',)):.0%}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(one_day() if sys.argv[1:] == [ONE_DAY] else main())
