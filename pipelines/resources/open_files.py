"""Which published files somebody has open, so that old versions are not removed under a reader.

Two ways to know, because each one misses something:

- Linux lists the open files of every process that this user may look into under /proc. This finds
  readers of Parquet, which take no lock, and readers in this very process.
- DuckDB holds a shared `fcntl` lock on a database as long as it is open. Asking for the lock
  (`F_GETLK`, which does not take it, so no reader is ever turned away) finds readers of other users
  and in other containers, and those on systems without /proc.

The order matters. Closing any descriptor of a file drops all `fcntl` locks that the process itself
has on it, so a file that this process has open must not be probed.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

Inode = tuple[int, int]

_ENDINGS = (".duckdb", ".parquet")

# struct flock: macOS begins with start, length and process; Linux begins with the kind of lock.
_FLOCK, _KIND = ("@qqihh", 3) if sys.platform == "darwin" else ("@hhqqi", 0)


def open_inodes() -> set[Inode]:
    """Inodes of databases and Parquet files that processes visible to us have open."""
    inodes = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink().suffix in _ENDINGS:
                inodes.add(_inode(link))
        except OSError:
            continue  # the process ended, or belongs to somebody else
    return inodes


def is_open(files: Iterable[Path], inodes: set[Inode]) -> bool:
    """Whether any of the files is open, as far as that can be known.

    Args:
        files: databases and Parquet files.
        inodes: what `open_inodes` found.
    """
    return any(
        _inode(file) in inodes or (file.suffix == ".duckdb" and _is_locked(file)) for file in files
    )


def _inode(path: Path) -> Inode:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


def _is_locked(path: Path) -> bool:
    wanted = [0] * 5
    wanted[_KIND] = fcntl.F_WRLCK
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(_FLOCK, *wanted))
    finally:
        os.close(descriptor)
    return bool(struct.unpack(_FLOCK, answer)[_KIND] != fcntl.F_UNLCK)
