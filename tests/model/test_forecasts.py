"""Forecasts of return, next order and profit in a world whose rules are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import mean_poisson_deviance

from models.errors import TooLittleDataError
from models.evaluation.amounts import AmountMetrics
from models.evaluation.judging import CHALLENGER, Figures, judge
from models.forecasts import backtest as backtests
from models.forecasts import next_order, outlook, profit, returning
from models.forecasts.forecast import MODEL, Forecast, Snapshots, longest_windows
from models.forecasts.training import Setting, decide, train
from models.frame.features import CUSTOMER, OUTCOME, SNAPSHOT
from models.store import ForecastStore

FIRST_DAY, AS_OF = date(2021, 1, 1), date(2023, 12, 31)
HORIZON = 90
OUTCOMES = [*OUTCOME[1:], *(f"profit_next_{days}d" for days in (90, 180, 365))]


def past(customers: int = 700, seed: int = 1) -> pd.DataFrame:
    """Month-ends of customers with rates and order values of their own, some of whom leave.

    Three in ten spend three times as much as the others.
    """
    rng = np.random.default_rng(seed)
    span = (AS_OF - FIRST_DAY).days
    rate, value = rng.gamma(1.5, 1 / 50, customers), rng.gamma(4.0, 10.0, customers)
    rich = rng.random(customers) < 0.3
    days = rng.random((customers, span + 1)) < rate[:, None]
    first = rng.integers(0, span - 200, customers)
    left = first + rng.geometric(1 / 500, customers)
    at = np.arange(span + 1)
    days &= (at > first[:, None]) & (at <= left[:, None])
    days[np.arange(customers), first] = True
    earned = np.where(days, value[:, None] * np.where(rich, 3.0, 1.0)[:, None], 0.0)
    frames = []
    for snapshot in pd.date_range("2022-01-31", AS_OF, freq="ME"):
        day = (snapshot.date() - FIRST_DAY).days
        known = np.flatnonzero(first <= day)
        before = days[known, : day + 1]
        ahead = np.pad(days[known, day + 1 :], ((0, 0), (0, 1)))
        orders = before.sum(axis=1)
        recency = day - (day - before[:, ::-1].argmax(axis=1))
        tenure = day - first[known]
        gap = np.where(orders > 1, (tenure - recency) / np.maximum(orders - 1, 1), np.nan)
        interval = np.where(orders > 1, np.clip(gap, 14, 60), 40)
        total = earned[known, : day + 1].sum(axis=1)
        came = np.where(ahead.any(axis=1), ahead.argmax(axis=1) + 1.0, np.nan)
        frames.append(
            pd.DataFrame(
                {
                    SNAPSHOT: snapshot,
                    CUSTOMER: [f"c{each:04d}" for each in known],
                    "stage": np.where(recency >= 1.5 * interval, "churned", "active"),
                    "days_in_stage": np.maximum(recency - 1.5 * interval, 0).astype(int),
                    "order_days": orders,
                    "orders": orders,
                    "recency_days": recency,
                    "tenure_days": tenure,
                    "expected_interval_days": interval,
                    "overdue_ratio": recency / interval,
                    "median_gap_days": gap,
                    "mean_gap_days": gap,
                    "repeat_order_profit": np.where(orders > 1, total / orders, np.nan),
                    "average_order_profit": total / orders,
                    "days_to_next_order": came,
                    "days_observed": span - day,
                    **{
                        f"profit_next_{h}d": earned[known, day + 1 : day + 1 + h].sum(axis=1)
                        if day + h <= span
                        else np.nan
                        for h in (90, 180, 365)
                    },
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return past()


@pytest.fixture(scope="module")
def trained(frame: pd.DataFrame) -> outlook.Trained:
    return outlook.train(frame, as_of=AS_OF, horizon_days=HORIZON, threads=1)


@pytest.fixture(scope="module")
def today(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame[SNAPSHOT] == pd.Timestamp(AS_OF)].drop(columns=OUTCOMES)


def figure(trained: outlook.Trained, kind: str, role: str, metric: str) -> float:
    table = trained.evaluations
    rows = (table["model_kind"] == kind) & (table["role"] == role) & (table["metric"] == metric)
    return float(table.loc[rows, "value"].item())


def test_every_forecast_is_judged_beside_its_baselines(trained: outlook.Trained):
    roles = trained.evaluations.groupby("model_kind")["role"].unique().map(set).to_dict()
    assert roles == {
        "profit": {"challenger", "pareto_gamma_gamma", "gamma_gamma"},
        "next_order": {"challenger", "pareto_nbd", "interval"},
        "return": {"challenger", "rates", "recency", "pareto_nbd"},
    }
    speaking = trained.evaluations[trained.evaluations["speaks_for_version"]]
    assert speaking.groupby("model_kind")["role"].nunique().to_dict() == dict.fromkeys(roles, 1)
    for forecast in trained.forecasts.values():
        assert forecast.card.decision
        assert forecast.card.windows["horizon_days"] == forecast.horizon_days


def test_both_readings_of_profit_err_less_than_the_purchase_model(trained: outlook.Trained):
    mae = figure(trained, "profit", "challenger", "mae")
    assert mae < figure(trained, "profit", "gamma_gamma", "mae")
    assert figure(trained, "profit", "challenger", "mae_of_typical") < mae
    assert 0.7 < figure(trained, "profit", "challenger", "total_ratio") < 1.4


def test_both_readings_of_profit_rank_customers_alike(frame: pd.DataFrame, today: pd.DataFrame):
    days = [day.date() for day in pd.date_range("2022-06-30", "2022-12-31", freq="ME")]
    setting = Setting(AS_OF, HORIZON, seed=0, threads=1)
    forecast = profit.fit(Snapshots.of(frame), days, AS_OF, 180, setting)
    readings = profit.predict(forecast, forecast.schema.encode(today))
    readings = readings.sort_values("expected_profit")
    assert readings["typical_profit"].is_monotonic_increasing
    assert (readings["typical_profit"] <= readings["expected_profit"]).all()
    # Rows that grew the trees would teach too little caution: other trees, the same power.
    other = profit.fit(Snapshots.of(frame), days, AS_OF, 180, replace(setting, seed=1))
    assert other.trees != forecast.trees
    assert other.numbers["typical"] == forecast.numbers["typical"]


def test_the_level_follows_windows_that_agree_and_no_others(frame: pd.DataFrame):
    snapshots = Snapshots.of(frame)
    days = [day for day in snapshots.all_days if day <= date(2023, 6, 30)]

    def times(factors: list[float]) -> float:
        """The level when each window earns so many times what the purchase model expects."""
        earned = np.full(len(snapshots.days), np.nan)
        for day, factor in zip(days, factors, strict=True):
            rows = snapshots.days == np.datetime64(day)
            expected = snapshots.view(day).profit(snapshots.of_days([day]).matrix, 90)
            earned[rows] = factor * expected
        outcomes = snapshots.outcomes.assign(profit_next_90d=earned)
        return profit.level(replace(snapshots, outcomes=outcomes), days, 90)

    assert times([1.3] * len(days)) == pytest.approx(1.3)
    assert times([1.25, 1.35] * (len(days) // 2) + [1.3] * (len(days) % 2)) > 1.2
    assert times([0.5, 2.0] * (len(days) // 2) + [1.0] * (len(days) % 2)) == 1


def test_the_interval_holds_four_orders_in_five(trained: outlook.Trained):
    assert figure(trained, "next_order", "challenger", "coverage_80") == pytest.approx(
        0.8, abs=0.05
    )
    assert figure(trained, "next_order", "challenger", "mae_days") < figure(
        trained, "next_order", "interval", "mae_days"
    )


def test_the_customers_named_are_each_role_s_own(trained: outlook.Trained):
    named = {
        role: figure(trained, "next_order", role, "named") for role in ("challenger", "pareto_nbd")
    }
    assert named["challenger"] != named["pareto_nbd"]
    assert figure(trained, "next_order", "interval", "named") == named["challenger"]
    card = trained.forecasts["next_order"].card
    assert card.served_role is not None
    assert card.by_segment[0]["named"] == named[card.served_role]


def test_who_is_not_held_by_the_interval_is_named_beyond_chance():
    rng = np.random.default_rng(4)
    customers = 6_000
    narrow = np.arange(customers) < 2_000
    covered = rng.random(customers) < np.where(narrow, 0.7, 0.8)
    few = np.arange(customers) < next_order.MIN_OF_EITHER - 1
    said = next_order.failures_of_interval(
        covered, {"narrow": narrow, "as it is": ~narrow, "few": few}
    )
    assert [each.split(":")[0] for each in said] == ["narrow"]
    assert "less than the 80%" in said[0]
    wide = next_order.failures_of_interval(
        np.ones(100, dtype=bool), {"wide": np.ones(100, dtype=bool)}
    )
    assert "held 100.0% of the 100 orders" in wide[0]
    assert "more than the 80%" in wide[0]


def test_scores_are_complete_ordered_and_the_same_in_any_chunk(
    trained: outlook.Trained, today: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    scores = outlook.score(trained.forecasts, today, horizon_days=HORIZON)

    assert list(scores) == list(outlook.COLUMNS)
    churned = (today["stage"] == "churned").to_numpy()
    assert (scores["return_probability"].notna() == churned).all()
    assert scores["return_probability"].dropna().between(0, 1).all()
    named = scores[scores["next_order_days"].notna()]
    assert (named["order_probability"] >= 0.5).all()
    assert (named["next_order_days_10"] <= named["next_order_days"]).all()
    assert (named["next_order_days"] <= named["next_order_days_90"]).all()
    assert (named["next_order_days_10"] >= 1).all()
    assert scores["expected_profit_12m"].min() >= 0
    assert ((scores["kept_profit_12m"] > 0) | (scores["expected_profit_12m"] < 0.01)).all()
    # An order of whom none is expected says more of the 12 months than one that was due.
    worth = scores["kept_profit_12m"] / scores["expected_profit_12m"]
    assert worth[churned].median() > 2 * worth[~churned].median()
    monkeypatch.setattr(outlook, "CHUNK_ROWS", 400)
    pd.testing.assert_frame_equal(
        outlook.score(trained.forecasts, today, horizon_days=HORIZON), scores
    )
    assert outlook.score(trained.forecasts, today.iloc[:0], horizon_days=HORIZON).empty


def test_the_same_data_give_the_same_bytes_and_the_store_gives_them_back(
    trained: outlook.Trained, frame: pd.DataFrame, today: pd.DataFrame, tmp_path: Path
):
    again = outlook.train(
        frame.sample(frac=1, random_state=3), as_of=AS_OF, horizon_days=HORIZON, threads=1
    )
    for kind, forecast in trained.forecasts.items():
        assert again.forecasts[kind].files() == forecast.files()
        store = ForecastStore(tmp_path / kind)
        store.promote(store.save(forecast))
        loaded = store.load_champion(AS_OF).model
        assert isinstance(loaded, Forecast)
        assert loaded.version == forecast.version
        pd.testing.assert_frame_equal(
            outlook.score({kind: loaded}, today, horizon_days=HORIZON),
            outlook.score({kind: forecast}, today, horizon_days=HORIZON),
        )


def test_what_happens_later_teaches_nothing(frame: pd.DataFrame, trained: outlook.Trained):
    """Outcomes that end after the day of the test do not move the figures' own windows."""
    windows = trained.forecasts["profit"].card.windows
    test = date.fromisoformat(windows["test"])
    for day in map(date.fromisoformat, windows["training"]):
        assert (test - day).days >= windows["horizon_days"]


