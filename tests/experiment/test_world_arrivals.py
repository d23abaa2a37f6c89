"""Who joins after the start: how many, when, and in which partition."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import small_world

from churnsim.core.columns import Subscribers
from churnsim.experiment.world import World
from churnsim.lifecycle.drivers.word_of_mouth import communities as numbers_of
from churnsim.lifecycle.market import arrivals
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA

N, MONTHS = 500, 14
SETTINGS = ("market.arrivals_share_monthly=0.06", "market.arrivals_season_amplitude=0.5",
            "market.arrivals_peak_month=9", "market.start_month_of_year=7")
TALK = ("market.word_of_mouth={community_size: 20, unhappy_tells: 10.0, happy_tells: 3.0, unhappy_below_points: 50.0, "
        "happy_from_points: 85.0, points_per_tale: 0.5}")


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(*SETTINGS)


def cohorts(base: Subscribers) -> list[int]:
    """Return how many join in each month from month 1 on."""
    return [int((base["join_month"] == month).sum()) for month in range(1, MONTHS)]


def test_arrivals_follow_the_year(world: World) -> None:
    """30 a month, 45 in September (month 2) and 15 in March (month 8); nobody joins in month 0."""
    base = world.population(until=MONTHS)
    found = cohorts(base)
    assert (found[1], found[4], found[7]) == (45, 30, 15)
    assert found == [arrivals(world.experiment.market, month=m, base_size=N) for m in range(1, MONTHS)]
    assert len(base) == N + sum(found)


def test_the_years_without_swing_are_level() -> None:
    base = small_world(*SETTINGS, "market.arrivals_season_amplitude=0.0").population(until=MONTHS)
    assert cohorts(base) == [30] * (MONTHS - 1)


def test_joiners_of_later_months_are_prospects_until_they_join(world: World) -> None:
    base = world.population(until=MONTHS)
    later = base["join_month"] > 0
    assert (base["state"][later] == STATES.index("prospect")).all()
    assert (base["state"][~later] != STATES.index("prospect")).all()
    world.engine.run([(base, None)], start=0, months=4)
    still = base["join_month"] > 4
    assert still.any() and (base["state"][still] == STATES.index("prospect")).all()
    assert (base["state"][base["join_month"] == 4] == STATES.index("entry")).all()


@pytest.mark.parametrize("size", [1, 37, 120, 499, 500])
def test_partitions_hold_everybody_once(world: World, size: int) -> None:
    whole = world.population(until=MONTHS)
    order = np.argsort(whole.ids)
    parts = Subscribers.concat([world.population(until=MONTHS, part=(low, min(low + size, N)))
                                for low in range(0, N, size)])
    place = np.argsort(parts.ids)
    for name in SCHEMA:
        np.testing.assert_array_equal(parts[name][..., place], whole[name][..., order], err_msg=name)
    np.testing.assert_array_equal(parts.ids[place], whole.ids[order])


@pytest.mark.parametrize("size", [20, 100, 260])
def test_partitions_cut_no_community(size: int) -> None:
    """With word of mouth, who hears from each other joins in one partition."""
    world = small_world(*SETTINGS, TALK)
    parts = [world.population(until=MONTHS, part=(low, min(low + size, N))) for low in range(0, N, size)]
    communities = [set(numbers_of(part.ids, size=20).tolist()) for part in parts]
    assert sum(map(len, communities)) == len(set().union(*communities))
    everybody = small_world(*SETTINGS).population(until=MONTHS).ids
    assert sorted(np.concatenate([part.ids for part in parts]).tolist()) == sorted(everybody.tolist())
