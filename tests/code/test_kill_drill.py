"""The drill's eyes: a version that is whole passes, one that is torn does not."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from benchmarks.kill_drill import published_day
from pipelines.resources.publisher import PublishedTable, PublishedVersion, Publisher
from pipelines.resources.warehouse import Warehouse

MONDAY = date(2026, 1, 5)
TUESDAY = MONDAY + timedelta(days=1)
TABLES = [PublishedTable("orders", ("id",)), PublishedTable("people", ("id",), side="restricted")]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two versions, the later one shown; it has more rows."""
    publisher = Publisher(tmp_path / "published")
    for rows, day in enumerate((MONDAY, TUESDAY), start=1):
        path = tmp_path / f"{day}.duckdb"
        with duckdb.connect(str(path)) as con:
            for table in TABLES:
                con.execute(f"create table {table.name} as select range as id from range({rows})")
        publisher.publish(
            f"{day}-000000000000",
            day,
            TABLES,
            Warehouse(path),
            inputs="inputs",
            code="code",
            audit=lambda _: None,
        )
    return publisher.root


def put_into_tuesday(published: Path, file: str) -> None:
    monday, tuesday = (published / "versions" / f"{day}-000000000000" for day in (MONDAY, TUESDAY))
    (tuesday / file).unlink()
    shutil.copy(monday / file, tuesday / file)


def test_a_whole_version_is_its_day(published: Path) -> None:
    assert published_day(published) == TUESDAY


@pytest.mark.parametrize(
    ("file", "complaint"),
    [
        ("orders.parquet", "other bytes in orders"),
        ("restricted/people.parquet", "other bytes in people"),
        ("homing.duckdb", "homing.duckdb states"),
        ("restricted/contacts.duckdb", "contacts.duckdb states"),
    ],
)
def test_a_file_of_another_version_is_found(published: Path, file: str, complaint: str) -> None:
    put_into_tuesday(published, file)
    with pytest.raises(AssertionError, match=complaint):
        published_day(published)


def test_a_missing_file_is_found(published: Path) -> None:
    (published / "current" / "orders.parquet").unlink()
    with pytest.raises(AssertionError, match="none that is complete"):
        published_day(published)


def test_lost_rows_in_the_database_are_found(published: Path) -> None:
    version = PublishedVersion((published / "current").resolve())
    version.database.chmod(0o644)
    with duckdb.connect(str(version.database)) as con:
        con.execute("delete from orders where id = 0")
    with pytest.raises(AssertionError, match="other rows in orders"):
        published_day(published)
