"""Files of any shop: every line arrives, foreign names and encodings too, and refusals say why."""

from __future__ import annotations

import csv
import gzip
import io
import logging
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.suites.arrival import COLUMNS
from pipelines.errors import SettingsError, SourceError
from pipelines.resources.lake import Lake
from pipelines.settings import Settings
from pipelines.sources import connectors, offered_tables
from pipelines.sources.connector import DEFECT
from pipelines.sources.contract import load_contract
from pipelines.sources.files import Files
from pipelines.sources.readers import POSITION, delimited, text, unique_names
from pipelines.sources.readers.delimited import Delimited

HEADER = "order_id,customer_id,ordered_at,net_amount"
ROW = "O1,C1,2026-06-01 10:00,9.90"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

Folder = Callable[..., Path]
Rows = list[dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Makes the folder of a shop: names of files and what is in them."""

    def make(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "exports"
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return make


def delivered(root: Path, table: str = "orders", **options: Any) -> Rows:
    source = Files(root, **options)
    [found] = [t for t in source.tables() if t.name == table]
    return [
        row
        for part in source.deliver(found, date(2026, 6, 30)).parts
        for batch in part.batches()
        for row in batch.to_pylist()
    ]


def refusal(root: Path, table: str = "orders") -> str:
    with pytest.raises(SourceError) as caught:
        delivered(root, table)
    return str(caught.value)


def read(data: bytes, tmp_path: Path, **options: Any) -> Rows:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    rows = [r for b in Delimited(path, "x.csv", **options).batches() for r in b.to_pylist()]
    return sorted(rows, key=lambda row: row[POSITION])


# -- every line arrives --

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
nasty_text = st.text(st.sampled_from("\",;\t\r\n'\\ \ufeffa1张é😀=+"), max_size=8)
csv_rows = st.lists(st.tuples(*[any_text | nasty_text] * 3), max_size=8)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=csv_rows,
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "gb18030"]),
    block_bytes=st.integers(1, 64),
)
def test_what_a_csv_writer_wrote_is_read_as_it_was(  # noqa: PLR0917
    rows: list[tuple[str, ...]],
    delimiter: str,
    quoting: Any,
    encoding: str,
    block_bytes: int,
    tmp_path: Path,
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows([("a", "b", "c"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        # A head that holds the header line, then blocks that cut anything anywhere.
        patch.setattr(text, "BLOCK_BYTES", 64 + block_bytes)
        found = read(
            written.getvalue().encode(encoding), tmp_path, encoding=encoding, delimiter=delimiter
        )
    assert [tuple(row[name] or "" for name in "abc") for row in found] == rows
    assert [row[POSITION] for row in found] == list(range(1, len(rows) + 1))
    assert all(row[DEFECT] is None for row in found)


lines_of_anything = st.lists(st.text(st.sampled_from('ab",\r1'), max_size=10), max_size=12)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=lines_of_anything, block_bytes=st.integers(1, 40))
def test_malformed_text_reads_the_same_however_it_is_cut(
    lines: list[str], block_bytes: int, tmp_path: Path
) -> None:
    data = "\n".join(["a,b", *lines]).encode()
    whole = read(data, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", 3 + block_bytes)
        assert read(data, tmp_path) == whole
    assert [row[POSITION] for row in whole] == list(range(1, len(whole) + 1))
    if '"' not in "".join(lines):
        physical = [line for line in "\n".join(lines).replace("\r", "\n").split("\n") if line]
        assert len(whole) == len(physical)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(any_text | nasty_text, min_size=1, max_size=6))
def test_rows_in_are_rows_in_the_lake(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("exports")
    with (root / "orders.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER.split(","), "name"])
        writer.writerows([f"O{n}", "C1", "2026-06-01", "1", name] for n, name in enumerate(names))
    source = Files(root)
    [table] = source.tables()
    lake = Lake(tmp_path_factory.mktemp("home") / "lake")
    intake = lake.write(table, date(2026, 6, 1), [source.deliver(table, date(2026, 6, 1))])
    assert intake.manifest.rows == len(names)
    with duckdb.connect() as session:
        file = str(lake.data_file(intake.manifest))
        found = session.sql("select name from read_parquet(?) order by _row", params=[file])
        assert [name or "" for (name,) in found.fetchall()] == names


def test_lines_that_are_no_rows_are_counted_and_told_apart(tmp_path: Path) -> None:
    data = b'a,b\n1,x\n2\n3,y,z\n4,"never closed\n5,5" disk\n6,"said ""no"""\n7,"a"b\n8,z\n'
    rows = read(data, tmp_path)
    assert [row["a"] for row in rows] == ["1", None, None, None, "5", "6", None, "8"]
    assert [row["b"] for row in rows][4:6] == ['5" disk', 'said "no"']
    quotes = "has a quote inside a field, or one that is never closed"
    assert [row[DEFECT] for row in rows if row[DEFECT]] == [
        "x.csv: row 2 has fields: 1, the header: 2",
        "x.csv: row 3 has fields: 3, the header: 2",
        f"x.csv: row 4 {quotes}",
        f"x.csv: row 7 {quotes}",
    ]


def test_a_quote_never_closed_costs_one_line_of_a_long_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 4_096)
    monkeypatch.setattr(delimited, "LONGEST_RECORD_BYTES", 16_384)
    data = b'a,b\n0,"open\n' + b"".join(b"%d,x\n" % n for n in range(1, 20_001))
    rows = read(data, tmp_path)
    assert len(rows) == 20_001
    assert [row[POSITION] for row in rows if row[DEFECT]] == [1]


