"""Callers by hand, on both engines: who is served, who gives up and calls again, and what that does to orders."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.calls import anonymous_calls
from churnsim.capacity.settings import Burst, Law, Team
from churnsim.errors import DataError

from .examples import KEY, call_list, centre, hour_calls, inbound, order_list, team, voice, work_by_both


def run(calls, *teams, orders=None, streams=None, **channel):
    capacity = centre(*teams, inbound=streams or {"hot": inbound()}, dispatch="value")
    return work_by_both(orders or order_list(0), {"voice": voice(**hour_calls(**channel))}, capacity, calls=calls)


def desk(**changes):
    return team(**{"agents": 1, "inbound": ("hot",), **changes})


def story(log):
    calls = log.calls
    return list(zip(calls.call_id.tolist(), calls.attempt.tolist(), calls.call_hours.tolist(),
                    calls.start_hours.tolist(), calls.end_hours.tolist(), calls.disposition.tolist(), strict=True))


def test_callers_wait_in_turn_give_up_at_their_time_and_go_before_orders():
    """One agent. The second caller's patience ends at 9:30; the fourth is taken at its very end, 10:30."""
    calls = call_list((9.0, -1, 1.0, 1.0), (9.25, -1, 0.25, 1.0), (9.5, -1, 2.0, 0.5), (9.75, -1, 0.75, 1.0))
    log = run(calls, desk(), orders=order_list(2))
    assert story(log) == [
        (0, 1, 9.0, 9.0, 10.0, "served"), (1, 1, 9.25, np.inf, 9.5, "abandoned_in_queue"),
        (2, 1, 9.5, 10.0, 10.5, "served"), (3, 1, 9.75, 10.5, 11.5, "served")]
    assert log.attempts.start_hours.tolist() == [11.5, 12.5]
    assert log.calls.handled_hours.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert log.calls.team.tolist() == ["t0", "", "t0", "t0"]


def test_without_patience_only_a_free_agent_helps():
    log = run(call_list((9.0, -1, 0.0, 1.0), (9.5, -1, 0.0, 1.0), (10.0, -1, 0.0, 1.0)), desk())
    assert [row[-1] for row in story(log)] == ["served", "abandoned_in_queue", "served"]


def test_at_the_months_end_callers_wait_or_have_given_up():
    """Nobody is at work on the last two hours of the month."""
    log = run(call_list((718.0, -1, np.inf, 1.0), (719.0, -1, 0.5, 1.0), (719.5, -1, 0.5, 1.0)), desk())
    assert story(log) == [
        (0, 1, 718.0, np.inf, 720.0, "waiting"), (1, 1, 719.0, np.inf, 719.5, "abandoned_in_queue"),
        (2, 1, 719.5, np.inf, 720.0, "waiting")]


def test_who_gave_up_calls_again_and_is_served():
    """Gives up at 9:12, calls again half an hour later, and now waits the stream's hour."""
    stream = inbound(retrial_prob=1.0, retrial_delay=Law(law="fixed", mean_minutes=30.0),
                     patience=Law(law="fixed", mean_minutes=60.0))
    log = run(call_list((9.0, -1, 1.0, 1.0), (9.0, -1, 0.2, 1.0)), desk(), streams={"hot": stream})
    assert story(log) == [
        (0, 1, 9.0, 9.0, 10.0, "served"), (1, 1, 9.0, np.inf, 9.2, "abandoned_in_queue"),
        (1, 2, pytest.approx(9.7), 10.0, 11.0, "served")]


def test_agents_are_not_lost_when_callers_give_up():
    """Ten impatient callers meet two busy agents; both agents then work on, and no more than two at once."""
    calls = call_list((9.0, -1, 9.0, 1.0), (9.0, -1, 9.0, 1.0), *[(9.25, -1, 0.1, 1.0)] * 10)
    log = run(calls, desk(agents=2), orders=order_list(6))
    assert log.attempts.start_hours.tolist() == [10.0, 10.0, 11.0, 11.0, 12.0, 12.0]
    assert sorted(set(log.attempts.agent.tolist())) == [0, 1]


def test_streams_in_the_order_of_the_settings_and_teams_by_what_they_serve():
    streams = {"hot": inbound(), "cold": inbound()}
    calls = call_list((8.5, -1, 5.0, 1.0), (8.75, -1, 5.0, 1.0))
    cold = call_list((8.0, -1, 5.0, 1.0), stream="cold")
    both = type(calls)(*(np.concatenate([getattr(calls, name), getattr(cold, name)]) for name in calls.__dict__))
    log = run(both, desk(inbound=("hot", "cold")), streams=streams)
    assert log.calls.stream.tolist() == ["cold", "hot", "hot"]
    assert log.calls.start_hours.tolist() == [11.0, 9.0, 10.0]
    two = run(both, desk(), desk(inbound=("cold",), channels=()), streams=streams)
    assert two.calls.start_hours.tolist() == [9.0, 9.0, 10.0]
    assert two.calls.agent.tolist() == [1, 0, 0]


