"""The one way in which a forecast is learnt, judged out of time, decided and described.

What is particular to a kind (what is foretold, by which metrics it is judged, what it must beat)
is a function from snapshots to `Learnt`; the version, its card and its rows of model_evaluations
are made here, the same for all kinds. Where there is too little to learn from, the kind's rule
speaks, and the card says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from models.errors import TooLittleDataError
from models.evaluation.judging import CHALLENGER, EVALUATION_COLUMNS, Figures
from models.forecasts.forecast import HORIZONS, MODEL, Forecast, Snapshots
from models.native import thread_limit
from models.purchase.histories import are_enough, histories
from models.purchase.view import PurchaseView
from models.versions.card import Card
from models.versions.plots import Plot
from models.versions.version import libraries

FORECAST_EVALUATION_COLUMNS = ("model_kind", *EVALUATION_COLUMNS)
REPRODUCE = (
    "The same rows, settings, threads and library versions give the same bytes, and so the same "
    "version name.",
    "In Python, with the home's warehouse of that day: models.forecasts.outlook.train(frame, "
    "as_of=date.fromisoformat({as_of!r}), horizon_days={horizon}, seed={seed}, "
    "threads={threads}), the frame being purchase_frame(warehouse, as_of) of "
    "pipelines.defs.forecasts.",
)


@dataclass(frozen=True)
class Setting:
    """What a training is asked for.

    Attributes:
        as_of: the day of the training.
        horizon_days: days within which an order of a churned customer counts as a return.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded.
        horizons: days ahead of which the others learn the longest that the past allows.
    """

    as_of: date
    horizon_days: int
    seed: int
    threads: int
    horizons: Sequence[int] = HORIZONS


@dataclass(frozen=True)
class Learnt:
    """What a kind of forecast makes of its snapshots.

    Attributes:
        forecast: what is served, its card still empty.
        windows: which days it learnt from and was judged on, by name.
        cutoff_on: day of the snapshot it was judged on.
        figures: out of time, the challenger's and every baseline's.
        decision: what is served and why, a sentence.
        parameters: of the trees.
        by_segment, failures, plots: as in the card.
        drivers: share of the judged model that each feature makes up, largest first.
    """

    forecast: Forecast
    windows: Mapping[str, Any]
    cutoff_on: date
    figures: Figures
    decision: str
    parameters: Mapping[str, Any]
    by_segment: Sequence[Mapping[str, Any]]
    failures: Sequence[str]
    plots: Sequence[Plot]
    drivers: Mapping[str, float]


@dataclass(frozen=True)
class Kind:
    """One kind of forecast.

    Attributes:
        name: `profit`.
        title, purpose, limits: as in the card; the purpose may name {horizon}.
        rule: what speaks where nothing can be learnt, as stored.
        rule_in_words: the beginning of the sentence that says so.
        rule_horizon_days: days ahead that the rule speaks of; None: as asked for.
        learn: raises TooLittleDataError where nothing can be learnt.
        loss, ranking: the metrics by which a backtest tells whether it is ahead.
        has_horizons: whether it learns the longest horizon that the past allows.
        unjudged: the baseline that is the purchase model as it is: it needs no outcome, and speaks
            in the rule's stead where there are customers enough to fit it.
    """

    name: str
    title: str
    purpose: str
    limits: tuple[str, ...]
    rule: str
    rule_in_words: str
    rule_horizon_days: int | None
    learn: Callable[[Snapshots, Setting], Learnt]
    loss: str
    ranking: str
    has_horizons: bool = True
    unjudged: str | None = None


def train(
    kind: Kind, snapshots: Snapshots, setting: Setting, champion: Forecast | None = None
) -> tuple[Forecast, pd.DataFrame]:
    """Learn, judge out of time, decide, and describe.

    Args:
        kind: what is foretold.
        snapshots: of every customer who ever ordered: purchase_features with the outcomes of
            purchase_outcomes (NaN where not over), the snapshot of the day itself among them.
        setting: of the training.
        champion: the version served so far; where nothing can be learnt it may stay
            (`Forecast.gives_way_to`), and the decision says so.

    Returns:
        The version, and its figures with the columns of `FORECAST_EVALUATION_COLUMNS`.
    """
    described = Card(
        kind.title,
        kind.purpose.format(horizon=setting.horizon_days),
        limits=kind.limits,
        libraries=libraries("xgboost", "numpy", "pandas", "scipy"),
    )
    try:
        with thread_limit(setting.threads):
            learnt = kind.learn(snapshots, setting)
    except TooLittleDataError as reason:
        view = _view_of_today(snapshots) if kind.unjudged else None
        serves, said = (
            (kind.unjudged, f"The baseline {kind.unjudged} is served as it is")
            if kind.unjudged and view
            else (kind.rule, kind.rule_in_words)
        )
        unlearnt = Forecast(
            kind.name,
            setting.as_of,
            kind.rule_horizon_days or setting.horizon_days,
            serves,
            snapshots.schema,
            (),
            view,
            {},
            {},
            setting.threads,
            described,
        )
        if champion is not None and not champion.gives_way_to(unlearnt):
            said = "The champion stays"
        decided = replace(described, decision=f"{said}, nothing was learnt: {reason}.")
        unlearnt = replace(unlearnt, card=decided)
        return unlearnt, pd.DataFrame([], columns=list(FORECAST_EVALUATION_COLUMNS))
    asked = {
        "as_of": setting.as_of.isoformat(),
        "horizon": setting.horizon_days,
        "seed": setting.seed,
        "threads": setting.threads,
    }
    card = replace(
        described,
        decision=learnt.decision,
        windows=learnt.windows,
        metrics=learnt.figures.for_card(),
        served_role=role_of(learnt.forecast),
        by_segment=learnt.by_segment,
        plots=learnt.plots,
        # Those of a model that is not served would explain nothing that is published.
        drivers=learnt.drivers if learnt.forecast.serves == MODEL else {},
        failures=learnt.failures,
        parameters={**learnt.parameters, "seed": setting.seed, "threads": setting.threads},
        reproduce=[line.format(**asked) for line in REPRODUCE],
    )
    version = replace(learnt.forecast, card=card)
    return version, _table(version, learnt)


def decide(
    figures: Figures, baselines: Sequence[str], *, what: str, losses: Sequence[str], ranking: str
) -> tuple[str, str]:
    """What is served, and why.

    The challenger is where it beats the best baseline beyond chance in one of the losses (the 95%
    interval of its gain lies above zero), falls behind beyond chance in none, and does not rank
    customers worse; otherwise that baseline is. A baseline that ranks customers better beyond
    chance than what is served is named either way.

    Args:
        figures: of CHALLENGER and of the baselines.
        baselines: roles that it must beat; the best has the smallest of the first losses.
        what: the challenger, in words.
        losses: metrics, the smaller the better.
        ranking: a metric, the larger the better.
    """
    best = figures.best(baselines, losses[0])
    gains = {name: figures.gain(CHALLENGER, best, name) for name in losses}
    ranks = figures.gain(CHALLENGER, best, ranking)
    said = ", ".join(
        [
            *(f"{name} {gain.in_words('.4g')}" for name, gain in gains.items()),
            f"{ranking} {ranks.value:+.4f}",
        ]
    )
    beats = any(gain.lower > 0 for gain in gains.values())
    if beats and all(gain.upper >= 0 for gain in gains.values()) and ranks.value >= 0:
        better = _ranking_better(figures, CHALLENGER, ranking)
        return MODEL, f"Served: {what}. It beats the best baseline, {best}: {said}.{better}"
    short = "that is better in one respect only" if beats else "beyond chance that is no better"
    better = _ranking_better(figures, best, ranking)
    return best, f"Served: the baseline {best}, and not {what}, since {short}: {said}.{better}"


def _ranking_better(figures: Figures, served: str, ranking: str) -> str:
    """A sentence for each other baseline that ranks better than what is served, beyond chance."""
    gains = {
        role: figures.gain(role, served, ranking)
        for role, metrics in figures.figures.items()
        if role not in {served, CHALLENGER} and ranking in metrics
    }
    return "".join(
        f" Of order alone {role} tells more: {ranking} {gain.in_words()}."
        for role, gain in gains.items()
        if gain.lower > 0
    )


def _view_of_today(snapshots: Snapshots) -> PurchaseView | None:
    """Purchase and spending model as of the latest day, where there is enough to fit both."""
    today = snapshots.all_days[-1]
    if not are_enough(*histories(snapshots.of_days([today]).matrix)):
        return None
    try:
        view = snapshots.view(today)
        view.spending()
    except TooLittleDataError:
        return None
    return view


def role_of(forecast: Forecast) -> str:
    """The role of the figures that a version speaks with."""
    return CHALLENGER if forecast.serves == MODEL else forecast.serves


def _table(version: Forecast, learnt: Learnt) -> pd.DataFrame:
    """One row per role and metric; NaN where undefined."""
    rows = [
        (
            version.kind,
            version.version,
            role,
            pd.Timestamp(learnt.cutoff_on),
            version.horizon_days,
            metric,
            value,
            *learnt.figures.interval(role, metric),
            role == role_of(version),
        )
        for role, metrics in learnt.figures.figures.items()
        for metric, value in metrics.items()
    ]
    table = pd.DataFrame(rows, columns=list(FORECAST_EVALUATION_COLUMNS))
    return table.astype(dict.fromkeys(("value", "lower", "upper"), np.float64))
