"""The audit log of the sample company's last day, against the lists themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import duckdb
import pandas as pd

from pipelines.resources.version_log import HASHED_COLUMNS
from tests.conftest import SAMPLE_DAYS


def published(home: Path, day: str) -> Path:
    [version] = (home / "published" / "versions").glob(f"{day}-*")
    return version


def checksum(rows: pd.DataFrame) -> str:
    """Second opinion: the same lines, written by hand."""
    lines = rows.sort_values("list_row_id")[list(HASHED_COLUMNS)].astype(object)
    text = "".join(
        ",".join("" if pd.isna(value) else str(value) for value in line) + "\n"
        for line in lines.itertuples(index=False)
    )
    return hashlib.sha256(text.encode()).hexdigest()


def test_every_list_of_both_days_is_told_as_it_was_published(sample_home: Path) -> None:
    log = duckdb.sql(
        f"from read_parquet('{published(sample_home, SAMPLE_DAYS[1])}/audit_log.parquet')"
    ).df()
    for day in SAMPLE_DAYS:
        version = published(sample_home, day)
        # text columns only: pandas would write an integer with a gap as 1.0
        columns = ", ".join(f"{name}::varchar as {name}" for name in HASHED_COLUMNS)
        lists = duckdb.sql(
            f"select list_code, {columns} from read_parquet('{version}/retention_list.parquet')"
        ).df()
        told = log[log["version_id"] == version.name].set_index("list_code")
        assert not lists.empty
        for code, rows in lists.groupby("list_code"):
            assert told.loc[code, "listed_rows"] == len(rows)
            assert told.loc[code, "treated_rows"] == (rows["arm"] == "treatment").sum()
            assert told.loc[code, "control_rows"] == (rows["arm"] == "control").sum()
            assert told.loc[code, "rows_sha256"] == checksum(rows)
        assert set(told[told["listed_rows"] > 0].index) == set(lists["list_code"])


def test_a_version_leads_to_the_one_before_and_to_its_run(sample_home: Path) -> None:
    earlier, later = (published(sample_home, day).name for day in SAMPLE_DAYS)
    log = duckdb.sql(
        f"from read_parquet('{published(sample_home, SAMPLE_DAYS[1])}/audit_log.parquet')"
    ).df()
    previous = dict(zip(log["version_id"], log["previous_version_id"], strict=True))
    assert previous[later] == earlier
    assert pd.isna(previous[earlier])
    journal = (sample_home / "runs" / "journal.jsonl").read_text().splitlines()
    ended = [line for line in map(json.loads, journal) if line["event"] == "finish"]
    assert {line["version_id"] for line in ended} == {earlier, later}


def test_the_query_of_the_documentation_gives_the_checksum(sample_home: Path) -> None:
    text = Path(__file__).parents[2].joinpath("docs", "operations.md").read_text(encoding="utf-8")
    query = text.split("```sql\n", 1)[1].split("```", 1)[0]
    version = published(sample_home, SAMPLE_DAYS[1])
    with duckdb.connect(str(version / "homing.duckdb"), read_only=True) as con:
        computed = dict(con.execute(query).fetchall())
        told = con.execute(
            "select list_code, rows_sha256 from audit_log"
            " where version_id = ? and listed_rows > 0", [version.name],
        ).fetchall()  # fmt: skip
    assert computed == dict(told)
