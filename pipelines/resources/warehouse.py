"""The warehouse: the DuckDB file dbt builds its tables in. A cache, so nothing here is precious.

dbt runs in a process of its own between the steps that read, and DuckDB lets one process write or
several read: every connection here lives only as long as its `with`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipelines.durable import write_atomically
from pipelines.errors import HomingError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class WarehouseError(HomingError):
    """The warehouse cannot be used as it is."""


@dataclass(frozen=True)
class Engine:
    """What a DuckDB connection may take of the machine.

    Attributes:
        memory_limit: memory before it spills to disk, as DuckDB writes it.
        threads: threads of a query.
        spill_to: folder for what does not fit into memory.
    """

    memory_limit: str = "2GB"
    threads: int = 2
    spill_to: Path | None = None

    def connect(self, path: Path, *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
        """Open a DuckDB file, for use in a `with`; unqualified names are found in it.

        The file is attached to a connection in memory, under the name that dbt's views call it
        by (its stem). Connecting to it directly would share one instance with everything else in
        this process that has it open, and fail when that was opened with other settings.

        Raises:
            duckdb.Error: the file is missing, torn, or held by another process.
        """
        return self._attached(path, "" if not read_only else "(read_only)")

    def connect_new(self, path: Path, *, storage_version: str) -> duckdb.DuckDBPyConnection:
        """Make a DuckDB file that drivers of an older version can read, for use in a `with`.

        Raises:
            duckdb.Error: it cannot be written.
        """
        return self._attached(path, f"(storage_version {literal(storage_version)})")

    def _attached(self, path: Path, mode: str) -> duckdb.DuckDBPyConnection:
        config: dict[str, Any] = {
            "memory_limit": self.memory_limit,
            "threads": self.threads,
            # Extensions are downloaded from a site of their own; a run needs none of them.
            "autoinstall_known_extensions": False,
            "TimeZone": "UTC",
        }
        if self.spill_to:
            config["temp_directory"] = str(self.spill_to)
        connection = duckdb.connect(":memory:", config=config)
        try:
            connection.execute(f"attach {literal(path)} as {quoted(path.stem)} {mode}")
            connection.execute(f"use {quoted(path.stem)}")
        except BaseException:
            connection.close()
            raise
        return connection


class Warehouse:
    """The warehouse of one home, with the stamp of the code that built it.

    Args:
        path: the DuckDB file; its name without ending is the name of the database in SQL.
        memory_limit: memory before DuckDB spills to disk.
        threads: threads of a query.
    """

    def __init__(self, path: Path, *, memory_limit: str = "2GB", threads: int = 2) -> None:
        self.path = path
        self.stamp = path.with_suffix(".json")
        self.engine = Engine(memory_limit, threads, spill_to=path.with_suffix(".spill"))

    def prepare(self, code_fingerprint: str) -> str:
        """Make sure that what is there was built by this code and can be opened.

        Args:
            code_fingerprint: stands for all code that the tables depend on.

        Returns:
            What was found and done, for the log: `new`, `kept`, or `rebuilding: <why>`.

        Raises:
            WarehouseError: another process has the file open, or it cannot be deleted.
        """
        if self.path.exists():
            why = self._why_unusable(code_fingerprint)
            if why is None:
                return "kept"
            outcome = f"rebuilding: {why}"
        else:
            outcome = "new"
        try:
            self._delete()
            # Stamped when it is gone and not before: a kill in between costs a rebuild, never a
            # warehouse of other code under a good stamp.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.stamp, json.dumps({"code": code_fingerprint}).encode())
        except OSError as error:
            raise WarehouseError(
                f"the warehouse {self.path} cannot be built anew: {error.strerror}; "
                "check the permissions of HOMING_HOME"
            ) from error
        return outcome

    def drop(self) -> None:
        """Delete it: the next run builds it anew from the lake.

        Raises:
            WarehouseError: it cannot be deleted.
        """
        try:
            self._delete()
        except OSError as error:
            raise WarehouseError(
                f"the warehouse {self.path} cannot be deleted: {error.strerror}; "
                "check the permissions of HOMING_HOME"
            ) from error

    def connect(self, *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
        """Connect, for use in a short `with`: dbt cannot write as long as it is open.

        Raises:
            WarehouseError: it was not built yet, or another process is writing it.
        """
        if read_only and not self.path.exists():
            raise WarehouseError(
                f"the warehouse {self.path} does not exist yet; dbt builds it: run the tables first"
            )
        try:
            return self.engine.connect(self.path, read_only=read_only)
        except duckdb.IOException as error:
            if _is_in_use(error):
                raise WarehouseError(_in_use(self.path, error)) from error
            raise

    def arrow(self, sql: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """Run a query; decimals stay decimals."""
        with self.connect() as connection:
            return connection.sql(sql, params=parameters).to_arrow_table()

    def frame(self, sql: str, parameters: Sequence[Any] | None = None) -> pd.DataFrame:
        """Run a query for a model or a check; decimals become floats, so sum money in SQL."""
        with self.connect() as connection:
            return connection.sql(sql, params=parameters).df()

    def rows_per_table(self) -> dict[str, int]:
        """Count the rows of every table of the main schema, by name; views are not counted."""
        with self.connect() as connection:
            names = connection.sql(
                "select table_name from information_schema.tables"
                " where table_schema = 'main' and table_catalog = current_database()"
                " and table_type = 'BASE TABLE'"
                " order by table_name"
            ).fetchall()
            counts = [
                f"select {literal(name)} as name, count(*) as n from {quoted(name)}"
                for (name,) in names
            ]
            if not counts:
                return {}
            return dict(connection.sql(" union all ".join(counts) + " order by name").fetchall())

    def _why_unusable(self, code_fingerprint: str) -> str | None:
        try:
            # For writing: that also replays what a killed dbt left in the write-ahead log.
            self.connect(read_only=False).close()
        except duckdb.Error as error:
            return f"the warehouse could not be opened ({type(error).__name__})"
        try:
            built_by = json.loads(self.stamp.read_bytes())["code"]
        except (OSError, ValueError, KeyError, TypeError):
            return "nothing says which code built the warehouse"
        return None if built_by == code_fingerprint else "the warehouse was built by other code"

    def _delete(self) -> None:
        self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        self.stamp.unlink(missing_ok=True)
        for spilled in (self.engine.spill_to, self.path.with_name(self.path.name + ".tmp")):
            if spilled:
                shutil.rmtree(spilled, ignore_errors=True)


def quoted(identifier: str) -> str:
    """An SQL identifier, whatever it is made of."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """An SQL string, whatever it is made of."""
    return "'" + str(text).replace("'", "''") + "'"


def _is_in_use(error: Exception) -> bool:
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _in_use(path: Path, error: Exception) -> str:
    # DuckDB names the process that holds it; the rest of its message is advice for another tool.
    found = str(error).split(": ", 2)[-1].split(". ")[0]
    return (
        f"the warehouse {path} is in use: {found}; close it there "
        "(BI tools should open published/homing.duckdb instead) and run again"
    )
