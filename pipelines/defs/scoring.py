"""Fourth step: every customer who could leave gets a probability and the reasons for it."""

from collections.abc import Iterable, Mapping

import dagster as dg
import pyarrow as pa

from models.store import ModelStore
from pipelines.defs.training import CHURN_MODEL, champion_of
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown

SCORES = dg.AssetKey(["feedback", "scores"])


@dg.multi_asset(
    name="score",
    specs=[
        dg.AssetSpec(
            SCORES,
            deps=[CHURN_MODEL, asset_key("customer_features")],
            description="Churn probability, drivers and expected orders. One row per customer.",
            group_name="models",
            kinds={"python", "xgboost"},
        )
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def score(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> dg.MaterializeResult:
    """Score the snapshot of the day with the model that the day may know."""
    from models.churn import scoring  # noqa: PLC0415  XGBoost takes seconds to import

    as_of = as_of_day(context)
    model = champion_of(model_store, as_of)
    frame = warehouse.frame(
        "select * from customer_features where snapshot_on = ? order by customer_id", [as_of]
    )
    scores = scoring.score(model, frame, threads=settings.threads).assign(scored_on=as_of)
    lake.replace("scores", as_of, pa.Table.from_pandas(scores, preserve_index=False))
    return dg.MaterializeResult(
        metadata={
            "model": model.version,
            "dagster/partition_row_count": len(scores),
            "dagster/column_lineage": lineage(
                scoring.made_of(model.schema.names), "customer_features", scoring.COLUMNS
            ),
            "mean_probability": float(scores["churn_probability"].mean()) if len(scores) else 0.0,
        }
    )


def lineage(
    made_of: Mapping[str, Iterable[str]], features: str, columns: Iterable[str]
) -> dg.TableColumnLineage:
    """Of which features each column of a day's scores is made, as Dagster shows it.

    Args:
        made_of: by column, the features.
        features: the table that has them.
        columns: of the scores, without the day.
    """
    days = {"scored_on": ("snapshot_on",)}
    return shown(
        {
            column: [(features, name) for name in origins]
            for column, origins in {**made_of, **days}.items()
        },
        [*columns, *days],
    )
