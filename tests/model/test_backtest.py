"""A backtest states what would have been stated at each cutoff, and adds up what came of it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import special

from models.churn.backtest import CHALLENGER, COLUMNS, Backtest, backtest, possible_cutoffs, spread
from models.churn.fitting import fit
from models.errors import TooLittleDataError
from models.evaluation.judging import Evaluation, Sample, evaluate_jointly
from tests.model.conftest import AS_OF, HORIZON, World


@pytest.fixture(scope="module")
def small(world: World) -> pd.DataFrame:
    return world(customers=500, season=0.3, seed=3)


@pytest.fixture(scope="module")
def result(small: pd.DataFrame) -> Backtest:
    return backtest(small, as_of=AS_OF, horizon_days=HORIZON, cutoffs=2, threads=1)


def test_cutoffs_leave_enough_before_and_a_finished_horizon_after() -> None:
    days = list(pd.date_range("2022-01-31", periods=24, freq="ME").date)
    possible = possible_cutoffs(days, date(2023, 12, 31), 90)
    # Three month-ends and their horizons lie before the first, a horizon after the last.
    assert (possible[0], possible[-1]) == (date(2022, 6, 30), date(2023, 9, 30))
    assert spread(possible, 3) == [possible[0], possible[8], possible[-1]]
    assert spread(possible, 99) == possible


def test_the_last_cutoff_states_what_a_fit_of_that_day_states(
    small: pd.DataFrame, result: Backtest
) -> None:
    day = result.cutoffs[-1]
    known = small[small["snapshot_on"] <= pd.Timestamp(day)]
    model = fit(known, as_of=day, horizon_days=HORIZON, threads=1)
    rows = small[small["snapshot_on"] == pd.Timestamp(day)].sort_values("customer_id")
    stated = model.probability(model.schema.encode(rows), rows["snapshot_on"].to_numpy())
    assert np.array_equal(result.evaluations[-1].probabilities[CHALLENGER], stated)


def test_the_table_adds_up(result: Backtest) -> None:
    table = result.table()
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["scope", "role", "metric", "cutoff_on"]).any()
    of = table.set_index(["scope", "role", "metric"]).sort_index()
    for metric in ("auc", "ece", "log_loss", "lift_at_10_cap"):
        single = of.loc[("cutoff", CHALLENGER, metric), "value"]
        assert len(single) == 2
        mean = of.loc[("mean", CHALLENGER, metric), "value"].item()
        assert mean == pytest.approx(single.mean())
    [gain] = of.loc[[("gain", "recency", "log_loss")]].to_dict("records")
    means = [of.loc[("mean", role, "log_loss"), "value"].item() for role in ("recency", CHALLENGER)]
    assert gain["value"] == pytest.approx(means[0] - means[1])
    assert gain["lower"] < gain["value"] < gain["upper"]
    lifts, caps = (
        of.loc[("cutoff", CHALLENGER, metric), "value"].to_numpy()
        for metric in ("lift_at_10", "lift_at_10_cap")
    )
    assert (lifts <= caps).all()
    best = table[
        table["is_best_baseline"] & (table["metric"] == "auc") & (table["scope"] == "mean")
    ]
    baselines = table[
        (table["scope"] == "mean") & (table["metric"] == "auc") & (table["role"] != CHALLENGER)
    ]
    assert best["value"].item() == baselines["value"].max()


def test_the_page_shows_the_means_every_cutoff_and_pictures(result: Backtest) -> None:
    page = result.card().page("as of today").decode()
    assert result.summary() in page
    assert all(f"<td>{day.isoformat()}</td>" in page for day in result.cutoffs)
    assert page.count("<svg") == 3
    assert "By cutoff" in page
    [first, _] = result.card().by_segment
    figures = result.evaluations[0].figures[CHALLENGER]
    assert abs(first["expected"] - first["churned"]) == pytest.approx(figures["level_error"])


def test_resamples_are_the_same_draw_of_customers_at_every_cutoff() -> None:
    rng = np.random.default_rng(0)
    stated, churned = rng.uniform(0.1, 0.9, 200), rng.random(200) < 0.5
    names, order = np.arange(200).astype(str), rng.permutation(200)
    one, other = evaluate_jointly(
        [
            Sample(churned, {"a": stated}, names),
            Sample(churned[order], {"a": stated[order]}, names[order]),
        ],
        seed=1,
    )
    for metric in ("brier", "auc"):
        assert one.resampled["a"][metric] == pytest.approx(other.resampled["a"][metric])
    assert one.resampled["a"]["brier"].std() > 0


def test_too_little_to_judge_is_said(small: pd.DataFrame) -> None:
    with pytest.raises(TooLittleDataError, match="no month-end has a finished horizon"):
        backtest(small, as_of=date(2022, 3, 31), horizon_days=HORIZON)


def _foretold(rng: np.random.Generator, gain: float = 0.01) -> Evaluation:
    """A cutoff at which 2,000 customers churn as probably as was stated."""
    stated = special.expit(rng.normal(-0.5, 1, 2_000))
    churned = rng.random(2_000) < stated
    values = {CHALLENGER: 0.7 + gain, "logistic": 0.7}
    figures = {
        role: {"auc": each, "log_loss": 1 - each, "ece": 0.0, "lift_at_10_cap": 1.0}
        for role, each in values.items()
    }
    resampled = {
        role: {"auc": np.full(9, each), "log_loss": np.full(9, 1 - each)}
        for role, each in values.items()
    }
    return Evaluation(figures, resampled, dict.fromkeys(values, stated), churned)


def test_a_page_of_right_probabilities_names_no_failure_but_one_in_twenty() -> None:
    rng = np.random.default_rng(0)
    days = tuple(pd.date_range("2022-01-31", periods=6, freq="ME").date)
    pages = [Backtest(days, tuple(_foretold(rng) for _ in days), HORIZON) for _ in range(100)]
    assert sum(bool(page.card().failures) for page in pages) <= 10  # at 1.96 per cutoff 20


def test_what_is_worse_is_not_called_better() -> None:
    evaluation = _foretold(np.random.default_rng(0), gain=-0.05)
    said = Backtest((AS_OF,), (evaluation,), HORIZON).summary()
    assert "beside logistic worse by 0.0500" in said
    assert "better" not in said