def little(frame: pd.DataFrame, customers: int) -> pd.DataFrame:
    """The last two month-ends of so many customers: no window to learn from."""
    few = frame[CUSTOMER].drop_duplicates().iloc[:customers]
    return frame[(frame[SNAPSHOT] >= pd.Timestamp("2023-11-30")) & frame[CUSTOMER].isin(few)]


def test_too_little_data_gives_a_rule_that_says_so(frame: pd.DataFrame):
    few = little(frame, 250)
    trained = outlook.train(few, as_of=AS_OF, horizon_days=HORIZON, threads=1)

    assert {each.serves for each in trained.forecasts.values()} <= {"rule", "interval"}
    assert all("nothing was learnt" in each.card.decision for each in trained.forecasts.values())
    assert trained.evaluations.empty
    scores = outlook.score(trained.forecasts, few.drop(columns=OUTCOMES), horizon_days=HORIZON)
    assert scores.drop(columns=CUSTOMER).isna().all(axis=None)


def test_profit_needs_no_past_window_where_the_purchase_model_can_be_fitted(
    frame: pd.DataFrame, tmp_path: Path
):
    short = little(frame, 700)
    store = ForecastStore(tmp_path)
    forecast = outlook.train(short, as_of=AS_OF, horizon_days=HORIZON, threads=1).forecasts[
        "profit"
    ]
    store.promote(store.save(forecast))
    assert forecast.serves == profit.BASELINE
    assert "nothing was learnt" in forecast.card.decision

    loaded = store.load_champion(AS_OF).model
    assert isinstance(loaded, Forecast)
    now = short[short[SNAPSHOT] == pd.Timestamp(AS_OF)]
    scores = outlook.score({"profit": loaded}, now.drop(columns=OUTCOMES), horizon_days=HORIZON)
    view = forecast.view
    assert view is not None
    stated = view.profit(forecast.schema.encode(now.drop(columns=OUTCOMES)), 365)
    assert np.allclose(scores["expected_profit_12m"], stated, atol=0.0051)
    assert (scores["profit_score_kind"] == "baseline").all()
    assert scores["typical_profit_12m"].isna().all()


