"""What the purchase view says of who orders in time and who does not, beside simulated ones."""

from __future__ import annotations

import numpy as np
import pytest

from models.frame.features import Feature, FeatureMatrix
from models.purchase.gamma_gamma import GammaGamma
from models.purchase.pareto_nbd import ParetoNbd
from models.purchase.view import PurchaseView

TENURE, IN_TIME, YEAR = 300.0, 90.0, 365.0
NAMES = ("order_days", "recency_days", "tenure_days", "average_order_profit")


def test_keeping_is_worth_what_simulated_customers_earn_more_who_order_in_time() -> None:
    rng = np.random.default_rng(0)
    n = 200_000
    purchases = ParetoNbd(r=0.8, alpha=60.0, s=0.9, beta=150.0)
    rate = rng.gamma(purchases.r, 1 / purchases.alpha, n)
    left = rng.exponential(1 / rng.gamma(purchases.s, 1 / purchases.beta, n))
    now, repeats, last, soon, later = (np.zeros(n) for _ in range(5))
    while (now <= TENURE + YEAR).any():
        now = now + rng.exponential(1 / rate)
        there = now <= left
        past = there & (now <= TENURE)
        repeats, last = repeats + past, np.where(past, now, last)
        soon += there & ~past & (now <= TENURE + IN_TIME)
        later += there & (now > TENURE + IN_TIME) & (now <= TENURE + YEAR)
    history = np.column_stack([repeats + 1, TENURE - last, np.full(n, TENURE), np.full(n, 20.0)])
    matrix = FeatureMatrix(tuple(Feature(name, "number") for name in NAMES), history)
    view = PurchaseView(purchases, GammaGamma(p=6.25, q=3.74, gamma=15.44))

    kept = view.profit_of_keeping(matrix, IN_TIME, YEAR)

    earned, came = (soon + later) * view.order_profit(matrix), soon > 0
    # One history in many: those who never came back.
    alone = repeats == 0
    assert kept[alone].mean() == pytest.approx(
        earned[alone & came].mean() - earned[alone & ~came].mean(), rel=0.05
    )
    # Of differing histories, each customer's own chance of an order taken out.
    chance = view.ordered_by(matrix, np.array([IN_TIME]))[:, 0]
    fifths = np.digitize(kept, np.quantile(kept[~alone], [0.2, 0.4, 0.6, 0.8]))
    for fifth in range(5):
        rows = ~alone & (fifths == fifth)
        found = ((came - chance) * earned)[rows].sum()
        assert (chance * (1 - chance) * kept)[rows].sum() == pytest.approx(found, rel=0.1)


def test_keeping_who_is_long_gone_is_worth_a_number() -> None:
    history = np.array([[1.0, 20_000.0, 20_000.0, 20.0], [400.0, 5_000.0, 20_000.0, 20.0]])
    matrix = FeatureMatrix(tuple(Feature(name, "number") for name in NAMES), history)
    purchases = ParetoNbd(r=0.8, alpha=60.0, s=0.9, beta=150.0)
    view = PurchaseView(purchases, GammaGamma(p=6.25, q=3.74, gamma=15.44))
    kept = view.profit_of_keeping(matrix, IN_TIME, YEAR)
    assert np.isfinite(kept).all()
    assert (kept >= 0).all()
