"""The churn model: many small, slow boosted trees that correct two simpler models.

What Pareto/NBD says of a customer's rhythm and the logistic regression of everything else is taken
as given, in part: the trees start from both and learn what they do not know. Pareto/NBD is asked
about the days over which each row was watched, so that rows with different horizons teach one
model. Each snapshot's own share of churners is taken out before: a season is no property of a
customer, and trees that learnt it would apply it in the next one. The calibration's level puts the
season of the day back.

XGBoost's defaults lose to logistic regression on data of this size; shallow trees at a small step
win.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from models.churn.baselines import Logistic
from models.frame.features import Feature, FeatureMatrix, FloatArray
from models.frame.outcomes import Outcomes
from models.native import tree_input, tree_margin, xgboost
from models.probability.calibration import at_own_level
from models.probability.predictors import Contributions, log_odds
from models.purchase.histories import histories
from models.purchase.pareto_nbd import ParetoNbd
from models.trees.leaves import Leaves, add_up
from models.trees.tree_file import sound_trees

# What the purchase model says of a customer, as features; its own names in the drivers.
SILENT = "pareto_nbd_silent"
PURCHASE_FEATURES = (Feature("pareto_nbd_alive", "number"), Feature(SILENT, "number"))
# Share of either simpler model's log odds that the trees start from; ADR 14 tells what was tried.
GIVEN = 0.3

PARAMETERS: dict[str, Any] = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.7,
    "colsample_bytree": 0.3,
    "reg_lambda": 5.0,
    "max_bin": 128,
    # Codes with few values are split one against the rest, others by partition.
    "max_cat_to_onehot": 8,
}
# How many trees. The out-of-time loss is flat from 80 to 200 on CDNOW, Online Retail and the sample
# company: a search for the best number costs as much as the training and finds noise.
ROUNDS = 120
# A leaf must hold this much evidence (Hessian, a quarter row at even odds), less on small data.
MAX_MIN_CHILD_WEIGHT = 20.0
MIN_CHILD_WEIGHT_SHARE = 0.005


@dataclass(frozen=True)
class ChurnTrees:
    """Grown trees, as UBJSON, with what is needed to build their input.

    Attributes:
        names: the features that the trees read, besides `PURCHASE_FEATURES`.
        purchases: the purchase model that they correct.
        regression: the logistic regression that they correct.
        reference: mean log odds of silence over the rows that taught; where a history is unknown.
    """

    ubj: bytes
    names: tuple[str, ...]
    purchases: ParetoNbd
    regression: Logistic
    horizon_days: int
    reference: float
    threads: int
    role: ClassVar[str] = "trees"

    @classmethod
    def fit(
        cls,
        matrix: FeatureMatrix,
        outcomes: Outcomes,
        *,
        purchases: ParetoNbd,
        regression: Logistic,
        horizon_days: int,
        seed: int,
        threads: int,
    ) -> ChurnTrees:
        """Grow the trees, each row at the longest horizon that was watched.

        Args:
            matrix: features of the growing snapshots, calendar columns left out.
            outcomes: what became of the rows.
            purchases: the purchase model, fitted on no later history.
            regression: the logistic regression, fitted on no later outcome and on features of
                `matrix`.
            horizon_days: horizon of the label; no row is asked about more days.
            seed: of the row and column sampling.
            threads: part of the recorded parameters; the trees do not depend on it.
        """
        watched = np.minimum(outcomes.observed, horizon_days)
        churned = outcomes.churned(watched)
        views = _views(matrix, purchases, watched)
        reference = float(np.nanmean(views[:, 1])) if np.isfinite(views[:, 1]).any() else 0.0
        given = _given(views, reference, regression.margin(matrix))
        given = at_own_level(given, churned, outcomes.snapshots)
        weight = min(MAX_MIN_CHILD_WEIGHT, MIN_CHILD_WEIGHT_SHARE * len(churned))
        booster = xgboost().train(
            PARAMETERS
            | {"min_child_weight": weight, "seed": seed, "nthread": threads, "verbosity": 0},
            tree_input(matrix.beside(PURCHASE_FEATURES, views), threads, churned, given),
            num_boost_round=ROUNDS,
        )
        ubj = bytes(booster.save_raw("ubj"))
        return cls(ubj, matrix.names, purchases, regression, horizon_days, reference, threads)

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

    @cached_property
    def leaves(self) -> list[Leaves]:
        """What the leaves of each tree say, in the order of the trees.

        Raises:
            StoreError: when the bytes are not a sound tree model.
        """
        return [Leaves.of(tree) for tree in self.require_sound()]

    def require_sound(self) -> list[dict[str, Any]]:
        """The trees as the bytes hold them; those that native code could stumble over are refused.

        Raises:
            StoreError: when the bytes are not a sound tree model over these features.
        """
        return sound_trees(self.ubj, features=len(self.names) + len(PURCHASE_FEATURES))

    def margin(self, matrix: FeatureMatrix) -> FloatArray:
        """Log odds of churn, but for the level of the day."""
        wide, given, _ = self._asked(matrix, self.regression.margin(matrix))
        return tree_margin(self.booster, wide, given).astype(np.float64)

    def explained(self, matrix: FeatureMatrix) -> tuple[FloatArray, Contributions]:
        """What each feature adds along the customer's path through each tree (`leaves`).

        Exact Shapley values agree to a correlation of 0.999 on trees this shallow, and cost far
        more (benchmarks/scale.py). Of what the trees start from, the purchase model's part is the
        silence's, as far as it is more than usual, and the regression's part is that of its
        features.
        """
        level, regression = self.regression.explained(matrix)
        wide, given, silent = self._asked(matrix, level)
        data = tree_input(wide, self.threads)
        reached = self.booster.predict(data, pred_leaf=True).reshape(len(matrix), len(self.leaves))
        margin, values = add_up(self.leaves, reached, given, len(wide.names))
        values[wide.names.index(SILENT)] += GIVEN * (silent - self.reference)
        for name, added in zip(regression.names, regression.values.T, strict=True):
            values[wide.names.index(name)] += GIVEN * added
        return margin.astype(np.float64), Contributions(wide.names, values.T)

    def _asked(
        self, matrix: FeatureMatrix, regression: FloatArray
    ) -> tuple[FeatureMatrix, FloatArray, FloatArray]:
        """What the trees read, what they start from, and Pareto/NBD's log odds of silence."""
        views = _views(matrix, self.purchases, float(self.horizon_days))
        wide = matrix.columns(self.names).beside(PURCHASE_FEATURES, views)
        given = _given(views, self.reference, regression)
        return wide, given, _silent(views, self.reference)

    def importance(self) -> dict[str, float]:
        """Share of the total gain by feature, largest first, for the card."""
        gain: Mapping[str, float] = self.booster.get_score(importance_type="total_gain")
        total = sum(gain.values()) or 1.0
        ranked = sorted(gain.items(), key=lambda item: (-item[1], item[0]))
        return {name: round(value / total, 6) for name, value in ranked}

    def to_json(self) -> dict[str, Any]:
        """All but the trees and what they correct, which stand in files of their own."""
        return {
            "names": list(self.names),
            "horizon_days": self.horizon_days,
            "reference": self.reference,
            "threads": self.threads,
        }

    @classmethod
    def from_json(
        cls, stored: Mapping[str, Any], ubj: bytes, *, purchases: ParetoNbd, regression: Logistic
    ) -> ChurnTrees:
        """Put the trees and their surroundings together again."""
        return cls(
            ubj,
            tuple(map(str, stored["names"])),
            purchases,
            regression,
            int(stored["horizon_days"]),
            float(stored["reference"]),
            int(stored["threads"]),
        )


def _views(matrix: FeatureMatrix, purchases: ParetoNbd, horizon: float | FloatArray) -> FloatArray:
    """The purchase model's view of each customer: P(alive), and the log odds of silence."""
    alive, silent = purchases.outlook(*histories(matrix), horizon)
    return np.column_stack([alive, log_odds(silent)])


def _silent(views: FloatArray, reference: float) -> FloatArray:
    silent = views[:, 1]
    return np.where(np.isnan(silent), reference, silent)


def _given(views: FloatArray, reference: float, regression: FloatArray) -> FloatArray:
    return GIVEN * (_silent(views, reference) + regression)
