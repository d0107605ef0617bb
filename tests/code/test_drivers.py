"""Drivers: the right values in plain words, risk first, one line per concept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.churn.drivers import (
    CATALOGUE,
    DRIVERS,
    LOWERS,
    NEGLIGIBLE,
    SHOWN,
    _counted,
    _parse,
    _phrase,
    _sentences,
    _strongest,
    words,
)
from models.probability.predictors import Contributions

FEATURES_YML = (
    Path(__file__).parents[2] / "dbt_project" / "models" / "features" / "customer_features.yml"
)


def _said(contributions: dict[str, list[float]], **columns: list[object]) -> list[list[object]]:
    values = np.column_stack(list(contributions.values())).astype(np.float32)
    frame = pd.DataFrame(columns)
    said = words(Contributions(tuple(contributions), values), frame)
    return [list(row) for row in zip(*said, strict=True)]


def test_states_the_values_strongest_first():
    (row,) = _said(
        {
            "recency_days": [0.4],
            "overdue_ratio": [0.5],
            "complaints_90d": [0.7],
            "orders_90d": [0.1],
        },
        recency_days=[143],
        expected_interval_days=[45.0],
        overdue_ratio=[3.2],
        complaints_90d=[1],
        orders_90d=[0],
    )
    assert row == [
        "no order for 143 days, usually every 45",
        "1 complaint in the last 90 days",
        "no order in the last 90 days",
    ]


def test_what_lowers_the_risk_comes_last_and_says_so():
    (row,) = _said(
        {"recency_days": [-2.0], "last_nps_score": [0.1], "region": [0.0]},
        recency_days=[1],
        expected_interval_days=[1200],
        last_nps_score=[6.0],
        region=["north"],
    )
    assert row == [
        "recommends us at 6 of 10",
        f"{LOWERS}last order 1 day ago, usually every 1,200",
        None,
    ]


def test_unknown_values_choose_other_words():
    rows = _said(
        {"recency_days": [1.0, 1.0], "last_csat_score": [0.5, 0.5]},
        recency_days=[10, 20],
        expected_interval_days=[np.nan, 7],
        last_csat_score=[np.nan, 2],
    )
    assert rows[0][:2] == ["no order for 10 days", "last csat score not known"]
    assert rows[1][:2] == [
        "no order for 20 days, usually every 7",
        "last satisfaction 2 of 5",
    ]


def test_an_event_that_never_was_is_not_an_unknown_number():
    (row,) = _said({"days_since_ticket": [0.5]}, days_since_ticket=[np.nan])
    assert row[0] == "no ticket on record"


def test_a_feature_without_words_is_named_after_its_column():
    (row,) = _said({"moon_phase_days": [0.5]}, moon_phase_days=[12.25])
    assert row[0] == "moon phase days: 12.2"
    (row,) = _said({"star_sign": [0.5]}, star_sign=["virgo"])
    assert row[0] == "star sign: virgo"


def test_texts_in_values_are_not_formats():
    (row,) = _said({"last_channel": [0.5]}, last_channel=["{value} {0} %s"])
    assert row[0] == "last ordered through {value} {0} %s"


@given(
    st.lists(
        st.tuples(
            st.floats(-1e7, 1e7) | st.integers(-40, 40).map(lambda each: each / 4),
            st.integers(-300, 300),
            st.sampled_from(["north", "south", "{x}"]),
        ),
        min_size=1,
    ),
    st.sampled_from([*SHOWN, "order/orders"]),
)
@settings(max_examples=40, deadline=None)
def test_sentences_put_together_once_are_those_of_each_row(
    rows: list[tuple[float, int, str]], form: str
):
    amount, days, place = zip(*rows, strict=True)
    said = _sentences(
        [
            ("spent ", np.array(amount), form),
            (" within ", np.array(days), "days"),
            (" in ", np.array(place, dtype=object), ""),
            (" at all", None, ""),
        ]
    )
    show = SHOWN.get(form) or _counted(form)
    assert list(said) == [
        f"spent {show(a)} within {SHOWN['days'](float(d))} in {p} at all" for a, d, p in rows
    ]


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.integers(1, 6)),
        elements=st.floats(-5, 5, width=32) | st.sampled_from([0, NEGLIGIBLE, 0.5, -0.5]),
    )
)
@settings(max_examples=60, deadline=None)
def test_the_strongest_are_those_of_sorting_each_row(added: np.ndarray):
    chosen, rising = _strongest(added)
    for row, found, up in zip(added, chosen, rising, strict=True):
        mattering = [at for at in range(len(row)) if abs(row[at]) >= np.float32(NEGLIGIBLE)]
        ranked = sorted(mattering, key=lambda at: (row[at] < 0, -abs(row[at]), at))[:DRIVERS]
        assert [at for at in found if at >= 0] == ranked
        assert list(up[: len(ranked)]) == [row[at] > 0 for at in ranked]


@pytest.mark.parametrize("form", SHOWN)
def test_nothing_is_shown_as_less_than_nothing(form: str):
    assert SHOWN[form](-0.001) == SHOWN[form](0.001).replace("+", "")


def test_no_rows_no_words():
    assert [len(each) for each in words(Contributions(("a",), np.zeros((0, 1))), pd.DataFrame({"a": []}))] == [0, 0, 0]  # fmt: skip  # noqa: E501


def test_every_feature_of_the_tables_has_words_whose_columns_exist():
    declared = yaml.safe_load(FEATURES_YML.read_text())["models"][0]["columns"]
    names = [
        each["name"] for each in declared if each["name"] not in {"snapshot_on", "customer_id"}
    ]
    wordless = [name for name in names if _phrase(name)[0] not in CATALOGUE]
    assert wordless == []
    for name in names:
        phrase, groups = _phrase(name)
        for text in (*phrase.texts, *phrase.lowers):
            for _, column, form in _parse(text, groups):
                assert not column or column in names, (name, column)
                assert form in SHOWN or _counted(form)(2.0), (name, form)


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "no order"), (1, "1 order"), (2, "2 orders"), (1500, "1,500 orders")]
)
def test_counts(value: float, shown: str):
    assert _counted("order/orders")(value) == shown
