"""How good the predictions would have been, had they been made on earlier days.

At each of some cutoffs everything is learnt anew from what was known then, by the same `fit` that
trains what is served, and judged by what came after. One test snapshot is one season and one
draw of luck; the mean over cutoffs is what to expect. Intervals are of a bootstrap that draws
customers whole, with all their cutoffs, and candidates pair by pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special

from models.churn.fitting import Progress, silent
from models.churn.out_of_time import judged_at
from models.errors import TooLittleDataError
from models.evaluation.confidence import CONFIDENCE
from models.evaluation.judging import (
    CHALLENGER,
    Evaluation,
    Figures,
    Sample,
    evaluate_jointly,
    mean_of,
)
from models.evaluation.probabilities import LIFT_SHARE, METRICS, RESAMPLED
from models.frame.features import SNAPSHOT, labelled
from models.frame.splits import MIN_TRAINING_SNAPSHOTS, finished_snapshots
from models.native import thread_limit
from models.versions.card import Card
from models.versions.plots import Plot

CUTOFFS: Final = 6
# The most that lift_at_10 can be: all of the first tenth churners, or all churners in it.
LIFT_CAP: Final = "lift_at_10_cap"
COMPARED: Final = (*RESAMPLED, "ece")
COLUMNS: Final = (
    "scope", "role", "metric", "cutoff_on", "horizon_days", "cutoffs", "value", "lower", "upper",
    "is_best_baseline",
)  # fmt: skip


@dataclass(frozen=True)
class Backtest:
    """What came of it.

    Attributes:
        cutoffs: the days, oldest first.
        evaluations: one per cutoff, `LIFT_CAP` among its figures; the n-th resample is the same
            draw of customers in all.
        horizon_days: days without an order that count as churn.
        skipped: why a cutoff was left out, one sentence each.
    """

    cutoffs: tuple[date, ...]
    evaluations: tuple[Evaluation, ...]
    horizon_days: int
    skipped: tuple[str, ...] = ()

    @cached_property
    def mean(self) -> Figures:
        """Mean figures over the cutoffs, of the candidates that were judged at all of them."""
        return mean_of(self.evaluations)

    def best_baseline(self, metric: str) -> str:
        """The baseline with the best mean of a metric."""
        return self.mean.best([role for role in self.mean.figures if role != CHALLENGER], metric)

    def table(self) -> pd.DataFrame:
        """One row per scope, role, metric and cutoff, columns `COLUMNS`.

        Scopes: `cutoff` (one day), `mean` (over all cutoffs) and `gain` (by how much the
        challenger's mean is better than that of the role; positive is better). The last two
        bear the latest cutoff.
        """
        rows = []
        for day, evaluation in zip(self.cutoffs, self.evaluations, strict=True):
            for role in evaluation.figures:
                for metric in (*METRICS, LIFT_CAP):
                    value = evaluation.figures[role][metric]
                    bounds = evaluation.interval(role, metric)
                    rows.append(("cutoff", role, metric, day, 1, value, *bounds))
        of_all = self.cutoffs[-1], len(self.cutoffs)
        for role, figures in self.mean.figures.items():
            for metric in (*COMPARED, LIFT_CAP):
                bounds = self.mean.interval(role, metric)
                rows.append(("mean", role, metric, *of_all, figures[metric], *bounds))
                if role != CHALLENGER and metric in COMPARED:
                    gain = self.mean.gain(CHALLENGER, role, metric)
                    bounds = gain.lower, gain.upper
                    rows.append(("gain", role, metric, *of_all, gain.value, *bounds))
        table = pd.DataFrame(
            rows,
            columns=["scope", "role", "metric", "cutoff_on", "cutoffs", "value", "lower", "upper"],
        )
        best = {metric: self.best_baseline(metric) for metric in COMPARED}
        return table.assign(
            cutoff_on=pd.to_datetime(table["cutoff_on"]),
            horizon_days=self.horizon_days,
            is_best_baseline=[
                best.get(metric) == role
                for metric, role in zip(table["metric"], table["role"], strict=True)
            ],
        )[list(COLUMNS)]

    def summary(self) -> str:
        """The mean gain over the best baseline in AUC and log-loss, one sentence."""
        said = []
        for metric in ("auc", "log_loss"):
            over = self.best_baseline(metric)
            gain = self.mean.gain(CHALLENGER, over, metric)
            said.append(
                f"{metric} {self.mean.figures[CHALLENGER][metric]:.4f}, beside {over} "
                f"{gain.in_words()}"
            )
        return f"Mean of {len(self.cutoffs)} cutoffs: {'; '.join(said)}."

    def plot(self, metric: str, title: str) -> Plot:
        """A figure by cutoff, one line per role."""
        days = [day.isoformat() for day in self.cutoffs]
        lines = {
            role: (days, [each.figures[role][metric] for each in self.evaluations])
            for role in self.mean.figures
        }
        return Plot(title, "Cutoff", metric, lines)

    def card(self) -> Card:
        """All of it as a page holds it: the means, each cutoff, pictures, what was left out.

        Cutoffs named as failures are so beyond chance, their number taken into account
        (Bonferroni).
        """
        sure = float(special.ndtri(1 - (1 - CONFIDENCE) / 2 / len(self.cutoffs)))
        cutoffs = [
            self._told(day, evaluation)
            for day, evaluation in zip(self.cutoffs, self.evaluations, strict=True)
        ]
        return Card(
            "Backtest of churn",
            "How good the probabilities would have been, had they been stated on earlier days: at "
            "each cutoff everything is learnt anew from what was known then, and judged by what "
            "came after.",
            decision=self.summary(),
            windows={
                "cutoffs": [day.isoformat() for day in self.cutoffs],
                "horizon_days": self.horizon_days,
            },
            metrics=self.mean.for_card(),
            by_segment=cutoffs,
            failures=[
                f"{each['cutoff']}: {each['expected']:.1%} were expected to churn, "
                f"{each['churned']:.1%} did."
                for each in cutoffs
                if abs(each["expected"] - each["churned"])
                > sure * np.sqrt(each["expected"] * (1 - each["expected"]) / each["customers"])
            ],
            plots=[
                self.plot("auc", "AUC by cutoff"),
                self.plot("log_loss", "Log-loss by cutoff"),
                self.plot("ece", "Calibration error by cutoff"),
            ],
            limits=self.skipped,
        )

    def _told(self, day: date, evaluation: Evaluation) -> dict[str, Any]:
        """One cutoff: what came, what was expected, and the gain over its best baseline."""
        figures = evaluation.figures[CHALLENGER]
        baselines = [role for role in evaluation.figures if role != CHALLENGER]
        best = evaluation.best(baselines, "log_loss")
        gain = evaluation.gain(CHALLENGER, best, "log_loss")
        return {
            "cutoff": day.isoformat(),
            "customers": len(evaluation.happened),
            "churned": float(evaluation.happened.mean()),
            "expected": float(evaluation.probabilities[CHALLENGER].mean()),
            **{name: figures[name] for name in ("auc", "log_loss", "ece")},
            "best_baseline": best,
            "gain": gain.value,
            "gain_lower": gain.lower,
            "gain_upper": gain.upper,
        }


def backtest(
    frame: pd.DataFrame,
    *,
    as_of: date,
    horizon_days: int,
    cutoffs: int = CUTOFFS,
    seed: int = 0,
    threads: int = 2,
    progress: Progress | None = None,
) -> Backtest:
    """Fit and judge at cutoffs spread evenly over those that the data allow, the latest included.

    Args:
        frame: as for `models.churn.fitting.fit`, with the snapshots of all cutoffs.
        as_of: the day; horizons that end later are not judged.
        horizon_days: days without an order that count as churn.
        cutoffs: how many, at most.
        seed: of the fits and of the bootstrap.
        threads: of the native libraries.
        progress: told what is being done.

    Raises:
        FrameError: when the frame does not have the keys, the outcome or the rhythm columns.
        TooLittleDataError: when not a single cutoff can be judged.
    """
    tell = progress or silent
    rows = labelled(frame)
    known = rows[rows[SNAPSHOT] <= pd.Timestamp(as_of)]
    chosen = spread(
        possible_cutoffs(known[SNAPSHOT].dt.date.unique(), as_of, horizon_days), cutoffs
    )
    days: list[date] = []
    samples: list[Sample] = []
    skipped: list[str] = []
    for number, day in enumerate(chosen, start=1):
        tell(f"cutoff {day}, {number} of {len(chosen)}")
        try:
            sample = judged_at(known, day, horizon_days=horizon_days, seed=seed, threads=threads)
        except TooLittleDataError as reason:
            skipped.append(f"{day}: {reason}.")
        else:
            days.append(day)
            samples.append(sample)
    if not samples:
        raise TooLittleDataError(
            " ".join(skipped)
            or f"no month-end has a finished horizon of {horizon_days} days by {as_of} and "
            f"{MIN_TRAINING_SNAPSHOTS} such month-ends before it"
        )
    tell(f"judging {len(samples)} cutoffs")
    with thread_limit(threads):
        evaluations = evaluate_jointly(samples, seed=seed)
    capped = tuple(map(_with_lift_cap, evaluations))
    return Backtest(tuple(days), capped, horizon_days, tuple(skipped))


def possible_cutoffs(days: Sequence[date], as_of: date, horizon_days: int) -> list[date]:
    """The snapshots that can be judged by a day, with enough finished ones before each."""
    return [
        day
        for day in finished_snapshots(days, as_of, horizon_days)
        if len(finished_snapshots(days, day, horizon_days)) >= MIN_TRAINING_SNAPSHOTS
    ]


def spread(days: Sequence[date], most: int) -> list[date]:
    """At most so many of the days, at equal distances, the first and the last included."""
    if len(days) <= most:
        return list(days)
    at = np.linspace(len(days) - 1, 0, most).round().astype(int)
    return [days[each] for each in sorted(at)]


def _with_lift_cap(evaluation: Evaluation) -> Evaluation:
    customers, churners = len(evaluation.happened), int(evaluation.happened.sum())
    cap = min(1 / LIFT_SHARE, customers / churners) if churners else float("nan")
    figures = {role: {**each, LIFT_CAP: cap} for role, each in evaluation.figures.items()}
    return replace(evaluation, figures=figures)
