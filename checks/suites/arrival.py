"""First border: a delivery is refused before anything is built on it.

A few bad rows are no reason to stop; they go to quarantine. What is refused here is a delivery
that went wrong as a whole: not there, another format, another grain, another amount of data.
"""

from __future__ import annotations

from checks.suite import (
    Check,
    Suite,
    does_not_match,
    is_one_of,
    lies_between,
    matches,
)
from checks.suites.features import MAX_QUARANTINED_SHARE

# Share of rows. A changed format breaks every row and a slip of the hand a few; between the two
# lies nothing that was ever meant.
MAX_UNREADABLE_SHARE = 0.20

# Share of rows. Shops sell to guests: of Online Retail II, a real shop, a quarter of the lines
# have no customer. Beyond half, the column is not the one that was meant.
MAX_MISSING_SHARE = 0.50

# Share of different rows that repeat the key of another. Corrections repeat a few keys; order
# lines delivered as orders repeat most of them.
MAX_REPEATED_KEY_SHARE = 0.20

# A later delivery with fewer rows is not judged by shares: one bad row of two is a bad row, and
# quarantine shows it. The first delivery of a table is judged whatever its size.
MIN_ROWS_FOR_SHARES = 20

# Rows a day over the lowest (10th percentile) and the highest (90th) of the deliveries before:
# a weekly day of rest and one odd day pass, a lost table and a doubled export do not.
MIN_VOLUME_RATIO = 0.1
MAX_VOLUME_RATIO = 10.0

# Deliveries before this one, the first (which brings all of history) not counted. With fewer,
# nobody knows yet what is usual, so an odd amount is only shown.
MIN_DELIVERIES_TO_JUDGE = 5

# Rows a day: below, a factor of ten happens by chance.
MIN_USUAL_ROWS = 20

# Currency units, either sign: beyond, an order is a typing error or was counted in another unit.
MAX_PLAUSIBLE_AMOUNT = 1e8

# Characters: longer identifiers are another column that slipped into this one.
MAX_ID_LENGTH = 128

# Share of rows of a sample; a table in which this many identifiers are fine was read right.
MOSTLY_INTACT = 0.99

_USUAL_VOLUME = f"between {MIN_VOLUME_RATIO:g} and {MAX_VOLUME_RATIO:g} times the usual rows a day"

