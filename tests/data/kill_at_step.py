"""Runs the daily job and kills this process, as `kill -9` does, when a step begins or has ended.

Usage: python -m tests.data.kill_at_step STEP [STEP_START | STEP_SUCCESS]
"""

from __future__ import annotations

import os
import signal
import sys

from dagster._core.events.log import EventLogEntry

from pipelines import run


class Killer(run.Progress):
    """Progress that ends the process at one event."""

    def __call__(self, entry: EventLogEntry) -> None:
        event = entry.dagster_event
        if event and (event.step_key, event.event_type_value) == (STEP, EVENT):
            os.kill(os.getpid(), signal.SIGKILL)
        super().__call__(entry)


if __name__ == "__main__":
    STEP = sys.argv[1]
    EVENT = sys.argv[2] if len(sys.argv) > 2 else "STEP_START"
    run.Progress = Killer
    sys.exit(run.main())
