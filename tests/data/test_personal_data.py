"""Canaries: made-up people whose names are looked for in every file of a home.

Three runs on one home: one that publishes, one that is refused over rows which carry a canary, and
one after the canaries asked to be forgotten. Parquet and DuckDB files are read, since compression
would hide a name from a search through bytes; every other file is searched as it is.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from tests.conftest import copy_of, homing
from tests.data.shop import BUYER, CANARIES, NEXT_DAY, Shop, files


def holding(home: Path, *values: str) -> dict[str, set[str]]:
    """The files of a home, by relative path, that hold one of the values, with those they hold."""
    found = {}
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink():
            text = _text(path)
            if there := {value for value in values if value.lower() in text}:
                found[path.relative_to(home).as_posix()] = there
    return found


def _text(path: Path) -> str:
    text = path.read_bytes().decode(errors="replace")
    with duckdb.connect() as con:
        if path.suffix == ".parquet":
            text += con.sql(f"from read_parquet('{path}')").df().astype(str).to_csv()
        elif path.suffix == ".duckdb":
            con.execute(f"attach '{path}' as searched (read_only)")
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where not internal"
            ).fetchall()
            for schema, table in tables:
                rows = con.sql(f'from searched."{schema}"."{table}"').df()
                text += rows.astype(str).to_csv()
    return text.lower()


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


def test_a_refused_run_tells_nothing(shop: Shop, tmp_path: Path) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    delivered = files(tmp_path / "files", until=NEXT_DAY, spoilt=60)
    result = homing(home, as_of=NEXT_DAY, source="files", files_dir=delivered)
    assert result.returncode == 1, result.stdout
    assert "net_amount" in result.stderr
    assert [canary for canary in CANARIES if canary in result.stdout + result.stderr] == []
    found = holding(home, *CANARIES)
    assert elsewhere(found) == {}
    assert any(path.startswith("lake/orders/2025-07-01") for path in found)


def test_who_asked_is_forgotten_everywhere(shop: Shop, tmp_path: Path) -> None:
    home = copy_of(shop.home, tmp_path / "home")
    delivered = files(copy_of(shop.files, tmp_path / "files"), until=NEXT_DAY)
    requests = [("K5", f"{NEXT_DAY} 08:00:00"), ("K7", f"{NEXT_DAY} 08:00:00")]
    pd.DataFrame(requests, columns=["customer_id", "requested_at"]).to_csv(
        delivered / "erasure_requests.csv", index=False
    )
    result = homing(home, as_of=NEXT_DAY, source="files", files_dir=delivered)
    assert result.returncode == 0, result.stdout + result.stderr

    # A key that slipped stays in the raw row, since keys are never touched.
    left = holding(home, *CANARIES)
    assert set().union(*left.values()) <= {BUYER[1]}
    assert all(path.startswith("lake/orders/") for path in left if path != "warehouse.duckdb")

    with duckdb.connect(str(home / "published" / "homing.duckdb"), read_only=True) as con:
        unbalanced = con.execute(
            "select count(*) from row_ledger where extracted <> accepted + quarantined + duplicate"
        ).fetchall()
        on_lists = con.execute(
            "select count(*) from retention_list where customer_id in ('K5', 'K7')"
        ).fetchall()
        orders = con.execute("select count(*) from fct_orders where customer_id = 'K5'").fetchall()
    assert unbalanced == on_lists == [(0,)]
    assert orders[0][0] > 0
    versions = sorted((home / "published" / "versions").iterdir())
    assert len(versions) == 2  # that of the day before has forgotten, too
    for version in versions:
        contacts = version / "restricted" / "dim_customer_contact.parquet"
        ids = duckdb.sql(f"select customer_id from read_parquet('{contacts}')").fetchall()
        assert {id for (id,) in ids} == {"K6", *(f"K{n}" for n in range(20, 40))}
