"""The points programme: earned with every order, redeemed by some, expired for many."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import Columns, decimals, moments, running, words
from pipelines.sources.sample.identifiers import customer_ids, order_ids, own_ids
from pipelines.sources.sample.orders import COMPLETED
from pipelines.sources.sample.parameters import RATES
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

KINDS = ("earn", "redeem", "expire")
EARN, REDEEM, EXPIRE = range(3)
CENTS_PER_POINT = 1_000  # one point for every ten currency units


def loyalty_table(world: World, chunk: Chunk) -> Columns:
    """Table `loyalty_ledger`. A redemption takes the whole balance; none is ever negative."""
    rng = world.stream(Purpose.LOYALTY, chunk.number)
    calendar = world.calendar
    made, who = chunk.made, chunk.who
    counts = who.is_member[made.customer] & (made.status == COMPLETED)
    earning = np.flatnonzero(counts)
    customer, n = made.customer[earning], len(earning)
    points = np.maximum((made.gross - made.discount)[earning] // CENTS_PER_POINT, 1)
    day = made.day[earning] + 0.02

    # A run of orders ends with a redemption; the points of a run go together, or expire together.
    redeems = rng.random(n) < RATES.point_redeem_share
    starts = np.ones(n, bool)
    starts[1:] = (customer[1:] != customer[:-1]) | redeems[:-1]
    first = np.flatnonzero(starts)
    last = np.append(first[1:], n) - 1 if n else first
    balance = np.add.reduceat(points, first) if n else points
    redeemed = redeems[last]
    expires = day[last] + RATES.point_life_days
    expired = ~redeemed & (expires < calendar.days)
    # A run that ends without a redemption expires as a whole, a year after its last order.
    ends = np.where(redeemed, day[last] + 0.01, np.floor(expires) + 0.999)
    closing = np.flatnonzero(redeemed | expired)

    owner = np.concatenate([customer, customer[last[closing]]])
    posted = np.concatenate([day, ends[closing]])
    amount = np.concatenate([points, -balance[closing]])
    kind = np.concatenate([np.full(n, EARN), np.where(redeemed[closing], REDEEM, EXPIRE)])
    order = np.concatenate([earning, earning[last[closing]]])
    by_time = np.lexsort([kind, posted, owner])
    owner, posted, amount, kind, order = (c[by_time] for c in (owner, posted, amount, kind, order))
    ids = order_ids(who, made.customer[order], made.running[order])
    return {
        "entry_id": own_ids("L", who, owner, running(owner)),
        "customer_id": customer_ids(who, owner),
        "posted_at": moments(calendar.first_day, np.minimum(posted, calendar.days - 1e-4)),
        "points": decimals(amount * 100, 18, 2),
        "kind": words(KINDS, kind),
        "order_id": pc.if_else(pa.array(kind == EXPIRE), pa.scalar(None, pa.string()), ids),
    }
