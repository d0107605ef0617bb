"""Readers get an older version again.

    python -m pipelines.rollback [VERSION | --model WHY [--kind KIND]]

Without an argument it lists what is kept. A version of the tables is shown by one swap of the link;
a run of its day or a later one shows its own again. `--model` takes back the model that was
promoted last, for good, and says why: that of churn, or of the kind that `--kind` names. The lists
change with the next run. The journal knows both. What acting does is no such kind: every run learns
it anew from all campaigns, so that a wrong one is mended or left out of the deliveries.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from datetime import date
from typing import Any

from rich.console import Console

from models.errors import StoreError
from models.forecasts.kinds import KINDS
from models.store import ForecastStore, ModelStore, VersionStore
from pipelines.errors import HomingError
from pipelines.resources.journal import Journal
from pipelines.resources.lock import RunLock
from pipelines.resources.publisher import Publisher
from pipelines.resources.session import open_session
from pipelines.run import command_line
from pipelines.settings import Settings

CHURN = "churn"
TRAINS_ANEW = (
    "The next run trains anew, since none is left that can be read. From the same deliveries it "
    "learns the same: if they were at fault, mend them first"
)


def rollback(settings: Settings, console: Console) -> int:
    """Do what the command line asks for, under the home's lock.

    Returns:
        The exit status.

    Raises:
        HomingError: nothing is published, or there is no such version or model.
    """
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.kind is not None and arguments.model is None:
        parser.error("--kind names the model that --model takes back: give --model WHY with it")
    publisher = Publisher(settings.published, keep=settings.keep_versions)
    current = publisher.current()
    if current is None:
        raise HomingError(f"{settings.home} has published nothing yet: `make run` does")
    if arguments.version is None and arguments.model is None:
        for version in publisher.versions():
            console.print(version.id, "(current)" if version.id == current.id else "")
        return 0
    lock, run_id = RunLock(settings.home / "run.lock"), str(uuid.uuid4())
    with open_session(
        lock,
        Journal(settings.runs, lock),
        run_id=run_id,
        as_of=current.as_of,
        source="rollback",
        log=settings.log_of(run_id),
        actor=settings.actor,
    ) as session:
        if arguments.model is not None:
            store = _store(settings, arguments.kind or CHURN)
            try:
                store.rollback(arguments.model)
            except StoreError as error:
                raise HomingError(str(error)) from error
            session.done()
            # That of an earlier Homing may stand in the history and cannot be read.
            left = store.load_champion(date.max).model
            console.print(f"The next run serves {left.version}" if left else TRAINS_ANEW)
        else:
            shown = publisher.rollback(arguments.version)
            session.published(shown.id)
            console.print(f"Readers get {shown.id} now, instead of {current.id}")
    return 0


def _store(settings: Settings, kind: str) -> VersionStore[Any]:
    if kind == CHURN:
        return ModelStore(settings.model_store)
    return ForecastStore(settings.model_store / kind)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.rollback", description=__doc__)
    wanted = parser.add_mutually_exclusive_group()
    wanted.add_argument("version", nargs="?", help="the version of the tables to show")
    wanted.add_argument("--model", metavar="WHY", help="take back a model, and why")
    parser.add_argument(
        "--kind",
        choices=(CHURN, *KINDS),
        help=f"which model --model takes back (default: {CHURN})",
    )
    return parser


def main() -> int:
    """The command line."""
    return command_line(rollback)


if __name__ == "__main__":
    sys.exit(main())
