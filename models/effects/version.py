"""What was learnt of the effects of treatments as a stored version: numbers, card and page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from models.effects.effect_model import ASSUMPTION_DEVIATION, WIDTHS
from models.effects.plans import ALL, TACTIC
from models.effects.treatment_effects import MIN_ARM, Effects
from models.effects.trial import FOLDS
from models.versions import forms
from models.versions.card import CARD_PAGE, Card, Figure
from models.versions.version import CARD_FILE, Version, canonical_json, libraries

TITLE: Final = "What acting does"
PURPOSE: Final = (
    "By how much a tactic raises the probability that a customer orders within the window, learnt "
    "from past campaigns that held out customers by lot. Lists about money rank by it times what "
    "the customer is worth, per unit of what acting costs."
)
LIMITS: Final = (
    "Learnt from the customers whom past campaigns were open to; of others it is carried over.",
    "What is raised is the order within the window; whoever orders later than that is not counted.",
    "Only control groups of campaigns teach; those of the lists are judged in list_effect.",
    "A tactic without a campaign rests on the assumption of the seed plan_by_reason.",
)


@dataclass(frozen=True)
class EffectVersion(Version):
    """One version of what is known of the effects.

    Attributes:
        as_of: day of the learning; no later day was known to it.
        basis: individual, average or assumed.
        numbers: factors on the assumed effects and the individual `EffectModel`; JSON.
        threads: of the native libraries.
        card: for people.
    """

    as_of: date
    basis: str
    numbers: Mapping[str, Any]
    threads: int
    card: Card

    def files(self) -> dict[str, bytes]:
        """Numbers and card."""
        contents = {
            "basis": self.basis,
            "numbers": dict(self.numbers),
            "threads": self.threads,
        }
        card = {CARD_FILE: canonical_json(self.card.to_json())}
        return forms.EFFECTS.written(self.as_of, contents) | card

    def pages(self) -> dict[str, bytes]:
        """The card as a page."""
        return {CARD_PAGE: self.card.page(self.version)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> EffectVersion:
        """Build a version from its files, whose checksums the store has verified.

        Raises:
            StoreError: when the files are of another format or do not fit together.
        """
        with forms.EFFECTS.opened(files) as (as_of, stored):
            return cls(
                as_of,
                str(stored["basis"]),
                dict(stored["numbers"]),
                int(stored["threads"]),
                Card.from_json(json.loads(files[CARD_FILE])),
            )


def version_of_effects(
    found: Effects, trials: pd.DataFrame, *, as_of: date, threads: int
) -> EffectVersion:
    """What was learnt on a day, as a version with its card.

    Args:
        found: what was learnt.
        trials: what it was learnt from (treatment_effects.estimate).
        as_of: the day.
        threads: of the native libraries.
    """
    days = pd.to_datetime(trials["snapshot_on"])
    first, last = (None, None) if days.empty else (str(days.min().date()), str(days.max().date()))
    metrics: dict[str, dict[str, Figure]] = {
        str(policy): {
            f"{each['outcome']}_per_customer": (each["value"], each["lower"], each["upper"])
            for each in rows.to_dict("records")
        }
        for policy, rows in found.values.groupby("policy", sort=False)
    }
    card = Card(
        title=TITLE,
        purpose=PURPOSE,
        decision=f"{found.decision} {found.known}",
        windows={
            "campaigns": int(trials["campaign_id"].nunique()),
            "customers_drawn_by_lot": len(trials),
            "first_campaign_after": first,
            "last_campaign_after": last,
        },
        metrics=metrics,
        served_role="expected_profit" if metrics else None,
        by_segment=found.evidence,
        failures=[_failure(row) for row in found.evidence if _is_overrated(row)],
        limits=LIMITS,
        parameters={
            "folds": FOLDS,
            "smallest_arm": MIN_ARM,
            "assumption_may_be_off_by": ASSUMPTION_DEVIATION,
            "widths_tried": list(WIDTHS),
            "threads": threads,
        },
        libraries=libraries("numpy", "pandas"),
        reproduce=(
            "Run the day again: the same deliveries give the same version; nothing is random.",
        ),
        facts={name: list(figure) for name, figure in found.figures.items()},
    )
    return EffectVersion(as_of, found.basis, found.numbers, threads, card)


def _is_overrated(row: Mapping[str, Any]) -> bool:
    """Whether a plan surely does less than is assumed of it."""
    return row["plan_for"] != ALL and row["factor_upper"] is not None and row["factor_upper"] < 1


def _failure(row: Mapping[str, Any]) -> str:
    return (
        f"{row[TACTIC]} to {row['goal']} for {row['plan_for']}: the seed plan_by_reason assumes "
        f"more than it does; measured, {row['factor']:.2g} times that "
        f"({row['factor_lower']:.2g} to {row['factor_upper']:.2g})"
    )