COLUMNS = Suite(
    name="arrival_columns",
    table="orders",
    place="delivered columns",
    figures=True,
    labels=("table_name", "column_name"),
    because="unknown_codes",
    checks=(
        Check(
            "required_columns_are_given",
            is_one_of("given", True),
            expected="every required column of a delivered table to be there",
            remedy=(
                "If the source calls it otherwise, rename it in the mapping file; "
                "else have the source deliver it."
            ),
            where="required",
        ),
        Check(
            "required_values_are_readable",
            lies_between("unreadable_share", high=MAX_UNREADABLE_SHARE),
            expected=(
                f"at most {MAX_UNREADABLE_SHARE:.0%} of the values of a required column to be "
                "unreadable as its type, or a time out of all plausibility"
            ),
            remedy=(
                "Correct the export, or say in mapping.toml how the file writes it, under the "
                'table\'s columns: ordered_at = { column = "Date", format = "%d.%m.%Y %H:%M" }; '
                "in two formats: ordered_at = "
                "{ sql = \"try_strptime(Date, ['%d.%m.%Y', '%Y/%m/%d'])\" }; "
                "with signs of currency and thousands, such as ¥1,299.00: unit_price = "
                "{ sql = \"regexp_replace(Price, '[^0-9.-]', '', 'g')\" }, each with the name that "
                "the file has for the column."
            ),
            where="required",
        ),
        Check(
            "numbers_have_a_decimal_point",
            lies_between("decimal_comma_share", high=MAX_UNREADABLE_SHARE),
            expected=(
                f"at most {MAX_UNREADABLE_SHARE:.0%} of a column's numbers to have a decimal comma"
            ),
            remedy=(
                "12,50 is mended by an expression in mapping.toml, under the table's columns, as "
                "in [orders.columns]: net_amount = "
                "{ sql = \"replace(replace(net_amount, '.', ''), ',', '.')\" }, "
                "with the file's own name of the column within the brackets."
            ),
        ),
        # Such rows of other tables are left to quarantine: what they would switch on stays off.
        Check(
            "codes_of_orders_are_known",
            lies_between("unknown_share", high=MAX_QUARANTINED_SHARE),
            expected=(
                f"at most {MAX_QUARANTINED_SHARE:.0%} of the day's orders to hold a code that "
                "nothing knows"
            ),
            remedy=(
                "Translate the codes in mapping.toml, under the table's columns, as in "
                "[orders.columns]: status = { sql = \"case Status when 'paid' then 'completed' "
                "when 'void' then 'cancelled' else Status end\" }, with the names and codes that "
                "the file has."
            ),
            where="is_purchases",
        ),
        Check(
            "required_values_are_present",
            lies_between("missing_share", high=MAX_MISSING_SHARE),
            expected=(
                f"at most {MAX_MISSING_SHARE:.0%} of the values of a required column to be missing"
            ),
            remedy="See whether the mapping file names the right column, and correct the export.",
            where="required",
        ),
        Check(
            "optional_values_are_readable",
            lies_between("unreadable_share", high=MAX_UNREADABLE_SHARE),
            expected=(
                f"at most {MAX_UNREADABLE_SHARE:.0%} of the values of an optional column to be "
                "unreadable as its type"
            ),
            remedy="The rows go to quarantine; correct the export, or leave the column out.",
            severity="warn",
            where="not required",
        ),
    ),
)

DELIVERIES = Suite(
    name="arrival_deliveries",
    table="orders",
    place="delivered tables",
    figures=True,
    labels=("table_name",),
    checks=(
        Check(
            "rows_are_well_formed",
            lies_between("malformed_share", high=MAX_UNREADABLE_SHARE),
            expected=(
                f"at most {MAX_UNREADABLE_SHARE:.0%} of a table's rows not to be rows of it at all"
            ),
            remedy="Declare the file's separator, quotes and encoding, or correct the export.",
        ),
        Check(
            "keys_name_one_order",
            lies_between("repeated_key_share", high=MAX_REPEATED_KEY_SHARE),
            expected=(
                f"at most {MAX_REPEATED_KEY_SHARE:.0%} of the different rows of orders to repeat "
                "the key of another"
            ),
            remedy="Order lines are delivered as order_lines, not as orders: rename the table.",
            where="is_purchases",
        ),
        Check(
            "keys_name_one_row",
            lies_between("repeated_key_share", high=MAX_REPEATED_KEY_SHARE),
            expected=(
                f"at most {MAX_REPEATED_KEY_SHARE:.0%} of a table's different rows to repeat the "
                "key of another"
            ),
            remedy=(
                "Only the last version of a key counts: see whether the table has another grain "
                "than the source contract says."
            ),
            severity="warn",
            where="not is_purchases",
        ),
        Check(
            "order_volume_is_as_usual",
            lies_between("volume_ratio", MIN_VOLUME_RATIO, MAX_VOLUME_RATIO),
            expected=f"orders to bring {_USUAL_VOLUME}",
            remedy=(
                "Look for a partial or a doubled export, and publish anyway only where the amount "
                "is right."
            ),
            where=f"is_purchases and earlier_deliveries >= {MIN_DELIVERIES_TO_JUDGE}",
            may_be_allowed=True,
        ),
        Check(
            "volume_is_as_usual",
            lies_between("volume_ratio", MIN_VOLUME_RATIO, MAX_VOLUME_RATIO),
            expected=f"a table to bring {_USUAL_VOLUME}",
            remedy="Look for a partial or a doubled export.",
            severity="warn",
            where=f"not is_purchases or earlier_deliveries < {MIN_DELIVERIES_TO_JUDGE}",
        ),
    ),
)

