"""What the CRM knows of the customers: profiles and versions, contact persons, assets, reps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.sources.sample import names
from pipelines.sources.sample.chunk import Chunk
from pipelines.sources.sample.columns import (
    Columns,
    cents,
    codes,
    dates,
    decimals,
    hide,
    joined,
    moments,
    words,
)
from pipelines.sources.sample.company import LEAVES_AT, STAYS, Company
from pipelines.sources.sample.contact_faults import contact_faults, with_faults
from pipelines.sources.sample.customers import Customers
from pipelines.sources.sample.identifiers import (
    asset_ids,
    customer_ids,
    own_ids,
    rep_ids,
    store_ids,
)
from pipelines.sources.sample.orders import owns_machines
from pipelines.sources.sample.parameters import CAUSE, NONE, RATES
from pipelines.sources.sample.streams import Purpose
from pipelines.sources.sample.world import World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HANDOVER_DAYS = 10  # until the successor is entered as the owner
MOVE_RECORDED = 0.75  # of life changes that show in the profile; own assumption
CONTACT_RECORDED = 0.85  # of contact persons' departures that show; own assumption
NEVER = 1e9
# Cities of all regions in one list, and where each region's begin.
CITIES = [city for _, _, cities, _ in names.REGIONS for city in cities]
CITY_COUNT = np.array([len(cities) for _, _, cities, _ in names.REGIONS])
CITY_START = CITY_COUNT.cumsum() - CITY_COUNT


def handover_days(who: Customers, firm: Company) -> Floats:
    """Day on which a successor took over each customer; far in the future where none did."""
    rep = np.maximum(who.rep, 0)
    departs = firm.rep_departs[rep].astype(float)
    taken = (
        (who.rep >= 0)
        & firm.rep_hands_over[rep]
        & (firm.rep_successor[rep] >= 0)
        & (departs > who.known)
        & (departs < STAYS)
    )
    return np.where(taken, departs + HANDOVER_DAYS, NEVER)


def acting_at(who: Customers, firm: Company, customer: Ints, day: Floats) -> Ints:
    """Who looks after each customer on a day: the owner, the successor of one who left, or NONE."""
    return firm.acting(owner_at(who, firm, customer, day), day)


def owner_at(who: Customers, firm: Company, customer: Ints, day: Floats) -> Ints:
    """Owner on record of each customer on a day, NONE where none; leavers stay entered."""
    handed = handover_days(who, firm)[customer] <= day
    rep = who.rep[customer]
    return np.where(handed, firm.rep_successor[np.maximum(rep, 0)], rep)


def customer_table(world: World, chunk: Chunk) -> Columns:
    """Table `customers`: one row per customer and version."""
    rng = world.stream(Purpose.PROFILES, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, who = chunk.lived, chunk.who
    n = len(who)
    end = calendar.days - 1e-4
    moves = np.full(n, NEVER)
    changes = lived.episodes.cause == CAUSE["life_change"]
    recorded = changes & (rng.random(len(changes)) < MOVE_RECORDED)
    moves[lived.episodes.customer[recorded]] = lived.episodes.began[recorded] + 3
    handed = handover_days(who, firm)
    new_region = rng.integers(0, len(names.REGIONS), n)
    new_distance = rng.uniform(40, 400, n)
    city_luck = rng.random((2, n))

    customer = np.concatenate(
        [np.arange(n), np.flatnonzero(moves < end), np.flatnonzero(handed < end)]
    )
    written = np.concatenate([who.known, moves[moves < end], handed[handed < end]])
    by_time = np.lexsort([written, customer])
    customer, written = customer[by_time], written[by_time]

    moved = moves[customer] <= written
    region = np.where(moved, new_region[customer], who.region[customer])
    luck = np.where(moved, city_luck[1][customer], city_luck[0][customer])
    city = CITY_START[region] + (luck * CITY_COUNT[region]).astype(np.int64)
    distance = np.where(moved, new_distance[customer], who.distance[customer])

    def some(missing: float = RATES.missing_share) -> Bools:
        """Rows of which an optional field is empty; the same in every version of a customer."""
        return (rng.random(n) < missing)[customer]

    person = _Persons(rng, n, western=np.where(who.region == 6, 0.45, 0.10))  # noqa: PLR2004 Hong Kong
    # A second record of somebody carries the same person under another number.
    source = np.arange(n)
    copies = np.flatnonzero(rng.random(n) < RATES.double_record_share)
    source[copies] = rng.integers(0, n, len(copies))
    person = person.take(source)
    business = who.is_business[customer]
    grade = np.digitize(
        who.basket * (who.retail_rate + who.service_rate) * rng.lognormal(0, 0.5, n),
        [0.002, 0.008, 0.025],
    )
    tags = words(_tag_pairs(), who.first_category * len(names.CATEGORIES) + who.second_category)
    acquired = np.where(
        who.referrer >= 0,
        names.ACQUISITION_CHANNELS.index("referral"),
        rng.choice([0, 1, 3, 4, 5], n, p=[0.34, 0.30, 0.08, 0.16, 0.12]),
    )
    fault = contact_faults(world, chunk.number, who)
    no_email, no_phone, no_birthday = (rng.random((3, n)) < RATES.missing_share) & (fault == NONE)
    born = -rng.uniform(18, 75, n) * 365.25
    email, phone, born = with_faults(
        rng, fault, person.email, person.phone, born, lent=~no_email & ~who.is_test, today=end
    )
    no_birthday |= who.is_business
    return {
        "customer_id": customer_ids(who, customer),
        "created_at": moments(calendar.first_day, who.known[customer]),
        "name": hide(person.name.take(pa.array(customer)), some(0.02)),
        "email": hide(email, no_email).take(pa.array(customer)),
        "phone": hide(phone, no_phone).take(pa.array(customer)),
        "birth_date": dates(
            calendar.first_day, born[customer], null=no_birthday[customer] | business
        ),
        "company_name": hide(_company_names(rng, n).take(pa.array(customer)), ~business),
        "industry": words(names.INDUSTRIES, np.where(business, who.number[customer] % 10, NONE)),
        "job_title": words(
            names.JOB_TITLES,
            np.where(business & ~some(), rng.integers(0, len(names.JOB_TITLES), n)[customer], NONE),
        ),
        "city": words(CITIES, city),
        "region": words([region[0] for region in names.REGIONS], region),
        "country": words([region[3] for region in names.REGIONS], region),
        "acquisition_channel": words(names.ACQUISITION_CHANNELS, acquired[customer]),
        "preferred_channel": words(
            names.CONTACT_CHANNELS,
            np.where(some(), NONE, (who.reach * rng.uniform(0.6, 1.4, (n, 4))).argmax(1)[customer]),
        ),
        "owner_id": rep_ids(owner_at(who, firm, customer, written)),
        "home_store_id": store_ids(who.store[customer]),
        "distance_km": decimals(cents(distance), 10, 2),
        "referred_by": hide(
            customer_ids(who, np.maximum(who.referrer, 0)[customer]), who.referrer[customer] < 0
        ),
        "crm_grade": words(("D", "C", "B", "A"), grade[customer]),
        "demand_tags": hide(tags.cast(pa.string()).take(pa.array(customer)), some()),
        "fit_score": decimals((rng.beta(5, 3, n)[customer] * 1_000_000).astype(np.int64), 10, 4),
        "is_test": pa.array(who.is_test[customer]),
        "updated_at": moments(calendar.first_day, written),
    }


class _Persons:
    """Names, addresses and numbers of made-up people."""

    def __init__(self, rng: np.random.Generator, n: int, western: Floats | float) -> None:
        is_western = rng.random(n) < western
        surname = rng.integers(0, len(names.SURNAMES), n)
        given = rng.integers(0, len(names.GIVEN_NAMES), n)
        chinese = joined(words(names.SURNAMES, surname), words(names.GIVEN_NAMES, given))
        last = words(names.WESTERN_SURNAMES, rng.integers(0, len(names.WESTERN_SURNAMES), n))
        first = words(names.WESTERN_GIVEN_NAMES, rng.integers(0, len(names.WESTERN_GIVEN_NAMES), n))
        self.name = pc.if_else(pa.array(is_western), joined(first, " ", last), chinese)
        self.email = joined(
            words(names.LATIN_SURNAMES, surname),
            codes(".", (rng.integers(0, 10**6, n), 6), "@"),
            words(names.MAIL_DOMAINS, rng.integers(0, len(names.MAIL_DOMAINS), n)),
        )
        self.phone = codes(
            "+86 000 ", (rng.integers(0, 10**4, n), 4), " ", (rng.integers(0, 10**4, n), 4)
        )

    def take(self, source: Ints) -> _Persons:
        """The same persons in other places."""
        other = object.__new__(_Persons)
        rows = pa.array(source)
        other.name, other.email = self.name.take(rows), self.email.take(rows)
        other.phone = self.phone.take(rows)
        return other


def _company_names(rng: np.random.Generator, n: int) -> pa.Array:
    return joined(
        words([region[2][0] for region in names.REGIONS], rng.integers(0, len(names.REGIONS), n)),
        words(names.COMPANY_WORDS, rng.integers(0, len(names.COMPANY_WORDS), n)),
        words(names.COMPANY_KINDS, rng.integers(0, len(names.COMPANY_KINDS), n)),
        words(names.COMPANY_FORMS, rng.integers(0, len(names.COMPANY_FORMS), n)),
    )


def _tag_pairs() -> list[str]:
    categories = [category[0] for category in names.CATEGORIES]
    return [f"{first},{second}" for first in categories for second in categories]


def contact_table(world: World, chunk: Chunk) -> Columns:
    """Table `contacts`: people of business customers; a successor is a new version of the row."""
    rng = world.stream(Purpose.CONTACTS, chunk.number)
    calendar, firm = world.calendar, world.company
    lived, who = chunk.lived, chunk.who
    people = np.where(who.is_business, 1 + rng.poisson(0.8, len(who)), 0)
    customer = np.repeat(np.arange(len(who)), people)
    position = np.arange(len(customer)) - (people.cumsum() - people)[customer]
    written = who.known[customer] + rng.exponential(20, len(customer))

    # Our contact left: the other flavour of the cause `relationship`, where no rep of ours did.
    episodes = lived.episodes
    broke = (episodes.cause == CAUSE["relationship"]) & who.is_business[episodes.customer]
    broke &= ~rep_left(who, firm, episodes.customer, episodes.began)
    broke &= rng.random(len(broke)) < CONTACT_RECORDED
    customer = np.concatenate([customer, episodes.customer[broke]])
    position = np.concatenate([position, np.zeros(broke.sum(), np.int64)])
    written = np.concatenate([written, episodes.began[broke] + rng.uniform(0, 10, broke.sum())])
    by_time = np.lexsort([written, position, customer])
    customer, position, written = customer[by_time], position[by_time], written[by_time]
    kept = written < calendar.days
    customer, position, written = customer[kept], position[kept], written[kept]
    n = len(customer)
    person = _Persons(rng, n, western=0.1)
    return {
        "contact_id": own_ids("K", who, customer, position + 1),
        "customer_id": customer_ids(who, customer),
        "name": person.name,
        "role": words(names.CONTACT_ROLES, position % len(names.CONTACT_ROLES)),
        "email": hide(person.email, rng.random(n) < RATES.missing_share),
        "phone": hide(person.phone, rng.random(n) < RATES.missing_share),
        "updated_at": moments(calendar.first_day, written),
    }


def rep_left(who: Customers, firm: Company, customer: Ints, day: Floats) -> Bools:
    """Whether the customer's representative left in the four months before or the one after."""
    rep = who.rep[customer]
    since = day - firm.rep_departs[np.maximum(rep, 0)]
    return (rep >= 0) & (since > -31) & (since < 125)  # noqa: PLR2004 as long as it can still begin


