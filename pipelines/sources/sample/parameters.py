"""The numbers that decide who buys, leaves, returns and answers, and where they come from.

Two kinds: `Scale` is what a caller may ask for; `CAUSES`, `TACTICS` and `RATES` are how the world
works, and the truth holds them, too (`parameters.json`). Sources are named in short and given in
full in docs/sample-company.md. "Own assumption" means that no published figure was found; such a
number is a guess about a mid-sized service company and nothing more. None of them is tuned to make
a model look good: they are tuned to nothing but the real order files, in
tests/code/test_sample_realism.py.

Elsewhere, beside the code that uses them, stand numbers that give customers, products and records
their looks: how traits are spread (customers.py), prices and batches of products (company.py), how
often a cause leaves which trace (traces.py), hours, amounts and wordings. They are own assumptions,
all of them.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace

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
        revisited_leaves, revisited_returns: factors on these chances in a month in which a
            representative calls: he works like a light service call. Own assumptions.
    """

    code: str
    onset: float
    leaves: float
    heals: float
    slows: float
    returns: float
    revisited_leaves: float = 0.93
    revisited_returns: float = 1.4


# Shares that depart in the end, from what customers answered after a problem of more than 100
# dollars / of 1 to 5 dollars (TARP): silent 9 / 37% loyal, complained and unsatisfied 19 / 46%,
# satisfied 54 / 70%, satisfied quickly 82 / 95%. Frequency: Keaveney 1995 (core failures first,
# price, place, encounters, answers to failure, competition), competition higher after Newby & Ward
# 2009.
# Returns: Kumar, Bhagwat & Zhang 2015 (who left for the price returns more readily than who left
# for the service). How long a cause lasts, some four months, is an own assumption.
CAUSES = (
    # internal: ours to mend
    Cause("unresolved_problem", 0.0085, 0.17, 0.08, 0.60, 0.004),
    Cause("service_rejected", 0.0080, 0.13, 0.09, 0.60, 0.004),
    Cause("staff_neglect", 0.0120, 0.12, 0.10, 0.65, 0.006, revisited_leaves=0.75),
    Cause("wrong_handling", 0.0065, 0.15, 0.10, 0.60, 0.004),
    Cause("product_quality", 0.0090, 0.14, 0.09, 0.60, 0.004),
    Cause("experience", 0.0075, 0.12, 0.11, 0.65, 0.006),
    Cause("relationship", 0.1400, 0.12, 0.10, 0.60, 0.005),
    # external
    Cause("closer_place", 0.0240, 0.16, 0.05, 0.50, 0.005),
    Cause("friends_advice", 0.0030, 0.17, 0.07, 0.60, 0.006),
    Cause("price", 0.0085, 0.13, 0.11, 0.60, 0.012),
    Cause(
        "needs_reminding", 0.0130, 0.13, 0.09, 0.35, 0.030,
        revisited_leaves=0.75, revisited_returns=2.5,
    ),
    Cause("competitor", 0.0085, 0.16, 0.08, 0.55, 0.008),
    Cause("life_change", 0.0065, 0.26, 0.01, 0.50, 0.002),
)  # fmt: skip
CODES = tuple(cause.code for cause in CAUSES)
CAUSE = {code: number for number, code in enumerate(CODES)}
INTERNAL = np.array([CAUSE[code] for code in CODES[:7]])


