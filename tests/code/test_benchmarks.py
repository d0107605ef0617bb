"""The arithmetic of the benchmarks, and what they say when they cannot run."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks import levels, negative_control, policy, real_orders, scale
from benchmarks.run import COMPARED, Day, compared_seconds


def test_compared_tables_that_overlap_count_once(tmp_path: Path) -> None:
    tables = (COMPARED, "orders", "items", "tickets")
    manifest = {
        "nodes": {table: {"name": table} for table in tables},
        "parent_map": {
            COMPARED: ["orders", "items"],
            "orders": ["source"],
            "items": ["orders"],
            "source": [],
        },
    }
    spans = {"orders": (0, 4), "items": (2, 5), "tickets": (5, 30), COMPARED: (40, 41)}
    results = [
        {
            "unique_id": table,
            "timing": [
                {f"{edge}_at": f"2026-06-28T00:00:{second:02}Z" for edge, second in edges.items()}
            ],
        }
        for table, span in spans.items()
        for edges in [dict(zip(("started", "completed"), span, strict=True))]
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    assert compared_seconds(manifest, tmp_path) == 5 + 1


def test_the_scale_benchmark_has_as_many_customers_as_asked_for_and_they_differ(
    tmp_path: Path,
) -> None:
    home, target = tmp_path / "home", tmp_path / "warehouse.duckdb"
    home.mkdir()
    with duckdb.connect(str(home / "warehouse.duckdb")) as con:
        con.execute(
            "create table snapshots as select * from (values"
            " (date '2026-01-31', date '2026-05-01', true),"
            " (date '2026-02-28', date '2026-05-29', true),"
            " (date '2026-03-31', date '2026-06-29', false)"
            ") as days(snapshot_on, horizon_ends_on, is_finished)"
        )
        con.execute(
            "create table customer_features as select snapshot_on, i::varchar as customer_id,"
            " 100 + i::integer as tenure_days, 5::decimal(18, 2) as net_amount,"
            " 2::integer as orders from snapshots cross join range(3) as each(i)"
        )
        con.execute(
            "create table customer_labels as"
            " select snapshot_on, customer_id, 7 as days_to_next_order from customer_features"
        )
        con.execute(
            "create table purchase_features as"
            " select snapshot_on, customer_id, tenure_days from customer_features"
            " union all select snapshot_on, 'gone', 900 from snapshots"
        )

    assert scale.enlarge(home, target, 7) == (date(2026, 5, 29), 90)

    with duckdb.connect(str(target)) as con:
        rows = con.sql("from customer_features join customer_labels using (snapshot_on, customer_id)").df()  # fmt: skip  # noqa: E501
        departed = con.sql("from purchase_features").df()
    assert rows.groupby("snapshot_on").size().tolist() == [7, 7]
    assert departed.groupby("snapshot_on").size().tolist() == [7]
    assert departed["tenure_days"].min() >= 900
    assert not set(departed["customer_id"]) & set(rows["customer_id"])
    assert not rows.duplicated(["snapshot_on", "customer_id"]).any()
    assert rows[["tenure_days", "net_amount"]].drop_duplicates().shape[0] == 7
    assert set(rows["orders"]) == {2}


def test_a_share_of_a_day_leaves_a_phase_out_of_both() -> None:
    first = Day(seconds=Counter(start=10, train=50, tables=40))
    second = Day(seconds=Counter(start=10, train=0, tables=20))
    assert second.share_of(first) == 30 / 100
    assert second.share_of(first, without=("train",)) == 30 / 50


def test_real_files_that_are_absent_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cdnow_master.parquet").touch()
    monkeypatch.setattr("sys.argv", ["real_orders", str(tmp_path)])
    assert real_orders.main() == 1
    said = capsys.readouterr().err
    assert "no online_retail_ii_to_2011_05.parquet in" in said
    assert "cdnow_master" not in said
    assert "make real REAL_DATA=" in said


def totals(kept: float, profit: float) -> policy.Totals:
    """Every choice treats 400 of 1,000, half of whom stay anyway; only ours brings anything."""
    treated = np.r_[np.ones(400), np.zeros(600)]
    rows = [np.full(1000, 0.5 if name == "stay" else 1.0) for name in policy.SUMS]
    ours = policy.Totals.of(rows, dict.fromkeys(policy.CHOICES, treated)).sums
    by_choice = ours.reshape(len(policy.CHOICES), len(policy.SUMS)).copy()
    by_choice[:, policy.SUMS.index("kept")] = [kept, 0, 0]
    by_choice[:, policy.SUMS.index("profit")] = [profit, 0, 0]
    return policy.Totals(by_choice.ravel(), np.zeros((len(ours), len(ours))))


@pytest.mark.parametrize(
    ("measured", "true", "status"),
    [
        (totals(40, 9), totals(40, 9), 0),
        # Kept by 0.14 of those who stay, in truth; measured, too few; a loss.
        (totals(40, 9), totals(28, 9), 1),
        (totals(28, 9), totals(40, 9), 1),
        (totals(40, -9), totals(40, 9), 1),
    ],
)
def test_a_goal_that_is_missed_measured_or_in_truth_is_a_failure(
    measured: policy.Totals, true: policy.Totals, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert policy._print_goals(Console(), measured, true) == status
    assert ("missed" in capsys.readouterr().out) == bool(status)


def test_the_interval_of_a_ratio_covers_it_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(8)
    treated = np.r_[np.ones(400), np.zeros(600)]
    covered = 0
    for _ in range(200):
        shared = rng.normal(0, 0.3, 1000)
        rows = [np.ones(1000) for _ in policy.SUMS]
        rows[0] = 0.1 + shared + rng.normal(0, 0.2, 1000)
        rows[1] = 0.5 + shared
        added = policy.Totals.of(rows, dict.fromkeys(policy.CHOICES, treated))
        doubled = added + added
        _, lower, upper = added.figure(lambda of: of[policy.OURS]["kept"] / of[policy.OURS]["stay"])
        covered += lower < 0.2 < upper
        assert doubled.sums[0] == pytest.approx(2 * added.sums[0])
    # 190 are expected; fewer than 180 or more than 198 in one of a thousand.
    assert 180 <= covered <= 198


def orders(days: int = 400) -> levels.Orders:
    """One customer every 20 days until day 100, one on day 90 and again on day 200."""
    often = np.arange(0, 101, 20)
    customer = np.repeat([3, 8], [len(often), 2])
    return levels.Orders.of(customer, np.r_[often, 90, 200], date(2025, 1, 1), days)


def test_customers_as_they_stood_on_a_day() -> None:
    view = levels.View.of(orders(), 150)
    assert view.order_days.tolist() == [6, 1]
    assert view.recency.tolist() == [50, 60]
    assert view.tenure.tolist() == [150, 60]
    assert view.next_order.tolist() == [np.inf, 50]
    assert view.is_customer.tolist() == [True, False]  # 60 days are three gaps of the only rhythm
    assert levels.View.of(orders(), 80).order_days.tolist() == [5]


def test_a_forecast_of_a_level_is_asked_with_what_was_known_by_then() -> None:
    """What comes after the day changes the outcome, and nothing else."""
    shop = levels.shop("summer", 0)
    few = shop.customer % 10 == 0
    whole = replace(shop, customer=shop.customer[few], day=shop.day[few])
    asked = next(levels.questions(whole))
    known = whole.day < asked.age
    ended = replace(whole, customer=whole.customer[known], day=whole.day[known])
    blind = next(levels.questions(ended))
    assert (blind.day, blind.calibration) == (asked.day, asked.calibration)
    assert (blind.margin == asked.margin).all()
    assert blind.churned.all()
    assert not asked.churned.all()
    assert levels.errors(asked)["share, forecast"] < levels.errors(blind)["share, forecast"]


def test_the_negative_control_deals_outcomes_out_within_their_snapshot() -> None:
    frame = pd.DataFrame(
        {
            "snapshot_on": np.repeat(pd.to_datetime(["2026-01-31", "2026-02-28"]), 50),
            "customer_id": np.tile(np.arange(50), 2),
            "tenure_days": np.arange(100),
            "days_to_next_order": np.arange(100.0),
            "days_observed": np.repeat([60, 30], 50),
        }
    ).sample(frac=1, random_state=1)
    dealt = negative_control.permuted(frame, seed=1)
    features = ["snapshot_on", "customer_id", "tenure_days"]
    pd.testing.assert_frame_equal(dealt[features], frame[features])
    for _, rows in dealt.groupby("snapshot_on"):
        then = frame.loc[rows.index]
        assert sorted(rows["days_to_next_order"]) == sorted(then["days_to_next_order"])
        assert (rows["days_to_next_order"] == then["days_to_next_order"]).mean() < 0.2
        assert (rows["days_observed"] == then["days_observed"]).all()