def test_a_served_caller_closes_open_orders_but_one_who_gave_up_does_not():
    """Subscriber 7 is served at 9, 8 gives up; 9 was not reached at 10 and is served before the next attempt."""
    calls = call_list((9.0, 7, 1.0, 1.0), (9.5, 8, 0.25, 1.0), (12.0, 9, 9.0, 1.0))
    orders = order_list(4, subscriber=[7, 7, 8, 9], value=[4, 3, 1, 2], answer_habit=[1, 1, 1, 0])
    log = run(calls, desk(), orders=orders, retry_delay_hours=2.5)
    assert log.outcomes.outcome.tolist() == ["called_in", "called_in", "reached", "called_in"]
    assert log.attempts.order_id.tolist() == [3, 2]
    assert log.calls.subscriber.tolist() == [7, 8, 9]


def test_a_reserve_is_kept_for_callers():
    log = run(call_list((9.5, -1, 0.0, 1.0)), desk(agents=2, reserve_agents=1), orders=order_list(2))
    assert [row[-1] for row in story(log)] == ["served"]
    # The agent for orders is free at 10, the reserve at 10:30: no order is begun while only one is.
    assert log.attempts.start_hours.tolist() == [9.0, 10.5]


def test_costs_of_callers_by_hand():
    """An hour at 30 and 60 minutes at 0.02; one who gave up costs nothing; overtime from 13 at half as much again."""
    calls = call_list((9.0, -1, 1.0, 1.0), (9.0, -1, 0.0, 1.0), (12.5, -1, 1.0, 1.0))
    log = run(calls, desk(overtime_factor=1.5), streams={"hot": inbound(cost_per_minute_amount=0.02, wrap_share=0.25)})
    assert log.calls.cost_cents.tolist() == [3120, 0, 3870]
    assert log.calls.overtime_hours.tolist() == [0.0, 0.0, 0.5]
    assert log.calls.wrap_hours.tolist() == [0.25, 0.0, 0.25]


@pytest.mark.parametrize(("call", "message"), [
    ((np.inf, 1, 1.0, 1.0), "calls: column 'time_hours', row 0 (call_id 0): inf is not finite; "
                            "give an hour on the centre's clock"),
    ((9.0, 1, -1.0, 1.0), "calls: column 'patience_hours', row 0 (call_id 0): -1.0 is no duration; "
                          "give hours of 0 or more, inf for ever"),
    ((9.0, 1, 1.0, np.inf), "calls: column 'handle_hours', row 0 (call_id 0): inf is no finite duration; "
                            "give hours of 0 or more"),
])
def test_bad_calls(call, message):
    with pytest.raises(DataError) as caught:
        call_list(call)
    assert str(caught.value) == message


def test_calls_are_sorted_by_time_and_need_a_stream():
    calls = call_list((10.0, 5, 1.0, 1.0), (9.0, 6, 1.0, 1.0))
    assert (calls.time_hours.tolist(), calls.subscriber.tolist()) == ([9.0, 10.0], [6, 5])
    with pytest.raises(DataError) as caught:
        run(call_list((9.0, 5, 1.0, 1.0), stream="faults"), desk())
    assert str(caught.value) == ("calls: column 'stream', row 0 (call_id 0): 'faults' is no inbound stream; "
                                 "known are hot")


def test_the_number_of_calls_has_the_stated_means():
    """12 a day at 9-12, twice on Saturdays, and a burst of 200 at noon of day 2: Poisson.

    4 standard errors of 20 months: 6 in 100,000 keys would fail each.
    """
    stream = inbound(calls_per_hour_by_hour=(0.0,) * 9 + (4.0,) * 3 + (0.0,) * 12,
                     weekday_factors=(1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0),
                     bursts=(Burst(start_hours=60.0, length_hours=1.0, calls_per_hour=200.0),))
    months = [anonymous_calls("hot", stream, start_weekday="monday", key=KEY._replace(low=low), month=0)
              for low in range(20)]
    hours = [calls.time_hours for calls in months]
    burst = np.array([((h >= 60) & (h < 61)).sum() for h in hours])
    saturdays = np.array([(np.isin(h // 24, (5, 12, 19, 26))).sum() for h in hours])
    for seen, mean in ((burst, 200.0), (saturdays, 96.0)):
        assert abs(seen.mean() - mean) < 4 * np.sqrt(mean / 20)
    assert all(np.isin(h % 24 // 1, (9, 10, 11)).sum() + ((h >= 60) & (h < 61)).sum() == len(h) for h in hours)
    assert all((np.diff(h) >= 0).all() for h in hours)


def test_more_patience_lowers_abandonment():
    """The same callers, at a load of 1.4 of one agent, under common random numbers: fewer give up, month by month."""
    rates = (0.0,) * 9 + (1.4,) * 4 + (0.0,) * 11
    crew = Team(agents=1, cost_per_hour_amount=30.0, channels=("voice",), inbound=("hot",))
    gave_up = []
    for minutes in (2.0, 10.0, 60.0, 240.0):
        stream = inbound(calls_per_hour_by_hour=rates, handle=Law(law="exponential", mean_minutes=60.0),
                         patience=Law(law="exponential", mean_minutes=minutes))
        log = run(None, crew, streams={"hot": stream})
        gave_up.append(np.mean(log.calls.disposition == "abandoned_in_queue"))
    assert gave_up == sorted(gave_up, reverse=True)
    assert gave_up[0] > gave_up[-1] + 0.1
