"""Every published ratio is what its description says: one column over another, in every row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import pytest
import yaml

from tests.data.lake_in_pandas import PROJECT_DIR

SAID = re.compile(
    r"^(?:(?P<times>100) x )?\(?(?P<over>[a-z_0-9]+)(?: - (?P<minus>[a-z_0-9]+)\))?"
    r" / (?P<under>[a-z_0-9]+)(?P<less> - 1)?(?= \(|[:;.]|$)"
)


class Ratio(NamedTuple):
    """A column, what its description says it is, and whether that names cases without a figure."""

    table: str
    column: str
    formula: str
    may_be_empty: bool


def ratios() -> Iterator[Ratio]:
    """What the YAML beside the published tables says of its ratios; rounded parts would not do."""
    for path in sorted((PROJECT_DIR / "models").rglob("*.yml")):
        told = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for table in told.get("models", []):
            columns = {column["name"]: column for column in table.get("columns", [])}
            exact = {
                name for name, column in columns.items() if column.get("data_type") != "double"
            }
            for name, column in columns.items():
                description = " ".join(column.get("description", "").split())
                said = SAID.match(description)
                if said and {said["over"], said["under"]} <= exact:
                    yield Ratio(
                        table["name"],
                        name,
                        f"{said['times'] or 1} * ({said['over']} - {said['minus'] or 0})::double"
                        f" / nullif({said['under']}, 0) - {1 if said['less'] else 0}",
                        "NULL" in description,
                    )


RATIOS = list(ratios())


@pytest.mark.parametrize("table", sorted({ratio.table for ratio in RATIOS}))
def test_a_ratio_is_its_numerator_over_its_denominator(
    sample_marts: duckdb.DuckDBPyConnection, table: str
) -> None:
    for _, column, formula, may_be_empty in (ratio for ratio in RATIOS if ratio.table == table):
        wrong = sample_marts.sql(
            f"""
            select {column}, {formula} as exact from {table}
            where
                case
                    when {column} is null then not {may_be_empty} and ({formula}) is not null
                    else coalesce(abs({column} - ({formula})) > 1e-5 * (1 + abs({formula})), true)
                end
            limit 3
            """
        ).fetchall()
        assert not wrong, (column, formula)


def test_the_ratios_that_the_design_names_are_among_them() -> None:
    named = {(ratio.table, ratio.column) for ratio in RATIOS}
    assert named >= {
        ("service_churn_monthly", "service_churn_rate"), ("service_churn_monthly", "churn_rate"),
        ("win_back_monthly", "win_back_rate"), ("retention_metrics_monthly", "nps"),
        ("retention_metrics_monthly", "csat"), ("retention_metrics_monthly", "revenue_retention"),
        ("retention_metrics_monthly", "first_contact_resolution"),
        ("retention_metrics_monthly", "average_order_value"),
        ("loyalty_monthly", "breakage_rate"), ("revisit_monthly", "completion_rate"),
    }  # fmt: skip
    assert len(RATIOS) > 80
