"""Contacts between representatives and customers: revisits, care, follow-ups, exit calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample import names, traces
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    moments,
    running,
    together,
    words,
)
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.fates import REVISIT_DRIVE
from pipelines.sources.sample.identifiers import customer_ids, own_ids, rep_ids
from pipelines.sources.sample.lives import Lives, Members
from pipelines.sources.sample.orders import COMPLETED, Orders
from pipelines.sources.sample.parameters import CAUSE, CODES, NONE, RATES
from pipelines.sources.sample.profiles import acting_at, rep_left
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

KINDS = ("revisit", "care", "sales", "service", "follow_up")
REVISIT, CARE, SALES, SERVICE, FOLLOW_UP = range(5)
OUTCOMES = ("reached", "no_answer", "refused", "done")
REACHED, NO_ANSWER, REFUSED, DONE = range(4)
CHANNELS = ("phone", "visit", "wechat", "email")
DIRECTIONS = ("outbound", "inbound")

# Every note there is; the reasons' notes first, two per cause and, for competitors, two per name.
NOTE_TEXTS: list[str] = []
NOTE_OF: dict[str, list[int]] = {}
for _code in CODES:
    NOTE_OF[_code] = []
    for _text in traces.NOTES[_code]:
        for _name in names.COMPETITORS if "{}" in _text else ("",):
            NOTE_OF[_code].append(len(NOTE_TEXTS))
            NOTE_TEXTS.append(_text.format(_name))
ORDINARY_NOTES = list(range(len(NOTE_TEXTS), len(NOTE_TEXTS) + len(traces.ORDINARY_NOTES)))
NOTE_TEXTS += traces.ORDINARY_NOTES

TRIES = 0.45  # unanswered calls per revisit that comes about; own assumption
CARE_PER_YEAR = 0.5  # greetings per customer with a representative
SERVICE_SHARE = 0.25  # of service orders followed by a handing-over talk
EXIT_REACHED = 0.60  # of exit calls that reach the customer
PROMISE_DAYS = (14.0, 45.0)  # until a promised follow-up is due
GRACE_DAYS = 4.0  # by which kept promises may be late
NOTED_SHARE = 0.25  # of ordinary contacts with a note


def interaction_table(world: World, chunk: Chunk) -> Columns:
    """Table `interactions`."""
    rng = world.stream(Purpose.INTERACTIONS, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, made, who = chunk.lived, chunk.made, chunk.who
    contacts = [
        *_revisits(rng, lived),
        _care(rng, calendar, lived),
        _handing_over(rng, lived, made),
        *_of_causes(rng, lived, firm),
        *_exit_calls(rng, calendar, lived),
    ]
    promised = [_kept_promises(rng, part) for part in contacts]
    rows = together(contacts + promised)
    rows = {name: column[rows["day"] < calendar.days] for name, column in rows.items()}
    customer, n = rows["customer"], len(rows["day"])
    owner = np.where(rows["centre"], NONE, acting_at(who, firm, customer, rows["day"]))
    ordinary = np.array(ORDINARY_NOTES)[rng.integers(0, len(ORDINARY_NOTES), n)]
    spoken = (rows["outcome"] == REACHED) | (rows["outcome"] == DONE)
    noted = spoken & (rng.random(n) < NOTED_SHARE)
    return {
        "interaction_id": own_ids("I", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "occurred_at": moments(calendar.first_day, rows["day"]),
        "channel": words(CHANNELS, rows["channel"]),
        "direction": words(DIRECTIONS, rows["inbound"].astype(np.int64)),
        "kind": words(KINDS, rows["kind"]),
        "owner_id": rep_ids(owner),
        "outcome": words(OUTCOMES, rows["outcome"]),
        "next_follow_up_at": moments(calendar.first_day, np.floor(rows["next"]) + 0.5),
        "list_row_id": pa.nulls(n, pa.string()),
        "notes": words(
            NOTE_TEXTS, np.where(rows["note"] >= 0, rows["note"], np.where(noted, ordinary, NONE))
        ),
    }


def _contact(
    rng: np.random.Generator,
    customer: Ints,
    day: Floats,
    kind: int,
    outcome: Ints | int,
    *,
    promise: float = 0.0,
    note: Ints | None = None,
    centre: Bools | None = None,
    inbound: bool = False,
) -> dict[str, Any]:
    """Rows of one kind; a share of those that are reached promise to call again."""
    n = len(customer)
    outcomes = np.broadcast_to(np.asarray(outcome, np.int64), (n,)).copy()
    promises = (outcomes == REACHED) & (rng.random(n) < promise)
    return {
        "customer": np.asarray(customer, np.int64),
        "day": at_hours(rng, day),
        "kind": np.full(n, kind),
        "outcome": outcomes,
        "channel": rng.choice(4, n, p=[0.55, 0.15, 0.22, 0.08]),
        "inbound": np.full(n, inbound),
        "next": np.where(promises, day + rng.uniform(*PROMISE_DAYS, n), np.nan),
        "note": np.full(n, NONE) if note is None else note,
        "centre": np.zeros(n, bool) if centre is None else centre,
    }


def _revisits(rng: np.random.Generator, lived: Lives) -> list[dict[str, Any]]:
    """Revisits that came about, as the months knew them, and calls before that found nobody."""
    who = lived.who
    customers: list[Ints] = []
    days: list[Floats] = []
    for month in lived.months:
        rows = np.flatnonzero(lived.lived[month.number].visited & (who.joined < month.start))
        customers.append(rows)
        days.append(month.start + rng.uniform(0, 20, len(rows)))
    customer, day = np.concatenate(customers), np.concatenate(days)
    cause = lived.cause[_month(lived, day), customer]
    cool = (cause == CAUSE["relationship"]) & (rng.random(len(day)) < traces.REFUSED_CONTACT)
    cool |= rng.random(len(day)) < 0.02  # noqa: PLR2004 some always refuse
    tried = rng.random(len(day)) < TRIES
    return [
        _contact(
            rng,
            customer,
            day,
            REVISIT,
            np.where(cool, REFUSED, REACHED),
            promise=RATES.follow_up_share,
        ),
        _contact(
            rng, customer[tried], day[tried] - rng.uniform(1, 6, tried.sum()), REVISIT, NO_ANSWER
        ),
        *(
            _missed(rng, members, lived.months[members.campaign.month].start)
            for members in lived.members
            if members.campaign.tactic == REVISIT_DRIVE
        ),
    ]


def _missed(rng: np.random.Generator, members: Members, start: float) -> dict[str, Any]:
    """Calls of a revisit drive that found nobody."""
    customer = members.customer[members.treated & ~members.reached]
    day = start + rng.uniform(0, 20, len(customer))
    return _contact(rng, customer, day, REVISIT, NO_ANSWER)


def _month(lived: Lives, day: Floats) -> Ints:
    starts = np.array([month.start for month in lived.months])
    return np.clip(np.searchsorted(starts, day, side="right") - 1, 0, len(starts) - 1)


def _care(rng: np.random.Generator, calendar: Seasons, lived: Lives) -> dict[str, Any]:
    """Birthday and holiday greetings to customers with a representative."""
    who = lived.who
    span = np.maximum(calendar.days - who.joined, 0)
    count = np.where(who.rep >= 0, rng.poisson(CARE_PER_YEAR * span / 365), 0)
    customer = np.repeat(np.arange(len(who)), count)
    day = who.joined[customer] + rng.random(len(customer)) * span[customer]
    return _contact(rng, customer, day, CARE, DONE)


def _handing_over(rng: np.random.Generator, lived: Lives, made: Orders) -> dict[str, Any]:
    """The talk when a serviced asset is handed back."""
    serviced = (made.asset >= 0) & (made.status == COMPLETED)
    rows = np.flatnonzero(serviced & (rng.random(len(made)) < SERVICE_SHARE))
    return _contact(rng, made.customer[rows], made.day[rows], SERVICE, DONE, inbound=True)


def _of_causes(rng: np.random.Generator, lived: Lives, firm: Company) -> list[dict[str, Any]]:
    """Contacts that show a cause at work."""
    told, who = lived.episodes, lived.who
    luck = rng.random(len(told.cause))

    def of(code: str, share: float, also: Bools | bool = True) -> Ints:
        return np.flatnonzero((told.cause == CAUSE[code]) & (luck < share) & also)

    neglected = of("staff_neglect", traces.MISSED_PROMISE)
    # Spoken to some weeks before, promised a call for about the day the cause begins, never called.
    spoken = told.began[neglected] - rng.uniform(20, 40, len(neglected))
    broken = _contact(rng, told.customer[neglected], spoken, SALES, REACHED)
    broken["next"] = told.began[neglected] - rng.uniform(0, 8, len(neglected))

    refused = of("service_rejected", traces.REFUSED_SERVICE, who.is_service[told.customer])
    no_service = _contact(
        rng, told.customer[refused], told.began[refused] + 0.5, SERVICE, REFUSED, inbound=True
    )
    lost = rep_left(who, firm, told.customer, told.began) | who.is_business[told.customer]
    cold = of("relationship", traces.REFUSED_CONTACT, lost)
    no_contact = _contact(
        rng,
        told.customer[cold],
        told.began[cold] + rng.uniform(1, 15, len(cold)),
        FOLLOW_UP,
        REFUSED,
    )
    forgot = of("needs_reminding", traces.LATE_BEFORE)
    no_answer = _contact(
        rng,
        told.customer[forgot],
        told.began[forgot] + rng.uniform(2, 20, len(forgot)),
        FOLLOW_UP,
        NO_ANSWER,
        centre=who.rep[told.customer[forgot]] < 0,
    )
    return [broken, no_service, no_contact, no_answer]


def _exit_calls(rng: np.random.Generator, calendar: Seasons, lived: Lives) -> list[dict[str, Any]]:
    """Calls to customers who stayed away; some of the notes name the reason."""
    told, who = lived.episodes, lived.who
    has_rep = who.rep[told.customer] >= 0
    share = np.where(has_rep, *RATES.exit_call_share)
    day = told.ended + rng.uniform(25, 90, len(share))
    called = told.departed & (rng.random(len(share)) < share) & ~(told.returned < day)
    rows = np.flatnonzero(called)
    reached = rng.random(len(rows)) < EXIT_REACHED
    told_why = reached & (rng.random(len(rows)) < RATES.note_share)
    choices = [NOTE_OF[code] for code in CODES]
    width = max(len(choice) for choice in choices)
    texts = np.array([(choice * width)[:width] for choice in choices])
    note = texts[told.cause[rows], rng.integers(0, width, len(rows))]
    return [
        _contact(
            rng,
            told.customer[rows],
            day[rows],
            REVISIT,
            np.where(reached, REACHED, NO_ANSWER),
            note=np.where(told_why, note, NONE),
            centre=~has_rep[rows],
        )
    ]


def _kept_promises(rng: np.random.Generator, part: dict[str, Any]) -> dict[str, Any]:
    """The follow-ups that came as promised. A sales contact's promise is the one that is broken."""
    kept = ~np.isnan(part["next"]) & (part["kind"] != SALES)
    rows = np.flatnonzero(kept & (rng.random(len(kept)) < RATES.promise_kept))
    day = part["next"][rows] + rng.uniform(-GRACE_DAYS, 0, len(rows))
    outcome = rng.choice([REACHED, NO_ANSWER], len(rows), p=[0.8, 0.2])
    return _contact(rng, part["customer"][rows], day, FOLLOW_UP, outcome)
