"""A run uses the project as `make` parsed it: nothing that is parsed may depend on the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from tests.data.conftest import PROJECT_DIR

ANOTHER_RUN = {
    "as_of": "1999-12-31",
    "lake": "/elsewhere",
    "timezone": "Asia/Shanghai",
    "training": True,
}


def told_by(manifest: Manifest) -> dict[str, Any]:
    """What a run takes from a parsed project: settings, declarations and parents of every node."""
    return {
        name: (node.config.to_dict(), getattr(node, "depends_on_nodes", ()))
        for name, node in manifest.nodes.items()
    }


def test_another_day_home_and_time_zone_are_parsed_to_the_same_project(
    dbt: Any, tmp_path: Path
) -> None:
    arguments = ["--quiet", "--log-level-file", "none", "parse", "--no-write-json"]
    places = {
        "--project-dir": PROJECT_DIR,
        "--profiles-dir": PROJECT_DIR,
        "--target-path": tmp_path,
        "--vars": json.dumps(ANOTHER_RUN),
    }
    arguments += [str(each) for place in places.items() for each in place]
    parsed = dbtRunner().invoke(arguments)
    assert parsed.success, parsed.exception
    here, there = told_by(dbt.manifest), told_by(parsed.result)
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