@dataclass(frozen=True)
class Tactic:
    """What a campaign does to a customer whom it reaches.

    Factors hold for its months and are raised to the customer's responsiveness.

    Attributes:
        code: name in `campaigns.tactic`.
        leaves: factor on the chance to depart, by cause; 1 where not named.
        heals: factor on the chance that the cause passes, by cause.
        returns: factor on the chance that a departed customer comes back, by cause.
        buys: factor on the purchase rate.
        works: months for which it works.
        unit_cost: cost per treated customer, home currency.
        discount: discount on the coupon that comes with it, share of the price.
        disturbs: whether it makes the inert think of leaving (`Rates.sleeping_dog_onset`): offers
            do, services and gifts do not. Which tactics are offers is an own assumption.
    """

    code: str
    leaves: dict[str, float] = field(default_factory=dict)
    heals: dict[str, float] = field(default_factory=dict)
    returns: dict[str, float] = field(default_factory=dict)
    buys: float = 1.0
    works: int = 3  # own assumption, the 90 days most tests look at
    unit_cost: float = 0.0
    discount: float = 0.0
    disturbs: bool = False

    def weaker(self, code: str, discount: float, unit_cost: float) -> Tactic:
        """The same for less money: its effects, as logarithms, in proportion to the discount."""
        share = discount / self.discount

        def less(factors: dict[str, float]) -> dict[str, float]:
            return {cause: factor**share for cause, factor in factors.items()}

        return replace(
            self, code=code, discount=discount, unit_cost=unit_cost, buys=self.buys**share,
            disturbs=False,  # credit for an order disturbs nobody
            leaves=less(self.leaves), heals=less(self.heals), returns=less(self.returns),
        )  # fmt: skip


# Which treatment helps against which cause: Kumar, Bhagwat & Zhang 2015 (a price offer for who
# left for the price, a better service for who left for the service); TARP (solving the problem fast
# takes the share lost from 54-81% to 5-18%, solving it at all to 30-46%); Youssef 2014 and Lin & Wu
# 2014 (reminders: a third fewer missed appointments; odds ratio 1.76 by SMS, 2.09 by telephone).
# Purchase factors: Hillstrom's test, visits 10.6% -> 15.1% and buyers 0.61% -> 0.88% within two
# weeks, diluted here over three months.
VOUCHER = Tactic(
    "voucher",
    leaves={"price": 0.4, "competitor": 0.6, "closer_place": 0.8, "needs_reminding": 0.7},
    heals={"price": 2.4, "competitor": 1.6, "needs_reminding": 1.6},
    returns={"price": 6.0, "competitor": 4.0, "needs_reminding": 3.0, "closer_place": 1.8},
    buys=1.10,
    unit_cost=3.0,
    discount=0.10,
    disturbs=True,
)
TACTICS = (
    VOUCHER,
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
        disturbs=True,
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
        disturbs=True,
    ),
    # Offers to do what the company does anyway, to some drawn by lot: what a revisit and a training
    # change stands where they are lived (fates.py), for those who come by them unasked as well.
    Tactic("revisit_drive", works=0, unit_cost=9.0),
    Tactic("training_invitation", works=0, unit_cost=15.0),
    # A share of the order back as credit, the first and the second step of the ladder.
    VOUCHER.weaker("reward_step_1", discount=0.05, unit_cost=0.5),
    VOUCHER.weaker("reward_step_2", discount=0.08, unit_cost=0.5),
)
TACTIC = {tactic.code: number for number, tactic in enumerate(TACTICS)}


