"""A made-up shop of 90 customers, among them canaries: people whose names a test can look for.

Every customer has a rhythm, a third of them stop coming. The files come from nowhere else than
here, so a test may spoil them as it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd

DAY, NEXT_DAY = "2025-06-30", "2025-07-01"

# One customer who buys, one whose row goes to quarantine, and who works for a business customer.
BUYER = ("Zyxandra Quibbleforth", "zyx.quibble@canary.example", "+49 30 5550199", "1911-11-11")
BROKEN = ("Vexthorpe Umbleridge", "vex.umble@canary.example", "+49 40 5550188")
PERSON = ("Wolframina Oddfellowe", "wolf.odd@canary.example", "+49 50 5550177")
NOTES = (
    "zyxnote of a call",
    "zyxcomment",
    "zyxresolution",
    "zyxdetail",
    "zyxnickname",
    "Quibble & Sons",
)
CANARIES = (*BUYER, *BROKEN, *PERSON, *NOTES)

# What a template, a spreadsheet or the plans of the lists would take for their own words.
WORDS = (
    "{{7*7}} broken",
    "{% raw %}",
    "=cmd|' /C calc'!A0",
    "Sale {next_grade}",
    "{oldest_complaint_on}",
    "{} {",
    "'; --",
)


def files(folder: Path, *, until: str, spoilt: int = 0) -> Path:
    """A shop's exports up to a day; in `spoilt` percent of the orders, columns have slipped."""
    folder.mkdir(exist_ok=True)
    orders, number = [], 0
    for customer in range(90):
        day = date(2024, 1, 1) + timedelta(days=customer % 25)
        last = date.fromisoformat(until) - timedelta(days=(customer % 3) * 60)
        while day <= last:
            number += 1
            slipped = number % 100 < spoilt or number == 7
            amount = BUYER[1] if slipped else f"{20 + customer % 50}.50"
            orders.append((f"O{number}", f"K{customer}", f"{day} 10:30:00", amount))
            day += timedelta(days=20 + customer % 40)
    orders.append(("O-last", "K1", f"{until} 09:00:00", "12.00"))
    orders.append((BUYER[1], "", f"{until} 09:30:00", "12.00"))  # even the key may have slipped
    tables = {
        "orders": (["order_id", "customer_id", "ordered_at", "net_amount"], orders),
        "customers": (
            ["customer_id", "created_at", "name", "email", "phone", "birth_date", "company_name",
             "nickname"],
            [
                ("K5", "2024-01-01", *BUYER, NOTES[5], NOTES[4]),
                ("K6", "2024-01-01", "Ann Other", "ann@other.example", "+1 555 01", "1980-01-01",
                 "", ""),
                ("K7", "some day", *BROKEN, "", "", NOTES[4]),
                ("", "2024-01-01", *BUYER, "", ""),
                *((f"K{n}", "2024-01-01", f"Ann {n}", f"{n}@other.example", "", "", "", "")
                  for n in range(20, 40)),
            ],
        ),
        "contacts": (
            ["contact_id", "customer_id", "name", "role", "email", "phone"],
            [("P1", "K5", PERSON[0], "buyer", *PERSON[1:])],
        ),
        "interactions": (
            ["interaction_id", "customer_id", "occurred_at", "kind", "notes"],
            [("I1", "K5", "2025-05-01 10:00:00", "revisit", NOTES[0]),
             ("I2", "K5", "2025-05-01 10:00:00", NOTES[0], NOTES[0])],
        ),
        "surveys": (
            ["response_id", "customer_id", "survey", "sent_at", "responded_at", "score", "comment"],
            [("R1", "K5", "nps", "2025-05-01", "2025-05-02", "3", NOTES[1])],
        ),
        "tickets": (
            ["ticket_id", "customer_id", "opened_at", "kind", "category", "resolved_at",
             "resolution"],
            [
                ("T1", "K5", "2025-05-01", "complaint", "", "2025-05-03", NOTES[2]),
                *((f"W{n}", f"K{n}", "2025-06-20", "complaint", said, "", "")
                  for n, said in enumerate(WORDS, start=20)),
            ],
        ),
        "churn_feedback": (
            ["feedback_id", "customer_id", "recorded_at", "reason_code", "detail"],
            [("F1", "K5", "2025-05-01", "price", NOTES[3])],
        ),
    }  # fmt: skip
    for name, (columns, rows) in tables.items():
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{name}.csv", index=False)
    return folder


@dataclass(frozen=True)
class Shop:
    """A home after its first run, with what was delivered and what the run printed."""

    home: Path
    files: Path
    output: str


def holding(home: Path, *values: str) -> dict[str, set[str]]:
    """The files of a home, by relative path, that hold one of the values, with those they hold."""
    found = {}
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.is_symlink() and (there := _held(path, values)):
            found[path.relative_to(home).as_posix()] = there
    return found


def _held(path: Path, values: Sequence[str]) -> set[str]:
    text = path.read_bytes().decode(errors="replace").lower()
    held = {value for value in values if value.lower() in text}
    with duckdb.connect() as con:
        relations = []
        if path.suffix == ".parquet":
            relations = [f"read_parquet('{path}')"]
        elif path.suffix == ".duckdb":
            con.execute(f"attach '{path}' as searched (read_only)")
            tables = con.execute(
                "select schema_name, table_name from duckdb_tables() where not internal"
            ).fetchall()
            relations = [f'searched."{schema}"."{table}"' for schema, table in tables]
        each = ", ".join(["bool_or(contains(lower(whole_row::varchar), ?))"] * len(values))
        for relation in relations:
            lower = [value.lower() for value in values]
            [told] = con.execute(f"select {each} from {relation} as whole_row", lower).fetchall()
            held |= {value for value, is_there in zip(values, told, strict=True) if is_there}
    return held
