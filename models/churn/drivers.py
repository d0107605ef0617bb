"""Why a customer's probability is what it is: three drivers in plain words, with the values.

Contributions of features that mean the same to a person are added up to concepts; the three that
move the customer most become words, those that raise the risk first. The catalogue is data: to
give a new feature its words, add a line; without one it is named after its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from string import Formatter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.frame.features import BoolArray, FloatArray
from models.probability.predictors import Contributions

DRIVERS = 3
# Put before what lowers the risk, when fewer than three things raise it.
LOWERS = "reassuring: "
# Log odds below which a concept does not move the customer.
NEGLIGIBLE = 1e-3

ObjectArray = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Phrase:
    """Words for the features whose whole name matches.

    Attributes:
        features: regular expression; its groups are {1}, {2} in the texts.
        concept: features of one concept are added up, and the one that matters most speaks.
        texts: the first whose columns are all known is used. {value} is the feature itself,
            other names are columns of the frame; a format names one of `SHOWN`.
        lowers: texts for the case that the concept lowers the risk, where they should differ.
        unknown: words for a value that is not known, where the plain ones would mislead.
    """

    features: str
    concept: str
    texts: tuple[str, ...]
    lowers: tuple[str, ...] = ()
    unknown: str = ""


def _windows(noun: str, concept: str, text: str) -> Phrase:
    return Phrase(rf"{noun}_(\d+)d", concept, (text,))


def _since(event: str, concept: str, noun: str, said: str) -> Phrase:
    """Days since an event; NULL means that none is on record."""
    return Phrase(
        f"days_since_{event}",
        concept,
        (f"{said} {{value:days}} ago",),
        unknown=f"no {noun} on record",
    )


CATALOGUE: tuple[Phrase, ...] = (
    Phrase(
        r"recency_days|overdue_ratio|missed_intervals|expected_interval_days|interval_basis|stage"
        r"|days_in_stage|recency_to_\w+|pareto_nbd_\w+|median_gap_days|mean_gap_days|longest_gap_days",
        "rhythm",
        (
            "no order for {recency_days:days}, usually every {expected_interval_days}",
            "no order for {recency_days:days}",
        ),
        (
            "last order {recency_days:days} ago, usually every {expected_interval_days}",
            "last order {recency_days:days} ago",
        ),
    ),
    Phrase(
        r"last_gap_days|last_gap_to_\w+|gap_deviation_days",
        "regularity",
        (
            "{last_gap_days:days} between the last two orders, usually {median_gap_days}",
            "gaps between orders differ by {gap_deviation_days:days}",
        ),
    ),
    Phrase(
        r"order_days|orders|tenure_days",
        "history",
        ("{order_days:order day/order days} in {tenure_days:days} as a customer",),
    ),
    Phrase(
        r"orders_same_season_last_year",
        "season",
        ("{value:order/orders} in this season last year",),
    ),
    Phrase(r"season_\w+", "season", ("the time of the year",)),
    Phrase(
        r"orders?_change_(\d+)d",
        "trend",
        ("{value:change} orders in the last {1} days against the {1} before",),
    ),
    Phrase(
        r"net_amount_change_(\d+)d",
        "trend",
        ("{value:change} spent in the last {1} days against the {1} before",),
    ),
    _windows("orders", "frequency", "{value:order/orders} in the last {1} days"),
    _windows("order_days", "frequency", "{value:order day/order days} in the last {1} days"),
    _windows("net_amount", "spending", "{value:amount} spent in the last {1} days"),
    _windows("profit_amount", "spending", "{value:amount} profit in the last {1} days"),
    _windows(
        "largest_day_amount", "spending", "best order day of the last {1} days at {value:amount}"
    ),
    _windows("quantity", "spending", "{value:unit/units} bought in the last {1} days"),
    Phrase(r"net_amount", "spending", ("{value:amount} spent so far",)),
    Phrase(
        r"average_order_amount|last_order_amount|last_order_to_average",
        "order size",
        (
            "last order of {last_order_amount:amount}, {average_order_amount:amount} on average",
            "{value:amount} an order",
        ),
    ),
    Phrase(
        r"discounted_order_share", "discounts", ("{value:percent} of the orders at a discount",)
    ),
    _windows("discount_share", "discounts", "{value:percent} discount over the last {1} days"),
    Phrase(r"last_channel", "channel", ("last ordered through {value}",)),
    _windows("channels", "channel", "{value:channel/channels} used in the last {1} days"),
    Phrase(
        r"is_multichannel_(\d+)d",
        "channel",
        ("several channels used in the last {1} days: {value:yes}",),
    ),
    Phrase(r"last_category", "assortment", ("last bought {value}",)),
    Phrase(r"segment", "assortment", ("customer for {value}",)),
    Phrase(r"categories", "assortment", ("{value:category/categories} bought so far",)),
    Phrase(r"units", "assortment", ("{value:asset/assets} with orders",)),
    Phrase(
        r"is_last_order_at_home_store", "home store", ("last order at the home store: {value:yes}",)
    ),
    Phrase(r"distance_km", "distance", ("{value:number} km to the home store",)),
    Phrase(r"acquisition_channel", "origin", ("came through {value}",)),
    Phrase(r"is_referred", "origin", ("came by recommendation: {value:yes}",)),
    Phrase(r"region|country", "place", ("from {value}",)),
    Phrase(r"industry", "line of business", ("in {value}",)),
    Phrase(r"is_company", "line of business", ("a business customer: {value:yes}",)),
    Phrase(r"returned_amount_(\d+)d", "returns", ("{value:amount} returned in the last {1} days",)),
    _windows("returns", "returns", "{value:return/returns} in the last {1} days"),
    _since("return", "returns", "return", "last return"),
    _windows("late_payments", "payment", "{value:late payment/late payments} in the last {1} days"),
    Phrase(
        r"longest_payment_delay_days_(\d+)d",
        "payment",
        ("a payment {value:days} after it was due",),
    ),
    Phrase(
        r"open_(ticket|complaint)s|oldest_open_ticket_days",
        "open problems",
        (
            "{open_tickets:open ticket/open tickets} for {oldest_open_ticket_days:days}",
            "{value:open ticket/open tickets}",
        ),
    ),
    Phrase(r"(ticket|complaint)s_(\d+)d", "problems", ("{value:{1}/{1}s} in the last {2} days",)),
    _since("ticket", "problems", "ticket", "last ticket"),
    _since("complaint", "problems", "complaint", "last complaint"),
    Phrase(r"longest_resolution_days_\d+d", "problems", ("a ticket took {value:days} to resolve",)),
    Phrase(
        r"last_ticket_satisfaction",
        "satisfaction",
        ("last ticket rated {value:number} of 5",),
    ),
    Phrase(r"last_nps_score", "satisfaction", ("recommends us at {value:number} of 10",)),
    Phrase(
        r"(last|lowest)_csat_score\w*", "satisfaction", ("{1} satisfaction {value:number} of 5",)
    ),
    _since("survey_answer", "surveys", "survey answer", "last survey answer"),
    _windows("surveys_sent", "surveys", "{value:survey/surveys} sent in the last {1} days"),
    _windows("surveys_answered", "surveys", "{value:survey/surveys} answered in the last {1} days"),
    Phrase(
        r"(inbound|reached|refused)_interactions_(\d+)d",
        "contact",
        ("{value:{1} contact/{1} contacts} in the last {2} days",),
    ),
    _windows("interactions", "contact", "{value:contact/contacts} in the last {1} days"),
    _windows("revisits", "contact", "{value:revisit/revisits} in the last {1} days"),
    _windows(
        "missed_follow_ups",
        "contact",
        "{value:promised contact missed/promised contacts missed} in the last {1} days",
    ),
    _since("interaction", "contact", "contact", "last contact"),
    _since("reached", "contact", "successful contact", "last reached"),
    Phrase(
        r"is_last_contact_rep_gone", "contact", ("the last contact person has left: {value:yes}",)
    ),
    Phrase(
        r"campaigns_(opened|answered)_(\d+)d",
        "campaigns",
        ("{value:campaign/campaigns} {1} in the last {2} days",),
    ),
    _windows("campaigns", "campaigns", "{value:campaign/campaigns} received in the last {1} days"),
    _since("campaign", "campaigns", "campaign", "last campaign"),
    Phrase(r"consented_channels", "consent", ("{value:channel/channels} allowed for marketing",)),
    _since("consent_withdrawal", "consent", "consent withdrawn", "a consent withdrawn"),
    Phrase(r"points_balance", "loyalty points", ("{value:amount} loyalty points",)),
    _windows(
        "points_earned", "loyalty points", "{value:amount} points earned in the last {1} days"
    ),
    _windows(
        "redemptions", "loyalty points", "{value:redemption/redemptions} in the last {1} days"
    ),
    _since("redemption", "loyalty points", "redemption of points", "points last redeemed"),
    Phrase(
        r"usage_events_change_(\d+)d",
        "usage",
        ("{value:change} uses in the last {1} days against the {1} before",),
    ),
    _windows("usage_events", "usage", "{value:use/uses} in the last {1} days"),
    _windows("usage_quantity", "usage", "{value:amount} used in the last {1} days"),
    _since("usage", "usage", "use", "last used"),
    _windows(
        "community_events", "community", "{value:community event/community events} in {1} days"
    ),
    _since("community_event", "community", "community event", "last community event"),
    Phrase(r"trainings", "training", ("{value:training/trainings} attended",)),
    Phrase(r"trainings_completed", "training", ("{value:training/trainings} completed",)),
    _since("training", "training", "training", "last training"),
    _windows("quotations", "sales", "{value:quotation/quotations} in the last {1} days"),
    Phrase(
        r"opportunities_(won|lost)_(\d+)d",
        "sales",
        ("{value:opportunity/opportunities} {1} in the last {2} days",),
    ),
    _windows("lost_to_competitor", "sales", "{value:quotation/quotations} lost to a competitor"),
    Phrase(r"open_opportunities", "sales", ("{value:open quotation/open quotations}",)),
    Phrase(r"open_quoted_amount", "sales", ("{value:amount} quoted and open",)),
    _since("quotation", "sales", "quotation", "last quotation"),
)


def _days(value: float) -> str:
    return "1 day" if round(value) == 1 else f"{value:z,.0f} days"


def _number(value: float) -> str:
    return f"{value:z,.1f}".removesuffix(".0")


def _counted(form: str) -> Callable[[float], str]:
    one, many = form.split("/")

    def show(value: float) -> str:
        if value == 0:
            return f"no {one}"
        return f"1 {one}" if value == 1 else f"{_number(value)} {many}"

    return show


# How a value is shown, never as -0; a format of the form one/many counts.
SHOWN: dict[str, Callable[[float], str]] = {
    "": lambda value: f"{value:z,.0f}",
    "amount": lambda value: f"{value:z,.0f}",
    "change": lambda value: f"{value:+,.0f}" if round(value) else "0",
    "days": _days,
    "number": _number,
    "percent": lambda value: f"{value:z.0%}",
    "yes": lambda value: "yes" if value else "no",
}
# Of these formats no digit behind the point is shown: values that differ there are put into words
# once.
WHOLE = ("", "amount", "change", "days")


def words(contributions: Contributions, frame: pd.DataFrame) -> list[ObjectArray]:
    """The three drivers of each row, strongest first; None where fewer things matter.

    Args:
        contributions: what each feature adds to the log odds of churn.
        frame: the same rows as the predictor saw them.
    """
    concepts, members = _group(contributions.names)
    added = np.empty((len(frame), len(concepts)), dtype=np.float32)
    for at, columns in enumerate(members):
        added[:, at] = contributions.values[:, columns].sum(axis=1)
    chosen, rising = _strongest(added)
    text = np.full(chosen.shape, None, dtype=object)
    # One number for what is said of a concept in one direction: those who are told it lie together.
    topic = (chosen * 2 + rising).astype(np.int16)
    order = np.argsort(topic, axis=None, kind="stable")
    ends = np.searchsorted(topic.ravel()[order], np.arange(2 * len(concepts) + 1))
    for at, (begin, end) in enumerate(pairwise(ends)):
        if begin < end:
            places = order[begin:end]
            text.flat[places] = _speak(
                contributions, members[at // 2], places // DRIVERS, frame, bool(at % 2)
            )
    return list(text.T)


def _strongest(added: FloatArray) -> tuple[npt.NDArray[np.intp], BoolArray]:
    """The concepts that matter most to each row, and whether they raise its risk.

    Args:
        added: what each concept adds: rows x concepts.

    Returns:
        Positions, rows x `DRIVERS`, -1 where fewer matter. What raises the risk comes before all
        that lowers it, each by size; ties by the catalogue.
    """
    chosen = np.full((len(added), DRIVERS), -1)
    with np.errstate(divide="ignore"):
        # Above 0 what raises the risk, below it what lowers it: the more, the nearer to 0.
        rank = np.where(added > 0, added, np.divide(1, added, dtype=np.float64))
    rank[np.abs(added) < NEGLIGIBLE] = -np.inf
    row = np.arange(len(added))
    for place in range(min(DRIVERS, added.shape[1])):
        best = rank.argmax(axis=1)
        chosen[:, place] = np.where(rank[row, best] > -np.inf, best, -1)
        rank[row, best] = -np.inf
    return chosen, np.take_along_axis(added, chosen, axis=1) > 0


def _group(names: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Concepts in the order of the catalogue, with the positions of their features."""
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        phrase, _ = _phrase(name)
        found.setdefault(phrase.concept, []).append(at)
    rank = {phrase.concept: at for at, phrase in reversed(list(enumerate(CATALOGUE)))}
    concepts = sorted(found, key=lambda concept: (rank.get(concept, len(CATALOGUE)), concept))
    return concepts, [found[concept] for concept in concepts]


