"""How much a delivery brings, compared with what is usual for its table.

Known from the manifests of the lake alone: no row is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import groupby, pairwise

import numpy as np

from checks.suites.arrival import MIN_DELIVERIES_TO_JUDGE, MIN_USUAL_ROWS
from pipelines.resources.lake import Manifest

# Deliveries looked back on: eight weeks of days show a weekly rhythm, and forget last season's.
REMEMBERED = 56

# Days without an order are a habit from so many rests on (one may be an accident) that take up such
# a share of the days: a weekly day of rest is a seventh, less the week that is not over.
MIN_RESTS = 2
MIN_REST_SHARE = 0.1


@dataclass(frozen=True)
class History:
    """The rows that each day's delivery brought, as the run of one day sees it.

    Attributes:
        as_of: the day of the run.
        rows: rows by the day of their delivery; a day without a delivery is absent.
    """

    as_of: date
    rows: Counter[date] = field(default_factory=Counter)

    @classmethod
    def of(cls, manifests: Iterable[Manifest], as_of: date) -> History:
        """The history of all deliveries in these batches, taken together."""
        rows: Counter[date] = Counter()
        for manifest in manifests:
            rows[manifest.as_of] += manifest.rows
        return cls(as_of, rows)

    @property
    def rows_so_far(self) -> int:
        """Rows that the deliveries up to this day brought."""
        return sum(rows for day, rows in self.rows.items() if day <= self.as_of)

    @property
    def is_first(self) -> bool:
        """Whether no earlier day brought a row."""
        return self.rows_so_far == self.rows[self.as_of]

    @property
    def is_backfill(self) -> bool:
        """Whether a later day has brought rows: it took what this day might have brought."""
        return any(rows for day, rows in self.rows.items() if day > self.as_of)

    @property
    def usual_rates(self) -> list[float]:
        """Rows a day of the deliveries before; not of the first, which brought all of history."""
        return [rate for day, rate in self._rates.items() if day < self.as_of][-REMEMBERED:]

    @property
    def volume_ratio(self) -> float | None:
        """This day's rows a day over the highest usual rate or, below it, over the lowest.

        Between the two the ratio is 1. None where there is nothing to compare with.
        """
        usual, rate = self.usual_rates, self._rates.get(self.as_of)
        if not usual or rate is None or self.is_backfill:
            return None
        low, high = np.percentile(usual, [10, 90])
        if rate > high:
            return float(max(rate / max(high, MIN_USUAL_ROWS), 1))
        return float(min(rate / low, 1)) if low >= MIN_USUAL_ROWS else None

    @property
    def fell_silent(self) -> bool:
        """Whether a later day brought nothing at all, though so long a rest is not usual."""
        if self.is_first or self.is_backfill or self.rows[self.as_of]:
            return False
        stretches = [(sells, len(list(days))) for sells, days in groupby(self.usual_rates, bool)]
        # The silence that this day goes on with teaches nothing: its days were refused, or allowed
        # one by one, and a stopped export must not become a habit by being tried again.
        silent_before = stretches.pop()[1] if stretches and not stretches[-1][0] else 0
        rests = [days for sells, days in stretches if not sells]
        days_known = len(self.usual_rates) - silent_before
        if days_known < MIN_DELIVERIES_TO_JUDGE or len(rests) < MIN_RESTS:
            return True
        return sum(rests) / days_known < MIN_REST_SHARE or silent_before >= max(rests)

    @cached_property
    def _rates(self) -> dict[date, float]:
        """Rows a day by the day of delivery; a delivery after a gap covers the days of the gap."""
        days = sorted(day for day in self.rows if day <= self.as_of)
        # Days before the first rows are backfills that found nothing left to take.
        first = next((i for i, day in enumerate(days) if self.rows[day]), len(days))
        return {day: self.rows[day] / (day - before).days for before, day in pairwise(days[first:])}
