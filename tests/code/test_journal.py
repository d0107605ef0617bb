"""The journal: what runs did, readable whatever happened to the last line."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import SourceError
from pipelines.resources.journal import Journal, append_line, one_line, read_lines
from pipelines.resources.lock import RunLock

DAY = date(2026, 1, 5)


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path / "run.lock")


@pytest.fixture
def journal(tmp_path: Path, lock: RunLock) -> Journal:
    start, seconds = datetime(2026, 1, 6, 6, tzinfo=UTC), count()
    return Journal(tmp_path / "runs", lock, clock=lambda: start + timedelta(seconds=next(seconds)))


def test_a_run_is_told_from_start_to_finish(journal):
    journal.start("r1", as_of=DAY, source="sample")
    journal.step("r1", "extract", 1.23456, {"extracted": 10})
    journal.step("r1", "publish", 2.0, {"published": 3})
    journal.finish("r1", "succeeded", version_id="2026-01-05-abc", counts={"quarantined": 1})
    (run,) = journal.runs()
    assert (run.status, run.as_of, run.source) == ("succeeded", "2026-01-05", "sample")
    assert run.version_id == "2026-01-05-abc"
    assert run.seconds_per_step == {"extract": 1.235, "publish": 2.0}
    assert run.counts == {"extracted": 10, "published": 3, "quarantined": 1}
    assert run.started_at == "2026-01-06T06:00:00.000+00:00"
    assert run.finished_at == "2026-01-06T06:00:03.000+00:00"


def test_a_run_without_an_end_is_running_or_was_interrupted(journal, lock):
    journal.start("killed", as_of=DAY, source="sample")
    with lock.acquire("at work", DAY):
        journal.start("at work", as_of=DAY, source="sample")
        assert [run.status for run in journal.runs()] == ["interrupted", "running"]
    assert [run.status for run in journal.runs()] == ["interrupted", "interrupted"]


@pytest.mark.parametrize(
    ("endings", "told"),
    [
        (["failed", "succeeded"], "failed"),
        (["succeeded", "failed"], "failed"),
        (["superseded", "failed"], "superseded"),
        (["succeeded", "succeeded"], "succeeded"),
    ],
)
def test_the_first_ending_counts_unless_a_failure_follows_a_success(journal, endings, told):
    journal.start("r1", as_of=DAY, source="sample")
    for ending in endings:
        journal.finish("r1", ending)
    assert journal.runs()[0].status == told


def test_a_reason_told_later_is_kept_and_the_first_one_stays(journal):
    journal.start("r1", as_of=DAY, source="sample")
    journal.finish("r1", "failed")
    journal.finish("r1", "failed", error=SourceError("no orders"))
    journal.finish("r1", "failed", error="the run failed")
    assert journal.runs()[0].error == "no orders"


def test_only_our_own_messages_are_kept():
    with pytest.raises(duckdb.Error) as quotes_data:
        duckdb.sql("select cast('Alice Miller' as integer)").fetchall()
    assert "Alice" in str(quotes_data.value)
    assert one_line(quotes_data.value).startswith("ConversionException (")
    assert "Alice" not in one_line(quotes_data.value)
    assert one_line(SourceError("orders.csv:\n  no such   column")) == "orders.csv: no such column"
    assert len(one_line(SourceError("x" * 1000))) == 300


def test_any_torn_last_line_costs_that_line_alone(tmp_path):
    whole = tmp_path / "whole"
    for number in range(3):
        append_line(whole, {"n": number, "text": "客户\n"})
    content = whole.read_bytes()
    for size in range(len(content)):
        torn = tmp_path / "torn"
        torn.write_bytes(content[:size])
        before = list(read_lines(torn))
        append_line(torn, {"n": 9})
        assert list(read_lines(torn)) == [*before, {"n": 9}]
        assert [record["n"] for record in before] == list(range(len(before)))
        assert len(before) >= content[:size].count(b"\n")


@given(text=st.text() | st.just("\udc80"))
def test_any_text_is_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    append_line(path, {"text": text})
    append_line(path, {"text": "next"})
    assert [record["text"] for record in read_lines(path)] == [text, "next"]


def test_no_journal_is_no_runs(journal):
    assert journal.runs() == []


def test_lines_that_belong_to_nothing_are_passed_over(journal):
    journal.finish("unknown", "failed")
    for line in ({"event": "start"}, {"event": "other", "run_id": "x"}, {}):
        append_line(journal.path, line)
    assert journal.runs() == []
