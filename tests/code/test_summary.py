"""The screen that a run ends with: what it says of a version, and what it leaves out."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from pipelines.messages.summary import RELIED_ON, print_summary
from pipelines.resources.version import PublishedVersion

TABLES = """
create table customer_lifecycle as
    select unnest(['active', 'churned', 'active']) as lifecycle_stage;
create table retention_list (
    list_code varchar, rank integer, customer_id varchar, lifecycle_stage varchar,
    churn_or_return_probability double, priority decimal(18, 2), reason_code varchar,
    plan_code varchar, arm varchar, is_reachable boolean default true
);
create table retention_list_suppressed (list_code varchar, customer_id varchar);
create table list_needs (
    list_code varchar, need_no integer, table_name varchar, column_name varchar, is_met boolean
);
create table customer_churn_scores as
    select 'model' as score_kind, '2026-06-30.abc' as model_version, unnest(['a', 'b']) as id;
create table model_evaluations (
    role varchar, metric varchar, value double, model_kind varchar default 'churn'
);
create table model_alerts (model_kind varchar, alert varchar, subject varchar, message varchar);
create table quarantine (
    table_name varchar, rule varchar, batch_as_of date default date '2026-06-30', code varchar,
    is_mended boolean default false
);
create table row_ledger (as_of date, table_name varchar, duplicate bigint);
insert into row_ledger values ('2026-06-29', 'orders', 0), ('2026-06-30', 'orders', 0);
create table source_inventory (
    table_name varchar, column_name varchar, kind varchar, given boolean, switched_off_what varchar,
    position integer
);
create table fct_orders as select unnest(['EUR', 'GBP', null]) as currency;
create table currency_rates as
    select 'EUR' as currency, true as is_home, false as is_illustrative
    union all select 'GBP', false, false union all select 'USD', false, true;
