"""How dbt's tables become Dagster assets, and what every dbt call of a run is told.

One `@dbt_assets` step a stage, since each call starts and parses dbt anew (seconds, not tables,
are the cost). The manifest is built by `make` before anything is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from pipelines.errors import HomingError
from pipelines.settings import PROJECT_ROOT, Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
MANIFEST_PATH = PROJECT_DIR / "target" / "manifest.json"


class Translator(DagsterDbtTranslator):
    """Tables keep their names as keys; the folder a table lives in is its group."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_code_references=True))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """`marts/<subject>` is grouped by subject, everything else by its first folder."""
        folders = dbt_resource_props["fqn"][1:-1]
        if dbt_resource_props["resource_type"] == "seed":
            return "business_rules"
        if len(folders) > 1 and folders[0] == "marts":
            return folders[1]
        return folders[0] if folders else None


@cache
def project() -> DbtProject:
    """The dbt project of this repository."""
    return DbtProject(project_dir=PROJECT_DIR)


@cache
def manifest() -> dict[str, Any]:
    """The parsed project.

    Raises:
        HomingError: the project was not parsed yet.
    """
    try:
        return json.loads(MANIFEST_PATH.read_bytes())
    except FileNotFoundError:
        raise HomingError(
            f"{MANIFEST_PATH} is missing: dbt's project has not been parsed; run `make setup`"
        ) from None


def asset_key(table: str) -> dg.AssetKey:
    """The asset key of a dbt table, by its name."""
    return dg.AssetKey([table])


def tables_published() -> Sequence[Mapping[str, Any]]:
    """The nodes of the manifest that are meant for BI tools, by name."""
    nodes = (
        node
        for node in manifest()["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
        and node["config"].get("meta", {}).get("published")
    )
    return sorted(nodes, key=lambda node: node["name"])


def build_arguments(settings: Settings, *, as_of: date, training: bool) -> list[str]:
    """The arguments of the one dbt call that a stage makes.

    Unit tests say what the SQL promises on made-up rows: they belong to `make test`.
    """
    variables = {
        "as_of": as_of.isoformat(),
        "lake": str(settings.lake),
        "timezone": settings.timezone,
        "training": training,
    }
    return ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables)]
