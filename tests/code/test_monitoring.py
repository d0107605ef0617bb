"""What scores say of themselves, whether they came true, and what people are told."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import special

from models.churn.watched import CHURN
from models.evaluation.judging import evaluate
from models.forecasts.watched import FORECASTS
from models.monitoring.alerts import (
    TOLD,
    Outcome,
    Serving,
    drift_alerts,
    outcome_alerts,
    separation_alerts,
)
from models.monitoring.performance import MONITORED, SHARE, expected, level_error, realised
from models.monitoring.predictions import Prediction
from models.probability.calibration import Calibration, Level
from pipelines.defs.monitoring import judgeable, stated_on
from pipelines.resources.lake import Lake

DAY = date(2026, 3, 31)


def _scores(seed: int = 0, n: int = 3000) -> np.ndarray:
    margin = np.random.default_rng(seed).normal(-0.3, 1.2, n)
    return np.clip(special.expit(margin), 1e-4, 1 - 1e-4)


def test_expected_figures_and_their_intervals_are_those_of_drawn_outcomes() -> None:
    p = np.round(_scores(n=400), 2).clip(0.01, 0.99)  # with ties
    rng = np.random.default_rng(1)
    drawn: dict[str, list[float]] = {metric: [] for metric in MONITORED}
    for _ in range(400):
        y = rng.random(len(p)) < p
        for metric, value in zip(MONITORED, _figures(p, y), strict=True):
            drawn[metric].append(value)
    stated = expected(p).set_index("metric")
    for metric, values in drawn.items():
        row = stated.loc[metric]
        assert np.mean(values) == pytest.approx(row["value"], abs=0.003)
        inside = np.mean((np.array(values) > row["lower"]) & (np.array(values) < row["upper"]))
        assert 0.92 <= inside <= 0.98, metric


def _figures(p: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    ranks = pd.Series(p).rank().to_numpy()
    auc = (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())
    log_loss = -np.where(y, np.log(p), np.log1p(-p)).mean()
    return auc, log_loss, ((p - y) ** 2).mean(), y.mean()


def test_the_level_s_own_error_widens_the_share_alone() -> None:
    p = _scores()
    sure, unsure = (expected(p, error).set_index("metric") for error in (0.0, 0.3))
    width = unsure["upper"] - unsure["lower"]
    assert width[SHARE] > 3 * (sure["upper"] - sure["lower"])[SHARE]
    assert width["auc"] == (sure["upper"] - sure["lower"])["auc"]
    unknown = expected(p, np.nan).set_index("metric")
    assert unknown["value"].equals(sure["value"])
    assert np.isnan(unknown.loc[SHARE, "upper"])
    assert unknown.loc["auc"].equals(sure.loc["auc"])
    assert not len(expected(p[:0]))
    assert not len(realised(p[:0], np.zeros(0, dtype=bool), seed=0))


def test_the_error_of_a_level_is_that_of_stating_it_beforehand() -> None:
    days = pd.date_range("2025-01-31", periods=8, freq="ME").date
    levels = tuple(Level(day, 0.1 * at, 1e-4) for at, day in enumerate(days))
    # The latest level known is three or four months old, and part of it is expected to pass.
    assert 0.29 < level_error(Calibration(1, 1, levels, (), 90)) < 0.5
    assert level_error(Calibration(1, 1, levels[:1], (), 90)) == 0
    assert level_error(None) == 0


@pytest.mark.parametrize(
    ("shift", "alert", "least", "most"),
    [
        # Of 400 right ones 1% are to alarm by their level, half as many by their order.
        (0.0, "level", 1, 10),
        (0.0, "ranking", 0, 7),
        # A test at 1% that counts the chance of the outcomes once finds this in 4 of 5 months.
        (0.2, "level", 280, 370),
    ],
)
def test_alarms_come_as_often_as_promised(shift: float, alert: str, least: int, most: int) -> None:
    alarms = 0
    for seed in range(400):
        p = _scores(seed, n=1500)
        y = np.random.default_rng(seed + 500).random(len(p)) < special.expit(
            special.logit(p) + shift
        )
        alarms += alert in {each.alert for each in _alerts(p, _seen(p, y))}
    assert least <= alarms <= most


def test_scores_that_did_not_come_true_alarm() -> None:
    p = _scores()
    rng = np.random.default_rng(9)
    more = rng.random(len(p)) < special.expit(special.logit(p) + 0.5)
    [alert] = _alerts(p, _seen(p, more))
    assert (alert.model_kind, alert.alert, alert.subject) == ("churn", "level", "churned_share")
    assert alert.observed == more.mean() > alert.tolerated == pytest.approx(p.mean())
    shuffled = rng.permutation(more)
    level, ranking = _alerts(p, _seen(p, shuffled))
    assert (level.alert, ranking.alert, ranking.subject) == ("level", "ranking", "auc")
    # An error that the level is known to have is none to be told, nor one that is not known.
    assert not _alerts(p, _seen(p, more), 0.5)
    assert not _alerts(p, _seen(p, more), np.nan)


@pytest.mark.parametrize(
    ("served", "to_do", "who"),
    [
        (
            Serving("2026-03-01.old", date(2026, 3, 1), 90),
            "retrain",
            "version 2026-03-01.old said so and is still served",
        ),
        (
            Serving("2026-06-21.new", date(2026, 6, 21), 90),
            "wait until 2026-09-19",
            "version 2026-03-01.old said so, 2026-06-21.new is served now and first judged that "
            "day",
        ),
        (  # taken back
            Serving("2026-02-01.older", date(2026, 2, 1), 90),
            "wait",
            "version 2026-03-01.old said so, 2026-02-01.older is served now",
        ),
        (None, "retrain", "version 2026-03-01.old said so, none is served now"),
    ],
)
def test_an_alert_says_what_came_what_to_do_and_who_speaks_now(
    served: Serving | None, to_do: str, who: str
) -> None:
    stated = _figures_table("expected", ("churned_share", 0.5, 0.47, 0.53))
    seen = _figures_table("realised", ("churned_share", 0.6, 0.57, 0.63), customers=1234)
    outcome = Outcome("churn", DAY, 90, "2026-03-01.old", served)
    [alert] = outcome_alerts(stated, seen.drop(columns="kind"), outcome)
    assert alert.message == (
        f"{to_do}: 60.0% of 1,234 customers churned within 90 days of 2026-03-31, 50.0% was stated "
        f"(47.0% to 53.0%); {who}"
    )
    assert (alert.observed, alert.tolerated) == (0.6, 0.5)


@pytest.mark.parametrize("subject", sorted(TOLD))
def test_every_figure_that_is_told_is_told_either_way_and_within_bounds_not(subject: str) -> None:
    [prediction] = [each for each in (CHURN, *FORECASTS) if subject in each.metrics][:1]
    outcome = Outcome(prediction.kind, DAY, 90, "v", None)
    stated = _figures_table("expected", (subject, 0.5, 0.45, 0.55))
    for value, told in ((0.52, False), (0.3, True), (0.7, TOLD[subject].alert != "ranking")):
        seen = _figures_table("realised", (subject, value, value - 0.05, value + 0.05))
        alerts = outcome_alerts(stated, seen.drop(columns="kind"), outcome)
        assert [each.alert for each in alerts] == [TOLD[subject].alert] * told, value
    assert not outcome_alerts(stated, seen.drop(columns="kind")[:0], outcome)


def test_an_alert_is_about_what_the_run_of_that_day_wrote_of_that_kind(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    written = pd.concat(
        [
            _figures_table("expected", ("auc", 0.8, 0.79, 0.81)).assign(model_kind="return"),
            _figures_table("realised", ("auc", 0.7, 0.69, 0.71)).assign(model_kind="churn"),
            _figures_table("tested", ("auc", 0.6, 0.59, 0.61)).assign(model_kind="churn"),
            _figures_table("expected", ("auc", 0.7, 0.69, 0.71)).assign(model_kind="churn"),
        ]
    )
    seen = _figures_table("realised", ("auc", 0.6, 0.59, 0.61)).drop(columns="kind")

    def told(rows: pd.DataFrame) -> list[float]:
        lake.replace("monitoring", DAY, pa.Table.from_pandas(rows, preserve_index=False))
        stated = stated_on(lake, DAY, "churn", ("expected", "tested"))
        alerts = outcome_alerts(stated, seen, Outcome("churn", DAY, 90, "v", None))
        return [each.tolerated for each in alerts]

    assert told(written) == [0.7]
    assert told(written[written["model_kind"] == "return"]) == []
    # Before others were watched, no row said what it was of.
    assert told(written[-1:].drop(columns="model_kind")) == [0.7]
    assert not len(stated_on(lake, DAY + timedelta(days=1), "churn", ("expected",)))


def test_chance_is_counted_once() -> None:
    seen = _figures_table(
        "realised", ("profit_total", 120.0, 105.0, 135.0), ("spearman", 0.5, 0.35, 0.65)
    ).drop(columns="kind")
    outcome = Outcome("profit", DAY, 365, "v", None)
    # Neither a stated total nor what was tested on others foresees the chance of what came.
    stated = [
        _figures_table("expected", ("profit_total", 100.0, 90.0, 110.0)),
        _figures_table("tested", ("spearman", 0.65, 0.55, 0.75)),
    ]
    assert not outcome_alerts(pd.concat(stated), seen, outcome)
    share = ("ordered_share", 0.60, 0.45, 0.75)
    [alert] = outcome_alerts(
        _figures_table("expected", ("ordered_share", 0.5, 0.43, 0.57)),
        _figures_table("realised", share).drop(columns="kind"),
        Outcome("next_order", DAY, 180, "v", None),
    )
    assert alert.subject == "ordered_share"


def test_what_scores_say_of_themselves_comes_before_what_was_tested() -> None:
    both = pd.concat(
        [
            _figures_table("tested", ("auc", 0.9, 0.89, 0.91), ("spearman", 0.6, 0.58, 0.62)),
            _figures_table("expected", ("auc", 0.7, 0.69, 0.71)),
        ]
    )
    seen = _figures_table("realised", ("auc", 0.7, 0.69, 0.71), ("spearman", 0.4, 0.38, 0.42))
    [alert] = outcome_alerts(
        both, seen.drop(columns="kind"), Outcome("profit", DAY, 365, "v", None)
    )
    assert alert.subject == "spearman"
    assert "0.600 was measured in the test (0.580 to 0.620)" in alert.message


def test_every_kind_has_a_figure_of_its_level_and_one_of_its_order() -> None:
    for prediction in (CHURN, *FORECASTS):
        told = {TOLD[metric].alert for metric in prediction.metrics if metric in TOLD}
        assert {"level", "ranking"} <= told, prediction.kind


def _figures_table(
    kind: str, *rows: tuple[str, float, float, float], customers: int = 100
) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["metric", "value", "lower", "upper"])
    return table.assign(kind=kind, customers=customers)


def _alerts(p: np.ndarray, seen: pd.DataFrame, error: float = 0.0) -> list:
    """Of churn scores that are the probabilities."""
    stated, seen = (
        table.assign(metric=table["metric"].replace(SHARE, "churned_share"))
        for table in (expected(p, error), seen)
    )
    return outcome_alerts(
        stated.assign(kind="expected"), seen, Outcome("churn", DAY, 90, "v", None)
    )


def _seen(p: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    """As `realised`, whose bootstrap costs a second a call, with an interval of any width."""
    value = pd.Series(_figures(p, y))
    return pd.DataFrame(
        {
            "metric": MONITORED,
            "value": value,
            "lower": value - 0.02,
            "upper": value + 0.02,
            "customers": len(p),
        }
    )


def test_realised_figures_are_those_of_evaluation() -> None:
    p = _scores(n=300)
    y = np.random.default_rng(2).random(len(p)) < p
    seen = realised(p, y, seed=3).set_index("metric")
    figures = evaluate(y, {"served": p}, seed=3)
    assert set(seen.index) == set(MONITORED)
    for metric in ("auc", "log_loss", "brier"):
        assert seen.loc[metric, "value"] == figures.figures["served"][metric]
        assert tuple(seen.loc[metric, ["lower", "upper"]]) == figures.interval("served", metric)
    share = seen.loc[SHARE]
    assert share["lower"] < share["value"] == y.mean() < share["upper"]


def test_scores_that_tell_customers_apart_less_than_when_learnt_are_told() -> None:
    stated = expected(_scores())
    assert not separation_alerts("churn", stated, expected(_scores(seed=1)), "retrain")
    assert not separation_alerts("churn", stated, stated[:0], "retrain")
    [alert] = separation_alerts("return", expected(np.full(3000, 0.4)), stated, "retrain")
    assert (alert.model_kind, alert.alert, alert.observed) == ("return", "separation", 0.5)
    assert alert.message.startswith("retrain: the return probabilities tell customers apart less")


def test_alerts_of_drift_say_what_to_do() -> None:
    drift = pd.DataFrame(
        {
            "feature": ["a", "b", "c", "d"],
            "statistic": [0.4, 0.38, 0.3, 0.01],
            "threshold": [0.05, 0.05, 0.1, 0.05],
            "missing_share": [0.42, 0.4, 0.0, 0.0],
            "reference_missing_share": [0.02, 0.02, 0.0, 0.0],
            "is_drifted": [True, True, True, False],
            "reference_on": pd.Timestamp(DAY),
        }
    )
    missing, moved = drift_alerts(
        "churn", drift, pd.Series(["surveys", "surveys", None, None]), "retrain"
    )
    assert missing.message == (
        "look at source surveys: a is missing in 42% of rows, was 2%, b is missing in 40% of rows, "
        "was 2%"
    )
    assert moved.subject == "c"
    assert moved.message == (
        "retrain: customers have moved away from those of 2026-03-31 further than months usually "
        "do: c (0.30, up to 0.10 is usual)"
    )
    assert not drift_alerts(
        "churn", drift.assign(is_drifted=False), pd.Series([None] * 4), "retrain"
    )


def test_what_is_missing_for_who_the_customers_are_is_no_source_s_fault() -> None:
    drift = pd.DataFrame(
        {
            "feature": ["gap_deviation_days"],
            "statistic": [0.6],
            "threshold": [0.5],
            "missing_share": [0.62],
            "reference_missing_share": [0.02],
            "is_drifted": [True],
            "reference_on": pd.Timestamp(DAY),
        }
    )
    [alert] = drift_alerts("churn", drift, pd.Series([None], dtype=object), "retrain")
    assert (alert.alert, alert.subject) == ("drift", "gap_deviation_days")
    [alert] = drift_alerts("churn", drift, pd.Series(["surveys"]), "retrain")
    assert (alert.alert, alert.subject) == ("missing_values", "surveys")


@pytest.mark.parametrize(
    ("since", "today", "more_on"),
    [
        # 2026-03-31 is over on 2026-06-29: learnt from the day it is.
        (date(2026, 6, 28), date(2026, 6, 28), date(2026, 6, 29)),
        (date(2026, 6, 28), date(2026, 6, 29), None),
        (date(2026, 6, 29), date(2026, 6, 29), date(2026, 7, 29)),
        (date(2026, 6, 30), date(2026, 7, 28), date(2026, 7, 29)),
        (date(2026, 6, 30), date(2026, 7, 29), None),
    ],
)
def test_to_train_again_is_advised_once_there_is_more_to_learn_from(
    since: date, today: date, more_on: date | None
) -> None:
    to_do = Serving("v", since, 90).to_do(today)
    assert to_do == (
        f"retrain from {more_on} on, before that there is nothing more to learn from"
        if more_on
        else "retrain"
    )


@pytest.mark.parametrize(
    ("run_before", "judged"),
    [
        (None, [3]),  # the first run: the latest of what is over
        (date(2026, 6, 29), [3]),  # daily: the scores of one day
        (date(2026, 6, 1), [3]),
        (date(2026, 5, 31), [2, 3]),  # days were left out: all that came due since
        (date(2026, 5, 1), [1, 2, 3]),
    ],
)
def test_no_scores_are_passed_over(
    tmp_path: Path, run_before: date | None, judged: list[int]
) -> None:
    lake, today = Lake(tmp_path), date(2026, 6, 30)
    rows = pa.table({"customer_id": ["C1"], "horizon_days": pa.array([30], pa.int32())})
    for day in (date(2026, 4, 2), date(2026, 5, 2), date(2026, 5, 31), date(2026, 6, 1)):
        lake.replace("scores", day, rows)
    if run_before:
        lake.replace("monitoring", run_before, rows)
    lake.replace("monitoring", today, rows)  # of the same day, run once before
    scored = [date(2026, 4, 2), date(2026, 5, 2), date(2026, 5, 31)]
    found = [(manifest.as_of, days) for manifest, days in judgeable(lake, today, CHURN, 7)]
    assert found == [(scored[n - 1], 30) for n in judged]


def test_a_batch_is_judged_by_the_horizon_that_it_was_made_for(tmp_path: Path) -> None:
    lake, returning, next_order, profit = Lake(tmp_path), *FORECASTS
    assert (returning.kind, next_order.kind, profit.kind) == ("return", "next_order", "profit")
    first, second, third = date(2025, 6, 30), date(2026, 3, 31), date(2026, 5, 31)
    ids = pa.array(["C1", "C2"])
    lake.replace("outlook", date(2024, 6, 30), pa.table({"customer_id": ids.slice(0, 0)}))
    # a company too young for either, then two that learnt ever longer ahead
    for day, within_return, within_order in (
        (first, None, None),
        (second, 60, 90),
        (third, 90, 180),
    ):
        lake.replace(
            "outlook",
            day,
            pa.table(
                {
                    "customer_id": ids,
                    "return_within_days": pa.array([None, within_return], pa.float64()),
                    "order_within_days": pa.array([within_order, None], pa.float64()),
                }
            ),
        )

    def due(as_of: date, prediction: Prediction, served_days: int | None = 365) -> list:
        return [(m.as_of, days) for m, days in judgeable(lake, as_of, prediction, served_days)]

    assert due(date(2026, 5, 29), returning) == []
    assert due(date(2026, 5, 30), returning) == [(second, 60)]
    assert due(date(2026, 6, 28), next_order) == []
    assert due(date(2026, 6, 29), next_order) == [(second, 90)]
    assert due(date(2026, 6, 29), profit) == []
    assert due(first + timedelta(days=365), profit) == [(first, 365)]
    # Later batches of a backfilled day's future are none of its own.
    assert due(date(2025, 7, 1), next_order) == []
    # From before batches said their horizon: that of the version served now, if there is one.
    lake.replace("outlook", date(2025, 1, 31), pa.table({"customer_id": ids}))
    assert due(date(2025, 5, 1), returning, 90) == [(date(2025, 1, 31), 90)]
    assert due(date(2025, 5, 1), returning, 91) == []
    assert due(date(2025, 5, 1), returning, None) == []
