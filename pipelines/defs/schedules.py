"""When things run: every day, week and month, and what happens when a run fails."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._utils.error import serializable_error_info_from_exc_info

from pipelines.defs.backtest import BACKTEST
from pipelines.defs.tables import RETRAIN_TAG
from pipelines.messages.alerts import post_alert
from pipelines.messages.failure import errors_of, failure_message
from pipelines.partitions import DAILY, day_of
from pipelines.resources.journal import Journal
from pipelines.settings import Settings


@dg.failure_hook(required_resource_keys={"session", "settings"})
def step_failed(context: dg.HookContext) -> None:
    """Has the run's line in the journal say why, when it ends."""
    error = context.op_exception
    if error is not None:
        info = serializable_error_info_from_exc_info((type(error), error, error.__traceback__))
        trace = context.resources.settings.trace_of(context.run_id)
        context.resources.session.failed(failure_message([info], trace=trace))


_DAILY_WAY = dg.AssetSelection.all() - dg.AssetSelection.assets(BACKTEST)

daily = dg.define_asset_job(
    "daily",
    selection=_DAILY_WAY,
    partitions_def=DAILY,
    hooks={step_failed},
    description="The whole way for one day: from the source to a published version.",
)

retrain = dg.define_asset_job(
    "retrain",
    selection=_DAILY_WAY,
    partitions_def=DAILY,
    hooks={step_failed},
    tags={RETRAIN_TAG: "true"},
    description="The daily way with a new challenger, whatever the age of the champion.",
)


# From what the lake holds: the tables that features are made of, and not their tests once more.
backtest = dg.define_asset_job(
    "backtest",
    selection=(
        dg.AssetSelection.assets(BACKTEST).upstream() - dg.AssetSelection.groups("lake")
    ).without_checks(),
    partitions_def=DAILY,
    hooks={step_failed},
    # Month-ends are only built for a training.
    tags={RETRAIN_TAG: "true"},
    description="Fits every model anew at earlier cutoffs, and judges it by what came after.",
)


def _of_the_day_before(name: str, job: str, cron: str, description: str) -> dg.ScheduleDefinition:
    """Runs of a job for the day before the tick, in the business time zone."""

    @dg.schedule(
        name=name,
        job_name=job,
        cron_schedule=cron,
        execution_timezone=DAILY.timezone,
        description=description,
    )
    def request(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        tick = context.scheduled_execution_time.astimezone(ZoneInfo(DAILY.timezone))
        day = (tick.date() - timedelta(days=1)).isoformat()
        # The key makes a repeated tick harmless.
        return dg.RunRequest(run_key=f"{job}-{day}", partition_key=day)

    return request


daily_schedule = _of_the_day_before(
    "daily_at_six", daily.name, "0 6 * * *", "Every morning for the day that has just ended."
)
retrain_schedule = _of_the_day_before(
    "retrain_on_sunday",
    retrain.name,
    "0 7 * * 0",
    "Every Sunday, after the daily run, for the same day.",
)
backtest_schedule = _of_the_day_before(
    "backtest_on_the_first",
    backtest.name,
    "0 8 1 * *",
    "On the first of every month, after the daily run, for the same day.",
)


@dg.run_failure_sensor(
    name="run_failed",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes the failure into the journal of runs, and posts it where configured.",
)
def run_failed(
    context: dg.RunFailureSensorContext,
    settings: dg.ResourceParam[Settings],
    journal: dg.ResourceParam[Journal],
) -> None:
    """A failed or lost run is told to people, whatever killed it."""
    run = context.dagster_run
    logged = (entry.dagster_event for entry in context.instance.all_logs(run.run_id))
    errors = errors_of(event for event in logged if event is not None)
    message = context.failure_event.message or "the run failed"
    if errors:
        message = failure_message(errors, trace=settings.trace_of(run.run_id))
    # A run that lived to its end has said why itself.
    if not any(told.run_id == run.run_id and told.error for told in journal.runs()):
        journal.finish(run.run_id, status="failed", error=message)
    if settings.alert_webhook:
        post_alert(
            settings.alert_webhook,
            job=run.job_name,
            run_id=run.run_id,
            as_of=day_of(run.tags),
            message=message,
        )
