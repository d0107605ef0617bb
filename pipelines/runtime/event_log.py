"""Dagster's event log, written at the pace of a run of a thousand events.

Named in `dagster.yaml`, so that the UI, the daemon and `make run` all write the same way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from dagster import StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_SECONDS = 60
ENGINES_KEPT = 8  # a run's file and the index are what a run writes; the UI looks at more


class EventLog(SqliteEventLogStorage):
    """The SQLite event log with connections that stay open.

    Dagster's own opens, commits and closes a file for each event: it compiles the same
    statements anew and waits for the disk twice each time, which was half of a run. Here an
    engine a file stays, and in write-ahead mode `synchronous=normal` risks the last events at a
    power cut, never the file.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Dagster's folder, which every process of Dagster's knows, whoever started it."""
        return {"dagster_home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """Build the storage that `dagster.yaml` describes, where Dagster's own would be."""
        history = Path(config_value["dagster_home"]) / "history" / "runs"
        return cls(inst_data=inst_data, base_dir=str(history))

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; asked of each check, and answered for good by a yes."""
        if table_name not in self._tables:
            # Not `index_connection`, whose lock whoever asks may hold.
            with self._engine(INDEX_SHARD_NAME).connect() as connection:
                if not connection.dialect.has_table(connection, table_name):
                    return False
            self._tables.add(table_name)
        return True

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                pool_size=1,
                connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            event.listen(engine, "connect", _relax)
            self._engines[shard] = engine
        self._engines.move_to_end(shard)
        while len(self._engines) > ENGINES_KEPT:
            self._engines.popitem(last=False)[1].dispose()
        return self._engines[shard]

    def dispose(self) -> None:
        """Close what is open."""
        while self._engines:
            self._engines.popitem()[1].dispose()
        super().dispose()


def _relax(connection: Any, _record: object) -> None:
    connection.execute("pragma synchronous = normal")
