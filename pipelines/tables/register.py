"""The register: where each of the company's 117 wishes can be looked up.

The wishes stand in docs/capabilities.csv; a table or column says with `config.meta.capabilities`
which of them it shows: a list of numbers, or, where the rows of one table show several of them, for
each number the condition of its rows. `config.meta.needs_earlier_days` lists those that it cannot
show until lists of days before were published, `config.meta.needs_many_customers` those that a
company of few customers cannot show, since too few were held out to tell an effect. How to look it
up is told beside the wish, with the names of published tables and columns in backticks. Here:
bringing all this together, the page made of it (`make docs`), and which places are empty in a
published version. Not here: whether what
stands there is right, which the tests of the tables say. The register is a map, not the proof.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import duckdb

from pipelines.durable import write_atomically
from pipelines.errors import HomingError
from pipelines.resources.version import PublishedTable, PublishedVersion
from pipelines.resources.warehouse import Engine, quoted
from pipelines.settings import PROJECT_ROOT
from pipelines.tables import dbt

CAPABILITIES_PATH = PROJECT_ROOT / "docs" / "capabilities.csv"
_NAME = re.compile("`([^`]*)`")
PAGE_PATH = dbt.PROJECT_DIR / "target" / "docs" / "register.html"


@dataclass(frozen=True)
class Capability:
    """One thing that the company asked for.

    Attributes:
        number: its number, 1 to 117.
        subject: the heading it stands under.
        name: what it is.
        phrase: the words it was asked for with.
        missing: `all` where nothing shows it, `part` where a part of it is not there.
        missing_because: why.
        look_up: how to look it up, with names of published tables and columns in backticks.
    """

    number: int
    subject: str
    name: str
    phrase: str
    missing: Literal["", "part", "all"] = ""
    missing_because: str = ""
    look_up: str = ""


@dataclass(frozen=True, order=True)
class Place:
    """A published table, or one column of it, that shows a capability.

    Attributes:
        table: its name for readers.
        column: None where the whole table shows it.
        where: condition (SQL) of the rows that show it; empty: all of them do.
        description: of the column, or of the table.
        needs_earlier_days: whether it is empty until lists of days before were published.
        needs_many_customers: whether it may be empty for a company of few customers.
        side: the side it is published on.
        page: where dbt's docs describe the table; empty for tables that dbt does not build.
    """

    table: str
    column: str | None
    description: str
    where: str = ""
    needs_earlier_days: bool = False
    needs_many_customers: bool = False
    side: str = "open"
    page: str = ""

    @property
    def name(self) -> str:
        """`table` or `table.column`, and the condition of the rows."""
        name = f"{self.table}.{self.column}" if self.column else self.table
        return f"{name} where {self.where}" if self.where else name


def read_capabilities(path: Path = CAPABILITIES_PATH) -> list[Capability]:
    """The capabilities in the order of their numbers.

    Raises:
        HomingError: a line is not one, or gives no reason for what is missing.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = []
    for line, row in enumerate(rows, start=2):
        missing = row["missing"]
        if missing not in ("", "part", "all") or bool(missing) != bool(row["missing_because"]):
            raise HomingError(
                f"{path}, line {line}: expected `missing` to be empty, part or all, and a reason in"
                f" `missing_because` if it is not empty; found {missing!r}"
            )
        found.append(
            Capability(
                number=int(row["number"]),
                subject=row["subject"],
                name=row["capability"],
                phrase=row["phrase"],
                missing=missing,
                missing_because=row["missing_because"],
                look_up=row["look_up"],
            )
        )
    return sorted(found, key=lambda capability: capability.number)


