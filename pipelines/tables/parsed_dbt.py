"""dbt's command line on a project that is parsed already: what a run starts in place of `dbt`.

dbt keeps what it parsed, and throws it away whenever a variable or the path of the warehouse has
changed: for a run that is every day and every home, eleven seconds of a core each time. Yet no
graph of this project depends on either; Dagster's, which is drawn from the same manifest, could
not follow, and the macro `as_of` knows no day while dbt parses. So the project is parsed as `make`
parses it, for no day and no home, and the command gets it handed over. What has changed in the
project's files since then, dbt sees and parses.

A run starts this module before it knows what dbt is to do (pipelines/tables/dbt.py). It is a child
process of its own, whose environment is dbt's: the profile and dbt's own options are read from
there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager

from pipelines.runtime.process import collect_rarely, leave
from pipelines.tables.failed_tables import RESULTS

PARSED = Path("target", "partial_parse.msgpack")  # within the project; `make` writes it
FAILED, BROKEN = 1, 2  # dbt's own exit codes: some node failed; dbt could not work at all


def parsed(project: Path, target: Path | None = None) -> Manifest:
    """The parsed project.

    Args:
        project: folder of the project and of its profiles.
        target: where dbt may write; None is the project's own folder, which renews what is kept.

    Raises:
        RuntimeError: the project cannot be parsed; dbt has said why.
    """
    places = {
        "--project-dir": project,
        "--profiles-dir": project,
        "--target-path": target or project / PARSED.parent,
    }
    if target and (project / PARSED).exists():
        places["--partial-parse-file-path"] = project / PARSED
    arguments = ["--quiet", "--log-level-file", "none", "parse"]
    arguments += [str(each) for place in places.items() for each in place]
    arguments += ["--no-write-json"] if target else []
    with _no_home():
        outcome = dbtRunner().invoke(arguments)
    if not outcome.success:
        raise RuntimeError(f"dbt cannot parse {project}") from outcome.exception
    return outcome.result


@contextmanager
def _no_home() -> Iterator[None]:
    # dbt keeps what it parsed per profile, and the profile holds the home. Profiles know no other
    # way to a value than the environment, so this is where it has to be hidden.
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("HOMING_")}
    try:
        yield
    finally:
        os.environ.update(kept)


class Events(EventManager):
    """What dbt says aloud.

    Nine of ten of its events are meant for a debug log that no run keeps, and dbt would make all
    of them into messages and JSON before it drops them: a fifth of what it spends on a table.
    """

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Take an event."""
        if (level or e.level_tag()) != EventLevel.DEBUG or force_warn_or_error_handling:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def call(manifest: Manifest, arguments: Sequence[str], target: Path) -> int:
    """Dbt's command line on a parsed project.

    Args:
        manifest: the parsed project.
        arguments: of the command line; where the project is, the environment says.
        target: folder for what dbt measured.

    Returns:
        Dbt's exit code.
    """
    # Of its artifacts only the results: a manifest with the SQL of all tables takes a second.
    outcome = dbtRunner(manifest=manifest).invoke(["--no-write-json", *arguments])
    if outcome.exception:
        print(outcome.exception, file=sys.stderr)
        return BROKEN
    if isinstance(outcome.result, RunExecutionResult):
        outcome.result.write(str(target / RESULTS))
    return 0 if outcome.success else FAILED


def main(project: Path, target: Path) -> int:
    """Parse the project, then do what standard input says: a list of arguments in JSON.

    An input that ends without a word calls the whole thing off.

    Args:
        project: folder of the project and of its profiles.
        target: where dbt may write.

    Returns:
        Dbt's exit code.
    """
    ctx_set_event_manager(Events())
    collect_rarely()
    manifest = parsed(project, target)
    told = sys.stdin.read()
    return call(manifest, json.loads(told), target) if told else 0


if __name__ == "__main__":
    leave(main(*map(Path, sys.argv[1:])))
