"""The contract as Python reads it, and what a contradictory one is told."""

from pathlib import Path

import pytest

from pipelines.sources.contract import load_contract

ORDERS = """
sources:
  - name: lake
    tables:
      - name: orders
        description: Orders.
        config: {meta: %s}
        columns:
          - {name: order_id, data_type: string, description: Identifier, config: {meta: %s}}
"""


def test_every_table_of_the_design_is_there_in_its_order() -> None:
    assert list(load_contract()) == [
        *("customers", "contacts", "order_lines", "orders", "order_items", "products", "assets"),
        *("returns", "interactions", "tickets", "surveys", "campaigns", "campaign_members"),
        *("loyalty_ledger", "reps", "opportunities", "consents", "trainings", "community_events"),
        *("usage_events", "churn_feedback", "erasure_requests"),
    ]


def test_only_four_columns_of_one_table_are_required() -> None:
    contract = load_contract()
    assert [table.name for table in contract.values() if table.required] == ["orders"]
    assert contract["orders"].instead == "order_lines"
    assert contract["orders"].required_columns == (
        *("order_id", "customer_id", "ordered_at", "net_amount"),
    )


def test_every_line_of_order_lines_stands_for_itself() -> None:
    lines = load_contract()["order_lines"]
    assert set(lines.key) == set(lines.column_names)


def test_times_are_times_and_every_column_is_described() -> None:
    for table in load_contract().values():
        types = {column.name: column.data_type for column in table.columns}
        assert types[table.time] == "timestamp"
        for column in table.columns:
            assert column.description
            assert {types[event] for event in column.known_with} <= {"timestamp"}


@pytest.mark.parametrize(
    ("table_meta", "column_meta", "complaint"),
    [
        ("{key: [id], sort: [order_id], time: order_id}", "{}", "mentions unknown columns: id"),
        ("{key: [order_id], sort: [order_id], time: at}", "{}", "mentions unknown columns: at"),
        (
            "{key: [order_id], sort: [order_id], time: order_id, instead: lines}",
            "{}",
            "unknown table, lines",
        ),
        (
            "{key: [order_id], sort: [order_id], time: order_id}",
            "{requird: true}",
            "unknown rule requird",
        ),
        (
            "{key: [order_id], sort: [order_id], time: order_id}",
            "{known_with: at}",
            "unknown columns: at",
        ),
    ],
)
def test_a_contradiction_is_named(
    tmp_path: Path, table_meta: str, column_meta: str, complaint: str
) -> None:
    path = tmp_path / "lake.yml"
    path.write_text(ORDERS % (table_meta, column_meta))
    with pytest.raises(ValueError, match=complaint):
        load_contract(path)
