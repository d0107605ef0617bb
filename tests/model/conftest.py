"""A small world in which it is known who leaves and why, seen through month-end snapshots."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.churn.training import TrainingResult, train

HORIZON = 90
FIRST_DAY = date(2021, 1, 1)
AS_OF = date(2023, 12, 31)

World = Callable[..., pd.DataFrame]


def _last(happened: np.ndarray) -> np.ndarray:
    """Day of the last event up to each day; -1 before the first."""
    return np.maximum.accumulate(np.where(happened, np.arange(happened.shape[1]), -1), axis=1)


def _first(happened: np.ndarray) -> np.ndarray:
    """Day of the first event; 0 where none is."""
    return happened.argmax(axis=1) if happened.shape[1] else np.zeros(len(happened))


def _world(
    customers: int = 2500, season: float = 0.0, seed: int = 1, last_day: date = AS_OF
) -> pd.DataFrame:
    """Snapshots of customers with gamma rates, who may leave after an order or for a complaint.

    Args:
        customers: how many ever come.
        season: swing of the purchase rate over the year, 0 to 1.
        seed: of everything.
        last_day: the last month-end.
    """
    rng = np.random.default_rng(seed)
    calendar = pd.date_range(FIRST_DAY, last_day)
    n, days = customers, len(calendar)
    first = rng.integers(0, days - 120, n)
    rate = rng.gamma(1.5, 1 / 40, n)
    swing = 1 + season * np.sin(2 * np.pi * calendar.dayofyear.to_numpy() / 365)
    orders = rng.random((n, days)) < np.clip(rate[:, None] * swing, 0, 0.9)
    at = np.arange(days)
    orders &= at > first[:, None]
    orders[np.arange(n), first] = True
    complains = rng.random((n, days)) < 1 / 200
    region = rng.choice(["north", "south", "west"], n)
    # Leaving happens after an order, or for a complaint; in the north complaints are forgiven.
    resents = np.where(region == "north", 0.05, 0.9)[:, None]
    leaves = (orders & (rng.random((n, days)) < 0.04)) | (
        complains & (rng.random((n, days)) < resents) & (at > first[:, None])
    )
    left = np.where(leaves.any(axis=1), leaves.argmax(axis=1), days)
    orders &= at <= left[:, None]
    complains &= (at <= left[:, None] + 3) & (at >= first[:, None])
    counted, complaints, last = orders.cumsum(axis=1), complains.cumsum(axis=1), _last(orders)

    def within(cumulated: np.ndarray, day: int, window: int) -> np.ndarray:
        return cumulated[:, day] - (cumulated[:, day - window] if day >= window else 0)

    frames = []
    for snapshot in pd.date_range("2021-12-31", last_day, freq="ME"):
        day = (snapshot - calendar[0]).days
        number = counted[:, day]
        gap = (last[:, day] - first) / np.maximum(number - 1, 1)
        interval = np.clip(np.round(((number - 1) * gap + 3 * 40) / (number + 2)), 7, 730)
        recency = day - last[:, day]
        year = 2 * np.pi * snapshot.dayofyear / 365
        future = orders[:, day + 1 :]
        comes = future.any(axis=1)
        frame = pd.DataFrame(
            {
                "snapshot_on": snapshot,
                "customer_id": [f"c{each:05d}" for each in range(n)],
                "order_days": number,
                "recency_days": recency,
                "tenure_days": day - first,
                "expected_interval_days": interval,
                "overdue_ratio": recency / interval,
                "orders_90d": within(counted, day, 90),
                "orders_365d": within(counted, day, 365),
                "complaints_90d": within(complaints, day, 90),
                "mean_gap_days": np.where(number > 1, gap, np.nan),
                "season_sin": np.sin(year),
                "season_cos": np.cos(year),
                "region": region,
                "is_referred": np.where(np.arange(n) % 3 == 0, None, np.arange(n) % 2 == 0),
                "last_nps_score": np.nan,
                "days_to_next_order": np.where(comes, _first(future) + 1, np.nan),
                "days_observed": days - 1 - day,
            }
        )
        frames.append(frame[(first <= day) & (frame["overdue_ratio"] < 3)])
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def world() -> World:
    """Makes worlds; of the last three months less than the horizon was seen."""
    return _world


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """One world with a season that moves the churn rate by some 15 points."""
    return _world(season=0.5)


@pytest.fixture(scope="session")
def trained(frame: pd.DataFrame) -> TrainingResult:
    """A training on that world, with one thread: tests share the machine."""
    return train(frame, as_of=AS_OF, horizon_days=HORIZON, threads=1)


@pytest.fixture(scope="session")
def today(frame: pd.DataFrame) -> pd.DataFrame:
    """The snapshot to score."""
    return frame[frame["snapshot_on"] == pd.Timestamp(AS_OF)].drop(
        columns=["days_to_next_order", "days_observed"]
    )
