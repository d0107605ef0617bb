"""Why a run failed, in one message: the same on the terminal, in the journal and in an alert.

Here: reading the errors that Dagster keeps as text. Not here: what is said of tables that failed
(failed_tables.py), and where a message goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import HomingError

if TYPE_CHECKING:
    from dagster import DagsterEvent
    from dagster._utils.error import SerializableErrorInfo


def errors_of(events: Iterable[DagsterEvent]) -> list[SerializableErrorInfo]:
    """The errors of a run's events, in their order."""
    failures = (event.event_specific_data for event in events if event.is_failure)
    found = (getattr(failure, "error", None) for failure in failures)
    return [error for error in found if error is not None]


def was_interrupted(errors: Iterable[SerializableErrorInfo]) -> bool:
    """Whether somebody stopped the run, rather than something in it."""
    return any(
        error.cls_name in {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
        for error in _with_causes(errors)
    )


def failure_message(errors: Iterable[SerializableErrorInfo], *, trace: Path) -> str:
    """Why a run stopped, in one message.

    An error that a user can mend speaks for itself. Anything else is a defect: its traceback goes
    to a file, since it may quote data.

    Args:
        errors: what was raised, first to last.
        trace: file to be written for a defect.
    """
    errors = list(errors)
    if was_interrupted(errors):
        return "interrupted; run again, nothing has to be cleaned up"
    # A step that must not be tried again raises Dagster's own, with the message in it.
    meant_for_users = {*_names_of(HomingError), "Failure"}
    for error in _with_causes(errors):
        if error.cls_name in meant_for_users:
            # Python writes an error as `module.Class: message`, or without a colon if it is empty.
            return re.sub(rf"^[\w.]*\b{error.cls_name}(: |$)", "", error.message.strip()).strip()
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.write_text("\n".join(error.to_string() for error in _with_causes(errors)))
    return f"the run failed in a way that should not happen; please report {trace}"


def _with_causes(errors: Iterable[SerializableErrorInfo]) -> Iterator[SerializableErrorInfo]:
    for error in errors:
        cause: SerializableErrorInfo | None = error
        while cause is not None:
            yield cause
            cause = cause.cause


def _names_of(kind: type[BaseException]) -> set[str]:
    """The names of an error and of all that are derived from it: events carry errors as text."""
    return {kind.__name__}.union(*map(_names_of, kind.__subclasses__()))
