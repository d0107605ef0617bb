"""Who follows what a card says about reproducing its version gets that version."""

from __future__ import annotations

import json
import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import models.churn.training
from models.store import ModelStore
from pipelines.defs.training import TIERS_AT_TEST, training_frame
from pipelines.resources.warehouse import Warehouse
from tests.conftest import SAMPLE_DAYS


def test_the_recipe_of_the_churn_card_gives_its_version(sample_home: Path, tmp_path: Path) -> None:
    day = SAMPLE_DAYS[-1]
    [folder] = (sample_home / "models" / "versions").glob(f"{day}.*")
    card = json.loads((folder / "card.json").read_text())
    [recipe] = [line for line in card["reproduce"] if line.startswith("In Python")]
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
