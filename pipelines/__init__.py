"""Wiring: the only room that imports Dagster.

Commands: `run`, `serve`, `backtest`, `erasure`. Steps: `defs`, in the order of the way; `sources`
and `resources` are what they read and write, `borders` what is checked between them, `tables` how
they call dbt, `runtime` what Dagster runs on, `messages` what people are told.
Not here: tables (dbt_project/), machine learning (models/), expectations (checks/).
"""

import sys
from pathlib import Path

# A home keeps its models in a folder `models`. Whoever starts Dagster in a home would have Python
# take that folder for the room of the same name; the room is bound here, before Dagster changes
# and restores the places where Python looks.
_ROOT = str(Path(__file__).resolve().parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

import models  # noqa: E402, F401
