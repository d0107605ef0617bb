"""The three borders: what must hold of data on arrival, before the model, and before publishing.

Here: Great Expectations suites and the runner that applies one to a frame.
Not here: Dagster, where frames come from, and what happens after a verdict.
"""
