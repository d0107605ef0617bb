"""A model version in memory: what it serves, what stands beside it, and its card.

One form for all that can be served, trees, baseline or rule, so that scoring, store and pointer
never ask which it is. The version is a hash of the content: the same training gives the same name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models.churn.baselines import Logistic, ParetoPurchaseModel, PurchaseModel, Recency, Rule
from models.churn.trees import ChurnTrees
from models.errors import StoreError
from models.frame.features import FeatureMatrix, FeatureSchema, FloatArray
from models.monitoring.drift import Reference
from models.probability.calibration import EPSILON, Calibration
from models.probability.predictors import Contributions, Predictor, probability_of
from models.purchase.bg_nbd import BgNbd
from models.versions import forms
from models.versions.card import CARD_PAGE, Card
from models.versions.version import Version, canonical_json

TREES_FILE: Final = "model.ubj"
CALIBRATION_FILE: Final = "calibration.json"
BASELINES_FILE: Final = "baselines.json"
REFERENCE_FILE: Final = "reference.json"

BASELINES: Final[dict[str, Any]] = {
    each.role: each for each in (Recency, Logistic, PurchaseModel, ParetoPurchaseModel, Rule)
}
SCORE_KINDS: Final = {ChurnTrees.role: "model", Rule.role: "rule"}


# Rows that are scored at a time: bounds the memory of a large scoring run to a few hundred MB above
# the frame itself, and what is computed on the way stays in memory that the process already has (a
# million rows at once take a third more time). Smaller ones put the same words together more often.
CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class ChurnModel(Version):
    """Everything that scoring needs, and the card that says where it came from.

    Attributes:
        as_of: the day of the training; no later day was known to it.
        serves: role of the predictor that scores: trees, recency, logistic, bg_nbd,
            pareto_nbd or rule.
        schema: the features every frame must have.
        predictors: by role; the served one and those it was judged against.
        calibrations: by role; a rule has none, nor a model that nothing taught.
        card: metrics, windows, seeds and versions, for people.
        reference: what it learnt from, as far as it takes to see drift; none as long as
            nothing was learnt.
    """

    as_of: date
    horizon_days: int
    serves: str
    schema: FeatureSchema
    predictors: Mapping[str, Predictor]
    calibrations: Mapping[str, Calibration]
    card: Mapping[str, Any]
    reference: Reference | None = None

    @property
    def score_kind(self) -> str:
        """What a score of this version is called: model, baseline or rule."""
        return SCORE_KINDS.get(self.serves, "baseline")

    @property
    def is_judged(self) -> bool:
        """Whether it was judged out of time; a rule was not, nor a model that nothing taught."""
        return bool(self.card.get("metrics"))

    @property
    def bg_nbd(self) -> BgNbd | None:
        """The purchase model, where there was enough data for one."""
        predictor = self.predictors.get(PurchaseModel.role)
        process = predictor.process if isinstance(predictor, PurchaseModel) else None
        return process if isinstance(process, BgNbd) else None

    def probability(
        self,
        matrix: FeatureMatrix,
        snapshots: npt.NDArray[np.datetime64],
        role: str | None = None,
    ) -> FloatArray:
        """Churn probability of each row by the served predictor, or by another one."""
        role = role or self.serves
        predictor = self.predictors[role]
        chunks = [slice(at, at + CHUNK_ROWS) for at in range(0, max(len(matrix), 1), CHUNK_ROWS)]
        return np.concatenate(
            [
                self._calibrated(predictor.margin(matrix.rows(chunk)), snapshots[chunk], role)
                for chunk in chunks
            ]
        )

    def explained(
        self, matrix: FeatureMatrix, snapshots: npt.NDArray[np.datetime64]
    ) -> tuple[FloatArray, Contributions]:
        """The same by the served predictor, and what each feature adds to its log odds."""
        margin, contributions = self.predictors[self.serves].explained(matrix)
        return self._calibrated(margin, snapshots, self.serves), contributions

    def _calibrated(
        self, margin: FloatArray, snapshots: npt.NDArray[np.datetime64], role: str
    ) -> FloatArray:
        calibration = self.calibrations.get(role)
        if calibration is None:
            return np.clip(probability_of(margin), EPSILON, 1 - EPSILON)
        return calibration.probability(margin, snapshots)

    def files(self) -> dict[str, bytes]:
        """Trees, baselines, calibrations, card and reference."""
        trees = self.predictors.get(ChurnTrees.role)
        files = {
            BASELINES_FILE: canonical_json(
                {r: p.to_json() for r, p in self.predictors.items() if r != ChurnTrees.role}
            ),
            CALIBRATION_FILE: canonical_json(
                {r: c.to_json() for r, c in self.calibrations.items()}
            ),
            **forms.CHURN.written(
                self.as_of,
                {
                    "horizon_days": self.horizon_days,
                    "serves": self.serves,
                    "features": self.schema.to_json(),
                    "schema_sha256": self.schema.sha256,
                    "trees": trees.to_json() if isinstance(trees, ChurnTrees) else None,
                    **self.card,
                },
            ),
        }
        if isinstance(trees, ChurnTrees):
            files[TREES_FILE] = trees.ubj
        if self.reference is not None:
            files[REFERENCE_FILE] = canonical_json(self.reference.to_json())
        return files

    def pages(self) -> dict[str, bytes]:
        """The card as a page."""
        return {CARD_PAGE: Card.from_json(self.card).page(self.version)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ChurnModel:
        """Build a version from its files, whose checksums the store has verified.

        Raises:
            StoreError: when the files are of another format or do not fit together.
        """
        with forms.CHURN.opened(files) as (as_of, card):
            schema = FeatureSchema.from_json(card.pop("features"))
            if schema.sha256 != card.pop("schema_sha256"):
                raise StoreError("the card's features do not have the hash that the card states")
            baselines: dict[str, Any] = {
                role: BASELINES[role].from_json(stored)
                for role, stored in json.loads(files[BASELINES_FILE]).items()
            }
            predictors: dict[str, Predictor] = dict(baselines)
            stored_trees = card.pop("trees")
            if stored_trees is not None:
                trees = ChurnTrees.from_json(
                    stored_trees,
                    files[TREES_FILE],
                    purchases=baselines[ParetoPurchaseModel.role].process,
                    regression=baselines[Logistic.role],
                )
                trees.require_sound()
                predictors[ChurnTrees.role] = trees
            calibrations = {
                role: Calibration.from_json(stored)
                for role, stored in json.loads(files[CALIBRATION_FILE]).items()
            }
            stored_reference = files.get(REFERENCE_FILE)
            model = cls(
                as_of,
                int(card.pop("horizon_days")),
                str(card.pop("serves")),
                schema,
                predictors,
                calibrations,
                card,
                Reference.from_json(json.loads(stored_reference), schema.features)
                if stored_reference is not None
                else None,
            )
        if model.serves not in model.predictors:
            raise StoreError(f"the model version serves {model.serves} and does not hold it")
        return model
