"""Pareto/NBD: customers who buy at random until, at a moment of their own, they leave for good.

Schmittlein, Morrison and Colombo (1987), "Counting Your Customers", Management Science 33(1);
the likelihood as in Fader and Hardie (2005), "A Note on Deriving the Pareto/NBD Model". While
alive a customer buys at a Poisson rate that is gamma distributed over customers (r, alpha); the
time until they leave is exponential with a rate that is gamma distributed (s, beta). Unlike
under BG/NBD a customer may leave without having come back, which is why it orders one-time buyers
by their silence too. What is known of a customer is the same: x, t_x and T.

The published likelihood is a difference of hypergeometric functions, which cancels and overflows.
Here it is what it stands for, an integral over the moment of leaving, in the variable
``q = ((alpha + t_x) / (alpha + moment)) ** (r + s + x)``, where the integrand is bounded and
nearly flat: a few Gauss nodes give all digits that matter, for one purchase as for thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy import special

from models.frame.features import FloatArray
from models.purchase.histories import distinct_histories, greatest_likelihood, purchase_history

# Enough for six digits of the log-likelihood (a test).
NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
# Histories beyond this move the parameters by less than their standard errors.
MAX_HISTORIES = 10_000
# A Pareto exponent this close to one has the logarithm as its integral.
NEARLY_ONE = 1e-9


@dataclass(frozen=True)
class ParetoNbd:
    """A fitted Pareto/NBD; `alpha` and `beta` are in days, `r` and `s` have no unit.

    All methods take arrays of order days (first one included), recency and tenure in days, and
    give NaN where one of these is not known.
    """

    r: float
    alpha: float
    s: float
    beta: float

    @classmethod
    def fit(cls, order_days: FloatArray, recency: FloatArray, tenure: FloatArray) -> ParetoNbd:
        """Find the parameters of greatest likelihood; identical histories are counted once.

        Raises:
            ValueError: when no customer has a usable history.
        """

        def log_likelihood(
            log_parameters: FloatArray, x: FloatArray, t_x: FloatArray, age: FloatArray
        ) -> FloatArray:
            return cls(*map(float, np.exp(log_parameters)))._log_likelihood(x, t_x, age)

        histories = distinct_histories(order_days, recency, tenure, MAX_HISTORIES)
        options = {"ftol": 1e-12, "gtol": 1e-7, "maxiter": 500, "maxfun": 5_000}
        (r, alpha, s, beta), scale = greatest_likelihood(log_likelihood, *histories, options)
        return cls(r, alpha * scale, s, beta * scale)

    def log_likelihood(
        self, order_days: FloatArray, recency: FloatArray, tenure: FloatArray
    ) -> FloatArray:
        """Log-likelihood of each history."""
        return self._log_likelihood(*purchase_history(order_days, recency, tenure))

    def outlook(
        self,
        order_days: FloatArray,
        recency: FloatArray,
        tenure: FloatArray,
        horizon: float | FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """P(alive at T), and P(no purchase within `horizon` days).

        The latter is the likelihood of the same history watched so much longer, over its own.
        """
        x, t_x, age = purchase_history(order_days, recency, tenure)
        alive, left = self._paths(x, t_x, age)
        with np.errstate(invalid="ignore"):  # unknown histories stay NaN
            now = np.logaddexp(alive, left)
            then = np.logaddexp(*self._paths(x, t_x, age + horizon))
        silent = np.exp(np.minimum(then - now, 0.0))
        return special.expit(alive - left), silent

    def probability_alive(
        self, order_days: FloatArray, recency: FloatArray, tenure: FloatArray
    ) -> FloatArray:
        """P(alive at T)."""
        alive, left = self._paths(*purchase_history(order_days, recency, tenure))
        probability: FloatArray = special.expit(alive - left)
        return probability

    def probability_silent(
        self,
        order_days: FloatArray,
        recency: FloatArray,
        tenure: FloatArray,
        horizon: float | FloatArray,
    ) -> FloatArray:
        """P(no purchase within `horizon` days): left already, or not buying, or leaving."""
        return self.outlook(order_days, recency, tenure, horizon)[1]

    def curve_silent(
        self,
        order_days: FloatArray,
        recency: FloatArray,
        tenure: FloatArray,
        horizons: FloatArray,
    ) -> FloatArray:
        """`probability_silent` of several horizons: customers x horizons."""
        x, t_x, age = purchase_history(order_days, recency, tenure)
        with np.errstate(invalid="ignore"):  # unknown histories stay NaN
            now = np.logaddexp(*self._paths(x, t_x, age))
            then = [np.logaddexp(*self._paths(x, t_x, age + each)) for each in horizons]
        silent: FloatArray = np.exp(np.minimum(np.column_stack(then) - now[:, None], 0.0))
        return silent

    def expected_orders(
        self, order_days: FloatArray, recency: FloatArray, tenure: FloatArray, horizon: float
    ) -> FloatArray:
        """Expected purchases within `horizon` days."""
        x, _, age = purchase_history(order_days, recency, tenure)
        alive = self.probability_alive(order_days, recency, tenure)
        growth = np.log1p(horizon / (self.beta + age))
        exponent = self.s - 1
        stays = growth if abs(exponent) < NEARLY_ONE else -np.expm1(-exponent * growth) / exponent
        expected: FloatArray = alive * (self.r + x) / (self.alpha + age) * (self.beta + age) * stays
        return expected

    def _paths(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Log-likelihood, but for a common constant, of still being there and of having left."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        k = r + x
        log_last = np.log(alpha + t_x)
        log_ratio = (k + s) * (log_last - np.log(alpha + age))
        alive = -k * np.log(alpha + age) - s * np.log1p(age / beta)
        # Nodes at the squares: they crowd where the latest moments are, and the integrand bends.
        latest = np.exp(log_ratio / 2)[:, None]
        root = latest + (1 - latest) * ((NODES + 1) / 2)
        shrunk = (beta - alpha) / (alpha + t_x)[:, None] * root ** (2 / (k + s))[:, None]
        weights = WEIGHTS * root / (1 + latest)
        mean = (np.exp(-(s + 1) * np.log1p(shrunk)) * weights).sum(axis=1)
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # nobody can have left between t_x and T where T = t_x
            left = (
                np.log(s / (k + s)) + s * np.log(beta) - (k + s) * log_last
                + np.log(-np.expm1(log_ratio)) + np.log(mean)
            )  # fmt: skip
        return alive, left

    def _log_likelihood(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        constant = special.gammaln(self.r + x) - special.gammaln(self.r)
        result: FloatArray = (
            constant + self.r * np.log(self.alpha) + np.logaddexp(*self._paths(x, t_x, age))
        )
        return result

    def to_json(self) -> dict[str, float]:
        """The four parameters."""
        return asdict(self)

    @classmethod
    def from_json(cls, parameters: Mapping[str, float]) -> ParetoNbd:
        """Read the four parameters back."""
        return cls(**{name: float(parameters[name]) for name in ("r", "alpha", "s", "beta")})
