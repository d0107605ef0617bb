"""Third border: what people are about to act on.

A wrong list costs more than a missing one: a customer who objected is called, a control group is
treated, a budget is spent twice. Whatever is in doubt here is not published.
"""

from __future__ import annotations

from checks.suite import (
    Check,
    Suite,
    is_one_of,
    is_present,
    is_unique,
    lies_between,
)

# Days between the day of the run and the day a score was made: as long as a weekly rhythm of
# calling, after which the customer is another one.
MAX_SCORE_AGE_DAYS = 7

# Share of a list's rows in control. Without any, no effect can be measured; with more than half,
# the list serves the measurement and not the customers.
MIN_CONTROL_SHARE = 0.01
MAX_CONTROL_SHARE = 0.50

# Rows of a list: in a shorter one the control share is a matter of luck.
MIN_ROWS_FOR_CONTROL_SHARE = 100

# Rows over those of the list published before, and rows below which a factor means nothing.
MIN_LIST_RATIO = 0.1
MAX_LIST_RATIO = 10.0
MIN_ROWS_FOR_LIST_RATIO = 20

SCORE_KINDS = ("model", "baseline", "rule")
ARMS = ("treatment", "control")

# Why a customer may be contacted: consent on the channel, none kept by the source (the shop then
# answers for it), or none needed for a duty. Whoever did not consent is suppressed.
CONSENT_STATES = ("granted", "not_supplied", "not_needed")

_DEFECT = "This is a defect of the SQL in dbt_project/models/retention, not of the data."
_SCORING = "See the step that scores (pipelines/defs/scoring.py, models/): this is a defect."

SCORES = Suite(
    name="outputs_scores",
    table="customer_churn_scores",
    place="sampled rows of customer_churn_scores",
    personal=frozenset({"customer_id"}),
    checks=(
        Check(
            "scored_customers_occur_once",
            is_unique("customer_id"),
            expected="every customer to be scored once",
            remedy=_SCORING,
        ),
        Check(
            "churn_probability_is_known",
            is_present("churn_probability"),
            expected="every scored customer to have a churn probability",
            remedy=_SCORING,
        ),
        Check(
            "churn_probability_is_a_probability",
            lies_between("churn_probability", 0, 1),
            expected="every churn probability to lie between 0 and 1",
            remedy=_SCORING,
        ),
        Check(
            "score_kind_is_known",
            is_one_of("score_kind", *SCORE_KINDS),
            expected=f"every score to be one of {', '.join(SCORE_KINDS)}",
            remedy=_SCORING,
        ),
        Check(
            "scores_are_fresh",
            lies_between("score_age_days", 0, MAX_SCORE_AGE_DAYS),
            expected=f"every score to be at most {MAX_SCORE_AGE_DAYS} days old, and not from later",
            remedy="Run the scoring for this day again before its lists are built.",
        ),
    ),
)

SCORED = Suite(
    name="outputs_scored",
    table="customer_churn_scores",
    place="customer_churn_scores",
    figures=True,
    checks=(
        Check(
            "everyone_is_scored",
            is_one_of("customers_without_score", 0),
            expected="a score for every customer of the day's features who may be profiled",
            remedy=_SCORING,
        ),
        Check(
            "scores_tell_customers_apart",
            lies_between("different_scores", low=2),
            expected="scores that are not all equal",
            remedy=(
                "The model has learnt nothing: see `model_evaluations`, and go back to the "
                "champion before it if there was one."
            ),
            severity="warn",
            where="customers >= 2",
        ),
    ),
)

LISTS = Suite(
    name="outputs_lists",
    table="retention_list",
    place="retention_list",
    figures=True,
    labels=("list_code",),
    checks=(
        Check(
            "no_suppressed_customer_is_listed",
            is_one_of("suppressed_customers", 0),
            expected="no customer on a list who is suppressed from it, or from all",
            remedy=_DEFECT,
        ),
        Check(
            "consents_are_on_record",
            is_one_of("unproven_consents", 0),
            expected="every consent that a list relies on to be the customer's last word on it",
            remedy=_DEFECT,
        ),
        Check(
            "listed_customers_are_known",
            is_one_of("unknown_customers", 0),
            expected="every customer on a list to be in dim_customer",
            remedy=_DEFECT,
        ),
        Check(
            "customers_are_listed_once",
            is_one_of("repeated_customers", 0),
            expected="every customer at most once on a list",
            remedy=_DEFECT,
        ),
        Check(
            "ranks_are_dense",
            is_one_of("ranks_astray", 0),
            expected="the ranks 1 to n of a list of n rows, each once",
            remedy=_DEFECT,
        ),
        Check(
            "control_share_is_plausible",
            lies_between("control_share", MIN_CONTROL_SHARE, MAX_CONTROL_SHARE),
            expected=(
                f"between {MIN_CONTROL_SHARE:.0%} and {MAX_CONTROL_SHARE:.0%} of a list to be "
                "held out as control"
            ),
            remedy="See the control share among the dbt vars; without control no effect is known.",
            severity="warn",
            where=f"has_holdout == True and rows_listed >= {MIN_ROWS_FOR_CONTROL_SHARE}",
        ),
    ),
)

LIST_ROWS = Suite(
    name="outputs_list_rows",
    table="retention_list",
    place="sampled rows of retention_list",
    personal=frozenset({"customer_id", "list_row_id"}),
    checks=(
        Check(
            "list_rows_name_a_customer",
            is_present("customer_id"),
            expected="every row of a list to name its customer",
            remedy=_DEFECT,
        ),
        Check(
            "list_row_ids_are_given",
            is_present("list_row_id"),
            expected="every row of a list to have an identifier",
            remedy=_DEFECT,
        ),
        Check(
            "list_row_ids_are_unique",
            is_unique("list_row_id"),
            expected="every list_row_id to occur once",
            remedy=_DEFECT,
        ),
        Check(
            "lists_are_of_the_day",
            is_one_of("days_from_as_of", 0),
            expected="every row of a list to be of the day of the run",
            remedy=_DEFECT,
        ),
        Check(
            "arms_are_known",
            is_one_of("arm", *ARMS),
            expected=f"every row of a list to be {' or '.join(ARMS)}",
            remedy=_DEFECT,
        ),
        Check(
            "arms_are_assigned",
            is_present("arm"),
            expected="every row of a list to be assigned to an arm",
            remedy=_DEFECT,
        ),
        Check(
            "list_rows_have_consent",
            is_one_of("consent_state", *CONSENT_STATES),
            expected=f"the consent of every row of a list to be {' or '.join(CONSENT_STATES)}",
            remedy=_DEFECT,
        ),
        Check(
            "consents_were_asked_for",
            is_present("consent_state"),
            expected="every row of a list to say why the customer may be contacted",
            remedy=_DEFECT,
        ),
        Check(
            "ranks_have_a_reason",
            is_present("rank_value"),
            expected="every row of a list to have the figure that it is ranked by",
            remedy=_DEFECT,
        ),
        Check(
            "priorities_are_known",
            is_present("priority"),
            expected="every row of a list that is about profit to have a priority",
            remedy=_DEFECT,
            where="is_about_profit == True",
        ),
        Check(
            "list_probabilities_are_known",
            is_present("probability"),
            expected="every row of a list to have the probability that the list is about",
            remedy=_DEFECT,
            where="is_about_profit == True",
        ),
        Check(
            "duties_have_no_control",
            is_one_of("is_duty_held_out", False),
            expected="no duty to be held out: it is owed to whoever is on the list",
            remedy=_DEFECT,
        ),
        Check(
            "list_probability_is_a_probability",
            lies_between("probability", 0, 1),
            expected="every probability on a list to lie between 0 and 1",
            remedy=_DEFECT,
        ),
        Check(
            "list_scores_are_fresh",
            lies_between("score_age_days", 0, MAX_SCORE_AGE_DAYS),
            expected=f"every score on a list to be at most {MAX_SCORE_AGE_DAYS} days old",
            remedy="Run the scoring for this day again before its lists are built.",
        ),
    ),
)

SUPPRESSED = Suite(
    name="outputs_suppressed",
    table="retention_list_suppressed",
    place="sampled rows of retention_list_suppressed",
    checks=(
        Check(
            "suppressions_name_a_rule",
            is_present("rule"),
            expected="every suppressed customer to come with the rule that held",
            remedy=_DEFECT,
        ),
    ),
)

CONSENTS = Suite(
    name="outputs_consents",
    table="consent_freshness",
    place="consent_freshness",
    figures=True,
    labels=("situation",),
    checks=(
        Check(
            "consents_are_fresh",
            is_one_of("may_publish", True),
            expected="consents delivered in time, where the source keeps any",
            remedy=(
                "Deliver `consents` up to the day of the run: without them nobody knows who may "
                "still be contacted. The dbt var consent_max_age_days says what is in time."
            ),
        ),
    ),
)

RELEASE = Suite(
    name="outputs_release",
    table="retention_list",
    place="retention_list as a whole",
    figures=True,
    checks=(
        Check(
            "lists_did_not_empty",
            is_one_of("emptied", False),
            expected="somebody on the lists, as there was on those published before",
            remedy=(
                "`retention_list_suppressed` says who was kept off and why; publish anyway only "
                "where nobody is right."
            ),
            may_be_allowed=True,
        ),
        Check(
            "lists_are_as_long_as_usual",
            lies_between("length_ratio", MIN_LIST_RATIO, MAX_LIST_RATIO),
            expected=(
                f"between {MIN_LIST_RATIO:g} and {MAX_LIST_RATIO:g} times the rows of the lists "
                "published before"
            ),
            remedy="See `lifecycle_transitions` and `retention_list_suppressed` for what changed.",
            severity="warn",
        ),
    ),
)

SUITES = (SCORES, SCORED, LISTS, LIST_ROWS, SUPPRESSED, CONSENTS, RELEASE)