"""

LISTED = """retention_list (
    list_code, rank, customer_id, lifecycle_stage, churn_or_return_probability, priority,
    reason_code, plan_code, arm
)"""


@pytest.fixture(name="version")
def _version(tmp_path: Path) -> PublishedVersion:
    path = tmp_path / "published" / "versions" / "2026-06-30-abc"
    path.mkdir(parents=True)
    facts = {
        "as_of": "2026-06-30",
        "tables": {"fct_orders": {"rows": 3}, "quarantine": {"rows": 2}},
    }
    (path / "version.json").write_text(json.dumps(facts))
    version = PublishedVersion(path)
    (tmp_path / "published" / "current").symlink_to(path)
    change(version, TABLES)
    return version


def change(version: PublishedVersion, sql: str) -> None:
    with duckdb.connect(str(version.database)) as con:
        con.execute(sql)


def printed(version: PublishedVersion, *, warnings: Sequence[str] = ()) -> str:
    out = io.StringIO()
    console = Console(file=out, width=120, highlight=False)
    print_summary(
        version,
        console,
        decision="[beats] recency by 0.02",
        known_effects="voucher [+1.2] points",
        warnings=warnings,
        seconds=61.4,
    )
    return out.getvalue()


def test_a_small_version_is_told_in_full(version: PublishedVersion, tmp_path: Path) -> None:
    text = printed(version)
    assert "fct_orders 3" in text
    assert "Customers per stage: active 2, churned 1\n" in text
    assert "No customer qualifies for a list" in text
    assert "Served: model 2026-06-30.abc for 2 customers" in text
    assert "[beats] recency by 0.02" in text
    assert "voucher [+1.2] points" in text
    assert f"Published {version.id} in 61 s" in text
    assert str(tmp_path / "published" / "homing.duckdb") in text
    for silent in ("Quarantined", "repeats", "Switched off", "read by no table", "Warning"):
        assert silent not in text


def test_nobody_on_a_list_is_told_apart_from_nobody_who_qualifies(
    version: PublishedVersion,
) -> None:
    change(
        version,
        "insert into retention_list_suppressed values ('save', 'a'), ('win_back', 'a'), "
        "('all', 't')",
    )
    assert "Nobody is on a list: all 1 who qualify for one are held back" in printed(version)


def test_a_list_is_headed_by_whom_to_contact_first_not_by_a_control_row(
    version: PublishedVersion,
) -> None:
    change(
        version,
        f"""
        insert into {LISTED} values
            ('save', 1, 'CONTROLLED', 'watch', 0.9, 50, 'price', 'call', 'control'),
            ('save', 2, 'TREATED', 'watch', 0.8, 40.5, null, 'call', 'treatment')
        """,
    )
    text = printed(version)
    assert "Customers to contact per list, + held out: save 1 + 1\n" in text
    assert re.search(r"^save +TREATED +watch +40\.50 ", text, re.MULTILINE)
    assert "CONTROLLED" not in text
    assert "expected profit EUR" in text
    assert "No address" not in text


def test_where_no_address_is_delivered_the_screen_says_how_to_work(
    version: PublishedVersion,
) -> None:
    change(
        version,
        """
        insert into retention_list by name
        select 'save' as list_code, n as rank, n::varchar as customer_id,
               if(n = 3, 'control', 'treatment') as arm, if(n = 4, true, null) as is_reachable
        from range(1, 5) as t(n)
        """,
    )
    text = printed(version)
    assert "No address or number delivered for 2 of them: work from restricted/channel_exp" in text


def test_lists_about_money_show_three_customers_and_others_are_counted(
    version: PublishedVersion,
) -> None:
    change(
        version,
        f"""
        insert into {LISTED}
        select list_code, n, list_code || n, 'watch', 0.9, 100 - n, 'price', 'call', 'treatment'
        from (values ('revisit'), ('save'), ('win_back')) as lists(list_code), range(1, 6) as t(n)
        """,
    )
    text = printed(version)
    shown = re.findall(r"(revisit|save|win_back)(\d)", text)
    assert shown == [(name, place) for name in ("save", "win_back") for place in "123"]
    assert "Customers to contact per list, + held out: revisit 5, save 5, win_back 5\n" in text


def test_a_version_with_everything_fits_a_screen(version: PublishedVersion) -> None:
    """With all tables, lists and baselines, four rules and nothing switched off."""
    facts = json.loads((version.path / "version.json").read_text())
    facts["tables"] = {name: {"rows": 1_000_000} for name in (*RELIED_ON, "another")}
    (version.path / "version.json").write_text(json.dumps(facts))
    change(
        version,
        f"""
        insert into {LISTED}
        select 'list_of_many_' || l, n, 'C' || n, 'quasi_churned', 0.9, 100 - n, 'price', 'call',
               if(n % 5 = 0, 'control', 'treatment')
        from range(12) as lists(l), range(1000) as t(n)
        union all
        select unnest(['save', 'win_back']), n, 'C' || n, 'churned', 0.9, 100 - n, 'price', 'call',
               'treatment'
        from range(1000) as t(n);
        insert into model_evaluations (role, metric, value)
        select role, metric, 0.5
        from (values ('challenger'), ('pareto_nbd'), ('bg_nbd'), ('logistic'), ('recency'))
             as roles(role),
             (values ('auc'), ('log_loss')) as metrics(metric);
        insert into quarantine (table_name, rule)
        select 'loyalty_ledger', 'occurred_at_implausible_' || n from range(10) as t(n);
        insert into row_ledger values ('2026-06-28', 'order_lines', 1083)
        """,
    )
    assert len(printed(version).splitlines()) <= 40


def test_quarantine_is_headed_by_the_rules_that_cost_most(version: PublishedVersion) -> None:
    rules = " union all ".join(f"select 'orders', 'rule_{n}' from range({n})" for n in range(1, 11))
    change(version, f"insert into quarantine (table_name, rule) {rules}")
    head = ", ".join(f"orders rule_{n} {n}" for n in (10, 9, 8, 7))
    told = f"Quarantined: 55 rows: {head}, and by 6 more rules, see table quarantine"
    assert told in " ".join(printed(version).split())


def test_what_a_later_row_mended_is_quarantined_no_more(version: PublishedVersion) -> None:
    change(
        version,
        """
        insert into quarantine (table_name, rule, is_mended) values
            ('orders', 'late', true), ('orders', 'early', true), ('orders', 'late', false);
        """,
    )
    told = printed(version)
    assert "Quarantined: 1 rows: orders late 1\n" in told
    assert "Quarantined before and mended since by a later row: 2\n" in told


def test_versions_that_the_history_lost_are_a_warning(version: PublishedVersion) -> None:
    assert "lost" not in printed(version)
    told = printed(version, warnings=["versions lost: 2 [published] before are gone"])
    assert "Warning: versions lost: 2 [published] before are gone\n" in told


def test_codes_that_nothing_knows_are_named(version: PublishedVersion) -> None:
    change(
        version,
        """
        insert into quarantine (table_name, rule, code) values
            ('orders', 'status_unknown', '退货'), ('orders', 'status_unknown', 'bezahlt'),
            ('orders', 'status_unknown', '退货'), ('orders', 'status_unknown', null)
        """,
    )
    assert "orders status_unknown 4 (bezahlt, 退货)" in printed(version)


def test_what_was_left_out_earlier_is_told_apart_and_repeats_are_counted(
    version: PublishedVersion,
) -> None:
    change(
        version,
        """
        insert into quarantine (table_name, rule, batch_as_of) values
            ('orders', 'late', '2026-06-29'), ('orders', 'late', '2026-06-29'),
            ('orders', 'late', '2026-06-30');
        insert into row_ledger values ('2026-06-28', 'order_lines', 1083);
        """,
    )
    text = printed(version)
    assert "Quarantined: 3 rows, 2 of them delivered on earlier days: orders late 3\n" in text
    assert "Exact repeats left out: order_lines 1,083\n" in text


def test_what_was_not_delivered_and_what_nothing_reads_are_named(version: PublishedVersion) -> None:
    change(
        version,
        """
        insert into source_inventory values
            ('orders', 'order_id', 'contract', true, null, 1),
            ('orders', 'net_amount', 'contract', false, 'values', 2),
            ('orders', 'store_id', 'contract', false, 'stores', 3),
            ('orders', 'cost_amount', 'contract', false, 'values', 4),
            ('orders', 'due_on', 'contract', false, null, 5),
            ('orders', 'salesman', 'extra', true, null, null),
            ('orders', 'branch', 'extra', true, null, null),
            ('assets', 'asset_id', 'contract', false, null, 1),
            ('tickets', 'ticket_id', 'contract', false, 'complaints', 1),
            ('tickets', 'kind', 'contract', false, 'complaints', 2)
        """,
    )
    text = printed(version)
    assert ": orders: branch, salesman" in text
    [off] = re.findall(r"Switched off, since not delivered\n(.*?)\n\n", text, re.DOTALL)
    assert off.splitlines() == [
        "orders without net_amount, cost_amount: values; without store_id: stores",
        "tickets: complaints",
    ]


def test_lists_that_nobody_can_be_on_are_named_on_one_line(version: PublishedVersion) -> None:
    """A list is off for want of any need, and a need is met by any of its alternatives."""
    assert "Lists off" not in printed(version)
    change(
        version,
        """
        insert into list_needs values
            ('care_birthday', 1, 'customers', 'birth_date', false),
            ('handover', 1, 'reps', 'hired_at', false),
            ('handover', 2, 'reps', 'departed_at', false),
            ('follow_up_care', 1, 'customers', 'owner_id', true),
            ('follow_up_due', 1, 'interactions', 'outcome', false),
            ('follow_up_due', 1, 'tickets', 'resolved_at', false)
        """,
    )
    [told] = re.findall(r"^Lists off, since not delivered: (.*)$", printed(version), re.MULTILINE)
    assert told.split("; ") == [
        "care_birthday (no customers.birth_date)",
        "follow_up_due (no interactions.outcome or tickets.resolved_at)",
        "handover (no reps.hired_at, reps.departed_at)",
    ]


def test_much_that_was_not_delivered_is_folded_and_the_rest_is_named(
    version: PublishedVersion,
) -> None:
    change(
        version,
        """
        insert into source_inventory
        select 'table_' || chr(97 + n::integer), 'id', 'contract', false,
               'start' || repeat(' word', 30) || ' end' || chr(97 + n::integer), 1
        from range(21) as t(n)
        """,
    )
    [off] = re.findall(r"since not delivered\n(.*?)\n\n", printed(version), re.DOTALL)
    lines = off.splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 120
    told = re.findall(r"^table_(.): start", off, re.MULTILINE)
    # what is told is told to its end, and every other table is named
    assert told == re.findall(r" end(.)$", off, re.MULTILINE) == list("abcde")
    rest = off[off.index("and 16 more tables, see table source_inventory: ") :]
    assert re.findall(r"table_(\w)\b", rest) == list("fghijklmnopqrstu")


def test_illustrative_rates_are_warned_of_when_they_converted(version: PublishedVersion) -> None:
    change(version, "insert into fct_orders values ('USD')")
    assert "Warning: USD converted by the illustrative rates" in printed(version)


def test_a_version_that_is_not_current_is_shown_by_its_own_address(
    version: PublishedVersion,
) -> None:
    (version.path.parent.parent / "current").unlink()
    assert str(version.database) in printed(version).replace("\n", "")


def test_what_to_do_about_the_model_is_one_line(version: PublishedVersion) -> None:
    assert "Warning" not in printed(version)
    change(version, "insert into model_alerts values ('churn', 'level', 'share', 'retrain: b')")
    assert "  Warning: retrain: b\n" in printed(version)
    change(version, "insert into model_alerts values ('churn', 'drift', 'region', 'retrain: a')")
    assert "  Warning: retrain: a (and 1 more: table model_alerts)\n" in printed(version)
