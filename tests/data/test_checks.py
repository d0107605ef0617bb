"""Every check of the three borders lets good data pass and catches what it is there for."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from checks.runner import Verdict, validate
from checks.suite import Suite
from checks.suites import arrival, features, outputs

SUITES = {suite.name: suite for border in (arrival, features, outputs) for suite in border.SUITES}

# For every suite a frame in which everything holds.
GOOD: Mapping[str, pd.DataFrame] = {
    "arrival_columns": pd.DataFrame(
        {
            "table_name": ["orders", "orders", "customers"],
            "column_name": ["customer_id", "net_amount", "birth_date"],
            "required": [True, True, False],
            "given": [True, True, False],
            "missing_share": [0.25, 0.0, None],
            "unreadable_share": [0.0, 0.01, None],
            "decimal_comma_share": [0.0, 0.01, None],
            "is_purchases": [True, True, False],
            "unknown_share": [0.0, 0.5, 1.0],
            "unknown_codes": "",
        }
    ),
    "arrival_deliveries": pd.DataFrame(
        {
            "table_name": ["orders", "customers", "tickets"],
            "is_purchases": [True, False, False],
            "malformed_share": [0.0, 0.0, 0.01],
            "repeated_key_share": [0.01, 0.0, None],
            "volume_ratio": [1.2, 0.4, None],
            "earlier_deliveries": [30, 2, 0],
        }
    ),
    "arrival_purchases": pd.DataFrame(
        {"rows_up_to_as_of": [1], "fell_silent": [False], "days_too_old": [0]}
    ),
    "arrival_sample": pd.DataFrame(
        {
            "order_id": ["A-1", "A-2", "客戶 3"],
            "customer_id": ["c1", None, "c1"],
            "amount": [19.9, -5.0, None],
        }
    ),
    "features_ledger": pd.DataFrame(
        {
            "delivery": ["orders of 2026-06-30", "tickets of 2026-06-30"],
            "is_purchases": [True, False],
            "rows_unaccounted_for": [0, 0],
            "quarantined_share": [0.01, None],
            "recent_quarantined_share": [0.01, None],
            "more_quarantined_share": [0.0, None],
            "main_rules": ["", ""],
        }
    ),
    "features_population": pd.DataFrame(
        {"customers": [3], "repeated_rows": [0], "rows_after_as_of": [0]}
    ),
    "features_columns": pd.DataFrame(
        {
            "column_name": ["orders_90d", "discount_share", "spend_trend"],
            "lowest": [0.0, 0.0, -3.0],
            "highest": [9.0, 1.0, 12.0],
            "is_never_negative": [True, True, False],
            "is_share": [False, True, False],
            "rows_not_finite": [0, 0, 0],
            "is_empty": [False, False, False],
        }
    ),
    "features_customers": pd.DataFrame(
        {
            "customer_id": ["c1", "c2"],
            "order_days": [1, 5],
            "recency_days": [3, 40],
            "tenure_days": [3, 200],
        }
    ),
    "outputs_scores": pd.DataFrame(
        {
            "customer_id": ["c1", "c2"],
            "churn_probability": [0.0, 1.0],
            "score_kind": ["model", "rule"],
            "score_age_days": [0, 7],
        }
    ),
    "outputs_scored": pd.DataFrame(
        {"customers": [2], "customers_without_score": [0], "different_scores": [2]}
    ),
    "outputs_lists": pd.DataFrame(
        {
            "list_code": ["save", "win_back"],
            "has_holdout": [True, True],
            "rows_listed": [1000, 3],
            "suppressed_customers": [0, 0],
            "unproven_consents": [0, 0],
            "unknown_customers": [0, 0],
            "repeated_customers": [0, 0],
            "ranks_astray": [0, 0],
            "control_share": [0.1, 0.0],
        }
    ),
    "outputs_list_rows": pd.DataFrame(
        {
            "customer_id": ["c1", "c1"],
            "list_row_id": ["r1", "r2"],
            "days_from_as_of": [0, 0],
            "arm": ["treatment", "control"],
            "is_duty_held_out": [False, False],
            "consent_state": ["granted", "not_needed"],
            "is_about_profit": [True, False],
            "rank_value": [12.5, 3.0],
            "priority": [12.5, None],
            "probability": [0.2, None],
            "score_age_days": [0, None],
        }
    ),
    "outputs_suppressed": pd.DataFrame({"rule": ["no_consent", "budget"]}),
    "outputs_consents": pd.DataFrame(
        {"may_publish": [True], "situation": ["the last delivery on 2026-06-30"]}
    ),
    "outputs_release": pd.DataFrame({"emptied": [False], "length_ratio": [1.5]}),
}

# For every check: the column that is spoilt, what stands in its first row, and, where it matters,
# the other checks that rightly object as well.
SPOILT: Mapping[str, tuple[str, object]] = {
    "required_columns_are_given": ("given", False),
    "required_values_are_readable": ("unreadable_share", 0.99),
    "codes_of_orders_are_known": ("unknown_share", 0.51),
    "numbers_have_a_decimal_point": ("decimal_comma_share", 0.9),
    "required_values_are_present": ("missing_share", 0.51),
    "keys_name_one_order": ("repeated_key_share", 0.8),
    "rows_are_well_formed": ("malformed_share", 0.5),
    "order_volume_is_as_usual": ("volume_ratio", 0.05),
    "orders_arrived": ("rows_up_to_as_of", 0),
    "orders_keep_coming": ("fell_silent", True),
    "orders_are_recent": ("days_too_old", 59),
    "order_ids_are_clean_text": ("order_id", "A\ufffd1"),
    "order_ids_kept_their_digits": ("order_id", "1.23457E+11"),
    "order_ids_are_not_placeholders": ("order_id", "NULL"),
    "customer_ids_are_clean_text": ("customer_id", "x" * 129),
    "customer_ids_kept_their_digits": ("customer_id", "9e+15"),
    "customer_ids_are_not_placeholders": ("customer_id", "n/a"),
    "amounts_are_plausible": ("amount", 1e12),
    "amounts_are_mostly_sales": ("amount", -19.9),
    "ledger_balances": ("rows_unaccounted_for", -3),
    "most_orders_were_accepted": ("quarantined_share", 0.99),
    "recent_orders_were_accepted": ("recent_quarantined_share", 0.9),
    "orders_are_accepted_as_before": ("more_quarantined_share", 0.11),
    "few_rows_were_quarantined": ("quarantined_share", 0.06),
    "customers_are_there_to_score": ("customers", 0),
    "one_row_a_customer": ("repeated_rows", 2),
    "snapshots_do_not_look_ahead": ("rows_after_as_of", 1),
    "numbers_are_finite": ("rows_not_finite", 4),
    "counts_are_not_negative": ("lowest", -1.0),
    "columns_hold_values": ("is_empty", True),
    "customers_are_named": ("customer_id", None),
    "customers_occur_once": ("customer_id", "c2"),
    "customers_have_ordered": ("order_days", 0),
    "last_order_is_known": ("recency_days", None),
    "first_order_is_not_after_the_last": ("tenure_days", 2),
    "scored_customers_occur_once": ("customer_id", "c2"),
    "churn_probability_is_known": ("churn_probability", None),
    "churn_probability_is_a_probability": ("churn_probability", 1.01),
    "score_kind_is_known": ("score_kind", "guess"),
    "scores_are_fresh": ("score_age_days", 8),
    "everyone_is_scored": ("customers_without_score", 1),
    "scores_tell_customers_apart": ("different_scores", 1),
    "no_suppressed_customer_is_listed": ("suppressed_customers", 1),
    "consents_are_on_record": ("unproven_consents", 1),
    "listed_customers_are_known": ("unknown_customers", 1),
    "customers_are_listed_once": ("repeated_customers", 1),
    "ranks_are_dense": ("ranks_astray", 1),
    "control_share_is_plausible": ("control_share", 0.0),
    "list_rows_name_a_customer": ("customer_id", None),
    "list_row_ids_are_given": ("list_row_id", None),
    "list_row_ids_are_unique": ("list_row_id", "r2"),
    "lists_are_of_the_day": ("days_from_as_of", -1),
    "arms_are_known": ("arm", "both"),
    "arms_are_assigned": ("arm", None),
    "list_rows_have_consent": ("consent_state", "missing"),
    "consents_were_asked_for": ("consent_state", None),
    "ranks_have_a_reason": ("rank_value", None),
    "duties_have_no_control": ("is_duty_held_out", True),
    "priorities_are_known": ("priority", None),
    "list_probabilities_are_known": ("probability", None),
    "list_probability_is_a_probability": ("probability", -0.1),
    "list_scores_are_fresh": ("score_age_days", -1),
    "suppressions_name_a_rule": ("rule", None),
    "consents_are_fresh": ("may_publish", False),
    "lists_did_not_empty": ("emptied", True),
    "lists_are_as_long_as_usual": ("length_ratio", 40.0),
}

# Checks that look at rows other than the first one.
SPOILT_AT: Mapping[str, tuple[int, str, object]] = {
    "optional_values_are_readable": (2, "unreadable_share", 0.3),
    "keys_name_one_row": (1, "repeated_key_share", 0.8),
    "volume_is_as_usual": (1, "volume_ratio", 11.0),
    "shares_do_not_exceed_one": (1, "highest", 1.2),
}

# A value so wrong that the milder check beside it objects, too.
ALSO = {"most_orders_were_accepted": {"few_rows_were_quarantined"}}

CASES = [(suite, check.name) for suite in SUITES.values() for check in suite.checks]


def _failed(verdicts: list[Verdict]) -> set[str]:
    return {verdict.name for verdict in verdicts if not verdict.passed}


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_good_data_passes(suite: Suite) -> None:
    verdicts = validate(GOOD[suite.name], suite)

    assert [verdict.name for verdict in verdicts] == [check.name for check in suite.checks]
    assert _failed(verdicts) == set()


@pytest.mark.parametrize(("suite", "name"), CASES, ids=[name for _, name in CASES])
def test_each_check_catches_what_it_is_there_for(suite: Suite, name: str) -> None:
    row, column, value = SPOILT_AT[name] if name in SPOILT_AT else (0, *SPOILT[name])
    frame = GOOD[suite.name].astype({column: object})
    frame.loc[row, column] = value
    frame = frame.infer_objects()

    verdicts = validate(frame, suite)

    assert _failed(verdicts) == {name} | ALSO.get(name, set())
    [caught] = [verdict for verdict in verdicts if verdict.name == name]
    [declared] = [check for check in suite.checks if check.name == name]
    assert caught.severity == declared.severity
    assert declared.remedy in caught.message


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_an_empty_frame_is_judged_and_not_an_error(suite: Suite) -> None:
    assert _failed(validate(GOOD[suite.name].iloc[:0], suite)) == set()


def test_names_are_unique_within_a_border() -> None:
    for border in (arrival, features, outputs):
        names = [check.name for suite in border.SUITES for check in suite.checks]
        assert len(names) == len(set(names))


def test_a_check_follows_from_one_of_its_own_border() -> None:
    for border in (arrival, features, outputs):
        checks = [check for suite in border.SUITES for check in suite.checks]
        causes = {check.follows_from for check in checks} - {None}
        assert causes <= {check.name for check in checks if check.severity == "error"}


def test_a_check_that_protects_customers_cannot_be_allowed() -> None:
    allowed = {
        check.name for suite in SUITES.values() for check in suite.checks if check.may_be_allowed
    }
    assert allowed == {
        "order_volume_is_as_usual",
        "orders_keep_coming",
        "orders_are_recent",
        "lists_did_not_empty",
    }


@pytest.mark.parametrize(
    ("column", "value", "refused"),
    [
        ("unreadable_share", arrival.MAX_UNREADABLE_SHARE, False),
        ("unreadable_share", arrival.MAX_UNREADABLE_SHARE + 1e-9, True),
        ("missing_share", arrival.MAX_MISSING_SHARE, False),
        ("missing_share", arrival.MAX_MISSING_SHARE + 1e-9, True),
    ],
)
def test_a_share_on_the_threshold_still_passes(column: str, value: float, refused: bool) -> None:
    frame = GOOD["arrival_columns"].copy()
    frame.loc[0, column] = value
    assert bool(_failed(validate(frame, arrival.COLUMNS))) == refused


def test_an_optional_column_may_be_absent_and_a_guest_shop_is_no_fault() -> None:
    frame = GOOD["arrival_columns"].copy()
    frame.loc[2, ["given", "missing_share"]] = [False, 1.0]
    assert _failed(validate(frame, arrival.COLUMNS)) == set()


def test_the_volume_of_a_young_lake_is_only_shown() -> None:
    frame = GOOD["arrival_deliveries"].assign(volume_ratio=50.0, earlier_deliveries=1)
    failed = [verdict for verdict in validate(frame, arrival.DELIVERIES) if not verdict.passed]
    assert [(verdict.name, verdict.severity) for verdict in failed] == [
        ("volume_is_as_usual", "warn")
    ]
