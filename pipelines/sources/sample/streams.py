"""Random numbers that depend on their purpose, not on the order in which they are drawn.

Every (purpose, chunk) has a stream of its own, so chunks may be made in any order, and a table that
learns a new column leaves the rest of the world as it was.
"""

from __future__ import annotations

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What a stream is for. Numbers are part of the world: append, never reorder."""

    COMPANY = 0
    CAMPAIGN_PLAN = 1
    CUSTOMERS = 2
    PROFILES = 3
    PURCHASE_TIMES = 4
    FATES = 5
    TREATMENTS = 6
    ORDERS = 7
    RETURNS = 8
    LOYALTY = 9
    TICKETS = 10
    SURVEYS = 11
    INTERACTIONS = 12
    OPPORTUNITIES = 13
    CONSENTS = 14
    LEARNING = 15
    USAGE = 16
    FEEDBACK = 17
    DEFECTS = 18
    PAYMENTS = 19
    CONTACTS = 20
    ASSETS = 21
    REPS = 22
    COMMUNITY = 23
    ERASURES = 24
    MEMBERS = 25
    CONTACT_FAULTS = 26
    NOTICES = 27


def stream(seed: int, purpose: Purpose, *part: int) -> np.random.Generator:
    """The generator for one purpose and part (a chunk number, say)."""
    sequence = np.random.SeedSequence(seed, spawn_key=(int(purpose), *part))
    return np.random.Generator(np.random.SFC64(sequence))
