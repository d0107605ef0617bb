"""Kills runs at random step boundaries, as `kill -9` does, and checks what readers see then.

Usage: python -m benchmarks.kill_drill [KILLS] [SEED]
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb

from pipelines.run import STEPS
from pipelines.settings import PROJECT_ROOT

FIRST_DAY = date(2026, 5, 1)
BOUNDARIES = [(step, event) for step in STEPS for event in ("STEP_START", "STEP_SUCCESS")]


def _run(home: Path, day: date, *command: str) -> int:
    environment = {
        **os.environ,
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "sample",
        "HOMING_SAMPLE_CUSTOMERS": "500",
        "HOMING_AS_OF": day.isoformat(),
    }
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def published_day(home: Path) -> str:
    """The one day that every table of the published file speaks for."""
    with duckdb.connect(str(home / "published" / "homing.duckdb"), read_only=True) as con:
        days = con.execute(
            "select distinct as_of_date::varchar from retention_list"
            " union select max(as_of_date)::varchar from run_log"
        ).fetchall()
    if len(days) != 1:
        raise AssertionError(f"torn version: tables speak for {days}")
    return str(days[0][0])


def main() -> int:
    """Kill, look, run again, look again."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)  # noqa: PLR2004
    with tempfile.TemporaryDirectory() as folder:
        home, day = Path(folder) / "home", FIRST_DAY
        if _run(home, day, "pipelines.run") != 0:
            raise AssertionError("the first run failed")
        for number in range(1, kills + 1):
            step, event = chance.choice(BOUNDARIES)
            before, day = day, day + timedelta(days=1)
            status = _run(home, day, "tests.data.kill_at_step", step, event)
            if status != -signal.SIGKILL:
                raise AssertionError(f"the run was not killed at {step} {event}: status {status}")
            seen = published_day(home)
            if seen not in {before.isoformat(), day.isoformat()}:
                raise AssertionError(f"after a kill readers see {seen}")
            if _run(home, day, "pipelines.run") != 0:
                raise AssertionError(f"the run after a kill at {step} {event} failed")
            if published_day(home) != day.isoformat():
                raise AssertionError("the run after a kill did not publish")
            print(
                f"{number:>3}  {step} {event}: readers saw {seen}, next run published {day}",
                flush=True,
            )
    print(f"{kills} kills, no torn version, every next run completed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
