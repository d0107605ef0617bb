"""Drift: alarms at the stated rate where there is none, and found where it was planted."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.frame.features import Feature, FeatureMatrix
from models.monitoring.drift import Reference

N, FEATURES, MONTHS = 300, 12, 24
NAMES = [f"f{at:02}" for at in range(FEATURES)]
SCHEMA = tuple(Feature(name, "number") for name in NAMES)


def _world(seed: int, wander: float = 0.0, months: int = MONTHS) -> tuple[Reference, np.ndarray]:
    """Month-ends of a population whose means wander and return; and one of four months later."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2022-01-31", periods=months, freq="ME").to_numpy("datetime64[s]")
    shift = np.zeros((months + 4, FEATURES))
    for at in range(1, len(shift)):
        shift[at] = 0.7 * shift[at - 1] + wander * rng.normal(size=FEATURES)
    values = rng.normal(size=(months + 4, N, FEATURES)) + shift[:, None, :]
    values = values.astype(np.float32)
    reference = Reference.of(
        FeatureMatrix(SCHEMA, values[:months].reshape(-1, FEATURES)),
        np.repeat(days, N),
        day=pd.Timestamp(days[-1]).date(),
        names=NAMES,
        horizon_days=90,
    )
    return reference, values[-1]


@pytest.mark.parametrize(("wander", "months"), [(0.0, 24), (0.1, 24), (0.0, 5)])
def test_without_drift_an_alarm_is_rare(wander: float, months: int) -> None:
    alarms = 0
    for seed in range(30):
        reference, today = _world(seed, wander, months)
        assert (reference.pairs > 0) == (months == MONTHS)
        alarms += reference.compare(FeatureMatrix(SCHEMA, today))["is_drifted"].any()
    # At a rate of 3% (1% is aimed at) more than 4 alarms come once in 500 such tests.
    assert alarms <= 4


@pytest.mark.parametrize(("wander", "shift"), [(0.0, 0.6), (0.1, 1.5)])
def test_a_shift_is_found_and_nothing_else(wander: float, shift: float) -> None:
    reference, today = _world(3, wander)
    today[:, 4] += shift
    found = reference.compare(FeatureMatrix(SCHEMA, today)).set_index("feature")
    assert list(found.index[found["is_drifted"]]) == ["f04"]


def _growing(
    months: int, leap: int | None = None, rows: int = 1_500
) -> tuple[FeatureMatrix, np.ndarray]:
    """A young company: amounts grow and customers pile up; from a month on prices are tenfold."""
    rng = np.random.default_rng(8)
    days = pd.date_range("2022-01-31", periods=months, freq="ME").to_numpy("datetime64[s]")
    size = np.linspace(rows / 10, rows, months).astype(int)
    values, snapshots = [], []
    for at, (day, n) in enumerate(zip(days, size, strict=True)):
        known = rng.uniform(0, 30 * (at + 1), n)
        spent = rng.gamma(1 + known / 60, 20) * (10 if leap is not None and at >= leap else 1)
        values.append(np.column_stack([known, spent, rng.normal(size=n)]))
        snapshots.append(np.repeat(day, n))
    matrix = FeatureMatrix(SCHEMA[:3], np.concatenate(values).astype(np.float32))
    return matrix, np.concatenate(snapshots)


@pytest.mark.parametrize("months", [9, 18, 30])
@pytest.mark.parametrize("leap", [True, False])
def test_a_growing_company_is_no_alarm_and_no_excuse(months: int, leap: bool) -> None:
    """The reference is four months old, as a finished one is; what came since is no part of it."""
    matrix, snapshots = _growing(months, months - 3 if leap else None)
    days = np.unique(snapshots)
    learnt = snapshots <= days[-5]
    reference = Reference.of(
        matrix.rows(learnt),
        snapshots[learnt],
        day=pd.Timestamp(days[-5]).date(),
        names=NAMES[:3],
        horizon_days=90,
    )
    found = reference.compare(matrix.rows(snapshots == days[-1])).set_index("feature")
    assert found.loc["f01", "threshold"] < 1
    assert list(found.index[found["is_drifted"]]) == (["f01"] if leap else [])


def test_missing_values_are_drift() -> None:
    reference, today = _world(4)
    today[: int(0.4 * N), 7] = np.nan
    found = reference.compare(FeatureMatrix(SCHEMA, today)).set_index("feature").loc["f07"]
    assert found["is_drifted"]
    assert found["missing_share"] == pytest.approx(0.4)
    assert found["reference_missing_share"] == 0


def test_codes_have_no_order_and_a_source_that_began_is_no_surprise_twice() -> None:
    rng = np.random.default_rng(0)
    feature = (Feature("region", "category", ("a", "b", "c")), Feature("began", "number"))
    codes = rng.integers(0, 3, (24, N)).astype(np.float32)
    began = rng.normal(size=(24, N)).astype(np.float32)
    began[:12] = np.nan  # the source came in the second year
    days = pd.date_range("2022-01-31", periods=24, freq="ME").to_numpy("datetime64[s]")
    reference = Reference.of(
        FeatureMatrix(feature, np.column_stack([codes.ravel(), began.ravel()])),
        np.repeat(days, N),
        day=date(2023, 12, 31),
        names=["region", "began"],
        horizon_days=90,
    )
    read = Reference.from_json(json.loads(json.dumps(reference.to_json())), feature)
    assert read.to_json() == reference.to_json()
    today = np.column_stack([np.full(N, 2), began[-1]]).astype(np.float32)
    found = read.compare(FeatureMatrix(feature, today)).set_index("feature")
    assert found.loc["region", "is_drifted"]
    assert found.loc["region", "statistic"] == pytest.approx(2 / 3, abs=0.1)
    assert not found.loc["began", "is_drifted"]


def test_nobody_to_score_is_no_error() -> None:
    reference, today = _world(5)
    assert len(reference.compare(FeatureMatrix(SCHEMA, today[:0]))) == FEATURES
