"""The lake: what a day takes, that it takes it once, and that a kill leaves nothing half done."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import HomingError, SourceError
from pipelines.resources import lake as lake_module
from pipelines.resources.lake import Intake, Lake, Manifest
from pipelines.sources.connector import DEFECT, Delivery, Part
from pipelines.sources.contract import Table, load_contract

ORDERS = load_contract()["orders"]
ITEMS = load_contract()["order_items"]
MONDAY, TUESDAY, WEDNESDAY = (date(2026, 6, day) for day in (1, 2, 3))

Rows = list[dict[str, Any]]


def order(number: int, at: object, amount: object = "9.90", **more: object) -> dict[str, Any]:
    customer = f"C{number % 3}"
    return {
        "order_id": f"O{number}",
        "customer_id": customer,
        "ordered_at": at,
        "net_amount": amount,
        **more,
    }


def part(rows: Rows, *, label: str = "orders.csv", signature: str | None = None) -> Part:
    table = pa.Table.from_pylist(rows)
    return Part(
        label,
        table.schema,
        lambda: table.to_batches(max_chunksize=2),
        (lambda: signature) if signature else None,
    )


def delivery(*parts: Part, source: str = "files") -> Delivery:
    return Delivery(source, ORDERS, parts)


def write(lake: Lake, table: Table, as_of: date, deliveries: Sequence[Delivery]) -> Intake:
    """A delivery that the border lets in."""
    intake = lake.write(table, as_of, deliveries)
    lake.accept(as_of)
    return intake


def take(lake: Lake, as_of: date, *rows: dict[str, Any]) -> Intake:
    return write(lake, ORDERS, as_of, [delivery(part(list(rows)))])


def rows_of(lake: Lake, table: str = "orders", as_of: date | None = None) -> Rows:
    files = [
        str(lake.data_file(manifest))
        for manifest in lake.manifests(table)
        if as_of is None or manifest.as_of == as_of
    ]
    with duckdb.connect() as session:
        session.execute("set TimeZone = 'UTC'")
        found = session.sql("select * from read_parquet(?, union_by_name = true)", params=[files])
        return found.to_arrow_table().to_pylist()


def ids(lake: Lake, as_of: date | None = None) -> list[str]:
    return sorted(row["order_id"] for row in rows_of(lake, as_of=as_of))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


# -- which rows a day takes --


def test_the_first_day_takes_everything_up_to_it(lake: Lake) -> None:
    intake = take(
        lake,
        MONDAY,
        order(1, "2020-01-01"),
        order(2, "2026-06-01 23:59:59"),
        order(3, "2026-06-02"),
    )
    assert ids(lake) == ["O1", "O2"]
    assert (intake.manifest.rows, intake.delivered, intake.is_forward) == (2, 3, True)
    assert (intake.new, intake.later) == (2, 1)


def test_rows_of_a_day_told_again_are_not_new_and_rows_of_later_days_are_counted_each_time(
    lake: Lake,
) -> None:
    known, wrong = order(1, "2026-06-01"), order(2, "2026-06-01", "1.00")
    corrected, later = order(2, "2026-06-01", "2.00"), order(3, "2026-06-02")
    take(lake, MONDAY, known, wrong)
    lake.accept(MONDAY)
    for rows, new in (([known, wrong], 0), ([later, wrong, known], 0), ([known, corrected], 1)):
        intake = take(lake, MONDAY, *rows)
        assert (intake.new, intake.later) == (new, int(later in rows)), rows
    lake.accept(MONDAY)
    intake = take(lake, TUESDAY, known, corrected, later, order(4, "2026-06-03"))
    assert (intake.new, intake.later) == (1, 1)


def test_the_next_day_takes_what_is_new_late_or_corrected(lake: Lake) -> None:
    known, wrong = order(1, "2026-06-01"), order(2, "2026-06-01", "1.00")
    take(lake, MONDAY, known, wrong)
    late, corrected, new = (
        order(3, "2026-05-01"),
        order(2, "2026-06-01", "2.00"),
        order(4, "2026-06-02"),
    )
    take(lake, TUESDAY, new, known, late, corrected)
    assert ids(lake, TUESDAY) == ["O2", "O3", "O4"]


@pytest.mark.parametrize("time", [None, "", "soon", "1970-01-01", "9999-12-31", "infinity"])
def test_a_row_without_a_plausible_time_is_taken_at_once_and_once(
    lake: Lake, time: str | None
) -> None:
    take(lake, MONDAY, order(1, time), order(2, "2026-06-01"))
    take(lake, TUESDAY, order(1, time), order(2, "2026-06-01"))
    assert ids(lake, MONDAY) == ["O1", "O2"]
    assert ids(lake, TUESDAY) == []


def test_what_an_order_holds_of_a_product_is_told_again_whole(lake: Lake) -> None:
    """The line beside a mended one comes with it, or it would be lost with the earlier telling."""
    table = load_contract()["order_lines"]
    sold = {"order_id": "1", "customer_id": "C1", "ordered_at": "2026-06-01 10:00"}

    def told(as_of: date, *lines: tuple[str, str, str]) -> Rows:
        rows = [
            sold | {"product_id": product, "quantity": quantity, "unit_price": price}
            for product, quantity, price in lines
        ]
        write(lake, table, as_of, [Delivery("files", table, [part(rows)])])
        return rows_of(lake, "order_lines", as_of)

    told(MONDAY, ("cup", "1", "9"), ("cup", "2", "8"), ("mug", "1", "5"))
    again = told(TUESDAY, ("cup", "1", "7"), ("cup", "2", "8"), ("mug", "1", "5"))
    assert [(row["product_id"], row["quantity"], row["unit_price"]) for row in again] == [
        ("cup", "1", "7"),
        ("cup", "2", "8"),
    ]


def test_a_table_delivered_without_its_times_is_taken_at_once_and_once(lake: Lake) -> None:
    """The next day's file holds the lines of the day before again: only its own are new."""

    def items_up_to(order: int) -> Delivery:
        rows = [
            {"order_id": f"O{each}", "line_no": line, "product_id": "P1", "quantity": 1}
            for each in range(1, order + 1)
            for line in (1, 2)
        ]
        return Delivery("files", ITEMS, (part(rows, label="order_items.csv"),))

    assert write(lake, ITEMS, MONDAY, [items_up_to(2)]).manifest.rows == 4
    assert write(lake, ITEMS, TUESDAY, [items_up_to(2)]).manifest.rows == 0
    assert write(lake, ITEMS, TUESDAY, [items_up_to(3)]).manifest.rows == 2
    assert {row["order_id"] for row in rows_of(lake, "order_items", TUESDAY)} == {"O3"}


