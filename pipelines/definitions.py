"""What Dagster loads: the steps in `defs/`, their resources, and policies mapped over the graph."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg

from models.store import ModelStore
from pipelines import defs as steps
from pipelines.partitions import as_of_day
from pipelines.resources.journal import Journal
from pipelines.resources.lake import Lake
from pipelines.resources.lock import RunLock
from pipelines.resources.publisher import Publisher
from pipelines.resources.session import Session, open_session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import Dbt, open_dbt

# Who answers for a group of assets, and how old its newest day may be. One place for the whole
# graph: a new table needs no policy of its own, unless it is not made daily.
OWNERS = {"models": "team:data-science", "retention": "team:customer-care"}
DEFAULT_OWNER = "team:data-engineering"
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=48), warn_window=timedelta(hours=30)
)


def _with_policies(spec: dg.AssetSpec) -> dg.AssetSpec:
    owner = OWNERS.get(spec.group_name or "", DEFAULT_OWNER)
    return spec.merge_attributes(owners=[owner]).replace_attributes(
        freshness_policy=spec.freshness_policy or FRESHNESS
    )


@dg.definitions
def defs() -> dg.Definitions:
    """All definitions of the code location; loading them opens no database and no network."""
    settings = Settings.read()
    settings.export()
    lock = RunLock(settings.home / "run.lock")
    journal = Journal(settings.runs, lock)

    @dg.resource(description="The run's lock on the home, and its story in the journal.")
    def session(context: dg.InitResourceContext) -> Iterator[Session]:
        run = context.run
        with open_session(
            lock,
            journal,
            run_id=run.run_id,
            as_of=as_of_day(context),
            source=",".join(settings.source),
            log=settings.log_of(run.run_id),
            actor=settings.actor,
        ) as opened:
            yield opened

    @dg.resource(
        description="dbt, which reads the project while other steps work.",
        required_resource_keys={"session"},  # who does not get the home starts nothing
    )
    def dbt() -> Iterator[Dbt]:
        with open_dbt(settings.dbt_target) as opened:
            yield opened

    resources = {
        "settings": settings,
        "lake": Lake(settings.lake, timezone=settings.timezone, memory_limit=settings.memory_limit),
        "warehouse": Warehouse(settings.warehouse, memory_limit=settings.memory_limit),
        "model_store": ModelStore(settings.model_store),
        "publisher": Publisher(settings.published, keep=settings.keep_versions),
        "journal": journal,
        "session": session,
        "dbt": dbt,
    }
    loaded = dg.load_definitions_from_package_module(steps)
    return dg.Definitions(
        assets=list(dg.map_asset_specs(_with_policies, loaded.assets or [])),
        asset_checks=loaded.asset_checks,
        jobs=loaded.jobs,
        schedules=loaded.schedules,
        sensors=loaded.sensors,
        resources=resources,
        executor=dg.in_process_executor,
    )
