"""The frame as the model room reads it: kinds, categories, missing values and one hash."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from models.errors import FrameError
from models.frame.features import (
    MAX_CATEGORIES,
    Feature,
    FeatureSchema,
    is_asked,
    labelled,
    of_snapshot,
)


def _column(values: list[object], dtype: object = None) -> pd.Series:
    return pd.Series(values, dtype=dtype, name="it")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (_column([1, 2]), "number"),
        (_column([1.5, None]), "number"),
        (_column([1, None], "Int64"), "number"),
        (_column([Decimal("1.20"), None], object), "number"),
        (_column([True, False]), "flag"),
        (_column([True, None], object), "flag"),
        (_column([True, None], "boolean"), "flag"),
        (_column(["a", None]), "category"),
        (_column(["a", None], object), "category"),
        (_column(["a", None], "category"), "category"),
        (_column([None, None], object), "empty"),
        (_column([None, None], "str"), "empty"),
        (_column([np.nan, np.nan]), "empty"),
    ],
)
def test_kinds_survive_what_nulls_do_to_dtypes(column: pd.Series, kind: str):
    feature = Feature.of(column)
    assert feature.kind == kind
    encoded = feature.encode(column)
    assert encoded.dtype == np.float32
    assert np.isnan(encoded).tolist() == (column.isna() | (kind == "empty")).tolist()


@pytest.mark.parametrize(
    "column",
    [
        _column([date(2025, 1, 1)], object),
        _column(["2025-01-01"], "datetime64[s]"),
        _column([1, "a"], object),
        _column([["a"]], object),
    ],
)
def test_other_kinds_are_refused(column: pd.Series):
    with pytest.raises(FrameError, match="feature it: expected numbers, booleans or text"):
        Feature.of(column)


def test_infinite_and_enormous_numbers_are_missing():
    column = _column([np.inf, -np.inf, 1e300, 3.0])
    assert np.isnan(Feature.of(column).encode(column)).tolist() == [True, True, True, False]


def test_codes_beyond_the_most_frequent_are_missing():
    frequent = [f"code {at:03d}" for at in range(MAX_CATEGORIES)] * 2
    column = _column([*frequent, "once"])
    encoded = Feature.of(column).encode(column)
    assert np.isnan(encoded[-1])
    assert encoded[:3].tolist() == [0, 1, 2]


def _frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "snapshot_on": pd.Timestamp("2025-01-31"),
            "customer_id": ["b", "a"],
            "churned": [True, None],
            "days_to_next_order": [None, None],
            "days_observed": [90, None],
            "order_days": [1, 2],
            "recency_days": [3, 4],
            "tenure_days": [5, 6],
            "expected_interval_days": [7, 8],
            "overdue_ratio": [0.5, 0.6],
            "region": ["x", "y"],
        }
    )


def test_the_hash_ignores_order_and_keys_but_not_names_kinds_or_categories():
    frame = _frame()
    sha256 = FeatureSchema.of(frame).sha256
    assert FeatureSchema.of(frame[list(reversed(frame.columns))]).sha256 == sha256
    assert FeatureSchema.of(frame.drop(columns=["churned", "days_observed"])).sha256 == sha256
    assert FeatureSchema.of(frame.rename(columns={"region": "area"})).sha256 != sha256
    assert FeatureSchema.of(frame.assign(region=["x", "z"])).sha256 != sha256
    assert FeatureSchema.of(frame.assign(region=[1, 2])).sha256 != sha256
    schema = FeatureSchema.of(frame)
    assert FeatureSchema.from_json(schema.to_json()) == schema


def test_no_outcome_is_asked_of_rows_that_were_never_watched():
    rows = labelled(_frame())
    assert rows["customer_id"].tolist() == ["a", "b"]
    assert is_asked(rows).tolist() == [False, True]
    assert of_snapshot(rows, date(2025, 1, 31))["customer_id"].tolist() == ["b"]
