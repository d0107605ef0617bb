"""Tree models made to look right: refused before native code could follow a wrong index."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from models.churn.training import TrainingResult
from models.churn.trees import ChurnTrees
from models.errors import StoreError
from models.trees.tree_file import sound_trees


@pytest.fixture
def trees(trained: TrainingResult) -> ChurnTrees:
    found = trained.model.predictors["trees"]
    assert isinstance(found, ChurnTrees)
    return found


def _spoil(ubj: bytes, array: str, value: int) -> bytes:
    """Overwrite the first entry of the first array of that name: `[$l#L` and 8 bytes of length."""
    name = array.encode()
    begin = ubj.index(name + b"[$l#L") + len(name) + 5 + 8
    return ubj[:begin] + value.to_bytes(4, "big", signed=True) + ubj[begin + 4 :]


def test_a_grown_model_is_sound(trees: ChurnTrees):
    trees.require_sound()


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("left_children", 99_999),
        ("right_children", 0),
        ("left_children", -7),
        ("split_indices", 99_999),
        ("split_indices", -1),
    ],
)
def test_indices_that_point_outside_are_refused(trees: ChurnTrees, array: str, value: int):
    spoiled = replace(trees, ubj=_spoil(trees.ubj, array, value))
    with pytest.raises(StoreError, match="points outside"):
        spoiled.booster  # noqa: B018


def test_every_cut_is_refused(trees: ChurnTrees):
    for share in range(50):
        with pytest.raises(StoreError):
            sound_trees(trees.ubj[: share * len(trees.ubj) // 50], features=len(trees.names) + 3)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        b"\x80\x04K\x01.",
        json.dumps({"learner": {}}).encode(),
        b"{L" + (2**62).to_bytes(8, "big") + b"x",
        b"{L" + (-1).to_bytes(8, "big", signed=True) + b"x",
        b"[" * 10_000,
        b"{i\x01a" + b"[$l#L" + (2**61).to_bytes(8, "big") + b"}",
        b"{L" + (1).to_bytes(8, "big") + b"a[$Z#L" + (2**60).to_bytes(8, "big") + b"}",
    ],
)
def test_other_documents_are_refused(document: bytes):
    with pytest.raises(StoreError):
        sound_trees(document, features=3)


def test_another_number_of_features_is_refused(trees: ChurnTrees):
    with pytest.raises(StoreError, match="expected trees over 2 features"):
        sound_trees(trees.ubj, features=2)
