"""Training and scoring of a million customers: seconds and peak memory.

    python -m benchmarks.scale HOME [CUSTOMERS]

The features are those of a home (any that a run has left), each row many times over, so that a
million customers stand in eight month-ends. Training and scoring call what the steps of a run call,
each in a process of its own. Scoring stands beside the bare calls of XGBoost on the same rows,
already encoded: the contributions that the published reasons are made of, in XGBoost's cheapest
form, and the probability alone. CPU seconds are what compares on a machine that others use.
Needs Linux.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from models.churn import scoring, training
from models.churn.model import ChurnModel
from models.churn.trees import PURCHASE_FEATURES, ChurnTrees
from models.native import xgboost
from pipelines.defs.training import SEED, training_frame
from pipelines.resources.warehouse import Warehouse, literal, quoted

CUSTOMERS = 1_000_000
SNAPSHOTS = 8
GIGABYTE = 1 << 20  # in kilobytes, as the kernel counts what a process held
THREADS = 2
REPEATS = 3

# Copies of one row, told apart as customers are: later or earlier by days, dearer or cheaper.
MOVED_DAYS = 61
MOVED_SHARE = 0.3
# As many again had churned by then: of each of them there is one row, of the first snapshot.
SOURCES = {
    "customer_features": ("C", "source.customer_features"),
    "customer_labels": ("C", "source.customer_labels"),
    "purchase_features": (
        "D",
        "source.purchase_features"
        " anti join source.customer_features using (snapshot_on, customer_id)",
    ),
}
COPIED = """
    with
    day as (
        select *, row_number() over (order by customer_id) - 1 as number, count(*) over () as n
        from {source}
        where snapshot_on = '{day}'
    ),
    copied as (
        select *, copy * n + number as i
        from day
        cross join range({customers}) as copies(copy)
        where copy <= {customers} // n
    )
    select '{letter}' || lpad(i::varchar, 9, '0') as customer_id, {columns}
    from copied
    where i < {customers}
"""


def enlarge(home: Path, target: Path, customers: int) -> tuple[date, int]:
    """Write features and labels of so many customers; the day to train for, and the horizon."""
    with duckdb.connect(str(target), config={"memory_limit": "4GB", "threads": THREADS}) as con:
        con.execute(f"attach {literal(home / 'warehouse.duckdb')} as source (read_only)")
        snapshots = con.sql(
            "select snapshot_on, horizon_ends_on from source.snapshots where is_finished"
            f" order by snapshot_on desc limit {SNAPSHOTS}"
        ).fetchall()
        if not snapshots:
            raise SystemExit(f"{home}: the last run did not train; run the job retrain first")
        for table, (letter, source) in SOURCES.items():
            types = con.execute(
                "select column_name, data_type from information_schema.columns"
                " where table_catalog = 'source' and table_name = ? order by ordinal_position",
                [table],
            ).fetchall()
            columns = ", ".join(
                quoted(name) if table == "customer_labels" else _moved(name, kind)
                for name, kind in types
                if name != "customer_id"
            )
            con.execute(f"create table {table} as select * from source.{table} limit 0")
            for day, _ in snapshots if letter == "C" else snapshots[-1:]:
                copied = COPIED.format(
                    letter=letter, source=source, columns=columns, customers=customers, day=day
                )
                con.execute(f"insert into {table} by name {copied}")
    day, ends = snapshots[0]
    return ends, (ends - day).days


def _moved(name: str, kind: str) -> str:
    """A column of a copy: days and amounts differ from copy to copy, so that few repeat.

    Tiled as they are, a million customers would have the histories of a few thousand.
    """
    column = quoted(name)
    if kind == "INTEGER" and "days" in name:
        return f"{column} + (hash(i) % {MOVED_DAYS})::integer as {column}"
    if kind.startswith("DECIMAL") or kind == "DOUBLE":
        share = f"(1 + {MOVED_SHARE} * (hash(i) % 1000 / 1000 - 0.5))"
        return f"cast({column} * {share} as {kind}) as {column}"
    return column


def train(warehouse: Path, as_of: date, horizon_days: int, home: Path) -> str:
    """What the step `train` does, from the warehouse to a judged version."""
    frame = training_frame(Warehouse(warehouse, threads=THREADS))
    result = training.train(
        frame, as_of=as_of, horizon_days=horizon_days, seed=SEED, threads=THREADS
    )
    for name, data in result.model.files().items():
        (home / name).write_bytes(data)
    return f"{len(frame):,} rows taught, {result.served_role} served"


def measured(work: Callable[..., str], *arguments: object) -> None:
    """Run it in a process of its own, and say how long it took and how much it held."""
    told = multiprocessing.get_context("spawn").SimpleQueue()
    process = multiprocessing.get_context("spawn").Process(
        target=_tell, args=(told, work, *arguments)
    )
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
    print(told.get(), flush=True)


def _tell(
    told: multiprocessing.SimpleQueue[str], work: Callable[..., str], *arguments: object
) -> None:
    started = time.perf_counter()
    said = work(*arguments)
    seconds = time.perf_counter() - started
    told.put(f"{work.__name__:<6} {seconds:7.1f} s  {held_so_far():5.2f} GiB  {said}")


def held_so_far() -> float:
    """The most memory that this process held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIGABYTE


