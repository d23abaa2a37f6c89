from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.capacity.plan import planned_reach
from churnsim.capacity.settings import Shift

from .examples import centre, sms, team, voice


def test_three_attempts_by_hand():
    """With p = 0.4: reach 1 - 0.6^3 = 0.784, attempts 1.96; 6 min talked at productivity 1.2, 0.6 rung."""
    fast = centre(team(productivity=1.2))
    plan = planned_reach(voice(), np.array([1.0, 0.0, 5.0]), capacity=fast, name="voice")
    assert plan.reach == pytest.approx([0.784, 0.0, 1.0])
    assert plan.attempts == pytest.approx([1.96, 3.0, 1.0])
    minutes = np.array([0.784 * 5 + (1.96 - 0.784) * 0.6, 1.8, 5.0])
    assert plan.cost_amount == pytest.approx(0.05 * np.array([1.96, 3.0, 1.0]) + 0.5 * minutes)


def test_the_answer_probability_is_a_mean_over_agent_hours():
    """Two agents at 9-10 (0.2), one at 20-21 (0.8) on as many days: (2 x 0.2 + 0.8) / 3; 21-22 is outside."""
    probs = tuple({9: 0.2, 20: 0.8}.get(h, 0.5) for h in range(24))
    capacity = centre(team(shifts=(Shift(start_hour=9.0, end_hour=10.0),)),
                      team(agents=1, shifts=(Shift(start_hour=20.0, end_hour=22.0),)))
    channel = voice(answer_prob_by_hour=probs, max_attempts=1)
    plan = planned_reach(channel, np.ones(1), capacity=capacity, name="voice")
    assert plan.reach == pytest.approx([0.4])


def test_a_message_is_one_attempt():
    plan = planned_reach(sms(), np.array([0.5, 1.0, 9.0]), capacity=centre(), name="sms")
    assert plan.reach.tolist() == [0.25, 0.5, 1.0]
    assert plan.attempts.tolist() == [1.0] * 3
    assert plan.cost_amount.tolist() == [0.03] * 3


@given(st.floats(0.0, 3.0), st.integers(1, 8))
def test_reach_is_the_truncated_geometric_one(habit, cap):
    plan = planned_reach(voice(max_attempts=cap), np.array([habit]), capacity=centre(team()), name="voice")
    p = min(0.4 * habit, 1.0)
    assert plan.reach[0] == pytest.approx(1 - (1 - p) ** cap)
    assert plan.attempts[0] * p == pytest.approx(plan.reach[0])
    assert plan.attempts[0] <= cap
