"""What was bought: orders and what they consist of.

Purchases that came true (timeline.py) are the completed orders. Cancelled, returned and pending
orders are added beside them, so that counting completed orders counts purchases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import names
from pipelines.sources.sample.columns import (
    at_hours,
    cents,
    running,
)
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.parameters import CAUSE, NONE, RATES, TACTICS
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.timeline import Purchases
from pipelines.sources.sample.world import World

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATUSES = ("completed", "cancelled", "returned", "pending")
COMPLETED, CANCELLED, RETURNED, PENDING = range(4)
CHANNELS = ("store", "online", "phone", "sales_rep")
STORE, ONLINE, PHONE, SALES_REP = range(4)

# Orders per customer and year that the other rates lead to, measured on the default scale; turns
# lines per customer into lines per order.
ORDERS_PER_CUSTOMER_YEAR = 1.9
FAR = 1e5  # more days than any history has
PENDING_DAYS, PENDING_SHARE = 3, 0.5
PHONE_SHARE = 0.06  # of persons' orders; own assumption
BUSINESS_CHANNELS = (0.55, 0.80)  # running shares: representative, online, the rest by telephone
DISCOUNTS, DISCOUNT_SHARES = (0.05, 0.08, 0.10, 0.15), (0.40, 0.20, 0.25, 0.15)
MOST_COUPONS = 0.9  # of anybody's orders
MORE_UNITS, MORE_UNITS_BUSINESS = 0.35, 3.0  # units of a line beyond the first, mean
HALF_YEAR, QUARTER = 180, 120  # days; intervals above are served yearly, half-yearly
# A price leaver buys less and on offer before leaving; own assumption, a third and a half more.
FIRST_CHOICE, SECOND_CHOICE = 0.50, 0.25  # of the lines, by the customer's two favourite categories
PRICE_BASKET, PRICE_COUPON = 0.70, 4.0


@dataclass(frozen=True)
class Lines:
    """Lines of all orders, order by order.

    Attributes:
        first: position of each order's first line; one entry per order.
        order: order of each line, and so on, one entry per line.
        product, quantity: what and how many.
        price, discount, cost: of one unit, of the line, of the line; in cents.
    """

    first: Ints
    order: Ints
    product: Ints
    quantity: Ints
    price: Ints
    discount: Ints
    cost: Ints

    def per_order(self, values: Ints) -> Ints:
        """Sums over the lines of each order."""
        return np.add.reduceat(values, self.first) if len(values) else values


@dataclass(frozen=True)
class Orders:
    """Orders of a chunk, by customer and time.

    Attributes:
        customer, day, month: as in Purchases, the hour now set.
        running: running number within the customer; the identifier is made of both.
        status, channel: numbers into STATUSES, CHANNELS.
        cause: cause at work when ordered, NONE where there was none.
        gross, discount, cost: in cents.
        asset: which of the customer's assets was serviced, NONE elsewhere.
        campaign: campaign whose coupon was used, NONE elsewhere.
        coupon: whether any coupon was used.
        store: store, NONE where not bought in one.
        lines: what the orders consist of.
    """

    customer: Ints
    day: Floats
    month: Ints
    running: Ints
    status: Ints
    channel: Ints
    cause: Ints
    gross: Ints
    discount: Ints
    cost: Ints
    asset: Ints
    campaign: Ints
    coupon: Bools
    store: Ints
    lines: Lines

    def __len__(self) -> int:
        return len(self.customer)

    def last_before(self, customer: Ints, day: Floats) -> Ints:
        """Position of each customer's last order up to a moment, NONE where there is none yet."""
        keys = self.customer * FAR + self.day
        position = np.searchsorted(keys, customer * FAR + day, side="right") - 1
        known = position >= 0
        position = np.maximum(position, 0)
        return np.where(known & (self.customer[position] == customer), position, NONE)


@dataclass(frozen=True)
class _Draft:
    """Orders before it is known what they consist of."""

    customer: Ints
    day: Floats
    is_service: Bools
    basket: Floats
    discount_share: Floats


