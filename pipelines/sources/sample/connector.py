"""The sample company as a source: made once, then read like any folder of files."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from functools import cached_property
from pathlib import Path

from pipelines.errors import SettingsError
from pipelines.settings import Settings
from pipelines.sources.connector import Delivery
from pipelines.sources.contract import Table, load_contract
from pipelines.sources.files import Files
from pipelines.sources.sample.generate import generate
from pipelines.sources.sample.parameters import Scale

log = logging.getLogger(__name__)


class SampleCompany:
    """Makes the company when first asked for it, into `HOMING_HOME/sample/<name of the world>`.

    The truth behind it goes to `HOMING_HOME/truth/<name of the world>`, which nothing here reads.
    """

    name = "sample"

    def __init__(self, settings: Settings) -> None:
        """Remember what is wanted; nothing is made yet.

        Raises:
            SettingsError: there is no such company, or the home holds another one.
        """
        self.settings = settings
        try:
            self.scale = Scale(
                customers=settings.sample_customers,
                years=settings.sample_years,
                seed=settings.sample_seed,
            )
        except ValueError as error:
            raise SettingsError(
                f"HOMING_SAMPLE_CUSTOMERS, HOMING_SAMPLE_YEARS, HOMING_SAMPLE_SEED: {error}"
            ) from error
        refuse_mixture(settings, self.scale)

    def tables(self) -> tuple[Table, ...]:
        """All tables of the contract but `order_lines`, which would stand for `orders`."""
        return tuple(t for t in load_contract().values() if t.name != "order_lines")

    def deliver(self, table: Table, as_of: date) -> Delivery:
        """One table of the company."""
        return self._files.deliver(table, as_of)

    def order_days(self) -> Sequence[date]:
        """The last day of the world; no need to make it for that."""
        return [self.scale.last_day]

    @cached_property
    def _files(self) -> Files:
        folder = make_once(self.settings, self.scale)
        return Files(folder, timezone=self.settings.timezone, name=self.name)


def refuse_mixture(settings: Settings, scale: Scale) -> None:
    """A customer of one world bears the number of a customer of another.

    Raises:
        SettingsError: the lake of the home holds a company of another size or seed.
    """
    worlds = sorted(path.name for path in settings.sample.glob("[!.]*"))
    others = [name for name in worlds if not name.startswith(f"{size_and_seed(scale)}-")]
    if others and settings.lake.exists():
        there = others[0].rpartition("-")[0]
        raise SettingsError(
            "HOMING_SAMPLE_CUSTOMERS, HOMING_SAMPLE_YEARS, HOMING_SAMPLE_SEED: expected the sample "
            f"company that the home {settings.home} holds, {there}; found {size_and_seed(scale)}. "
            "Ask for that one (20000x3-seed7 is the default), set HOMING_HOME to another folder, "
            "or delete this one if you no longer need it."
        )


def make_once(settings: Settings, scale: Scale) -> Path:
    """The folder of a sample company, made unless it is there already.

    Its presence says that it is complete: it is made under another name and renamed, the truth
    first.

    Args:
        settings: where it goes.
        scale: which company.
    """
    world = world_name(scale)
    folder, truth = settings.sample / world, settings.truth / world
    if folder.is_dir():
        return folder
    unfinished, unfinished_truth = (
        path.with_name(f".{world}.unfinished") for path in (folder, truth)
    )
    for left_over in (unfinished, unfinished_truth, truth):
        shutil.rmtree(left_over, ignore_errors=True)
    log.info("making the sample company: %s customers, %s years", scale.customers, scale.years)
    generate(
        unfinished,
        unfinished_truth,
        **asdict(scale),
        progress=lambda done, of: log.info("sample company: %s of %s customers", done, of),
    )
    unfinished_truth.replace(truth)
    unfinished.replace(folder)
    return folder


def world_name(scale: Scale) -> str:
    """A name for the world: its parameters and the code that makes it.

    A change of the code makes another world, so that nobody reads the old one for the new.
    """
    digest = hashlib.sha256(json.dumps(asdict(scale), default=str, sort_keys=True).encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.name.encode() + module.read_bytes())
    return f"{size_and_seed(scale)}-{digest.hexdigest()[:12]}"


def size_and_seed(scale: Scale) -> str:
    """Customers, years and seed, as they begin the name of a world."""
    return f"{scale.customers}x{scale.years}-seed{scale.seed}"
