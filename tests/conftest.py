"""What all levels share: whole runs of the product, each made once, and who is first.

A whole run costs about 50 CPU-seconds whatever its size, most of it in dbt, so the tests share few:

| fixture        | what it is                                                      | whole runs |
|----------------|-----------------------------------------------------------------|------------|
| `sample_home`  | the sample company after two days; `sample_runs`, `sample_marts` | 2         |
| `shop`         | a shop that brings files, after its first day                   | 1          |
| `followed`     | a copy of `sample_home` after three more runs under two readers  | 3         |
| `next_day`     | a copy of `shop`: a day refused; the next killed, completed     | 2          |

A fixture that several files use is made by the first worker that asks for it (`made_once`); the
others wait. `homing` is a process of its own, as `make run` is; `stopped` is for runs that are
refused, in this process: what they say and leave behind does not depend on it. Tests of single
tables build these alone, from a few rows (tests/data/conftest.py).

Workers take whole files in the order of `FIRST`, then as they come: a worker that begins a file of
minutes when the other one has nothing left to do would be waited for.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import duckdb
import pytest

from pipelines import run
from tests.data.shop import DAY, Shop, files

PROJECT_ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = PROJECT_ROOT.parent / "shared" / "data"

SAMPLE_CUSTOMERS = 800  # enough for a model to learn something, and for each plan to be on a list
SAMPLE_DAYS = ("2026-03-20", "2026-06-28")  # the later day knows the lists of the earlier one

# Whole runs first, the longest before the others; then what takes more than some ten seconds.
FIRST = (
    "data/test_whole_way.py",
    "data/test_next_day.py",
    "data/test_effect_coverage.py",
    "data/test_lists.py",
    "data/test_staging_versions.py",
    "code/test_publisher.py",
    "data/test_features.py",
    "data/test_lifecycle.py",
    "data/test_second_opinion_customers.py",
    "data/test_marts.py",
    "data/test_customers_with_orders_alone.py",
    "data/test_relationship.py",
    "data/test_service.py",
    "data/test_effects.py",
    "data/test_staging_ledger.py",
    "data/test_staging_order_lines.py",
    "data/test_checks_on_deliveries.py",
    "data/test_unit_tests_of_tables.py",
    "data/test_personal_data.py",
    "data/test_faults.py",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `make coverage` and `make opinions` ask for."""
    parser.addoption("--worlds", type=int, default=50, help="for test_effect_coverage.py")
    parser.addoption("--customers", type=int, default=SAMPLE_CUSTOMERS, help="of the sample home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file, and among the others, the order stays."""
    place = {PROJECT_ROOT / "tests" / name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """Settings as environment variables, by their names in lower case without `HOMING_`."""
    return {f"HOMING_{name.upper()}": str(value) for name, value in settings.items()}


def homing(
    home: Path, *, module: Sequence[str] = ("pipelines.run",), **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run the daily job as `make run` does, with `HOMING_<NAME>` from the keywords."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("HOMING_")
    }
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=PROJECT_ROOT,
        env=inherited | {"HOMING_HOME": str(home)} | environment(settings),
        capture_output=True,
        text=True,
        timeout=900,  # a machine that does ten things at once
        check=False,
    )


def stopped(
    home: Path, capsys: pytest.CaptureFixture[str], **settings: object
) -> subprocess.CompletedProcess[str]:
    """The same in this process: for runs that stop early, where starting up is most of the cost."""
    capsys.readouterr()
    with mock.patch.dict(os.environ), warnings.catch_warnings():
        for name in [name for name in os.environ if name.startswith("HOMING_")]:
            del os.environ[name]
        os.environ |= {"HOMING_HOME": str(home)} | environment(settings)
        status = run.main()
    told = capsys.readouterr()
    return subprocess.CompletedProcess(["pipelines.run"], status, told.out, told.err)


def copy_of(home: Path, target: Path) -> Path:
    """A home like another one, with its links as links."""
    return Path(shutil.copytree(home, target, symlinks=True))


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that all workers of a test run share: the first makes it, the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, made = shared / name, shared / f"{name}.made"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@dataclass(frozen=True)
class SampleRun:
    """What is left of a run on the sample home besides what it published.

    Attributes:
        printed: what it told the terminal.
        features: hash of the features it trained and scored with; the next day replaces them.
    """

    printed: str
    features: str


def features_of(home: Path) -> str:
    """A hash of all features in a warehouse."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        [(digest,)] = con.execute(
            "select md5(string_agg(f::varchar, '|' order by snapshot_on, customer_id))"
            " from customer_features as f"
        ).fetchall()
    return str(digest)


def _make_sample(folder: Path, customers: int) -> None:
    for day in SAMPLE_DAYS:
        result = homing(folder / "home", as_of=day, sample_customers=customers)
        assert result.returncode == 0, result.stdout + result.stderr
        left = asdict(SampleRun(result.stdout, features_of(folder / "home")))
        (folder / f"{day}.json").write_text(json.dumps(left))


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A home of the sample company after its two days; only to be read, or copied."""
    make = partial(_make_sample, customers=pytestconfig.getoption("customers"))
    return made_once(tmp_path_factory, "sample", make) / "home"


@pytest.fixture(scope="session")
def sample_runs(sample_home: Path) -> dict[str, SampleRun]:
    """What is left of the runs of `sample_home`, by day."""
    return {
        day: SampleRun(**json.loads((sample_home.parent / f"{day}.json").read_text()))
        for day in SAMPLE_DAYS
    }


def _make_shop(folder: Path) -> None:
    delivered = files(folder / "files", until=DAY)
    result = homing(folder / "home", as_of=DAY, source="files", files_dir=delivered)
    assert result.returncode == 0, result.stdout + result.stderr
    (folder / "output.txt").write_text(result.stdout + result.stderr)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop that brings files, after its first run; only to be read, or copied."""
    folder = made_once(tmp_path_factory, "shop", _make_shop)
    return Shop(folder / "home", folder / "files", (folder / "output.txt").read_text())


@pytest.fixture
def sample_marts(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse of `sample_home`: every table, staging views among them, as of the last day."""
    with duckdb.connect(str(sample_home / "warehouse.duckdb"), read_only=True) as con:
        yield con


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; tests that need it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA
