"""What each cause leaves behind in the tables: the evidence a reason is inferred from.

A trace is left while the cause lasts, whether or not the customer leaves in the end, and some
traces appear without a cause (`Rates.noise_trace` and the ordinary questions and complaints). All
shares are own assumptions; they stand for a company that records most, not all, of what it hears.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines.sources.sample.parameters import CODES

TICKET_KINDS = ("complaint", "question", "suggestion", "praise")
COMPLAINT, QUESTION, SUGGESTION, PRAISE = range(4)

# How a ticket goes on: open for long; settled against the customer; explained away; put right.
OPEN, MISHANDLED, EXPLAINED, PUT_RIGHT = range(4)


@dataclass(frozen=True)
class TicketTrace:
    """A ticket that a cause may lead to.

    Attributes:
        share: of the causes that lead to one.
        kind: kind of ticket.
        categories: one of which it is filed under.
        course: how it goes on.
        found: the cause that the handler enters.
    """

    share: float
    kind: int
    categories: tuple[str, ...]
    course: int
    found: str


TICKETS = {
    "unresolved_problem": TicketTrace(
        0.93, COMPLAINT, ("product", "delivery", "billing", "service"), OPEN, "unclear"
    ),
    "wrong_handling": TicketTrace(
        0.92, COMPLAINT, ("product", "delivery", "billing", "service"), MISHANDLED, "handling"
    ),
    "service_rejected": TicketTrace(0.72, COMPLAINT, ("service",), EXPLAINED, "workmanship"),
    "staff_neglect": TicketTrace(0.40, COMPLAINT, ("staff",), EXPLAINED, "staff"),
    "product_quality": TicketTrace(0.60, COMPLAINT, ("product",), PUT_RIGHT, "product_defect"),
    "experience": TicketTrace(
        0.78, COMPLAINT, ("website", "waiting_time", "delivery"), EXPLAINED, "process"
    ),
    "relationship": TicketTrace(0.30, SUGGESTION, ("contact_person",), EXPLAINED, "contact_person"),
    "closer_place": TicketTrace(0.72, QUESTION, ("location",), PUT_RIGHT, "location"),
    "price": TicketTrace(0.76, QUESTION, ("price",), PUT_RIGHT, "price"),
    "needs_reminding": TicketTrace(0.62, QUESTION, ("next_service",), PUT_RIGHT, "information"),
    "competitor": TicketTrace(0.74, QUESTION, ("competitor_offer",), PUT_RIGHT, "competitor"),
    "life_change": TicketTrace(0.45, QUESTION, ("address_change",), PUT_RIGHT, "information"),
    "friends_advice": TicketTrace(0.55, SUGGESTION, ("recommendation",), PUT_RIGHT, "comparison"),
}
# What customers ask and complain about without any of the causes being at work.
ORDINARY_QUESTIONS = (
    ("usage", 0.34), ("delivery", 0.26), ("stock", 0.18), ("billing", 0.12), ("price", 0.02),
    ("location", 0.02), ("next_service", 0.02), ("competitor_offer", 0.005),
)  # fmt: skip
ORDINARY_COMPLAINTS = (
    ("product", 0.34), ("delivery", 0.28), ("billing", 0.16), ("service", 0.10), ("website", 0.08),
    ("staff", 0.04),
)  # fmt: skip

# Topic a dissatisfied customer names in a survey; the last two leave without a grudge.
TOPICS = {
    "unresolved_problem": "open_problem",
    "service_rejected": "service",
    "staff_neglect": "staff",
    "wrong_handling": "complaint_handling",
    "product_quality": "product_quality",
    "experience": "experience",
    "relationship": "contact_person",
    "closer_place": "location",
    "friends_advice": "recommendation",
    "price": "price",
    "competitor": "competitor",
    "needs_reminding": "none",
    "life_change": "none",
}
TOPIC_SHARE = 0.85  # of the dissatisfied who name what it is about
ORDINARY_TOPICS = ("service", "product_quality", "price", "experience", "staff", "none")

# What a representative writes down when told the reason; {} takes a competitor's name.
NOTES = {
    "unresolved_problem": ("问题一直没有解决", "problem still not solved"),
    "service_rejected": ("不认可我们的服务", "does not accept our service"),
    "staff_neglect": ("没有人跟进, 服务不到位", "nobody followed up"),
    "wrong_handling": ("投诉处理不当", "complaint handled badly"),
    "product_quality": ("产品质量问题", "product quality issue"),
    "experience": ("体验不好, 等待太久", "poor experience, waited too long"),
    "relationship": ("原来的联系人离职了", "their contact person has left"),
    "closer_place": ("附近新开了一家, 更方便", "another shop nearby is closer"),
    "friends_advice": ("朋友推荐了别家", "a friend recommended another shop"),
    "price": ("觉得价格太贵", "finds it too expensive"),
    "needs_reminding": ("忘记了, 需要提醒", "forgot, wants to be reminded"),
    "competitor": ("转到竞争对手 {}", "moved to competitor {}"),
    "life_change": ("搬家/卖车, 不再需要", "moved away or sold the car"),
}
ORDINARY_NOTES = ("一切正常", "客户满意", "all fine", "已问候", "asked about opening hours")


def table_of(values: dict[str, float]) -> npt.NDArray[np.float64]:
    """Numbers by cause as an array, 0 where not named, with a last 0 for NONE."""
    return np.array([values.get(code, 0.0) for code in CODES] + [0.0])


# Direct traces outside tickets, surveys and notes.
DEFECTIVE_RETURN = 0.80  # product_quality: sends something back as defective
MISSED_PROMISE = 0.90  # staff_neglect: a promised follow-up did not come
REFUSED_SERVICE = 0.55  # service_rejected, service customers: refuses the work when handed over
REFUSED_CONTACT = 0.60  # relationship: does not want to speak to the new person
LOST_QUOTE = table_of({"competitor": 0.75, "price": 0.55})  # business customers: a quote lost
LATE_BEFORE = 0.55  # needs_reminding: answers no call, as people who forget do
