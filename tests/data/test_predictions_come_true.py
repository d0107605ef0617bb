"""What is published of earlier predictions, against what customers did, told anew."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow.parquet as pq
import pytest

from models.churn.watched import CHURN
from models.forecasts.watched import FORECASTS
from pipelines.defs.monitoring import rows_of, what_came
from pipelines.resources.lake import Lake
from tests.conftest import SAMPLE_DAYS

BEFORE, TODAY = SAMPLE_DAYS
RETURN = FORECASTS[0]


def test_the_share_that_came_is_that_of_the_orders(
    sample_home: Path,
    sample_marts: duckdb.DuckDBPyConnection,
) -> None:
    lake, value = Lake(sample_home / "lake"), CHURN.value
    manifest = lake.batch_of(CHURN.batch, date.fromisoformat(BEFORE))
    assert manifest is not None
    stated = pq.read_table(lake.data_file(manifest)).to_pandas().dropna(subset=[value])
    sample_marts.register("stated", stated[["customer_id", value]])
    happened, customers, mean = sample_marts.execute(
        f"""
        select
            count(*) filter (where orders = 0), count(*), avg(probability)
        from (
            select
                stated.customer_id,
                any_value({value}) as probability,
                count(order_id) as orders
            from stated
            left join fct_orders on
                stated.customer_id = fct_orders.customer_id
                and fct_orders.status = 'completed'
                and fct_orders.ordered_on > date '{BEFORE}'
                and fct_orders.ordered_on <= date '{BEFORE}' + 90
            group by stated.customer_id
        )
        """
    ).fetchone()
    [row] = sample_marts.execute(
        "select expected_value, realised_value, customers, judged_customers, judged_on"
        " from model_monitoring where scored_on = ? and model_kind = ? and metric like '%_share'",
        [BEFORE, CHURN.kind],
    ).fetchall()
    assert row[0] == pytest.approx(mean, abs=1e-4)
    assert row[1] == pytest.approx(happened / customers)
    assert row[2:] == (customers, customers, date.fromisoformat(TODAY))


def test_what_is_not_over_has_no_outcome_and_whatever_speaks_a_promise(
    sample_home: Path, sample_marts: duckdb.DuckDBPyConnection
) -> None:
    lake = Lake(sample_home / "lake")
    # Of so few customers nothing is learnt about returns, and what says nothing is not judged.
    speaking = {
        (day, each.kind)
        for day in SAMPLE_DAYS
        for each in (CHURN, *FORECASTS)
        if len(rows_of(lake, lake.batch_of(each.batch, date.fromisoformat(day)), each))
    }
    assert {(BEFORE, "churn"), (BEFORE, "next_order"), (BEFORE, "profit")} <= speaking
    over = {(BEFORE, "churn"), (BEFORE, "return")} & speaking
    rows = sample_marts.execute(
        "select distinct scored_on::varchar, model_kind, realised_value is not null,"
        " realised_lower is not null, horizon_ends_on <= cast(? as date)"
        " from model_monitoring",
        [TODAY],
    ).fetchall()
    assert {(day, kind) for day, kind, *_ in rows} == speaking
    for day, kind, *is_over in rows:
        assert is_over == [(day, kind) in over] * 3
    [without] = sample_marts.execute(
        "select count(*) from model_monitoring"
        " where expected_value is null and tested_value is null"
    ).fetchone()
    assert without == 0


def test_outcomes_are_those_that_are_learnt_from(sample_marts: duckdb.DuckDBPyConnection) -> None:
    days = 90
    (day,) = sample_marts.execute(
        "select max(snapshot_on) from purchase_outcomes where profit_next_90d is not null"
    ).fetchone()
    learnt = sample_marts.execute(
        "select customer_id, days_to_next_order, profit_next_90d::double as profit"
        " from purchase_outcomes where snapshot_on = ? order by customer_id",
        [day],
    ).df()
    warehouse = SimpleNamespace(frame=lambda sql, given: sample_marts.execute(sql, given).df())
    came = what_came(warehouse, learnt, day, days)
    within = learnt["days_to_next_order"].where(learnt["days_to_next_order"] <= days)
    assert within.notna().sum() > 100
    assert came["days_to_next_order"].equals(within.astype(came["days_to_next_order"].dtype))
    assert came["profit"].to_numpy() == pytest.approx(learnt["profit"].to_numpy())


def test_no_batch_states_nothing(sample_home: Path) -> None:
    assert not len(rows_of(Lake(sample_home / "lake"), None, RETURN))
