"""Applies a suite to a frame, and says what came out in words that carry no personal value.

Great Expectations is imported inside the functions: only a run that reaches a border pays for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from checks.suite import Check, Severity, Suite

if TYPE_CHECKING:
    import pandas as pd

# Rows of figures that a message names before it only counts the rest.
NAMED_ROWS = 5

_GX_SEVERITY: Mapping[Severity, str] = {"error": "critical", "warn": "warning"}
_SEVERITY: Mapping[str, Severity] = {"critical": "error", "warning": "warn"}


class SuiteError(RuntimeError):
    """A suite could not be evaluated: a defect of a suite or of its frame's SQL, not bad data."""


@dataclass(frozen=True)
class Verdict:
    """What came out of one check.

    Attributes:
        name: the check's name.
        passed: whether the sentence held.
        severity: what a failure means: `error` refuses the data, `warn` does not.
        observed: counts and figures, never a value of a row that speaks of a customer.
        message: what was expected, what was found, where, and what to do.
        follows_from: name of the check whose failure explains this one.
    """

    name: str
    passed: bool
    severity: Severity
    observed: Mapping[str, int | float]
    message: str
    follows_from: str | None = None


def load_engine() -> None:
    """Import Great Expectations ahead of the first border, for who has a core to spare."""
    import great_expectations.expectations  # noqa: F401, PLC0415


def validate(frame: pd.DataFrame, suite: Suite) -> list[Verdict]:
    """Check a frame against a suite.

    Args:
        frame: has at least the suite's columns; keep it narrow and bounded (about 750 MB for
            a million rows and 15 checks).
        suite: what must hold.

    Returns:
        One verdict a check, in the suite's order.

    Raises:
        SuiteError: a check could not be evaluated. The message names the check and the kind of
            error alone, since the engine's own message may quote values.
    """
    if absent := suite.columns - set(frame.columns):
        raise SuiteError(
            f"suite {suite.name}: expected the frame to have the columns "
            f"{', '.join(sorted(suite.columns))}; {', '.join(sorted(absent))} not found. "
            "Correct the query that makes the frame."
        )
    if suite.figures:
        # Figures may be shown, with the columns that name their row.
        shown: dict[str, object] = {
            "result_format": "SUMMARY",
            "partial_unexpected_count": NAMED_ROWS,
            "unexpected_index_column_names": list(suite.shown),
        }
    else:
        shown = {"result_format": "BASIC", "partial_unexpected_count": 0}
    personal = [check for check in suite.checks if check.expectation.columns & suite.personal]
    others = [check for check in suite.checks if check not in personal]
    results = _evaluate(frame, suite, others, shown) | _evaluate(
        frame, suite, personal, {"result_format": "BOOLEAN_ONLY"}
    )
    return [_verdict(check, suite, results[check.name], len(frame)) for check in suite.checks]


def refusal(verdicts: Iterable[Verdict]) -> str | None:
    """The one message that a refused run ends with.

    Args:
        verdicts: of all suites of a border.

    Returns:
        The text, or None when nothing of severity `error` failed. What merely follows from another
        fault is not told as a second one.
    """
    faults = [each for each in verdicts if not each.passed and each.severity == "error"]
    if not faults:
        return None
    names = {each.name for each in faults}
    failed = [each for each in faults if each.follows_from not in names]
    if len(failed) == 1:
        return failed[0].message
    reasons = "\n".join(f"  - {each.message}" for each in failed)
    return f"{len(failed)} checks refused the data:\n{reasons}"


