"""What outlives a run: the lake, the warehouse, the published versions, the journal, the lock.

Here: one class for each, the only one that knows its files and how they are replaced safely.
Not here: what is in the tables, and when a run calls what (defs/).
"""
