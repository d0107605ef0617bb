"""The snapshots of a training in time: what was known of their rows on a day."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import (
    CUSTOMER,
    TENURE,
    FeatureMatrix,
    FeatureSchema,
    FloatArray,
    is_asked,
)
from models.frame.outcomes import Outcomes
from models.purchase.histories import histories


@dataclass(frozen=True)
class History:
    """Encoded rows of snapshots, oldest first, and what became of them.

    Attributes:
        schema: of the features.
        matrix: one row per snapshot and customer.
        outcomes: of each row.
        customers: number of each row's customer.
        departed: rows of which no outcome is asked: customers who had churned by then, for what
            they had bought.
    """

    schema: FeatureSchema
    matrix: FeatureMatrix
    outcomes: Outcomes
    customers: npt.NDArray[np.intp]
    departed: History | None = None

    @classmethod
    def of(cls, rows: pd.DataFrame) -> History:
        """Encode the rows of a labelled frame."""
        asked = is_asked(rows).to_numpy()
        schema = FeatureSchema.of(rows[asked])
        customers = pd.factorize(rows[CUSTOMER])[0]
        every = cls(schema, schema.encode(rows), Outcomes.of(rows), customers)
        return replace(every.rows(asked), departed=every.rows(~asked))

    @property
    def days(self) -> list[date]:
        """The snapshot days, oldest first."""
        return [pd.Timestamp(day).date() for day in np.unique(self.outcomes.snapshots)]

    @property
    def sha256(self) -> str:
        """Hash of the encoded rows, of what became of them, and of the departed."""
        digest = hashlib.sha256()
        for part in filter(None, (self, self.departed)):
            came = part.outcomes
            for each in (part.matrix.values, came.snapshots, came.next_order, came.observed):
                digest.update(np.ascontiguousarray(each).view(np.uint8).data)
        return digest.hexdigest()

    def rows(self, chosen: npt.NDArray[Any] | slice) -> History:
        """The chosen rows, by mask, position or slice."""
        return History(
            self.schema,
            self.matrix.rows(chosen),
            self.outcomes.rows(chosen),
            self.customers[chosen],
            self.departed,
        )

    def of_days(self, days: Sequence[date]) -> History:
        """The rows of the given snapshots."""
        return self.rows(np.isin(self.outcomes.snapshots, np.array(days, dtype="datetime64[s]")))

    def known_by(self, day: date) -> History:
        """The rows that were there on a day, with what was known of them by then."""
        there = self.rows(self.outcomes.snapshots <= np.datetime64(day))
        return replace(
            there,
            outcomes=there.outcomes.known_by(day),
            departed=self.departed and self.departed.known_by(day),
        )

    def finished(self, horizon_days: int) -> History:
        """The rows whose horizon is over."""
        return self.rows(self.outcomes.finished(horizon_days))

    @property
    def on_record_since(self) -> date:
        """The day from which orders are on record, but for a hundredth that may be misdated."""
        tenure = self.matrix.column(TENURE)
        known = np.isfinite(tenure)
        if not known.any():
            return self.days[0]
        first = self.outcomes.snapshots[known] - tenure[known].astype("timedelta64[D]")
        return pd.Timestamp(np.sort(first)[len(first) // 100]).date()

    def purchases_by(self, day: date) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Order days, recency and tenure of all customers as they stood on a day.

        Snapshots hold only customers who were not churned, and a purchase model fitted on those
        finds that nobody ever leaves. Who is missing from later snapshots has not ordered since
        the last one that shows them: that last view, aged to the day, is their history. So it is
        with those who had departed before the first snapshot, in an old company most of all.
        """
        views = [self._last_views(day)]
        if self.departed is not None:
            away = ~np.isin(self.departed.customers, self.customers)
            views.append(self.departed.rows(away)._last_views(day))
        order_days, recency, tenure = map(np.concatenate, zip(*views, strict=True))
        return order_days, recency, tenure

    def _last_views(self, day: date) -> tuple[FloatArray, FloatArray, FloatArray]:
        # Of a customer's rows the last one: the first from behind.
        _, from_behind = np.unique(self.customers[::-1], return_index=True)
        last = np.sort(len(self.customers) - 1 - from_behind)
        snapshots = self.outcomes.snapshots[last].astype("datetime64[D]")
        order_days, recency, tenure = histories(self.matrix.rows(last))
        next_order = self.outcomes.next_order[last]
        # Who came back since is seen as of that last view; nobody else's silence is shortened.
        silent = np.isinf(next_order)
        age = np.where(silent, (np.datetime64(day, "D") - snapshots).astype(np.float64), 0.0)
        return order_days, recency + age, tenure + age
