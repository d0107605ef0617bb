"""Campaigns: which there were, when, and what each did to those it reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import names
from pipelines.sources.sample.parameters import RATES, TACTIC, Scale
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose, stream

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIRST_MONTH = 4  # before it there is nobody to campaign to
# Purpose, tactic, channels; the plan goes round them, so every purpose recurs.
PLAN = (
    ("retain", "voucher", ("email", "sms", "wechat")),
    ("win_back", "voucher", ("email", "sms")),
    ("retain", "reminder", ("sms", "wechat")),
    ("retain", "service_call", ("phone",)),
    ("loyalty", "double_points", ("email", "wechat")),
    ("win_back", "service_call", ("phone",)),
    ("care", "gift", ("wechat", "phone")),
    ("launch", "new_product", ("email", "wechat")),
    ("retain", "voucher", ("sms", "wechat")),
    ("win_back", "reminder", ("sms", "wechat")),
)
TITLES = {
    "voucher": "优惠券",
    "service_call": "客服专访",
    "reminder": "保养提醒",
    "gift": "节日礼品",
    "double_points": "双倍积分",
    "new_product": "新品上市",
}


@dataclass(frozen=True)
class Campaign:
    """One campaign.

    Attributes:
        number: from 0; the identifier is made of it.
        purpose, tactic, channel: as in the contract; tactic is a number into TACTICS and channel
            one into CONTACT_CHANNELS.
        month: month at whose first midnight customers are assigned.
        share: of those it is open to, the part drawn into it.
        category: category of the product a launch is about.
    """

    number: int
    purpose: str
    tactic: int
    channel: int
    month: int
    share: float
    category: int


def campaigns(scale: Scale, calendar: Seasons) -> tuple[Campaign, ...]:
    """The campaigns of one world, in order of time."""
    rng = stream(scale.seed, Purpose.CAMPAIGN_PLAN)
    last = len(calendar.months) - 2
    count = round(RATES.campaigns_per_year * (last - FIRST_MONTH + 1) / 12)
    months = np.linspace(FIRST_MONTH, last, max(count, 0)).round().astype(int)
    plan = []
    for number, month in enumerate(months):
        purpose, tactic, channels = PLAN[number % len(PLAN)]
        plan.append(
            Campaign(
                number=number,
                purpose=purpose,
                tactic=TACTIC[tactic],
                channel=names.CONTACT_CHANNELS.index(channels[rng.integers(len(channels))]),
                month=int(month),
                share=float(rng.uniform(0.35, 0.55)),
                category=int(rng.integers(len(names.CATEGORIES))),
            )
        )
    return tuple(plan)
