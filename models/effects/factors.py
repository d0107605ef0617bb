"""Measured effects as multiples of the assumed ones: of all, of each tactic, of each plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.effects.effect_model import ASSUMPTION_DEVIATION
from models.effects.plans import ALL, TACTIC
from models.effects.trial import FOLDS, Prepared
from models.evaluation.confidence import Z
from models.frame.features import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Factor:
    """A measured effect as a multiple of the assumed one, drawn towards `centre`.

    Least squares of the residual on assumed effect times contrast, each row weighed by its
    variance; `weight` is that of the measurement against the centre.
    """

    value: float
    lower: float
    upper: float
    weight: float

    @classmethod
    def of(cls, prepared: Prepared, rows: BoolArray, centre: float) -> Factor:
        """Measure it on some rows of a trial."""
        assumed = prepared.trial.assumed[rows] * prepared.contrast[rows]
        variance = prepared.variance[rows]
        information = float((assumed**2 / variance).sum())
        moment = float((assumed * prepared.residual[rows] / variance).sum())
        own = 1 / ASSUMPTION_DEVIATION**2
        value = (moment + own * centre) / (information + own)
        margin = Z / float(np.sqrt(information + own))
        # Whoever is harmed by acting is left alone; nobody is worth more for being harmed.
        return cls(
            max(value, 0.0), value - margin, value + margin, information / (information + own)
        )

    def to_json(self) -> dict[str, float]:
        """The factor as it is stored."""
        return {
            "factor": self.value,
            "lower": self.lower,
            "upper": self.upper,
            "weight": self.weight,
        }


@dataclass(frozen=True)
class Factors:
    """Factors on the assumed effects: of all, of a tactic, of a plan; each drawn to the one above.

    A tactic is not right or wrong as a whole: a voucher that keeps those who left for the price
    does nothing for those of whom nothing is known, and a common factor would send it to both.
    """

    everything: Factor
    tactics: Mapping[str, Factor]
    plans: tuple[Factor, ...]

    @classmethod
    def of(
        cls, prepared: Prepared, plan: IntArray, plans: pd.DataFrame, rows: BoolArray
    ) -> Factors:
        """Measure all of them on some rows of a trial.

        Args:
            prepared: the trial, with the effect that was assumed of each row.
            plan: place in `plans` of each row's plan; -1 where there is none.
            plans: as for `treatment_effects.estimate`.
            rows: that may teach.
        """
        everything = Factor.of(prepared, rows, 1.0)
        tactics = {
            tactic: Factor.of(
                prepared, rows & (prepared.trial.treatment == tactic), everything.value
            )
            for tactic in sorted(set(plans[TACTIC]))
        }
        return cls(
            everything,
            tactics,
            tuple(
                Factor.of(prepared, rows & (plan == place), tactics[tactic].value)
                for place, tactic in enumerate(plans[TACTIC])
            ),
        )

    def of_rows(self, plan: IntArray, tactic: npt.NDArray[np.object_]) -> FloatArray:
        """Factor of each row: of its plan, else of its tactic, else of all."""
        of_plan = np.array([*(each.value for each in self.plans), np.nan])[plan]
        of_tactic = np.array([self.tactics.get(str(t), self.everything).value for t in tactic])
        return np.where(np.isnan(of_plan), of_tactic, of_plan)

    @property
    def most_weight(self) -> float:
        """Weight of the measurement against the assumption where it weighs most."""
        return max(each.weight for each in (self.everything, *self.tactics.values(), *self.plans))

    def to_json(self, plans: pd.DataFrame) -> dict[str, Any]:
        """The factors as they are stored, each with what it is of."""
        keys = plans[["goal", "plan_for", TACTIC]].itertuples(index=False)
        return {
            ALL: self.everything.to_json(),
            "tactics": {name: each.to_json() for name, each in self.tactics.items()},
            "plans": [
                {"goal": goal, "plan_for": sign, TACTIC: tactic, **each.to_json()}
                for (goal, sign, tactic), each in zip(keys, self.plans, strict=True)
            ],
        }


def held_out_factor(kept: Prepared, plan: IntArray, plans: pd.DataFrame) -> FloatArray:
    """Factor on the assumed effect of each row, learnt from the other folds."""
    factor = np.ones(len(plan))
    for fold in range(FOLDS):
        out = kept.folds == fold
        others = Factors.of(kept, plan, plans, ~out)
        factor[out] = others.of_rows(plan[out], kept.trial.treatment[out])
    return factor
