"""BG/NBD: how often a customer buys and whether they still do, from three numbers per customer.

Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2).
While alive a customer buys at a Poisson rate that is gamma distributed over customers (r, alpha);
after each purchase they leave with a probability that is beta distributed (a, b). What is known
of a customer is the number of repeat purchases x, the time t_x of the last one, and the age T,
both counted from the first purchase. Why not a library: docs/adr/0003-own-bg-nbd.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize, special

from models.features import FloatArray

# Log parameters stay within e^-9 .. e^9 of the scaled problem: data without repeat purchases has
# no maximum, and the likelihood would walk there for ever.
LOG_BOUND = 9.0
# Distinct histories beyond this add minutes and no digits.
MAX_HISTORIES = 25_000
QUADRATURE_NODES = 64


@dataclass(frozen=True)
class BgNbd:
    """A fitted BG/NBD; `alpha` is in days, the other parameters have no unit.

    All methods take arrays of order days (first one included), recency and tenure in days, and
    give NaN where one of these is not known.
    """

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, order_days: FloatArray, recency: FloatArray, tenure: FloatArray) -> BgNbd:
        """Find the parameters of greatest likelihood; identical histories are counted once.

        Raises:
            ValueError: when no customer has a usable history.
        """
        histories = distinct_histories(order_days, recency, tenure, MAX_HISTORIES)
        options = {"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1_000, "maxfun": 10_000}
        (r, alpha, a, b), scale = greatest_likelihood(_log_likelihood, *histories, options)
        return cls(r, alpha * scale, a, b)

    def probability_alive(
        self, order_days: FloatArray, recency: FloatArray, tenure: FloatArray
    ) -> FloatArray:
        """P(alive at T); a customer with a single purchase is alive by the model's assumption."""
        x, t_x, age = purchase_history(order_days, recency, tenure)
        log_odds_left = (
            np.log(self.a)
            - np.log(self.b + np.maximum(x, 1) - 1)
            + (self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + t_x))
        )
        return np.where(x > 0, special.expit(-log_odds_left), np.where(np.isnan(x), np.nan, 1.0))

    def probability_silent(
        self,
        order_days: FloatArray,
        recency: FloatArray,
        tenure: FloatArray,
        horizon: float | FloatArray,
    ) -> FloatArray:
        """P(no purchase within `horizon` days): left already, or alive and not buying.

        Who does not buy cannot leave, so given alive this is the gamma mixture of exp(-rate h).
        """
        x, _, age = purchase_history(order_days, recency, tenure)
        alive = self.probability_alive(order_days, recency, tenure)
        buys = -np.expm1(
            (self.r + x) * (np.log(self.alpha + age) - np.log(self.alpha + age + horizon))
        )
        silent: FloatArray = 1 - alive * buys
        return silent

    def expected_orders(
        self, order_days: FloatArray, recency: FloatArray, tenure: FloatArray, horizon: float
    ) -> FloatArray:
        """Expected purchases within `horizon` days.

        Given alive, the rate is Gamma(r + x, alpha + T) and the dropout Beta(a, b + x); the mean
        over the latter is a quadrature at its quantiles. The closed form with the hypergeometric
        function overflows for customers with thousands of purchases; this one does not.
        """
        x, _, age = purchase_history(order_days, recency, tenure)
        alive = self.probability_alive(order_days, recency, tenure)
        # When the last purchase was matters to being alive alone: far fewer pairs than customers.
        pairs, of_pair = distinct_pairs(x, age)
        expected: FloatArray = alive * self._orders_if_alive(*pairs, horizon)[of_pair]
        return expected

    def _orders_if_alive(self, x: FloatArray, age: FloatArray, horizon: float) -> FloatArray:
        nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
        distinct, inverse = np.unique(x, return_inverse=True)
        dropout = special.betaincinv(self.a, self.b + distinct[:, None], (nodes + 1) / 2)
        dropout = np.maximum(dropout, 1e-12)
        spent = horizon / (self.alpha + age)
        orders = np.zeros(len(x))
        for node, weight in enumerate(weights / 2):
            leave = dropout[inverse, node]
            orders += weight * -np.expm1(-(self.r + x) * np.log1p(leave * spent)) / leave
        return orders

    def to_json(self) -> dict[str, float]:
        """The four parameters."""
        return asdict(self)

    @classmethod
    def from_json(cls, parameters: Mapping[str, float]) -> BgNbd:
        """Read the four parameters back."""
        return cls(**{name: float(parameters[name]) for name in ("r", "alpha", "a", "b")})


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


def _log_likelihood(
    log_parameters: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
) -> FloatArray:
    r, alpha, a, b = np.exp(log_parameters)
    log_age, log_last = np.log(alpha + age), np.log(alpha + t_x)
    still = special.betaln(a, b + x) - (r + x) * log_age
    left = special.betaln(a + 1, b + np.maximum(x, 1) - 1) - (r + x) * log_last
    left = np.where(x > 0, left, -np.inf)
    constant = (
        special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha) - special.betaln(a, b)
    )
    result: FloatArray = constant + np.logaddexp(still, left)
    return result
