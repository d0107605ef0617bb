"""The whole history of a chunk of customers, with its campaigns, and what each treatment did.

Months are lived one after the other (fates.py); at the start of a month its campaigns draw their
members from what can be seen by then. Afterwards every member's next months are lived once more
under either arm, with the same luck: the difference is that treatment's true effect on that
customer.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.campaigns import Campaign
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.eligibility import Seen, open_to
from pipelines.sources.sample.fates import Cast, Draws, Lived, Month, State, live
from pipelines.sources.sample.parameters import (
    CAUSE,
    NONE,
    RATES,
    TACTIC,
    TACTICS,
    WINDOW_DAYS,
)
from pipelines.sources.sample.purchase_times import PurchaseTimes, purchase_times
from pipelines.sources.sample.seasons import FUTURE_MONTHS, Seasons
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

LONG_AGO = -(10**6)  # a month that nobody remembers
FRIEND_MONTHS = 3  # months for which a referrer's departure makes the friend think


@dataclass(frozen=True)
class Members:
    """The members of one campaign within a chunk, and what became of them under either arm.

    Attributes:
        campaign: the campaign.
        customer: positions within the chunk.
        treated: the arm.
        reached: whether the message arrives, or would have.
        cause: cause at work when assigned, NONE where there was none; truth.
        away: whether the customer had left by then; truth.
        orders: orders in the window, shape (2, n): without, with treatment.
        stays: whether there at the end of the window, same shape.
        complete: whether the window ends within the history; the rest of it is in the future.
    """

    campaign: Campaign
    customer: Ints
    treated: Bools
    reached: Bools
    cause: Codes
    away: Bools
    orders: Ints
    stays: Bools
    complete: bool


@dataclass(frozen=True)
class Episodes:
    """Causes that began, in order of customer and time.

    Attributes:
        customer: position within the chunk.
        cause: the cause.
        began, ended: day numbers; `ended` is the end of the history while it lasts.
        departed, healed: how it ended; neither: it lasts.
        returned: day the departed customer came back, NaN where never.
    """

    customer: Ints
    cause: Ints
    began: Floats
    ended: Floats
    departed: Bools
    healed: Bools
    returned: Floats


@dataclass(frozen=True)
class Outlook:
    """The window after the last day with data, untreated and under every tactic that reaches.

    Attributes:
        orders: orders in the window, shape (1 + tactics, n); row 0 is untreated.
        stays: whether there at its end, same shape.
    """

    orders: Ints
    stays: Bools


@dataclass(frozen=True)
class Lives:
    """Everything that happened to a chunk of customers.

    Attributes:
        cast: the customers and what was drawn for them.
        lived: what each month did.
        months: what each month brought.
        cause: cause at work in each month, NONE where there was none, shape (months, n).
        episodes: causes that began.
        members: campaign members, campaign by campaign.
        treatment: number of the campaign at work in each month for members it was sent to and
            reached, NONE elsewhere, shape (months, n).
        final: state after the last month.
        outlook: what the time after the last day brings.
    """

    cast: Cast
    lived: tuple[Lived, ...]
    months: tuple[Month, ...]
    cause: Codes
    episodes: Episodes
    members: tuple[Members, ...]
    treatment: npt.NDArray[np.int16]
    final: State
    outlook: Outlook

    @property
    def who(self) -> Customers:
        """The customers themselves."""
        return self.cast.who


def lives(world: World, chunk: int, who: Customers) -> Lives:
    """Live the history of one chunk of customers."""
    calendar = world.calendar
    n, count = len(who), len(calendar.months) - 1
    draws = Draws.make(world.stream(Purpose.FATES, chunk), count + FUTURE_MONTHS, n)
    cast = Cast(np.arange(n), who, draws, *_purchases(world, chunk, who))
    rng = world.stream(Purpose.TREATMENTS, chunk)

    state = State.before_all(who)
    watch = _Watch(cast)
    lived: list[Lived] = []
    drawn: list[_Drawn] = []
    treatment = np.full((count, n), NONE, np.int16)
    cooling_until = np.zeros(n, np.int64)
    closed = np.zeros(n, bool)
    rewarded = np.full(n, LONG_AGO)
    left_month = np.full(n, LONG_AGO)

    edges = [*itertools.pairwise(calendar.months.astype(float)), *calendar.future]
    months: list[Month] = []
    for number, (start, end) in enumerate(edges):
        since = number - left_month[np.maximum(who.referrer, 0)]
        friend_left = (who.referrer != NONE) & (since <= FRIEND_MONTHS)
        months.append(Month(number, start, end, friend_left))
        if number >= count:
            continue  # the future is lived below, once under every treatment
        # A closed account stays closed, even for those whom life brings back.
        closed |= who.closes_account & (state.gone == CAUSE["life_change"])
        seen = watch.look(number, start, state, rewarded, closed | (cooling_until > number))
        for campaign in (c for c in world.campaigns if c.month == number):
            luck = rng.random((4, n), np.float32)
            rows = np.flatnonzero(
                open_to(campaign, who, seen, start, luck[0])
                & (luck[1] < campaign.share)
                & (cooling_until <= number)  # two campaigns may begin in one month
            )
            treated = luck[2, rows] >= RATES.control_share
            reached = luck[3, rows] < who.reach[rows, campaign.channel]
            drawn.append(_Drawn(campaign, rows, treated, reached, state.take(rows)))
            sent = rows[treated & reached]
            state.hold_out(rows, campaign.tactic)
            state.treat(sent, campaign.tactic, start)
            cooling_until[rows] = number + RATES.cooling_months
            treatment[number : number + TACTICS[campaign.tactic].works, sent] = campaign.number
            if campaign.tactic == TACTIC["reward_step_1"]:
                rewarded[rows[treated]] = number
        lived.append(live(state, cast, world, months[-1]))
        left_month[lived[-1].departed] = number

    return Lives(
        cast=cast,
        lived=tuple(lived),
        months=tuple(months[:count]),
        cause=np.stack([month.cause for month in lived]),
        episodes=_episodes(lived, calendar),
        members=tuple(_under_either_arm(d, cast, world, months) for d in drawn),
        treatment=treatment,
        final=state,
        outlook=_outlook(state, cast, world, months[count:]),
    )


def _purchases(world: World, chunk: int, who: Customers) -> tuple[PurchaseTimes, PurchaseTimes]:
    """Moments of purchase, retail and service, enough for the future as well."""
    rng = world.stream(Purpose.PURCHASE_TIMES, chunk)
    end = np.full(len(who), world.calendar.future[-1][1])
    left = world.calendar.busy_at(end, who.profile) - world.calendar.busy_at(
        who.joined, who.profile
    )
    return (
        purchase_times(rng, left * who.retail_rate, who.retail_shape, ~who.is_service),
        purchase_times(rng, left * who.service_rate, who.service_shape, who.is_service),
    )


@dataclass(frozen=True)
class _Drawn:
    """Members as drawn, with the state they were in when they were."""

    campaign: Campaign
    rows: Ints
    treated: Bools
    reached: Bools
    state: State


class _Watch:
    """Keeps what the company can see while the months go by."""

    def __init__(self, cast: Cast) -> None:
        n = len(cast.rows)
        self.cast = cast
        self.before_all = (np.full(n, -0.5), np.full(n, -0.5))  # the first purchase is at 0
        self.orders = np.zeros(n, np.int64)
        self.first = np.zeros(n, np.int64)
        self.last = np.zeros(n, np.int64)

    def look(self, month: int, start: float, state: State, rewarded: Ints, closed: Bools) -> Seen:
        """What can be seen at the start of a month."""
        joined = ~self.cast.who.is_prospect & (self.cast.who.joined < start)
        so_far = self.cast.orders_between(self.before_all, (state.retail, state.service))
        orders = np.where(joined, so_far, 0)
        grew = orders > self.orders
        self.first = np.where(grew & (self.orders == 0), month - 1, self.first)
        self.last = np.where(grew, month - 1, self.last)
        self.orders = orders
        rhythm = np.where(orders > 1, (self.last - self.first) / np.maximum(orders - 1, 1), 3.0)
        trained = state.trained < start
        return Seen(month, orders, month - self.last, rhythm, month - rewarded, trained, closed)


def _under_either_arm(drawn: _Drawn, cast: Cast, world: World, months: list[Month]) -> Members:
    """The window of a campaign, lived by its members without and with the treatment."""
    campaign, some = drawn.campaign, cast.take(drawn.rows)
    window_ends = months[campaign.month].start + WINDOW_DAYS
    orders, stays = [], []
    for treated in (False, True):
        everybody = np.arange(len(drawn.rows))
        state = drawn.state.take(everybody)
        state.hold_out(everybody, campaign.tactic)
        if treated:
            begin = months[campaign.month].start
            state.treat(np.flatnonzero(drawn.reached), campaign.tactic, begin)
        start = end = (state.retail, state.service)
        for month in months[campaign.month :]:
            if month.start >= window_ends:
                break
            theirs = replace(month, friend_left=month.friend_left[drawn.rows])
            lived = live(state, some, world, theirs)
            until = np.minimum(lived.end, window_ends)
            end = _own_time(some.who, lived, world.calendar, until)
            there = (lived.speed > 0) & (lived.begin <= until) & (lived.end >= until)
            there &= ~lived.departed | (lived.end > window_ends)
        orders.append(some.orders_between(start, end))
        stays.append(there)
    return Members(
        campaign=campaign,
        customer=drawn.rows,
        treated=drawn.treated,
        reached=drawn.reached,
        cause=drawn.state.cause,
        away=~drawn.state.present,
        orders=np.stack(orders),
        stays=np.stack(stays),
        complete=window_ends <= world.calendar.days,
    )


def _own_time(
    who: Customers, lived: Lived, calendar: Seasons, until: Floats
) -> tuple[Floats, Floats]:
    """Own time, retail and service, at a moment within the month lived."""
    busy = calendar.busy_at(until, who.profile) - calendar.busy_at(lived.begin, who.profile)
    spent = lived.speed * np.maximum(busy, 0.0)
    return lived.retail + spent * who.retail_rate, lived.service + spent * who.service_rate


def _outlook(final: State, cast: Cast, world: World, future: list[Month]) -> Outlook:
    """The future of all, without treatment and under each tactic."""
    orders, stays = [], []
    start = (final.retail, final.service)
    for tactic in (NONE, *range(len(TACTICS))):
        state = final.take(cast.rows)
        if tactic != NONE:
            state.treat(cast.rows, tactic, future[0].start)
        for month in future:
            live(state, cast, world, month)
        orders.append(cast.orders_between(start, (state.retail, state.service)))
        stays.append(state.present)
    return Outlook(np.stack(orders), np.stack(stays))


def _episodes(lived: list[Lived], calendar: Seasons) -> Episodes:
    def events(name: str, day: str = "day") -> tuple[Ints, Floats, Ints]:
        """Customer, day and rank within the customer of each event, by customer and time."""
        happened = np.stack([getattr(month, name) for month in lived], axis=1)
        days = np.stack([getattr(month, day) for month in lived], axis=1)
        customer, month = np.nonzero(happened)
        first = np.searchsorted(customer, customer, side="left")
        return customer, days[customer, month], np.arange(len(customer)) - first

    def paired(customer: Ints, rank: Ints, of: tuple[Ints, Floats, Ints]) -> Floats:
        """Day of the event of the same rank of the same customer; NaN where there is none."""
        wanted, have = customer * len(lived) + rank, of[0] * len(lived) + of[2]
        position = np.minimum(np.searchsorted(have, wanted), max(len(have) - 1, 0))
        if len(have) == 0:
            return np.full(len(wanted), np.nan)
        return np.where(have[position] == wanted, of[1][position], np.nan)

    customer, began, rank = events("began", "onset_day")
    causes = np.stack([month.cause for month in lived], axis=1)
    onsets = np.stack([month.began for month in lived], axis=1)
    departures, healings = events("departed"), events("healed")
    over = np.concatenate([departures[0], healings[0]])
    over_day = np.concatenate([departures[1], healings[1]])
    by_time = np.lexsort([over_day, over])
    is_departure = (np.arange(len(over)) < len(departures[0]))[by_time]
    over, over_day = over[by_time], over_day[by_time]
    over_rank = np.arange(len(over)) - np.searchsorted(over, over, side="left")
    ended = paired(customer, rank, (over, over_day, over_rank))
    departed = paired(customer, rank, (over, is_departure.astype(float), over_rank)) == 1.0
    # The k-th return of a customer ends the k-th departure.
    departure_rank = np.zeros(len(customer), np.int64)
    which = np.flatnonzero(departed)
    departure_rank[which] = np.arange(len(which)) - np.searchsorted(
        customer[which], customer[which], side="left"
    )
    returned = paired(customer, departure_rank, events("returned"))
    return Episodes(
        customer=customer,
        cause=causes[np.nonzero(onsets)].astype(np.int64),
        began=began,
        ended=np.where(np.isnan(ended), float(calendar.days), ended),
        departed=departed,
        healed=~departed & ~np.isnan(ended),
        returned=np.where(departed, returned, np.nan),
    )
