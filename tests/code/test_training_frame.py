"""What a training is given to learn from."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

from models.churn.history import History
from models.frame.features import labelled
from pipelines.defs.training import training_frame
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
        con.execute(LABELS)
    frame = training_frame(Warehouse(tmp_path / "warehouse.duckdb"))
    assert frame["days_observed"].tolist() == [31, 31, 0, 0]

    history = History.of(labelled(frame))
    order_days, recency, tenure = history.purchases_by(history.days[-1])
    assert order_days.tolist() == [3, 2]
    assert recency.tolist() == [1, 56]
    assert np.all(tenure == 131)
