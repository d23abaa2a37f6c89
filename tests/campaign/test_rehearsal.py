"""Rehearsals: the centre's own numbers by hand, expected reach, tickets, and nothing that an operator cannot know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planned_world import planned
from small_world import base_at_campaign, small_world

from churnsim.campaign import rehearsal as module
from churnsim.campaign.rehearsal import Rehearsal
from churnsim.campaign.wave import make_orders
from churnsim.capacity.work import work
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.experiment.stages import assigned, rehearsal, work_list
from churnsim.experiment.world import World
from churnsim.policy.choice import Choice
from churnsim.policy.plan import Plan
from churnsim.policy.settings import NonePolicy

MONTH = 8
CALL, SMS = 0, 1
ONE_AGENT = ("capacity.teams.day.agents=1", "capacity.teams.evening.agents=0", "campaign.deadline_days=5.0")
ALWAYS = "[" + ", ".join(["1.0"] * 24) + "]"
TICKETS = (f"channels.ticket={{kind: live, answer_prob_by_hour: {ALWAYS}, handle_minutes_mean: 300.0}}",
           "capacity.teams.day.channels=[call, ticket]", "campaign.tickets.channel=ticket",
           "campaign.tickets.value_amount=1000000.0")


@pytest.fixture(scope="module")
def world() -> World:
    return small_world(*ONE_AGENT)


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    return base_at_campaign(world)


def plan_of(world: World, base: Subscribers) -> Plan:
    return planned(world, base, np.linspace(10.0, 100.0, len(base))[:, None])


def centre(world: World, base: Subscribers) -> Rehearsal:
    return rehearsal(world, plan_of(world, base), base, month=MONTH)


def listing(plan: Plan, arm: np.ndarray) -> Choice:
    value = plan.planned_value("given")
    return Choice(arm, value[np.arange(len(arm)), np.maximum(arm, 0)], 0.0)


def mixed(plan: Plan) -> Choice:
    """Return a list of calls and messages that leaves every third subscriber alone."""
    arm = np.arange(len(plan.ids)) % 3 - 1
    return listing(plan, arm)


def test_reach_in_time_and_cost_are_those_of_the_centres_log(world: World, base: Subscribers) -> None:
    plan, e = plan_of(world, base), world.experiment
    choice = mixed(plan)
    found = centre(world, base)(choice, 3)
    orders = make_orders(assigned(plan, choice, horizon_months=3), base, channels=e.channels, offers=world.offers,
                         month=MONTH, release_days=2.0, deadline_days=5.0)
    log = work(orders, channels=e.channels, capacity=e.capacity, month=MONTH,
               key=make_key(seed=7, replicate=3, purpose="rehearsal"))
    row = np.flatnonzero(choice.arm >= 0)
    days = (log.outcomes.contact_hours - (720 * MONTH + 48)) / 24
    rate = -np.log(1 - plan.risk[row]) / 3
    late = np.where(log.outcomes.reached, np.exp(-rate * np.where(log.outcomes.reached, days, 0) / 30), 0.0)
    np.testing.assert_allclose(found.reach[row], late, rtol=1e-12)
    assert 0 < (found.reach[row] > 0).mean() < 1 and not found.reach[choice.arm < 0].any()
    spent = log.attempts.to_pandas().groupby("subscriber")["cost_cents"].sum() / 100
    posted = dict(zip(plan.ids[found.contact_cost > 0], found.contact_cost[found.contact_cost > 0], strict=True))
    assert posted == pytest.approx(spent[spent > 0].to_dict())


def test_of_a_subscriber_only_the_operators_table_is_read(world: World, base: Subscribers) -> None:
    other, rng = base.copy(), np.random.default_rng(1)
    # Habits of answering stand in the operator's table; that nobody uses the line of who has left does as well.
    hidden = [column.name for column in base.schema.stored if column.visibility == "latent"]
    assert {"decision_time", "departure_time", "attention"} <= set(hidden)
    for name in hidden:
        other[name][...] = rng.permutation(other[name], axis=-1)
    plan = plan_of(world, base)
    seen, blind = (replace(centre(world, base), plan=plan, observe=centre(world, each).observe)(mixed(plan), 0)
                   for each in (base, other))
    np.testing.assert_array_equal(seen.reach, blind.reach)
    np.testing.assert_array_equal(seen.contact_cost, blind.contact_cost)


def test_draws_are_not_the_worlds(world: World, base: Subscribers, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(world, base)
    keys = []

    def watched(*args: object, key: object, **rest: object) -> object:
        keys.append(key)
        return work(*args, key=key, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "work", watched)
    for draw in range(3):
        centre(world, base)(mixed(plan), draw)
    assert len({world.key, *(engine.key for engine in world.inner_engines()), *keys}) == 1 + 2 + 3
    # Of the next replicate too, and the world's own centre finds others reached.
    again = centre(replace(world, replicate=1), base)(mixed(plan), 0)
    assert (again.reach != centre(world, base)(mixed(plan), 0).reach).any()
    wave = work_list(world, NonePolicy(kind="none"), plan, mixed(plan), base)
    in_rehearsal = centre(world, base)(mixed(plan), 0).reach[wave.touched] > 0
    assert 0.3 < (in_rehearsal == wave.reached).mean() < 0.9


def test_messages_reach_as_many_as_planned_in_the_mean_and_the_same_whatever_else_is_listed(
        world: World, base: Subscribers) -> None:
    plan, draws = plan_of(world, base), range(40)
    hurried = replace(plan, risk=np.zeros(len(plan.ids)))
    tried = replace(centre(world, base), plan=hurried,
                    assign=lambda choice: assigned(hurried, choice, horizon_months=3))
    everybody = listing(hurried, np.full(len(base), SMS))
    found = np.array([tried(everybody, draw).reach for draw in draws])
    spread = np.sqrt((plan.reach[:, SMS] * (1 - plan.reach[:, SMS])).sum() / len(draws))
    # False alarm in one of 15,000 seeds.
    assert abs(found.mean(axis=0).sum() - plan.reach[:, SMS].sum()) < 4 * spread
    beside_calls = tried(listing(hurried, np.where(np.arange(len(base)) % 2, SMS, CALL)), 0)
    np.testing.assert_array_equal(beside_calls.reach[1::2], found[0, 1::2])


def test_an_empty_list_is_rehearsed_without_a_centre(world: World, base: Subscribers) -> None:
    found = centre(world, base)(listing(plan_of(world, base), np.full(len(base), -1)), 0)
    assert not found.reach.any() and not found.contact_cost.any()


def test_as_many_tickets_as_lately_come_before_the_list() -> None:
    with_tickets, without = small_world(*ONE_AGENT, *TICKETS), small_world(*ONE_AGENT)
    base = base_at_campaign(without)
    plan = plan_of(without, base)
    calls = listing(plan, np.full(len(base), CALL))
    tried = centre(with_tickets, base)
    counts = [len(tried._tickets(make_key(seed=draw, replicate=0)) or ()) for draw in range(60)]
    expected = plan.flags["complaints_rising"].sum()
    # False alarm in one of 15,000 seeds.
    assert expected > 0 and abs(np.mean(counts) - expected) < 4 * np.sqrt(expected / 60)
    busy, free = (np.mean([centre(each, base)(calls, draw).reach.sum() for draw in range(4)])
                  for each in (with_tickets, without))
    assert 0 < busy < 0.9 * free
