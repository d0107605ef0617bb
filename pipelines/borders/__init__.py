"""The frames that the border checks look at, made by SQL: one module a border, as in checks/suites.

Here: what is counted over a whole table (profiles, however large the table) and which rows are
looked at one by one (samples, bounded). Not here: what is expected of a frame (checks/), and which
assets wait for a verdict (pipelines/defs/checks.py).
"""

from __future__ import annotations

# Rows that a sample may have. Great Expectations takes about 750 MB for a million narrow rows.
SAMPLE_ROWS = 200_000

# Of unknown codes a refusal names so many, the most frequent ones: it still is one message.
CODES_TOLD = 5


def one_in(rows: int, at_most: int = SAMPLE_ROWS) -> int:
    """Of how many rows one is taken, so that about `at_most` are.

    A row is taken when its number, or the hash of its key, is divisible by this. So a sample is the
    same in every run, and with it a hash brings all rows of each key it holds.
    """
    return max(-(-rows // at_most), 1)
