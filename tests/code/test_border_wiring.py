"""The borders as Dagster runs them: what blocks, what is told, and what storage must not hold."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from checks.suite import Check, Suite, is_unique, lies_between
from checks.suites import arrival, features, outputs
from pipelines.defs import checks as borders
from pipelines.errors import BorderError
from pipelines.settings import Settings

CANARY = "Wanda Canary"

PEOPLE = Suite(
    name="people",
    table="customers",
    place="customers",
    personal=frozenset({"name"}),
    checks=(
        Check("names_differ", is_unique("name"), "names to differ", "Ask them."),
        Check(
            "ages_are_human",
            lies_between("age", 0, 130),
            "ages of people",
            "Ask their parents.",
            may_be_allowed=True,
        ),
        Check("adults_only", lies_between("age", low=18), "adults", "Wait.", severity="warn"),
    ),
)
GOOD = pd.DataFrame({"name": [CANARY, "Otto"], "age": [30, 40]})


def key(table: str) -> dg.AssetKey:
    return dg.AssetKey(["people", table])


def run(frame: pd.DataFrame, allow: Sequence[str] = ()) -> dg.ExecuteInProcessResult:
    """customers -> border -> letters, and hermits, who wait for nobody."""

    @dg.asset(key=key("customers"))
    def customers() -> None: ...

    @dg.multi_asset_check(name="border", specs=borders.specs([PEOPLE], key))
    def border(config: borders.Allowance) -> Iterator[dg.AssetCheckResult]:
        yield from borders.judge([PEOPLE], {"people": frame}, key, config.allow)

    @dg.asset(deps=[customers])
    def letters() -> None: ...

    @dg.asset
    def hermits() -> None: ...

    return dg.materialize(
        [customers, border, letters, hermits],
        raise_on_error=False,
        run_config={"ops": {"border": {"config": {"allow": list(allow)}}}},
    )


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    return {event.asset_key.path[-1] for event in events if event.asset_key}


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = result.filter_events(lambda event: event.is_step_failure)
    error = event.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    return error.cause.message


def test_good_data_goes_on_and_every_verdict_is_on_record() -> None:
    result = run(GOOD)

    assert result.success
    assert materialized(result) == {"customers", "letters", "hermits"}
    told = evaluations(result)
    assert set(told) == {"names_differ", "ages_are_human", "adults_only"}
    assert all(evaluation.passed for evaluation in told.values())
    assert told["ages_are_human"].metadata["rows"].value == 2


def test_refused_data_stops_at_the_border_with_one_message() -> None:
    result = run(GOOD.assign(age=[30, 400]))

    assert not result.success
    assert materialized(result) == {"customers", "hermits"}
    assert failure(result).strip() == (
        "pipelines.errors.BorderError: customers: expected ages of people; found otherwise in 1 of "
        "2 rows (50.0%). Ask their parents. To publish anyway: HOMING_ALLOW=ages_are_human."
    )
    told = evaluations(result)
    assert told["names_differ"].passed
    assert not told["ages_are_human"].passed
    assert told["ages_are_human"].severity == dg.AssetCheckSeverity.ERROR
    assert told["ages_are_human"].metadata["unexpected"].value == 1


def test_a_warning_is_shown_and_passed() -> None:
    result = run(GOOD.assign(age=[30, 7]))

    assert result.success
    assert "letters" in materialized(result)
    assert not evaluations(result)["adults_only"].passed
    assert evaluations(result)["adults_only"].severity == dg.AssetCheckSeverity.WARN


def test_what_a_person_allows_passes_once_and_stays_visible() -> None:
    result = run(GOOD.assign(age=[30, 400]), allow=["ages_are_human"])

    assert result.success
    assert not evaluations(result)["ages_are_human"].passed
    assert evaluations(result)["ages_are_human"].severity == dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize("name", ["names_differ", "no_such_check"])
def test_what_may_not_be_allowed_is_said_before_anything_is_judged(name: str) -> None:
    result = run(GOOD, allow=[name])

    assert not result.success
    assert "expected some of ages_are_human, which are the checks" in failure(result)
    assert f"found {name}" in failure(result)
    assert evaluations(result) == {}


def test_no_personal_value_reaches_the_storage_of_dagster(tmp_path: Path) -> None:
    broken = GOOD.assign(name=CANARY, age=CANARY)
    for frame in (GOOD.assign(name=CANARY), broken):
        result = run(frame)
        assert not result.success
        assert CANARY not in "\n".join(repr(event) for event in result.all_events)


def test_homing_allow_reaches_every_border_and_each_takes_its_own() -> None:
    settings = Settings(allow=("orders_keep_coming", "lists_did_not_empty"), _env_file=None)
    taken = {
        suites.__name__: borders.allowed_here(suites.SUITES, borders.Allowance(), settings)
        for suites in (arrival, features, outputs)
    }
    assert list(taken.values()) == [["orders_keep_coming"], [], ["lists_did_not_empty"]]


def test_checks_are_known_before_any_data_is() -> None:
    for border, suites in (
        (borders.arrival, arrival.SUITES),
        (borders.features, features.SUITES),
        (borders.outputs, outputs.SUITES),
    ):
        declared = {check.name: check for suite in suites for check in suite.checks}
        known = {spec.name: spec for spec in border.check_specs}
        assert set(known) == set(declared)
        for name, spec in known.items():
            assert spec.blocking == (declared[name].severity == "error")
            assert spec.description == declared[name].description


def test_a_border_stands_between_the_tables_of_one_step_and_the_next() -> None:
    """A blocking check of a table of an older step would close a circle through this one."""
    guarded = {
        border.op.name: {spec.asset_key.to_user_string() for spec in border.check_specs}
        for border in (borders.arrival, borders.features, borders.outputs)
    }
    assert guarded == {
        "arrival": {"lake/orders"},
        "features": {"customer_features", "row_ledger"},
        "outputs": {
            "consent_freshness",
            "customer_churn_scores",
            "retention_list",
            "retention_list_suppressed",
        },
    }


def test_a_border_waits_for_all_that_its_frames_are_made_of() -> None:
    [spec, *_] = borders.arrival.check_specs
    waited_for = {dep.asset_key.path[-1] for dep in spec.additional_deps} | {"orders"}
    assert {"orders", "order_lines", "customers", "consents"} <= waited_for


def test_refusals_are_the_users_business() -> None:
    with pytest.raises(BorderError, match="expected names to differ"):
        list(borders.judge([PEOPLE], {"people": GOOD.assign(name="x")}, key))


def test_loading_the_borders_does_not_load_the_engine() -> None:
    code = (
        "import sys; import pipelines.defs.checks; assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
