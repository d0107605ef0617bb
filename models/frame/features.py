"""The frame that enters the room: its keys, its feature columns, and how they become numbers.

Every column besides the keys and the label is a feature. What training saw of each (name, kind,
categories) is the schema; scoring refuses a frame that disagrees with it, whatever the order of
the columns. SQL defines the features; nothing is derived here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types as pandas_types

from models.errors import FrameError

FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]
Kind: TypeAlias = Literal["number", "flag", "category", "empty"]

SNAPSHOT = "snapshot_on"
CUSTOMER = "customer_id"
KEYS = (SNAPSHOT, CUSTOMER)
# What came after the snapshot: never a feature.
LABEL = "churned"
NEXT_ORDER = "days_to_next_order"
OBSERVED = "days_observed"
OUTCOME = (LABEL, NEXT_ORDER, OBSERVED)

# The rhythm of each customer, in days: the purchase model and every fallback read these.
ORDER_DAYS = "order_days"
RECENCY = "recency_days"
TENURE = "tenure_days"
INTERVAL = "expected_interval_days"
OVERDUE = "overdue_ratio"
RHYTHM = (ORDER_DAYS, RECENCY, TENURE, INTERVAL, OVERDUE)
# Mean profit of the order days (home currency), and of those after the first.
AVERAGE_PROFIT = "average_order_profit"
REPEAT_PROFIT = "repeat_order_profit"

# A code with more values than this is closer to an identifier than to a category, and a tree that
# splits on identifiers learns customers by heart. The most frequent are kept, the rest is missing.
MAX_CATEGORIES = 100

KINDS_OF_OBJECTS: tuple[tuple[Kind, tuple[type, ...]], ...] = (
    ("flag", (bool, np.bool_)),
    ("category", (str,)),
    ("number", (Real, Decimal)),
)


@dataclass(frozen=True)
class Feature:
    """One column as training saw it; `empty` is a column without a single value."""

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: pd.Series[Any]) -> Feature:
        """Read name, kind and categories off a column."""
        name = str(values.name)
        kind = _kind(values)
        if kind != "category":
            return cls(name, kind)
        counts = _plain(values).value_counts()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        kept = sorted(str(value) for value, _ in ranked[:MAX_CATEGORIES])
        return cls(name, kind, tuple(kept))

    def encode(self, values: pd.Series[Any]) -> FloatArray:
        """Turn a column into float32: missing, infinite and never seen values become NaN.

        Raises:
            FrameError: when the column is of another kind than in training.
        """
        missing = np.full(len(values), np.nan, dtype=np.float32)
        if self.kind == "empty":
            return missing
        kind = _kind(values)
        if kind == "empty":
            return missing
        if kind != self.kind:
            raise FrameError(
                f"feature {self.name}: expected a {self.kind} as in training, found a {kind}; "
                "train again on frames of this form"
            )
        if kind == "category":
            codes = pd.Categorical(_plain(values), categories=list(self.categories)).codes
            return np.where(codes < 0, np.nan, codes).astype(np.float32)
        with np.errstate(over="ignore"):
            numbers = pd.to_numeric(values).to_numpy(dtype=np.float64, na_value=np.nan)
            encoded = numbers.astype(np.float32)
        encoded[~np.isfinite(encoded)] = np.nan
        return encoded


@dataclass(frozen=True)
class FeatureMatrix:
    """Encoded features: one row per customer and snapshot, one float32 column per feature."""

    features: tuple[Feature, ...]
    values: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names, in the order of `values`."""
        return tuple(feature.name for feature in self.features)

    def column(self, name: str) -> FloatArray:
        """One column as float64, so that formulas do not lose digits."""
        column: FloatArray = self.values[:, self.names.index(name)].astype(np.float64)
        return column

    def rows(self, chosen: npt.NDArray[Any] | slice) -> FeatureMatrix:
        """The chosen rows, by mask, position or slice."""
        return FeatureMatrix(self.features, self.values[chosen])

    def columns(self, names: Sequence[str]) -> FeatureMatrix:
        """The named columns, in the order asked for."""
        if tuple(names) == self.names:
            return self
        at = [self.names.index(name) for name in names]
        return FeatureMatrix(tuple(self.features[i] for i in at), self.values[:, at])

    def beside(self, features: Sequence[Feature], values: FloatArray) -> FeatureMatrix:
        """The same with further features behind it, row by row, as the trees read them."""
        have = self.values.shape[1]
        together = np.empty((len(self), have + len(features)), dtype=np.float32)
        together[:, :have] = self.values
        together[:, have:] = values
        return FeatureMatrix((*self.features, *features), together)