@pytest.mark.parametrize(
    ("gains", "served"),
    [
        ({"rmse": 1, "mae": 0}, True),
        ({"rmse": 0, "mae": 1}, True),
        ({"rmse": 0, "mae": 0}, False),
        ({"rmse": 1, "mae": -1}, False),
        ({"rmse": 1, "mae": 0, "spearman": -1}, False),
    ],
)
def test_who_is_better_in_one_respect_and_worse_in_none_is_served(
    gains: dict[str, int], served: bool
):
    """A gain of 1 is beyond chance, as -1 is a loss; 0 is neither."""
    names = ("rmse", "mae", "spearman")
    draws = np.linspace(-0.5, 0.5, 200)
    sign = {"rmse": -1, "mae": -1, "spearman": 1}
    value = {name: float(gains.get(name, 0) * sign[name]) for name in names}
    figures = Figures(
        {CHALLENGER: value, "before": dict.fromkeys(names, 0.0)},
        {
            CHALLENGER: {name: value[name] + draws for name in names},
            "before": {name: np.zeros(200) for name in names},
        },
    )
    serves, said = decide(
        figures, ["before"], what="trees", losses=["rmse", "mae"], ranking="spearman"
    )
    assert serves == (MODEL if served else "before")
    assert "before" in said


def test_poisson_deviance_is_smallest_at_the_mean():
    rng = np.random.default_rng(3)
    came = rng.gamma(0.5, 80.0, 4_000) * (rng.random(4_000) < 0.3)
    everybody = np.ones((1, len(came)))

    def deviance(stated: float) -> float:
        metrics = AmountMetrics.of(came, np.full(len(came), stated))(everybody)
        return float(metrics["poisson_deviance"][0])

    least = deviance(float(came.mean()))
    assert least == pytest.approx(mean_poisson_deviance(came, np.full(len(came), came.mean())))
    assert least < min(deviance(came.mean() * each) for each in (0.5, 0.95, 1.05, 2.0))


