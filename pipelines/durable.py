"""Writing so that a crash, at any moment, leaves the old file or the complete new one.

Here: atomic replacement of a file or a symbolic link, and the flushes that make it last.
Not here: what is written, or who may write it (one run at a time holds the home).
"""

import os
from pathlib import Path


def fsync_directory(path: Path) -> None:
    """Make the names inside a directory survive a power cut (files in it are not flushed)."""
    if os.name == "nt":  # a directory cannot be opened there, and renames are journalled
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flush one file's content to the disk, whoever wrote it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def move_into_place(temporary: Path, path: Path) -> None:
    """Give a finished file its final name: flush it, rename it over `path`, flush the name.

    `temporary` must lie in the same file system as `path`, best in the same directory.
    """
    fsync_file(temporary)
    temporary.replace(path)
    fsync_directory(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of `path`; a reader sees the old bytes or all of the new ones."""
    temporary = _temporary_name(path)
    try:
        temporary.write_bytes(data)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_link(link: Path, target: Path | str) -> None:
    """Point a symbolic link at `target` (as given: relative stays relative) in one step."""
    temporary = _temporary_name(link)
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(target)
        temporary.replace(link)
        fsync_directory(link.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary_name(path: Path) -> Path:
    # One name for every attempt: what a killed run left behind is overwritten, not piled up.
    return path.with_name(f".{path.name}.tmp")
