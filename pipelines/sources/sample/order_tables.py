"""Orders, their items and the catalogue as the shop system recorded them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import Columns, cents, codes, decimals, hide, moments, words
from pipelines.sources.sample.identifiers import (
    asset_ids,
    customer_ids,
    order_ids,
    product_ids,
    store_ids,
)
from pipelines.sources.sample.orders import CANCELLED, CHANNELS, PENDING, RETURNED, STATUSES
from pipelines.sources.sample.parameters import RATES
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

PAYMENT_TERM_DAYS = 30
EARLY_DAYS = 12  # by which punctual companies pay before the due day, at most
SEND_BACK_DAYS = 9


def order_table(world: World, chunk: Chunk) -> Columns:
    """Table `orders`."""
    rng = world.stream(Purpose.PAYMENTS, chunk.number)
    calendar = world.calendar
    who, made = chunk.who, chunk.made
    n = len(made)
    start = calendar.first_day
    business = who.is_business[made.customer]
    due = np.where(business, made.day + PAYMENT_TERM_DAYS, made.day)
    late = (rng.random(n) < RATES.late_payment_share) * rng.exponential(RATES.late_payment_days, n)
    paid = np.where(
        business, due + np.where(late > 0, late, -rng.uniform(0, EARLY_DAYS, n)), made.day
    )
    unpaid = (made.status == CANCELLED) | (made.status == PENDING) | (paid >= calendar.days)
    paid = np.where(unpaid, np.nan, paid)
    changed = np.where(made.status == RETURNED, made.day + SEND_BACK_DAYS, np.fmax(made.day, paid))
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
        "store_id": store_ids(made.store),
        "asset_id": asset_ids(who, made.customer, made.asset),
        "coupon_code": hide(coupon, ~made.coupon),
        "paid_at": moments(start, paid),
        "due_at": moments(start, due, null=~business),
        "updated_at": moments(start, np.minimum(changed, calendar.days - 1e-4)),
    }


def item_table(world: World, chunk: Chunk) -> Columns:
    """Table `order_items`."""
    firm = world.company
    who, made = chunk.who, chunk.made
    return {
        "order_id": order_ids(who, made.customer, made.running).take(pa.array(made.lines.order)),
        "line_no": pa.array(
            np.arange(len(made.lines.order)) - made.lines.first[made.lines.order] + 1
        ),
        "product_id": words(product_ids(firm), made.lines.product),
        "quantity": decimals(made.lines.quantity * 1000, 18, 3),
        "unit_price": decimals(made.lines.price * 100, 18, 4),
        "discount_amount": decimals(made.lines.discount, 18, 2),
        "ordered_at": moments(world.calendar.first_day, made.day).take(pa.array(made.lines.order)),
    }


def product_table(world: World) -> Columns:
    """Table `products`."""
    firm = world.company
    catalogue = firm.products
    return {
        "product_id": pa.array(product_ids(firm)),
        "name": pa.array(catalogue.names),
        "category": words(catalogue.category_names, catalogue.category),
        "unit_cost": decimals(cents(catalogue.cost) * 100, 18, 4),
        "service_interval_days": pa.array(catalogue.interval, mask=catalogue.interval == 0),
        "launched_at": moments(
            world.calendar.first_day, catalogue.since, null=catalogue.since == 0
        ),
    }
