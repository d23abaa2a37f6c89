from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.config.base import Number, Settings
from churnsim.config.digest import diff, digest

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


class Market(Settings):
    size: Number
    region: tuple[str, ...] = ()


def shuffled(data: Any, order: random.Random) -> Any:
    if isinstance(data, dict):
        items = [(key, shuffled(value, order)) for key, value in data.items()]
        order.shuffle(items)
        return dict(items)
    return [shuffled(item, order) for item in data] if isinstance(data, list) else data


@given(DATA, st.randoms(use_true_random=False))
def test_digest_ignores_the_order_of_keys(data: Any, order: random.Random) -> None:
    assert digest(shuffled(data, order)) == digest(data)


@given(DATA, DATA)
def test_diff_is_empty_exactly_when_digests_are_equal(a: Any, b: Any) -> None:
    assert (diff(a, b) == []) == (digest(a) == digest(b))
    assert diff(a, a) == []


def test_digest_by_hand() -> None:
    text = '{"a":[1,0.1,null,true],"b":"é"}'
    assert digest({"b": "é", "a": (1, 0.1, None, True)}) == hashlib.sha256(text.encode()).hexdigest()


def test_an_int_for_a_float_field_hashes_alike_once_validated() -> None:
    assert digest({"size": 3}) != digest({"size": 3.0})
    written_int, written_float = Market.model_validate({"size": 3}), Market.model_validate({"size": 3.0})
    assert digest(written_int) == digest(written_float) == digest({"region": [], "size": 3.0})
    assert digest({"market": written_int}) == digest({"market": {"region": [], "size": 3.0}})


def test_numbers_that_are_not_finite_have_no_digest() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"a": float("nan")})


def test_diff_lines() -> None:
    a = {"seed": 1, "name": "a", "gone": {"x": None}, "policies": [{"name": "none"}], "same": [1]}
    b = {"seed": 2, "name": "é", "policies": [{"name": "none", "top": 0.5}, 7], "same": [1], "new": {}}
    assert diff(a, b) == [
        "seed: 1 -> 2",
        'name: "a" -> "é"',
        "gone.x: null -> (absent)",
        "policies[0].top: (absent) -> 0.5",
        "policies[1]: (absent) -> 7",
        "new: (absent) -> {}",
    ]


def test_diff_tells_true_from_1_and_an_index_from_a_key() -> None:
    assert diff({"a": True}, {"a": 1}) == ["a: true -> 1"]
    assert diff({"a": [1]}, {"a": {"0": 1}}) == ["a[0]: 1 -> (absent)", "a.0: (absent) -> 1"]
