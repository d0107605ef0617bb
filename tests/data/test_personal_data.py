"""Canaries: made-up people whose names are looked for in every file of a home.

Two runs: one that publishes, and one that is refused over rows which carry a canary. What is left
when they asked to be forgotten, test_next_day.py tells. Parquet and DuckDB files are read, since
compression would hide a name from a search through bytes; every other file is searched as it is.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.conftest import copy_of, stopped
from tests.data.shop import CANARIES, NEXT_DAY, Shop, files, holding


def elsewhere(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """What is neither a raw row, nor the cache of them, nor on the restricted side."""
    return {
        path: values
        for path, values in found.items()
        if not path.startswith(("lake/", "warehouse.duckdb")) and "/restricted/" not in path
    }


def test_a_run_keeps_personal_data_where_it_belongs(shop: Shop) -> None:
    found = holding(shop.home, *CANARIES)
    assert elsewhere(found) == {}
    assert [canary for canary in CANARIES if canary in shop.output] == []
    # and the search would have found them
    assert set().union(*found.values()) == set(CANARIES)
    assert any(path.startswith("lake/customers/") for path in found)
    assert "warehouse.duckdb" in found
    assert {Path(path).name for path in found if "/restricted/" in path} == {
        "contacts.duckdb", "dim_customer_contact.parquet", "channel_export.parquet",
        "fct_feedback_texts.parquet",
    }  # fmt: skip


def test_no_view_of_a_role_on_the_open_side_tells_of_anybody(shop: Shop) -> None:
    database = shop.home / "published" / "homing.duckdb"
    with duckdb.connect(str(database), read_only=True) as con:
        con.execute("set variable homing_owner = 'R1'")
        views = con.execute(
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        roles = {schema for schema, _ in views}
        assert roles == {f"role_{name}" for name in (
            "owner", "team_lead", "service", "marketing", "analyst", "auditor"
        )}  # fmt: skip
        for schema, view in views:
            text = con.sql(f'from {schema}."{view}"').df().astype(str).to_csv().lower()
            assert [c for c in CANARIES if c.lower() in text] == [], f"{schema}.{view}"


def test_a_refused_run_tells_nothing(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    delivered = files(tmp_path / "files", until=NEXT_DAY, spoilt=60)
    result = stopped(home, capsys, as_of=NEXT_DAY, source="files", files_dir=delivered)
    assert result.returncode == 1, result.stdout
    assert "net_amount" in result.stderr
    assert [canary for canary in CANARIES if canary in result.stdout + result.stderr] == []
    found = holding(home, *CANARIES)
    assert elsewhere(found) == {}
    assert any(path.startswith("lake/orders/2025-07-01") for path in found)
