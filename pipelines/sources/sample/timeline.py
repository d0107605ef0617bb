"""From own time to the calendar: which moments of purchase came true, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.purchase_times import LONGEST, PurchaseTimes
from pipelines.sources.sample.seasons import Seasons

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Purchases:
    """Purchases that came true, by customer and time.

    Attributes:
        customer: position within the chunk.
        day: moment as a fractional day number; the whole part is exact, the hour is not yet set.
        month: month of the history.
        is_service: whether an asset was serviced.
        visit: running number of the purchase within its stream (retail, service).
    """

    customer: Ints
    day: Floats
    month: Ints
    is_service: npt.NDArray[np.bool_]
    visit: Ints

    def __len__(self) -> int:
        return len(self.customer)


def purchases(calendar: Seasons, lived: Lives) -> Purchases:
    """All purchases of a chunk."""
    streams = [
        _on_calendar(calendar, lived, "retail"),
        _on_calendar(calendar, lived, "service"),
    ]
    customer, day, month, visit = (
        np.concatenate(columns) for columns in zip(*streams, strict=True)
    )
    is_service = np.arange(len(customer)) >= len(streams[0][0])
    order = np.lexsort([is_service, day, customer])
    return Purchases(customer[order], day[order], month[order], is_service[order], visit[order])


def _on_calendar(calendar: Seasons, lived: Lives, stream: str) -> tuple[Ints, Floats, Ints, Ints]:
    """Customer, day, month and running number of the purchases of one stream."""
    who, months = lived.who, len(lived.lived)
    rate: Floats = getattr(who, f"{stream}_rate")
    times: PurchaseTimes = getattr(lived.cast, stream)
    starts = np.stack([getattr(month, stream) for month in lived.lived], axis=1)
    ends = np.column_stack([starts[:, 1:], getattr(lived.final, stream)])
    # The month of a purchase is the first that ends after it: while a customer is away own time
    # stands still, and such a month ends where it began. Compared as keys throughout, because
    # adding the customer's number rounds.
    keys = np.arange(len(who))[:, None] * LONGEST + ends
    came_true = times.key < keys[times.customer, -1]
    customer, moment = times.customer[came_true], times.moment[came_true]
    month = np.searchsorted(keys.ravel(), times.key[came_true], side="right") - customer * months
    begin = np.stack([m.begin for m in lived.lived])[month, customer]
    speed = np.stack([m.speed for m in lived.lived])[month, customer]
    profile = who.profile[customer]
    ahead = (moment - starts[customer, month]) / (speed * rate[customer])
    day = calendar.day_at(calendar.busy_at(begin, profile) + ahead, profile)
    first = np.searchsorted(customer, customer, side="left")
    end = np.stack([m.end for m in lived.lived])[month, customer]
    return (
        customer,
        np.clip(day, begin, np.nextafter(end, 0)),
        month,
        np.arange(len(customer)) - first,
    )
