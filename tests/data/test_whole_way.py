"""From the source to the published file: what a data engineer and a BI tool rely on."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from pathlib import Path

import duckdb
import pytest

from pipelines.sources.contract import load_contract
from tests.conftest import copy_of, homing

CUSTOMERS = 700
DAY = "2026-06-28"
NEXT_DAY = "2026-06-29"
OLDER_DAY = "2026-05-15"

PROMISED = {
    "dim_date", "dim_customer", "dim_product", "dim_rep", "fct_orders", "customer_lifecycle",
    "lifecycle_history", "lifecycle_transitions", "customer_value", "customer_churn_scores",
    "churn_reasons", "retention_list", "retention_list_suppressed", "retention_metrics_monthly",
    "cohort_retention", "list_effect", "model_evaluations", "row_ledger", "run_log",
}  # fmt: skip


def published_bytes(home: Path) -> dict[str, str]:
    """The sha256 of every Parquet file of the current version."""
    current = home / "published" / "current"
    return {
        path.relative_to(current).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(current.rglob("*.parquet"))
    }


def current_version(home: Path) -> str:
    return (home / "published" / "current").readlink().name


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home after its first run, and what the run printed."""
    home = tmp_path_factory.mktemp("whole_way") / "home"
    result = homing(home, as_of=DAY, sample_customers=CUSTOMERS)
    assert result.returncode == 0, result.stdout + result.stderr
    return home, result.stdout


@pytest.fixture
def home(first_run: tuple[Path, str], tmp_path: Path) -> Path:
    """A home of one's own, after the first run."""
    return copy_of(first_run[0], tmp_path / "home")


def test_every_promised_table_is_published(first_run: tuple[Path, str]) -> None:
    with duckdb.connect(str(first_run[0] / "published" / "homing.duckdb"), read_only=True) as con:
        tables = {name for (name,) in con.execute("show tables").fetchall()}
        rows = {name: con.table(name).count("*").fetchall()[0][0] for name in PROMISED & tables}
    assert tables >= PROMISED
    assert [name for name, count in rows.items() if count == 0] in ([], ["list_effect"])


def test_the_summary_tells_what_a_person_needs(first_run: tuple[Path, str]) -> None:
    printed = first_run[1]
    for words in (
        "Rows per table",
        "Customers per stage",
        "Lists, and who comes first",
        "Out of time",
        "Quarantined",
        "Published",
    ):
        assert words in printed, printed


def test_personal_columns_are_on_the_restricted_side_alone(first_run: tuple[Path, str]) -> None:
    current = first_run[0] / "published" / "current"
    assert (current / "restricted" / "dim_customer_contact.parquet").exists()
    assert (current / "restricted").stat().st_mode & 0o077 == 0
    assert not (current / "dim_customer_contact.parquet").exists()


def test_a_rerun_publishes_the_same_version(home: Path) -> None:
    before = published_bytes(home)
    result = homing(home, as_of=DAY, sample_customers=CUSTOMERS)
    assert result.returncode == 0, result.stderr
    assert published_bytes(home) == before
    assert len(list((home / "published" / "versions").iterdir())) == 1


def test_another_machine_publishes_the_same_bytes(
    first_run: tuple[Path, str], tmp_path: Path
) -> None:
    result = homing(tmp_path / "home", as_of=DAY, sample_customers=CUSTOMERS)
    assert result.returncode == 0, result.stderr
    assert published_bytes(tmp_path / "home") == published_bytes(first_run[0])
    assert current_version(tmp_path / "home") == current_version(first_run[0])


def _read_until(
    stop: multiprocessing.synchronize.Event, database: str, seen: multiprocessing.Queue
) -> None:
    """Open the published file again and again; one opening must never show two versions."""
    versions, failures = set(), 0
    while not stop.is_set():
        try:
            with duckdb.connect(database, read_only=True) as con:
                days = con.execute(
                    "select distinct as_of_date from retention_list"
                    " union select max(as_of_date) from run_log"
                ).fetchall()
            versions.add(tuple(sorted(str(day) for (day,) in days)))
        except duckdb.Error:
            failures += 1
        stop.wait(0.05)
    seen.put((versions, failures))


def test_days_follow_each_other_under_a_reader(home: Path) -> None:
    """The next day reads its own batch; an older day leaves the current one alone."""
    spawn = multiprocessing.get_context("spawn")
    stop, seen = spawn.Event(), spawn.Queue()
    database = str(home / "published" / "homing.duckdb")
    reader = spawn.Process(target=_read_until, args=(stop, database, seen))
    reader.start()
    try:
        with duckdb.connect(database, read_only=True) as held_open:
            first = current_version(home)
            later = homing(home, as_of=NEXT_DAY, sample_customers=CUSTOMERS)
            assert later.returncode == 0, later.stderr
            second = current_version(home)
            older = homing(home, as_of=OLDER_DAY, sample_customers=CUSTOMERS)
            assert older.returncode == 0, older.stderr
            assert held_open.execute(
                "select distinct as_of_date::varchar from retention_list"
            ).fetchall() == [(DAY,)]
    finally:
        stop.set()
        versions, failures = seen.get(timeout=30)
        reader.join()

    assert first.startswith(DAY)
    assert second.startswith(NEXT_DAY)
    assert current_version(home) == second
    assert any(
        path.name.startswith(OLDER_DAY) for path in (home / "published" / "versions").iterdir()
    )
    assert failures == 0
    assert versions == {(DAY,), (NEXT_DAY,)}
    with duckdb.connect(database, read_only=True) as con:
        batches = dict(
            con.execute(
                "select as_of::varchar, extracted from row_ledger where table_name = 'orders'"
            ).fetchall()
        )
    assert 0 < batches[NEXT_DAY] < batches[DAY] / 50


def test_what_happens_after_the_day_changes_nothing(
    first_run: tuple[Path, str], tmp_path: Path
) -> None:
    """Every row after as_of is altered; features, scores and lists stay byte-equal."""
    exports = {}
    for name in ("as_it_was", "altered"):
        exports[name] = tmp_path / name / "files"
        sample = next(path for path in (first_run[0] / "sample").iterdir() if path.is_dir())
        shutil.copytree(sample, exports[name])
    _alter_the_future(exports["altered"], OLDER_DAY)
    tables = {}
    for name, folder in exports.items():
        home = folder.parent / "home"
        result = homing(home, as_of=OLDER_DAY, source="files", files_dir=folder)
        assert result.returncode == 0, result.stderr
        with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
            features = con.execute(
                "select md5(string_agg(f::varchar, '|' order by snapshot_on, customer_id))"
                " from customer_features f"
            ).fetchall()
        digests = published_bytes(home)
        tables[name] = (
            features,
            digests["customer_churn_scores.parquet"],
            digests["retention_list.parquet"],
            digests["retention_list_suppressed.parquet"],
        )
    assert tables["altered"] == tables["as_it_was"]


def _alter_the_future(folder: Path, day: str) -> None:
    """Double every amount and quantity and change every text of the rows after a day."""
    altered = 0
    for table in load_contract().values():
        if table.time is None:
            continue
        files = [*folder.glob(f"{table.name}/*.parquet"), *folder.glob(f"{table.name}.parquet")]
        for file in files:
            with duckdb.connect() as con:
                columns = con.execute(f"describe select * from read_parquet('{file}')").fetchall()
                untouched = {*table.key, table.time, "customer_id", "updated_at"}
                is_later = (
                    f"try_cast({table.time} as timestamp) >= timestamp '{day}' + interval 1 day"
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
