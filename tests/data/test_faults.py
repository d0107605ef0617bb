"""Bad input and bad surroundings: one clear message, status 1, and the old version still stands.

What becomes of a refused delivery and of a killed run is told in test_next_day.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.conftest import PROJECT_ROOT, copy_of, environment, homing, stopped
from tests.data.shop import DAY, NEXT_DAY, Shop

Fault = Callable[[Path, pd.DataFrame], None]


def no_orders(files: Path, _: pd.DataFrame) -> None:
    (files / "orders.csv").unlink()


def required_column_missing(files: Path, orders: pd.DataFrame) -> None:
    orders.drop(columns="customer_id").to_csv(files / "orders.csv", index=False)


def wrong_type(files: Path, orders: pd.DataFrame) -> None:
    orders.assign(net_amount="n/a").to_csv(files / "orders.csv", index=False)


def truncated_parquet(files: Path, orders: pd.DataFrame) -> None:
    (files / "orders.csv").unlink()
    orders.to_parquet(files / "orders.parquet")
    whole = (files / "orders.parquet").read_bytes()
    (files / "orders.parquet").write_bytes(whole[: len(whole) // 2])


def gbk_declared_utf8(files: Path, orders: pd.DataFrame) -> None:
    text = orders.assign(channel="门店").to_csv(index=False)
    (files / "orders.csv").write_bytes(text.encode("gbk"))
    (files / "mapping.toml").write_text('[orders]\nencoding = "utf-8"\n')


def almost_all_rows_bad(files: Path, orders: pd.DataFrame) -> None:
    orders.loc[orders.index % 100 != 0, "net_amount"] = "#REF!"
    orders.to_csv(files / "orders.csv", index=False)


def nothing_new(files: Path, _: pd.DataFrame) -> None:
    """The export was not refreshed."""


FAULTS: dict[Fault, tuple[str, ...]] = {
    no_orders: ("orders", "order_lines"),
    required_column_missing: ("customer_id", "orders.csv"),
    wrong_type: ("net_amount",),
    truncated_parquet: ("orders.parquet",),
    gbk_declared_utf8: ("orders.csv", "utf-8"),
    almost_all_rows_bad: ("net_amount",),
    nothing_new: ("to publish anyway: homing_allow=orders_keep_coming",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_bad_input_stops_with_one_message(
    fault: Fault, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    delivered = copy_of(shop.files, tmp_path / "files")
    fault(delivered, pd.read_csv(delivered / "orders.csv", dtype=str))
    with kept(home):
        run = stopped(home, capsys, as_of=NEXT_DAY, source="files", files_dir=delivered)
    refused(run, *FAULTS[fault])


def test_a_backtest_without_the_source_of_its_home_is_refused(shop: Shop) -> None:
    """It would take the day of another company, and find that nobody has ordered for years."""
    run = homing(shop.home, module=("pipelines.backtest",))
    assert run.returncode == 1
    assert "must not be mixed" in run.stdout + run.stderr


def test_a_day_before_any_data_is_refused(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    with kept(home):
        run = stopped(home, capsys, as_of="2020-01-01", source="files", files_dir=shop.files)
    refused(run, "order")


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    result = homing(tmp_path / "home", source="sample")
    assert result.returncode == 1
    assert "HOMING_HOME" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("within", ["lake", "runs"])
def test_a_file_where_a_folder_should_be_is_named(
    within: str, shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    (home / within).rename(home / "moved")
    (home / within).write_text("a file where the folder should be")
    with kept(home):
        run = stopped(home, capsys, as_of=NEXT_DAY, source="files", files_dir=shop.files)
    refused(run, "HOMING_HOME", str(home / within))


@pytest.mark.parametrize("within", [".", "lake", "runs"])
def test_a_folder_that_may_not_be_written_is_named(
    within: str, shop: Shop, open_to_all: Path
) -> None:
    home = copy_of(shop.home, open_to_all / "home")
    delivered = copy_of(shop.files, open_to_all / "files")
    settings = {"home": home, "as_of": NEXT_DAY, "source": "files", "files_dir": delivered}
    with kept(home):
        run = forbidden(home / within, open_to_all, **settings)
    refused(run, "HOMING_HOME", str(home / within))


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that any user reaches; pytest's own are closed to all but who runs it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def forbidden(folder: Path, owned: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    """A run that may not write to one folder of all that it owns: to root nothing is forbidden,
    so root hands everything to nobody, and becomes nobody."""
    nobody = 65534
    if not os.geteuid():
        for path in (owned, *owned.rglob("*")):
            os.chown(path, nobody, nobody, follow_symlinks=False)
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    drop = f"os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})"
    try:
        return subprocess.run(
            [
                sys.executable,
                "-c",
                # What root alone may read, such as Python itself, is read before.
                "import os, sys; from pipelines import run; import pipelines.sources.files;"
                f" os.geteuid() or exec('{drop}'); sys.exit(run.main())",
            ],
            cwd=PROJECT_ROOT,
            env=os.environ | environment(settings),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        folder.chmod(mode)


@contextmanager
def kept(home: Path) -> Iterator[None]:
    """What is published is the same afterwards, and can be read."""
    before = (home / "published" / "current").readlink()
    yield
    assert (home / "published" / "current").readlink() == before
    with duckdb.connect(str(home / "published" / "homing.duckdb"), read_only=True) as con:
        assert con.execute("select max(as_of_date)::varchar from run_log").fetchall() == [(DAY,)]


def refused(run: subprocess.CompletedProcess[str], *words: str) -> None:
    """The run ended with a message that has the words."""
    assert run.returncode == 1, run.stdout
    for word in words:
        assert word.lower() in run.stderr.lower()
    assert "Traceback" not in run.stdout + run.stderr
