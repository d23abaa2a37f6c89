from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.capacity.work import work

from .examples import KEY, centre, order_list, sms, team, voice

ALL_DAY = (0.0, 24.0)


def send(orders, **changes):
    return work(orders, channels={"sms": sms(**changes)}, capacity=centre(), key=KEY, month=0)


def test_the_throttle_by_hand():
    """Two an hour, 8-10: the backlog of the first day goes on next morning, by value, then by id."""
    orders = order_list(6, channel="sms", value=[1, 5, 5, 2, 9, 9], release_hours=[0, 0, 0, 0, 0, 33.25])
    log = send(orders, throttle_per_hour=2.0, calling_window_hours=(8.0, 10.0), read_prob=1.0,
               send_delay_hours=0.25)
    assert log.attempts.order_id.tolist() == [4, 1, 2, 3, 0, 5]
    assert log.attempts.start_hours.tolist() == [8.0, 8.5, 9.0, 9.5, 32.0, 33.25]
    assert log.attempts.end_hours.tolist() == [8.75, 9.25, 9.75, 10.25, 32.75, 34.0]
    assert log.outcomes.contact_hours.tolist() == [32.75, 9.25, 9.75, 10.25, 8.75, 34.0]
    assert set(log.attempts.disposition) == {"read"}
    assert log.attempts.cost_cents.tolist() == [3] * 6
    assert set(log.attempts.team) == {""}


def test_what_would_be_read_too_late_is_not_sent_and_costs_nothing():
    orders = order_list(4, channel="sms", release_hours=[0, 0, 0, 800.0],
                        deadline_hours=[8.5, 8.9, 900.0, np.inf])
    log = send(orders, throttle_per_hour=2.0, read_prob=1.0)
    assert log.attempts.order_id.tolist() == [0, 2]
    assert log.attempts.start_hours.tolist() == [8.0, 9.0]
    assert log.outcomes.outcome.tolist() == ["reached", "expired", "reached", "left"]


def test_an_unread_message_exhausts_its_order():
    orders = order_list(1000, channel="sms")
    log = send(orders, read_prob=0.3)
    assert set(log.outcomes.outcome) == {"reached", "exhausted"}
    assert np.array_equal(log.attempts.disposition == "read", log.outcomes.reached[log.attempts.order_id])


def test_habit_multiplies_the_reading_probability():
    log = send(order_list(4000, channel="sms", answer_habit=[0.0] * 2000 + [2.0] * 2000))
    assert not log.outcomes.reached[:2000].any()
    assert log.outcomes.reached[2000:].all()


@given(st.lists(st.floats(0.0, 719.0), min_size=1, max_size=40), st.sampled_from([0.5, 3.0, 1000.0]),
       st.sampled_from([(0.0, 24.0), (8.0, 21.0), (9.0, 9.5)]))
def test_messages_keep_window_release_and_throttle(releases, rate, window):
    log = send(order_list(len(releases), channel="sms", release_hours=releases),
               throttle_per_hour=rate, calling_window_hours=window)
    start = log.attempts.start_hours
    hour = start % 24
    assert np.all((hour >= window[0]) & (hour < window[1]))
    assert np.all(start >= np.array(releases)[log.attempts.order_id])
    day = start // 24 * (window[1] - window[0]) + hour - window[0]
    assert np.all(np.diff(day) >= 1 / rate - 1e-9)


def test_messages_in_time_against_the_sum():
    """1000 messages, 500 an hour, exponential deadlines: sum over k of exp(-0.1 k / 500), by theory.

    30 batches and 4 standard errors: 6 in 100,000 seeds would fail. The sum at twice the throttle must fail.
    """
    draw = np.random.default_rng(5)
    truth = np.exp(-0.1 * np.arange(1, 1001) / 500).sum()
    assert truth == pytest.approx(906.256, abs=5e-4)
    sent = np.array([
        len(send(order_list(1000, channel="sms", deadline_hours=draw.exponential(10.0, 1000)),
                 throttle_per_hour=500.0, calling_window_hours=ALL_DAY).attempts)
        for _ in range(30)
    ])
    error = sent.std(ddof=1) / np.sqrt(len(sent))
    assert abs(sent.mean() - truth) < 4 * error
    assert abs(sent.mean() - np.exp(-0.1 * np.arange(1, 1001) / 1000).sum()) > 4 * error


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_who_opts_out_of_a_message_is_not_called_once_it_is_read(engine):
    """The message is read at 10.5: the call due at 9 is made, the one due at 12 is not; others are called."""
    orders = order_list(5, subscriber=[7, 7, 7, 8, 8], channel=["sms", "voice", "voice", "sms", "voice"],
                        release_hours=[8, 9, 12, 8, 12], deadline_hours=[np.inf, np.inf, np.inf, 8, np.inf])
    channels = {"sms": sms(read_prob=1.0, send_delay_hours=2.49, opt_out_prob=1.0), "voice": voice(
        answer_prob_by_hour=(1.0,) * 24)}
    capacity = centre(team(agents=2), engine=engine)
    log = work(orders, channels=channels, capacity=capacity, key=KEY, month=0)
    assert log.outcomes.contact_hours[0] == pytest.approx(10.5)
    assert log.attempts.order_id.tolist() == [0, 1, 4]
    # The second message came too late to be sent: nobody opts out of it.
    assert log.outcomes.outcome.tolist() == ["reached", "reached", "opted_out", "expired", "reached"]
    channels["sms"] = sms(read_prob=1.0, send_delay_hours=2.49)
    assert work(orders, channels=channels, capacity=capacity, key=KEY, month=0).outcomes.reached.sum() == 4


def test_the_last_message_of_a_plan_goes_to_nobody_who_opted_out_before():
    orders = order_list(3, subscriber=[7, 7, 8], channel=["sms", "voice>sms", "voice>sms"], release_hours=[0, 9, 9],
                        answer_habit=[1, 0, 0], max_attempts=1)
    log = work(orders, channels={"sms": sms(read_prob=1.0, opt_out_prob=1.0, calling_window_hours=(9.0, 20.0)),
                                 "voice": voice()}, capacity=centre(team()), key=KEY, month=0)
    assert log.attempts.order_id.tolist() == [0, 1, 2, 2] and log.attempts.channel.tolist()[-1] == "sms"
