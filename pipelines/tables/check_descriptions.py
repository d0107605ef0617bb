"""What the UI says of dbt's data tests: a sentence each, made of what the test asks.

A test of its own says it in the comment that its file begins with; one of a kind that many columns
share is put into words here. A `description` beside the test goes before both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_OPENING = re.compile(r"\s*(?:\{#(?P<block>.*?)#\}|(?P<lines>(?:--[^\n]*\n)+))", re.DOTALL)

SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "not_null": lambda asked: f"{asked['column_name']} is never NULL.",
    "unique": lambda asked: f"No two rows have the same {asked['column_name']}.",
    "unique_together": lambda asked: f"No two rows agree in all of {_listed(asked['columns'])}.",
    "accepted_values": lambda asked: (
        f"{asked['column_name']} is one of {_listed(asked['values'])}, or NULL."
    ),
    "accepted_range": lambda asked: f"{asked['column_name']} is {_bounds(asked)}, or NULL.",
    "relationships": lambda asked: (
        f"Every {asked['column_name']} is a {asked['field']} of {_referred(asked['to'])}, or NULL."
    ),
}


def description_of(test: Mapping[str, Any]) -> str | None:
    """What a data test asks, in a sentence.

    Args:
        test: its node in dbt's manifest.

    Returns:
        The sentence; None of a test that says nothing and is of no known kind.
    """
    if test["description"]:
        return " ".join(test["description"].split())
    kind = test.get("test_metadata")
    if not kind:
        return _opening_comment(test["raw_code"])
    if kind["name"] not in SENTENCES:
        return None
    said = SENTENCES[kind["name"]](kind["kwargs"])
    where = test["config"].get("where")
    return f"{said} Asked of rows where {where}." if where else said


def _opening_comment(code: str) -> str | None:
    found = _OPENING.match(code)
    if not found:
        return None
    text = found["block"] or found["lines"].replace("--", "")
    return " ".join(text.split())


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


def _bounds(asked: Mapping[str, Any]) -> str:
    bounds = {"at least": asked.get("at_least"), "at most": asked.get("at_most")}
    return " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)


def _referred(to: str) -> str:
    return re.sub(r"""^\w+\(['"]|['"]\)$""", "", to)
