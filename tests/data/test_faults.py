"""Bad input and bad surroundings: one clear message, status 1, and the old version still stands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import PROJECT_ROOT, copy_of, homing

DAY = "2025-06-30"


def shop(customers: int = 120) -> pd.DataFrame:
    """Orders of a small shop: every customer has a rhythm, a third of them stop coming."""
    rows = []
    for customer in range(customers):
        rhythm = 20 + customer % 40
        last = date(2025, 6, 30) - timedelta(days=(customer % 3) * 60 + customer % 17)
        day = date(2024, 1, 1) + timedelta(days=customer % 25)
        number = 0
        while day <= last:
            number += 1
            rows.append(
                (f"O{customer}-{number}", f"K{customer}", f"{day} 10:30:00", 20 + customer % 50)
            )
            day += timedelta(days=rhythm)
    return pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "net_amount"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `files` and the `home` that a good run on them left."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "files").mkdir()
    shop().to_csv(folder / "files" / "orders.csv", index=False)
    result = homing(folder / "home", as_of=DAY, source="files", files_dir=folder / "files")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def no_orders(files: Path) -> None:
    (files / "orders.csv").unlink()


def required_column_missing(files: Path) -> None:
    shop().drop(columns="customer_id").to_csv(files / "orders.csv", index=False)


def wrong_type(files: Path) -> None:
    shop().assign(net_amount="n/a").to_csv(files / "orders.csv", index=False)


def truncated_parquet(files: Path) -> None:
    (files / "orders.csv").unlink()
    shop().to_parquet(files / "orders.parquet")
    whole = (files / "orders.parquet").read_bytes()
    (files / "orders.parquet").write_bytes(whole[: len(whole) // 2])


def gbk_declared_utf8(files: Path) -> None:
    text = shop().assign(channel="门店").to_csv(index=False)
    (files / "orders.csv").write_bytes(text.encode("gbk"))
    (files / "mapping.toml").write_text('[orders]\nencoding = "utf-8"\n')


def almost_all_rows_bad(files: Path) -> None:
    orders = shop()
    orders["net_amount"] = orders["net_amount"].astype(str)
    orders.loc[orders.index % 100 != 0, "net_amount"] = "#REF!"
    orders.to_csv(files / "orders.csv", index=False)


FAULTS: dict[Callable[[Path], None], tuple[str, ...]] = {
    no_orders: ("orders", "order_lines"),
    required_column_missing: ("customer_id", "orders.csv"),
    wrong_type: ("net_amount",),
    truncated_parquet: ("orders.parquet",),
    gbk_declared_utf8: ("orders.csv", "utf-8"),
    almost_all_rows_bad: ("net_amount",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_bad_input_stops_with_one_message(
    fault: Callable[[Path], None], published: Path, tmp_path: Path
) -> None:
    home = copy_of(published / "home", tmp_path / "home")
    files = copy_of(published / "files", tmp_path / "files")
    fault(files)
    refused(home, FAULTS[fault], as_of="2025-07-01", files_dir=files)


def test_an_empty_delta_is_refused_unless_it_is_allowed(published: Path, tmp_path: Path) -> None:
    home = copy_of(published / "home", tmp_path / "home")
    files = published / "files"
    way_out = "HOMING_ALLOW=orders_keep_coming"
    refused(home, (f"To publish anyway: {way_out}",), as_of="2025-07-01", files_dir=files)
    name, value = way_out.removeprefix("HOMING_").lower().split("=")
    allowed = homing(home, as_of="2025-07-01", source="files", files_dir=files, **{name: value})
    assert allowed.returncode == 0, allowed.stderr
    assert current(home).startswith("2025-07-01")


def test_a_day_before_any_data_is_refused(published: Path, tmp_path: Path) -> None:
    home = copy_of(published / "home", tmp_path / "home")
    refused(home, ("order",), as_of="2020-01-01", files_dir=published / "files")


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    result = homing(tmp_path / "home", source="sample")
    assert result.returncode == 1
    assert "HOMING_HOME" in result.stderr
    assert "Traceback" not in result.stderr


def refused(home: Path, words: tuple[str, ...], *, as_of: str, files_dir: Path) -> None:
    """The run ends with a message that has the words, and what was published still is."""
    before = current(home)
    result = homing(home, as_of=as_of, source="files", files_dir=files_dir)
    assert result.returncode == 1, result.stdout
    for word in words:
        assert word.lower() in result.stderr.lower()
    assert "Traceback" not in result.stdout + result.stderr
    assert current(home) == before


def current(home: Path) -> str:
    return (home / "published" / "current").readlink().name


def test_a_killed_run_leaves_the_old_version_and_the_next_one_completes(
    published: Path, tmp_path: Path
) -> None:
    """One boundary here; `make drill` kills at ten random ones."""
    home = copy_of(published / "home", tmp_path / "home")
    before = current(home)
    files = copy_of(published / "files", tmp_path / "files")
    orders = shop()
    orders.loc[len(orders)] = ["O-new", "K1", "2025-07-01 09:00:00", 30]
    orders.to_csv(files / "orders.csv", index=False)
    environment = {
        **os.environ,
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "files",
        "HOMING_FILES_DIR": str(files),
        "HOMING_AS_OF": "2025-07-01",
    }
    run = subprocess.Popen(
        [sys.executable, "-m", "tests.data.kill_at_step", "published__version"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, _ = run.communicate(timeout=300)
    assert run.returncode == -signal.SIGKILL, output
    assert current(home) == before
    result = homing(home, as_of="2025-07-01", source="files", files_dir=files)
    assert result.returncode == 0, result.stderr
    assert current(home).startswith("2025-07-01")
