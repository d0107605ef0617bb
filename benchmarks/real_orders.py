"""Runs the whole job on two real files and prints the counts that matter.

The files are not part of this repository: CDNOW and Online Retail II, as documented in
docs/examples. Each has a home of its own under data/real, which stays.

Usage: python -m benchmarks.real_orders [--backtest] [FOLDER [NAME ...]]; the folder
`../shared/data` beside the repository and both names (cdnow, online_retail) unless given. With
--backtest the models are judged at earlier cutoffs instead, after a run where there was none yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipelines.resources.version import DATABASE
from pipelines.settings import PROJECT_ROOT

BACKTEST = "--backtest"
FOLDER = PROJECT_ROOT.parent / "shared" / "data"
EXAMPLES = PROJECT_ROOT / "docs" / "examples"
HOMES = PROJECT_ROOT / "data" / "real"


@dataclass(frozen=True)
class RealFile:
    """A real file and the day it ends with."""

    file: str
    as_of: date


FILES = {
    "cdnow": RealFile("cdnow_master.parquet", date(1998, 6, 30)),
    "online_retail": RealFile("online_retail_ii_to_2011_05.parquet", date(2011, 5, 31)),
}

COUNTS = """
    select 'lines delivered' as what, sum(extracted) as rows from row_ledger
    union all
    select '  accepted', sum(accepted) from row_ledger
    union all
    select '  repeats of an accepted line', sum(duplicate) from row_ledger
    union all
    select '  quarantined', sum(quarantined) from row_ledger
    union all
    select * from (
        select '    ' || rule, count(*) from quarantine group by rule order by count(*) desc, rule
    )
    union all
    select 'customers', count(*) from dim_customer
    union all
    select 'orders', count(*) from fct_orders
    union all
    select * from (
        select '  ' || status, count(*) from fct_orders
        group by status order by count(*) desc, status
    )
    union all
    select 'cancelled or returned lines', count(*) from fct_returns
"""


def counts(database: Path) -> list[tuple[str, int]]:
    """What became of the lines of a published version, and what they made."""
    with duckdb.connect(str(database), read_only=True) as con:
        return [(what, int(rows or 0)) for what, rows in con.execute(COUNTS).fetchall()]


def _run(name: str, file: Path, as_of: date, module: str = "pipelines.run") -> int:
    home = HOMES / name
    with tempfile.TemporaryDirectory() as folder:
        for linked in (file, EXAMPLES / name / "mapping.toml"):
            (Path(folder) / linked.name).symlink_to(linked.absolute())
        environment = {
            **os.environ,
            "HOMING_HOME": str(home),
            "HOMING_SOURCE": "files",
            "HOMING_FILES_DIR": folder,
            "HOMING_AS_OF": as_of.isoformat(),
        }
        command = [sys.executable, "-m", module]
        return subprocess.run(command, cwd=PROJECT_ROOT, env=environment, check=False).returncode


def main() -> int:
    """Run every file, print what came of it."""
    arguments = [argument for argument in sys.argv[1:] if argument != BACKTEST]
    folder = Path(arguments[0]) if arguments else FOLDER
    names = arguments[1:] or list(FILES)
    if unknown := [name for name in names if name not in FILES]:
        print(f"expected names of {', '.join(FILES)}; found {', '.join(unknown)}", file=sys.stderr)
        return 1
    if missing := [FILES[name].file for name in names if not (folder / FILES[name].file).is_file()]:
        print(
            f"The real files are not here: no {' and no '.join(missing)} in {folder.absolute()}.\n"
            "They are no part of this repository (docs/examples/*/mapping.toml says what they "
            "are).\nName the folder that has them: make real REAL_DATA=<folder>",
            file=sys.stderr,
        )
        return 1
    for name in names:
        real = FILES[name]
        print(f"\n== {name}: {real.file} as of {real.as_of} ==\n", flush=True)
        if BACKTEST in sys.argv:
            if not (HOMES / name / "lake").is_dir() and (
                status := _run(name, folder / real.file, real.as_of)
            ):
                return status
            if status := _run(name, folder / real.file, real.as_of, "pipelines.backtest"):
                return status
            continue
        started = time.monotonic()
        if status := _run(name, folder / real.file, real.as_of):
            return status
        print(f"\n{name} took {time.monotonic() - started:.0f} s; what became of its lines:")
        for what, rows in counts(HOMES / name / "published" / DATABASE):
            print(f"  {what:<48}{rows:>10,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
