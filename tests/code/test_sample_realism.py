"""The sample company orders like real customers do, and like the published figures say.

The ranges below are those of the real files, made by

    python benchmarks/realism.py ../shared/data/cdnow_master.parquet \
        ../shared/data/online_retail_ii_to_2011_05.parquet

on 2026-11-22: CDNOW (to 1998-06-30) repeat 0.4899, variation 1.2722, quantile ratio 5.8824, AUC
0.8276 0.8136 0.8027; Online Retail II (to 2011-05-31) 0.6720, 1.1924, 4.2667, 0.7318 0.7210 0.7159.
Both cover 18 months, and all four figures grow with the time covered, so the sample is measured on
its last 18 months as well.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pipelines.sources.sample.customers import make_customers
from pipelines.sources.sample.lives import lives
from pipelines.sources.sample.parameters import Scale
from pipelines.sources.sample.timeline import purchases
from pipelines.sources.sample.world import make_world

REPEAT_SHARE = (0.4899, 0.6720)
GAP_VARIATION = (1.1924, 1.2722)
GAP_QUANTILE_RATIO = (4.2667, 5.8824)
RECENCY_AUC = (0.7159, 0.8276)
COVERED_DAYS = 546  # 18 months

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "realism.py"


@pytest.fixture(scope="module")
def realism() -> ModuleType:
    spec = importlib.util.spec_from_file_location("realism", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def figures(realism: ModuleType):
    world = make_world(Scale())
    numbers = np.arange(world.scale.customers)
    bought = purchases(world.calendar, lives(world, 0, make_customers(world, 0, numbers)))
    day = np.floor(bought.day).astype(np.int64)
    recent = day >= world.calendar.days - COVERED_DAYS
    return realism.describe(day[recent], bought.customer[recent])


def test_as_many_buy_again_as_in_real_files(figures):
    assert REPEAT_SHARE[0] <= figures.repeat_share <= REPEAT_SHARE[1]


def test_gaps_spread_as_in_real_files(figures):
    assert GAP_VARIATION[0] <= figures.gap_variation <= GAP_VARIATION[1]
    assert GAP_QUANTILE_RATIO[0] <= figures.gap_quantile_ratio <= GAP_QUANTILE_RATIO[1]


def test_recency_alone_predicts_as_well_as_in_real_files(figures):
    assert len(figures.recency_auc) == 3
    for auc in figures.recency_auc:
        assert RECENCY_AUC[0] <= auc <= RECENCY_AUC[1]


def test_the_ranges_are_those_of_the_real_files(realism: ModuleType, real_data: Path):
    files = [real_data / f"{name}.parquet" for name in realism.PURCHASES]
    found = [realism.describe(*realism.purchases_of(path)) for path in files]

    def span(values):
        return pytest.approx((min(values), max(values)), abs=5e-5)

    assert span([f.repeat_share for f in found]) == REPEAT_SHARE
    assert span([f.gap_variation for f in found]) == GAP_VARIATION
    assert span([f.gap_quantile_ratio for f in found]) == GAP_QUANTILE_RATIO
    assert span([auc for f in found for auc in f.recency_auc]) == RECENCY_AUC


def test_metronomes_are_told_from_real_customers(realism):
    """The other verdict: customers who all buy every thirty days pass none of the ranges."""
    customer = np.repeat(np.arange(500), 18)
    day = np.tile(np.arange(18) * 30, 500)
    figures = realism.describe(day, customer)
    assert figures.repeat_share > REPEAT_SHARE[1]
    assert figures.gap_variation < GAP_VARIATION[0]
    assert figures.gap_quantile_ratio < GAP_QUANTILE_RATIO[0]


def test_recency_auc_on_a_case_counted_by_hand(realism):
    # Cutoff 100. Last seen 10, 50, 90 days before; only the last comes back; one pair tied.
    customer = np.array([1, 2, 3, 3, 4])
    day = np.array([90, 50, 10, 120, 10])
    # Customer 3 (90 days) returns; the others (10, 50, 90 days) do not: ranks 1 2 3.5 3.5.
    expected = (0 + 0 + 0.5) / 3
    assert realism.recency_auc(day, customer, 100) == pytest.approx(expected)
