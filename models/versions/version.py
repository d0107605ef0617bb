"""What every model version is: files, and a name made of their hash after the training's day."""

from __future__ import annotations

import hashlib
import json
import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from importlib.metadata import version as installed
from typing import Any, Final

from models.native import xgboost

CARD_FILE: Final = "card.json"


class Version(ABC):
    """What is kept of a training.

    Attributes:
        as_of: day of the training; no later day was known to it.
    """

    as_of: date

    @abstractmethod
    def files(self) -> dict[str, bytes]:
        """The version as files, byte for byte the same for the same content."""

    @cached_property
    def version(self) -> str:
        """`<as_of>.<hash of the content>`."""
        return version_of(self.as_of, {n: sha256(data) for n, data in self.files().items()})

    @abstractmethod
    def pages(self) -> dict[str, bytes]:
        """What a person reads, by file name: made of the files, and not part of what they hash."""


def libraries(*names: str) -> dict[str, str]:
    """Releases of Python and of the libraries that a version was made with."""
    return {
        "python": platform.python_version(),
        # The package of XGBoost has another name where it is built without GPUs.
        **{name: xgboost().__version__ if name == "xgboost" else installed(name) for name in names},
    }


def canonical_json(content: Any) -> bytes:
    """JSON that is byte for byte the same for the same content; NaN has no place in it."""
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def sha256(data: bytes) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(data).hexdigest()


def version_of(as_of: date, hashes: Mapping[str, str]) -> str:
    """The name that belongs to files with these hashes."""
    return f"{as_of.isoformat()}.{sha256(canonical_json(dict(hashes)))[:12]}"
