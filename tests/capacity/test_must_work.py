"""Months at the edge, which must work, and the faults of other simulators, which must not be made again."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.settings import Law, Shift
from churnsim.capacity.work import work
from churnsim.errors import CapacityError

from .examples import (
    EVERY_DAY,
    KEY,
    ROUND_THE_CLOCK,
    call_list,
    centre,
    hour_calls,
    inbound,
    order_list,
    sms,
    team,
    voice,
    work_by_both,
)


def run(orders, *teams, calls=None, month=0, streams=None, **channel):
    capacity = centre(*(teams or (team(agents=1),)), inbound=streams or {}, dispatch="value")
    return work_by_both(orders, {"voice": voice(**hour_calls(**channel))}, capacity, calls=calls, month=month)


def test_an_empty_list():
    """Its metrics, all 0, are in test_work.py."""
    log = run(order_list(0))
    assert len(log.attempts) == len(log.outcomes) == len(log.calls) == 0


def test_one_agent_and_one_order():
    log = run(order_list(1))
    assert (log.attempts.start_hours.tolist(), log.outcomes.outcome.tolist()) == ([9.0], ["reached"])


def test_a_shift_of_one_second():
    """An attempt begins at its start and one a second later at its end does not."""
    second = team(agents=1, shifts=(Shift(start_hour=9.0, end_hour=9.0 + 1 / 3600),), weekdays=EVERY_DAY)
    assert run(order_list(3), second).attempts.start_hours.tolist() == [9.0, 33.0, 57.0]
    # Half a second a call: two a day.
    quick = run(order_list(3), second, handle_minutes_mean=1 / 120)
    assert quick.attempts.start_hours == pytest.approx([9.0, 9.0 + 1 / 7200, 33.0])


def test_a_shift_over_midnight():
    night = team(agents=1, shifts=(Shift(start_hour=22.5, end_hour=25.5),), weekdays=EVERY_DAY)
    log = run(order_list(4), night, calling_window_hours=(0.0, 24.0))
    assert log.attempts.start_hours.tolist() == [22.5, 23.5, 24.5, 46.5]


def test_arrivals_at_the_same_instant():
    """Orders by id, callers by their place in the list, all at the moment the shift begins."""
    calls = call_list(*[(9.0, -1, 9.0, 1.0)] * 3)
    log = run(order_list(3, release_hours=9.0), team(agents=1, inbound=("hot",)), calls=calls,
              streams={"hot": inbound()})
    assert log.calls.call_id.tolist() == [0, 1, 2]
    assert log.calls.start_hours.tolist() == [9.0, 10.0, 11.0]
    assert log.attempts.order_id.tolist() == [0, 1, 2]
    assert log.attempts.start_hours.tolist() == [12.0, 14.0, 15.0]


def test_everybody_on_the_do_not_contact_list():
    log = run(order_list(5, consent=False))
    assert len(log.attempts) == 0
    assert log.outcomes.outcome.tolist() == ["suppressed"] * 5
    batch = work(order_list(5, channel="sms", consent=False), channels={"sms": sms()}, capacity=centre(), key=KEY,
                 month=0)
    assert batch.outcomes.outcome.tolist() == ["suppressed"] * 5


def test_an_order_released_after_the_horizon():
    log = run(order_list(2, release_hours=[720.0, 5000.0]))
    assert (len(log.attempts), log.outcomes.outcome.tolist()) == (0, ["left", "left"])


def test_a_deadline_before_the_month():
    """Whom it was too late to call before the month began is never called, and does not stop the others."""
    orders = order_list(3, release_hours=[600.0, 700.0, 700.0], deadline_hours=[600.0, 719.9, np.inf])
    log = run(orders, month=1)
    assert log.outcomes.outcome.tolist() == ["expired", "expired", "reached"]
    assert log.attempts.order_id.tolist() == [2]


def test_a_million_orders_for_one_agent_are_all_accounted_for():
    n = 1_000_000
    orders = order_list(n, value=np.arange(n) % 97, deadline_hours=np.where(np.arange(n) % 3, np.inf, 200.0))
    capacity = centre(team(agents=1), engine="compiled")
    log = work(orders, channels={"voice": voice()}, capacity=capacity, key=KEY, month=0)
    names, counts = np.unique(log.outcomes.outcome, return_counts=True)
    assert set(names.tolist()) <= {"exhausted", "expired", "left", "reached"}
    assert counts.sum() == n
    assert log.outcomes.attempts.sum() == len(log.attempts) > 2000
    assert (log.outcomes.outcome == "reached").sum() == log.attempts.is_reached.sum()


# Faults that other simulators were reported to have


def test_an_agent_is_not_lost_when_a_waiting_caller_gives_up():
    calls = call_list((9.0, -1, 9.0, 1.0), (9.5, -1, 0.25, 1.0), (9.6, -1, 9.0, 1.0))
    log = run(order_list(1), team(agents=1, inbound=("hot",)), calls=calls, streams={"hot": inbound()})
    assert log.calls.disposition.tolist() == ["served", "abandoned_in_queue", "served"]
    assert log.attempts.start_hours.tolist() == [11.0]


def test_nobody_on_shift_for_a_while():
    """All are away on Tuesday and over the weekend; what waits is worked when they are back, nothing is lost."""
    crew = team(agents=2, weekdays=("monday", "wednesday"), shifts=(Shift(start_hour=9.0, end_hour=10.0),))
    log = run(order_list(6, release_hours=[0, 0, 20, 20, 70, 70]), crew)
    assert log.attempts.start_hours.tolist() == [9.0, 9.0, 57.0, 57.0, 177.0, 177.0]


def test_a_list_that_is_there_when_the_month_begins():
    """Released and rung before it; the callers' waits count from when they came."""
    calls = call_list((715.0, -1, 20.0, 1.0), (716.0, -1, 1.0, 1.0))
    log = run(order_list(2, release_hours=[-50.0, 719.0]), team(agents=1, inbound=("hot",), weekdays=EVERY_DAY),
              calls=calls, streams={"hot": inbound()}, month=1)
    assert log.calls.call_hours.tolist() == [715.0, 716.0]
    assert log.calls.start_hours.tolist() == [729.0, np.inf]
    assert log.calls.end_hours.tolist() == [730.0, 717.0]
    assert log.attempts.start_hours.tolist() == [730.0, 731.0]


