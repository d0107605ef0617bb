"""Dagster's own storage, kept in the home folder with this repository's instance settings."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from pipelines.durable import write_atomically
from pipelines.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg

_kept_open: dict[str, sqlite3.Connection] = {}


def prepare_instance(settings: Settings) -> None:
    """Put `dagster.yaml` where Dagster looks for it."""
    wanted = (PROJECT_ROOT / "dagster.yaml").read_bytes()
    target = settings.dagster_home / "dagster.yaml"
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.read_bytes() != wanted:
        write_atomically(target, wanted)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the storage that the UI, the daemon and `make run` share."""
    import dagster as dg  # noqa: PLC0415  two seconds that a settings error need not wait for

    prepare_instance(settings)
    spare_the_disk()
    return dg.DagsterInstance.from_config(str(settings.dagster_home))


def spare_the_disk() -> None:
    """Let Dagster's event log reach the disk when the system sees fit.

    Dagster opens, commits and closes an SQLite file for each of a thousand events a run, and each
    time waits for the disk twice: half of the run's time. In write-ahead mode `synchronous=normal`
    risks the last events at a power cut, never the file; and one connection that stays open
    spares the checkpoint at every close.
    """
    if not event.contains(Engine, "connect", _relax):
        event.listen(Engine, "connect", _relax)


def _relax(connection: Any, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.execute("pragma synchronous = normal")
    _, _, file = connection.execute("pragma database_list").fetchone()
    if file and file not in _kept_open:
        _kept_open[file] = sqlite3.connect(file, check_same_thread=False)
    if file:
        # Reading is what makes it a user of the write-ahead log, which a file may have got since.
        _kept_open[file].execute("select count(*) from sqlite_master").fetchone()
