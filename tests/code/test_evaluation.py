"""Figures against scikit-learn's, and how sure they are: the bootstrap's coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from models.evaluation.curves import calibration_curve, lift_curve
from models.evaluation.judging import Difference, evaluate
from models.evaluation.probabilities import expected_calibration_error
from tests.code.known_churners import blurred, customers


def test_figures_are_those_of_scikit_learn_with_ties():
    from sklearn import metrics  # noqa: PLC0415  after models, which sets how its threads wait

    margin, churned = customers(3_000)
    stated = np.round(blurred(margin, 0.5, 1), 2).clip(0.01, 0.99)
    figures = evaluate(churned, {"challenger": stated}, seed=0).figures["challenger"]
    assert figures["auc"] == pytest.approx(metrics.roc_auc_score(churned, stated))
    assert figures["average_precision"] == pytest.approx(
        metrics.average_precision_score(churned, stated)
    )
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(churned, stated))
    assert figures["brier"] == pytest.approx(metrics.brier_score_loss(churned, stated))
    assert (figures["n"], figures["positives"]) == (3_000, churned.sum())


def test_lift_shares_ties_out():
    churned = np.arange(100) < 10
    perfect = np.where(churned, 0.9, 0.1)
    figures = evaluate(churned, {"a": perfect, "b": np.full(100, 0.1)}, seed=0).figures
    assert figures["a"]["lift_at_10"] == pytest.approx(10)
    assert figures["b"]["lift_at_10"] == pytest.approx(1)


def test_calibration_error_sees_a_shift():
    margin, churned = customers(20_000)
    assert expected_calibration_error(churned, special.expit(margin)) < 0.02
    assert expected_calibration_error(churned, special.expit(margin + 1)) > 0.1


def test_a_level_of_ones_own_takes_out_what_moves_everybody():
    margin, churned = customers(4_000)
    logit = special.logit(blurred(margin, 0.2, 1))
    by = {"plain": special.expit(logit), "moved": special.expit(logit + 0.8)}
    figures = evaluate(churned, by, seed=0).figures
    plain, moved = figures["plain"], figures["moved"]
    assert moved["levelled_log_loss"] == pytest.approx(plain["levelled_log_loss"], abs=1e-3)
    assert moved["log_loss"] > plain["log_loss"] + 0.05
    assert plain["levelled_log_loss"] <= plain["log_loss"]


def test_intervals_cover_the_truth():
    truth_margin, truth_churned = customers(50_000, seed=99)
    truth = evaluate(truth_churned, {"a": special.expit(truth_margin)}, seed=0).figures["a"]["auc"]
    covered = 0
    for seed in range(25):
        margin, churned = customers(300, seed=seed)
        found = evaluate(churned, {"a": special.expit(margin)}, seed=seed)
        lower, upper = found.interval("a", "auc")
        covered += lower <= truth <= upper
    assert covered >= 21


def test_customers_with_several_rows_are_drawn_whole():
    margin, churned = customers(500)
    stated = special.expit(margin)
    once = evaluate(churned, {"a": stated}, seed=0).interval("a", "auc")
    twice = evaluate(
        np.tile(churned, 2), {"a": np.tile(stated, 2)}, seed=0, customers=np.tile(np.arange(500), 2)
    ).interval("a", "auc")
    assert twice[1] - twice[0] == pytest.approx(once[1] - once[0], rel=0.15)


@pytest.mark.parametrize("n", [0, 9])
def test_undefined_figures_are_not_zero(n: int):
    found = evaluate(np.zeros(n, dtype=bool), {"a": np.full(n, 0.3)}, seed=0)
    assert np.isnan(found.figures["a"]["auc"])
    assert found.figures["a"]["n"] == n
    assert len(found.table()) == 10
    assert len(calibration_curve(found.happened, found.probabilities)) == (n > 0)
    assert isinstance(lift_curve(found.happened, found.probabilities), pd.DataFrame)


def test_a_loss_is_told_as_a_loss():
    gain = Difference(-0.02861, -0.0412, 0.0021)
    assert gain.in_words() == "worse by 0.0286 (95% from -0.0021 to 0.0412)"
    gain = Difference(0.01, 0.002, 0.018)
    assert gain.in_words() == "better by 0.0100 (95% from 0.0020 to 0.0180)"
