"""The arithmetic of the benchmarks, and what they say when they cannot run."""

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import real_orders
from benchmarks.run import COMPARED, Day, compared_seconds


def test_compared_tables_that_overlap_count_once(tmp_path: Path) -> None:
    tables = (COMPARED, "orders", "items", "tickets")
    manifest = {
        "nodes": {table: {"name": table} for table in tables},
        "parent_map": {
            COMPARED: ["orders", "items"],
            "orders": ["source"],
            "items": ["orders"],
            "source": [],
        },
    }
    spans = {"orders": (0, 4), "items": (2, 5), "tickets": (5, 30), COMPARED: (40, 41)}
    results = [
        {
            "unique_id": table,
            "timing": [
                {f"{edge}_at": f"2026-06-28T00:00:{second:02}Z" for edge, second in edges.items()}
            ],
        }
        for table, span in spans.items()
        for edges in [dict(zip(("started", "completed"), span, strict=True))]
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    assert compared_seconds(manifest, tmp_path) == 5 + 1


def test_a_share_of_a_day_leaves_a_phase_out_of_both() -> None:
    first = Day(seconds=Counter(start=10, train=50, tables=40))
    second = Day(seconds=Counter(start=10, train=0, tables=20))
    assert second.share_of(first) == 30 / 100
    assert second.share_of(first, without=("train",)) == 30 / 50


def test_real_files_that_are_absent_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdnow_master.parquet").touch()
    monkeypatch.setattr("sys.argv", ["real_orders", str(tmp_path)])
    assert real_orders.main() == 1
    said = capsys.readouterr().err
    assert "no online_retail_ii_to_2011_05.parquet in" in said
    assert "cdnow_master" not in said
    assert "make real REAL_DATA=" in said
