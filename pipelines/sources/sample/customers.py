"""Who the customers are: what a CRM knows of them, and what only the truth knows.

`Customers` holds a chunk of them as columns. What they go through is in fates.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import names
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.parameters import NONE, RATES
from pipelines.sources.sample.seasons import BUSINESS, CONSUMER, Seasons
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OPENING_TIME = 8.9 / 24  # of a day; nobody orders before nine


@dataclass(frozen=True)
class Customers:
    """Some customers, one array entry each.

    Attributes:
        number: position among all customers, which their identifiers are made of.
        is_business, is_service, is_prospect, is_member, is_digital, is_test: kinds of customer;
            a service customer owns assets, a prospect never orders.
        profile: whose calendar they live by, CONSUMER or BUSINESS.
        joined: moment of the first order (of a prospect: of the first contact), day number.
        known: moment the company first heard of them; negative before the history.
        region, store, distance: where they are; distance to the store in km.
        rep: representative at the time of joining, NONE where they have none.
        assets: number of assets; interval: days between two services of one of them.
        retail_rate, service_rate: orders per mean day.
        retail_shape, service_shape: regularity of the gaps (gamma shape, 1 is Poisson).
        first_category, second_category: what they like to buy.
        basket: factor on lines and quantities.
        discount_love: factor on the use of coupons.
        frailty, price_sensitivity, forgetfulness, responsiveness, inertia: latent; how prone to
            causes at all, to two of them, to treatments, and to harm from being disturbed.
        referrer: position within the chunk of who recommended us, NONE for most.
        trained: day of the first training they come to unasked, far in the future for most.
        consents: marketing consent at the start, shape (n, contact channels).
        withdrawn: day on which that consent ends, same shape.
        profiling: consent to profiling.
        closes_account: withdraws every consent when life takes them away from us.
        reach: chance that a message arrives, same shape.
    """

    number: Ints
    is_business: Bools
    is_service: Bools
    is_prospect: Bools
    is_member: Bools
    is_digital: Bools
    is_test: Bools
    profile: npt.NDArray[np.int8]
    joined: Floats
    known: Floats
    region: Ints
    store: Ints
    distance: Floats
    rep: Ints
    assets: Ints
    interval: Ints
    retail_rate: Floats
    service_rate: Floats
    retail_shape: Floats
    service_shape: Floats
    first_category: Ints
    second_category: Ints
    basket: Floats
    discount_love: Floats
    frailty: Floats
    price_sensitivity: Floats
    forgetfulness: Floats
    responsiveness: Floats
    inertia: Bools
    referrer: Ints
    trained: Floats
    consents: Bools
    withdrawn: Floats
    profiling: Bools
    closes_account: Bools
    reach: Floats

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: Ints) -> Self:
        """The customers at these positions. `referrer` keeps pointing into the whole chunk."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def make_customers(world: World, chunk: int, numbers: Ints) -> Customers:
    """The customers of one chunk."""
    rng = world.stream(Purpose.CUSTOMERS, chunk)
    calendar, firm = world.calendar, world.company
    n = len(numbers)
    never = 10.0**6

    is_business = rng.random(n) < RATES.business_share
    is_service = rng.random(n) < RATES.service_share
    is_prospect = rng.random(n) < RATES.prospect_share
    is_digital = rng.random(n) < RATES.digital_share
    is_member = (rng.random(n) < RATES.member_share) & ~is_prospect
    profile = np.where(is_business, BUSINESS, CONSUMER).astype(np.int8)

    joined = _joining_days(rng, calendar, n)
    lead = np.where(is_business, rng.exponential(25, n), rng.exponential(6, n))
    region = rng.choice(len(names.REGIONS), n, p=[entry[1] for entry in names.REGIONS])
    stores_per_region = len(firm.store_region) // len(names.REGIONS)
    distance = np.round(np.clip(rng.lognormal(1.9, 0.8, n), 0.3, 120), 2)

    assets = np.where(is_service, 1 + (rng.random(n) < 0.15), 0)  # noqa: PLR2004 one in seven has two
    assets = np.where(is_service & is_business, 1 + rng.poisson(1.6, n), assets)
    interval = rng.choice(np.array(RATES.service_intervals), n)
    interval = np.where(is_business, np.minimum(interval, 180), interval)
    regularity = np.where(is_business, RATES.business_regularity, 1.0)
    per_year = np.where(
        is_service,
        RATES.service_extra_orders_per_year,
        np.where(is_business, RATES.business_orders_per_year, RATES.consumer_orders_per_year),
    )
    shape = RATES.retail_shape
    retail_rate = rng.gamma(shape, 1 / shape, n) * per_year / 365
    # A very large rate is a reseller, not a customer; past four orders a week the tail is cut.
    retail_rate = np.minimum(retail_rate, 4 / 7)

    first = rng.choice(len(names.CATEGORIES), n, p=[entry[1] for entry in names.CATEGORIES])
    has_rep = is_business | is_service | (rng.random(n) < 0.25)  # noqa: PLR2004 own assumption
    channels = names.CONTACT_CHANNELS
    consents = rng.random((n, len(channels))) < [RATES.consent_share[c] for c in channels]
    return Customers(
        number=numbers,
        is_business=is_business,
        is_service=is_service & ~is_prospect,
        is_prospect=is_prospect,
        is_member=is_member,
        is_digital=is_digital,
        is_test=rng.random(n) < RATES.test_share,
        profile=profile,
        joined=joined,
        known=_known(joined, lead),
        region=region,
        store=region * stores_per_region + rng.integers(0, stores_per_region, n),
        distance=distance,
        rep=np.where(has_rep, _reps(rng, firm, region, joined), NONE),
        assets=np.where(is_prospect, 0, assets),
        interval=interval,
        retail_rate=np.where(is_prospect, 0.0, retail_rate),
        service_rate=np.where(is_service & ~is_prospect, np.maximum(assets, 1) / interval, 0.0),
        retail_shape=regularity,
        service_shape=np.full(n, RATES.service_regularity),
        first_category=first,
        second_category=(first + rng.integers(1, len(names.CATEGORIES), n)) % len(names.CATEGORIES),
        basket=rng.gamma(5.0, 1 / 5.0, n) * np.where(is_business, 1.5, 0.91),
        discount_love=rng.gamma(2.0, 0.5, n),
        frailty=rng.gamma(RATES.frailty_shape, 1 / RATES.frailty_shape, n),
        price_sensitivity=rng.beta(2.0, 3.0, n),
        forgetfulness=rng.beta(1.5, 4.0, n),
        responsiveness=rng.gamma(RATES.responsiveness_shape, 1 / RATES.responsiveness_shape, n),
        inertia=~is_member & ~is_digital,
        referrer=_referrers(rng, joined, is_prospect),
        trained=np.where(
            rng.random(n) < RATES.training_share, joined + rng.exponential(150, n), never
        ),
        consents=consents,
        withdrawn=np.maximum(joined, 0)[:, None]
        + rng.exponential(365 / RATES.withdrawal_per_year, (n, len(channels))),
        profiling=rng.random(n) < RATES.profiling_share,
        closes_account=rng.random(n) < RATES.closing_share,
        reach=np.clip(
            np.array([RATES.reached[c] for c in channels]) * rng.uniform(0.5, 1.5, (n, 1)), 0, 0.95
        ),
    )


