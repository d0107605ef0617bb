"""Where personal columns may come out, told by the lineage of every published column."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from pipelines.sources.contract import load_contract
from pipelines.tables.dbt import manifest, tables_published
from pipelines.tables.lineage import LINEAGE_PATH

PERSONAL = {
    (f"lake/{table.name}", column.name)
    for table in load_contract().values()
    for column in table.columns
    if column.personal
}

# Text that is made of personal columns and tells none of them.
TELLS_NOTHING = {
    "contact_data_quality.duplicate_of": "the id of the customer with the same address or number",
    "contact_data_quality.verdict": "a code",
    "handover_pack.contact_data_verdict": "a code",
    "customer_contactability.blocked_by": "a code",
    "customer_profile.contact_data_verdict": "a code",
    "customer_profile.identity_id": "the id of a customer with the same address or number",
    "customer_profile.lists": "codes, the order of which says which task is due first",
    "customer_profile.next_action": "of the task that is due first",
    "customer_profile.next_task_due_on": "of a birthday the Sunday of its week",
    "customer_xref.identity_id": "the id of a customer with the same address or number",
    "customer_xref.matched_by": "a code",
    "rescue_plan.ends_on": "no step of the plan is about a birthday",
    "rescue_plan.opens_from_on": "likewise",
    "rescue_plan.state": "a code",
    "rescue_plan.skipped_because": "whether there is a number, not which",
    "rescue_plan.next_action": "of the step that is open",
    "retention_list.arm": "drawn by the id of a person, over all records",
    "retention_list.held_out_of": "a code, drawn likewise",
    "retention_list.due_on": "of a birthday the Sunday of its week: test_birthdays.py",
    "retention_list.next_action": "the step of the plan, which whether there is a number decides",
    "retention_list.occasion": "which year's birthday, not the day",
    "retention_list.occasion_on": "NULL where the occasion is a birthday",
    "retention_list_suppressed.arm": "drawn by the id of a person, over all records",
    "retention_list_suppressed.held_because": "of a person with two records the id of the other",
}


def origins(
    column: tuple[str, str], lineage: dict[str, dict[str, list[list[str]]]]
) -> Iterator[tuple[str, str]]:
    """All columns that a column is made of, however far back."""
    seen, waiting = set(), [column]
    while waiting:
        table, name = waiting.pop()
        for origin in map(tuple, lineage.get(table, {}).get(name, [])):
            if origin not in seen:
                seen.add(origin)
                waiting.append(origin)
                yield origin


@pytest.fixture(scope="module")
def lineage() -> dict[str, dict[str, list[list[str]]]]:
    return json.loads(LINEAGE_PATH.read_bytes())


def test_no_open_text_or_date_is_made_of_a_personal_column(
    lineage: dict[str, dict[str, list[list[str]]]],
) -> None:
    leaks = {
        f"{node['name']}.{column['name']}": sorted(PERSONAL.intersection(found))
        for node in tables_published()
        if node["config"]["meta"].get("side", "open") == "open"
        for column in node["columns"].values()
        # a yes or no or a count tells that there is a number, not which
        if (column["data_type"] or "string") in ("string", "date", "timestamp")
        and (found := set(origins((node["name"], column["name"]), lineage))) & PERSONAL
        and f"{node['name']}.{column['name']}" not in TELLS_NOTHING
    }
    assert leaks == {}


def test_the_restricted_side_is_where_they_come_out(
    lineage: dict[str, dict[str, list[list[str]]]],
) -> None:
    for name in ("name", "email", "phone", "birth_date"):
        found = set(origins(("dim_customer_contact", name), lineage))
        assert ("lake/customers", name) in found


def test_every_exception_is_still_one() -> None:
    columns = {
        f"{node['name']}.{name}"
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model"
        for name in node["columns"]
    }
    assert set(TELLS_NOTHING) <= columns
