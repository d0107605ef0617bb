"""From the source to the published file: what a data engineer and a BI tool rely on."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from pipelines.sources.contract import load_contract
from tests.conftest import (
    SAMPLE_CUSTOMERS,
    SAMPLE_DAYS,
    SampleRun,
    copy_of,
    features_of,
    homing,
)

FIRST_DAY, DAY = SAMPLE_DAYS
OLDER_DAY = "2026-03-25"  # the model of the first day is young enough for it
NEXT_DAY = "2026-06-29"

PROMISED = {
    "dim_date", "dim_customer", "dim_product", "dim_rep", "fct_orders", "customer_lifecycle",
    "lifecycle_history", "lifecycle_transitions", "customer_value", "customer_churn_scores",
    "churn_reasons", "retention_list", "retention_list_suppressed", "retention_metrics_monthly",
    "cohort_retention", "list_effect", "model_evaluations", "row_ledger", "run_log",
}  # fmt: skip


def bytes_of(version: Path) -> dict[str, str]:
    """The sha256 of every file of a version but its databases, which hold the same rows."""
    return {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted([*version.rglob("*.parquet"), version / "version.json"])
    }


def version_of(home: Path, day: str) -> Path:
    """The folder of the one version of a day."""
    [version] = (home / "published" / "versions").glob(f"{day}-*")
    return version


def current_version(home: Path) -> str:
    return (home / "published" / "current").readlink().name


def run_sample(home: Path, day: str, **settings: object) -> None:
    result = homing(home, as_of=day, sample_customers=SAMPLE_CUSTOMERS, **settings)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_promised_table_is_published(sample_home: Path) -> None:
    with duckdb.connect(str(sample_home / "published" / "homing.duckdb"), read_only=True) as con:
        tables = {name for (name,) in con.execute("show tables").fetchall()}
        rows = {name: con.table(name).count("*").fetchall()[0][0] for name in PROMISED & tables}
    assert tables >= PROMISED
    assert [name for name, count in rows.items() if count == 0] == []


def test_the_summary_tells_what_a_person_needs(sample_runs: dict[str, SampleRun]) -> None:
    printed = sample_runs[DAY].printed
    for words in (
        "Rows per table",
        "Customers per stage",
        "Customers to contact per list",
        "first on ",
        "out of time",
        "Quarantined",
        "Published",
    ):
        assert words in printed, printed


def test_personal_columns_are_on_the_restricted_side_alone(sample_home: Path) -> None:
    current = sample_home / "published" / "current"
    assert (current / "restricted" / "dim_customer_contact.parquet").exists()
    assert (current / "restricted").stat().st_mode & 0o077 == 0
    assert not (current / "dim_customer_contact.parquet").exists()


TOLD_BY_THE_FILE = """
    select
        (select string_agg(distinct as_of_date::varchar, ' ') from retention_list),
        (select max(as_of_date)::varchar from run_log),
        (select max_by(version_id, as_of_date) from run_log),
        (select string_agg(version_id, ' ') from published_version)