@cache
def _phrase(name: str) -> tuple[Phrase, tuple[str, ...]]:
    for phrase in CATALOGUE:
        match = re.fullmatch(phrase.features, name)
        if match:
            return phrase, (name, *(group or "" for group in match.groups()))
    plain = name.replace("_", " ")
    return Phrase(re.escape(name), plain, (f"{plain}: {{value:number}}",)), (name,)


def _speak(
    contributions: Contributions,
    members: list[int],
    rows: npt.NDArray[np.intp],
    frame: pd.DataFrame,
    rising: bool,
) -> ObjectArray:
    """Words for rows of one concept: the feature that moves each row most is the speaker."""
    share = contributions.values[rows[:, None], members]
    leading = (share if rising else -share).argmax(axis=1)
    spoken = np.full(len(rows), None, dtype=object)
    for at in np.unique(leading):
        mine = np.flatnonzero(leading == at)
        phrase, groups = _phrase(contributions.names[members[at]])
        name = groups[0].replace("_", " ")
        said = [*(phrase.texts if rising else phrase.lowers or phrase.texts)]
        unknown = phrase.unknown or f"{name} not known"
        if not rising:
            said, unknown = [LOWERS + text for text in said], LOWERS + unknown
        spoken[mine] = _first_known(said, groups, frame, rows[mine], unknown)
    return spoken