def places(
    manifest: Mapping[str, Any],
    capabilities: Sequence[Capability],
    own_tables: Iterable[PublishedTable] = (),
) -> dict[int, list[Place]]:
    """Where each number can be looked up, by number; only what is published counts.

    Args:
        manifest: dbt's, with `config.meta.capabilities` on models, seeds and columns.
        capabilities: all there are.
        own_tables: published tables that dbt does not build.

    Raises:
        HomingError: a table or column names a number that is not in the register, or the register
            a table or column that is not published.
    """
    published: set[str] = set()
    found: dict[int, set[Place]] = {capability.number: set() for capability in capabilities}

    def put(meta: Mapping[str, Any], place: Place) -> None:
        published.add(place.name)
        shown = meta.get("capabilities", ())
        conditions = shown if isinstance(shown, Mapping) else dict.fromkeys(shown, "")
        waiting = meta.get("needs_earlier_days", ())
        for_many = meta.get("needs_many_customers", ())
        for key, where in conditions.items():
            number = int(key)
            if number not in found:
                raise HomingError(
                    f"{place.name} says that it shows capability {number}, which is not in "
                    f"{CAPABILITIES_PATH.name}; correct its config.meta.capabilities"
                )
            found[number].add(
                replace(
                    place,
                    where=where,
                    needs_earlier_days=number in waiting,
                    needs_many_customers=number in for_many,
                )
            )

    for id, node in manifest["nodes"].items():
        meta = node.get("config", {}).get("meta", {})
        if node["resource_type"] not in {"model", "seed"} or not meta.get("published"):
            continue
        table = Place(
            table=node["name"],
            column=None,
            description=described(node),
            side=meta.get("side", "open"),
            page=f"index.html#!/{node['resource_type']}/{id}",
        )
        put(meta, table)
        for column in node["columns"].values():
            place = replace(table, column=column["name"], description=described(column))
            put((column.get("config") or {}).get("meta", {}), place)
    for table in own_tables:
        put(
            {"capabilities": table.capabilities},
            Place(table.name, None, table.description, side=table.side),
        )
        published.update(f"{table.name}.{column}" for column in table.columns)
    for capability in capabilities:
        for name in _NAME.findall(capability.look_up):
            if name not in published:
                raise HomingError(
                    f"{CAPABILITIES_PATH.name} sends whoever looks for capability"
                    f" {capability.number} to {name}, which is no published table or column;"
                    " correct its `look_up`"
                )
    return {number: sorted(there, key=lambda place: place.name) for number, there in found.items()}


def described(node: Mapping[str, Any]) -> str:
    """The description of a table or column on one line."""
    return " ".join(node["description"].split())


def with_content(wanted: Iterable[Place], version: PublishedVersion) -> set[Place]:
    """The places that hold something in a published version: a row, or a value that is not NULL.

    Only rows under the place's condition count.

    Raises:
        HomingError: a condition is not SQL over the columns of its table.
    """
    filled = set()
    by_table = sorted(set(wanted), key=lambda place: place.name)
    with Engine().connect(version.database) as connection:
        for table, there in groupby(by_table, key=lambda place: place.table):
            if table not in version.rows:
                continue
            listed = list(there)
            counts = ", ".join(
                f"count({quoted(place.column) if place.column else '*'})"
                f" filter ({place.where or 'true'})"
                for place in listed
            )
            try:
                [row] = connection.execute(
                    f"select {counts} from read_parquet(?)", [str(version.parquet(table))]
                ).fetchall()
            except duckdb.Error as error:
                raise HomingError(
                    f"A condition in config.meta.capabilities of {table} or its columns cannot be"
                    f" asked of its rows: {error}"
                ) from error
            filled.update(place for place, count in zip(listed, row, strict=True) if count)
    return filled


def unshown(
    capabilities: Sequence[Capability],
    where: Mapping[int, Sequence[Place]],
    version: PublishedVersion,
    *,
    has_earlier_days: bool,
    has_many_customers: bool,
) -> dict[int, str]:
    """Capabilities that a published version does not show, by number, each with what is wrong.

    Every place of a capability must hold something, so that a list of settings does not vouch for
    rows that never come. Those that the register itself calls missing as a whole are left out.

    Args:
        capabilities: all there are.
        where: what `places` found.
        version: the version to look at.
        has_earlier_days: whether lists of days before were published; if not, places that need them
            may be empty.
        has_many_customers: whether the company is large; if not, places that need many customers
            may be empty.
    """
    expected = {
        number: [
            place
            for place in there
            if (has_earlier_days or not place.needs_earlier_days)
            and (has_many_customers or not place.needs_many_customers)
        ]
        for number, there in where.items()
    }
    filled = with_content((place for there in expected.values() for place in there), version)
    found = {}
    for capability in capabilities:
        empty = [place.name for place in expected[capability.number] if place not in filled]
        if capability.missing == "all":
            continue
        if not where[capability.number]:
            found[capability.number] = f"{capability.name}: on no published table or column"
        elif empty:
            found[capability.number] = f"{capability.name}: empty in {', '.join(empty)}"
    return found


