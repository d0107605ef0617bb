"""Open readers are found in two ways, and asking disturbs none of them."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipelines.resources.open_files import is_open, open_inodes

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True); "


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "homing.duckdb"
    duckdb.connect(str(path)).close()
    return path


def test_a_reader_is_found_by_its_lock_alone(database):
    """As on systems without /proc, and for readers of other users."""
    reader = subprocess.Popen(
        [sys.executable, "-c", f"{HOLD} input(); c.execute('show tables')", database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    reader.stdout.readline()
    assert is_open([database], inodes=set())
    assert is_open([database], inodes=set()), "asking must not take the reader's lock away"
    with duckdb.connect(str(database), read_only=True):
        pass
    reader.communicate("\n")
    assert reader.returncode == 0
    assert not is_open([database], inodes=set())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc")
def test_open_files_of_this_process_are_found_without_a_lock(tmp_path):
    parquet, other = tmp_path / "a.parquet", tmp_path / "b.parquet"
    parquet.touch()
    other.touch()
    with parquet.open("rb"):
        assert is_open([other, parquet], open_inodes())
        assert not is_open([other], open_inodes())
    assert not is_open([parquet], open_inodes())
