"""Second border: what the model is about to read.

dbt's own tests have looked at every table; here it is asked whether the whole still is what a
model can be trained on and scored with.
"""

from __future__ import annotations

from checks.suite import (
    Check,
    Suite,
    is_at_least,
    is_one_of,
    is_present,
    is_unique,
    lies_between,
)

# Share of a delivery's rows. Above the first, something in the source deserves a look; above the
# second, what is left is not the shop any more.
UNUSUAL_QUARANTINED_SHARE = 0.05
MAX_QUARANTINED_SHARE = 0.50
# Of the newest days with orders: who seems to have left may have ordered in what could not be read.
# A share that rises by a tenth is no habit of the source (guests without an id) but a change.
RECENT_DAYS = 31
UNUSUAL_RISE = 0.10

# The source is at fault, so the remedy names where its rows went.
_SEE_QUARANTINE = (
    "The table `quarantine` of $HOMING_HOME/warehouse.duckdb names each row by its file and line; "
    "correct the source, or translate its values in mapping.toml (README, 'Your own data'); a "
    "currency wants its rates in dbt_project/seeds/exchange_rates.csv."
)
_DEFECT = "This is a defect of the SQL in dbt_project/models/features, not of the data."

LEDGER = Suite(
    name="features_ledger",
    table="row_ledger",
    place="row_ledger",
    figures=True,
    labels=("delivery",),
    because="main_rules",
    checks=(
        Check(
            "ledger_balances",
            is_one_of("rows_unaccounted_for", 0),
            expected="extracted = accepted + quarantined + duplicate for every delivery",
            remedy="Rows were lost or made up in staging: a defect of dbt_project/models/staging.",
        ),
        Check(
            "most_orders_were_accepted",
            lies_between("quarantined_share", high=MAX_QUARANTINED_SHARE),
            expected=f"at most {MAX_QUARANTINED_SHARE:.0%} of the day's orders in quarantine",
            remedy=_SEE_QUARANTINE,
            where="is_purchases",
        ),
        Check(
            "recent_orders_were_accepted",
            lies_between("recent_quarantined_share", high=MAX_QUARANTINED_SHARE),
            expected=(
                f"at most {MAX_QUARANTINED_SHARE:.0%} of the orders of the newest {RECENT_DAYS} "
                "days with orders in quarantine, since everybody would look like leaving"
            ),
            remedy=_SEE_QUARANTINE,
            where="is_purchases",
            follows_from="most_orders_were_accepted",
        ),
        Check(
            "orders_are_accepted_as_before",
            lies_between("more_quarantined_share", high=UNUSUAL_RISE),
            expected=(
                f"at most {UNUSUAL_RISE:.0%} more of the newest {RECENT_DAYS} days' orders in "
                "quarantine than of those before"
            ),
            remedy=_SEE_QUARANTINE,
            where="is_purchases",
            severity="warn",
        ),
        Check(
            "few_rows_were_quarantined",
            lies_between("quarantined_share", high=UNUSUAL_QUARANTINED_SHARE),
            expected=f"at most {UNUSUAL_QUARANTINED_SHARE:.0%} of a table's rows in quarantine",
            remedy=_SEE_QUARANTINE,
            severity="warn",
        ),
    ),
)

POPULATION = Suite(
    name="features_population",
    table="customer_features",
    place="customer_features of the day",
    figures=True,
    checks=(
        Check(
            "customers_are_there_to_score",
            lies_between("customers", low=1),
            expected="at least one customer with a completed order who is not churned",
            remedy=(
                "See `row_ledger` for orders in quarantine and `customer_lifecycle` for the "
                "stages; if the newest orders are old, run for an earlier day (HOMING_AS_OF)."
            ),
            follows_from="most_orders_were_accepted",
        ),
        Check(
            "one_row_a_customer",
            is_one_of("repeated_rows", 0),
            expected="one row a customer and snapshot",
            remedy=_DEFECT,
        ),
        Check(
            "snapshots_do_not_look_ahead",
            is_one_of("rows_after_as_of", 0),
            expected="no snapshot later than the day of the run",
            remedy=_DEFECT,
        ),
    ),
)

COLUMNS = Suite(
    name="features_columns",
    table="customer_features",
    place="columns of customer_features",
    figures=True,
    labels=("column_name",),
    checks=(
        Check(
            "numbers_are_finite",
            is_one_of("rows_not_finite", 0),
            expected="no infinite number and no NaN",
            remedy=_DEFECT,
        ),
        Check(
            "counts_are_not_negative",
            lies_between("lowest", low=0),
            expected="no negative count, share or number of days since",
            remedy=_DEFECT,
            where="is_never_negative",
        ),
        Check(
            "shares_do_not_exceed_one",
            lies_between("highest", high=1),
            expected="no share above 1",
            remedy=_DEFECT,
            where="is_share",
        ),
        Check(
            "columns_hold_values",
            is_one_of("is_empty", False),
            expected="every feature to be known for at least one customer",
            remedy=(
                "What the source does not deliver stays unknown, and the model does without; "
                "`source_inventory` names what is missing."
            ),
            severity="warn",
        ),
    ),
)

CUSTOMERS = Suite(
    name="features_customers",
    table="customer_features",
    place="sampled rows of customer_features",
    personal=frozenset({"customer_id"}),
    checks=(
        Check(
            "customers_are_named",
            is_present("customer_id"),
            expected="every row to name its customer",
            remedy=_DEFECT,
        ),
        Check(
            "customers_occur_once",
            is_unique("customer_id"),
            expected="every customer to occur once",
            remedy=_DEFECT,
        ),
        Check(
            "customers_have_ordered",
            lies_between("order_days", low=1),
            expected="at least one day with an order for every customer to be scored",
            remedy=_DEFECT,
        ),
        Check(
            "last_order_is_known",
            is_present("recency_days"),
            expected="the days since the last order to be known for every customer to be scored",
            remedy=_DEFECT,
        ),
        Check(
            "first_order_is_not_after_the_last",
            is_at_least("tenure_days", "recency_days"),
            expected="the first order not to be later than the last one",
            remedy=_DEFECT,
        ),
    ),
)

SUITES = (LEDGER, POPULATION, COLUMNS, CUSTOMERS)
