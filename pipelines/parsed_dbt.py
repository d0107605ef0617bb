"""dbt's command line on a project that is parsed already: what a run calls in place of `dbt`.

dbt keeps what it parsed, and throws it away whenever a variable or the path of the warehouse has
changed: for a run that is every day and every home, eleven seconds of a core each time. Yet no
graph of this project depends on either; Dagster's, which is drawn from the same manifest, could
not follow, and the macro `as_of` knows no day while dbt parses. So the project is parsed as `make`
parses it, for no day and no home, and the command gets it handed over. What has changed in the
project's files since then, dbt sees and parses.

A step runs this file by its path and without `pipelines`: which checkout that would be, depends on
the folder in which dbt works.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

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
    # dbt keeps what it parsed per profile, and the profile holds the home.
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("HOMING_")}
    try:
        yield
    finally:
        os.environ.update(kept)


def main(arguments: list[str]) -> int:
    """Dbt's command line, in a folder and with a target that the environment names."""
    project, target = Path(os.environ["DBT_PROJECT_DIR"]), Path(os.environ["DBT_TARGET_PATH"])
    outcome = dbtRunner(manifest=parsed(project, target)).invoke(arguments)
    if outcome.exception:
        print(outcome.exception, file=sys.stderr)
        return BROKEN
    return 0 if outcome.success else FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
