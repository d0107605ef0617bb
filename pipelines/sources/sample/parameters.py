"""Every number that someone chose, with its unit and where it comes from.

Two kinds: `Scale` is what a caller may ask for; `Rates` is how the world works. Sources are named
in short and given in full in docs/sample-company.md. "Own assumption" means that no published
figure was found; such a number is a guess about a mid-sized service company and nothing more. None
of them is tuned to make a model look good: they are tuned to nothing but the real order files, in
tests/code/test_sample_realism.py.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

import numpy as np

# Customers simulated at once. Part of the world, not a setting: another size is another world.
CHUNK = 25_000

WINDOW_DAYS = 90  # days after an assignment in which a treatment's effect is counted

NONE = -1  # no cause, no tactic, no representative: the "not any" of every code in this package


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What a caller may ask for. Equal scales give byte-identical files.

    Attributes:
        customers: how many customers the company ever had, prospects included.
        years: length of the history, in years before `last_day`.
        seed: which of the possible worlds.
        last_day: the last day with data.
        lines_per_customer: order lines per customer over the whole history, on average; moves
            the lines within an order, never who orders when.
        defect_rate: share of bad rows added to the tables that have any (see defects.py).
    """

    customers: int = 20_000
    years: int = 3
    seed: int = 7
    last_day: datetime.date = datetime.date(2026, 6, 30)
    lines_per_customer: float = 25.0
    defect_rate: float = 0.002

    def __post_init__(self) -> None:
        if self.customers < 1 or self.years < 1 or self.seed < 0:
            raise ValueError(
                "the sample company needs customers >= 1, years >= 1 and seed >= 0, "
                f"not customers={self.customers}, years={self.years}, seed={self.seed}"
            )
        if self.lines_per_customer <= 0 or not 0 <= self.defect_rate < 0.5:  # noqa: PLR2004
            raise ValueError(
                "the sample company needs lines_per_customer > 0 and 0 <= defect_rate < 0.5, not "
                f"lines_per_customer={self.lines_per_customer}, defect_rate={self.defect_rate}"
            )


@dataclass(frozen=True)
class Cause:
    """One reason to leave: how it begins, what it does, how it ends.

    Attributes:
        code: the reason code of design.md section 8.
        onset: chance per month that it befalls an average customer whose circumstances invite it.
        leaves: chance per month to depart while it lasts.
        heals: chance per month that it passes by itself.
            `leaves / (leaves + heals)` is the share that departs in the end.
        slows: factor on the purchase rate while it lasts.
        returns: chance per month that a departed customer comes back unasked.
    """

    code: str
    onset: float
    leaves: float
    heals: float
    slows: float
    returns: float


# Shares that depart: TARP 1979/1986 (loyal after a problem above 100 dollars / of 1-5 dollars:
# silent 9/37%, complained and unsatisfied 19/46%, satisfied 54/70%, satisfied quickly 82/95%).
# Relative frequency: Keaveney 1995 (core failure before encounter failure, price, inconvenience,
# response to failure, competition), with more weight on place, after East et al. 2001 (about half
# of the switching in located services is about access). Returns: Kumar, Bhagwat & Zhang 2015
# (price leavers come back more readily than service leavers).
CAUSES = (
    # internal: ours to mend
    Cause("unresolved_problem", 0.0085, 0.17, 0.08, 0.60, 0.004),
    Cause("service_rejected", 0.0080, 0.13, 0.09, 0.60, 0.004),
    Cause("staff_neglect", 0.0120, 0.12, 0.10, 0.65, 0.006),
    Cause("wrong_handling", 0.0065, 0.15, 0.10, 0.60, 0.004),
    Cause("product_quality", 0.0090, 0.14, 0.09, 0.60, 0.004),
    Cause("experience", 0.0075, 0.12, 0.11, 0.65, 0.006),
    Cause("relationship", 0.1400, 0.12, 0.10, 0.60, 0.005),
    # external
    Cause("closer_place", 0.0240, 0.16, 0.05, 0.50, 0.005),
    Cause("friends_advice", 0.0030, 0.17, 0.07, 0.60, 0.006),
    Cause("price", 0.0085, 0.13, 0.11, 0.60, 0.012),
    Cause("needs_reminding", 0.0130, 0.13, 0.09, 0.35, 0.030),
    Cause("competitor", 0.0085, 0.16, 0.08, 0.55, 0.008),
    Cause("life_change", 0.0065, 0.26, 0.01, 0.50, 0.002),
)
CODES = tuple(cause.code for cause in CAUSES)
CAUSE = {code: number for number, code in enumerate(CODES)}
INTERNAL = np.array([CAUSE[code] for code in CODES[:7]])


