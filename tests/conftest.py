"""Fixtures shared by all levels: whole runs of the product, each in a home of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files; tests that need it are skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real data at {REAL_DATA}")
    return REAL_DATA
