"""Tickets and a campaign's orders before the same agent: hours by hand, and what they do to who waits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.settings import TicketSettings
from churnsim.campaign.tickets import Tickets, Worked, propose_tickets
from churnsim.campaign.wave import Assignment, Wave, run_wave
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings, LiveChannel, Shift, Team
from churnsim.capacity.work import Channels
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.experiment.world import World

MONTH = 8
START = 720.0 * MONTH
KEY = make_key(seed=3, replicate=0)
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def always(minutes: float) -> LiveChannel:
    """Return a channel on which everybody answers at any hour, for so many minutes."""
    return LiveChannel(
        kind="live",
        answer_prob_by_hour=(1.0,) * 24,
        handle_minutes_mean=minutes,
        handle_scv=0.0,
        calling_window_hours=(0.0, 24.0),
    )


# A call takes 20 hours, a ticket one.
CHANNELS: Mapping[str, LiveChannel] = {"call": always(1200.0), "ticket": always(60.0)}


def centre(agents: int = 1, dispatch: str = "value") -> CapacitySettings:
    team = Team(
        agents=agents,
        cost_per_hour_amount=0.0,
        channels=("call", "ticket"),
        weekdays=WEEK,  # type: ignore[arg-type]
        shifts=(Shift(start_hour=0.0, end_hour=24.0),),
    )
    return CapacitySettings(teams={"all": team}, dispatch=dispatch)  # type: ignore[arg-type]


def tickets(*opened: float, subscriber: tuple[int, ...] = (7,), **settings: float) -> Tickets:
    """Return tickets opened so many hours into the month, resolved nowhere yet."""
    k = len(opened)
    made = TicketSettings(channel="ticket", **settings)  # type: ignore[arg-type]
    return Tickets(made, np.arange(k), np.array(subscriber), START + np.array(opened), np.full(k, np.inf))


def calls(n: int, *, value: float = 50.0, deadline: float = 600.0, release: float = 0.0) -> Orders:
    return Orders(
        order_id=np.arange(n),
        subscriber=np.arange(n),
        channel=np.full(n, "call"),
        offer=np.full(n, "discount"),
        value=np.full(n, value),
        answer_habit=np.ones(n),
        release_hours=np.full(n, START + release),
        deadline_hours=np.full(n, START + deadline),
    )


def hours(
    some: Tickets, orders: Orders, capacity: CapacitySettings | None = None, channels: Channels = CHANNELS
) -> list[float]:
    log, worked = some.work_beside(
        orders, channels=channels, capacity=capacity or centre(), key=KEY, month=MONTH
    )
    assert log.outcomes.order_id.tolist() == orders.order_id.tolist()
    assert set(log.attempts.channel.tolist()) <= {"call"}
    return [round(each, 6) for each in worked.hours.tolist()]


def test_orders_of_higher_value_delay_a_ticket_past_a_day() -> None:
    """Calls from 0 to 20 and 20 to 40; the ticket of hour 5 is resolved at 1 hour, at 41, or between the calls."""
    assert hours(tickets(5.0), calls(0)) == [1.0]
    assert hours(tickets(5.0), calls(2)) == [36.0]
    assert hours(tickets(5.0, value_amount=60.0), calls(2)) == [16.0]
    assert hours(tickets(5.0), calls(2), centre(agents=2)) == [16.0]
    assert hours(tickets(5.0), calls(2), centre(agents=3)) == [1.0]


def test_the_ticket_of_who_opts_out_of_calls_is_resolved() -> None:
    """Subscriber 0 opts out in the call from 0 to 20, and has the ticket of hour 5 resolved after both calls."""
    shy = {**CHANNELS, "call": CHANNELS["call"].model_copy(update={"opt_out_prob": 1.0})}
    assert hours(tickets(5.0, subscriber=(0,)), calls(2), channels=shy) == [36.0]


def test_a_ticket_is_late_after_its_deadline_and_worked_all_the_same() -> None:
    """By deadline: a ticket due at 29 or 15 goes after or before a call due at 24, and before one due at 600."""
    due = centre(dispatch="deadline")
    assert hours(tickets(5.0), calls(2, deadline=24.0), due) == [36.0]
    assert hours(tickets(5.0, deadline_hours=10.0), calls(2, deadline=24.0), due) == [16.0]
    assert hours(tickets(5.0), calls(2), due) == [16.0]
    assert hours(tickets(5.0), calls(2), centre(dispatch="fifo")) == [36.0]
    # To be in time a day is left, to keep a subscriber years: a ticket of little value goes before the next call.
    little = tickets(5.0, value_amount=1.0)
    assert hours(little, calls(2), centre(dispatch="c_mu_loss")) == [16.0]
    assert hours(little, calls(2), centre(dispatch="c_mu")) == [36.0]
    ticket = tickets(5.0)
    assert ticket.late(np.array([23.9, 24.0, 24.1, np.inf])).tolist() == [False, False, True, True]


def test_a_ticket_nobody_comes_to_is_not_resolved_when_the_month_ends() -> None:
    """A call from 708 on lasts into the next month; a ticket begun at 719.5 is finished there."""
    assert hours(tickets(710.0), calls(1, release=708.0, deadline=719.0)) == [np.inf]
    assert hours(tickets(719.5), calls(0)) == [1.0]


def test_tickets_are_told_apart_whatever_the_order_of_ids() -> None:
    """Opened at 1, 1.5 and 8 by the subscribers 9, 4 and 6, who are free after 1, 1.5 and 1 hours."""
    three = tickets(1.0, 1.5, 8.0, subscriber=(9, 4, 6))
    assert hours(three, calls(0)) == [1.0, 1.5, 1.0]
    # All three wait for the end of a call at 20 and then go by id: 4, 6, 9.
    assert hours(three, calls(1)) == [22.0, 19.5, 14.0]


def test_resolutions_go_to_the_rows_of_any_base() -> None:
    three = tickets(1.0, 1.5, 8.0, subscriber=(9, 4, 6))
    worked = Worked(three, np.array([3.0, np.inf, 5.0]))
    assert worked.changed().tolist() == [0, 2]
    found = worked.among(np.array([2, 8, 0]))
    assert (found.row.tolist(), found.hours.tolist()) == ([0, 2], [5.0, 3.0])
    assert len(worked.among(np.array([5, 8]))) == 0
    reference = three.treatment().tickets
    assert reference is not None and reference.row.tolist() == [0, 1, 2] and np.isinf(reference.hours).all()
    assert len(three.treatment()) == 0


def test_tickets_come_back_from_arrays_as_they_were() -> None:
    three = tickets(1.0, 1.5, 8.0, subscriber=(9, 4, 6))
    again = Tickets.of(three.settings, three.arrays())
    assert again is not None and len(again) == 3
    assert all(np.array_equal(values, again.arrays()[name]) for name, values in three.arrays().items())
    assert Tickets.of(TicketSettings(), {}) is None


def test_counts_and_table_by_hand() -> None:
    """Of three tickets, one is late in both worlds, one with the campaign alone; two changed."""
    usual = Tickets(**{**vars(tickets(1.0, 2.0, 3.0, subscriber=(9, 4, 6))), "hours": np.array([1.0, 2.0, 30.0])})
    worked = Worked(usual, np.array([1.0, np.inf, 26.0]))
    assert worked.metrics() == {
        "tickets": 3, "tickets_late": 2, "tickets_late_in_reference": 1, "tickets_changed": 2,
    }
    frame = worked.frame()
    assert frame["subscriber"].tolist() == [9, 4, 6] and frame["opened_hours"].tolist() == [5761.0, 5762.0, 5763.0]
    assert frame["reference_hours"].tolist() == [1.0, 2.0, 30.0]
    assert frame["policy_hours"].tolist() == [1.0, np.inf, 26.0]


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("lifecycle.service.complaint_prob=0.1")


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    return base_at_campaign(world)


def proposed(world: World, base: Subscribers) -> Tickets:
    found = propose_tickets(
        base,
        TicketSettings(channel="ticket"),
        engine=world.engine,
        channels=CHANNELS,
        capacity=centre(agents=50),
        month=MONTH,
    )
    assert found is not None
    return found


def test_who_complains_and_is_still_there_opens_a_ticket(world: World, base: Subscribers) -> None:
    """A complaint of who has an open ticket joins that one."""
    base = base.copy()
    base["ticket_left_hours"][::5] = 800.0
    before = base.copy()
    found = proposed(world, base)
    assert all(np.array_equal(before[name], base[name], equal_nan=True) for name in before.columns)
    after = base.copy()
    complained = np.zeros(len(base), bool)

    def watch(block: object) -> None:
        complained[:] = block["complaint"]  # type: ignore[index]

    world.engine.run([(after, None)], start=MONTH, months=1, observe=watch)
    free = base["ticket_left_hours"] <= 0
    asks = np.flatnonzero(complained & free)
    gone = np.setdiff1d(asks, found.row)
    assert len(found) > 30 and set(found.row) <= set(asks) and (complained & ~free).any()
    assert (after["departure_time"][gone] <= MONTH + 1).all() and len(gone) > 5
    assert (found.opened_hours < 720.0 * after["departure_time"][found.row]).all()
    assert np.array_equal(found.subscriber, base.ids[found.row])
    # Whose drawn hours are over within the month: opened so long before its end.
    resolved = after["ticket_left_hours"][found.row] < -1.0
    left = (after["ticket_hours"] - after["ticket_left_hours"])[found.row]
    assert (START + 720.0 - found.opened_hours)[resolved] == pytest.approx(left[resolved], abs=1e-3)
    # With 50 agents nobody waits.
    assert found.hours == pytest.approx(1.0)


def test_without_a_channel_there_are_no_tickets(world: World, base: Subscribers) -> None:
    assert propose_tickets(base, TicketSettings(), engine=world.engine, channels=CHANNELS, capacity=centre(),
                           month=MONTH) is None


def waved(world: World, base: Subscribers, found: Tickets, *, agents: int, row: int, unlimited: bool = False) -> Wave:
    """Return two calls to others, released five hours before the ticket of `row` opens."""
    opened = found.opened_hours[found.row == row][0]
    others = np.setdiff1d(np.arange(len(base)), found.row)[:2]
    assignment = Assignment(others, np.ones(2, np.int64), np.full(2, "call"), np.full(2, 50.0), np.zeros(2))
    return run_wave(assignment, base, engine=world.engine, channels=CHANNELS, capacity=centre(agents),
                    offers=world.offers, month=MONTH, release_days=(opened - START - 5.0) / 24.0, deadline_days=30.0,
                    unlimited=unlimited, tickets=found)


def alone(world: World, base: Subscribers) -> Tickets:
    """Return one middling subscriber's ticket, as if there were no other."""
    found = proposed(world, base)
    mood = base["satisfaction"][found.row]
    early = (found.opened_hours > START + 100.0) & (found.opened_hours < START + 400.0)
    one = np.flatnonzero((mood > 35.0) & (mood < 65.0) & early)[:1]
    return Tickets(found.settings, *(getattr(found, name)[one] for name in
                                     ("row", "subscriber", "opened_hours", "hours")))