"""
Told = tuple[str, str, str, str]


def _read_until(
    stop: multiprocessing.synchronize.Event, database: str, seen: multiprocessing.Queue
) -> None:
    """Open the published file again and again; one opening must never show two versions."""
    told, failures = set(), 0
    while not stop.is_set():
        try:
            with duckdb.connect(database, read_only=True) as con:
                told.update(con.execute(TOLD_BY_THE_FILE).fetchall())
        except duckdb.Error:
            failures += 1
        stop.wait(0.05)
    seen.put((told, failures))


@dataclass(frozen=True)
class Followed:
    """A home after three more runs, and what readers saw meanwhile.

    Attributes:
        home: the home.
        current: id of the current version before the runs and after each.
        made_anew: the files of one day's version before and after it was made anew.
        told: all that a reader found who opened the file again and again.
        failures: how often it could not be opened (count).
        held_open: what the connection saw that was open all the time, before and after.
    """

    home: Path
    current: list[str]
    made_anew: list[dict[str, str]]
    told: set[Told]
    failures: int
    held_open: list[list[Told]]


@pytest.fixture(scope="module")
def followed(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """The next day, the day before anew, and an older day that never was, under two readers."""
    home = copy_of(sample_home, tmp_path_factory.mktemp("whole_way") / "home")
    spawn = multiprocessing.get_context("spawn")
    stop, seen = spawn.Event(), spawn.Queue()
    database = str(home / "published" / "homing.duckdb")
    reader = spawn.Process(target=_read_until, args=(stop, database, seen))
    reader.start()
    current = [current_version(home)]
    version = version_of(home, DAY)
    made_anew = [bytes_of(version)]
    try:
        with duckdb.connect(database, read_only=True) as con:
            held_open = [con.execute(TOLD_BY_THE_FILE).fetchall()]
            for day in (NEXT_DAY, DAY, OLDER_DAY):
                if day == DAY:
                    # A version that is still there would be found and not be built again.
                    shutil.rmtree(version)
                    (home / "warehouse.duckdb").unlink()
                run_sample(home, day)
                current.append(current_version(home))
            held_open.append(con.execute(TOLD_BY_THE_FILE).fetchall())
        with duckdb.connect(database, read_only=True) as con:  # the last one was just shown
            last = set(con.execute(TOLD_BY_THE_FILE).fetchall())
    finally:
        stop.set()
        told, failures = seen.get(timeout=30)
        reader.join()
    made_anew.append(bytes_of(version))
    return Followed(home, current, made_anew, told | last, failures, held_open)


def test_days_follow_each_other_under_a_reader(followed: Followed) -> None:
    """A later day becomes current, older ones leave the current one alone."""
    first, second, *after_older_days = followed.current
    assert [first[:10], second[:10]] == [DAY, NEXT_DAY]
    assert after_older_days == [second] * 2
    assert version_of(followed.home, OLDER_DAY).is_dir()

    assert followed.failures == 0
    assert followed.told == {(id[:10], id[:10], id, id) for id in (first, second)}
    assert followed.held_open == [[(DAY, DAY, first, first)]] * 2


def test_a_rerun_publishes_the_same_bytes(followed: Followed) -> None:
    """Of a day that trained, without the warehouse, though the lake knows a later day by now."""
    before, after = followed.made_anew
    assert before == after
    assert len(before) > len(PROMISED)


def test_a_day_takes_only_what_is_new(followed: Followed) -> None:
    ledger = version_of(followed.home, NEXT_DAY) / "row_ledger.parquet"
    orders = dict(
        duckdb.sql(
            "select as_of::varchar, extracted"
            f" from read_parquet('{ledger}') where table_name = 'orders'"
        ).fetchall()
    )
    assert 0 < orders[NEXT_DAY] < orders[FIRST_DAY] / 50


# What names the source and its batches: `files` here, `sample` there.
OF_THE_SOURCE = {
    "audit_log.parquet",
    "customer_xref.parquet",
    "deliveries.parquet",
    "run_log.parquet",
    "version.json",
}


def test_another_machine_and_another_future_change_no_byte(
    sample_home: Path, sample_runs: dict[str, SampleRun], tmp_path: Path
) -> None:
    """The first day again, in a home of its own, from files with every later row altered."""
    sample = next(path for path in (sample_home / "sample").iterdir() if path.is_dir())
    files = copy_of(sample, tmp_path / "files")
    _alter_the_future(files, FIRST_DAY)
    home = tmp_path / "home"
    result = homing(home, as_of=FIRST_DAY, source="files", files_dir=files)
    assert result.returncode == 0, result.stderr
    assert features_of(home) == sample_runs[FIRST_DAY].features
    there, here = (
        bytes_of(version_of(home, FIRST_DAY)),
        bytes_of(version_of(sample_home, FIRST_DAY)),
    )
    assert there.keys() == here.keys()
    assert {name for name in here if here[name] != there[name]} <= OF_THE_SOURCE


def _alter_the_future(folder: Path, day: str) -> None:
    """Double every amount and quantity and change every text of the rows after a day.

    A row of no plausible day is no later one: it is in quarantine with all rules that it breaks.
    """
    altered = 0
    for table in load_contract().values():
        files = [*folder.glob(f"{table.name}/*.parquet"), *folder.glob(f"{table.name}.parquet")]
        for file in files:
            with duckdb.connect() as con:
                columns = con.execute(f"describe select * from read_parquet('{file}')").fetchall()
                untouched = {*table.key, table.time, "customer_id", "updated_at"}
                at = f"try_cast({table.time} as timestamp)"
                is_later = (
                    f"{at} >= timestamp '{day}' + interval 1 day and {at} < timestamp '2100-01-01'"
                )
                changed = ", ".join(
                    f'case when {is_later} then {new} else "{name}" end as "{name}"'
                    for name, kind, *_ in columns
                    if name not in untouched
                    and (
                        new := f"\"{name}\" || 'x'"
                        if kind == "VARCHAR"
                        else f'"{name}" * 2'
                        if kind.startswith(("DECIMAL", "DOUBLE", "BIGINT", "INTEGER"))
                        else None
                    )
                )
                if not changed:
                    continue
                altered += con.execute(
                    f"select count(*) from read_parquet('{file}') where {is_later}"
                ).fetchall()[0][0]
                con.execute(
                    f"copy (select * replace ({changed}) from read_parquet('{file}'))"
                    f" to '{file}.new' (format parquet)"
                )
                Path(f"{file}.new").replace(file)
    assert altered > 1000
