"""A customer who asked to be forgotten is forgotten: in the lake, the warehouse, every version.

Here: the order in which the places forget, and the command `python -m pipelines.erasure`, for a
home that was put back from a backup. Every run does the same once its delivery was judged, so a
request needs no command; it holds for all days, whatever day the run speaks for (docs/adr/0008).
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.errors import HomingError
from pipelines.resources.lake import Lake, Manifest
from pipelines.resources.lock import RunLock
from pipelines.resources.publisher import Publisher
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings


@dataclass(frozen=True)
class Forgotten:
    """What was done for those who asked to be forgotten.

    Attributes:
        customers: who ever asked (count).
        batches: batches of the lake that were replaced (count).
        versions: published versions whose restricted side was written anew.
        warehouse_dropped: whether the warehouse was deleted, since it had loaded such a batch.
    """

    customers: int
    batches: int
    versions: tuple[str, ...]
    warehouse_dropped: bool


def forget(
    lake: Lake, warehouse: Warehouse, publisher: Publisher, *, loaded: Collection[str]
) -> Forgotten:
    """Do what the erasure requests in the lake ask for; repeating it changes nothing.

    Args:
        lake: holds the requests.
        warehouse: deleted if it holds what has to go. Deleting rows in it would not do: DuckDB
            leaves the bytes of a deleted row in the file.
        publisher: the versions that are kept.
        loaded: ids of the batches that the warehouse may have loaded: those that were in the lake
            before this run's were accepted.

    Raises:
        HomingError: something could not be written; the next run goes on.
    """
    customers = lake.customers_to_forget()
    dropped = False

    def drop_what_was_loaded(batches: Collection[Manifest]) -> None:
        # Before the lake forgets, for after a kill nothing would tell that it is to be done.
        nonlocal dropped
        if dropped := any(manifest.batch_id in loaded for manifest in batches):
            warehouse.drop()

    replaced = lake.forget(customers, drop_what_was_loaded)
    versions = publisher.forget(customers)
    return Forgotten(len(customers), len(replaced), tuple(versions), dropped)


def main() -> int:
    """The command line."""
    try:
        settings = Settings.read()
        lake = Lake(settings.lake, timezone=settings.timezone, memory_limit=settings.memory_limit)
        today = datetime.now(UTC).date()
        with RunLock(settings.home / "run.lock").acquire(str(uuid.uuid4()), today):
            done = forget(
                lake,
                Warehouse(settings.warehouse),
                Publisher(settings.published),
                loaded=[manifest.batch_id for manifest in lake.manifests()],
            )
    except HomingError as error:
        print(f"Stopped: {error}", file=sys.stderr)
        return 1
    print(
        f"{done.customers} customers asked to be forgotten: {done.batches} batches of the lake and "
        f"{len(done.versions)} published versions were written anew"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
