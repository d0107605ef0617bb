"""`make run`: the daily job for one day in this process, with progress and a summary.

Exit status is 0 only when a version was published (or was published before, from the same
inputs). A user error is one message, without a traceback; the old version still stands.
"""

from __future__ import annotations

import sys
import time
import uuid
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.errors import HomingError
from pipelines.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.events.log import EventLogEntry

# What each step is called on the terminal, in the order of the way.
STEPS = {
    "extract": "extract",
    "arrival": "check arrival",
    "tables": "build tables",
    "features": "check features",
    "train": "train",
    "score": "score",
    "retention": "build lists",
    "outputs": "check outputs",
    "publish": "publish",
}


@dataclass
class Progress:
    """Turns Dagster's events into one calm line a step."""

    console: Console
    started: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    status: object | None = None

    def __call__(self, entry: EventLogEntry) -> None:
        """Take one event of the run."""
        event = entry.dagster_event
        if event is None or event.step_key is None or event.step_key not in STEPS:
            return
        step, kind = event.step_key, event.event_type_value
        if kind == "STEP_START":
            self.started[step] = time.monotonic()
            self.done[step] = 0
            self._say(step)
        elif kind == "ASSET_MATERIALIZATION":
            self.done[step] += 1
            self._say(step)
        elif kind in {"STEP_SUCCESS", "STEP_FAILURE"}:
            self._stop()
            seconds = time.monotonic() - self.started[step]
            tables = f"{self.done[step]:>4} tables" if self.done[step] else ""
            mark = "[green]ok[/]" if kind == "STEP_SUCCESS" else "[red]failed[/]"
            self.console.print(f"  {STEPS[step]:<16} {mark:<12} {seconds:6.1f} s {tables}")

    def _say(self, step: str) -> None:
        if not self.console.is_terminal:
            return
        text = f"{STEPS[step]} ... {self.done[step] or ''}"
        if self.status is None:
            self.status = self.console.status(text)
            self.status.start()
        else:
            self.status.update(text)

    def _stop(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None


def resolve_as_of(settings: Settings) -> date:
    """The day to run for: the one that was asked for, or the last day with an order."""
    from pipelines.sources import connectors

    if settings.as_of != "latest":
        return settings.as_of
    return max(connector.latest_day() for connector in connectors(settings))


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """Dagster's storage in the home folder, with the instance settings of this repository."""
    import dagster as dg

    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    target = settings.dagster_home / "dagster.yaml"
    wanted = (PROJECT_ROOT / "dagster.yaml").read_bytes()
    if not target.exists() or target.read_bytes() != wanted:
        target.write_bytes(wanted)
    return dg.DagsterInstance.from_config(str(settings.dagster_home))


def run(settings: Settings, console: Console) -> int:
    """Run the daily job for one day and say what came of it.

    Returns:
        The exit status.

    Raises:
        HomingError: the run could not start, or stopped at something a user can mend.
    """
    started = time.monotonic()
    settings.prepare_home()
    settings.export()
    console.print(f"Homing: source {', '.join(settings.source)}, home {settings.home}")
    as_of = resolve_as_of(settings)
    console.print(f"as of {as_of}")

    from pipelines.definitions import defs
    from pipelines.summary import print_summary

    run_id = str(uuid.uuid4())
    with dagster_instance(settings) as instance:
        instance.add_event_listener(run_id, Progress(console))
        result = defs().resolve_job_def("daily").execute_in_process(
            instance=instance,
            partition_key=as_of.isoformat(),
            run_id=run_id,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if not result.success:
        raise HomingError(failure_message(result))
    print_summary(settings, as_of, console, seconds=time.monotonic() - started)
    return 0


def failure_message(result: dg.ExecuteInProcessResult) -> str:
    """The message of what stopped a run: a user error as it was written, else the chain."""
    raise NotImplementedError


def main() -> int:
    """The command line."""
    console = Console(highlight=False)
    try:
        return run(Settings.read(), console)
    except HomingError as error:
        Console(stderr=True, highlight=False).print(f"\n[red]Stopped:[/] {error}", soft_wrap=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
