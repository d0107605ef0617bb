"""One world: what is the same for every customer, and where its random numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.sources.sample.campaigns import Campaign, campaigns
from pipelines.sources.sample.company import Company, company
from pipelines.sources.sample.parameters import Scale
from pipelines.sources.sample.seasons import Seasons, seasons
from pipelines.sources.sample.streams import Purpose, stream


@dataclass(frozen=True)
class World:
    """What is the same for every customer.

    Attributes:
        scale: what was asked for.
        calendar: the days.
        company: products, stores, representatives, competitors, prices.
        campaigns: the plan, in order of time.
    """

    scale: Scale
    calendar: Seasons
    company: Company
    campaigns: tuple[Campaign, ...]

    def stream(self, purpose: Purpose, *part: int) -> np.random.Generator:
        """The random numbers for one purpose and part of the world."""
        return stream(self.scale.seed, purpose, *part)


def make_world(scale: Scale) -> World:
    """The world of one scale."""
    calendar = seasons(scale.last_day, scale.years)
    firm = company(scale, calendar)
    return World(scale, calendar, firm, campaigns(scale, calendar, firm))
