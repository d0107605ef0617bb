"""The audit log: what it says of a list can be recomputed from the list itself."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.defs.publish import forgotten_in_words, newly_forgotten
from pipelines.resources.journal import Journal, append_line
from pipelines.resources.lock import RunLock
from pipelines.resources.publisher import Publisher
from pipelines.resources.version_log import HASHED_COLUMNS, list_facts, write_logs
from pipelines.resources.warehouse import Warehouse

LIST = [
    ("save", "r2", "C2", "control", "A", None, None, "o1", "2026-01-09"),
    ("save", "r1", "C1", "treatment", "A", 1, "email", "o1", "2026-01-08"),
    ("win_back", "r3", "C3", "treatment", "B", 2, "phone", None, None),
]
SUPPRESSED = [("save", "C4", "erasure"), ("save", "C4", "budget"), ("care", "C1", "budget")]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute(
            "create table retention_list (list_code varchar, list_row_id varchar, customer_id"
            " varchar, arm varchar, plan_code varchar, reward_step integer, channel varchar,"
            " owner_id varchar, due_on date)"
        )
        con.executemany("insert into retention_list values (?, ?, ?, ?, ?, ?, ?, ?, ?)", LIST)
        con.execute(
            "create table retention_list_suppressed (list_code varchar, customer_id varchar,"
            " rule varchar)"
        )
        con.executemany("insert into retention_list_suppressed values (?, ?, ?)", SUPPRESSED)
    return Warehouse(path)


def checksum(*lines: str) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_a_list_is_counted_and_hashed(warehouse: Warehouse) -> None:
    assert len(HASHED_COLUMNS) == 8
    assert list_facts(warehouse) == {
        "care": {
            "listed_rows": 0, "treated_rows": 0, "control_rows": 0, "held_back_customers": 1,
            "rows_sha256": checksum(),
        },
        "save": {
            "listed_rows": 2, "treated_rows": 1, "control_rows": 1, "held_back_customers": 1,
            "rows_sha256": checksum(
                "r1,C1,treatment,A,1,email,o1,2026-01-08", "r2,C2,control,A,,,o1,2026-01-09"
            ),
        },
        "win_back": {
            "listed_rows": 1, "treated_rows": 1, "control_rows": 0, "held_back_customers": 0,
            "rows_sha256": checksum("r3,C3,treatment,B,2,phone,,"),
        },
    }  # fmt: skip


def test_one_changed_cell_changes_the_checksum(warehouse: Warehouse) -> None:
    before = list_facts(warehouse)
    with warehouse.connect(read_only=False) as con:
        con.execute("update retention_list set channel = 'post' where list_row_id = 'r1'")
    after = list_facts(warehouse)
    assert after["save"]["rows_sha256"] != before["save"]["rows_sha256"]
    assert after["win_back"] == before["win_back"]


def test_the_logs_tell_of_every_version(warehouse: Warehouse) -> None:
    def version(number: int, previous: str | None, **more: object) -> dict[str, object]:
        return {
            "id": f"v{number}", "as_of": f"2026-01-0{number}", "source": "test", "inputs": "i",
            "code": "c", "model_version": "m", "previous": previous,
            "tables": {"retention_list": {"rows": 3}, "run_log": {"rows": 9}},
        } | more  # fmt: skip

    old = version(1, None)  # made before there was an audit log
    write_logs(warehouse, [old, version(2, "v1", lists=list_facts(warehouse))])
    with warehouse.connect() as con:
        assert con.execute(
            "select version_id, published_tables, published_rows from run_log order by all"
        ).fetchall() == [("v1", 1, 3), ("v2", 1, 3)]
        assert con.execute(
            "select as_of_date, version_id, previous_version_id, list_code, listed_rows"
            " from audit_log order by list_code"
        ).fetchall() == [
            (date(2026, 1, 2), "v2", "v1", "care", 0),
            (date(2026, 1, 2), "v2", "v1", "save", 2),
            (date(2026, 1, 2), "v2", "v1", "win_back", 1),
        ]


def test_a_day_without_lists_has_an_empty_audit_log(warehouse: Warehouse) -> None:
    write_logs(warehouse, [])
    with warehouse.connect() as con:
        kinds = dict(
            con.execute("select name, type from pragma_table_info('audit_log')").fetchall()
        )
        assert con.execute("select count(*) from audit_log").fetchall() == [(0,)]
    assert kinds["as_of_date"] == "DATE"
    assert kinds["listed_rows"] == "BIGINT"
    assert kinds["rows_sha256"] == "VARCHAR"


def test_versions_that_runs_published_and_the_history_lost_are_told_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs", RunLock(tmp_path / "run.lock"))
    publisher = Publisher(tmp_path / "published")
    versions = [f"2026-01-0{day}-0123456789ab" for day in (1, 2, 3)]
    for number, version in enumerate(versions):
        journal.start(str(number), as_of=date(2026, 1, number + 1), source="files")
        journal.finish(str(number), "succeeded", version_id=version)
        append_line(publisher.root / "history.jsonl", {"id": version, "as_of": version[:10]})
    journal.start("failed", as_of=date(2026, 1, 4), source="files")
    journal.finish("failed", "failed", error="broken")
    assert newly_forgotten(journal, publisher, "5") == []
    assert "miss" not in journal.path.read_text()

    history = publisher.root / "history.jsonl"
    whole = history.read_bytes()
    history.unlink()
    append_line(history, {"id": versions[1], "as_of": "2026-01-02"})
    lost = newly_forgotten(journal, publisher, "6")
    assert lost == [versions[0], versions[2]]
    assert newly_forgotten(journal, publisher, "7") == []
    history.unlink()
    assert newly_forgotten(journal, publisher, "8") == [versions[1]]

    # Put back, it may be lost once more.
    history.write_bytes(whole)
    assert newly_forgotten(journal, publisher, "9") == []
    history.unlink()
    assert newly_forgotten(journal, publisher, "10") == versions
    assert [run.run_id for run in journal.runs()] == ["0", "1", "2", "failed"]
    assert forgotten_in_words(lost).startswith(
        f"2 published before ({lost[0]} to {lost[1]}) are no"
    )
