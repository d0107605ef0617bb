"""Contact data that no one can be reached by: what handed-over records hold beside the truth.

The rows themselves are accepted, unlike those of defects.py: they are some customers' own profiles,
wrong in every version. Most are slips and placeholders of whoever typed them in; representatives
who left without handing over left more telephone numbers that lead nowhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample.company import Company
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.parameters import NONE, RATES
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Kind of fault, and the column of contact_data_quality that should show it.
SHOWN_BY = {
    "phone_placeholder": "is_phone_plausible",
    "phone_too_short": "is_phone_plausible",
    "email_malformed": "is_email_plausible",
    "email_of_another": "is_same_email",
    "birth_date_to_come": "is_birth_date_plausible",
}
FAULTS = tuple(SHOWN_BY)
PHONE_PLACEHOLDER, PHONE_TOO_SHORT, EMAIL_MALFORMED, EMAIL_OF_ANOTHER, BIRTH_DATE_TO_COME = range(5)
PLACEHOLDER, TOO_SHORT, MALFORMED = "+86 000 0000 0000", "12345", "none"
MOST_YEARS_TO_COME = 20.0


def contact_faults(world: World, chunk: int, who: Customers) -> Ints:
    """What is wrong with each customer's contact data: a number into FAULTS, NONE for most."""
    rng = world.stream(Purpose.CONTACT_FAULTS, chunk)
    n = len(who)
    fault = np.where(
        rng.random(n) < RATES.contact_fault_share, rng.integers(0, len(FAULTS), n), NONE
    )
    # A company has no birthday.
    fault[who.is_business & (fault == BIRTH_DATE_TO_COME)] = EMAIL_MALFORMED
    deserted = _deserted(who, world.company, world.calendar.days) & (
        rng.random(n) < RATES.deserted_fault_share
    )
    fault = np.where(deserted, PHONE_PLACEHOLDER, fault)
    if chunk == 0:  # every kind shows, however small the company
        absent = np.setdiff1d(np.arange(len(FAULTS)), fault)
        persons = ~(who.is_business | who.is_test | who.is_prospect)
        free = np.flatnonzero((fault == NONE) & persons)[RATES.least_erasures :]
        given = min(len(absent), len(free))
        fault[free[:given]] = absent[:given]
    return fault


def with_faults(
    rng: np.random.Generator,
    fault: Ints,
    email: pa.Array,
    phone: pa.Array,
    born: Floats,
    *,
    lent: npt.NDArray[np.bool_],
    today: float,
) -> tuple[pa.Array, pa.Array, Floats]:
    """Addresses, numbers and days of birth with what is wrong with them.

    Args:
        rng: whose address stands at whom is luck.
        fault: what `contact_faults` says of each customer.
        email: what is true of them.
        phone: likewise.
        born: likewise, as day numbers.
        lent: whose address may stand at another customer: it must be in the table.
        today: the last day with data, which a birthday to come lies after.
    """
    lenders = np.flatnonzero(lent & (fault == NONE))
    if len(lenders):
        at = np.where(
            fault == EMAIL_OF_ANOTHER, rng.choice(lenders, len(fault)), np.arange(len(fault))
        )
        email = email.take(pa.array(at))
    email = pc.if_else(pa.array(fault == EMAIL_MALFORMED), MALFORMED, email)
    phone = pc.if_else(pa.array(fault == PHONE_TOO_SHORT), TOO_SHORT, phone)
    phone = pc.if_else(pa.array(fault == PHONE_PLACEHOLDER), PLACEHOLDER, phone)
    to_come = today + rng.uniform(1, MOST_YEARS_TO_COME, len(fault)) * 365.25
    return email, phone, np.where(fault == BIRTH_DATE_TO_COME, to_come, born)


def _deserted(who: Customers, firm: Company, today: float) -> npt.NDArray[np.bool_]:
    """Whose representative left before today without handing over."""
    rep = np.maximum(who.rep, 0)
    return (who.rep >= 0) & (firm.rep_departs[rep] < today) & ~firm.rep_hands_over[rep]
