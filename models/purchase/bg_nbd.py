"""BG/NBD: how often a customer buys and whether they still do, from three numbers per customer.

Fader, Hardie and Lee (2005), "Counting Your Customers the Easy Way", Marketing Science 24(2).
While alive a customer buys at a Poisson rate that is gamma distributed over customers (r, alpha);
after each purchase they leave with a probability that is beta distributed (a, b). What is known
of a customer is the number of repeat purchases x, the time t_x of the last one, and the age T,
both counted from the first purchase. Why not a library: docs/adr/0003-own-bg-nbd.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from models.frame.features import FloatArray
from models.purchase.histories import (
    distinct_histories,
    distinct_pairs,
    greatest_likelihood,
    purchase_history,
)

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
