"""`make run`: the daily job for one day in this process, with progress and a summary.

Exit status is 0 only when a version was published (or was published before, from the same
inputs). A user error is one message, without a traceback; the old version still stands.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from pipelines.errors import HomingError, SettingsError
from pipelines.messages.failure import errors_of, failure_message, was_interrupted
from pipelines.resources.publisher import PublishedVersion, Publisher
from pipelines.runtime.instance import open_instance
from pipelines.runtime.process import collect_rarely, leave
from pipelines.settings import Settings
from pipelines.sources import connectors, latest_day, offered_tables

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.events.log import EventLogEntry

# What each step is called on the terminal, in the order of the way.
DAILY_STEPS = {
    "extract": "extract",
    "arrival": "check arrival",
    "tables": "build tables",
    "features": "check features",
    "train": "train",
    "train_forecasts": "train forecasts",
    "score": "score",
    "score_outlook": "look ahead",
    "monitor": "watch the model",
    "effects": "learn effects",
    "retention": "build lists",
    "outputs": "check outputs",
    "published__version": "publish",
}
STEPS = {**DAILY_STEPS, "feedback__backtests": "backtest"}

# Of these the summary tells in figures: rows in quarantine, what was not delivered, alerts.
SAID_BY_SUMMARY = {
    "few_rows_were_quarantined",
    "columns_hold_values",
    "nothing_to_do_about_the_model",
}

LINE_WIDTH = 120  # where the output is not a terminal, which would tell its own


@dataclass
class Progress:
    """Turns Dagster's events into one calm line a step."""

    console: Console
    started: dict[str, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    new: int = 0
    later: int = 0
    status: object | None = None

    def __call__(self, entry: EventLogEntry) -> None:
        """Take one event of the run."""
        event = entry.dagster_event
        if event is None and entry.step_key in self.started and entry.user_message:
            self._say(entry.step_key, entry.user_message)
        if event is None or event.step_key is None or event.step_key not in STEPS:
            return
        step, kind = event.step_key, event.event_type_value
        if kind == "STEP_START":
            self.started[step] = time.monotonic()
            self.done[step] = 0
            self._say(step)
        elif kind == "ASSET_MATERIALIZATION":
            told = event.step_materialization_data.materialization.metadata
            # A table that the source does not have is an asset all the same, of no rows.
            if "is_given" not in told or told["is_given"].value:
                self.done[step] += 1
            if "rows_new" in told:
                self.new += told["rows_new"].value
                self.later += told["rows_of_later_days"].value
        elif kind in {"STEP_SUCCESS", "STEP_FAILURE"}:
            self._stop()
            seconds = time.monotonic() - self.started[step]
            done = self.done[step]
            tables = f"{done:>4} table{'s' * (done != 1)}" if done else ""
            if tables and step == "extract":
                tables += f", {self.new:,} new rows"
                tables += f"; {self.later:,} rows of later days wait" if self.later else ""
            mark = "[green]ok[/]" if kind == "STEP_SUCCESS" else "[red]failed[/]"
            self.console.print(f"  {STEPS[step]:<16} {mark:<12} {seconds:6.1f} s {tables}")

    def _say(self, step: str, message: str = "") -> None:
        if not self.console.is_terminal:
            return
        text = f"{STEPS[step]}: {message or '...'}"
        if self.status is None:
            self.status = self.console.status(text)
            self.status.start()
        else:
            self.status.update(text)

    def _stop(self) -> None:
        if self.status is not None:
            self.status.stop()
            self.status = None


def resolve_as_of(settings: Settings, console: Console) -> date:
    """The day to run for: the one that was asked for, or the last one that orders lead up to."""
    if settings.as_of == "latest":
        day, alone = latest_day(
            [day for connector in connectors(settings) for day in connector.order_days()]
        )
        if alone:
            console.print(
                f"Orders of {', '.join(map(str, alone))} wait: alone, and so long after {day}, "
                f"they look mistyped. If they are right: HOMING_AS_OF={alone[-1]}"
            )
        return day
    today = datetime.now(settings.zone).date()
    if not settings.first_day <= settings.as_of <= today:
        raise SettingsError(
            f"HOMING_AS_OF: expected a day from {settings.first_day} (HOMING_FIRST_DAY) to "
            f"{today}; found {settings.as_of}"
        )
    return settings.as_of


def run(settings: Settings, console: Console) -> int:
    """Run the daily job for one day and say what came of it.

    Returns:
        The exit status.

    Raises:
        HomingError: the run could not start, or stopped at something a user can mend; the message
            ends with what is published all the same.
    """
    try:
        return _run(settings, console)
    except HomingError as error:
        there = Publisher(settings.published).current()
        standing = f"Still published: {there.id}" if there else "Nothing is published yet."
        raise HomingError(f"{error}\n{standing}") from error


def _run(settings: Settings, console: Console) -> int:
    started = time.monotonic()
    settings.export()
    console.print(f"Homing: source {', '.join(settings.source)}, home {settings.home}")
    as_of = resolve_as_of(settings, console)
    # A source that cannot be used leaves no empty home behind.
    offered_tables(connectors(settings))
    settings.prepare_home()
    console.print(f"as of {as_of}")

    from pipelines.messages.summary import print_summary

    result = execute("daily", settings, as_of, console)
    version = published_version(settings, result)
    trained, acting, published = (
        result.asset_materializations_for_node(step)[0].metadata
        for step in ("train", "effects", "published__version")
    )
    print_summary(
        version,
        console,
        decision=str(trained["decision"].value),
        known_effects=str(acting["known"].value),
        warnings=[
            *warned(result.get_asset_check_evaluations()),
            *(f"versions lost: {lost.value}" for lost in [published.get("forgotten")] if lost),
        ],
        seconds=time.monotonic() - started,
    )
    return 0


def warned(checks: Iterable[dg.AssetCheckEvaluation]) -> list[str]:
    """What checks that did not pass have to say, but for what the summary tells by itself."""
    return [
        check.description or check.check_name
        for check in checks
        if not check.passed and check.check_name not in SAID_BY_SUMMARY
    ]


def execute(
    job: str, settings: Settings, as_of: date, console: Console
) -> dg.ExecuteInProcessResult:
    """Execute a job for one day in this process, with a line a step.

    Raises:
        HomingError: it failed.
        KeyboardInterrupt: it was interrupted.
    """
    collect_rarely()
    from pipelines.definitions import defs

    run_id = str(uuid.uuid4())
    with open_instance(settings) as instance:
        instance.add_event_listener(run_id, Progress(console))
        result = (
            defs()
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                partition_key=as_of.isoformat(),
                run_id=run_id,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        )
    if not result.success:
        errors = errors_of(result.all_events)
        if was_interrupted(errors):
            raise KeyboardInterrupt
        raise HomingError(failure_message(errors, trace=settings.trace_of(run_id)))
    return result


def published_version(settings: Settings, result: dg.ExecuteInProcessResult) -> PublishedVersion:
    """The version that the run published or found published."""
    materialized = result.asset_materializations_for_node("published__version")[0]
    publisher = Publisher(settings.published)
    wanted = str(materialized.metadata["version"].value)
    return next(version for version in publisher.versions() if version.id == wanted)


def command_line(command: Callable[[Settings, Console], int]) -> int:
    """Call a command with the settings and a console; what a user can mend is one message.

    Returns:
        The exit status: the command's own, 1, or 130 when it was interrupted, as shells say it.
    """
    # The stream as it is now: a run sends what its tools print into the log.
    console = Console(
        file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else LINE_WIDTH
    )
    try:
        return command(Settings.read(), console)
    except HomingError as error:
        Console(stderr=True, highlight=False).print(
            f"\n[red]Stopped:[/] {escape(str(error))}", soft_wrap=True
        )
        return 1
    except KeyboardInterrupt:
        Console(stderr=True, highlight=False).print(
            "\n[red]Stopped:[/] interrupted; what was published before, if anything, still stands. "
            "Run again: nothing has to be cleaned up.",
            soft_wrap=True,
        )
        return 130


def main() -> int:
    """The command line of `make run`."""
    return command_line(run)


if __name__ == "__main__":
    leave(main())
