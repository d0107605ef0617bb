"""How good today's scores should be, and how good earlier ones were.

Before labels arrive the calibrated probabilities themselves say how good they are: a customer with
probability p counts as p of one whom it happened to and 1 - p of another (confidence-based
performance estimation, as NannyML's documentation describes it). With N the number of customers:

- log-loss: mean of -p ln p - (1 - p) ln(1 - p);  Brier: mean of p (1 - p);
- AUC: sum of p_i (1 - p_j) [p_i > p_j, ties half] over sum of p_i (1 - p_j), all pairs i, j of
  different customers;
- share whom it happened to: mean of p.

Their intervals hold the chance of the outcomes, with y_i drawn from p_i: the variance is
sum p_i (1 - p_i) g_i^2, with g_i the derivative of the figure with respect to y_i (delta method).
That of the share also holds how far the level of earlier snapshots was off when it was stated,
since the season may change in ways a year ago did not. All of it is true only as far as the
probabilities are; whether they were, is measured once the horizon is over.

An interval of days states the share of orders that it is to hold, an amount its total: what is
known of their errors beyond chance is how far they were off in the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import special, stats

from models.evaluation import amounts
from models.evaluation.amounts import AmountMetrics
from models.evaluation.confidence import CONFIDENCE, Z
from models.evaluation.judging import evaluate, judge
from models.frame.features import BoolArray, FloatArray
from models.probability.calibration import EPSILON, Calibration

SHARE: Final = "share"
MONITORED: Final = ("auc", "log_loss", "brier", SHARE)
TOTAL: Final = "total"
COLUMNS: Final = ("metric", "value", "lower", "upper", "customers")
# What is stated in cents may be none at all, and a total is compared by its logarithm.
LEAST_AMOUNT: Final = 0.01


def expected(probability: FloatArray, level_error: float = 0.0) -> pd.DataFrame:
    """What the probabilities say of their own quality.

    Args:
        probability: one per customer, calibrated.
        level_error: standard error of the level in log odds, as `level_error` has it; NaN where
            it is not known, and then the share has no interval.

    Returns:
        One row per metric of `MONITORED` with the columns of `COLUMNS`. No rows without customers.
    """
    if not len(probability):
        return figures([])
    p = certain_of_nothing(probability)
    n, logit, chance = len(p), special.logit(p), p * (1 - p)
    auc, by_auc = _expected_auc(p)
    of_p = {
        "auc": (auc, by_auc),
        "log_loss": (float(special.entr(p).mean() + special.entr(1 - p).mean()), -logit / n),
        "brier": (float(chance.mean()), (1 - 2 * p) / n),
        SHARE: (float(p.mean()), np.full(n, 1 / n)),
    }
    rows = []
    for metric, (value, by_outcome) in of_p.items():
        deviation = float(np.sqrt(chance @ by_outcome**2))
        if metric == SHARE:
            deviation = float(np.hypot(deviation, level_error * chance.mean()))
        rows.append((metric, value, value - Z * deviation, value + Z * deviation, n))
    return figures(rows)


def expected_coverage(metric: str, share: float, orders: float, error: float) -> pd.DataFrame:
    """The share of orders that an interval is to hold.

    Args:
        metric: its name.
        share: that it is to hold.
        orders: that are expected, of all those named an interval.
        error: standard error beyond the chance of so many; NaN: not known.

    Returns:
        One row with the columns of `COLUMNS`, `customers` the orders; none without any.
    """
    count = round(orders)
    if not count:
        return figures([])
    margin = Z * float(np.hypot(np.sqrt(share * (1 - share) / count), error))
    return figures([(metric, share, share - margin, share + margin, count)])


def expected_total(amount: FloatArray, error: float) -> pd.DataFrame:
    """The total of stated amounts.

    Args:
        amount: one per customer.
        error: standard error of the total's logarithm; NaN: not known.

    Returns:
        One row of the metric `TOTAL` with the columns of `COLUMNS`; none without customers.
    """
    if not len(amount):
        return figures([])
    total = float(amount.sum())
    margin = float(np.exp(Z * error))
    return figures([(TOTAL, total, total / margin, total * margin, len(amount))])


def _expected_auc(p: FloatArray) -> tuple[float, FloatArray]:
    """AUC with p of each customer a churner, and its derivative by each customer's outcome."""
    place = np.unique(p, return_inverse=True)[1]
    churners = np.bincount(place, p)
    stayers = np.bincount(place, 1 - p)
    # Weight of the stayers below and of the churners above each value, ties half.
    below = np.cumsum(stayers) - stayers / 2
    above = churners.sum() - np.cumsum(churners) + churners / 2
    positives, negatives = churners.sum(), stayers.sum()
    # Nobody is compared with himself: below holds half of his own weight.
    own = float(p @ (1 - p))
    auc = float((churners @ below - own / 2) / (positives * negatives - own))
    by_value = (below - above) / (positives * negatives) - auc * (1 / positives - 1 / negatives)
    return auc, by_value[place]


