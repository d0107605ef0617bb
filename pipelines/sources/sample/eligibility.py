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
from pipelines.sources.sample.parameters import RATES, TACTICS

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WATCH, CHURNED = 1, 3  # missed rhythms: from watch on to retain, from churned on to win back
SILENT_MONTHS = 3  # at least, before anybody is called churned
KNOWN_ORDERS = 3  # orders that make a known customer, who is cared for
LADDER_MONTHS = 12  # without an order, or after a step of the reward ladder, till it is forgotten
TRAINING_SILENT_MONTHS = 6  # who has not bought for longer has nothing to be trained on


@dataclass(frozen=True)
class Seen:
    """What the company can see of its customers at the start of a month.

    Attributes:
        month: the month.
        orders: orders so far.
        silent: months since the month of the last order.
        rhythm: mean months between orders so far; three where there was but one.
        since_reward: months since the first step of the reward ladder was offered.
        trained: whether they have been to a training.
        closed: whether they may not be drawn: a campaign touched them lately, or they withdrew.
    """

    month: int
    orders: Ints
    silent: Ints
    rhythm: Floats
    since_reward: Ints
    trained: Bools
    closed: Bools


def open_to(
    campaign: Campaign, who: Customers, seen: Seen, day: float, luck: npt.NDArray[np.float32]
) -> Bools:
    """Which customers a campaign is open to."""
    overdue = seen.silent / np.maximum(seen.rhythm, 0.5)
    match TACTICS[campaign.tactic].code, campaign.purpose:
        case "reward_step_1", _:
            wanted = who.is_member & (seen.silent <= LADDER_MONTHS)
        case "reward_step_2", _:
            # offered the first step, and not moved by it
            wanted = (seen.since_reward <= LADDER_MONTHS) & (seen.silent > seen.since_reward)
        case "revisit_drive", _:
            wanted = who.rep >= 0
        case "training_invitation", _:
            wanted = ~seen.trained & (seen.silent <= TRAINING_SILENT_MONTHS)
        case _, "retain":
            wanted = (overdue >= WATCH) & (overdue < CHURNED) & (seen.silent >= 1)
            wanted |= luck < RATES.open_to_all_share
        case _, "win_back":
            wanted = (overdue >= CHURNED) & (seen.silent >= SILENT_MONTHS)
        case _, "care":
            wanted = (seen.orders >= KNOWN_ORDERS) & (who.rep >= 0)
        case _, "loyalty":
            wanted = who.is_member
        case _:
            wanted = (who.first_category == campaign.category) | (
                who.second_category == campaign.category
            )
    may_be_sent = who.consents[:, campaign.channel] & (who.withdrawn[:, campaign.channel] > day)
    return wanted & may_be_sent & (seen.orders > 0) & ~seen.closed & ~who.is_test
