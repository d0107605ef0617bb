"""How good the forecasts would have been, had they been made on earlier days.

At each of some cutoffs a forecast is learnt anew by the training that learns what is served, on the
day on which the cutoff's horizon had just ended: that training learns from what was known by the
cutoff, and judges by what came after. One test is one season; the mean over cutoffs is what to
expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from models.churn.backtest import COLUMNS, CUTOFFS, possible_cutoffs, spread
from models.errors import TooLittleDataError
from models.evaluation.judging import CHALLENGER, LOSSES, Difference
from models.forecasts.forecast import Snapshots
from models.forecasts.training import Kind, Learnt, Setting, role_of
from models.native import thread_limit
from models.versions.card import Card
from models.versions.plots import Plot

BACKTEST_COLUMNS: Final = ("model_kind", *COLUMNS)
# Metrics of which more is better, so that one candidate can be ahead of another in them.
RANKINGS: Final = frozenset({"auc", "average_precision", "lift_at_10", "spearman"})
# A shorter horizon with so many cutoffs tells more than a longer one with fewer.
ENOUGH_CUTOFFS: Final = 3


@dataclass(frozen=True)
class ForecastBacktest:
    """What came of it for one kind of forecast.

    Attributes:
        kind: of forecast.
        horizon_days: days ahead that every cutoff learnt and was judged by.
        learnt: one per cutoff, oldest first.
        skipped: why a cutoff was left out, one sentence each.
    """

    kind: Kind
    horizon_days: int
    learnt: tuple[Learnt, ...]
    skipped: tuple[str, ...] = ()

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """The days, oldest first."""
        return tuple(each.cutoff_on for each in self.learnt)

    @cached_property
    def roles(self) -> tuple[str, ...]:
        """Who was judged; the same at every cutoff."""
        return tuple(self.learnt[0].figures.figures)

    def metrics(self, role: str) -> list[str]:
        """The metrics of a role that have intervals."""
        return list(self.learnt[0].figures.resampled[role])

    def mean(self, role: str, metric: str) -> tuple[float, float, float]:
        """Mean over the cutoffs, with an interval that is too wide rather than too narrow.

        Its ends are the means of the cutoffs' own: as if they, who share customers, shared all
        of their luck (a mean deviates by no more than the mean of the deviations).
        """
        figures = [each.figures for each in self.learnt]
        values = [(each.figures[role][metric], *each.interval(role, metric)) for each in figures]
        value, lower, upper = np.mean(values, axis=0).tolist()
        return value, lower, upper

    def gain(self, over: str, metric: str) -> Difference:
        """By how much the challenger's mean is better than that of a role; interval as `mean`."""
        gains = [each.figures.gain(CHALLENGER, over, metric) for each in self.learnt]
        values = [(each.value, each.lower, each.upper) for each in gains]
        return Difference(*np.mean(values, axis=0).tolist())

    def best_baseline(self, metric: str) -> str | None:
        """The baseline with the best mean of a metric; None where none can be ahead in it."""
        rivals = [
            role for role in self.roles if role != CHALLENGER and metric in self.metrics(role)
        ]
        if not rivals or metric not in LOSSES | RANKINGS:
            return None
        sign = 1 if metric in LOSSES else -1
        return min(rivals, key=lambda role: sign * self.mean(role, metric)[0])

    def table(self) -> pd.DataFrame:
        """One row per scope, role, metric and cutoff, columns `BACKTEST_COLUMNS`.

        Scopes are those of `models.churn.backtest.Backtest.table`.
        """
        last, cutoffs = self.cutoffs[-1], len(self.learnt)
        rows: list[tuple[Any, ...]] = []
        for role in self.roles:
            for metric in self.metrics(role):
                best = self.best_baseline(metric) == role
                for each in self.learnt:
                    figures = each.figures
                    value = figures.figures[role][metric], *figures.interval(role, metric)
                    rows.append(("cutoff", role, metric, each.cutoff_on, 1, *value, best))
                mean = self.mean(role, metric)
                rows.append(("mean", role, metric, last, cutoffs, *mean, best))
                if role != CHALLENGER and metric in LOSSES | RANKINGS:
                    gain = self.gain(role, metric)
                    value = gain.value, gain.lower, gain.upper
                    rows.append(("gain", role, metric, last, cutoffs, *value, best))
        columns = ["scope", "role", "metric", "cutoff_on", "cutoffs", "value", "lower", "upper"]
        table = pd.DataFrame(rows, columns=[*columns, "is_best_baseline"])
        return table.assign(
            model_kind=self.kind.name,
            cutoff_on=pd.to_datetime(table["cutoff_on"]),
            horizon_days=self.horizon_days,
        )[list(BACKTEST_COLUMNS)]

    def summary(self) -> str:
        """The mean gain over the best baseline by which the kind is decided, one sentence."""
        said = []
        for metric in (self.kind.loss, self.kind.ranking):
            over = self.best_baseline(metric)
            if over is not None:
                gain = self.gain(over, metric)
                said.append(
                    f"{metric} {self.mean(CHALLENGER, metric)[0]:.4g}, {gain.in_words('.4g')} than "
                    f"with {over}"
                )
        return (
            f"{self.kind.title}, mean of {len(self.learnt)} cutoffs, {self.horizon_days} days "
            f"ahead: {'; '.join(said)}."
        )

    def card(self) -> Card:
        """All of it as a page holds it."""
        return Card(
            f"Backtest: {self.kind.title.lower()}",
            "How good the forecast would have been, had it been made on earlier days: at each "
            "cutoff it is learnt anew from what was known then, and judged by what came after.",
            decision=self.summary(),
            windows={
                "cutoffs": [day.isoformat() for day in self.cutoffs],
                "horizon_days": self.horizon_days,
            },
            metrics={
                role: {metric: list(self.mean(role, metric)) for metric in self.metrics(role)}
                for role in self.roles
            },
            by_segment=[self._told(each) for each in self.learnt],
            plots=[
                self._plot(metric, f"{metric} by cutoff")
                for metric in (self.kind.loss, self.kind.ranking)
            ],
            limits=(
                "Intervals of the means are those of cutoffs that share all of their luck: too "
                "wide rather than too narrow.",
                "The cutoffs' horizons may overlap: the means are no independent tests.",
                *self.skipped,
            ),
        )

    def _plot(self, metric: str, title: str) -> Plot:
        days = [day.isoformat() for day in self.cutoffs]
        lines = {
            role: (days, [each.figures.figures[role][metric] for each in self.learnt])
            for role in self.roles
            if metric in self.metrics(role)
        }
        return Plot(title, "Cutoff", metric, lines)

    def _told(self, learnt: Learnt) -> dict[str, Any]:
        """One cutoff: what would have been served, and the gain over its best baseline."""
        figures, loss, ranking = learnt.figures, self.kind.loss, self.kind.ranking
        rivals = [role for role in self.roles if role != CHALLENGER and loss in self.metrics(role)]
        best = figures.best(rivals, loss)
        gain = figures.gain(CHALLENGER, best, loss)
        return {
            "cutoff": learnt.cutoff_on.isoformat(),
            "customers": int(figures.figures[CHALLENGER]["n"]),
            "served": role_of(learnt.forecast),
            loss: figures.figures[CHALLENGER][loss],
            ranking: figures.figures[CHALLENGER][ranking],
            "best_baseline": best,
            "gain": gain.value,
            "gain_lower": gain.lower,
            "gain_upper": gain.upper,
        }