def test_a_field_of_ten_megabytes_is_a_field(tmp_path: Path) -> None:
    note = "line\r\n" * (10 * 1024 * 1024 // 6)
    [row] = read(f'a,b\r\n1,"{note}"\r\n'.encode(), tmp_path)
    assert row["b"] == note


def test_a_nul_makes_a_row_malformed_and_does_not_get_further(tmp_path: Path) -> None:
    rows = read(b"a,b\n1,x\0y\n2,z\n", tmp_path)
    assert [(row["a"], row["b"]) for row in rows] == [("1", "xy"), ("2", "z")]
    assert [row[DEFECT] for row in rows] == ["x.csv: row 1 holds a NUL character", None]


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["a", "A", "a"], ["a", "A_2", "a_3"]),
        ([" Customer  ID ", None, ""], ["Customer ID", "column_2", "column_3"]),
        (["_row", "_defect"], ["_row_2", "_defect_2"]),
    ],
)
def test_columns_have_names_that_differ(header: list[str | None], names: list[str]) -> None:
    assert unique_names(header) == names


# -- encodings --

CHINESE = "order_id,customer_id,ordered_at,net_amount,name\nO1,C1,2026-06-01,9.90,"
NAMES = "王小明 张丽华 李娜 陈志强 刘洋 杨秀英 赵敏 黄建国 周杰 吴芳"


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "gb2312", "utf-8", "utf-8-sig", "utf-16"])
def test_chinese_names_survive(folder: Folder, encoding: str) -> None:
    name = "王小明、张丽华" if encoding == "gb2312" else "王小明、張麗華"
    content = (CHINESE + name).encode(encoding)
    mapping = f'[orders]\nencoding = "{encoding}"\n'
    [row] = delivered(folder({"orders.csv": content, "mapping.toml": mapping}))
    assert row["name"] == name


