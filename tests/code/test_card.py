"""The card as a page: one file, all that it holds, nothing that is not there, the same bytes."""

from __future__ import annotations

import json
import re

from models.versions.card import Card
from models.versions.plots import Plot

PLOT = Plot("Calibration", "stated", "seen", {"trees": ([0.1, 0.5], [0.2, None])}, "as stated")


def _card() -> Card:
    return Card(
        title="Return of lost customers",
        purpose="Probability that a lost customer orders <again> within 90 days.",
        decision="The trees are served.",
        windows={"test": "2026-03-31", "growing": ["2025-01-31", "2025-02-28"]},
        metrics={
            "trees": {"auc": (0.81234, 0.8, 0.82), "n": (1200.0, None, None)},
            "recency": {"auc": (0.7, 0.69, 0.71), "ece": (None, None, None)},
        },
        served_role="trees",
        by_segment=[
            {"division": "region", "segment": "north & south", "customers": 12345}
            | {"gain": 0.25, "gain_lower": 0.125, "gain_upper": None}
        ],
        plots=[PLOT],
        drivers={"recency_days": 0.6, "orders": 0.4},
        failures=["region north: recency predicts them better."],
        limits=["Associations, not causes."],
        parameters={"eta": 0.05, "seed": 20260630, "threads": 1},
        libraries={"xgboost": "3.2.0"},
        reproduce=["make run"],
        facts={"for_machines": "unseen"},
    )


def test_a_page_shows_all_of_its_card_and_asks_for_nothing_else():
    page = _card().page("2026-06-30.0123456789ab").decode()
    for shown in (
        "2026-06-30.0123456789ab", "orders &lt;again&gt; within", "The trees are served.",
        "2025-01-31, 2025-02-28", "0.8123", "0.8 to 0.82", "1,200", "north &amp; south", "12,345",
        "0.25 (0.125 to -)", "20260630",
        "<svg", "recency_days", "60.0%", "region north: recency predicts", "0.05", "3.2.0",
        "Associations, not causes.", "make run",
    ):  # fmt: skip
        assert shown in page, shown
    assert '<td class="number served">0.8123' in page
    assert '<td class="number">0.7' in page
    assert "unseen" not in page
    # Names of XML schemas are no addresses to load from.
    assert not re.search(r'(src|href)="?http|<script|<link|@import', page)


def test_what_a_card_does_not_have_is_not_on_its_page():
    page = Card("Rule", "Overdue customers are churning.").page("2026-06-30.0123456789ab").decode()
    assert "<h2>" not in page
    assert "Rule" in page


def test_a_page_explains_the_names_on_it_and_no_others():
    page = _card().page("2026-06-30.0123456789ab").decode()
    [explained] = re.findall(r"What the words mean</h2>(.*?)</table>", page, re.DOTALL)
    assert re.findall(r"<td>(\w+)</td>", explained) == ["recency", "auc", "n", "ece", "gain"]


def test_a_card_survives_its_file_and_draws_the_same_bytes():
    stored = json.loads(json.dumps(_card().to_json(), sort_keys=True, allow_nan=False))
    read = Card.from_json({**stored, "as_of": "2026-06-30"})
    assert list(read.drivers) == ["recency_days", "orders"]
    version = "2026-06-30.0123456789ab"
    # JSON sorts what is an object: metrics and parameters have no order of their own.
    assert Card.from_json(read.to_json()).page(version) == read.page(version)
    assert read.page(version) == Card.from_json(stored).page(version)


def test_equal_plots_give_equal_pictures_and_others_do_not():
    other = Plot("Calibration", "stated", "seen", {"trees": ([0.1, 0.6], [0.2, 0.3])}, None)
    assert PLOT.svg() == Plot.from_json(PLOT.to_json()).svg() != other.svg()
    assert PLOT.png() == Plot.from_json(PLOT.to_json()).png() != other.png()
    assert "as stated" in PLOT.svg()
