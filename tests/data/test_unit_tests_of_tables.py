"""The unit tests that stand in the YAML beside the tables, all at once.

No run needs them and no other test runs them: a run would pay for them every day, and a fixture
that builds tables would run each of them many times.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

MODELS = Path(__file__).parents[2] / "dbt_project" / "models"


@pytest.fixture(name="home")
def _home(sample_home: Path, tmp_path: Path) -> Path:
    """A home with all tables, whose warehouse dbt may open to write."""
    shutil.copy(sample_home / "warehouse.duckdb", tmp_path)
    return tmp_path


def test_every_table_does_with_made_up_rows_what_its_yaml_promises(home: Path, dbt: Any) -> None:
    written = sum(
        len(yaml.safe_load(path.read_text()).get("unit_tests", []))
        for path in MODELS.rglob("*.yml")
    )
    ran, known = dbt.unit_tests(home)
    assert ran == known == written > 0
