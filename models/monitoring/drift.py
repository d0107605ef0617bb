"""Whether the customers scored today are still like those that were learnt from.

Each feature is reduced to the shares of customers in some twenty cells: missing first, then the
quantiles of the reference snapshot, or the codes. The distance of two snapshots is, for numbers,
the largest difference of the cumulated shares (Kolmogorov-Smirnov), for codes half the sum of the
differences (total variation); both lie between 0 and 1, and missing values count in both.

How far is too far is not a fixed figure. Customers age, seasons turn and sources grow, so two
snapshots differ anyhow: what counts is how far past snapshots, as far apart in time as training
and scoring are, have moved. With D the distance of a feature in one such pair, and s its root mean
square over the other pairs, the pair's furthest move is the maximum of D / s over all features.
The limit is the 99% quantile of these maxima, which takes care of the number of features (Westfall
and Young, 1993, "Resampling-Based Multiple Testing"); a maximum over many is nearly Gumbel
distributed (Gumbel, 1958), and that distribution is read off two of its quantiles.

A company in its first years changes so much that this limit may be out of reach of a distance,
which is 1 at most, and at first there are too few pairs for any. So a feature has drifted as well
when half of the customers are elsewhere, and further than that feature ever moved in the past.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import BoolArray, Feature, FeatureMatrix, FloatArray

CELLS: Final = 20
# Customers per snapshot that are looked at, evenly over their ids. Of so many, a difference of
# two points is visible; more would cost time and show what is of no consequence.
ROWS: Final = 5_000
# Chance of an alarm on a day without drift, over all features together.
FALSE_ALARM: Final = 0.01
# Pairs of past snapshots below which their spread says little.
MIN_PAIRS: Final = 8
# Scoring follows the last finished snapshot by the horizon and up to two months: the snapshots are
# a month apart, and a training is used for some weeks.
LAG_TOLERANCE_DAYS: Final = 62
# Mean of Kolmogorov's distribution: the distance of two draws from one population is, on average,
# this times sqrt(1 / n + 1 / m).
KOLMOGOROV_MEAN: Final = 0.8687
# Share of customers who are elsewhere that is too much, whatever a month usually does, unless the
# feature has moved further before.
TOO_FAR: Final = 0.5
# Quantiles that the distribution of the furthest moves is read off from.
LOWER_HALF: Final = (0.1, 0.5)
DECIMALS: Final = 6


@dataclass(frozen=True)
class Cells:
    """How one feature is cut.

    Attributes:
        feature: name and kind.
        edges: upper ends of the cells of a number; empty for codes, which are cells themselves.
    """

    feature: Feature
    edges: tuple[float, ...] = ()

    @classmethod
    def of(cls, feature: Feature, values: FloatArray) -> Cells:
        """Cut at the quantiles of the values; ties make fewer cells."""
        known = values[~np.isnan(values)]
        if feature.kind == "category" or not len(known):
            return cls(feature)
        inner = np.linspace(0, 1, CELLS + 1)[1:-1]
        edges = np.unique(np.quantile(known, inner, method="inverted_cdf"))
        return cls(feature, tuple(float(edge) for edge in edges))

    def __len__(self) -> int:
        inner = len(self.feature.categories) if self.is_code else len(self.edges) + 1
        return inner + 1

    @property
    def is_code(self) -> bool:
        """Whether the cells have no order."""
        return self.feature.kind == "category"

    def place(self, values: FloatArray) -> npt.NDArray[np.intp]:
        """The cell of each value; 0 is missing."""
        missing = np.isnan(values)
        if self.is_code:
            return np.where(missing, 0, np.nan_to_num(values) + 1).astype(np.intp)
        inner = np.searchsorted(np.asarray(self.edges, values.dtype), values, side="left")
        return np.where(missing, 0, inner + 1)

    def distance(self, one: FloatArray, other: FloatArray) -> FloatArray:
        """Distance of two distributions over the cells; the last axis is the cells."""
        difference = one - other
        if self.is_code:
            return np.asarray(np.abs(difference).sum(axis=-1) / 2)
        return np.asarray(np.abs(difference.cumsum(axis=-1)).max(axis=-1))


@dataclass(frozen=True)
class Reference:
    """What a model learnt from, as far as it takes to see drift.

    Attributes:
        day: of the snapshot that is compared with.
        rows: of that snapshot, as far as looked at.
        cells: one per feature.
        shares: of customers in each cell, per feature.
        scales: how far each feature usually moves.
        furthest: how far each feature has moved at most.
        limit: multiple of its scale beyond which a feature has drifted.
        pairs: pairs of past snapshots that scales and limit come from; 0: too few for a limit.
    """

    day: date
    rows: int
    cells: tuple[Cells, ...]
    shares: tuple[tuple[float, ...], ...]
    scales: tuple[float, ...]
    furthest: tuple[float, ...]
    limit: float
    pairs: int

    @classmethod
    def of(
        cls,
        matrix: FeatureMatrix,
        snapshots: npt.NDArray[np.datetime64],
        *,
        day: date,
        names: Sequence[str],
        horizon_days: int,
    ) -> Reference:
        """Take the reference and the movements of the past.

        Args:
            matrix: features of the snapshots that were learnt from and judged on, no later ones:
                what came since is to be judged, and not by itself; the rows of each in the order
                of customers.
            snapshots: day of each row.
            day: the snapshot to compare with, one of them.
            names: the features to look at.
            horizon_days: by which scoring follows the latest finished snapshot.
        """
        chosen = matrix.columns(names)
        days = np.unique(snapshots)
        rows = [_few(np.flatnonzero(snapshots == each)) for each in days]
        at = int(np.flatnonzero(days == np.datetime64(day, "s"))[0])
        columns = range(len(names))
        values = chosen.values
        cells = tuple(
            Cells.of(feature, values[rows[at], column])
            for column, feature in zip(columns, chosen.features, strict=True)
        )
        shares = [
            np.array([_shares(cut, values[each, column]) for each in rows])
            for column, cut in zip(columns, cells, strict=True)
        ]
        earlier, later = _pairs(days, horizon_days)
        distances = np.column_stack(
            [
                cut.distance(each[later], each[earlier])
                for cut, each in zip(cells, shares, strict=True)
            ]
        )
        sizes = np.array([len(each) for each in rows])
        chance = KOLMOGOROV_MEAN * np.sqrt(2 / sizes.mean())
        # Today's move begins where the past ends: it shares no day with those that made the scale.
        apart = (earlier[:, None] >= later) | (later[:, None] <= earlier)
        scales, limit, pairs = _null(distances, apart, chance)
        return cls(
            day=day,
            rows=int(sizes[at]),
            cells=cells,
            shares=tuple(tuple(np.round(each[at], DECIMALS).tolist()) for each in shares),
            scales=tuple(np.round(scales, DECIMALS).tolist()),
            furthest=tuple(np.round(distances.max(axis=0, initial=0.0), DECIMALS).tolist()),
            limit=round(limit, DECIMALS),
            pairs=pairs,
        )

    def compare(self, matrix: FeatureMatrix) -> pd.DataFrame:
        """How far each feature of one snapshot is from the reference.

        Args:
            matrix: of the same schema; rows in the order of customers.

        Returns:
            One row per feature: feature, statistic, threshold, is_drifted, missing_share,
            reference_missing_share, reference_on, customers.
        """
        few = _few(np.arange(len(matrix)))
        # A smaller population than the reference moves further by chance alone.
        least = KOLMOGOROV_MEAN * np.sqrt(1 / self.rows + 1 / max(len(few), 1))
        found = []
        for cut, then, scale, furthest in zip(
            self.cells, self.shares, self.scales, self.furthest, strict=True
        ):
            name = cut.feature.name
            now = _shares(cut, matrix.values[few, matrix.names.index(name)])
            distance = float(cut.distance(now, np.asarray(then)))
            threshold = max(TOO_FAR, furthest + least)
            if self.pairs:
                threshold = min(threshold, self.limit * max(scale, least))
            found.append((name, distance, threshold, now[0], then[0]))
        table = pd.DataFrame(
            found,
            columns=[
                "feature",
                "statistic",
                "threshold",
                "missing_share",
                "reference_missing_share",
            ],
        )
        return table.assign(
            is_drifted=table["statistic"] > table["threshold"],
            reference_on=pd.Timestamp(self.day),
            customers=len(few),
        )

    def to_json(self) -> dict[str, Any]:
        """The reference as a model version holds it; features by name."""
        return {
            "day": self.day.isoformat(),
            "rows": self.rows,
            "limit": self.limit,
            "pairs": self.pairs,
            "features": [
                {
                    "name": cut.feature.name,
                    "edges": list(cut.edges),
                    "shares": list(shares),
                    "scale": scale,
                    "furthest": furthest,
                }
                for cut, shares, scale, furthest in zip(
                    self.cells, self.shares, self.scales, self.furthest, strict=True
                )
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], features: Sequence[Feature]) -> Reference:
        """Read it back.

        Args:
            stored: of `to_json`.
            features: of the model's schema.
        """
        known = {feature.name: feature for feature in features}
        held = stored["features"]
        return cls(
            day=date.fromisoformat(stored["day"]),
            rows=int(stored["rows"]),
            cells=tuple(Cells(known[each["name"]], tuple(each["edges"])) for each in held),
            shares=tuple(tuple(each["shares"]) for each in held),
            scales=tuple(float(each["scale"]) for each in held),
            furthest=tuple(float(each["furthest"]) for each in held),
            limit=float(stored["limit"]),
            pairs=int(stored["pairs"]),
        )


def _few(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """At most `ROWS` of the rows, evenly."""
    return rows[:: max(1, -(-len(rows) // ROWS))]


def _shares(cut: Cells, values: FloatArray) -> FloatArray:
    counts = np.bincount(cut.place(values), minlength=len(cut))
    return np.asarray(counts / max(len(values), 1))


def _pairs(
    days: npt.NDArray[np.datetime64], horizon_days: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of past snapshots that are as far apart as training and scoring are."""
    apart = (days[None, :] - days[:, None]) / np.timedelta64(1, "D")
    earlier, later = np.nonzero(
        (apart >= horizon_days) & (apart <= horizon_days + LAG_TOLERANCE_DAYS)
    )
    return earlier, later