def test_the_longest_horizon_that_the_past_allows():
    ends = [day.date() for day in pd.date_range("2022-01-31", "2023-12-31", freq="ME")]
    assert longest_windows(ends, AS_OF).horizon_days == 180
    assert longest_windows(ends, date(2025, 12, 31)).horizon_days == 365
    windows = longest_windows(ends[-9:], AS_OF)
    assert windows.horizon_days == 90
    assert windows.test == date(2023, 9, 30)
    assert windows.training == (date(2023, 4, 30), date(2023, 5, 31), date(2023, 6, 30))


def test_a_gain_is_told_from_chance_and_equal_amounts_gain_nothing():
    rng = np.random.default_rng(5)
    came = rng.gamma(2.0, 1.0, 2_000) * (rng.random(2_000) < 0.4)
    near, far = came + rng.normal(0, 1, 2_000), came + rng.normal(0, 1.2, 2_000)
    stated = {"near": near, "far": far, "again": near[::-1].copy()[::-1]}
    figures = judge(
        {role: AmountMetrics.of(came, each) for role, each in stated.items()}, 2_000, seed=1
    )
    assert figures.gain("near", "far", "mae").lower > 0
    assert figures.gain("near", "far", "spearman").lower > 0
    assert (
        figures.gain("near", "again", "mae").lower
        == figures.gain("near", "again", "mae").upper
        == 0
    )
    assert figures.figures["near"]["spearman"] == pytest.approx(
        stats.spearmanr(came, near).statistic
    )
    lower, upper = figures.interval("near", "mae")
    assert lower < figures.figures["near"]["mae"] < upper


def test_every_card_has_intervals_segments_and_calibration(trained: outlook.Trained):
    for forecast in trained.forecasts.values():
        card = forecast.card
        assert card.served_role is not None
        intervals = [
            each for each in card.metrics[card.served_role].values() if each[1] is not None
        ]
        assert len(intervals) >= 4
        segments = [(each["division"], each["segment"]) for each in card.by_segment]
        assert segments[0] == ("all", "customers")
        assert ("orders so far", "several") in segments
        assert forecast.kind == "return" or ("profit so far", "low") in segments
        assert any("alibration" in plot.title or "expected" in plot.title for plot in card.plots)
        assert forecast.version.encode() in forecast.pages()["card.html"]


