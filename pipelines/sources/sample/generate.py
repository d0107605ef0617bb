"""Makes the sample company: all tables into one folder, the truth into another."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.campaign_tables import campaign_table, member_table
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import Columns
from pipelines.sources.sample.customers import make_customers
from pipelines.sources.sample.defects import Spoiler
from pipelines.sources.sample.engagement import (
    community_table,
    consent_table,
    erasure_table,
    feedback_table,
    training_table,
    usage_table,
)
from pipelines.sources.sample.interactions import interaction_table
from pipelines.sources.sample.lives import lives
from pipelines.sources.sample.loyalty import loyalty_table
from pipelines.sources.sample.order_tables import item_table, order_table, product_table
from pipelines.sources.sample.orders import orders
from pipelines.sources.sample.parameters import CHUNK, Scale
from pipelines.sources.sample.profiles import (
    asset_table,
    contact_table,
    customer_table,
    rep_table,
)
from pipelines.sources.sample.returns import return_table
from pipelines.sources.sample.sales import opportunity_table
from pipelines.sources.sample.service import survey_table, ticket_table
from pipelines.sources.sample.timeline import purchases
from pipelines.sources.sample.truth import defect_table, truth_tables, write_parameters
from pipelines.sources.sample.world import World, make_world
from pipelines.sources.sample.write import write_part, write_whole

TABLES, TRUTH = "tables", "truth"
# Tables that are made chunk by chunk; products, reps and campaigns are the same for all.
CHUNK_TABLES: dict[str, Callable[[World, Chunk], Columns]] = {
    "orders": order_table,
    "order_items": item_table,
    "customers": customer_table,
    "contacts": contact_table,
    "assets": asset_table,
    "returns": return_table,
    "interactions": interaction_table,
    "tickets": ticket_table,
    "surveys": survey_table,
    "campaign_members": member_table,
    "loyalty_ledger": loyalty_table,
    "opportunities": opportunity_table,
    "consents": consent_table,
    "trainings": training_table,
    "community_events": community_table,
    "usage_events": usage_table,
    "churn_feedback": feedback_table,
    "erasure_requests": erasure_table,
}


@dataclass(frozen=True)
class Sample:
    """What was made.

    Attributes:
        scale: the parameters it was made with.
        rows: rows per table, bad ones included.
    """

    scale: Scale
    rows: dict[str, int]


def generate(
    folder: Path,
    truth: Path,
    *,
    customers: int = Scale.customers,
    years: int = Scale.years,
    seed: int = Scale.seed,
    last_day: datetime.date = Scale.last_day,
    lines_per_customer: float = Scale.lines_per_customer,
    defect_rate: float = Scale.defect_rate,
    progress: Callable[[int, int], None] | None = None,
) -> Sample:
    """Write the tables of a sample company to `folder` and what really happened to `truth`.

    Memory depends on the size of a chunk, not on the number of customers.

    Args:
        folder: receives `<table>/*.parquet` or `<table>.parquet` for each table of the contract.
        truth: receives what no pipeline may read.
        customers: this and the following five as in `Scale`.
        years: length of the history.
        seed: which of the possible worlds.
        last_day: the last day with data.
        lines_per_customer: order lines per customer over the whole history, on average.
        defect_rate: share of bad rows.
        progress: called with (customers done, customers in all) after each chunk.
    """
    scale = Scale(
        customers=customers,
        years=years,
        seed=seed,
        last_day=last_day,
        lines_per_customer=lines_per_customer,
        defect_rate=defect_rate,
    )
    world = make_world(scale)
    spoiler = Spoiler(scale)
    rows: Counter[str] = Counter()
    rows["products"] = write_whole(folder, "products", product_table(world))
    rows["campaigns"] = write_whole(folder, "campaigns", campaign_table(world))
    rows["reps"] = write_whole(folder, "reps", rep_table(world))
    for chunk, first in enumerate(range(0, customers, CHUNK)):
        numbers = np.arange(first, min(first + CHUNK, customers))
        part = f"part-{chunk:05d}"
        for place, table, columns in _tables(world, chunk, numbers):
            if place == TRUTH:
                if table == "customers":
                    spoiler.doubt(columns["contact_fault"].to_pylist())
                write_part(truth, table, part, columns)
            else:
                spoiled = spoiler.spoil(table, chunk, columns)
                rows[table] += write_part(folder, table, part, spoiled)
        if progress is not None:
            progress(int(numbers[-1]) + 1, customers)
    for table, columns in spoiler.texts().items():
        rows[table] += write_part(folder, table, "defects", columns)
    write_whole(truth, "defects", defect_table(spoiler.found))
    write_parameters(truth, scale)
    return Sample(scale, dict(rows))


def _tables(
    world: World, number: int, customers: npt.NDArray[np.int64]
) -> Iterator[tuple[str, str, Columns]]:
    """Where each table of one chunk of customers belongs, its name and its columns."""
    lived = lives(world, number, make_customers(world, number, customers))
    made = orders(world, number, lived, purchases(world.calendar, lived))
    chunk = Chunk(number, lived, made)
    for name, table in CHUNK_TABLES.items():
        yield TABLES, name, table(world, chunk)
    for name, columns in truth_tables(world, chunk):
        yield TRUTH, name, columns
