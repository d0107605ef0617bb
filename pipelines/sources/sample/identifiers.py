"""Identifiers of things, made of the numbers that the world knows them by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.sources.sample.columns import codes
from pipelines.sources.sample.company import Company
from pipelines.sources.sample.customers import Customers

Ints = npt.NDArray[np.int64]


def customer_ids(who: Customers, customer: Ints) -> pa.Array:
    """`C0000123`, of customers by their position in the chunk."""
    return codes("C", (who.number[customer], 7))


def order_ids(who: Customers, customer: Ints, running: Ints) -> pa.Array:
    """`O0000123-0001`, from customer and running number of the order."""
    return codes("O", (who.number[customer], 7), "-", (running, 4))


def asset_ids(who: Customers, customer: Ints, asset: Ints) -> pa.Array:
    """`A0000123-01`, from customer and position of the asset; null where that is negative."""
    return codes("A", (who.number[customer], 7), "-", (np.maximum(asset, 0) + 1, 2), null=asset < 0)


def own_ids(letter: str, who: Customers, customer: Ints, running: Ints) -> pa.Array:
    """`T0000123-0001` and the like: the k-th thing of its kind of a customer."""
    return codes(letter, (who.number[customer], 7), "-", (running, 4))


def rep_ids(rep: Ints) -> pa.Array:
    """`R0001`, of representatives; null where there is none."""
    return codes("R", (np.maximum(rep, 0) + 1, 4), null=rep < 0)


def store_ids(store: Ints) -> pa.Array:
    """`S001`, of stores; null where there is none."""
    return codes("S", (np.maximum(store, 0) + 1, 3), null=store < 0)


def campaign_ids(number: Ints) -> pa.Array:
    """`M001`, of campaigns."""
    return codes("M", (number + 1, 3))


def product_ids(firm: Company) -> list[str]:
    """`P0001`, of all products."""
    return [f"P{number + 1:04d}" for number in range(len(firm.products.names))]
