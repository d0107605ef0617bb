"""Figures against scikit-learn's, the bootstrap's coverage, and the gate's verdicts both ways."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from models.evaluation.judging import (
    Difference,
    Evaluation,
    Sample,
    better_or_worse,
    cannot_tell,
    evaluate,
    evaluate_jointly,
    expected_calibration_error,
    gate,
)

BASELINES = ["recency", "logistic", "bg_nbd"]


def _customers(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 1.2, n)
    return margin, rng.random(n) < special.expit(margin)


def _blurred(margin: np.ndarray, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(special.expit(margin + rng.normal(0, noise, len(margin))), 1e-4, 1 - 1e-4)


def test_figures_are_those_of_scikit_learn_with_ties():
    from sklearn import metrics  # noqa: PLC0415  after models, which sets how its threads wait

    margin, churned = _customers(3_000)
    stated = np.round(_blurred(margin, 0.5, 1), 2).clip(0.01, 0.99)
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
    margin, churned = _customers(20_000)
    assert expected_calibration_error(churned, special.expit(margin)) < 0.02
    assert expected_calibration_error(churned, special.expit(margin + 1)) > 0.1


def test_intervals_cover_the_truth():
    truth_margin, truth_churned = _customers(50_000, seed=99)
    truth = evaluate(truth_churned, {"a": special.expit(truth_margin)}, seed=0).figures["a"]["auc"]
    covered = 0
    for seed in range(25):
        margin, churned = _customers(300, seed=seed)
        found = evaluate(churned, {"a": special.expit(margin)}, seed=seed)
        lower, upper = found.interval("a", "auc")
        covered += lower <= truth <= upper
    assert covered >= 21


def test_customers_with_several_rows_are_drawn_whole():
    margin, churned = _customers(500)
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
    assert len(found.calibration_curve()) == (n > 0)
    assert isinstance(found.lift_curve(), pd.DataFrame)


def _judged(challenger: float, champion: float | None = None, n: int = 4_000) -> Evaluation:
    """Candidates blurred by so much noise; the baselines by 1.0."""
    margin, churned = _customers(n)
    stated = {"challenger": _blurred(margin, challenger, 1)}
    stated |= {role: _blurred(margin, 1.0, at) for at, role in enumerate(BASELINES, start=2)}
    if champion is not None:
        stated["champion"] = _blurred(margin, champion, 9)
    return evaluate(churned, stated, seed=0)


@pytest.mark.parametrize(
    ("challenger", "champion", "serves", "promoted"),
    [
        (0.2, None, "challenger", True),
        (1.0, None, "a baseline", True),
        (2.0, None, "a baseline", True),
        (0.2, 0.7, "challenger", True),
        (0.5, 0.5, "champion", False),
        (1.0, 0.3, "champion", False),
        (0.2, 1.0, "challenger", True),
        (1.0, 1.0, "a baseline", True),
        (2.0, 2.0, "a baseline", True),
    ],
)
def test_the_gate(challenger: float, champion: float | None, serves: str, promoted: bool):
    verdict = gate(_judged(challenger, champion), BASELINES)
    served = "a baseline" if verdict.serves in BASELINES else verdict.serves
    assert (served, verdict.promoted) == (serves, promoted)
    assert verdict.sentence.count(". ") == 0
    assert verdict.sentence.endswith(".")


def _moved(
    shift: float = 0.0, slope: float = 1.0, *, blur: float = 0.2, champion: bool = False
) -> Evaluation:
    """A challenger that tells customers apart well, its log odds stretched and moved."""
    fair = _judged(blur, 0.8 if champion else None)
    logit = slope * special.logit(fair.probabilities["challenger"]) + shift
    moved = np.clip(special.expit(logit), 1e-4, 1 - 1e-4)
    return evaluate(fair.churned, {**fair.probabilities, "challenger": moved}, seed=0)


def test_the_luck_of_a_level_does_not_decide():
    """A season that was foreseen worse by who tells customers apart better."""
    judged = _moved(shift=0.45, blur=0.85)
    best = judged.best(BASELINES)
    assert judged.gain("challenger", best, "log_loss").lower < 0
    verdict = gate(judged, BASELINES)
    assert verdict.serves == "challenger"
    stated, churned = judged.probabilities["challenger"].mean(), judged.churned.mean()
    assert f"it expected {100 * stated:.1f}% to churn" in verdict.sentence
    assert f"and {100 * churned:.1f}% did" in verdict.sentence


@pytest.mark.parametrize("champion", [False, True])
def test_a_broken_level_is_refused(champion: bool):
    verdict = gate(_moved(shift=1.5, champion=champion), BASELINES)
    assert verdict.serves == "champion" if champion else verdict.serves in BASELINES
    assert "its level is further off by more than 10 points" in verdict.sentence


def test_a_broken_shape_is_refused():
    """The ranking and the mean are right, the probabilities far too bold."""
    judged = _moved(slope=3.0)
    verdict = gate(judged, BASELINES)
    assert judged.gain("challenger", verdict.serves, "auc").value > 0
    assert judged.figures["challenger"]["level_error"] < 0.05
    assert verdict.serves in BASELINES
    assert f"does not beat {verdict.serves} beyond chance" in verdict.sentence


def test_a_loss_is_told_as_a_loss_and_a_tie_as_one():
    gain = Difference(-0.02861, -0.0412, 0.0021)
    assert better_or_worse(gain) == "worse by 0.0286 (95% from -0.0021 to 0.0412)"
    gain = Difference(0.01, 0.002, 0.018)
    assert better_or_worse(gain) == "better by 0.0100 (95% from 0.0020 to 0.0180)"
    judged = _judged(0.8, None)
    same = {**judged.probabilities, "challenger": judged.probabilities[BASELINES[0]]}
    only = {role: same[role] for role in ("challenger", BASELINES[0])}
    verdict = gate(evaluate(judged.churned, only, seed=0), BASELINES[:1])
    assert "of two that chance cannot tell apart the simpler is served" in verdict.sentence


def test_a_level_of_ones_own_takes_out_what_moves_everybody():
    plain, moved = (_moved(shift=shift).figures["challenger"] for shift in (0.0, 0.8))
    assert moved["levelled_log_loss"] == pytest.approx(plain["levelled_log_loss"], abs=1e-3)
    assert moved["log_loss"] > plain["log_loss"] + 0.05
    assert plain["levelled_log_loss"] <= plain["log_loss"]


def test_a_champion_that_a_baseline_beats_holds_nobody_up():
    verdict = gate(_judged(0.5, 2.0), BASELINES)
    assert verdict.serves == "challenger"
    assert "which the champion no longer does" in verdict.sentence


@pytest.mark.parametrize(("blur", "serves_challenger"), [(0.8, True), (1.0, False)])
def test_earlier_windows_tell_what_one_cannot(blur: float, serves_challenger: bool):
    """Four windows of few customers, the challenger a little better in each, or not."""
    samples = [
        Sample(
            churned,
            {
                role: _blurred(margin, blur if role == "challenger" else 1.0, 10 * seed + at)
                for at, role in enumerate(["challenger", *BASELINES])
            },
            np.arange(800),
        )
        for seed in range(1, 5)
        for margin, churned in [_customers(800, seed=seed)]
    ]
    latest, *earlier = evaluate_jointly(samples, seed=0)
    assert cannot_tell(latest, BASELINES)
    assert gate(latest, BASELINES).serves in BASELINES
    verdict = gate(latest, BASELINES, earlier)
    assert (verdict.serves == "challenger") == serves_challenger
    assert "mean of 4 windows" in verdict.sentence


def test_noise_alone_promotes_no_challenger():
    """Challengers as good as the baselines: the gate lets through what 2.5% allows."""
    promoted = 0
    for seed in range(20):
        margin, churned = _customers(400, seed=seed)
        stated = {
            role: _blurred(margin, 0.6, 100 * seed + at)
            for at, role in enumerate(["challenger", *BASELINES])
        }
        promoted += gate(evaluate(churned, stated, seed=seed), BASELINES).serves == "challenger"
    assert promoted <= 2
