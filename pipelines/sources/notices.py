"""What a source lets people know without stopping: each notice once.

A run opens a file several times (to find its last day, to read it), and what was found is found
again each time.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

logger = logging.getLogger(__name__)


@cache
def notice(about: Path, text: str) -> None:
    """Log a warning, once a process.

    Args:
        about: the file or folder that it speaks of; the same text about another one is news.
        text: what was found and what to do.
    """
    logger.warning("%s", text)