def test_who_waits_for_an_agent_is_less_content_in_the_next_month(world: World, base: Subscribers) -> None:
    """A ticket of 36 hours instead of one: the fast points are not given, the slow ones taken, three quarters stay."""
    found = alone(world, base)
    row = int(found.row[0])
    wave = waved(world, base, found, agents=1, row=row)
    assert wave.tickets is not None and wave.tickets.hours == pytest.approx([36.0])
    assert row in wave.touched and len(wave.touched) == 3
    at = np.flatnonzero(wave.touched == row)[0]
    assert not wave.attempted[at] and not wave.contact_cents[at] and np.isinf(wave.contact_time[at])
    assert wave.attempted.sum() == wave.reached.sum() == 2 and row not in wave.assignment.row
    worlds = []
    for treatment in (wave.reference, wave.treatment):
        touched = base.take(wave.touched)
        world.engine.run([(touched, treatment)], start=MONTH, months=2)
        worlds.append(touched)
    reference, policy = worlds
    service = world.experiment.lifecycle.service
    lost = service.satisfaction_persistence * (service.ticket.fast_points - service.ticket.slow_points)
    assert reference["satisfaction"][at] - policy["satisfaction"][at] == pytest.approx(lost, rel=1e-4) and lost > 5.0
    assert (reference["ticket_hours"][at], policy["ticket_hours"][at]) == pytest.approx((1.0, 36.0), rel=1e-4)


def test_enough_agents_delay_nobody(world: World, base: Subscribers) -> None:
    found = alone(world, base)
    row = int(found.row[0])
    for wave in (waved(world, base, found, agents=10, row=row),
                 waved(world, base, found, agents=1, row=row, unlimited=True)):
        assert wave.tickets is not None and np.array_equal(wave.tickets.hours, found.hours)
        assert wave.touched is wave.assignment.row
