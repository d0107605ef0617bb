"""Who may not be profiled: the test over all tables knows all tables."""

from __future__ import annotations

from pipelines.dbt import manifest

TEST = "nobody_who_refused_is_profiled"

# What was done with whom, and came of it: history, which effects are computed from.
NO_PROFILE = {"activity_assignments"}


def test_every_table_about_customers_is_held_against_the_refusals() -> None:
    nodes = manifest()["nodes"]
    [test] = [node for node in nodes.values() if node["name"] == TEST]
    tested = {nodes[id]["name"] for id in test["depends_on"]["nodes"]}
    published = {
        node["name"]
        for node in nodes.values()
        if node["resource_type"] == "model"
        and "retention" in node["fqn"]
        and node["config"]["meta"].get("published")
        and "customer_id" in node["columns"]
    }
    assert "customer_churn_scores" in published
    assert published - tested == NO_PROFILE
