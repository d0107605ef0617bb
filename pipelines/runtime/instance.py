"""Dagster's own storage, kept in the home folder with this repository's instance settings."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from pipelines.durable import write_atomically
from pipelines.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg


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

    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    # Whoever opens it first creates its files and tables; two first runs at once would both do so.
    with (settings.dagster_home / "opening.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare_instance(settings)
        instance = dg.DagsterInstance.from_config(str(settings.dagster_home))
        # Named, because a storage is opened when it is first asked for.
        _ = instance.run_storage, instance.event_log_storage, instance.schedule_storage
        return instance
