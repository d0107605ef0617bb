"""What was learnt of the effects of treatments as a stored version: numbers, card and page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pandas as pd

from models.effects.effect_model import ASSUMPTION_DEVIATION, WIDTHS
from models.effects.evidence import (
    FALSE_ALARM,
    MIN_ARM,
    TOO_FEW,
    failures,
    failures_by_segment,
    is_plan,
)
from models.effects.treatment_effects import CUSTOMER, Effects
from models.effects.trial import FOLDS
from models.versions import forms
from models.versions.card import CARD_PAGE, Card, Figure
from models.versions.plots import Plot, lines_of
from models.versions.version import CARD_FILE, Version, canonical_json, libraries

PLOT_DECIMALS: Final = 3
TITLE: Final = "What acting does"
PURPOSE: Final = (
    "By how much a tactic raises the probability that a customer orders within the window, learnt "
    "from past campaigns that held out customers by lot. Lists about money rank by it times what "
    "the customer is worth, less what acting costs; where a budget does not reach for all, it goes "
    "to those who bring most per unit of it."
)
LIMITS: Final = (
    "Learnt from the customers whom past campaigns were open to; of others it is carried over.",
    "What is raised is the order within the window; whoever orders later than that is not counted.",
    "Only control groups of campaigns teach; those of the lists are judged in list_effect.",
    "A tactic without a campaign rests on the seed plan_by_reason and on what the others showed.",
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
            f"{each['outcome']}_per_member": (each["value"], each["lower"], each["upper"])
            for each in rows.to_dict("records")
        }
        for policy, rows in found.values.groupby("policy", sort=False)
    }
    plans = [row for row in found.evidence if is_plan(row)]
    too_few = [row for row in plans if row["against_assumed"] == TOO_FEW]
    card = Card(
        title=TITLE,
        purpose=PURPOSE,
        decision=f"{found.decision} {found.known}",
        windows={
            "campaigns": int(trials["campaign_id"].nunique()),
            "draws_by_lot": len(trials),
            "customers_drawn": int(trials[CUSTOMER].nunique()),
            "first_campaign_after": first,
            "last_campaign_after": last,
        },
        metrics=metrics,
        served_role="expected_profit" if metrics else None,
        by_tactic=found.evidence,
        by_segment=found.by_segment,
        plots=_plots(found),
        drivers=found.drivers,
        failures=[*failures(found.evidence), *failures_by_segment(found.by_segment)],
        limits=(
            *LIMITS,
            f"{len(too_few)} of {len(plans)} plans have fewer than {MIN_ARM} treated or held out "
            "by lot: no rise is told of them, and their factor leans on that of their tactic.",
        ),
        parameters={
            "folds": FOLDS,
            "smallest_arm": MIN_ARM,
            "false_alarm_over_all_plans": FALSE_ALARM,
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


def _plots(found: Effects) -> list[Plot]:
    """What plans assume against what was measured, and the Qini curve; none without a trial."""
    plans = sorted(
        (row for row in found.evidence if is_plan(row) and row["rise"] is not None),
        key=lambda row: float(row["assumed_rise"]),
    )
    plots = []
    if plans:
        points = {
            name: [round(100 * row[name], PLOT_DECIMALS) for row in plans]
            for name in ("assumed_rise", "rise", "rise_lower", "rise_upper", "lists_count_on")
        }
        x = points["assumed_rise"]
        plots.append(
            Plot(
                "Plans: measured against assumed",
                "Rise of the share that orders, as assumed (points)",
                "Rise (points), with its 95% interval",
                {
                    "measured": (x, points["rise"]),
                    "lists count on": (x, points["lists_count_on"]),
                    "as assumed": (x, x),
                },
                intervals={"measured": (points["rise_lower"], points["rise_upper"])},
            )
        )
    if not found.curve.empty:
        plots.append(
            Plot(
                "Customers who order because of it",
                "Share of campaign members treated",
                "Customers won, per member",
                lines_of(found.curve, "share", "gained"),
            )
        )
    return plots