def orders(world: World, chunk: int, lived: Lives, bought: Purchases) -> Orders:
    """The orders of one chunk."""
    rng = world.stream(Purpose.ORDERS, chunk)
    who = lived.who
    source, status, day = _with_unfinished(rng, world.calendar, bought)
    customer = bought.customer[source]
    day = at_hours(rng, day, who.is_business[customer])
    by_time = np.lexsort([day, customer])
    source, status, day, customer = (c[by_time] for c in (source, status, day, customer))
    month, is_service = bought.month[source], bought.is_service[source]
    n = len(customer)

    cause = lived.cause[month, customer].astype(np.int64)
    for_price = cause == CAUSE["price"]
    treatment = lived.treatment[month, customer].astype(np.int64)
    offered = np.array([TACTICS[c.tactic].discount for c in world.campaigns] + [0.0])[treatment]
    from_campaign = (rng.random(n) < RATES.coupon_share) & (offered > 0) & (status == COMPLETED)
    love = who.discount_love[customer] * np.where(for_price, PRICE_COUPON, 1.0)
    own = rng.random(n) < np.minimum(RATES.coupon_base_share * love, MOST_COUPONS)
    share = np.where(from_campaign, offered, rng.choice(DISCOUNTS, n, p=DISCOUNT_SHARES))
    coupon = from_campaign | own

    channel = _channels(rng, who, customer, is_service)
    lines = _lines(
        world,
        rng,
        who,
        _Draft(
            customer=customer,
            day=day,
            is_service=is_service,
            basket=who.basket[customer] * np.where(for_price, PRICE_BASKET, 1.0),
            discount_share=np.where(coupon, share, 0.0),
        ),
    )
    asset = bought.visit[source] % np.maximum(who.assets[customer], 1)
    return Orders(
        customer=customer,
        day=day,
        month=month,
        running=running(customer),
        status=status,
        channel=channel,
        cause=cause,
        gross=lines.per_order(lines.price * lines.quantity),
        discount=lines.per_order(lines.discount),
        cost=lines.per_order(lines.cost),
        asset=np.where(is_service, asset, NONE),
        campaign=np.where(from_campaign, treatment, NONE),
        coupon=coupon,
        store=np.where(channel == STORE, who.store[customer], NONE),
        lines=lines,
    )


def _with_unfinished(
    rng: np.random.Generator, calendar: Seasons, bought: Purchases
) -> tuple[Ints, Ints, Floats]:
    """Every purchase, and beside some of them an order that came to nothing.

    Returns the purchase each order comes from, its status and its day.
    """
    n = len(bought)
    everything = np.arange(n)
    cancelled = everything[rng.random(n) < RATES.cancelled_share]
    returned = everything[rng.random(n) < RATES.returned_share]
    recent = everything[bought.day >= calendar.days - PENDING_DAYS]
    pending = recent[rng.random(len(recent)) < PENDING_SHARE]
    source = np.concatenate([everything, cancelled, returned, pending])
    status = np.repeat(
        [COMPLETED, CANCELLED, RETURNED, PENDING],
        [n, len(cancelled), len(returned), len(pending)],
    )
    return source, status, bought.day[source]


def _channels(rng: np.random.Generator, who: Customers, customer: Ints, is_service: Bools) -> Ints:
    """The farther the store and the more digital the customer, the more is bought online."""
    digital, distance = who.is_digital[customer], who.distance[customer]
    online = np.clip(0.15 + 0.3 * digital + 0.01 * distance, 0, 0.85)
    luck = rng.random(len(customer))
    person = np.where(luck < online, ONLINE, np.where(luck < online + PHONE_SHARE, PHONE, STORE))
    company = np.searchsorted(BUSINESS_CHANNELS, luck, side="right")
    company = np.array([SALES_REP, ONLINE, PHONE])[company]
    return np.where(is_service, STORE, np.where(who.is_business[customer], company, person))


def _lines(world: World, rng: np.random.Generator, who: Customers, draft: _Draft) -> Lines:
    """Lines of every order: the service first where there is one, then what the customer likes."""
    products = world.company.products
    mean = world.scale.lines_per_customer / (ORDERS_PER_CUSTOMER_YEAR * world.scale.years)
    count = 1 + rng.poisson(max(mean - 1, 0.0) * draft.basket)
    order = np.repeat(np.arange(len(count)), count)
    first = count.cumsum() - count
    customer, n = draft.customer[order], len(order)

    luck = rng.random(n, np.float32)
    other = rng.integers(0, len(names.CATEGORIES), n)
    category = np.where(luck < FIRST_CHOICE + SECOND_CHOICE, who.second_category[customer], other)
    category = np.where(luck < FIRST_CHOICE, who.first_category[customer], category)
    product = products.pick(category, rng.random(n), draft.day[order])
    more = np.where(who.is_business, MORE_UNITS_BUSINESS, MORE_UNITS)[customer]
    quantity = 1 + rng.poisson(more * draft.basket[order])
    serviced = np.flatnonzero(draft.is_service)
    product[first[serviced]] = service_product(world.company, who)[draft.customer[serviced]]
    quantity[first[serviced]] = 1

    level = world.company.price_level[np.floor(draft.day).astype(np.int64)]
    price = cents(products.price[product] * level[order])
    discount = np.rint(price * quantity * draft.discount_share[order]).astype(np.int64)
    cost = cents(products.cost)[product] * quantity
    return Lines(first, order, product, quantity, price, discount, cost)


def service_product(firm: Company, who: Customers) -> Ints:
    """The service that each customer's assets get: by kind of asset and interval."""
    yearly, half_yearly = who.interval > HALF_YEAR, who.interval > QUARTER
    vehicle = np.where(yearly, 1, 0)
    machine = np.where(yearly, 5, np.where(half_yearly, 4, 3))
    return firm.products.goods + np.where(owns_machines(who), machine, vehicle)


def owns_machines(who: Customers) -> Bools:
    """Whether the customer's assets are machines; the others own vehicles."""
    return who.is_business & (who.number % 2 == 0)