def _null(distances: FloatArray, apart: BoolArray, chance: float) -> tuple[FloatArray, float, int]:
    """Scale of every feature, the limit in multiples of it, and the pairs they come from.

    Args:
        distances: one row per pair of past snapshots, one column per feature.
        apart: for each pair, which others share no day with it.
        chance: what two random draws are apart on average.
    """
    squares, features = distances**2, distances.shape[1]
    judged = apart.sum(axis=1) >= MIN_PAIRS
    if judged.sum() < MIN_PAIRS:
        return np.full(features, chance), 0.0, 0
    others = np.sqrt((apart[judged] @ squares) / apart[judged].sum(axis=1)[:, None])
    furthest = (distances[judged] / np.maximum(others, chance)).max(axis=1)
    # From the lower half: a source that began in some of the months moved out of all proportion
    # then, and would let everything pass for ever.
    low, middle = np.quantile(furthest, LOWER_HALF)
    spread = (middle - low) / (_gumbel(LOWER_HALF[1]) - _gumbel(LOWER_HALF[0]))
    limit = middle + spread * (_gumbel(1 - FALSE_ALARM) - _gumbel(LOWER_HALF[1]))
    scales = np.maximum(np.sqrt(squares.mean(axis=0)), chance)
    return scales, float(limit), int(judged.sum())


def _gumbel(quantile: float) -> float:
    """A quantile of the standard Gumbel distribution."""
    return float(-np.log(-np.log(quantile)))
