"""What was bought: orders, their items, and what came back.

Purchases that came true (timeline.py) are the completed orders. Cancelled, returned and pending orders
are added beside them, so that counting completed orders counts purchases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample import names
from pipelines.sources.sample.campaigns import Campaign
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    cents,
    codes,
    decimals,
    hide,
    moments,
    running,
    words,
)
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.parameters import CAUSE, NONE, RATES, TACTICS, Scale
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose, stream
from pipelines.sources.sample.timeline import Purchases

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATUSES = ("completed", "cancelled", "returned", "pending")
COMPLETED, CANCELLED, RETURNED, PENDING = range(4)
CHANNELS = ("store", "online", "phone", "sales_rep")
STORE, ONLINE, PHONE, SALES_REP = range(4)
RETURN_REASONS = ("defective", "quality", "wrong_item", "changed_mind", "late_delivery")
DEFECTIVE = 0

# Orders per customer and year that the other rates lead to, measured on the default scale; turns
# lines per customer into lines per order.
ORDERS_PER_CUSTOMER_YEAR = 1.9
FAR = 1e5  # more days than any history has
PENDING_DAYS, PENDING_SHARE = 3, 0.5
PAYMENT_TERM_DAYS = 30
# A price leaver buys less and on offer before leaving; own assumption, a third and a half more.
FIRST_CHOICE, SECOND_CHOICE = 0.50, 0.25  # of the lines, by the customer's two favourite categories
PRICE_BASKET, PRICE_COUPON = 0.70, 4.0


@dataclass(frozen=True)
class Orders:
    """Orders of a chunk, by customer and time, and their lines.

    Attributes:
        customer, day, month: as in Purchases, the hour now set.
        running: running number within the customer; the identifier is made of both.
        status, channel: numbers into STATUSES, CHANNELS.
        cause: cause at work when ordered, NONE where there was none.
        gross, discount, cost: in cents.
        first_line: position of each order's first line.
        line_order: order of each line; line_product, line_quantity, line_price (cents),
            line_discount (cents): the lines.
        asset: which of the customer's assets was serviced, NONE elsewhere.
        campaign: campaign whose coupon was used, NONE elsewhere.
        coupon: whether any coupon was used.
        store: store, NONE where not bought in one.
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
    first_line: Ints
    line_order: Ints
    line_product: Ints
    line_quantity: Ints
    line_price: Ints
    line_discount: Ints
    asset: Ints
    campaign: Ints
    coupon: Bools
    store: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def last_before(self, customer: Ints, day: Floats) -> Ints:
        """Position of each customer's last order up to a moment, NONE where there is none yet."""
        keys = self.customer * FAR + self.day
        position = np.searchsorted(keys, customer * FAR + day, side="right") - 1
        known = position >= 0
        position = np.maximum(position, 0)
        return np.where(known & (self.customer[position] == customer), position, NONE)


