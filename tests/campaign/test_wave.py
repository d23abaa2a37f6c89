"""A wave: orders by hand, costs to the cent, contacts inside the month, draws of one's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.wave import (
    Assignment,
    Wave,
    make_orders,
    nobody_assigned,
    planned_contact_time,
    run_wave,
)
from churnsim.core.columns import Subscribers
from churnsim.experiment.world import World

MONTH = 8
HOURS = 720.0


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("capacity.teams.day.agents=1", "capacity.teams.evening.agents=1")


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    return base_at_campaign(world)


def assign(rows: list[int] | np.ndarray, *, offer: int = 1, channel: str = "call", value: float = 0.0) -> Assignment:
    n = len(rows)
    return Assignment(np.asarray(rows, np.int64), np.full(n, offer, np.int64), np.full(n, channel), np.full(n, value),
                      np.full(n, 0.1))


def worked(
    world: World,
    base: Subscribers,
    assignment: Assignment,
    *,
    unlimited: bool = False,
    release_days: float = 2.0,
    deadline_days: float = 25.0,
) -> Wave:
    e = world.experiment
    return run_wave(
        assignment,
        base,
        engine=world.engine,
        channels=e.channels,
        capacity=e.capacity,
        offers=world.offers,
        month=MONTH,
        release_days=release_days,
        deadline_days=deadline_days,
        unlimited=unlimited,
    )


def both_channels(base: Subscribers) -> Assignment:
    """Return everybody in mixed order, some by each channel, all three offers."""
    rows = np.random.default_rng(2).permutation(len(base))
    channel = np.where(rows % 4 == 0, "sms", "call")
    return Assignment(rows, 1 + rows % 3, channel, rows.astype(np.float64), np.full(len(rows), 0.1))


def test_orders_by_hand(world: World, base: Subscribers) -> None:
    assignment = Assignment(
        np.array([9, 2, 5]), np.array([1, 3, 2]), np.array(["call", "sms", "call"]), np.array([1.5, -2.0, 7.0]),
        np.array([0.1, 0.2, 0.3]),
    )
    orders = make_orders(
        assignment,
        base,
        channels=world.experiment.channels,
        offers=world.offers,
        month=MONTH,
        release_days=2.0,
        deadline_days=25.0,
    )
    assert orders.order_id.tolist() == [2, 0, 1]
    assert orders.subscriber.tolist() == base.ids[[9, 2, 5]].tolist()
    assert orders.channel.tolist() == ["call", "sms", "call"]
    assert orders.offer.tolist() == ["discount_30", "service_recovery", "contract_device"]
    assert orders.value.tolist() == [1.5, -2.0, 7.0]
    assert orders.loss_rate_monthly.tolist() == [0.1, 0.2, 0.3]
    assert orders.answer_habit.tolist() == [base["answer_habit"][9], base["read_habit"][2], base["answer_habit"][5]]
    assert orders.release_hours.tolist() == [MONTH * HOURS + 48.0] * 3
    assert orders.deadline_hours.tolist() == [MONTH * HOURS + 600.0] * 3


def test_costs_are_those_of_the_log_to_the_cent(world: World, base: Subscribers) -> None:
    wave = worked(world, base, both_channels(base), deadline_days=3.0)
    attempts = wave.log.attempts.to_pandas()
    assert set(attempts["channel"]) == {"call", "sms"}
    by_subscriber = attempts.groupby("subscriber")["cost_cents"].sum()
    posted = pd.Series(wave.contact_cents, base.ids[wave.touched])
    assert posted[posted > 0].sort_index().to_dict() == by_subscriber[by_subscriber > 0].to_dict()
    assert wave.contact_cents.sum() == attempts["cost_cents"].sum() > 0
    never = wave.log.outcomes.attempts == 0
    assert never.any() and not wave.contact_cents[never].any() and not wave.reached[never].any()


def test_contacts_fall_between_release_and_the_end_of_the_month(world: World, base: Subscribers) -> None:
    wave = worked(world, base, both_channels(base), unlimited=True, deadline_days=30.0)
    time = wave.contact_time
    assert np.array_equal(np.isfinite(time), wave.reached) and 100 < wave.reached.sum() < len(base)
    assert np.array_equal(wave.treatment.row, np.flatnonzero(wave.reached))
    assert np.array_equal(wave.treatment.time, time[wave.reached])
    assert (time[wave.reached] >= 2.0 / 30.0).all() and (time[wave.reached] < 1.0).all()
    hours = wave.log.outcomes.contact_hours[wave.reached]
    assert time[wave.reached] == pytest.approx((hours - MONTH * HOURS) / HOURS)


def test_only_the_reached_accept_and_only_what_they_were_made(world: World, base: Subscribers) -> None:
    assignment = both_channels(base)
    wave = worked(world, base, assignment)
    accepted = wave.accepted
    assert (accepted > 0).any() and not accepted[~wave.reached].any()
    assert ((accepted == 0) | (accepted == assignment.offer)).all()
    assert wave.touched is assignment.row
    assert np.array_equal(wave.treatment.accepted, accepted[wave.reached])


def test_staff_limits_the_centre_alone(world: World, base: Subscribers) -> None:
    listed = assign(np.arange(len(base)))
    day = world.experiment.capacity.teams["day"].model_copy(update={"agents": 1})
    scarce = world.experiment.capacity.model_copy(update={"teams": {"day": day}})
    one_agent = replace(world, experiment=world.experiment.model_copy(update={"capacity": scarce}))
    limited, unlimited = (worked(one_agent, base, listed, unlimited=flag, deadline_days=5.0) for flag in (False, True))
    assert 0 < limited.reached.sum() < unlimited.reached.sum()
    # Whoever is reached answers the same offer the same way, at whatever hour.
    both = limited.reached & unlimited.reached
    assert both.any()
    assert np.array_equal(limited.accepted[both], unlimited.accepted[both])


def test_without_queues_nobody_depends_on_who_else_is_listed(world: World, base: Subscribers) -> None:
    full = worked(world, base, assign(np.arange(len(base))), unlimited=True)
    rows = np.array([44, 3, 120, 7])
    few = worked(world, base, assign(rows), unlimited=True)
    assert np.array_equal(few.contact_time, full.contact_time[rows])
    assert np.array_equal(few.accepted, full.accepted[rows])
    assert np.array_equal(few.contact_cents, full.contact_cents[rows])


def test_staff_hired_for_a_list_spread_its_first_calls_over_the_first_open_day(world: World, base: Subscribers) -> None:
    wave = worked(world, base, assign(np.arange(len(base))), unlimited=True)
    attempts = wave.log.attempts.to_pandas()
    first = attempts.loc[attempts["attempt"] == 1, "start_hours"]
    assert len(first) == len(base) and first.max() - first.min() < 24.0
    calls = np.bincount((first % 24).astype(int), minlength=24)
    # The centre calls from 9 to 21 h with half an hour off at noon; about 50 of 600 calls an hour, so none is empty.
    assert (calls[9:21] > 0).all() and calls[:9].sum() == calls[21:].sum() == 0
    assert calls.max() < 0.25 * len(base)


def test_an_empty_list_makes_an_empty_wave(world: World, base: Subscribers) -> None:
    wave = worked(world, base, nobody_assigned())
    assert len(wave.touched) == len(wave.contact_cents) == len(wave.log.attempts) == 0
    assert len(nobody_assigned()) == 0


def test_planned_contact_is_a_day_after_the_release() -> None:
    assert planned_contact_time(2.0) == pytest.approx(0.1)
    assert 0.999 < planned_contact_time(29.0) < 1.0


@pytest.mark.parametrize("unlimited", [False, True])
def test_the_log_tells_who_accepted_and_charges_for_it(world: World, base: Subscribers, unlimited: bool) -> None:
    everybody = assign(np.arange(len(base)))
    usual = worked(world, base, everybody, unlimited=unlimited)
    log = usual.log.attempts
    taken = log.subscriber[log.disposition == "reached_accepted"]
    assert sorted(taken.tolist()) == sorted(base.ids[usual.accepted > 0].tolist()) and len(taken) > 20
    assert (log.disposition == "reached_declined").sum() == usual.reached.sum() - len(taken) > 20
    paid = small_world("capacity.teams.day.agents=1", "capacity.teams.evening.agents=1",
                       "channels.call.cost_per_conversion_amount=2.5")
    dearer = worked(paid, base, everybody, unlimited=unlimited)
    # Amounts are rounded once, to the cent.
    assert (dearer.contact_cents - usual.contact_cents).tolist() == (250 * (usual.accepted > 0)).tolist()
