"""How good today's scores should be, how good earlier ones were, and what to do about it.

Before labels arrive the calibrated probabilities themselves say how good they are: a customer with
probability p counts as p of a churner and 1 - p of a stayer (confidence-based performance
estimation, as NannyML's documentation describes it). With N the number of customers:

- log-loss: mean of -p ln p - (1 - p) ln(1 - p);  Brier: mean of p (1 - p);
- AUC: sum of p_i (1 - p_j) [p_i > p_j, ties half] over sum of p_i (1 - p_j), all pairs i, j of
  different customers;
- share of churners: mean of p.

Their intervals hold the chance of the outcomes, with y_i drawn from p_i: the variance is
sum p_i (1 - p_i) g_i^2, with g_i the derivative of the figure with respect to y_i (delta method).
That of the share also holds how far the level of earlier snapshots was off when it was stated,
since the season may change in ways a year ago did not. All of it is true only as far as the
probabilities are; whether they were, is measured once the horizon is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special, stats

from models.evaluation.confidence import CONFIDENCE, Z
from models.evaluation.judging import evaluate
from models.frame.features import BoolArray, FloatArray
from models.probability.calibration import Calibration

# Both verdicts of a figure must be this sure; a month of alarms by chance in ten years.
ALERT_CONFIDENCE: Final = 0.99
SHARE: Final = "churned_share"
MONITORED: Final = ("auc", "log_loss", "brier", SHARE)
COLUMNS: Final = (
    "scored_on", "kind", "metric", "value", "lower", "upper", "customers", "model_version",
    "horizon_days",
)  # fmt: skip
MOST_NAMED: Final = 3


def expected(probability: FloatArray, level_error: float = 0.0) -> pd.DataFrame:
    """What the probabilities say of their own quality.

    Args:
        probability: of churn, one per customer, calibrated.
        level_error: standard error of the level in log odds, of `level_error`.

    Returns:
        One row per metric of `MONITORED`: metric, value, lower, upper. No rows without customers.
    """
    if not len(probability):
        return pd.DataFrame(columns=["metric", "value", "lower", "upper"])
    p = np.asarray(probability, dtype=np.float64)
    n, logit, chance = len(p), special.logit(p), p * (1 - p)
    auc, by_auc = _expected_auc(p)
    figures = {
        "auc": (auc, by_auc),
        "log_loss": (float(special.entr(p).mean() + special.entr(1 - p).mean()), -logit / n),
        "brier": (float(chance.mean()), (1 - 2 * p) / n),
        SHARE: (float(p.mean()), np.full(n, 1 / n)),
    }
    rows = []
    for metric, (value, by_outcome) in figures.items():
        deviation = float(np.sqrt(chance @ by_outcome**2))
        if metric == SHARE:
            deviation = float(np.hypot(deviation, level_error * chance.mean()))
        rows.append((metric, value, value - Z * deviation, value + Z * deviation))
    return pd.DataFrame(rows, columns=["metric", "value", "lower", "upper"])


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


def realised(probability: FloatArray, churned: BoolArray, *, seed: int) -> pd.DataFrame:
    """How good probabilities were, now that it is known who churned.

    Returns:
        One row per metric of `MONITORED`: metric, value, lower, upper; NaN where a metric is not
        defined. No rows without customers.
    """
    if not len(churned):
        return pd.DataFrame(columns=["metric", "value", "lower", "upper"])
    table = evaluate(churned, {"served": probability}, seed=seed).table()
    share = stats.binomtest(int(churned.sum()), len(churned)).proportion_ci(
        CONFIDENCE, method="wilson"
    )
    return pd.concat(
        [
            table.loc[table["metric"].isin(MONITORED), ["metric", "value", "lower", "upper"]],
            pd.DataFrame(
                [(SHARE, churned.mean(), share.low, share.high)],
                columns=["metric", "value", "lower", "upper"],
            ),
        ],
        ignore_index=True,
    )


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at, and what to do.

    Attributes:
        alert: its name, one per subject: drift, missing_values, separation, level, ranking.
        subject: the feature's source, or the metric.
        observed, tolerated: the figure, and the one that it was to stay within.
        message: both in words, beginning with what to do.
    """

    alert: str
    subject: str
    observed: float
    tolerated: float
    message: str


