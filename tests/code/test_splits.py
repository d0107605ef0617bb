"""Windows of training, calibration and test: nothing learnt ends after the test begins."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TooLittleDataError
from models.splits import require_enough, split_snapshots

MONTH_ENDS = [day.date() for day in pd.date_range("2024-01-31", periods=24, freq="ME")]


def test_the_latest_finished_snapshot_tests_and_the_ones_before_it_calibrate():
    split = split_snapshots(MONTH_ENDS, date(2025, 12, 31), 90)
    assert split.test == date(2025, 9, 30)
    assert split.calibration == (date(2025, 5, 31), date(2025, 6, 30))
    assert split.growing[0] == date(2024, 1, 31)
    assert split.growing[-1] == date(2025, 4, 30)
    assert split.to_json()["training_labels_end_on"] == "2025-09-28"


def test_few_snapshots_leave_one_to_calibrate():
    split = split_snapshots(MONTH_ENDS[:6], date(2024, 9, 28), 90)
    assert (len(split.growing), len(split.calibration)) == (2, 1)


@given(
    snapshots=st.sets(st.dates(date(2020, 1, 1), date(2024, 12, 31)), max_size=40),
    as_of=st.dates(date(2020, 1, 1), date(2025, 12, 31)),
    horizon_days=st.integers(1, 400),
)
def test_no_label_of_training_is_known_later_than_the_test_day(
    snapshots: set[date], as_of: date, horizon_days: int
):
    horizon = timedelta(days=horizon_days)
    try:
        split = split_snapshots(snapshots, as_of, horizon_days)
    except TooLittleDataError:
        return
    assert split.test + horizon <= as_of
    assert max(split.training) + horizon <= split.test
    assert max(split.growing) < min(split.calibration)
    assert set(split.training) | {split.test} <= snapshots


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        (date(2024, 1, 31), "no snapshot has a finished horizon of 90 days"),
        (date(2024, 7, 30), "1 training snapshots"),
    ],
)
def test_a_short_past_is_too_little(as_of: date, message: str):
    with pytest.raises(TooLittleDataError, match=message):
        split_snapshots(MONTH_ENDS, as_of, 90)


def test_each_slice_needs_both_classes():
    split = split_snapshots(MONTH_ENDS[:6], date(2024, 9, 28), 90)
    days = pd.Series(np.repeat(pd.DatetimeIndex(MONTH_ENDS[:6]), 100))
    churned = np.tile(np.arange(100) < 40, 6)
    require_enough(days, churned, split)
    churned[(days == pd.Timestamp(split.calibration[0])).to_numpy()] = False
    with pytest.raises(TooLittleDataError, match="calibration slice has 0 customers who churned"):
        require_enough(days, churned, split)
    with pytest.raises(TooLittleDataError, match="150 training rows, at least 200"):
        require_enough(days[::2], churned[::2], split)
