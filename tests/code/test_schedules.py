"""When things run, and what people are told when one fails."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from pipelines.definitions import defs
from pipelines.defs import schedules
from pipelines.defs.tables import RETRAIN_TAG
from pipelines.errors import SourceError
from pipelines.messages import alerts
from pipelines.messages.failure import errors_of, failure_message
from pipelines.resources.journal import Journal
from pipelines.resources.lock import RunLock
from pipelines.resources.session import Session, open_session
from pipelines.runtime.instance import open_instance
from pipelines.settings import Settings

CANARY = "Wanda Canary"


@pytest.fixture
def shanghai(monkeypatch: pytest.MonkeyPatch) -> None:
    """A business day that begins eight hours before that of UTC."""
    days = dg.DailyPartitionsDefinition("2020-01-01", timezone="Asia/Shanghai", end_offset=1)
    monkeypatch.setattr(schedules, "DAILY", days)


def requested(schedule: dg.ScheduleDefinition, tick: datetime) -> dg.RunRequest:
    context = dg.build_schedule_context(scheduled_execution_time=tick)
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    return request


@pytest.mark.usefixtures("shanghai")
@pytest.mark.parametrize(
    ("schedule", "key"),
    [
        (schedules.daily_schedule, "daily"),
        (schedules.retrain_schedule, "retrain"),
        (schedules.backtest_schedule, "backtest"),
    ],
)
def test_a_tick_asks_for_the_business_day_that_has_just_ended(
    schedule: dg.ScheduleDefinition, key: str
) -> None:
    """At six in Shanghai on 1 July it is still 30 June in UTC."""
    request = requested(schedule, datetime(2026, 6, 30, 22, 0, tzinfo=UTC))
    assert request.partition_key == "2026-06-30"
    assert request.run_key == f"{key}-2026-06-30"  # a repeated tick asks for the same run


def test_only_the_weekly_run_asks_for_training() -> None:
    assert schedules.retrain.tags[RETRAIN_TAG] == "true"
    assert RETRAIN_TAG not in schedules.daily.tags
    assert schedules.retrain_schedule.cron_schedule == "0 7 * * 0"
    assert schedules.daily_schedule.cron_schedule == "0 6 * * *"


class Story:
    """Stands for the journal."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []

    def runs(self) -> list[Any]:
        return []

    def finish(self, run_id: str, **facts: str) -> None:
        self.told.append((run_id, facts))


@pytest.fixture
def failure() -> Iterator[tuple[dg.DagsterInstance, dg.ExecuteInProcessResult]]:
    """A run that failed with an error that quotes a customer."""

    @dg.op
    def step() -> None:
        raise ValueError(f"cannot read the order of {CANARY}")

    @dg.job(partitions_def=dg.DailyPartitionsDefinition("2020-01-01"))
    def daily() -> None:
        step()

    with dg.DagsterInstance.ephemeral() as instance:
        yield (
            instance,
            daily.execute_in_process(
                instance=instance, raise_on_error=False, partition_key="2026-06-30"
            ),
        )


def told_of(
    failure: tuple[dg.DagsterInstance, dg.ExecuteInProcessResult], settings: Settings
) -> Story:
    instance, result = failure
    [event] = result.filter_events(lambda event: event.event_type_value == "PIPELINE_FAILURE")
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failed",
        dagster_event=event,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()
    story = Story()
    schedules.run_failed(context, settings=settings, journal=story)
    return story


def test_a_failed_run_is_told_without_what_its_error_quotes(
    failure: tuple[dg.DagsterInstance, dg.ExecuteInProcessResult],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    posted: list[tuple[str, dict[str, Any]]] = []

    def post(address: str, *, json: dict[str, Any], timeout: float) -> requests.Response:
        posted.append((address, json))
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(alerts.requests, "post", post)
    story = told_of(failure, Settings(home=tmp_path, alert_webhook="https://chat.example/hook"))
    run_id = failure[1].run_id
    [(address, message)] = posted
    assert address == "https://chat.example/hook"
    assert (message["job"], message["run_id"], message["as_of"]) == ("daily", run_id, "2026-06-30")
    assert message["text"].startswith("Homing: daily for 2026-06-30 failed: ")
    [(finished, facts)] = story.told
    assert finished == run_id
    assert facts["status"] == "failed"
    assert CANARY not in repr(posted) + repr(story.told)


def test_without_an_address_the_journal_alone_is_told(
    failure: tuple[dg.DagsterInstance, dg.ExecuteInProcessResult],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(alerts.requests, "post", lambda *_, **__: pytest.fail("posted"))
    assert len(told_of(failure, Settings(home=tmp_path)).told) == 1


def test_an_address_that_does_not_take_the_message_fails_the_sensor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dagster then shows it and tries again."""
    response = requests.Response()
    response.status_code = 503
    monkeypatch.setattr(alerts.requests, "post", lambda *_, **__: response)
    with pytest.raises(requests.HTTPError):
        alerts.post_alert("https://chat.example", job="daily", run_id="1", as_of=None, message="x")


@pytest.mark.parametrize("error", [SourceError("orders.csv: mend it"), ValueError(CANARY)])
def test_a_run_that_failed_writes_why_and_its_log_whoever_started_it(
    error: Exception, tmp_path: Path
) -> None:
    """The UI starts the job in a process of its own: nothing of `make run` is there."""
    settings = Settings(home=tmp_path)
    lock = RunLock(tmp_path / "run.lock")
    story = Journal(settings.runs, lock)

    @dg.resource
    def session(context: dg.InitResourceContext) -> Iterator[Session]:
        run_id = context.run_id
        log = settings.log_of(run_id)
        day = date(2026, 6, 30)
        with open_session(lock, story, run_id=run_id, as_of=day, source="x", log=log) as opened:
            yield opened

    @dg.op(required_resource_keys={"session"})
    def step() -> None:
        print("dbt speaks")
        raise error

    @dg.job(
        hooks={schedules.step_failed},
        resource_defs={
            "session": session,
            "settings": dg.ResourceDefinition.hardcoded_resource(settings),
        },
    )
    def daily() -> None:
        step()

    run_id = daily.execute_in_process(raise_on_error=False).run_id
    [told] = story.runs()
    trace = settings.trace_of(run_id)
    is_defect = isinstance(error, ValueError)
    assert told.status == "failed"
    assert told.error == (
        f"the run failed in a way that should not happen; please report {trace}"
        if is_defect
        else "orders.csv: mend it"
    )
    assert trace.exists() == is_defect
    assert "dbt speaks" in settings.log_of(run_id).read_text()
    assert story.path.read_text().count('"finish"') == 1


def test_a_run_without_a_day_says_so_and_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    with open_instance(Settings(home=tmp_path)) as instance:
        assert instance.run_retries_enabled
        run = (
            defs()
            .resolve_job_def("daily")
            .execute_in_process(instance=instance, raise_on_error=False)
        )
        assert instance.get_run_by_id(run.run_id).tags["dagster/will_retry"] == "false"
        said = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.level == 40]
    why = "the run speaks for no day; choose a partition and launch it again"
    assert why in said
    assert failure_message(errors_of(run.all_events), trace=tmp_path / "trace") == why
