"""What the purchase model and the spending model say of every customer of a day.

Both need histories and no outcome: they are fitted on all customers as they stand on one day, so
the day of a forecast may be that day itself. The forecasts of profit and of the next order start
from this view and learn where it errs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import TooLittleDataError
from models.frame.features import (
    AVERAGE_PROFIT,
    ORDER_DAYS,
    REPEAT_PROFIT,
    Feature,
    FeatureMatrix,
    FloatArray,
)
from models.purchase.gamma_gamma import GammaGamma
from models.purchase.histories import histories
from models.purchase.pareto_nbd import ParetoNbd

# Customers beyond which a fit takes longer, and what is expected in all moves by a percent or two:
# with a third of them it moved by a tenth on a short past, whose parameters hardly show.
ENOUGH_HISTORIES = 12_000
VIEW = tuple(
    Feature(name, "number")
    for name in ("view_alive", "view_orders", "view_silent", "view_order_profit", "view_profit")
)
# Below this a forecast is nothing, and its logarithm would outweigh all others (home currency).
LEAST_PROFIT = 1e-3
# Probability of an order below which it is the rounding of its complement.
LEAST_IN_TIME = 1e-6


@dataclass(frozen=True)
class PurchaseView:
    """Pareto/NBD and Gamma-Gamma, fitted on the customers of one day.

    The spending model reads every order day, the first one too, which Fader and Hardie leave out:
    most customers of a young company have no other. On CDNOW and Online Retail the smaller error
    and the better ranking of 6 or 12 months ahead are its own on every day that
    `python -m benchmarks.forecasts` looks back to.

    Attributes:
        purchases: who orders, and when; it needs no profit.
        gamma_gamma: what an order earns; None where none has earned anything, and whatever is
            told in profit is then refused.
    """

    purchases: ParetoNbd
    gamma_gamma: GammaGamma | None

    @classmethod
    def fit(cls, matrix: FeatureMatrix) -> PurchaseView:
        """Fit both on the histories of all customers of one snapshot, the churned included.

        Raises:
            ValueError: when there is no usable history.
        """
        few = matrix.rows(slice(None, None, max(1, -(-len(matrix) // ENOUGH_HISTORIES))))
        samples = _first_and_repeats(few)
        has_earned = bool(np.any((samples[0] > 0) & (samples[1] > 0)))
        return cls(ParetoNbd.fit(*histories(few)), GammaGamma.fit(*samples) if has_earned else None)

    def spending(self) -> GammaGamma:
        """The spending model.

        Raises:
            TooLittleDataError: when no order had earned anything by the day of the view.
        """
        if self.gamma_gamma is None:
            raise TooLittleDataError("no order has earned anything, so none tells what one earns")
        return self.gamma_gamma

    def order_profit(self, matrix: FeatureMatrix) -> FloatArray:
        """Expected profit of one more order day (home currency).

        Raises:
            TooLittleDataError: as `spending`; so do all that are told in profit.
        """
        return self.spending().expected_value(
            matrix.column(ORDER_DAYS), matrix.column(AVERAGE_PROFIT)
        )

    def profit(self, matrix: FeatureMatrix, horizon: float) -> FloatArray:
        """Expected profit of the next `horizon` days (home currency), above 0."""
        orders = self.purchases.expected_orders(*histories(matrix), horizon)
        expected: FloatArray = np.maximum(orders * self.order_profit(matrix), LEAST_PROFIT)
        return expected

    def profit_of_keeping(
        self, matrix: FeatureMatrix, order_days: float, horizon: float
    ) -> FloatArray:
        """How much more an order within `order_days` lets expect of the next `horizon` days.

        That is what customers who order in time earn on average, less what they earn who do not,
        and of whom some come back (home currency). The latter is the same history watched so much
        longer, and what is left of the horizon; the former follows by total expectation, so that
        the difference is (profit - profit of the silent) / P(an order in time).
        """
        days, recency, tenure = histories(matrix)
        orders = self.purchases.expected_orders(days, recency, tenure, horizon)
        orders_of_silent = self.purchases.expected_orders(
            days, recency + order_days, tenure + order_days, horizon - order_days
        )
        in_time = 1 - self.purchases.probability_silent(days, recency, tenure, order_days)
        more = (orders - orders_of_silent) / np.maximum(in_time, LEAST_IN_TIME)
        kept: FloatArray = more * self.order_profit(matrix)
        return kept

    def ordered_by(self, matrix: FeatureMatrix, days: FloatArray) -> FloatArray:
        """Probability of an order within each number of days: customers x days."""
        ordered: FloatArray = 1 - self.purchases.curve_silent(*histories(matrix), days)
        return ordered

    def widen(self, matrix: FeatureMatrix, horizon: float) -> FeatureMatrix:
        """The features with the view of the next `horizon` days beside them, NaN if unknown."""
        history = histories(matrix)
        alive, silent = self.purchases.outlook(*history, horizon)
        orders = self.purchases.expected_orders(*history, horizon)
        order_profit = (
            self.order_profit(matrix) if self.gamma_gamma else np.full(len(matrix), np.nan)
        )
        view = (
            alive,
            orders,
            silent,
            order_profit,
            np.maximum(orders * order_profit, LEAST_PROFIT),
        )
        return matrix.beside(VIEW, np.column_stack(view))

    def to_json(self) -> dict[str, Any]:
        """The parameters of both."""
        return {
            "pareto_nbd": self.purchases.to_json(),
            "gamma_gamma": self.gamma_gamma.to_json() if self.gamma_gamma else None,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PurchaseView:
        """Read both back."""
        spending = stored["gamma_gamma"]
        return cls(
            ParetoNbd.from_json(stored["pareto_nbd"]),
            GammaGamma.from_json(spending) if spending else None,
        )


def _first_and_repeats(matrix: FeatureMatrix) -> tuple[FloatArray, FloatArray]:
    """Order days and their mean profit (home currency), each of shape (customers, 2)."""
    days, mean = matrix.column(ORDER_DAYS), matrix.column(AVERAGE_PROFIT)
    repeats = days - 1
    mean_of_repeats = np.where(repeats > 0, matrix.column(REPEAT_PROFIT), 0.0)
    first = days * mean - repeats * mean_of_repeats
    return (
        np.column_stack([np.minimum(days, 1), repeats]),
        np.column_stack([first, mean_of_repeats]),
    )
