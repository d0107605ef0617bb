"""Quotes to business customers: won, lost, still open."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.sources.sample import names, traces
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    cents,
    dates,
    decimals,
    moments,
    running,
    words,
)
from pipelines.sources.sample.identifiers import customer_ids, own_ids, rep_ids
from pipelines.sources.sample.parameters import CAUSE, NONE
from pipelines.sources.sample.profiles import acting_at
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

STAGES = ("proposal", "negotiation", "won", "lost")
PROPOSAL, NEGOTIATION, WON, LOST = range(4)
REASONS = ("price", "competitor", "timing", "no_need", "service")
PRICE, COMPETITOR, TIMING, NO_NEED, SERVICE = range(5)
REASON_SHARES = (0.16, 0.10, 0.40, 0.30, 0.04)  # of quotes lost with no cause at work
QUOTES_PER_YEAR = 1.8  # per business customer; own assumption
WON_SHARE = 0.45  # own assumption; of open quotes of customers with no cause at work
DECIDED_DAYS = 30.0  # mean


def opportunity_table(world: World, chunk: Chunk) -> Columns:
    """Table `opportunities`."""
    rng = world.stream(Purpose.OPPORTUNITIES, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, who = chunk.lived, chunk.who
    told = lived.episodes
    span = np.where(who.is_business, np.maximum(calendar.days - who.joined, 0), 0)
    count = rng.poisson(QUOTES_PER_YEAR * span / 365)
    customer = np.repeat(np.arange(len(who)), count)
    day = who.joined[customer] + rng.random(len(customer)) * span[customer]
    # Prospects ask for quotes as well; departed customers no longer do.
    month = calendar.month_of(day)
    there = np.stack([m.end for m in lived.lived])[month, customer] > day
    asks = there | who.is_prospect[customer]
    customer, day = customer[asks], day[asks]

    lost_for = np.flatnonzero(
        who.is_business[told.customer]
        & (rng.random(len(told.cause)) < traces.LOST_QUOTE[told.cause])
    )
    cause = np.concatenate([np.full(len(customer), NONE), told.cause[lost_for]])
    customer = np.concatenate([customer, told.customer[lost_for]])
    day = np.concatenate([day, told.began[lost_for] + rng.uniform(-6, 2, len(lost_for))])
    n = len(customer)
    day = at_hours(rng, day)
    closed = day + 1 + rng.gamma(2.0, DECIDED_DAYS / 2, n) * np.where(cause == NONE, 1.0, 0.2)
    reason = np.where(
        cause == CAUSE["price"],
        PRICE,
        np.where(cause == CAUSE["competitor"], COMPETITOR, rng.choice(5, n, p=REASON_SHARES)),
    )
    won = (cause == NONE) & (rng.random(n) < WON_SHARE)
    amount = rng.lognormal(9.2, 0.9, n)
    by_time = np.lexsort([day, customer])
    kept = by_time[day[by_time] < calendar.days]
    customer, day, closed, won, reason, amount = (
        column[kept] for column in (customer, day, closed, won, reason, amount)
    )
    n = len(customer)
    is_open = closed >= calendar.days
    lost = ~is_open & ~won
    stage = np.where(is_open, rng.integers(0, 2, n), np.where(won, WON, LOST))
    return {
        "opportunity_id": own_ids("F", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "owner_id": rep_ids(acting_at(who, firm, customer, day)),
        "stage": words(STAGES, stage),
        "quoted_amount": decimals(cents(amount), 18, 2),
        "quoted_at": moments(calendar.first_day, day),
        "expected_close_on": dates(
            calendar.first_day, day + rng.integers(20, 60, n), null=np.zeros(n, bool)
        ),
        "closed_at": moments(calendar.first_day, closed, null=is_open),
        "won": pa.array(won, mask=is_open),
        "loss_reason": words(REASONS, np.where(lost, reason, NONE)),
        "competitor": words(
            names.COMPETITORS,
            np.where(
                lost & (reason == COMPETITOR), rng.integers(0, len(names.COMPETITORS), n), NONE
            ),
        ),
    }
