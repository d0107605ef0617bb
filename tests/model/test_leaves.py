"""What leaves say: the same as XGBoost walking every row, to the last bit of the log odds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.churn import model
from models.churn.training import TrainingResult
from models.churn.trees import ChurnTrees
from models.frame.features import Feature, FeatureMatrix
from models.native import tree_margin, xgboost
from models.trees.leaves import Leaves, add_up
from models.trees.tree_file import sound_trees

ROWS, FEATURES = 400, 5
ROLES = ("trees", "logistic", "pareto_nbd", "bg_nbd", "recency")


def test_churn_is_explained_as_it_is_predicted(trained: TrainingResult, today: pd.DataFrame):
    trees = trained.model.predictors["trees"]
    assert isinstance(trees, ChurnTrees)
    matrix = trained.model.schema.encode(today)
    margin, contributions = trees.explained(matrix)
    assert np.array_equal(margin, trees.margin(matrix))
    # All that tells a customer from the average is somebody's contribution.
    assert np.ptp(margin - contributions.values.sum(axis=1)) < 1e-4


def test_a_probability_does_not_depend_on_the_rows_beside_it(
    trained: TrainingResult, today: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    matrix, snapshots = trained.model.schema.encode(today), today["snapshot_on"].to_numpy()
    at_once = {role: trained.model.probability(matrix, snapshots, role) for role in ROLES}
    monkeypatch.setattr(model, "CHUNK_ROWS", 7)
    for role, probability in at_once.items():
        assert np.array_equal(trained.model.probability(matrix, snapshots, role), probability)
    assert trained.model.probability(matrix.rows(slice(0)), snapshots[:0], "trees").size == 0


@pytest.mark.parametrize("depth", [0, 1, 3, 6])
def test_agrees_with_xgboost_on_codes_and_gaps(depth: int):
    """Depth 0 is no limit here: trees of a single leaf up to the deepest that the data allow."""
    rng = np.random.default_rng(depth)
    values = rng.normal(size=(ROWS, FEATURES)).astype(np.float32) ** 3
    values[:, 3] = rng.integers(0, 12, ROWS)  # by partition
    values[:, 4] = rng.integers(0, 3, ROWS)  # one against the rest
    values[rng.random(values.shape) < 0.2] = np.nan
    label = (np.nan_to_num(values[:, 0]) * (values[:, 3] < 5) + rng.normal(size=ROWS) > 0.3) * 1.0
    start = rng.normal(size=ROWS)
    data = xgboost().DMatrix(
        values,
        label,
        base_margin=start,
        feature_types=["q", "q", "q", "c", "c"],
        enable_categorical=True,
    )
    booster = xgboost().train(
        {
            "objective": "binary:logistic",
            "max_depth": depth,
            "gamma": 2.0,
            "max_cat_to_onehot": 4,
            "nthread": 1,
            "verbosity": 0,
        },
        data,
        num_boost_round=20,
    )
    trees = [
        Leaves.of(tree) for tree in sound_trees(bytes(booster.save_raw("ubj")), features=FEATURES)
    ]

    margin, contributions = add_up(trees, booster.predict(data, pred_leaf=True), start, FEATURES)

    predicted = booster.predict(data, output_margin=True)
    assert np.array_equal(margin, predicted)
    kinds = ["number"] * 3 + ["category"] * 2
    matrix = FeatureMatrix(tuple(map(Feature, map(str, range(FEATURES)), kinds)), values)
    for rows in (matrix, FeatureMatrix(matrix.features, np.asfortranarray(values))):
        assert np.array_equal(tree_margin(booster, rows, start), predicted)
    assert np.array_equal(
        tree_margin(booster, matrix.rows(slice(7, 90)), start[7:90]), predicted[7:90]
    )
    walked = booster.predict(data, pred_contribs=True, approx_contribs=True)[:, :-1]
    assert np.abs(walked).max() > 0.1
    assert np.allclose(contributions.T, walked, atol=1e-5)
