"""The sample company: one made-up firm whose every customer has a known fate.

Here: the world (who the customers are, what they go through, what they buy and say), its tables in
the source contract's names, and the truth behind them in a folder of its own.
docs/sample-company.md tells the story and gives the source of every rate. Not here: reading the
tables (sources/files.py does that) and anything the pipeline computes; the truth serves tests
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.sources.sample.generate import Sample, generate
from pipelines.sources.sample.parameters import Rates, Scale

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.sources.connector import Connector

__all__ = ["Rates", "Sample", "Scale", "connect", "generate"]


def connect(settings: Settings) -> Connector:
    """The sample company that the settings ask for."""
    # Imported late: tests and benchmarks make worlds without the readers of the files.
    from pipelines.sources.sample.connector import SampleCompany  # noqa: PLC0415

    return SampleCompany(settings)
