"""What the purchase models are fitted on, and the search for parameters that they share.

A history is three numbers of a customer: order days, recency and tenure as the features have them,
or x, t_x and T as the papers do (`purchase_history`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize

from models.frame.features import ORDER_DAYS, RECENCY, TENURE, FeatureMatrix, FloatArray

# Log parameters stay within e^-9 .. e^9 of the scaled problem: data without repeat purchases has
# no maximum, and the likelihood would walk there for ever.
LOG_BOUND = 9.0
# With fewer customers, fewer who ordered again, or fewer days on record, a purchase model that no
# past window has judged would tell of chance: from eight weeks on it is better than the rule on all
# that `benchmarks.cold_start` looks at; after four, 12-month profit is off by any factor.
LEAST_CUSTOMERS, LEAST_REPEATERS, LEAST_DAYS = 300, 30, 56


def histories(matrix: FeatureMatrix) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Order days, recency and tenure, as BG/NBD takes them."""
    return matrix.column(ORDER_DAYS), matrix.column(RECENCY), matrix.column(TENURE)


def are_enough(order_days: FloatArray, recency: FloatArray, tenure: FloatArray) -> bool:
    """Whether a purchase model of these histories may speak without having been judged."""
    known = np.isfinite(order_days) & np.isfinite(recency) & np.isfinite(tenure)
    return (
        int(known.sum()) >= LEAST_CUSTOMERS
        and int((order_days[known] > 1).sum()) >= LEAST_REPEATERS
        and float(tenure[known].max()) >= LEAST_DAYS
    )


def greatest_likelihood(
    log_likelihood: Callable[[FloatArray, FloatArray, FloatArray, FloatArray], FloatArray],
    histories: tuple[FloatArray, FloatArray, FloatArray],
    weights: FloatArray,
    options: Mapping[str, float],
) -> tuple[list[float], float]:
    """The four parameters of a purchase model at its greatest likelihood, time in units of a scale.

    Args:
        log_likelihood: of each history, from the parameters' logarithms, x, t_x and T.
        histories: x, t_x and T.
        weights: share of each history.
        options: of L-BFGS-B.

    Returns:
        The parameters, and the days that one unit of their time is.
    """
    x, t_x, age = histories
    scale = max(float(weights @ age), 1.0)

    def loss(log_parameters: FloatArray) -> float:
        return -float(weights @ log_likelihood(log_parameters, x, t_x / scale, age / scale))

    found = optimize.minimize(
        loss,
        np.zeros(4),
        method="L-BFGS-B",
        bounds=[(-LOG_BOUND, LOG_BOUND)] * 4,
        options=dict(options),
    )
    return [float(each) for each in np.exp(found.x)], scale


def distinct_histories(
    order_days: FloatArray, recency: FloatArray, tenure: FloatArray, most: int
) -> tuple[tuple[FloatArray, FloatArray, FloatArray], FloatArray]:
    """x, t_x and T of the distinct histories, at most so many, and the share of each.

    Raises:
        ValueError: when no customer has a usable history.
    """
    x, t_x, age = purchase_history(order_days, recency, tenure)
    usable = np.isfinite(x)
    if not usable.any():
        raise ValueError("expected at least one customer with order, recency and tenure days")
    histories, counts = np.unique(
        np.column_stack([x[usable], t_x[usable], age[usable]]), axis=0, return_counts=True
    )
    step = -(-len(histories) // most)
    kept = counts[::step]
    x, t_x, age = histories[::step].T
    return (x, t_x, age), kept / kept.sum()


def distinct_pairs(
    first: FloatArray, second: FloatArray
) -> tuple[tuple[FloatArray, FloatArray], npt.NDArray[np.intp]]:
    """The different pairs of two columns, and for each row the position of its own; NaN is one."""
    at, first_values = pd.factorize(first, use_na_sentinel=False)
    within, second_values = pd.factorize(second, use_na_sentinel=False)
    of_pair, pairs = pd.factorize(at * len(second_values) + within)
    at, within = np.divmod(pairs, max(len(second_values), 1))
    return (first_values[at], second_values[within]), of_pair


def purchase_history(
    order_days: FloatArray, recency: FloatArray, tenure: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x, t_x and T; all NaN where the three numbers do not describe a history."""
    x, t_x, age = order_days - 1.0, tenure - recency, tenure * 1.0
    valid = (x >= 0) & (recency >= 0) & (t_x >= 0)
    # A first purchase is not a repeat: without repeats the last purchase is at time zero.
    t_x = np.where(x == 0, 0.0, t_x)
    return tuple(np.where(valid, each, np.nan) for each in (x, t_x, age))  # type: ignore[return-value]
