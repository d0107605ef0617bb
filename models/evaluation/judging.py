"""How good the probabilities of one finished snapshot are, how sure that is, and what follows.

All candidates are judged on the same customers and, in the bootstrap, on the same resamples, so
that a difference is tested pair by pair. Definitions, with p the churn probability:

- ``auc``: chance that a churner has a higher p than a stayer, ties half;
- ``average_precision``: precision averaged over recall steps, ties together;
- ``log_loss`` (nats) and ``brier``: mean penalties, smaller is better;
- ``levelled_log_loss``: the same after one intercept per candidate has made its mean probability
  that of the judged customers (recalibration in the large; Steyerberg, 2009, "Clinical Prediction
  Models", chapter 15): how well it tells customers apart, and by how much, whatever the season;
- ``ece``: mean distance of p and the churn rate over ten bins of equal mass;
- ``level_error``: distance of the mean p and the churn rate;
- ``lift_at_10``: churn rate of the 10% with the highest p over the overall churn rate.

Metrics that are not defined (no customers, or one class only) are NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import BoolArray, FloatArray
from models.probability.calibration import fit_level
from models.probability.predictors import log_odds

# The role of what a training learnt, before it is judged.
CHALLENGER: Final = "challenger"
# By this the gate decides. The served figures are probabilities, multiplied by money downstream: a
# metric of ranking alone would promote a model whose probabilities are wrong. Their level though is
# one forecast for all candidates alike, and in one window a matter of luck.
PRIMARY: Final = "levelled_log_loss"
LEVEL_ERROR: Final = "level_error"
RESAMPLED: Final = ("auc", "average_precision", "log_loss", PRIMARY, "brier", "lift_at_10")
METRICS: Final = (*RESAMPLED, "ece", LEVEL_ERROR, "n", "positives")
# By how much further than its rival's a candidate's mean probability may lie from the share that
# churned. What one training fits expects one share; a champion expects what it knew when it was
# trained, and forecasts of the level are off by 4 points in a first year (benchmarks/levels.py).
LEVEL_TOLERANCE: Final = 0.1
CONFIDENCE = 0.95
LIFT_SHARE = 0.1
ECE_BINS = 10
CURVE_BINS = 10
LIFT_POINTS = 100

# A row of model_evaluations, less the kind of model.
EVALUATION_COLUMNS: Final = (
    "model_version",
    "role",
    "cutoff_on",
    "horizon_days",
    "metric",
    "value",
    "lower",
    "upper",
    "speaks_for_version",
)

# Of these a smaller value is the better one.
LOSSES: Final = frozenset(
    {
        "log_loss",
        PRIMARY,
        "brier",
        "mae",
        "rmse",
        "poisson_deviance",
        "mae_days",
        "median_error_days",
    }
)

# Resamples: enough for a 2.5% quantile, fewer where the snapshot is so large that any
# difference worth having is many standard errors wide.
MAX_RESAMPLES = 1_000
MIN_RESAMPLES = 200
RESAMPLED_ROWS = 2_000_000
CHUNK_CELLS = 200_000


@dataclass(frozen=True)
class Difference:
    """How much better (positive) or worse one candidate is than another, with its interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Figures:
    """Figures of every candidate on the same rows, as they are and in resamples of the rows.

    Attributes:
        figures: role -> metric -> value.
        resampled: role -> metric -> one value per resample, the same draws for all of them.
    """

    figures: Mapping[str, Mapping[str, float]]
    resampled: Mapping[str, Mapping[str, FloatArray]]

    def interval(self, role: str, metric: str) -> tuple[float, float]:
        """Bootstrap interval of one figure; NaN where none is sensible."""
        if metric not in self.resampled[role]:
            return np.nan, np.nan
        return interval_of(self.resampled[role][metric])

    def for_card(self) -> dict[str, dict[str, list[float | None]]]:
        """Value, lower and upper bound by role and metric; None where undefined."""
        return {
            role: {
                metric: [
                    float(figure) if np.isfinite(figure) else None
                    for figure in (value, *self.interval(role, metric))
                ]
                for metric, value in figures.items()
            }
            for role, figures in self.figures.items()
        }

    def best(self, roles: list[str]) -> str:
        """The role with the smallest primary loss; the first of equals."""
        return min(roles, key=lambda role: self.figures[role][PRIMARY])

    def gain(self, role: str, over: str, metric: str = PRIMARY) -> Difference:
        """By how much `role` is better than `over`, resampled pair by pair."""
        sign = -1.0 if metric in LOSSES else 1.0
        value = sign * (self.figures[role][metric] - self.figures[over][metric])
        paired = sign * (self.resampled[role][metric] - self.resampled[over][metric])
        return Difference(value, *interval_of(paired))


