"""The stored form of each kind of version: enough to tell which can be read, and what it reads.

Nothing here needs the libraries that a version is learnt with: whoever only asks for the features
of the one that is served does not wait for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from models.errors import StoreError
from models.versions.version import CARD_FILE, canonical_json

MODEL_FILE: Final = "model.json"


@dataclass(frozen=True)
class Form:
    """How versions of one kind are stored.

    Attributes:
        what: a version of the kind, in words.
        file: JSON; states the format, the day of the training, and what is the kind's own.
        format: raised when what earlier releases wrote can no longer be read.
    """

    what: str
    file: str
    format: int

    def written(self, as_of: date, contents: Mapping[str, Any]) -> dict[str, bytes]:
        """The file, by its name.

        Args:
            as_of: day of the training.
            contents: JSON, what is the kind's own.
        """
        stated = {"format": self.format, "as_of": as_of.isoformat(), **contents}
        return {self.file: canonical_json(stated)}

    @contextmanager
    def opened(self, files: Mapping[str, bytes]) -> Iterator[tuple[date, dict[str, Any]]]:
        """Day and contents of the file; within it, files that do not fit together are refused.

        Raises:
            StoreError: the files are of another format, or what is made of them does not fit.
        """
        try:
            stored = json.loads(files[self.file])
            if stored.pop("format") != self.format:
                raise StoreError(
                    f"expected format {self.format} of {self.what}; train again with this release"
                )
            yield date.fromisoformat(stored.pop("as_of")), stored
        except StoreError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{self.what} is not readable: {error!r}") from error

    def check(self, files: Mapping[str, bytes]) -> None:
        """Refuse files of another form.

        Raises:
            StoreError: as `opened`.
        """
        with self.opened(files):
            pass

    def features(self, files: Mapping[str, bytes]) -> frozenset[str]:
        """Names of the features that a version was learnt from.

        Raises:
            StoreError: as `opened`; also of a kind that states no features.
        """
        with self.opened(files) as (_, stored):
            return frozenset(str(feature["name"]) for feature in stored["features"])


CHURN: Final = Form("a model version", CARD_FILE, 4)
FORECAST: Final = Form("a forecast", MODEL_FILE, 4)
EFFECTS: Final = Form("a version of the effects", MODEL_FILE, 1)
