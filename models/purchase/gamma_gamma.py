"""Gamma-Gamma: what a customer's orders are worth on average, from the few that were seen.

Fader and Hardie (2013), "The Gamma-Gamma Model of Monetary Value". The value of each order is
gamma distributed around the customer's own mean (shape p), the means differ between customers
(q, gamma), and neither depends on how often they order. With BG/NBD's expected orders it gives the
expected value of a customer's future orders: the baseline that every forecast of profit must beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from scipy import optimize, special

from models.frame.features import FloatArray

# Log parameters stay within e^-5 .. e^7 of the scaled problem: equal values have no maximum.
LOG_BOUNDS = (-5.0, 7.0)
# The mean over customers exists for q above 1 alone.
MIN_Q = 1.05


@dataclass(frozen=True)
class GammaGamma:
    """A fitted Gamma-Gamma; `gamma` is in the unit of the values, `p` and `q` have none."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, orders: FloatArray, mean_value: FloatArray) -> GammaGamma:
        """Find the parameters of greatest likelihood.

        Several samples of each customer's orders, such as the first one and those after it, tell
        how much orders differ within customers. From one mean of each, that is guessed from how the
        means of many orders differ from those of few, and guessed wrongly where it is not the
        number of orders alone that sets these apart.

        Args:
            orders: of each customer (count), or of each sample of them, shape (customers, samples);
                in Fader and Hardie those after the first.
            mean_value: mean value of those orders, in the same shape; samples without one above 0
                are left out, as the model knows no loss.

        Raises:
            ValueError: when no customer has orders of a positive mean value.
        """
        usable = ((orders > 0) & (mean_value > 0)).reshape(len(orders), -1)
        if not usable.any():
            raise ValueError(
                "expected at least one customer whose orders have a positive mean value"
            )
        known = usable.any(axis=1)
        usable = usable[known]
        x = np.where(usable, orders.reshape(len(orders), -1)[known], 1.0)
        m = np.where(usable, mean_value.reshape(len(orders), -1)[known], 1.0)
        scale = float(m[usable].mean())
        m = np.where(usable, m / scale, 1.0)
        all_orders, all_value = ((usable * each).sum(axis=1) for each in (x, x * m))

        def loss(log_parameters: FloatArray) -> float:
            p, q, gamma = np.exp(log_parameters)
            of_samples = usable * (
                (p * x - 1) * np.log(m) + p * x * np.log(x) - special.gammaln(p * x)
            )
            of_customers = (
                special.gammaln(p * all_orders + q)
                - special.gammaln(q)
                + q * np.log(gamma)
                - (p * all_orders + q) * np.log(gamma + all_value)
            )
            return -float(np.mean(of_customers + of_samples.sum(axis=1)))

        found = optimize.minimize(
            loss,
            np.array([0.5, 0.5, 0.5]),
            method="L-BFGS-B",
            bounds=[LOG_BOUNDS, (float(np.log(MIN_Q)), LOG_BOUNDS[1]), LOG_BOUNDS],
            options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1_000, "maxfun": 10_000},
        )
        p, q, gamma = np.exp(found.x)
        return cls(float(p), float(q), float(gamma * scale))

    def expected_value(self, orders: FloatArray, mean_value: FloatArray) -> FloatArray:
        """Expected value of one more order; the mean over customers where no value is usable.

        It is a weighted mean of that and the customer's own, the more orders the more their own.
        """
        usable = (orders > 0) & (mean_value > 0)
        x, m = np.where(usable, orders, 0.0), np.where(usable, mean_value, 0.0)
        expected: FloatArray = self.p * (self.gamma + x * m) / (self.p * x + self.q - 1)
        return expected

    def to_json(self) -> dict[str, float]:
        """The three parameters."""
        return asdict(self)

    @classmethod
    def from_json(cls, parameters: Mapping[str, float]) -> GammaGamma:
        """Read the three parameters back."""
        return cls(**{name: float(parameters[name]) for name in ("p", "q", "gamma")})