# The metrics of one candidate: from weights, a row per resample and a column per row judged, to
# one value per resample.
Metrics: TypeAlias = Callable[[FloatArray], Mapping[str, FloatArray]]


def judge(
    candidates: Mapping[str, Metrics],
    rows: int,
    *,
    seed: int,
    counts: Mapping[str, Mapping[str, float]] | None = None,
) -> Figures:
    """Judge candidates on the same rows, each row another customer.

    Args:
        candidates: role to its metrics.
        rows: how many rows there are.
        seed: of the bootstrap.
        counts: role to further figures, which are not resampled.
    """
    everybody = np.ones((1, rows))
    parts: dict[str, dict[str, list[FloatArray]]] = {role: {} for role in candidates}
    for weights in _weights(rows, rows, seed):
        for role, metrics in candidates.items():
            for metric, values in metrics(weights).items():
                parts[role].setdefault(metric, []).append(values)
    return Figures(
        {
            role: {name: float(values[0]) for name, values in metrics(everybody).items()}
            | dict((counts or {}).get(role, {}))
            for role, metrics in candidates.items()
        },
        {
            role: {metric: np.concatenate(values) for metric, values in metrics.items()}
            for role, metrics in parts.items()
        },
    )


@dataclass(frozen=True)
class Evaluation(Figures):
    """Figures and resampled figures of probabilities on one snapshot."""

    probabilities: Mapping[str, FloatArray]
    churned: BoolArray

    def table(self) -> pd.DataFrame:
        """One row per role and metric: role, metric, value, lower, upper."""
        rows = [
            (role, metric, self.figures[role][metric], *self.interval(role, metric))
            for role in self.figures
            for metric in METRICS
        ]
        return pd.DataFrame(rows, columns=["role", "metric", "value", "lower", "upper"])

    def calibration_curve(self) -> pd.DataFrame:
        """Mean probability against churn rate in bins of equal mass, per role."""
        frames = []
        for role, p in self.probabilities.items():
            bins = equal_mass(p, CURVE_BINS)
            frames.append(
                pd.DataFrame({"bin": bins, "predicted": p, "observed": self.churned.astype(float)})
                .groupby("bin", as_index=False)
                .agg(
                    predicted=("predicted", "mean"),
                    observed=("observed", "mean"),
                    customers=("observed", "size"),
                )
                .assign(role=role)
            )
        columns = ["role", "bin", "predicted", "observed", "customers"]
        return pd.concat(frames or [pd.DataFrame(columns=columns)], ignore_index=True)[columns]

    def lift_curve(self) -> pd.DataFrame:
        """Share of churners found in the most endangered share of customers, per role."""
        frames = [pd.DataFrame(columns=["role", "share", "captured"])] * (not self.probabilities)
        share = np.linspace(0, 1, LIFT_POINTS + 1)
        weights = np.ones((1, len(self.churned)))
        for role, p in self.probabilities.items():
            ranking = ProbabilityMetrics(self.churned, p)
            found = ranking.captured(*ranking.totals(weights), share)[0]
            frames.append(pd.DataFrame({"role": role, "share": share, "captured": found}))
        return pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class Sample:
    """The rows of one snapshot that candidates are judged on.

    Attributes:
        churned: what happened, one per row.
        probabilities: role to churn probability, one per row.
        customers: who each row is; needed where one customer has several rows, or samples share
            customers.
    """

    churned: BoolArray
    probabilities: Mapping[str, FloatArray]
    customers: npt.NDArray[Any] | None = None


def evaluate(
    churned: BoolArray,
    probabilities: Mapping[str, FloatArray],
    *,
    seed: int,
    customers: npt.NDArray[Any] | None = None,
) -> Evaluation:
    """Judge candidates on the same rows.

    Args:
        churned: what happened, one per row.
        probabilities: role to churn probability, one per row.
        seed: of the bootstrap.
        customers: who each row is, where customers have several rows; they are drawn whole.
    """
    [evaluation] = evaluate_jointly([Sample(churned, probabilities, customers)], seed=seed)
    return evaluation


