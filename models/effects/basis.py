"""Features as 0/1 columns: what a linear model of effects is linear in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from models.frame.features import FloatArray

BINS: Final = 8  # of a numeric feature, equally filled
MIN_LEVEL_ROWS: Final = 30  # rows of a category that gets a coefficient of its own


@dataclass(frozen=True)
class Basis:
    """Features as 0/1 columns: quantile bins of numbers, levels of text, missing as a level.

    Attributes:
        edges: by numeric feature, last values of its bins but the last one.
        levels: by text feature, its levels that have a column.
    """

    edges: Mapping[str, tuple[float, ...]]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, features: pd.DataFrame) -> Basis:
        """Choose bins and levels."""
        edges: dict[str, tuple[float, ...]] = {}
        levels: dict[str, tuple[str, ...]] = {}
        for name, column in features.items():
            if pd.api.types.is_numeric_dtype(column):
                values = column.to_numpy(np.float64, na_value=np.nan)
                known = values[~np.isnan(values)]
                distinct = np.unique(known)
                # Quantiles of a flag may all be the same value.
                cuts = (
                    distinct
                    if len(distinct) <= BINS
                    else np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
                )
                edges[str(name)] = tuple(float(cut) for cut in cuts if cut < distinct[-1])
            else:
                counts = column.astype(object).where(column.notna(), "").value_counts()
                levels[str(name)] = tuple(
                    sorted(str(level) for level, n in counts.items() if n >= MIN_LEVEL_ROWS)
                )
        return cls(edges, levels)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column says."""
        return (
            *(f"{name} > {edge:g}" for name, edges in self.edges.items() for edge in edges),
            *(f"{name} unknown" for name in self.edges),
            *(f"{name} = {level}" for name, levels in self.levels.items() for level in levels),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """The feature that each column is made of."""
        return (
            *(name for name, edges in self.edges.items() for _ in edges),
            *self.edges,
            *(name for name, levels in self.levels.items() for _ in levels),
        )

    def columns(self, features: pd.DataFrame) -> FloatArray:
        """The 0/1 columns, shape (rows, names).

        Raises:
            KeyError: a feature is missing.
        """
        numbers = {
            name: features[name].to_numpy(np.float64, na_value=np.nan) for name in self.edges
        }
        texts = {
            name: features[name].astype(object).where(features[name].notna(), "")
            for name in self.levels
        }
        made = [
            *(numbers[name] > edge for name, edges in self.edges.items() for edge in edges),
            *(np.isnan(values) for values in numbers.values()),
            *(
                (texts[name] == level).to_numpy()
                for name, levels in self.levels.items()
                for level in levels
            ),
        ]
        shape = (len(features), len(made))
        return np.stack(made, axis=1).astype(np.float64) if made else np.zeros(shape)
