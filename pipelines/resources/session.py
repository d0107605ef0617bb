"""A run's hold on the home: the lock, and its story in the journal.

Dagster starts and ends it with the run's resources, so that it holds for `make run`, schedules,
backfills and the UI alike. Whatever does not end with `published` or `done` is told as failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

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
    """

    held: HeldLock
    training: bool = False
    version_id: str | None = None
    is_done: bool = False

    def published(self, version_id: str) -> None:
        """Remember that the run reached its end, and with what."""
        self.version_id = version_id
        self.is_done = True

    def done(self) -> None:
        """Remember that a run that publishes nothing reached its end."""
        self.is_done = True


@contextmanager
def open_session(
    lock: RunLock,
    journal: Journal,
    *,
    run_id: str,
    as_of: date,
    source: str,
    actor: str | None = None,
) -> Iterator[Session]:
    """Hold the lock and keep the journal for one run.

    Raises:
        RunLockedError: another run is at work on this home.
    """
    with lock.acquire(run_id, as_of) as held:
        journal.start(run_id, as_of=as_of, source=source, actor=actor)
        session = Session(held)
        try:
            yield session
        finally:
            ending: Ending = "succeeded" if session.is_done else "failed"
            journal.finish(run_id, ending, version_id=session.version_id)
