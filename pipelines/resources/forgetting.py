"""Which cells of the lake go when a customer asks to be forgotten, as SQL over its files.

Here: whose they are, which columns, and in which rows. Not here: how a batch is written anew
(lake.py), what else has to forget (erasure.py of the wiring).

Rows stay, with their keys, times, amounts and hashes: sums stay right, the ledger balances, and the
same row delivered again is known and not taken once more. Their personal columns, and all columns
that the contract does not know, become NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.resources.warehouse import literal, quoted
from pipelines.sources.connector import DEFECT
from pipelines.sources.contract import Table
from pipelines.sources.event_time import event_time, is_plausible

CUSTOMER = "customer_id"

# Columns whose values are looked for in rows that name no customer. A shorter value would be found
# in texts that have nothing to do with the person.
_NAMING_COLUMNS = ("name", "email", "phone", "company_name")
_SHORTEST_NAMING_VALUE = 5


@dataclass(frozen=True)
class Cells:
    """The cells of a file of one table that may have to go.

    Attributes:
        columns: columns that become NULL in the rows of an erased customer.
        searched: columns that become NULL where they name one in a row that tells no customer.
        naming: columns whose values name a person.
        customer: SQL: the customer of a row as text.
    """

    columns: tuple[str, ...]
    searched: tuple[str, ...]
    naming: tuple[str, ...]
    customer: str

    @classmethod
    def of(cls, table: Table, schema: pa.Schema) -> Cells:
        """The cells of a file with this schema."""
        known = {column.name: column for column in table.columns}
        unknown = [n for n in schema.names if n not in known and not n.startswith("_")]
        forgotten = [n for n in schema.names if n in known and known[n].is_forgotten]
        # The name of a representative is nobody else's, even where a customer is called the same.
        about_customers = CUSTOMER in known
        columns = (*forgotten, *unknown)
        return cls(
            columns,
            searched=columns if about_customers else tuple(unknown),
            naming=tuple(n for n in columns if n in _NAMING_COLUMNS) if about_customers else (),
            customer=_customer(schema) if CUSTOMER in schema.names else "null::varchar",
        )

    def nobodys(self, source: str) -> str:
        """SQL: the numbers (`_row`) of rows that tell no customer, but name an erased one."""
        if not self.searched:
            return "select null as _row where false"
        text = ", ".join(f"lower({quoted(name)}::varchar)" for name in self.searched)
        return (
            "select _row from ("
            f"select _row, concat_ws(chr(10), {text}) as _text from {source}"
            f" where coalesce({self.customer}, '') = '' or {DEFECT} is not null)"
            " where exists (select 1 from erased_values where contains(_text, erased_value))"
        )

    def theirs(self, source: str) -> str:
        """SQL: the numbers of rows of erased customers that still hold something of them."""
        given = " or ".join(f"{quoted(name)} is not null" for name in self.columns)
        return (
            f"select _row from {source}"
            f" where {self.customer} in (select customer from erased) and ({given})"
        )

    def forgetting(self) -> str:
        """SQL: assignments that make the cells NULL."""
        return ", ".join(f"{quoted(name)} = null" for name in self.columns)

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