def _first_known(
    texts: Sequence[str],
    groups: tuple[str, ...],
    frame: pd.DataFrame,
    rows: npt.NDArray[np.intp],
    unknown: str,
) -> ObjectArray:
    """The first text of which all columns are known in a row; else that the value is not known."""
    result: ObjectArray = np.full(len(rows), unknown, dtype=object)
    open_rows = np.arange(len(rows))
    for text in texts:
        parts = _parse(text, groups)
        if any(column not in frame.columns for _, column, _ in parts if column):
            continue
        columns = {c: frame[c].iloc[rows[open_rows]] for _, c, _ in parts if c}
        known = np.ones(len(open_rows), dtype=bool)
        for values in columns.values():
            known &= values.notna().to_numpy()
        if known.any():
            result[open_rows[known]] = _sentences(
                [
                    (literal, columns[column][known].to_numpy() if column else None, form)
                    for literal, column, form in parts
                ]
            )
        open_rows = open_rows[~known]
        if not len(open_rows):
            break
    return result


def _sentences(parts: Sequence[tuple[str, npt.NDArray[Any] | None, str]]) -> ObjectArray | str:
    """A sentence per row from literals and columns; each different one is put together once."""
    spoken = [
        (literal, *_shown(column, form)) for literal, column, form in parts if column is not None
    ]
    said: Any = "".join(literal for literal, column, _ in parts if column is None)  # the end
    if not spoken:
        return str(said)
    key = np.zeros(len(spoken[0][1]), dtype=np.int64)
    for _, codes, shown in spoken:
        key = key * len(shown) + codes
    which, keys = pd.factorize(key)
    for literal, _, shown in reversed(spoken):
        keys, at = np.divmod(keys, len(shown))
        said = literal + shown[at] + said
    sentences: ObjectArray = said[which]
    return sentences


def _parse(text: str, groups: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Split a text into (literal, column, format); groups of the feature's name are filled in."""
    for at, group in enumerate(groups[1:], start=1):
        text = text.replace(f"{{{at}}}", group)
    return [
        (literal, groups[0] if column == "value" else column or "", form or "")
        for literal, column, form, _ in Formatter().parse(text)
    ]


def _shown(values: npt.NDArray[Any], form: str) -> tuple[npt.NDArray[np.intp], ObjectArray]:
    """The different words that values are shown as, and which of them each row has."""
    if form in WHOLE and values.dtype.kind == "f":
        values = np.rint(values)
    codes, distinct = pd.factorize(values)
    show = SHOWN.get(form) or _counted(form)
    shown = [value if isinstance(value, str) else show(float(value)) for value in distinct]
    return codes, np.array(shown, dtype=object)
