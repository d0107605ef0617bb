"""What a version says of itself and of every version before it: the run log and the audit log.

Both are made from the history of versions (`Publisher.history`), which also remembers those that
were removed. So they know no clock and no run: the same inputs give the same bytes. When a version
was made, by which run and for whom, the journal tells under its version id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from pipelines.resources.version import PublishedTable
from pipelines.resources.warehouse import Warehouse

# The columns that say what was asked of whom, in the order in which they are hashed.
HASHED_COLUMNS = (
    "list_row_id",
    "customer_id",
    "arm",
    "plan_code",
    "reward_step",
    "channel",
    "owner_id",
    "due_on",
)

RUN_LOG = PublishedTable(
    name="run_log",
    order_by=("as_of_date", "version_id"),
    description="Every version published for earlier days and this one. One row per version.",
    columns={
        "version_id": "Identifier of the published version",
        "as_of_date": "Day the version speaks for",
        "source": "Where its data came from",
        "inputs": "Fingerprint of everything that went in (sha256)",
        "code": "Fingerprint of the code and business rules (sha256)",
        "model_version": "Identifier of the model that was served",
        "published_tables": "Tables in the version (count)",
        "published_rows": "Rows in all tables of the version (count)",
    },
    capabilities=(110,),
)

AUDIT_LOG = PublishedTable(
    name="audit_log",
    order_by=("as_of_date", "version_id", "list_code"),
    description=(
        "Every list published for earlier days and with this version, with what it takes to prove "
        "which rows it had and what they were made of; the journal tells under the version id "
        "which run made it, when and for whom. One row per version and list."
    ),
    columns={
        "as_of_date": "Day the list speaks for",
        "version_id": "Version it was published with (run_log.version_id)",
        "list_code": "List; all: no list, but who is held back from every one",
        "listed_rows": "Rows of the list (count)",
        "treated_rows": "Rows to be contacted (count)",
        "control_rows": "Rows held out and never contacted (count)",
        "held_back_customers": "Customers who qualified and were suppressed (count)",
        "rows_sha256": (
            f"sha256 of the lines `{','.join(HASHED_COLUMNS)}` of its rows (nothing for NULL), "
            "ordered by list_row_id, each ended by a line feed"
        ),
        "previous_version_id": "Version of the latest day before, whose lists this run knew",
        "model_version": "Identifier of the model that was served",
        "inputs": "Fingerprint of everything that went in (sha256)",
        "code": "Fingerprint of the code and business rules (sha256)",
    },
    capabilities=(110,),
)

# Published tables that dbt does not build.
OWN_TABLES = (RUN_LOG, AUDIT_LOG)


def list_facts(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    """What the history keeps of each list about to be published, by list code."""
    line = " || ',' || ".join(f"coalesce({name}::varchar, '')" for name in HASHED_COLUMNS)
    with warehouse.connect() as connection:
        rows = connection.execute(
            f"""
            with listed as (
                select
                    list_code,
                    count(*)::bigint as listed_rows,
                    count(*) filter (arm = 'treatment')::bigint as treated_rows,
                    count(*) filter (arm = 'control')::bigint as control_rows,
                    sha256(string_agg({line} || chr(10), '' order by list_row_id)) as rows_sha256
                from retention_list
                group by list_code
            ),
            held_back as (
                select list_code, count(distinct customer_id)::bigint as held_back_customers
                from retention_list_suppressed
                group by list_code
            )
            select
                list_code,
                coalesce(listed_rows, 0),
                coalesce(treated_rows, 0),
                coalesce(control_rows, 0),
                coalesce(held_back_customers, 0),
                coalesce(rows_sha256, sha256(''))
            from listed
            full join held_back using (list_code)
            order by list_code
            """
        ).fetchall()
    names = ("listed_rows", "treated_rows", "control_rows", "held_back_customers", "rows_sha256")
    return {code: dict(zip(names, facts, strict=True)) for code, *facts in rows}


def write_logs(warehouse: Warehouse, versions: Sequence[Mapping[str, Any]]) -> None:
    """Write both logs into the warehouse, to be published with the other tables.

    Args:
        warehouse: where to.
        versions: facts of all versions of earlier days and of the one about to be published.
    """
    _write(warehouse, RUN_LOG, list(_runs(versions)))
    _write(warehouse, AUDIT_LOG, list(_lists(versions)))


def _runs(versions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    logs = {table.name for table in OWN_TABLES}
    for version in versions:
        rows = {name: table["rows"] for name, table in version["tables"].items()}
        counted = [count for name, count in rows.items() if name not in logs]
        yield {
            "version_id": version["id"],
            "as_of_date": date.fromisoformat(version["as_of"]),
            "source": version["source"],
            "inputs": version["inputs"],
            "code": version["code"],
            "model_version": version["model_version"],
            "published_tables": len(counted),
            "published_rows": sum(counted),
        }


def _lists(versions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for version in versions:
        # Versions that were made before there was an audit log say nothing of their lists.
        for code, facts in version.get("lists", {}).items():
            yield {
                "as_of_date": date.fromisoformat(version["as_of"]),
                "version_id": version["id"],
                "list_code": code,
                **facts,
                "previous_version_id": version["previous"],
                "model_version": version["model_version"],
                "inputs": version["inputs"],
                "code": version["code"],
            }


def _write(warehouse: Warehouse, table: PublishedTable, rows: list[dict[str, Any]]) -> None:
    # A schema of its own, for a day on which nobody is on any list.
    schema = pa.schema(
        (
            name,
            pa.date32() if name == "as_of_date"
            else pa.int64() if name.endswith(("_rows", "_tables", "_customers"))
            else pa.string(),
        )
        for name in table.columns
    )  # fmt: skip
    records = pa.Table.from_pylist(rows, schema=schema)
    with warehouse.connect(read_only=False) as connection:
        connection.register("records", records)
        connection.execute(f"create or replace table {table.name} as select * from records")
