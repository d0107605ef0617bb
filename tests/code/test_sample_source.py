"""The sample company as a source: made once, whole or not at all, its truth out of the way."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings
from pipelines.sources import connectors
from pipelines.sources.sample import connector as sample
from pipelines.sources.sample.parameters import Scale

SMALL = Scale(customers=80, years=1)


def source(home: Path, **chosen: object):
    (connector,) = connectors(
        Settings.read(home=home, source="sample", sample_customers=80, sample_years=1, **chosen)
    )
    return connector


def test_delivers_the_tables_of_the_contract(tmp_path: Path):
    company = source(tmp_path)
    tables = {table.name: table for table in company.tables()}
    assert len(tables) == 21
    delivery = company.deliver(tables["orders"], datetime.date(2026, 6, 30))
    assert delivery.source == "sample"
    assert sum(batch.num_rows for part in delivery.parts for batch in part.batches()) > 80
    assert max(company.order_days()) == datetime.date(2026, 6, 30)


def test_nothing_is_made_before_it_is_asked_for(tmp_path: Path):
    company = source(tmp_path)
    max(company.order_days())
    assert list(tmp_path.iterdir()) == []


def test_the_truth_lies_elsewhere(tmp_path: Path):
    folder = sample.make_once(Settings(home=tmp_path), SMALL)
    assert folder == tmp_path / "sample" / sample.world_name(SMALL)
    assert (tmp_path / "truth" / folder.name / "parameters.json").is_file()
    told = {path.name for path in (tmp_path / "truth" / folder.name).iterdir()}
    assert not told & ({path.name for path in folder.iterdir()} - {"customers"})


def test_a_company_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = sample.make_once(Settings(home=tmp_path), SMALL)
    monkeypatch.setattr(sample, "generate", None)
    assert sample.make_once(Settings(home=tmp_path), SMALL) == folder


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def killed(folder: Path, truth: Path, **_: object) -> None:
        for path in (folder, truth):
            path.mkdir(parents=True)
            (path / "half.parquet").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(sample, "generate", killed)
        with pytest.raises(KeyboardInterrupt):
            sample.make_once(Settings(home=tmp_path), SMALL)
    assert not (tmp_path / "sample" / sample.world_name(SMALL)).exists()

    folder = sample.make_once(Settings(home=tmp_path), SMALL)
    assert not list(tmp_path.rglob("half.parquet"))
    assert (folder / "orders").is_dir()


def test_another_scale_is_another_world():
    names = {
        sample.world_name(scale)
        for scale in (SMALL, Scale(customers=81, years=1), Scale(customers=80, years=1, seed=8))
    }
    assert len(names) == 3
    assert sample.world_name(SMALL) == sample.world_name(Scale(customers=80, years=1))


def test_a_home_holds_one_company(tmp_path: Path):
    """A customer of another one would bear the same number."""
    settings = Settings(home=tmp_path)
    sample.make_once(Settings(home=tmp_path), SMALL)
    source(tmp_path, sample_seed=8)  # nothing was taken yet
    settings.lake.mkdir()
    source(tmp_path)
    with pytest.raises(SettingsError, match=r"holds, 80x1-seed7; found 80x1-seed8\."):
        source(tmp_path, sample_seed=8)


def test_an_impossible_company_is_a_matter_of_settings(tmp_path: Path):
    with pytest.raises(SettingsError, match="HOMING_SAMPLE_SEED"):
        source(tmp_path, sample_seed=-1)
