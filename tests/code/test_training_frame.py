"""What a training is given to learn from."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from models.churn.history import History
from models.frame.features import is_asked, labelled
from pipelines.defs.training import TRAINING_FRAME, training_frame
from pipelines.resources.warehouse import Warehouse

FEATURES = """
    create table customer_features as
    select * from (values
        (date '2026-04-30', 'back', 2, 25, 100, 30.0, 0.8),
        (date '2026-05-31', 'back', 3, 1, 131, 30.0, 0.0),
        (date '2026-04-30', 'silent', 2, 25, 100, 30.0, 0.8),
        (date '2026-05-31', 'silent', 2, 56, 131, 30.0, 1.9)
    ) as features(
        snapshot_on, customer_id, order_days, recency_days, tenure_days, expected_interval_days,
        overdue_ratio
    )
"""
PURCHASES = """
    create table purchase_features as
    select snapshot_on, customer_id, order_days, recency_days, tenure_days from customer_features
    union all
    select * from (values
        (date '2026-04-30', 'departed', 4, 700, 900),
        (date '2026-05-31', 'departed', 4, 731, 931),
        (date '2026-05-31', 'silent and churned since', 1, 90, 90)
    ) as of_churned
"""
LABELS = """
    create table customer_labels as
    select * from (values
        (date '2026-04-30', 'back', 30, 31, null::boolean),
        (date '2026-04-30', 'silent', null, 31, null)
    ) as labels(snapshot_on, customer_id, days_to_next_order, days_observed, churned)
"""


def test_customers_are_seen_as_they_stand_today(tmp_path: Path) -> None:
    """Left out, who ordered since the last month-end would count as gone before that order."""
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute(FEATURES)
        con.execute(PURCHASES)
        con.execute(LABELS)
    frame = training_frame(Warehouse(tmp_path / "warehouse.duckdb"))
    asked = frame[is_asked(frame)]
    assert asked["days_observed"].tolist() == [31, 31, 0, 0]

    history = History.of(labelled(frame))
    order_days, recency, tenure = history.purchases_by(history.days[-1])
    assert len(history.customers) == len(asked)
    assert order_days.tolist() == [3, 2, 4]
    assert recency.tolist() == [1, 56, 731]
    assert tenure.tolist() == [131, 131, 931]


def test_who_had_churned_before_the_first_snapshot_is_known_to_the_purchase_models() -> None:
    """Of an old company's customers most had: without them nobody would seem to leave."""
    days = [date(2026, 4, 30), date(2026, 5, 31)]
    rows = pd.DataFrame(
        {
            "snapshot_on": [days[0], days[0], days[0], days[1], days[1]],
            "customer_id": ["back", "departed", "here", "back", "here"],
            "order_days": [2, 4, 5, 3, 5],
            "recency_days": [400, 700, 10, 20, 41],
            "tenure_days": [500, 900, 100, 531, 131],
            "expected_interval_days": 30.0,
            "overdue_ratio": 1.0,
            "days_to_next_order": [11.0, None, None, None, None],
            "days_observed": [None, None, 31.0, 0.0, 0.0],
        }
    )
    history = History.of(labelled(rows))
    order_days, recency, tenure = history.purchases_by(days[1])
    assert sorted(zip(order_days, recency, tenure, strict=True)) == [
        (3, 20, 531),  # came back: as the later snapshot shows it, once
        (4, 731, 931),
        (5, 41, 131),
    ]
    by_first = history.known_by(days[0])
    order_days, recency, _ = by_first.purchases_by(days[0])
    assert sorted(zip(order_days, recency, strict=True)) == [(2, 400), (4, 700), (5, 10)]
    assert by_first.days == [days[0]]


def test_of_those_who_had_churned_as_large_a_share_is_drawn(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        people = "select date '2026-04-30' as snapshot_on, {} as customer_id, 2 as order_days,"
        people += " 25 as recency_days, 100 as tenure_days from range(400) as each(i)"
        here, gone = people.format("'here' || i"), people.format("'gone' || i")
        con.execute(f"create table customer_features as {here}")
        con.execute(f"create table purchase_features as {here} union all {gone}")
        con.execute(
            "create table customer_labels as select snapshot_on, customer_id,"
            " 5 as days_to_next_order, 31 as days_observed from customer_features"
        )
    frame = Warehouse(tmp_path / "warehouse.duckdb").frame(TRAINING_FRAME, [100])
    assert is_asked(frame).sum() == 100
    assert 60 < (~is_asked(frame)).sum() < 140


@pytest.mark.parametrize(
    ("who", "column"),
    [
        ("departed", "recency_days"),
        ("here", "recency_days"),
        ("here", "days_to_next_order"),
        ("here", "days_observed"),
    ],
)
def test_the_hash_is_of_all_that_teaches(who: str, column: str) -> None:
    rows = pd.DataFrame(
        {
            "snapshot_on": date(2026, 4, 30),
            "customer_id": ["departed", "here"],
            "order_days": [4, 5],
            "recency_days": [700.0, 10.0],
            "tenure_days": [900, 100],
            "expected_interval_days": 30.0,
            "overdue_ratio": 1.0,
            "days_to_next_order": [None, 11.0],
            "days_observed": [None, 31.0],
        }
    )
    other = rows.copy()
    other.loc[other["customer_id"] == who, column] += 1
    hashes = {History.of(labelled(each)).sha256 for each in (rows, rows.copy(), other)}
    assert len(hashes) == 2
