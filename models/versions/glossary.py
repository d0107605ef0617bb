"""What the names on a card mean, each in one sentence for people who do not make models.

Metrics and columns by the names that the figures have, candidates by their roles. A name that
is not here explains itself, or is not for people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

METRICS: Final = {
    "auc": "chance that of two customers, one whom it happens to and one whom not, the first was "
    "given the higher probability: .5 is guessing, 1 is perfect",
    "average_precision": "of those at the top of the order, how many it happens to, averaged over "
    "all lengths of the list: guessing gives their share of all, 1 is perfect",
    "log_loss": "penalty for probabilities that were far from what came, a sure error costs most: "
    "less is better",
    "levelled_log_loss": "log-loss once everybody's level is set to what came: how well customers "
    "are told apart, whatever the season did; less is better",
    "brier": "mean squared distance between probability and what came: less is better",
    "lift_at_10": "how many times as many as on average it happens to among the tenth with the "
    "highest probabilities",
    "ece": "by how much stated probabilities and shares that came differ on average: 0 is exact",
    "ece_by_chance": "what ece would be by chance alone, had the statement been right",
    "level_error": "distance between the mean probability and the share that came",
    "mae": "by how much the stated amount is off on average, up or down: less is better",
    "mae_of_typical": "by how much the amount typical for one customer, which the few large ones "
    "do not move, is off on average",
    "mae_days": "by how many days the stated day is off on average: less is better",
    "median_error_days": "by how many days half of the stated days are off at most",
    "median_interval_days": "days from the earlier to the later end of the interval, for half of "
    "the customers at most",
    "coverage_80": "share of orders that came within the interval that is to hold 80% of them",
    "rmse": "the error of amounts with large ones counted more (root of the mean square)",
    "poisson_deviance": "penalty for amounts far from what came, in proportion to their size: less "
    "is better, and least for a right mean",
    "spearman": "how well customers are put in order: 0 is chance, 1 is the very order that came",
    "total_ratio": "the total stated over the total that came: 1 is right",
    "kept_per_member": "customers kept who would not have stayed, by member of past campaigns, had "
    "the choice decided who is contacted",
    "profit_per_member": "profit won less what contacting costs, by member of past campaigns",
    "n": "customers that it was judged on",
    "named": "customers for whom a day is named",
    "positives": "customers judged whom it happened to",
}
COLUMNS: Final = {
    "best_baseline": "the candidate other than what is served that was best on these customers",
    "gain": "by how much the log-loss served (of amounts: the mean error) is smaller than that of "
    "the best baseline; below 0 the baseline was better",
    "observed": "the share (of amounts: the mean) that came",
    "stated": "the share (of amounts: the mean) that was stated before",
    "chance_lower": "with chance_upper: where what came lies in 95% of cases if the statement is "
    "right",
    "assumed_rise": "by how much acting was assumed to raise the share that orders",
    "assumed_effect": "share of those leaving that acting was assumed to keep",
    "rise": "by how much acting raised the share that orders, against those held out by lot",
    "factor": "what was measured over what was assumed, drawn to what the other tactics showed",
    "lists_count_on": "the rise that lists about money reckon with",
    "against_assumed": "whether measured and assumed can be told apart, chance considered",
    "against_lists": "whether measured and reckoned with can be told apart, chance considered",
    "held_out": "customers whom the lot left alone, so that there is something to compare with",
    "treated": "customers who were contacted",
}
ROLES: Final = {
    "challenger": "the model of this training",
    "champion": "the version served before",
    "recency": "how long ago the last order was, and nothing else",
    "logistic": "a logistic regression on the same features",
    "bg_nbd": "the purchase model of Fader, Hardie and Lee (2005): who orders how often, and who "
    "left, after an order",
    "pareto_nbd": "the purchase model of Schmittlein, Morrison and Colombo (1987): who orders how "
    "often, and who left, at any time",
    "gamma_gamma": "BG/NBD times what an order earns, drawn to what others earn",
    "pareto_gamma_gamma": "Pareto/NBD times what an order earns, drawn to what others earn",
    "rates": "the share that came back of those as long gone who had ordered as often",
    "interval": "the customer's usual interval after the last order",
    "expected_profit": "contact whom it is expected to pay for, best first",
    "churn_risk": "contact those most likely to leave",
    "random": "contact by lot",
    "everybody": "contact all",
    "nobody": "contact none",
}


def explained(names: Iterable[str]) -> dict[str, str]:
    """The sentences of those names that have one, in their order."""
    terms = METRICS | COLUMNS | ROLES
    return {name: terms[name] for name in dict.fromkeys(names) if name in terms}