def _joining_days(rng: np.random.Generator, calendar: Seasons, n: int) -> Floats:
    """Many at the opening, the others as evenly as days are busy."""
    opening = rng.random(n) < RATES.opening_share
    total = calendar.busy[CONSUMER, calendar.days]
    opened = calendar.busy[CONSUMER, calendar.months[RATES.opening_months]]
    busy = np.where(opening, rng.uniform(0, opened, n), rng.uniform(0, total, n))
    return calendar.day_at(busy, np.zeros(n, np.int8))


def _known(joined: Floats, lead: Floats) -> Floats:
    """When the company first heard of them; who orders the same day registers before it opens."""
    known = joined - lead
    return np.where(np.floor(known) == np.floor(joined), np.floor(joined) + OPENING_TIME, known)


def _reps(rng: np.random.Generator, firm: Company, region: Ints, joined: Floats) -> Ints:
    """A representative of the customer's region; the successor of one who has left by then."""
    per_region = firm.reps // len(names.REGIONS)
    rep = region + len(names.REGIONS) * rng.integers(0, per_region, len(region))
    gone = firm.rep_departs[rep] <= joined
    successor = firm.rep_successor[rep]
    return np.where(gone, successor, rep)


def _referrers(rng: np.random.Generator, joined: Floats, is_prospect: Bools) -> Ints:
    """For some, a customer of the same chunk who joined earlier."""
    n = len(joined)
    order = np.argsort(joined, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    referrer = order[(rng.random(n) * rank).astype(np.int64)]
    chosen = (rng.random(n) < RATES.referred_share) & (rank > 0) & ~is_prospect[referrer]
    return np.where(chosen, referrer, NONE)
