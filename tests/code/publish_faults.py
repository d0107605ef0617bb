"""Publishing under attack: `publish_faults.py kill|full <template> <warehouse> <scratch> <stride>`.

template: a published folder that shows version OLD; warehouse: holds the tables of version NEW;
stride: every how many steps a kill is tried (1: at every one, which takes a while).
Every attempt runs in a forked child, on a copy of the template, so that hundreds cost seconds.
Prints what was tried as JSON; any broken promise ends it with a traceback.
"""

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path
from types import FrameType

import duckdb

from pipelines.errors import PublishError
from pipelines.resources import publisher, version
from pipelines.resources.publisher import PublishedTable, Publisher
from pipelines.resources.warehouse import Warehouse

REFUSED = 3
OLD, NEW = "2026-01-01-aaaaaa", "2026-01-02-bbbbbb"
TABLES = [
    PublishedTable("orders", ("id",)),
    PublishedTable("customers", ("id",)),
    PublishedTable("contacts", ("id",), side="restricted"),
]
CHANGES_DISK = {"fsync", "rename", "replace", "symlink", "unlink", "rmdir", "mkdir", "chmod"}
PUBLISHER = {publisher.__file__, version.__file__}


def publish(root: Path, warehouse: Path) -> None:
    Publisher(root, keep=1).publish(
        NEW,
        date(2026, 1, 2),
        TABLES,
        Warehouse(warehouse),
        inputs="in",
        code="code",
        audit=lambda _: None,
    )


def in_child(work: Callable[[], None]) -> int:
    """Run in a fork; returns its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(step: int) -> None:
    """Kill this process before the given one of its steps.

    A step is a call that changes what is on disk, or the start of an inner function of the
    publisher (which also separates what DuckDB does for one table from the next).
    """
    steps = 0

    def count_down(frame: FrameType, event: str, function: object) -> None:
        nonlocal steps
        code = frame.f_code
        changes_disk = event == "c_call" and getattr(function, "__qualname__", "") in CHANGES_DISK
        enters_publisher = event == "call" and code.co_filename in PUBLISHER
        if changes_disk or (enters_publisher and code.co_name.startswith("_")):
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count_down)


def kill_after(seconds: float) -> None:
    """Have the kernel end this process, wherever it is by then, inside DuckDB too."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def shown(root: Path) -> str:
    """The version that readers see; fails unless it is whole."""
    publisher = Publisher(root, keep=1)
    current = publisher.current()
    assert current is not None
    assert not current.damage()
    with duckdb.connect(str(root / "homing.duckdb"), read_only=True) as connection:
        (answer,) = connection.execute(
            "select distinct version_id, o.marker, c.marker from orders as o"
            " join customers as c using (id) cross join published_version"
        ).fetchall()
    assert answer == ((OLD, "old", "old") if current.id == OLD else (NEW, "new", "new")), answer
    assert all(not version.damage() for version in publisher.versions())
    return current.id


def assert_recovers(root: Path, warehouse: Path) -> None:
    shown(root)
    publish(root, warehouse)
    assert shown(root) == NEW
    assert [record["id"] for record in Publisher(root).history()] == [OLD, NEW]
    assert [path.name for path in (root / "versions").iterdir()] == [NEW]
    assert not list(root.rglob(".*")), "leftovers"


def kill(template: Path, warehouse: Path, scratch: Path, stride: int) -> None:
    def survives(how: Callable[[], None], when: str) -> int:
        root = Path(shutil.copytree(template, scratch / "published", symlinks=True))
        status = in_child(lambda: (how(), publish(root, warehouse)))
        assert in_child(lambda: assert_recovers(root, warehouse)) == 0, when
        shutil.rmtree(root)
        return status

    kills, status = 0, -signal.SIGKILL
    for step in count(1, stride):
        status = survives(lambda: kill_at(step), f"killed before step {step}")  # noqa: B023
        if status == 0:
            break
        assert status == -signal.SIGKILL, f"step {step} ended with {status}"
        kills += 1
    for milliseconds in range(10, 80, 20):
        survives(lambda: kill_after(milliseconds / 1000), f"ended after {milliseconds} ms")  # noqa: B023
    print(json.dumps({"kills": kills}))


def full(template: Path, warehouse: Path, scratch: Path, _stride: int) -> None:
    limit, refused = 4_000, 0
    while True:
        root = Path(shutil.copytree(template, scratch / "published", symlinks=True))

        def attempt(limit: int = limit, root: Path = root) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                publish(root, warehouse)
            except PublishError as error:
                message = str(error)
            else:
                return
            assert "File too large" in message, message
            assert f"{OLD} is still published" in message, message
            assert shown(root) == OLD
            assert [path.name for path in (root / "versions").iterdir()] == [OLD]
            os._exit(REFUSED)

        status = in_child(attempt)
        assert in_child(lambda root=root: assert_recovers(root, warehouse)) == 0, f"limit {limit}"
        shutil.rmtree(root)
        if status == 0:
            break
        assert status == REFUSED, f"limit {limit} ended with {status}"
        refused += 1
        limit *= 2
    print(json.dumps({"refused": refused, "enough": limit}))


if __name__ == "__main__":
    {"kill": kill, "full": full}[sys.argv[1]](*map(Path, sys.argv[2:5]), int(sys.argv[5]))
