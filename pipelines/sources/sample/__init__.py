"""The sample company: one made-up firm whose every customer has a known fate.

Here: the world (who the customers are, what they go through, what they buy and say), its 22 tables
in the source contract's names, and the truth behind them in a folder of its own. docs/sample-company.md
tells the story and gives the source of every rate. Not here: reading the tables (sources/files.py
does that) and anything the pipeline computes; the truth serves tests alone.
"""

from pipelines.sources.sample.generate import Sample, generate
from pipelines.sources.sample.parameters import Rates, Scale

__all__ = ["Rates", "Sample", "Scale", "generate"]
