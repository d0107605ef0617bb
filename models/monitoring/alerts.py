"""What a person should do about a model, with the figures that say so."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from models.evaluation.confidence import Z

# One right figure in a hundred may be called wrong.
ALERT_CONFIDENCE: Final = 0.99
MOST_NAMED: Final = 3
LEVEL: Final = "level"
COVERAGE: Final = "coverage"
RANKING: Final = "ranking"
NAMES: Final = {
    "churn": "churn probabilities",
    "return": "return probabilities",
    "next_order": "order probabilities",
    "profit": "expected profits",
}
# What the scores say of themselves comes before what their version was tested at.
STATED: Final = {"expected": "stated", "tested": "measured in the test"}


@dataclass(frozen=True)
class Told:
    """How an alert speaks of a metric.

    Attributes:
        alert: its name.
        came: what came, of {seen}, {customers} and the {name} of the kind.
        form: of its figures.
        foresees_chance: whether the interval that scores state of it holds the chance of outcomes.
    """

    alert: str
    came: str
    form: str
    foresees_chance: bool = True


TOLD: Final = {
    "churned_share": Told(LEVEL, "{seen} of {customers} customers churned", ".1%"),
    "returned_share": Told(LEVEL, "{seen} of {customers} churned customers returned", ".1%"),
    "ordered_share": Told(LEVEL, "{seen} of {customers} customers ordered", ".1%"),
    # Probabilities say how they may turn out, a total of means does not.
    "profit_total": Told(
        LEVEL, "{customers} customers earned {seen} in all", ",.0f", foresees_chance=False
    ),
    "coverage_80": Told(
        COVERAGE, "{seen} of {customers} next orders came on a day of their 80% interval", ".1%"
    ),
    "auc": Told(RANKING, "the {name} of {customers} customers ranked by an AUC of {seen}", ".3f"),
    "spearman": Told(
        RANKING, "the {name} of {customers} customers ranked by a correlation of {seen}", ".3f"
    ),
}


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at, and what to do.

    Attributes:
        model_kind: of the model it is about.
        alert: its name, one per kind and subject: drift, missing_values, separation, level,
            coverage, ranking.
        subject: the feature's source, or the metric.
        observed, tolerated: the figure, and the one that it was to stay within.
        message: both in words, beginning with what to do.
    """

    model_kind: str
    alert: str
    subject: str
    observed: float
    tolerated: float
    message: str


def drift_alerts(
    model_kind: str, drift: pd.DataFrame, sources: pd.Series[Any], to_do: str
) -> list[Alert]:
    """What drifted: sources that stopped to deliver first, then customers who changed.

    Args:
        model_kind: whose reference it is.
        drift: of `Reference.compare`.
        sources: the source of each of its rows, for whoever has to look there; None where a value
            is missing for who the customer is: of first orders there is no gap.
        to_do: where customers changed, as `Serving.to_do`.
    """
    found = drift.assign(source=sources)[drift["is_drifted"].to_numpy(dtype=bool)]
    appeared = found["missing_share"] - found["reference_missing_share"]
    is_missing = (appeared.abs() >= found["statistic"] / 2) & found["source"].notna()
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
                model_kind,
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
                model_kind,
                "drift",
                str(worst["feature"].iloc[0]),
                float(worst["statistic"].iloc[0]),
                float(worst["threshold"].iloc[0]),
                f"{to_do}: customers have moved away from those of "
                f"{worst['reference_on'].iloc[0]:%Y-%m-%d} further than months usually do: "
                f"{named}{_more(moved)}",
            )
        )
    return alerts


def separation_alerts(
    model_kind: str, today: pd.DataFrame, trained: pd.DataFrame, to_do: str
) -> list[Alert]:
    """Whether the scores of today tell customers apart as well as those of the day of training.

    Both figures come from the scores themselves: what was measured in the test has another
    customer base, and of probabilities that are too cautious more comes true than they say.

    Args:
        model_kind: of the model.
        today: of `expected`.
        trained: of `expected`, of the day on which the model was trained; no rows: unknown.
        to_do: as `Serving.to_do`.
    """
    auc, then = (each.loc[each["metric"] == "auc"] for each in (today, trained))
    if not len(auc) or not len(then):
        return []
    best, floor = float(auc["upper"].iloc[0]), float(then["lower"].iloc[0])
    if best >= floor:
        return []
    return [
        Alert(
            model_kind,
            "separation",
            "auc",
            float(auc["value"].iloc[0]),
            floor,
            f"{to_do}: the {NAMES[model_kind]} tell customers apart less than when they were "
            f"learnt: AUC "
            f"{auc['value'].iloc[0]:.3f} is expected (at most {best:.3f}), it was {floor:.3f} at "
            "least",
        )
    ]


