"""Makes the sample company: all tables into one folder, the truth into another."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.campaigns import Campaign, campaigns
from pipelines.sources.sample.campaign_tables import campaign_table, member_table
from pipelines.sources.sample.columns import Columns
from pipelines.sources.sample.company import Company, company
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
from pipelines.sources.sample.orders import item_table, order_table, orders, product_table
from pipelines.sources.sample.parameters import CHUNK, Scale
from pipelines.sources.sample.profiles import (
    asset_table,
    contact_table,
    customer_table,
    rep_table,
)
from pipelines.sources.sample.returns import return_table
from pipelines.sources.sample.sales import opportunity_table
from pipelines.sources.sample.seasons import Seasons, seasons
from pipelines.sources.sample.service import survey_table, ticket_table
from pipelines.sources.sample.timeline import purchases
from pipelines.sources.sample.truth import defect_table, truth_tables, write_parameters
from pipelines.sources.sample.write import write_part, write_whole


TABLES, TRUTH = "tables", "truth"


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
        customers, years, seed, last_day, lines_per_customer, defect_rate: see `Scale`.
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
    calendar = seasons(scale.last_day, scale.years)
    firm = company(scale, calendar)
    plan = campaigns(scale, calendar)
    spoiler = Spoiler(scale)
    rows: Counter[str] = Counter()
    rows["products"] = write_whole(folder, "products", product_table(firm))
    rows["campaigns"] = write_whole(folder, "campaigns", campaign_table(calendar, plan))
    rows["reps"] = write_whole(folder, "reps", rep_table(scale, calendar, firm))
    for chunk, first in enumerate(range(0, customers, CHUNK)):
        numbers = np.arange(first, min(first + CHUNK, customers))
        part = f"part-{chunk:05d}"
        for place, table, columns in _chunk(scale, calendar, firm, plan, chunk, numbers):
            if place == TRUTH:
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


def _chunk(
    scale: Scale,
    calendar: Seasons,
    firm: Company,
    plan: tuple[Campaign, ...],
    chunk: int,
    numbers: npt.NDArray[np.int64],
) -> Iterator[tuple[str, str, Columns]]:
    """Where each table of one chunk of customers belongs, its name and its columns."""
    who = make_customers(scale, calendar, firm, chunk, numbers)
    lived = lives(scale, calendar, firm, plan, chunk, who)
    bought = purchases(lived, calendar)
    made = orders(scale, calendar, firm, plan, chunk, lived, bought)
    yield TABLES, "orders", order_table(scale, calendar, chunk, who, made)
    yield TABLES, "order_items", item_table(firm, who, made)
    yield TABLES, "customers", customer_table(scale, calendar, firm, chunk, lived)
    yield TABLES, "contacts", contact_table(scale, calendar, firm, chunk, lived)
    yield TABLES, "assets", asset_table(scale, calendar, chunk, who)
    yield TABLES, "returns", return_table(scale, calendar, firm, chunk, lived, made)
    yield TABLES, "interactions", interaction_table(scale, calendar, firm, chunk, lived, made)
    yield TABLES, "tickets", ticket_table(scale, calendar, firm, chunk, lived, made)
    yield TABLES, "surveys", survey_table(scale, calendar, chunk, lived, made)
    yield TABLES, "campaign_members", member_table(scale, calendar, chunk, lived, made)
    yield TABLES, "loyalty_ledger", loyalty_table(scale, calendar, chunk, lived, made)
    yield TABLES, "opportunities", opportunity_table(scale, calendar, firm, chunk, lived)
    yield TABLES, "consents", consent_table(scale, calendar, chunk, lived)
    yield TABLES, "trainings", training_table(scale, calendar, chunk, lived)
    yield TABLES, "community_events", community_table(scale, calendar, chunk, lived)
    yield TABLES, "usage_events", usage_table(scale, calendar, chunk, lived)
    yield TABLES, "churn_feedback", feedback_table(scale, calendar, chunk, lived)
    yield TABLES, "erasure_requests", erasure_table(scale, calendar, chunk, lived)
    for table, columns in truth_tables(calendar, lived, made):
        yield TRUTH, table, columns