PURCHASES = Suite(
    name="arrival_purchases",
    table="orders",
    place="orders and order_lines",
    figures=True,
    checks=(
        Check(
            "orders_arrived",
            lies_between("rows_up_to_as_of", low=1),
            expected="at least one order up to the day of the run",
            remedy=(
                "Deliver `orders` or `order_lines`, or run for a later day (HOMING_AS_OF), "
                "on which there are orders."
            ),
        ),
        Check(
            "orders_keep_coming",
            is_one_of("fell_silent", False),
            expected="a later day to bring at least one new order, as the days before it did",
            remedy=(
                "Refresh the export, or run for another day (HOMING_AS_OF); publish anyway only "
                "where nothing was sold."
            ),
            may_be_allowed=True,
        ),
        Check(
            "orders_are_recent",
            lies_between("days_too_old", high=0),
            expected=(
                "the newest order to be no day older than HOMING_ORDERS_MAX_AGE_DAYS (31 unless "
                "set), as seen from the day of the run"
            ),
            remedy=(
                "On old orders everybody looks like leaving: deliver newer ones, or run for an "
                "earlier day (HOMING_AS_OF). If so long a pause is usual, raise "
                "HOMING_ORDERS_MAX_AGE_DAYS by the days found."
            ),
            may_be_allowed=True,
        ),
    ),
)


def _identifier_checks(column: str, what: str) -> tuple[Check, ...]:
    return (
        Check(
            f"{column}s_are_clean_text",
            matches(
                column, rf"^[^\x00-\x1f\x7f\ufffd]{{1,{MAX_ID_LENGTH}}}$", mostly=MOSTLY_INTACT
            ),
            expected=(
                f"the identifier of {what} to be text of at most {MAX_ID_LENGTH} characters, "
                "without control or replacement characters"
            ),
            remedy="Declare the file's encoding and separator, or correct the export.",
        ),
        Check(
            f"{column}s_kept_their_digits",
            does_not_match(column, r"^\d(?:\.\d+)?[eE]\+\d+$", mostly=MOSTLY_INTACT),
            expected=f"the identifier of {what} to be whole, not rounded as in 1.23E+11",
            remedy=(
                "A spreadsheet turned long numbers into rounded ones, so that several are now the "
                "same: export again with the column as text."
            ),
        ),
        Check(
            f"{column}s_are_not_placeholders",
            does_not_match(
                column,
                r"(?i)^\s*(?:nan|null|none|nil|n/?a|#n/a|undefined|unknown|-+|0+)\s*$",
                mostly=MOSTLY_INTACT,
            ),
            expected=f"the identifier of {what} to be empty where there is none",
            remedy="Have the source leave the column empty instead of writing a placeholder.",
            severity="warn",
        ),
    )


SAMPLE = Suite(
    name="arrival_sample",
    table="orders",
    place="sampled orders, as delivered",
    personal=frozenset({"order_id", "customer_id"}),
    checks=(
        *_identifier_checks("order_id", "an order"),
        *_identifier_checks("customer_id", "a customer"),
        Check(
            "amounts_are_plausible",
            lies_between(
                "amount", -MAX_PLAUSIBLE_AMOUNT, MAX_PLAUSIBLE_AMOUNT, mostly=MOSTLY_INTACT
            ),
            expected=f"amounts of at most {MAX_PLAUSIBLE_AMOUNT:,.0f}, positive or negative",
            remedy="See whether the amounts are in the currency's main unit.",
            severity="warn",
        ),
        Check(
            "amounts_are_mostly_sales",
            lies_between("amount", low=0, mostly=0.5),
            expected="at least half of the amounts not to be negative",
            remedy="A sale is positive and what was taken back negative: see the export's signs.",
            severity="warn",
        ),
    ),
)

SUITES = (COLUMNS, DELIVERIES, PURCHASES, SAMPLE)
