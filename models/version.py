"""What a model version is called: a hash of its content, with the day of its training before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any


def canonical_json(content: Any) -> bytes:
    """JSON that is byte for byte the same for the same content; NaN has no place in it."""
    return (json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def sha256(data: bytes) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(data).hexdigest()


def version_of(as_of: date, hashes: Mapping[str, str]) -> str:
    """The name that belongs to files with these hashes."""
    return f"{as_of.isoformat()}.{sha256(canonical_json(dict(hashes)))[:12]}"
