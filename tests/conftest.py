"""Fixtures shared by all levels: whole runs of the product, each in a home of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

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


SAMPLE_DAYS = ("2026-03-20", "2026-06-28")  # the later day knows the lists of the earlier one


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the sample company (700 customers) after its two days; only to be read.

    All workers of a test run share one: the first that needs it makes it, the others wait.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    home, made = shared / "sample_home", shared / "sample_home.made"
    with (shared / "sample_home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for day in SAMPLE_DAYS:
                result = homing(home, as_of=day, sample_customers=700)
                assert result.returncode == 0, result.stdout + result.stderr
            made.touch()
    return home


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
