"""When a run trains: by the calendar, on request, and when what is kept cannot score today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from models.churn.training import train
from models.forecasts import outlook
from models.forecasts.forecast import Forecast
from models.forecasts.kinds import KINDS
from models.frame.features import OUTCOME, FeatureSchema
from models.store import ForecastStore, ModelStore
from models.versions.card import Card
from pipelines.defs.forecasts import stores
from pipelines.defs.tables import RETRAIN_TAG, training_is_due
from pipelines.settings import Settings
from pipelines.tables.dbt import columns_of

TRAINED = date(2026, 6, 28)
FEATURES = columns_of("customer_features")
PURCHASES = columns_of("purchase_features")


def is_due(
    home: Path,
    day: date,
    *,
    learnt_from: Iterable[str] = FEATURES,
    foretold_from: Iterable[str] = PURCHASES,
    kinds: Iterable[str] = KINDS,
    **tags: str,
) -> bool:
    settings = Settings(home=home)
    store = ModelStore(settings.model_store)
    nobody = pd.DataFrame(columns=[*learnt_from, *OUTCOME])
    rule = train(nobody, as_of=TRAINED, horizon_days=90, threads=1).model
    store.promote(store.save(rule))
    schema = FeatureSchema.of(pd.DataFrame(columns=list(foretold_from)))
    for kind in kinds:
        forecast = Forecast(kind, TRAINED, 90, "rule", schema, (), None, {}, {}, 1, Card("", ""))
        of_kind = stores(settings)[kind]
        of_kind.promote(of_kind.save(forecast))
    return training_is_due(dg.DagsterRun(job_name="daily", tags=tags), store, settings, day)


def test_a_home_without_a_model_trains(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    store = ModelStore(settings.model_store)
    assert training_is_due(dg.DagsterRun(job_name="daily"), store, settings, TRAINED)


@pytest.mark.parametrize(
    ("day", "due"),
    [(date(2026, 6, 28), False), (date(2026, 7, 4), False), (date(2026, 7, 5), True)],
)
def test_after_a_week_it_is_due(tmp_path: Path, day: date, due: bool) -> None:
    assert is_due(tmp_path, day) is due


def test_a_day_before_the_training_may_not_use_what_it_knows(tmp_path: Path) -> None:
    assert is_due(tmp_path, date(2026, 6, 27))


def test_it_is_due_when_asked_for(tmp_path: Path) -> None:
    assert is_due(tmp_path, TRAINED, **{RETRAIN_TAG: "true"})


@pytest.mark.parametrize(
    "learnt_from",
    [FEATURES[:-1], (*FEATURES, "a_feature_of_an_earlier_homing")],
    ids=["fewer", "more"],
)
def test_other_features_than_those_learnt_from_make_it_due(
    tmp_path: Path, learnt_from: tuple[str, ...]
) -> None:
    assert is_due(tmp_path, TRAINED, learnt_from=learnt_from)


@pytest.mark.parametrize(
    "foretold_from",
    [PURCHASES[:-1], (*PURCHASES, "a_feature_of_an_earlier_homing")],
    ids=["fewer", "more"],
)
def test_forecasts_from_other_features_make_it_due(
    tmp_path: Path, foretold_from: tuple[str, ...]
) -> None:
    assert is_due(tmp_path, TRAINED, foretold_from=foretold_from)


def test_a_forecast_that_was_never_learnt_makes_it_due(tmp_path: Path) -> None:
    assert is_due(tmp_path, TRAINED, kinds=KINDS[1:])


@pytest.mark.parametrize("store", ["ModelStore", "ForecastStore"])
def test_what_an_earlier_homing_stored_in_another_form_makes_it_due(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not is_due(tmp_path, TRAINED)
    kind = {"ModelStore": ModelStore, "ForecastStore": ForecastStore}[store]
    monkeypatch.setattr(kind, "form", replace(kind.form, format=kind.form.format + 1))
    settings = Settings(home=tmp_path)
    run = dg.DagsterRun(job_name="daily")
    assert training_is_due(run, ModelStore(settings.model_store), settings, TRAINED)


def test_no_model_is_loaded_to_find_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_due(tmp_path, TRAINED)
    for kind in (ModelStore, ForecastStore):
        monkeypatch.setattr(kind, "_read", lambda *_: pytest.fail("a model was loaded"))
    settings = Settings(home=tmp_path)
    run = dg.DagsterRun(job_name="daily")
    assert not training_is_due(run, ModelStore(settings.model_store), settings, TRAINED)


def test_the_names_of_the_forecasts_are_those_of_their_modules() -> None:
    assert outlook.KINDS == KINDS
