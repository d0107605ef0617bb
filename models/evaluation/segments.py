"""For which customers a model holds, and for which it does not.

The whole population hides its parts: a segment can be worse off than with a baseline, or its
probabilities can be off, while the mean over all customers looks well. Both are tested here for
every segment of the test snapshot, with care for the number of segments looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from models.evaluation.confidence import CONFIDENCE
from models.evaluation.probabilities import (
    ECE_BINS,
    area_under_curve,
    equal_mass,
    expected_calibration_error,
    log_losses,
)
from models.frame.features import ORDER_DAYS, BoolArray, FloatArray

# Chance of naming a segment that is none, over all segments of a card together.
FALSE_ALARM = 1 - CONFIDENCE
# Customers of either kind below which a segment's figures say nothing.
MIN_OF_EITHER = 30
# Levels of one division that are looked at, the largest first.
MAX_LEVELS = 8
DRAWS = 4_000
# Permutations of residuals between customers.
PERMUTATIONS = 2_000
# Of them at a time: bounds the memory to a few MB per ten thousand customers.
CHUNK = 50
EVERYBODY = ("all", "customers")
DECIMALS = 4
# Skewness of a mean below which it makes no difference.
NEGLIGIBLE = 1e-6

PROFIT_SO_FAR = "profit_so_far"

# Features by which people divide their customers, and how the card calls the division.
DIVISIONS: Mapping[str, str] = {
    "stage": "lifecycle stage",
    "region": "region",
    "segment": "product segment",
    "value_tier": "value tier",
    PROFIT_SO_FAR: "profit so far",
}


@dataclass(frozen=True)
class Segment:
    """What the card says of the customers of one segment.

    Attributes:
        division, segment: `region` and `north`; `all` and `customers` for everybody.
        customers: in the test snapshot.
    """

    division: str
    segment: str
    customers: int

    @property
    def who(self) -> str:
        """The segment in words."""
        name = "all customers" if self.division == "all" else f"{self.division} {self.segment}"
        return f"{name} ({self.customers:,})"

    def to_json(self) -> dict[str, Any]:
        """The row as a card holds it."""
        return {
            name: (None if np.isnan(value) else round(value, DECIMALS))
            if isinstance(value, float)
            else value
            for name, value in asdict(self).items()
            if name != "event"
        }


@dataclass(frozen=True)
class SegmentFigures(Segment):
    """Out-of-time figures of the served probabilities on the customers of one segment.

    Attributes:
        event: what the probabilities are of, a verb.
        observed: share of them whom it happened to (0-1).
        stated: mean of the probabilities (0-1).
        auc, log_loss: of the served predictor; NaN where undefined.
        ece: expected calibration error.
        ece_by_chance: what probabilities that are right stay below, but for one card in twenty.
        best_baseline: the baseline with the smallest log-loss here.
        gain: by how much the log-loss is smaller than with that baseline.
        gain_lower, gain_upper: of its interval, as wide as the number of segments asks for.
    """

    event: str
    observed: float
    stated: float
    auc: float
    log_loss: float
    ece: float
    ece_by_chance: float
    best_baseline: str
    gain: float
    gain_lower: float
    gain_upper: float

    def failures(self) -> list[str]:
        """What is wrong here beyond chance, in words."""
        found = []
        if self.gain_upper < 0:
            found.append(
                f"{self.who}: {self.best_baseline} predicts them better, its "
                f"log-loss is smaller by {-self.gain:.4f} ({-self.gain_upper:.4f} at least)."
            )
        if self.ece > self.ece_by_chance:
            direction = "more" if self.observed > self.stated else "fewer"
            found.append(
                f"{self.who}: the probabilities are off by {self.ece:.3f} on "
                f"average, chance explains {self.ece_by_chance:.3f}; {self.stated:.1%} were "
                f"stated to {self.event}, {self.observed:.1%} did, {direction} than stated."
            )
        return found


def divide(frame: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    """The segment of every row by division; a division that nothing is known of is left out.

    Args:
        frame: features of one snapshot, one row per customer.
    """
    divisions = {name: frame[column] for column, name in DIVISIONS.items() if column in frame}
    if ORDER_DAYS in frame:
        repeat = pd.to_numeric(frame[ORDER_DAYS]) > 1
        divisions["orders so far"] = repeat.map({True: "several", False: "one"})
    if "is_company" in frame:
        is_company = pd.to_numeric(frame["is_company"])
        divisions["kind"] = is_company.map({1: "business", 0: "private"})
    return {name: each for name, each in divisions.items() if each.nunique() > 1}


@dataclass(frozen=True)
class AmountFigures(Segment):
    """Out-of-time figures of the amounts served for the customers of one segment.

    Attributes:
        observed, stated: mean amount that came and that was stated.
        chance_lower, chance_upper: between which chance leaves what comes, as stated or, of a
            segment, at the level of all customers.
        mae: mean absolute error.
        best_baseline: the baseline with the smallest mean absolute error here.
        gain: by how much it is smaller than with that baseline.
        gain_lower, gain_upper: of its interval; both as wide as the number of segments asks for.
    """

    observed: float
    stated: float
    chance_lower: float
    chance_upper: float
    mae: float
    best_baseline: str
    gain: float
    gain_lower: float
    gain_upper: float

    def failures(self) -> list[str]:
        """What is wrong here beyond chance, in words."""
        found = []
        if self.gain_upper < 0:
            found.append(
                f"{self.who}: {self.best_baseline} errs less, by {-self.gain:.2f} on average "
                f"({-self.gain_upper:.2f} at least)."
            )
        if self.observed < self.chance_lower or self.observed > self.chance_upper:
            direction = "more" if self.observed > self.chance_upper else "less"
            level = "" if self.division == "all" else " or the level of all customers"
            found.append(
                f"{self.who}: {self.stated:.2f} were stated on average, {self.observed:.2f} came, "
                f"{direction} than chance{level} explains ({self.chance_lower:.2f} to "
                f"{self.chance_upper:.2f})."
            )
        return found


def parts(
    divisions: Mapping[str, pd.Series[Any]], rows: int
) -> list[tuple[tuple[str, str], BoolArray]]:
    """Division, segment and rows of everybody and of the largest segments of each division.

    Args:
        divisions: of `divide`.
        rows: how many there are.
    """
    found = [(EVERYBODY, np.ones(rows, dtype=bool))]
    for division, segments in divisions.items():
        levels = sorted(segments.value_counts().items(), key=lambda each: (-each[1], str(each[0])))
        found += [
            ((division, str(level)), (segments == level).fillna(False).to_numpy(dtype=bool))
            for level, _ in levels[:MAX_LEVELS]
        ]
    return found


def by_segment(
    divisions: Mapping[str, pd.Series[Any]],
    happened: BoolArray,
    probabilities: Mapping[str, FloatArray],
    *,
    served: str,
    baselines: Sequence[str],
    seed: int,
    event: str = "churn",
) -> list[SegmentFigures]:
    """Figures of everybody and of every segment that is large enough.

    Args:
        divisions: of `divide`, rows as in `happened`.
        happened: whether what the probabilities are of did, one per row.
        probabilities: role to probability, one per row.
        served: the role that is looked at.
        baselines: the roles it is compared with.
        seed: of the draws that tell what chance does to the calibration error.
        event: what the probabilities are of, a verb.
    """
    large = [
        (name, rows)
        for name, rows in parts(divisions, len(happened))
        if min(happened[rows].sum(), (~happened[rows]).sum()) >= MIN_OF_EITHER
    ]
    alpha = FALSE_ALARM / max(len(large), 1)
    losses = {role: log_losses(happened, probabilities[role]) for role in (served, *baselines)}
    noise = np.random.default_rng(seed).normal(size=(DRAWS, ECE_BINS))
    return [
        SegmentFigures(
            *name,
            customers=int(rows.sum()),
            event=event,
            observed=float(happened[rows].mean()),
            stated=float(probabilities[served][rows].mean()),
            auc=area_under_curve(happened[rows], probabilities[served][rows]),
            log_loss=float(losses[served][rows].mean()),
            ece=expected_calibration_error(happened[rows], probabilities[served][rows]),
            ece_by_chance=ece_by_chance(probabilities[served][rows], 1 - alpha, noise),
            **_against_best({role: loss[rows] for role, loss in losses.items()}, served, alpha),
        )
        for name, rows in large
    ]


def amounts_by_segment(
    divisions: Mapping[str, pd.Series[Any]],
    came: FloatArray,
    stated: Mapping[str, FloatArray],
    *,
    served: str,
    baselines: Sequence[str],
    seed: int,
) -> list[AmountFigures]:
    """The same of amounts.

    Args:
        divisions: of `divide`, rows as in `came`.
        came: amount of each row.
        stated: role to the amount that was expected, one per row.
        served: the role that is looked at.
        baselines: the roles it is compared with.
        seed: of the permutations that tell what chance does to means.
    """
    large = [
        (name, rows)
        for name, rows in parts(divisions, len(came))
        if min((came[rows] != 0).sum(), (came[rows] == 0).sum()) >= MIN_OF_EITHER
    ]
    alpha = FALSE_ALARM / max(len(large), 1)
    losses = {role: np.abs(stated[role] - came) for role in (served, *baselines)}
    by_chance = amounts_by_chance(came, stated[served], [rows for _, rows in large], seed)
    return [
        AmountFigures(
            *name,
            customers=int(rows.sum()),
            observed=float(came[rows].mean()),
            stated=float(stated[served][rows].mean()),
            chance_lower=lower,
            chance_upper=upper,
            mae=float(losses[served][rows].mean()),
            **_against_best({role: loss[rows] for role, loss in losses.items()}, served, alpha),
        )
        for (name, rows), (lower, upper) in zip(large, by_chance, strict=True)
    ]


def amounts_by_chance(
    came: FloatArray, stated: FloatArray, parts: Sequence[BoolArray], seed: int
) -> list[tuple[float, float]]:
    """Between which the mean amount of each part lies by chance, for 19 cards in 20 in all parts.

    A few customers bring much of all profit, and a small segment that has none of them looks as if
    too much had been stated: its own spread cannot know. So it is everybody's residuals that say
    what a segment of its size meets: they are dealt out anew (studentised permutation: Janssen,
    1997, "Studentized permutation tests for non-i.i.d. hypotheses"), and the tail that is left to
    each segment is the one that keeps the chance for all together (min-P: Westfall and Young, 1993,
    "Resampling-Based Multiple Testing"). Residuals are those at the level of all customers, which
    is judged once, by a t that is corrected for skewness (Hall, 1992, "On the removal of skewness
    by transformation"); every part gets its part of the chance.

    Args:
        came: amount of each customer.
        stated: expected amount of each customer.
        parts: rows of each; one with all of them is judged as everybody.
        seed: of the permutations.

    Returns:
        Lower and upper mean, part by part.
    """
    total = stated.sum()
    level = came.sum() / total if total else 1.0
    residuals = came - level * stated
    rows = len(came)
    segments = [part for part in parts if not part.all()]
    drawn = _dealt_out(residuals, np.array(segments).reshape(-1, rows), seed)
    for_everybody = FALSE_ALARM / len(parts) if parts else 0.0
    tail = _tail_of_each(drawn, FALSE_ALARM - for_everybody)
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0) if segments else np.empty((2, 0))
    spread = iter(zip(segments, *ends, strict=True))
    found = []
    for part in parts:
        if part.all():
            found.append(_mean_by_chance(came - stated, float(stated.mean()), for_everybody))
            continue
        of, low, high = next(spread)
        share = stated[of].sum() / total if total else of.mean()
        error = np.sqrt(
            (1 - share) ** 2 * residuals[of].var() * of.sum()
            + share**2 * residuals[~of].var() * (rows - of.sum())
        )
        # Who is stated right is not named because others move the level.
        ranges = (
            (stated[of].mean(), residuals[of].std() / np.sqrt(of.sum())),
            (level * stated[of].mean(), error / of.sum()),
        )
        lower = min(float(mean + low * each) for mean, each in ranges)
        upper = max(float(mean + high * each) for mean, each in ranges)
        found.append((lower, upper))
    return found


def _dealt_out(residuals: FloatArray, members: BoolArray, seed: int) -> FloatArray:
    """The t of each segment against the rest when residuals, whose sum is 0, are dealt out anew.

    Args:
        residuals: one per customer.
        members: whether a customer (column) is of a segment (row).
        seed: of the permutations.

    Returns:
        A row per permutation and a column per segment.
    """
    rng = np.random.default_rng(seed)
    belongs = members.astype(np.float64)
    sizes, rows = belongs.sum(axis=1), len(residuals)
    share = sizes / rows
    together = float((residuals**2).sum())
    drawn = []
    for _ in range(PERMUTATIONS // CHUNK):
        dealt = rng.permuted(np.tile(residuals, (CHUNK, 1)), axis=1)
        sums, squares = dealt @ belongs.T, dealt**2 @ belongs.T
        within = squares - sums**2 / sizes
        without = together - squares - sums**2 / (rows - sizes)
        drawn.append(sums / np.sqrt((1 - share) ** 2 * within + share**2 * without))
    return np.concatenate(drawn)


def _tail_of_each(drawn: FloatArray, alpha: float) -> float:
    """The share in either tail of each column that a draw is in with chance `alpha` in any."""
    if not drawn.size:
        return 0.0
    ranks = stats.rankdata(drawn, axis=0)
    extreme = np.minimum(ranks, len(drawn) + 1 - ranks).min(axis=1) / len(drawn)
    return float(np.quantile(extreme, alpha, method="lower"))


def _mean_by_chance(residuals: FloatArray, expected: float, alpha: float) -> tuple[float, float]:
    """Between which a mean lies if it is as expected: Hall's t, inverted at either tail."""
    rows, skewness = len(residuals), float(stats.skew(residuals)) / math.sqrt(len(residuals))
    error = float(residuals.std(ddof=1)) / np.sqrt(rows)
    end = float(stats.norm.ppf(1 - alpha / 2))

    def studentised(z: float) -> float:
        """The t of which t + g t^2 / 3 + g^2 t^3 / 27 + g / 6 is z, g the skewness of the mean."""
        if abs(skewness) < NEGLIGIBLE:
            return z
        return 3 / skewness * (math.cbrt(1 + skewness * (z - skewness / 6)) - 1)

    return expected + studentised(-end) * error, expected + studentised(end) * error


def _against_best(losses: Mapping[str, FloatArray], served: str, alpha: float) -> dict[str, Any]:
    """The best of the other roles, and by how much the served one is better, with interval.

    Which one is best is seen on the same customers: any of them might have been it by chance, and
    each gets its part of the chance.
    """
    means = {role: float(loss.mean()) for role, loss in losses.items()}
    best = min((role for role in means if role != served), key=means.__getitem__, default=served)
    gained = losses[best] - losses[served]
    width = _half_width(gained, alpha / max(len(losses) - 1, 1))
    return {
        "best_baseline": best,
        "gain": float(gained.mean()),
        "gain_lower": float(gained.mean() - width),
        "gain_upper": float(gained.mean() + width),
    }


def _half_width(values: FloatArray, alpha: float) -> float:
    """Of the interval of a mean; a test snapshot has one row per customer."""
    return float(stats.norm.ppf(1 - alpha / 2) * values.std(ddof=1) / np.sqrt(len(values)))


def ece_by_chance(probability: FloatArray, quantile: float, noise: FloatArray) -> float:
    """The calibration error that probabilities stay below when each of them is right.

    Consistency resampling (Bröcker and Smith, 2007, "Increasing the Reliability of Reliability
    Diagrams"): the outcomes are drawn from the probabilities themselves. The churners of a bin
    are a sum of many, so they are drawn from a normal distribution.

    Args:
        probability: one per customer.
        quantile: of the errors that chance makes.
        noise: standard normal, a row per draw and a column per bin.
    """
    bins = equal_mass(probability, ECE_BINS)
    spread = np.sqrt(np.bincount(bins, probability * (1 - probability)))
    errors = np.abs(noise[:, : len(spread)]) @ spread / len(probability)
    return float(np.quantile(errors, quantile))