@dataclass(frozen=True)
class FeatureSchema:
    """The feature columns a model was trained on, sorted by name."""

    features: tuple[Feature, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> FeatureSchema:
        """Read the schema off a training frame.

        Raises:
            FrameError: when a rhythm column is absent or a column has no usable kind.
        """
        _require(frame, (*KEYS, *RHYTHM))
        return cls(tuple(Feature.of(frame[name]) for name in sorted(feature_names(frame))))

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, sorted."""
        return tuple(feature.name for feature in self.features)

    @property
    def sha256(self) -> str:
        """Hash over names, kinds and categories: equal hashes mean interchangeable frames."""
        return hashlib.sha256(json.dumps(self.to_json()).encode()).hexdigest()

    def encode(self, frame: pd.DataFrame) -> FeatureMatrix:
        """Turn a frame with the same features, in any order, into a matrix.

        Raises:
            FrameError: when a feature is missing, foreign, or of another kind.
        """
        _require(frame, KEYS)
        found = set(feature_names(frame))
        missing = sorted(set(self.names) - found)
        foreign = sorted(found - set(self.names))
        if missing or foreign:
            raise FrameError(
                f"the frame does not have the {len(self.names)} features the model was trained on"
                + (f"; missing: {', '.join(missing)}" if missing else "")
                + (f"; not known to the model: {', '.join(foreign)}" if foreign else "")
                + "; train a model on frames of this form"
            )
        # Column by column, as it is written here and read by all but the trees.
        values = np.empty((len(frame), len(self.features)), dtype=np.float32, order="F")
        for at, feature in enumerate(self.features):
            values[:, at] = feature.encode(frame[feature.name])
        return FeatureMatrix(self.features, values)

    def is_foreign_to(self, columns: Iterable[str]) -> bool:
        """Whether a frame of these columns has other features than those that were learnt from."""
        return are_foreign(self.names, columns)

    def to_json(self) -> list[dict[str, Any]]:
        """The schema as the model card holds it."""
        return [
            {"name": f.name, "kind": f.kind}
            | ({"categories": list(f.categories)} if f.kind == "category" else {})
            for f in self.features
        ]

    @classmethod
    def from_json(cls, features: Sequence[Mapping[str, Any]]) -> FeatureSchema:
        """Read the schema back from a model card."""
        return cls(
            tuple(
                Feature(f["name"], cast(Kind, f["kind"]), tuple(f.get("categories", ())))
                for f in features
            )
        )


def are_foreign(learnt: Iterable[str], columns: Iterable[str]) -> bool:
    """Whether a frame of these columns has other features than those that were learnt from."""
    return set(learnt) != set(columns) - {*KEYS, *OUTCOME}


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Check the keys of a training frame and bring its rows into one order.

    The order makes training independent of how the rows came.

    Raises:
        FrameError: when keys or outcome are absent, or a customer stands twice in a snapshot.
    """
    _require(frame, (*KEYS, NEXT_ORDER, OBSERVED))
    rows = frame.assign(**{SNAPSHOT: days(frame), CUSTOMER: frame[CUSTOMER].astype(str)})
    rows = rows.sort_values(list(KEYS), ignore_index=True)
    twice = rows.duplicated(list(KEYS))
    if twice.any():
        raise FrameError(
            f"expected one row per {SNAPSHOT} and {CUSTOMER}, found {int(twice.sum())} repeated; "
            "look for a join that multiplies rows in customer_features"
        )
    return rows


def is_asked(rows: pd.DataFrame) -> pd.Series[bool]:
    """Whether an outcome is asked of a row.

    A row that was never watched, OBSERVED being empty, tells what the customer had bought by then
    and nothing else; one that was watched for 0 days is of today.
    """
    return rows[OBSERVED].notna()


def of_snapshot(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """The rows of a snapshot of which an outcome is asked."""
    return rows[is_asked(rows) & (rows[SNAPSHOT] == pd.Timestamp(day))]


def days(frame: pd.DataFrame) -> pd.Series[Any]:
    """The snapshot days of a frame as datetimes at midnight.

    Raises:
        FrameError: when a value is not a day.
    """
    try:
        snapshots = pd.to_datetime(frame[SNAPSHOT]).dt.normalize().astype("datetime64[s]")
    except (TypeError, ValueError, AttributeError) as error:
        raise FrameError(f"expected days in {SNAPSHOT}, found something else: {error}") from error
    if snapshots.isna().any():
        raise FrameError(f"expected a day in every row of {SNAPSHOT}, found empty ones")
    return snapshots


def _require(frame: pd.DataFrame, names: Sequence[str]) -> None:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise FrameError(
            f"expected the columns {', '.join(names)}, found none named {', '.join(absent)}; "
            "the frame should be customer_features (joined with customer_labels for training)"
        )


def feature_names(frame: pd.DataFrame) -> list[str]:
    """The columns of a frame that are neither keys nor outcome."""
    return [str(name) for name in frame.columns if name not in (*KEYS, *OUTCOME)]


def _plain(values: pd.Series[Any]) -> pd.Series[Any]:
    """A categorical column as the values it stands for; any other as it is."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return values.astype(dtype.categories.dtype)
    return values


def _kind(values: pd.Series[Any]) -> Kind:
    """The kind of a column; object columns are judged by their values, as NULLs leave them."""
    if values.isna().all():
        return "empty"
    plain = _plain(values)
    if pandas_types.is_bool_dtype(plain.dtype):
        return "flag"
    if pandas_types.is_numeric_dtype(plain.dtype):
        return "number"
    types: set[type] = {str}
    if not isinstance(plain.dtype, pd.StringDtype):
        types = set(map(type, plain.dropna()))
    for kind, allowed in KINDS_OF_OBJECTS:
        if all(issubclass(each, allowed) for each in types):
            return kind
    raise FrameError(
        f"feature {values.name}: expected numbers, booleans or text, found {plain.dtype} "
        f"({', '.join(sorted(each.__name__ for each in types))}); give days as numbers"
    )
