"""The work that orders and callers bring, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from churnsim.capacity.load import Load, offered_load, overloads
from churnsim.capacity.settings import InboundStream, Law, LiveChannel

from .examples import EVERY_DAY, ROUND_THE_CLOCK, centre, order_list, sms, team, voice

ALWAYS = {"weekdays": EVERY_DAY, "shifts": ROUND_THE_CLOCK}
HOTLINE = InboundStream(calls_per_hour_by_hour=(2.0,) * 24, patience=None, handle=Law(law="fixed", mean_minutes=15.0))


def half(**changes: Any) -> LiveChannel:
    """Return a channel that is answered half the time, in 6 minutes; 3 attempts, others take 1 minute."""
    return voice(answer_prob_by_hour=(0.5,) * 24, no_answer_minutes=1.0, calling_window_hours=(0.0, 24.0), **changes)


def loads(orders, channels, capacity, month=0):
    return offered_load(orders, channels=channels, capacity=capacity, month=month)


def test_orders_take_the_attempts_they_are_expected_to_take():
    """Of an order 1.75 attempts, 0.875 answered: 5.25 minutes and 0.875 more; by agents twice as fast 2.625 less."""
    (found,) = loads(order_list(240), {"voice": half()}, centre(team(**ALWAYS)))
    assert found.teams == ("t0",) and found.staffed_hours == 1440.0
    assert found.work_hours == pytest.approx(240 * 6.125 / 60)
    (fast,) = loads(order_list(240), {"voice": half()}, centre(team(productivity=2.0, absence_prob=0.25, **ALWAYS)))
    assert fast.work_hours == pytest.approx(240 * 3.5 / 60) and fast.staffed_hours == 1080.0
    (long,) = loads(order_list(240), {"voice": half(ring_minutes=2.0, dialling="preview", preview_minutes=4.0)},
                    centre(team(**ALWAYS)))
    assert long.work_hours == pytest.approx(240 * (6.125 + 0.875 * 2.0 + 1.75 * 4.0) / 60)


def test_the_next_channel_of_a_plan_takes_those_not_reached():
    channels = {"sms": sms(read_prob=0.75), "voice": half()}
    (found,) = loads(order_list(240, channel="sms>voice"), channels, centre(team(**ALWAYS)))
    assert found.work_hours == pytest.approx(240 * 0.25 * 6.125 / 60)


def test_orders_of_later_months_and_without_consent_take_nothing():
    orders = order_list(3, release_hours=[0.0, 720.0, 0.0], consent=[True, True, False])
    (found,) = loads(orders, {"voice": half()}, centre(team(**ALWAYS)))
    assert found.work_hours == pytest.approx(6.125 / 60)


def test_callers_and_teams_that_share_them():
    """48 calls a day of a quarter of an hour: 360 hours a month. Teams 0 and 1 share the stream, 2 is apart."""
    capacity = centre(team(**ALWAYS), team(agents=0, channels=(), inbound=("hotline",)),
                      team(channels=("desk",), inbound=("hotline",), agents=1, **ALWAYS), team(channels=("visit",)),
                      inbound={"hotline": HOTLINE})
    apart, callers, visits = loads(order_list(0), {"voice": half(), "desk": half(), "visit": half()}, capacity)
    assert (apart.teams, callers.teams, visits.teams) == (("t0",), ("t1", "t2"), ("t3",))
    assert (apart.work_hours, callers.work_hours, callers.staffed_hours) == (0.0, pytest.approx(360.0), 720.0)
    assert callers.ratio == pytest.approx(0.5)


def test_a_centre_with_more_work_than_hours_is_told_the_ratio():
    assert list(overloads([Load(("day", "evening"), 1500.0, 1000.0), Load(("visit",), 9.0, 10.0)])) == [
        "day, evening: 1,500 hours of work for 1,000 hours of staff (1.50 times): orders will expire or be left, "
        "callers will wait"]
    assert Load(("a",), 0.0, 0.0).text() == "a: 0 hours of work for 0 hours of staff (0.00 times)"
    assert list(overloads([Load(("a",), 2.0, 0.0)]))
