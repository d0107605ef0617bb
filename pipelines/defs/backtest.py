"""Beside the daily way, monthly: how good the predictions would have been on earlier days."""

from datetime import timedelta

import dagster as dg
import pyarrow as pa

from pipelines.defs.training import SEED, horizon_days, lineage, training_frame
from pipelines.durable import write_atomically
from pipelines.messages.pictures import in_markdown
from pipelines.partitions import DAILY, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key

BACKTEST = dg.AssetKey(["feedback", "backtests"])

MONTHLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=40), warn_window=timedelta(days=33)
)

SCHEMA = pa.schema(
    {
        "scope": pa.string(),
        "role": pa.string(),
        "metric": pa.string(),
        "cutoff_on": pa.date32(),
        "horizon_days": pa.int32(),
        "cutoffs": pa.int32(),
        "value": pa.float64(),
        "lower": pa.float64(),
        "upper": pa.float64(),
        "is_best_baseline": pa.bool_(),
    }
)


@dg.asset(
    key=BACKTEST,
    deps=[asset_key("customer_features"), asset_key("customer_labels")],
    description="Every model fitted anew at earlier cutoffs and judged by what came after: figures "
    "per cutoff, their mean, and the gain over each baseline. One row per scope, role, metric and "
    "cutoff.",
    group_name="models",
    kinds={"python", "xgboost"},
    freshness_policy=MONTHLY,
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    pool="warehouse",
)
def backtest(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> dg.MaterializeResult:
    """Fit at cutoffs over the month-ends at hand; the next published version shows the figures."""
    from models.churn import backtest as backtests  # noqa: PLC0415  XGBoost takes seconds to import
    from models.errors import TooLittleDataError  # noqa: PLC0415
    from models.frame.features import feature_names  # noqa: PLC0415

    as_of = as_of_day(context)
    frame = training_frame(warehouse)
    try:
        result = backtests.backtest(
            frame,
            as_of=as_of,
            horizon_days=horizon_days(warehouse),
            seed=SEED,
            threads=settings.threads,
            progress=context.log.info,
        )
    except TooLittleDataError as reason:
        # A young company is no failure of the run: that there is nothing to judge is the result.
        lake.replace("backtests", as_of, SCHEMA.empty_table())
        session.done()
        return dg.MaterializeResult(
            metadata={"summary": f"Nothing can be judged: {reason}", "rows": 0}
        )
    table = result.table()
    lake.replace("backtests", as_of, pa.Table.from_pandas(table, SCHEMA, preserve_index=False))
    card = result.card()
    page = settings.backtest_page(context.run_id)
    write_atomically(page, card.page(f"as of {as_of}"))
    session.done()
    return dg.MaterializeResult(
        metadata={
            "summary": result.summary(),
            "page": dg.MetadataValue.path(page),
            "cutoffs": [day.isoformat() for day in result.cutoffs],
            "skipped": list(result.skipped),
            **{plot.y_label: in_markdown(plot.png()) for plot in card.plots},
            "dagster/partition_row_count": len(table),
            "dagster/column_lineage": lineage(SCHEMA.names, feature_names(frame)),
        }
    )
