"""Who may not be profiled: the test over all tables knows all tables."""

from __future__ import annotations

from pipelines.tables.dbt import manifest, tables_published

TEST = "nobody_who_refused_is_profiled"

# Tables that hold facts of those who refused, and nothing that judges or foretells them: what was
# done, said, paid and promised, and what follows from it by a rule that compares with nobody.
FACTS = {
    "what they are on record as": {
        "contact_data_quality", "customer_access", "customer_contactability", "customer_xref",
        "dim_customer", "dim_customer_contact",
    },
    "what they ordered, brought back and were paid in points": {
        "customer_loyalty", "fct_loyalty_ledger", "fct_order_lines", "fct_orders", "fct_returns",
    },
    "what they and the company said to one another": {
        "customer_satisfaction", "fct_feedback", "fct_feedback_texts", "fct_interactions",
        "fct_opportunities", "fct_surveys", "fct_tickets", "journey_touches", "milestones",
    },
    "what they took part in": {"customer_engagement", "fct_community_events", "fct_trainings"},
    "whether they are still there: churn could not be counted without": {
        "customer_lifecycle", "lifecycle_history", "lifecycle_history_unit", "unit_lifecycle",
    },
    "what was done with whom, and came of it: effects are computed from it": {
        "activity_assignments"
    },
}  # fmt: skip


def test_every_table_about_customers_is_held_against_the_refusals() -> None:
    nodes = manifest()["nodes"]
    [test] = [node for node in nodes.values() if node["name"] == TEST]
    tested = {nodes[id]["name"] for id in test["depends_on"]["nodes"]}
    published = {
        node["name"]
        for node in tables_published()
        if node["resource_type"] == "model" and "customer_id" in node["columns"]
    }
    facts = set().union(*FACTS.values())
    assert "customer_churn_scores" in published
    assert published - tested == facts
    assert not facts & tested