def evaluate_jointly(samples: Sequence[Sample], *, seed: int) -> list[Evaluation]:
    """Judge candidates on several snapshots, customers drawn whole across them.

    The n-th resample is the same draw of customers in each of the evaluations, so that their
    resampled figures may be averaged, draw by draw.

    Args:
        samples: one per snapshot; with more than one, each says who its customers are.
        seed: of the bootstrap.
    """
    rankings = [
        {role: ProbabilityMetrics(sample.churned, p) for role, p in sample.probabilities.items()}
        for sample in samples
    ]
    parts: list[dict[str, dict[str, list[FloatArray]]]] = [
        {role: {metric: [] for metric in RESAMPLED} for role in of_sample} for of_sample in rankings
    ]
    for weights in _resamples(samples, seed):
        for of_sample, drawn, kept in zip(rankings, weights, parts, strict=True):
            for role, ranking in of_sample.items():
                for metric, values in ranking.figures(drawn).items():
                    kept[role][metric].append(values)
    return [
        Evaluation(
            figures={role: _all_figures(sample, role, of_sample[role]) for role in of_sample},
            resampled={
                role: {metric: np.concatenate(values) for metric, values in metrics.items()}
                for role, metrics in kept.items()
            },
            probabilities=dict(sample.probabilities),
            churned=sample.churned,
        )
        for sample, of_sample, kept in zip(samples, rankings, parts, strict=True)
    ]


def _all_figures(sample: Sample, role: str, ranking: ProbabilityMetrics) -> dict[str, float]:
    churned = sample.churned
    resampled = ranking.figures(np.ones((1, len(churned))))
    return {name: float(value[0]) for name, value in resampled.items()} | {
        "ece": expected_calibration_error(churned, sample.probabilities[role]),
        LEVEL_ERROR: abs(float((sample.probabilities[role] - churned).mean()))
        if len(churned)
        else float("nan"),
        "n": float(len(churned)),
        "positives": float(churned.sum()),
    }


def area_under_curve(churned: BoolArray, probability: FloatArray) -> float:
    """Chance that a churner has a higher probability than a stayer, ties half; NaN without both."""
    return float(
        ProbabilityMetrics(churned, probability).figures(np.ones((1, len(churned))))["auc"][0]
    )


def expected_calibration_error(churned: BoolArray, probability: FloatArray) -> float:
    """Distance of probability and churn rate, weighted over bins of equal mass; ties together."""
    if len(churned) == 0:
        return float("nan")
    bins = equal_mass(probability, ECE_BINS)
    gap = np.bincount(bins, probability) - np.bincount(bins, churned.astype(float))
    return float(np.abs(gap).sum() / len(churned))


@dataclass(frozen=True)
class Verdict:
    """What is served from now on, whether the pointer moves, and why in one sentence."""

    serves: str
    promoted: bool
    sentence: str


def mean_of(evaluations: Sequence[Evaluation]) -> Figures:
    """Mean figures of the candidates that were judged in each of some evaluations.

    Args:
        evaluations: of `evaluate_jointly`, so that the means of their draws are draws of the mean.
    """
    roles = [r for r in evaluations[0].figures if all(r in each.figures for each in evaluations)]

    def mean(role: str, metric: str, of: str) -> Any:
        return np.mean([getattr(each, of)[role][metric] for each in evaluations], axis=0)

    return Figures(
        {role: {name: float(mean(role, name, "figures")) for name in METRICS} for role in roles},
        {role: {name: mean(role, name, "resampled") for name in RESAMPLED} for role in roles},
    )


def cannot_tell(evaluation: Evaluation, baselines: list[str]) -> bool:
    """Whether chance alone leaves open if the challenger or the best baseline is the better one."""
    gain = evaluation.gain(CHALLENGER, evaluation.best(baselines))
    return gain.lower <= 0 <= gain.upper


