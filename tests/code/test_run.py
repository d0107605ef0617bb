"""`make run` from outside: the exit status, and the one message that a stopped run ends with."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from dagster._utils.error import SerializableErrorInfo
from rich.console import Console

from pipelines import run
from pipelines.errors import BorderError, SourceError
from pipelines.messages.failure import errors_of, failure_message
from pipelines.resources.lock import RunLockedError
from pipelines.settings import Settings

CANARY = "Wanda Canary"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Sets HOMING_ variables for one test, and nothing else of them; gives the home."""
    before = dict(os.environ)

    def given(**settings: object) -> Path:
        for name in [name for name in os.environ if name.startswith("HOMING_")]:
            monkeypatch.delenv(name)
        for name, value in {"home": tmp_path / "home", **settings}.items():
            monkeypatch.setenv(f"HOMING_{name.upper()}", str(value))
        return tmp_path / "home"

    yield given
    # what `Settings.export` leaves for child processes
    for name in os.environ.keys() - before.keys():
        monkeypatch.delenv(name, raising=False)


def failed(body: Callable[[], object]) -> dg.ExecuteInProcessResult:
    @dg.op
    def step() -> None:
        body()

    @dg.job
    def daily() -> None:
        step()

    return daily.execute_in_process(raise_on_error=False)


def raising(error: BaseException, cause: BaseException | None = None) -> Callable[[], None]:
    def body() -> None:
        raise error from cause

    return body


def message(result: dg.ExecuteInProcessResult, home: Path) -> str:
    assert not result.success
    trace = Settings(home=home).trace_of(result.run_id)
    return failure_message(errors_of(result.all_events), trace=trace)


def test_what_a_user_can_mend_is_said_as_it_stands(tmp_path: Path) -> None:
    text = "orders.csv: expected a header: found none. Export it again."
    assert message(failed(raising(SourceError(text))), tmp_path) == text
    assert message(failed(raising(RuntimeError("dbt"), SourceError(text))), tmp_path) == text
    assert message(failed(raising(RunLockedError(text))), tmp_path) == text
    assert message(failed(raising(BorderError(text))), tmp_path) == text
    assert message(failed(raising(dg.Failure(text, allow_retries=False))), tmp_path) == text
    assert not list(tmp_path.rglob("*.traceback.txt"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("pipelines.errors.SourceError: orders.csv: mend it\n", "orders.csv: mend it"),
        ("orders.csv: mend it", "orders.csv: mend it"),
        ("SourceError", ""),
    ],
)
def test_a_message_is_told_whole_with_and_without_the_name_of_its_error(
    tmp_path: Path, written: str, said: str
) -> None:
    error = SerializableErrorInfo(message=written, stack=[], cls_name="SourceError")
    assert failure_message([error], trace=tmp_path / "trace") == said


def test_a_defect_is_filed_and_not_shown(tmp_path: Path) -> None:
    """What it says may quote a row."""
    result = failed(raising(ValueError(f"cannot read {CANARY}")))
    said = message(result, tmp_path)
    trace = tmp_path / "runs" / f"{result.run_id}.traceback.txt"
    assert said == f"the run failed in a way that should not happen; please report {trace}"
    assert CANARY in trace.read_text()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"as_of": "tomorrow"}, "HOMING_AS_OF: expected a day"),
        ({"as_of": "1980-01-01"}, "HOMING_AS_OF: expected a day from 1995-01-01"),
        ({"as_of": "2999-01-01"}, "found 2999-01-01"),
        ({"source": "files"}, "HOMING_FILES_DIR must name the folder"),
        ({"source": "files", "files_dir": "/no/such/folder"}, "HOMING_FILES_DIR: expected a fold"),
        ({"source": "fiels"}, "unknown source 'fiels'"),
        ({"allow": "everything"}, "HOMING_ALLOW: expected names of checks"),
    ],
)
@pytest.mark.parametrize("as_of", ["latest", "2026-06-30"])
def test_what_cannot_begin_ends_with_status_1_and_leaves_nothing(
    environment: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    words: str,
    as_of: str,
) -> None:
    home = environment(**{"as_of": as_of, **settings})
    assert run.main() == 1
    told = capsys.readouterr().err
    assert told.startswith("\nStopped: ")
    assert words in told
    assert "Traceback" not in told
    assert not home.exists()


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"customers.csv": "customer_id,created_at\nC1,2020-01-01\n"},
        {
            "orders.csv": "order_id,customer_id,ordered_at,net_amount\nO1,C1,2026-06-01,1\n",
            "order_lines.csv": "order_id,customer_id,ordered_at,product_id,quantity,unit_price\n"
            "O1,C1,2026-06-01,P1,1,1\n",
        },
    ],
    ids=["nothing", "no orders", "orders twice"],
)
def test_a_folder_that_cannot_be_used_leaves_no_home_behind(
    environment: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    files: dict[str, str],
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for name, text in files.items():
        (exports / name).write_text(text)
    home = environment(source="files", files_dir=exports, as_of="2026-06-30")
    assert run.main() == 1
    assert "order" in capsys.readouterr().err
    assert not home.exists()


def test_progress_counts_the_tables_that_were_delivered() -> None:
    out = io.StringIO()
    progress = run.Progress(Console(file=out, width=120))

    @dg.multi_asset(specs=[dg.AssetSpec(["lake", n]) for n in ("orders", "customers", "tickets")])
    def extract():
        for name, rows in {"orders": 1200, "customers": 34, "tickets": None}.items():
            yield dg.MaterializeResult(
                ["lake", name],
                metadata={
                    "is_given": rows is not None,
                    "rows_new": rows or 0,
                    "rows_of_later_days": 13 if name == "orders" else 0,
                },
            )

    @dg.asset(deps=[["lake", "orders"]])
    def score() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run_id = str(uuid.uuid4())
        instance.add_event_listener(run_id, progress)
        job = dg.Definitions([extract, score]).resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance, run_id=run_id)
    extracted, scored = out.getvalue().splitlines()
    assert extracted.endswith("   2 tables, 1,234 new rows; 13 rows of later days wait")
    assert scored.endswith("   1 table")


def test_an_interrupt_between_the_steps_is_one_message(
    environment: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    environment()

    def command(settings: Settings, console: Console) -> int:
        raise KeyboardInterrupt

    assert run.command_line(command) == 130
    told = capsys.readouterr().err
    assert "Stopped: interrupted; what was published before, if anything, still stands. Run" in told
    assert "Traceback" not in told


def test_started_in_a_home_python_finds_the_rooms_and_not_its_folders(tmp_path: Path) -> None:
    """`make serve` and other people's webservers work there; the models are kept in `models`."""
    (tmp_path / "models" / "forecasts").mkdir(parents=True)
    said = subprocess.run(
        [sys.executable, "-c",
         "import pipelines; from models.forecasts import next_order; print(next_order.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert said.stdout.strip().endswith("next_order.py")


def test_a_check_that_warns_is_told_unless_the_summary_tells_of_it_in_figures() -> None:
    def check(name: str, *, passed: bool, description: str | None = None) -> Any:
        return SimpleNamespace(check_name=name, passed=passed, description=description)

    assert run.warned(
        [
            check("volume_is_as_usual", passed=True, description="unseen"),
            check("few_rows_were_quarantined", passed=False, description="in figures"),
            check("orders_are_accepted_as_before", passed=False, description="look there"),
            check("a_test_of_a_table", passed=False),
        ]
    ) == ["look there", "a_test_of_a_table"]
