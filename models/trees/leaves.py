"""What each feature adds on the way to a leaf of a boosted tree (Saabas, 2014).

Each split moves a row from the mean of a node to the mean of the child it falls into, and the
feature of the split is given the difference. The way to a leaf is the same for every row that ends
there: so a tree is walked once, and a row looks up what its leaves say. XGBoost's `approx_contribs`
walks for every row and takes twice as long; the sums are the same but for the last bits, the log
odds to the last one (tests).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.frame.features import FloatArray


@dataclass(frozen=True)
class Leaves:
    """One tree, by the number of a node.

    Attributes:
        value: what a leaf adds to the log odds (float32, as the trees hold it).
        added: by position of a feature: what its splits add on the way to each node.
    """

    value: FloatArray
    added: Mapping[int, FloatArray]

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> Leaves:
        """Walk a tree that is sound: children come after their parents (`tree_file`)."""
        left, right = (np.asarray(tree[f"{side}_children"]) for side in ("left", "right"))
        split_on = np.asarray(tree["split_indices"])
        evidence = np.asarray(tree["sum_hessian"], dtype=np.float64)
        value = np.asarray(tree["split_conditions"], dtype=np.float32)
        inner = np.flatnonzero(left >= 0)
        mean = value.astype(np.float64)
        for node in inner[::-1]:
            sides = [left[node], right[node]]
            mean[node] = np.average(mean[sides], weights=evidence[sides])
        added = {int(each): np.zeros(len(left)) for each in np.unique(split_on[inner])}
        for node in inner:
            for child in (left[node], right[node]):
                for so_far in added.values():
                    so_far[child] = so_far[node]
                added[int(split_on[node])][child] += mean[child] - mean[node]
        return cls(value, {at: each.astype(np.float32) for at, each in added.items()})


def add_up(
    trees: Sequence[Leaves], reached: npt.NDArray[Any], start: FloatArray, features: int
) -> tuple[FloatArray, FloatArray]:
    """The log odds of each row, and what each feature adds to them.

    Args:
        trees: in their order.
        reached: number of the leaf that each row reaches: rows x trees.
        start: log odds that the trees were grown upon.
        features: how many there are.

    Returns:
        Log odds (float32, added up in the order of the trees, as XGBoost does), and contributions:
        features x rows.
    """
    margin = start.astype(np.float32)
    contributions = np.zeros((features, len(reached)), dtype=np.float32)
    for at, tree in enumerate(trees):
        leaf = reached[:, at].astype(np.intp)
        margin += tree.value[leaf]
        for feature, added in tree.added.items():
            contributions[feature] += added[leaf]
    return margin, contributions
