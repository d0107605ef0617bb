"""The same training gives the same bytes; order, chunks and threads change nothing that counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.churn.model import ChurnModel
from models.churn.scoring import COLUMNS, score
from models.churn.training import TrainingResult, train
from models.errors import FrameError
from models.versions import plots
from tests.model.conftest import AS_OF, HORIZON, World


@pytest.fixture(scope="module")
def small(world: World) -> pd.DataFrame:
    return world(customers=500, season=0.3, seed=3)


@pytest.fixture(scope="module")
def small_trained(small: pd.DataFrame) -> TrainingResult:
    return train(small, as_of=AS_OF, horizon_days=HORIZON, threads=1)


def test_order_of_rows_and_columns_does_not_change_a_byte(
    small: pd.DataFrame, small_trained: TrainingResult
):
    shuffled = small.sample(frac=1, random_state=5)[list(reversed(small.columns))]
    again = train(shuffled, as_of=AS_OF, horizon_days=HORIZON, threads=1)
    assert again.model.files() == small_trained.model.files()
    pd.testing.assert_frame_equal(again.evaluations, small_trained.evaluations)
    assert again.model.pages() == small_trained.model.pages()
    assert plots.lift(again.lift_curve).png().startswith(b"\x89PNG")


def test_another_seed_is_another_version(small: pd.DataFrame, small_trained: TrainingResult):
    other = train(small, as_of=AS_OF, horizon_days=HORIZON, threads=1, seed=1)
    assert other.model.version != small_trained.model.version


def test_threads_change_at_most_the_last_digits(small: pd.DataFrame, small_trained: TrainingResult):
    two = train(small, as_of=AS_OF, horizon_days=HORIZON, threads=2)
    assert two.model.card["parameters"]["threads"] == 2
    now = small[small["snapshot_on"] == pd.Timestamp(AS_OF)]
    one_thread, two_threads = (score(each.model, now) for each in (small_trained, two))
    assert np.allclose(one_thread["churn_probability"], two_threads["churn_probability"], atol=1e-5)


def test_a_stored_model_scores_like_the_one_in_memory(trained: TrainingResult, today: pd.DataFrame):
    stored = ChurnModel.from_files(trained.model.files())
    assert stored.version == trained.model.version
    pd.testing.assert_frame_equal(score(stored, today), score(trained.model, today))


def test_chunks_and_column_order_do_not_change_a_score(
    trained: TrainingResult, today: pd.DataFrame
):
    whole = score(trained.model, today)
    assert list(whole.columns) == list(COLUMNS)
    assert (whole["customer_id"].to_numpy() == today["customer_id"].to_numpy()).all()
    for threads in (1, 3):
        pieces = score(
            trained.model, today[list(reversed(today.columns))], threads=threads, chunk_rows=211
        )
        pd.testing.assert_frame_equal(pieces, whole)


def test_no_customers_give_no_scores_with_the_same_columns(
    trained: TrainingResult, today: pd.DataFrame
):
    nobody = score(trained.model, today.head(0))
    pd.testing.assert_series_equal(nobody.dtypes, score(trained.model, today).dtypes)


def test_unseen_categories_and_empty_columns_count_as_missing(
    trained: TrainingResult, today: pd.DataFrame
):
    unseen = score(trained.model, today.assign(region="atlantis"))
    missing = score(trained.model, today.assign(region=None))
    assert np.allclose(unseen["churn_probability"], missing["churn_probability"])
    assert score(trained.model, today.assign(is_referred=None))["churn_probability"].notna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="orders_90d"), "missing: orders_90d"),
        (lambda f: f.assign(orders_60d=1), "not known to the model: orders_60d"),
        (lambda f: f.rename(columns={"region": "area"}), "missing: region; not known .*: area"),
        (lambda f: f.assign(region=3), "feature region: expected a category .* found a number"),
        (lambda f: f.assign(orders_90d="x"), "feature orders_90d: expected a number"),
        (lambda f: f.assign(orders_90d=f["snapshot_on"]), "give days as numbers"),
        (lambda f: f.drop(columns="snapshot_on"), "found none named snapshot_on"),
    ],
)
def test_a_frame_of_another_form_is_refused(
    trained: TrainingResult, today: pd.DataFrame, change: object, message: str
):
    with pytest.raises(FrameError, match=message):
        score(trained.model, change(today))  # type: ignore[operator]
