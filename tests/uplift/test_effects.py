"""Effects of assignment, contact and acceptance: kept apart, and reach counted once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.uplift.effects import Effects

# Two subscribers, two offers, in months of margin.
FOUND = Effects(
    assigned=np.array([[0.6, 0.3], [-0.2, 0.0]]), months=np.array([1.0, 2.0]), margin=np.array([20.0, 5.0]),
    reach=np.array([0.5, 0.25]), accept=np.array([[0.4, 0.0], [0.5, 0.2]]), moves=True)


def test_three_effects_by_hand() -> None:
    assert FOUND.tau_assign == pytest.approx(np.array([[12.0, 6.0], [-2.0, 0.0]]))
    assert FOUND.tau_contact == pytest.approx(np.array([[24.0, 12.0], [-8.0, 0.0]]))
    assert FOUND.tau_accept == pytest.approx(np.array([[60.0, 0.0], [-16.0, 0.0]]))
    assert FOUND.per_contact == pytest.approx(np.array([[1.2, 0.6], [-1.6, 0.0]]))


def test_an_effect_that_moves_goes_with_the_reach_and_acceptance_of_the_arm() -> None:
    """The first offer through the pilot's channel, and through one with half the acceptance and little reach."""
    reach, accept = np.array([[0.8, 0.1], [0.8, 0.1]]), np.array([[0.4, 0.2], [0.5, 0.25]])
    effect, kept = FOUND.through([0, 0], reach=reach, accept=accept)
    assert kept == pytest.approx(np.array([[24.0, 12.0], [-8.0, -4.0]]))
    assert effect == pytest.approx(np.array([[1.2, 0.6], [-1.6, -0.8]]))
    # What a plan makes of it: more reach than the pilot's, more effect.
    assert (reach * kept)[:, 0] == pytest.approx(FOUND.tau_assign[:, 0] * 0.8 / FOUND.reach)


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.floats(-5.0, 5.0), st.floats(0.05, 1.0))
def test_reach_is_never_counted_twice(pilot: float, campaign: float, assigned: float, accept: float) -> None:
    """A plan's value is reach times kept: with the pilot's reach that of being assigned, whatever the switch."""
    one = Effects(np.array([[assigned]]), np.ones(1), np.array([10.0]), np.array([pilot]), np.array([[accept]]),
                  moves=True)
    same = {"accept": one.accept}
    for moves in (True, False):
        found = replace(one, moves=moves)
        _, kept = found.through([0], reach=np.array([[pilot]]), **same)
        assert pilot * kept[0, 0] == pytest.approx(10.0 * assigned)
        _, kept = found.through([0], reach=np.array([[campaign]]), **same)
        moved = campaign / pilot if moves else 1.0
        assert campaign * kept[0, 0] == pytest.approx(10.0 * assigned * moved)


def test_nobody_is_reached_by_a_channel_without_reach() -> None:
    _, kept = replace(FOUND, moves=False).through([0], reach=np.zeros((2, 1)), accept=FOUND.accept[:, :1])
    assert not kept.any()
