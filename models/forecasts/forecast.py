"""What the forecasts beyond churn have in common: windows, snapshots, trees, stored form.

A forecast starts from the purchase model's view of a customer and corrects it with boosted trees.
It is judged on the latest snapshot whose horizon is over, learnt from snapshots whose outcomes
were known on that day; what is served is the judged procedure once more, on all that is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from models.errors import StoreError, TooLittleDataError
from models.evaluation.segments import DIVISIONS, PROFIT_SO_FAR
from models.frame.features import (
    AVERAGE_PROFIT,
    CUSTOMER,
    KEYS,
    ORDER_DAYS,
    OUTCOME,
    SNAPSHOT,
    TENURE,
    BoolArray,
    FeatureMatrix,
    FeatureSchema,
    FloatArray,
    days,
)
from models.frame.splits import finished_snapshots
from models.native import tree_input, tree_margin, xgboost
from models.purchase.view import PurchaseView
from models.trees.tree_file import sound_trees
from models.versions import forms
from models.versions.card import CARD_PAGE, Card
from models.versions.version import CARD_FILE, Version, canonical_json

TREES_SUFFIX: Final = ".ubj"
# What was learnt is served, and no baseline; the name of the trees where there is one kind of them.
MODEL: Final = "model"

# Days ahead, the longest that the past allows: a year has every season once.
HORIZONS = (365, 180, 90)
# The stated minimum: below it one season or one campaign would be learnt by heart.
MIN_TRAINING_SNAPSHOTS = 3
MIN_TRAINING_ROWS = 300
# Customers who ordered again in the test window, and who did not: fewer cannot be judged by.
MIN_TESTED_OF_EITHER = 30
# Rows beyond which the trees take longer and get no better.
ENOUGH_ROWS = 24_000

# What came after a snapshot in profit (home currency), by days ahead.
PROFIT_OUTCOME = re.compile(r"profit_next_\d+d")

# Share of the trees' correction (log odds) that is kept: half purchase model, half trees. Either
# is ahead in some season (Online Retail: trees in the months to Christmas, BG/NBD after them);
# half way they are behind in none by much.
CORRECTION_KEPT = 0.5


@dataclass(frozen=True)
class Windows:
    """Snapshots by use, oldest first, and the day of the judgement."""

    training: tuple[date, ...]
    test: date
    finished: tuple[date, ...]
    horizon_days: int

    def to_json(self) -> dict[str, Any]:
        """The windows as the card states them."""
        horizon = timedelta(days=self.horizon_days)
        return {
            "horizon_days": self.horizon_days,
            "training": [day.isoformat() for day in self.training],
            "test": self.test.isoformat(),
            "test_ends_on": (self.test + horizon).isoformat(),
            "outcomes_known_of": [day.isoformat() for day in self.finished],
        }


def longest_windows(
    snapshots: Sequence[date], as_of: date, horizons: Sequence[int] = HORIZONS
) -> Windows:
    """The windows of the longest horizon that leaves enough snapshots to learn from.

    Raises:
        TooLittleDataError: when no horizon does.
    """
    best = 0
    for horizon_days in horizons:
        finished = finished_snapshots(snapshots, as_of, horizon_days)
        training = finished_snapshots(snapshots, finished[-1], horizon_days) if finished else []
        if len(training) >= MIN_TRAINING_SNAPSHOTS:
            return Windows(tuple(training), finished[-1], tuple(finished), horizon_days)
        best = max(best, len(training))
    raise TooLittleDataError(
        f"{best} training snapshots have outcomes of {horizons[-1]} days that end by the test day, "
        f"at least {MIN_TRAINING_SNAPSHOTS} are needed"
    )


@dataclass(frozen=True)
class Snapshots:
    """Encoded features and outcomes of every snapshot and customer, churned or not.

    Attributes:
        schema: of the features.
        matrix: one row per snapshot and customer.
        outcomes: row by row: days_to_next_order (NaN: none yet) and profit_next_<n>d (NaN: not
            over), home currency.
        days: day of each row.
        views: purchase models fitted so far, by day: both forecasts start from the same ones.
    """

    schema: FeatureSchema
    matrix: FeatureMatrix
    outcomes: pd.DataFrame
    days: np.ndarray[Any, np.dtype[np.datetime64]]
    views: dict[date, PurchaseView] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Snapshots:
        """Split a frame into features and outcomes, its rows brought into one order.

        Raises:
            FrameError: when keys, rhythm columns or the days to the next order are absent.
        """
        ordered = frame.assign(**{SNAPSHOT: days(frame), CUSTOMER: frame[CUSTOMER].astype(str)})
        ordered = ordered.sort_values(list(KEYS), ignore_index=True)
        names = [
            name for name in map(str, ordered) if name in OUTCOME or PROFIT_OUTCOME.fullmatch(name)
        ]
        features = ordered.drop(columns=names)
        schema = FeatureSchema.of(features)
        known = ordered[names].apply(pd.to_numeric).astype(np.float64)
        return cls(schema, schema.encode(features), known, ordered[SNAPSHOT].to_numpy())

    def view(self, day: date) -> PurchaseView:
        """The purchase model as of a day, fitted on all customers of its snapshot, once.

        Raises:
            TooLittleDataError: when nobody had a usable history by then.
        """
        if day not in self.views:
            try:
                self.views[day] = PurchaseView.fit(self.of_days([day]).matrix)
            except ValueError as error:
                raise TooLittleDataError(
                    f"no purchase model can be fitted on {day}: {error}"
                ) from error
        return self.views[day]

    def described(self) -> pd.DataFrame:
        """The columns by which people divide customers (`segments.divide`), in words again.

        Thirds by profit so far stand for the value tier, which is not among the features.
        """
        names = [name for name in (*DIVISIONS, ORDER_DAYS) if name in self.matrix.names]
        kinds = {each.name: each for each in self.schema.features}
        columns: dict[str, Any] = {}
        for name in names:
            values = self.matrix.column(name)
            if kinds[name].kind == "category":
                words = np.array([*kinds[name].categories, None], dtype=object)
                values = words[np.where(np.isnan(values), -1, values).astype(np.intp)]
            columns[name] = values
        if {ORDER_DAYS, AVERAGE_PROFIT} <= set(self.matrix.names):
            earned = self.matrix.column(ORDER_DAYS) * self.matrix.column(AVERAGE_PROFIT)
            if np.isfinite(earned).any():
                lower, upper = np.nanquantile(earned, [1 / 3, 2 / 3])
                columns[PROFIT_SO_FAR] = np.where(
                    earned <= lower, "low", np.where(earned <= upper, "middle", "high")
                )
        return pd.DataFrame(columns, index=range(len(self.matrix)))

    @property
    def all_days(self) -> list[date]:
        """The snapshot days, oldest first."""
        return [pd.Timestamp(day).date() for day in np.unique(self.days)]

    def of_days(self, chosen: Sequence[date], most: int | None = None) -> Snapshots:
        """The rows of some days; with `most`, every n-th of them, so that no more are left."""
        rows = np.flatnonzero(np.isin(self.days, np.array(chosen, dtype="datetime64[s]")))
        return self.rows(rows[:: max(1, -(-len(rows) // most))] if most else rows)

    def rows(self, chosen: np.ndarray[Any, Any] | slice) -> Snapshots:
        """The chosen rows, by position or slice."""
        return Snapshots(
            self.schema, self.matrix.rows(chosen), self.outcomes.iloc[chosen], self.days[chosen]
        )

    def outcome(self, name: str) -> FloatArray:
        """One outcome of each row."""
        values: FloatArray = self.outcomes[name].to_numpy(np.float64)
        return values

    @property
    def names(self) -> list[str]:
        """Features to learn from.

        How long a customer is known grows with the past that there is: what a short past teaches
        of it is wrong later.
        """
        return [name for name in self.matrix.names if name != TENURE]


def grow(
    matrix: FeatureMatrix,
    target: FloatArray,
    parameters: Mapping[str, Any],
    *,
    rounds: int,
    seed: int,
    threads: int,
    start: FloatArray | None = None,
) -> bytes:
    """Grow trees that correct `start`, on the scale of the objective's margin; UBJSON."""
    booster = xgboost().train(
        {**parameters, "seed": seed, "nthread": threads, "verbosity": 0},
        tree_input(matrix, threads, target, start),
        num_boost_round=rounds,
    )
    return bytes(booster.save_raw("ubj"))


