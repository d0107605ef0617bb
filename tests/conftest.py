"""Fixtures shared by all levels: whole runs of the product, each in a home of its own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pytest

from tests.data.shop import DAY, Shop, files

PROJECT_ROOT = Path(__file__).resolve().parent.parent
REAL_DATA = PROJECT_ROOT.parent / "shared" / "data"

Runner = Callable[..., "subprocess.CompletedProcess[str]"]


def homing(home: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """Run the daily job as `make run` does, with `HOMING_<NAME>` from the keywords."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("HOMING_")
    }
    chosen = {f"HOMING_{name.upper()}": str(value) for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "pipelines.run"],
        cwd=PROJECT_ROOT,
        env=inherited | {"HOMING_HOME": str(home)} | chosen,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


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


SAMPLE_CUSTOMERS = (
    800  # enough for the model to learn something, and for every plan to be on a list
)
SAMPLE_DAYS = ("2026-03-20", "2026-06-28")  # the later day knows the lists of the earlier one


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


def _make_sample(folder: Path) -> None:
    for day in SAMPLE_DAYS:
        result = homing(folder / "home", as_of=day, sample_customers=SAMPLE_CUSTOMERS)
        assert result.returncode == 0, result.stdout + result.stderr
        left = asdict(SampleRun(result.stdout, features_of(folder / "home")))
        (folder / f"{day}.json").write_text(json.dumps(left))


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the sample company after its two days; only to be read, or copied."""
    return made_once(tmp_path_factory, "sample", _make_sample) / "home"


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
