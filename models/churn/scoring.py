"""Scores for a day: the served predictor's probabilities, the purchase model's view, and why.

A row's score does not depend on the rows beside it, so that any chunking gives the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from models.churn.baselines import Rule
from models.churn.drivers import DRIVERS, words
from models.churn.model import CHUNK_ROWS, ChurnModel
from models.frame.features import CUSTOMER, RHYTHM, FeatureMatrix, FloatArray, days
from models.purchase.histories import histories

YEAR_DAYS = 365
# Published figures; the digits beyond are noise of the machine's arithmetic.
DECIMALS = 6
COLUMNS = (
    "customer_id",
    "churn_probability",
    "score_kind",
    "model_version",
    "horizon_days",
    *(f"driver_{rank}" for rank in range(1, DRIVERS + 1)),
    "probability_alive",
    "expected_orders_12m",
)


def made_of(features: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Of which columns of the frame each column of the scores is made.

    Args:
        features: names of the features the model was trained on.
    """
    learnt = dict.fromkeys(
        ("churn_probability", *(f"driver_{rank}" for rank in range(1, DRIVERS + 1))),
        tuple(features),
    )
    purchases = dict.fromkeys(("probability_alive", "expected_orders_12m"), RHYTHM)
    # What kind of model it is, and which, no customer tells.
    return {**dict.fromkeys(COLUMNS, ()), CUSTOMER: (CUSTOMER,), **learnt, **purchases}


def score(
    model: ChurnModel, frame: pd.DataFrame, *, threads: int = 2, chunk_rows: int = CHUNK_ROWS
) -> pd.DataFrame:
    """Score the customers of a frame.

    Args:
        model: a version from training or from the store.
        frame: snapshot_on, customer_id and the features the model was trained on, in any order.
        threads: chunks scored side by side.
        chunk_rows: rows of a chunk.

    Returns:
        One row per row of the frame, in its order, with the columns of `COLUMNS`.
        `churn_probability` is for the model's horizon, `expected_orders_12m` counts order days of
        the next 365 days; both views of the purchase model are NaN where a history is unknown.

    Raises:
        FrameError: when the frame does not have the model's features.
    """
    starts = range(0, max(len(frame), 1), chunk_rows)
    with ThreadPoolExecutor(threads) as pool:
        chunks = pool.map(lambda at: _score(model, frame.iloc[at : at + chunk_rows]), starts)
        return pd.concat(chunks, ignore_index=True)


def _score(model: ChurnModel, frame: pd.DataFrame) -> pd.DataFrame:
    matrix = model.schema.encode(frame)
    probability, contributions = model.explained(matrix, days(frame).to_numpy())
    drivers = words(contributions, frame)
    alive, orders = _purchases(model, matrix)
    text = pd.StringDtype(na_value=np.nan)
    scores = {
        "customer_id": frame[CUSTOMER].astype(text).array,
        "churn_probability": np.round(probability, DECIMALS),
        "score_kind": pd.array([model.score_kind] * len(frame), dtype=text),
        "model_version": pd.array([model.version] * len(frame), dtype=text),
        "horizon_days": pd.Series(model.horizon_days, index=range(len(frame)), dtype="int32"),
        **{f"driver_{at}": pd.array(said, dtype=text) for at, said in enumerate(drivers, start=1)},
        "probability_alive": np.round(alive, DECIMALS),
        "expected_orders_12m": np.round(orders, DECIMALS),
    }
    return pd.DataFrame(scores, columns=list(COLUMNS))


def _purchases(model: ChurnModel, matrix: FeatureMatrix) -> tuple[FloatArray, FloatArray]:
    if model.bg_nbd is not None:
        history = histories(matrix)
        return (
            model.bg_nbd.probability_alive(*history),
            model.bg_nbd.expected_orders(*history, YEAR_DAYS),
        )
    rule = Rule(model.horizon_days)
    return rule.alive(matrix), rule.expected_orders(matrix, YEAR_DAYS)
