"""One run at a time: a lock that dies with its process, and an epoch that outlives it.

The lock is the operating system's `flock`, not the existence of a file, so what a killed run
leaves behind is harmless. Every holder writes its number (the epoch, one more than the last) into
the file; before a run makes anything visible it asks `still_held()`, because a process that was
paused for an hour does not know what happened meanwhile to the file it once locked.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType

from pipelines.errors import HomingError, SettingsError

# `owner()` takes the lock for microseconds when it looks whether a dead run left it; a run that
# starts in that moment must not take this look for a holder.
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.02

_MOST_BYTES = 4096


class RunLockedError(HomingError):
    """Another run is at work."""


@dataclass(frozen=True)
class Owner:
    """Who holds the lock, as it wrote itself into the file.

    Attributes:
        epoch: number of this holder; every later one has a higher number.
        run_id: the run.
        as_of: the day the run speaks for, ISO.
        pid: its process.
        since: when it took the lock, ISO, UTC.
    """

    epoch: int
    run_id: str
    as_of: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"run {self.run_id} (as_of {self.as_of}, process {self.pid}, since {self.since})"


class HeldLock:
    """A lock that was taken; released by `release()`, at the end of `with`, or by death."""

    def __init__(self, path: Path, descriptor: int, owner: Owner) -> None:
        self._path = path
        self._descriptor: int | None = descriptor
        self.owner = owner

    @property
    def epoch(self) -> int:
        """The number of this holder."""
        return self.owner.epoch

    def still_held(self) -> bool:
        """Whether the file at the path is the one that was locked, and nobody wrote over it."""
        if self._descriptor is None:
            return False
        try:
            is_same_file = os.path.samestat(os.fstat(self._descriptor), self._path.lstat())
        except FileNotFoundError:
            return False
        return is_same_file and _read_owner(self._descriptor) == self.owner

    def release(self) -> None:
        """Let the next run begin. The file stays: its epoch must never go back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> HeldLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class RunLock:
    """The lock of one home.

    Args:
        path: the lock file; created when it is first taken. It must be on a file system that
            knows `flock` (every local one does).
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def acquire(self, run_id: str, as_of: date) -> HeldLock:
        """Take the lock or say who has it; never waits for a run to end.

        Raises:
            RunLockedError: another run holds it, in this process or any other.
            SettingsError: the file cannot be created or locked.
        """
        try:
            descriptor = self._lock()
        except OSError as error:
            raise SettingsError(
                f"cannot lock {self.path}: {error.strerror}; HOMING_HOME must be a folder that "
                "this user may write, on a file system that supports flock"
            ) from error
        if descriptor is None:
            raise RunLockedError(self._who_is_at_work())
        last = _read_owner(descriptor)
        owner = Owner(
            epoch=(last.epoch if last else 0) + 1,
            run_id=run_id,
            as_of=as_of.isoformat(),
            pid=os.getpid(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        try:
            _write_owner(descriptor, owner)
        except OSError as error:
            os.close(descriptor)
            raise SettingsError(f"cannot write {self.path}: {error.strerror}") from error
        return HeldLock(self.path, descriptor, owner)

    def owner(self) -> Owner | None:
        """The run at work, or None; what a dead run wrote does not count."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_owner(descriptor)
        finally:
            os.close(descriptor)
        return None

    def _lock(self) -> int | None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_SECONDS)
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self.path.lstat()):
                    return descriptor
                # Somebody deleted the file between open and lock: this one guards nothing.
            except (BlockingIOError, FileNotFoundError):
                pass
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)
        return None

    def _who_is_at_work(self) -> str:
        owner = self.owner()
        if owner is None:
            return f"another run is at work; it holds {self.path}; try again when it has ended"
        return (
            f"another run is at work: {owner} holds {self.path}; "
            f"wait until it has ended, or stop process {owner.pid}"
        )


def _read_owner(descriptor: int) -> Owner | None:
    try:
        first_line, _, _ = os.pread(descriptor, _MOST_BYTES, 0).partition(b"\n")
        return Owner(**json.loads(first_line))
    except (ValueError, TypeError):
        return None


def _write_owner(descriptor: int, owner: Owner) -> None:
    line = (json.dumps(asdict(owner)) + "\n").encode()
    # One write of less than a page: a kill leaves the old line or the new one. Only the first line
    # is read, so the tail of a longer old one does no harm until it is cut off.
    os.pwrite(descriptor, line, 0)
    os.ftruncate(descriptor, len(line))
    os.fsync(descriptor)