def test_chinese_that_can_be_nothing_else_is_recognised_and_logged(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    content = (CHINESE + NAMES + "\n").encode("gb18030")
    with caplog.at_level(logging.WARNING):
        [row] = delivered(folder({"orders.csv": content}))
    assert row["name"] == NAMES
    assert "orders.csv is not UTF-8 (byte offset 70) and is read as gb18030" in caplog.text


GERMAN = "order_id;customer_id;ordered_at;Betrag"


def test_files_of_one_table_may_differ(folder: Folder, caplog: pytest.LogCaptureFixture) -> None:
    mapping = """
        [orders]
        delimiter = ";"
        encoding = { "orders-2025.csv" = "cp1252" }
        [orders.columns]
        net_amount = { sql = '''replace(coalesce(Betrag, "Betrag EUR"), ',', '.')''' }
        channel = "Weg"
    """
    root = folder(
        {
            "orders-2025.csv": f"{GERMAN};Weg;Straße\n1;a;2025-06-01;9,50;Büro;X\n".encode(
                "cp1252"
            ),
            "orders-2026.csv": f"{GERMAN} EUR\n2;a;2026-06-01;8,50\n",
            "mapping.toml": mapping,
        }
    )
    with caplog.at_level(logging.WARNING):
        found = delivered(root)
    assert [(row["net_amount"], row.get("channel")) for row in found] == [
        ("9.50", "Büro"),
        ("8.50", None),
    ]
    for told in (
        "orders-2025.csv has no column 'Betrag EUR', which other files of orders have: it is "
        "empty there for net_amount",
        "orders-2026.csv has no column 'Betrag', ",
        "orders-2026.csv has no column 'Weg', which other files of orders have: it is empty there "
        "for channel",
    ):
        assert told in caplog.text


@pytest.mark.parametrize(
    ("column", "words"),
    [
        # in no file; and in another file, but no order is without it
        ('net_amount = { sql = "Preis" }', "the expression for net_amount cannot be used"),
        ('channel = "Weg"', "expected a column 'Weg' for channel"),
        ('net_amount = "Betrag"', "orders-2026.csv: expected a column 'Betrag' for net_amount"),
    ],
)
def test_a_column_of_no_file_or_that_every_row_needs_is_missed(
    folder: Folder, column: str, words: str
) -> None:
    files = {
        "orders-2025.csv": f"{GERMAN}\n1;a;2025-06-01;9,50\n",
        "orders-2026.csv": f"{GERMAN} EUR\n2;a;2026-06-01;8,50\n",
    }
    amount = "" if "net_amount" in column else "net_amount = { sql = \"'1'\" }"
    mapping = f"[orders.columns]\n{column}\n{amount}\n"
    assert words in refusal(folder(files | {"mapping.toml": mapping}))


@pytest.mark.parametrize("value", ["5", "[1, 2]"])
@pytest.mark.parametrize("key", ["file", "encoding"])
def test_what_is_no_text_is_refused(folder: Folder, key: str, value: str) -> None:
    files = {"orders.csv": f"{HEADER}\n{ROW}\n", "mapping.toml": f"[orders]\n{key} = {value}\n"}
    said = refusal(folder(files))
    assert said.startswith(f"mapping.toml, [orders]: expected {key} = ")
    assert f"found {key} = {value}" in said


@pytest.mark.parametrize("value", ["[]", "[5]", "5"])
def test_a_format_is_a_text_or_several(folder: Folder, value: str) -> None:
    mapping = f'[orders.columns]\nordered_at = {{ column = "ordered_at", format = {value} }}\n'
    files = {"orders.csv": f"{HEADER}\n{ROW}\n", "mapping.toml": mapping}
    assert "expected a column of the file in quotes" in refusal(folder(files))


def test_of_several_formats_the_first_that_fits_counts_and_what_fits_none_is_kept(
    folder: Folder,
) -> None:
    times = ["01.06.2026", "2026/06/02", "31.02.2026", "soon"]
    rows = "".join(f"O{n},C1,{time},9.90\n" for n, time in enumerate(times))
    mapping = (
        '[orders.columns]\nordered_at = { column = "ordered_at", '
        'format = ["%d.%m.%Y", "%Y/%m/%d"] }\n'
    )
    root = folder({"orders.csv": f"{HEADER}\n{rows}", "mapping.toml": mapping})
    assert [row["ordered_at"] for row in delivered(root)] == [
        "2026-06-01 00:00:00",
        "2026-06-02 00:00:00",
        "31.02.2026",
        "soon",
    ]


def test_a_minimal_export_in_chinese_is_recognised(folder: Folder) -> None:
    """Twenty-one characters, two of which begin with x, y or z: fewer than usual, by chance."""
    content = (
        "订单号,客户编号,下单时间,金额,状态\nA1,1,2026-05-02 10:31,9,已完成\n"
        "A2,1,2026-06-02,9,待付款\nA3,1,2026-06-03,9,已退货\n"
    )
    mapping = (
        '[orders.columns]\norder_id = "订单号"\ncustomer_id = "客户编号"\n'
        'ordered_at = "下单时间"\nnet_amount = "金额"\n'
    )
    root = folder({"orders.csv": content.encode("gb18030"), "mapping.toml": mapping})
    assert [row["order_id"] for row in delivered(root)] == ["A1", "A2", "A3"]


@pytest.mark.parametrize(
    ("characters", "xyz", "is_chinese"),
    [
        (23, 2, True),
        (20, 1, False),
        (20, 0, False),
        (40, 2, False),
        (200, 40, True),
        (500, 20, False),
    ],
)
def test_few_characters_are_judged_by_how_likely_each_reading_is(
    characters: int, xyz: int, is_chinese: bool
) -> None:
    assert text._sounds_chinese(xyz, characters) == is_chinese


OTHERS = {
    ("cp1252", "cp1252"): "José Peña; María Núñez; ¿Coruña, España?",
    ("latin-1", "cp1252"): "Jörg Müller; Weißenfels, Straße; Café Élodie",
    ("cp1250", "cp1250"): "Łukasz Wójcik; Kraków; Żółć; Świętosława",
    ("cp1251", "cp1251"): "Иван Петров; Москва; Екатерина Смирнова",
    (
        "euc-kr",
        "cp949",
    ): "김민수 서울특별시 이영희 부산광역시 박지훈 대구 최수진 인천 정하늘 경기도 강원도",
    (
        "euc-jp",
        "euc_jp",
    ): "山田太郎 東京都 鈴木一郎 大阪府 佐藤花子 京都市 高橋健 北海道 伊藤美咲 横浜市",
    ("big5", "big5"): "王小明 張麗華 臺北市信義區 陳志強 高雄市 林雅婷 黃建國 臺中市 吳淑芬 楊秀英",
    ("cp874", None): "นาย สมชาย ใจดี; กรุงเทพมหานคร; เชียงใหม่",
    ("gbk", None): "王小明",  # three characters tell nobody what they are
}


@pytest.mark.parametrize(("encoding", "suggested"), OTHERS)
@pytest.mark.parametrize("rows", [1, 200])
def test_what_could_be_something_else_has_to_be_declared(
    folder: Folder, encoding: str, suggested: str | None, rows: int
) -> None:
    name = OTHERS[encoding, suggested].replace(",", "")
    content = (HEADER + ",name\n" + f"{ROW},{name}\n" * rows).encode(encoding)
    said = refusal(folder({"orders.csv": content}))
    assert said.startswith("orders.csv: expected UTF-8 or a declared encoding, found byte 0x")
    assert "Add to the section of its table in mapping.toml" in said
    if suggested:
        assert f'perhaps encoding = "{suggested}"' in said
    mapping = f'[orders]\nencoding = "{encoding}"\n'
    found = delivered(folder({"orders.csv": content, "mapping.toml": mapping}))
    assert [row["name"] for row in found] == [name] * rows


def test_one_bad_byte_is_told_with_its_line_and_no_encoding_that_the_file_is_not_in(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 50)
    lines = [f"{HEADER},地址", *[f"{ROW},Müller"] * 30]
    content = "\n".join(lines).encode()
    at = content.rindex("ü".encode())
    damaged = content[:at] + "ü".encode("cp1252") + content[at + 2 :]
    said = refusal(folder({"orders.csv": damaged}))
    assert f"found byte 0xfc at offset {at:,}, line 31: 1 of 31 lines is not UTF-8. " in said
    assert "perhaps" not in said


def test_a_notice_is_given_once_however_often_a_file_is_opened(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    content = (CHINESE + NAMES + "\n").encode("gb18030")
    root = folder({"orders.csv": content, "clients.csv": "id\n1\n"})
    with caplog.at_level(logging.WARNING):
        max(Files(root).order_days())
        for _ in range(2):
            Files(root).tables()
            assert delivered(root)
    assert [record.getMessage().partition(":")[0][:22] for record in caplog.records] == [
        "orders.csv is not UTF-",
        "not used, because no t",
    ]


def test_utf16_without_a_mark_is_recognised(folder: Folder) -> None:
    [row] = delivered(folder({"orders.csv": (CHINESE + "Anna\n").encode("utf-16-le")}))
    assert row["name"] == "Anna"


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows_before=st.integers(0, 400))
def test_gbk_declared_as_utf8_is_refused_with_the_offset(rows_before: int, tmp_path: Path) -> None:
    before = (HEADER + "\n" + (ROW + "\n") * rows_before + "O2,").encode()
    path = tmp_path / "orders.csv"
    path.write_bytes(before + f"客户 {NAMES},2026-06-01,1\n".encode("gbk"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", 1_000)
        with pytest.raises(SourceError) as caught:
            list(Delimited(path, "orders.csv", encoding="utf-8").batches())
    assert f"expected utf-8, found byte 0xbf at offset {len(before):,}" in str(caught.value)
    assert 'declare the right one, perhaps encoding = "gb18030",' in str(caught.value)


# -- which file is which table --


def test_a_file_that_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        file = root / "orders.csv"
        file.write_text(f"{HEADER}\n{ROW}\n")
        assert len(delivered(root)) == 1
        file.chmod(0)
        user = os.geteuid()
        if user == 0:  # to root nothing is forbidden
            os.seteuid(65534)
        try:
            message = refusal(root)
        finally:
            os.seteuid(user)
    assert message.startswith("orders.csv: cannot be read (Permission denied)")


def test_a_table_may_be_one_file_many_or_a_folder(folder: Folder) -> None:
    root = folder(
        {
            "Orders-2026-05.csv": f"{HEADER}\nO1,C1,2026-05-01,1\n",
            "orders-2026-06.tsv": f"{HEADER}\nO2,C1,2026-06-01,2\n".replace(",", "\t"),
            "customers/part-1.csv": "customer_id,created_at\nC1,2020-01-01\n",
            "customers/part-2.csv.gz": gzip.compress(b"customer_id;created_at\nC2;2020-01-01\n"),
            "order_items.csv": "order_id,line_no,product_id,quantity\nO1,1,P1,1\n",
        }
    )
    names = [table.name for table in Files(root).tables()]
    assert names == ["customers", "orders", "order_items"]
    assert [row["order_id"] for row in delivered(root)] == ["O1", "O2"]
    assert [row["customer_id"] for row in delivered(root, "customers")] == ["C1", "C2"]


def test_files_that_no_table_takes_are_named(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n", "clients.csv": "id\n1\n", "~$x.xlsx": "-"})
    with caplog.at_level(logging.WARNING):
        Files(root).tables()
    assert "not used, because no table is called so: clients.csv;" in caplog.text


def test_parquet_keeps_its_types_and_xlsx_becomes_text(folder: Folder) -> None:
    root = folder({})
    root.mkdir()
    at = datetime(2026, 6, 1, 17, 45)
    rows = {"order_id": [1], "customer_id": ["007"], "ordered_at": [at], "net_amount": [9.5]}
    pq.write_table(pa.table(rows), root / "orders.parquet")
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.append([])
    sheet.append(["Entry ID", "customer_id", "posted_at", "points", None])
    sheet.append([12345.0, "007", at, 2.5])
    sheet.append([None, None, None, None])
    sheet.append([12346, True, date(2026, 6, 2), "张三", None, "stray"])
    workbook.save(root / "loyalty_ledger.xlsx")
    assert delivered(root) == [{name: values[0] for name, values in rows.items()} | {DEFECT: None}]
    first, second = delivered(root, "loyalty_ledger")
    assert first == {
        "entry_id": "12345",
        "customer_id": "007",
        "posted_at": "2026-06-01 17:45:00",
        "points": "2.5",
        DEFECT: None,
    }
    assert second["entry_id"] is None
    assert "row 2 has values to the right" in second[DEFECT]


# -- foreign names --


@pytest.mark.parametrize("name", ["CustomerID", "Customer ID", " customer_id ", "CUSTOMER-ID"])
def test_nearly_the_same_name_is_the_same_name(folder: Folder, name: str) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n".replace("customer_id", name)})
    assert delivered(root)[0]["customer_id"] == "C1"


MAPPING = """
[orders]
file = "sales*.csv"
timezone = "Asia/Shanghai"

[orders.columns]
order_id = { sql = "_file || ' ' || _row" }
customer_id = "Kunden Nr."
ordered_at = { column = "Datum", format = "%d.%m.%Y %H:%M" }
net_amount = { sql = "try_cast(replace(Betrag, ',', '.') as decimal(18, 2))" }
currency = { sql = "'CNY'" }
"""
SALES = 'Kunden-Nr;Datum;Betrag;Filiale\n007;01.06.2026 02:30;"9,90";Süd\n008;soon;?;\nx\n'


def test_a_mapping_names_formats_and_computes(folder: Folder) -> None:
    rows = delivered(folder({"sales-1.csv": SALES, "mapping.toml": MAPPING}))
    assert rows[0] == {
        "order_id": "sales-1.csv 1",
        "customer_id": "007",
        "ordered_at": "2026-05-31 18:30:00.000000Z",
        "net_amount": Decimal("9.90"),
        "currency": "CNY",
        "betrag": "9,90",
        "filiale": "Süd",
        DEFECT: None,
    }
    # What cannot be read stays as it was, for quarantine to show.
    assert (rows[1]["ordered_at"], rows[1]["net_amount"]) == ("soon", None)
    # A line that is no row has no values, not even constant ones.
    assert {name for name, value in rows[2].items() if value is not None} == {DEFECT}


def test_what_an_expression_reads_is_told_from_what_nothing_reads(folder: Folder) -> None:
    source = Files(folder({"sales-1.csv": SALES, "mapping.toml": MAPPING}))
    [orders] = source.tables()
    [part] = source.deliver(orders, date(2026, 6, 30)).parts
    assert {"betrag", "filiale"} < set(part.schema.names)
    assert part.evidence == {"betrag"}


def test_the_expressions_that_messages_and_readme_recommend_do_what_they_say(
    folder: Folder,
) -> None:
    mapping = """
[orders.columns]
ordered_at = { sql = "try_strptime(Date, ['%d.%m.%Y', '%Y/%m/%d'])" }
net_amount = { sql = "regexp_replace(Price, '[^0-9.-]', '', 'g')" }
status = { sql = "case 状态 when '已完成' then 'completed' else 状态 end" }
"""
    sold = "order_id,customer_id,Date,Price,状态\n"
    sold += '1,C1,01.06.2026,"¥1,299.00",已完成\n2,C1,2026/06/02,-5,退款\n'
    rows = delivered(folder({"orders.csv": sold, "mapping.toml": mapping}))
    assert [(row["ordered_at"], row["net_amount"], row["status"]) for row in rows] == [
        (datetime(2026, 6, 1), "1299.00", "completed"),
        (datetime(2026, 6, 2), "-5", "退款"),
    ]


def test_times_that_are_typed_get_their_zone_too(folder: Folder) -> None:
    root = folder({"mapping.toml": '[orders]\ntimezone = "Asia/Shanghai"\n'})
    at = datetime(2026, 6, 1, 2, 30)
    rows = {"order_id": [1], "customer_id": ["007"], "ordered_at": [at], "net_amount": [9.5]}
    pq.write_table(pa.table(rows), root / "orders.parquet")
    assert delivered(root)[0]["ordered_at"].isoformat() == "2026-06-01T02:30:00+08:00"


def test_a_foreign_column_never_takes_a_name_of_the_contract(folder: Folder) -> None:
    mapping = '[orders.columns]\nnet_amount = { sql = "gross - discount" }\n'
    mapping = mapping.replace("gross - discount", "gross::int - discount::int")
    content = f"{HEADER},gross,discount\n{ROW},10,3\n"
    [row] = delivered(folder({"orders.csv": content, "mapping.toml": mapping}))
    assert (row["net_amount"], row["net_amount_2"], row["gross"]) == (7, "9.90", "10")


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("now()", "'now', whose value depends on more than the row"),
        ("current_date", "'current_date', whose value depends"),
        ("random()", "'random', whose value depends"),
        ("max(gross)", "'max', whose value depends"),
        ("row_number() over ()", "found window"),
        ("(select 1)", "found subquery"),
        ("unnest([1, 2])", "'unnest'"),
        ("gross) from range(3) where (true", "expected one SQL expression"),
        ("1), (2", "expected one SQL expression"),
        ("1; drop table rows", "expected one SQL expression"),
        ("select 1", "expected one SQL expression"),
        ("gros", "expression for channel cannot be used: .*gros"),
        ("gross::int", "expression for channel cannot be used: it fails on a value of the file"),
    ],
)
def test_an_expression_sees_one_row_and_no_clock(folder: Folder, sql: str, complaint: str) -> None:
    mapping = f'[orders.columns]\nchannel = {{ sql = "{sql}" }}\n'
    content = f"{HEADER},gross\n{ROW},secret\n"
    root = folder({"orders.csv": content, "mapping.toml": mapping})
    with pytest.raises(SourceError, match=complaint) as caught:
        delivered(root)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ("[orders", "mapping.toml: expected TOML"),
        ("[order]", "unknown table 'order'; did you mean orders?"),
        ("orders = 1", "expected a section"),
        ('[orders]\nencodin = "x"', "unknown key 'encodin'; did you mean encoding?"),
        ('[orders]\nencoding = "klingon"', 'declares encoding = "klingon", which is unknown'),
        ('[orders]\ndelimiter = ";;"', "expected one ASCII character"),
        ('[orders]\ntimezone = "Mars"', "unknown time zone 'Mars'"),
        ("[orders]\nsheet = 1", "expected text for sheet"),
        ('[orders]\nfile = "sales*"', 'expected files called "sales*"'),
        ('[orders.columns]\ncustomer = "x"', "unknown column of the contract 'customer'"),
        ("[orders.columns]\nchannel = 7", "orders].columns.channel: expected a column"),
        ('[orders.columns]\nchannel = { sql = "1", column = "x" }', "expected a column"),
        ('[orders.columns]\nchannel = "Kanal"', "expected a column 'Kanal' for channel"),
    ],
)
def test_a_wrong_mapping_is_told_what_is_wrong(
    folder: Folder, mapping: str, complaint: str
) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n", "mapping.toml": mapping})
    assert complaint in refusal(root)


