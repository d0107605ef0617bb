"""Reads a UBJSON tree model and checks that every index in it points inside.

XGBoost trusts its model files: a child index beyond the last node is a segmentation fault, which
no `except` catches. The checksum refuses damage; this refuses what was made to look right.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from models.errors import StoreError
from models.frame.features import MAX_CATEGORIES

_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_DTYPES = {
    mark: np.dtype(form)
    for mark, form in (
        (b"i", ">i1"),
        (b"U", ">u1"),
        (b"I", ">i2"),
        (b"l", ">i4"),
        (b"L", ">i8"),
        (b"d", ">f4"),
        (b"D", ">f8"),
    )
}
_MAX_DEPTH = 20


def sound_trees(ubj: bytes, *, features: int) -> list[dict[str, Any]]:
    """The trees of a model, which is refused where native code could stumble over it.

    Args:
        ubj: the model as XGBoost saved it.
        features: how many features the model may split on.

    Returns:
        The trees as the model holds them: a list a field, an entry a node.

    Raises:
        StoreError: when the bytes are no UBJSON, no gradient-boosted trees, or point outside.
    """
    try:
        model = _Reader(ubj).document()
        learner = model["learner"]
        booster = learner["gradient_booster"]
        if booster["name"] != "gbtree":
            raise StoreError(f"expected boosted trees, found {booster['name']}")
        if int(learner["learner_model_param"]["num_feature"]) != features:
            raise StoreError(
                f"expected trees over {features} features, "
                f"found {learner['learner_model_param']['num_feature']}"
            )
        trees = booster["model"]["trees"]
        count = int(booster["model"]["gbtree_model_param"]["num_trees"])
        groups = np.asarray(booster["model"]["tree_info"])
        rounds = np.asarray(booster["model"]["iteration_indptr"])
        if (
            count != len(trees)
            or len(groups) != count
            or np.any(groups != 0)
            or not np.array_equal(rounds, np.arange(count + 1))
        ):
            raise StoreError(f"expected {count} trees of one output, found {len(trees)}")
        for tree in trees:
            _require_sound_tree(tree, features)
        return list(trees)
    except StoreError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, struct.error, RecursionError) as error:
        raise StoreError(f"the tree model is not readable: {error!r}") from error


def _require_sound_tree(tree: dict[str, Any], features: int) -> None:
    nodes = int(tree["tree_param"]["num_nodes"])
    left, right = (np.asarray(tree[side]) for side in ("left_children", "right_children"))
    per_node = (
        "left_children",
        "right_children",
        "parents",
        "split_indices",
        "split_conditions",
        "split_type",
        "default_left",
        "base_weights",
        "loss_changes",
        "sum_hessian",
    )
    for name in per_node:
        if len(tree[name]) != nodes:
            raise StoreError(f"expected {nodes} entries in {name}, found {len(tree[name])}")
    leaf = (left == -1) & (right == -1)
    # Children come after their parent, which also rules out cycles.
    at = np.arange(nodes)
    inside = (left > at) & (left < nodes) & (right > at) & (right < nodes)
    split_on = np.asarray(tree["split_indices"])
    if nodes < 1 or not np.all(leaf | inside) or np.any((split_on < 0) | (split_on >= features)):
        raise StoreError("a node of the tree model points outside its tree")
    begins, sizes = (np.asarray(tree[f"categories_{part}"]) for part in ("segments", "sizes"))
    owners, codes = np.asarray(tree["categories_nodes"]), np.asarray(tree["categories"])
    if (
        len(begins) != len(sizes)
        or len(begins) != len(owners)
        or np.any((begins < 0) | (sizes < 0) | (begins + sizes > len(codes)))
        or np.any((owners < 0) | (owners >= nodes))
        or np.any((codes < 0) | (codes >= MAX_CATEGORIES))
    ):
        raise StoreError("a category set of the tree model points outside its list")


class _Reader:
    """The part of UBJSON that XGBoost writes; a repeated key or a rest at the end is refused."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def document(self) -> dict[str, Any]:
        value = self._value(self._take(1), 0)
        if self.at != len(self.data) or not isinstance(value, dict):
            raise ValueError("expected one object and nothing after it")
        return value

    def _take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError(f"expected {count} bytes at {self.at} of {len(self.data)}")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def _length(self) -> int:
        length = self._value(self._take(1), 0)
        if not isinstance(length, int):
            raise ValueError(f"expected a length at {self.at}")
        return length

    def _string(self) -> str:
        return self._take(self._length()).decode()

    def _value(self, mark: bytes, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ValueError("expected a shallow document")
        if mark in _NUMBERS:
            form = _NUMBERS[mark]
            return struct.unpack(form, self._take(struct.calcsize(form)))[0]
        match mark:
            case b"S":
                return self._string()
            case b"T" | b"F":
                return mark == b"T"
            case b"Z":
                return None
            case b"[":
                return self._array(depth + 1)
            case b"{":
                return self._object(depth + 1)
        raise ValueError(f"expected a value at {self.at}, found {mark!r}")

    def _array(self, depth: int) -> Any:
        mark = self._take(1)
        if mark == b"$":
            dtype = _DTYPES[self._take(1)]
            if self._take(1) != b"#":
                raise ValueError(f"expected a count at {self.at}")
            return np.frombuffer(self._take(self._length() * dtype.itemsize), dtype)
        if mark == b"#":
            return [self._value(self._take(1), depth) for _ in range(self._length())]
        items = []
        while mark != b"]":
            items.append(self._value(mark, depth))
            mark = self._take(1)
        return items

    def _object(self, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while (mark := self._take(1)) != b"}":
            if mark != b"L":
                raise ValueError(f"expected a key at {self.at}, found {mark!r}")
            self.at -= 1
            key = self._string()
            if key in items:
                raise ValueError(f"expected {key} once, found it again")
            items[key] = self._value(self._take(1), depth)
        return items
