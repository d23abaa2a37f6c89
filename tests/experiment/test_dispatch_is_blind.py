"""Dispatch knows what the operator knows: it cannot see when a subscriber will decide to leave."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from small_world import base_at_campaign, small_world

from churnsim.campaign.wave import Assignment, make_orders
from churnsim.capacity.orders import Orders
from churnsim.capacity.work import work
from churnsim.core.clock import HOURS_PER_MONTH
from churnsim.core.columns import Subscribers
from churnsim.experiment.world import World

MONTH = 8


def everybody(world: World, base: Subscribers) -> Orders:
    """Return orders for all subscribers, by call, worth the same and as urgent as each other."""
    n = len(base)
    assignment = Assignment(np.arange(n), np.full(n, world.offers.code("discount_30")), np.full(n, "call"), np.ones(n),
                            np.full(n, 0.1))
    return make_orders(assignment, base, channels=world.experiment.channels, offers=world.offers, month=MONTH,
                       release_days=0.0, deadline_days=30.0)


def decision_hours(world: World, base: Subscribers) -> np.ndarray:
    """Return when each decides to leave, hours on the centre's clock; infinite: not in the campaign month."""
    after = base.copy()
    world.engine.run([(after, None)], start=MONTH, months=1)
    decided = after["decision_time"]
    return np.where((decided >= MONTH) & (decided < MONTH + 1), decided * HOURS_PER_MONTH, np.inf)


def test_orders_do_not_depend_on_what_only_the_simulator_knows() -> None:
    world = small_world("population.size=400")
    base = base_at_campaign(world)
    other = base.copy()
    rng = np.random.default_rng(1)
    kept = {"answer_habit", "read_habit"}
    hidden = [column.name for column in base.schema.stored if column.visibility == "latent" and column.name not in kept]
    assert {"decision_time", "departure_time", "attention"} <= set(hidden)
    for name in hidden:
        other[name][...] = rng.permutation(other[name], axis=-1)
    seen, blind = everybody(world, base), everybody(world, other)
    for column in fields(Orders):
        np.testing.assert_array_equal(getattr(seen, column.name), getattr(blind, column.name), err_msg=column.name)


def test_who_knew_the_decision_day_would_reach_more_in_time() -> None:
    """The decision day planted as a deadline: earliest deadline first then reaches more leavers before they decide."""
    world = small_world("population.size=9000")
    base, e = base_at_campaign(world), world.experiment
    orders, decides = everybody(world, base), decision_hours(world, base)
    few = e.capacity.model_copy(update={
        "teams": {name: team.model_copy(update={"agents": 1}) for name, team in e.capacity.teams.items()}})

    def in_time(orders: Orders, dispatch: str) -> int:
        capacity = few.model_copy(update={"dispatch": dispatch})
        found = work(orders, channels=e.channels, capacity=capacity, key=world.key, month=MONTH).outcomes
        return int((np.isfinite(decides) & (found.contact_hours < decides)).sum())

    assert np.isfinite(decides).sum() > 100
    blind = in_time(orders, e.capacity.dispatch)
    leaked = in_time(replace(orders, deadline_hours=np.maximum(decides, orders.release_hours)), "deadline")
    assert leaked > 2 * blind > 0
