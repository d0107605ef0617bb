"""What came back: whole orders, ordinary part returns, and what a quality cause sends back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample import traces
from pipelines.sources.sample.columns import (
    Columns,
    at_hours,
    codes,
    decimals,
    moments,
    running,
    words,
)
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.orders import (
    COMPLETED,
    RETURNED,
    Orders,
    customer_ids,
    order_ids,
    product_ids,
)
from pipelines.sources.sample.parameters import CAUSE, NONE, RATES, Scale
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.streams import Purpose, stream

Ints = npt.NDArray[np.int64]

REASONS = ("defective", "poor_quality", "wrong_item", "changed_mind", "late_delivery")
REASON_SHARES = (0.10, 0.10, 0.24, 0.44, 0.12)  # own assumption; NRF does not split them
QUALITY_SHARES = (0.65, 0.35)  # of a quality cause's returns: defective, poor quality


def return_table(
    scale: Scale, calendar: Seasons, firm: Company, chunk: int, lived: Lives, made: Orders
) -> Columns:
    """Table `returns`: the whole of a returned order, one line of the others."""
    rng = stream(scale.seed, Purpose.RETURNS, chunk)
    who = lived.who
    whole = np.flatnonzero(made.status == RETURNED)
    goods = (made.asset == NONE) & (made.status == COMPLETED)
    flawed = firm.products.flaws[made.line_product[made.first_line]]
    part = np.flatnonzero(goods & (rng.random(len(made)) < RATES.return_share * flawed))
    told = lived.episodes
    bad = np.flatnonzero(
        (told.cause == CAUSE["product_quality"])
        & (rng.random(len(told.cause)) < traces.DEFECTIVE_RETURN)
    )
    bad_day = told.began[bad] + rng.uniform(0.2, 6, len(bad))
    bad_order = made.last_before(told.customer[bad], bad_day)
    bad, bad_day, bad_order = (column[bad_order != NONE] for column in (bad, bad_day, bad_order))

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
    kept = day < calendar.days
    order, day, reason, is_whole = (c[kept] for c in (order, day, reason, is_whole))

    line = made.first_line[order]
    units = np.where(is_whole, made.line_quantity[line], 1)
    price = made.line_price[line] - made.line_discount[line] // made.line_quantity[line]
    amount = np.where(is_whole, made.gross[order] - made.discount[order], price * units)
    return {
        "return_id": codes(
            "X", (who.number[made.customer[order]], 7), "-", (running(made.customer[order]), 3)
        ),
        "order_id": order_ids(who, made.customer[order], made.running[order]),
        "customer_id": customer_ids(who, made.customer[order]),
        "returned_at": moments(calendar.first_day, day),
        "amount": decimals(amount, 18, 2),
        "quantity": decimals(units * 1000, 18, 3),
        "product_id": words(product_ids(firm), np.where(is_whole, NONE, made.line_product[line])),
        "reason": words(REASONS, reason),
    }
