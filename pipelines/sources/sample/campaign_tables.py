"""The campaigns and their members as the company recorded them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.sources.sample import names
from pipelines.sources.sample.campaigns import TITLES, Campaign
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import Columns, decimals, moments, words
from pipelines.sources.sample.identifiers import campaign_ids, customer_ids
from pipelines.sources.sample.orders import COMPLETED
from pipelines.sources.sample.parameters import NONE, TACTICS, WINDOW_DAYS
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

SENT_HOUR = 10 / 24
CAMPAIGN_DAYS = 30


def campaign_table(world: World) -> Columns:
    """Table `campaigns`."""
    calendar, plan = world.calendar, world.campaigns
    tactics = np.array([c.tactic for c in plan], dtype=np.int64)
    start = calendar.months[np.array([c.month for c in plan], dtype=np.int64)].astype(float)
    dates = [calendar.date(day) for day in start]
    titles = [
        f"{date:%Y-%m} {TITLES[TACTICS[c.tactic].code]}{_subject(world, c)}"
        for date, c in zip(dates, plan, strict=True)
    ]
    cost = np.array([round(tactic.unit_cost * 10_000) for tactic in TACTICS])
    return {
        "campaign_id": campaign_ids(np.arange(len(plan))),
        "name": pa.array(titles, pa.string()),
        "purpose": pa.array([c.purpose for c in plan], pa.string()),
        "tactic": words([tactic.code for tactic in TACTICS], tactics),
        "channel": words(names.CONTACT_CHANNELS, np.array([c.channel for c in plan], np.int64)),
        "starts_at": moments(calendar.first_day, start),
        "ends_at": moments(calendar.first_day, start + CAMPAIGN_DAYS),
        "unit_cost": decimals(cost[tactics], 18, 4),
    }


def _subject(world: World, campaign: Campaign) -> str:
    """What a launch is about: the category, and the product where there is a new one."""
    if campaign.purpose != "launch":
        return ""
    products = world.company.products
    category = products.category_names[campaign.category]
    product = f" {products.names[campaign.product]}" if campaign.product != NONE else ""
    return f" {category}{product}"


def member_table(world: World, chunk: Chunk) -> Columns:
    """Table `campaign_members`. The arm is random; a response is an order within the window."""
    rng = world.stream(Purpose.MEMBERS, chunk.number)
    calendar = world.calendar
    lived, made = chunk.lived, chunk.made
    number = np.concatenate([np.full(len(m.customer), m.campaign.number) for m in lived.members])
    customer = np.concatenate([m.customer for m in lived.members])
    treated = np.concatenate([m.treated for m in lived.members])
    reached = np.concatenate([m.reached for m in lived.members])
    tactic = np.concatenate([np.full(len(m.customer), m.campaign.tactic) for m in lived.members])
    start = np.concatenate(
        [np.full(len(m.customer), lived.months[m.campaign.month].start) for m in lived.members]
    )
    by_time = np.lexsort([number, start, customer])
    number, customer, treated, reached, tactic, start = (
        column[by_time].astype(column.dtype)
        for column in (number, customer, treated, reached, tactic, start)
    )
    n = len(customer)
    opened = start + SENT_HOUR + rng.exponential(0.8, n)
    completed = np.flatnonzero(made.status == COMPLETED)
    keys = made.customer[completed] * 1e5 + made.day[completed]
    following = np.searchsorted(keys, customer * 1e5 + start, side="left")
    at = np.minimum(following, max(len(completed) - 1, 0))
    responded = made.day[completed[at]]
    replied = (
        (following < len(completed))
        & (made.customer[completed[at]] == customer)
        & (responded < start + WINDOW_DAYS)
    )
    seen = treated & reached & (opened < calendar.days)
    cost = np.array([round(tactic.unit_cost * 10_000) for tactic in TACTICS])
    return {
        "campaign_id": campaign_ids(number),
        "customer_id": customer_ids(chunk.who, customer),
        "assigned_at": moments(calendar.first_day, start),
        "arm": words(("control", "treatment"), treated.astype(np.int64)),
        "sent_at": moments(calendar.first_day, start + SENT_HOUR, null=~treated),
        "opened_at": moments(calendar.first_day, opened, null=~seen),
        "responded_at": moments(
            calendar.first_day,
            np.maximum(responded, opened),
            null=~(seen & replied & (responded > opened)),
        ),
        "cost": decimals(np.where(treated, cost[tactic], 0), 18, 4),
    }
