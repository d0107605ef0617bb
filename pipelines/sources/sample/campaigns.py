"""Campaigns: which there were, when, and what each did to those it reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import names
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.parameters import NONE, RATES, TACTIC, Scale
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose, stream

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIRST_MONTH = 4  # before it there is nobody to campaign to
# Purpose, tactic, channels; the plan goes round them, so every purpose recurs.
# The second step of the ladder comes when those offered the first one may be spoken to again.
PLAN = (
    ("retain", "voucher", ("email", "sms", "wechat")),
    ("loyalty", "reward_step_1", ("sms",)),
    ("win_back", "voucher", ("email", "sms")),
    ("retain", "reminder", ("sms", "wechat")),
    ("care", "revisit_drive", ("phone",)),
    ("retain", "service_call", ("phone",)),
    ("loyalty", "reward_step_2", ("sms",)),
    ("loyalty", "double_points", ("email", "wechat")),
    ("win_back", "service_call", ("phone",)),
    ("care", "gift", ("wechat", "phone")),
    ("launch", "new_product", ("email", "wechat")),
    ("care", "training_invitation", ("wechat", "phone")),
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
    "revisit_drive": "客户回访",
    "training_invitation": "培训邀请",
    "reward_step_1": "返利 5%",
    "reward_step_2": "返利 8%",
}


@dataclass(frozen=True)
class Campaign:
    """One campaign.

    Attributes:
        number: from 0; the identifier is made of it.
        purpose, tactic, channel: as in the contract; tactic is a number into TACTICS and channel
            one into CONTACT_CHANNELS.
        month: month at whose first midnight customers are assigned.
        share: of those it is open to, the part drawn into it; of a second step, all.
        category: category of the product a launch is about.
        product: that product; NONE before the first one is new.
    """

    number: int
    purpose: str
    tactic: int
    channel: int
    month: int
    share: float
    category: int
    product: int


def campaigns(scale: Scale, calendar: Seasons, firm: Company) -> tuple[Campaign, ...]:
    """The campaigns of one world, in order of time."""
    rng = stream(scale.seed, Purpose.CAMPAIGN_PLAN)
    last = len(calendar.months) - 2
    count = round(RATES.campaigns_per_year * (last - FIRST_MONTH + 1) / 12)
    months = np.linspace(FIRST_MONTH, last, max(count, 0)).round().astype(int)
    plan = []
    for number, month in enumerate(months):
        purpose, tactic, channels = PLAN[number % len(PLAN)]
        product = firm.products.newest(float(calendar.months[month + 1] - 1))
        category = int(rng.integers(len(names.CATEGORIES)))
        plan.append(
            Campaign(
                number=number,
                purpose=purpose,
                tactic=TACTIC[tactic],
                channel=names.CONTACT_CHANNELS.index(channels[rng.integers(len(channels))]),
                month=int(month),
                share=max(float(rng.uniform(0.35, 0.55)), tactic == "reward_step_2"),
                category=category if product == NONE else int(firm.products.category[product]),
                product=product,
            )
        )
    return tuple(plan)
