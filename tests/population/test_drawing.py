"""Laws by inversion: small cases by hand, shares simulated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_base import KEY

from churnsim.core.columns import Subscribers
from churnsim.population.columns import SCHEMA
from churnsim.population.drawing import Drawer, geometric, pick, power, shift_odds


def test_pick_by_hand():
    assert pick([0.25, 0.5, 0.25], np.array([0.0, 0.24, 0.25, 0.74, 0.75, 1.0])).tolist() == [0, 0, 1, 1, 2, 2]
    table = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    assert pick(table, np.array([0.0, 0.999, 0.49, 0.51]), np.array([0, 0, 1, 1])).tolist() == [1, 1, 0, 2]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0]), min_size=4, max_size=4).filter(any), min_size=1,
                max_size=6), st.data())
def test_pick_takes_no_option_without_a_share(shares, data):
    table = np.array(shares)
    table = table / table.sum(axis=1, keepdims=True)
    row = np.array(data.draw(st.lists(st.integers(0, len(shares) - 1), min_size=1, max_size=20)))
    u = np.array([data.draw(st.floats(0.0, 1.0)) for _ in row])
    found = pick(table, u, row)
    assert (table[row, found] > 0.0).all()
    for k, r, v in zip(found, row, u, strict=True):
        below = np.cumsum(table[r])
        assert v <= below[k] + 1e-9 and (k == 0 or v >= below[k - 1] - 1e-9)


def test_geometric_power_and_odds_by_hand():
    """Mean 2: each further line with probability 1/2."""
    assert geometric(np.array([0.9, 0.5001, 0.4999, 0.2]), np.full(4, 2.0)).tolist() == [0, 0, 1, 2]
    assert geometric(np.array([0.01]), np.array([1.0])).tolist() == [0]
    assert power(np.array([0.25]), 0.5).tolist() == [0.25] and power(np.array([0.25]), 2 / 3)[0] == pytest.approx(0.5)
    assert np.isfinite(power(np.array([1e-9, 1.0]), 0.0)).all() and np.isfinite(power(np.array([0.5]), 1.0)).all()
    assert shift_odds([0.0, 0.2, 1.0], np.log(4.0)).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_a_known_value_stands_and_moves_no_other_draw():
    base = Subscribers.empty(SCHEMA, np.arange(3))
    draw = Drawer(base, {"lines": np.array([7.0, np.nan, 9.0])}, KEY)
    draw.put("lines", [1, 2, 3])
    assert base["lines"].tolist() == [7, 2, 9] and draw.filled == {"lines"}
    assert draw.known("region") is None
    other = Drawer(base, {}, KEY)
    np.testing.assert_array_equal(draw.uniform("lines"), other.uniform("lines"))
    assert (draw.uniform("lines") != draw.uniform("lines", index=1)).all()
    assert (draw.uniform("lines") != draw.uniform("region")).all()
