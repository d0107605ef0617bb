"""Erasure: what goes from lake and versions, what stays, and what a kill leaves behind."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.erasure import Forgotten, forget
from pipelines.resources import lake as lake_module
from pipelines.resources import publisher as publisher_module
from pipelines.resources import version as version_module
from pipelines.resources.lake import Lake, Manifest
from pipelines.resources.publisher import PublishedTable, Publisher
from pipelines.resources.warehouse import Warehouse
from pipelines.sources.connector import Delivery, Part
from pipelines.sources.contract import load_contract

MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)
CANARY = ("Kanarienvogel", "canary@example.org", "+49 30 5551234")
CREATED = datetime(2026, 5, 1)

Rows = list[dict[str, Any]]


def customer(id: object, *person: str, **more: object) -> dict[str, Any]:
    name, email, phone = person or (f"Name of {id}", f"{id}@example.com", f"+1 555 {id}")
    return {
        "customer_id": id, "created_at": CREATED, "name": name, "email": email, "phone": phone,
        "city": "Ulm", "region": "South", **more,
    }  # fmt: skip


CUSTOMERS = [customer("C1"), customer("C2", *CANARY, nickname="Piep"), customer("C3")]
CALLS = [
    {"interaction_id": f"I{number}", "customer_id": id, "occurred_at": CREATED, "notes": notes}
    for number, (id, notes) in enumerate(
        [("C2", "likes seeds"), ("C1", "likes cake"), (None, f"call {CANARY[1].upper()}")]
    )
]
REQUEST = [{"customer_id": "C2", "requested_at": CREATED}]


def deliver(lake: Lake, table: str, rows: Rows, as_of: date = MONDAY) -> Manifest:
    names = list(dict.fromkeys(name for row in rows for name in row))
    data = pa.table({name: [row.get(name) for row in rows] for name in names})
    part = Part(f"{table}.csv", data.schema, data.to_batches)
    contract = load_contract()[table]
    intake = lake.write(contract, as_of, [Delivery("files", contract, (part,))])
    lake.accept(as_of)
    return intake.manifest


def rows_of(lake: Lake, table: str) -> Rows:
    files = [str(lake.data_file(m)) for m in lake.manifests(table) if m.rows]
    query = "from read_parquet(?, union_by_name = true) order by _batch, _row"
    return duckdb.sql(query, params=[files]).to_arrow_table().to_pylist()


def forget_asked(lake: Lake) -> list[Manifest]:
    told: list[Manifest] = []
    replaced = lake.forget(lake.customers_to_forget(), told.extend)
    assert told == replaced
    return replaced


def bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def holds(folder: Path, *values: str) -> list[str]:
    return [
        f"{path.name}: {value}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for value in values
        if value.encode() in path.read_bytes()
    ]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    deliver(lake, "customers", CUSTOMERS)
    deliver(lake, "interactions", CALLS)
    deliver(lake, "erasure_requests", REQUEST)
    return lake


def test_what_is_personal_goes_and_the_row_stays(lake: Lake) -> None:
    before = rows_of(lake, "customers")
    assert {m.table for m in forget_asked(lake)} == {"customers", "interactions"}
    after = rows_of(lake, "customers")
    gone = dict.fromkeys(("name", "email", "phone", "city", "nickname"))
    expected = [row | (gone if row["customer_id"] == "C2" else {}) for row in before]
    batch = {"_batch_id": after[0]["_batch_id"]}
    assert after == [row | batch for row in expected]
    assert batch["_batch_id"] != before[0]["_batch_id"]  # staging must load it anew


def test_a_row_of_nobody_that_names_them_is_found_by_value(lake: Lake) -> None:
    forget_asked(lake)
    assert [row["notes"] for row in rows_of(lake, "interactions")] == [None, "likes cake", None]


def test_a_slipped_column_goes_where_it_names_them(lake: Lake) -> None:
    order = {"order_id": "O1", "customer_id": "C2", "ordered_at": CREATED, "net_amount": "9.90"}
    deliver(lake, "orders", [
        order, order | {"order_id": "O2", "net_amount": f"to {CANARY[1]}"},
        order | {"order_id": "O3", "net_amount": CANARY[1], "customer_id": None},
        order | {"order_id": "O4", "net_amount": "C1@example.com", "customer_id": "C1"},
    ])  # fmt: skip
    forget_asked(lake)
    amounts = {row["order_id"]: row["net_amount"] for row in rows_of(lake, "orders")}
    assert amounts == {"O1": "9.90", "O2": None, "O3": None, "O4": "C1@example.com"}


def test_no_byte_is_left_in_the_lake(lake: Lake) -> None:
    assert holds(lake.root, *CANARY, "Piep", "likes seeds")
    forget_asked(lake)
    assert holds(lake.root, *CANARY, CANARY[1].upper(), "Piep", "likes seeds") == []
    assert holds(lake.root, "likes cake")


def test_the_same_row_delivered_again_is_known(lake: Lake) -> None:
    forget_asked(lake)
    assert deliver(lake, "customers", CUSTOMERS, TUESDAY).rows == 0
    changed = [*CUSTOMERS[:1], customer("C2", *CANARY, region="North"), *CUSTOMERS[2:]]
    assert deliver(lake, "customers", changed, TUESDAY).rows == 1
    assert [m.as_of for m in forget_asked(lake)] == [TUESDAY]
    assert holds(lake.root, *CANARY) == []


def test_a_rerun_of_the_day_ends_with_the_same_batches(lake: Lake) -> None:
    forget_asked(lake)
    once = bytes_of(lake.root)
    deliver(lake, "customers", CUSTOMERS)
    deliver(lake, "interactions", CALLS)
    assert bytes_of(lake.root) != once
    forget_asked(lake)
    assert bytes_of(lake.root) == once


def test_doing_it_again_does_nothing(lake: Lake) -> None:
    forget_asked(lake)
    once = bytes_of(lake.root)
    assert forget_asked(lake) == []
    (lake.root / "erasure.json").unlink()  # and does not depend on remembering that it was done
    assert forget_asked(lake) == []
    assert bytes_of(lake.root) == once


@pytest.mark.parametrize("ids", [[1, 2], [1.0, 2.0], ["1", " 2 "]], ids=["int", "float", "text"])
def test_an_id_is_the_same_however_it_is_written(tmp_path: Path, ids: Sequence[object]) -> None:
    lake = Lake(tmp_path / "lake")
    deliver(lake, "customers", [customer(ids[0]), customer(ids[1], *CANARY)])
    deliver(lake, "erasure_requests", [{"customer_id": "2", "requested_at": CREATED}])
    forget_asked(lake)
    assert [row["name"] is None for row in rows_of(lake, "customers")] == [False, True]


def test_a_request_without_a_readable_time_is_none(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    deliver(lake, "customers", CUSTOMERS)
    deliver(lake, "erasure_requests", [{"customer_id": "C2", "requested_at": "soon"}])
    assert lake.customers_to_forget() == []
    assert forget_asked(lake) == []


def test_a_representative_of_the_same_name_keeps_it(lake: Lake) -> None:
    deliver(lake, "reps", [{"rep_id": "R1", "name": CANARY[0]}])
    forget_asked(lake)
    assert rows_of(lake, "reps")[0]["name"] == CANARY[0]


@pytest.mark.parametrize("survived", range(4))
def test_after_a_kill_it_goes_on(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    whole = Lake(tmp_path / "whole")
    for table, rows in {
        "customers": CUSTOMERS, "interactions": CALLS, "erasure_requests": REQUEST,
    }.items():  # fmt: skip
        deliver(whole, table, rows)
    forget_asked(whole)

    class Killed(BaseException):
        pass

    calls = iter(range(100))
    for name in ("write_atomically", "move_into_place"):
        write = getattr(lake_module, name)

        def write_or_die(*arguments: Any, write: Any = write) -> None:
            if next(calls) == survived:
                raise Killed
            write(*arguments)

        monkeypatch.setattr(lake_module, name, write_or_die)
    with pytest.raises(Killed):
        forget_asked(lake)
    assert len(rows_of(lake, "customers")) == len(CUSTOMERS)
    monkeypatch.undo()
    forget_asked(lake)
    lake.sweep()
    assert bytes_of(lake.root) == bytes_of(whole.root)


# -- warehouse and versions --

CONTACTS = PublishedTable("contacts", ("customer_id",), side="restricted")
SALES = PublishedTable("sales", ("customer_id",))


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table contacts (customer_id varchar, name varchar)")
        con.execute("create table sales as select 'C2' as customer_id, 5 as orders")
        con.executemany("insert into contacts values (?, ?)", [("C1", "Somebody"), ("C2", "Vogel")])
    return Warehouse(path)


def test_a_delivery_that_was_refused_forgets_too(lake: Lake) -> None:
    contract = load_contract()["customers"]
    told = pa.table(
        {"customer_id": ["C2", "C3"], "created_at": [CREATED] * 2, "name": ["Vogel"] * 2}
    )
    part = Part("customers.csv", told.schema, told.to_batches)
    lake.write(contract, TUESDAY, [Delivery("files", contract, (part,))])
    lake.forget(["C2"], lambda _: None)
    [pending] = [
        m for m in lake.manifests("customers", with_pending_of=TUESDAY) if m.as_of == TUESDAY
    ]
    left = duckdb.sql(
        f"select customer_id, name from '{lake.data_file(pending)}' order by 1"
    ).fetchall()
    assert left == [("C2", None), ("C3", "Vogel")]


@pytest.fixture
def publisher(tmp_path: Path, warehouse: Warehouse) -> Publisher:
    publisher = Publisher(tmp_path / "published")
    for day in (MONDAY, TUESDAY):
        publisher.publish(
            f"{day}-0123456789ab", day, [CONTACTS, SALES], warehouse,
            inputs="i", code="c", audit=lambda version: None,
        )  # fmt: skip
    return publisher


def test_every_version_forgets_and_is_whole(
    lake: Lake, warehouse: Warehouse, publisher: Publisher
) -> None:
    history = publisher.history()
    loaded = [manifest.batch_id for manifest in lake.manifests()]
    done = forget(lake, warehouse, publisher, loaded=loaded)
    assert done == Forgotten(1, 2, tuple(v.id for v in publisher.versions()), True)
    assert not warehouse.path.exists()
    for version in publisher.versions():
        assert version.damage() == []
        assert version.rows == {"contacts": 1, "sales": 1}
        assert version.parquet("contacts").stat().st_mode & 0o777 == 0o400
        assert (version.path / "version.json").stat().st_mode & 0o777 == 0o444
    assert holds(publisher.root, "Vogel") == []
    assert holds(publisher.root, "Somebody")
    assert publisher.history() == history


def test_what_was_never_loaded_costs_no_warehouse(
    lake: Lake, warehouse: Warehouse, publisher: Publisher
) -> None:
    assert not forget(lake, warehouse, publisher, loaded=[]).warehouse_dropped
    assert warehouse.path.exists()
    again = forget(lake, warehouse, publisher, loaded=[m.batch_id for m in lake.manifests()])
    assert again == Forgotten(1, 0, (), False)


@pytest.mark.parametrize("survived", range(3))
def test_a_version_survives_a_kill_while_it_forgets(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    class Killed(BaseException):
        pass

    calls = iter(range(100))
    for name in ("_write_facts", "move_into_place"):
        write = getattr(version_module, name)

        def write_or_die(*arguments: Any, write: Any = write) -> None:
            if next(calls) == survived:
                raise Killed
            write(*arguments)

        monkeypatch.setattr(version_module, name, write_or_die)
    with pytest.raises(Killed):
        publisher.forget(["C2"])
    monkeypatch.undo()
    publisher.forget(["C2"])
    assert holds(publisher.root, "Vogel") == []
    assert [version.damage() for version in publisher.versions()] == [[], []]
    assert publisher_module.Publisher(publisher.root).forget(["C2"]) == []
