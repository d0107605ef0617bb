"""The features and outputs borders on tables as dbt builds them: each fault, made in SQL, shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from checks.runner import Verdict, validate
from checks.suites import features, outputs
from pipelines.borders.features import frames as features_frames
from pipelines.borders.outputs import frames as outputs_frames
from pipelines.list_history import PUBLISHED_LISTS
from pipelines.resources.lake import Lake
from pipelines.resources.warehouse import Warehouse

AS_OF = date(2026, 6, 30)
SUITES = (*features.SUITES, *outputs.SUITES)
FEATURES = {suite.name for suite in features.SUITES}

# 300 customers: c0 .. c299. c0 .. c199 are on the list `save`, c200 .. c209 on `win_back`.
TABLES = """
    create table customer_features as
    select
        date '2026-06-30' as snapshot_on,
        'c' || i as customer_id,
        'active' as stage,
        (1 + i % 5)::integer as order_days,
        (i % 60)::integer as recency_days,
        (i % 60 + 200)::integer as tenure_days,
        (i % 3)::integer as orders_90d,
        (i % 3 - 1)::integer as orders_change_90d,
        (i % 10) / 10.0::double as discount_share_365d,
        -1.5::double as overdue_trend,
        12.50::decimal(18, 2) as net_amount_90d,
        null::integer as days_since_ticket
    from range(300) t(i);
    insert into customer_features
    select * replace (date '2026-05-31' as snapshot_on) from customer_features;

    create table row_ledger as
    select * from (values
        (date '2026-06-29', 'orders', 1000::bigint, 20::bigint, 980::bigint, 0::bigint),
        (date '2026-06-30', 'orders', 100, 97, 2, 1),
        (date '2026-06-30', 'tickets', 2, 0, 2, 0)
    ) t(as_of, table_name, extracted, accepted, quarantined, duplicate);

    create table quarantine (
        table_name varchar, batch_as_of date, rule varchar, reason varchar, code varchar
    );

    -- an order a day and customer; lines of orders are not delivered
    create table checked_orders as
    select
        'b' as _batch_id,
        i as _row,
        date '2026-06-30' - (i % 60)::integer as ordered_on,
        case when i % 50 = 0 then 'status_unknown' end as _rule
    from range(600) t(i);
    create table checked_order_lines as from checked_orders where false;
    create table currency_without_rate as
    select 'orders' as table_name, _batch_id, _row from checked_orders where false;

    create table dim_customer as select 'c' || i as customer_id from range(320) t(i);

    create table customer_churn_scores as
    select
        'c' || i as customer_id,
        i / 300.0::double as churn_probability,
        'model' as score_kind,
        date '2026-06-30' as scored_on
    from range(300) t(i);

    create table stg_consents as
    select
        'c' || i as customer_id,
        'mail' as channel,
        'marketing' as basis,
        true as granted,
        timestamp '2026-01-01' as changed_at
    from range(300) t(i);
    -- c8 is c7 again
    create table customer_xref as
    select 'c' || i as customer_id, case when i = 8 then 'c7' else 'c' || i end as identity_id
    from range(300) t(i);
    create table stg_erasure_requests as select 'c310' as customer_id;
    create table int_profiling_refusals as select 'c310' as customer_id;

    create table retention_list as
    select
        date '2026-06-30' as as_of_date,
        case when i < 200 then 'save' else 'win_back' end as list_code,
        'c' || i as customer_id,
        'row' || i as list_row_id,
        (case when i < 200 then i else i - 200 end + 1)::integer as rank,
        'promotion' as list_kind,
        (300 - i)::decimal(18, 2) as rank_value,
        (300 - i)::decimal(18, 2) as priority,
        'churn' as probability_of,
        0.5::double as churn_or_return_probability,
        'mail' as channel,
        'granted' as consent_state,
        case when i % 10 = 0 then 'control' else 'treatment' end as arm,
        0 as score_age_days
    from range(210) t(i);

    -- a duty: about no profit, and nobody is held out; some on it were scored
    insert into retention_list
    select
        as_of_date, 'handover', customer_id, 'h' || list_row_id, rank, 'duty', rank_value, null,
        probability_of, churn_or_return_probability, channel, 'not_needed', 'treatment',
        score_age_days
    from retention_list
    where list_code = 'save';

    create table list_declarations as
    from (values ('save', true, true), ('win_back', true, true), ('handover', false, false))
        t(list_code, has_holdout, is_about_profit);

    create table retention_list_suppressed as
    select * from (values ('save', 'c250', 'budget'), ('save', 'c205', 'open_complaint'))
        t(list_code, customer_id, rule);

    create table consent_freshness as
    select date '2026-06-29' as last_delivered_on, true as may_publish;