# -- refusals --


def xlsx_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 1_000_000)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("orders.csv", b"", "orders.csv: expected a header and rows, found an empty file"),
        ("orders.csv", b"\n\n", "expected a header line"),
        ("orders.csv", b'"order_id\n', "found a line with an unclosed quote"),
        ("orders.csv", b"PAR1....", "expected text by its name, found Parquet"),
        ("orders.csv", b"PK\x03\x04..", "expected text by its name, found XLSX"),
        ("orders.xlsx", b"\xd0\xcf\x11\xe0..", "found a workbook of old Excel"),
        ("orders.xlsx", b"PK\x03\x04..", "expected an XLSX workbook"),
        ("orders.parquet", b"a,b\n", "expected a complete Parquet file"),
        ("orders.csv.gz", b"a,b\n", "expected gzip by its name, found text"),
        (
            "orders.csv",
            b"order_id,Kunde,ordered_at,net_amount\n",
            "customer_id is missing, found order_id, Kunde, ordered_at, net_amount",
        ),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(
    folder: Folder, name: str, content: bytes, complaint: str
) -> None:
    message = refusal(folder({name: content}))
    assert complaint in message
    assert name in message


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["orders.parquet", "orders.csv.gz", "orders.xlsx"])
def test_a_file_cut_off_anywhere_is_refused(folder: Folder, kind: str, share: float) -> None:
    root = folder({})
    root.mkdir()
    rows = pa.table({name: [str(n * 7919) for n in range(5_000)] for name in HEADER.split(",")})
    if kind == "orders.parquet":
        pq.write_table(rows, root / kind, row_group_size=500)
    elif kind == "orders.csv.gz":
        lines = (",".join(row.values()) for row in rows.to_pylist())
        (root / kind).write_bytes(gzip.compress("\n".join([HEADER, *lines]).encode()))
    else:
        workbook = openpyxl.Workbook(write_only=True)
        sheet = workbook.create_sheet()
        sheet.append(HEADER.split(","))
        for row in rows.slice(0, 200).to_pylist():
            sheet.append(list(row.values()))
        workbook.save(root / kind)
    content = (root / kind).read_bytes()
    (root / kind).write_bytes(content[: int(len(content) * share)])
    assert kind in refusal(root)