@pytest.mark.parametrize(
    ("zone", "time", "belongs_to"),
    [
        ("UTC", "2026-06-01 23:30", MONDAY),
        ("Asia/Shanghai", "2026-06-01 23:30", MONDAY),  # without a zone: business time
        ("Asia/Shanghai", "2026-06-01T17:00:00Z", TUESDAY),
        ("Asia/Shanghai", datetime(2026, 6, 1, 23, 30), MONDAY),
        ("America/New_York", "2026-06-02T03:00:00+00:00", MONDAY),
        ("America/New_York", "2026-06-02T04:00:00+00:00", TUESDAY),
        ("UTC", date(2026, 6, 1), MONDAY),
    ],
)
def test_a_day_ends_at_midnight_of_the_business_time_zone(
    tmp_path: Path, zone: str, time: object, belongs_to: date
) -> None:
    lake = Lake(tmp_path / "lake", timezone=zone)
    take(lake, MONDAY, order(1, time))
    take(lake, TUESDAY, order(1, time))
    assert ids(lake, belongs_to) == ["O1"]


def test_backfilling_an_older_day_finds_nothing_left(lake: Lake) -> None:
    rows = [order(1, "2026-06-01"), order(2, "2026-06-02")]
    take(lake, TUESDAY, *rows)
    intake = take(lake, MONDAY, *rows)
    assert (intake.manifest.rows, intake.is_forward) == (0, False)
    assert ids(lake) == ["O1", "O2"]


