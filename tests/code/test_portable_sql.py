"""Tables are written for both engines: what one alone understands stays in macros/engine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
ENGINE = DBT_PROJECT / "macros" / "engine"

# One engine alone has it, or both have it and mean different things (hash).
ONE_ENGINE_ONLY = re.compile(
    r"""
      \basof\s+join\b
    | \b(generate_series|unnest|explode|list|collect_list|approx_quantile)\s*\(
    | \b(strftime|date_format|epoch|hash)\s*\(
    | \bsha(2|256)\s*\(
    | \bmerge\s+into\b
    | \bexclude\s*\(
    """,
    re.IGNORECASE | re.VERBOSE,
)  # fmt: skip
COMMENT = re.compile(r"\{#.*?#\}|--[^\n]*", re.DOTALL)


def one_engine_forms(sql: str) -> Iterator[tuple[int, str]]:
    """Line and text of each form that only one engine understands, comments apart."""
    # a comment leaves its line breaks behind, so that lines keep their numbers
    told = COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), sql)
    for found in ONE_ENGINE_ONLY.finditer(told):
        yield told.count("\n", 0, found.start()) + 1, found[0]


def test_tables_use_what_both_engines_understand() -> None:
    files = [path for path in DBT_PROJECT.rglob("*.sql") if "target" not in path.parts]
    ours = [path for path in files if ENGINE not in path.parents]
    assert len(ours) > 200
    assert [
        f"{path.relative_to(DBT_PROJECT)}:{line}: {form}"
        for path in sorted(ours)
        for line, form in one_engine_forms(path.read_text())
    ] == []


@pytest.mark.parametrize(
    "form",
    [
        "from a asof join b", "from generate_series(1, 3)", "select unnest(x)",
        "select Explode (x)", "select list(x)", "select collect_list(x)",
        "select approx_quantile(x, 0.5)",
        "select sha256(x)", "select sha2(x, 256)", "select strftime(x, 'a')",
        "select date_format(x, 'a')", "select epoch(x)", "merge into a", "select hash(x)",
        "select a.* exclude (b)",
    ],
)  # fmt: skip
def test_a_form_of_one_engine_is_found_on_its_line(form: str) -> None:
    [(line, _)] = one_engine_forms(f"-- list(x)\n{{# hash(x)\n#}}\n{form}\n")
    assert line == 4


@pytest.mark.parametrize(
    "form",
    [
        "select a.* except (b)", "{% set x = y | list %}", "select exclude_list (x)",
        "{{ words(x | list) }}", "{{ stable_hash('x') }}", "select price_list(x)",
        "from a emerge into b", "select {{ epoch_of(x) }}",
    ],
)  # fmt: skip
def test_what_both_engines_understand_is_not_complained_of(form: str) -> None:
    assert list(one_engine_forms(form)) == []
