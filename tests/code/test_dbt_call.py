"""The one dbt call of a stage, when something else than dbt fails while it runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.dbt import build
from pipelines.resources.warehouse import Warehouse


class Unreadable:
    """A dbt that still runs while what it said cannot be read."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def stream(self) -> Iterator[Any]:
        raise KeyError("model.homing.unknown")


def test_dbt_has_let_go_of_the_warehouse_when_the_step_fails(tmp_path: Path) -> None:
    call = Unreadable()
    dbt = SimpleNamespace(cli=lambda *_, **__: call)
    warehouse = Warehouse(tmp_path / "warehouse.duckdb", memory_limit="1GB")
    results = build(
        dbt, ["build"], context=SimpleNamespace(), target_path=tmp_path, warehouse=warehouse
    )
    with pytest.raises(KeyError, match="unknown"):
        list(results)
    assert call.process.poll() is not None
