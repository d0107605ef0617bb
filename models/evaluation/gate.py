"""The gate: whether a challenger is served, the champion stays, or the best baseline speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.evaluation.confidence import CONFIDENCE
from models.evaluation.judging import CHALLENGER, Evaluation, Figures, mean_of
from models.evaluation.probabilities import LEVEL_ERROR

# The role of what was served so far.
CHAMPION: Final = "champion"
# By how much further than its rival's a candidate's mean probability may lie from the share that
# churned. What one training fits expects one share; a champion expects what it knew when it was
# trained, and forecasts of the level are off by 4 points in a first year (benchmarks/levels.py).
LEVEL_TOLERANCE: Final = 0.1
# A training may look twice: at the latest window, and where that cannot tell at earlier ones with
# it. Each look takes half of the chance that a challenger no better is served (Bonferroni).
LOOKS: Final = 2
SURE: Final = 1 - (1 - CONFIDENCE) / LOOKS


@dataclass(frozen=True)
class Verdict:
    """What is served from now on, whether the pointer moves, and why in one sentence."""

    serves: str
    promoted: bool
    sentence: str


def gate(
    evaluation: Evaluation, baselines: Sequence[str], earlier: Sequence[Evaluation] = ()
) -> Verdict:
    """Decide what is served: challenger, champion, or the best baseline.

    One candidate beats another if the 97.5% interval (`SURE`) of its gain in log-loss, both at the
    level of the judged customers, lies above zero, its AUC is not lower, and its own level is not
    further off than the other's by more than `LEVEL_TOLERANCE`. Over both looks a challenger that
    is no better than the best baseline is so served in 2.5% of trainings at most.

    The challenger is served if it beats the best baseline and the champion, unless that does not
    beat the baseline itself; else the champion if it beats the baseline; else the baseline, fitted
    today.

    Args:
        evaluation: on the latest snapshot.
        baselines: roles, best of which is the one to beat.
        earlier: of challenger and baselines as they were at earlier snapshots, resampled jointly;
            the two are compared by the mean of all. A champion is judged by the latest alone: it
            may have learnt from the others.
    """
    together = mean_of([evaluation, *earlier])
    best = together.best(baselines)
    is_judged = CHAMPION in evaluation.figures
    stands = is_judged and not _falls_short(evaluation, CHAMPION, best)
    latest = [(CHAMPION, evaluation, 1)] if stands else []
    for rival, figures, windows in [*latest, (best, together, 1 + len(earlier))]:
        why = _falls_short(figures, CHALLENGER, rival)
        gained = _gained(figures, CHALLENGER, rival, windows)
        expected = _expected(evaluation, CHALLENGER, rival)
        if why:
            said = f"the challenger {why}; {gained}; {expected}."
            if stands:
                sentence = f"The champion stays: it beats the best baseline ({best}); {said}"
                return Verdict(CHAMPION, False, sentence)
            return Verdict(best, True, f"The baseline {best} is served: {said}")
    champion = " and the champion" if stands else ", which the champion no longer does"
    return Verdict(
        CHALLENGER,
        True,
        f"The challenger is served: it beats the best baseline ({best})"
        f"{champion if is_judged else ''}; {gained}; {expected}.",
    )


def cannot_tell(evaluation: Evaluation, baselines: Sequence[str]) -> bool:
    """Whether chance alone leaves open if the challenger or the best baseline is the better one."""
    gain = evaluation.gain(CHALLENGER, evaluation.best(baselines), confidence=SURE)
    return gain.lower <= 0 <= gain.upper


def _falls_short(figures: Figures, role: str, of: str) -> str:
    """Why a candidate does not beat another one; empty where it does."""
    gain = figures.gain(role, of, confidence=SURE)
    if gain.lower <= 0 or figures.gain(role, of, "auc").value < 0:
        tie = gain.lower <= 0 <= gain.upper and of != CHAMPION
        simpler = ", and of two that chance cannot tell apart the simpler is served" if tie else ""
        return f"does not beat {_named(of)} beyond chance{simpler}"
    errors = figures.figures[role][LEVEL_ERROR], figures.figures[of][LEVEL_ERROR]
    if errors[0] > errors[1] + LEVEL_TOLERANCE:
        return (
            f"tells customers apart better than {_named(of)}, but its level is further off by "
            f"more than {100 * LEVEL_TOLERANCE:.0f} points"
        )
    return ""


def _named(role: str) -> str:
    return "the champion" if role == CHAMPION else role


def _gained(figures: Figures, role: str, over: str, windows: int) -> str:
    gain, auc = figures.gain(role, over, confidence=SURE), figures.gain(role, over, "auc")
    return (
        f"log-loss at equal level {gain.in_words()}, AUC {auc.value:+.4f}"
        f"{f', mean of {windows} windows' if windows > 1 else ''}"
    )


def _expected(evaluation: Evaluation, role: str, beside: str) -> str:
    stated, other = (100 * evaluation.probabilities[each].mean() for each in (role, beside))
    return (
        f"it expected {stated:.1f}% to churn, {_named(beside)} {other:.1f}%, and "
        f"{100 * evaluation.happened.mean():.1f}% did"
    )
