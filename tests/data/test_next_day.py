"""The shop's next days: a delivery that is refused, then a day with two who want to be forgotten.

The next day's file is spoilt and refused. The day after it is mended, and brings no new order: let
through by name and killed half-way; let through and completed. One kill here; `make drill` kills
at ten random boundaries.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

from models.forecasts.kinds import KINDS
from models.store import ModelStore
from pipelines import rollback
from pipelines.defs.forecasts import served, stores
from pipelines.defs.tables import training_is_due
from pipelines.settings import Settings
from tests.conftest import copy_of, homing
from tests.data.shop import BUYER, CANARIES, DAY, NEXT_DAY, Shop, holding

DAY_AFTER = "2025-07-02"
# What was built is of the new day then, the lists in the warehouse are still those of the old one.
KILLED_AT = "retention"


@dataclass(frozen=True)
class Attempt:
    """How one run ended, and which version was the current one then."""

    ended: subprocess.CompletedProcess[str]
    current: str


@dataclass(frozen=True)
class NextDay:
    """The home after the last of three attempts, two of them at the second day."""

    home: Path
    before: str
    refused: Attempt
    killed: Attempt
    completed: Attempt


def current(home: Path) -> str:
    return (home / "published" / "current").readlink().name


@pytest.fixture(scope="module")
def next_day(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> NextDay:
    """A refused day, and two attempts at the one after it."""
    folder = tmp_path_factory.mktemp("next_day")
    home, delivered = copy_of(shop.home, folder / "home"), copy_of(shop.files, folder / "files")
    before = current(home)

    def attempt(day: str = DAY_AFTER, **how: object) -> Attempt:
        run = homing(home, as_of=day, source="files", files_dir=delivered, **how)
        return Attempt(run, current(home))

    mended = (delivered / "orders.csv").read_bytes()
    pd.read_csv(delivered / "orders.csv").assign(net_amount="#REF!").to_csv(
        delivered / "orders.csv", index=False
    )
    refused = attempt(NEXT_DAY)
    (delivered / "orders.csv").write_bytes(mended)
    requests = [("K5", f"{DAY_AFTER} 08:00:00"), ("K7", f"{DAY_AFTER} 08:00:00")]
    pd.DataFrame(requests, columns=["customer_id", "requested_at"]).to_csv(
        delivered / "erasure_requests.csv", index=False
    )
    allowed = "orders_keep_coming"
    killed = attempt(module=("tests.data.kill_at_step", KILLED_AT), allow=allowed)
    return NextDay(home, before, refused, killed, attempt(allow=allowed))


def test_a_refused_delivery_is_kept_apart_and_no_later_day_counts_it(next_day: NextDay) -> None:
    run = next_day.refused.ended
    assert run.returncode == 1, run.stdout
    assert "net_amount" in run.stderr
    assert next_day.refused.current == next_day.before
    assert (next_day.home / "lake" / "orders" / f"{NEXT_DAY}.pending").is_file()
    with duckdb.connect(str(next_day.home / "published" / "homing.duckdb"), read_only=True) as con:
        told = con.execute(
            "select delivered_for_on::varchar, rows from deliveries where table_name = 'orders'"
        ).fetchall()
        by_day = con.execute(
            "select as_of::varchar, sum(extracted), sum(quarantined), sum(superseded)"
            " from row_ledger where table_name = 'orders' group by all"
        ).fetchall()
        bad = con.execute(
            "select batch_as_of::varchar, count(*) from quarantine where table_name = 'orders'"
            " group by all"
        ).fetchall()
    [(day, rows)] = told
    [(_, extracted, quarantined, superseded)] = by_day
    assert (day, rows) == (DAY, extracted)
    assert bad == [(DAY, quarantined)]
    assert 0 < quarantined < 10
    assert superseded == 0


def test_a_killed_run_leaves_the_old_version_and_the_next_one_completes(next_day: NextDay) -> None:
    assert next_day.killed.ended.returncode == -signal.SIGKILL, next_day.killed.ended.stdout
    assert next_day.killed.current == next_day.before
    run = next_day.completed.ended
    assert run.returncode == 0, run.stdout + run.stderr
    assert next_day.completed.current.startswith(DAY_AFTER)
    database = str(next_day.home / "published" / "homing.duckdb")
    with duckdb.connect(database, read_only=True) as con:
        days = con.execute("select distinct as_of_date::varchar from retention_list").fetchall()
    assert days == [(DAY_AFTER,)]


def test_who_asked_is_forgotten_everywhere(next_day: NextDay) -> None:
    # A key that slipped stays in the raw row, since keys are never touched.
    left = holding(next_day.home, *CANARIES)
    assert set().union(*left.values()) <= {BUYER[1]}
    assert all(path.startswith("lake/orders/") for path in left if path != "warehouse.duckdb")

    database = str(next_day.home / "published" / "homing.duckdb")
    with duckdb.connect(database, read_only=True) as con:
        unbalanced = con.execute(
            "select count(*) from row_ledger where extracted <> accepted + quarantined + duplicate"
        ).fetchall()
        on_lists = con.execute(
            "select count(*) from retention_list where customer_id in ('K5', 'K7')"
        ).fetchall()
        orders = con.execute("select count(*) from fct_orders where customer_id = 'K5'").fetchall()
    assert unbalanced == on_lists == [(0,)]
    assert orders[0][0] > 0
    versions = sorted((next_day.home / "published" / "versions").iterdir())
    assert len(versions) == 2  # that of the day before has forgotten, too
    for version in versions:
        contacts = version / "restricted" / "dim_customer_contact.parquet"
        ids = duckdb.sql(f"select customer_id from read_parquet('{contacts}')").fetchall()
        assert {id for (id,) in ids} == {"K6", *(f"K{n}" for n in range(20, 40))}


def test_readers_get_an_older_version_back_and_the_journal_knows(next_day: NextDay) -> None:
    home, before, shown = next_day.home, next_day.before, next_day.completed.current

    def rollback(*arguments: str) -> subprocess.CompletedProcess[str]:
        return homing(home, module=("pipelines.rollback", *arguments))

    assert f"{shown} (current)" in rollback().stdout
    assert current(home) == shown
    assert rollback(before).returncode == 0
    assert current(home) == before
    last = json.loads((home / "runs" / "journal.jsonl").read_text().splitlines()[-1])
    assert (last["status"], last["version_id"]) == ("succeeded", before)

    unknown = rollback("2020-01-01-000000000000")
    assert unknown.returncode == 1
    assert "kept are" in unknown.stderr
    last = json.loads((home / "runs" / "journal.jsonl").read_text().splitlines()[-1])
    assert last["status"] == "failed"
    assert "kept are" in last["error"]
    assert current(home) == before
    assert rollback(shown).returncode == 0
    assert current(home) == shown


@contextmanager
def _aside(folder: Path) -> Iterator[None]:
    """Without a folder, for a while."""
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    yield
    elsewhere.rename(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_a_forecast_is_withdrawn_and_the_one_before_it_served(
    next_day: NextDay, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    settings, today = Settings(home=next_day.home), date.fromisoformat(DAY_AFTER)
    store = stores(settings)[kind]
    older = store.load_champion(today).model
    assert older is not None
    learnt_later = replace(older, as_of=today)
    store.promote(store.save(learnt_later))

    def withdraw(reason: str, status: int = 0) -> str:
        monkeypatch.setenv("HOMING_HOME", str(next_day.home))
        monkeypatch.setattr(sys, "argv", ["rollback", "--model", reason, "--kind", kind])
        assert rollback.main() == status
        told = capsys.readouterr()
        return told.err if status else told.out

    def is_due() -> bool:
        churn = ModelStore(settings.model_store)
        return training_is_due(dg.DagsterRun(job_name="daily"), churn, settings, today)

    assert served(settings, today)[kind].version == learnt_later.version
    assert f"The next run serves {older.version}" in withdraw("too bold")
    assert served(settings, today)[kind].version == older.version
    assert "too bold" in [each.withdrawn for each in store.history()]
    assert not is_due()

    store.promote(learnt_later.version)
    with _aside(store.versions / older.version):
        assert "The next run trains anew" in withdraw("nothing else can be read")
        assert is_due()

    assert "The next run trains anew" in withdraw("too bold, too")
    assert kind not in served(settings, today)
    assert is_due()
    assert "no champion to withdraw" in withdraw("again", status=1)
    store.promote(older.version)


def test_what_every_run_learns_anew_cannot_be_withdrawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["rollback", "--model", "why", "--kind", "effects"])
    with pytest.raises(SystemExit):
        rollback.main()
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(), ("2020-01-01-000000000000",)])
def test_a_kind_without_a_model_to_take_back_is_refused(
    version: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "argv", ["rollback", "--kind", "return", *version])
    with pytest.raises(SystemExit):
        rollback.main()
    assert "give --model WHY with it" in capsys.readouterr().err


def test_a_churn_model_is_withdrawn_with_its_reason(next_day: NextDay) -> None:
    withdrawn = homing(next_day.home, module=("pipelines.rollback", "--model", "too many alarms"))
    assert "The next run" in withdrawn.stdout, withdrawn.stderr
    assert any(
        "too many alarms" in path.read_text() for path in (next_day.home / "models").glob("*.json")
    )
    again = homing(next_day.home, module=("pipelines.rollback", "--model", "again"))
    assert again.returncode == 1
    assert "no champion to withdraw" in again.stderr
