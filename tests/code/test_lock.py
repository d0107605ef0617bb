"""The run lock: one run at a time, whatever died while it held it."""

import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.resources.lock import RunLock, RunLockedError

DAY = date(2026, 1, 5)
HOLDER = """
import sys
from datetime import date
from pathlib import Path
from pipelines.resources.lock import RunLock
held = RunLock(Path(sys.argv[1])).acquire("theirs", date(2026, 1, 4))
print(held.epoch, flush=True)
input()
"""


@pytest.fixture
def lock(tmp_path: Path) -> RunLock:
    return RunLock(tmp_path / "home" / "run.lock")


def other_run(lock: RunLock) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, lock.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip().isdigit()
    return process


def test_the_second_run_is_told_who_is_at_work(lock):
    process = other_run(lock)
    with pytest.raises(RunLockedError) as refused:
        lock.acquire("mine", DAY)
    assert f"run theirs (as_of 2026-01-04, process {process.pid}, since 2" in str(refused.value)
    assert f"stop process {process.pid}" in str(refused.value)
    assert lock.owner().run_id == "theirs"
    process.communicate("\n")
    assert lock.owner() is None
    lock.acquire("mine", DAY).release()


def test_two_runs_of_one_process_exclude_each_other_too(lock):
    with lock.acquire("one", DAY), pytest.raises(RunLockedError, match="run one"):
        lock.acquire("two", DAY)
    with lock.acquire("two", DAY) as held:
        assert held.still_held()


def test_what_a_killed_run_left_is_harmless(lock):
    process = other_run(lock)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "theirs" in lock.path.read_text()
    assert lock.owner() is None
    with lock.acquire("mine", DAY) as held:
        assert held.epoch == 2


def test_every_holder_has_a_higher_number(lock):
    epochs = []
    for run in ("a-run-with-a-very-long-name", "b", "c"):
        with lock.acquire(run, DAY) as held:
            epochs.append(held.epoch)
    assert epochs == [1, 2, 3]


def test_a_holder_knows_when_the_lock_is_no_longer_its_own(lock):
    stale = lock.acquire("paused", DAY)
    assert stale.still_held()
    lock.path.unlink()  # by somebody who took it for a leftover
    assert not stale.still_held()
    with lock.acquire("next", DAY) as held:
        assert held.still_held()
        assert not stale.still_held()
        stale.release()
        assert held.still_held()
    assert not held.still_held()


def test_a_holder_notices_that_somebody_wrote_over_it(lock):
    with lock.acquire("mine", DAY) as held:
        lock.path.write_text(lock.path.read_text().replace("mine", "theirs"))
        assert not held.still_held()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\x00", b"[]", b'{"pid": 1}', b"x" * 10_000])
def test_rubbish_in_the_file_hinders_nobody(lock, content):
    lock.path.parent.mkdir()
    lock.path.write_bytes(content)
    assert lock.owner() is None
    with lock.acquire("mine", DAY) as held:
        assert held.still_held()
        assert lock.owner() == held.owner


def test_a_link_is_not_followed(lock, tmp_path):
    lock.path.parent.mkdir()
    (tmp_path / "precious").write_text("precious")
    lock.path.symlink_to(tmp_path / "precious")
    with pytest.raises(SettingsError, match="cannot lock"):
        lock.acquire("mine", DAY)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_home_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="HOMING_HOME must be a folder that this user may"):
        RunLock(tmp_path / "file" / "run.lock").acquire("mine", DAY)