def orders(
    scale: Scale,
    calendar: Seasons,
    firm: Company,
    plan: tuple[Campaign, ...],
    chunk: int,
    lived: Lives,
    bought: Purchases,
) -> Orders:
    """The orders of one chunk."""
    rng = stream(scale.seed, Purpose.ORDERS, chunk)
    who = lived.who
    source, status, day = _with_unfinished(rng, calendar, bought)
    customer, month = bought.customer[source], bought.month[source]
    n = len(customer)
    day = at_hours(rng, day, who.is_business[customer])
    by_time = np.lexsort([day, customer])
    source, status, day, customer, month = (
        column[by_time] for column in (source, status, day, customer, month)
    )
    office = who.is_business[customer]
    is_service = bought.is_service[source]

    cause = lived.cause[month, customer].astype(np.int64)
    for_price = cause == CAUSE["price"]
    treatment = lived.treatment[month, customer].astype(np.int64)
    offered = np.array([TACTICS[c.tactic].discount for c in plan] + [0.0])[treatment]
    from_campaign = (rng.random(n) < RATES.coupon_share) & (offered > 0) & (status == COMPLETED)
    love = who.discount_love[customer] * np.where(for_price, PRICE_COUPON, 1.0)
    coupon = from_campaign | (rng.random(n) < np.minimum(RATES.coupon_base_share * love, 0.9))
    share = np.where(
        from_campaign, offered, rng.choice([0.05, 0.08, 0.10, 0.15], n, p=[0.4, 0.2, 0.25, 0.15])
    )

    channel = _channels(rng, who.distance[customer], office, who.is_digital[customer], is_service)
    basket = who.basket[customer] * np.where(for_price, PRICE_BASKET, 1.0)
    lines = _lines(rng, scale, firm, who, customer, is_service, basket)
    level = firm.price_level[np.floor(day).astype(np.int64)]
    price = cents(firm.products.price[lines.product] * level[lines.order])
    gross_line = price * lines.quantity
    discount_line = np.where(
        coupon[lines.order], np.rint(gross_line * share[lines.order]), 0
    ).astype(np.int64)
    cost_line = cents(firm.products.cost[lines.product]) * lines.quantity
    return Orders(
        customer=customer,
        day=day,
        month=month,
        running=running(customer),
        status=status,
        channel=channel,
        cause=cause,
        gross=_per_order(gross_line, lines.first),
        discount=_per_order(discount_line, lines.first),
        cost=_per_order(cost_line, lines.first),
        first_line=lines.first,
        line_order=lines.order,
        line_product=lines.product,
        line_quantity=lines.quantity,
        line_price=price,
        line_discount=discount_line,
        asset=np.where(
            is_service, bought.visit[source] % np.maximum(who.assets[customer], 1), NONE
        ),
        campaign=np.where(from_campaign, treatment, NONE),
        coupon=coupon,
        store=np.where((channel == STORE) | is_service, who.store[customer], NONE),
    )


@dataclass(frozen=True)
class _Lines:
    order: Ints
    product: Ints
    quantity: Ints
    first: Ints


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


def _channels(
    rng: np.random.Generator, distance: Floats, office: Bools, digital: Bools, is_service: Bools
) -> Ints:
    """The farther the store and the more digital the customer, the more is bought online."""
    online = np.clip(0.15 + 0.3 * digital + 0.01 * distance, 0, 0.85)
    luck = rng.random(len(distance))
    person = np.where(luck < online, ONLINE, np.where(luck < online + 0.06, PHONE, STORE))
    company = np.where(luck < 0.55, SALES_REP, np.where(luck < 0.8, ONLINE, PHONE))
    return np.where(is_service, STORE, np.where(office, company, person))


def _lines(
    rng: np.random.Generator,
    scale: Scale,
    firm: Company,
    who: Customers,
    customer: Ints,
    is_service: Bools,
    basket: Floats,
) -> _Lines:
    """Lines of every order: the service first where there is one, then what the customer likes."""
    mean = scale.lines_per_customer / (ORDERS_PER_CUSTOMER_YEAR * scale.years)
    count = 1 + rng.poisson(max(mean - 1, 0.0) * basket)
    order = np.repeat(np.arange(len(customer)), count)
    first = count.cumsum() - count
    n = len(order)
    luck = rng.random(n, np.float32)
    likes = customer[order]
    category = np.where(
        luck < FIRST_CHOICE,
        who.first_category[likes],
        np.where(
            luck < FIRST_CHOICE + SECOND_CHOICE,
            who.second_category[likes],
            rng.integers(0, len(names.CATEGORIES), n),
        ),
    )
    product = firm.products.pick(category, rng.random(n))
    quantity = 1 + rng.poisson(np.where(who.is_business, 3.0, 0.35)[likes] * basket[order])
    serviced = np.flatnonzero(is_service)
    product[first[serviced]] = service_product(firm, who)[customer[serviced]]
    quantity[first[serviced]] = 1
    return _Lines(order, product, quantity, first)


def service_product(firm: Company, who: Customers) -> Ints:
    """The service that each customer's assets get: by kind of asset and interval."""
    product = np.where(who.interval > 180, 1, 0)  # noqa: PLR2004 major service once a year
    machine = np.where(who.interval > 180, 5, np.where(who.interval > 120, 4, 3))  # noqa: PLR2004
    return firm.products.goods + np.where(owns_machines(who), machine, product)