@dataclass(frozen=True)
class Rates:
    """How the world works, apart from causes and tactics.

    A comment says what is meant, in which unit, and the source; where it names none, the figure
    is an own assumption.
    """

    # Who the customers are: shares of all customers.
    business_share: float = 0.15
    service_share: float = 0.30  # own something that we service
    prospect_share: float = 0.08  # known, but never ordered
    member_share: float = 0.55  # take part in the points programme
    digital_share: float = 0.50  # use the app or the shop account
    referred_share: float = 0.12  # came through another customer
    test_share: float = 0.001  # staff and test accounts
    # A second record of the same person: the 1% that companies with a duplicate policy reach.
    double_record_share: float = 0.01
    missing_share: float = 0.12  # of each optional profile field
    # Contact data that cannot be right, and telephone numbers that lead nowhere among the customers
    # of representatives who left without handing over.
    contact_fault_share: float = 0.02
    deserted_fault_share: float = 0.08
    # Won in the opening months; the others are won as evenly as days are busy.
    opening_share: float = 0.22
    opening_months: int = 4

    # How they buy: rates gamma-distributed over customers, gaps exponential or more regular
    # (Schmittlein, Morrison & Colombo 1987). Shape: Fader, Hardie & Lee 2005 find 0.55 for CDNOW
    # (Pareto/NBD); ours and the rates were set by the real files' repeat share and gap spread.
    retail_shape: float = 0.46
    consumer_orders_per_year: float = 4.2
    business_orders_per_year: float = 9.0
    service_extra_orders_per_year: float = 1.0  # what service customers buy between services
    business_regularity: float = 2.0  # gamma shape of the gaps; 1 is Poisson
    service_regularity: float = 9.0
    service_intervals: tuple[int, ...] = (90, 120, 180, 180, 180, 365)  # days, one drawn

    # When causes begin. Frailty: the Pareto/NBD's dropout heterogeneity on CDNOW is s = 0.61.
    frailty_shape: float = 0.60
    # Onset in the first month against later ones, and the months in which that wears off: one-time
    # buyers are most of those who leave. Set by the real files' repeat share.
    early_factor: float = 5.0
    early_months: float = 2.0
    training_factor: float = 0.80  # on internal causes once trained
    # Onset of `price` per month in an inert customer who is sent an offer: Ascarza, Iyengar &
    # Schleicher 2016, where 10% left within three months after an offer, 6% without.
    sleeping_dog_onset: float = 0.030

    # Circumstances: factors on the onset of the causes that they invite, all of them own
    # assumptions. Pairs are those of the customers concerned and of all others, or limits.
    # More business, more that can go wrong: by orders per busy month.
    exposure_at_rest: float = 0.45
    exposure_per_order: float = 0.45
    exposure_limits: tuple[float, float] = (0.45, 1.6)
    experience_if_digital: tuple[float, float] = (1.3, 0.7)
    service_rejected_if_service: tuple[float, float] = (1.7, 0.7)
    diligence_limits: tuple[float, float] = (0.3, 3.0)  # staff_neglect is divided by it
    lost_rep_days: tuple[float, float] = (-30.0, 90.0)  # after the departure, felt as relationship
    # closer_place: in regions without a lately opened competitor, what an opening adds, and the
    # distance (km) at which the factor of distance is 1.
    closer_place_at_rest: float = 0.10
    closer_place_opening: float = 1.0
    closer_place_distance: float = 9.0
    closer_place_distance_limits: tuple[float, float] = (0.2, 3.0)
    friends_advice_at_rest: float = 0.3
    friends_advice_if_left: float = 40.0  # added where the referrer left lately
    price_per_sensitivity: float = 2.0
    price_at_rest: float = 0.6  # where no rise is felt
    needs_reminding_per_forgetfulness: float = 3.0
    needs_reminding_if_service: tuple[float, float] = (1.6, 0.8)
    competitor_if_business: tuple[float, float] = (1.8, 0.85)
    # Chance per month that anything begins at all, which keeps the sum of causes a chance; and the
    # part of its month in which a cause begins, so that it can be seen.
    most_onset: float = 0.6
    onset_part_of_month: float = 0.5

    # The company.
    customers_per_rep: int = 800
    # Of representatives leave per year: 20% and more, Forbes after Schmitz et al. 2019.
    rep_turnover: float = 0.22
    handover_share: float = 0.55  # of leavers hand their customers over
    # Factor on the onset of `relationship` where they do: Shi et al. 2017 put the loss of sales of
    # reassigned customers at 13-18%.
    handover_relief: float = 0.25
    # The same cause where our contact at a business customer leaves, against our representative.
    contact_leaves: float = 0.04
    # Month of the history and size of each price rise, the months it is felt, and the factor on
    # the onset of `price`. Mean price elasticity: -2.62, Bijmolt, van Heerde & Pieters 2005.
    price_rises: tuple[tuple[int, float], ...] = ((8, 0.05), (20, 0.08), (31, 0.06))
    price_rise_months: int = 4
    price_rise_factor: float = 4.5
    # Competitors that open per region in the whole history, and the months it is felt: the
    # incumbent lost 17% of volume, mostly visits, in Singh, Hansen & Blattberg 2006.
    openings_per_region: float = 1.2
    opening_felt_months: int = 4

    # Campaigns.
    campaigns_per_year: int = 13
    control_share: float = 0.20
    # No second campaign within these months, so that a window of effect has but one treatment.
    cooling_months: int = 4
    open_to_all_share: float = 0.12  # of buyers, let into retain campaigns whatever their silence
    training_after_days: float = 14.0  # from the invitation to the course
    # Chance that a message arrives. E-mail: 22.7% opened, Mailchimp 2019.
    reached: dict[str, float] = field(
        default_factory=lambda: {"email": 0.25, "sms": 0.70, "phone": 0.60, "wechat": 0.55}
    )
    coupon_share: float = 0.45  # of the orders of reached customers that use the coupon
    # Gamma shape, mean 1, of the customer's factor on the logarithm of every effect: effects
    # differ widely between customers, Ascarza 2018.
    responsiveness_shape: float = 3.0

    # Orders: shares of the completed ones. Part returns: NRF 2023, 14.5% of sales (shops 10.0%,
    # online 17.6%); by value half of that here, because services cannot be returned.
    cancelled_share: float = 0.025  # on top
    returned_share: float = 0.030  # on top, sent back whole
    return_share: float = 0.12  # one line sent back
    coupon_base_share: float = 0.10  # with a discount, outside campaigns
    # Business invoices paid late, 46% in Asia (Atradius 2023), and by how many days on average.
    late_payment_share: float = 0.46
    late_payment_days: float = 18.0

    # Service. Complaints soon put right, shares of orders: 32.4% of households had a problem in a
    # year (US Office of Consumer Affairs 1979); those that last are causes.
    complaint_share: float = 0.012
    question_share: float = 0.020
    praise_share: float = 0.004
    noise_trace: float = 0.008  # a trace of some cause that never befell the customer
    first_response_hours: float = 9.0  # median
    resolution_days: float = 2.5  # median
    # Surveys: shares sent and answered by persons and by companies. Answers: Satmetrix 2015, 16%
    # and 23% after a transaction, 13% and 32% about the relationship.
    csat_share: float = 0.12  # of orders
    csat_response: tuple[float, float] = (0.16, 0.23)
    nps_share: float = 0.35  # of customers, twice a year
    nps_response: tuple[float, float] = (0.13, 0.32)
    # Representatives.
    revisit_per_year: float = 2.0  # by one of mean diligence; business customers twice as often
    follow_up_share: float = 0.30  # of contacts that promise another one
    promise_kept: float = 0.88  # of those promises, where nobody neglects
    # Departed customers who are called, with and without a representative; notes that name the
    # reason, of the calls that reach; forms filled in, and those that name the true cause.
    exit_call_share: tuple[float, float] = (0.65, 0.40)
    note_share: float = 0.75
    feedback_share: float = 0.25
    feedback_truth: float = 0.88

    # Points: orders of members that redeem the whole balance, and the days points live. A third
    # of all points is never redeemed, Colloquy 2011.
    point_redeem_share: float = 0.16
    point_life_days: int = 365
    # Consents at the start, and withdrawals per channel and year: 0.25% per mailing, Mailchimp
    # 2019, at twenty mailings.
    consent_share: dict[str, float] = field(
        default_factory=lambda: {"email": 0.72, "sms": 0.64, "phone": 0.58, "wechat": 0.60}
    )
    profiling_share: float = 0.80
    withdrawal_per_year: float = 0.05
    closing_share: float = 0.35  # of those whom life takes away: withdraw everything
    training_share: float = 0.10
    community_share: float = 0.12
    erasures_per_million_a_year: float = 250.0
    least_erasures: int = 2  # so that the smallest company has some


RATES = Rates()
