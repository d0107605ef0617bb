"""What the extraction tries again: faults that pass by themselves, and no others."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from pipelines.defs import extract as module
from pipelines.errors import SourceError, SourceUnreachableError, source_error
from pipelines.messages.failure import errors_of, failure_message
from pipelines.resources.lake import Lake
from pipelines.resources.publisher import Publisher
from pipelines.settings import Settings
from pipelines.sources.connector import Delivery, Part
from pipelines.sources.contract import Table, load_contract

ROWS = pa.table(
    {
        "order_id": ["O1", "O2"],
        "customer_id": ["C1", "C2"],
        "ordered_at": ["2026-06-01", "2026-06-02"],
        "net_amount": ["1", "2"],
    }
)


class Shop:
    """A source of orders that breaks off in the middle a number of times."""

    name = "shop"

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.times, self.opened = error, times, 0

    def tables(self) -> tuple[Table, ...]:
        return (load_contract()["orders"],)

    def deliver(self, table: Table, as_of: date) -> Delivery:
        return Delivery(self.name, table, (Part("page 7", ROWS.schema, self.batches),))

    def batches(self) -> Iterator[pa.RecordBatch]:
        self.opened += 1
        yield from ROWS.slice(0, 1).to_batches()
        if self.opened <= self.times:
            raise self.error
        yield from ROWS.slice(1).to_batches()


def extracted(
    shop: Shop, home: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[dg.ExecuteInProcessResult, Lake]:
    monkeypatch.setattr(module, "connectors", lambda _: (shop,))
    policy = module.extract.op.retry_policy
    monkeypatch.setattr(module.extract.op, "_retry_policy", policy._replace(delay=0))
    lake = Lake(home / "lake", timezone="UTC", memory_limit="1GB")
    result = dg.materialize(
        [module.extract],
        partition_key="2026-06-30",
        resources={
            "settings": Settings(home=home),
            "lake": lake,
            "publisher": Publisher(home / "published"),
            "session": object(),
        },
        raise_on_error=False,
    )
    return result, lake


def test_a_source_that_fails_once_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(ConnectionResetError("connection reset by peer"), times=1)
    result, lake = extracted(shop, tmp_path, monkeypatch)
    assert result.success
    assert shop.opened == 2
    lake.accept(date(2026, 6, 30))
    assert [(manifest.table, manifest.rows) for manifest in lake.manifests()] == [("orders", 2)]


def test_an_export_that_broke_off_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    orders, day = load_contract()["orders"], date(2026, 6, 29)
    more = ROWS.set_column(0, "order_id", pa.array(["O3", "O4"]))
    whole = pa.concat_tables([ROWS, more])
    before = Delivery("shop", orders, (Part("page 7", whole.schema, whole.to_batches),))
    lake = Lake(tmp_path / "lake", timezone="UTC", memory_limit="1GB")
    lake.write(orders, day, [before])
    lake.accept(day)
    result, _ = extracted(Shop(ConnectionResetError(), times=0), tmp_path, monkeypatch)
    assert result.success
    assert "page 7: 2 rows, 4 when it was last read." in caplog.text


def test_what_somebody_has_to_mend_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(PermissionError(errno.EACCES, "permission denied"), times=1)
    result, _ = extracted(shop, tmp_path, monkeypatch)
    assert not result.success
    assert shop.opened == 1


@pytest.mark.parametrize(
    ("cause", "can_pass"),
    [
        (ConnectionRefusedError("connection refused"), True),
        (TimeoutError("timed out"), True),
        (OSError(errno.EIO, "input/output error"), True),
        (FileNotFoundError(errno.ENOENT, "no such file"), False),
        (PermissionError(errno.EACCES, "permission denied"), False),
        (OSError("couldn't deserialize thrift"), False),
        (pa.ArrowInvalid("not a number"), False),
    ],
)
def test_only_some_faults_pass_by_themselves(cause: Exception, can_pass: bool) -> None:
    error = source_error("page 7", cause)
    assert isinstance(error, SourceUnreachableError) == can_pass
    assert isinstance(error, SourceError)
    assert str(error) == "page 7"


def test_a_source_that_never_answers_is_named_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(ConnectionResetError("connection reset by peer"), times=99)
    result, _ = extracted(shop, tmp_path, monkeypatch)
    assert shop.opened == 4
    trace = tmp_path / "trace.txt"
    assert failure_message(errors_of(result.all_events), trace=trace) == (
        "page 7: expected to read it to its end, found: connection reset by peer. "
        "Check that the source is complete and reachable, then run again."
    )
    assert not trace.exists()
