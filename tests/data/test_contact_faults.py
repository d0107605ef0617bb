"""Contact data that the sample company made implausible, against what the tables say of it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.sources.sample.contact_faults import SHOWN_BY


@pytest.fixture
def judged(sample_home: Path, sample_marts: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Verdicts on the records that are judged at all, beside what is true of them."""
    truth = next((sample_home / "truth").glob("*/customers"))
    return sample_marts.sql(
        f"select q.*, t.contact_fault from contact_data_quality as q"
        f" join '{truth}/*.parquet' as t using (customer_id)"
    )


@pytest.mark.parametrize(
    ("column", "shown_as"),
    [("is_phone_plausible", False), ("is_email_plausible", False),
     ("is_birth_date_plausible", False)],
)  # fmt: skip
def test_what_cannot_be_right_is_found_and_nothing_else(
    judged: duckdb.DuckDBPyRelation, column: str, shown_as: bool
) -> None:
    planted = [kind for kind, shown_by in SHOWN_BY.items() if shown_by == column]
    rows = judged.filter(f"contact_fault in {(*planted, '')}")
    found = judged.filter(f"{column} = {shown_as}")

    assert rows.count("*").fetchall()[0][0] > 0
    assert sorted(found.project("customer_id").fetchall()) == sorted(
        rows.project("customer_id").fetchall()
    )


def test_an_address_that_stands_at_two_customers_is_found(
    judged: duckdb.DuckDBPyRelation, sample_marts: duckdb.DuckDBPyConnection
) -> None:
    """Unless who owns it is gone, or a test account, which are not judged."""
    lent = judged.filter("contact_fault = 'email_of_another'")
    alone = sample_marts.sql(
        "select email from stg_customers join contact_data_quality using (customer_id)"
        " group by email having count(*) = 1"
    )
    emails = sample_marts.sql("select customer_id, email from stg_customers")
    unseen = lent.filter("not is_same_email").project("customer_id").fetchall()
    gone = emails.join(alone, "email").project("customer_id").fetchall()

    assert lent.filter("is_same_email").count("*").fetchall()[0][0] > 0
    assert set(unseen) <= set(gone)
    assert lent.filter("verdict = 'sound'").fetchall() == [] or unseen


def test_the_truth_counts_as_many_as_it_planted(sample_home: Path) -> None:
    truth = next((sample_home / "truth").glob("*/customers")).parent
    counted = duckdb.sql(
        f"select kind, rows from '{truth}/defects.parquet' where verdict = 'doubted'"
    ).fetchall()
    planted = duckdb.sql(
        f"select contact_fault, count(*) from '{truth}/customers/*.parquet'"
        " where contact_fault is not null group by 1"
    ).fetchall()

    assert sorted(counted) == sorted(planted)
    assert {kind for kind, _ in counted} == set(SHOWN_BY)
