"""Contacts, revisits, follow-ups, owners and quotations, told again in plain Python from the lake.

Stages, tiers and values are other subjects: they are taken from their tables.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.data.lake_in_pandas import VARS, LakeInPandas

GRACE, PROMISE_EXPIRES, AHEAD, HANDOVER, COMING, WINDOW = 14, 365, 90, 30, 14, 90
INTERVALS = {("core", False): 60, ("potential", False): 120, ("general", False): 240,
             ("core", True): 90, ("potential", True): 180}  # fmt: skip
Row = SimpleNamespace
Months = dict[tuple[date, str, str], list[Row]]
Tally = dict[str, Counter[tuple[date, str | None]]]
ZERO = Decimal(0)


def rows(con: duckdb.DuckDBPyConnection, table: str) -> list[Row]:
    """A table as objects with the columns as attributes."""
    cursor = con.execute(f"select * from {table}")
    names = [column[0] for column in cursor.description]
    return [Row(**dict(zip(names, values, strict=True))) for values in cursor.fetchall()]


def by(key: str, found: list[Row]) -> dict[Any, list[Row]]:
    """Rows in groups."""
    groups = defaultdict(list)
    for row in found:
        groups[getattr(row, key)].append(row)
    return groups


def days(number: int) -> timedelta:
    return timedelta(days=number)


def month_of(day: date) -> date:
    return day.replace(day=1)


def month_end(month: date) -> date:
    return (month + days(32)).replace(day=1) - days(1)


def is_leaving(rep: Row, as_of: date) -> bool:
    """Whether somebody has left, or leaves so soon that his customers are handed on."""
    return rep.is_departed or bool(rep.leaves_on and (rep.leaves_on - as_of).days <= COMING)


def handover(rep: Row, as_of: date) -> str:
    """How his handover stands, where there is something to hand over."""
    if not is_leaving(rep, as_of):
        return "none"
    if rep.leaves_on:
        return "coming"
    return "due" if (as_of - rep.departed_on).days <= HANDOVER else "overdue"


def tries(contact: Row) -> bool:
    return contact.direction != "inbound" and contact.kind != "care"


def speaks(contact: Row) -> bool:
    return contact.kind != "care" and contact.outcome != "no_answer"


def rate(part: int | Decimal | None, whole: int | Decimal | None) -> float | None:
    if part is None or not whole:
        return None
    return pytest.approx(float(part) / float(whole), abs=1e-6)


class World:
    """What was delivered, read once; what is derived from it is derived here."""

    def __init__(self, con: duckdb.DuckDBPyConnection, lake: LakeInPandas) -> None:
        self.con, self.unprofiled = con, lake.unprofiled
        self.table = partial(rows, con)
        (self.as_of,) = con.execute("select max(date_on) from dim_date where is_past").fetchone()
        contacts = sorted(
            self.table("lake_interactions"), key=lambda c: (c.occurred_at, c.interaction_id)
        )
        self.contacts = by("customer_id", contacts)
        self.opportunities = self.table("lake_opportunities")
        self.tickets = self.table("lake_tickets")
        self.surveys = self.table("lake_surveys")
        self.purchases = by("customer_id", self.table("lake_purchases"))
        self.lifecycle = {c.customer_id: c for c in self.table("customer_lifecycle")}
        self.value = {c.customer_id: c for c in self.table("customer_value")}
        self.reps = {rep.rep_id: rep for rep in self.table("dim_rep")}
        self.stages = by("customer_id", self.table("lake_stages"))
        self.tiers = by("customer_id", self.table("tier_history"))
        self.customers = {c.customer_id: c for c in self.table("lake_customers")}
        erased = {request.customer_id for request in self.table("lake_erasure_requests")}
        self.workable = set(self.lifecycle) - erased
        self.owner_spells = self._owner_spells()

    def _owner_spells(self) -> dict[str, list[tuple[date, str | None]]]:
        """The days from which a customer had an owner, in order."""
        versions = self.con.execute(
            """
            select customer_id, owner_id, coalesce(updated_at, _batch) as written_at, created_on
            from lake_customer_versions
            semi join lake_customers using (customer_id)  -- a test account is no customer
            order by written_at, _batch, _row
            """
        ).fetchall()
        spells: dict[str, list[tuple[date, str | None]]] = defaultdict(list)
        for customer, owner, written_at, created_on in versions:
            told, day = spells[customer], written_at.date()
            if created_on > self.as_of or (told and day > self.as_of):
                continue
            if told and told[-1][0] == day:
                told.pop()
            told.append((day, owner))
        for customer, told in spells.items():
            if told:
                known = self.lifecycle[customer].known_on
                told[0] = (min(known, told[0][0]), told[0][1])
        return spells

    def owner_on(self, customer: str, day: date) -> str | None:
        """Who was entered for a customer on a day."""
        found = [o for begun, o in self.owner_spells.get(customer, []) if begun <= day]
        return found[-1] if found else None

    def owner(self, customer: str) -> str | None:
        record = self.customers.get(customer)
        return record.owner_id if record else None

    def acting(self, customer: str) -> str | None:
        """The owner, or the nearest manager above who has not left."""
        rep = self.reps.get(self.owner(customer))
        while rep and rep.is_departed:
            rep = self.reps.get(rep.manager_id)
        return rep.rep_id if rep else None

    def last(self, customer: str, kind: Any) -> Row | None:
        found = [c for c in self.contacts.get(customer, []) if kind(c)]
        return found[-1] if found else None


@pytest.fixture(scope="module")
def world(sample_home: Path, lake: LakeInPandas) -> Iterator[World]:
    with duckdb.connect(str(sample_home / "warehouse.duckdb"), read_only=True) as con:
        yield World(lake.beside(con), lake)


def test_contacts(world: World) -> None:
    answers = defaultdict(list)
    for survey in world.surveys:
        if survey.survey == "csat" and survey.score is not None:
            at = survey.responded_at or survey.sent_at
            answers[survey.customer_id].append((at, survey.response_id, survey.score))
    for ticket in world.tickets:
        if ticket.satisfaction is not None and ticket.resolved_at is not None:
            answer = (ticket.resolved_at, ticket.ticket_id, ticket.satisfaction)
            answers[ticket.customer_id].append(answer)
    told = {row.interaction_id: row for row in world.table("fct_interactions")}
    assert sum(len(contacts) for contacts in world.contacts.values()) == len(told) > 0
    states: Counter[str] = Counter()
    for customer, contacts in world.contacts.items():
        bought = sorted(p.ordered_at for p in world.purchases.get(customer, []))
        heard = sorted(answers[customer])
        for number, contact in enumerate(contacts):
            found, later = told[contact.interaction_id], contacts[number + 1 :]
            day = contact.occurred_on
            assert found.contact_number == number + 1
            next_order = next((at for at in bought if at > contact.occurred_at), None)
            for window in (30, 60, 90):
                over = day + days(window) <= world.as_of
                within = next_order is not None and next_order.date() <= day + days(window)
                expected = within if over else None
                assert getattr(found, f"has_ordered_within_{window}d") is expected
            before = [a for a in heard if a[0] <= contact.occurred_at]
            after = [a for a in heard if a[0] > contact.occurred_at]
            recent = before and before[-1][0].date() >= day - days(WINDOW)
            assert found.satisfaction_before == (before[-1][2] if recent else None)
            soon = after and after[0][0].date() <= day + days(WINDOW) <= world.as_of
            assert found.satisfaction_after == (after[0][2] if soon else None)
            promised = contact.next_follow_up_on
            if promised is None:
                assert (found.follow_up_state, found.follow_up_done_on) == (None, None)
                continue
            done = next((c.occurred_on for c in later if tries(c) and speaks(c)), None)
            if done is not None:
                state = "kept" if done <= promised + days(GRACE) else "late"
            elif promised + days(GRACE) >= world.as_of:
                state = "open"
            else:
                state = "unanswered" if any(map(tries, later)) else "missed"
            states[state] += 1
            assert (found.follow_up_state, found.follow_up_done_on) == (state, done)
    assert {"kept", "late", "open"} <= set(states)


def events(world: World, customer: str) -> dict[str, date]:
    """What asks for a contact, and since when, by rule."""
    life = world.lifecycle[customer]
    spoken, attempt = world.last(customer, speaks), world.last(customer, tries)
    spoken_on = spoken.occurred_on if spoken else None

    def silent_since(day: date) -> bool:
        return spoken_on is None or spoken_on < day

    found = {}
    if attempt and (spoken is None or attempt.occurred_at > spoken.occurred_at):
        found["unanswered"] = attempt.occurred_on
    if spoken and spoken.outcome == "refused":
        found["refused"] = spoken_on
    quoted = [
        o.quoted_on
        for o in world.opportunities
        if o.customer_id == customer and o.closed_on is None and o.quoted_on
    ]
    if quoted:
        found["open_quote"] = max([*quoted, *([spoken_on] if spoken_on else [])])
    solved = [
        t.resolved_on
        for t in world.tickets
        if t.customer_id == customer and t.kind == "complaint" and t.resolved_on
    ]
    if solved and silent_since(max(solved)):
        found["complaint_resolved"] = max(solved)
    if life.lifecycle_stage == "prospect":
        found["prospect"] = max(life.known_on, spoken_on or life.known_on)
    core = world.value[customer].value_tier == "core"
    for stage, code, begun_on in (
        ("new", "first_order", life.first_order_on),
        ("won_back", "won_back", life.stage_since_on),
        ("churned", "lost_core_customer", life.stage_since_on if core else None),
    ):
        if life.lifecycle_stage == stage and begun_on and silent_since(begun_on):
            found[code] = begun_on
    return found


def test_follow_ups(world: World) -> None:
    rules = {row.rule_code: row for row in world.table("follow_up_rule")}
    expected = {}
    for customer in world.workable:
        contacts = world.contacts.get(customer, [])
        open_promises = [
            c
            for n, c in enumerate(contacts)
            if c.next_follow_up_on is not None
            and c.next_follow_up_on > world.as_of - days(PROMISE_EXPIRES)
            and not any(tries(x) and speaks(x) for x in contacts[n + 1 :])
        ]
        due = [(p.next_follow_up_on, 0, "promised") for p in open_promises[-1:]]
        for code, day in events(world, customer).items():
            rule = rules[code]
            held = rule.ends_after_days is None or (world.as_of - day).days <= rule.ends_after_days
            if held and (world.owner(customer) or not rule.needs_owner):
                due.append((day + days(rule.after_days), rule.position, code))
        if due:
            next_on, _, code = min(due)
            expected[customer] = (code, next_on)
    told = {row.customer_id: row for row in world.table("customer_follow_up")}
    assert {c: (row.rule_code, row.next_follow_up_on) for c, row in told.items()} == expected
    assert len({code for code, _ in expected.values()}) >= 4
    for customer, row in told.items():
        assert row.owner_id == world.acting(customer)
        assert row.days_overdue == max((world.as_of - row.next_follow_up_on).days, 0)


def test_revisits_planned(world: World) -> None:
    told = {row.customer_id: row for row in world.table("revisit_plan")}
    ordered = {c for c in world.workable if world.lifecycle[c].first_order_on}
    assert set(told) == ordered - world.unprofiled
    since = world.as_of - days(730)
    for customer, row in told.items():
        life, tier = world.lifecycle[customer], world.value[customer].value_tier
        interval = INTERVALS.get((tier, life.lifecycle_stage == "churned"))
        spoken = world.last(customer, speaks)
        begun = spoken.occurred_on if spoken else life.first_order_on
        due = begun + days(interval) if interval else None
        assert (row.revisit_interval_days, row.due_on) == (interval, due)
        assert row.is_due == (due is not None and due <= world.as_of)
        assert row.owner_id == world.acting(customer)
        answered = [
            c
            for c in world.contacts.get(customer, [])
            if speaks(c) and c.outcome != "refused" and c.channel and c.occurred_on > since
        ]
        latest = {c.channel: c.occurred_at for c in answered}
        counts = Counter(c.channel for c in answered)
        if counts:
            most = max(counts.values())
            best = max((c for c in counts if counts[c] == most), key=lambda c: latest[c])
            if most >= 2:
                assert (row.preferred_channel, row.channel_basis) == (best, "answered")
    assert any(row.is_due for row in told.values())


def test_milestones(world: World) -> None:
    last_day = world.as_of + days(AHEAD)
    expected = set()
    for quote in world.opportunities:
        if quote.closed_on is None and quote.won is None and quote.expected_close_on:
            node = ("signing_expected", quote.opportunity_id, quote.expected_close_on)
            expected.add((*node, quote.quoted_amount, quote.customer_id))
    for order in world.table("lake_orders"):
        if order.status == "completed" and order.due_on and order.paid_on is None:
            node = ("payment_due", order.order_id, order.due_on)
            expected.add((*node, order.net_amount, order.customer_id))
    expected = {e for e in expected if e[2] <= last_day and e[4] in world.workable}
    told = world.table("milestones")
    found = {
        (row.kind, row.ref_id, row.due_on, row.amount, row.customer_id)
        for row in told
        if row.kind in {"signing_expected", "payment_due"}
    }
    assert found == expected
    assert {kind for kind, *_ in expected} == {"signing_expected", "payment_due"}
    before = {"signing_expected": 7, "payment_due": 5, "follow_up_due": 1, "revisit_due": 7,
              "service_due": 14}  # fmt: skip
    assert set(before) == {row.kind for row in told}
    for row in told:
        assert row.remind_on == row.due_on - days(before[row.kind])
        assert row.is_reminder_due == (row.remind_on <= world.as_of)
        assert row.is_overdue == (row.due_on < world.as_of)


@pytest.fixture(scope="module")
def months(world: World) -> Months:
    """Customers by month, owner and tier: how each stood when the month began."""
    first_days = pd.date_range("2015-01-01", world.as_of, freq="MS").date
    found = defaultdict(list)
    tiers_begin = (
        pd.Timestamp(world.as_of) - pd.DateOffset(months=VARS["tier_history_months"])
    ).date()
    for customer, spells in world.stages.items():
        ordered = [s for s in spells if s.stage != "prospect"]
        spoken = [c for c in world.contacts.get(customer, []) if speaks(c)]
        touched = [c for c in world.contacts.get(customer, []) if speaks(c) or tries(c)]
        for month in first_days:
            end, eve = month_end(month), month - days(1)
            owner = world.owner_on(customer, month)
            stages = [s for s in ordered if s.valid_from <= eve]
            tiers = [t for t in world.tiers.get(customer, []) if t.valid_from <= eve]
            if end > world.as_of or not (owner and stages):
                continue
            # of who may not be profiled there is no tier, as long as there is one of the others
            if not tiers and (customer not in world.unprofiled or eve <= tiers_begin):
                continue
            stage = max(stages, key=lambda s: s.valid_from).stage
            tier = max(tiers, key=lambda t: t.valid_from).value_tier if tiers else None
            interval = INTERVALS.get((tier, stage == "churned"))
            earlier = [c.occurred_on for c in spoken if c.occurred_on < month]
            begun = earlier[-1] if earlier else world.lifecycle[customer].first_order_on
            inside = [c for c in touched if month <= c.occurred_on <= end]
            reached = [c for c in inside if speaks(c)]
            state = Row(
                customer=customer, stage=stage, tried=bool(inside), first=reached[:1],
                due=interval is not None and begun + days(interval) <= end,
            )  # fmt: skip
            found[month, owner, tier].append(state)
    return found


def test_revisits_of_the_months(world: World, months: Months) -> None:
    told = {row.interaction_id: row for row in world.table("fct_interactions")}
    expected = {}
    for (month, owner, tier), states in months.items():
        due = [state for state in states if state.due]
        reached = [told[state.first[0].interaction_id] for state in due if state.first]
        returned = {
            window: sum(bool(getattr(c, f"has_ordered_within_{window}d")) for c in reached)
            if month_end(month) + days(window) <= world.as_of
            else None
            for window in (30, 60, 90)
        }
        if due:
            tried = sum(state.tried for state in due)
            expected[month, owner, tier] = (len(due), tried, len(reached), *returned.values())
    found = {
        (r.month, r.owner_id, r.value_tier):
        (r.due, r.done, r.reached, r.returned_30d, r.returned_60d, r.returned_90d)
        for r in world.table("revisit_monthly")
    }  # fmt: skip
    assert found == expected
    assert any(value[-1] is None for value in expected.values())


def count_customers(world: World, months: Months) -> Tally:
    """Customers at the start of months, and how they came and went."""
    tally: Tally = defaultdict(Counter)
    for (month, owner, tier), states in months.items():
        staying = [state for state in states if state.stage != "churned"]
        tally["customers_at_start"][month, owner] += len(staying)
        tally["core_customers_at_start"][month, owner] += len(staying) * (tier == "core")
    for customer, spells in world.stages.items():
        seen = set()
        for spell in spells:
            column = {"churned": "customers_lost", "won_back": "customers_won_back",
                      "new": "customers_gained"}.get(spell.stage)  # fmt: skip
            key = month_of(spell.valid_from), world.owner_on(customer, spell.valid_from)
            if column and (column, key) not in seen:
                seen.add((column, key))
                tally[column][key] += 1
    return tally


def count_work(world: World) -> Tally:
    """Contacts, promises and quotations."""
    tally: Tally = defaultdict(Counter)
    told = {row.interaction_id: row for row in world.table("fct_interactions")}
    for contacts in world.contacts.values():
        for contact in contacts:
            key = month_of(contact.occurred_on), contact.owner_id
            tally["contacts"][key] += 1
            tally["attempts"][key] += tries(contact)
            tally["attempts_reached"][key] += tries(contact) and speaks(contact)
            if contact.next_follow_up_on:
                state = told[contact.interaction_id].follow_up_state
                key = month_of(contact.next_follow_up_on), contact.owner_id
                tally["follow_ups_due"][key] += 1
                tally["follow_ups_kept"][key] += state == "kept"
                tally["follow_ups_missed"][key] += state in ("missed", "unanswered")
    for quote in world.opportunities:
        if quote.quoted_on:
            tally["opportunities_quoted"][month_of(quote.quoted_on), quote.owner_id] += 1
        if quote.closed_on:
            key = month_of(quote.closed_on), quote.owner_id
            tally["opportunities_won"][key] += bool(quote.won)
            tally["opportunities_closed"][key] += 1
    return tally


def count_voices(world: World) -> Tally:
    """What customers said, put down to whoever looked after them."""
    tally: Tally = defaultdict(Counter)
    for ticket in world.tickets:
        if ticket.kind == "complaint":
            owner = world.owner_on(ticket.customer_id, ticket.opened_on)
            tally["complaints"][month_of(ticket.opened_on), owner] += 1
    scales = {"nps": range(11), "csat": range(1, 6)}
    for survey in world.surveys:
        if survey.score in scales[survey.survey]:
            day = survey.responded_on or survey.sent_on
            key = month_of(day), world.owner_on(survey.customer_id, day)
            tally[f"{survey.survey}_answers"][key] += 1
            tally["satisfied_answers"][key] += survey.survey == "csat" and survey.score >= 4
            tally["promoters"][key] += survey.survey == "nps" and survey.score >= 9
    return tally


def test_scorecards(world: World, months: Months) -> None:
    tally = count_customers(world, months) | count_work(world) | count_voices(world)
    cards = {(row.month, row.owner_id): row for row in world.table("owner_scorecard_monthly")}
    for column, counts in tally.items():
        for key, row in cards.items():
            value = getattr(row, column)
            if column.startswith("follow_ups") and value is None:
                assert month_end(row.month) + days(GRACE) >= world.as_of
            else:
                assert value == counts[key], (column, key)
        finished = {k: n for k, n in counts.items() if k[1] and month_end(k[0]) <= world.as_of}
        assert {key for key, number in finished.items() if number} <= set(cards)
        assert any(finished.values()), column


def test_scorecards_of_teams(world: World) -> None:
    cards = {(row.month, row.owner_id): row for row in world.table("owner_scorecard_monthly")}
    teams: dict[tuple[date, str], Counter[str]] = defaultdict(Counter)
    for (month, _), row in cards.items():
        for column in ("customers_lost", "contacts", "opportunities_won", "records_entered"):
            teams[month, row.team or "no_team"][column] += getattr(row, column)
        recording = row.is_employed and row.records_entered > 0
        teams[month, row.team or "no_team"]["representatives_recording"] += recording
    for row in world.table("team_scorecard_monthly"):
        for column, number in teams.pop((row.month, row.team)).items():
            assert getattr(row, column) == number
    assert not teams


def test_portfolios_and_what_leavers_leave_behind(world: World) -> None:
    checks = {row.customer_id: row for row in world.table("contact_data_quality")}
    owned = defaultdict(list)
    for customer in world.workable:
        if world.owner(customer):
            owned[world.owner(customer)].append(customer)
    profit = {
        owner: sum((world.value[c].gross_profit_12m for c in customers), ZERO)
        for owner, customers in owned.items()
    }
    follow_ups = {f.customer_id: f for f in world.table("customer_follow_up")}
    open_quotes = [o for o in world.opportunities if o.closed_on is None]
    told = {row.owner_id: row for row in world.table("owner_portfolio")}
    assert set(told) == set(world.reps)
    for owner, row in told.items():
        customers = owned[owner]
        stages = Counter(world.lifecycle[c].lifecycle_stage for c in customers)
        assert row.customers == len(customers)
        assert row.at_risk_customers == stages["watch"] + stages["quasi_churned"]
        assert row.core_customers == sum(
            world.value[c].value_tier == "core" and world.lifecycle[c].lifecycle_stage != "churned"
            for c in customers
        )
        assert row.gross_profit_12m == profit.get(owner, ZERO)
        assert row.share_of_profit == rate(profit.get(owner, ZERO), sum(profit.values()))
        assert row.overdue_follow_ups == sum(
            c in follow_ups and follow_ups[c].is_due for c in customers
        )
        assert row.duplicate_customers == sum(
            c in checks and checks[c].is_duplicate for c in customers
        )
        assert row.open_quoted_amount == sum(
            (
                o.quoted_amount
                for o in open_quotes
                if o.owner_id == owner and o.customer_id in world.workable
            ),
            ZERO,
        )
        rep = world.reps[owner]
        is_left = bool(customers or row.open_opportunities)
        assert row.handover_state == (handover(rep, world.as_of) if is_left else "none")
    expected = set()
    for owner, rep in world.reps.items():
        if is_leaving(rep, world.as_of):
            for quote in open_quotes:
                if quote.owner_id == owner and quote.customer_id in world.workable:
                    near = quote.expected_close_on <= world.as_of + days(30)
                    kind = "near_signing" if near else "quote"
                    expected.add((owner, kind, quote.opportunity_id, quote.quoted_amount))
            for customer in owned[owner]:
                value, life = world.value[customer], world.lifecycle[customer]
                key = value.value_tier == "core" and life.lifecycle_stage != "churned"
                kind = "key_customer" if key else "customer"
                expected.add((owner, kind, customer, value.gross_profit_12m))
                if customer in follow_ups and follow_ups[customer].promise_ref_id:
                    expected.add((owner, "promise", follow_ups[customer].promise_ref_id, None))
    pack = world.table("handover_pack")
    assert expected == {
        (row.owner_id, row.item_kind, row.ref_id, row.amount)
        for row in pack
        if row.item_kind not in {"open_complaint", "payment_due"}
    }
    assert expected
    for items in by("owner_id", pack).values():
        assert sorted(i.item_number for i in items) == list(range(1, len(items) + 1))


def test_records_that_say_the_same_person(world: World) -> None:
    found = world.table("contact_data_quality")
    assert {row.customer_id for row in found} == world.workable & set(world.customers)
    numbers, addresses = defaultdict(set), defaultdict(set)
    for customer in world.workable & set(world.customers):
        record = world.customers[customer]
        digits = re.sub(r"\D", "", record.phone or "", flags=re.ASCII)
        if 7 <= len(digits) <= 15 and len(set(digits[-9:])) > 1:
            numbers[digits[-9:]].add(customer)
        address = (record.email or "").strip().lower()
        if re.fullmatch(r"[^@ ]+@[^@ ]+[.][^@ ]+", address):
            addresses[address].add(customer)
    reachable = set().union(*numbers.values(), *addresses.values())
    same = {c for g in [*numbers.values(), *addresses.values()] if 2 <= len(g) <= 5 for c in g}
    assert {row.customer_id for row in found if row.is_duplicate} == same
    unreachable = {row.customer_id for row in found if row.is_unreachable}
    assert unreachable == (world.workable & set(world.customers)) - reachable
    assert same
    assert unreachable
    for row in found:
        contacts = world.contacts.get(row.customer_id, [])
        tried, spoken = sum(map(tries, contacts)), sum(map(speaks, contacts))
        assert (row.attempts, row.conversations) == (tried, spoken)
        assert row.is_never_reached == (tried >= 2 and not spoken)


def test_the_funnel_of_quotations(world: World) -> None:
    groups = defaultdict(list)
    for quote in world.opportunities:
        if quote.quoted_on and month_end(month_of(quote.quoted_on)) <= world.as_of:
            groups[month_of(quote.quoted_on), quote.owner_id or "unassigned"].append(quote)
    told = {(row.month, row.owner_id): row for row in world.table("opportunity_funnel_monthly")}
    assert set(told) == set(groups)
    for key, quotes in groups.items():
        row = told[key]
        assert row.quoted == len(quotes)
        assert row.quoted_amount == sum((q.quoted_amount for q in quotes), ZERO)
        assert row.still_open == sum(q.closed_on is None for q in quotes)
        if month_end(key[0]) + days(WINDOW) > world.as_of:
            assert (row.won, row.ordered, row.win_rate) == (None, None, None)
            continue
        inside = [q for q in quotes if q.closed_on and q.closed_on <= q.quoted_on + days(WINDOW)]
        won = [q for q in inside if q.won]
        ordered = [
            q
            for q in quotes
            if any(
                q.quoted_on <= p.ordered_on <= q.quoted_on + days(WINDOW)
                for p in world.purchases.get(q.customer_id, [])
            )
        ]
        assert (row.decided, row.won, row.ordered) == (len(inside), len(won), len(ordered))
        assert row.lost_to_competitors == sum(bool(q.competitor) for q in inside)
        assert row.won_amount == sum((q.quoted_amount for q in won), ZERO)
        assert row.win_rate == rate(len(won), len(quotes))


def test_competitors_named(world: World) -> None:
    watched = {q.competitor for q in world.opportunities if q.competitor}
    counts: Counter[tuple[date, str, str]] = Counter()
    for quote in world.opportunities:
        if quote.competitor:
            counts[month_of(quote.closed_on), quote.competitor, "opportunities"] += 1
    for contact in (c for contacts in world.contacts.values() for c in contacts):
        for name in watched:
            if name in (contact.notes or ""):
                counts[month_of(contact.occurred_on), name, "contacts"] += 1
    told = world.table("competitor_mentions_monthly")
    found: Counter[tuple[date, str, str]] = Counter()
    for row in told:
        for column in ("opportunities", "contacts"):
            if getattr(row, column):
                found[row.month, row.competitor, column] = getattr(row, column)
    assert found == counts
    assert {column for _, _, column in counts} == {"opportunities", "contacts"}
