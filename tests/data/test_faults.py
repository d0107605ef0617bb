"""Bad input and bad surroundings: one clear message, status 1, and the old version still stands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.conftest import PROJECT_ROOT, copy_of, homing
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


FAULTS: dict[Fault, tuple[str, ...]] = {
    no_orders: ("orders", "order_lines"),
    required_column_missing: ("customer_id", "orders.csv"),
    wrong_type: ("net_amount",),
    truncated_parquet: ("orders.parquet",),
    gbk_declared_utf8: ("orders.csv", "utf-8"),
    almost_all_rows_bad: ("net_amount",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_bad_input_stops_with_one_message(fault: Fault, shop: Shop, tmp_path: Path) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    delivered = copy_of(shop.files, tmp_path / "files")
    fault(delivered, pd.read_csv(delivered / "orders.csv", dtype=str))
    refused(home, FAULTS[fault], as_of=NEXT_DAY, files_dir=delivered)


def test_a_day_before_any_data_is_refused(shop: Shop, tmp_path: Path) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    refused(home, ("order",), as_of="2020-01-01", files_dir=shop.files)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    result = homing(tmp_path / "home", source="sample")
    assert result.returncode == 1
    assert "HOMING_HOME" in result.stderr
    assert "Traceback" not in result.stderr


def file_in_its_place(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.write_text("a file where the folder should be")


def forbidden(folder: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("to root nothing is forbidden")
    folder.chmod(0o500)


@pytest.mark.parametrize("within", [".", "lake", "runs"])
@pytest.mark.parametrize("hinder", [file_in_its_place, forbidden], ids=lambda each: each.__name__)
def test_a_home_that_cannot_be_written_keeps_what_is_published(
    hinder: Callable[[Path], None], within: str, shop: Shop, tmp_path: Path
) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    if hinder is file_in_its_place and within == ".":
        pytest.skip("then nothing is published; the test above")
    hinder(home / within)
    try:
        words = ("HOMING_HOME", str(home / within))
        refused(home, words, as_of=NEXT_DAY, files_dir=shop.files)
    finally:
        home.chmod(0o700)
    with duckdb.connect(str(home / "published" / "homing.duckdb"), read_only=True) as con:
        assert con.execute("select max(as_of_date)::varchar from run_log").fetchall() == [(DAY,)]


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


def test_an_empty_delta_is_let_through_by_name_alone_and_published_whole_or_not_at_all(
    shop: Shop, tmp_path: Path
) -> None:
    """Refused, then allowed and killed before it is published, then allowed and completed.

    One boundary here; `make drill` kills at ten random ones.
    """
    home = copy_of(shop.home, tmp_path / "home")
    before = current(home)
    way_out = "HOMING_ALLOW=orders_keep_coming"
    refused(home, (f"To publish anyway: {way_out}",), as_of=NEXT_DAY, files_dir=shop.files)

    name, value = way_out.split("=")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOMING_")}
    environment |= {
        "HOMING_HOME": str(home),
        "HOMING_SOURCE": "files",
        "HOMING_FILES_DIR": str(shop.files),
        "HOMING_AS_OF": NEXT_DAY,
        name: value,
    }
    killed = subprocess.run(
        [sys.executable, "-m", "tests.data.kill_at_step", "published__version"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert current(home) == before

    allowed = {name.removeprefix("HOMING_").lower(): value}
    result = homing(home, as_of=NEXT_DAY, source="files", files_dir=shop.files, **allowed)
    assert result.returncode == 0, result.stderr
    assert current(home).startswith(NEXT_DAY)