def gate(
    evaluation: Evaluation, baselines: list[str], earlier: Sequence[Evaluation] = ()
) -> Verdict:
    """Decide what is served: challenger, champion, or the best baseline.

    One candidate beats another if the 95% interval of its gain in log-loss, both at the level of
    the judged customers, lies above zero, its AUC is not lower, and its own level is not further
    off than the other's by more than `LEVEL_TOLERANCE`. The challenger is served if it beats the
    best baseline and the champion, unless that does not beat the baseline itself; else the champion
    if it beats the baseline; else the baseline, fitted today.

    Args:
        evaluation: on the latest snapshot.
        baselines: roles, best of which is the one to beat.
        earlier: of challenger and baselines as they were at earlier snapshots, resampled jointly;
            the two are compared by the mean of all. A champion is judged by the latest alone: it
            may have learnt from the others.
    """
    together = mean_of([evaluation, *earlier])
    best = together.best(baselines)
    is_judged = "champion" in evaluation.figures
    stands = is_judged and not _falls_short(evaluation, "champion", best)
    latest = [("champion", evaluation, 1)] if stands else []
    for rival, figures, windows in [*latest, (best, together, 1 + len(earlier))]:
        why = _falls_short(figures, CHALLENGER, rival)
        gained = _gained(figures, CHALLENGER, rival, windows)
        expected = _expected(evaluation, CHALLENGER, rival)
        if why:
            said = f"the challenger {why}; {gained}; {expected}."
            if stands:
                sentence = f"The champion stays: it beats the best baseline ({best}); {said}"
                return Verdict("champion", False, sentence)
            return Verdict(best, True, f"The baseline {best} is served: {said}")
    champion = " and the champion" if stands else ", which the champion no longer does"
    return Verdict(
        CHALLENGER,
        True,
        f"The challenger is served: it beats the best baseline ({best})"
        f"{champion if is_judged else ''}; {gained}; {expected}.",
    )


def _falls_short(figures: Figures, role: str, of: str) -> str:
    """Why a candidate does not beat another one; empty where it does."""
    gain = figures.gain(role, of)
    if gain.lower <= 0 or figures.gain(role, of, "auc").value < 0:
        tie = gain.lower <= 0 <= gain.upper and of != "champion"
        simpler = ", and of two that chance cannot tell apart the simpler is served" if tie else ""
        return f"does not beat {_named(of)} beyond chance{simpler}"
    errors = figures.figures[role][LEVEL_ERROR], figures.figures[of][LEVEL_ERROR]
    if errors[0] > errors[1] + LEVEL_TOLERANCE:
        return (
            f"tells customers apart better than {_named(of)}, but its level is further off by "
            f"more than {100 * LEVEL_TOLERANCE:.0f} points"
        )
    return ""


def _named(role: str) -> str:
    return "the champion" if role == "champion" else role


def _gained(figures: Figures, role: str, over: str, windows: int) -> str:
    gain, auc = figures.gain(role, over), figures.gain(role, over, "auc")
    return (
        f"log-loss at equal level {better_or_worse(gain)}, AUC {auc.value:+.4f}"
        f"{f', mean of {windows} windows' if windows > 1 else ''}"
    )


def better_or_worse(gain: Difference, digits: str = ".4f") -> str:
    """A gain in words, with its interval: better by 0.0100 (95% from 0.0020 to 0.0180).

    Args:
        gain: positive is better; the bounds of what is worse are turned with it.
        digits: format of the figures.
    """
    word, low, high = "better", gain.lower, gain.upper
    if gain.value < 0:
        word, low, high = "worse", -gain.upper, -gain.lower
    return f"{word} by {abs(gain.value):{digits}} (95% from {low:{digits}} to {high:{digits}})"


def _expected(evaluation: Evaluation, role: str, beside: str) -> str:
    stated, other = (100 * evaluation.probabilities[each].mean() for each in (role, beside))
    return (
        f"it expected {stated:.1f}% to churn, {_named(beside)} {other:.1f}%, and "
        f"{100 * evaluation.churned.mean():.1f}% did"
    )


