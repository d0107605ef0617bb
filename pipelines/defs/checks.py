"""The borders between the steps: what is refused goes no further.

A border is one step. It makes the frames (pipelines/borders), has each validated once (checks/),
and files every verdict as a check of the table it speaks of. The checks block: nothing behind that
table is built when one of them fails. All tables of a border are made by one step: a blocking check
of an older table would have the steps in between wait for a border that waits for them.
"""

# No `from __future__ import annotations` here: Dagster reads a step's Config from the annotation
# itself and does not resolve one that is a string.
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import dagster as dg
import pandas as pd
from pydantic import Field

from checks.runner import Verdict, refusal, validate
from checks.suite import Suite, allowable
from checks.suites import arrival as arrival_suites
from checks.suites import features as features_suites
from checks.suites import outputs as outputs_suites
from pipelines.borders import arrival as arrival_frames
from pipelines.borders import features as features_frames
from pipelines.borders import outputs as outputs_frames
from pipelines.erasure import forget
from pipelines.errors import BorderError
from pipelines.partitions import as_of_day
from pipelines.resources.lake import Lake
from pipelines.resources.publisher import Publisher
from pipelines.resources.session import Session
from pipelines.resources.warehouse import Warehouse
from pipelines.settings import Settings
from pipelines.sources.contract import load_contract
from pipelines.tables.dbt import asset_key

SEVERITIES = {"error": dg.AssetCheckSeverity.ERROR, "warn": dg.AssetCheckSeverity.WARN}


class Allowance(dg.Config):
    """What a person who knows better lets pass, for one run."""

    allow: list[str] = Field(default=[], description="names of checks that may fail")


def lake_key(table: str) -> dg.AssetKey:
    """The asset key of a table of the lake, which is a source to dbt."""
    return dg.AssetKey(["lake", table])


def specs(
    suites: Sequence[Suite],
    key: Callable[[str], dg.AssetKey],
    waits_for: Sequence[dg.AssetKey] = (),
) -> list[dg.AssetCheckSpec]:
    """What Dagster knows of a border's checks before any of them runs.

    Args:
        suites: the border's declarations.
        key: the asset key of a table by its name.
        waits_for: further assets whose data the frames are made of.
    """
    return [
        dg.AssetCheckSpec(
            check.name,
            asset=key(suite.table),
            blocking=check.severity == "error",
            description=check.description,
            additional_deps=[each for each in waits_for if each != key(suite.table)],
        )
        for suite in suites
        for check in suite.checks
    ]


def judge(
    suites: Sequence[Suite],
    frames: Mapping[str, pd.DataFrame],
    key: Callable[[str], dg.AssetKey],
    allowed: Sequence[str] = (),
) -> Iterator[dg.AssetCheckResult]:
    """Validate every frame and file the verdicts; what is refused ends in one message.

    Args:
        suites: the border's declarations.
        frames: a frame for every suite, by its name.
        key: the asset key of a table by its name.
        allowed: names of checks that may fail in this run.

    Raises:
        BorderError: at the end, if something was refused or may not be allowed.
    """
    _refuse_other_than(suites, allowed)
    verdicts: list[Verdict] = []
    for suite in suites:
        for found in validate(frames[suite.name], suite):
            verdict = _with_way_out(found, suites, allowed)
            verdicts.append(verdict)
            yield dg.AssetCheckResult(
                asset_key=key(suite.table),
                check_name=verdict.name,
                passed=verdict.passed,
                severity=SEVERITIES[verdict.severity],
                description=verdict.message,
                metadata=dict(verdict.observed),
            )
    # Dagster would fail the step by itself, with the names of the checks and not what to do.
    if message := refusal(verdicts):
        raise BorderError(message)


def allowed_here(suites: Sequence[Suite], config: Allowance, settings: Settings) -> list[str]:
    """What may fail at this border: HOMING_ALLOW names checks of all three, the config its own."""
    here = allowable(suites)
    return [*config.allow, *(name for name in settings.allow if name in here)]


def _with_way_out(verdict: Verdict, suites: Sequence[Suite], allowed: Sequence[str]) -> Verdict:
    """A failure that was allowed only warns; one that may be says how."""
    if verdict.passed or verdict.name not in allowable(suites):
        return verdict
    if verdict.name in allowed:
        return replace(verdict, severity="warn", message=f"{verdict.message} Allowed for this run.")
    way_out = f"To publish anyway: HOMING_ALLOW={verdict.name}."
    return replace(verdict, message=f"{verdict.message} {way_out}")


def _refuse_other_than(suites: Sequence[Suite], allowed: Sequence[str]) -> None:
    known = allowable(suites)
    if refused := sorted(set(allowed) - set(known)):
        raise BorderError(
            f"config `allow`: expected some of {', '.join(known) or 'none'}, which are the "
            f"checks of this border that may be allowed to fail; found {', '.join(refused)}. "
            "Correct the config of the run."
        )


@dg.multi_asset_check(
    name="arrival",
    specs=specs(arrival_suites.SUITES, lake_key, [lake_key(table) for table in load_contract()]),
    description="First border: what was delivered, before anything is built on it.",
    pool="warehouse",
)
def arrival(
    context: dg.AssetCheckExecutionContext,
    config: Allowance,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[Lake],
    warehouse: dg.ResourceParam[Warehouse],
    publisher: dg.ResourceParam[Publisher],
    session: dg.ResourceParam[Session],  # holds the home's lock as long as the step runs
) -> Iterator[dg.AssetCheckResult]:
    """Let a delivery into the lake, or leave it pending where it went wrong as a whole."""
    as_of = as_of_day(context)
    frames = arrival_frames.frames(
        lake,
        as_of,
        timezone=settings.timezone,
        memory_limit=settings.memory_limit,
        orders_max_age_days=settings.orders_max_age_days,
    )
    suites = arrival_suites.SUITES
    loaded = {manifest.batch_id for manifest in lake.manifests()}
    try:
        yield from judge(suites, frames, lake_key, allowed_here(suites, config, settings))
        lake.accept(as_of)
    finally:
        # Also in a delivery that stays pending: it holds people who have asked to be forgotten.
        forget(lake, warehouse, publisher, loaded=loaded)


@dg.multi_asset_check(
    name="features",
    specs=specs(features_suites.SUITES, asset_key),
    description="Second border: what the model is about to read.",
    pool="warehouse",
)
def features(
    context: dg.AssetCheckExecutionContext,
    config: Allowance,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.AssetCheckResult]:
    """Refuse features that nothing should be trained on or scored with."""
    frames = features_frames.frames(warehouse, as_of_day(context))
    suites = features_suites.SUITES
    yield from judge(suites, frames, asset_key, allowed_here(suites, config, settings))


@dg.multi_asset_check(
    name="outputs",
    specs=specs(outputs_suites.SUITES, asset_key),
    description="Third border: what people are about to act on.",
    pool="warehouse",
)
def outputs(
    context: dg.AssetCheckExecutionContext,
    config: Allowance,
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    lake: dg.ResourceParam[Lake],
    session: dg.ResourceParam[Session],
) -> Iterator[dg.AssetCheckResult]:
    """Refuse lists that nobody should act on; the ones published before still stand."""
    frames = outputs_frames.frames(warehouse, lake, as_of_day(context))
    suites = outputs_suites.SUITES
    yield from judge(suites, frames, asset_key, allowed_here(suites, config, settings))
