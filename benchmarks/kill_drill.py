"""Kills runs at random step boundaries, as `kill -9` does, and checks what readers see then.

After every kill, and after the run that follows it, what is shown must be one complete version:
every Parquet file has the bytes that were published, the databases name the same version, and
every table in them has the rows that were published.

Usage: python -m benchmarks.kill_drill [KILLS] [SEED]
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

from pipelines.resources.publisher import Publisher
from pipelines.resources.version import DATABASE, RESTRICTED_DATABASE, VERSION_TABLE
from pipelines.run import DAILY_STEPS
from pipelines.settings import PROJECT_ROOT

FIRST_DAY = date(2026, 5, 1)
BOUNDARIES = [(step, event) for step in DAILY_STEPS for event in ("STEP_START", "STEP_SUCCESS")]


def _run(home: Path, day: date, *command: str, expected: int) -> float:
    """Seconds that a run took, which must end with the expected status."""
    environment = {
        **os.environ,
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "sample",
        "HOMING_SAMPLE_CUSTOMERS": "500",
        "HOMING_AS_OF": day.isoformat(),
        # So small a company has days without an order, and none is what a stopped export brings.
        "HOMING_ALLOW": "orders_keep_coming",
    }
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode != expected:
        raise AssertionError(
            f"{' '.join(command)} for {day}: status {ended.returncode} instead of {expected}\n"
            f"{ended.stderr}"
        )
    return time.monotonic() - started


def published_day(published: Path) -> date:
    """The day of the one complete version that readers see.

    Args:
        published: the folder of a home that readers look into.

    Raises:
        AssertionError: no complete version is shown, or its files are not all of one version.
    """
    version = Publisher(published).current()
    if version is None:
        raise AssertionError("torn version: none that is complete is shown")
    if damage := version.damage():
        raise AssertionError(f"torn version {version.id}: other bytes in {', '.join(damage)}")
    # The open side by the address that BI tools are given.
    databases = {"open": published / DATABASE, "restricted": version.path / RESTRICTED_DATABASE}
    for side, database in databases.items():
        tables = [name for name, told in version.facts["tables"].items() if told["side"] == side]
        if not tables:
            continue
        with duckdb.connect(str(database), read_only=True) as con:
            stated = con.execute(f"select version_id, as_of from {VERSION_TABLE}").fetchall()
            counts = " union all ".join(f"select '{name}', count(*) from {name}" for name in tables)
            rows = dict(con.execute(counts).fetchall())
        if stated != [(version.id, version.as_of)]:
            raise AssertionError(f"torn version {version.id}: {database.name} states {stated}")
        if other := [name for name in tables if rows[name] != version.rows[name]]:
            raise AssertionError(f"torn version {version.id}: other rows in {', '.join(other)}")
    return version.as_of


def main() -> int:
    """Kill, look, run again, look again."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)  # noqa: PLR2004
    with tempfile.TemporaryDirectory() as folder:
        home, day = Path(folder) / "home", FIRST_DAY
        seconds = _run(home, day, "pipelines.run", expected=0)
        print(f"first run, published {published_day(home / 'published')} ({seconds:.1f} s)")
        for number in range(1, kills + 1):
            step, event = chance.choice(BOUNDARIES)
            before, day = day, day + timedelta(days=1)
            killed = _run(
                home, day, "tests.data.kill_at_step", step, event, expected=-signal.SIGKILL
            )
            seen = published_day(home / "published")
            if seen not in {before, day}:
                raise AssertionError(f"after a kill readers see {seen}")
            again = _run(home, day, "pipelines.run", expected=0)
            if published_day(home / "published") != day:
                raise AssertionError("the run after a kill did not publish")
            print(
                f"{number:>3}  {step} {event}: killed after {killed:.1f} s, readers saw all of "
                f"{seen}; next run published all of {day} ({again:.1f} s)",
                flush=True,
            )
    print(f"{kills} kills, no torn version, every next run completed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
