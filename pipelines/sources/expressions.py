"""SQL expressions over the rows of a file: what one may hold, and its values for a batch.

Here: letting through scalar expressions only, and running them without a way to files or network.
Not here: where they come from (mapping.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.errors import SourceError
from pipelines.sources.connector import DEFECT

FILE = "_file"


class Expressions:
    """The expressions of one file, each for a column of its table.

    Args:
        sqls: SQL by the name of the column.
        columns: the file's own columns, for messages.
        timezone: the session's, for casts between times with and without a zone.
        label: the file's name in messages, and the value of `_file`.
        absent: columns that the file has not and that are NULL to the expressions.
    """

    def __init__(
        self,
        sqls: Mapping[str, str],
        columns: Collection[str],
        timezone: str,
        label: str,
        *,
        absent: Collection[str] = (),
    ) -> None:
        self._absent = absent
        self._sqls = sqls
        self._columns = columns
        self._timezone = timezone
        self._label = label

    def types(self, schema: pa.Schema) -> dict[str, pa.DataType]:
        """The types of the values, for batches of a schema."""
        nothing = pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)
        [(_, values)] = self.beside([nothing], self._sqls)
        return {name: array.type for name, array in values.items()}

    def beside(
        self, batches: Iterable[pa.RecordBatch], names: Collection[str]
    ) -> Iterator[tuple[pa.RecordBatch, dict[str, pa.Array]]]:
        """Every batch, with the values of those expressions that are asked for.

        Raises:
            SourceError: an expression cannot be used on these columns or values.
        """
        wanted = {name: sql for name, sql in self._sqls.items() if name in names}
        if not wanted:
            yield from ((batch, {}) for batch in batches)
            return
        # A line that is no row has no values, not even constant ones.
        selected = ", ".join(
            f"case when {DEFECT} is null then (\n{sql}\n) end as {as_identifier(name)}"
            for name, sql in wanted.items()
        )
        with self._session() as session:
            for batch in batches:
                label = pa.repeat(pa.scalar(self._label, pa.string()), batch.num_rows)
                rows = batch.append_column(FILE, label)
                for name in self._absent:
                    rows = rows.append_column(name, pa.nulls(batch.num_rows, pa.string()))
                session.register("rows", pa.table(rows))
                try:
                    result = session.sql(f"select {selected} from rows").to_arrow_table()
                except duckdb.Error as error:
                    raise self._failure(session, wanted, error) from None
                if result.num_rows != batch.num_rows:
                    raise SourceError(
                        f"{self._label}: expected one value a row from the expressions for "
                        f"{', '.join(wanted)}; found {result.num_rows:,} for {batch.num_rows:,} "
                        "rows. Correct them in mapping.toml."
                    )
                yield batch, {name: result.column(name).combine_chunks() for name in wanted}

    @contextmanager
    def _session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as session:
            session.execute(f"set TimeZone = {as_literal(self._timezone)}")
            session.execute("set lock_configuration = true")
            yield session

    def _failure(
        self, session: duckdb.DuckDBPyConnection, sqls: Mapping[str, str], error: duckdb.Error
    ) -> SourceError:
        """Which expression it was; of the values, which may be personal, not one."""
        for name, sql in sqls.items():
            try:
                session.sql(f"select (\n{sql}\n) from rows").to_arrow_table()
            except duckdb.BinderException as problem:
                return self._unusable(name, str(problem).splitlines()[0])
            except duckdb.Error:
                reason = "it fails on a value of the file; try_cast and try_strptime give NULL then"
                return self._unusable(name, reason)
        return self._unusable(", ".join(sqls), type(error).__name__)

    def _unusable(self, name: str, reason: str) -> SourceError:
        return SourceError(
            f"{self._label}: the expression for {name} cannot be used: {reason}. Correct it in "
            f"mapping.toml; the file's columns are {', '.join(self._columns)}."
        )


def columns_used(sql: str, columns: Collection[str], where: str) -> set[str]:
    """Let through one scalar expression over a row that gives the same whenever it is asked.

    Args:
        sql: the expression.
        columns: the file's columns; one may be called like a function.
        where: beginning of the message.

    Returns:
        The columns that it reads, in lower case.

    Raises:
        SourceError: it is something else.
    """
    expected = f"{where}: expected one SQL expression over the columns of a row, found"
    node = _parsed(sql)
    if node is None:
        raise SourceError(f"{expected} {sql!r}. Correct it in mapping.toml.")
    known = {column.lower() for column in columns}
    used: set[str] = set()
    for part in _parts(node):
        if part["class"] in {"SUBQUERY", "WINDOW", "STAR", "PARAMETER"}:
            raise SourceError(f"{expected} {part['class'].lower()} in {sql!r}.")
        is_column = part["class"] == "COLUMN_REF"
        name = part["column_names"][0] if is_column else part.get("function_name", "")
        if is_column:
            used.add(name.casefold())
        if name.lower() in _unusable_functions() and not (is_column and name.lower() in known):
            raise SourceError(
                f"{expected} {name!r}, whose value depends on more than the row: a rerun of the "
                "day would find other rows. Use the file's columns, _row and _file."
            )
    return used


def _parsed(sql: str) -> dict[str, Any] | None:
    """The tree of an expression; None if the text is anything else than one expression."""
    with duckdb.connect() as session:
        trees = [
            json.loads(session.execute("select json_serialize_sql(?)", [text]).fetchall()[0][0])
            for text in (f"select (\n{sql}\n)", "select (\n1\n)")
        ]
    if trees[0]["error"] or len(trees[0]["statements"]) != 1:
        return None
    node, plain = (tree["statements"][0]["node"] for tree in trees)
    selected = node.pop("select_list")
    plain.pop("select_list")
    # Text that closes our parenthesis, to go on with a clause of its own, gives another tree.
    return selected[0] if len(selected) == 1 and node == plain else None


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for child in node.values():
            yield from _parts(child)
    elif isinstance(node, list):
        for child in node:
            yield from _parts(child)


@cache
def _unusable_functions() -> set[str]:
    """Functions that are not scalar, or that depend on the clock, chance or the session."""
    with duckdb.connect() as session:
        rows = session.execute(
            """
            select lower(function_name)
            from duckdb_functions()
            group by all
            having not bool_or(
                (function_type = 'scalar' and stability = 'CONSISTENT')
                or (function_type = 'macro' and not contains(macro_definition, 'current_'))
            )
            """
        ).fetchall()
    # Words that the parser turns into one of those without a function of that name.
    words = {"current_timestamp", "current_time", "localtime", "localtimestamp"}
    return words.union(name for (name,) in rows)


def as_identifier(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def as_literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
