"""A run's hold on the home: the lock, and its story in the journal.

Dagster starts and ends it with the run's resources, so that it holds for `make run`, schedules,
backfills and the UI alike. Whatever does not end with `published` or `done` is told as failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.errors import HomingError
from pipelines.resources.journal import Ending, Journal
from pipelines.resources.lock import HeldLock, RunLock


@dataclass
class Session:
    """What a step may ask of the run it belongs to.

    Attributes:
        held: the run's lock.
        training: whether this run trains; settled by the step that builds the tables for it.
        version_id: what it published.
        is_done: whether it has reached its end.
        error: why a step of it failed.
    """

    held: HeldLock
    training: bool = False
    version_id: str | None = None
    is_done: bool = False
    error: str | None = None

    def published(self, version_id: str) -> None:
        """Remember that the run reached its end, and with what."""
        self.version_id = version_id
        self.is_done = True

    def done(self) -> None:
        """Remember that a run that publishes nothing reached its end."""
        self.is_done = True

    def failed(self, message: str) -> None:
        """Remember why a step failed; the first reason counts."""
        self.error = self.error or message


@contextmanager
def open_session(
    lock: RunLock,
    journal: Journal,
    *,
    run_id: str,
    as_of: date,
    source: str,
    log: Path,
    actor: str | None = None,
) -> Iterator[Session]:
    """Hold the lock and keep the journal for one run.

    What dbt and Dagster print meanwhile goes to `log`, whoever started the run.

    Raises:
        RunLockedError: another run is at work on this home.
    """
    with lock.acquire(run_id, as_of) as held:
        journal.start(run_id, as_of=as_of, source=source, actor=actor)
        session = Session(held)
        try:
            with log.open("a") as text, redirect_stdout(text):
                yield session
        except HomingError as error:
            session.failed(str(error))
            raise
        finally:
            ending: Ending = "succeeded" if session.is_done else "failed"
            error = None if session.is_done else session.error
            journal.finish(run_id, ending, version_id=session.version_id, error=error)
