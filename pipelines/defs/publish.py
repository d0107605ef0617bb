"""Last step: build a version of the published tables, audit it, and swap the pointer."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from models.store import ModelStore, VersionStore
from pipelines.defs import effects, forecasts
from pipelines.errors import PublishError
from pipelines.fingerprint import code_fingerprint, fingerprint, version_id
from pipelines.list_history import PUBLISHED_LISTS, remember_list
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.journal import Journal
from pipelines.resources.lake import Lake
from pipelines.resources.publisher import PublishedTable, PublishedVersion, Publisher
from pipelines.resources.session import Session
from pipelines.resources.version import MODEL_CARDS
from pipelines.resources.version_log import OWN_TABLES, list_facts, write_logs
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key, tables_published

PUBLISHED = dg.AssetKey(["published", "version"])

# What Homing wrote into the lake itself, and which batches of it a day's tables read. A training
# that keeps the champion changes figures and no model version; a run that was refused at the last
# border leaves scores and no version. Scores, figures and alerts of the day itself follow from
# what counts anyway.
FED_BACK: Mapping[str, Callable[[date, date], bool]] = {
    PUBLISHED_LISTS: operator.lt,
    "scores": operator.lt,
    "evaluations": operator.le,
    "backtests": operator.le,
    "monitoring": operator.lt,
    "forecast_evaluations": operator.le,
    # Several versions make it, none of which is the model version: its rows speak for them.
    "outlook": operator.eq,
}


# Written by the last step for the runs of the days after: within a run it would be a circle.
published_lists = dg.AssetSpec(
    dg.AssetKey(["feedback", PUBLISHED_LISTS]),
    description="Every list that was published, as later runs read it: caps, ladders, effects.",
    group_name="published",
    kinds={"parquet"},
)


def published_tables() -> list[PublishedTable]:
    """What dbt marks as published, with the descriptions that BI tools show, and the logs."""
    tables = [
        PublishedTable(
            name=node["name"],
            order_by=tuple(node["config"]["meta"]["unique_key"]),
            side=node["config"]["meta"].get("side", "open"),
            description=node["description"],
            columns={name: column["description"] for name, column in node["columns"].items()},
        )
        for node in tables_published()
    ]
    return [*tables, *OWN_TABLES]


def inputs_fingerprint(
    lake: Lake,
    settings: Settings,
    *,
    as_of: date,
    model_version: str,
    earlier_versions: Iterable[str],
) -> str:
    """Everything but code that the tables of a day depend on."""
    return fingerprint(
        [
            settings.timezone,
            model_version,
            lake.fingerprint(as_of),
            *earlier_versions,
            *(
                f"{table} {manifest.batch_id}"
                for table, seen in FED_BACK.items()
                for manifest in lake.manifests(table)
                if seen(manifest.as_of, as_of)
            ),
        ]
    )


def audit(tables: Sequence[PublishedTable]) -> Callable[[PublishedVersion], None]:
    """What must hold of the built files themselves, whatever the warehouse said.

    Raises:
        PublishError: from the function returned: a table is missing or its list names a
            suppressed customer.
    """

    def check(version: PublishedVersion) -> None:
        missing = {table.name for table in tables} - set(version.rows)
        if missing:
            raise PublishError(f"the new version lacks {', '.join(sorted(missing))}")
        with version.connect() as con:
            both = con.execute(
                "select count(*) from retention_list semi join retention_list_suppressed"
                " using (list_code, customer_id)"
            ).fetchone()
        if both and both[0]:
            raise PublishError(
                f"{both[0]} customers are on a list and suppressed from it at the same time"
            )

    return check


@dg.asset(
    key=PUBLISHED,
    deps=[asset_key(node["name"]) for node in tables_published()],
    description="The published version: one Parquet file a table and one DuckDB file of them all.",
    group_name="published",
    kinds={"duckdb", "parquet"},
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def publish(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    warehouse: dg.ResourceParam[Warehouse],
    publisher: dg.ResourceParam[Publisher],
    model_store: dg.ResourceParam[ModelStore],
    journal: dg.ResourceParam[Journal],
    session: dg.ResourceParam[Session],
) -> dg.MaterializeResult:
    """Publish once for the same inputs; a backfill of an older day leaves the pointer alone."""
    as_of = as_of_day(context)
    served = warehouse.arrow("select distinct model_version from customer_churn_scores")
    model_version = ",".join(sorted(map(str, served["model_version"].to_pylist())))
    earlier = publisher.history(before=as_of)
    inputs = inputs_fingerprint(
        lake,
        settings,
        as_of=as_of,
        model_version=model_version,
        earlier_versions=[version["id"] for version in earlier],
    )
    version = version_id(as_of, inputs)
    tables = published_tables()
    facts = {
        "source": ",".join(settings.source),
        "model_version": model_version,
        "lists": list_facts(warehouse),
        "previous": earlier[-1]["id"] if earlier else None,
    }
    about = {
        "id": version,
        "as_of": as_of.isoformat(),
        "inputs": inputs,
        "code": code_fingerprint(),
        "tables": table_rows(warehouse, tables),
    }
    write_logs(warehouse, [*earlier, about | facts])
    publication = publisher.publish(
        version,
        as_of,
        tables,
        warehouse,
        inputs=inputs,
        code=code_fingerprint(),
        audit=audit(tables),
        facts=facts,
        documents=model_cards(model_store, served["model_version"].to_pylist())
        | cards_of_the_others(settings, as_of),
        still_held=session.held.still_held,
    )
    remember_list(lake, publication.version)
    session.published(version)
    forgotten = newly_forgotten(journal, publisher, context.run_id)
    return dg.MaterializeResult(
        metadata={
            "version": version,
            "is_new": publication.is_new,
            "is_current": publication.is_current,
            "database": dg.MetadataValue.path(publication.version.database),
            "tables": len(publication.version.rows),
            "dagster/row_count": sum(publication.version.rows.values()),
            **({"forgotten": forgotten_in_words(forgotten)} if forgotten else {}),
        }
    )


def newly_forgotten(journal: Journal, publisher: Publisher, run_id: str) -> list[str]:
    """Versions that runs published and of which `published` knows nothing any more, by day.

    Each loss is told to the first run that finds it: who lets it be is not asked every day.
    """
    known = {record["id"] for record in publisher.history()}
    lost = sorted({run.version_id for run in journal.runs() if run.version_id} - known)
    told = journal.missed()
    if lost != told:
        journal.miss(run_id, lost)
    return [version for version in lost if version not in told]


def forgotten_in_words(versions: Sequence[str]) -> str:
    """What is lost with them, and what to do."""
    named = versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"
    return (
        f"{len(versions)} published before ({named}) are no longer in published/history.jsonl: "
        "run_log and audit_log say nothing of them from now on. If that was not meant, put the "
        "file back from a backup and run again; what was listed then is still in the lake. This is "
        "said once"
    )


def model_cards(store: VersionStore[Any], versions: Iterable[str]) -> dict[str, bytes]:
    """The pages of the model versions that speak in a published version, by path inside it."""
    return {
        f"{MODEL_CARDS}/{version}/{name}": path.read_bytes()
        for version in sorted(versions)
        for name, path in store.pages(version).items()
    }


def cards_of_the_others(settings: Settings, as_of: date) -> dict[str, bytes]:
    """The pages of what speaks beside churn for a day: what acting does, and the forecasts."""
    cards: dict[str, bytes] = {}
    for store in (effects.store_of(settings), *forecasts.stores(settings).values()):
        version = store.champion_for(as_of)
        cards |= model_cards(store, [version] if version else [])
    return cards


def table_rows(warehouse: Warehouse, tables: Sequence[PublishedTable]) -> dict[str, dict[str, int]]:
    """Rows of the tables about to be published, but for the logs, which count them."""
    rows = warehouse.rows_per_table()
    return {
        t.name: {"rows": rows[t.name]} for t in tables if t.name in rows and t not in OWN_TABLES
    }