@settings(max_examples=5, deadline=None)
@given(days=st.lists(st.integers(0, 3), min_size=1, max_size=12), runs=st.permutations(range(4)))
def test_whatever_the_order_of_days_every_row_is_taken_once(
    days: list[int], runs: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = Lake(tmp_path_factory.mktemp("home") / "lake")
    rows = [order(n, (MONDAY + timedelta(day)).isoformat()) for n, day in enumerate(days)]
    for run in runs:
        take(lake, MONDAY + timedelta(run), *rows)
        assert len(set(ids(lake))) == len(ids(lake))
    assert len(ids(lake)) == len(rows)


# -- the same again --


def files_with_content(lake: Lake) -> dict[str, bytes]:
    return {
        path.relative_to(lake.root).as_posix(): path.read_bytes()
        for path in lake.root.rglob("*")
        if path.is_file()
    }


def many_orders(days: int = 2) -> Rows:
    return [
        order(n, (MONDAY + timedelta(n % days)).isoformat(), amount=f"{n % 97}.50")
        for n in range(3_000)
    ]


def test_a_rerun_leaves_the_same_bytes(lake: Lake) -> None:
    take(lake, MONDAY, *many_orders())
    take(lake, TUESDAY, *many_orders())
    before = files_with_content(lake)
    take(lake, TUESDAY, *many_orders())
    take(lake, MONDAY, *many_orders())
    assert files_with_content(lake) == before


def test_bytes_do_not_depend_on_threads_or_memory(tmp_path: Path) -> None:
    lakes = [
        Lake(tmp_path / str(threads), threads=threads, memory_limit=memory)
        for threads, memory in ((1, "1GB"), (2, "1GB"), (4, "200MB"))
    ]
    rows = pa.table(
        {
            "order_id": pa.array([f"O{n * 7919 % 300_007}" for n in range(300_000)]),
            "customer_id": pa.array([f"C{n % 1_013}" for n in range(300_000)]),
            "ordered_at": pa.array(["2026-06-01"] * 300_000),
            "net_amount": pa.array([f"{n % 89}.25" for n in range(300_000)]),
        }
    )
    for one in lakes:
        write(one, ORDERS, MONDAY, [delivery(Part("o", rows.schema, rows.to_batches))])
    assert len({one.manifests("orders")[0].sha256 for one in lakes}) == 1


def test_rows_lie_sorted_by_customer_and_time(lake: Lake) -> None:
    take(lake, TUESDAY, *reversed(many_orders()))
    keys = [(row["customer_id"], row["ordered_at"], row["_row"]) for row in rows_of(lake)]
    assert keys == sorted(keys)


def test_the_latest_day_is_replaced_so_that_a_mended_source_mends_it(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01", "garbage"))
    take(lake, MONDAY, order(1, "2026-06-01", "9.90"))
    assert [row["net_amount"] for row in rows_of(lake)] == ["9.90"]
    assert len(list(lake.root.glob("orders/*.parquet"))) == 1


def test_an_older_day_only_gains_rows(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"), order(2, "2026-06-01"))
    take(lake, TUESDAY, order(3, "2026-06-02"))
    before = files_with_content(lake)
    # The source has moved on: it no longer delivers what Monday's batch holds.
    take(lake, MONDAY, order(3, "2026-06-02"))
    assert files_with_content(lake) == before
    take(lake, MONDAY, order(4, "2026-06-01", channel="web"))
    assert ids(lake, MONDAY) == ["O1", "O2", "O4"]
    rows = rows_of(lake, as_of=MONDAY)
    assert len({row["_row"] for row in rows}) == len(rows)
    assert {row["order_id"]: row["channel"] for row in rows}["O4"] == "web"


# -- what is delivered --


def test_two_sources_fit_into_one_batch(lake: Lake) -> None:
    shop = delivery(part([order(1, "2026-06-01", "1.00", till="7")]), source="files")
    crm = delivery(part([order(2, datetime(2026, 6, 1, 12), 2.5, channel="phone")]), source="crm")
    manifest = write(lake, ORDERS, MONDAY, [shop, crm]).manifest
    assert manifest.source == "files, crm"
    assert manifest.columns == (*ORDERS.required_columns, "channel")
    assert manifest.extra_columns == ("till",)
    rows = {row["order_id"]: row for row in rows_of(lake)}
    assert (rows["O1"]["net_amount"], rows["O2"]["net_amount"]) == ("1.00", "2.5")
    assert rows["O2"]["ordered_at"].startswith("2026-06-01 12:00:00")


def test_a_column_that_an_expression_reads_is_kept_and_not_called_unread(lake: Lake) -> None:
    bought = part([order(1, "2026-06-01", betrag="9,90", till="7")])
    bought = replace(bought, evidence=frozenset({"betrag"}))
    assert write(lake, ORDERS, MONDAY, [delivery(bought)]).manifest.extra_columns == ("till",)
    assert rows_of(lake)[0]["betrag"] == "9,90"


def test_narrower_numbers_on_another_day_are_the_same_rows(lake: Lake) -> None:
    def typed(kind: pa.DataType, unit: str) -> Delivery:
        rows = pa.table(
            {
                "order_id": pa.array([1, 2], kind),
                "customer_id": pa.array(["a", "b"]).dictionary_encode(),
                "ordered_at": pa.array([datetime(2026, 6, 1)] * 2, pa.timestamp(unit)),
                "net_amount": pa.array([1, 2], kind),
            }
        )
        return delivery(Part("o", rows.schema, rows.to_batches))

    write(lake, ORDERS, MONDAY, [typed(pa.int64(), "us")])
    assert write(lake, ORDERS, TUESDAY, [typed(pa.int16(), "ns")]).manifest.rows == 0


def test_rows_that_are_no_rows_stay_apart_from_one_another(lake: Lake) -> None:
    nothing = dict.fromkeys(ORDERS.required_columns)
    broken = [{**nothing, DEFECT: f"orders.csv: row {n} has 3 fields"} for n in (1, 2)]
    rows = pa.table(
        {name: pa.array([row[name] for row in broken], pa.string()) for name in broken[0]}
    )
    orders = delivery(Part("o", rows.schema, rows.to_batches))
    assert write(lake, ORDERS, MONDAY, [orders]).manifest.rows == 2
    assert write(lake, ORDERS, TUESDAY, [orders]).manifest.rows == 0


def test_names_from_outside_are_only_names(lake: Lake) -> None:
    name = 'x"; drop table kept; --'
    take(lake, MONDAY, {**order(1, "2026-06-01"), name: "a'b"})
    assert rows_of(lake)[0][name] == "a'b"


def test_a_part_held_in_full_is_not_read_again(lake: Lake) -> None:
    opened: list[str] = []

    def signed(label: str, rows: Rows) -> Part:
        table = pa.Table.from_pylist(rows)

        def batches() -> list[pa.RecordBatch]:
            opened.append(label)
            return table.to_batches()

        return Part(label, table.schema, batches, lambda: f"signature of {label}")

    may = signed("may", [order(1, "2026-05-01"), order(2, "2026-05-02")])
    june = signed("june", [order(3, "2026-06-01"), order(4, "2026-06-02")])
    write(lake, ORDERS, MONDAY, [delivery(may, june)])
    intake = write(lake, ORDERS, TUESDAY, [delivery(may, june)])
    assert opened == ["may", "june", "june"]  # of june, a row had to wait for its day
    assert (intake.manifest.rows, intake.delivered) == (1, 4)
    [row] = rows_of(lake, as_of=TUESDAY)
    assert (row["order_id"], row["_row"]) == ("O4", 3)  # as if may had been read
    # The part's own batch is made of it, so a rerun reads it.
    opened.clear()
    other = Lake(lake.root.parent / "other")
    for _ in range(2):
        write(other, ORDERS, MONDAY, [delivery(may)])
    assert opened == ["may", "may"]


# -- at the border --


def test_an_export_that_lost_many_of_its_rows_is_told_and_one_of_what_is_new_is_not(
    lake: Lake,
) -> None:
    def shrunk(as_of: date, numbers: range) -> Mapping[str, tuple[int, int]]:
        rows = part([order(n, "2026-06-01") for n in numbers])
        return write(lake, ORDERS, as_of, [delivery(rows)]).shrunk

    label = part([order(1, "2026-06-01")]).label
    assert shrunk(MONDAY, range(10)) == {}
    assert shrunk(TUESDAY, range(8)) == {}
    assert shrunk(TUESDAY, range(5, 11)) == {label: (10, 6)}
    # compared with what was last read, unless that is read again for the same day
    assert shrunk(WEDNESDAY, range(5, 11)) == {}
    assert shrunk(WEDNESDAY, range(20, 22)) == {}


def test_a_delivery_that_nobody_accepted_is_kept_and_read_by_no_day(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"))
    refused = [order(1, "2026-06-01"), order(2, "2026-06-02", "#REF!"), order(3, "2026-06-02")]
    seen = lake.fingerprint(WEDNESDAY)
    pending = lake.write(ORDERS, TUESDAY, [delivery(part(refused, signature="same"))]).manifest
    assert lake.manifests(with_pending_of=TUESDAY)[-1] == pending
    assert [m.as_of for m in lake.manifests()] == [MONDAY]
    assert lake.fingerprint(WEDNESDAY) == seen

    mended = [order(1, "2026-06-01"), order(2, "2026-06-02", "5.00"), order(3, "2026-06-02")]
    take(lake, WEDNESDAY, *mended)
    assert ids(lake, WEDNESDAY) == ["O2", "O3"]
    assert {row["net_amount"] for row in rows_of(lake)} == {"9.90", "5.00"}
    assert lake.sweep() == []
    assert lake.data_file(pending).is_file()


def test_the_day_delivered_again_replaces_what_was_refused(lake: Lake) -> None:
    refused = lake.write(ORDERS, MONDAY, [delivery(part([order(1, "2026-06-01", "#REF!")]))])
    take(lake, MONDAY, order(1, "2026-06-01", "5.00"))
    assert [row["net_amount"] for row in rows_of(lake)] == ["5.00"]
    assert not lake.data_file(refused.manifest).exists()
    assert lake.manifests(with_pending_of=MONDAY) == lake.manifests()


def test_a_refused_repeat_leaves_the_day_as_it_was_accepted(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"), order(2, "2026-06-01"))
    lake.write(ORDERS, MONDAY, [delivery(part([order(1, "2026-06-01", "#REF!")]))])
    assert ids(lake) == ["O1", "O2"]
    take(lake, TUESDAY, order(1, "2026-06-01"), order(2, "2026-06-01"), order(3, "2026-06-02"))
    assert ids(lake, TUESDAY) == ["O3"]


def test_a_kill_while_tables_are_accepted_leaves_each_whole(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write(ORDERS, MONDAY, [delivery(part([order(1, "2026-06-01")]))])
    item = {"order_id": "O1", "line_no": 1, "product_id": "P1", "quantity": 1}
    lake.write(ITEMS, MONDAY, [Delivery("files", ITEMS, (part([item]),))])
    moved = []

    def one(temporary: Path, path: Path) -> None:
        if moved:
            raise KeyboardInterrupt
        moved.append(temporary.replace(path))

    with monkeypatch.context() as patch:
        patch.setattr(lake_module, "move_into_place", one)
        with pytest.raises(KeyboardInterrupt):
            lake.accept(MONDAY)
    assert len(lake.manifests()) == 1
    lake.accept(MONDAY)
    assert {m.table for m in lake.manifests()} == {"orders", "order_items"}


# -- failures --


def test_what_a_source_says_while_it_is_read_reaches_the_user(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"))
    before = files_with_content(lake)
    schema = pa.Table.from_pylist([order(1, "2026-06-01")]).schema

    def broken() -> Iterator[pa.RecordBatch]:
        yield from pa.Table.from_pylist([order(2, "2026-06-01")]).to_batches()
        raise SourceError("orders.csv: expected UTF-8, found byte 0xb9")

    with pytest.raises(SourceError, match="found byte 0xb9"):
        write(lake, ORDERS, TUESDAY, [delivery(Part("orders.csv", schema, broken))])
    assert files_with_content(lake) == before


def test_a_connection_that_breaks_is_named(lake: Lake) -> None:
    schema = pa.Table.from_pylist([order(1, "2026-06-01")]).schema

    def broken() -> Iterator[pa.RecordBatch]:
        raise ConnectionResetError("connection reset by peer")
        yield

    with pytest.raises(SourceError, match=r"page 7: .*connection reset by peer"):
        write(lake, ORDERS, TUESDAY, [delivery(Part("page 7", schema, broken))])


@pytest.mark.parametrize("step", ["data", "manifest"])
def test_a_write_that_dies_leaves_the_old_batch_and_its_rubbish_is_swept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"))
    before = files_with_content(lake)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    names = {"data": "move_into_place", "manifest": "write_atomically"}
    with monkeypatch.context() as patch:
        patch.setattr(lake_module, names[step], die)
        with pytest.raises(Killed):
            take(lake, MONDAY, order(1, "2026-06-01"), order(2, "2026-06-01"))
    left_behind = files_with_content(lake)
    assert before.items() <= left_behind.items()
    assert len(left_behind) == len(before) + 1
    assert ids(lake) == ["O1"]  # whoever goes by the manifests sees the old batch
    assert len(lake.sweep()) == 1
    assert files_with_content(lake) == before
    take(lake, MONDAY, order(1, "2026-06-01"), order(2, "2026-06-01"))
    assert ids(lake) == ["O1", "O2"]


def test_the_manifest_comes_last(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = lake_module.write_atomically

    def check_then_commit(path: Path, data: bytes) -> None:
        named = lake.root / Manifest.from_json(data).file
        assert named.is_file()
        commit(path, data)

    monkeypatch.setattr(lake_module, "write_atomically", check_then_commit)
    take(lake, MONDAY, order(1, "2026-06-01"))


def test_a_lake_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("in the way")
    with pytest.raises(HomingError, match="could not be written"):
        take(Lake(tmp_path / "lake"), MONDAY, order(1, "2026-06-01"))


def test_a_full_disk_leaves_the_old_batch(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01"))
    before = files_with_content(lake)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(HomingError, match="check the disk's free space"):
            take(lake, TUESDAY, *many_orders())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert files_with_content(lake) == before
    assert take(lake, TUESDAY, *many_orders()).manifest.rows == 3_000


@pytest.mark.parametrize(("first", "second"), [("sample", "files"), ("files", "sample")])
def test_the_sample_company_is_never_mixed_with_real_customers(
    lake: Lake, first: str, second: str
) -> None:
    rows = part([order(1, "2026-06-01")])
    write(lake, ORDERS, MONDAY, [delivery(rows, source=first)])
    with pytest.raises(SourceError, match="must not be mixed"):
        write(lake, ORDERS, TUESDAY, [delivery(rows, source=second)])
    write(lake, ORDERS, TUESDAY, [delivery(rows, source=first)])


# -- what a run can see --


def test_the_fingerprint_tells_what_the_day_can_see(lake: Lake) -> None:
    rows = [order(1, "2026-06-01"), order(2, "2026-06-02")]
    take(lake, MONDAY, *rows)
    seen = lake.fingerprint(MONDAY)
    take(lake, TUESDAY, *rows)
    assert lake.fingerprint(MONDAY) == seen  # Tuesday's rows are later
    assert lake.fingerprint(TUESDAY) != seen
    take(lake, WEDNESDAY, *rows)  # an empty batch says nothing
    take(lake, date(2026, 5, 31), *rows)
    lake.replace("scores", MONDAY, pa.table({"customer_id": ["C1"]}))
    assert lake.fingerprint(MONDAY) == seen
    take(lake, WEDNESDAY, *rows, order(3, "2026-05-01"))  # late
    assert lake.fingerprint(MONDAY) != seen


# -- what Homing itself stores --


def test_own_tables_are_replaced_day_by_day(lake: Lake) -> None:
    scores = pa.table({"customer_id": ["C2", "C1"], "churn_probability": [0.2, 0.1]})
    lake.replace("scores", MONDAY, scores)
    lake.replace("scores", TUESDAY, scores)
    manifest = lake.replace("scores", TUESDAY, scores.slice(0, 1))
    assert manifest.columns == ("customer_id", "churn_probability")
    assert [m.rows for m in lake.manifests("scores")] == [2, 1]
    assert [row["customer_id"] for row in rows_of(lake, "scores", MONDAY)] == ["C2", "C1"]
    assert rows_of(lake, "scores", TUESDAY)[0]["_batch"] == "2026-06-02"


def test_a_manifest_survives_its_file(lake: Lake) -> None:
    take(lake, MONDAY, order(1, "2026-06-01", till="7"))
    [manifest] = lake.manifests()
    assert Manifest.from_json(manifest.to_json()) == manifest
    assert manifest.batch_id.startswith("2026-06-01-")
    assert manifest.file == f"orders/2026-06-01.{manifest.batch_id[-12:]}.parquet"
    assert manifest.earliest_on == MONDAY
    assert manifest.whole_parts == {}