def owns_machines(who: Customers) -> Bools:
    """Whether the customer's assets are machines; the others own vehicles."""
    return who.is_business & (who.number % 2 == 0)


def _per_order(values: Ints, first: Ints) -> Ints:
    return np.add.reduceat(values, first) if len(values) else values


def order_ids(who: Customers, customer: Ints, running: Ints) -> pa.Array:
    """Identifiers of orders, from customer and running number."""
    return codes("O", (who.number[customer], 7), "-", (running, 4))


def customer_ids(who: Customers, customer: Ints) -> pa.Array:
    """Identifiers of customers."""
    return codes("C", (who.number[customer], 7))


def order_table(
    scale: Scale, calendar: Seasons, chunk: int, who: Customers, made: Orders
) -> Columns:
    """Table `orders`."""
    rng = stream(scale.seed, Purpose.PAYMENTS, chunk)
    n = len(made)
    start = calendar.first_day
    business = who.is_business[made.customer]
    due = np.where(business, made.day + PAYMENT_TERM_DAYS, made.day)
    late = (rng.random(n) < RATES.late_payment_share) * rng.exponential(RATES.late_payment_days, n)
    paid = np.where(business, due + np.where(late > 0, late, -rng.uniform(0, 12, n)), made.day)
    unpaid = (made.status == CANCELLED) | (made.status == PENDING) | (paid >= calendar.days)
    paid = np.where(unpaid, np.nan, paid)
    changed = np.where(made.status == RETURNED, made.day + 9, np.fmax(made.day, paid))
    campaign_coupon = codes("CP", (np.maximum(made.campaign, 0) + 1, 3))
    loyal_coupon = words(("SAVE05", "SAVE10"), made.running % 2)
    coupon = pc.if_else(
        pa.array(made.campaign >= 0), campaign_coupon, loyal_coupon.cast(pa.string())
    )
    return {
        "order_id": order_ids(who, made.customer, made.running),
        "customer_id": customer_ids(who, made.customer),
        "ordered_at": moments(start, made.day),
        "net_amount": decimals(made.gross - made.discount, 18, 2),
        "status": words(STATUSES, made.status),
        "currency": words(("CNY",), np.zeros(n, np.int64)),
        "gross_amount": decimals(made.gross, 18, 2),
        "discount_amount": decimals(made.discount, 18, 2),
        "cost_amount": decimals(made.cost, 18, 2),
        "channel": words(CHANNELS, made.channel),
        "store_id": codes("S", (np.maximum(made.store, 0) + 1, 3), null=made.store < 0),
        "asset_id": codes(
            "A",
            (who.number[made.customer], 7),
            "-",
            (np.maximum(made.asset, 0) + 1, 2),
            null=made.asset < 0,
        ),
        "coupon_code": hide(coupon, ~made.coupon),
        "paid_at": moments(start, paid),
        "due_at": moments(start, due, null=~business),
        "updated_at": moments(start, np.minimum(changed, calendar.days - 1e-4)),
    }


def item_table(firm: Company, who: Customers, made: Orders) -> Columns:
    """Table `order_items`."""
    return {
        "order_id": order_ids(who, made.customer, made.running).take(pa.array(made.line_order)),
        "line_no": pa.array(np.arange(len(made.line_order)) - made.first_line[made.line_order] + 1),
        "product_id": words(product_ids(firm), made.line_product),
        "quantity": decimals(made.line_quantity * 1000, 18, 3),
        "unit_price": decimals(made.line_price * 100, 18, 4),
        "discount_amount": decimals(made.line_discount, 18, 2),
    }


def product_ids(firm: Company) -> list[str]:
    """Identifiers of all products."""
    return [f"P{number + 1:04d}" for number in range(len(firm.products.names))]


def product_table(firm: Company) -> Columns:
    """Table `products`."""
    catalogue = firm.products
    return {
        "product_id": pa.array(product_ids(firm)),
        "name": pa.array(catalogue.names),
        "category": words(catalogue.category_names, catalogue.category),
        "unit_cost": decimals(cents(catalogue.cost) * 100, 18, 4),
        "service_interval_days": pa.array(catalogue.interval, mask=catalogue.interval == 0),
    }
