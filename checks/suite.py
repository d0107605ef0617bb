"""What a border expects, as plain data.

The same declaration is read twice: by the orchestrator when the code is loaded (names,
descriptions, severity), and by Great Expectations when a run reaches the border. Nothing here
imports Great Expectations, whose import costs 7 seconds and 270 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Expectation:
    """One Great Expectations expectation, not yet built.

    Attributes:
        kind: name of its class in `great_expectations.expectations`.
        arguments: what that class is called with.
    """

    kind: str
    arguments: Mapping[str, object]

    @property
    def columns(self) -> frozenset[str]:
        """The columns it looks at."""
        names = (self.arguments.get(key) for key in ("column", "column_A", "column_B"))
        return frozenset(name for name in names if isinstance(name, str))


def is_present(column: str) -> Expectation:
    """No value of the column is missing."""
    return Expectation("ExpectColumnValuesToNotBeNull", {"column": column})


def is_unique(column: str) -> Expectation:
    """No value of the column occurs twice; missing values are not compared."""
    return Expectation("ExpectColumnValuesToBeUnique", {"column": column})


def is_one_of(column: str, *values: str | int | bool) -> Expectation:
    """Every value that is not missing is one of these."""
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)})


def lies_between(
    column: str, low: float | None = None, high: float | None = None, *, mostly: float = 1.0
) -> Expectation:
    """At least the share `mostly` of the values that are not missing lies in [low, high]."""
    return Expectation(
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high, "mostly": mostly},
    )


def matches(column: str, pattern: str, *, mostly: float) -> Expectation:
    """At least the share `mostly` of the values that are not missing matches the pattern."""
    return Expectation(
        "ExpectColumnValuesToMatchRegex", {"column": column, "regex": pattern, "mostly": mostly}
    )


def does_not_match(column: str, pattern: str, *, mostly: float) -> Expectation:
    """At most the share `1 - mostly` of the values that are not missing matches the pattern."""
    return Expectation(
        "ExpectColumnValuesToNotMatchRegex", {"column": column, "regex": pattern, "mostly": mostly}
    )


def is_at_least(column: str, other: str) -> Expectation:
    """In every row that has both values, the first is not below the second."""
    return Expectation(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {
            "column_A": column,
            "column_B": other,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
    )


@dataclass(frozen=True)
class Check:
    """One sentence that must hold of a frame, and what to do when it does not.

    Attributes:
        name: unique within its border; reads as the sentence that holds.
        expectation: how it is tested.
        expected: completes "expected ...".
        remedy: whole sentences: what the person who reads the refusal does next.
        severity: an `error` stops the run at the border, a `warn` is shown and passed.
        where: boolean condition on the frame's columns; only such rows are looked at.
        may_be_allowed: a person may know better (a holiday, a promotion) and let it pass once.
        follows_from: name of the check of the same border whose failure brings this one along:
            where both fail, a refusal tells the other alone.
    """

    name: str
    expectation: Expectation
    expected: str
    remedy: str
    severity: Severity = "error"
    where: str | None = None
    may_be_allowed: bool = False
    follows_from: str | None = None

    @property
    def description(self) -> str:
        """What a person reads beside the check in the orchestrator."""
        return f"Expected {self.expected}. If not: {self.remedy}"


@dataclass(frozen=True)
class Suite:
    """The checks that are made of one frame in one validation.

    Attributes:
        name: names the frame, too.
        table: the table the verdicts are filed under.
        place: where the frame's figures come from, in words.
        checks: what must hold.
        figures: the frame holds aggregates and names of tables or columns, so a verdict may
            show them; otherwise its rows speak of customers, and a verdict only counts.
        labels: the columns that name a row of a frame of figures.
        because: the column that says in words why such a row is as it is; empty where nothing is
            to be said.
        personal: columns whose values may identify a person; of them a verdict says yes or no.
    """

    name: str
    table: str
    place: str
    checks: tuple[Check, ...]
    figures: bool = False
    labels: tuple[str, ...] = ()
    because: str | None = None
    personal: frozenset[str] = field(default_factory=frozenset)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the frame must have."""
        looked_at = frozenset[str]().union(*(check.expectation.columns for check in self.checks))
        return looked_at | frozenset(self.shown)

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of a frame of figures that a verdict shows beside a figure."""
        return (*self.labels, self.because) if self.because else self.labels


def allowable(suites: Iterable[Suite]) -> list[str]:
    """Names of the checks that a person may let pass once, in alphabetical order."""
    return sorted(check.name for suite in suites for check in suite.checks if check.may_be_allowed)
