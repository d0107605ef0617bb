"""Publishing: a new version is built aside, audited, and shown by moving one symbolic link.

    published/
        current            -> versions/<id>            the one pointer
        homing.duckdb      -> current/homing.duckdb    what BI tools open; moves with the pointer
        history.jsonl      what was ever published, in that order
        versions/<id>/     version.json, homing.duckdb, <table>.parquet,
                           restricted/<table>.parquet (personal data; only its owner may enter)

A version is complete when its folder has its final name, and is never written again. A reader that
has it open keeps it; the next one to open `homing.duckdb` gets whatever the pointer shows then. So
no reader waits for a run and no run for a reader (docs/adr/0002).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb

from pipelines.durable import fsync_directory, fsync_file, replace_link, write_atomically
from pipelines.errors import PublishError
from pipelines.resources.journal import append_line, read_lines
from pipelines.resources.open_files import is_open, open_inodes
from pipelines.resources.warehouse import Engine, Warehouse, literal, quoted

log = logging.getLogger(__name__)

DATABASE = "homing.duckdb"
RESTRICTED = "restricted"
# Drivers of BI tools lag: a file in DuckDB 2.0's own format cannot be opened by 1.x.
STORAGE_VERSION = "v1.2.0"
# The table that says to a reader of the open file which version it reads.
VERSION_TABLE = "published_version"

_FORMAT = 1
_LEFTOVER = ".tmp-"
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_VERSION_ID = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]{6,64}")


@dataclass(frozen=True)
class PublishedTable:
    """A table of the warehouse that is published.

    Attributes:
        name: its name in the warehouse and for readers.
        order_by: its unique key; rows are written in this order, so equal rows are equal bytes.
        side: `open`, or `restricted` for personal data: a Parquet file in a folder only its owner
            may enter, and in no database.
        description: what BI tools show for the table.
        columns: what they show for its columns.
    """

    name: str
    order_by: tuple[str, ...]
    side: Literal["open", "restricted"] = "open"
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Path of its Parquet file inside a version."""
        folder = f"{RESTRICTED}/" if self.side == "restricted" else ""
        return f"{folder}{self.name}.parquet"


@dataclass(frozen=True)
class PublishedVersion:
    """A version as readers see it.

    Attributes:
        path: its folder.
    """

    path: Path

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What version.json holds: id, as_of, inputs, code, tables, and what the run added."""
        facts: dict[str, Any] = json.loads((self.path / "version.json").read_bytes())
        return facts

    @property
    def id(self) -> str:
        """The id: the name of its folder."""
        return self.path.name

    @property
    def as_of(self) -> date:
        """The day it speaks for."""
        return date.fromisoformat(self.facts["as_of"])

    @property
    def database(self) -> Path:
        """The DuckDB file with all open tables."""
        return self.path / DATABASE

    @property
    def rows(self) -> dict[str, int]:
        """Rows per table."""
        return {name: table["rows"] for name, table in self.facts["tables"].items()}

    def parquet(self, table: str) -> Path:
        """The Parquet file of a table."""
        return self.path / str(self.facts["tables"][table]["file"])

    def files(self) -> list[Path]:
        """Database and Parquet files."""
        return [self.database, *map(self.parquet, self.facts["tables"])]

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Read the open tables, for use in a `with`."""
        return Engine().connect(self.database)

    def is_complete(self) -> bool:
        """Whether every file it names is there (contents: see `damage`)."""
        try:
            return all(file.is_file() for file in self.files())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def damage(self) -> list[str]:
        """Names of tables whose Parquet bytes are not those that were published."""
        return [
            name
            for name, table in self.facts["tables"].items()
            if _sha256(self.parquet(name)) != table["sha256"]
        ]


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
                self._build(final, tables, warehouse, dict(facts or {}) | about, audit)
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

    def current(self) -> PublishedVersion | None:
        """The version that readers get now; None before the first one.

        Raises:
            PublishError: the pointer was changed by hand and shows something else.
        """
        try:
            target = self._pointer.readlink()
        except FileNotFoundError:
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
        """Facts of every version ever published, also of removed ones, by day and id.

        Of a table only rows and sha256 are kept.

        Args:
            before: only versions of earlier days, which is what a run may know: with its own day
                in, publishing the same inputs again would see another history.
        """
        by_id = {record["id"]: record for record in read_lines(self._history)}
        return [
            record
            for record in sorted(by_id.values(), key=lambda record: (record["as_of"], record["id"]))
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
        audit: Callable[[PublishedVersion], None],
    ) -> None:
        aside = self._versions / f"{_LEFTOVER}{os.getpid()}" / final.id
        aside.mkdir(parents=True)
        try:
            written = _write_tables(aside, tables, warehouse, version_id=final.id, facts=facts)
            about = {**facts, "format": _FORMAT, "id": final.id, "tables": written}
            text = json.dumps(about, ensure_ascii=False, indent=2, sort_keys=True)
            write_atomically(aside / "version.json", text.encode() + b"\n")
            built = PublishedVersion(aside)
            audit(built)
            _seal(built)
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
                tables = {
                    name: {"rows": table["rows"], "sha256": table["sha256"]}
                    for name, table in version.facts["tables"].items()
                }
                append_line(self._history, {**version.facts, "tables": tables})

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
        except (OSError, duckdb.Error) as error:
            try:
                current = self.current()
            except PublishError:
                current = None
            standing = f"{current.id} is still published" if current else "nothing is published yet"
            raise PublishError(
                f"{what}: {_reason(error)}; {standing}. Check free space and permissions of "
                f"{self.root} and run again"
            ) from error


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


