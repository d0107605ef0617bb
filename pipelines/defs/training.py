"""Third step, weekly: train a challenger, compare it out of time, and keep what is better."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from models.store import ModelStore
from pipelines.errors import HomingError
from pipelines.messages.pictures import in_markdown
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown

if TYPE_CHECKING:
    import pandas as pd

    from models.churn.model import ChurnModel

SEED = 20260630  # fixed, so that the same data give the same bytes

# The tier of each customer on the day of the test, which is the latest finished snapshot.
TIERS_AT_TEST = """
    select customer_id, value_tier
    from tier_history
    cross join (select max(snapshot_on) as test_on from snapshots where is_finished)
    where test_on >= valid_from and (valid_to is null or test_on < valid_to)
"""

# A hash of who they are draws the customers: the same ones in every run, and as large a share of
# those who had churned by the first snapshot.
TRAINING_FRAME = """
    with people as (
        select customer_id, hash, row_number() over (order by hash, customer_id) as place
        from (select distinct customer_id, md5(customer_id) as hash from customer_features)
    ),
    departed as (
        select snapshot_on, customer_id, order_days, recency_days, tenure_days
        from purchase_features
        anti join customer_features using (snapshot_on, customer_id)
        where
            snapshot_on = (select min(snapshot_on) from customer_features)
            and md5(customer_id) < (select coalesce(min(hash), 'g') from people where place > $1)
    )
    select
        features.*,
        labels.days_to_next_order,
        coalesce(labels.days_observed, 0) as days_observed
    from customer_features as features
    left join customer_labels as labels using (snapshot_on, customer_id)
    semi join (from people where place <= $1) using (customer_id)
    union all by name
    select * from departed
    order by snapshot_on, customer_id
"""

CHURN_MODEL = dg.AssetKey(["models", "churn"])
EVALUATIONS = dg.AssetKey(["feedback", "evaluations"])


@dg.multi_asset(
    name="train",
    specs=[
        dg.AssetSpec(
            CHURN_MODEL,
            deps=[
                asset_key("customer_features"),
                asset_key("customer_labels"),
                asset_key("purchase_features"),  # what those who left long ago had bought
                asset_key("tier_history"),
            ],
            description="The model that is served: champion, best baseline, or rule.",
            group_name="models",
            kinds={"python", "xgboost"},
        ),
        dg.AssetSpec(
            EVALUATIONS,
            deps=[CHURN_MODEL],
            description="Out-of-time figures of challenger, champion and every baseline.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def train(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.MaterializeResult]:
    """Train when due, else keep what is served; either way say which model that is."""
    # XGBoost takes seconds to import: only a run that gets here pays for it.
    from models.churn import training  # noqa: PLC0415
    from models.evaluation import judging  # noqa: PLC0415
    from models.versions import plots  # noqa: PLC0415

    as_of = as_of_day(context)
    if session.training:
        frame = training_frame(warehouse)
        result = training.train(
            frame,
            as_of=as_of,
            horizon_days=horizon_days(warehouse),
            seed=SEED,
            threads=settings.threads,
            champion=model_store.load_champion(as_of).model,
            groups=warehouse.frame(TIERS_AT_TEST),
            progress=context.log.info,
        )
        version = model_store.save(result.model)
        if result.promoted:
            model_store.promote(version)
        lake.replace(
            "evaluations", as_of, pa.Table.from_pandas(result.evaluations, preserve_index=False)
        )
        decision, rows, figures = result.decision, len(frame), len(result.evaluations)
        pictures = {
            "calibration": in_markdown(plots.calibration(result.calibration_curve).png()),
            "lift": in_markdown(plots.lift(result.lift_curve).png()),
        }
    else:
        decision, rows, figures = "kept: the last training is recent enough", 0, 0
        pictures = {}
    served = champion_of(model_store, as_of)
    yield dg.MaterializeResult(
        CHURN_MODEL,
        metadata={
            "served": served.version,
            "serves": served.serves,
            "decision": decision,
            "dagster/partition_row_count": rows,
            **pictures,
        },
    )
    yield dg.MaterializeResult(
        EVALUATIONS,
        metadata={
            "is_new": session.training,
            "dagster/partition_row_count": figures,
            "dagster/column_lineage": lineage(judging.EVALUATION_COLUMNS, served.schema.names),
        },
    )


def training_frame(warehouse: Warehouse) -> "pd.DataFrame":
    """Features of every month-end with what came after, of as many customers as are enough.

    Those of today stand among them, though nothing came after: who ordered since the last month-end
    would else be seen as before that order, and who did not as silent ever since. So do, with their
    rhythm alone, the customers who had churned by the first month-end.
    """
    from models.churn import training  # noqa: PLC0415

    return warehouse.frame(TRAINING_FRAME, [training.ENOUGH_CUSTOMERS])


def lineage(columns: Iterable[str], features: Iterable[str]) -> dg.TableColumnLineage:
    """Of which columns the figures of a training are made, as Dagster shows it."""
    figure = [
        ("customer_labels", "days_to_next_order"),
        ("customer_labels", "days_observed"),
        *(("customer_features", name) for name in features),
    ]
    made_of = {
        **dict.fromkeys(("value", "lower", "upper"), figure),
        "cutoff_on": [("customer_features", "snapshot_on")],
    }
    # Whose figure it is and what it is called, no customer tells.
    return shown(made_of, columns)


def champion_of(store: ModelStore, as_of: date) -> "ChurnModel":
    """The model that speaks for a day.

    Raises:
        HomingError: no version that knew no later day can be read.
    """
    champion = store.load_champion(as_of)
    if champion.model is None:
        reason = "; ".join(champion.refused) or "none was trained"
        raise HomingError(
            f"no model can be read for {as_of}: {reason}; run the job `retrain` for that day"
        )
    return champion.model


def horizon_days(warehouse: Warehouse) -> int:
    """Days without an order that count as churn, as the labels were made."""
    snapshots = warehouse.frame(
        "select distinct horizon_ends_on - snapshot_on as horizon_days from snapshots"
    )
    return int(snapshots["horizon_days"].item())
