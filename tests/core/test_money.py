from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from churnsim.core.money import from_cents, to_cents


def test_halves_of_a_cent_go_to_the_even_neighbour():
    assert to_cents([0.125, 0.375, -0.125, -0.375]).tolist() == [12, 38, -12, -38]
    assert to_cents([10.0, 10.0], [0.5, 0.0125]).tolist() == [500, 12]
    assert to_cents(1.0).dtype == np.int64


@given(st.integers(-(10**13), 10**13))
def test_cents_survive_the_way_out_and_back(cents):
    assert to_cents(from_cents(cents)) == cents
