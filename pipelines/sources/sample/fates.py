"""What happens to customers, month by month: causes, departures, returns, treatments.

The world is causal. Circumstances (a price rise, a competitor's opening, a representative who
leaves) let a cause begin; while it lasts the customer buys less and may leave; it may pass; who
left may come back; a treatment changes these chances by cause. All draws are made before the first
month, so a customer's life under another treatment is the same life but for the treatment: that is
how the truth knows what each treatment did (lives.py).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.company import Company
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.parameters import (
    CAUSE,
    CAUSES,
    CODES,
    INTERNAL,
    NONE,
    RATES,
    TACTIC,
    TACTICS,
)
from pipelines.sources.sample.purchase_times import PurchaseTimes
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

# Per cause, with a neutral last entry so that NONE (-1) may be used as an index.
LEAVES = np.array([cause.leaves for cause in CAUSES] + [0.0])
HEALS = np.array([cause.heals for cause in CAUSES] + [0.0])
SLOWS = np.array([cause.slows for cause in CAUSES] + [1.0])
RETURNS = np.array([cause.returns for cause in CAUSES] + [0.0])
REVISITED_LEAVES = np.array([cause.revisited_leaves for cause in CAUSES] + [1.0])
REVISITED_RETURNS = np.array([cause.revisited_returns for cause in CAUSES] + [1.0])


def _effects(of: str) -> Floats:
    """Logarithms of the tactics' factors, shape (tactics + 1, causes + 1); 0 where unnamed."""
    table = np.zeros((len(TACTICS) + 1, len(CAUSES) + 1))
    for row, tactic in enumerate(TACTICS):
        for code, factor in getattr(tactic, of).items():
            table[row, CAUSE[code]] = np.log(factor)
    return table


LOG_LEAVES, LOG_HEALS, LOG_RETURNS = _effects("leaves"), _effects("heals"), _effects("returns")
LOG_BUYS = np.log([tactic.buys for tactic in TACTICS] + [1.0])
WORKS = np.array([tactic.works for tactic in TACTICS])
DISTURBS = np.array([tactic.disturbs for tactic in TACTICS] + [False])

HOLD_OUT, VISIT = range(2)  # what a drive decides about a member
REVISIT_DRIVE, TRAINING_INVITATION = TACTIC["revisit_drive"], TACTIC["training_invitation"]


