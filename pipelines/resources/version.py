"""A version: the tables that are published, as files that say the same thing for everyone.

Here: what a version's folder holds, how its files are written and read.
Not here: when one is built, shown or removed (publisher.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from pipelines.durable import fsync_directory, fsync_file, move_into_place, write_atomically
from pipelines.errors import PublishError
from pipelines.resources.roles import (
    CUSTOMER_ACCESS,
    ROLE_ACCESS,
    check_grants,
    create_views,
    read_grants,
)
from pipelines.resources.warehouse import Engine, Warehouse, literal, quoted

DATABASE = "homing.duckdb"
RESTRICTED = "restricted"
MODEL_CARDS = "models"
RESTRICTED_DATABASE = "restricted/contacts.duckdb"
CUSTOMER = "customer_id"
# Drivers of BI tools lag: a file in DuckDB 2.0's own format cannot be opened by 1.x.
STORAGE_VERSION = "v1.2.0"
# The table that says to a reader of the open file which version it reads.
VERSION_TABLE = "published_version"
_VERSION_COLUMNS = {
    "version_id": "The version: the day, and a hash of what it was made of",
    "as_of": "Day for which it speaks",
    "inputs": "Fingerprint of the deliveries that it was made of",
    "code": "Fingerprint of the code that made it",
}

_FORMAT = 2


@dataclass(frozen=True)
class PublishedTable:
    """A table of the warehouse that is published.

    Attributes:
        name: its name in the warehouse and for readers.
        order_by: its unique key; rows are written in this order, so equal rows are equal bytes.
        side: `open`, or `restricted` for personal data: in files of a folder that only its owner
            may enter.
        description: what BI tools show for the table.
        columns: what they show for its columns.
        capabilities: numbers of the register that the table shows.
    """

    name: str
    order_by: tuple[str, ...]
    side: Literal["open", "restricted"] = "open"
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[int, ...] = ()

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

    @property
    def restricted_database(self) -> Path:
        """The DuckDB file with all restricted tables; not there in a version without any."""
        return self.path / RESTRICTED_DATABASE

    @property
    def documents(self) -> list[Path]:
        """Pages for people; versions of an earlier release have none."""
        return [self.path / name for name in self.facts.get("documents", {})]

    def files(self) -> list[Path]:
        """Databases, Parquet files and documents."""
        parquet = list(map(self.parquet, self.facts["tables"]))
        # Versions of an earlier format have no database on the restricted side.
        with_restricted = self.facts["format"] > 1 and any(map(_is_restricted, parquet))
        restricted = [self.restricted_database] if with_restricted else []
        return [self.database, *restricted, *parquet, *self.documents]

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
        """Names of tables and documents whose bytes are not those that were published."""
        tables = [
            name
            for name, table in self.facts["tables"].items()
            if _sha256(self.parquet(name)) != table["sha256"]
        ]
        documents = self.facts.get("documents", {}).items()
        return [*tables, *(name for name, sha in documents if _sha256(self.path / name) != sha)]


def write_version(
    folder: Path,
    tables: Sequence[PublishedTable],
    warehouse: Warehouse,
    facts: Mapping[str, Any],
    documents: Mapping[str, bytes] | None = None,
) -> PublishedVersion:
    """Write all tables and version.json into an empty folder named like the version.

    Args:
        folder: where to; nobody may be reading it.
        tables: what to write.
        warehouse: where the tables are.
        facts: what version.json says beside the tables; as_of, inputs and code at least.
        documents: pages for people, by their path inside the version.

    Raises:
        PublishError: a table is not as promised.
        OSError, duckdb.Error: the disk is full, the folder may not be written, ...
    """
    about = {**facts, "format": _FORMAT, "id": folder.name}
    about["tables"] = _write_tables(folder, tables, warehouse, about)
    about["documents"] = _write_documents(folder, documents or {})
    _write_facts(folder, about)
    return PublishedVersion(folder)


def _write_documents(folder: Path, documents: Mapping[str, bytes]) -> dict[str, str]:
    """Write pages; their sha256 by path."""
    for name, content in sorted(documents.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return {name: _sha256(folder / name) for name in sorted(documents)}


def seal(version: PublishedVersion) -> None:
    """Force a built version to disk, and take away the right to write it."""
    restricted = version.path / RESTRICTED
    for file in (*version.files(), version.path / "version.json"):
        fsync_file(file)
        # A BI tool that opens the served file for writing is refused instead of changing it.
        file.chmod(0o400 if _is_restricted(file) else 0o444)
    for folder in {restricted, *(document.parent for document in version.documents)}:
        fsync_directory(folder)
    fsync_directory(version.path)


def forget_customers(version: PublishedVersion, customers: Sequence[str]) -> bool:
    """Take the rows of some customers out of the restricted tables of a published version.

    The one way in which a version changes after it was published. Each file is replaced in one
    step, so whoever has it open keeps it. The new Parquet files wait beside the old ones until
    version.json names them, so that a kill leaves nothing that `damage` would report for good.

    Returns:
        Whether there was anything to forget.

    Raises:
        OSError, duckdb.Error: a file could not be written; calling it again goes on.
    """
    facts = json.loads((version.path / "version.json").read_bytes())
    restricted = {
        name: table
        for name, table in facts["tables"].items()
        if table["side"] == "restricted" and CUSTOMER in table["columns"]
    }
    moved = [_move_forgotten(version.parquet(name), restricted[name]) for name in restricted]
    changed = [
        name
        for name, table in restricted.items()
        if _write_without(version.parquet(name), table, customers)
    ]
    if changed:
        _write_facts(version.path, facts)
        (version.path / "version.json").chmod(0o444)
        for name in changed:
            _move_forgotten(version.parquet(name), restricted[name])
    rebuilt = _rebuild_without(version, facts, list(restricted), customers)
    return bool(changed) or any(moved) or rebuilt


def _rebuild_without(
    version: PublishedVersion,
    facts: Mapping[str, Any],
    tables: Sequence[str],
    erased: Sequence[str],
) -> bool:
    """Make the restricted database anew if it still has erased customers.

    Deleting rows would leave their bytes in the file.
    """
    database = version.restricted_database
    if not database.exists():
        return False
    with Engine().connect(database) as connection:
        connection.register("erased", pa.table({CUSTOMER: pa.array(erased, pa.string())}))
        queries = [
            f"select 1 from main.{quoted(name)} semi join erased using ({CUSTOMER})"
            for name in tables
        ]
        if not queries or not connection.execute(" union all ".join(queries)).fetchall():
            return False
        described = _described(connection)
    temporary = database.with_name(f".{database.name}.tmp")
    temporary.unlink(missing_ok=True)
    _write_database(
        version.path, RESTRICTED_DATABASE, facts["tables"], described, facts, path=temporary
    )
    move_into_place(temporary, database)
    database.chmod(0o400)
    return True


def _described(connection: duckdb.DuckDBPyConnection) -> dict[str, PublishedTable]:
    """The tables of a database with what it says of them."""
    rows = connection.execute(
        "select t.table_name, t.comment, c.column_name, c.comment"
        " from duckdb_tables() as t join duckdb_columns() as c"
        " using (database_name, schema_name, table_name)"
        " where database_name = current_database()"
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, _, column, text in rows:
        columns.setdefault(table, {})[column] = text or ""
    return {
        table: PublishedTable(table, (), description=text or "", columns=columns[table])
        for table, text, *_ in rows
    }


def _waiting(parquet: Path) -> Path:
    return parquet.with_name(f".{parquet.name}.forgotten")


def _move_forgotten(parquet: Path, table: Mapping[str, Any]) -> bool:
    """Finish what a kill interrupted, or throw it away if version.json does not name it yet."""
    waiting = _waiting(parquet)
    if not waiting.exists():
        return False
    if _sha256(waiting) != table["sha256"]:
        waiting.unlink()
        return False
    move_into_place(waiting, parquet)
    parquet.chmod(0o400)
    return True


def _write_without(parquet: Path, table: dict[str, Any], customers: Sequence[str]) -> bool:
    key = ", ".join(map(quoted, table["order_by"]))
    with duckdb.connect() as connection:
        connection.register("erased", pa.table({CUSTOMER: pa.array(customers, pa.string())}))
        rows = f"read_parquet({literal(parquet)})"
        [(erased,)] = connection.execute(
            f"select count(*) from {rows} semi join erased using ({CUSTOMER})"
        ).fetchall()
        if erased:
            connection.execute(
                f"copy (from {rows} anti join erased using ({CUSTOMER}) order by {key})"
                f" to {literal(_waiting(parquet))} (format parquet, compression zstd)"
            )
            table["rows"] -= erased
            table["sha256"] = _sha256(_waiting(parquet))
    return bool(erased)


def _write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    text = json.dumps(facts, ensure_ascii=False, indent=2, sort_keys=True)
    write_atomically(folder / "version.json", text.encode() + b"\n")


def _write_tables(
    folder: Path,
    tables: Sequence[PublishedTable],
    warehouse: Warehouse,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    (folder / RESTRICTED).mkdir(mode=0o700)
    described = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    threads = warehouse.engine.threads
    # Few tables are large enough for more than one core, so several are written at a time.
    with warehouse.connect() as connection, ThreadPoolExecutor(threads) as pool:

        def write(table: PublishedTable) -> dict[str, Any]:
            with connection.cursor() as own:
                own.execute(f"use {quoted(warehouse.path.stem)}")
                return _write_table(own, folder, table)

        written = dict(zip(described, pool.map(write, described.values()), strict=True))

    def write_database(database: str) -> None:
        _write_database(folder, database, written, described, about, engine=warehouse.engine)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write_database, _databases(written)))
    return written


def _databases(written: Mapping[str, Mapping[str, Any]]) -> list[str]:
    sides = {table["side"] for table in written.values()}
    return [DATABASE, *([RESTRICTED_DATABASE] if "restricted" in sides else [])]


def _write_database(
    folder: Path,
    database: str,
    written: Mapping[str, Mapping[str, Any]],
    described: Mapping[str, PublishedTable],
    about: Mapping[str, Any],
    *,
    path: Path | None = None,
    engine: Engine | None = None,
) -> None:
    """Write the database of one side from the Parquet files, with the views of the roles."""
    side = "restricted" if database == RESTRICTED_DATABASE else "open"
    # The views of the restricted side must know, too, whose customer is whose.
    inside = {
        name: table
        for name, table in written.items()
        if table["side"] == side or name == CUSTOMER_ACCESS
    }
    path = path or folder / database
    with (engine or Engine()).connect_new(path, storage_version=STORAGE_VERSION) as connection:
        # Thousands of comments and views. Each in a transaction of its own would flush the disk; of
        # what each costs beside (100 µs, as much as `select 1`) a fifth is looking for a better
        # plan. There is no statement for several, and a view is not made with its comments.
        connection.execute("begin")
        connection.execute("pragma disable_optimizer")
        for name, table in inside.items():
            connection.execute(
                f"create table main.{quoted(name)} as select * from read_parquet(?)",
                [str(folder / table["file"])],
            )
            if name in described:
                _comment(connection, described[name], table["columns"])
        connection.execute(
            f"create table main.{VERSION_TABLE} as"
            " select ?::varchar as version_id, ?::date as as_of, ?::varchar as inputs,"
            " ?::varchar as code",
            [about["id"], about["as_of"], about["inputs"], about["code"]],
        )
        connection.execute(
            f"comment on table main.{VERSION_TABLE} is 'Which version this is: one row.'"
        )
        for column, text in _VERSION_COLUMNS.items():
            connection.execute(
                f"comment on column main.{VERSION_TABLE}.{column} is {literal(text)}"
            )
        if ROLE_ACCESS in written and CUSTOMER_ACCESS in written:
            parquet = literal(folder / written[ROLE_ACCESS]["file"])
            grants = read_grants(connection, f"read_parquet({parquet})")
            columns = {name: table["columns"] for name, table in written.items()}
            check_grants(grants, columns, columns[CUSTOMER_ACCESS])
            views = {name: columns[name] for name in inside if written[name]["side"] == side}
            create_views(connection, grants, views, side)
        connection.execute("commit")
        # Closing would do it, too, but not say that the disk is full.
        connection.execute("checkpoint")
    _recount(path, inside)


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
    name = f"main.{quoted(table.name)}"
    if table.description:
        connection.execute(f"comment on table {name} is {literal(table.description)}")
    for column in columns:
        if text := table.columns.get(column):
            connection.execute(f"comment on column {name}.{quoted(column)} is {literal(text)}")


def _recount(database: Path, written: Mapping[str, Mapping[str, Any]]) -> None:
    # Closing a database after a full disk was seen to succeed: count what can be read again.
    with Engine().connect(database) as connection:
        for name, table in written.items():
            [(rows,)] = connection.execute(f"select count(*) from main.{quoted(name)}").fetchall()
            if rows != table["rows"]:
                raise PublishError(
                    f"{name} has {table['rows']} rows, but only {rows} reached {database.name}; "
                    "check the disk"
                )


def _is_restricted(file: Path) -> bool:
    return file.parent.name == RESTRICTED


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
