"""Model versions on disk, and the pointer that says which one is champion.

::

    <root>/versions/<version>/   model.ubj  calibration.json  baselines.json  card.json
                                 reference.json
                                 manifest.json: sha256 and size of each of the others
                                 card.html: the card as a page, for people; nothing reads it back
    <root>/champion.json         the promotions in order, and the version served for a new day

A version is written whole under a temporary name and renamed; nothing in it changes afterwards.
Loading verifies names and hashes before a byte is parsed, and refuses what does not agree. The
pointer is replaced atomically. It holds history, so that a backfill gets the model of its day and
a rollback is one more entry. One writer at a time is the caller's promise (one run per home).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

from models.errors import StoreError
from models.versions import forms
from models.versions.version import Version, canonical_json, sha256, version_of

if TYPE_CHECKING:
    from models.churn.model import ChurnModel
    from models.effects.version import EffectVersion
    from models.forecasts.forecast import Forecast

MANIFEST: Final = "manifest.json"
POINTER: Final = "champion.json"
VERSION_NAME: Final = re.compile(r"\d{4}-\d\d-\d\d\.[0-9a-f]{12}")
INCOMING: Final = ".incoming-"
# Far above any real version; a file beyond it was not written here.
MAX_FILE_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True)
class Promotion:
    """One entry of the history: a version became champion, and may have been withdrawn since."""

    version: str
    as_of: date
    withdrawn: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry as the pointer file holds it."""
        return {
            "version": self.version,
            "as_of": self.as_of.isoformat(),
            "withdrawn": self.withdrawn,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Promotion:
        """Read an entry back."""
        return cls(str(stored["version"]), date.fromisoformat(stored["as_of"]), stored["withdrawn"])


Kept = TypeVar("Kept", bound=Version)
Read = TypeVar("Read")


@dataclass(frozen=True)
class Champion(Generic[Kept]):
    """The model to use for a day, if any, and why better candidates were refused."""

    model: Kept | None
    refused: tuple[str, ...] = ()


class VersionStore(Generic[Kept]):
    """Saves, verifies, promotes and withdraws versions of one kind of model under one folder."""

    form: ClassVar[forms.Form]

    def __init__(self, root: Path) -> None:
        self.root = root
        self.versions = root / "versions"

    def _read(self, files: Mapping[str, bytes]) -> Kept:
        """A model of the files of a version, all verified."""
        raise NotImplementedError

    def save(self, model: Kept) -> str:
        """Write a version; saving the same content again changes nothing.

        Returns:
            The name of the version.
        """
        files = model.files()
        manifest = {
            name: {"sha256": sha256(data), "bytes": len(data)} for name, data in files.items()
        }
        self.versions.mkdir(parents=True, exist_ok=True)
        for left in self.versions.glob(f"{INCOMING}*"):
            shutil.rmtree(left)
        target = self.versions / model.version
        if target.exists():
            try:
                self._verified(model.version)
            except StoreError:
                shutil.rmtree(target)
            else:
                return model.version
        incoming = self.versions / f"{INCOMING}{model.version}"
        incoming.mkdir()
        # A page is drawn from the card: a library that draws other bytes makes no other version.
        for name, data in {**files, **model.pages(), MANIFEST: canonical_json(manifest)}.items():
            _write(incoming / name, data)
        _sync(incoming)
        incoming.rename(target)
        _sync(self.versions)
        return model.version

    def load(self, version: str) -> Kept:
        """Read a version after verifying all of it.

        Raises:
            StoreError: when it is missing, damaged, incomplete, or of a foreign format.
        """
        return self._opened(version, self._read)

    def pages(self, version: str) -> dict[str, Path]:
        """What people read of a version, by file name; a version of an older release has none."""
        return {path.name: path for path in sorted((self.versions / version).glob("*.html"))}

    def promote(self, version: str) -> None:
        """Make a saved version champion from its day on; doing it twice changes nothing.

        Raises:
            StoreError: when the version does not verify.
        """
        model = self.load(version)
        try:
            history = self.history()
        except StoreError:
            # A damaged pointer must not stop training for ever; what it said is kept aside.
            (self.root / POINTER).replace(self.root / f"{POINTER}.unreadable")
            history = ()
        in_force = [each for each in history if each.withdrawn is None]
        if in_force and in_force[-1].version == version:
            return
        self._write_pointer((*history, Promotion(version, model.as_of)))

    def rollback(self, reason: str) -> str | None:
        """Withdraw the current champion; the one before it takes its place.

        Args:
            reason: kept in the history, for whoever asks.

        Returns:
            The version that is champion now, if one is left.

        Raises:
            StoreError: when there is no champion to withdraw.
        """
        history = self.history()
        current = next(_by_preference(history, date.max), None)
        if current is None:
            raise StoreError(f"there is no champion to withdraw in {self.root}")
        # Every entry of the version: withdrawn once, it must not come back by an older promotion.
        self._write_pointer(
            tuple(
                replace(each, withdrawn=reason)
                if each.version == current.version and each.withdrawn is None
                else each
                for each in history
            )
        )
        return self.champion_for(date.max)

    def champion_for(self, as_of: date) -> str | None:
        """Name of the latest promoted version that knew no day after `as_of`.

        Raises:
            StoreError: when the pointer is damaged.
        """
        promotion = next(_by_preference(self.history(), as_of), None)
        return promotion.version if promotion else None

    def load_champion(self, as_of: date) -> Champion[Kept]:
        """The champion for a day, or the closest one before it that verifies.

        Never raises for damaged files: what was refused is told beside the model.
        """
        return Champion(*self._first(as_of, self._read))

    def features_of_champion(self, as_of: date) -> frozenset[str] | None:
        """What the champion for a day was learnt from; None where no version can be read.

        Only the stored form is read: no model is built, and no library of one is imported.
        """
        return self._first(as_of, self.form.features)[0]

    def last_training(self, as_of: date) -> date | None:
        """Day of the latest training up to a day, promoted or not; None if there was none.

        What cannot be read, by its bytes or its stored form, is no training: counted as one, it
        would keep an older version in service until it had aged.
        """
        if not self.versions.is_dir():
            return None
        names = [path.name for path in self.versions.iterdir() if VERSION_NAME.fullmatch(path.name)]
        trained = [(day, name) for name in names if (day := _day_of(name)) and day <= as_of]
        return next((day for day, name in sorted(trained, reverse=True) if self._opens(name)), None)

    def history(self) -> tuple[Promotion, ...]:
        """All promotions, in the order they were made.

        Raises:
            StoreError: when the pointer file is there and does not verify.
        """
        path = self.root / POINTER
        try:
            stored = json.loads(path.read_bytes())
            history = tuple(Promotion.from_json(each) for each in stored["history"])
            stated = stored["sha256"]
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(f"the champion pointer {path} is not readable: {error!r}") from error
        if stated != _pointer_hash(history):
            raise StoreError(f"the champion pointer {path} does not have the hash that it states")
        return history

    def _first(
        self, as_of: date, read: Callable[[Mapping[str, bytes]], Read]
    ) -> tuple[Read | None, tuple[str, ...]]:
        """What is read of the best version for a day that verifies, and what was refused."""
        refused: list[str] = []
        try:
            candidates = list(_by_preference(self.history(), as_of))
        except StoreError as error:
            return None, (str(error),)
        for promotion in candidates:
            try:
                return self._opened(promotion.version, read), tuple(refused)
            except StoreError as error:
                refused.append(str(error))
        return None, tuple(refused)

    def _opens(self, version: str) -> bool:
        """Whether a version verifies and has the form of this release."""
        try:
            self._opened(version, self.form.check)
        except StoreError:
            return False
        return True

    def _opened(self, version: str, read: Callable[[Mapping[str, bytes]], Read]) -> Read:
        """What is read of a version's verified files."""
        try:
            return read(self._verified(version))
        except StoreError as error:
            raise StoreError(
                f"model version {version} in {self.versions} refused: {error}"
            ) from error

    def _write_pointer(self, history: tuple[Promotion, ...]) -> None:
        current = next(_by_preference(history, date.max), None)
        content = {
            "version": current.version if current else None,
            "history": [each.to_json() for each in history],
            "sha256": _pointer_hash(history),
        }
        self.root.mkdir(parents=True, exist_ok=True)
        incoming = self.root / f"{INCOMING}{POINTER}"
        _write(incoming, (json.dumps(content, indent=1) + "\n").encode())
        incoming.replace(self.root / POINTER)
        _sync(self.root)

    def _verified(self, version: str) -> dict[str, bytes]:
        """The files of a version, each with the hash its manifest and name state."""
        if not VERSION_NAME.fullmatch(version):
            raise StoreError(
                f"expected a version name like 2026-01-31.0123456789ab, found {version!r}"
            )
        folder = self.versions / version
        try:
            manifest = json.loads(_read_file(folder / MANIFEST))
            hashes = {str(name): str(stated["sha256"]) for name, stated in manifest.items()}
            sizes = {str(name): int(stated["bytes"]) for name, stated in manifest.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(f"its manifest is not readable ({error!r})") from error
        as_of = _day_of(version)
        if as_of is None or version_of(as_of, hashes) != version:
            raise StoreError("its manifest does not belong to its name")
        files = {}
        for name, stated in hashes.items():
            if Path(name).name != name:
                raise StoreError(f"its manifest names the path {name!r}")
            try:
                files[name] = _read_file(folder / name)
            except OSError as error:
                raise StoreError(f"its file {name} is not readable ({error!r})") from error
            if len(files[name]) != sizes[name] or sha256(files[name]) != stated:
                raise StoreError(f"its file {name} does not have the hash that the manifest states")
        return files


# The wiring imports the stores when it starts; numpy and scipy can wait until one is read.


class ModelStore(VersionStore["ChurnModel"]):
    """The versions of the churn model."""

    form = forms.CHURN

    def _read(self, files: Mapping[str, bytes]) -> ChurnModel:
        from models.churn.model import ChurnModel  # noqa: PLC0415

        return ChurnModel.from_files(files)


class ForecastStore(VersionStore["Forecast"]):
    """The versions of one kind of forecast."""

    form = forms.FORECAST

    def _read(self, files: Mapping[str, bytes]) -> Forecast:
        from models.forecasts.forecast import Forecast  # noqa: PLC0415

        return Forecast.from_files(files)


class EffectStore(VersionStore["EffectVersion"]):
    """The versions of what acting does."""

    form = forms.EFFECTS

    def _read(self, files: Mapping[str, bytes]) -> EffectVersion:
        from models.effects.version import EffectVersion  # noqa: PLC0415

        return EffectVersion.from_files(files)


def _by_preference(history: tuple[Promotion, ...], as_of: date) -> Iterator[Promotion]:
    """Promotions in force for a day: the youngest training first, of one day the last one made."""
    in_force = [
        (each.as_of, at, each)
        for at, each in enumerate(history)
        if each.withdrawn is None and each.as_of <= as_of
    ]
    for _, _, promotion in sorted(in_force, key=lambda entry: entry[:2], reverse=True):
        yield promotion


def _day_of(version: str) -> date | None:
    try:
        return date.fromisoformat(version[:10])
    except ValueError:
        return None


def _pointer_hash(history: tuple[Promotion, ...]) -> str:
    return sha256(json.dumps([each.to_json() for each in history]).encode())


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise OSError(f"{path.name} is larger than {MAX_FILE_BYTES} bytes")
    return data


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    # Windows cannot open a folder to sync it.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
