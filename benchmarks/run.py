"""Times a first day and one more day on a generated company, step by step.

Prints seconds and peak memory of each step (this process and dbt), what the table step costs
beside a hand-written query that makes one pass over the same sorted Parquet, and what one more day
costs.

Usage: python -m benchmarks.run [CUSTOMERS] [LINES_PER_CUSTOMER]; 200,000 and 50 unless given.
Needs Linux.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
from dagster._core.events.log import EventLogEntry
from rich.console import Console

from pipelines import run as runner
from pipelines.settings import Settings
from pipelines.sources.sample import generate

FIRST_DAY, NEXT_DAY = date(2026, 6, 28), date(2026, 6, 29)
SAMPLING_SECONDS = 0.1
MEGABYTE = 1 << 20

# What a person would write for the features that matter most, in one pass over the sorted orders.
ONE_PASS = """
    select
        customer_id,
        count(distinct ordered::date) as order_days,
        min(ordered)::date as first_on,
        max(ordered)::date as last_on,
        sum(amount) as monetary,
        count(*) filter (where ordered > date '2026-06-28' - 30) as orders_30d,
        count(*) filter (where ordered > date '2026-06-28' - 90) as orders_90d,
        count(*) filter (where ordered > date '2026-06-28' - 365) as orders_365d,
        sum(amount) filter (where ordered > date '2026-06-28' - 365) as monetary_365d
    from (
        select
            customer_id,
            try_cast(ordered_at as timestamp) as ordered,
            try_cast(net_amount as decimal(18, 2)) as amount
        from read_parquet('{orders}')
    )
    group by customer_id
"""


@dataclass
class Meter(runner.Progress):
    """Progress that also keeps time, processor time and memory of every step."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    current: str | None = None

    def __call__(self, entry: EventLogEntry) -> None:
        event = entry.dagster_event
        if event is not None and event.step_key in runner.STEPS:
            step, kind = str(event.step_key), event.event_type_value
            if kind == "STEP_START":
                self.current = step
                self.seconds[step], self.cpu[step] = -time.monotonic(), -_cpu_seconds()
            elif kind in {"STEP_SUCCESS", "STEP_FAILURE"}:
                self.current = None
                self.seconds[step] += time.monotonic()
                self.cpu[step] += _cpu_seconds()

    def watch(self, stop: threading.Event) -> None:
        while not stop.wait(SAMPLING_SECONDS):
            if self.current is not None:
                step = self.current
                self.peak[step] = max(self.peak.get(step, 0), _resident_bytes())


def _cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _resident_bytes() -> int:
    """Memory of this process and its children, as the kernel counts it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    total = 0
    for process in ("self", *children):
        try:
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += pages * resource.getpagesize()
    return total


def _measured(home: Path, files: Path, as_of: date) -> Meter:
    # The code location reads the environment, as it does under Dagster's daemon.
    os.environ |= {
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "files",
        "HOMING_FILES_DIR": str(files),
        "HOMING_AS_OF": as_of.isoformat(),
    }
    meter = Meter(Console(quiet=True))
    runner.Progress = lambda _console: meter  # type: ignore[misc,assignment]
    stop = threading.Event()
    watcher = threading.Thread(target=meter.watch, args=(stop,))
    watcher.start()
    try:
        runner.run(Settings.read(), Console(quiet=True))
    finally:
        stop.set()
        watcher.join()
    return meter


def _one_pass(orders: Path) -> float:
    """Processor seconds of the hand-written query, its result materialised."""
    with duckdb.connect(config={"threads": 2}) as con:
        before = _cpu_seconds()
        con.execute(f"create table result as {ONE_PASS.format(orders=orders)}")
        return _cpu_seconds() - before


def _report(title: str, meter: Meter) -> None:
    print(f"\n{title}", flush=True)
    print(f"  {'step':<16}{'seconds':>9}{'cpu':>9}{'peak MB':>9}")
    for step, name in runner.STEPS.items():
        if step in meter.seconds:
            print(
                f"  {name:<16}{meter.seconds[step]:>9.1f}{meter.cpu[step]:>9.1f}"
                f"{meter.peak.get(step, 0) / MEGABYTE:>9.0f}"
            )
    print(f"  {'all':<16}{sum(meter.seconds.values()):>9.1f}{sum(meter.cpu.values()):>9.1f}")


def main() -> int:
    """Generate, run two days, print."""
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
        orders = next((home / "lake" / "orders").glob(f"{FIRST_DAY}.*.parquet"))
        by_hand = _one_pass(orders)
        ratio = first.cpu["tables"] / by_hand
        print(
            f"  tables beside one hand-written pass: {first.cpu['tables']:.1f} / {by_hand:.1f}",
            end="",
        )
        print(f" cpu seconds = {ratio:.1f} (all tables and tests beside one table of nine columns)")
        second = _measured(home, files, NEXT_DAY)
        _report(f"one more day, {NEXT_DAY}", second)
        share = sum(second.seconds.values()) / sum(first.seconds.values())
        print(f"  one more day costs {share:.0%} of the first run")
    return 0


if __name__ == "__main__":
    sys.exit(main())
