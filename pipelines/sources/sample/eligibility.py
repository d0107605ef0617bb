"""Whom a campaign is open to.

Decided on what the company could see at the time (orders so far, consent, membership), never on the
truth. Among those it is open to, chance alone decides who is drawn and into which arm (lives.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.campaigns import Campaign
from pipelines.sources.sample.customers import Customers

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OPEN_TO_ALL = 0.12  # of all buyers are let into a retain campaign whatever their silence
WATCH, CHURNED = 1, 3  # missed rhythms: from watch on to retain, from churned on to win back
SILENT_MONTHS = 3  # at least, before anybody is called churned
KNOWN_ORDERS = 3  # orders that make a known customer, who is cared for


@dataclass(frozen=True)
class Seen:
    """What the company can see of its customers at the start of a month.

    Attributes:
        month: the month.
        orders: orders so far.
        silent: months since the month of the last order.
        rhythm: mean months between orders so far; three where there was but one.
        closed: whether they may not be drawn: a campaign touched them lately, or they withdrew.
    """

    month: int
    orders: Ints
    silent: Ints
    rhythm: Floats
    closed: Bools


def open_to(
    campaign: Campaign, who: Customers, seen: Seen, day: float, luck: npt.NDArray[np.float32]
) -> Bools:
    """Which customers a campaign is open to."""
    overdue = seen.silent / np.maximum(seen.rhythm, 0.5)
    match campaign.purpose:
        case "retain":
            wanted = (overdue >= WATCH) & (overdue < CHURNED) & (seen.silent >= 1)
            wanted |= luck < OPEN_TO_ALL
        case "win_back":
            wanted = (overdue >= CHURNED) & (seen.silent >= SILENT_MONTHS)
        case "care":
            wanted = (seen.orders >= KNOWN_ORDERS) & (who.rep >= 0)
        case "loyalty":
            wanted = who.is_member
        case _:
            wanted = (who.first_category == campaign.category) | (
                who.second_category == campaign.category
            )
    may_be_sent = who.consents[:, campaign.channel] & (who.withdrawn[:, campaign.channel] > day)
    return wanted & may_be_sent & (seen.orders > 0) & ~seen.closed & ~who.is_test
