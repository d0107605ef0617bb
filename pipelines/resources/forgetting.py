"""Which cells of the lake go when a customer asks to be forgotten, as SQL over its files.

Here: whose they are, which columns, and in which rows. Not here: how a batch is written anew
(lake.py), what else has to forget (erasure.py of the wiring).

Rows stay, with their keys, times, amounts and hashes: sums stay right, the ledger balances, and the
same row delivered again is known and not taken once more. Their personal columns, and all columns
that the contract does not know, become NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.resources.warehouse import literal, quoted
from pipelines.sources.connector import DEFECT
from pipelines.sources.contract import Table
from pipelines.sources.event_time import event_time, is_plausible

CUSTOMER = "customer_id"
FORGOTTEN = "forgotten"  # stands where something stood that was no code

# Columns whose values are looked for in rows that name no customer. A shorter value would be found
# in texts that have nothing to do with the person.
_NAMING_COLUMNS = ("name", "email", "phone", "company_name")
_SHORTEST_NAMING_VALUE = 5


@dataclass(frozen=True)
class Cells:
    """The cells of a file of one table that may have to go.

    Attributes:
        columns: columns that become NULL in every row that has to forget.
        others: text columns that become NULL in such a row where they name the person, as when the
            columns of a line slipped.
        codes: by text column of codes, those that the contract accepts. Anything else in it may
            be a note that slipped, and is replaced: empty, the row would no longer be refused.
        searched: columns that tell whether a row without a customer is about an erased one.
        naming: columns whose values name a person.
        customer: SQL: the customer of a row as text.
    """

    columns: tuple[str, ...]
    others: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    searched: tuple[str, ...]
    naming: tuple[str, ...]
    customer: str

    @classmethod
    def of(cls, table: Table, schema: pa.Schema) -> Cells:
        """The cells of a file with this schema."""
        known = {column.name: column for column in table.columns}
        delivered = [name for name in schema.names if not name.startswith("_")]
        unknown = [name for name in delivered if name not in known]
        forgotten = [name for name in delivered if name in known and known[name].is_forgotten]
        columns = (*forgotten, *unknown)
        # Keys stay, or a good row would be lost because its number reads like a name.
        others = tuple(
            name
            for name in delivered
            if name not in (*columns, *table.key, CUSTOMER)
            and pa.types.is_string(schema.field(name).type)
        )
        if CUSTOMER not in known:
            # The name of a representative is nobody else's, even where a customer has the same.
            return cls(tuple(unknown), (), {}, tuple(unknown), (), "null::varchar")
        return cls(
            columns,
            others,
            codes={name: known[name].accepted for name in others if known[name].accepted},
            searched=(*columns, *others),
            naming=tuple(name for name in columns if name in _NAMING_COLUMNS),
            customer=_customer(schema) if CUSTOMER in delivered else "null::varchar",
        )

    def nobodys(self, source: str) -> str:
        """SQL: the numbers (`_row`) of rows that tell no customer, but name an erased one."""
        return _naming(
            f"from {source} where coalesce({self.customer}, '') = '' or {DEFECT} is not null",
            self.searched,
        )

    def theirs(self, source: str) -> str:
        """SQL: the numbers of rows of erased customers that still hold something of them."""
        their = f"from {source} where {self.customer} in (select customer from erased)"
        given = " or ".join(
            [
                *(f"{quoted(name)} is not null" for name in self.columns),
                *(_is_no_code(name, accepted) for name, accepted in self.codes.items()),
            ]
        )
        holding = f"select _row {their} and ({given or 'false'})"
        return f"{holding} union {_naming(their, self.others)}"

    def forgetting(self) -> str:
        """SQL: assignments that make the cells NULL, or tell that a code was none."""
        return ", ".join(
            [
                *(f"{quoted(name)} = null" for name in self.columns),
                *(
                    f"{quoted(name)} = case when {_is_no_code(name, self.codes[name])}"
                    f" then {literal(FORGOTTEN)} else {quoted(name)} end"
                    for name in self.codes
                ),
                *(
                    f"{quoted(name)} = case when not {_names_one(quoted(name))}"
                    f" then {quoted(name)} end"
                    for name in self.others
                    if name not in self.codes
                ),
            ]
        )

    def naming_values(self, source: str) -> str:
        """SQL: the values by which erased customers are named in a relation."""
        selects = [
            f"select lower(trim({quoted(name)}::varchar)) as erased_value from {source}"
            f" where {self.customer} in (select customer from erased)"
            for name in self.naming
        ]
        return (
            f"select distinct erased_value from ({' union all '.join(selects)})"
            f" where length(erased_value) >= {_SHORTEST_NAMING_VALUE}"
        )


def _is_no_code(name: str, accepted: Sequence[str]) -> str:
    # As staging reads codes: in small letters, with underscores.
    code = f"replace(replace(lower(trim({quoted(name)})), ' ', '_'), '-', '_')"
    known = ", ".join(map(literal, (*accepted, FORGOTTEN, "")))
    return f"coalesce({code} not in ({known}), false)"


def _naming(rows: str, columns: Sequence[str]) -> str:
    """SQL: the numbers of those of the rows in which a column names an erased customer."""
    if not columns:
        return "select null as _row where false"
    text = ", ".join(f"{quoted(name)}::varchar" for name in columns)
    return (
        f"select _row from (select _row, concat_ws(chr(10), {text}) as _text {rows})"
        f" where {_names_one('_text')}"
    )


def _names_one(text: str) -> str:
    return f"exists (select 1 from erased_values where contains(lower({text}), erased_value))"


def customers_who_asked(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Iterable[Path]
) -> set[str]:
    """The customers of readable erasure requests, which are those that staging accepts."""
    customers: set[str] = set()
    for file in files:
        source = _read(file)
        schema = connection.sql(f"from {source} limit 0").to_arrow_table().schema
        asked = connection.execute(
            f"select distinct {_customer(schema)} from {source}"
            f" where {DEFECT} is null and {is_plausible(event_time(table, schema))}"
        )
        customers.update(customer for (customer,) in asked.fetchall() if customer)
    return customers


def name_the_erased(connection: duckdb.DuckDBPyConnection, customers: Sequence[str]) -> None:
    """Make the temporary tables that the SQL of `Cells` reads, the second one still empty."""
    connection.register("erased_list", pa.table({"customer": pa.array(customers, pa.string())}))
    connection.execute("create or replace temp table erased as select customer from erased_list")
    connection.execute("create or replace temp table erased_values (erased_value varchar)")


def _customer(schema: pa.Schema) -> str:
    # As staging reads it: a number is the identifier that it spells, also if it came as 17.0.
    text = f"trim({CUSTOMER}::varchar)"
    kind = schema.field(CUSTOMER).type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return rf"regexp_replace({text}, '\.0+$', '')"
    return text


def _read(file: Path) -> str:
    return f"read_parquet({literal(file)})"
