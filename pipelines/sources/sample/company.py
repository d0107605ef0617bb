"""The company and its surroundings: products, stores, representatives, competitors, prices.

All that is the same for every customer. Made once per world, from its own stream.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample import names
from pipelines.sources.sample.parameters import NONE, RATES, Scale
from pipelines.sources.sample.seasons import FUTURE_MONTHS, Seasons
from pipelines.sources.sample.streams import Purpose, stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STORES_PER_REGION = 3
PRODUCTS_PER_CATEGORY = 16
# After the first year, in which all is new, a new product every other month, one category after the
# other; the last one in the last month. They sell like the fourth of their category.
LAUNCH_MONTHS = 2
FIRST_LAUNCH_MONTH = 13
LAUNCH_DAY = 3  # of its month
LAUNCH_RANK = 3
RECENT_DEPARTURES = (
    2  # representatives who leave in the last weeks, so that there is a handover to do
)
COMING_DEPARTURE = (4, 12)  # days after the last one on which one more leaves, who said so before
NOTICE_DAYS = (28, 63)  # from the announcement of a departure to its day; own assumption
ORPHANED_DAYS = (
    120  # until calls for a leaver who handed nothing over reach his successor; own assumption
)
UNANNOUNCED = 0.15  # of departures, known on their day and not before; own assumption
LEAVES_AT = 0.75  # six in the evening of the last day
STAYS = 10**6  # departure day of a representative who never leaves


@dataclass(frozen=True)
class Products:
    """The catalogue, goods first, services last.

    Attributes:
        names: names, one per product.
        category: number into `category_names`.
        price: list price on day 0.
        cost: cost of a unit.
        interval: service interval in days, 0 for goods.
        flaws: how much more often than the mean a product disappoints.
        popularity: running sum of the products' shares within their category, plus the number of
            the category: one `searchsorted` finds a product for any (category, uniform) pair.
        since: day from which it is on offer, 0 for most.
    """

    names: tuple[str, ...]
    category_names: tuple[str, ...]
    category: Ints
    price: Floats
    cost: Floats
    interval: Ints
    flaws: Floats
    popularity: Floats
    since: Ints

    @property
    def goods(self) -> int:
        """Number of goods; the services come after them."""
        return len(self.popularity)

    def pick(self, category: Ints, uniform: Floats, day: Floats) -> Ints:
        """A product of each category, by popularity; the best-seller instead of one to come."""
        found = np.searchsorted(self.popularity, category + uniform, side="right")
        found = np.minimum(found, (category + 1) * PRODUCTS_PER_CATEGORY - 1)
        return np.where(self.since[found] <= day, found, category * PRODUCTS_PER_CATEGORY)

    def newest(self, day: float) -> int:
        """The product launched last by a day; NONE where nothing was launched yet."""
        product = int(np.where(self.since <= day, self.since, 0).argmax())
        return product if 0 < self.since[product] <= day else NONE


@dataclass(frozen=True)
class Company:
    """What is the same for all customers.

    Attributes:
        products: the catalogue.
        store_region: region of each store.
        rep_region: region of each representative.
        rep_hired, rep_departs: day numbers; `STAYS` where the representative never leaves.
        rep_announced: day on which the departure became known.
        rep_hands_over: whether a leaver's customers are handed over.
        rep_successor: who takes them.
        rep_diligence: factor on the revisits made; the careless neglect more.
        openings: day a competitor opens, one row per region, `STAYS` where there is none.
        price_level: factor on list prices on each day.
        price_rise_months: months in which a price rise is felt.
        quality: factor on `product_quality` per month and category.
    """

    products: Products
    store_region: Ints
    rep_region: Ints
    rep_hired: Ints
    rep_departs: Ints
    rep_announced: Ints
    rep_hands_over: npt.NDArray[np.bool_]
    rep_successor: Ints
    rep_diligence: Floats
    openings: Floats
    price_level: Floats
    price_rise_months: frozenset[int]
    quality: Floats

    @property
    def reps(self) -> int:
        """Number of representatives."""
        return len(self.rep_region)

    def acting(self, rep: Ints, day: Floats) -> Ints:
        """Who does a representative's work on a day.

        Himself; once he has left, his successor if that one is there, at once where he hands over
        and ORPHANED_DAYS later where he does not; else NONE.
        """
        somebody = np.maximum(rep, 0)
        orphaned = day < self.rep_departs[somebody] + np.where(
            self.rep_hands_over[somebody], 0, ORPHANED_DAYS
        )
        successor = np.where((rep < 0) | orphaned, NONE, self.rep_successor[somebody])
        acting = np.where(self._is_there(rep, day), rep, successor)
        return np.where(self._is_there(acting, day), acting, NONE)

    def anybody(self, luck: Floats, day: Floats) -> Ints:
        """One of the representatives who are there on a day; NONE where all have left."""
        latest_first = np.argsort(-self.rep_departs, kind="stable")
        gone = np.searchsorted(self.rep_departs[latest_first][::-1] + LEAVES_AT, day, "right")
        there = self.reps - gone
        chosen = latest_first[np.minimum((luck * there).astype(np.int64), self.reps - 1)]
        return np.where(there > 0, chosen, NONE)

    def _is_there(self, rep: Ints, day: Floats) -> npt.NDArray[np.bool_]:
        return (rep >= 0) & (day < self.rep_departs[np.maximum(rep, 0)] + LEAVES_AT)


def company(scale: Scale, calendar: Seasons) -> Company:
    """The company of one world."""
    rng = stream(scale.seed, Purpose.COMPANY)
    months = len(calendar.months) - 1
    regions = len(names.REGIONS)
    products = _products(rng, calendar)

    reps = max(2 * regions, scale.customers // RATES.customers_per_rep)
    rep_region = np.arange(reps) % regions
    leaves = rng.exponential(365 / RATES.rep_turnover, reps)
    departs = np.where(leaves < calendar.days, np.floor(leaves), STAYS).astype(np.int64)
    recent = rng.choice(reps, min(RECENT_DEPARTURES, reps), replace=False)
    departs[recent] = calendar.days - 1 - rng.integers(5, 40, len(recent))
    hands_over = rng.random(reps) < RATES.handover_share
    hands_over[recent] = False
    announcing = stream(scale.seed, Purpose.NOTICES)
    if (staying := np.flatnonzero(departs == STAYS)).size:
        departs[staying[-1]] = calendar.days - 1 + announcing.integers(*COMING_DEPARTURE)
    notice = announcing.integers(*NOTICE_DAYS, reps)
    notice[(announcing.random(reps) < UNANNOUNCED) & (departs < calendar.days)] = 0
    openings = np.full((regions, 4), float(STAYS))
    for region in range(regions):
        count = min(rng.poisson(RATES.openings_per_region), openings.shape[1])
        openings[region, :count] = np.sort(rng.uniform(60, calendar.days, count))

    price_level = np.ones(calendar.days)
    felt: set[int] = set()
    for month, size in RATES.price_rises:
        if month < months:
            price_level[calendar.months[month] :] *= 1 + size
            felt |= set(range(month, min(month + RATES.price_rise_months, months)))

    quality = rng.gamma(8.0, 1 / 8.0, (months + FUTURE_MONTHS, len(names.CATEGORIES)))
    bad_batches = rng.random(quality.shape) < 1 / 40  # a bad batch every 40 months per category
    return Company(
        products=products,
        store_region=np.repeat(np.arange(regions), STORES_PER_REGION),
        rep_region=rep_region,
        rep_hired=-rng.integers(30, 2500, reps),
        rep_departs=departs,
        rep_announced=departs - notice,
        rep_hands_over=hands_over,
        rep_successor=_successors(rep_region, departs),
        rep_diligence=rng.gamma(6.0, 1 / 6.0, reps),
        openings=openings,
        price_level=price_level,
        price_rise_months=frozenset(felt),
        quality=np.where(bad_batches, 4.0 * quality, quality),
    )


def _successors(region: Ints, departs: Ints) -> Ints:
    """Of each representative, the one of the same region who stays longest."""
    best = {r: int(np.flatnonzero(region == r)[departs[region == r].argmax()]) for r in set(region)}
    successor = np.array([best[r] for r in region])
    successor[successor == np.arange(len(region))] = NONE
    return successor


def _launches(calendar: Seasons) -> Ints:
    """Day from which each good is on offer."""
    since = np.zeros(len(names.CATEGORIES) * PRODUCTS_PER_CATEGORY, np.int64)
    last = len(calendar.months) - 2
    for number, month in enumerate(range(last, FIRST_LAUNCH_MONTH - 1, -LAUNCH_MONTHS)):
        turn, category = divmod(number, len(names.CATEGORIES))
        rank = min(LAUNCH_RANK + turn, PRODUCTS_PER_CATEGORY - 1)
        since[category * PRODUCTS_PER_CATEGORY + rank] = calendar.months[month] + LAUNCH_DAY
    return since


def _products(rng: np.random.Generator, calendar: Seasons) -> Products:
    product_names: list[str] = []
    category: list[int] = []
    price: list[float] = []
    cost: list[float] = []
    popularity: list[float] = []
    per_category = PRODUCTS_PER_CATEGORY
    for number, (_, _, median, cost_share, words) in enumerate(names.CATEGORIES):
        shares = 1.0 / np.arange(1, per_category + 1)  # Zipf: the usual shape of sales by rank
        popularity += list(number + (shares / shares.sum()).cumsum())
        prices = np.round(median * rng.lognormal(0.0, 0.6, per_category), 1)
        for rank in range(per_category):
            product_names.append(f"{words[rank % len(words)]} {chr(65 + rank // len(words))}{rank}")
            category.append(number)
            price.append(float(prices[rank]))
            cost.append(float(round(prices[rank] * cost_share * rng.uniform(0.9, 1.1), 2)))
    category_names = tuple(entry[0] for entry in names.CATEGORIES)
    service_names = tuple(dict.fromkeys(entry[1] for entry in names.SERVICES))
    for name, service, service_price, cost_share, _ in names.SERVICES:
        product_names.append(name)
        category.append(len(category_names) + service_names.index(service))
        price.append(service_price)
        cost.append(round(service_price * cost_share, 2))
    goods = len(names.CATEGORIES) * per_category
    flaws = rng.gamma(2.0, 0.5, len(product_names))
    return Products(
        names=tuple(product_names),
        category_names=category_names + service_names,
        category=np.array(category),
        price=np.array(price),
        cost=np.array(cost),
        interval=np.array([0] * goods + [service[4] for service in names.SERVICES]),
        flaws=flaws,
        popularity=np.array(popularity),
        since=np.append(_launches(calendar), np.zeros(len(names.SERVICES), np.int64)),
    )
