"""The lake: everything that sources delivered, one Parquet batch per table and as_of.

Here: which rows of a delivery a day takes, how a batch is written, committed and named.
Not here: where rows come from (sources/), and what they mean (staging reads the manifests).

A batch is a data file and a manifest that names it. The manifest is replaced last, in one step, so
a batch is there completely or not at all; a data file that no manifest names is garbage from a
killed or repeated write, and is swept.

What a source delivered is pending at first (`<day>.pending`): the border judges it, and only then
does it become part of the lake (`<day>.json`). A delivery that was refused, or that nobody lived to
judge, stays pending: it is kept, and forgets with the rest, but no day reads it, so that the next
one takes its rows anew as if they had never come. Delivering its day again replaces it
(docs/adr/0017).

The batch of day D holds the rows that no other batch holds and whose event time is not after D.
So the first run takes everything up to its day, the next day what is new, late or corrected, a
rerun the same rows again, and a backfill of an older day finds nothing left to take. No cursor can
miss a late row, because there is none: the price is that a source is read again, which is waived
for parts (files) that a batch holds in full.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.durable import move_into_place, write_atomically
from pipelines.errors import HomingError, SourceError
from pipelines.resources.batch import Arrival, Batch, first_line
from pipelines.resources.forgetting import Cells, customers_who_asked, name_the_erased
from pipelines.sources.connector import Delivery, Part
from pipelines.sources.contract import Table, load_contract

_FED_BACK = "homing"
_ACCEPTED, _PENDING = ".json", ".pending"
ERASURE_REQUESTS = "erasure_requests"


@dataclass(frozen=True)
class Manifest:
    """What one batch is. Its JSON form commits the batch; it knows no clock.

    Attributes:
        table: name of the table.
        as_of: the day whose run wrote it.
        file: data file, relative to the lake.
        batch_id: `<as_of>-<hash of the rows>`; equal rows have an equal id.
        sha256: of the data file.
        rows: number of rows.
        columns: contract columns that were delivered, in contract order.
        extra_columns: further columns, kept as they came, that nothing was computed from.
        source: where the rows came from.
        earliest_on: business day of the earliest event; None where a row tells no plausible one:
            such a batch may matter to every day.
        whole_parts: rows of each part of the delivery that this batch holds completely, by the
            part's signature.
        parts: labels of the parts (files) that its rows came from, by the position of the first
            row of each: row 7 of a part that begins at 40 has the position 46.
        offered: rows of each part of the delivery, whether taken or not, by its label.
    """

    table: str
    as_of: date
    file: str
    batch_id: str
    sha256: str
    rows: int
    columns: tuple[str, ...]
    extra_columns: tuple[str, ...]
    source: str
    earliest_on: date | None = None
    whole_parts: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[int, str] = field(default_factory=dict)
    offered: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The manifest as it is stored."""
        document = asdict(self) | {
            "as_of": self.as_of.isoformat(),
            "earliest_on": self.earliest_on and self.earliest_on.isoformat(),
            # A list, because readers infer a struct with one field per key from an object.
            "whole_parts": [
                {"signature": signature, "rows": rows}
                for signature, rows in sorted(self.whole_parts.items())
            ],
            "parts": [
                {"label": label, "first_row": first_row}
                for first_row, label in sorted(self.parts.items())
            ],
            "offered": [
                {"label": label, "rows": rows} for label, rows in sorted(self.offered.items())
            ],
        }
        return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Read a stored manifest."""
        document = json.loads(data)
        earliest = document["earliest_on"]
        return cls(
            **document
            | {
                "as_of": date.fromisoformat(document["as_of"]),
                "earliest_on": date.fromisoformat(earliest) if earliest else None,
                "columns": tuple(document["columns"]),
                "extra_columns": tuple(document["extra_columns"]),
                "whole_parts": {p["signature"]: p["rows"] for p in document["whole_parts"]},
                # absent in a lake from before the parts were remembered
                "parts": {p["first_row"]: p["label"] for p in document.get("parts", [])},
                "offered": {p["label"]: p["rows"] for p in document.get("offered", [])},
            }
        )


@dataclass(frozen=True)
class Intake:
    """What one write came to.

    Attributes:
        manifest: the batch.
        delivered: rows that the sources delivered; those not in the batch are in another one
            already or wait for their day.
        new: rows of the batch that the lake did not hold before.
        later: rows delivered that wait for their day. They are told here alone: what is published
            for a day must not depend on them.
        is_forward: no other batch of the table is as late as this one: new rows were to be
            expected.
        shrunk: rows before and now of the parts that have lost more than a fifth of what they held
            when they were last read, by their label.
    """

    manifest: Manifest
    delivered: int
    new: int
    later: int
    is_forward: bool
    shrunk: Mapping[str, tuple[int, int]]


class Lake:
    """The lake of one home. One run at a time may write (the run lock sees to it).

    Args:
        root: its folder; created with the first batch.
        timezone: the business time zone: of times without one, and of an event's day.
        memory_limit: of DuckDB while a batch is sorted; beyond it, DuckDB spills into `root`.
        threads: of DuckDB; batches have the same bytes for any number.
    """

    def __init__(
        self, root: Path, *, timezone: str = "UTC", memory_limit: str = "4GB", threads: int = 2
    ) -> None:
        self.root = root
        self._timezone = timezone
        self._memory_limit = memory_limit
        self._threads = threads

    # -- what is there --

    def manifests(
        self, table: str | None = None, *, with_pending_of: date | None = None
    ) -> list[Manifest]:
        """The batches of one table, or of all, by table and as_of.

        Args:
            table: its name.
            with_pending_of: a day whose pending batches stand in for its accepted ones.
        """
        found = self._stored(table, _ACCEPTED)
        if with_pending_of:
            pending = self._stored(table, _PENDING, day=with_pending_of)
            found |= {path.with_suffix(_ACCEPTED): manifest for path, manifest in pending.items()}
        return [found[path] for path in sorted(found)]

    def batch_of(self, table: str, day: date) -> Manifest | None:
        """The batch of a table for a day; None if there is none, or one without rows."""
        return next((m for m in self.manifests(table) if m.as_of == day and m.rows), None)

    def data_file(self, manifest: Manifest) -> Path:
        """Where the rows of a batch are."""
        return self.root / manifest.file

    def fingerprint(self, as_of: date, tables: Iterable[str] | None = None) -> str:
        """The sha256 of what a run for a day can see: equal lakes, equal results.

        Batches without rows and batches whose every event is later than the day do not count:
        running another day leaves it as it was, unless that run found late rows.

        Args:
            as_of: the day.
            tables: the tables that count; the source contract unless given.
        """
        names = load_contract() if tables is None else tables
        digest = hashlib.sha256()
        for manifest in (m for name in sorted(names) for m in self.manifests(name)):
            is_later = manifest.earliest_on is not None and manifest.earliest_on > as_of
            if manifest.rows and not is_later:
                digest.update(f"{manifest.table} {manifest.batch_id}\n".encode())
        return digest.hexdigest()

    # -- writing --

    def write(self, table: Table, as_of: date, deliveries: Sequence[Delivery]) -> Intake:
        """Take from the deliveries what belongs to a day, as one batch that is pending.

        Rows that are only pending are not held: they are taken again. The latest day's batch is
        replaced when it is written again, so that a mended source mends it. An older day's batch
        only gains rows: its source may have moved on since, and the lake is then the only place
        where its rows still are.

        Args:
            table: the table of all `deliveries`.
            as_of: the day.
            deliveries: one or more sources; their parts are numbered in the order in which the
                lake first held rows of them, new ones last and in the order given. So a part that
                corrected another one does so still when both are told again.

        Raises:
            SourceError: a source turned out unreadable on the way; nothing was changed.
            HomingError: the lake could not be written; nothing was changed.
        """
        source = ", ".join(delivery.source for delivery in deliveries)
        self.require_same_company(source)
        self.sweep(table.name)
        there = self.manifests(table.name)
        is_forward = all(other.as_of <= as_of for other in there)
        own = next((other for other in there if other.as_of == as_of), None)
        stays = None if is_forward else own
        known = [other for other in there if other is not own or other is stays]
        arrival = Arrival(
            _as_first_brought([p for delivery in deliveries for p in delivery.parts], known),
            held={sign: rows for other in known for sign, rows in other.whole_parts.items()},
        )
        with self._new_batch() as batch:
            batch.take(arrival, table, as_of, [self.data_file(m) for m in known if m.rows])
            taken = batch.rows_per_part()
            whole_parts, parts = arrival.whole_parts(taken), arrival.parts(taken)
            before = {label: rows for other in known for label, rows in other.offered.items()}
            shrunk = arrival.shrunk(taken, before)
            is_replaced = is_forward and own is not None and own.rows
            new = batch.count_new(self.data_file(own)) if is_replaced else batch.count()
            later = batch.count_later()
            if stays is not None:
                if not batch.count():
                    self._place(table.name, as_of, _PENDING).unlink(missing_ok=True)
                    return Intake(stays, arrival.delivered, new, later, is_forward, shrunk)
                shift = batch.add(self.data_file(stays), table)
                whole_parts |= stays.whole_parts
                parts = {**stays.parts, **{first + shift: name for first, name in parts.items()}}
            manifest = self._store(
                batch,
                self._place(table.name, as_of, _PENDING),
                order=table.sort,
                contract_columns=table.column_names,
                source=source,
                evidence=arrival.evidence,
                whole_parts=whole_parts,
                parts=parts,
                offered=arrival.offered(),
            )
        return Intake(manifest, arrival.delivered, new, later, is_forward, shrunk)

    def accept(self, as_of: date) -> None:
        """Make the pending batches of a day part of the lake, in place of what it had for the day.

        A kill in between leaves some tables as they were and others done, each of them whole.

        Raises:
            HomingError: the lake could not be written; calling it again goes on.
        """
        pending = self._stored(None, _PENDING, day=as_of)
        try:
            for path in pending:
                move_into_place(path, path.with_suffix(_ACCEPTED))
        except OSError as error:
            raise self._not_written(error) from error
        for table in {manifest.table for manifest in pending.values()}:
            self.sweep(table)

    def replace(self, name: str, as_of: date, rows: pa.Table) -> Manifest:
        """Store what Homing itself computed for a day, in place of what it had stored before.

        Args:
            name: of the table; its folder in the lake.
            as_of: the day.
            rows: all of them, in the order they are to have.

        Raises:
            HomingError: the lake could not be written; nothing was changed.
        """
        self.sweep(name)
        with self._new_batch() as batch:
            batch.take_all(rows)
            return self._store(
                batch,
                self._place(name, as_of, _ACCEPTED),
                order=(),
                contract_columns=rows.column_names,
                source=_FED_BACK,
            )

    # -- forgetting --

    def customers_to_forget(self) -> list[str]:
        """Customers who ever asked to be forgotten, whatever the day."""
        table = load_contract()[ERASURE_REQUESTS]
        files = [self.data_file(m) for m in self.manifests(table.name) if m.rows]
        if not files:
            return []
        with self._new_batch() as batch:
            return sorted(customers_who_asked(batch.connection, table, files))

    def forget(
        self, customers: Sequence[str], about_to: Callable[[Sequence[Manifest]], None]
    ) -> list[Manifest]:
        """Take everything personal of some customers out of all batches, also of pending ones.

        Each batch is replaced in one step, so a kill leaves it as it was or done, and calling it
        again goes on from there. What was looked through for the same customers is not looked
        through again.

        Args:
            customers: their ids.
            about_to: told which batches are going to be replaced, before the first one is.

        Returns:
            The batches that were replaced, as they were.

        Raises:
            HomingError: the lake could not be written; the next call goes on.
        """
        if not customers:
            return []
        asked = hashlib.sha256("\n".join(customers).encode()).hexdigest()
        contract = load_contract()
        done = self._looked_through(asked)
        there = {
            path: manifest
            for path, manifest in self._stored(None, _ACCEPTED, _PENDING).items()
            if manifest.rows
            and manifest.table in contract
            and f"{manifest.table}/{manifest.batch_id}" not in done
        }
        if not there:
            return []
        with self._new_batch() as batch:
            name_the_erased(batch.connection, customers)
            to_search = []
            for place, manifest in there.items():
                file = self.data_file(manifest)
                cells = Cells.of(contract[manifest.table], batch.schema_of(file))
                if cells.searched:
                    to_search.append((place, cells))
                    batch.learn_names(cells, file)
            # Rows that only a name tells come first: the rows that tell the name must still be
            # there if a kill comes in between.
            steps = [(*each, each[-1].nobodys) for each in to_search]
            steps += [(*each, each[-1].theirs) for each in to_search]
            steps = [s for s in steps if batch.has_any(s[-1], self.data_file(there[s[0]]))]
            replaced = [there[place] for place in dict.fromkeys(place for place, *_ in steps)]
            about_to(replaced)
            for place, cells, rows in steps:
                manifest = there[place]
                table = contract[manifest.table]
                batch.load(self.data_file(manifest), table)
                batch.forget(cells, rows)
                there[place] = self._store(
                    batch,
                    place,
                    order=table.sort,
                    contract_columns=table.column_names,
                    source=manifest.source,
                    whole_parts=manifest.whole_parts,
                    parts=manifest.parts,
                    offered=manifest.offered,
                )
        stored = self._stored(None, _ACCEPTED, _PENDING).values()
        clean = sorted({f"{m.table}/{m.batch_id}" for m in stored if m.table in contract})
        record = {"customers_sha256": asked, "looked_through": clean}
        write_atomically(self._erasure, json.dumps(record, indent=1).encode() + b"\n")
        return replaced

    @property
    def _erasure(self) -> Path:
        return self.root / "erasure.json"

    def _looked_through(self, asked: str) -> set[str]:
        try:
            record = json.loads(self._erasure.read_bytes())
        except FileNotFoundError:
            return set()
        return set(record["looked_through"]) if record["customers_sha256"] == asked else set()

    def sweep(self, table: str | None = None) -> list[Path]:
        """Delete data files that no manifest names, and what killed writes left behind.

        Returns:
            The files deleted.
        """
        stored = self._stored(table, _ACCEPTED, _PENDING)
        named = {self.data_file(manifest) for manifest in stored.values()}
        garbage = [
            path
            for pattern in ("*.parquet", ".*.tmp")
            for path in sorted(self.root.glob(f"{table or '*'}/{pattern}"))
            if path not in named
        ]
        for path in garbage:
            path.unlink()
        return garbage

    def _place(self, table: str, as_of: date, state: str) -> Path:
        """Where the manifest of a batch is."""
        return self.root / table / f"{as_of}{state}"

    def _stored(
        self, table: str | None, *states: str, day: date | None = None
    ) -> dict[Path, Manifest]:
        """The manifests of one table, or of all, by their place."""
        patterns = [f"{table or '*'}/{day or '*'}{state}" for state in states]
        paths = sorted(path for pattern in patterns for path in self.root.glob(pattern))
        return {path: Manifest.from_json(path.read_bytes()) for path in paths}

    def _store(
        self,
        batch: Batch,
        place: Path,
        *,
        order: Sequence[str],
        contract_columns: Sequence[str],
        source: str,
        evidence: Collection[str] = (),
        whole_parts: Mapping[str, int] | None = None,
        parts: Mapping[int, str] | None = None,
        offered: Mapping[str, int] | None = None,
    ) -> Manifest:
        folder, as_of = place.parent, date.fromisoformat(place.stem)
        digest = batch.digest()
        batch_id = f"{as_of}-{digest}"
        columns = batch.data_columns()
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{as_of}.tmp"
        path = folder / f"{as_of}.{digest}.parquet"
        batch.copy_to(temporary, [name for name in order if name in columns], as_of, batch_id)
        with temporary.open("rb") as data:
            sha256 = hashlib.file_digest(data, "sha256").hexdigest()
        manifest = Manifest(
            table=folder.name,
            as_of=as_of,
            file=path.relative_to(self.root).as_posix(),
            batch_id=batch_id,
            sha256=sha256,
            rows=batch.count(),
            columns=tuple(name for name in contract_columns if name in columns),
            extra_columns=tuple(
                name for name in columns if name not in {*contract_columns, *evidence}
            ),
            source=source,
            earliest_on=batch.earliest_day(),
            whole_parts=whole_parts or {},
            parts=parts or {},
            offered=offered or {},
        )
        move_into_place(temporary, path)
        write_atomically(place, manifest.to_json())
        self.sweep(folder.name)
        return manifest

    def require_same_company(self, source: str) -> None:
        """Customers of the sample company must never reach somebody's real lists.

        Raises:
            SourceError: the lake holds made-up rows and the source brings real ones, or vice versa.
        """
        firsts = [next(iter(sorted(f.glob("*.json"))), None) for f in self.root.glob("*/")]
        for there in (Manifest.from_json(path.read_bytes()).source for path in firsts if path):
            if there != _FED_BACK and (there == "sample") != (source == "sample"):
                raise SourceError(
                    f"The lake at {self.root} holds rows of the source '{there}', and this run "
                    f"brings '{source}': made-up and real customers must not be mixed. Set "
                    "HOMING_SOURCE as in the other runs of this home, or HOMING_HOME to another "
                    "folder; or delete this one if you no longer need it."
                )

    @contextmanager
    def _new_batch(self) -> Iterator[Batch]:
        spill = self.root / ".spill"
        try:
            shutil.rmtree(spill, ignore_errors=True)  # of a killed run
            spill.mkdir(parents=True)
            with duckdb.connect(
                config={
                    "threads": self._threads,
                    "memory_limit": self._memory_limit,
                    "temp_directory": str(spill),
                }
            ) as connection:
                connection.execute(f"set TimeZone = '{self._timezone}'")
                yield Batch(connection)
        except duckdb.OutOfMemoryException as error:
            raise HomingError(
                f"A batch of the lake needs more memory than {self._memory_limit}, or more disk "
                f"for spilling than there is in {self.root} ({first_line(error)}). The lake is "
                "as it was; raise HOMING_MEMORY_LIMIT or free disk space, then run again."
            ) from error
        except (OSError, duckdb.IOException) as error:
            raise self._not_written(error) from error
        finally:
            shutil.rmtree(spill, ignore_errors=True)

    def _not_written(self, error: Exception) -> HomingError:
        return HomingError(
            f"The lake at {self.root} could not be written ({first_line(error)}). It is as it "
            "was; check the disk's free space and the folder's permissions, then run again."
        )


def _as_first_brought(parts: Sequence[Part], known: Sequence[Manifest]) -> list[Part]:
    """The parts in the order of the first batch with rows of each; new ones last, as they came."""
    labels = [label for manifest in known for _, label in sorted(manifest.parts.items())]
    ranks = {label: rank for rank, label in enumerate(dict.fromkeys(labels))}
    return sorted(parts, key=lambda part: ranks.get(part.label, len(ranks)))