def score(warehouse: Path, day: date, home: Path) -> str:
    """What the step `score` does by the trees, beside the bare calls on the same rows."""
    model = ChurnModel.from_files({path.name: path.read_bytes() for path in home.iterdir()})
    # Trees are what takes longest to serve and explain, whatever won on copies of customers.
    model = replace(model, serves=ChurnTrees.role)
    trees = model.predictors[ChurnTrees.role]
    assert isinstance(trees, ChurnTrees)
    frame = Warehouse(warehouse, threads=THREADS).frame(
        "select * from customer_features where snapshot_on = ? order by customer_id", [day]
    )
    scoring.score(model, frame, threads=THREADS)
    held = held_so_far()
    matrix = model.schema.encode(frame)
    snapshots = frame["snapshot_on"].to_numpy()
    values = matrix.columns(trees.names).values
    wide = np.column_stack([values, values[:, : len(PURCHASE_FEATURES)]])

    def bare(**options: bool) -> object:
        # A matrix of its own each time: XGBoost remembers what it said of one.
        names, types = trees.booster.feature_names, trees.booster.feature_types
        data = xgboost().DMatrix(
            wide, feature_names=names, feature_types=types, enable_categorical=True, nthread=THREADS
        )
        return trees.booster.predict(data, **options)

    spent = timed(
        {
            "scores with reasons in words": lambda: scoring.score(model, frame, threads=THREADS),
            "bare predict(pred_contribs=True, approx_contribs=True)": lambda: bare(
                pred_contribs=True, approx_contribs=True
            ),
            "probabilities of encoded rows": lambda: model.probability(matrix, snapshots),
            "bare predict()": bare,
        }
    )
    all_said, explained, probability, predicted = map(np.array, spent.values())
    with_bare, beside_bare, alone = (
        f"{wall:.2f} ({cpu:.2f})"
        for wall, cpu in (all_said / explained, all_said / predicted, probability / predicted)
    )
    return "\n".join(
        [
            f"{len(frame):,} customers, {len(trees.names)} features, {THREADS} threads;"
            f" {held:.2f} GiB before the bare calls",
            *(
                f"  {wall:6.2f} s, {cpu:6.2f} s of CPU  {what}"
                for what, (wall, cpu) in spent.items()
            ),
            f"  seconds (CPU): scores with reasons / bare predict with contributions {with_bare},"
            f" / bare predict {beside_bare}; probabilities / bare predict {alone}",
        ]
    )


def timed(works: Mapping[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Fewest seconds and CPU seconds of some repeats of each, in turn: neighbours disturb all."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: tuple(map(min, zip(*each, strict=True))) for name, each in spent.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Enlarge, train, score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("home", type=Path)
    parser.add_argument("customers", type=int, nargs="?", default=CUSTOMERS)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        warehouse, version = Path(folder) / "warehouse.duckdb", Path(folder) / "version"
        version.mkdir()
        as_of, horizon_days = enlarge(chosen.home, warehouse, chosen.customers)
        print(f"{chosen.customers:,} customers at {SNAPSHOTS} month-ends", flush=True)
        measured(train, warehouse, as_of, horizon_days, version)
        measured(score, warehouse, as_of - timedelta(days=horizon_days), version)


if __name__ == "__main__":
    main()
