"""The company as pandas reads it from the lake: the ground of every second opinion.

Nothing of dbt is used: the raw batches and what `lake.yml` says of their columns are all there is.
Only what the sample company needs is told again; other zones, currencies and ways of writing have
tests of their own (test_staging_*.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from tests.data.lifecycle_by_hand import (
    Asset,
    Order,
    OrderDay,
    Rules,
    Spell,
    Unit,
    order_days,
    spells,
    walk,
)

PROJECT_DIR = Path(__file__).parents[2] / "dbt_project"
VARS: Mapping[str, Any] = yaml.safe_load(
    (PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8")
)["vars"]
ROLLUP: str = VARS["lifecycle_rollup"]


class LakeInPandas:
    """What the lake of a home says of a company by a day.

    Args:
        home: the home; its lake alone is read.
        as_of: the day.
    """

    def __init__(self, home: Path, as_of: date) -> None:
        self.home, self.as_of = home, pd.Timestamp(as_of)
        declared = (PROJECT_DIR / "models" / "staging" / "lake.yml").read_text(encoding="utf-8")
        sources = yaml.load(declared, yaml.CSafeLoader)["sources"]
        [lake] = [source for source in sources if source["name"] == "lake"]
        self.contract = {table["name"]: table for table in lake["tables"]}

    @cached_property
    def versions(self) -> Mapping[str, pd.DataFrame]:
        """By table: every good row that had happened, an older version of another one among them.

        Times are UTC without zone with a day beside each, numbers float; what was never delivered
        is empty. `_batch` and `_row` say where a row came from.
        """
        return {name: self._good(name) for name in self.contract}

    @cached_property
    def rows(self) -> Mapping[str, pd.DataFrame]:
        """By table: the rows that count, each key once, only what was known by the day.

        Test accounts are no customers, and nothing that is told of them counts.
        """
        rows = {name: self._current(name) for name in self.contract}
        # a refund has no sign; whose it is, the order says where it does not say so itself
        buyer, returns = rows["orders"].set_index("order_id").customer_id, rows["returns"]
        rows["returns"] = returns.assign(
            customer_id=returns.customer_id.fillna(returns.order_id.map(buyer)),
            amount=returns.amount.abs(),
            quantity=returns.quantity.abs(),
        )
        people = rows["customers"]
        tests = people.customer_id[people.is_test.eq(True)]
        rows = {
            name: table[~table.customer_id.isin(tests)] if "customer_id" in table else table
            for name, table in rows.items()
        }
        orders = rows["orders"][["order_id", "customer_id", "ordered_on"]]
        # a line is that of its order
        items = rows["order_items"].drop(columns=["ordered_at", "ordered_on"])
        return rows | {"order_items": items.merge(orders)}

    def batches(self, table: str) -> pd.DataFrame:
        """All deliveries of a table as they came, oldest first."""
        told = sorted((self.home / "lake" / table).glob("*.json"))
        delivered = [json.loads(manifest.read_text()) for manifest in told]
        read = [pd.read_parquet(self.home / "lake" / batch["file"]) for batch in delivered]
        return pd.concat(read, ignore_index=True) if read else pd.DataFrame()

    def _columns(self, table: str) -> list[dict[str, Any]]:
        return [
            {**column.get("config", {}).get("meta", {}), **column}
            for column in self.contract[table]["columns"]
        ]

    def _good(self, table: str) -> pd.DataFrame:
        raw, columns = self.batches(table), self._columns(table)
        names = [column["name"] for column in columns]
        if raw.empty:
            return pd.DataFrame(columns=[*names, "_batch", "_row"])
        rows, is_good = pd.DataFrame(index=raw.index), pd.Series(True, raw.index)
        for column in columns:
            values, fits = _typed(raw, column)
            rows[column["name"]] = values
            is_good &= fits
            if column["data_type"] == "timestamp":
                rows[_day_of(column["name"])] = values.dt.normalize()
        good = rows.assign(_batch=pd.to_datetime(raw["_batch"]), _row=raw["_row"])[is_good]
        good = good.drop_duplicates([*names, "_batch"])
        if time := self.contract[table]["config"]["meta"].get("time"):
            happened = good[_day_of(time)]
            good = good[happened.isna() | (happened <= self.as_of)]
        return good

    def _current(self, table: str) -> pd.DataFrame:
        good = self.versions[table].sort_values(["_batch", "_row"], ascending=False)
        if "updated_at" in good and len(good):
            # of those written by the day the last, else of those written later the first
            late = good.updated_at >= self.as_of + pd.Timedelta(days=1)
            away = (good.updated_at - self.as_of).abs().fillna(pd.Timedelta.max)
            good = good.assign(_late=late, _away=away)
            good = good.sort_values(["_late", "_away"], kind="stable")
            good = good.drop(columns=["_late", "_away"])
        current = good.drop_duplicates(self.contract[table]["config"]["meta"]["key"])
        current = current.drop(columns=["_batch", "_row"]).reset_index(drop=True)
        known = current.copy()
        for column in self._columns(table):
            if len(current) and (events := known_with(column)):
                event = current[[_day_of(event) for event in events]].min(axis=1)
                for told in {column["name"], _day_of(column["name"])} & {*current}:
                    known[told] = current[told].mask(event > self.as_of)
        return known

    @cached_property
    def purchases(self) -> pd.DataFrame:
        """Completed orders in the order of each customer, net and profit in whole cents."""
        orders, items = self.rows["orders"], self.rows["order_items"]
        assert orders.currency.nunique() == 1
        assert (orders.net_amount >= 0).all()
        items = items.merge(self.rows["products"], on="product_id", how="left")
        items["worth"] = items.quantity * items.unit_price.fillna(0) - items.discount_amount.fillna(
            0
        )
        cost = (items.quantity * items.unit_cost).groupby(items.order_id).sum(min_count=1)
        is_known = items.unit_cost.notna().groupby(items.order_id).all()
        largest = items.dropna(subset="category").sort_values(
            ["worth", "line_no"], ascending=[False, True]
        )
        of_order = pd.DataFrame({
            "item_cost": cost.where(is_known),
            "category": largest.drop_duplicates("order_id").set_index("order_id").category,
            "service_days": items.groupby("order_id").service_interval_days.min(),
        })  # fmt: skip
        done = orders[orders.status == "completed"].merge(of_order, on="order_id", how="left")
        done["net"] = cents(done.net_amount)
        known = cents(done.cost_amount.fillna(done.item_cost))
        done["profit"] = (done.net - known).fillna(cents(done.net_amount * VARS["default_margin"]))
        given = (done.gross_amount - done.net_amount).clip(lower=0)
        done["discount"] = cents(done.discount_amount.fillna(given))
        done["discounted"] = (done.discount > 0) | done.coupon_code.notna()
        return done.sort_values(["customer_id", "ordered_at", "order_id"], ignore_index=True)

    @cached_property
    def returns(self) -> pd.DataFrame:
        """Returns by somebody known, with the profit that they take back, in whole cents."""
        bought = self.purchases.set_index("order_id")
        returns = self.rows["returns"].dropna(subset="customer_id")
        share = returns.order_id.map(bought.profit / 100 / (bought.net / 100).replace(0, np.nan))
        amount = returns.amount.fillna(0)
        lost = half_up(100 * (amount * share.fillna(VARS["default_margin"])))
        return returns.assign(returned=cents(amount), lost=lost)

    @cached_property
    def order_days(self) -> Mapping[Unit, list[OrderDay]]:
        """By customer and unit (asset, else customer): the order days and what is expected then."""
        assets = {
            row.asset_id: Asset(
                row.kind if isinstance(row.kind, str) else None,
                None if pd.isna(row.service_interval_days) else int(row.service_interval_days),
                None if pd.isna(row.acquired_on) else row.acquired_on.date(),
            )
            for row in self.rows["assets"].itertuples()
        }
        orders = [
            Order(
                row.customer_id,
                row.asset_id if isinstance(row.asset_id, str) else None,
                row.ordered_on.date(),
                row.category if isinstance(row.category, str) else None,
                None if pd.isna(row.service_days) else int(row.service_days),
            )
            for row in self.purchases.itertuples()
        ]
        rules = Rules(**{name: VARS[name] for name in Rules.__dataclass_fields__})
        return order_days(orders, assets, rules)

    @cached_property
    def units(self) -> Mapping[str, Mapping[str, list[OrderDay]]]:
        """The same by customer, then by unit."""
        units: dict[str, dict[str, list[OrderDay]]] = defaultdict(dict)
        for (customer, unit), days in self.order_days.items():
            units[customer][unit] = days
        return units

    def spells_of(self, *units: list[OrderDay]) -> list[Spell]:
        """The stages that units go through together, prospects apart."""
        return spells(walk(units, ROLLUP, self.as_of.date(), VARS["won_back_window_days"]))

    @cached_property
    def stages(self) -> pd.DataFrame:
        """Spells of stages from the first order on: customer_id, stage, valid_from, valid_to."""
        told = [
            (customer, stage, begun, ended)
            for customer, units in self.units.items()
            for begun, ended, stage in self.spells_of(*units.values())
        ]
        frame = pd.DataFrame(told, columns=["customer_id", "stage", "valid_from", "valid_to"])
        return frame.assign(
            valid_from=pd.to_datetime(frame.valid_from), valid_to=pd.to_datetime(frame.valid_to)
        )

    @cached_property
    def person(self) -> Mapping[str, str]:
        """The first record of the person of each, by every link of number and mail."""
        customers = self.rows["customers"]
        parent = {customer: customer for customer in customers.customer_id}

        def root(customer: str) -> str:
            while parent[customer] != customer:
                customer = parent[customer]
            return customer

        digits = customers.phone.str.replace(r"\D", "", regex=True)
        differ = digits.str[-9:].map(lambda end: len(set(end)) > 1, na_action="ignore")
        plausible = digits.str.len().between(7, 15) & differ.fillna(False).astype(bool)
        emails = customers.email.str.strip().str.lower()
        emails = emails.where(emails.str.fullmatch(r"[^@ ]+@[^@ ]+[.][^@ ]+"))
        for key in (digits.where(plausible).str[-9:], emails):
            for _, group in customers.groupby(key):
                if len(group) <= VARS["duplicate_most_customers"]:
                    first, *others = group.customer_id
                    for other in others:
                        smaller, larger = sorted([root(first), root(other)])
                        parent[larger] = smaller
        return {customer: root(customer) for customer in parent}

    def refusing(self, basis: str) -> set[tuple[str, str]]:
        """Customer and channel where the last word of the record or of the person is a refusal.

        Profiling knows no channels: there, all of them are one, called "".
        """
        said = self.rows["consents"]
        said = said[said.basis.fillna("marketing") == basis].copy()
        said["granted"] = said.granted.astype(bool)
        # a refusal of the same moment comes last, and counts
        said = said.sort_values(["changed_at", "granted"], ascending=[True, False])
        record, person, of_person = {}, {}, defaultdict(list)
        for row in said.itertuples():
            channel = "" if basis == "profiling" else row.channel
            record[row.customer_id, channel] = row.granted
            person[self.person.get(row.customer_id, row.customer_id), channel] = row.granted
        for customer, first in self.person.items():
            of_person[first].append(customer)
        return {key for key, granted in record.items() if not granted} | {
            (customer, channel)
            for (first, channel), granted in person.items()
            if not granted
            for customer in of_person.get(first, [first])
        }

    @cached_property
    def unprofiled(self) -> set[str]:
        """Who asked to be forgotten or objected to profiling."""
        return {customer for customer, _ in self.refusing("profiling")} | set(
            self.rows["erasure_requests"].customer_id
        )

    @cached_property
    def tables(self) -> Mapping[str, pa.Table]:
        """All of it for queries: `lake_<table>`, `lake_purchases`, `lake_stages`."""
        frames = dict(self.rows) | {
            "customer_versions": self.versions["customers"],
            "purchases": self.purchases.assign(profit_amount=self.purchases.profit / 100),
            "stages": self.stages,
        }
        as_contract = {"customer_versions": "customers", "purchases": "orders", "stages": None}
        with duckdb.connect() as con:
            return {
                f"lake_{name}": self._table(con, frame, as_contract.get(name, name))
                for name, frame in frames.items()
            }

    def _table(self, con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, like: str | None) -> Any:
        con.register("frame", pa.Table.from_pandas(frame, preserve_index=False))
        types = {c["name"]: c["data_type"] for c in self._columns(like)} if like else {}
        days = {n: "date" for n in frame if n.endswith("_on") or n.startswith("valid_")}
        types |= days | {"profit_amount": "decimal(18,2)"}
        casts = ", ".join(f"cast({n} as {types[n]}) as {n}" if n in types else n for n in frame)
        return con.sql(f"select {casts} from frame").to_arrow_table()

    def beside(self, marts: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
        """A warehouse with these tables beside its own."""
        for name, table in self.tables.items():
            marts.register(name, table)
        return marts


def half_up(numbers: pd.Series) -> pd.Series:
    """To the nearest whole number, a half away from zero."""
    return np.sign(numbers) * np.floor(numbers.abs() + 0.5)


def cents(amounts: pd.Series) -> pd.Series:
    """Decimal money in whole cents."""
    return half_up((amounts.astype(float) * 100).round(6))


def known_with(column: Mapping[str, Any]) -> list[str]:
    """The time columns with the first of which the value becomes known."""
    events = column.get("known_with", [])
    return [events] if isinstance(events, str) else events


def _day_of(time: str) -> str:
    return f"{time.removesuffix('_at')}_on"


def _typed(raw: pd.DataFrame, column: Mapping[str, Any]) -> tuple[pd.Series, pd.Series]:
    """The values of a column, and for which rows they are what the contract asks for."""
    name, kind = column["name"], column["data_type"]
    given = raw[name] if name in raw else pd.Series(None, raw.index)
    if given.dtype != "str":
        given = given.map(str, na_action="ignore").astype("str")
    text = given.str.strip().replace("", None)
    fits = text.notna() if column.get("required") else pd.Series(True, raw.index)
    if kind == "string":
        if not column.get("accepted"):
            return text, fits
        code = text.str.lower().fillna(column.get("default"))
        return code, fits & (code.isna() | code.isin(column["accepted"]))
    if kind == "boolean":
        truth = text.str.lower().map({"true": True, "false": False})
        return truth, fits & (truth.notna() | text.isna())
    if kind in ("timestamp", "date"):
        times = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
        times = times.dt.tz_localize(None)
        fits &= ~(times < pd.Timestamp(column.get("earliest", VARS["earliest_plausible_on"])))
        if name not in known_with(column):
            fits &= ~(times >= pd.Timestamp(VARS["latest_plausible_on"]))
        return times, fits & (times.notna() | text.isna())
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    fits &= numbers.notna() | text.isna()
    fits &= ~(numbers < column.get("minimum", -np.inf))
    fits &= ~(numbers > column.get("maximum", np.inf))
    fits &= ~((numbers == 0) & column.get("nonzero", False))
    return numbers, fits
