"""What acting does, learnt from past campaigns that drew a control group by lot.

The effect of a treatment on a customer is the rise of the probability to order within the window.
Three answers, the most telling one that the data support: *individual* (effects differ by what is
known of the customer), *average* (the assumed effects, scaled to what was measured), *assumed*.

The learner is the R-learner (Nie & Wager, Biometrika 108(2), 2021) with a linear effect: with m the
cross-fitted mean of the outcome and e the known probability to be treated,
`Y - m(x) = (W - e) * effect(x) + noise`. Its coefficients have normal priors, centred on the
assumption, so that the solution is closed, has no seed, and falls back to the average where
customers do not differ; how wide the priors are, the marginal likelihood decides.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FOLDS: Final = 5
BINS: Final = 8  # of a numeric feature, equally filled
MIN_LEVEL_ROWS: Final = 30  # rows of a category that gets a coefficient of its own
RIDGE: Final = 5.0  # of the outcome's mean, in rows; only steadies cells that are hardly filled
LEAST_VARIANCE: Final = 0.02  # of an outcome given the features; below it one surprise would rule
# Standard deviations of the priors: of differences between treatments; tried of those between
# customers, and between customers under one treatment, the first of which says there are none.
WIDTHS: Final = (1e-6, 0.01, 0.02, 0.05)
MAIN_WIDTH: Final = 0.05
# How far an assumption may be off, as a share of itself: it may well be worth nothing.
ASSUMPTION_DEVIATION: Final = 0.5
MIN_ARM: Final = 30  # rows of either arm below which nothing is learnt
Z: Final = 1.959963984540054


@dataclass(frozen=True)
class Trial:
    """Rows that chance drew into two arms.

    Attributes:
        features: one row each, known before the draw; numbers or text, missing values allowed.
        treated: 1 or 0.
        propensity: probability to be treated, within (0, 1).
        outcome: what is to be raised.
        treatment: what the treated got, text; None where there is but one treatment.
        assumed: effect on each row that was assumed beforehand, in units of the outcome.
        customer: rows of one customer stay in one fold and are no independent evidence.
    """

    features: pd.DataFrame
    treated: FloatArray
    propensity: FloatArray
    outcome: FloatArray
    treatment: npt.NDArray[np.object_]
    assumed: FloatArray
    customer: npt.NDArray[np.object_]

    @classmethod
    def of(
        cls,
        features: pd.DataFrame,
        treated: npt.ArrayLike,
        propensity: npt.ArrayLike,
        outcome: npt.ArrayLike,
        *,
        treatment: npt.ArrayLike | None = None,
        assumed: npt.ArrayLike | None = None,
        customer: npt.ArrayLike | None = None,
    ) -> Trial:
        """Build one; a single treatment, no assumption, one row per customer unless given.

        Raises:
            ValueError: a propensity is not a probability between 0 and 1.
        """
        n = len(features)
        share = np.broadcast_to(np.asarray(propensity, np.float64), n)
        if not ((share > 0) & (share < 1)).all():
            raise ValueError("expected probabilities to be treated between 0 and 1, both excluded")
        return cls(
            features.reset_index(drop=True),
            np.asarray(treated, np.float64),
            share,
            np.asarray(outcome, np.float64),
            np.asarray(["all"] * n if treatment is None else treatment, dtype=object),
            np.zeros(n) if assumed is None else np.asarray(assumed, np.float64),
            np.asarray(np.arange(n) if customer is None else customer, dtype=object),
        )

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def smaller_arm(self) -> int:
        """Rows of the arm that has fewer."""
        return int(min(self.treated.sum(), len(self) - self.treated.sum()))

    def folds(self) -> IntArray:
        """Fold of each row, by a hash of the customer: the same in every run."""
        numbers = {
            each: int.from_bytes(hashlib.md5(str(each).encode()).digest()[:4], "big") % FOLDS
            for each in set(self.customer)
        }
        return np.array([numbers[each] for each in self.customer], dtype=np.int64)


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


@dataclass(frozen=True)
class Mean:
    """The mean of an outcome given the features: a ridge regression on bins and logarithms."""

    basis: Basis
    numbers: tuple[str, ...]
    weights: FloatArray

    def of(self, features: pd.DataFrame) -> FloatArray:
        """The mean of each row."""
        wide: FloatArray = _mean_columns(self.basis, self.numbers, features)
        return wide @ self.weights


def _mean_columns(basis: Basis, numbers: Sequence[str], features: pd.DataFrame) -> FloatArray:
    values = np.nan_to_num(features[list(numbers)].to_numpy(np.float64, na_value=np.nan))
    # A number tells more of an outcome than its bin; logarithms tame the few large ones.
    tamed = np.sign(values) * np.log1p(np.abs(values))
    return np.column_stack([np.ones(len(features)), basis.columns(features), tamed])


def _ridge(wide: FloatArray, outcome: FloatArray, folds: IntArray) -> tuple[FloatArray, FloatArray]:
    """Weights learnt from all rows, and the prediction of each row from the other folds."""
    penalty = np.diag(np.r_[1e-9, np.full(wide.shape[1] - 1, RIDGE)])
    gram, moment = wide.T @ wide + penalty, wide.T @ outcome
    predicted = np.zeros(len(outcome))
    for fold in range(FOLDS):
        out = folds == fold
        own = wide[out]
        others = np.linalg.solve(gram - own.T @ own, moment - own.T @ outcome[out])
        predicted[out] = own @ others
    return np.linalg.solve(gram, moment), predicted


@dataclass(frozen=True)
class Prepared:
    """A trial with its means: what every estimate of an effect starts from.

    Attributes:
        trial: the rows.
        basis: its features as columns.
        columns: those columns.
        folds: fold of each row.
        mean: cross-fitted mean of the outcome, both arms together; its use takes the part of
            the noise that earlier behaviour explains out of every estimate.
        variance: of the outcome around it.
        mean_model: the mean for rows of another frame.
    """

    trial: Trial
    basis: Basis
    columns: FloatArray
    folds: IntArray
    mean: FloatArray
    variance: FloatArray
    mean_model: Mean

    @classmethod
    def of(cls, trial: Trial) -> Prepared:
        """Estimate the means."""
        basis = Basis.of(trial.features)
        columns, folds = basis.columns(trial.features), trial.folds()
        numbers = tuple(map(str, basis.edges))
        wide = _mean_columns(basis, numbers, trial.features)
        weights, mean = _ridge(wide, trial.outcome, folds)
        squares = (trial.outcome - mean) ** 2
        shape = np.column_stack([np.ones(len(mean)), mean, mean**2])
        variance = _ridge(shape, squares, folds)[1]
        least = LEAST_VARIANCE * max(float(squares.mean()), 1e-12)
        return cls(
            trial,
            basis,
            columns,
            folds,
            mean,
            np.maximum(variance, least),
            Mean(basis, numbers, weights),
        )

    def assuming(self, assumed: FloatArray) -> Prepared:
        """The same with the effect that was assumed of each row, which the means need not know."""
        return replace(self, trial=replace(self.trial, assumed=assumed))

    @property
    def residual(self) -> FloatArray:
        """Outcome less its mean."""
        return self.trial.outcome - self.mean

    @property
    def contrast(self) -> FloatArray:
        """Treated or not, less the probability of it."""
        return self.trial.treated - self.trial.propensity

    def scores(self, effect: FloatArray) -> FloatArray:
        """Doubly robust score of the effect on each row: its mean over rows is that of the effect.

        Unbiased whatever `effect` and the means are, since the propensities are known; the better
        they are, the less it varies (Robins, Rotnitzky & Zhao 1994).
        """
        share = self.trial.propensity
        surprise = self.residual - self.contrast * effect
        return effect + self.contrast / (share * (1 - share)) * surprise


def mean_with_interval(
    values: FloatArray, customer: npt.NDArray[np.object_]
) -> tuple[float, float, float]:
    """Mean of the values and its 95% interval, rows of one customer taken together."""
    n = len(values)
    if n == 0:
        return float("nan"), float("nan"), float("nan")
    mean = float(values.mean())
    sums = np.bincount(pd.factorize(customer)[0], weights=values - mean)
    deviation = float(np.sqrt((sums**2).sum())) / n
    return mean, mean - Z * deviation, mean + Z * deviation


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

    def to_json(self) -> dict[str, Any]:
        """The model as it is stored: names and numbers."""
        return {
            "edges": {name: list(edges) for name, edges in self.basis.edges.items()},
            "levels": {name: list(levels) for name, levels in self.basis.levels.items()},
            "treatments": list(self.treatments),
            "coefficients": [float(each) for each in self.coefficients],
            "widths": list(self.widths),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> EffectModel:
        """Read it back."""
        main, shared, own = map(float, stored["widths"])
        return cls(
            Basis(
                {name: tuple(map(float, edges)) for name, edges in stored["edges"].items()},
                {name: tuple(map(str, levels)) for name, levels in stored["levels"].items()},
            ),
            tuple(map(str, stored["treatments"])),
            np.array(stored["coefficients"], np.float64),
            (main, shared, own),
        )


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
        places, entry = layout.places(str(each))
        weights = np.bincount(entry, weights=coefficients[places], minlength=entries.shape[1])
        effect[rows] = entries[rows] @ weights
    return effect


def _moments(
    prepared: Prepared, layout: _Layout, rows: npt.NDArray[np.bool_], scale: float
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
    """

    model: EffectModel
    held_out: FloatArray


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
    own_widths = WIDTHS if layout.crossed else WIDTHS[:1]
    tried = [
        (_posterior(gram, moment, _prior(layout, widths))[1], widths)
        for widths in itertools.product((MAIN_WIDTH,), WIDTHS, own_widths)
    ]
    widths = max(tried, key=lambda each: each[0])[1]
    prior = _prior(layout, widths)
    held_out = np.zeros(len(trial))
    for fold, (own_gram, own_moment) in enumerate(parts):
        out = prepared.folds == fold
        others = _posterior(gram - own_gram, moment - own_moment, prior)[0]
        held_out[out] = _applied(
            layout, others, prepared.columns[out], trial.treatment[out], trial.assumed[out]
        )
    coefficients = _posterior(gram, moment, prior)[0]
    return Learnt(EffectModel(prepared.basis, layout.treatments, coefficients, widths), held_out)


def held_out_qini(prepared: Prepared, learnt: Learnt) -> tuple[float, float, float]:
    """How much more is gained by treating those first for whom more is predicted, with interval.

    Area between the Qini curve of the held-out ranking and the diagonal, per row, in units of
    the outcome: the mean of score times centred rank, ranks taken within each treatment, so that
    what one treatment does better than another does not count (Yadlowsky et al., JASA 2025, the
    rank-weighted average treatment effect with Qini weights).
    """
    trial = prepared.trial
    product = np.zeros(len(trial))
    score = prepared.scores(learnt.held_out)
    for treatment in set(trial.treatment):
        rows = trial.treatment == treatment
        rank = pd.Series(learnt.held_out[rows]).rank(pct=True).to_numpy()
        own = score[rows]
        product[rows] = (rank - rank.mean()) * (own - own.mean())
    return mean_with_interval(product, trial.customer)
