"""The naming schemes of five, four and three stages against the states, by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from churnsim.lifecycle.views import FIVE, FOUR, SCHEMES, THREE
from churnsim.population.categories import STATES

BY_STATE = {
    "prospect": ("prospect", None, "introduction"),
    "entry": ("new", "entry", "introduction"),
    "growth": ("mature", "growth", "upkeep"),
    "stable": ("mature", "stable", "upkeep"),
    "decline": ("decline", "decline", "retention"),
    "suspended": ("decline", "decline", "retention"),
    "churned": ("lost", None, None),
}


def test_names_and_order_of_the_stages():
    assert FIVE.stages == ("prospect", "new", "mature", "decline", "lost")
    assert FOUR.stages == ("entry", "growth", "stable", "decline")
    assert THREE.stages == ("introduction", "upkeep", "retention")
    assert [scheme.column for scheme in SCHEMES] == ["stage_of_five", "stage_of_four", "stage_of_three"]


@pytest.mark.parametrize("place", range(3))
def test_the_stage_of_every_state(place):
    assert tuple(BY_STATE) == STATES
    scheme = SCHEMES[place]
    codes = scheme.codes(np.arange(len(STATES), dtype=np.int8))
    assert codes.dtype == np.int8
    found = [None if code < 0 else scheme.stages[code] for code in codes]
    assert found == [stages[place] for stages in BY_STATE.values()]


def test_counts_of_a_summary_by_stage():
    """Powers of two: each sum tells which states are in it."""
    summary = pa.table({"month": [3, 4], "subscribers": [7, 8],
                        **{f"state.{state}": [2**k, 0] for k, state in enumerate(STATES)}})
    assert FIVE.counts(summary).to_pydict() == {
        "month": [3, 4], "subscribers": [7, 8], "stage_of_five.prospect": [1, 0], "stage_of_five.new": [2, 0],
        "stage_of_five.mature": [4 + 8, 0], "stage_of_five.decline": [16 + 32, 0], "stage_of_five.lost": [64, 0]}
    assert FOUR.counts(summary)["stage_of_four.decline"].to_pylist() == [48, 0]
    assert THREE.counts(summary)["stage_of_three.introduction"].to_pylist() == [3, 0]
