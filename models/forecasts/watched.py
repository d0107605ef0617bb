"""What is watched of forecasts once they are published, and what a version promised of them.

How far the level of a return was off, its calibration knows of several snapshots. The share that
orders and the total profit were judged once, in the test: that error is what is known of theirs.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.evaluation.probabilities import LEVEL_ERROR
from models.forecasts import next_order, profit, returning
from models.forecasts.forecast import Forecast
from models.monitoring.performance import level_error
from models.monitoring.predictions import Amount, Event, Interval, Prediction, Promise
from models.probability.calibration import Calibration

RETURNED: Final = "returned_share"
ORDERED: Final = "ordered_share"
COVERAGE: Final = "coverage_80"
TOTAL: Final = "profit_total"
# The log-loss of a next order is that of its stretch of days: of the share it would be another one.
FORECASTS: Final[tuple[Prediction, ...]] = (
    Event(
        kind=returning.KIND,
        batch="outlook",
        value="return_probability",
        version="return_model_version",
        metrics=("auc", "log_loss", "brier", RETURNED),
        horizon="return_within_days",
        share=RETURNED,
    ),
    Event(
        kind=next_order.KIND,
        batch="outlook",
        value="order_probability",
        version="next_order_model_version",
        metrics=("auc", "brier", ORDERED, COVERAGE),
        horizon="order_within_days",
        share=ORDERED,
        interval=Interval(
            COVERAGE, next_order.COVERAGE, "next_order_days_10", "next_order_days_90"
        ),
    ),
    Amount(
        kind=profit.KIND,
        batch="outlook",
        value="expected_profit_12m",
        version="profit_model_version",
        metrics=("mae", "mae_of_typical", "spearman", TOTAL),
        always_days=profit.YEAR_DAYS,
        typical="typical_profit_12m",
        total=TOTAL,
    ),
)


def promise(forecast: Forecast) -> Promise:
    """What the version says of its forecasts.

    A profit that was learnt for fewer days than a year is carried to one: nothing is known of how
    good that is.
    """
    if forecast.kind == profit.KIND and forecast.horizon_days != profit.YEAR_DAYS:
        return Promise()
    tested = forecast.card.metrics.get(forecast.card.served_role or "", {})
    values = {metric: figure[0] for metric, figure in tested.items() if figure[0] is not None}
    if "calibration" in forecast.numbers:
        calibration = Calibration.from_json(forecast.numbers["calibration"])
        return Promise(tested, level_error=level_error(calibration))
    errors: dict[str, float] = {}
    if LEVEL_ERROR in values:
        errors[ORDERED] = values[LEVEL_ERROR]
    if COVERAGE in values:
        errors[COVERAGE] = abs(values[COVERAGE] - next_order.COVERAGE)
    if "total_ratio" in values:
        errors[TOTAL] = abs(float(np.log(values["total_ratio"])))
    return Promise(tested, errors)
