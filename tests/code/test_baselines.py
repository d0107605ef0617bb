"""The baselines: monotone in silence, equal to scikit-learn where they should be, and JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from models.churn.baselines import (
    LOGISTIC_C,
    Logistic,
    ParetoPurchaseModel,
    PurchaseModel,
    Recency,
    Rule,
)
from models.frame.features import FeatureMatrix, FeatureSchema
from models.native import logistic_regression
from models.probability.predictors import Predictor, probability_of
from models.purchase.bg_nbd import BgNbd
from models.purchase.pareto_nbd import ParetoNbd


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 2_000
    recency = rng.integers(0, 200, n)
    return pd.DataFrame(
        {
            "snapshot_on": pd.Timestamp("2025-01-31"),
            "customer_id": [str(each) for each in range(n)],
            "order_days": rng.integers(1, 12, n),
            "recency_days": recency,
            "tenure_days": recency + rng.integers(0, 500, n),
            "expected_interval_days": rng.integers(7, 120, n),
            "overdue_ratio": rng.random(n) * 3,
            "spent": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(3, 2, n)),
            "region": rng.choice(["north", "south", "rare"], n, p=[0.6, 0.397, 0.003]),
        }
    )


@pytest.fixture(scope="module")
def matrix(frame: pd.DataFrame) -> FeatureMatrix:
    return FeatureSchema.of(frame).encode(frame)


@pytest.fixture(scope="module")
def churned(frame: pd.DataFrame) -> np.ndarray:
    chance = 0.2 + 0.6 * frame["recency_days"] / 200 - 0.1 * (frame["region"] == "north")
    return np.random.default_rng(1).random(len(frame)) < chance.to_numpy()


def _with(frame: pd.DataFrame, **columns: object) -> FeatureMatrix:
    changed = frame.assign(**columns)
    return FeatureSchema.of(frame).encode(changed)


def _fitted(role: str, matrix: FeatureMatrix, churned: np.ndarray) -> Predictor:
    made: dict[str, Predictor] = {
        "recency": Recency.fit(matrix, churned),
        "logistic": Logistic.fit(matrix, churned),
        "bg_nbd": PurchaseModel(BgNbd(0.5, 40.0, 0.8, 2.5), 90),
        "pareto_nbd": ParetoPurchaseModel(ParetoNbd(0.6, 70.0, 0.6, 80.0), 90),
        "rule": Rule(90),
    }
    return made[role]


def test_recency_rises_with_silence_and_never_ties(
    frame: pd.DataFrame, matrix: FeatureMatrix, churned: np.ndarray
):
    fitted = Recency.fit(matrix, churned)
    silence = np.arange(len(frame)) % 400
    margin = fitted.margin(_with(frame, recency_days=silence))[:400]
    assert (np.diff(margin) > 0).all()
    rate = probability_of(fitted.margin(matrix)).mean()
    assert rate == pytest.approx(churned.mean(), abs=0.02)


def test_logistic_is_scikit_learn_on_the_same_design(
    frame: pd.DataFrame, matrix: FeatureMatrix, churned: np.ndarray
):
    fitted = Logistic.fit(matrix, churned)
    design = np.column_stack([term.standard(matrix.column(term.feature)) for term in fitted.terms])
    reference = logistic_regression(C=LOGISTIC_C, tol=1e-8, max_iter=5_000).fit(design, churned)
    assert fitted.margin(matrix) == pytest.approx(reference.decision_function(design), abs=5e-3)
    kinds = {(term.feature, term.kind) for term in fitted.terms}
    assert {("spent", "value"), ("spent", "missing"), ("region", "code")} <= kinds
    assert ("order_days", "missing") not in kinds
    codes = [term.code for term in fitted.terms if term.kind == "code"]
    assert len(codes) == 2  # the rare region has too few rows for a weight of its own


def test_the_rule_halves_hope_with_each_interval_missed(frame: pd.DataFrame):
    one = frame.head(1)
    rule, hope = Rule(90), []
    for ratio in (0.0, 1.0, 2.0):
        changed = _with(one, overdue_ratio=ratio, expected_interval_days=30)
        hope.append(1 - probability_of(rule.margin(changed))[0])
    assert hope[0] == pytest.approx(1 - np.exp(-3))
    assert hope[1] == pytest.approx(hope[0] / 2)
    assert hope[2] == pytest.approx(hope[0] / 4)


def test_the_rule_knows_nothing_of_a_customer_without_rhythm(frame: pd.DataFrame):
    unknown = _with(
        frame.head(2), overdue_ratio=np.nan, recency_days=np.nan, expected_interval_days=np.nan
    )
    assert probability_of(Rule(90).margin(unknown)) == pytest.approx(0.5)


@pytest.mark.parametrize("role", ["recency", "logistic", "bg_nbd", "pareto_nbd", "rule"])
def test_every_baseline_comes_back_from_json_and_explains_itself(
    role: str, matrix: FeatureMatrix, churned: np.ndarray
):
    fitted = _fitted(role, matrix, churned)
    stored = json.loads(json.dumps(fitted.to_json()))
    again = type(fitted).from_json(stored)  # type: ignore[attr-defined]
    assert np.array_equal(again.margin(matrix), fitted.margin(matrix))
    margin, shares = fitted.explained(matrix)
    assert np.array_equal(margin, fitted.margin(matrix))
    assert shares.values.shape == (len(matrix), len(shares.names))
    rest = margin - shares.values.sum(axis=1)
    assert np.ptp(rest) < 1e-3
