"""After scoring, daily: is what was learnt still so, and did scores and forecasts come true?"""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from models.store import ModelStore
from pipelines.defs import forecasts
from pipelines.defs.forecasts import FORECASTS, OUTLOOK
from pipelines.defs.scoring import SCORES
from pipelines.defs.training import CHURN_MODEL, SEED, champion_of
from pipelines.partitions import DAILY, ONE_DAY_A_RUN, as_of_day
from pipelines.resources.lake import Lake, Manifest
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contract import ORDER_TABLES, load_contract
from pipelines.tables.dbt import asset_key
from pipelines.tables.lineage import shown, sources_of_columns

if TYPE_CHECKING:
    import pandas as pd

    from models.monitoring.alerts import Alert
    from models.monitoring.predictions import Prediction, Promise

DRIFT = dg.AssetKey(["feedback", "drift"])
MONITORING = dg.AssetKey(["feedback", "monitoring"])
ALERTS = dg.AssetKey(["feedback", "alerts"])
CHECK = "nothing_to_do_about_the_model"
EXPECTED, TESTED, REALISED = "expected", "tested", "realised"

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
        "model_kind": pa.string(),
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
        "model_kind": pa.string(),
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
            deps=[SCORES, FORECASTS, OUTLOOK, asset_key("int_customer_earnings")],
            description="How good the day's scores and forecasts should be, and how good earlier "
            "ones were.",
            group_name="models",
            kinds={"python", "parquet"},
        ),
        dg.AssetSpec(
            ALERTS,
            deps=[DRIFT, MONITORING],
            description="What a person should do about the models today. One row per alert.",
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
    backfill_policy=ONE_DAY_A_RUN,
    pool="warehouse",
)
def monitor(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    model_store: dg.ResourceParam[ModelStore],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Compare the day's customers with those learnt from, and what was stated with what came."""
    import pandas as pd  # noqa: PLC0415

    from models.churn import watched as of_churn  # noqa: PLC0415  XGBoost takes seconds to import
    from models.forecasts import watched as of_forecasts  # noqa: PLC0415
    from models.monitoring.alerts import (  # noqa: PLC0415
        Outcome,
        Serving,
        drift_alerts,
        outcome_alerts,
        separation_alerts,
    )

    as_of = as_of_day(context)
    model = champion_of(model_store, as_of)
    alerts: list[Alert] = []

    drift = pd.DataFrame(columns=DRIFT_SCHEMA.names)
    if model.reference is not None:
        frame = warehouse.frame(
            "select * from customer_features where snapshot_on = ? order by customer_id", [as_of]
        )
        drift = model.reference.compare(model.schema.encode(frame))
        sources = sources_of_features(lake)
        drift["source"] = [
            ", ".join(sorted(sources.get(each, ()))) or "unknown" for each in drift["feature"]
        ]
        # Every snapshot is made of orders: a feature of theirs alone that is missing is so for who
        # the customers are (of a first order there is no gap), one of other tables for want of
        # those.
        of_orders = drift["feature"].map(
            lambda feature: bool(tables := sources.get(feature)) and tables <= set(ORDER_TABLES)
        )
        alerts += drift_alerts(
            of_churn.CHURN.kind,
            drift,
            drift["source"].mask(of_orders),
            Serving(model.version, model.as_of, model.horizon_days).to_do(as_of),
        )

    figures: list[pd.DataFrame] = []
    judged: list[str] = []
    versions = forecasts.served(settings, as_of)
    promises = {kind: of_forecasts.promise(version) for kind, version in versions.items()}
    watched = [(of_churn.CHURN, model, of_churn.promise(model))] + [
        (each, versions.get(each.kind), promises.get(each.kind)) for each in of_forecasts.FORECASTS
    ]
    for prediction, version, promise in watched:
        served = version and Serving(
            version.version, version.as_of, prediction.always_days or version.horizon_days
        )
        if promise is not None:
            stated = stated_today(lake, as_of, prediction, promise)
            figures.append(stated)
            if served and served.since < as_of:
                alerts += separation_alerts(
                    prediction.kind,
                    stated[stated["kind"] == EXPECTED],
                    stated_on(lake, served.since, prediction.kind, (EXPECTED,)),
                    served.to_do(as_of),
                )
        due = judgeable(lake, as_of, prediction, served.horizon_days if served else None)
        for manifest, horizon_days in due:
            rows = rows_of(lake, manifest, prediction)
            if not len(rows):
                continue
            came = what_came(warehouse, rows, manifest.as_of, horizon_days)
            seen = prediction.realised(rows, came, seed=SEED)
            outcome = Outcome(
                prediction.kind,
                manifest.as_of,
                horizon_days,
                str(rows[prediction.version].iloc[0]),
                served,
            )
            figures.append(
                seen.assign(
                    model_kind=outcome.model_kind,
                    scored_on=outcome.scored_on,
                    kind=REALISED,
                    model_version=outcome.version,
                    horizon_days=outcome.horizon_days,
                )
            )
            judged.append(f"{outcome.model_kind} of {outcome.scored_on}")
            if manifest is due[-1][0]:
                stated = stated_on(lake, manifest.as_of, prediction.kind, (EXPECTED, TESTED))
                alerts += outcome_alerts(stated, seen, outcome)

    stated_or_seen = [each for each in figures if len(each)]
    monitored = (
        pd.concat(stated_or_seen)
        if stated_or_seen
        else pd.DataFrame(columns=MONITORING_SCHEMA.names)
    )
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
            "judged": ", ".join(judged) or "no horizon is over yet",
            "dagster/partition_row_count": len(monitored),
            "dagster/column_lineage": shown(
                {
                    name: [("feedback/scores", "churn_probability"),
                           *(("feedback/outlook", each.value) for each in of_forecasts.FORECASTS),
                           ("int_customer_earnings", "happened_on"),
                           ("int_customer_earnings", "profit_amount")]
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


def judgeable(
    lake: Lake, as_of: date, prediction: "Prediction", served_days: int | None
) -> list[tuple[Manifest, int]]:
    """Batches whose horizon is over, oldest first: the latest one, and all since the run before.

    Of a daily pipeline this is the batch of one day. Where days were left out, the horizons of
    several end between two runs. Each is judged by the horizon that it was made for.

    Args:
        lake: with the batches.
        as_of: day of the run; no later batch counts.
        prediction: what is judged.
        served_days: horizon of the version served now: that of batches written before they said
            theirs; None where none is served.

    Returns:
        Batches and their horizons (days).
    """
    horizons = (
        (batch, horizon_of(lake, batch, prediction, served_days))
        for batch in lake.manifests(prediction.batch)
        if batch.as_of < as_of and batch.rows
    )
    over = [
        (batch, days, batch.as_of + timedelta(days=days))
        for batch, days in horizons
        if days is not None and batch.as_of + timedelta(days=days) <= as_of
    ]
    before = max((m.as_of for m in lake.manifests("monitoring") if m.as_of < as_of), default=as_of)
    return [
        (batch, days) for batch, days, ends_on in over if ends_on > before or batch is over[-1][0]
    ]


def horizon_of(
    lake: Lake, manifest: Manifest, prediction: "Prediction", served_days: int | None
) -> int | None:
    """Days ahead that a batch speaks of; None where it says nothing of that kind."""
    if prediction.horizon is None:
        return prediction.always_days
    if prediction.horizon not in manifest.columns:
        return served_days
    # One number in every row: the statistics beside them are a thousandth of the reading.
    stored = pq.read_metadata(lake.data_file(manifest))
    column = stored.schema.names.index(prediction.horizon)
    stated = [
        group.column(column).statistics.max
        for group in map(stored.row_group, range(stored.num_row_groups))
        if group.column(column).statistics.has_min_max
    ]
    return int(max(stated)) if stated else None


def rows_of(lake: Lake, manifest: Manifest | None, prediction: "Prediction") -> "pd.DataFrame":
    """The rows of a batch of which something is stated; no batch, no rows."""
    import pandas as pd  # noqa: PLC0415

    columns = ["customer_id", *prediction.columns]
    if manifest is None:
        return pd.DataFrame(columns=columns)
    rows = pq.read_table(lake.data_file(manifest), columns=columns).to_pandas()
    return rows[rows[prediction.value].notna()]


def stated_today(
    lake: Lake, as_of: date, prediction: "Prediction", promise: "Promise"
) -> "pd.DataFrame":
    """What the day's predictions say of themselves, and what was promised of them."""
    import pandas as pd  # noqa: PLC0415

    batch = lake.batch_of(prediction.batch, as_of)
    rows = rows_of(lake, batch, prediction)
    if batch is None or not len(rows):
        return pd.DataFrame(columns=MONITORING_SCHEMA.names)
    tables = {
        EXPECTED: prediction.expected(rows, promise),
        TESTED: prediction.tested(promise, len(rows)),
    }
    return pd.concat(
        table.assign(kind=kind) for kind, table in tables.items() if len(table)
    ).assign(
        model_kind=prediction.kind,
        scored_on=as_of,
        model_version=str(rows[prediction.version].iloc[0]),
        horizon_days=horizon_of(lake, batch, prediction, None),
    )


def stated_on(lake: Lake, day: date, model_kind: str, kinds: tuple[str, ...]) -> "pd.DataFrame":
    """What the run of an earlier day wrote of that day's predictions."""
    import pandas as pd  # noqa: PLC0415

    batch = lake.batch_of("monitoring", day)
    if batch is None:
        return pd.DataFrame(columns=MONITORING_SCHEMA.names)
    rows = read(lake, batch)
    if "model_kind" not in rows:
        rows = rows.assign(model_kind="churn")  # the only one that was monitored by then
    rows = rows[(rows["model_kind"] == model_kind) & rows["kind"].isin(kinds)]
    return rows[["kind", "metric", "value", "lower", "upper"]]


def what_came(
    warehouse: Warehouse, rows: "pd.DataFrame", day: date, horizon_days: int
) -> "pd.DataFrame":
    """Days to the next order (NaN: none) and profit within the horizon, customer by customer."""
    came = warehouse.frame(
        "select customer_id,"
        " cast(min(happened_on) filter (where is_order) - cast(? as date) as integer)"
        " as days_to_next_order,"
        " cast(sum(profit_amount) as double) as profit"
        " from int_customer_earnings where happened_on > ? and happened_on <= ?"
        " group by customer_id",
        [day, day, day + timedelta(days=horizon_days)],
    )
    found = rows[["customer_id"]].merge(came, on="customer_id", how="left")
    return found.fillna({"profit": 0.0})


def read(lake: Lake, manifest: Manifest) -> "pd.DataFrame":
    """The rows of a batch."""
    return pq.read_table(lake.data_file(manifest)).to_pandas()


def sources_of_features(lake: Lake) -> dict[str, set[str]]:
    """By feature, the delivered tables to look at when it is missing."""
    delivered = {m.table for m in lake.manifests() if m.rows} & set(load_contract())
    found = {}
    for feature, tables in sources_of_columns("customer_features").items():
        given = tables & delivered
        found[feature] = given.difference(ORDER_TABLES) or given
    return found
