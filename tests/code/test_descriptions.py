"""What a stranger reads of a published table: every number says in what unit it is."""

from __future__ import annotations

import re

import pytest
import yaml

from pipelines.tables.dbt import PROJECT_DIR, manifest

NUMBER = re.compile(r"(tinyint|smallint|int|integer|bigint|double|float|decimal.*)")
# Times and distances, money, shares and scales, and what is counted.
UNIT = re.compile(
    r"\b(seconds?|minutes?|hours?|days?|weeks?|months?|years?|age|kilometres|km|currency"
    r"|share|rate|ratio|percent|level|scale|band|score|points?|deviations|unit|as the metric has it"
    r"|count|number|times|place|rank|step|1 (is|the) (the )?(first|best|highest)"
    r"|answers?|categories|contacts?|customers?|lines?|orders?|pieces|quantity|rows?|tasks?"
    r"|tickets?|units?|versions?)\b|\d-\d|1 to 5|1 Monday",
    re.IGNORECASE,
)
OF_A_COLUMN = {"name", "description", "data_type", "constraints", "data_tests", "config", "quote"}


def published_numbers() -> list[tuple[str, str, str]]:
    """Table, column and description of every numeric column that is published."""
    found = []
    for node in manifest()["nodes"].values():
        if not node.get("config", {}).get("meta", {}).get("published"):
            continue
        types = node["config"].get("column_types", {})
        for name, column in node["columns"].items():
            declared = (column.get("data_type") or types.get(name) or "").lower()
            if NUMBER.fullmatch(declared):
                found.append((node["name"], name, " ".join(column["description"].split())))
    return found


def test_every_published_number_says_its_unit() -> None:
    numbers = published_numbers()
    assert len(numbers) > 100
    assert [each for each in numbers if not UNIT.search(each[2])] == []


@pytest.mark.parametrize("silent", ["Of these, won", "Lower end of its 95% interval", "won / made"])
def test_a_description_without_a_unit_is_found(silent: str) -> None:
    assert not UNIT.search(silent)


def test_no_description_is_cut_off_at_a_comma() -> None:
    """In YAML's braces a comma ends an unquoted text, and the rest becomes a key of its own."""
    cut = [
        f"{path.relative_to(PROJECT_DIR)}: {column['name']}: {sorted(strange)}"
        for path in sorted(PROJECT_DIR.glob("[ms]*/**/*.yml"))
        for kind in ("models", "seeds")
        for table in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(kind, [])
        for column in table.get("columns", [])
        if (strange := column.keys() - OF_A_COLUMN)
    ]
    assert cut == []