_STYLE = """
body {font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem}
h1 {font-size: 1.6rem}
h2 {font-size: 1.2rem; margin-top: 2.5rem}
table {border-collapse: collapse; width: 100%}
td {vertical-align: top; padding: .6rem .8rem .6rem 0; border-top: 1px solid #ddd}
td:first-child {width: 2.5rem; color: #777; text-align: right}
td:nth-child(2) {width: 20rem}
ul {margin: 0; padding: 0; list-style: none}
.phrase {color: #777}
.why {color: #a40}
.how {margin-top: .4rem; font-style: italic}
"""


def page(capabilities: Sequence[Capability], where: Mapping[int, Sequence[Place]]) -> str:
    """The register as one HTML page that needs nothing else."""
    shown = sum(bool(where[capability.number]) for capability in capabilities)
    lines = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>Homing: the register</title><style>{_STYLE}</style>",
        "<h1>Where to look it up</h1>",
        f"<p>{shown} of {len(capabilities)} capabilities that the company asked for, each with the "
        "published tables and columns that show it. A link leads to the table in "
        '<a href="index.html">dbt\'s docs</a>; the tables are in <code>published/homing.duckdb'
        "</code>, those marked <em>restricted</em> beside it in <code>restricted/</code>. What "
        "<em>needs earlier days</em> fills once lists of days before were published and their "
        "windows are over; what <em>needs many customers</em> once enough were held out to tell an "
        "effect.</p>",
    ]
    for subject, there in groupby(capabilities, key=lambda capability: capability.subject):
        lines += [f"<h2>{escape(subject)}</h2><table>"]
        lines += [_row(capability, where[capability.number]) for capability in there]
        lines += ["</table>"]
    return "\n".join(lines) + "\n</html>\n"


def _row(capability: Capability, there: Sequence[Place]) -> str:
    items = []
    for place in there:
        name = f"<code>{escape(place.name)}</code>"
        link = f'<a href="{escape(place.page)}">{name}</a>' if place.page else name
        side = " <em>restricted</em>" if place.side == "restricted" else ""
        past = " <em>needs earlier days</em>" if place.needs_earlier_days else ""
        many = " <em>needs many customers</em>" if place.needs_many_customers else ""
        items.append(f"<li>{link}{side}{past}{many} {escape(place.description)}</li>")
    if capability.look_up:
        told = _NAME.sub(r"<code>\1</code>", escape(capability.look_up))
        items.append(f'<li class="how">{told}</li>')
    if capability.missing_because:
        items.append(f'<li class="why">{escape(capability.missing_because)}</li>')
    elif not there:
        items.append('<li class="why">Not shown yet.</li>')
    return (
        f'<tr id="{capability.number}"><td>{capability.number}</td>'
        f"<td>{escape(capability.name)}<br>"
        f'<span class="phrase" lang="zh">{escape(capability.phrase)}</span></td>'
        f"<td><ul>{''.join(items)}</ul></td></tr>"
    )


def main() -> int:
    """The command line, for `make docs`: write the page, say what is not shown anywhere."""
    from pipelines.resources.version_log import OWN_TABLES  # noqa: PLC0415

    try:
        capabilities = read_capabilities()
        where = places(dbt.manifest(), capabilities, OWN_TABLES)
    except HomingError as error:
        print(error, file=sys.stderr)
        return 1
    PAGE_PATH.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(PAGE_PATH, page(capabilities, where).encode())
    unplaced = [c.number for c in capabilities if c.missing != "all" and not where[c.number]]
    print(f"{PAGE_PATH.relative_to(PROJECT_ROOT)}: {len(capabilities)} capabilities")
    if unplaced:
        print(f"on no published table or column: {', '.join(map(str, unplaced))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
