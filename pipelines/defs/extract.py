"""First step: one batch per table and day goes from the sources into the lake."""

from collections.abc import Iterator
from threading import Thread

import dagster as dg

from checks.runner import load_engine
from pipelines.errors import HomingError, SourceUnreachableError
from pipelines.list_history import remember_missed_lists
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Intake, Lake
from pipelines.resources.publisher import Publisher
from pipelines.resources.session import Session
from pipelines.settings import Settings
from pipelines.sources import connectors, offered_tables
from pipelines.sources.contract import load_contract
from pipelines.sources.notices import notice


@dg.multi_asset(
    name="extract",
    specs=[
        dg.AssetSpec(
            ["lake", table.name],
            description=table.description,
            group_name="lake",
            kinds={"parquet"},
        )
        for table in load_contract().values()
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    # Sources are other people's servers: the only step where trying again can help.
    retry_policy=dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL),
    pool="warehouse",
)
def extract(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    publisher: dg.ResourceParam[Publisher],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.MaterializeResult]:
    """Take from every source what the day needs and the lake does not hold yet."""
    # The next step would wait for it; reading leaves a core idle.
    Thread(target=load_engine, daemon=True).start()
    as_of = as_of_day(context)
    try:
        remember_missed_lists(lake, publisher)
        sources = connectors(settings)
        offered = offered_tables(sources)
        intakes: dict[str, Intake] = {}
        for table in load_contract().values():
            deliveries = [
                source.deliver(table, as_of)
                for source in sources
                if table.name in offered[source.name]
            ]
            if deliveries:
                intakes[table.name] = lake.write(table, as_of, deliveries)
    except HomingError as error:
        # What a user has to mend does not get better by waiting.
        can_pass = isinstance(error, SourceUnreachableError)
        raise dg.Failure(str(error), allow_retries=can_pass) from error
    for name, intake in intakes.items():
        for label, (before, now) in intake.shrunk.items():
            notice(
                lake.root / name,
                f"{label}: {now:,} rows, {before:,} when it was last read. Rows that are gone from "
                "an export are not gone from the lake, they still count; if the export broke off, "
                "make it again",
            )
    for table in load_contract().values():
        intake = intakes.get(table.name)
        yield dg.MaterializeResult(
            ["lake", table.name],
            metadata={
                "dagster/partition_row_count": intake.manifest.rows if intake else 0,
                "is_given": intake is not None,
                "rows_taken": intake.manifest.rows if intake else 0,
                "rows_new": intake.new if intake else 0,
                "rows_offered": intake.delivered if intake else 0,
                "rows_of_later_days": intake.later if intake else 0,
                "batch": intake.manifest.batch_id if intake else "-",
            },
        )