def drift_alerts(drift: pd.DataFrame, sources: pd.Series[Any]) -> list[Alert]:
    """What drifted: sources that stopped to deliver first, then customers who changed.

    Args:
        drift: of `Reference.compare`.
        sources: the source of each of its rows, for whoever has to look there.
    """
    found = drift.assign(source=sources)[drift["is_drifted"].to_numpy(dtype=bool)]
    appeared = found["missing_share"] - found["reference_missing_share"]
    is_missing = appeared.abs() >= found["statistic"] / 2
    alerts = []
    for source, rows in found[is_missing].groupby("source", sort=True):
        worst = _furthest(rows)
        named = ", ".join(
            f"{row.feature} is missing in {row.missing_share:.0%} of rows, "
            f"was {row.reference_missing_share:.0%}"
            for row in worst.head(MOST_NAMED).itertuples()
        )
        alerts.append(
            Alert(
                "missing_values",
                str(source),
                float(worst["missing_share"].iloc[0]),
                float(worst["reference_missing_share"].iloc[0]),
                f"look at source {source}: {named}{_more(rows)}",
            )
        )
    if len(moved := found[~is_missing]):
        worst = _furthest(moved)
        named = ", ".join(
            f"{row.feature} ({row.statistic:.2f}, up to {row.threshold:.2f} is usual)"
            for row in worst.head(MOST_NAMED).itertuples()
        )
        alerts.append(
            Alert(
                "drift",
                str(worst["feature"].iloc[0]),
                float(worst["statistic"].iloc[0]),
                float(worst["threshold"].iloc[0]),
                f"retrain: customers have moved away from those of "
                f"{worst['reference_on'].iloc[0]:%Y-%m-%d} further than months usually do: "
                f"{named}{_more(moved)}",
            )
        )
    return alerts


def separation_alerts(today: pd.DataFrame, trained: pd.DataFrame) -> list[Alert]:
    """Whether the scores of today tell customers apart as well as those of the day of training.

    Both figures come from the scores themselves: what was measured in the test has another
    customer base, and of probabilities that are too cautious more comes true than they say.

    Args:
        today: of `expected`.
        trained: of `expected`, of the day on which the model was trained; no rows: unknown.
    """
    auc, then = (each.loc[each["metric"] == "auc"] for each in (today, trained))
    if not len(auc) or not len(then):
        return []
    best, floor = float(auc["upper"].iloc[0]), float(then["lower"].iloc[0])
    if best >= floor:
        return []
    return [
        Alert(
            "separation",
            "auc",
            float(auc["value"].iloc[0]),
            floor,
            f"retrain: the scores tell customers apart less than when they were learnt: AUC "
            f"{auc['value'].iloc[0]:.3f} is expected (at most {best:.3f}), it was {floor:.3f} at "
            "least",
        )
    ]


def outcome_alerts(
    stated: pd.DataFrame, seen: pd.DataFrame, scored_on: date, horizon_days: int
) -> list[Alert]:
    """Whether scores whose horizon is over came true.

    Args:
        stated: of `expected`, of the day of the scores.
        seen: of `realised`, of the same scores.
        scored_on: that day.
        horizon_days: days without an order that count as churn.
    """
    both = stated.merge(seen, on="metric", suffixes=("_stated", "_seen"))
    figures = {str(row["metric"]): row for row in both.to_dict("records")}
    names = {
        SHARE: ("level", "the share of churners is not what the scores stated", "{:.1%}"),
        "auc": ("ranking", "the scores ranked worse than they stated (AUC)", "{:.3f}"),
    }
    alerts = []
    for metric, (alert, what, form) in names.items():
        row = figures.get(metric)
        if row is None or not _apart(row):
            continue
        if alert == "ranking" and row["value_seen"] > row["value_stated"]:
            continue
        seen_text, stated_text, lower, upper = (
            form.format(row[name])
            for name in ("value_seen", "value_stated", "lower_stated", "upper_stated")
        )
        alerts.append(
            Alert(
                alert,
                metric,
                float(row["value_seen"]),
                float(row["value_stated"]),
                f"retrain: {what}: {seen_text} within {horizon_days} days of {scored_on}, "
                f"{stated_text} was stated ({lower} to {upper})",
            )
        )
    return alerts


def _apart(row: Mapping[Any, Any]) -> bool:
    """Whether what was stated and what was seen differ beyond the error of both."""
    errors = [(row[f"upper_{side}"] - row[f"lower_{side}"]) / 2 / Z for side in ("stated", "seen")]
    limit = stats.norm.ppf((1 + ALERT_CONFIDENCE) / 2) * np.hypot(*errors)
    return bool(abs(row["value_seen"] - row["value_stated"]) > limit)


def _furthest(rows: pd.DataFrame) -> pd.DataFrame:
    excess = rows["statistic"] / rows["threshold"]
    order = rows.assign(excess=excess).sort_values(["excess", "feature"], ascending=[False, True])
    return order.drop(columns="excess")


def _more(rows: pd.DataFrame) -> str:
    more = len(rows) - MOST_NAMED
    return f" and {more} more features, see model_drift" if more > 0 else ""
