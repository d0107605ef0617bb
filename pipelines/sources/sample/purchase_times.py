"""When customers would buy: the moments of purchase in each customer's own time.

A customer's own time runs faster when busy, slower under a cause, and stands still while away. In
that time purchases are a renewal process drawn once, before anything happens. What befalls the
customer only bends the way from own time to the calendar, so that the same customer with and
without a treatment can be compared purchase by purchase.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Own time is kept below this, so that (customer, own time) can be one sortable number.
LONGEST = 4096.0
# Own time may run ahead of the rate by what treatments add; purchases are drawn for that much more.
HEADROOM = 1.35


@dataclass(frozen=True)
class PurchaseTimes:
    """Moments of purchase of a chunk of customers, in own time.

    Attributes:
        customer: position of the customer, ascending.
        moment: own time of the purchase, ascending within the customer.
        key: customer * LONGEST + moment, ascending.
    """

    customer: Ints
    moment: Floats
    key: Floats

    def until(self, customer: Ints, own_time: Floats) -> Ints:
        """How many purchases of all customers up to this one lie at or before the own time.

        Only differences for the same customer mean something: purchases between two moments.
        """
        wanted = customer * LONGEST + np.minimum(own_time, LONGEST - 1)
        return np.searchsorted(self.key, wanted, side="right")


def purchase_times(
    rng: np.random.Generator, longest: Floats, shape: Floats, at_once: npt.NDArray[np.bool_]
) -> PurchaseTimes:
    """Draw the purchases of each customer.

    Args:
        rng: source of the gaps.
        longest: own time that a customer can reach without treatments.
        shape: gamma shape of the gaps; their mean is 1.
        at_once: whether the first purchase is at 0 (it is the reason the customer joined);
            otherwise it comes after a random part of a gap.
    """
    reach = np.minimum(longest * HEADROOM, LONGEST - 1)
    enough = np.where(reach > 0, reach + 4 * np.sqrt(reach / shape) + 3, 0)
    count = np.ceil(enough).astype(np.int64)
    customer = np.repeat(np.arange(len(longest)), count)
    gaps = rng.standard_gamma(shape[customer]) / shape[customer]
    first = np.zeros(len(customer), bool)
    starts = (count.cumsum() - count)[count > 0]
    first[starts] = True
    part = np.where(at_once[customer], 0.0, rng.random(len(customer)))
    gaps = np.where(first, gaps * part, gaps)
    total = gaps.cumsum()
    before = np.zeros(len(longest))
    before[count > 0] = total[starts] - gaps[starts]
    moment = total - before[customer]
    kept = moment < reach[customer]
    customer, moment = customer[kept], moment[kept]
    return PurchaseTimes(customer, moment, customer * LONGEST + moment)