def test_an_order_whose_skill_nobody_has_is_refused():
    with pytest.raises(CapacityError) as caught:
        run(order_list(3, skill=["", "xx", ""]), team(skills=("en", "de")))
    assert str(caught.value) == (
        "orders: column 'skill', row 1 (order_id 1): no agent who serves channel 'voice' has skill 'xx'; skills of the "
        "teams are de, en: add it to a team under capacity.teams, or leave the cell empty")


def test_a_caller_who_gave_up_and_comes_back_is_served():
    calls = call_list((9.0, -1, 9.0, 2.0), (9.5, -1, 0.5, 1.0))
    patient = inbound(retrial_prob=1.0, patience=Law(law="fixed", mean_minutes=600.0))
    log = run(order_list(0), team(agents=1, inbound=("hot",)), calls=calls, streams={"hot": patient})
    mine = log.calls.call_id == 1
    assert log.calls.disposition[mine].tolist() == ["abandoned_in_queue", "served"]
    assert log.calls.attempt[mine].tolist() == [1, 2]


def test_orders_that_are_given_up_hold_no_agent():
    """A hundred orders expire or are closed unseen while both agents are busy; the last is worked at once after."""
    orders = order_list(103, subscriber=[*range(2), *[500] * 50, *range(2, 52), 900],
                        release_hours=[0, 0] + [9.25] * 101,
                        deadline_hours=[np.inf] * 52 + [9.5] * 50 + [np.inf], value=[9, 8] + [5] * 100 + [1])
    calls = call_list((9.75, 500, 9.0, 1.0))
    log = run(orders, team(agents=2, inbound=("hot",)), calls=calls, streams={"hot": inbound()})
    assert log.attempts.order_id.tolist() == [0, 1, 102]
    assert log.attempts.start_hours.tolist() == [9.0, 9.0, 10.0]
    names, counts = np.unique(log.outcomes.outcome, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"called_in": 50, "expired": 50, "reached": 3}


def test_the_last_minute_of_the_month_is_finished_and_nothing_begins_after():
    always = team(agents=1, shifts=ROUND_THE_CLOCK, weekdays=EVERY_DAY)
    log = run(order_list(2, release_hours=719.5), always, calling_window_hours=(0.0, 24.0))
    assert log.attempts.start_hours.tolist() == [719.5]
    assert log.attempts.end_hours.tolist() == [720.5]
    assert log.outcomes.outcome.tolist() == ["reached", "left"]
