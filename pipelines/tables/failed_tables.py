"""What a person is told of tables that failed: which, by which test, how many rows, where to look.

Here: reading dbt's results. Not here: how dbt is called (dbt.py), nor what is said of other
failures of a run (run.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.durable import write_atomically
from pipelines.errors import TablesError

RESULTS = "run_results.json"  # dbt's own name
_FAILED = {"fail", "error", "runtime error", "partial success"}
_OF_CODES = {"accepted_values", "relationships"}


@dataclass(frozen=True)
class Failure:
    """One table that could not be built, or one of its tests that failed.

    Attributes:
        table: its name.
        told: what is wrong, in one sentence without any value of a row that a source delivered. The
            codes of a seed are the project's own words, so a wrong one is named.
        said: what dbt said; may quote a row.
        query: the SQL of the table, or the query that finds the failing rows; None: none was made.
    """

    table: str
    told: str
    said: str
    query: str | None


def failures(
    results: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
    first_column: Callable[[str], Sequence[str]],
) -> list[Failure]:
    """What failed, in the order of dbt's results.

    Args:
        results: `results` of dbt's run_results.json.
        manifest: dbt's, for what a test is about.
        first_column: gives the first column of a query on the warehouse.
    """
    return list(_failures(results, manifest, first_column))


def _failures(
    results: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
    first_column: Callable[[str], Sequence[str]],
) -> Iterator[Failure]:
    for result in results:
        if result["status"] not in _FAILED:
            continue
        node = manifest["nodes"][result["unique_id"]]
        said = result["message"] or "no reason"
        if node["resource_type"] != "test":
            table, told = node["name"], f"could not be built: {_kind(said)}"
        elif result["status"] == "fail":
            table, rows = _table_of(node), result["failures"]
            told = f"{_test(node)}: expected no row that breaks it, found {rows:,}"
            if _is_about_codes_of_a_seed(node):
                codes = sorted(set(first_column(result["compiled_code"])))
                told += f": {', '.join(codes)}; correct the seed"
        else:
            table, told = _table_of(node), f"{_test(node)}: could not be asked: {_kind(said)}"
        yield Failure(table, told, said, result.get("compiled_code"))


def _table_of(test: Mapping[str, Any]) -> str:
    """The table a test stands with; one of its own file reads several, the first is named first."""
    about: str = test.get("attached_node") or test["depends_on"]["nodes"][0]
    return about.rpartition(".")[2]


def _is_about_codes_of_a_seed(test: Mapping[str, Any]) -> bool:
    kind = test.get("test_metadata") or {}
    return (test.get("attached_node") or "").startswith("seed.") and kind.get("name") in _OF_CODES


def _test(test: Mapping[str, Any]) -> str:
    """`unique_together (order_id, line_no)`, or the sentence that a file of its own is called."""
    kind = test.get("test_metadata")
    if not kind:
        return str(test["name"])
    columns = kind["kwargs"].get("columns") or [kind["kwargs"].get("column_name")]
    return f"{kind['name']} ({', '.join(filter(None, columns))})"


def _kind(said: str) -> str:
    """What kind of error the engine names, such as Conversion Error; the rest may quote a row."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    # dbt's own first line says in which file; the engine's follows.
    engine = lines[1] if len(lines) > 1 else lines[0]
    return engine.partition(":")[0]


def tables_error(failed: Sequence[Failure], report: Path, warehouse: Path) -> TablesError:
    """The one message of a stage whose tables failed; what may quote a row goes to a file.

    Args:
        failed: at least one.
        report: file to be written: SQL to be run on the warehouse, with what dbt said.
        warehouse: DuckDB file of the tables as they were built.
    """
    report.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(report, "\n".join(map(_reported, failed)).encode())
    names = list(dict.fromkeys(failure.table for failure in failed))
    head = f"{len(names)} table{'s' * (len(names) > 1)} of the run failed, so nothing was published"
    lines = "\n".join(f"  - {failure.table}: {failure.told}" for failure in failed)
    return TablesError(
        f"{head}\n{lines}\nThe queries that show the rows, and what the engine said: {report}\n"
        f"Run them on {warehouse}; mend the source or the table named, then run again."
    )


def _reported(failure: Failure) -> str:
    comment = "\n".join(
        f"-- {line}" for line in (f"{failure.table}: {failure.told}", *failure.said.splitlines())
    )
    query = (failure.query or "").strip().rstrip(";")
    return f"{comment}\n{query};\n" if query else f"{comment}\n"