def _evaluate(
    frame: pd.DataFrame, suite: Suite, checks: Sequence[Check], result_format: dict[str, object]
) -> dict[str, Any]:
    """One validation by Great Expectations: its result for every check, by the check's name."""
    if not checks:
        return {}
    from great_expectations import ExpectationSuite  # noqa: PLC0415 - 7 s, see above

    outcome = (
        _frames()
        .get_batch({"dataframe": frame})
        .validate(
            ExpectationSuite(
                name=suite.name, expectations=[_expectation(check) for check in checks]
            ),
            result_format=result_format,
        )
    )
    results: dict[str, Any] = {}
    result: Any
    for result in outcome.results:
        name = result.expectation_config.meta["check"]
        if errors := _error_kinds(result.exception_info):
            raise SuiteError(
                f"suite {suite.name}, check {name}: expected the frame to fit the check; the "
                f"engine stopped with {', '.join(errors)}. Compare the types of the frame's "
                "columns with the check."
            )
        results[name] = result
    return results


@cache
def _frames() -> Any:
    """What turns a frame into a batch: a context in memory, silent and telling nobody."""
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations.data_context.types.base import (  # noqa: PLC0415
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # The engine logs the message of an error it caught, which may quote a value. Whatever it
    # catches is raised by _evaluate.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _expectation(check: Check) -> Any:
    from great_expectations import expectations  # noqa: PLC0415

    condition = {"row_condition": check.where, "condition_parser": "pandas"} if check.where else {}
    return getattr(expectations, check.expectation.kind)(
        **check.expectation.arguments,
        **condition,
        severity=_GX_SEVERITY[check.severity],
        meta={"check": check.name},
    )


def _error_kinds(exception_info: Mapping[str, Any] | None) -> list[str]:
    """Names of the error classes the engine caught: one entry, or one for every failed metric."""
    if not exception_info:
        return []
    entries = [exception_info] if "raised_exception" in exception_info else exception_info.values()
    return sorted(
        {
            str(entry["exception_traceback"]).strip().splitlines()[-1].partition(":")[0]
            for entry in entries
            if entry["raised_exception"]
        }
    )


def _verdict(check: Check, suite: Suite, result: Any, rows: int) -> Verdict:
    passed = bool(result.success)
    observed: dict[str, int | float] = {"rows": rows}
    for key, name in (("element_count", "rows"), ("unexpected_count", "unexpected")):
        if result.result.get(key) is not None:
            observed[name] = int(result.result[key])
    if passed:
        message = f"{suite.place}: as expected, {check.expected} ({observed['rows']:,} rows)."
    else:
        found = _found(check, suite, result.result, observed)
        message = f"{suite.place}: expected {check.expected}; found {found}. {check.remedy}"
    return Verdict(
        name=check.name,
        passed=passed,
        severity=_SEVERITY[result.expectation_config.severity.value],
        observed=observed,
        message=message,
        follows_from=check.follows_from,
    )


def _found(
    check: Check, suite: Suite, result: Mapping[str, Any], observed: Mapping[str, int | float]
) -> str:
    if not suite.figures:
        if "unexpected" not in observed:
            return f"otherwise among {observed['rows']:,} rows (personal values are not shown)"
        share = observed["unexpected"] / max(observed["rows"], 1)
        return f"otherwise in {observed['unexpected']:,} of {observed['rows']:,} rows ({share:.1%})"
    column = str(check.expectation.arguments["column"])
    if not suite.labels:
        return ", ".join(_figure(column, each) for each in result["partial_unexpected_list"])
    rows = result["partial_unexpected_index_list"]
    named = [_named(row, column, suite) for row in rows]
    more = int(observed["unexpected"]) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more > 0 else "")


def _named(row: Mapping[str, Any], column: str, suite: Suite) -> str:
    name = ".".join(str(row[label]) for label in suite.labels)
    # That a row is named at all says what a yes or no would say again.
    told = [] if _is_boolean(row[column]) else [_figure(column, row[column])]
    told += [str(row[suite.because])] if suite.because and row[suite.because] else []
    return f"{name} ({': '.join(told)})" if told else name


def _figure(column: str, value: Any) -> str:
    """A figure in the unit that its column's name announces."""
    if _is_boolean(value):
        return "otherwise"
    if column.endswith("_share"):
        return f"{float(value):.1%}"
    return f"{float(value):,.6g}"


def _is_boolean(value: Any) -> bool:
    return str(value) in {"True", "False"}