@dataclass(frozen=True)
class Tactic:
    """What a campaign does to a customer whom it reaches.

    Factors hold for `EFFECT_MONTHS` and are raised to the customer's responsiveness.

    Attributes:
        code: name in `campaigns.tactic`.
        leaves: factor on the chance to depart, by cause; 1 where not named.
        heals: factor on the chance that the cause passes, by cause.
        returns: factor on the chance that a departed customer comes back, by cause.
        buys: factor on the purchase rate.
        unit_cost: cost per treated customer, home currency.
        discount: discount on the coupon that comes with it, share of the price.
    """

    code: str
    leaves: dict[str, float] = field(default_factory=dict)
    heals: dict[str, float] = field(default_factory=dict)
    returns: dict[str, float] = field(default_factory=dict)
    buys: float = 1.0
    unit_cost: float = 0.0
    discount: float = 0.0


EFFECT_MONTHS = 3  # months that a treatment works; own assumption, the 90 days most tests look at

# Which treatment helps against which cause: Kumar, Bhagwat & Zhang 2015 (price offers for price
# leavers, service upgrades for service leavers); TARP (solving the problem: from 19-46% to 54-95%
# loyal, i.e. the share lost falls by about half); Gurol-Urganci et al. 2013 (reminders: attendance
# 67.8% -> 78.6%, so a third of the missed ones come); Ascarza 2018 (effects differ widely between
# customers and do not follow the risk). Purchase factors: Hillstrom's test (visits +4.5 points on
# 10.6%, conversions +0.3 points on 0.6% within two weeks, diluted here over three months).
TACTICS = (
    Tactic(
        "voucher",
        leaves={"price": 0.4, "competitor": 0.6, "closer_place": 0.8, "needs_reminding": 0.7},
        heals={"price": 2.4, "competitor": 1.6, "needs_reminding": 1.6},
        returns={"price": 6.0, "competitor": 4.0, "needs_reminding": 3.0, "closer_place": 1.8},
        buys=1.10,
        unit_cost=3.0,
        discount=0.10,
    ),
    Tactic(
        "service_call",
        leaves={
            "unresolved_problem": 0.3,
            "wrong_handling": 0.35,
            "service_rejected": 0.45,
            "staff_neglect": 0.35,
            "product_quality": 0.5,
            "experience": 0.5,
            "relationship": 0.45,
            "needs_reminding": 0.6,
        },
        heals={
            "unresolved_problem": 3.0,
            "wrong_handling": 2.6,
            "service_rejected": 2.2,
            "staff_neglect": 2.8,
            "product_quality": 2.0,
            "experience": 2.0,
            "relationship": 2.2,
            "needs_reminding": 2.0,
        },
        returns={
            "unresolved_problem": 5.0,
            "wrong_handling": 5.0,
            "service_rejected": 4.0,
            "staff_neglect": 5.0,
            "product_quality": 3.0,
            "experience": 3.0,
            "relationship": 4.0,
            "needs_reminding": 3.0,
        },
        buys=1.03,
        unit_cost=18.0,
    ),
    Tactic(
        "reminder",
        leaves={"needs_reminding": 0.35, "staff_neglect": 0.85},
        heals={"needs_reminding": 3.2, "staff_neglect": 1.2},
        returns={"needs_reminding": 5.0},
        buys=1.05,
        unit_cost=0.5,
    ),
    Tactic(
        "gift",
        leaves={"relationship": 0.70, "staff_neglect": 0.75, "friends_advice": 0.80},
        heals={"relationship": 1.4, "staff_neglect": 1.4},
        returns={"relationship": 2.0, "staff_neglect": 2.0},
        buys=1.04,
        unit_cost=12.0,
    ),
    Tactic(
        "double_points",
        leaves={"price": 0.85, "competitor": 0.85},
        heals={"price": 1.2},
        returns={"price": 1.5},
        buys=1.12,
        unit_cost=1.5,
    ),
    Tactic(
        "new_product",
        leaves={"experience": 0.90, "competitor": 0.90},
        returns={"competitor": 1.6, "product_quality": 1.6},
        buys=1.08,
        unit_cost=0.8,
    ),
)
TACTIC = {tactic.code: number for number, tactic in enumerate(TACTICS)}


