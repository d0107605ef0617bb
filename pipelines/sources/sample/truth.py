"""What really happened, for tests alone: no pipeline may read it.

Written apart from the tables, in a folder of its own. Per customer, per cause that began, per
member of a campaign under either arm, and for the ninety days after the last day with data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample import names
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import Columns, moments, words
from pipelines.sources.sample.contact_faults import FAULTS, contact_faults
from pipelines.sources.sample.identifiers import campaign_ids, customer_ids
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.orders import COMPLETED, Orders
from pipelines.sources.sample.parameters import CAUSES, CODES, NONE, RATES, TACTICS, Scale
from pipelines.sources.sample.seasons import Seasons
from pipelines.sources.sample.world import World

Floats = npt.NDArray[np.float64]

STAGES = ("prospect", "present", "under_cause", "departed")
OUTCOMES = ("lasts", "healed", "departed")


def truth_tables(world: World, chunk: Chunk) -> Iterator[tuple[str, Columns]]:
    """The truth of one chunk, table by table."""
    lived, worth = chunk.lived, _worth(chunk.lived, chunk.made)
    faults = contact_faults(world, chunk.number, chunk.who)
    yield "customers", _customers(lived, worth) | {"contact_fault": words(FAULTS, faults)}
    yield "causes", _causes(world.calendar, lived)
    yield "treatments", _treatments(lived, worth)
    yield "outlook", _outlook(lived, worth)


def write_parameters(folder: Path, scale: Scale) -> None:
    """Everything that the world was made with, as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = {
        "scale": asdict(scale) | {"last_day": scale.last_day.isoformat()},
        "rates": asdict(RATES),
        "causes": [asdict(cause) for cause in CAUSES],
        "tactics": [asdict(tactic) for tactic in TACTICS],
    }
    text = json.dumps(everything, indent=2, ensure_ascii=False) + "\n"
    (folder / "parameters.json").write_text(text, encoding="utf-8")


class _Worth:
    """Mean profit and amount of a completed order, home currency; the chunk's mean where none."""

    def __init__(self, profit: Floats, gross: Floats) -> None:
        self.profit, self.gross = profit, gross


def _worth(lived: Lives, made: Orders) -> _Worth:
    n = len(lived.who)
    completed = made.status == COMPLETED
    customer = made.customer[completed]
    count = np.bincount(customer, minlength=n)

    def mean(amount: npt.NDArray[np.int64]) -> Floats:
        total = np.bincount(customer, weights=amount[completed] / 100, minlength=n)
        overall = total.sum() / max(count.sum(), 1)
        return np.where(count > 0, total / np.maximum(count, 1), overall)

    return _Worth(mean(made.gross - made.discount - made.cost), mean(made.gross))


def _customers(lived: Lives, worth: _Worth) -> Columns:
    who, final = lived.who, lived.final
    stage = np.where(
        who.is_prospect, 0, np.where(final.gone != NONE, 3, np.where(final.cause != NONE, 2, 1))
    )
    return {
        "customer_id": customer_ids(who, np.arange(len(who))),
        "stage": words(STAGES, stage),
        "cause": words(CODES, np.where(final.gone != NONE, final.gone, final.cause)),
        "is_business": pa.array(who.is_business),
        "is_service": pa.array(who.is_service),
        "retail_orders_per_day": pa.array(who.retail_rate),
        "service_orders_per_day": pa.array(who.service_rate),
        "frailty": pa.array(who.frailty),
        "price_sensitivity": pa.array(who.price_sensitivity),
        "forgetfulness": pa.array(who.forgetfulness),
        "responsiveness": pa.array(who.responsiveness),
        "inertia": pa.array(who.inertia),
        "profit_per_order": pa.array(worth.profit),
        **{
            f"reach_{channel}": pa.array(who.reach[:, number] * who.consents[:, number])
            for number, channel in enumerate(names.CONTACT_CHANNELS)
        },
    }


def _causes(calendar: Seasons, lived: Lives) -> Columns:
    told = lived.episodes
    lasts = ~told.departed & ~told.healed
    return {
        "customer_id": customer_ids(lived.who, told.customer),
        "cause": words(CODES, told.cause),
        "began_at": moments(calendar.first_day, told.began),
        "outcome": words(OUTCOMES, np.where(told.departed, 2, np.where(told.healed, 1, 0))),
        "ended_at": moments(calendar.first_day, told.ended, null=lasts),
        "returned_at": moments(calendar.first_day, told.returned),
    }


def _treatments(lived: Lives, worth: _Worth) -> Columns:
    members = lived.members

    def column(name: str) -> npt.NDArray[np.generic]:
        return np.concatenate([getattr(m, name) for m in members], axis=-1)

    customer, reached = column("customer"), column("reached")
    tactic = np.concatenate([np.full(len(m.customer), m.campaign.tactic) for m in members])
    number = np.concatenate([np.full(len(m.customer), m.campaign.number) for m in members])
    complete = np.concatenate([np.full(len(m.customer), m.complete) for m in members])
    orders, stays = column("orders"), column("stays")
    discount = np.array([t.discount for t in TACTICS])[tactic]
    given = orders[1] * reached * RATES.coupon_share * discount * worth.gross[customer]
    cost = np.array([t.unit_cost for t in TACTICS])[tactic]
    profit = worth.profit[customer]
    return {
        "campaign_id": campaign_ids(number),
        "customer_id": customer_ids(lived.who, customer),
        "arm": words(("control", "treatment"), column("treated").astype(np.int64)),
        "reached": pa.array(reached),
        "cause": words(CODES, column("cause")),
        "away": pa.array(column("away")),
        "orders_if_control": pa.array(orders[0]),
        "orders_if_treated": pa.array(orders[1]),
        "stays_if_control": pa.array(stays[0]),
        "stays_if_treated": pa.array(stays[1]),
        "profit_if_control": pa.array(orders[0] * profit),
        "profit_if_treated": pa.array(orders[1] * profit - given - cost),
        "window_complete": pa.array(complete),
    }


def _outlook(lived: Lives, worth: _Worth) -> Columns:
    outlook = lived.outlook
    columns: Columns = {
        "customer_id": customer_ids(lived.who, np.arange(len(lived.who))),
        "profit_per_order": pa.array(worth.profit),
    }
    for row, name in enumerate(("untreated", *(tactic.code for tactic in TACTICS))):
        columns[f"orders_{name}"] = pa.array(outlook.orders[row])
        columns[f"stays_{name}"] = pa.array(outlook.stays[row])
    return columns


def defect_table(found: dict[tuple[str, str, str, str], int]) -> Columns:
    """Bad rows put into the tables: how many of which kind, and what should become of them."""
    keys = sorted(found)
    return {
        "table_name": pa.array([key[0] for key in keys], pa.string()),
        "kind": pa.array([key[1] for key in keys], pa.string()),
        "verdict": pa.array([key[2] for key in keys], pa.string()),
        "rule": pa.array([key[3] or None for key in keys], pa.string()),
        "rows": pa.array([found[key] for key in keys], pa.int64()),
    }
