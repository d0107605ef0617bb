"""A chunk of customers with everything that happened to them and all they ordered."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.lives import Lives
from pipelines.sources.sample.orders import Orders


@dataclass(frozen=True)
class Chunk:
    """What the tables of some customers are made of.

    Attributes:
        number: from 0; part of the seed of every stream.
        lived: what happened to the customers.
        made: what they ordered.
    """

    number: int
    lived: Lives
    made: Orders

    @property
    def who(self) -> Customers:
        """The customers themselves."""
        return self.lived.who
