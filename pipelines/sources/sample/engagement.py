"""What ties customers to the company beside orders, and what they say when the tie breaks.

Consents, trainings, community, usage; feedback of the lost and requests to be forgotten.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample import names, traces
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    decimals,
    moments,
    running,
    words,
)
from pipelines.sources.sample.identifiers import customer_ids, own_ids
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.parameters import CAUSE, CODES, NONE, RATES
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MARKETING, PROFILING = range(2)
ALL_CHANNELS = len(names.CONTACT_CHANNELS)  # profiling is not a matter of channel
ACTIVE_PER_MONTH = 0.5  # community events of an active member; own assumption
USES_PER_MONTH = 1.6  # days a digital customer uses app or shop; own assumption
USE_UNDER_CAUSE = 0.55  # factor while a cause is at work
USE_WHEN_AWAY = 0.03


def consent_table(world: World, chunk: Chunk) -> Columns:
    """Table `consents`: what was given or refused at the start, and what was withdrawn later."""
    rng = world.stream(Purpose.CONSENTS, chunk.number)
    calendar = world.calendar
    who, told = chunk.who, chunk.lived.episodes
    n, channels = len(who), len(names.CONTACT_CHANNELS)
    recorded = who.consents | (rng.random((n, channels)) < 0.4)  # noqa: PLR2004 others were never asked
    asked, asked_channel = np.nonzero(recorded)
    left, left_channel = np.nonzero(who.consents & (who.withdrawn < calendar.days))
    closing = np.flatnonzero(
        (told.cause == CAUSE["life_change"]) & told.departed & who.closes_account[told.customer]
    )
    closed = np.repeat(told.customer[closing], channels)
    closed_channel = np.tile(np.arange(channels), len(closing))
    closed_day = np.repeat(told.ended[closing] + 1e-3, channels)
    open_still = who.consents[closed, closed_channel] & (
        who.withdrawn[closed, closed_channel] > closed_day
    )
    closed, closed_channel, closed_day = (
        column[open_still] for column in (closed, closed_channel, closed_day)
    )
    profiled = np.flatnonzero(who.profiling | (rng.random(n) < 0.6))  # noqa: PLR2004 objections on record

    customer = np.concatenate([asked, left, closed, profiled])
    channel = np.concatenate(
        [asked_channel, left_channel, closed_channel, np.full(len(profiled), ALL_CHANNELS)]
    )
    granted = np.concatenate(
        [
            who.consents[asked, asked_channel],
            np.zeros(len(left) + len(closed), bool),
            who.profiling[profiled],
        ]
    )
    day = np.concatenate(
        [who.known[asked], who.withdrawn[left, left_channel], closed_day, who.known[profiled]]
    )
    basis = np.where(channel == ALL_CHANNELS, PROFILING, MARKETING)
    kept = np.lexsort([channel, day, customer])
    kept = kept[day[kept] < calendar.days]
    return {
        "customer_id": customer_ids(who, customer[kept]),
        "channel": words((*names.CONTACT_CHANNELS, "all"), channel[kept]),
        "granted": pa.array(granted[kept]),
        "changed_at": moments(calendar.first_day, day[kept]),
        "basis": words(("marketing", "profiling"), basis[kept]),
    }


def training_table(world: World, chunk: Chunk) -> Columns:
    """Table `trainings`: the first one works (fates.py), some come again."""
    rng = world.stream(Purpose.LEARNING, chunk.number)
    calendar = world.calendar
    who, trained = chunk.who, chunk.lived.final.trained
    first = np.flatnonzero(trained < calendar.days)
    again = first[rng.random(len(first)) < 0.3]  # noqa: PLR2004 own assumption
    customer = np.concatenate([first, again])
    day = np.concatenate([trained[first], trained[again] + rng.exponential(120, len(again))])
    customer, day = _by_time(customer, at_hours(rng, day), calendar)
    n = len(customer)
    completed = rng.random(n) < 0.86  # noqa: PLR2004 own assumption
    return {
        "training_id": own_ids("E", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "attended_at": moments(calendar.first_day, day),
        "course": words(names.COURSES, rng.integers(0, len(names.COURSES), n)),
        "completed": pa.array(completed),
        "score": decimals(np.rint(rng.beta(6, 2, n) * 10_000).astype(np.int64), 10, 2),
    }


def community_table(world: World, chunk: Chunk) -> Columns:
    """Table `community_events`."""
    rng = world.stream(Purpose.COMMUNITY, chunk.number)
    calendar = world.calendar
    lived, who = chunk.lived, chunk.who
    takes_part = ~who.is_prospect & (rng.random(len(who)) < RATES.community_share)
    customer, day = _while_there(rng, lived, takes_part * ACTIVE_PER_MONTH, USE_WHEN_AWAY)
    customer, day = _by_time(customer, at_hours(rng, day), calendar)
    return {
        "event_id": own_ids("V", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "occurred_at": moments(calendar.first_day, day),
        "kind": words(names.COMMUNITY_KINDS, rng.integers(0, 5, len(customer))),
    }


def usage_table(world: World, chunk: Chunk) -> Columns:
    """Table `usage_events`: fewer while a cause is at work, hardly any once away."""
    rng = world.stream(Purpose.USAGE, chunk.number)
    calendar = world.calendar
    lived, who = chunk.lived, chunk.who
    habit = who.is_digital * ~who.is_prospect * rng.gamma(1.5, 1 / 1.5, len(who)) * USES_PER_MONTH
    customer, day = _while_there(rng, lived, habit, USE_WHEN_AWAY)
    customer, day = _by_time(customer, at_hours(rng, day), calendar)
    n = len(customer)
    telematics = who.is_service[customer] & (rng.random(n) < 0.4)  # noqa: PLR2004 own assumption
    return {
        "event_id": own_ids("U", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "occurred_at": moments(calendar.first_day, day),
        "kind": words(names.USAGE_KINDS, np.where(telematics, 2, rng.integers(0, 2, n))),
        "quantity": decimals((1 + rng.poisson(6.0, n)) * 1000, 18, 3),
    }


def feedback_table(world: World, chunk: Chunk) -> Columns:
    """Table `churn_feedback`: the true cause from most, another one from some."""
    rng = world.stream(Purpose.FEEDBACK, chunk.number)
    calendar = world.calendar
    who, told = chunk.who, chunk.lived.episodes
    rows = np.flatnonzero(told.departed & (rng.random(len(told.cause)) < RATES.feedback_share))
    day = at_hours(rng, told.ended[rows] + rng.uniform(2, 60, len(rows)))
    in_time = (day < calendar.days) & ~(told.returned[rows] < day)
    rows, day = rows[in_time], day[in_time]
    honest = rng.random(len(rows)) < RATES.feedback_truth
    stated = np.where(honest, told.cause[rows], rng.integers(0, len(CODES), len(rows)))
    order = np.lexsort([day, told.customer[rows]])
    rows, day, stated = rows[order], day[order], stated[order]
    customer = told.customer[rows]
    texts = [traces.NOTES[code][0].format(names.COMPETITORS[0]) for code in CODES]
    return {
        "feedback_id": own_ids("D", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "recorded_at": moments(calendar.first_day, day),
        "reason_code": words(CODES, stated),
        "detail": words(texts, np.where(rng.random(len(rows)) < 0.5, stated, NONE)),  # noqa: PLR2004
    }


def erasure_table(world: World, chunk: Chunk) -> Columns:
    """Table `erasure_requests`."""
    rng = world.stream(Purpose.ERASURES, chunk.number)
    calendar = world.calendar
    who = chunk.who
    span = np.maximum(calendar.days - np.maximum(who.known, 0), 0) / 365
    # The first two customers ask whatever the size of the world, so that no sample is without any.
    asks = rng.random(len(who)) < RATES.erasures_per_million_a_year / 1e6 * span
    asks[: RATES.least_erasures] |= chunk.number == 0
    customer = np.flatnonzero(asks)
    start = np.maximum(who.known[customer], 0)
    day = at_hours(rng, start + rng.random(len(customer)) * (calendar.days - start - 1))
    return {
        "customer_id": customer_ids(who, customer),
        "requested_at": moments(calendar.first_day, np.maximum(day, who.known[customer] + 0.01)),
    }


def _while_there(
    rng: np.random.Generator, lived: Lives, per_month: Floats, when_away: float
) -> tuple[Ints, Floats]:
    """Events of customers at a monthly rate, fewer under a cause and hardly any while away."""
    customers: list[Ints] = []
    days: list[Floats] = []
    for month, there in zip(lived.months, lived.lived, strict=True):
        known = lived.who.joined < month.start
        present = there.end > there.begin
        factor = np.where(present, np.where(there.cause == NONE, 1.0, USE_UNDER_CAUSE), when_away)
        count = rng.poisson(per_month * factor * known)
        customer = np.repeat(np.arange(len(count)), count)
        customers.append(customer)
        days.append(month.start + rng.random(len(customer)) * (month.end - month.start))
    return np.concatenate(customers), np.concatenate(days)


def _by_time(customer: Ints, day: Floats, calendar: Seasons) -> tuple[Ints, Floats]:
    order = np.lexsort([day, customer])
    order = order[day[order] < calendar.days]
    return customer[order], day[order]