def _write_tables(
    folder: Path,
    tables: Sequence[PublishedTable],
    warehouse: Warehouse,
    *,
    version_id: str,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write all tables and describe what was written."""
    (folder / RESTRICTED).mkdir(mode=0o700)
    database = folder / DATABASE
    with warehouse.connect() as connection:
        connection.execute(
            f"attach {literal(database)} as published (storage_version {literal(STORAGE_VERSION)})"
        )
        written = {
            table.name: _write_table(connection, folder, table)
            for table in sorted(tables, key=lambda table: table.name)
        }
        connection.execute(
            f"create table published.main.{VERSION_TABLE} as"
            " select ?::varchar as version_id, ?::date as as_of, ?::varchar as inputs,"
            " ?::varchar as code",
            [version_id, facts["as_of"], facts["inputs"], facts["code"]],
        )
        connection.execute(
            f"comment on table published.main.{VERSION_TABLE} is 'Which version this is: one row.'"
        )
        connection.execute("detach published")
    _recount(database, tables, written)
    return written


def _write_table(
    connection: duckdb.DuckDBPyConnection, folder: Path, table: PublishedTable
) -> dict[str, Any]:
    columns = _columns(connection, table)
    if missing := [column for column in table.order_by if column not in columns]:
        raise PublishError(
            f"{table.name} should be ordered by {', '.join(table.order_by)}, but has no "
            f"{', '.join(missing)}: correct meta.unique_key in dbt"
        )
    key = ", ".join(map(quoted, table.order_by))
    parquet = folder / table.file
    source = f"(select * from {quoted(table.name)} order by {key})"
    connection.execute(f"copy {source} to {literal(parquet)} (format parquet, compression zstd)")
    rows, repeated = connection.execute(
        "select coalesce(sum(n), 0)::bigint, count(*) filter (n > 1) from"
        f" (select count(*) as n from read_parquet(?) group by {key})",
        [str(parquet)],
    ).fetchall()[0]
    if repeated:
        raise PublishError(
            f"{table.name}: {repeated} values of its key ({', '.join(table.order_by)}) are on "
            "several rows, so the order of its rows is not defined; correct the table or "
            "meta.unique_key in dbt"
        )
    _check_types(connection, table, columns, parquet)
    if table.side == "open":
        connection.execute(
            f"create table published.main.{quoted(table.name)} as select * from read_parquet(?)",
            [str(parquet)],
        )
        _comment(connection, table, columns)
    return {
        "file": table.file,
        "side": table.side,
        "order_by": list(table.order_by),
        "rows": rows,
        "sha256": _sha256(parquet),
        "columns": columns,
    }


def _columns(connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> dict[str, str]:
    try:
        described = connection.execute(f"describe {quoted(table.name)}").fetchall()
    except duckdb.CatalogException:
        raise PublishError(
            f"{table.name} should be published, but the warehouse has no such table: "
            "see in dbt's log why it was not built"
        ) from None
    return {name: kind for name, kind, *_ in described}


def _check_types(
    connection: duckdb.DuckDBPyConnection,
    table: PublishedTable,
    columns: Mapping[str, str],
    parquet: Path,
) -> None:
    # Parquet has no HUGEINT, which is what sum() of integers gives: it would become DOUBLE, and
    # exact counts would come back as floats.
    described = connection.execute("describe select * from read_parquet(?)", [str(parquet)])
    kept = {name: kind for name, kind, *_ in described.fetchall()}
    if changed := [name for name, kind in columns.items() if kept[name] != kind]:
        raise PublishError(
            f"{table.name}: Parquet cannot hold "
            + ", ".join(f"{name} as {columns[name]} (only as {kept[name]})" for name in changed)
            + "; cast it in the table"
        )


def _comment(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, columns: Iterable[str]
) -> None:
    name = f"published.main.{quoted(table.name)}"
    if table.description:
        connection.execute(f"comment on table {name} is {literal(table.description)}")
    for column in columns:
        if text := table.columns.get(column):
            connection.execute(f"comment on column {name}.{quoted(column)} is {literal(text)}")


def _recount(
    database: Path, tables: Iterable[PublishedTable], written: Mapping[str, Mapping[str, Any]]
) -> None:
    # Closing a database after a full disk was seen to succeed: count what can be read again.
    with Engine().connect(database) as connection:
        for table in tables:
            if table.side == "open":
                count = f"select count(*) from {quoted(table.name)}"
                rows = connection.execute(count).fetchall()[0][0]
                if rows != written[table.name]["rows"]:
                    raise PublishError(
                        f"{table.name} has {written[table.name]['rows']} rows, but only {rows} "
                        f"reached {DATABASE}; check the disk"
                    )


def _seal(version: PublishedVersion) -> None:
    """Force a built version to disk, and take away the right to write it."""
    restricted = version.path / RESTRICTED
    for file in (*version.files(), version.path / "version.json"):
        fsync_file(file)
        # A BI tool that opens the served file for writing is refused instead of changing it.
        file.chmod(0o400 if file.parent == restricted else 0o444)
    fsync_directory(restricted)
    fsync_directory(version.path)


def _remove(path: Path) -> None:
    """Remove a folder, or a link without looking where it leads."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return " ".join(str(error).split())
