"""Tells people about a failed run: one JSON message to an address of their choice."""

from __future__ import annotations

import requests

_TIMEOUT_SECONDS = 10


def post_alert(address: str, *, job: str, run_id: str, as_of: str | None, message: str) -> None:
    """Post a failure as JSON, in the form that most chat tools take (`text`) plus its parts.

    Raises:
        requests.RequestException: the address did not take the message.
    """
    response = requests.post(
        address,
        json={
            "text": f"Homing: {job} for {as_of} failed: {message}",
            "job": job,
            "run_id": run_id,
            "as_of": as_of,
            "message": message,
        },
        timeout=_TIMEOUT_SECONDS,
    )
    response.raise_for_status()
