"""After scoring, daily: is what the model learnt still so, and did earlier scores come true?"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from models.store import ModelStore
from pipelines.defs.scoring import SCORES
from pipelines.defs.training import CHURN_MODEL, SEED, champion_of
from pipelines.partitions import DAILY, as_of_day
from pipelines.resources.lake import Lake, Manifest
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.sources.contract import load_contract
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown, sources_of_columns

if TYPE_CHECKING:
    import pandas as pd

    from models.monitoring.performance import Alert

DRIFT = dg.AssetKey(["feedback", "drift"])
MONITORING = dg.AssetKey(["feedback", "monitoring"])
ALERTS = dg.AssetKey(["feedback", "alerts"])
CHECK = "nothing_to_do_about_the_model"
# Every snapshot is made of orders: a feature that is missing is so for want of something else.
ORDER_TABLES = {"orders", "order_lines"}

DRIFT_SCHEMA = pa.schema(
    {
        "feature": pa.string(),
        "source": pa.string(),
        "statistic": pa.float64(),
        "threshold": pa.float64(),
        "is_drifted": pa.bool_(),
        "missing_share": pa.float64(),
        "reference_missing_share": pa.float64(),
        "reference_on": pa.date32(),
        "customers": pa.int64(),
    }
)
MONITORING_SCHEMA = pa.schema(
    {
        "scored_on": pa.date32(),
        "kind": pa.string(),
        "metric": pa.string(),
        "value": pa.float64(),
        "lower": pa.float64(),
        "upper": pa.float64(),
        "customers": pa.int64(),
        "model_version": pa.string(),
        "horizon_days": pa.int32(),
    }
)
ALERTS_SCHEMA = pa.schema(
    {
        "alert": pa.string(),
        "subject": pa.string(),
        "observed": pa.float64(),
        "tolerated": pa.float64(),
        "message": pa.string(),
    }
)


@dg.multi_asset(
    name="monitor",
    specs=[
        dg.AssetSpec(
            DRIFT,
            deps=[CHURN_MODEL, asset_key("customer_features")],
            description="How far each feature has moved away from what the model learnt from.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
        dg.AssetSpec(
            MONITORING,
            deps=[SCORES, asset_key("int_customer_days")],
            description="How good the day's scores should be, and how good earlier ones were.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
        dg.AssetSpec(
            ALERTS,
            deps=[DRIFT, MONITORING],
            description="What a person should do about the model today. One row per alert.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=ALERTS,
            description="Warns, with what to do, when customers have moved away from those that "
            "were learnt from, or scores did not come true.",
        )
    ],
    partitions_def=DAILY,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=1),
    pool="warehouse",
)
def monitor(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Compare the day's customers with those learnt from, and earlier scores with what came."""
    import pandas as pd  # noqa: PLC0415

    from models.monitoring import performance as monitoring  # noqa: PLC0415

    as_of = as_of_day(context)
    model = champion_of(model_store, as_of)
    alerts: list[Alert] = []

    drift = pd.DataFrame(columns=DRIFT_SCHEMA.names)
    if model.reference is not None:
        frame = warehouse.frame(
            "select * from customer_features where snapshot_on = ? order by customer_id", [as_of]
        )
        drift = model.reference.compare(model.schema.encode(frame))
        drift["source"] = drift["feature"].map(sources_of_features(lake)).fillna("unknown")
        alerts += monitoring.drift_alerts(drift, drift["source"])

    figures = []
    today = lake.batch_of("scores", as_of)
    if today is not None and model.score_kind != "rule":
        scores = read(lake, today)
        stated = monitoring.expected(
            scores["churn_probability"].to_numpy(),
            monitoring.level_error(model.calibrations.get(model.serves)),
        )
        figures.append(
            stated.assign(
                scored_on=as_of,
                kind="expected",
                customers=len(scores),
                model_version=model.version,
                horizon_days=model.horizon_days,
            )
        )
        of_training = lake.batch_of("monitoring", model.as_of) if model.as_of < as_of else None
        if of_training is not None:
            then = read(lake, of_training).query("kind == 'expected'")
            alerts += monitoring.separation_alerts(stated, then)

    to_judge = judgeable(lake, as_of, model.horizon_days)
    for judged in to_judge:
        scores = read(lake, judged)
        horizon = timedelta(days=model.horizon_days)
        ordered = warehouse.frame(
            "select distinct customer_id from int_customer_days"
            " where ordered_on > ? and ordered_on <= ?",
            [judged.as_of, judged.as_of + horizon],
        )
        churned = ~scores["customer_id"].isin(ordered["customer_id"]).to_numpy()
        seen = monitoring.realised(scores["churn_probability"].to_numpy(), churned, seed=SEED)
        figures.append(
            seen.assign(
                scored_on=judged.as_of,
                kind="realised",
                customers=len(scores),
                model_version=scores["model_version"],
                horizon_days=model.horizon_days,
            )
        )
        stated_then = lake.batch_of("monitoring", judged.as_of)
        if stated_then is not None and judged is to_judge[-1]:
            foreseen = read(lake, stated_then).query("kind == 'expected'")
            alerts += monitoring.outcome_alerts(
                foreseen[["metric", "value", "lower", "upper"]],
                seen,
                judged.as_of,
                model.horizon_days,
            )

    monitored = pd.concat(figures) if figures else pd.DataFrame(columns=MONITORING_SCHEMA.names)
    told = pd.DataFrame([asdict(each) for each in alerts], columns=ALERTS_SCHEMA.names)
    for name, rows, schema in (
        ("drift", drift, DRIFT_SCHEMA),
        ("monitoring", monitored, MONITORING_SCHEMA),
        ("alerts", told, ALERTS_SCHEMA),
    ):
        lake.replace(
            name, as_of, pa.Table.from_pandas(rows[schema.names], schema, preserve_index=False)
        )
    yield dg.MaterializeResult(
        DRIFT,
        metadata={
            "model": model.version,
            "drifted": int(drift["is_drifted"].sum()),
            "dagster/partition_row_count": len(drift),
            "dagster/column_lineage": shown(
                {
                    name: [("customer_features", each) for each in model.schema.names]
                    for name in ("statistic", "is_drifted", "missing_share")
                },
                DRIFT_SCHEMA.names,
            ),
        },
    )
    yield dg.MaterializeResult(
        MONITORING,
        metadata={
            "judged": ", ".join(each.as_of.isoformat() for each in to_judge)
            or "no horizon is over yet",
            "dagster/partition_row_count": len(monitored),
            "dagster/column_lineage": shown(
                {
                    name: [("feedback/scores", "churn_probability"),
                           ("int_customer_days", "ordered_on")]
                    for name in ("value", "lower", "upper")
                },
                MONITORING_SCHEMA.names,
            ),
        },
    )  # fmt: skip
    yield dg.MaterializeResult(
        ALERTS,
        metadata={
            "dagster/partition_row_count": len(alerts),
            "dagster/column_lineage": shown(
                {
                    name: [("feedback/drift", "statistic"), ("feedback/monitoring", "value")]
                    for name in ("alert", "observed", "message")
                },
                ALERTS_SCHEMA.names,
            ),
        },
    )
    yield dg.AssetCheckResult(
        asset_key=ALERTS,
        check_name=CHECK,
        passed=not alerts,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(each.message for each in alerts) or "Nothing to do.",
    )


def judgeable(lake: Lake, as_of: date, horizon_days: int) -> list[Manifest]:
    """Scores whose horizon is over, oldest first: the latest ones, and all since the run before.

    Of a daily pipeline these are the scores of one day. Where days were left out, the horizons of
    several end between two runs.
    """
    horizon = timedelta(days=horizon_days)
    over = [m for m in lake.manifests("scores") if m.as_of <= as_of - horizon and m.rows]
    before = max((m.as_of for m in lake.manifests("monitoring") if m.as_of < as_of), default=as_of)
    return [m for m in over if m.as_of > before - horizon or m is over[-1]]


def read(lake: Lake, manifest: Manifest) -> "pd.DataFrame":
    """The rows of a batch."""
    return pq.read_table(lake.data_file(manifest)).to_pandas()


def sources_of_features(lake: Lake) -> dict[str, str]:
    """By feature, the delivered tables to look at when it is missing."""
    delivered = {m.table for m in lake.manifests() if m.rows} & set(load_contract())
    found = {}
    for feature, tables in sources_of_columns("customer_features").items():
        given = tables & delivered
        found[feature] = ", ".join(sorted(given - ORDER_TABLES or given))
    return {feature: tables for feature, tables in found.items() if tables}
