"""The settings: the one place where the environment is read.

A wrong value stops the program at once with a message that names the variable. Business rules
that people tune (thresholds, cadences, budgets) are dbt vars and seeds, not settings.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from checks.suite import allowable
from checks.suites import ALL_SUITES
from pipelines.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# Telemetry of every dependency is off, whoever starts the process.
_TELEMETRY_OFF = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
}

# What pydantic finds, in plain words; its own are about Python.
_PLAINLY = {
    "int_parsing": "expected a whole number",
    "greater_than_equal": "expected {ge} or more",
    "less_than_equal": "expected {le} or less",
    "date_from_datetime_parsing": "expected a day such as 2026-06-30",
    "date_parsing": "expected a day such as 2026-06-30",
}


class Settings(BaseSettings):
    """Everything that differs between two installations. Every field is a `HOMING_` variable."""

    model_config = SettingsConfigDict(env_prefix="HOMING_", frozen=True, extra="ignore")

    home: Path = Field(default=PROJECT_ROOT / "data", description="folder of all data and state")
    source: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("sample",), description="where customers and orders come from: sample, files"
    )
    files_dir: Path | None = Field(default=None, description="folder of the exports of `files`")
    as_of: date | Literal["latest"] = Field(
        default="latest", description="the day to run for; latest: the last day with an order"
    )
    timezone: str = Field(default="UTC", description="business time zone: decides an event's day")
    first_day: date = Field(
        default=date(1995, 1, 1), description="first day that a run or a backfill may speak for"
    )
    allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="checks at the borders that may fail in this run, by name"
    )
    # A shop that sells weekly passes, an export that stopped does not.
    orders_max_age_days: int = Field(
        default=31, ge=0, description="days by which the newest order may be older than the run"
    )
    retrain_after_days: int = Field(
        default=7, ge=1, description="days after which a daily run trains a challenger"
    )
    keep_versions: int = Field(default=5, ge=1, description="published versions that are kept")
    threads: int = Field(
        default=2, ge=1, description="threads of training; recorded, since results depend on it"
    )
    memory_limit: str = Field(default="4GB", description="memory DuckDB may use")
    sample_customers: int = Field(default=20_000, ge=50, description="size of the sample company")
    sample_years: int = Field(default=3, ge=1, le=10, description="years of its history")
    sample_seed: int = Field(default=7, description="seed of its world")
    port: int = Field(default=3000, ge=1, le=65535, description="port of the UI on loopback")
    actor: str | None = Field(
        default=None, description="for whom runs are made, as the journal is to say; none by itself"
    )
    alert_webhook: str | None = Field(
        default=None, description="address that a failed run is posted to, as JSON"
    )

    @field_validator("source", "allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("as_of", mode="before")
    @classmethod
    def _a_day_or_latest(cls, value: object) -> object:
        # Left to itself, a union complains once for each of its kinds.
        if not isinstance(value, str) or value == "latest":
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a day such as 2026-06-30, or latest") from None

    @field_validator("allow")
    @classmethod
    def _may_be_allowed(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = allowable(ALL_SUITES)
        if unknown := [name for name in value if name not in known]:
            raise ValueError(
                f"expected names of checks that may be allowed to fail, which are "
                f"{', '.join(known)}; {', '.join(unknown)} is none of them"
            )
        return value

    @field_validator("home", "files_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("memory_limit")
    @classmethod
    def _a_size(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?[KMGT]i?B", value):
            raise ValueError("expected a size with its unit, such as 4GB or 512MB")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"unknown time zone {value!r}; use a name such as Asia/Shanghai")
        return value

    @model_validator(mode="after")
    def _sources_are_complete(self) -> Settings:
        if "files" in self.source and self.files_dir is None:
            raise ValueError("HOMING_FILES_DIR must name the folder with your exports")
        if "files" not in self.source and self.files_dir is not None:
            raise ValueError(
                "HOMING_FILES_DIR names a folder that HOMING_SOURCE does not ask for: "
                "set HOMING_SOURCE=files, or leave it out"
            )
        return self

    @classmethod
    def read(cls, **overrides: object) -> Settings:
        """Read the environment.

        Args:
            overrides: field values that win over the environment (command line, tests).

        Raises:
            SettingsError: a value is missing or cannot be used, or a variable is called like a
                setting and is none; the message names the variable.
        """
        cls._refuse_unknown()
        try:
            return cls(**overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            problems = []
            for problem in error.errors():
                variable = "_".join(["HOMING", *(str(part).upper() for part in problem["loc"][:1])])
                prefix = f"{variable}: " if problem["loc"] else ""
                found = f" (found {problem['input']!r})" if problem["loc"] else ""
                plainly = _PLAINLY.get(problem["type"], "").format_map(problem.get("ctx", {}))
                words = plainly or problem["msg"].removeprefix("Value error, ")
                problems.append(f"{prefix}{words}{found}")
            raise SettingsError("; ".join(problems)) from None

    @classmethod
    def _refuse_unknown(cls) -> None:
        known = [name.upper() for name in cls.model_fields]
        for variable in sorted(os.environ):
            name = variable.upper().removeprefix("HOMING_")
            if name != variable.upper() and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean HOMING_{near[0]}?" if near else "see pipelines/settings.py."
                raise SettingsError(
                    f"{variable}: there is no such setting; {hint} Correct it, or unset it."
                )

    def export(self) -> None:
        """Make the settings hold for child processes (dbt) and silence every telemetry."""
        os.environ.update(_TELEMETRY_OFF)
        # See models/native.py. Whoever has set it knows better.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        os.environ["HOMING_HOME"] = str(self.home)
        os.environ["HOMING_MEMORY_LIMIT"] = self.memory_limit
        os.environ["DAGSTER_HOME"] = str(self.dagster_home)

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    @property
    def lake(self) -> Path:
        """Raw batches as they were delivered."""
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file dbt builds; a cache that can be deleted."""
        return self.home / "warehouse.duckdb"

    @property
    def model_store(self) -> Path:
        """Trained versions and the champion pointer."""
        return self.home / "models"

    @property
    def published(self) -> Path:
        """What BI tools read."""
        return self.home / "published"

    @property
    def runs(self) -> Path:
        """The journal of runs."""
        return self.home / "runs"

    def log_of(self, run_id: str) -> Path:
        """What dbt and Dagster said in a run."""
        return self.runs / f"{run_id}.log"

    def trace_of(self, run_id: str) -> Path:
        """The traceback of a run that failed by a defect."""
        return self.runs / f"{run_id}.traceback.txt"

    def backtest_page(self, run_id: str, kind: str) -> Path:
        """The pictures of the backtest of one kind of model, for people."""
        return self.runs / f"{run_id}.backtest.{kind}.html"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        """Dbt's artifacts of runs."""
        return self.home / "dbt"

    @property
    def sample(self) -> Path:
        """Generated sample companies."""
        return self.home / "sample"

    @property
    def truth(self) -> Path:
        """What really caused what in the sample company; read by tests only."""
        return self.home / "truth"

    def prepare_home(self) -> None:
        """Create the home folder and make sure that it can be written.

        Raises:
            SettingsError: the folder, or one that a run before made in it, cannot be written.
        """
        for folder in (self.home, self.lake, self.model_store, self.runs, self.dagster_home):
            if folder != self.home and not folder.exists():
                continue  # made when something goes into it
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".write-probe-{os.getpid()}"
                probe.write_bytes(b"")
                probe.unlink()
            except OSError as error:
                raise SettingsError(
                    f"HOMING_HOME: cannot write to {folder} ({error.strerror}); "
                    "set HOMING_HOME to a folder that this user may write, with all that is in it"
                ) from None


def child_environment(further: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process, which finds this checkout's modules wherever it works.

    Args:
        further: variables beside this process's own, such as where dbt may write.
    """
    paths = [str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))} | further
