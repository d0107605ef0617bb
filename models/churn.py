"""The churn model: many small, slow boosted trees on the features and the purchase model's view.

XGBoost's defaults lose to logistic regression on data of this size; shallow trees at a small step
win. How many is chosen on a later snapshot inside the training window, never on the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from models.baselines import histories
from models.bg_nbd import BgNbd
from models.features import BoolArray, Feature, FeatureMatrix, FloatArray
from models.native import xgboost
from models.predictors import Contributions
from models.tree_file import require_sound

# What the purchase model says of a customer, as features; its own names in the drivers.
PURCHASE_FEATURES = tuple(
    Feature(name, "number") for name in ("bg_nbd_alive", "bg_nbd_orders", "bg_nbd_silent")
)

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.5,
    "reg_lambda": 5.0,
    "max_bin": 128,
    # Codes with few values are split one against the rest, others by partition.
    "max_cat_to_onehot": 8,
}
# Rounds tried on the validation snapshot. Beyond the last, data of any size seen so far overfits.
ROUNDS = (30, 50, 70, 100, 150, 200, 280)
# Used where the training window is too short to keep a validation snapshot apart.
DEFAULT_ROUNDS = 80
# A leaf must hold this much evidence (Hessian, a quarter row at even odds), less on small data.
MAX_MIN_CHILD_WEIGHT = 20.0
MIN_CHILD_WEIGHT_SHARE = 0.005


@dataclass(frozen=True)
class ChurnTrees:
    """Grown trees, as UBJSON, with what is needed to build their input."""

    ubj: bytes
    names: tuple[str, ...]
    bg_nbd: BgNbd
    horizon_days: int
    threads: int
    role: ClassVar[str] = "trees"

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        churned: BoolArray,
        *,
        rounds: int,
        bg_nbd: BgNbd,
        horizon_days: int,
        seed: int,
        threads: int,
    ) -> ChurnTrees:
        """Grow the trees.

        Args:
            matrix: features of the growing snapshots, calendar columns left out.
            churned: their labels.
            rounds: how many trees.
            bg_nbd: the purchase model, fitted on no later history.
            horizon_days: horizon of the label.
            seed: of the row and column sampling.
            threads: part of the recorded parameters; the trees do not depend on it.
        """
        weight = min(MAX_MIN_CHILD_WEIGHT, MIN_CHILD_WEIGHT_SHARE * len(churned))
        data = _data(_widen(matrix, bg_nbd, horizon_days), threads, churned)
        booster = xgboost().train(
            PARAMETERS
            | {"min_child_weight": weight, "seed": seed, "nthread": threads, "verbosity": 0},
            data,
            num_boost_round=rounds,
        )
        ubj = bytes(booster.save_raw("ubj"))
        return cls(ubj, matrix.names, bg_nbd, horizon_days, threads)

    @cached_property
    def booster(self) -> Any:
        """The trees in XGBoost's own form.

        Raises:
            StoreError: when the bytes are not a sound tree model.
        """
        self.require_sound()
        booster = xgboost().Booster({"nthread": self.threads})
        booster.load_model(bytearray(self.ubj))
        return booster

    def require_sound(self) -> None:
        """Refuse trees that native code could stumble over, before it sees them.

        Raises:
            StoreError: when the bytes are not a sound tree model over these features.
        """
        require_sound(self.ubj, features=len(self.names) + len(PURCHASE_FEATURES))

    def margin(self, matrix: FeatureMatrix, rounds: int = 0) -> FloatArray:
        """Log odds of churn by the first so many trees; zero means all of them."""
        margin: FloatArray = self.booster.predict(
            self._data(matrix), output_margin=True, iteration_range=(0, rounds)
        )
        return margin.astype(np.float64)

    def contributions(self, matrix: FeatureMatrix) -> Contributions:
        """What each feature adds along the customer's path through each tree (Saabas).

        Exact Shapley values cost ten times as much (100 s against 9 s for a million customers)
        and agree to a correlation of 0.999 on trees this shallow.
        """
        data = self._data(matrix)
        added = self.booster.predict(data, pred_contribs=True, approx_contribs=True)
        names = tuple(data.feature_names)
        return Contributions(names, added.reshape(len(matrix), len(names) + 1)[:, :-1])

    def importance(self) -> dict[str, float]:
        """Share of the total gain by feature, largest first, for the card."""
        gain: Mapping[str, float] = self.booster.get_score(importance_type="total_gain")
        total = sum(gain.values()) or 1.0
        ranked = sorted(gain.items(), key=lambda item: (-item[1], item[0]))
        return {name: round(value / total, 6) for name, value in ranked}

    def _data(self, matrix: FeatureMatrix) -> Any:
        wide = _widen(matrix.columns(self.names), self.bg_nbd, self.horizon_days)
        return _data(wide, self.threads)

    def to_json(self) -> dict[str, Any]:
        """All but the trees, which have a file of their own."""
        return {
            "names": list(self.names),
            "bg_nbd": self.bg_nbd.to_json(),
            "horizon_days": self.horizon_days,
            "threads": self.threads,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], ubj: bytes) -> ChurnTrees:
        """Put the trees and their surroundings together again."""
        return cls(
            ubj,
            tuple(map(str, stored["names"])),
            BgNbd.from_json(stored["bg_nbd"]),
            int(stored["horizon_days"]),
            int(stored["threads"]),
        )


def _widen(matrix: FeatureMatrix, bg_nbd: BgNbd, horizon_days: int) -> FeatureMatrix:
    """Add the purchase model's view of each customer to the features."""
    history = histories(matrix)
    views = (
        bg_nbd.probability_alive(*history),
        bg_nbd.expected_orders(*history, horizon_days),
        bg_nbd.probability_silent(*history, horizon_days),
    )
    values = np.column_stack([matrix.values, *views]).astype(np.float32)
    return FeatureMatrix((*matrix.features, *PURCHASE_FEATURES), values)


def _data(matrix: FeatureMatrix, threads: int, churned: BoolArray | None = None) -> Any:
    """XGBoost's matrix; codes stay categories, NaN stays missing."""
    return xgboost().DMatrix(
        matrix.values,
        churned,
        feature_names=list(matrix.names),
        feature_types=["c" if each.kind == "category" else "q" for each in matrix.features],
        enable_categorical=True,
        nthread=threads,
    )
