"""Windows of growing and calibration: nothing learnt ends after the day of the fit."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TooLittleDataError
from models.splits import latest_finished, require_enough, split_snapshots

MONTH_ENDS = [day.date() for day in pd.date_range("2024-01-31", periods=24, freq="ME")]


def test_the_latest_of_the_finished_snapshots_calibrate():
    assert latest_finished(MONTH_ENDS, date(2025, 12, 31), 90) == date(2025, 9, 30)
    split = split_snapshots(MONTH_ENDS, date(2025, 9, 30), 90)
    assert split.calibration == (date(2025, 5, 31), date(2025, 6, 30))
    assert split.growing[0] == date(2024, 1, 31)
    assert split.growing[-1] == date(2025, 4, 30)
    assert split.to_json()["training_labels_end_on"] == "2025-09-28"


def test_few_snapshots_leave_one_to_calibrate():
    split = split_snapshots(MONTH_ENDS, date(2024, 6, 29), 90)
    assert (len(split.growing), len(split.calibration)) == (2, 1)


@given(
    snapshots=st.sets(st.dates(date(2020, 1, 1), date(2024, 12, 31)), max_size=40),
    as_of=st.dates(date(2020, 1, 1), date(2025, 12, 31)),
    horizon_days=st.integers(1, 400),
)
def test_no_label_of_training_is_known_later_than_the_day(
    snapshots: set[date], as_of: date, horizon_days: int
):
    horizon = timedelta(days=horizon_days)
    try:
        split = split_snapshots(snapshots, as_of, horizon_days)
    except TooLittleDataError:
        return
    assert max(split.training) + horizon <= as_of
    assert max(split.growing) < min(split.calibration)
    assert set(split.training) <= snapshots
    assert latest_finished(snapshots, as_of, horizon_days) == split.training[-1]


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
