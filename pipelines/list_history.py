"""What was published becomes a source: each published list goes back into the lake.

That is how frequency caps, cooling periods, ladders, holdouts and effects know the past.
"""

from __future__ import annotations

import pyarrow.parquet as pq

from pipelines.resources.lake import Lake
from pipelines.resources.publisher import PublishedVersion, Publisher

PUBLISHED_LISTS = "published_lists"


def remember_list(lake: Lake, version: PublishedVersion) -> None:
    """Put the list of a published version into the lake, in place of an earlier one of its day."""
    lake.replace(PUBLISHED_LISTS, version.as_of, pq.read_table(version.parquet("retention_list")))


def remember_missed_lists(lake: Lake, publisher: Publisher) -> None:
    """Catch up after a run that was killed between publishing and remembering."""
    remembered = {manifest.as_of for manifest in lake.manifests(PUBLISHED_LISTS)}
    current = publisher.current()
    for version in publisher.versions():
        if version.as_of not in remembered or (current and version.id == current.id):
            remember_list(lake, version)