@dataclass
class State:
    """Where some customers stand at the start of a month. Changed in place by `live`.

    Attributes:
        present: has joined and not left.
        cause: cause at work, NONE where there is none.
        since: month in which it began.
        gone: cause of the departure while away, else NONE.
        left: month of that departure.
        retail, service: own time spent (purchase_times.py).
        tactic: treatment at work, NONE where there is none.
        works: months it still works.
        revisit: whether a drive wants them revisited this month: VISIT, HOLD_OUT, or NONE where
            their representative is free to do as he pleases.
        trained: day of the first training, far in the future for most.
    """

    present: Bools
    cause: Codes
    since: Ints
    gone: Codes
    left: Ints
    retail: Floats
    service: Floats
    tactic: Codes
    works: Ints
    revisit: Codes
    trained: Floats

    @classmethod
    def before_all(cls, who: Customers) -> Self:
        """Nobody has joined yet."""
        n = len(who)
        return cls(
            present=np.zeros(n, bool),
            cause=np.full(n, NONE, np.int8),
            since=np.zeros(n, np.int64),
            gone=np.full(n, NONE, np.int8),
            left=np.zeros(n, np.int64),
            retail=np.zeros(n),
            service=np.zeros(n),
            tactic=np.full(n, NONE, np.int8),
            works=np.zeros(n, np.int64),
            revisit=np.full(n, NONE, np.int8),
            trained=who.trained.copy(),
        )

    def take(self, rows: Ints) -> Self:
        """A copy of the state of the customers at these positions."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def hold_out(self, rows: Ints, tactic: int) -> None:
        """Keep from the members of a campaign, at these positions, what it is about to offer."""
        if tactic == REVISIT_DRIVE:
            self.revisit[rows] = HOLD_OUT

    def treat(self, rows: Ints, tactic: int, day: float) -> None:
        """Begin a treatment of the customers at these positions on a day."""
        if tactic == REVISIT_DRIVE:
            self.revisit[rows] = VISIT
        elif tactic == TRAINING_INVITATION:
            self.trained[rows] = np.minimum(self.trained[rows], day + RATES.training_after_days)
        else:
            self.tactic[rows] = tactic
            self.works[rows] = WORKS[tactic]


@dataclass(frozen=True)
class Draws:
    """The luck of every customer in every month; arrays of shape (months, n), uniform on [0, 1)."""

    onset: npt.NDArray[np.float32]
    onset_day: npt.NDArray[np.float32]
    fate: npt.NDArray[np.float32]
    fate_day: npt.NDArray[np.float32]
    revisit: npt.NDArray[np.float32]

    @classmethod
    def make(cls, rng: np.random.Generator, months: int, n: int) -> Self:
        """Draw them all."""
        return cls(*(rng.random((months, n), np.float32) for _ in fields(cls)))

    def take(self, rows: Ints) -> Self:
        """The luck of the customers at these positions."""
        return type(self)(*(getattr(self, f.name)[:, rows] for f in fields(self)))


@dataclass(frozen=True)
class Cast:
    """Some customers with all that was drawn for them before the first month.

    Attributes:
        rows: positions of the customers within their chunk.
        who: the customers.
        draws: their luck.
        retail, service: moments of purchase of the whole chunk, in own time.
    """

    rows: Ints
    who: Customers
    draws: Draws
    retail: PurchaseTimes
    service: PurchaseTimes

    def take(self, rows: Ints) -> Self:
        """Those at these positions of the chunk; the cast must be the whole chunk."""
        return replace(self, rows=rows, who=self.who.take(rows), draws=self.draws.take(rows))

    def orders_between(self, start: tuple[Floats, Floats], end: tuple[Floats, Floats]) -> Ints:
        """Orders of each customer between two moments given as (retail, service) own time."""
        return sum(
            times.until(self.rows, own_end) - times.until(self.rows, own_start)
            for times, own_start, own_end in zip(
                (self.retail, self.service), start, end, strict=True
            )
        )


@dataclass(frozen=True)
class Month:
    """What one month brings to all.

    Attributes:
        number: from 0.
        start, end: day numbers, end exclusive.
        friend_left: whether the customer's referrer left lately; one entry per customer.
    """

    number: int
    start: float
    end: float
    friend_left: Bools


@dataclass(frozen=True)
class Lived:
    """What one month did to each customer.

    Attributes:
        begin, end: the part of the month in which the customer was there (day numbers; begin ==
            end where not at all).
        speed: factor on the purchase rates.
        cause: cause at work during the month, NONE where there was none.
        began, healed, departed, returned: whether that happened.
        visited: whether the representative came.
        day: day on which it happened (a departure's or return's where something began as well).
        onset_day: day on which the cause began, where one did.
        retail, service: own time at the start of the month.
    """

    begin: Floats
    end: Floats
    speed: Floats
    cause: Codes
    began: Bools
    healed: Bools
    departed: Bools
    returned: Bools
    visited: Bools
    day: Floats
    onset_day: Floats
    retail: Floats
    service: Floats


def _revisits(who: Customers, firm: Company, luck: npt.NDArray[np.float32]) -> Bools:
    """Whether the representative revisits each customer, unasked, in a month with this luck.

    Business customers are due twice as often; the diligent do more than the careless.
    """
    rep = np.maximum(who.rep, 0)
    chance = RATES.revisit_per_year / 12 * firm.rep_diligence[rep] * np.where(who.is_business, 2, 1)
    return (who.rep >= 0) & (luck < chance)


def _onset_chances(who: Customers, firm: Company, month: Month, state: State) -> Floats:
    """Chance that each cause begins this month, shape (causes, n)."""
    n = len(who)
    busy = 30.4 * (who.retail_rate + who.service_rate)
    exposure = np.clip(
        RATES.exposure_at_rest + RATES.exposure_per_order * busy, *RATES.exposure_limits
    )
    tenure = np.maximum(month.start - who.joined, 0) / 30.4
    early = 1 + (RATES.early_factor - 1) * np.exp(-tenure / RATES.early_months)
    has_rep = who.rep >= 0
    rep = np.maximum(who.rep, 0)
    since_leaving = month.start - firm.rep_departs[rep]
    earliest, latest = RATES.lost_rep_days
    lost_rep = has_rep & (since_leaving > earliest) & (since_leaving <= latest)
    opened = (
        (firm.openings < month.end)
        & (firm.openings >= month.start - 30.4 * RATES.opening_felt_months)
    ).any(axis=1)
    rises = month.number in firm.price_rise_months
    disturbed = who.inertia & DISTURBS[state.tactic]

    factor = dict.fromkeys(CODES, np.ones(n))
    factor["unresolved_problem"] = exposure
    factor["wrong_handling"] = exposure
    factor["product_quality"] = exposure * firm.quality[month.number, who.first_category]
    factor["experience"] = exposure * np.where(who.is_digital, *RATES.experience_if_digital)
    factor["service_rejected"] = exposure * np.where(
        who.is_service, *RATES.service_rejected_if_service
    )
    factor["staff_neglect"] = has_rep / np.clip(firm.rep_diligence[rep], *RATES.diligence_limits)
    factor["relationship"] = RATES.contact_leaves * who.is_business + lost_rep * np.where(
        firm.rep_hands_over[rep], RATES.handover_relief, 1.0
    )
    factor["closer_place"] = (
        RATES.closer_place_at_rest + RATES.closer_place_opening * opened[who.region]
    ) * np.clip(who.distance / RATES.closer_place_distance, *RATES.closer_place_distance_limits)
    factor["friends_advice"] = (
        RATES.friends_advice_at_rest + RATES.friends_advice_if_left * month.friend_left
    )
    factor["price"] = (
        RATES.price_per_sensitivity
        * who.price_sensitivity
        * (RATES.price_rise_factor if rises else RATES.price_at_rest)
    )
    factor["needs_reminding"] = (
        RATES.needs_reminding_per_forgetfulness
        * who.forgetfulness
        * np.where(who.is_service, *RATES.needs_reminding_if_service)
    )
    factor["competitor"] = np.where(who.is_business, *RATES.competitor_if_business)

    chances = np.stack([cause.onset * factor[cause.code] for cause in CAUSES])
    chances *= who.frailty * early
    chances[INTERNAL] *= np.where(state.trained < month.start, RATES.training_factor, 1.0)
    chances[CAUSE["price"]] += disturbed * RATES.sleeping_dog_onset
    total = chances.sum(axis=0)
    return chances * np.minimum(1.0, RATES.most_onset / np.maximum(total, 1e-12))


def live(state: State, cast: Cast, world: World, month: Month) -> Lived:
    """One month in the lives of some customers. Changes `state` to the start of the next month."""
    who, draws, calendar, firm = cast.who, cast.draws, world.calendar, world.company
    now = month.number
    retail, service = state.retail.copy(), state.service.copy()
    length = month.end - month.start
    fate, fate_day = draws.fate[now].astype(float), draws.fate_day[now].astype(float)
    strength, tactic = who.responsiveness, state.tactic
    visited = np.where(
        state.revisit == NONE, _revisits(who, firm, draws.revisit[now]), state.revisit == VISIT
    )

    joins = ~who.is_prospect & (who.joined >= month.start) & (who.joined < month.end)
    begin = np.where(joins, who.joined, month.start)
    state.present |= joins

    away = ~state.present & (state.gone != NONE)
    chance = (
        RETURNS[state.gone]
        * np.exp(strength * LOG_RETURNS[tactic, state.gone])
        * np.where(visited, REVISITED_RETURNS[state.gone], 1.0)
    )
    returned = away & (fate < chance) & (state.left < now)
    begin = np.where(returned, month.start + fate_day * length, begin)
    state.present |= returned
    state.gone[returned] = NONE

    calm = state.present & (state.cause == NONE) & ~returned
    running = _onset_chances(who, firm, month, state).cumsum(axis=0)
    luck = draws.onset[now].astype(float)
    began = calm & (luck < running[-1])
    new_cause = np.minimum((running <= luck).sum(axis=0), len(CAUSES) - 1)
    state.cause = np.where(began, new_cause, state.cause).astype(np.int8)
    state.since = np.where(began, now, state.since)
    onset_day = begin + draws.onset_day[now] * RATES.onset_part_of_month * (month.end - begin)

    pressed = state.present & (state.cause != NONE)
    chance = (
        LEAVES[state.cause]
        * np.exp(strength * LOG_LEAVES[tactic, state.cause])
        * np.where(visited, REVISITED_LEAVES[state.cause], 1.0)
    )
    departed = pressed & (fate < chance)
    chance = np.minimum(
        HEALS[state.cause] * np.exp(strength * LOG_HEALS[tactic, state.cause]), 1 - chance
    )
    healed = pressed & ~departed & (fate > 1 - chance) & (state.since < now)
    earliest = np.where(began, onset_day, begin)
    day = earliest + fate_day * (month.end - earliest)
    day = np.where(returned, begin, day)

    there = state.present
    end = np.where(departed, day, month.end)
    speed = SLOWS[state.cause] * np.exp(strength * LOG_BUYS[tactic])
    spent = np.where(
        there,
        speed * (calendar.busy_at(end, who.profile) - calendar.busy_at(begin, who.profile)),
        0.0,
    )
    lived = Lived(
        begin=np.where(there, begin, month.start),
        end=np.where(there, end, month.start),
        speed=np.where(there, speed, 0.0),
        cause=np.where(there, state.cause, NONE).astype(np.int8),
        began=began,
        healed=healed,
        departed=departed,
        returned=returned,
        visited=visited,
        day=day,
        onset_day=onset_day,
        retail=retail,
        service=service,
    )
    state.retail = retail + spent * who.retail_rate
    state.service = service + spent * who.service_rate
    state.gone = np.where(departed, state.cause, state.gone).astype(np.int8)
    state.left = np.where(departed, now, state.left)
    state.present = state.present & ~departed
    state.cause = np.where(departed | healed, NONE, state.cause).astype(np.int8)
    state.revisit[:] = NONE
    state.works = np.maximum(state.works - 1, 0)
    state.tactic = np.where(state.works > 0, tactic, NONE).astype(np.int8)
    return lived