def test_who_is_not_ordered_by_rows_is_refused_by_schema(
    trained: outlook.Trained, today: pd.DataFrame
):
    with pytest.raises(Exception, match="missing: median_gap_days"):
        outlook.score(
            trained.forecasts, today.drop(columns="median_gap_days"), horizon_days=HORIZON
        )


def test_snapshots_keep_outcomes_out_of_the_features(frame: pd.DataFrame):
    names = Snapshots.of(frame).matrix.names
    assert not set(OUTCOMES) & set(names)


@pytest.mark.parametrize("profit_of_an_order", [None, 0.0, -5.0])
def test_return_and_next_order_need_no_profit(
    frame: pd.DataFrame, trained: outlook.Trained, profit_of_an_order: float | None
):
    money = [name for name in frame if "profit" in str(name)]
    without = frame.assign(**dict.fromkeys(money, profit_of_an_order))
    now = without[without[SNAPSHOT] == pd.Timestamp(AS_OF)].drop(columns=OUTCOMES)
    snapshots, setting = Snapshots.of(without), Setting(AS_OF, HORIZON, seed=0, threads=1)

    returns, _ = train(returning.TRAINING, snapshots, setting)
    assert returns.card.metrics == trained.forecasts["return"].card.metrics
    assert snapshots.view(AS_OF).gamma_gamma is None
    if profit_of_an_order is None:
        later, _ = train(next_order.TRAINING, snapshots, setting)
        assert later.is_judged
        assert Forecast.from_files(later.files()).view == later.view
        scores = outlook.score({"return": returns, "next_order": later}, now, horizon_days=HORIZON)
        assert scores["order_probability"].notna().all()
        assert scores["return_probability"].notna().any()
    earned, figures = train(profit.TRAINING, snapshots, setting)
    assert earned.serves == "rule"
    assert "No profit is foretold" in earned.card.decision
    assert figures.empty


def test_what_nothing_taught_replaces_no_judged_version(
    frame: pd.DataFrame, trained: outlook.Trained
):
    def retrained(rows: pd.DataFrame) -> outlook.Trained:
        return outlook.train(
            rows, as_of=AS_OF, horizon_days=HORIZON, threads=1, champions=trained.forecasts
        )

    few = little(frame, 250)
    kept = retrained(few)
    assert kept.promoted == frozenset()
    for forecast in kept.forecasts.values():
        assert forecast.card.decision.startswith("The champion stays, nothing was learnt")
    # What knows other features than there are could not score.
    assert retrained(few.drop(columns="median_gap_days")).promoted == set(outlook.KINDS)
    unjudged = {kind: kept.forecasts[kind] for kind in outlook.KINDS}
    assert all(unjudged[kind].gives_way_to(trained.forecasts[kind]) for kind in outlook.KINDS)
    assert all(each.gives_way_to(each) for each in trained.forecasts.values())


def test_a_baseline_that_ranks_better_than_what_is_served_is_named():
    draws = np.linspace(-0.01, 0.01, 200)
    values = {CHALLENGER: (1.0, 0.7), "near": (2.0, 0.69), "far": (3.0, 0.75), "even": (3.0, 0.705)}
    figures = Figures(
        {role: {"log_loss": loss, "auc": auc} for role, (loss, auc) in values.items()},
        {
            role: {
                "log_loss": np.full(200, loss),
                "auc": auc + (draws if role == "even" else np.zeros(200)),
            }
            for role, (loss, auc) in values.items()
        },
    )
    serves, said = decide(
        figures, ["near", "far", "even"], what="trees", losses=["log_loss"], ranking="auc"
    )
    assert serves == MODEL
    assert "far tells more: auc better by 0.0500" in said
    assert "near tells more" not in said
    assert "even tells more" not in said


@pytest.fixture(scope="module")
def looked_back(frame: pd.DataFrame) -> backtests.ForecastBacktest:
    setting = Setting(AS_OF, HORIZON, seed=0, threads=1, horizons=(180, 90))
    return backtests.backtest(next_order.TRAINING, Snapshots.of(frame), setting, cutoffs=3)


