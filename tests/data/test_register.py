"""Every capability of the register can be looked up in what the sample company publishes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.resources.version import PublishedVersion
from pipelines.resources.version_log import OWN_TABLES
from pipelines.tables.dbt import manifest
from pipelines.tables.register import places, read_capabilities, unshown
from tests.conftest import SAMPLE_DAYS

MANY = 3000  # customers; a drive then holds out some 70, and effects are told from 30 on


@pytest.mark.parametrize("day", SAMPLE_DAYS)
def test_every_capability_is_shown(
    sample_home: Path, day: str, pytestconfig: pytest.Config
) -> None:
    capabilities = read_capabilities()
    where = places(manifest(), capabilities, OWN_TABLES)
    [version] = (sample_home / "published" / "versions").glob(f"{day}-*")
    assert (
        unshown(
            capabilities,
            where,
            PublishedVersion(version),
            has_earlier_days=day != SAMPLE_DAYS[0],
            has_many_customers=pytestconfig.getoption("customers") >= MANY,
        )
        == {}
    )
