"""Beside the daily way, monthly: how good the predictions would have been on earlier days."""

from datetime import timedelta
from functools import partial

import dagster as dg
import pyarrow as pa

from pipelines.defs.forecasts import purchase_frame
from pipelines.defs.training import SEED, horizon_days, lineage, training_frame
from pipelines.durable import write_atomically
from pipelines.messages.pictures import in_markdown
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key

BACKTEST = dg.AssetKey(["feedback", "backtests"])
CHURN = "churn"

MONTHLY = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=40), warn_window=timedelta(days=33)
)

SCHEMA = pa.schema(
    {
        "model_kind": pa.string(),
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
    deps=[
        asset_key("customer_features"),
        asset_key("customer_labels"),
        asset_key("purchase_features"),
        asset_key("purchase_outcomes"),
    ],
    description="Every model fitted anew at earlier cutoffs and judged by what came after: figures "
    "per cutoff, their mean, and the gain over each baseline. One row per kind, scope, role, "
    "metric and cutoff.",
    group_name="models",
    kinds={"python", "xgboost"},
    freshness_policy=MONTHLY,
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
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
    import pandas as pd  # noqa: PLC0415

    from models.churn import backtest as of_churn  # noqa: PLC0415  XGBoost takes seconds to import
    from models.errors import TooLittleDataError  # noqa: PLC0415
    from models.forecasts import backtest as of_forecasts  # noqa: PLC0415
    from models.forecasts import outlook  # noqa: PLC0415
    from models.forecasts.forecast import Snapshots  # noqa: PLC0415
    from models.forecasts.training import Setting  # noqa: PLC0415
    from models.frame.features import feature_names  # noqa: PLC0415

    as_of, horizon = as_of_day(context), horizon_days(warehouse)
    frame = training_frame(warehouse)
    snapshots = Snapshots.of(purchase_frame(warehouse, as_of))
    setting = Setting(as_of, horizon, SEED, settings.threads)

    def churn() -> of_churn.Backtest:
        return of_churn.backtest(
            frame,
            as_of=as_of,
            horizon_days=horizon,
            seed=SEED,
            threads=settings.threads,
            progress=context.log.info,
        )

    judged: dict[str, of_churn.Backtest | of_forecasts.ForecastBacktest] = {}
    said: dict[str, str] = {}
    for kind, run in (
        (CHURN, churn),
        *(
            (module.KIND, partial(of_forecasts.backtest, module.TRAINING, snapshots, setting))
            for module in outlook.MODULES
        ),
    ):
        context.log.info(f"backtest of {kind}")
        try:
            judged[kind] = run()
        except TooLittleDataError as reason:
            # A young company is no failure of the run: that there is nothing to judge is a result.
            said[kind] = f"Nothing can be judged: {reason}"
        else:
            said[kind] = judged[kind].summary()
    tables = [result.table().assign(model_kind=kind) for kind, result in judged.items()]
    rows = (
        pa.Table.from_pandas(pd.concat(tables)[SCHEMA.names], SCHEMA, preserve_index=False)
        if tables
        else SCHEMA.empty_table()
    )
    lake.replace("backtests", as_of, rows)
    told: dict[str, dg.MetadataValue] = {}
    for kind, result in judged.items():
        card, page = result.card(), settings.backtest_page(context.run_id, kind)
        write_atomically(page, card.page(f"as of {as_of}"))
        told[f"{kind}_page"] = dg.MetadataValue.path(page)
        told[f"{kind}_cutoffs"] = dg.MetadataValue.text(", ".join(map(str, result.cutoffs)))
        told[f"{kind}_skipped"] = dg.MetadataValue.text(" ".join(result.skipped))
        for plot in card.plots:
            told[f"{kind}: {plot.y_label}"] = in_markdown(plot.png())
    session.done()
    return dg.MaterializeResult(
        metadata={
            "summary": "\n".join(said.values()),
            **told,
            "dagster/partition_row_count": rows.num_rows,
            "dagster/column_lineage": lineage(SCHEMA.names, feature_names(frame)),
        }
    )
