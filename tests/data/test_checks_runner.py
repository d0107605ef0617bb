"""The runner: what a verdict says, what it never says, and what happens when a check breaks."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pandas as pd
import pytest

from checks.runner import SuiteError, Verdict, refusal, validate
from checks.suite import Check, Severity, Suite, does_not_match, is_present, is_unique, lies_between
from checks.suites import arrival

NAME, MAIL, PHONE = "Wanda Canary", "canary@example.org", "+86 138 0000 0000"


def _verdict(name: str, *, passed: bool, severity: Severity = "error") -> Verdict:
    return Verdict(name, passed, severity, {"rows": 1}, f"{name}: expected a; found b. Do c.")


def _people(*checks: Check) -> Suite:
    return Suite(
        name="people",
        table="customers",
        place="customers",
        personal=frozenset({"name", "mail"}),
        checks=checks,
    )


def test_a_refusal_says_expected_found_where_and_what_to_do() -> None:
    frame = pd.DataFrame(
        {
            "table_name": ["orders"] * 3,
            "column_name": ["order_id", "ordered_at", "net_amount"],
            "required": True,
            "given": True,
            "missing_share": 0.0,
            "unreadable_share": [0.0, 0.99, 1.0],
            "decimal_comma_share": None,
            "is_purchases": True,
            "unknown_share": None,
            "unknown_codes": "",
        }
    )
    message = refusal(validate(frame, arrival.COLUMNS))

    assert message.startswith(
        "delivered columns: expected at most 20% of the values of a required column to be "
        "unreadable as its type, or a time out of all plausibility; found orders.ordered_at "
        "(99.0%), orders.net_amount (100.0%). Correct the export, or say in mapping.toml how the "
    )


def test_a_long_list_of_faults_is_cut() -> None:
    frame = pd.DataFrame(
        {
            "table_name": "orders",
            "column_name": [f"column_{number}" for number in range(12)],
            "required": True,
            "given": False,
            "missing_share": None,
            "unreadable_share": None,
            "decimal_comma_share": None,
            "is_purchases": True,
            "unknown_share": None,
            "unknown_codes": "",
        }
    )
    [given, *_] = validate(frame, arrival.COLUMNS)

    assert given.observed == {"rows": 12, "unexpected": 12}
    assert "orders.column_4 and 7 more" in given.message
    assert "column_5" not in given.message


def test_what_merely_follows_is_no_second_fault() -> None:
    cause = _verdict("most_orders_were_accepted", passed=False)
    follows = replace(_verdict("nobody", passed=False), follows_from=cause.name)

    assert refusal([follows, cause]) == cause.message
    assert refusal([follows, replace(cause, passed=True)]) == follows.message
    assert refusal([follows, replace(cause, severity="warn")]) == follows.message
    other = _verdict("other", passed=False)
    assert refusal([follows, cause, other]) == (
        f"2 checks refused the data:\n  - {cause.message}\n  - {other.message}"
    )


def test_nothing_is_refused_for_warnings() -> None:
    assert refusal([]) is None
    assert refusal([_verdict("a", passed=True)]) is None
    assert refusal([_verdict("a", passed=False, severity="warn")]) is None


def test_several_refusals_are_one_message() -> None:
    message = refusal(
        [
            _verdict("a", passed=False),
            _verdict("b", passed=False, severity="warn"),
            _verdict("c", passed=True),
            _verdict("d", passed=False),
        ]
    )
    assert message == (
        "2 checks refused the data:\n"
        "  - a: expected a; found b. Do c.\n"
        "  - d: expected a; found b. Do c."
    )


def test_personal_values_are_counted_or_not_even_that() -> None:
    frame = pd.DataFrame(
        {"name": [NAME, NAME, None], "mail": [MAIL] * 3, "phone": [PHONE, PHONE, "1"]}
    )
    verdicts = validate(
        frame,
        _people(
            Check("names_differ", is_unique("name"), "names to differ", "Ask."),
            Check("names_are_given", is_present("name"), "names", "Ask."),
            Check("mails_are_absent", does_not_match("mail", "@", mostly=1.0), "none", "Ask."),
            # Not declared personal: still no row's value is shown, since rows speak of customers.
            Check("phones_are_absent", does_not_match("phone", r"\+", mostly=1.0), "none", "Ask."),
        ),
    )
    assert not any(verdict.passed for verdict in verdicts)
    told = json.dumps([asdict(verdict) for verdict in verdicts])
    for canary in (NAME, MAIL, PHONE, "Wanda", "canary", "138"):
        assert canary not in told
    assert verdicts[0].observed == {"rows": 3}
    assert verdicts[3].observed == {"rows": 3, "unexpected": 2}
    assert "in 2 of 3 rows (66.7%)" in verdicts[3].message


def test_an_engine_error_is_a_defect_and_quotes_no_value(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"name": [NAME, MAIL]})
    suite = _people(Check("names_are_small", lies_between("name", 0, 1), "small names", "Ask."))

    with caplog.at_level(logging.DEBUG), pytest.raises(SuiteError) as raised:
        validate(frame, suite)

    assert "people, check names_are_small" in str(raised.value)
    assert "Error" in str(raised.value)
    told = str(raised.value) + caplog.text + "".join(capfd.readouterr())
    for canary in (NAME, MAIL):
        assert canary not in told


def test_a_frame_without_a_column_is_a_defect_before_the_engine_starts() -> None:
    suite = _people(Check("names_are_given", is_present("name"), "names", "Ask."))
    with pytest.raises(SuiteError, match="name not found"):
        validate(pd.DataFrame({"other": [1]}), suite)


def test_severity_comes_from_the_engine_for_both_kinds() -> None:
    frame = pd.DataFrame({"name": [None]})
    verdicts = validate(
        frame,
        _people(
            Check("strict", is_present("name"), "names", "Ask."),
            Check("mild", is_present("name"), "names", "Ask.", severity="warn"),
        ),
    )
    assert [verdict.severity for verdict in verdicts] == ["error", "warn"]


def test_declarations_load_without_the_engine() -> None:
    code = (
        "import sys; import checks.runner; from checks.suites import arrival, features, outputs; "
        "assert 'great_expectations' not in sys.modules; assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bounded_frame_is_judged_in_seconds() -> None:
    rows = 200_000
    frame = pd.DataFrame(
        {
            "order_id": [f"A-{number}" for number in range(rows)],
            "customer_id": [f"c{number % 50_000}" for number in range(rows)],
            "amount": 19.9,
        }
    )
    started = time.process_time()
    verdicts = validate(frame, arrival.SAMPLE)

    assert all(verdict.passed for verdict in verdicts)
    assert time.process_time() - started < 10
