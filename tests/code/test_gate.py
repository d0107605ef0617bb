"""The gate's verdicts, both ways."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from models.evaluation.gate import cannot_tell, gate
from models.evaluation.judging import Evaluation, Sample, evaluate, evaluate_jointly
from tests.code.known_churners import blurred, customers

BASELINES = ["recency", "logistic", "bg_nbd"]


def _judged(challenger: float, champion: float | None = None, n: int = 4_000) -> Evaluation:
    """Candidates blurred by so much noise; the baselines by 1.0."""
    margin, churned = customers(n)
    stated = {"challenger": blurred(margin, challenger, 1)}
    stated |= {role: blurred(margin, 1.0, at) for at, role in enumerate(BASELINES, start=2)}
    if champion is not None:
        stated["champion"] = blurred(margin, champion, 9)
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
    return evaluate(fair.happened, {**fair.probabilities, "challenger": moved}, seed=0)


def test_the_luck_of_a_level_does_not_decide():
    """A season that was foreseen worse by who tells customers apart better."""
    judged = _moved(shift=0.45, blur=0.85)
    best = judged.best(BASELINES)
    assert judged.gain("challenger", best, "log_loss").lower < 0
    verdict = gate(judged, BASELINES)
    assert verdict.serves == "challenger"
    stated, churned = judged.probabilities["challenger"].mean(), judged.happened.mean()
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


def test_a_tie_is_told_as_one():
    judged = _judged(0.8, None)
    same = {**judged.probabilities, "challenger": judged.probabilities[BASELINES[0]]}
    only = {role: same[role] for role in ("challenger", BASELINES[0])}
    verdict = gate(evaluate(judged.happened, only, seed=0), BASELINES[:1])
    assert "of two that chance cannot tell apart the simpler is served" in verdict.sentence


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
                role: blurred(margin, blur if role == "challenger" else 1.0, 10 * seed + at)
                for at, role in enumerate(["challenger", *BASELINES])
            },
            np.arange(800),
        )
        for seed in range(1, 5)
        for margin, churned in [customers(800, seed=seed)]
    ]
    latest, *earlier = evaluate_jointly(samples, seed=0)
    assert cannot_tell(latest, BASELINES)
    assert gate(latest, BASELINES).serves in BASELINES
    verdict = gate(latest, BASELINES, earlier)
    assert (verdict.serves == "challenger") == serves_challenger
    assert "mean of 4 windows" in verdict.sentence


def test_noise_alone_promotes_no_challenger():
    """Challengers as good as the baselines: one look lets through half of what both together may,
    and the best of three baselines is harder to beat than one."""
    promoted = 0
    for seed in range(20):
        margin, churned = customers(400, seed=seed)
        stated = {
            role: blurred(margin, 0.6, 100 * seed + at)
            for at, role in enumerate(["challenger", *BASELINES])
        }
        promoted += gate(evaluate(churned, stated, seed=seed), BASELINES).serves == "challenger"
    assert promoted <= 1


def _even(rng: np.random.Generator) -> Evaluation:
    """A window in which challenger and baseline are equal but for luck, in units of its error."""
    luck, draws = rng.normal(), rng.permutation(special.ndtri((np.arange(400) + 0.5) / 400))
    gain = {"challenger": luck, "logistic": 0.0}
    return Evaluation(
        {
            role: {"levelled_log_loss": -each, "auc": each, "level_error": 0.0}
            for role, each in gain.items()
        },
        {
            role: {"levelled_log_loss": -each - draws * bool(each), "auc": each + 0 * draws}
            for role, each in gain.items()
        },
        {role: np.array([0.5]) for role in gain},
        np.array([True]),
    )


def test_two_looks_together_promote_what_one_may():
    """The second look is taken where the first cannot tell, as a training does."""
    rng = np.random.default_rng(0)
    served = 0
    for _ in range(1_500):
        latest, *earlier = (_even(rng) for _ in range(3))
        verdict = gate(latest, ["logistic"])
        if verdict.serves == "logistic" and cannot_tell(latest, ["logistic"]):
            verdict = gate(latest, ["logistic"], earlier)
        served += verdict.serves == "challenger"
    assert served / 1_500 <= 0.034  # 2.5%, and two standard errors of so many
