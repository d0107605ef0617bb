"""What the service role sees of a whole company tells of nobody how much he is worth.

Masks are names, and a name may forget a column. So every view of the role is asked whether what it
shows gives the tier away: a column, a difference between two days, or two of these together. A view
that does not may still do so beside another: a day of something beside the customer's profile.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import duckdb
import pandas as pd
import pytest

ROLE = "role_service"
ROWS = 4000  # of each view; more tell the same
FEW = 40  # different values; of more, each stands for a handful of customers
ENOUGH = 40  # customers of whom a column must speak, or chance would tell the tier
SHARED = 10  # customers for each number of days, or each number would stand for one of them
DETERMINED = 0.97  # share of customers whose tier is that of most with the same value
TELLING = 0.10  # share of a view's customers who share a text that only one higher tier has

# Codes that follow from what a customer did, and so does the tier; neither is made of the other.
FOLLOWS_FROM_ORDERS = {
    "customer_follow_up.lifecycle_stage": "whoever has just come ordered lately",
    "customer_follow_up.rule_code": "likewise: the first order",
    "customer_follow_up.what_to_do": "likewise",
}


@pytest.fixture(scope="module")
def published(sample_home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(sample_home / "published" / "homing.duckdb"), read_only=True) as con:
        yield con


def days_in(shown: pd.DataFrame) -> dict[str, pd.Series]:
    """The dates of a view, without time."""
    return {
        name: pd.to_datetime(shown[name], errors="coerce").dt.normalize()
        for name in shown
        if name.endswith("_on") and shown[name].notna().any()
    }


def signals(shown: pd.DataFrame) -> pd.DataFrame:
    """What a view says of a row in few values: its columns, and days between two of its dates."""
    days = days_in(shown)
    found = {name: shown[name] for name in shown}
    for first, second in combinations(days, 2):
        found[f"{second} - {first}"] = (days[second] - days[first]).dt.days
    few = {
        name: values.astype("string").fillna("nothing")
        for name, values in found.items()
        if 1 < values.nunique(dropna=False) <= FEW and values.notna().any()
    }
    return pd.DataFrame(few, index=shown.index)


def given_away(shown: pd.DataFrame, tier: pd.Series) -> list[str]:
    """Signals, alone or two together, from which the tier follows.

    Args:
        shown: rows of a view, without the customer.
        tier: the tier of the customer of each row.
    """
    if len(shown) < ENOUGH or tier.nunique() < 2:
        return []
    told, base = signals(shown), tier.value_counts(normalize=True).max()
    counts = {name: pd.crosstab(told[name], tier) for name in told}
    leaks = []
    for name, table in counts.items():
        pure = table[(table > 0).sum(axis=1) == 1]
        higher = pure[[t for t in pure if t != "general"]].max(axis=1)
        if table.max(axis=1).sum() / len(shown) >= max(DETERMINED, (1 + base) / 2) or (
            shown.get(name, pd.Series(dtype=float)).dtype == "str"
            and higher.max() >= TELLING * len(shown)
        ):
            leaks.append(name)
    for pair in combinations([name for name in told if name not in leaks], 2):
        first, second = (told[name] for name in pair)
        if counts[pair[0]].shape[0] * counts[pair[1]].shape[0] > FEW:
            continue
        table = pd.crosstab(first + "|" + second, tier)
        if table.max(axis=1).sum() / len(shown) >= max(DETERMINED, (1 + base) / 2):
            leaks.append(" and ".join(pair))
    return leaks


def test_a_column_that_gives_the_tier_away_is_found() -> None:
    tier = pd.Series(["core", "potential", "general"] * 40)
    listed = pd.Series(pd.to_datetime("2026-01-01") + pd.to_timedelta(range(120), unit="D"))
    waits = tier.map({"core": 3, "potential": 7, "general": 14})
    halves = pd.Series([number % 2 for number in range(120)])
    shown = pd.DataFrame(
        {
            "treatment": tier.map({"core": "a", "potential": "b", "general": "c"}),
            "listed_on": listed,
            "due_on": listed + pd.to_timedelta(waits, unit="D"),
            "half": halves,
            "other_half": halves.where(tier == "core", 1 - halves).where(tier != "general", 2),
            "tag": tier.where(tier == "core", "any"),
        }
    )
    assert given_away(shown, tier) == [
        "treatment", "tag", "due_on - listed_on", "half and other_half"
    ]  # fmt: skip
    assert given_away(shown[["half"]], tier) == []


def test_what_service_sees_tells_nobodys_tier(published: duckdb.DuckDBPyConnection) -> None:
    tiers = published.sql(
        "select customer_id, value_tier from main.customer_value where value_tier is not null"
    ).df()
    tier = tiers.set_index("customer_id").value_tier
    assert tier.nunique() == 3
    views = published.sql(
        "select table_name from information_schema.columns"
        f" where table_schema = '{ROLE}' and column_name = 'customer_id' order by table_name"
    ).fetchall()
    assert len(views) > 10
    leaks = []
    for (view,) in views:
        shown = published.sql(f'from {ROLE}."{view}" limit {ROWS}').df()
        shown = shown[shown.customer_id.isin(tier.index)]
        known = shown.customer_id.map(tier)
        leaks += [f"{view}.{name}" for name in given_away(shown.drop(columns="customer_id"), known)]
    assert sorted(set(leaks) - FOLLOWS_FROM_ORDERS.keys()) == []


def follows(days: pd.Series, tier: pd.Series) -> bool:
    """Whether the tier follows from a number of days that many customers share."""
    if len(days) < ENOUGH or not 1 < days.nunique() <= len(days) / SHARED:
        return False
    table = pd.crosstab(days, tier)
    known, most = table.max(axis=1).sum() / len(days), table.sum().max() / len(days)
    return bool(known >= max(DETERMINED, (1 + most) / 2))


def test_days_counted_by_the_tier_are_found() -> None:
    tier = pd.Series(["core", "potential", "general"] * 40)
    assert follows(tier.map({"core": 60, "potential": 120, "general": 240}), tier)
    assert not follows(pd.Series([number % 7 for number in range(120)]), tier)
    assert not follows(pd.Series(range(120)), tier)


def test_no_view_tells_the_tier_beside_the_profile(published: duckdb.DuckDBPyConnection) -> None:
    """A day that was counted from another one by the tier: how long after it tells the tier."""
    tiers = published.sql("select customer_id, value_tier from main.customer_value").df()
    tier = tiers.set_index("customer_id").value_tier
    profile = published.sql(f"from {ROLE}.customer_profile").df().set_index("customer_id")
    began = days_in(profile)
    assert "last_contact_on" in began
    leaks, compared = [], 0
    for (view,) in published.sql(
        "select distinct table_name from information_schema.columns"
        " where column_name = 'customer_id'"
        f" and table_schema = '{ROLE}' and table_name <> 'customer_profile' order by table_name"
    ).fetchall():
        shown = published.sql(f'from {ROLE}."{view}" limit {ROWS}').df()
        kinds = shown[[name for name in ("kind", "list_code", "rule_code") if name in shown]]
        of_kind = kinds.astype("string").fillna("").agg(" ".join, axis=1)
        for kind, rows in shown.groupby(of_kind if kinds.shape[1] else lambda _: ""):
            for (name, day), start in product(days_in(rows).items(), began):
                waited = (day - rows.customer_id.map(began[start])).dt.days.dropna()
                compared += 1
                if follows(waited, rows.customer_id[waited.index].map(tier)):
                    leaks.append(f"{view}.{name} ({kind}) - {start}")
    assert compared > 100
    assert leaks == []
