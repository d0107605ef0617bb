"""Publishing: a new version is built aside, audited, and shown by moving one symbolic link.

    published/
        current            -> versions/<id>            the one pointer
        homing.duckdb      -> current/homing.duckdb    what BI tools open; moves with the pointer
        history.jsonl      what was ever published, in that order
        versions/<id>/     version.json, homing.duckdb, <table>.parquet,
                           restricted/<table>.parquet (personal data; only its owner may enter),
                           models/<version>/card.html (what the served model says of itself)

A version is complete when its folder has its final name, and is never written again. A reader that
has it open keeps it; the next one to open `homing.duckdb` gets whatever the pointer shows then. So
no reader waits for a run and no run for a reader (docs/adr/0002).
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from pipelines.durable import fsync_directory, replace_link
from pipelines.errors import PublishError
from pipelines.resources.journal import append_line, read_lines
from pipelines.resources.open_files import is_open, open_inodes
from pipelines.resources.version import (
    DATABASE,
    VERSION_TABLE,
    PublishedTable,
    PublishedVersion,
    forget_customers,
    seal,
    write_version,
)
from pipelines.resources.warehouse import Warehouse

__all__ = ["Publication", "PublishedTable", "PublishedVersion", "Publisher"]

log = logging.getLogger(__name__)

# What a full disk or a missing permission raises. Other errors of DuckDB may quote data, and what
# they say would go into a message for everyone.
_CANNOT_WRITE = (
    OSError,
    duckdb.IOException,
    duckdb.TransactionException,
    duckdb.OutOfMemoryException,
    duckdb.FatalException,
)
_LEFTOVER = ".tmp-"
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION_ID = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Publication:
    """What a call of `publish` came to.

    Attributes:
        version: the version that now stands for these inputs.
        is_new: False when the same inputs had been published before.
        is_current: False for the backfill of a day before the current version's.
        removed: ids of the old versions that were removed.
    """

    version: PublishedVersion
    is_new: bool
    is_current: bool
    removed: tuple[str, ...]


def _always_held() -> bool:
    return True


class Publisher:
    """The published folder of one home, and the only one that writes it.

    Args:
        root: the folder; created with the first version.
        keep: how many versions stay: this many latest by day, and this many last published (they
            differ after a backfill). The current one and those that a reader has open stay too.
    """

    def __init__(self, root: Path, *, keep: int = 5) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1, found {keep}")
        self.root = root
        self.keep = keep
        self._versions = root / "versions"
        self._pointer = root / "current"
        self._history = root / "history.jsonl"

    def publish(
        self,
        version_id: str,
        as_of: date,
        tables: Sequence[PublishedTable],
        warehouse: Warehouse,
        *,
        inputs: str,
        code: str,
        audit: Callable[[PublishedVersion], None],
        facts: Mapping[str, Any] | None = None,
        documents: Mapping[str, bytes] | None = None,
        still_held: Callable[[], bool] = _always_held,
    ) -> Publication:
        """Build a version, have it audited, and show it unless a later day is shown already.

        Inputs that were published before are not built again; their version is shown again.

        Args:
            version_id: `<as_of>-<hash of inputs and code>`.
            as_of: the day the version speaks for.
            tables: what to publish, one at least.
            warehouse: where the tables are.
            inputs: fingerprint of everything that went in.
            code: fingerprint of the code.
            audit: looks at the finished version before anyone can; raises to refuse it. It may
                read, and must not write.
            facts: more for version.json; no clock and no personal data.
            documents: pages for people, by their path inside the version.
            still_held: whether the run's lock still is its own (`HeldLock.still_held`).

        Raises:
            PublishError: it could not be written (disk full, permission), a table is not as
                promised, or the lock was lost. What was current before still is.
            Exception: whatever `audit` raises.
        """
        _check_names(version_id, as_of, tables)
        final = PublishedVersion(self._versions / version_id)
        with self._explained(f"version {version_id} could not be published"):
            self._prepare_folders()
            is_new = not final.is_complete()
            if is_new:
                about = {"as_of": as_of.isoformat(), "inputs": inputs, "code": code}
                self._build(
                    final,
                    tables,
                    warehouse,
                    dict(facts or {}) | about,
                    documents=documents or {},
                    audit=audit,
                )
                final = PublishedVersion(final.path)
            self._record_history(built=final.id if is_new else None)
            is_current = self._is_due(final)
            if is_current:
                if not still_held():
                    raise PublishError(
                        f"version {version_id} was not shown: this run lost its lock while it "
                        "worked, so another run may have published since; run again"
                    )
                self._show(final)
            removed = self._remove_old(just_published=final)
        return Publication(final, is_new, is_current, tuple(removed))

    def rollback(self, to: str) -> PublishedVersion:
        """Show an older version that is still kept; the next run shows its own again.

        Raises:
            PublishError: there is no such version, or its files are not those published.
        """
        kept = {version.id: version for version in self.versions()}
        if to not in kept:
            raise PublishError(
                f"there is no version {to} to go back to; kept are: {', '.join(kept) or 'none'}"
            )
        if damage := kept[to].damage():
            raise PublishError(
                f"version {to} is damaged ({', '.join(damage)}): its files are not those that "
                "were published; choose another version"
            )
        with self._explained(f"version {to} could not be shown"):
            self._show(kept[to])
        return kept[to]

    def forget(self, customers: Sequence[str]) -> list[str]:
        """Take some customers out of the restricted side of every version that is kept.

        The history stays: it tells how many rows were published.

        Returns:
            Ids of the versions that were changed.

        Raises:
            PublishError: a version could not be written; calling it again goes on.
        """
        changed = []
        for version in self.versions():
            with self._explained(f"version {version.id} could not forget its erased customers"):
                if customers and forget_customers(version, customers):
                    changed.append(version.id)
        return changed

    def current(self) -> PublishedVersion | None:
        """The version that readers get now; None before the first one.

        Raises:
            PublishError: the pointer was changed by hand and shows something else.
        """
        try:
            target = self._pointer.readlink()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:
            target = self._pointer
        version = PublishedVersion(self._versions / target.name)
        if target != Path(self._versions.name, target.name) or not _is_version_id(target.name):
            raise PublishError(
                f"{self._pointer} should be a link to versions/<id>, found {target}; "
                "remove it: the next run makes it anew"
            )
        return version if version.is_complete() else None

    def versions(self) -> list[PublishedVersion]:
        """All complete versions, the earliest day first."""
        if not self._versions.is_dir() or self._versions.is_symlink():
            return []
        found = [
            PublishedVersion(path)
            for path in sorted(self._versions.iterdir())
            if _is_version_id(path.name) and not path.is_symlink()
        ]
        return [version for version in found if version.is_complete()]

    def history(self, *, before: date | None = None) -> list[dict[str, Any]]:
        """Facts of every version ever published, also of removed ones, by day.

        Within a day they stand in the order in which they were built. A version that is kept is
        among them even if nobody wrote it down: a run may have been killed before it could, and
        the file may have been lost.

        Of a table only rows and sha256 are kept.

        Args:
            before: only versions of earlier days, which is what a run may know: with its own day
                in, publishing the same inputs again would see another history.
        """
        by_id = {version.id: _remembered(version) for version in self.versions()}
        for record in read_lines(self._history):
            by_id.pop(record["id"], None)  # for the order in which they were written down
            by_id[record["id"]] = record
        return [
            record
            for record in sorted(by_id.values(), key=lambda record: str(record["as_of"]))
            if before is None or record["as_of"] < before.isoformat()
        ]

    def _prepare_folders(self) -> None:
        self._versions.mkdir(parents=True, exist_ok=True)
        if self._versions.is_symlink():
            raise PublishError(
                f"{self._versions} is a symbolic link; versions are written and removed only "
                f"inside {self.root}: link that folder instead"
            )
        for path in self._versions.glob(f"{_LEFTOVER}*"):
            _remove(path)

    def _build(
        self,
        final: PublishedVersion,
        tables: Sequence[PublishedTable],
        warehouse: Warehouse,
        facts: Mapping[str, Any],
        *,
        documents: Mapping[str, bytes],
        audit: Callable[[PublishedVersion], None],
    ) -> None:
        aside = self._versions / f"{_LEFTOVER}{os.getpid()}" / final.id
        aside.mkdir(parents=True)
        try:
            built = write_version(aside, tables, warehouse, facts, documents)
            audit(built)
            seal(built)
            if final.path.exists():
                # Somebody deleted files of it. Not a version any more, so out of the way.
                final.path.rename(aside.with_suffix(".damaged"))
            aside.rename(final.path)
            fsync_directory(self._versions)
        finally:
            _remove(aside.parent)

    def _record_history(self, built: str | None) -> None:
        # Not only what this run built: one before it may have been killed between giving a
        # version its final name and writing it down.
        recorded = {record["id"] for record in read_lines(self._history)}
        for version in self.versions():
            if version.id == built or version.id not in recorded:
                append_line(self._history, _remembered(version))

    def _is_due(self, version: PublishedVersion) -> bool:
        current = self.current()
        return current is None or version.as_of >= current.as_of

    def _show(self, version: PublishedVersion) -> None:
        replace_link(self._pointer, Path(self._versions.name, version.id))
        alias, target = self.root / DATABASE, Path(self._pointer.name, DATABASE)
        if not alias.is_symlink() or alias.readlink() != target:
            replace_link(alias, target)

    def _remove_old(self, just_published: PublishedVersion) -> list[str]:
        kept = {version.id: version for version in self.versions()}
        published = [record["id"] for record in read_lines(self._history)]
        last_published = [id for id in dict.fromkeys(reversed(published)) if id in kept]
        current = self.current()
        stay = {*list(kept)[-self.keep :], *last_published[: self.keep], just_published.id}
        stay |= {current.id} if current else set()
        old = [version for version in kept.values() if version.id not in stay]
        if not old:
            return []
        inodes = open_inodes()
        removed = []
        for version in old:
            try:
                if is_open(version.files(), inodes):
                    continue
                # First out of sight and then deleted, so that no half version is ever seen.
                leftover = self._versions / f"{_LEFTOVER}{version.id}"
                version.path.rename(leftover)
                _remove(leftover)
            except OSError as error:
                log.warning("old version %s could not be removed: %s", version.path, error.strerror)
            else:
                removed.append(version.id)
        return removed

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except _CANNOT_WRITE as error:
            try:
                current = self.current()
            except PublishError:
                current = None
            standing = f"{current.id} is still published" if current else "nothing is published yet"
            raise PublishError(
                f"{what}: {_reason(error)}; {standing}. Check free space and permissions of "
                f"{self.root} and run again"
            ) from error


def _remembered(version: PublishedVersion) -> dict[str, Any]:
    """What the history keeps of a version."""
    tables = {
        name: {"rows": table["rows"], "sha256": table["sha256"]}
        for name, table in version.facts["tables"].items()
    }
    return {**version.facts, "tables": tables}


def _check_names(version_id: str, as_of: date, tables: Iterable[PublishedTable]) -> None:
    if not _is_version_id(version_id) or not version_id.startswith(as_of.isoformat()):
        raise PublishError(
            f"a version id is its day and a hash, as in {as_of}-0123456789ab; found {version_id!r}"
        )
    names = [table.name for table in tables]
    if not names:
        raise PublishError("no table is marked as published (meta.published in dbt)")
    for name in names:
        if not _TABLE_NAME.fullmatch(name) or name == VERSION_TABLE:
            raise PublishError(
                f"table {name!r} cannot be published under this name: a name is lower-case "
                f"letters, digits and _, at most 63, and not {VERSION_TABLE}"
            )
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        raise PublishError(f"tables are named more than once: {', '.join(repeated)}")


def _is_version_id(name: str) -> bool:
    return _VERSION_ID.fullmatch(name) is not None


def _remove(path: Path) -> None:
    """Remove a folder, or a link without looking where it leads."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return " ".join(str(error).split())
