"""Beside churn: who of the churned returns, when the next order comes, what 12 months will earn."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa

from models.forecasts.kinds import KINDS
from models.store import ForecastStore
from pipelines.defs.scoring import lineage
from pipelines.defs.training import SEED, horizon_days
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown

if TYPE_CHECKING:
    import pandas as pd

    from models.forecasts.forecast import Forecast

FORECASTS = dg.AssetKey(["models", "forecasts"])
FIGURES = dg.AssetKey(["feedback", "forecast_evaluations"])
OUTLOOK = dg.AssetKey(["feedback", "outlook"])


def stores(settings: Settings) -> dict[str, ForecastStore]:
    """The versions of each kind of forecast, in folders beside those of churn."""
    return {kind: ForecastStore(settings.model_store / kind) for kind in KINDS}


def served(settings: Settings, as_of: date) -> "dict[str, Forecast]":
    """The versions that speak for a day, by kind; a kind that was never trained is left out."""
    found = {kind: store.load_champion(as_of).model for kind, store in stores(settings).items()}
    return {kind: forecast for kind, forecast in found.items() if forecast is not None}


def purchase_frame(warehouse: Warehouse, as_of: date) -> "pd.DataFrame":
    """Features of every snapshot and what came after, of as many customers as are enough."""
    from models.forecasts import outlook  # noqa: PLC0415  XGBoost takes seconds to import

    return warehouse.frame(
        # A hash of who they are draws the customers: the same ones in every run.
        "with drawn as (select customer_id from purchase_features where snapshot_on = ?"
        " order by md5(customer_id), customer_id limit ?)"
        " select features.*, outcomes.* exclude (snapshot_on, customer_id)"
        " from purchase_features as features"
        " left join purchase_outcomes as outcomes using (snapshot_on, customer_id)"
        " semi join drawn using (customer_id)"
        " order by features.snapshot_on, features.customer_id",
        [as_of, outlook.ENOUGH_CUSTOMERS],
    )


@dg.multi_asset(
    name="train_forecasts",
    specs=[
        dg.AssetSpec(
            FORECASTS,
            deps=[
                asset_key("purchase_features"),
                asset_key("purchase_outcomes"),
                asset_key("row_ledger"),  # nothing is learnt from what its border refused
            ],
            description="What speaks of return, next order and profit: model, baseline or rule.",
            group_name="models",
            kinds={"python", "xgboost"},
        ),
        dg.AssetSpec(
            FIGURES,
            deps=[FORECASTS],
            description="Out-of-time figures of the forecasts and of their baselines.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def train_forecasts(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.MaterializeResult]:
    """Train when churn is trained; what nothing taught replaces no version that was judged."""
    from models.forecasts import outlook  # noqa: PLC0415  XGBoost takes seconds to import
    from models.forecasts import training as forecast_training  # noqa: PLC0415  XGBoost takes seconds to import

    as_of = as_of_day(context)
    decisions, rows, figures = {}, 0, 0
    if session.training:
        frame = purchase_frame(warehouse, as_of)
        trained = outlook.train(
            frame,
            as_of=as_of,
            horizon_days=horizon_days(warehouse),
            seed=SEED,
            threads=settings.threads,
            champions=served(settings, as_of),
        )
        for kind, version in trained.forecasts.items():
            store = stores(settings)[kind]
            saved = store.save(version)
            if kind in trained.promoted:
                store.promote(saved)
            decisions[kind] = version.card.decision
        lake.replace(
            "forecast_evaluations",
            as_of,
            pa.Table.from_pandas(trained.evaluations, preserve_index=False),
        )
        rows, figures = len(frame), len(trained.evaluations)
    now = served(settings, as_of)
    yield dg.MaterializeResult(
        FORECASTS,
        metadata={
            **{f"{kind}_version": version.version for kind, version in now.items()},
            **{f"{kind}_decision": said for kind, said in decisions.items()},
            "dagster/partition_row_count": rows,
        },
    )
    learnt = [
        (table, column)
        for version in list(now.values())[:1]
        for table, columns in (
            ("purchase_features", version.schema.names),
            ("purchase_outcomes", ("days_to_next_order", "days_observed")),
        )
        for column in columns
    ]
    yield dg.MaterializeResult(
        FIGURES,
        metadata={
            "is_new": session.training,
            "dagster/partition_row_count": figures,
            "dagster/column_lineage": shown(
                dict.fromkeys(("value", "lower", "upper"), learnt),
                forecast_training.FORECAST_EVALUATION_COLUMNS,
            ),
        },
    )


@dg.multi_asset(
    name="score_outlook",
    specs=[
        dg.AssetSpec(
            OUTLOOK,
            deps=[FORECASTS, asset_key("purchase_features")],
            description=(
                "Return probability, next order and profit. One row per customer who ever ordered."
            ),
            group_name="models",
            kinds={"python", "xgboost"},
        )
    ],
    partitions_def=DAILY,
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def score_outlook(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> dg.MaterializeResult:
    """Look ahead from the snapshot of the day with the versions that the day may know."""
    from models.forecasts import outlook  # noqa: PLC0415  XGBoost takes seconds to import

    as_of = as_of_day(context)
    versions = served(settings, as_of)
    frame = warehouse.frame(
        "select * from purchase_features where snapshot_on = ? order by customer_id", [as_of]
    )
    scores = outlook.score(versions, frame, horizon_days=horizon_days(warehouse)).assign(
        scored_on=as_of
    )
    lake.replace("outlook", as_of, pa.Table.from_pandas(scores, preserve_index=False))
    made_of = {
        column: origins
        for version in versions.values()
        for column, origins in outlook.made_of(version).items()
    } | {"customer_id": ("customer_id",)}
    return dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(scores),
            "dagster/column_lineage": lineage(made_of, "purchase_features", outlook.COLUMNS),
        }
    )
