"""The forecasts of a day side by side: who returns, when the next order comes, what is earned.

One table of features, one row per customer who ever ordered, three versions that know nothing of
each other. A row does not depend on the rows beside it, so that any chunking gives equal figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from models.forecasts import next_order, profit, returning
from models.forecasts import training as forecast_training
from models.forecasts.forecast import MODEL, Forecast, Snapshots
from models.forecasts.training import Setting
from models.frame.features import CUSTOMER, FloatArray, days

MODULES: Final = (returning, next_order, profit)
KINDS: Final = tuple(module.KIND for module in MODULES)
# Customers, all their snapshots with them, beyond which forecasts learn slower and no better.
ENOUGH_CUSTOMERS = 12_000
# Each customer is a row per stretch of the next order. Chunks of this size use the same memory
# again; larger ones get theirs afresh from the system, which takes as long as the forecast.
CHUNK_ROWS = 12_500
DECIMALS = 6
CENTS = 2
FIGURES: Final = {
    returning.KIND: ("return_probability", "return_within_days"),
    next_order.KIND: (
        "order_probability",
        "order_within_days",
        "next_order_days",
        "next_order_days_10",
        "next_order_days_90",
    ),
    profit.KIND: ("expected_profit_12m", "typical_profit_12m", "kept_profit_12m"),
}
COLUMNS: Final = (
    CUSTOMER,
    *(
        column
        for kind in KINDS
        for column in (*FIGURES[kind], f"{kind}_score_kind", f"{kind}_model_version")
    ),
)


@dataclass(frozen=True)
class Trained:
    """What one training leaves behind.

    Attributes:
        forecasts: a version per kind.
        promoted: the kinds whose version is to be served from now on.
        evaluations: the figures of all.
    """

    forecasts: Mapping[str, Forecast]
    promoted: frozenset[str]
    evaluations: pd.DataFrame


def train(
    frame: pd.DataFrame,
    *,
    as_of: date,
    horizon_days: int,
    seed: int = 0,
    threads: int = 2,
    champions: Mapping[str, Forecast] | None = None,
) -> Trained:
    """Train all forecasts on one frame.

    Args:
        frame: purchase_features with the outcomes of purchase_outcomes beside them (NaN where
            there are none), the snapshot of the day itself among them.
        as_of: the day of the training.
        horizon_days: days within which an order of a churned customer counts as a return.
        seed: of sampling in the trees and of the bootstrap.
        threads: of the native libraries; recorded.
        champions: the versions served so far, by kind.

    Raises:
        FrameError: when the frame does not have the keys or the rhythm columns.
    """
    snapshots = Snapshots.of(frame)
    setting = Setting(as_of, horizon_days, seed, threads)
    before = champions or {}
    trained = [
        forecast_training.train(module.TRAINING, snapshots, setting, before.get(module.KIND))
        for module in MODULES
    ]
    figures = [table for _, table in trained if len(table)]
    return Trained(
        {forecast.kind: forecast for forecast, _ in trained},
        frozenset(
            forecast.kind
            for forecast, _ in trained
            if forecast.kind not in before or before[forecast.kind].gives_way_to(forecast)
        ),
        pd.concat(figures, ignore_index=True) if figures else trained[0][1],
    )


def score(
    forecasts: Mapping[str, Forecast], frame: pd.DataFrame, *, horizon_days: int
) -> pd.DataFrame:
    """The outlook of the customers of a frame.

    Args:
        forecasts: versions by kind; a kind that is not there leaves its columns empty.
        frame: purchase_features, outcomes left out.
        horizon_days: days within which an order tells who was kept.

    Returns:
        One row per row of the frame, with the columns of `COLUMNS`: probabilities, days ahead,
        money in home currency; NaN where a version is a rule or has nothing to say.
        `return_probability` speaks of orders within `return_within_days`, `order_*` and
        `next_order_*` of those within `order_within_days`. `kept_profit_12m` is by how much
        who orders within the horizon is expected to earn more in 12 months than who does not.

    Raises:
        FrameError: when the frame does not have the features of a version.
    """
    starts = range(0, max(len(frame), 1), CHUNK_ROWS)
    return pd.concat(
        [_score(forecasts, frame.iloc[at : at + CHUNK_ROWS], horizon_days) for at in starts],
        ignore_index=True,
    )


def _score(
    forecasts: Mapping[str, Forecast], frame: pd.DataFrame, horizon_days: int
) -> pd.DataFrame:
    text = pd.StringDtype(na_value=np.nan)
    scores: dict[str, object] = {CUSTOMER: frame[CUSTOMER].astype(text).array}
    for kind in KINDS:
        forecast = forecasts.get(kind)
        figures = pd.DataFrame(np.nan, index=range(len(frame)), columns=list(FIGURES[kind]))
        if forecast is not None:
            figures = _figures(forecast, frame, horizon_days)
        for name in FIGURES[kind]:
            scores[name] = figures[name].to_numpy()
        version = forecast.version if forecast else None
        said = "model" if forecast and forecast.serves == MODEL else "baseline"
        known = figures.iloc[:, 0].notna()
        for column, value in (
            (f"{kind}_score_kind", said),
            (f"{kind}_model_version", version),
        ):
            scores[column] = pd.Series(value, index=known.index, dtype=text).where(known).array
    return pd.DataFrame(scores, columns=list(COLUMNS))


def _figures(forecast: Forecast, frame: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    matrix = forecast.schema.encode(frame)
    if forecast.kind == returning.KIND:
        snapshots = days(frame).to_numpy() if len(frame) else np.zeros(0, "datetime64[s]")
        probability = returning.predict(forecast, matrix, snapshots)
        return pd.DataFrame(
            {
                "return_probability": np.round(probability, DECIMALS),
                "return_within_days": _said_for(forecast, probability),
            }
        )
    if forecast.kind == next_order.KIND:
        found = next_order.predict(forecast, matrix)
        return pd.DataFrame(
            {
                "order_probability": found["order_probability"].round(DECIMALS),
                "order_within_days": _said_for(forecast, found["order_probability"].to_numpy()),
                "next_order_days": found["days_50"],
                "next_order_days_10": found["days_10"],
                "next_order_days_90": found["days_90"],
            }
        )
    found = profit.predict(forecast, matrix)
    # The purchase model's own: by what its profit is corrected, that is of customers who hardly
    # ever order again a matter of how many do, not of what those bring who do (docs/adr/0021).
    kept = (
        forecast.view.profit_of_keeping(matrix, horizon_days, profit.YEAR_DAYS)
        if forecast.view
        else np.full(len(matrix), np.nan)
    )
    return pd.DataFrame(
        {
            "expected_profit_12m": found["expected_profit"].round(CENTS),
            "typical_profit_12m": found["typical_profit"].round(CENTS),
            "kept_profit_12m": np.round(kept, CENTS),
        }
    )


def _said_for(forecast: Forecast, probability: FloatArray) -> FloatArray:
    """The days that a probability speaks of; NaN where there is none."""
    return np.where(np.isnan(probability), np.nan, float(forecast.horizon_days))


def made_of(forecast: Forecast) -> dict[str, tuple[str, ...]]:
    """Of which features each column that a version fills is made."""
    return {
        **dict.fromkeys(FIGURES[forecast.kind], forecast.schema.names),
        **dict.fromkeys((f"{forecast.kind}_score_kind", f"{forecast.kind}_model_version"), ()),
    }
