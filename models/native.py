"""The libraries with threads of their own: imported late, and told to wait without spinning.

Late, because they take seconds and most users of the room do not train. Without spinning, because
the threads of XGBoost meet after every tree level, and on a busy machine spinning ones starve each
other: 109 s against 21 s for one training with two threads at a load of ten. Both libraries share
one OpenMP runtime, which reads its policy when the first of them is loaded: so the policy is set in
the environment by whoever starts the process (pipelines/settings.py), and not here.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.frame.features import BoolArray, FeatureMatrix, FloatArray


def xgboost() -> ModuleType:
    """XGBoost."""
    import xgboost as module  # noqa: PLC0415

    return module


def tree_input(
    matrix: FeatureMatrix,
    threads: int,
    target: FloatArray | BoolArray | None = None,
    start: FloatArray | None = None,
) -> Any:
    """XGBoost's own matrix; codes stay categories, NaN stays missing.

    Args:
        matrix: one row per row, in the order of the trees' features.
        threads: that read it.
        target: what is learnt; None where the trees are asked for the leaves that rows reach.
        start: what the trees correct.
    """
    return xgboost().DMatrix(
        matrix.values,
        target,
        base_margin=start,
        feature_names=list(matrix.names),
        feature_types=["c" if each.kind == "category" else "q" for each in matrix.features],
        enable_categorical=True,
        nthread=threads,
    )


def tree_margin(booster: Any, matrix: FeatureMatrix, start: FloatArray | None) -> FloatArray:
    """The sum of the trees for each row on top of `start`, float32.

    As `predict` of a `tree_input` says, to the bit, but read where the rows lie: to copy them into
    XGBoost's own matrix takes almost as long as to walk the trees.
    """
    margin: FloatArray = booster.inplace_predict(
        matrix.values, predict_type="margin", base_margin=start
    )
    return margin


def logistic_regression(**options: Any) -> Any:
    """Scikit-learn's logistic regression, not yet fitted."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    return LogisticRegression(**options)


def thread_limit(threads: int) -> Any:
    """A context in which BLAS, and XGBoost and scikit-learn by OpenMP, use so many threads.

    Only what is loaded can be limited: so both are loaded here, if they were not yet.
    """
    xgboost()
    logistic_regression()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    return threadpool_limits(threads)
