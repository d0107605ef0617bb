"""The pictures that the metadata of assets carry."""

from __future__ import annotations

import base64
from datetime import date

import duckdb
import pytest

from pipelines.messages.pictures import stage_flow, stage_flow_of_last_month

PNG = b"\x89PNG\r\n\x1a\n"
MOVES = {("active", "watch"): 30, ("watch", "active"): 10, ("none", "prospect"): 5}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute(
        "create table lifecycle_transitions"
        " (month date, from_stage text, to_stage text, customers integer, is_finished boolean)"
    )
    return con


def test_equal_moves_give_equal_bytes_and_other_moves_others() -> None:
    drawn = stage_flow(MOVES, "June 2024")
    assert drawn.startswith(PNG)
    assert stage_flow(dict(reversed(MOVES.items())), "June 2024") == drawn
    assert stage_flow(MOVES | {("watch", "active"): 20}, "June 2024") != drawn


def test_the_last_finished_month_is_drawn(con: duckdb.DuckDBPyConnection) -> None:
    con.executemany(
        "insert into lifecycle_transitions values (?, 'active', 'watch', ?, ?)",
        [
            (date(2024, 4, 1), 10, True),
            (date(2024, 5, 1), 30, True),
            (date(2024, 6, 1), 7, False),
        ],
    )
    shown = stage_flow_of_last_month(con)
    expected = stage_flow({("active", "watch"): 30}, "Customers who changed stage, May 2024")
    assert shown is not None
    assert base64.b64encode(expected).decode() in shown.md_str


def test_without_a_finished_month_nothing_is_drawn(con: duckdb.DuckDBPyConnection) -> None:
    assert stage_flow_of_last_month(con) is None
