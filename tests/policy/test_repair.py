"""Repairs of plans that overdraw a limit, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.policy.choices import Limits, Resource, Segment, choices
from churnsim.policy.dual import Arms, Rules
from churnsim.policy.repair import repair

TEAM = (Resource("team", 1, (1,)),)


def mend(limits: Limits, values: list[list[float]], costs: list[float], arm: list[int], *,
         effort: list[float] | None = None, segment: list[int] | None = None, prices: list[float] | None = None
         ) -> tuple[Arms, bool]:
    base = choices(values, costs, effort=effort, segment=segment)
    rules = Rules.of(limits, base.n_arms)
    weights = rules.weights(np.zeros(len(rules.most)) if prices is None else np.array(prices))
    return repair(base, np.array(arm, np.int16), rules, weights=weights, others=np.zeros(len(weights)))


def test_the_least_loss_for_what_is_overdrawn_goes_first() -> None:
    # 12 of 8 are spent. Row 0 loses 30 by a cheaper arm that frees 4, row 1 loses 6 for as much.
    arm, kept = mend(Limits(8), [[50, 20], [10, 4]], [6, 2], [0, 0])
    assert kept and arm.tolist() == [0, 1]


def test_what_is_left_goes_to_the_most_value_for_what_it_takes_at_prices() -> None:
    # 6 are left, which buy row 2 arm 1 for 5, or rows 0 and 1 arm 0 for 4 and 3.
    arm, kept = mend(Limits(6), [[4, 4], [3, 3], [0, 5]], [3, 6], [-1, -1, -1], prices=[1.0])
    assert kept and arm.tolist() == [0, 0, -1]


def test_a_segment_that_is_short_gets_its_number_and_others_make_room() -> None:
    arm, kept = mend(Limits(resources=TEAM, segments=(Segment("a", least=1),)), [[100], [1]], [0], [0, -1],
                     effort=[1], segment=[-1, 0])
    assert kept and arm.tolist() == [-1, 0]


def test_room_is_not_made_at_the_cost_of_a_segment_that_is_just_enough() -> None:
    arm, kept = mend(Limits(resources=TEAM, segments=(Segment("a", least=1),)), [[100], [1]], [0], [0, 0],
                     effort=[1], segment=[-1, 0])
    assert kept and arm.tolist() == [-1, 0]


@pytest.mark.parametrize(("least", "kept"), [(1, True), (2, False)])
def test_a_repair_that_cannot_be_had_says_so(least: int, kept: bool) -> None:
    limits = Limits(resources=TEAM, segments=(Segment("a", least=least),))
    assert mend(limits, [[5], [6]], [0], [-1, -1], effort=[1], segment=[0, 0])[1] == kept
