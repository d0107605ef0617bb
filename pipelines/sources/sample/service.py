"""What customers say to the company: tickets and surveys."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample import traces
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    moments,
    running,
    together,
    words,
)
from pipelines.sources.sample.identifiers import customer_ids, own_ids, product_ids, rep_ids
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.orders import COMPLETED, Orders
from pipelines.sources.sample.parameters import CAUSE, CODES, NONE, RATES
from pipelines.sources.sample.profiles import acting_at
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CATEGORIES = sorted(
    {category for trace in traces.TICKETS.values() for category in trace.categories}
    | {category for category, _ in traces.ORDINARY_QUESTIONS + traces.ORDINARY_COMPLAINTS}
)
FOUND = sorted({trace.found for trace in traces.TICKETS.values()} | {"one_off", "other"})
RESOLUTIONS = ("replaced", "refunded", "repaired", "answered", "explained", "partial", "rejected")
SEVERITIES = ("low", "medium", "high")
SEVERITY_SHARES = np.array([[0.1, 0.3, 0.6], [0.15, 0.5, 0.35], [0.3, 0.5, 0.2], [0.6, 0.35, 0.05]])
TICKET_CHANNELS = ("phone", "wechat", "email", "store", "social")
REPEATED = 0.40  # of mishandled complaints raised a second time; own assumption
SURVEY_DAYS = 14  # within which an answer comes
NPS_MONTHS = (3, 9)  # April and October


def ticket_table(world: World, chunk: Chunk) -> Columns:
    """Table `tickets`: traces of causes among ordinary questions, complaints and praise."""
    rng = world.stream(Purpose.TICKETS, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, made, who = chunk.lived, chunk.made, chunk.who
    rows = together(
        [
            *(_of_cause(rng, lived, CAUSE[code], trace) for code, trace in traces.TICKETS.items()),
            _of_orders(
                rng, made, RATES.complaint_share, traces.COMPLAINT, traces.ORDINARY_COMPLAINTS
            ),
            _of_orders(rng, made, RATES.question_share, traces.QUESTION, traces.ORDINARY_QUESTIONS),
            _of_orders(
                rng, made, RATES.praise_share, traces.PRAISE, (("service", 0.6), ("staff", 0.4))
            ),
            _misleading(rng, made),
        ]
    )
    rows = _courses(rng, rows)
    # Nobody opens a ticket in the future or before having bought anything.
    order = made.last_before(rows["customer"], rows["day"])
    kept = (rows["day"] < calendar.days) & (order != NONE)
    rows = {name: column[kept] for name, column in rows.items()}
    order = order[kept]
    customer, n = rows["customer"], len(order)
    product = made.lines.product[made.lines.first[order]] if n else order
    about_product = np.isin(
        rows["category"], [CATEGORIES.index("product"), CATEGORIES.index("usage")]
    )
    owner = acting_at(who, firm, customer, rows["day"])
    unresolved = ~(rows["resolved"] < calendar.days)
    return {
        "ticket_id": own_ids("T", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "opened_at": moments(calendar.first_day, rows["day"]),
        "kind": words(traces.TICKET_KINDS, rows["kind"]),
        "channel": words(TICKET_CHANNELS, rng.choice(5, n, p=[0.38, 0.27, 0.16, 0.12, 0.07])),
        "category": words(CATEGORIES, rows["category"]),
        "cause": words(FOUND, np.where(unresolved, NONE, rows["found"])),
        "product_id": words(product_ids(firm), np.where(about_product, product, NONE)),
        "severity": words(SEVERITIES, _severity(rng, rows["course"])),
        "handler_id": rep_ids(
            np.where(owner >= 0, owner, firm.anybody(rng.random(n), rows["day"]))
        ),
        "first_response_at": moments(
            calendar.first_day,
            rows["answered"],
            null=~(rows["answered"] < calendar.days) | (unresolved & (rows["never"])),
        ),
        "resolved_at": moments(calendar.first_day, rows["resolved"], null=unresolved),
        "resolution": words(RESOLUTIONS, np.where(unresolved, NONE, rows["resolution"])),
        "satisfaction": pa.array(
            rows["satisfaction"],
            mask=unresolved | (rng.random(n) < 0.35),  # noqa: PLR2004 not asked
        ),
    }


def _category(choices: tuple[str, ...], luck: Floats) -> Ints:
    return np.array([CATEGORIES.index(choice) for choice in choices])[
        (luck * len(choices)).astype(np.int64)
    ]


def _of_cause(
    rng: np.random.Generator, lived: Lives, cause: int, trace: traces.TicketTrace
) -> dict[str, Any]:
    """Tickets that one cause leads to."""
    told = lived.episodes
    rows = np.flatnonzero((told.cause == cause) & (rng.random(len(told.cause)) < trace.share))
    again = rows[(trace.course == traces.MISHANDLED) & (rng.random(len(rows)) < REPEATED)]
    day = np.concatenate(
        [
            told.began[rows]
            + rng.random(len(rows)) * np.minimum(told.ended[rows] - told.began[rows], 6),
            told.began[again] + 6 + rng.random(len(again)) * 12,
        ]
    )
    rows = np.concatenate([rows, again])
    return {
        "customer": told.customer[rows],
        "day": at_hours(rng, day),
        "kind": np.full(len(rows), trace.kind),
        "category": _category(trace.categories, rng.random(len(rows))),
        "course": np.full(len(rows), trace.course),
        "found": np.full(len(rows), FOUND.index(trace.found)),
        "until": np.where(told.healed[rows], told.ended[rows], np.inf),
    }


def _of_orders(
    rng: np.random.Generator,
    made: Orders,
    share: float,
    kind: int,
    categories: tuple[tuple[str, float], ...],
) -> dict[str, Any]:
    """Tickets that orders lead to, soon put right."""
    rows = np.flatnonzero((rng.random(len(made)) < share) & (made.status == COMPLETED))
    weights = np.array([weight for _, weight in categories])
    drawn = rng.choice(len(categories), len(rows), p=weights / weights.sum())
    return {
        "customer": made.customer[rows],
        "day": at_hours(rng, made.day[rows] + 1 + rng.uniform(0, 9, len(rows))),
        "kind": np.full(len(rows), kind),
        "category": np.array([CATEGORIES.index(name) for name, _ in categories])[drawn],
        "course": np.full(len(rows), traces.PUT_RIGHT),
        "found": np.full(len(rows), FOUND.index("one_off")),
        "until": np.full(len(rows), np.inf),
    }


def _misleading(rng: np.random.Generator, made: Orders) -> dict[str, Any]:
    """Tickets that look like the trace of a cause which never befell the customer."""
    rows = np.flatnonzero(rng.random(len(made)) < RATES.noise_trace)
    kinds = list(traces.TICKETS.values())
    which = rng.integers(0, len(kinds), len(rows))
    luck = rng.random(len(rows))
    return {
        "customer": made.customer[rows],
        "day": at_hours(rng, made.day[rows] + 1 + rng.uniform(0, 40, len(rows))),
        "kind": np.array([kind.kind for kind in kinds])[which],
        "category": np.array(
            [
                CATEGORIES.index(kinds[k].categories[int(u * len(kinds[k].categories))])
                for k, u in zip(which, luck, strict=True)
            ],
            dtype=np.int64,
        ),
        "course": np.array([kind.course for kind in kinds])[which],
        "found": np.array([FOUND.index(kind.found) for kind in kinds])[which],
        "until": made.day[rows] + rng.exponential(30, len(rows)),
    }


def _courses(rng: np.random.Generator, rows: dict[str, Any]) -> dict[str, Any]:
    """How each ticket goes on: answer, resolution, satisfaction."""
    n, course = len(rows["day"]), rows["course"]
    slow = np.array([6.0, 2.5, 1.5, 1.0])[course]
    answered = rows["day"] + RATES.first_response_hours / 24 * rng.lognormal(0, 0.9, n) * slow
    resolved = answered + RATES.resolution_days * rng.lognormal(0, 0.8, n) * slow
    stays_open = course == traces.OPEN
    resolved = np.where(stays_open, np.maximum(rows["until"], answered + 1), resolved)
    kind = rows["kind"]
    by_course = np.stack(
        [
            rng.choice([0, 1, 2], n),
            rng.choice([5, 6], n, p=[0.35, 0.65]),
            np.full(n, RESOLUTIONS.index("explained")),
            rng.choice([0, 1, 2], n, p=[0.4, 0.35, 0.25]),
        ]
    )[course, np.arange(n)]
    asks = (kind != traces.COMPLAINT) & (course != traces.MISHANDLED)
    low = np.array([2, 1, 2, 3])[course]
    return rows | {
        "answered": answered,
        "never": stays_open & (rng.random(n) < 0.45),  # noqa: PLR2004 of open ones not even answered
        "resolved": resolved,
        "resolution": np.where(asks, RESOLUTIONS.index("answered"), by_course),
        "satisfaction": np.minimum(low + rng.integers(0, np.array([2, 2, 2, 3])[course]), 5),
    }


def _severity(rng: np.random.Generator, course: Ints) -> Ints:
    return (rng.random(len(course))[:, None] > SEVERITY_SHARES.cumsum(1)[course]).sum(1).clip(0, 2)


def survey_table(world: World, chunk: Chunk) -> Columns:
    """Table `surveys`: satisfaction after orders, NPS twice a year; most are never answered."""
    rng = world.stream(Purpose.SURVEYS, chunk.number)
    calendar = world.calendar
    lived, made, who = chunk.lived, chunk.made, chunk.who
    asked = np.flatnonzero((rng.random(len(made)) < RATES.csat_share) & (made.status == COMPLETED))
    parts = [
        {
            "customer": made.customer[asked],
            "day": at_hours(rng, made.day[asked] + rng.integers(1, 4, len(asked))),
            "nps": np.zeros(len(asked), np.int64),
        }
    ]
    for start in calendar.months[:-1]:
        if calendar.date(start).month - 1 in NPS_MONTHS:
            known = ~who.is_prospect & (who.joined < start - 20)
            rows = np.flatnonzero(known & (rng.random(len(who)) < RATES.nps_share))
            day = start + 14 + rng.integers(0, 5, len(rows))
            parts.append(
                {"customer": rows, "day": at_hours(rng, day), "nps": np.full(len(rows), 1)}
            )
    rows = together(parts)
    rows = {name: column[rows["day"] < calendar.days] for name, column in rows.items()}
    customer, day, nps, n = rows["customer"], rows["day"], rows["nps"], len(rows["day"])

    month = calendar.month_of(day)
    cause = lived.cause[month, customer].astype(np.int64)
    away = np.stack([m.end for m in lived.lived])[month, customer] <= day
    rate = np.where(
        nps == 1,
        np.array(RATES.nps_response)[who.is_business[customer].astype(int)],
        np.array(RATES.csat_response)[who.is_business[customer].astype(int)],
    )
    responded = rng.random(n) < rate * np.where(away, 0.4, 1.0)
    answer = day + rng.exponential(2.0, n).clip(0.02, SURVEY_DAYS)
    responded &= answer < calendar.days

    grudge = (cause != NONE) & ~np.isin(cause, [CAUSE["needs_reminding"], CAUSE["life_change"]])
    mood = rng.normal(8.6 - 4.4 * grudge - 0.25 * np.minimum(who.frailty[customer], 3), 1.4)
    score = np.where(nps == 1, np.rint(mood).clip(0, 10), np.rint(mood / 2).clip(1, 5))
    topics = sorted(set(traces.TOPICS.values()) | set(traces.ORDINARY_TOPICS))
    of_cause = np.array([topics.index(traces.TOPICS[code]) for code in CODES] + [0])[cause]
    ordinary = np.array([topics.index(t) for t in traces.ORDINARY_TOPICS])[
        rng.integers(0, len(traces.ORDINARY_TOPICS), n)
    ]
    named = grudge & (rng.random(n) < traces.TOPIC_SHARE)
    topic = np.where(named, of_cause, ordinary)
    comment = np.where(score <= np.where(nps == 1, 6, 3), 1, 0) + 2 * (rng.random(n) < 0.5)  # noqa: PLR2004
    return {
        "response_id": own_ids("Q", who, customer, running(customer)),
        "customer_id": customer_ids(who, customer),
        "survey": words(("csat", "nps"), nps),
        "sent_at": moments(calendar.first_day, day),
        "responded_at": moments(calendar.first_day, answer, null=~responded),
        "score": pa.array(score.astype(np.int64), mask=~responded),
        "topic": words(topics, np.where(responded, topic, NONE)),
        "comment": words(
            ("很好", "有待改进", "satisfied", "could be better"),
            np.where(responded & (rng.random(n) < 0.3), comment, NONE),  # noqa: PLR2004 few write
        ),
    }
