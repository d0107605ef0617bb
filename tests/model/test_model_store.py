"""Versions on disk: written whole, verified before use, pointed to by day, withdrawn on request."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from models.churn.model import ChurnModel
from models.churn.scoring import score
from models.churn.training import TrainingResult
from models.errors import StoreError
from models.store import ModelStore
from tests.model.conftest import AS_OF

EARLIER = date(2023, 11, 30)
LATER = date(2024, 1, 31)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def model(trained: TrainingResult) -> ChurnModel:
    return trained.model


def _of(model: ChurnModel, day: date) -> ChurnModel:
    return replace(model, as_of=day)


def _flip(path: Path, position: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(bytes(data))


def test_a_saved_version_comes_back_and_scores_the_same(
    store: ModelStore, model: ChurnModel, today: pd.DataFrame
):
    version = store.save(model)
    assert version.startswith("2023-12-31.")
    loaded = store.load(version)
    assert loaded.files() == model.files()
    pd.testing.assert_frame_equal(score(loaded, today), score(model, today))


def test_files_are_as_promised_and_nothing_is_pickled(store: ModelStore, model: ChurnModel):
    folder = store.versions / store.save(model)
    assert sorted(path.name for path in folder.iterdir()) == [
        "baselines.json", "calibration.json", "card.html", "card.json", "manifest.json",
        "model.ubj", "reference.json",
    ]  # fmt: skip
    card = json.loads((folder / "card.json").read_text())
    assert {"metrics", "windows", "by_segment", "libraries", "limits", "schema_sha256"} <= set(card)
    assert {"seed", "threads", "rounds"} <= set(card["parameters"])
    page = (folder / "card.html").read_text()
    assert folder.name in page
    assert "several" in page  # a segment: orders so far


def test_saving_twice_changes_nothing(store: ModelStore, model: ChurnModel):
    folder = store.versions / store.save(model)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert store.save(model) == folder.name
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_saving_mends_a_damaged_version_and_sweeps_an_unfinished_one(
    store: ModelStore, model: ChurnModel
):
    version = store.save(model)
    (store.versions / version / "model.ubj").unlink()
    (store.versions / ".incoming-2023-01-01.000000000000").mkdir()
    assert store.save(model) == version
    assert store.load(version).version == version
    assert [path.name for path in store.versions.iterdir()] == [version]


@pytest.mark.parametrize(
    "name",
    [
        "model.ubj",
        "calibration.json",
        "baselines.json",
        "card.json",
        "reference.json",
        "manifest.json",
    ],
)
def test_any_flipped_bit_is_refused_and_the_champion_before_it_is_used(
    store: ModelStore, model: ChurnModel, name: str
):
    older = store.save(_of(model, EARLIER))
    newer = store.save(model)
    store.promote(older)
    store.promote(newer)
    path = store.versions / newer / name
    sound = path.read_bytes()
    for part in range(64):
        path.write_bytes(sound)
        _flip(path, part * len(sound) // 64, part % 8)
        with pytest.raises(StoreError, match=f"{newer} .* refused"):
            store.load(newer)
    champion = store.load_champion(AS_OF)
    assert champion.model is not None
    assert champion.model.version == older
    assert len(champion.refused) == 1
    assert newer in champion.refused[0]


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "extra"])
def test_a_version_that_is_not_whole_is_refused(store: ModelStore, model: ChurnModel, damage: str):
    folder = store.versions / store.save(model)
    path = folder / "card.json"
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(StoreError, match=r"card\.json"):
        store.load(folder.name)


def test_a_manifest_rewritten_to_fit_changed_files_does_not_fit_the_name(
    store: ModelStore, model: ChurnModel
):
    folder = store.versions / store.save(model)
    other = store.versions / store.save(_of(model, LATER))
    for path in other.iterdir():
        shutil.copy(path, folder / path.name)
    with pytest.raises(StoreError, match="does not belong to its name"):
        store.load(folder.name)


@pytest.mark.parametrize("name", ["../escape", "current", "", "2023-99-99.000000000000"])
def test_foreign_names_are_refused(store: ModelStore, name: str):
    with pytest.raises(StoreError):
        store.load(name)


def test_a_day_gets_the_latest_model_that_knew_no_later_day(
    store: ModelStore, model: ChurnModel, monkeypatch: pytest.MonkeyPatch
):
    assert store.champion_for(AS_OF) is None
    assert store.load_champion(AS_OF).model is None
    assert store.last_training(AS_OF) is None
    versions = {day: store.save(_of(model, day)) for day in (AS_OF, EARLIER, LATER)}
    for day in (AS_OF, EARLIER):
        store.promote(versions[day])
    assert store.champion_for(LATER) == versions[AS_OF]
    assert store.champion_for(AS_OF) == versions[AS_OF]
    assert store.champion_for(date(2023, 12, 30)) == versions[EARLIER]
    assert store.champion_for(date(2023, 1, 1)) is None
    assert store.last_training(LATER) == LATER
    assert store.last_training(date(2023, 12, 1)) == EARLIER
    # One that nothing can read keeps no older one in service.
    (store.versions / versions[LATER] / "card.json").write_text("{}")
    assert store.last_training(LATER) == AS_OF
    with monkeypatch.context() as other_release:
        other_release.setattr(ModelStore, "form", replace(ModelStore.form, format=0))
        assert store.last_training(LATER) is None
    pointer = json.loads((store.root / "champion.json").read_text())
    assert pointer["version"] == versions[AS_OF]


def test_rollback_restores_the_champion_before_and_is_remembered(
    store: ModelStore, model: ChurnModel
):
    older, newer = store.save(_of(model, EARLIER)), store.save(model)
    for version in (older, newer, newer):
        store.promote(version)
    assert [each.version for each in store.history()] == [older, newer]
    assert store.rollback("too many false alarms") == older
    assert store.champion_for(LATER) == older
    assert store.history()[-1].withdrawn == "too many false alarms"
    assert store.rollback("again") is None
    with pytest.raises(StoreError, match="no champion to withdraw"):
        store.rollback("once more")
    store.promote(newer)
    assert store.champion_for(LATER) == newer


def test_a_damaged_version_is_not_promoted(store: ModelStore, model: ChurnModel):
    version = store.save(model)
    _flip(store.versions / version / "model.ubj", 100, 3)
    with pytest.raises(StoreError):
        store.promote(version)
    assert store.champion_for(AS_OF) is None


def test_a_damaged_pointer_is_refused_and_replaced_by_the_next_promotion(
    store: ModelStore, model: ChurnModel
):
    version = store.save(model)
    store.promote(version)
    path = store.root / "champion.json"
    sound = path.read_bytes()
    for position in range(0, len(sound), 4):
        path.write_bytes(sound)
        _flip(path, position, position % 7)
        champion = store.load_champion(AS_OF)
        # Only white space and the line for people may change unnoticed.
        assert champion.model is None or champion.model.version == version
        assert champion.model is not None or "champion pointer" in champion.refused[0]
    path.write_bytes(b"{")
    store.promote(version)
    assert store.champion_for(AS_OF) == version
    assert (store.root / "champion.json.unreadable").read_bytes() == b"{"