def test_a_cutoff_of_a_backtest_is_a_training_that_knew_no_later_day(
    frame: pd.DataFrame, looked_back: backtests.ForecastBacktest
):
    cutoff, learnt = looked_back.cutoffs[0], looked_back.learnt[0]
    judged_on = pd.Timestamp(cutoff) + pd.Timedelta(days=looked_back.horizon_days)
    known = frame[frame[SNAPSHOT] <= judged_on].copy()
    known["days_observed"] = (judged_on - known[SNAPSHOT]).dt.days
    came = known["days_to_next_order"]
    known["days_to_next_order"] = came.where(came <= known["days_observed"])
    for days in (90, 180, 365):
        name = f"profit_next_{days}d"
        known[name] = known[name].where(known["days_observed"] >= days)
    setting = Setting(judged_on.date(), HORIZON, seed=0, threads=1, horizons=(180, 90))
    again, _ = train(next_order.TRAINING, Snapshots.of(known), setting)
    assert again.card.windows["test"] == cutoff.isoformat()
    assert again.card.metrics == learnt.figures.for_card()


def test_the_means_of_a_backtest_add_up(looked_back: backtests.ForecastBacktest):
    table = looked_back.table()
    assert tuple(table.columns) == backtests.BACKTEST_COLUMNS
    assert not table.duplicated(["model_kind", "scope", "role", "metric", "cutoff_on"]).any()
    of = table.set_index(["scope", "role", "metric"]).sort_index()
    single = of.loc[("cutoff", CHALLENGER, "log_loss")]
    assert len(single) == len(looked_back.cutoffs) == 3
    [mean] = of.loc[[("mean", CHALLENGER, "log_loss")]].to_dict("records")
    assert mean["value"] == pytest.approx(single["value"].mean())
    assert mean["lower"] < mean["value"] < mean["upper"]
    [gain] = of.loc[[("gain", "pareto_nbd", "log_loss")]].to_dict("records")
    base = of.loc[("cutoff", "pareto_nbd", "log_loss"), "value"].mean()
    assert gain["value"] == pytest.approx(base - mean["value"])
    assert gain["is_best_baseline"]
    # Neither more nor less coverage is better by itself.
    assert set(table.loc[table["scope"] == "gain", "metric"]).isdisjoint({"coverage_80"})
    page = looked_back.card().page("today").decode()
    assert all(day.isoformat() in page for day in looked_back.cutoffs)


def test_a_backtest_takes_a_shorter_horizon_for_more_cutoffs(frame: pd.DataFrame):
    recent = frame[frame[SNAPSHOT] >= pd.Timestamp("2022-12-31")]
    snapshots = Snapshots.of(recent)
    setting = Setting(AS_OF, HORIZON, seed=0, threads=1)
    result = backtests.backtest(profit.TRAINING, snapshots, setting, cutoffs=3)
    assert result.horizon_days == 90
    assert len(result.cutoffs) == 3
    with pytest.raises(TooLittleDataError, match="no month-end has a finished horizon"):
        backtests.backtest(profit.TRAINING, Snapshots.of(little(frame, 250)), setting)


def test_one_large_customer_does_not_move_what_is_typical_of_the_others():
    rng = np.random.default_rng(0)
    mean = np.exp(rng.normal(0, 1, 1_500))
    earned = np.where(rng.random(1_500) < 0.8, mean * np.exp(rng.normal(0, 1, 1_500)), 0.0)

    def typical(largest: float) -> np.ndarray:
        given = profit.typical_given(np.append(mean, largest), np.append(earned, 0.9 * largest))
        return np.exp(given["intercept"] + given["power"] * np.log(mean))

    among_others = typical(float(mean.max()))
    for largest in (1e4, 1e9):
        assert typical(largest) == pytest.approx(among_others, rel=0.02)


def test_bg_nbd_with_gamma_gamma_is_asked_and_served_where_nothing_is_better(
    frame: pd.DataFrame, today: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    asked = []

    def chooses_the_known(figures: Figures, baselines: list[str], **_: object) -> tuple[str, str]:
        asked.extend(baselines)
        return baselines[-1], "It is served."

    monkeypatch.setattr(profit, "decide", chooses_the_known)
    snapshots = Snapshots.of(frame)
    learnt = profit.TRAINING.learn(snapshots, Setting(AS_OF, HORIZON, seed=0, threads=1))
    assert asked == ["pareto_gamma_gamma", "gamma_gamma"]
    served = learnt.forecast
    matrix = served.schema.encode(today)
    stated = profit.predict(served, matrix, served.horizon_days)["expected_profit"]
    own = profit.known(profit.fit_known(matrix), matrix, served.horizon_days)
    assert stated.to_numpy() == pytest.approx(own)
    assert served.card.drivers == {}
