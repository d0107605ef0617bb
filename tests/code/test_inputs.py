"""What counts as an input of a day: all that its published tables read, and nothing later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.defs.publish import FED_BACK, inputs_fingerprint
from pipelines.resources.lake import Lake
from pipelines.settings import Settings

BEFORE, DAY, AFTER = date(2026, 6, 27), date(2026, 6, 28), date(2026, 6, 29)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """What two days fed back."""
    lake = Lake(tmp_path / "lake")
    for table in FED_BACK:
        for day in (BEFORE, DAY):
            feed(lake, table, day, 0.5)
    return lake


def feed(lake: Lake, table: str, day: date, value: float) -> None:
    lake.replace(table, day, pa.table({"value": [value]}))


@pytest.fixture
def inputs(lake: Lake, tmp_path: Path) -> Callable[[], str]:
    settings = Settings(home=tmp_path)
    return lambda: inputs_fingerprint(
        lake, settings, as_of=DAY, model_version="2026-06-27.0123456789ab", earlier_versions=[]
    )


@pytest.mark.parametrize(
    ("table", "day", "counts"),
    [
        ("evaluations", BEFORE, True),
        ("evaluations", DAY, True),  # a training that kept the champion
        ("evaluations", AFTER, False),
        ("scores", BEFORE, True),
        ("scores", DAY, False),  # the model and the features say it already
        ("scores", AFTER, False),
        ("forecast_evaluations", DAY, True),
        ("forecast_evaluations", AFTER, False),
        ("outlook", BEFORE, False),
        ("outlook", DAY, True),  # of several versions, none of which is the model version
        ("outlook", AFTER, False),
        ("published_lists", BEFORE, True),
        ("published_lists", DAY, False),  # the list of an earlier try
        ("published_lists", AFTER, False),
    ],
)
def test_what_was_fed_back_counts_if_the_day_reads_it(
    table: str, day: date, counts: bool, lake: Lake, inputs: Callable[[], str]
) -> None:
    before = inputs()
    feed(lake, table, day, 0.6)
    assert (inputs() != before) is counts


@pytest.mark.parametrize("table", FED_BACK)
def test_the_same_rows_again_change_nothing(
    table: str, lake: Lake, inputs: Callable[[], str]
) -> None:
    before = inputs()
    for day in (BEFORE, DAY):
        feed(lake, table, day, 0.5)
    assert inputs() == before