def backtest(
    kind: Kind, snapshots: Snapshots, setting: Setting, *, cutoffs: int = CUTOFFS
) -> ForecastBacktest:
    """Learn and judge at cutoffs spread evenly over those that the data allow.

    The horizon is the longest of the setting's that leaves `ENOUGH_CUTOFFS`, or else the one with
    the most cutoffs: figures of different horizons have no mean.

    Args:
        kind: what is foretold.
        snapshots: as for `training.train`.
        setting: of the trainings; its day is the day of the backtest.
        cutoffs: how many, at most.

    Raises:
        TooLittleDataError: when not a single cutoff can be judged.
    """
    skipped: list[str] = []
    found: list[ForecastBacktest] = []
    for horizon_days in _horizons(kind, setting):
        learnt: list[Learnt] = []
        skipped = []
        possible = possible_cutoffs(snapshots.all_days, setting.as_of, horizon_days)
        for cutoff in spread(possible, cutoffs):
            judged_on = cutoff + timedelta(days=horizon_days)
            known = snapshots.of_days([day for day in snapshots.all_days if day <= judged_on])
            then = replace(setting, as_of=judged_on, horizons=(horizon_days,))
            try:
                with thread_limit(setting.threads):
                    # Purchase models are fitted once a day, whoever starts from them.
                    learnt.append(kind.learn(replace(known, views=snapshots.views), then))
            except TooLittleDataError as reason:
                skipped.append(f"{cutoff}: {reason}.")
        if learnt:
            found.append(ForecastBacktest(kind, horizon_days, tuple(learnt), tuple(skipped)))
            if len(learnt) >= ENOUGH_CUTOFFS:
                return found[-1]
    if not found:
        raise TooLittleDataError(
            " ".join(skipped)
            or f"{kind.title}: no month-end has a finished horizon and enough "
            "finished ones before it"
        )
    return max(found, key=lambda each: len(each.learnt))


def _horizons(kind: Kind, setting: Setting) -> Sequence[int]:
    return setting.horizons if kind.has_horizons else (setting.horizon_days,)