def level_error(calibration: Calibration | None) -> float:
    """Root mean square error, in log odds, of the levels that were stated for past snapshots.

    Zero where no level was known by the day of any snapshot.
    """
    if calibration is None or not calibration.levels:
        return 0.0
    first = calibration.levels[0].snapshot
    errors = [
        calibration.level_for(each.snapshot) - each.logit
        for each in calibration.levels
        if (each.snapshot - first).days >= calibration.horizon_days
    ]
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else 0.0


def realised(probability: FloatArray, happened: BoolArray, *, seed: int) -> pd.DataFrame:
    """How good probabilities were, now that it is known to whom it happened.

    Returns:
        One row per metric of `MONITORED` with the columns of `COLUMNS`; NaN where a metric is not
        defined. No rows without customers.
    """
    if not len(happened):
        return figures([])
    table = evaluate(happened, {"served": certain_of_nothing(probability)}, seed=seed).table()
    of_p = table[table["metric"].isin(MONITORED)].assign(customers=len(happened))
    return pd.concat([of_p[list(COLUMNS)], realised_share(SHARE, happened)], ignore_index=True)


def realised_share(metric: str, happened: BoolArray) -> pd.DataFrame:
    """The share of rows that something happened to, with Wilson's interval; no rows, no figure."""
    if not len(happened):
        return figures([])
    share = stats.binomtest(int(happened.sum()), len(happened)).proportion_ci(
        CONFIDENCE, method="wilson"
    )
    return figures([(metric, float(happened.mean()), share.low, share.high, len(happened))])


def realised_amounts(
    stated: FloatArray, typical: FloatArray, came: FloatArray, *, seed: int
) -> pd.DataFrame:
    """How good stated amounts were, now that it is known what came.

    Args:
        stated: means, one per customer.
        typical: what to expect of each alone; NaN where nothing says so.
        came: one per customer.
        seed: of the bootstrap.

    Returns:
        One row per metric with the columns of `COLUMNS`: mae, mae_of_typical, spearman, and the
        total, whose interval is that of the mean times the customers. No rows without customers.
    """
    if not len(came):
        return figures([])
    further = {} if np.isnan(typical).any() else {"mae_of_typical": typical}
    metrics = AmountMetrics.of(came, np.maximum(stated, LEAST_AMOUNT), **further)

    def measured(weights: FloatArray) -> dict[str, FloatArray]:
        return metrics(weights) | {TOTAL: len(came) * amounts.mean(came, weights)}

    judged = judge({"served": measured}, len(came), seed=seed)
    wanted = ("mae", *further, "spearman", TOTAL)
    found = judged.figures["served"]
    return figures(
        [(name, found[name], *judged.interval("served", name), len(came)) for name in wanted]
    )


def certain_of_nothing(probability: FloatArray) -> FloatArray:
    """Probabilities within the bounds of published ones, since a certain one has no logarithm."""
    p: FloatArray = np.clip(np.asarray(probability, dtype=np.float64), EPSILON, 1 - EPSILON)
    return p


def figures(rows: Sequence[tuple[str, float, float, float, int]]) -> pd.DataFrame:
    """A table of figures with the columns of `COLUMNS`."""
    return pd.DataFrame(rows, columns=list(COLUMNS))
