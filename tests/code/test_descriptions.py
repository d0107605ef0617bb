"""What a stranger reads of a published table: every number says in what unit it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from pipelines.tables.check_descriptions import description_of
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


def data_test(kind: str | None = None, **parts: Any) -> dict[str, Any]:
    """A test as it stands in dbt's manifest."""
    asked = {key: parts.pop(key) for key in list(parts) if key not in {"raw_code", "description"}}
    where = asked.pop("where", None)
    named = {"test_metadata": {"name": kind, "kwargs": asked}} if kind else {}
    return {"description": "", "raw_code": "", "config": {"where": where}, **named, **parts}


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (data_test("not_null", column_name="a"), "a is never NULL."),
        (data_test("unique", column_name="a"), "No two rows have the same a."),
        (data_test("unique_together", columns=["a", "b"]), "No two rows agree in all of a, b."),
        (
            data_test("accepted_values", column_name="a", values=["x", "y"]),
            "a is one of x, y, or NULL.",
        ),
        (data_test("accepted_range", column_name="a", at_least=0), "a is at least 0, or NULL."),
        (
            data_test("accepted_range", column_name="a", at_least=0, at_most=1),
            "a is at least 0 and at most 1, or NULL.",
        ),
        (
            data_test("relationships", column_name="a", to="ref('t')", field="b", where="a <> '*'"),
            "Every a is a b of t, or NULL. Asked of rows where a <> '*'.",
        ),
        (data_test("unique", column_name="a", description="Said\nbeside it."), "Said beside it."),
        (
            data_test(raw_code="-- Two lines\n-- of reasons.\nselect 1 -- no"),
            "Two lines of reasons.",
        ),
        (data_test(raw_code="{# A block\n   of them. #}\nselect 1"), "A block of them."),
        (data_test(raw_code="select 1 -- no"), None),
        (data_test("never_heard_of"), None),
    ],
)
def test_a_data_test_says_what_it_asks(test: dict[str, Any], said: str | None) -> None:
    assert description_of(test) == said