@dataclass(frozen=True)
class Serving:
    """A version that is served.

    Attributes:
        version: its name.
        since: the day it was trained on.
        horizon_days: days ahead that it speaks of.
    """

    version: str
    since: date
    horizon_days: int

    def to_do(self, today: date) -> str:
        """What to do where customers are not as they were learnt; to retrain once that differs.

        Learnt is from month ends whose horizon is over: until the next one's is, training again
        gives the same version.
        """
        first_unknown = self.since - timedelta(days=self.horizon_days - 1)
        days = monthrange(first_unknown.year, first_unknown.month)[1]
        more_on = first_unknown.replace(day=days) + timedelta(days=self.horizon_days)
        if more_on <= today:
            return "retrain"
        return f"retrain from {more_on} on, before that there is nothing more to learn from"


@dataclass(frozen=True)
class Outcome:
    """Scores whose horizon is over, and who speaks now.

    Attributes:
        model_kind: churn, return, next_order or profit.
        scored_on: their day.
        horizon_days: days after it that decided.
        version: that scored.
        served: the version that scores today; None where none does.
    """

    model_kind: str
    scored_on: date
    horizon_days: int
    version: str
    served: Serving | None

    def to_do(self) -> str:
        """What to do where they did not come true."""
        if self.served is None or self.served.version == self.version:
            return "retrain"
        return f"wait until {self._judged_first_on}" if self._judged_first_on else "wait"

    def who(self) -> str:
        """Which version stated it, and which one speaks now."""
        if self.served is None:
            return f"version {self.version} said so, none is served now"
        if self.served.version == self.version:
            return f"version {self.version} said so and is still served"
        first = " and first judged that day" if self._judged_first_on else ""
        return f"version {self.version} said so, {self.served.version} is served now{first}"

    @property
    def _judged_first_on(self) -> date | None:
        """When the first scores of the version served now are; None for an older one put back."""
        if self.served is None or self.served.since <= self.scored_on:
            return None
        return self.served.since + timedelta(days=self.served.horizon_days)


def outcome_alerts(stated: pd.DataFrame, seen: pd.DataFrame, outcome: Outcome) -> list[Alert]:
    """Whether scores whose horizon is over came true.

    Args:
        stated: kind, metric, value, lower and upper of the day of the scores: what they were
            expected to be, and where nothing says that of itself, what was tested.
        seen: of `realised`, of the same scores.
        outcome: which scores these are.
    """
    # expected before tested
    first = stated.sort_values("kind").drop_duplicates("metric")
    both = first[["kind", "metric", "value", "lower", "upper"]].merge(
        seen, on="metric", suffixes=("_stated", "_seen")
    )
    figures = {str(row["metric"]): row for row in both.to_dict("records")}
    alerts = []
    for metric, told in TOLD.items():
        row = figures.get(metric)
        if row is None or not _apart(row, told):
            continue
        if told.alert == RANKING and row["value_seen"] > row["value_stated"]:
            continue
        value, promised, lower, upper = (
            format(row[name], told.form)
            for name in ("value_seen", "value_stated", "lower_stated", "upper_stated")
        )
        came = told.came.format(
            seen=value,
            customers=f"{row['customers']:,}",
            name=NAMES[outcome.model_kind],
        )
        alerts.append(
            Alert(
                outcome.model_kind,
                told.alert,
                metric,
                float(row["value_seen"]),
                float(row["value_stated"]),
                f"{outcome.to_do()}: {came} within {outcome.horizon_days} days of "
                f"{outcome.scored_on}, {promised} was {STATED[str(row['kind'])]} ({lower} to "
                f"{upper}); {outcome.who()}",
            )
        )
    return alerts


def _apart(row: Mapping[Any, Any], told: Told) -> bool:
    """Whether what was stated and what was seen differ beyond error; an unknown error: no.

    Where the stated interval holds the chance of outcomes, that of what was seen is the same chance
    once more. What was tested, on other customers, has its own, and so has what came.
    """
    stated, seen = (
        (row[f"upper_{side}"] - row[f"lower_{side}"]) / 2 / Z for side in ("stated", "seen")
    )
    foreseen = told.foresees_chance and row["kind"] == "expected"
    error = stated if foreseen else np.hypot(stated, seen)
    limit = stats.norm.ppf((1 + ALERT_CONFIDENCE) / 2) * error
    return bool(abs(row["value_seen"] - row["value_stated"]) > limit)


def _furthest(rows: pd.DataFrame) -> pd.DataFrame:
    excess = rows["statistic"] / rows["threshold"]
    order = rows.assign(excess=excess).sort_values(["excess", "feature"], ascending=[False, True])
    return order.drop(columns="excess")


def _more(rows: pd.DataFrame) -> str:
    more = len(rows) - MOST_NAMED
    return f" and {more} more features, see model_drift" if more > 0 else ""
