"""Publishing: the old version or the complete new one, for whoever looks, whatever happens."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import BorderError, PublishError
from pipelines.resources.publisher import (
    PublishedTable,
    PublishedVersion,
    Publisher,
)
from pipelines.resources.warehouse import Warehouse, WarehouseError

HERE = Path(__file__).parent
TABLES = [
    PublishedTable(
        "orders",
        ("id",),
        description="Completed orders. It's one row per order.",
        columns={"id": "The order."},
    ),
    PublishedTable("customers", ("id",)),
    PublishedTable("contacts", ("id",), side="restricted"),
]
MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)

Make = Callable[..., Warehouse]


@pytest.fixture
def make_warehouse(tmp_path: Path) -> Make:
    def make(marker: str, *, rows: int = 200, order: str = "md5(i::varchar)") -> Warehouse:
        path = tmp_path / f"warehouses/{marker}-{rows}-{len(order)}/warehouse.duckdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with duckdb.connect(str(path)) as connection:
                for table in TABLES:
                    connection.execute(
                        f"create table {table.name} as"
                        " select i as id, ? as marker, md5(i::varchar || ?) as noise,"
                        " (i / 7)::decimal(18, 2) as amount, timestamp '2026-01-01' as at,"
                        f" if(i % 5 = 0, null, i % 3) as gap from range({rows}) as r(i)"
                        f" order by {order}",
                        [marker, table.name],
                    )
        return Warehouse(path)

    return make


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    return Publisher(tmp_path / "published", keep=2)


def accept(_: PublishedVersion) -> None:
    pass


def id_of(as_of: date, inputs: str) -> str:
    return f"{as_of}-{inputs.encode().hex().ljust(12, '0')}"


def publish(publisher: Publisher, warehouse: Warehouse, as_of: date, inputs: str, **more: object):
    return publisher.publish(
        id_of(as_of, inputs),
        as_of,
        **{"tables": TABLES, "warehouse": warehouse, "audit": accept, "inputs": inputs}
        | {"code": "c0de"}
        | more,
    )


def marker_shown(publisher: Publisher) -> str:
    with duckdb.connect(str(publisher.root / "homing.duckdb"), read_only=True) as connection:
        return connection.execute("select any_value(marker) from orders").fetchone()[0]


def leftovers(publisher: Publisher) -> list[Path]:
    return list(publisher.root.rglob(".*"))


@contextmanager
def reader(publisher: Publisher, how: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, HERE / "publish_reader.py", publisher.root / "homing.duckdb", how]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class TestWhatIsPublished:
    def test_a_database_and_a_parquet_file_per_table_say_the_same(self, publisher, make_warehouse):
        warehouse = make_warehouse("a")
        version = publish(publisher, warehouse, MONDAY, "a").version
        for name in ("orders", "customers"):
            rows = warehouse.arrow(f"select * from {name} order by id")
            with version.connect() as connection:
                assert connection.sql(f"select * from {name}").to_arrow_table() == rows
                parquet = connection.sql(
                    "select * from read_parquet($1)", params=[str(version.parquet(name))]
                )
                assert parquet.to_arrow_table() == rows
        assert version.rows == {"contacts": 200, "customers": 200, "orders": 200}

    def test_bi_tools_see_descriptions_and_the_version(self, publisher, make_warehouse):
        publish(publisher, make_warehouse("a"), MONDAY, "a")
        with duckdb.connect(str(publisher.root / "homing.duckdb"), read_only=True) as connection:
            comments = connection.execute(
                "select comment from duckdb_tables() where table_name = 'orders' union all select"
                " comment from duckdb_columns() where table_name = 'orders' and column_name = 'id'"
            ).fetchall()
            version = connection.execute("from published_version").fetchall()
        assert comments == [("Completed orders. It's one row per order.",), ("The order.",)]
        assert version == [(id_of(MONDAY, "a"), MONDAY, "a", "c0de")]

    def test_drivers_older_than_the_engine_can_read_it(self, publisher, make_warehouse):
        version = publish(publisher, make_warehouse("a"), MONDAY, "a").version
        with version.connect() as connection:
            tags = connection.execute(
                "select tags['storage_version'] from duckdb_databases()"
                " where database_name = 'homing'"
            ).fetchone()
        assert tags[0].startswith("v1.2.0")

    def test_personal_data_is_on_the_restricted_side_alone(self, publisher, make_warehouse):
        version = publish(publisher, make_warehouse("a"), MONDAY, "a").version
        restricted = version.path / "restricted"
        assert sorted(version.path.rglob("contacts*")) == sorted(restricted.iterdir())
        assert version.restricted_database.parent == version.parquet("contacts").parent
        assert stat.S_IMODE(restricted.stat().st_mode) == 0o700
        for path in (version.parquet("contacts"), version.restricted_database):
            assert stat.S_IMODE(path.stat().st_mode) == 0o400
        with version.connect() as connection:
            names = {name for (name,) in connection.execute("show tables").fetchall()}
        assert names == {"orders", "customers", "published_version"}

    def test_equal_inputs_are_equal_bytes_in_any_home(self, tmp_path, make_warehouse):
        rows = 130_000  # more than one row group, so that two threads write
        one = Warehouse(make_warehouse("a", rows=rows).path, threads=1)
        two = Warehouse(make_warehouse("a", rows=rows, order="-i").path, threads=2)
        versions = [
            publish(Publisher(tmp_path / home), warehouse, MONDAY, "a", facts={"rows_read": 7})
            for home, warehouse in (("it's [one]", one), ("two", two))
        ]
        first, second = (
            {
                path.relative_to(published.version.path): path.read_bytes()
                for path in published.version.path.rglob("*")
                if path.suffix in {".parquet", ".json"}
            }
            for published in versions
        )
        assert len(first) == 4
        assert first == second

    def test_the_served_file_cannot_be_written(self, publisher, make_warehouse):
        version = publish(publisher, make_warehouse("a"), MONDAY, "a").version
        assert not any(file.stat().st_mode & 0o222 for file in version.files())


class TestWhichVersionIsShown:
    def test_the_same_inputs_are_published_once(self, publisher, make_warehouse):
        first = publish(publisher, make_warehouse("a"), MONDAY, "a")

        def never(_: PublishedVersion) -> None:
            pytest.fail("built again")

        again = publish(publisher, make_warehouse("a"), MONDAY, "a", audit=never)
        assert (first.is_new, again.is_new, again.is_current) == (True, False, True)
        assert len(publisher.history()) == 1

    def test_a_correction_of_the_same_day_replaces_it(self, publisher, make_warehouse):
        publish(publisher, make_warehouse("a"), MONDAY, "a")
        publish(publisher, make_warehouse("b"), MONDAY, "b")
        assert marker_shown(publisher) == "b"

    @pytest.mark.parametrize("days", [[TUESDAY, WEDNESDAY, MONDAY], [WEDNESDAY, MONDAY, TUESDAY]])
    def test_a_backfill_leaves_the_latest_day_shown(self, publisher, make_warehouse, days):
        for day in days:
            result = publish(publisher, make_warehouse(f"{day:%a}"), day, "a")
            assert result.version.is_complete()
            assert result.is_current == (publisher.current().id == result.version.id)
        assert marker_shown(publisher) == "Wed"

    def test_rollback_is_one_pointer_and_back(self, publisher, make_warehouse):
        publish(publisher, make_warehouse("good"), MONDAY, "a")
        publish(publisher, make_warehouse("bad"), TUESDAY, "b")
        publisher.rollback(id_of(MONDAY, "a"))
        assert marker_shown(publisher) == "good"
        publish(publisher, make_warehouse("mended"), TUESDAY, "c")
        assert marker_shown(publisher) == "mended"

    def test_rollback_wants_a_version_that_is_kept_and_whole(self, publisher, make_warehouse):
        damaged = publish(publisher, make_warehouse("a"), MONDAY, "a").version
        publish(publisher, make_warehouse("b"), TUESDAY, "b")
        with pytest.raises(
            PublishError, match=r"no version 2026-01-01-abcdef.*kept are: 2026-01-0"
        ):
            publisher.rollback("2026-01-01-abcdef")
        damaged.parquet("orders").chmod(0o644)
        damaged.parquet("orders").write_bytes(b"PAR1")
        with pytest.raises(PublishError, match=r"damaged.*orders"):
            publisher.rollback(damaged.id)
        assert marker_shown(publisher) == "b"

    def test_a_version_with_files_missing_is_built_again(self, publisher, make_warehouse):
        version = publish(publisher, make_warehouse("a"), MONDAY, "a").version
        before = version.parquet("orders").read_bytes()
        version.parquet("orders").unlink()
        assert publisher.current() is None
        assert publish(publisher, make_warehouse("a"), MONDAY, "a").is_new
        assert publisher.current().parquet("orders").read_bytes() == before
        assert not leftovers(publisher)

    def test_history_outlives_versions_and_ends_before_the_day_asked(
        self, publisher, make_warehouse
    ):
        days = [date(2026, 1, day) for day in (3, 1, 5, 2, 4)]
        for day in days:
            publish(publisher, make_warehouse("a"), day, "a", facts={"source": "sample"})
        told = publisher.history(before=date(2026, 1, 4))
        assert [record["as_of"] for record in told] == ["2026-01-01", "2026-01-02", "2026-01-03"]
        assert told[0]["tables"]["orders"]["rows"] == 200
        assert told[0]["source"] == "sample"
        assert len(publisher.history()) == 5 > len(publisher.versions())

    def test_without_its_file_the_history_still_knows_the_versions_that_are_kept(
        self, publisher, make_warehouse
    ):
        for day in (1, 2, 3):
            publish(publisher, make_warehouse("a"), date(2026, 1, day), "a")
        told = publisher.history()[1:]
        (publisher.root / "history.jsonl").unlink()
        assert publisher.history() == told
        publish(publisher, make_warehouse("a"), date(2026, 1, 4), "a")
        assert publisher.history()[:2] == told

    def test_a_pointer_that_leads_elsewhere_is_told(self, publisher, make_warehouse, tmp_path):
        publish(publisher, make_warehouse("a"), MONDAY, "a")
        (publisher.root / "current").unlink()
        (publisher.root / "current").symlink_to(tmp_path)
        with pytest.raises(PublishError, match="should be a link to versions/<id>, found"):
            publisher.current()


class TestRefusals:
    """Whatever is refused leaves what was shown, and nothing else."""

    @pytest.fixture
    def shown(self, publisher, make_warehouse) -> Iterator[Publisher]:
        publish(publisher, make_warehouse("old"), MONDAY, "a")
        before = sorted(publisher.root.rglob("*"))
        yield publisher
        assert marker_shown(publisher) == "old"
        assert sorted(publisher.root.rglob("*")) == before

    def test_the_audit_sees_the_version_and_may_refuse_it(self, shown, make_warehouse):
        def refuse(version: PublishedVersion) -> None:
            with version.connect() as connection:
                assert connection.execute("select count(*) from orders").fetchone() == (200,)
            assert version.id == id_of(TUESDAY, "b")
            raise BorderError("a suppressed customer is in a list")

        with pytest.raises(BorderError, match="suppressed customer"):
            publish(shown, make_warehouse("new"), TUESDAY, "b", audit=refuse)

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (PublishedTable("nowhere", ("id",)), "nowhere should be published, but"),
            (PublishedTable("orders", ("nothing",)), "has no nothing: correct meta.unique_key"),
            (PublishedTable("orders", ("marker",)), "1 values of its key .* several rows"),
            (PublishedTable("counted", ("n",)), "cannot hold n as HUGEINT .only as DOUBLE"),
        ],
    )
    def test_a_table_that_is_not_as_promised(self, tmp_path, make_warehouse, table, message):
        publisher = Publisher(tmp_path / "published")
        warehouse = make_warehouse("a")
        with warehouse.connect(read_only=False) as connection:
            connection.execute("create table counted as select sum(id) as n from orders")
        with pytest.raises(PublishError, match=message):
            publish(publisher, warehouse, MONDAY, "a", tables=[table])
        assert not publisher.versions()
        assert not leftovers(publisher)

    def test_a_run_that_lost_its_lock_shows_nothing(self, publisher, make_warehouse):
        publish(publisher, make_warehouse("old"), MONDAY, "a")
        with pytest.raises(PublishError, match="lost its lock"):
            publish(publisher, make_warehouse("new"), TUESDAY, "b", still_held=lambda: False)
        assert marker_shown(publisher) == "old"

    def test_no_warehouse(self, shown, tmp_path):
        with pytest.raises(WarehouseError, match="does not exist yet"):
            publish(shown, Warehouse(tmp_path / "none.duckdb"), TUESDAY, "b")

    def test_an_error_that_quotes_data_gets_into_no_message(self, shown, make_warehouse):
        warehouse = make_warehouse("Alice Miller")
        with warehouse.connect(read_only=False) as connection:
            connection.execute("create view broken as select marker::integer as id from orders")
        tables = [*TABLES, PublishedTable("broken", ("id",))]
        with pytest.raises(duckdb.ConversionException):
            publish(shown, warehouse, TUESDAY, "b", tables=tables)

    @pytest.mark.parametrize("tables", [[], [TABLES[0], TABLES[0]]])
    def test_no_table_or_one_twice(self, shown, make_warehouse, tables):
        with pytest.raises(PublishError, match=r"no table is marked|more than once"):
            publish(shown, make_warehouse("new"), TUESDAY, "b", tables=tables)

    def test_a_folder_that_cannot_be_written(self, tmp_path, make_warehouse):
        (tmp_path / "file").touch()
        with pytest.raises(PublishError, match=r"Not a directory.*nothing is published yet"):
            publish(Publisher(tmp_path / "file" / "published"), make_warehouse("a"), MONDAY, "a")

    def test_a_full_disk_while_the_pointer_moves(self, shown, make_warehouse, monkeypatch):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device", "current")

        with monkeypatch.context() as patch:
            patch.setattr(Path, "symlink_to", full)
            with pytest.raises(PublishError, match=r"No space left.*2026-01-05-.* still published"):
                publish(shown, make_warehouse("new"), TUESDAY, "b")
        shutil.rmtree(shown.root / "versions" / id_of(TUESDAY, "b"))


class TestHostileNames:
    @pytest.mark.parametrize(
        "name",
        [
            "../../x",
            "a/b",
            "a.b",
            "",
            ".",
            "..",
            "-a",
            "1a",
            "Orders",
            "x\n",
            "客户",
            'x"; drop table orders; --',
            "a" * 64,
            "published_version",
        ],
    )
    def test_a_table_name_is_a_plain_word(self, publisher, tmp_path, name):
        with pytest.raises(PublishError, match="cannot be published under this name"):
            publish(publisher, None, MONDAY, "a", tables=[PublishedTable(name, ("id",))])
        assert not list(tmp_path.iterdir())

    @settings(max_examples=300, deadline=None)
    @given(version_id=st.text() | st.from_regex(r"2026-01-05-?[./a-f0-9]*"))
    def test_a_version_id_is_its_day_and_a_hash(self, version_id):
        root = Path(__file__) / "published"  # inside a file: names that pass get no further
        with pytest.raises(PublishError) as refused:
            Publisher(root).publish(
                version_id, MONDAY, TABLES, Warehouse(root), inputs="", code="", audit=accept
            )
        if "Not a directory" in str(refused.value):
            assert set(version_id) <= set("0123456789abcdef-")
        else:
            assert "a version id is its day and a hash" in str(refused.value)

    def test_column_names_are_only_names(self, publisher, make_warehouse):
        warehouse = make_warehouse("a")
        hostile = 'x"; drop table orders; --'
        with warehouse.connect(read_only=False) as connection:
            connection.execute('create table odd as select 1 as "x""; drop table orders; --"')
        table = PublishedTable("odd", (hostile,), columns={hostile: "'; drop table odd; --"})
        version = publish(publisher, warehouse, MONDAY, "a", tables=[table]).version
        with version.connect() as connection:
            assert connection.sql("from odd").columns == [hostile]

    def test_a_linked_versions_folder_is_not_followed(self, publisher, make_warehouse, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        (elsewhere / ".tmp-precious").mkdir(parents=True)
        publisher.root.mkdir()
        (publisher.root / "versions").symlink_to(elsewhere)
        with pytest.raises(PublishError, match="is a symbolic link"):
            publish(publisher, make_warehouse("a"), MONDAY, "a")
        assert [path.name for path in elsewhere.iterdir()] == [".tmp-precious"]

    def test_a_linked_leftover_is_removed_and_not_what_it_leads_to(
        self, publisher, make_warehouse, tmp_path
    ):
        (tmp_path / "precious" / "file").mkdir(parents=True)
        (publisher.root / "versions").mkdir(parents=True)
        (publisher.root / "versions" / ".tmp-1").symlink_to(tmp_path / "precious")
        publish(publisher, make_warehouse("a"), MONDAY, "a")
        assert not leftovers(publisher)
        assert (tmp_path / "precious" / "file").exists()


class TestReaders:
    def test_one_that_opens_again_and_again_sees_whole_versions(self, publisher, make_warehouse):
        markers = [chr(ord("a") + day) for day in range(6)]
        warehouses = {marker: make_warehouse(marker, rows=3000) for marker in markers}
        publish(publisher, warehouses["a"], date(2026, 1, 1), "a")
        with reader(publisher, "loop") as loop:
            assert loop.stdout.readline() == "ready\n"
            for day, marker in enumerate(markers[1:], start=2):
                publish(publisher, warehouses[marker], date(2026, 1, day), marker)
            output, _ = loop.communicate()
        assert loop.returncode == 0
        whole = [
            [marker, marker, id_of(date(2026, 1, day), marker)]
            for day, marker in enumerate(markers, start=1)
        ]
        seen = json.loads(output)
        assert [whole[0]] in seen
        assert [whole[-1]] in seen
        assert all(rows in [[row] for row in whole] for rows in seen)

    def test_one_that_stays_open_keeps_its_version_and_hinders_nobody(
        self, publisher, make_warehouse
    ):
        old = publish(publisher, make_warehouse("a"), date(2026, 1, 1), "a").version
        with reader(publisher, "hold") as holder:
            before = holder.stdout.readline()
            for day in range(2, 7):
                result = publish(publisher, make_warehouse("b"), date(2026, 1, day), "b")
                assert old.id not in result.removed
                holder.stdin.write("\n")
                assert holder.stdout.readline() == before
            assert old.is_complete()
            assert marker_shown(publisher) == "b"
        result = publish(publisher, make_warehouse("b"), date(2026, 1, 7), "b")
        assert old.id in result.removed

    @pytest.mark.parametrize(
        "opened",
        [
            pytest.param(lambda version: version.connect(), id="database"),
            pytest.param(
                lambda version: version.parquet("orders").open("rb"),
                id="parquet",
                marks=pytest.mark.skipif(
                    not Path("/proc/self/fd").exists(), reason="Parquet readers take no lock"
                ),
            ),
        ],
    )
    def test_one_in_this_process_counts_too(self, publisher, make_warehouse, opened):
        old = publish(publisher, make_warehouse("a"), date(2026, 1, 1), "a").version
        with opened(old):
            for day in range(2, 5):
                publish(publisher, make_warehouse("a"), date(2026, 1, day), "a")
            assert old.is_complete()
        publish(publisher, make_warehouse("a"), date(2026, 1, 5), "a")
        assert not old.path.exists()

    def test_old_versions_are_kept_by_count(self, publisher, make_warehouse):
        days = [date(2026, 1, day) for day in range(1, 6)]
        for day in days:
            publish(publisher, make_warehouse("a"), day, "a")
        assert [version.as_of for version in publisher.versions()] == days[-2:]
        # Backfilled versions do not push out the latest, nor do the latest push them out at once.
        for day in days[:3]:
            publish(publisher, make_warehouse("a"), day, "a")
        assert [version.as_of for version in publisher.versions()] == days[1:]

    def test_the_one_rolled_back_to_is_kept(self, publisher, make_warehouse):
        for day in (1, 2):
            publish(publisher, make_warehouse("a"), date(2026, 1, day), "a")
        publisher.rollback(id_of(date(2026, 1, 1), "a"))
        for day in range(3, 7):
            publish(publisher, make_warehouse("a"), date(2025, 12, day), "a")
        assert publisher.current().as_of == date(2026, 1, 1)


class TestCrashes:
    def run(self, how: str, publisher: Publisher, new: Warehouse, stride: int = 1) -> dict:
        scratch = publisher.root.parent / "scratch"
        scratch.mkdir()
        command = [sys.executable, HERE / "publish_faults.py", how, publisher.root, new.path]
        done = subprocess.run(
            [*command, scratch, str(stride)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @pytest.fixture
    def template(self, publisher, make_warehouse) -> Publisher:
        publisher.publish(
            "2026-01-01-aaaaaa",
            date(2026, 1, 1),
            TABLES,
            make_warehouse("old"),
            inputs="in",
            code="code",
            audit=accept,
        )
        return publisher

    def test_killed_at_any_step_the_old_or_the_new_is_shown(self, template, make_warehouse):
        assert self.run("kill", template, make_warehouse("new"), stride=3)["kills"] > 20

    def test_a_full_disk_leaves_the_old(self, template, make_warehouse):
        assert self.run("full", template, make_warehouse("new"))["refused"] > 5

    def test_everything_is_on_disk_before_it_is_shown(self, publisher, make_warehouse, monkeypatch):
        synced: set[int] = set()
        fsync, rename, replace = os.fsync, os.rename, os.replace
        version = publisher.root / "versions" / id_of(MONDAY, "a")
        shown = []

        def noted_fsync(descriptor: int) -> None:
            synced.add(os.fstat(descriptor).st_ino)
            fsync(descriptor)

        def checked_rename(source: Path, target: Path) -> None:
            if Path(target) == version:
                inside = {path.stat().st_ino for path in Path(source).rglob("*")}
                assert inside | {Path(source).stat().st_ino} <= synced
                synced.clear()
            rename(source, target)

        def checked_replace(source: Path, target: Path) -> None:
            if Path(target).name == "current":
                assert version.parent.stat().st_ino in synced
                synced.clear()
                shown.append(target)
            replace(source, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "rename", checked_rename)
        monkeypatch.setattr(os, "replace", checked_replace)
        publish(publisher, make_warehouse("a"), MONDAY, "a")
        assert len(shown) == 1
        assert publisher.root.stat().st_ino in synced
