"""Windows of growing and calibration: nothing learnt ends after the day of the fit."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TooLittleDataError
from models.frame.splits import latest_finished, require_enough, split_snapshots

MONTH_ENDS = [day.date() for day in pd.date_range("2024-01-31", periods=24, freq="ME")]


def test_every_snapshot_teaches_at_the_longest_horizon_that_is_over():
    split = split_snapshots(MONTH_ENDS, date(2025, 9, 30), 90)
    assert split.windows[0] == (date(2024, 1, 31), 90)
    # 30 days of August are less than half a horizon.
    assert split.windows[-2:] == ((date(2025, 6, 30), 90), (date(2025, 7, 31), 61))
    assert split.finished[-1] == date(2025, 6, 30)
    assert split.shaping == (date(2025, 5, 31), date(2025, 6, 30))
    assert latest_finished(MONTH_ENDS, date(2025, 12, 31), 90) == date(2025, 9, 30)
    assert split.to_json()["training_labels_end_on"] == "2025-09-30"


@given(
    snapshots=st.sets(st.dates(date(2020, 1, 1), date(2024, 12, 31)), max_size=40),
    as_of=st.dates(date(2020, 1, 1), date(2025, 12, 31)),
    horizon_days=st.integers(1, 400),
)
def test_no_label_of_training_is_known_later_than_the_day(
    snapshots: set[date], as_of: date, horizon_days: int
):
    try:
        split = split_snapshots(snapshots, as_of, horizon_days)
    except TooLittleDataError:
        return
    assert all(day + timedelta(days=days) <= as_of for day, days in split.windows)
    assert all(horizon_days / 2 <= days <= horizon_days for _, days in split.windows)
    assert {day for day, _ in split.windows} <= snapshots
    assert latest_finished(snapshots, as_of, horizon_days) == split.finished[-1]


def test_a_short_past_is_too_little():
    with pytest.raises(TooLittleDataError, match="no snapshot has a finished horizon of 90 days"):
        latest_finished(MONTH_ENDS, date(2024, 1, 31), 90)
    with pytest.raises(TooLittleDataError, match="2 training snapshots"):
        split_snapshots(MONTH_ENDS, date(2024, 5, 30), 90)


def test_each_slice_needs_both_classes_and_all_of_them_rows():
    mixed = np.arange(100) < 40
    require_enough({"growing": mixed, "calibration": mixed})
    with pytest.raises(TooLittleDataError, match="calibration slice has 0 customers who churned"):
        require_enough({"growing": mixed, "calibration": np.zeros(100, dtype=bool)})
    with pytest.raises(TooLittleDataError, match="100 training rows, at least 200"):
        require_enough({"growing": mixed}, in_all=200)