def asset_table(world: World, chunk: Chunk) -> Columns:
    """Table `assets`."""
    rng = world.stream(Purpose.ASSETS, chunk.number)
    calendar = world.calendar
    who = chunk.who
    owned = np.where(who.is_service, np.maximum(who.assets, 1), 0)
    customer = np.repeat(np.arange(len(who)), owned)
    position = np.arange(len(customer)) - (owned.cumsum() - owned)[customer]
    n = len(customer)
    kind = np.where(
        owns_machines(who)[customer],
        2 + rng.integers(0, 2, n),
        (rng.random(n) < 0.15).astype(int),  # noqa: PLR2004
    )
    return {
        "asset_id": asset_ids(who, customer, position),
        "customer_id": customer_ids(who, customer),
        "kind": words(("car", "truck", "machine", "forklift"), kind),
        "service_interval_days": pa.array(who.interval[customer]),
        "acquired_at": moments(calendar.first_day, who.known[customer] - rng.exponential(700, n)),
    }


def rep_table(world: World) -> Columns:
    """Table `reps`."""
    rng = world.stream(Purpose.REPS)
    calendar, firm = world.calendar, world.company
    rep = np.arange(firm.reps)
    teams = [f"{region[0]}队" for region in names.REGIONS]
    manager = firm.rep_region  # the first representative of each region leads its team
    told = firm.rep_announced < calendar.days
    # Unannounced ones are known when they go, announced ones on a morning.
    announced = np.where(firm.rep_announced < firm.rep_departs, firm.rep_announced + 0.375, np.nan)
    return {
        "rep_id": rep_ids(rep),
        "name": _Persons(rng, firm.reps, western=0.15).name,
        "team": words(teams, firm.rep_region),
        "manager_id": rep_ids(np.where(manager == rep, NONE, manager)),
        "hired_at": moments(calendar.first_day, firm.rep_hired + 0.375),
        "departure_announced_at": moments(calendar.first_day, announced, null=~told),
        "departed_at": moments(calendar.first_day, firm.rep_departs + LEAVES_AT, null=~told),
    }
