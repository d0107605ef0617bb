"""The source contract as Python sees it: read from dbt's own YAML, its only home.

Here: tables and columns with their meaning, and the vars that staging judges their rows by.
Not here: how a source delivers them (connector.py) and how their rows are checked (staging, in the
dbt project).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

# Each of them says what was ordered, so exactly one of them is given.
ORDER_TABLES = ("orders", "order_lines")

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
CONTRACT_PATH = DBT_PROJECT / "models" / "staging" / "lake.yml"


@dataclass(frozen=True)
class Column:
    """One column of the contract.

    Attributes:
        name: what Homing calls it.
        data_type: string, integer, decimal(p,s), double, boolean, date or timestamp.
        description: its meaning, with the unit.
        required: a row without it goes to quarantine, a delivery without it is refused.
        personal: names or describes a person.
        identifying: helps to find out who it is; goes with the personal columns on erasure.
        known_with: the time columns with the first of which it becomes known; empty: at once.
        default: the value where none is given.
        accepted: the codes it may hold; empty: any.
        minimum: smallest value accepted, inclusive.
        maximum: largest value accepted, inclusive.
        nonzero: zero is not accepted.
        earliest: plausible from this day on, where that is not the project's own day.
    """

    name: str
    data_type: str
    description: str
    required: bool = False
    personal: bool = False
    identifying: bool = False
    known_with: tuple[str, ...] = ()
    default: str | None = None
    accepted: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    nonzero: bool = False
    earliest: date | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether its values go when the customer asks to be forgotten."""
        return self.personal or self.identifying


@dataclass(frozen=True)
class Table:
    """One table of the contract.

    Attributes:
        name: what Homing calls it.
        description: what it holds, with the grain.
        columns: in the order of the contract.
        key: the columns that identify a row; two rows with one key are versions of it.
        identity: the columns that identify what a version is of, where it is more than one row:
            rows that agree in them are told together, and those of a later delivery count instead.
        sort: order of the rows within a batch of the lake.
        time: the event time that decides to which run a row belongs; a source may leave it out.
        required: nothing can be computed without it, or without the table in `instead`.
        instead: the table that may be given in its place.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    identity: tuple[str, ...]
    sort: tuple[str, ...]
    time: str
    required: bool = False
    instead: str | None = None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns without which the table cannot be delivered."""
        return tuple(column.name for column in self.columns if column.required)


@cache
def load_vars() -> Mapping[str, Any]:
    """The vars of the dbt project: what is refused on arrival is what staging would refuse."""
    document = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    return MappingProxyType(document["vars"])


@cache
def load_contract(path: Path = CONTRACT_PATH) -> Mapping[str, Table]:
    """Read the contract: tables by name, in the order in which they are declared.

    Raises:
        ValueError: the YAML contradicts itself, a defect of the project.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    [source] = (source for source in document["sources"] if source["name"] == "lake")
    tables = [_read_table(declared) for declared in source["tables"]]
    contract = MappingProxyType({table.name: table for table in tables})
    for table in tables:
        if contradiction := _contradiction(table, contract):
            raise ValueError(f"{path}: table {table.name} {contradiction}")
    return contract


def _read_table(declared: Mapping[str, Any]) -> Table:
    meta = declared.get("config", {}).get("meta", {})
    return Table(
        name=declared["name"],
        description=declared["description"].strip(),
        columns=tuple(_read_column(column) for column in declared["columns"]),
        key=tuple(meta["key"]),
        identity=tuple(meta.get("identity", meta["key"])),
        sort=tuple(meta["sort"]),
        time=meta["time"],
        required=meta.get("required", False),
        instead=meta.get("instead"),
    )


def _read_column(declared: Mapping[str, Any]) -> Column:
    meta = dict(declared.get("config", {}).get("meta", {}))
    # A misspelt rule would be silently without effect.
    if unknown := set(meta) - {field.name for field in fields(Column)}:
        raise ValueError(f"{declared['name']}: unknown rule {', '.join(sorted(unknown))}")
    if isinstance(meta.get("known_with"), str):
        meta["known_with"] = [meta["known_with"]]
    meta["known_with"] = tuple(meta.get("known_with", ()))
    if "accepted" in meta:
        meta["accepted"] = tuple(meta["accepted"])
    if "earliest" in meta:
        meta["earliest"] = date.fromisoformat(str(meta["earliest"]))
    return Column(declared["name"], declared["data_type"], declared["description"].strip(), **meta)


def _contradiction(table: Table, contract: Mapping[str, Table]) -> str | None:
    names = table.column_names
    mentioned = {
        *table.key,
        *table.identity,
        *table.sort,
        *(event for c in table.columns for event in c.known_with),
        table.time,
    }
    if unknown := mentioned - {*names, None}:
        return f"mentions unknown columns: {', '.join(sorted(filter(None, unknown)))}"
    if len(set(names)) != len(names):
        return "declares a column twice"
    if table.instead is not None and table.instead not in contract:
        return f"may be replaced by an unknown table, {table.instead}"
    return None