class ProbabilityMetrics:
    """One candidate's customers in falling order of p, so that a resample is a few sums.

    Args:
        churned: what happened, one per row.
        probability: of it, one per row, neither 0 nor 1.
    """

    def __init__(self, churned: BoolArray, probability: FloatArray) -> None:
        self.order = np.argsort(-probability, kind="stable")
        falling = probability[self.order]
        happened = churned.astype(np.float64)
        self.churned = happened[self.order]
        at_own_level = log_odds(probability)
        at_own_level += fit_level(at_own_level, churned)
        # Customers with the same p form one group: their order among themselves means nothing.
        self.starts = np.flatnonzero(np.diff(falling, prepend=np.nan) != 0)
        self.log_loss = -np.where(churned, np.log(probability), np.log1p(-probability))
        self.levelled_log_loss = np.logaddexp(0, np.where(churned, -at_own_level, at_own_level))
        self.brier = (probability - happened) ** 2

    def totals(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Churners and stayers in each group of equal p; one row per resample."""
        if not len(self.order):
            empty = np.zeros((len(weights), 0))
            return empty, empty
        ordered = weights[:, self.order]
        churners = np.add.reduceat(ordered * self.churned, self.starts, axis=1)
        return churners, np.add.reduceat(ordered, self.starts, axis=1) - churners

    def captured(self, churners: FloatArray, stayers: FloatArray, share: FloatArray) -> FloatArray:
        """Share of all churners among the first `share` of customers; ties are shared out."""
        rows = np.cumsum(churners + stayers, axis=1)
        found = np.cumsum(churners, axis=1)
        result = np.full((len(rows), len(share)), np.nan)
        for at, (row, hit) in enumerate(zip(rows, found, strict=True)):
            if len(hit) and hit[-1] > 0:
                reached = np.interp(share * row[-1], np.r_[0.0, row], np.r_[0.0, hit])
                result[at] = reached / hit[-1]
        return result

    def figures(self, weights: FloatArray) -> dict[str, FloatArray]:
        """The resampled metrics; one value per row of weights."""
        churners, stayers = self.totals(weights)
        found, passed = np.cumsum(churners, axis=1), np.cumsum(stayers, axis=1)
        positives, negatives = churners.sum(axis=1), stayers.sum(axis=1)
        rows = weights.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            below = negatives[:, None] - passed + stayers / 2
            seen = found + passed
            precision = np.where(seen > 0, found / seen, 0.0)
            return {
                "auc": (churners * below).sum(axis=1) / (positives * negatives),
                "average_precision": (churners * precision).sum(axis=1) / positives,
                "log_loss": weights @ self.log_loss / rows,
                "levelled_log_loss": weights @ self.levelled_log_loss / rows,
                "brier": weights @ self.brier / rows,
                "lift_at_10": self.captured(churners, stayers, np.array([LIFT_SHARE]))[:, 0]
                / LIFT_SHARE,
            }


def _resamples(samples: Sequence[Sample], seed: int) -> Iterator[list[FloatArray]]:
    """Weights of Poisson resamples for each sample, in chunks of bounded size."""
    rows = sum(len(sample.churned) for sample in samples)
    if rows == 0:
        yield [np.zeros((1, 0)) for _ in samples]
        return
    drawn, members = _customers(samples)
    for weights in _weights(drawn, rows, seed):
        yield [weights[:, member] for member in members]


def _weights(customers: int, rows: int, seed: int) -> Iterator[FloatArray]:
    """How often each resample draws each customer; their number and chunks depend on the rows."""
    left = int(np.clip(RESAMPLED_ROWS // max(rows, 1), MIN_RESAMPLES, MAX_RESAMPLES))
    rng = np.random.default_rng(seed)
    while left:
        chunk = min(left, max(1, CHUNK_CELLS // max(rows, 1)))
        left -= chunk
        yield rng.poisson(1.0, (chunk, customers)).astype(np.float64)


def _customers(samples: Sequence[Sample]) -> tuple[int, list[npt.NDArray[np.intp]]]:
    """How many customers there are, and which of them each row of each sample is."""
    if len(samples) == 1 and samples[0].customers is None:
        rows = len(samples[0].churned)
        return rows, [np.arange(rows)]
    names = [sample.customers for sample in samples if sample.customers is not None]
    if len(names) < len(samples):
        raise ValueError("expected to be told who the customers of every sample are")
    distinct, member = np.unique(np.concatenate(names), return_inverse=True)
    return len(distinct), np.split(member, np.cumsum([len(each) for each in names])[:-1])


def interval_of(values: FloatArray) -> tuple[float, float]:
    """The 95% interval of resampled figures; NaN where none is defined."""
    defined = values[np.isfinite(values)]
    if not len(defined):
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return float(lower), float(upper)


def equal_mass(probability: FloatArray, bins: int) -> npt.NDArray[np.intp]:
    """The bin of each probability, bins of equal mass but for ties, which stay together."""
    if not len(probability):
        return np.zeros(0, dtype=np.intp)
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, probability, side="left")
