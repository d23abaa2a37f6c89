from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.capacity.work import work

from .examples import KEY, centre, order_list, sms

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
