"""The frames that the border checks look at, made by SQL: one module a border, as in checks/suites.

Here: what is counted over a whole table (profiles, however large the table) and which rows are
looked at one by one (samples, bounded). Not here: what is expected of a frame (checks/), and which
assets wait for a verdict (pipelines/defs/checks.py).
"""

from __future__ import annotations

# The tables that bring orders; nothing can be computed without one of them.
PURCHASES = ("orders", "order_lines")

# Rows that a sample may have. Great Expectations takes about 750 MB for a million narrow rows.
SAMPLE_ROWS = 200_000


def one_in(rows: int) -> int:
    """How many rows stand for one of a sample: the sample is every row whose hash it divides.

    Chosen by the hash of a key, a sample holds all rows of the keys it holds, and is the same in
    every run.
    """
    return -(-rows // SAMPLE_ROWS) if rows else 1
