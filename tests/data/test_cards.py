"""Cards of a run: following the recipe of one gives its version, and its words are explained."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import models.churn.training
import models.forecasts.outlook
from models.forecasts.kinds import KINDS
from models.store import ModelStore
from models.versions import glossary
from pipelines.defs.forecasts import purchase_frame
from pipelines.defs.training import TIERS_AT_TEST, training_frame
from pipelines.resources.warehouse import Warehouse
from tests.conftest import SAMPLE_DAYS


def test_the_recipe_of_the_churn_card_gives_its_version(sample_home: Path, tmp_path: Path) -> None:
    day = SAMPLE_DAYS[-1]
    [folder] = (sample_home / "models" / "versions").glob(f"{day}.*")
    card, recipe = _card_and_recipe(folder)
    [call] = re.findall(r"models\.churn\.training\.train\(.*champion=champion\)", recipe)

    shutil.copy(sample_home / "warehouse.duckdb", tmp_path)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    before = date.fromisoformat(day) - timedelta(days=1)
    named = {
        "models": models,
        "date": date,
        "frame": training_frame(warehouse),
        "groups": warehouse.frame(TIERS_AT_TEST),
        "champion": ModelStore(sample_home / "models").load_champion(before).model,
    }
    assert "training_frame(warehouse) and warehouse.frame(TIERS_AT_TEST)" in recipe
    result = eval(call, named)
    assert card["facts"]["data_sha256"] in recipe
    assert result.model.version == folder.name


def test_the_recipe_of_the_forecasts_cards_gives_their_versions(
    sample_home: Path, tmp_path: Path
) -> None:
    day = SAMPLE_DAYS[-1]
    folders = {}
    for kind in KINDS:
        [folders[kind]] = (sample_home / "models" / kind / "versions").glob(f"{day}.*")
    # Of a small company's returns nothing could be learnt, and there is nothing to follow.
    _, recipe = _card_and_recipe(folders["profit"])
    assert _card_and_recipe(folders["next_order"])[1] == recipe
    [call] = re.findall(r"models\.forecasts\.outlook\.train\(.*threads=\d+\)", recipe)

    shutil.copy(sample_home / "warehouse.duckdb", tmp_path)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    assert "purchase_frame(warehouse, as_of) of pipelines.defs.forecasts" in recipe
    frame = purchase_frame(warehouse, date.fromisoformat(day))
    trained = eval(call, {"models": models, "date": date, "frame": frame})
    versions = {kind: version.version for kind, version in trained.forecasts.items()}
    assert versions == {kind: folder.name for kind, folder in folders.items()}


# Columns of a card's tables that say what they are.
PLAIN = {"customers", "division", "segment", "tactic", "goal", "plan_for"}


def test_every_name_on_a_card_is_explained(sample_home: Path) -> None:
    stored = [json.loads(path.read_text()) for path in sample_home.glob("models/**/card.json")]
    named = set()
    for card in stored:
        named |= {*card["metrics"], *(name for each in card["metrics"].values() for name in each)}
        named |= {
            name for rows in ("by_tactic", "by_segment") for row in card[rows] for name in row
        }
    assert {"Churn", "Return", "Next order", "Expected profit", "What acting does"} <= {
        card["title"] for card in stored
    }
    ends = {name for name in named if name.endswith(("_lower", "_upper"))}
    assert named - ends - PLAIN <= set(glossary.explained(named))


def _card_and_recipe(folder: Path) -> tuple[dict[str, Any], str]:
    card = json.loads((folder / "card.json").read_text())
    [recipe] = [line for line in card["reproduce"] if line.startswith("In Python")]
    return card, recipe