"""


@pytest.fixture(name="good", scope="module")
def _good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("good") / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLES)
    return path


@pytest.fixture(name="spoil")
def _spoil(good: Path, tmp_path: Path) -> Callable[[str], Warehouse]:
    def spoil(sql: str) -> Warehouse:
        path = tmp_path / "warehouse.duckdb"
        shutil.copy(good, path)
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)
        return Warehouse(path)

    return spoil


@pytest.fixture(name="lake", scope="module")
def _lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for day, rows in (("2026-06-28", 200), ("2026-06-29", 190), ("2026-06-30", 5)):
        names = pa.table({"customer_id": [f"c{i}" for i in range(rows)]})
        lake.replace(PUBLISHED_LISTS, date.fromisoformat(day), names)
    return lake


Frames = dict[str, pd.DataFrame]


@pytest.fixture(name="good_frames", scope="module")
def _good_frames(good: Path, lake: Lake) -> Frames:
    warehouse = Warehouse(good)
    return features_frames(warehouse, AS_OF) | outputs_frames(warehouse, lake, AS_OF)


def judge(frames: Frames, but_for: Frames | None = None) -> list[Verdict]:
    """Validate the frames, but for those that are as they were when they passed."""
    suites = [suite for suite in SUITES if suite.name in frames]
    assert len(suites) == len(frames)
    return [
        verdict
        for suite in suites
        if but_for is None or not frames[suite.name].equals(but_for[suite.name])
        for verdict in validate(frames[suite.name], suite)
    ]


def failed(verdicts: list[Verdict], severity: str = "error") -> set[str]:
    return {v.name for v in verdicts if not v.passed and v.severity == severity}


def message(verdicts: list[Verdict], name: str) -> str:
    return next(verdict.message for verdict in verdicts if verdict.name == name)


def test_good_features_pass_and_an_unknown_one_is_shown(good_frames: Frames) -> None:
    verdicts = judge({name: good_frames[name] for name in FEATURES})
    assert failed(verdicts) == set()
    assert failed(verdicts, "warn") == {"columns_hold_values"}
    assert "found days_since_ticket. What the source" in message(verdicts, "columns_hold_values")


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("delete from customer_features where snapshot_on = date '2026-06-30'",
         {"customers_are_there_to_score"}),
        ("update customer_features set snapshot_on = date '2026-07-01'",
         {"customers_are_there_to_score", "one_row_a_customer", "snapshots_do_not_look_ahead"}),
        ("insert into customer_features from customer_features where customer_id = 'c7'",
         {"one_row_a_customer", "customers_occur_once"}),
        ("update customer_features set customer_id = null where customer_id = 'c7'",
         {"customers_are_named"}),
        ("update customer_features set orders_90d = -1 where customer_id = 'c7'",
         {"counts_are_not_negative"}),
        ("update customer_features set recency_days = -1 where customer_id = 'c7'",
         {"counts_are_not_negative"}),
        ("update customer_features set discount_share_365d = 1.1 where customer_id = 'c7'",
         {"shares_do_not_exceed_one"}),
        ("update customer_features set overdue_trend = 'inf' where customer_id = 'c7'",
         {"numbers_are_finite"}),
        ("update customer_features set overdue_trend = 'nan' where customer_id = 'c7'",
         {"numbers_are_finite"}),
        ("update customer_features set recency_days = 999 where customer_id = 'c7'",
         {"first_order_is_not_after_the_last"}),
        ("update customer_features set recency_days = null where customer_id = 'c7'",
         {"last_order_is_known"}),
        ("update customer_features set order_days = 0 where customer_id = 'c7'",
         {"customers_have_ordered"}),
        ("update row_ledger set accepted = 96 where as_of = date '2026-06-30' and extracted = 100",
         {"ledger_balances"}),
        ("update row_ledger set accepted = 1, quarantined = 98 where extracted = 100",
         {"most_orders_were_accepted"}),
        # a new currency without a rate: few rows of all, most of the newest
        ("insert into currency_without_rate select 'orders', _batch_id, _row from checked_orders"
         " where ordered_on > date '2026-06-12'", {"recent_orders_were_accepted"}),
        ("insert into currency_without_rate select 'orders', _batch_id, _row from checked_orders"
         " where ordered_on > date '2026-06-18'", set()),
        ("update checked_orders set _rule = 'customer_id_missing'"
         " where ordered_on > date '2026-06-12'", {"recent_orders_were_accepted"}),
    ],
)  # fmt: skip
def test_bad_features_are_refused(
    spoil: Callable[[str], Warehouse], good_frames: Frames, sql: str, names: set[str]
) -> None:
    assert failed(judge(features_frames(spoil(sql), AS_OF), but_for=good_frames)) == names


@pytest.mark.parametrize(
    ("which", "is_told"),
    [
        ("ordered_on > date '2026-06-18'", True),
        ("ordered_on > date '2026-06-28'", False),
        ("_row % 4 = 0", False),  # guests without an id, as ever
    ],
)
@pytest.mark.parametrize("fault", ["_rule = 'x'", "_rule = 'x', ordered_on = null"])
def test_a_smaller_share_of_new_orders_in_quarantine_is_told_where_it_is_new(
    spoil: Callable[[str], Warehouse], which: str, is_told: bool, fault: str
) -> None:
    """Also of those whose day cannot be read, by the days that they were delivered among."""
    in_time = "update checked_orders set _row = 10 * (60 - (date '2026-06-30' - ordered_on))"
    sql = f"{in_time} + _row // 60; update checked_orders set {fault} where {which}"
    told = failed(judge(features_frames(spoil(sql), AS_OF)), "warn")
    assert ("orders_are_accepted_as_before" in told) == is_told


def test_a_refused_delivery_says_which_rules_and_codes(
    spoil: Callable[[str], Warehouse], good_frames: Frames
) -> None:
    warehouse = spoil(
        """
        update row_ledger set accepted = 1, quarantined = 98 where extracted = 100;
        insert into quarantine
        select 'orders', day, 'status_unknown',
               'status: expected one of completed, cancelled, found another code', code
        from (values
            (60, '已完成', date '2026-06-30'), (30, '退款', date '2026-06-30'),
            (7, null, date '2026-06-30'), (30, 'older', date '2026-06-29')
        ) t(rows, code, day), range(60) n(n)
        where n < rows;
        insert into quarantine by name
        select 'orders' as table_name, date '2026-06-30' as batch_as_of,
               'customer_id_missing' as rule, 'required' as reason;
        """
    )
    verdicts = judge(features_frames(warehouse, AS_OF), but_for=good_frames)
    [refused] = [each for each in verdicts if each.name == "most_orders_were_accepted"]
    assert (
        "found orders of 2026-06-30 (98.0%: status_unknown 97 (status: expected one of completed, "
        "cancelled, found another code: 已完成 60, 退款 30); customer_id_missing 1 (required)). "
    ) in refused.message
    assert "warehouse.duckdb" in refused.message


def test_a_good_list_passes(good_frames: Frames) -> None:
    verdicts = judge({name: frame for name, frame in good_frames.items() if name not in FEATURES})
    assert failed(verdicts) | failed(verdicts, "warn") == set()


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("insert into retention_list_suppressed values ('save', 'c3', 'frequency_cap')",
         {"no_suppressed_customer_is_listed"}),
        ("insert into retention_list_suppressed values ('win_back', 'c3', 'test_account')",
         {"no_suppressed_customer_is_listed"}),
        ("insert into retention_list_suppressed values ('win_back', 'c3', 'profiling_objection')",
         {"no_suppressed_customer_is_listed"}),
        # what is owed to who objected is listed, and nothing else
        ("insert into retention_list_suppressed values ('win_back', 'c3', 'profiling_objection');"
         " delete from retention_list where customer_id = 'c3' and list_kind <> 'duty'",
         {"ranks_are_dense"}),
        ("insert into stg_erasure_requests values ('c3')", {"no_suppressed_customer_is_listed"}),
        ("insert into stg_consents values"
         " ('c8', 'mail', 'marketing', false, timestamp '2026-06-30');"
         " delete from retention_list where customer_id = 'c8'",
         {"consents_are_on_record", "ranks_are_dense"}),
        ("insert into stg_consents values"
         " ('c3', 'mail', 'marketing', false, timestamp '2026-06-30')",
         {"consents_are_on_record"}),
        ("delete from stg_consents where customer_id = 'c3'", {"consents_are_on_record"}),
        ("update retention_list set consent_state = 'missing' where customer_id = 'c3'",
         {"list_rows_have_consent"}),
        ("delete from dim_customer where customer_id = 'c3'", {"listed_customers_are_known"}),
        ("update retention_list set rank = 5 where customer_id = 'c3'", {"ranks_are_dense"}),
        ("delete from retention_list where customer_id = 'c3'", {"ranks_are_dense"}),
        ("update retention_list set rank = rank + 1", {"ranks_are_dense"}),
        ("update retention_list set customer_id = 'c4' where customer_id = 'c3'",
         {"customers_are_listed_once"}),
        ("update retention_list set list_row_id = 'row4' where list_row_id = 'row3'",
         {"list_row_ids_are_unique"}),
        ("update retention_list set arm = null where customer_id = 'c3'", {"arms_are_assigned"}),
        ("update retention_list set as_of_date = date '2026-06-29'", {"lists_are_of_the_day"}),
        ("update retention_list set rank_value = null where list_row_id = 'hrow3'",
         {"ranks_have_a_reason"}),
        ("update retention_list set priority = null where list_row_id = 'row3'",
         {"priorities_are_known"}),
        ("update retention_list set arm = 'control' where list_row_id = 'hrow3'",
         {"duties_have_no_control"}),
        ("update retention_list set churn_or_return_probability = 'nan' where list_row_id = 'row3'",
         {"list_probabilities_are_known"}),
        ("update retention_list set churn_or_return_probability = -1 where list_row_id = 'row3'",
         {"list_probability_is_a_probability"}),
        ("update customer_churn_scores set churn_probability = 1.5 where customer_id = 'c3'",
         {"churn_probability_is_a_probability"}),
        ("delete from customer_churn_scores where customer_id = 'c3'", {"everyone_is_scored"}),
        ("update customer_churn_scores set scored_on = date '2026-06-01'", {"scores_are_fresh"}),
        ("update retention_list_suppressed set rule = null", {"suppressions_name_a_rule"}),
        ("update consent_freshness set may_publish = false", {"consents_are_fresh"}),
        ("delete from consent_freshness", {"consents_are_fresh"}),
        ("delete from retention_list", {"lists_did_not_empty"}),
    ],
)  # fmt: skip
def test_bad_outputs_are_refused(
    spoil: Callable[[str], Warehouse], lake: Lake, good_frames: Frames, sql: str, names: set[str]
) -> None:
    frames = outputs_frames(spoil(sql), lake, AS_OF)
    assert failed(judge(frames, but_for=good_frames)) == names


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("update customer_churn_scores set churn_probability = 0.3",
         {"scores_tell_customers_apart"}),
        ("update retention_list set arm = 'treatment'", {"control_share_is_plausible"}),
        ("delete from retention_list where list_code = 'save' or rank > 3",
         {"lists_are_as_long_as_usual"}),
    ],
)  # fmt: skip
def test_odd_outputs_are_shown_and_passed(
    spoil: Callable[[str], Warehouse], lake: Lake, good_frames: Frames, sql: str, names: set[str]
) -> None:
    verdicts = judge(outputs_frames(spoil(sql), lake, AS_OF), but_for=good_frames)
    assert failed(verdicts) == set()
    assert failed(verdicts, "warn") == names


def test_who_may_not_be_profiled_needs_no_score(
    spoil: Callable[[str], Warehouse], lake: Lake, good_frames: Frames
) -> None:
    warehouse = spoil(
        "delete from customer_churn_scores where customer_id = 'c3';"
        " insert into int_profiling_refusals values ('c3')"
    )
    assert failed(judge(outputs_frames(warehouse, lake, AS_OF), but_for=good_frames)) == set()


def test_stale_consents_are_refused_in_words(
    spoil: Callable[[str], Warehouse], lake: Lake, good_frames: Frames
) -> None:
    warehouse = spoil("update consent_freshness set may_publish = false")
    verdicts = judge(outputs_frames(warehouse, lake, AS_OF), but_for=good_frames)
    assert (
        "consent_freshness: expected consents delivered in time, where the source keeps any; "
        "found the last delivery on 2026-06-29. Deliver `consents`"
    ) in message(verdicts, "consents_are_fresh")


def test_a_first_list_may_be_empty(spoil: Callable[[str], Warehouse], tmp_path: Path) -> None:
    nothing_published = Lake(tmp_path / "lake")
    frames = outputs_frames(spoil("delete from retention_list"), nothing_published, AS_OF)
    assert failed(judge(frames)) == set()
