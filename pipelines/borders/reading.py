"""How a delivered column is read: what it gives, and whether that is of the contract's type.

The readings follow staging's (dbt_project/macros/engine/cleaning.sql) but are coarser: they have
to tell a delivery that went wrong from one with a few bad rows, not a good row from a bad one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.resources.warehouse import literal, quoted
from pipelines.sources.contract import Column, load_vars

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
_NUMBERS = {"FLOAT", "DOUBLE", "DECIMAL"} | _INTEGERS | {f"U{name}" for name in _INTEGERS}
_NO_VALUES = "('null', 'none', 'nan', 'nat', 'n/a', '<na>', '\\n')"
_BOOLEANS = "('true', 't', 'yes', 'y', '1', '1.0', 'false', 'f', 'no', 'n', '0', '0.0')"
_SPACES = " \t\r\n\N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True)
class Reading:
    """How one delivered column is read.

    Attributes:
        column: what the contract says of it.
        stored: its type in the data file.
    """

    column: Column
    stored: str

    @property
    def given(self) -> str:
        """SQL for what the source gave: NULL where it gave nothing, else text or the right kind."""
        name = quoted(self.column.name)
        if self._is_native:
            return name
        if self._is_number and self.column.data_type == "string":
            # An empty cell turned the column into doubles: 13085.0 is the customer 13085.
            text = (
                f"case when {name} = floor({name}) and abs({name}) < 1e18"
                f" then {name}::bigint::varchar else {name}::varchar end"
            )
        else:
            # Trimming costs three times a look at the first and the last character.
            plain = f"{name}::varchar"
            text = (
                f"nullif(case when regexp_matches({plain}, '^[^!-~]|[^!-~]$')"
                f" then trim({plain}, '{_SPACES}') else {plain} end, '')"
            )
        if self.column.data_type == "string" and not self.column.name.endswith("_id"):
            return text
        return f"case when lower({text}) not in {_NO_VALUES} then {text} end"

    def is_unreadable(self, value: str) -> str:
        """SQL: whether a value cannot be read as its type, or is a time that cannot be meant."""
        match self.column.data_type:
            case "string":
                return "false"
            case "boolean":
                return "false" if self._is_native else f"lower({value}) not in {_BOOLEANS}"
            case "integer":
                number = f"try_cast({value} as decimal(38, 9))"
                return f"coalesce({number} <> floor({number}), true)"
            case "date" | "timestamp":
                return f"coalesce({self._is_implausible(self.instant(value))}, true)"
            case number:
                return f"try_cast({value} as {number}) is null"

    def has_decimal_comma(self, value: str) -> str:
        """SQL: whether text that is no number would be one with a decimal point: 12,50."""
        if not self.is_number_as_text:
            return "false"
        return rf"regexp_full_match({value}, '[+-]?\d{{1,3}}([. ]?\d{{3}})*,\d{{1,2}}')"

    def is_unknown(self, value: str) -> str:
        """SQL: whether a value is none of the codes that the column may hold."""
        if not self.column.accepted:
            return "false"
        codes = ", ".join(literal(code) for code in self.column.accepted)
        return f"lower(replace(replace({value}, ' ', '_'), '-', '_')) not in ({codes})"

    def instant(self, value: str) -> str:
        """SQL for the time that a value names, give or take its zone, which would cost double."""
        return f"try_cast({value} as timestamp)"

    def _is_implausible(self, instant: str) -> str:
        days = load_vars()
        earliest = self.column.earliest or days["earliest_plausible_on"]
        early = f"{instant} < timestamp '{earliest}'"
        if self.column.name in self.column.known_with:
            return early  # 9999-12-31 means "not yet" here
        return f"{early} or {instant} >= timestamp '{days['latest_plausible_on']}'"

    @property
    def is_number_as_text(self) -> bool:
        """Whether the column should hold numbers and holds text."""
        kind = self.column.data_type.partition("(")[0]
        return kind in {"decimal", "double", "integer"} and self.stored == "VARCHAR"

    @property
    def _is_number(self) -> bool:
        return self.stored.partition("(")[0] in _NUMBERS

    @property
    def _is_native(self) -> bool:
        match self.column.data_type:
            case "string":
                return False
            case "boolean":
                return self.stored == "BOOLEAN"
            case "date" | "timestamp":
                return self.stored == "DATE" or self.stored.startswith("TIMESTAMP")
            case _:
                return self._is_number
