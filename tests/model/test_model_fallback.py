"""Too little to learn from: the purchase model, a rule, or the champion that was earned before."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.churn.model import ChurnModel
from models.churn.scoring import score
from models.churn.training import TrainingResult, train
from models.errors import FrameError
from models.evaluation.judging import evaluate
from models.frame.outcomes import Outcomes
from tests.model.conftest import AS_OF, HORIZON, World


def _tiny(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    return frame.sample(n=rows, random_state=1) if rows else frame.head(0)


@pytest.mark.parametrize("rows", [0, 1, 10, 199])
def test_tiny_data_serve_the_rule_and_say_why(frame: pd.DataFrame, rows: int):
    result = train(_tiny(frame, rows), as_of=AS_OF, horizon_days=HORIZON, threads=1)
    assert (result.served_role, result.model.serves, result.promoted) == ("rule", "rule", True)
    assert result.decision.startswith("A rule is served, nothing was learnt: ")
    assert result.evaluations.empty
    assert list(result.evaluations.columns)[:3] == ["model_version", "role", "cutoff_on"]
    assert result.calibration_curve.empty


def test_scores_of_the_rule_follow_the_silence(frame: pd.DataFrame, today: pd.DataFrame):
    model = train(_tiny(frame, 199), as_of=AS_OF, horizon_days=HORIZON, threads=1).model
    stored = ChurnModel.from_files(model.files())
    scores = score(stored, today)
    assert set(scores["score_kind"]) == {"rule"}
    assert scores["churn_probability"].between(0, 1, inclusive="neither").all()
    order = today["overdue_ratio"].to_numpy().argsort()
    similar = scores["churn_probability"].corr(today["overdue_ratio"].reset_index(drop=True))
    assert similar > 0.5
    assert scores["probability_alive"].to_numpy()[order[0]] == pytest.approx(1, abs=0.02)
    assert scores["driver_1"].dropna().str.contains("usually every").all()
    assert scores["expected_orders_12m"].gt(0).all()


@pytest.mark.parametrize("churned", [True, False])
def test_one_class_keeps_the_champion(frame: pd.DataFrame, trained: TrainingResult, churned: bool):
    one_class = frame.assign(days_to_next_order=np.nan if churned else 1)
    alone = train(one_class, as_of=AS_OF, horizon_days=HORIZON, threads=1)
    assert alone.served_role == "pareto_nbd"
    assert "of either are needed" in alone.decision
    kept = train(one_class, as_of=AS_OF, horizon_days=HORIZON, threads=1, champion=trained.model)
    assert (kept.served_role, kept.promoted) == ("champion", False)
    assert kept.decision.startswith("The champion stays, nothing was learnt: ")


def test_a_young_company_is_scored_by_the_purchase_model_anew_each_time(frame: pd.DataFrame):
    """It needs customers who ordered again, and no outcome; a rule knows less of them."""
    at, later = date(2022, 6, 30), date(2022, 7, 31)
    first = train(frame, as_of=at, horizon_days=HORIZON, threads=1)
    assert (first.served_role, first.promoted) == ("pareto_nbd", True)
    assert first.decision.startswith("The baseline pareto_nbd is served as it is, nothing was")
    assert first.evaluations.empty
    assert not first.model.is_judged

    stored = ChurnModel.from_files(first.model.files())
    rows = frame[frame["snapshot_on"] == pd.Timestamp(at)]
    assert set(score(stored, rows)["score_kind"]) == {"baseline"}
    churned = Outcomes.of(rows).churned(HORIZON)
    matrix, days = stored.schema.encode(rows), rows["snapshot_on"].to_numpy()
    figures = evaluate(
        churned,
        {role: stored.probability(matrix, days, role) for role in ("pareto_nbd", "rule")},
        seed=1,
    )
    assert all(figures.gain("pareto_nbd", "rule", name).value > 0 for name in ("auc", "log_loss"))

    second = train(frame, as_of=later, horizon_days=HORIZON, threads=1, champion=stored)
    assert (second.served_role, second.promoted) == ("pareto_nbd", True)
    judged = train(frame, as_of=AS_OF, horizon_days=HORIZON, threads=1, champion=second.model)
    assert judged.model.is_judged


def test_a_champion_of_another_form_gives_way_to_the_rule(
    frame: pd.DataFrame, trained: TrainingResult
):
    """It could not score today's customers: features came and went since it was trained."""
    other = _tiny(frame, 10).assign(orders_60d=1)
    result = train(other, as_of=AS_OF, horizon_days=HORIZON, threads=1, champion=trained.model)
    assert (result.served_role, result.promoted) == ("rule", True)


def test_two_training_snapshots_are_too_few(frame: pd.DataFrame):
    """On 29 August the horizon of May ends, whose own past holds three finished snapshots."""
    early = train(frame, as_of=date(2022, 8, 28), horizon_days=HORIZON, threads=1)
    assert "training snapshots" in early.decision
    later = train(frame, as_of=date(2022, 8, 29), horizon_days=HORIZON, threads=1)
    assert later.served_role != "rule"


def test_nobody_left_to_score(frame: pd.DataFrame, world: World):
    assert score(train(frame.head(0), as_of=AS_OF, horizon_days=HORIZON).model, frame.head(0)).empty


def test_a_champion_of_another_form_is_not_compared(frame: pd.DataFrame, trained: TrainingResult):
    wider = frame.assign(orders_60d=np.arange(len(frame)) % 3)
    result = train(wider, as_of=AS_OF, horizon_days=HORIZON, threads=1, champion=trained.model)
    assert "cannot be compared" in result.decision
    assert "champion" not in set(result.evaluations["role"])
    assert result.promoted


def test_the_same_training_again_does_not_replace_the_champion(
    frame: pd.DataFrame, trained: TrainingResult
):
    again = train(frame, as_of=AS_OF, horizon_days=HORIZON, threads=1, champion=trained.model)
    assert (again.served_role, again.promoted) == ("champion", False)
    champion = again.evaluations[again.evaluations["role"] == "champion"]
    assert set(champion["model_version"]) == {trained.model.version}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="days_observed"), "found none named days_observed"),
        (lambda f: f.drop(columns="recency_days"), "found none named recency_days"),
        (lambda f: pd.concat([f, f.head(3)]), "found 3 repeated"),
        (lambda f: f.assign(snapshot_on="someday"), "expected days in snapshot_on"),
    ],
)
def test_a_frame_that_cannot_be_trained_on_is_refused(
    frame: pd.DataFrame, change: object, message: str
):
    with pytest.raises(FrameError, match=message):
        train(change(frame), as_of=AS_OF, horizon_days=HORIZON)  # type: ignore[operator]
