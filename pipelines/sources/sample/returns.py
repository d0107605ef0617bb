"""What came back: whole orders, ordinary part returns, and what a quality cause sends back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import traces
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    decimals,
    moments,
    running,
    words,
)
from pipelines.sources.sample.identifiers import customer_ids, order_ids, own_ids, product_ids
from pipelines.sources.sample.orders import COMPLETED, RETURNED
from pipelines.sources.sample.parameters import CAUSE, NONE, RATES
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Ints = npt.NDArray[np.int64]

REASONS = ("defective", "poor_quality", "wrong_item", "changed_mind", "late_delivery")
REASON_SHARES = (0.10, 0.10, 0.24, 0.44, 0.12)  # own assumption; NRF does not split them
QUALITY_SHARES = (0.65, 0.35)  # of a quality cause's returns: defective, poor quality


def return_table(world: World, chunk: Chunk) -> Columns:
    """Table `returns`: the whole of a returned order, one line of the others."""
    rng = world.stream(Purpose.RETURNS, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, made, who = chunk.lived, chunk.made, chunk.who
    whole = np.flatnonzero(made.status == RETURNED)
    goods = (made.asset == NONE) & (made.status == COMPLETED)
    flawed = firm.products.flaws[made.lines.product[made.lines.first]]
    part = np.flatnonzero(goods & (rng.random(len(made)) < RATES.return_share * flawed))
    told = lived.episodes
    bad = np.flatnonzero(
        (told.cause == CAUSE["product_quality"])
        & (rng.random(len(told.cause)) < traces.DEFECTIVE_RETURN)
    )
    bad_day = told.began[bad] + rng.uniform(0.2, 6, len(bad))
    bad_order = made.last_before(told.customer[bad], bad_day)
    returnable = (bad_order != NONE) & (made.asset[bad_order] == NONE)  # no service comes back
    bad, bad_day, bad_order = (c[returnable] for c in (bad, bad_day, bad_order))

    order = np.concatenate([whole, part, bad_order])
    later = np.concatenate([whole, part])
    day = np.concatenate([made.day[later] + 1 + rng.gamma(2.0, 4.0, len(later)), bad_day])
    reason = np.concatenate(
        [
            rng.choice(len(REASONS), len(later), p=REASON_SHARES),
            rng.choice(len(QUALITY_SHARES), len(bad), p=QUALITY_SHARES),
        ]
    )
    is_whole = np.arange(len(order)) < len(whole)
    day = at_hours(rng, day)
    by_time = np.lexsort([day, made.customer[order]])
    order, day, reason, is_whole = (c[by_time] for c in (order, day, reason, is_whole))
    # Nothing comes back twice.
    once = np.zeros(len(order), bool)
    once[np.unique(order, return_index=True)[1]] = True
    kept = once & (day < calendar.days)
    order, day, reason, is_whole = (c[kept] for c in (order, day, reason, is_whole))

    customer, line = made.customer[order], made.lines.first[order]
    units = np.where(
        is_whole, made.lines.per_order(made.lines.quantity)[order], made.lines.quantity[line]
    )
    line_amount = made.lines.price[line] * made.lines.quantity[line] - made.lines.discount[line]
    amount = np.where(is_whole, made.gross[order] - made.discount[order], line_amount)
    return {
        "return_id": own_ids("X", who, customer, running(customer)),
        "order_id": order_ids(who, customer, made.running[order]),
        "customer_id": customer_ids(who, customer),
        "returned_at": moments(calendar.first_day, day),
        "amount": decimals(amount, 18, 2),
        "quantity": decimals(units * 1000, 18, 3),
        "product_id": words(product_ids(firm), np.where(is_whole, NONE, made.lines.product[line])),
        "reason": words(REASONS, reason),
    }
