"""What every run did, for people and for the summary: one line of JSON an event, only appended.

A line is written with one call and forced to disk, so a kill loses at most the line being written;
readers pass over a torn one. The journal tells the time and is therefore never published: the
published `run_log` is made from the history of versions (`Publisher.history`).

Personal data never gets here: of an error that is not ours only the kind is kept, because a
database quotes the value it could not convert.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from pipelines.durable import fsync_directory
from pipelines.errors import HomingError
from pipelines.resources.lock import RunLock

Status = Literal["running", "succeeded", "failed", "superseded", "interrupted"]
Ending = Literal["succeeded", "failed", "superseded"]

_LONGEST_ERROR = 300


@dataclass
class RunRecord:
    """One run as the journal knows it.

    Attributes:
        run_id: the run.
        as_of: the day it spoke for, ISO.
        source: where its data came from.
        actor: for whom it was made, if anyone said so.
        status: `running` and `interrupted` are found out when the journal is read: a run that
            began and did not end is running if it holds the lock, else its process died.
        started_at: ISO, UTC.
        finished_at: ISO, UTC; None for a run that did not end.
        version_id: what it published, if anything.
        error: why it failed, one line without personal data.
        seconds_per_step: how long each step took, in the order they ended.
        counts: what steps and run counted.
    """

    run_id: str
    as_of: str
    source: str
    started_at: str
    status: Status = "running"
    finished_at: str | None = None
    version_id: str | None = None
    error: str | None = None
    seconds_per_step: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    actor: str | None = None


class Journal:
    """The journal of one home.

    Args:
        root: folder of the journal; created with the first line.
        lock: tells a run at work from one that was killed.
        clock: the time of an event; only tests bring their own.
    """

    def __init__(
        self, root: Path, lock: RunLock, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.path = root / "journal.jsonl"
        self._lock = lock
        self._clock = clock

    def start(self, run_id: str, *, as_of: date, source: str, actor: str | None = None) -> None:
        """Write that a run begins. Take the lock first, or a reader calls it interrupted.

        Args:
            run_id: the run.
            as_of: the day it speaks for.
            source: where its data come from.
            actor: for whom it is made. Only as it was stated: the name of the operating system's
                user is personal data that nobody was asked for.
        """
        self._write("start", run_id, as_of=as_of.isoformat(), source=source, actor=actor)

    def step(
        self, run_id: str, name: str, seconds: float, counts: Mapping[str, int] | None = None
    ) -> None:
        """Write that a step of a run has ended."""
        self._write("step", run_id, step=name, seconds=round(seconds, 3), counts=dict(counts or {}))

    def finish(
        self,
        run_id: str,
        status: Ending,
        *,
        version_id: str | None = None,
        error: BaseException | str | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Write how a run ended.

        Args:
            run_id: the run.
            status: how it ended. The first ending counts, but a failure told later (by a sensor,
                of a run that went on after its success) beats a success.
            version_id: what it published.
            error: why it failed; a text is kept as it stands, so it must not quote data.
            counts: what the run counted.
        """
        self._write(
            "finish",
            run_id,
            status=status,
            version_id=version_id,
            error=one_line(error) if error else None,
            counts=dict(counts or {}),
        )

    def miss(self, run_id: str, versions: Sequence[str]) -> None:
        """Write which of the versions ever published the history has lost; none: it is whole."""
        self._write("miss", run_id, versions=list(versions))

    def missed(self) -> list[str]:
        """The versions that were lost when a run last looked."""
        lines = [line for line in read_lines(self.path) if line.get("event") == "miss"]
        return list(lines[-1]["versions"]) if lines else []

    def runs(self) -> list[RunRecord]:
        """All runs, the first one first."""
        records: dict[str, RunRecord] = {}
        for line in read_lines(self.path):
            match line:
                case {"event": "start", "run_id": str(run_id)}:
                    records[run_id] = RunRecord(
                        run_id,
                        line["as_of"],
                        line["source"],
                        started_at=line["at"],
                        actor=line.get("actor"),
                    )
                case {"event": "step", "run_id": str(run_id)} if run_id in records:
                    record = records[run_id]
                    record.seconds_per_step[line["step"]] = line["seconds"]
                    record.counts |= line["counts"]
                case {"event": "finish", "run_id": str(run_id)} if run_id in records:
                    _end(records[run_id], line)
        at_work = self._lock.owner()
        for record in records.values():
            if record.status == "running" and not (at_work and at_work.run_id == record.run_id):
                record.status = "interrupted"
        return list(records.values())

    def _write(self, event: str, run_id: str, **facts: Any) -> None:
        at = self._clock().isoformat(timespec="milliseconds")
        append_line(self.path, {"event": event, "run_id": run_id, "at": at, **facts})


def _end(record: RunRecord, line: Mapping[str, Any]) -> None:
    if record.status == "running" or (record.status, line["status"]) == ("succeeded", "failed"):
        record.status = line["status"]
        record.finished_at = line["at"]
        record.version_id = line["version_id"] or record.version_id
        record.counts |= line["counts"]
    record.error = record.error or line["error"]


def one_line(error: BaseException | str) -> str:
    """What the journal keeps of an error: our own message, of others the kind alone."""
    if not isinstance(error, HomingError | str):
        return f"{type(error).__name__} (its message may quote data: see the log of the run)"
    line = " ".join(str(error).split())
    return line if len(line) <= _LONGEST_ERROR else line[: _LONGEST_ERROR - 1] + "…"


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append a record as one line and force it to disk; a torn line before it is closed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    text = json.dumps(record, ensure_ascii=False, sort_keys=True)
    line = text.encode(errors="backslashreplace") + b"\n"
    descriptor = os.open(
        path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
    )
    try:
        end = os.fstat(descriptor).st_size
        if end and os.pread(descriptor, 1, end - 1) != b"\n":
            line = b"\n" + line
        if os.write(descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        fsync_directory(path.parent)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the records of a file of JSON lines, passing over what a kill tore."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
