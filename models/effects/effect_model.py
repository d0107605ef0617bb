"""Effects that differ by customer: a linear model of them, its prior, and how it is learnt.

The learner is the R-learner (Nie & Wager, Biometrika 108(2), 2021) with a linear effect: with m the
cross-fitted mean of the outcome and e the known probability to be treated,
`Y - m(x) = (W - e) * effect(x) + noise`. Its coefficients have normal priors, centred on the
assumption, so that the solution is closed, has no seed, and falls back to the average where
customers do not differ; how wide the priors are, the marginal likelihood decides.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.effects.basis import Basis
from models.effects.trial import FOLDS, Prepared
from models.frame.features import BoolArray, FloatArray, IntArray

# Standard deviations of the priors: of differences between treatments; tried of those between
# customers, and between customers under one treatment, the first of which says there are none.
WIDTHS: Final = (1e-6, 0.01, 0.02, 0.05)
MAIN_WIDTH: Final = 0.05
# How far an assumption may be off, as a share of itself: it may well be worth nothing.
ASSUMPTION_DEVIATION: Final = 0.5


@dataclass(frozen=True)
class EffectModel:
    """A linear effect of each treatment, with what is needed to apply it.

    Attributes:
        basis: the features as columns.
        treatments: what was learnt of; others get what all have in common.
        coefficients: of the assumption, the columns, the treatments, and the columns under each.
        widths: standard deviations of the three priors that the marginal likelihood chose.
    """

    basis: Basis
    treatments: tuple[str, ...]
    coefficients: FloatArray
    widths: tuple[float, float, float]

    def effect(
        self,
        features: pd.DataFrame,
        treatment: npt.NDArray[np.object_],
        assumed: FloatArray,
    ) -> FloatArray:
        """Effect of a treatment on each row, in units of the outcome."""
        columns = self.basis.columns(features)
        layout = _Layout(columns.shape[1], self.treatments)
        return _applied(layout, self.coefficients, columns, treatment, assumed)

    def drivers(
        self,
        features: pd.DataFrame,
        treatment: npt.NDArray[np.object_],
        assumed: FloatArray,
    ) -> dict[str, float]:
        """Share of the differences between rows that each feature makes up, largest first.

        A feature makes up the standard deviation, over the rows, of its columns' part of the
        effect; so do the assumption and the treatment itself.
        """
        columns = self.basis.columns(features)
        layout, owner = _Layout(columns.shape[1], self.treatments), np.array(self.basis.features)
        names = ("what is assumed", *dict.fromkeys(self.basis.features), "treatment")
        entry_of = np.r_[["what is assumed"], owner, ["treatment"]]
        entries = np.column_stack([assumed, columns, np.ones(len(columns))])
        parts = np.zeros((len(columns), len(names)))
        for each in set(treatment):
            rows = treatment == each
            weights = _weights(layout, self.coefficients, str(each))
            for place, name in enumerate(names):
                own = entry_of == name
                parts[rows, place] = entries[np.ix_(rows, own)] @ weights[own]
        spread = parts.std(axis=0)
        shares = spread / (spread.sum() or 1.0)
        order = np.argsort(-shares, kind="stable")
        return {names[place]: float(shares[place]) for place in order if shares[place] > 0}

    def to_json(self) -> dict[str, Any]:
        """The model as it is stored: names and numbers."""
        return {
            "edges": {name: list(edges) for name, edges in self.basis.edges.items()},
            "levels": {name: list(levels) for name, levels in self.basis.levels.items()},
            "treatments": list(self.treatments),
            "coefficients": [float(each) for each in self.coefficients],
            "widths": list(self.widths),
        }


@dataclass(frozen=True)
class _Layout:
    """Where the coefficients stand: assumption, columns, treatments, columns of each treatment.

    A row of one treatment meets only its own: all but `width` of its entries are zero, and nothing
    as wide as the whole is ever made of rows.
    """

    columns: int
    treatments: tuple[str, ...]

    @property
    def crossed(self) -> bool:
        """With one treatment its own columns would be the common ones once more."""
        return len(self.treatments) > 1

    @property
    def size(self) -> int:
        count = len(self.treatments)
        return 1 + self.columns + count + self.crossed * self.columns * count

    def places(self, treatment: str) -> tuple[IntArray, IntArray]:
        """Coefficients that a row meets, and the entry of (assumed, columns, 1) each is for."""
        common = np.arange(1 + self.columns)
        if treatment not in self.treatments:
            return common, common
        at = self.treatments.index(treatment)
        main = [1 + self.columns + at]
        own = 1 + self.columns + len(self.treatments) + at * self.columns
        if not self.crossed:
            return np.r_[common, main], np.arange(self.columns + 2)
        places = np.r_[common, main, np.arange(own, own + self.columns)]
        return places, np.r_[np.arange(self.columns + 2), common[1:]]


def _applied(
    layout: _Layout,
    coefficients: FloatArray,
    columns: FloatArray,
    treatment: npt.NDArray[np.object_],
    assumed: FloatArray,
) -> FloatArray:
    entries = np.column_stack([assumed, columns, np.ones(len(columns))])
    effect = np.zeros(len(columns))
    for each in set(treatment):
        rows = treatment == each
        effect[rows] = entries[rows] @ _weights(layout, coefficients, str(each))
    return effect


def _weights(layout: _Layout, coefficients: FloatArray, treatment: str) -> FloatArray:
    """Weight of each entry of (assumed, columns, 1) under a treatment."""
    places, entry = layout.places(treatment)
    weights = np.zeros(layout.columns + 2)
    np.add.at(weights, entry, coefficients[places])
    return weights


def _moments(
    prepared: Prepared, layout: _Layout, rows: BoolArray, scale: float
) -> tuple[FloatArray, FloatArray]:
    """Gram matrix and moments of the weighted least squares over some rows."""
    gram, moment = np.zeros((layout.size, layout.size)), np.zeros(layout.size)
    trial = prepared.trial
    weight = 1 / (scale * np.sqrt(prepared.variance))
    for each in layout.treatments:
        own = rows & (trial.treatment == each)
        entries = (
            np.column_stack([trial.assumed[own], prepared.columns[own], np.ones(int(own.sum()))])
            * (prepared.contrast * weight)[own, None]
        )
        places, entry = layout.places(each)
        inner = entries.T @ entries
        gram[np.ix_(places, places)] += inner[np.ix_(entry, entry)]
        moment[places] += (entries.T @ (prepared.residual * weight)[own])[entry]
    return gram, moment


def _prior(layout: _Layout, widths: tuple[float, float, float]) -> tuple[FloatArray, FloatArray]:
    main, shared, own = widths
    count = len(layout.treatments)
    deviations = np.r_[
        ASSUMPTION_DEVIATION,
        np.full(layout.columns, shared),
        np.full(count, main),
        np.full(layout.crossed * layout.columns * count, own),
    ]
    return np.r_[1.0, np.zeros(layout.size - 1)], deviations


def _posterior(
    gram: FloatArray, moment: FloatArray, prior: tuple[FloatArray, FloatArray]
) -> tuple[FloatArray, float]:
    """Posterior mean, and the marginal likelihood's logarithm but for what all priors share."""
    centre, deviation = prior
    left = deviation * (moment - gram @ centre)
    inner = np.eye(len(deviation)) + deviation[:, None] * gram * deviation
    lower = np.linalg.cholesky(inner)
    solved = np.linalg.solve(lower, left)
    evidence = (
        centre @ moment
        - centre @ gram @ centre / 2
        + solved @ solved / 2
        - np.log(np.diag(lower)).sum()
    )
    return centre + deviation * np.linalg.solve(lower.T, solved), float(evidence)


