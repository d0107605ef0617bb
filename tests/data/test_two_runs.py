"""Two runs started at once on one home: one works, the other ends with one message."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import PROJECT_ROOT

ORDERS = "order_id,customer_id,ordered_at,net_amount\n" + "".join(
    f"O{n},C{n % 9},2025-06-{1 + n % 28:02},10\n" for n in range(200)
)


def start(home: Path, files: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOMING_")}
    environment |= {
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "files",
        "HOMING_FILES_DIR": str(files),
        "HOMING_AS_OF": "2025-06-30",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.run"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_runs_and_the_other_says_who_is_at_work(tmp_path: Path) -> None:
    home, files = tmp_path / "home", tmp_path / "files"
    files.mkdir()
    (files / "orders.csv").write_text(ORDERS)
    both = [start(home, files), start(home, files)]
    try:
        deadline = time.monotonic() + 240
        while all(run.poll() is None for run in both) and time.monotonic() < deadline:
            time.sleep(0.05)  # a child that ends tells nobody but who asks
        ended = [run for run in both if run.poll() is not None]
        assert len(ended) == 1
        [at_work] = [run for run in both if run not in ended]
        out, error = ended[0].communicate()
        assert ended[0].returncode == 1, out + error
        assert error.count("Stopped: ") == 1
        assert "another run is at work" in error
        assert f"stop process {at_work.pid}" in error
        assert "Traceback" not in out + error
        assert at_work.poll() is None
        assert not (home / "published").exists()
    finally:
        # What the other goes on to do, the tests of the whole way tell; here it only takes time.
        for run in both:
            run.kill()
            run.communicate()