@dataclass(frozen=True)
class Forecast(Version):
    """One version of a forecast, whatever it is of.

    Attributes:
        kind: profit, next_order or return.
        as_of: day of the training; no later day was known to it.
        horizon_days: days ahead that it learnt from.
        serves: `model`, the role of a baseline, or the name of a rule: nothing could be learnt.
        schema: the features that every frame must have.
        names: the features that the trees read.
        view: the purchase model as of the training; None for a rule.
        trees: UBJSON by name; none where a baseline or a rule is served.
        numbers: further numbers that were fitted, by name.
        card: for people.
    """

    kind: str
    as_of: date
    horizon_days: int
    serves: str
    schema: FeatureSchema
    names: tuple[str, ...]
    view: PurchaseView | None
    trees: Mapping[str, bytes]
    numbers: Mapping[str, Any]
    threads: int
    card: Card

    @property
    def is_judged(self) -> bool:
        """Whether it was judged out of time; what nothing taught was not."""
        return bool(self.card.metrics)

    def gives_way_to(self, newer: Forecast) -> bool:
        """Whether a newer training of the same kind is served in its stead.

        What is judged replaces whatever stood before, better or not on its own test: two trainings
        have different test windows, and what is judged is the procedure, the same for both and
        decided anew against its baselines, of which the newer knows more. What nothing taught
        replaces no judged version, unless that cannot read the features there are now.
        """
        return (
            newer.is_judged or not self.is_judged or self.schema.is_foreign_to(newer.schema.names)
        )

    @cached_property
    def boosters(self) -> dict[str, Any]:
        """The trees in XGBoost's own form, by name."""
        boosters = {name: xgboost().Booster({"nthread": self.threads}) for name in self.trees}
        for name, booster in boosters.items():
            booster.load_model(bytearray(self.trees[name]))
        return boosters

    def margin(
        self, matrix: FeatureMatrix, start: FloatArray | None = None, *, trees: str = MODEL
    ) -> FloatArray:
        """The sum of the trees of one name for each row, on top of `start`."""
        wide = matrix.columns(self.names)
        return tree_margin(self.boosters[trees], wide, start).astype(np.float64)

    def corrected(self, matrix: FeatureMatrix, start: FloatArray) -> FloatArray:
        """The start with the kept share of the trees' correction."""
        return start + CORRECTION_KEPT * (self.margin(matrix, start) - start)

    def importance(self) -> dict[str, float]:
        """Share of the total gain by feature, largest first; the mean of all trees' shares."""
        shares: dict[str, float] = {}
        for booster in self.boosters.values():
            gain: Mapping[str, float] = booster.get_score(importance_type="total_gain")
            total = len(self.boosters) * (sum(gain.values()) or 1.0)
            for name, value in gain.items():
                shares[name] = shares.get(name, 0.0) + value / total
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        return {name: round(share, 6) for name, share in ranked}

    def files(self) -> dict[str, bytes]:
        """Numbers, card and trees."""
        contents = {
            "kind": self.kind,
            "horizon_days": self.horizon_days,
            "serves": self.serves,
            "features": self.schema.to_json(),
            "names": list(self.names),
            "view": self.view.to_json() if self.view else None,
            "numbers": dict(self.numbers),
            "threads": self.threads,
        }
        return {
            **forms.FORECAST.written(self.as_of, contents),
            CARD_FILE: canonical_json(self.card.to_json()),
            **{f"{name}{TREES_SUFFIX}": ubj for name, ubj in self.trees.items()},
        }

    def pages(self) -> dict[str, bytes]:
        """The card as a page."""
        return {CARD_PAGE: self.card.page(self.version)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> Forecast:
        """Build a version from its files, whose checksums the store has verified.

        Raises:
            StoreError: when the files are of another format or do not fit together.
        """
        with forms.FORECAST.opened(files) as (as_of, stored):
            forecast = cls(
                str(stored["kind"]),
                as_of,
                int(stored["horizon_days"]),
                str(stored["serves"]),
                FeatureSchema.from_json(stored["features"]),
                tuple(map(str, stored["names"])),
                PurchaseView.from_json(stored["view"]) if stored["view"] else None,
                {
                    name.removesuffix(TREES_SUFFIX): data
                    for name, data in sorted(files.items())
                    if name.endswith(TREES_SUFFIX)
                },
                stored["numbers"],
                int(stored["threads"]),
                Card.from_json(json.loads(files[CARD_FILE])),
            )
        if forecast.names and not forecast.trees:
            raise StoreError("the forecast reads features into trees and does not hold any")
        for ubj in forecast.trees.values():
            sound_trees(ubj, features=len(forecast.names))
        return forecast


def require_judgeable(happened: BoolArray, training_rows: int) -> None:
    """Refuse too few rows to learn from, or too few of either outcome to judge by.

    Raises:
        TooLittleDataError: naming what falls short.
    """
    if training_rows < MIN_TRAINING_ROWS:
        raise TooLittleDataError(
            f"{training_rows} training rows, at least {MIN_TRAINING_ROWS} are needed"
        )
    ordered = int(happened.sum())
    if min(ordered, len(happened) - ordered) < MIN_TESTED_OF_EITHER:
        raise TooLittleDataError(
            f"in the test window {ordered} customers ordered and {len(happened) - ordered} did "
            f"not, at least {MIN_TESTED_OF_EITHER} of either are needed"
        )
