"""The warehouse: a cache that is thrown away when in doubt, and never held open."""

import json
import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.resources.warehouse import Warehouse, WarehouseError, literal, quoted


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse.duckdb", memory_limit="500MB", threads=1)


@pytest.fixture
def built(warehouse: Warehouse) -> Warehouse:
    """As dbt leaves it: tables, and views that name the database."""
    assert warehouse.prepare("code 1") == "new"
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create table orders as select 1.10::decimal(18, 2) as amount, 1 as id")
        connection.execute("create view named as select * from warehouse.main.orders")
    return warehouse


def child(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class TestReading:
    def test_arrow_keeps_decimals_and_frames_are_for_models(self, built):
        assert built.arrow("select amount from orders").to_pylist() == [{"amount": Decimal("1.10")}]
        assert built.frame("select amount from orders where id = ?", [1]).amount.tolist() == [1.1]

    def test_views_that_name_the_database_work(self, built):
        assert built.arrow("from named").num_rows == 1

    def test_rows_are_counted_per_table(self, built):
        with built.connect(read_only=False) as connection:
            connection.execute('create table "od""d; --" as from range(3)')
        assert built.rows_per_table() == {"orders": 1, 'od"d; --': 3}

    def test_nothing_is_held_between_calls(self, built):
        built.frame("from orders")
        writer = child(
            "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('drop table orders cascade')",
            built.path,
        )
        assert writer.wait() == 0
        writer.communicate()
        assert built.rows_per_table() == {}

    def test_limits_reach_the_engine(self, warehouse, built):
        limits = warehouse.arrow(
            "select current_setting('threads') as threads, current_setting('TimeZone') as zone,"
            " current_setting('temp_directory') as spill"
        ).to_pylist()[0]
        assert limits == {
            "threads": 1,
            "zone": "UTC",
            "spill": str(warehouse.path.with_suffix(".spill")),
        }

    def test_one_that_was_not_built_is_told(self, warehouse):
        with pytest.raises(WarehouseError, match="does not exist yet"):
            warehouse.frame("select 1")
        assert not warehouse.path.exists()

    def test_one_that_is_being_written_is_told(self, built):
        writer = child(
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()",
            built.path,
        )
        writer.stdout.readline()
        try:
            with pytest.raises(WarehouseError, match=rf"in use: .*PID {writer.pid}\).*close it"):
                built.frame("from orders")
            with pytest.raises(WarehouseError, match="in use"):
                built.prepare("code 1")
            assert built.path.exists()
        finally:
            writer.communicate("\n")


class TestPrepare:
    def test_the_same_code_keeps_it(self, built):
        assert built.prepare("code 1") == "kept"
        assert built.rows_per_table() == {"orders": 1}

    def test_other_code_builds_it_anew(self, built):
        assert built.prepare("code 2") == "rebuilding: the warehouse was built by other code"
        assert not built.path.exists()
        assert built.prepare("code 2") == "new"

    @pytest.mark.parametrize("stamp", [None, b"", b"{}", b"[]", b"\xff"])
    def test_without_a_stamp_it_is_not_trusted(self, built, stamp):
        if stamp is None:
            built.stamp.unlink()
        else:
            built.stamp.write_bytes(stamp)
        assert built.prepare("code 1").startswith("rebuilding: nothing says which code")
        assert json.loads(built.stamp.read_bytes()) == {"code": "code 1"}

    @pytest.mark.parametrize("size", [0, 100, 4000, 20_000])
    def test_a_torn_file_is_built_anew(self, built, size):
        os.truncate(built.path, size)
        assert built.prepare("code 1").startswith("rebuilding: the warehouse could not be opened")
        with built.connect(read_only=False) as connection:
            connection.execute("create table works as select 1 as one")

    def test_what_a_killed_writer_had_committed_is_kept(self, built):
        killed = child(
            "import duckdb, os, signal, sys\n"
            "c = duckdb.connect(sys.argv[1])\n"
            "c.execute('create table committed as from range(10)')\n"
            "c.execute('begin; create table open as from range(10)')\n"
            "os.kill(os.getpid(), signal.SIGKILL)",
            built.path,
        )
        assert killed.wait() == -signal.SIGKILL
        killed.communicate()
        assert built.prepare("code 1") == "kept"
        assert built.rows_per_table() == {"committed": 10, "orders": 1}

    def test_a_home_that_cannot_be_written_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(WarehouseError, match="cannot be built anew: Not a directory"):
            Warehouse(tmp_path / "file" / "warehouse.duckdb").prepare("code 1")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_can_be_a_string_or_a_name(text):
    relation = duckdb.sql(f"select {literal(text)} as {quoted(text)}")
    assert relation.columns == [text]
    assert relation.fetchall() == [(text,)]
