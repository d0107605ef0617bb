"""Between scores and lists: what past campaigns with a control group say acting does."""

from collections.abc import Iterable, Iterator

import dagster as dg
import pyarrow as pa

from models.store import EffectStore
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown

EFFECTS = dg.AssetKey(["feedback", "treatment_effects"])
POLICY_VALUES = dg.AssetKey(["feedback", "policy_values"])
TABLES = [
    asset_key(name)
    for name in (
        "treatment_features",
        "treatment_outcomes",
        "plan_by_reason",
        "lifecycle_history",
        "tier_history",
        "row_ledger",  # nothing is learnt from what its border refused
    )
]
# With matrices as small as these, two threads wait for each other longer than they work: twice the
# processor time of one, ten times on a busy machine, and the same bytes.
THREADS = 1

TRIALS = """
    select outcomes.*, features.* exclude (customer_id, snapshot_on)
    from treatment_outcomes as outcomes
    inner join treatment_features as features using (customer_id, snapshot_on)
    order by campaign_id, customer_id
"""
TODAY = "select * from treatment_features where snapshot_on = ? order by customer_id"
PLANS = """
    select goal, plan_for, tactic, assumed_effect
    from plan_by_reason
    where tactic is not null and assumed_effect is not null
    order by goal, plan_for
"""
# Stage and tier of each member on the day before the assignment, which nothing is learnt from.
GROUPS = """
    select outcomes.campaign_id, outcomes.customer_id, stages.stage, tiers.value_tier
    from treatment_outcomes as outcomes
    left join lifecycle_history as stages
        on outcomes.customer_id = stages.customer_id and outcomes.snapshot_on >= stages.valid_from
        and (stages.valid_to is null or outcomes.snapshot_on < stages.valid_to)
    left join tier_history as tiers
        on outcomes.customer_id = tiers.customer_id and outcomes.snapshot_on >= tiers.valid_from
        and (tiers.valid_to is null or outcomes.snapshot_on < tiers.valid_to)
    order by campaign_id, customer_id
"""
EFFECT_TYPES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("tactic", pa.string()),
        ("effect_basis", pa.string()),
        ("factor", pa.float64()),
        ("effect", pa.float64()),
    ]
)
VALUE_TYPES = pa.schema(
    [
        ("outcome", pa.string()),
        ("policy", pa.string()),
        *((name, pa.float64()) for name in ("value", "lower", "upper", "treated_share", "cost")),
        ("customers", pa.int64()),
        ("members", pa.int64()),
    ]
)


@dg.multi_asset(
    name="effects",
    specs=[
        dg.AssetSpec(
            EFFECTS,
            deps=TABLES,
            description="What each tactic does for each customer. One row per customer and tactic.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
        dg.AssetSpec(
            POLICY_VALUES,
            deps=TABLES,
            description="What ways of choosing are worth. One row per outcome and policy.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def effects(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[Lake],
) -> Iterator[dg.MaterializeResult]:
    """Learn effects from all campaigns whose windows are over by the day, and keep the version."""
    from models.effects import treatment_effects  # noqa: PLC0415  pandas can wait
    from models.effects import version as effect_version  # noqa: PLC0415  pandas can wait
    from models.native import thread_limit  # noqa: PLC0415

    as_of = as_of_day(context)
    trials = warehouse.frame(TRIALS)
    with thread_limit(THREADS):
        found = treatment_effects.estimate(
            trials,
            warehouse.frame(TODAY, [as_of]),
            warehouse.frame(PLANS),
            warehouse.frame(GROUPS),
        )
    store = store_of(settings)
    version = store.save(
        effect_version.version_of_effects(found, trials, as_of=as_of, threads=THREADS)
    )
    store.promote(version)
    for key, frame, types in (
        (EFFECTS, found.effects, EFFECT_TYPES),
        (POLICY_VALUES, found.values, VALUE_TYPES),
    ):
        rows = pa.Table.from_pandas(frame, schema=types, preserve_index=False)
        lake.replace(key.path[-1], as_of, rows)
        yield dg.MaterializeResult(
            key,
            metadata={
                "version": version,
                "basis": found.basis,
                "decision": found.decision,
                "known": found.briefly,
                "dagster/partition_row_count": len(frame),
                "dagster/column_lineage": lineage(types.names),
            },
        )


def store_of(settings: Settings) -> EffectStore:
    """The versions of what acting does, in a folder beside those of churn."""
    return EffectStore(settings.model_store / "effects")


def lineage(columns: Iterable[str]) -> dg.TableColumnLineage:
    """Of which columns what was learnt is made, as Dagster shows it."""
    names = list(columns)
    trial = [("treatment_outcomes", "orders_after"), ("treatment_outcomes", "treated")]
    own = {
        "customer_id": [("treatment_features", "customer_id")],
        "tactic": [("plan_by_reason", "tactic")],
        "policy": [],
        "outcome": [],
    }
    return shown({**dict.fromkeys(names, trial), **own}, names)
