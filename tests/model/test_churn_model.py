"""How a trained model behaves: what must move it, what must not, and what it must not claim."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from models.churn.fitting import BASELINE_ROLES, fit
from models.churn.scoring import score
from models.churn.training import TrainingResult, train
from models.probability.predictors import importance
from tests.model.conftest import AS_OF, HORIZON, World


def _figure(result: TrainingResult, role: str, metric: str) -> float:
    table = result.evaluations
    return float(table[(table["role"] == role) & (table["metric"] == metric)]["value"].item())


def test_beats_every_baseline_and_is_served(trained: TrainingResult):
    assert trained.served_role == "challenger"
    assert trained.promoted
    assert trained.model.serves == "trees"
    assert trained.model.score_kind == "model"
    for role in BASELINE_ROLES:
        assert _figure(trained, "challenger", "auc") > _figure(trained, role, "auc") + 0.005
        assert _figure(trained, "challenger", "log_loss") < _figure(trained, role, "log_loss")
    assert "beats the best baseline" in trained.decision


def test_longer_silence_against_the_own_rhythm_raises_the_probability(
    trained: TrainingResult, today: pd.DataFrame
):
    silence = today["expected_interval_days"].round()
    longer = today.assign(
        recency_days=today["recency_days"] + silence,
        tenure_days=today["tenure_days"] + silence,
        overdue_ratio=today["overdue_ratio"] + 1,
    )
    for serves in ("trees", *BASELINE_ROLES):
        model = replace(trained.model, serves=serves)
        before, after = (score(model, each)["churn_probability"] for each in (today, longer))
        assert after.mean() > before.mean() + 0.02, serves


def test_names_of_customers_do_not_move_the_probability(
    trained: TrainingResult, today: pd.DataFrame
):
    renamed = today.assign(customer_id=[f"other {each}" for each in range(len(today))])
    before, after = (score(trained.model, each) for each in (today, renamed))
    pd.testing.assert_series_equal(before["churn_probability"], after["churn_probability"])


def test_is_calibrated_out_of_time(trained: TrainingResult):
    assert _figure(trained, "challenger", "ece") < 0.08
    curve = trained.calibration_curve
    trees = curve[curve["role"] == "challenger"]
    assert trees["observed"].corr(trees["predicted"]) > 0.9


def test_the_level_follows_the_season_of_a_year_ago(trained: TrainingResult):
    """The season is in the calibration, not in columns that only tell snapshots apart."""
    left_out = trained.model.card["facts"]["features_without_information"]
    assert left_out == ["last_nps_score", "season_cos", "season_sin"]

    calibration = trained.model.calibrations["trees"]
    seasonal, frozen = [], []
    for level in calibration.levels:
        day = level.snapshot
        known = [x for x in calibration.levels if x.snapshot + timedelta(days=HORIZON) <= day]
        if day.year == 2023 and known:
            seasonal.append(abs(calibration.level_for(day) - level.logit))
            frozen.append(abs(known[-1].logit - level.logit))
    assert np.mean(seasonal) < 0.75 * np.mean(frozen)


def test_permuted_labels_give_chance_and_the_baseline(world: World):
    frame = world(customers=3000)
    rng = np.random.default_rng(7)
    by_snapshot = frame.groupby("snapshot_on")["days_to_next_order"]
    frame["days_to_next_order"] = by_snapshot.transform(rng.permutation)
    result = train(frame, as_of=AS_OF, horizon_days=HORIZON, threads=1)
    assert 0.47 <= _figure(result, "challenger", "auc") <= 0.53
    assert result.served_role in set(BASELINE_ROLES)
    assert result.promoted
    assert result.model.score_kind == "baseline"
    assert (
        f"The baseline {result.served_role} is served: the challenger does not beat"
        in result.decision
    )
    # Trees that score nobody explain nobody: the drivers are the served baseline's own.
    model = result.model
    tested = frame[frame["snapshot_on"] == pd.Timestamp(model.card["windows"]["test"])]
    _, contributions = model.predictors[result.served_role].explained(model.schema.encode(tested))
    assert dict(model.card["drivers"]) == pytest.approx(importance(contributions))


def test_a_fit_as_of_a_day_knows_nothing_later(frame: pd.DataFrame):
    """The rows of later snapshots and what came after the day do not move a byte."""
    cutoff = date(2023, 6, 30)
    fitted = fit(frame, as_of=cutoff, horizon_days=HORIZON, threads=1)
    assert fitted.card["windows"]["training_labels_end_on"] <= cutoff.isoformat()
    then = frame[frame["snapshot_on"] <= pd.Timestamp(cutoff)]
    observed = (pd.Timestamp(cutoff) - then["snapshot_on"]).dt.days
    later = then["days_to_next_order"] > observed
    then = then.assign(
        days_observed=observed, days_to_next_order=then["days_to_next_order"].mask(later)
    )
    assert later.any()
    assert fit(then, as_of=cutoff, horizon_days=HORIZON, threads=1).version == fitted.version


def test_what_is_served_is_what_was_judged(trained: TrainingResult, frame: pd.DataFrame):
    windows = trained.model.card["windows"]
    assert windows["test"] == "2023-09-30"
    assert windows["training_labels_end_on"] <= windows["test"]
    judged = fit(frame, as_of=date(2023, 9, 30), horizon_days=HORIZON, threads=1)
    assert judged.predictors["trees"].to_json() == trained.model.predictors["trees"].to_json()
    assert judged.files()["model.ubj"] == trained.model.files()["model.ubj"]
    then, now = (each.calibrations["trees"] for each in (judged, trained.model))
    assert (then.a, then.b) == (now.a, now.b)
    days = [each.snapshot for each in then.levels]
    assert [each.snapshot for each in now.levels[: len(days)]] == days
    assert len(now.levels) > len(days)


def test_all_predictors_expect_the_share_of_churners_that_the_purchase_model_does(
    trained: TrainingResult, frame: pd.DataFrame
):
    """One forecast of the level, whoever tells the customers apart."""
    day = frame["snapshot_on"].max()
    latest = frame[frame["snapshot_on"] == day]
    matrix = trained.model.schema.encode(latest)
    shares = {
        role: trained.model.probability(matrix, latest["snapshot_on"].to_numpy(), role).mean()
        for role in trained.model.predictors
    }
    assert shares == pytest.approx(dict.fromkeys(shares, shares["pareto_nbd"]), abs=0.002)


def test_evaluations_have_one_row_per_role_and_metric(trained: TrainingResult):
    table = trained.evaluations
    assert list(table.columns) == [
        "model_version", "role", "cutoff_on", "horizon_days", "metric", "value", "lower", "upper",
        "speaks_for_version",
    ]  # fmt: skip
    assert set(table["role"]) == {"challenger", *BASELINE_ROLES}
    assert not table.duplicated(["role", "metric"]).any()
    bounded = table.dropna(subset=["lower"])
    assert (bounded["lower"] <= bounded["value"]).all()
    assert (bounded["value"] <= bounded["upper"]).all()


def test_drivers_tell_the_silence_with_its_values(trained: TrainingResult, today: pd.DataFrame):
    scores = score(trained.model, today)
    assert scores["driver_1"].notna().all()
    said = pd.concat([scores[f"driver_{rank}"] for rank in (1, 2, 3)])
    late = today["overdue_ratio"].to_numpy() > 2
    row = today[late].iloc[0]
    mine = scores[late].iloc[0][["driver_1", "driver_2", "driver_3"]].tolist()
    silence = f"no order for {row['recency_days']:.0f} days, usually every "
    assert any(str(each).startswith(silence) for each in mine), mine
    assert said.str.contains("complaint").any()


def test_resented_complaints_are_found_as_a_driver(trained: TrainingResult, today: pd.DataFrame):
    complained = today.assign(complaints_90d=2, region="south")
    forgiven = complained.assign(region="north")
    resented, north = (score(trained.model, each) for each in (complained, forgiven))
    assert resented["churn_probability"].mean() > north["churn_probability"].mean() + 0.15
    said = resented[["driver_1", "driver_2", "driver_3"]] == "2 complaints in the last 90 days"
    assert said.any(axis=1).mean() > 0.8


def test_the_purchase_model_speaks_of_all_customers_not_only_of_those_still_here(
    trained: TrainingResult, today: pd.DataFrame
):
    """Fitted on customers who are not churned alone, BG/NBD finds that nobody ever leaves."""
    alive = score(trained.model, today)["probability_alive"]
    assert alive.min() < 0.7
    assert alive.mean() < 0.97


@pytest.mark.parametrize("missing", ["order_days", "recency_days", "overdue_ratio"])
def test_unknown_rhythm_still_gets_a_score(
    trained: TrainingResult, today: pd.DataFrame, missing: str
):
    unknown = today.head(50).assign(**{missing: np.nan})
    for serves in ("trees", *BASELINE_ROLES):
        probability = score(replace(trained.model, serves=serves), unknown)["churn_probability"]
        assert probability.between(0, 1).all()


def test_one_predictor_speaks_for_a_version(trained: TrainingResult):
    table = trained.evaluations
    speaking = set(table.loc[table["speaks_for_version"], "role"])
    assert speaking == {"challenger" if trained.model.serves == "trees" else trained.model.serves}