@pytest.mark.parametrize(
    ("name", "content"),
    [("orders.csv.gz", gzip.compress(b"0" * 1_000_000)), ("orders.xlsx", xlsx_bomb())],
)
def test_a_bomb_is_refused(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    for module in ("text", "workbook"):
        monkeypatch.setattr(f"pipelines.sources.readers.{module}.HARMLESS_BYTES", 10_000)
    assert name in refusal(folder({name: content}))


def test_a_folder_without_tables_says_what_it_found(folder: Folder) -> None:
    message = refusal(folder({"sales.csv": "x", "notes.md": "x"}))
    assert "expected files named after tables" in message
    assert "sales.csv" in message


def test_a_missing_folder_names_the_variable(tmp_path: Path) -> None:
    assert "HOMING_FILES_DIR" in refusal(tmp_path / "nowhere")


def test_the_same_part_in_two_formats_is_refused(folder: Folder) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n", "orders.tsv": "x"})
    assert "found orders.csv and orders.tsv" in refusal(root)


# -- the last day with data --


@pytest.mark.parametrize(
    ("times", "zone", "day"),
    [
        (["2026-06-01", "2026-06-03 23:59", ""], "UTC", date(2026, 6, 3)),
        (["2026-06-01", "2099-01-01", "9999-12-31", "soon"], "UTC", date(2026, 6, 1)),
        (["2026-06-01T23:30:00Z"], "Asia/Shanghai", date(2026, 6, 2)),
    ],
)
def test_the_latest_day_is_the_last_with_a_plausible_order(
    folder: Folder, times: list[str], zone: str, day: date
) -> None:
    lines = [f"O{n},C1,{time},1" for n, time in enumerate(times)]
    root = folder({"orders.csv": "\n".join([HEADER, *lines])})
    assert max(Files(root, timezone=zone, today=lambda: date(2026, 6, 30)).order_days()) == day


def test_no_plausible_order_at_all_says_what_to_do(folder: Folder) -> None:
    root = folder({"orders.csv": f"{HEADER}\nO1,C1,01.06.2026,1\n"})
    with pytest.raises(SourceError, match=r"name their format in mapping\.toml"):
        max(Files(root).order_days())


def test_a_file_without_rows_is_told_as_such(folder: Folder) -> None:
    with pytest.raises(SourceError, match=r"^orders\.csv: expected orders, found a header and not"):
        max(Files(folder({"orders.csv": f"{HEADER}\n"})).order_days())


# -- signatures --


def signature(root: Path) -> str:
    source = Files(root)
    [table] = source.tables()
    [part] = source.deliver(table, date(2026, 6, 30)).parts
    assert part.signature is not None
    return part.signature()


def test_a_signature_changes_with_content_and_mapping_and_nothing_else(folder: Folder) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n"})
    first = signature(root)
    (root / "orders.csv").rename(root / "orders-1.csv")
    assert signature(root) == first
    (root / "mapping.toml").write_text("[orders.columns]\ncurrency = { sql = \"'EUR'\" }\n")
    mapped = signature(root)
    assert mapped != first
    (root / "orders-1.csv").write_text(f"{HEADER}\n{ROW}0\n")
    assert signature(root) not in {first, mapped}


# -- the registry --


def test_sources_are_opened_by_name(folder: Folder) -> None:
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n"})
    [source] = connectors(Settings.read(source=("files",), files_dir=root))
    assert [table.name for table in source.tables()] == ["orders"]


@pytest.mark.parametrize("names", [("fiels",), ("files", "files"), ("sample", "files"), ()])
def test_a_source_that_cannot_be_is_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HOMING_SOURCE"):
        connectors(Settings.read(source=names, files_dir=tmp_path))


def test_orders_are_given_in_one_form(folder: Folder) -> None:
    line = f"{HEADER},product_id,quantity,unit_price\n{ROW},P1,1,1\n"
    root = folder({"orders.csv": f"{HEADER}\n{ROW}\n", "order_lines.csv": line})
    with pytest.raises(SourceError, match=r"found both.*Remove orders if .* else remove order_l"):
        offered_tables([Files(root)])
    (root / "orders.csv").unlink()
    assert offered_tables([Files(root)]) == {"files": {"order_lines"}}
    (root / "order_lines.csv").rename(root / "customers.csv")
    with pytest.raises(SourceError, match="no orders or order_lines in files"):
        offered_tables([Files(root)])


def test_the_sample_company_says_what_it_offers_before_it_is_made(tmp_path: Path) -> None:
    [sample] = connectors(Settings.read(home=tmp_path / "home"))
    assert offered_tables([sample])["sample"] == load_contract().keys() - {"order_lines"}
    assert not (tmp_path / "home").exists()


def test_the_hint_for_a_decimal_comma_mends_it(folder: Folder) -> None:
    [check] = [c for c in COLUMNS.checks if c.name == "numbers_have_a_decimal_point"]
    [hint] = re.findall(r"net_amount = \{.*?\}", check.remedy)
    rows = 'O1,C1,2026-06-01,"1.234,50"\nO2,C1,2026-06-01,"-9,9"\nO3,C1,2026-06-01,7\n'
    root = folder(
        {"orders.csv": f"{HEADER}\n{rows}", "mapping.toml": f"[orders.columns]\n{hint}\n"}
    )
    assert [row["net_amount"] for row in delivered(root)] == ["1234.50", "-9.9", "7"]


# -- the documented examples, on the real files --


@pytest.mark.parametrize(
    ("example", "file", "table", "rows", "day"),
    [
        ("cdnow", "cdnow_master.parquet", "orders", 69_659, date(1998, 6, 30)),
        (
            *("online_retail", "online_retail_ii_to_2011_05.parquet", "order_lines"),
            *(711_967, date(2011, 5, 31)),
        ),
    ],
)
def test_the_examples_load_the_real_files(  # noqa: PLR0917
    real_data: Path, tmp_path: Path, example: str, file: str, table: str, rows: int, day: date
) -> None:
    shutil.copy(EXAMPLES / example / "mapping.toml", tmp_path)
    (tmp_path / file).symlink_to(real_data / file)
    source = Files(tmp_path)
    [found] = source.tables()
    assert (found.name, max(source.order_days())) == (table, day)
    lake = Lake(tmp_path / "lake")
    first = lake.write(found, day, [source.deliver(found, day)])
    assert first.manifest.rows == first.delivered == rows
    lake.accept(day)
    again = lake.write(found, day.replace(month=day.month + 1, day=1), [source.deliver(found, day)])
    assert (again.manifest.rows, again.delivered) == (0, rows)