@dataclass(frozen=True)
class Rates:
    """How the world works, apart from causes and tactics."""

    # -- who the customers are --
    business_share: float = 0.15  # of customers; own assumption
    service_share: float = 0.30  # of customers own something we service; given by the brief
    prospect_share: float = 0.08  # known but never ordered; own assumption
    opening_share: float = 0.22  # of customers won in the opening months, the rest evenly after
    opening_months: int = 4
    member_share: float = 0.55  # in the points programme; own assumption
    digital_share: float = 0.50  # use the app or shop account; own assumption
    referred_share: float = 0.12  # came through another customer; own assumption
    test_share: float = 0.001  # staff and test accounts; own assumption
    twin_profile_share: float = 0.01  # a second record of somebody: 1% is what well-run CRMs reach
    missing_share: float = 0.12  # of each optional profile field left empty

    # -- how they buy: gamma-distributed rates and exponential gaps (Ehrenberg's NBD; Schmittlein,
    # Morrison &
    #    Colombo 1987), less regular for persons, more for companies and serviced machines --
    retail_shape: float = 0.46  # gamma shape of the rates; Fader, Hardie & Lee 2005: CDNOW 0.55
    consumer_orders_per_year: float = 4.2
    business_orders_per_year: float = 9.0
    service_extra_orders_per_year: float = 1.0  # what service customers buy between services
    business_regularity: float = 2.0  # gamma shape of the gaps; 1 is Poisson
    service_regularity: float = 9.0
    service_intervals: tuple[int, ...] = (
        90,
        120,
        180,
        180,
        180,
        365,
    )  # days; workshops' usual ones

    # -- when causes begin --
    frailty_shape: float = 0.60  # gamma; Pareto/NBD on CDNOW: s = 0.61
    early_factor: float = 5.0  # onset in the first month against later: hazards fall with tenure
    early_months: float = 2.0  # how fast that wears off
    training_factor: float = 0.80  # on internal causes after a training; own assumption
    sleeping_dog_onset: float = (
        0.012  # per month, onset of `price` when an inert customer is sent an
    )
    #   offer: Ascarza, Iyengar & Schleicher 2016: 6% -> 10% left within three months

    # -- the company --
    customers_per_rep: int = 800
    rep_turnover: float = 0.22  # of representatives leave per year; Forbes: 20% and more
    handover_share: float = 0.55  # of leavers' customers properly handed over; own assumption
    handover_relief: float = 0.25  # factor on `relationship` where handed over: Shi et al. 2017 put
    #   the loss of an average, reassigned customer's sales at 13-18%
    contact_leaves: float = 0.04  # the same cause where our contact at a company leaves, against a
    #   representative who leaves: such months are rarer; own assumption
    price_rises: tuple[tuple[int, float], ...] = ((8, 0.05), (20, 0.08), (31, 0.06))
    #   month of the history and size; the elasticity behind it: Bijmolt et al. 2005, mean -2.62
    price_rise_months: int = 4  # months in which a rise is felt
    price_rise_factor: float = 4.5  # on the onset of `price`
    openings_per_region: float = 1.2  # competitors' openings in the whole history; own assumption
    opening_felt_months: int = 4
    #   closer_place: Singh, Hansen & Blattberg 2006: the incumbent lost 17% of volume, mostly
    #   visits

    # -- campaigns --
    campaigns_per_year: int = 9
    control_share: float = 0.20
    cooling_months: int = 4  # no second campaign within; keeps every effect window to one treatment
    reached: dict[str, float] = field(
        default_factory=lambda: {"email": 0.25, "sms": 0.70, "phone": 0.60, "wechat": 0.55}
    )  # e-mail: Mailchimp 2019, 22.7% of all accounts; the others: own assumption
    coupon_share: float = 0.45  # of the orders of a reached customer that use the coupon
    responsiveness_shape: float = 3.0  # gamma with mean 1 on the logarithm of every effect

    # -- orders --
    cancelled_share: float = 0.025  # orders cancelled on top; own assumption
    returned_share: float = 0.010  # orders sent back as a whole on top; own assumption
    return_share: float = 0.055  # of orders with a partial return. NRF 2023: 14.5% of sales value
    #   (10.0% in shops, 17.6% online), lower here as services cannot be returned
    coupon_base_share: float = 0.10  # of orders with a discount; own assumption
    late_payment_share: float = (
        0.46  # of business invoices; Atradius 2023, Asia: 46% of credit sales
    )
    late_payment_days: float = 18.0  # mean delay of the late ones; own assumption

    # -- service --
    complaint_share: float = 0.012  # of orders that lead to a complaint soon put right. TARP 1979:
    #   32.4% of households had a problem in a year, and most of the problems lasted
    question_share: float = 0.020  # of orders; own assumption
    praise_share: float = 0.004
    first_response_hours: float = 9.0  # median; own assumption
    resolution_days: float = 2.5  # median; own assumption
    csat_share: float = 0.12  # of orders followed by a satisfaction survey
    csat_response: tuple[float, float] = (0.16, 0.23)  # persons, companies; Satmetrix 2015
    nps_share: float = 0.35  # of customers asked, twice a year
    nps_response: tuple[float, float] = (0.13, 0.32)  # persons, companies; Satmetrix 2015
    revisit_per_year: float = 2.0  # by an owner of mean diligence
    follow_up_share: float = 0.30  # of contacts that promise another one
    promise_kept: float = 0.88  # of those promises where nobody neglects; own assumption
    exit_call_share: tuple[float, float] = (0.65, 0.40)  # departed customers called: with owner,
    #   without; own assumption
    note_share: float = 0.75  # of reached exit calls whose note names the reason
    feedback_share: float = 0.25  # of the departed who say why in a form; as exit surveys, B2B
    feedback_truth: float = 0.88  # of those who name the true cause
    noise_trace: float = 0.008  # per order, a trace of some cause that never befell the customer

    # -- the rest --
    point_redeem_share: float = 0.16  # of member orders that redeem all points. Colloquy 2011: one
    #   third of all points is never redeemed
    point_life_days: int = 365
    consent_share: dict[str, float] = field(
        default_factory=lambda: {"email": 0.72, "sms": 0.64, "phone": 0.58, "wechat": 0.60}
    )  # own assumption
    profiling_share: float = 0.80
    withdrawal_per_year: float = 0.05  # per channel: Mailchimp 2019, 0.25% per mailing, 20 a year
    closing_share: float = 0.35  # of those whom life takes away who withdraw every consent
    training_share: float = 0.10
    community_share: float = 0.12
    erasures_per_million_a_year: float = 250.0  # own assumption, the order of privacy reports
    least_erasures: int = 2  # in every world, so that the smallest one shows them


RATES = Rates()
