from __future__ import annotations

import pytest

from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.work import work

from .examples import KEY, centre, order_list, sms, team, voice


def test_totals_by_hand():
    """Ten talks of an hour for two agents with 22 days of 8 hours; a message read and one not."""
    channels = {"voice": voice(answer_prob_by_hour=(1.0,) * 24, handle_minutes_mean=60.0, handle_scv=0.0),
                "sms": sms(read_prob=0.5)}
    habit = [1.0] * 10 + [0.0, 2.0]
    orders = order_list(12, channel=["voice"] * 10 + ["sms"] * 2, answer_habit=habit)
    capacity = centre(team(), team(agents=0))
    log = work(orders, channels=channels, capacity=capacity, key=KEY, month=0)
    metrics = centre_metrics(log, capacity=capacity, month=0)
    assert (metrics.targeted, metrics.attempts, metrics.reached) == (12, 12, 11)
    assert metrics.reach_rate == pytest.approx(11 / 12)
    assert metrics.cost_amount == pytest.approx(10 * 30.05 + 0.06)
    assert metrics.occupancy == {"t0": pytest.approx(10 / (2 * 22 * 8)), "t1": 0.0}
