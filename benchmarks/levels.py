"""How far off the forecast of the level is, in shops whose seasons and fortunes differ.

    python -m benchmarks.levels --seeds 6
    python -m benchmarks.levels --whose HOME [--horizon 90]

The level of churn (models/probability/calibration.py) is the same question for every predictor,
and needs no more than who ordered when. So it is asked of shops that are made of nothing else:
customers buy and leave as Pareto/NBD has it, while months, growth and luck move all of them; every
seed draws another shop. Their records begin in the midst of their lives, as real ones do. Beside
them stands the sample company, and order files that are named.

As of every second month-end the purchase model is fitted anew, its level is forecast as the
product does, and compared with what came. Errors are in points of the share that churns.

The second form asks whose level is to be forecast, of the features and labels of a home whose last
run trained: at each month-end all is fitted as on that day, and every predictor's own levels are
forecast by the same means beside Pareto/NBD's, which the others follow.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from benchmarks.realism import purchases_of
from models.churn.backtest import possible_cutoffs
from models.churn.baselines import Logistic, ParetoPurchaseModel
from models.churn.fitting import fit
from models.churn.trees import ChurnTrees
from models.errors import TooLittleDataError
from models.evaluation.probabilities import expected_calibration_error
from models.frame.features import OBSERVED, SNAPSHOT, BoolArray, FloatArray, labelled, of_snapshot
from models.frame.outcomes import Outcomes
from models.probability.calibration import PULSE_DAYS, Calibration, Level
from models.probability.predictors import log_odds
from models.purchase.pareto_nbd import ParetoNbd
from pipelines.defs.training import SEED, training_frame
from pipelines.resources.warehouse import Warehouse
from pipelines.sources.sample.customers import make_customers
from pipelines.sources.sample.lives import lives
from pipelines.sources.sample.parameters import Scale
from pipelines.sources.sample.timeline import purchases
from pipelines.sources.sample.world import make_world

HORIZON: Final = 90
YEAR: Final = 365
# The first forecast is made when so many month-ends are finished.
FIRST_CUTOFF: Final = 6
# Missed intervals that end a customer's time, as in the tables.
MISSED: Final = 3

# Busyness of the months, January first, in logarithms; `random` draws them.
SEASONS: Final = {
    "flat": np.zeros(12),
    "christmas": np.array([-1, -1, 0, 0, 0, 0, -0.5, -0.5, 0, 0.5, 1.5, 1.0]) / 1.5,
    "summer": np.array([-0.5, -0.5, 0, 0.5, 1, 1.2, 1.2, 1, 0.3, 0, -0.5, -0.5]) / 1.2,
    "school": np.array([0, 0.2, 0, -0.2, 0, 0, -0.8, 0.8, 1.2, 0, 0, -0.2]) / 1.2,
}
YEARS_BEFORE, YEARS_ON_RECORD = 3, 3


@dataclass(frozen=True)
class Orders:
    """Who ordered on which day, each pair once, sorted by customer and day.

    Attributes:
        customer: number of the customer.
        day: days since `since`.
        since: the day on which the records begin.
        days: how many days are on record.
    """

    customer: npt.NDArray[np.int64]
    day: npt.NDArray[np.int64]
    since: date
    days: int

    @classmethod
    def of(
        cls,
        customer: npt.NDArray[np.int64],
        day: npt.NDArray[np.int64],
        since: date,
        days: int,
    ) -> Orders:
        """Keep what is on record, one row per customer and day."""
        seen = (day >= 0) & (day < days)
        pairs = np.unique(np.column_stack([customer[seen], day[seen]]), axis=0)
        return cls(pairs[:, 0], pairs[:, 1], since, days)

    def month_ends(self) -> list[int]:
        """Day numbers of the month-ends on record."""
        last = self.since + timedelta(days=self.days - 1)
        ends = pd.date_range(self.since, last, freq="ME")
        return [(each.date() - self.since).days for each in ends]


@dataclass(frozen=True)
class View:
    """Customers as they stood at the end of a day: those who had ordered by then."""

    order_days: FloatArray
    recency: FloatArray
    tenure: FloatArray
    next_order: FloatArray
    is_customer: BoolArray

    @classmethod
    def of(cls, orders: Orders, day: int) -> View:
        """Order days, days since the last and the first order, days to the next one.

        A customer has left who missed `MISSED` intervals, own gaps shrunk to everybody's.
        """
        starts = np.flatnonzero(np.diff(orders.customer, prepend=-1))
        ends = np.append(starts[1:], len(orders.day))
        known = np.add.reduceat((orders.day <= day).astype(np.int64), starts)
        begun = known > 0
        first, last = starts[begun], starts[begun] + known[begun] - 1
        upcoming = np.minimum(last + 1, len(orders.day) - 1)
        to_next = np.where(last + 1 < ends[begun], orders.day[upcoming] - day, np.inf)
        gaps = (known[begun] - 1).astype(np.float64)
        span = (orders.day[last] - orders.day[first]).astype(np.float64)
        typical = span.sum() / gaps.sum() if gaps.sum() else float(HORIZON)
        recency = (day - orders.day[last]).astype(np.float64)
        return cls(
            known[begun].astype(np.float64),
            recency,
            (day - orders.day[first]).astype(np.float64),
            to_next,
            recency < MISSED * (span + 2 * typical) / (gaps + 2),
        )

    @property
    def history(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """As a purchase model takes it."""
        return self.order_days, self.recency, self.tenure


@dataclass(frozen=True)
class Question:
    """What is known on a day, and what came of it.

    Attributes:
        day: of the forecast.
        age: days on record by then.
        calibration: levels and pulse as known on the day.
        margin: log odds of each customer, without level.
        churned: what came.
    """

    day: date
    age: int
    calibration: Calibration
    margin: FloatArray
    churned: BoolArray


def questions(orders: Orders, *, step: int = 2) -> Iterator[Question]:
    """One question for every `step`-th month-end whose horizon is over."""
    ends = orders.month_ends()
    views = {end: View.of(orders, end) for end in ends}
    answered = [end for end in ends if end + HORIZON < orders.days]
    for day in answered[FIRST_CUTOFF::step]:
        model = ParetoNbd.fit(*views[day].history)
        levels, pulse = (
            tuple(
                _level(orders, model, end, views[end], watched)
                for end in ends
                if end + watched <= day
            )
            for watched in (HORIZON, PULSE_DAYS)
        )
        now = views[day]
        rows = now.is_customer
        margin = log_odds(model.probability_silent(*now.history, HORIZON))[rows]
        yield Question(
            orders.since + timedelta(days=day),
            day + 1,
            Calibration(1.0, 1.0, levels, pulse, HORIZON, orders.since),
            margin,
            now.next_order[rows] > HORIZON,
        )


def _level(orders: Orders, model: ParetoNbd, end: int, view: View, days: int) -> Level:
    rows = view.is_customer
    margin = log_odds(model.probability_silent(*view.history, days))[rows]
    day = np.datetime64(orders.since + timedelta(days=end))
    return Level.fit(day, margin, view.next_order[rows] > days)


def shop(season: str, seed: int) -> Orders:
    """A shop with a season of this form; its size, growth, rhythm and luck are drawn."""
    rng = np.random.default_rng([seed, *map(ord, season)])
    since = date(2001, 1, 1) + timedelta(days=int(rng.integers(0, 365)))
    since = since.replace(day=1)
    begin = since - timedelta(days=YEAR * YEARS_BEFORE)
    calendar = pd.date_range(begin, periods=YEAR * (YEARS_BEFORE + YEARS_ON_RECORD))
    months = (calendar.year - calendar[0].year) * 12 + calendar.month - calendar[0].month
    years = np.arange(len(calendar)) / YEAR

    form = rng.normal(0, 0.6, 12) if season == "random" else SEASONS[season]
    amplitude = rng.uniform(0.2, 0.6) * np.exp(rng.normal(0, 0.15, calendar.year.nunique()))
    seasonal = (form - form.mean())[calendar.month - 1] * amplitude[
        calendar.year - calendar.year[0]
    ]
    luck = np.zeros(months.max() + 1)
    shocks = rng.normal(0, rng.uniform(0.02, 0.08), len(luck))
    for month in range(1, len(luck)):
        luck[month] = 0.6 * luck[month - 1] + shocks[month]
    busy = np.exp(seasonal + luck[months] + rng.normal(0, 0.1) * years)

    arriving = np.exp(rng.uniform(-0.2, 0.4) * years + seasonal)
    customers = int(rng.integers(3_000, 8_000))
    joined = rng.choice(len(calendar), customers, p=arriving / arriving.sum())
    shape, leaving = rng.uniform(0.5, 2.0), rng.uniform(0.3, 1.2)
    rate = rng.gamma(shape, 1 / (shape * rng.uniform(30, 100)), customers)
    stays = rng.exponential(1 / rng.gamma(leaving, 1 / rng.uniform(100, 500), customers))
    until = np.minimum(joined + stays, len(calendar))
    tried = rng.poisson(rate * (until - joined) * busy.max())
    who = np.repeat(np.arange(customers), tried)
    when = np.floor(joined[who] + rng.random(len(who)) * (until - joined)[who]).astype(np.int64)
    bought = rng.random(len(who)) < busy[when] / busy.max()
    who = np.append(who[bought], np.arange(customers))
    when = np.append(when[bought], joined)
    return Orders.of(who, when - YEAR * YEARS_BEFORE, since, YEAR * YEARS_ON_RECORD)


def sample(seed: int, customers: int = 6_000) -> Orders:
    """The sample company; its records begin with it."""
    world = make_world(Scale(customers=customers, seed=seed))
    numbers = np.arange(customers)
    bought = purchases(world.calendar, lives(world, 0, make_customers(world, 0, numbers)))
    return Orders.of(
        bought.customer.astype(np.int64),
        np.floor(bought.day).astype(np.int64),
        world.calendar.first_day,
        world.calendar.days,
    )


def file(path: Path) -> Orders:
    """An order file of benchmarks/realism.py."""
    day, customer = purchases_of(path)
    first = int(day.min())
    since = date(1970, 1, 1) + timedelta(days=first)
    return Orders.of(customer, day - first, since, int(day.max()) - first + 1)


def errors(question: Question) -> dict[str, float]:
    """How far off the forecast is, and the latest level known: share and calibration, in points."""
    result = {}
    for name, level in {
        "forecast": question.calibration.level_for(question.day),
        "latest": question.calibration.levels[-1].logit,
    }.items():
        stated = special.expit(question.margin + level)
        off = abs(float(stated.mean() - question.churned.mean()))
        result[f"share, {name}"] = 100 * off
        result[f"ECE, {name}"] = 100 * expected_calibration_error(question.churned, stated)
    return result


def whose(home: Path, horizon: int) -> Iterator[dict[str, object]]:
    """For each month-end, how far off the share expected is, by whose level is forecast.

    In points; `trees` and the baselines each at their own level, `served` as training leaves the
    trees, at Pareto/NBD's.
    """
    rows = labelled(training_frame(Warehouse(home / "warehouse.duckdb")))
    days = [each.date() for each in rows[SNAPSHOT].unique()]
    seen_until = (rows[SNAPSHOT] + pd.to_timedelta(rows[OBSERVED], unit="D")).max().date()
    for day in possible_cutoffs(days, seen_until, horizon):
        try:
            model = fit(rows, as_of=day, horizon_days=horizon, seed=SEED)
        except TooLittleDataError:
            continue
        outcomes = Outcomes.of(rows).known_by(day)
        finished = outcomes.finished(horizon)
        known, matrix = outcomes.rows(finished), model.schema.encode(rows[finished])
        now = of_snapshot(rows, day)
        today, came = model.schema.encode(now), Outcomes.of(now).churned(horizon).mean()
        snapshots = now[SNAPSHOT].to_numpy()
        off = {"served": model.probability(today, snapshots).mean() - came}
        for role in (ParetoPurchaseModel.role, Logistic.role, ChurnTrees.role):
            shape = model.calibrations[role]
            own = shape.with_levels(
                model.predictors[role].margin(matrix),
                known.churned(horizon),
                known.snapshots,
                shape.pulse,
            )
            margin = model.predictors[role].margin(today)
            off[role] = own.probability(margin, snapshots).mean() - came
        age = (day - model.calibrations[ChurnTrees.role].since).days
        yield {
            "world": home.name,
            "year": f"year {1 + age // (YEAR + 1)}",
            **{name: 100 * abs(float(each)) for name, each in off.items()},
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, answer, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=4, help="shops of every season")
    parser.add_argument("--samples", type=int, default=2, help="sample companies")
    parser.add_argument("files", nargs="*", type=Path, help="files of benchmarks/realism.py")
    parser.add_argument("--whose", type=Path, nargs="+", default=[], help="homes that trained")
    parser.add_argument("--horizon", type=int, default=HORIZON, help="of --whose, in days")
    chosen = parser.parse_args(arguments)
    if chosen.whose:
        _print([row for home in chosen.whose for row in whose(home, chosen.horizon)])
        return
    asked = [(name, lambda seed, name=name: shop(name, seed)) for name in (*SEASONS, "random")]
    worlds = [
        *((name, make, seed) for name, make in asked for seed in range(chosen.seeds)),
        *(("sample", sample, seed) for seed in range(1, chosen.samples + 1)),
        *((path.stem, lambda _, path=path: file(path), 0) for path in chosen.files),
    ]
    rows: list[dict[str, object]] = []
    for name, make, seed in worlds:
        for question in questions(make(seed)):
            year = f"year {1 + question.age // (YEAR + 1)}"
            rows.append({"world": name, "year": year, **errors(question)})
    _print(rows)


def _print(rows: list[dict[str, object]]) -> None:
    table = pd.DataFrame(rows)
    mean = table.groupby(["world", "year"], sort=False).mean()
    print("Mean errors of the level, in points, by the year of the records that the day is in:\n")
    print(mean.assign(forecasts=table.groupby(["world", "year"]).size()).round(2).to_string())
    print(f"\nIn all:\n{table.groupby('year').mean(numeric_only=True).round(2).to_string()}")


if __name__ == "__main__":
    main()
