"""What a version is made of, as hashes: the code, the tables' SQL, and the inputs.

The same inputs and the same code have the same version id, so a rerun publishes nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path

import duckdb

from pipelines.settings import PROJECT_ROOT

_CODE = (
    ("pipelines", (".py",)),
    ("models", (".py",)),
    ("checks", (".py",)),
    ("dbt_project", (".sql", ".yml", ".csv")),
)
_NOT_CODE = {"target", "logs", "__pycache__"}


def fingerprint(parts: Iterable[str]) -> str:
    """The sha256 of the parts, each ended so that no two lists of parts read the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _tree(folder: Path, endings: tuple[str, ...]) -> Iterable[str]:
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.suffix in endings and not _NOT_CODE.intersection(relative.parts):
            yield relative.as_posix()
            yield hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def code_fingerprint() -> str:
    """All code and all business rules that a published table depends on.

    The engine's version belongs to them: the layout of a Parquet file is its own.
    """
    return fingerprint(
        [
            duckdb.__version__,
            *(part for folder, endings in _CODE for part in _tree(PROJECT_ROOT / folder, endings)),
        ]
    )


@cache
def tables_fingerprint() -> str:
    """The dbt project alone: when it changes, the warehouse is built anew."""
    folder, endings = _CODE[-1]
    return fingerprint(_tree(PROJECT_ROOT / folder, endings))


def version_id(as_of: date, inputs: str) -> str:
    """The id of a published version: readable by its day, unique by what went in."""
    return f"{as_of.isoformat()}-{fingerprint([inputs, code_fingerprint()])[:12]}"
