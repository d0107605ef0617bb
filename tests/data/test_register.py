"""Every capability of the register can be looked up in what the sample company publishes."""

from pathlib import Path

from pipelines.dbt import manifest
from pipelines.register import places, read_capabilities, unshown
from pipelines.resources.version import PublishedVersion
from pipelines.version_log import OWN_TABLES


def test_every_capability_is_shown(sample_home: Path) -> None:
    capabilities = read_capabilities()
    where = places(manifest(), capabilities, OWN_TABLES)
    version = PublishedVersion((sample_home / "published" / "current").resolve())
    assert unshown(capabilities, where, version) == {}
