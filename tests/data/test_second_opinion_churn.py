"""Churn, win-back, the identity and the key nodes, counted once more in pandas over a company.

The pandas side starts from the lake: its orders, and the stages that a walk through every day of
every customer gives (test_second_opinion_lifecycle.py holds these against the tables of stages).
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.data.lake_in_pandas import PROJECT_DIR, LakeInPandas

CUSTOMER_STAGES = ["new", "active", "watch", "quasi_churned"]


@pytest.fixture
def as_of(lake: LakeInPandas) -> pd.Timestamp:
    return lake.as_of


@pytest.fixture
def spells(lake: LakeInPandas) -> pd.DataFrame:
    return lake.stages.assign(until=lake.stages.valid_to.fillna(pd.Timestamp.max.normalize()))


@pytest.fixture
def months(lake: LakeInPandas) -> pd.DatetimeIndex:
    """The first days of the months that are over."""
    start = lake.purchases.ordered_on.min().to_period("M").to_timestamp()
    all_months = pd.date_range(start, lake.as_of, freq="MS")
    return all_months[(all_months + pd.offsets.MonthEnd(0)) <= lake.as_of]


def table(con: duckdb.DuckDBPyConnection, name: str) -> pd.DataFrame:
    frame = con.sql(f"from {name}").df()
    return frame.set_index("month").sort_index()


def present(spells: pd.DataFrame, day: pd.Timestamp, stages: list[str]) -> set[str]:
    """Who is in one of the stages on the evening before a day."""
    at = spells[(spells.valid_from < day) & (spells.until >= day) & spells.stage.isin(stages)]
    return set(at.customer_id)


def same(found: pd.Series, expected: list[Any]) -> None:
    np.testing.assert_array_equal(
        found.to_numpy(dtype=float, na_value=np.nan), np.array(expected, dtype=float)
    )


def test_service_churn_counts_units_silent_for_twelve_months_per_unit_settled(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas, months: pd.DatetimeIndex
) -> None:
    orders = lake.purchases.assign(
        unit=lake.purchases.asset_id.fillna(lake.purchases.customer_id),
        is_asset=lake.purchases.asset_id.notna(),
    )
    orders["month"] = orders.ordered_on.dt.to_period("M").dt.to_timestamp()
    silent, settled, silent_assets = [], [], []
    for month in months:
        before = orders[orders.month <= month]
        last = before.groupby("unit").month.max()
        quiet = set(last[last <= month - pd.DateOffset(months=12)].index)
        known = month >= months[0] + pd.DateOffset(months=12)
        silent.append(len(quiet) if known else np.nan)
        assets = set(before[before.is_asset].unit)
        silent_assets.append(len(quiet & assets) if known else np.nan)
        settled.append(before[before.month == month].unit.nunique())
    found = table(sample_marts, "service_churn_monthly").loc[months]
    same(found.silent_units, silent)
    same(found.silent_assets, silent_assets)
    same(found.settled_units, settled)
    same(found.service_churn_rate.round(6), np.round(np.array(silent) / settled, 6))
    seen = orders.groupby("unit").month.min()
    units = [int((seen <= month).sum()) for month in months]
    same(found.known_units, units)
    same(found.silent_share.round(6), np.round(np.array(silent) / units, 6))
    brought = orders[orders.is_asset].groupby("month").unit.nunique().reindex(months)
    same(found.settled_assets, brought.fillna(0).to_list())
    of_assets = np.array(silent_assets) / brought.to_numpy()
    same(found.service_churn_rate_of_assets.round(6), list(np.round(of_assets, 6)))
    assert found.service_churn_rate.max() > 1


def test_churned_in_a_month_were_customers_when_it_began(
    sample_marts: duckdb.DuckDBPyConnection, spells: pd.DataFrame, months: pd.DatetimeIndex
) -> None:
    falls = spells[spells.stage == "churned"]
    starts, lost = [], []
    for month in months:
        there = present(spells, month, CUSTOMER_STAGES)
        in_month = (falls.valid_from >= month) & (
            falls.valid_from <= month + pd.offsets.MonthEnd(0)
        )
        starts.append(len(there))
        lost.append(len(there & set(falls[in_month].customer_id)))
    found = table(sample_marts, "service_churn_monthly").loc[months]
    same(found.customers_at_start, starts)
    same(found.churned_customers, lost)
    rate = [left / there if there else np.nan for left, there in zip(lost, starts, strict=True)]
    same(found.churn_rate.round(6), np.round(rate, 6).tolist())
    same(table(sample_marts, "retention_metrics_monthly").loc[months].churned_customers, lost)
    assert sum(lost) > 50


def test_won_back_counts_the_stock_of_a_month_and_the_window_of_a_cohort(
    sample_marts: duckdb.DuckDBPyConnection,
    spells: pd.DataFrame,
    months: pd.DatetimeIndex,
    as_of: pd.Timestamp,
) -> None:
    falls = spells[spells.stage == "churned"]
    away = (falls.valid_to - falls.valid_from).dt.days
    found = table(sample_marts, "win_back_monthly").loc[months]
    stock, back, waited, fell = [], [], [], []
    cohorts: dict[int, list[float]] = {90: [], 180: [], 365: []}
    for month in months:
        end = month + pd.offsets.MonthEnd(0)
        there = present(spells, month, ["churned"])
        returned = falls[(falls.valid_to >= month) & (falls.valid_to <= end)]
        stock.append(len(there))
        returned = returned[returned.valid_from < month]
        back.append(len(there & set(returned.customer_id)))
        waited.append(away[returned.index].mean())
        cohort = (falls.valid_from >= month) & (falls.valid_from <= end)
        for days, counts in cohorts.items():
            is_over = end + pd.Timedelta(days=days) <= as_of
            counts.append(int((away[cohort] <= days).sum()) if is_over else np.nan)
        fell.append(int(cohort.sum()))
    same(found.churned_at_start, stock)
    same(found.won_back_customers, back)
    for days, counts in cohorts.items():
        same(found[f"won_back_{days}d"], counts)
        share = np.array(counts) / np.where(np.array(fell) > 0, fell, np.nan)
        same(found[f"win_back_rate_{days}d"].round(6), list(share.round(6)))
    same(found.churned_in_month, fell)
    same(found.mean_days_away.round(6), list(np.round(waited, 6)))
    rate = np.array(back) / np.where(np.array(stock) > 0, stock, np.nan)
    same(found.win_back_rate.round(6), list(rate.round(6)))
    assert sum(back) > 10
    assert np.isnan(cohorts[90][-1])


def test_active_is_previous_and_new_and_resurrected_less_lost(
    sample_marts: duckdb.DuckDBPyConnection,
    lake: LakeInPandas,
    spells: pd.DataFrame,
    months: pd.DatetimeIndex,
) -> None:
    found = table(sample_marts, "lifecycle_statement").loc[months]
    not_churned = [*CUSTOMER_STAGES, "won_back"]
    tomorrow = [m + pd.offsets.MonthEnd(0) + pd.Timedelta(days=1) for m in months]
    same(found.closing, [len(present(spells, day, not_churned)) for day in tomorrow])
    first_month = (
        lake.purchases.groupby("customer_id").ordered_on.min().dt.to_period("M").dt.to_timestamp()
    )
    same(found.new, [int((first_month == month).sum()) for month in months])
    balance = found.opening + found.new + found.resurrected - found.lost
    same(balance, list(found.closing))


def test_key_nodes_count_who_gets_there_and_who_does_not_get_past(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas, spells: pd.DataFrame
) -> None:
    days = lake.purchases[["customer_id", "ordered_on"]].drop_duplicates()
    falls = spells[spells.stage == "churned"].sort_values("valid_from")
    by_customer = {key: list(group.valid_from) for key, group in falls.groupby("customer_id")}
    nodes: dict[tuple[str, int], list[int]] = {}

    def count(kind: str, node: int, *, lost: bool, decided: bool) -> None:
        counts = nodes.setdefault((kind, node), [0, 0, 0])
        counts[0] += decided
        counts[1] += lost
        counts[2] += not decided

    for customer, ordered in days.groupby("customer_id").ordered_on:
        on = list(ordered)
        fell = by_customer.get(customer, [])
        for number, day in enumerate(on, start=1):
            following = on[number] if number < len(on) else None
            lost = any(day < f and (following is None or f < following) for f in fell)
            count("order_day", min(number, 20), lost=lost, decided=lost or following is not None)
        first_life = [day for day in on if not fell or day < fell[0]]
        last = int((first_life[-1] - on[0]).days / 30.4375)
        for month in range(min(last, 36)):
            count("tenure_month", month + 1, lost=False, decided=True)
        if last < 36:
            count("tenure_month", last + 1, lost=bool(fell), decided=bool(fell))
    found = sample_marts.sql("from churn_key_nodes").df()
    stands = {
        (row.node_kind, row.node): [row.at_risk, row.lost, row.undecided]
        for row in found.itertuples()
    }
    assert stands == nodes
    for kind, rows in found.sort_values("node").groupby("node_kind"):
        survival, lost, tried = 1.0, rows.lost.sum(), rows.at_risk.sum()
        for row in rows.itertuples():
            assert row.overall_hazard == pytest.approx(lost / tried, abs=1e-6), kind
            if not row.at_risk:
                assert pd.isna([row.hazard, row.hazard_lower_95, row.hazard_upper_95]).all()
                continue
            hazard = row.lost / row.at_risk
            survival *= 1 - hazard
            interval = stats.binomtest(row.lost, row.at_risk).proportion_ci(method="wilson")
            told = (row.hazard, row.hazard_lower_95, row.hazard_upper_95, row.still_there_share)
            ours = (hazard, interval.low, interval.high, survival)
            assert told == pytest.approx(ours, abs=1e-6)
            assert row.is_key_node == (interval.low > lost / tried)
    assert (found.at_risk == 0).any()
    assert found.is_key_node.any()


def test_reasons_of_those_who_have_not_come_back(
    sample_marts: duckdb.DuckDBPyConnection, lake: LakeInPandas, spells: pd.DataFrame
) -> None:
    """Who is away today, by the month he left and the cause that each set has for his reason."""
    seeds = PROJECT_DIR / "seeds"
    causes = pd.read_csv(seeds / "reason_in_set.csv").groupby("reason_code")
    side = pd.read_csv(seeds / "churn_reason.csv").set_index("reason_code").side
    told = sample_marts.sql("select customer_id, reason_code, reason_kind from churn_reasons").df()
    told = told.set_index("customer_id")
    away = spells[(spells.stage == "churned") & spells.valid_to.isna()]
    unheard = away.customer_id.isin(lake.unprofiled) | ~away.customer_id.isin(told.index)
    away = away.assign(
        month=away.valid_from.dt.to_period("M").dt.to_timestamp(),
        reason=away.customer_id.map(told.reason_code).mask(unheard, "unknown"),
        kind=away.customer_id.map(told.reason_kind).mask(unheard, "unknown"),
    )
    expected: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in away.itertuples():
        for _, cause in causes.get_group(row.reason).iterrows():
            key = (row.month, cause.cause_set, cause.cause_code)
            counts = expected.setdefault(
                key, {"phrase": cause.cause_phrase, "sides": set(), "stated": 0, "inferred": 0,
                      "unknown": 0}
            )  # fmt: skip
            counts["sides"].add(side[row.reason])
            counts[row.kind] += 1
    left = away.groupby("month").size()
    found = sample_marts.sql("from reason_monthly").df()
    found["month"] = pd.to_datetime(found.month)
    assert len(found) == len(expected)
    for row in found.itertuples():
        ours = expected[row.month, row.cause_set, row.cause_code]
        assert row.cause_phrase == ours["phrase"]
        assert row.reason_side == (ours["sides"].pop() if len(ours["sides"]) == 1 else "mixed")
        assert (row.stated_customers, row.inferred_customers) == (ours["stated"], ours["inferred"])
        assert row.customers == ours["stated"] + ours["inferred"] + ours["unknown"]
        assert row.still_away_customers == left[row.month]
        assert row.share_of_still_away == pytest.approx(row.customers / left[row.month], abs=1e-6)
        assert row.is_finished == (row.month + pd.offsets.MonthEnd(0) <= lake.as_of)
    assert set(away.kind) == {"stated", "inferred", "unknown"}
    assert set(found.is_finished) == {True, False}
    assert set(found.reason_side) == {"internal", "external", "unknown", "mixed"}
    assert unheard.any()