@dataclass(frozen=True)
class Learnt:
    """An effect model and what it said of the rows of each fold that it had not seen.

    Attributes:
        model: learnt from all rows.
        held_out: effect on each row, learnt from the other folds.
        in_turn: effect on each row, learnt from the folds before its own, prior and all; NaN in the
            first. What is judged by it is judged by data that nothing learnt so far has seen.
    """

    model: EffectModel
    held_out: FloatArray
    in_turn: FloatArray


def learn(prepared: Prepared) -> Learnt:
    """Learn the effects of every treatment.

    Args:
        prepared: the trial with its means.
    """
    trial = prepared.trial
    layout = _Layout(prepared.columns.shape[1], tuple(sorted(set(map(str, trial.treatment)))))
    scale = float(np.sqrt(np.mean(prepared.residual**2 / prepared.variance))) or 1.0
    parts = [_moments(prepared, layout, prepared.folds == fold, scale) for fold in range(FOLDS)]
    gram = np.sum([part[0] for part in parts], axis=0)
    moment = np.sum([part[1] for part in parts], axis=0)
    widths = _likeliest(gram, moment, layout)
    prior = _prior(layout, widths)
    held_out, in_turn = np.zeros(len(trial)), np.full(len(trial), np.nan)
    gram_before, moment_before = np.zeros_like(gram), np.zeros_like(moment)
    for fold, (own_gram, own_moment) in enumerate(parts):
        out = prepared.folds == fold
        seen = prepared.columns[out], trial.treatment[out], trial.assumed[out]
        others = _posterior(gram - own_gram, moment - own_moment, prior)[0]
        held_out[out] = _applied(layout, others, *seen)
        if fold:
            then = _prior(layout, _likeliest(gram_before, moment_before, layout))
            before = _posterior(gram_before, moment_before, then)[0]
            in_turn[out] = _applied(layout, before, *seen)
        gram_before, moment_before = gram_before + own_gram, moment_before + own_moment
    coefficients = _posterior(gram, moment, prior)[0]
    model = EffectModel(prepared.basis, layout.treatments, coefficients, widths)
    return Learnt(model, held_out, in_turn)


def _likeliest(gram: FloatArray, moment: FloatArray, layout: _Layout) -> tuple[float, float, float]:
    """The widths of the priors with the greatest marginal likelihood."""
    own_widths = WIDTHS if layout.crossed else WIDTHS[:1]
    tried = [
        (_posterior(gram, moment, _prior(layout, widths))[1], widths)
        for widths in itertools.product((MAIN_WIDTH,), WIDTHS, own_widths)
    ]
    return max(tried, key=lambda each: each[0])[1]
