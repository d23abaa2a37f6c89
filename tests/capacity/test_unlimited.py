from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.plan import planned_reach
from churnsim.capacity.work import work, work_unlimited

from .examples import EVERY_DAY, KEY, centre, order_list, sms, team, voice


def random_orders(n, *, seed):
    draw = np.random.default_rng(seed)
    release = draw.uniform(0, 650, n)
    return order_list(n, subscriber=draw.permutation(10 * n)[:n], release_hours=release,
                      deadline_hours=release + draw.exponential(150, n), answer_habit=draw.gamma(4, 0.25, n))


def test_with_enough_agents_the_centre_is_the_unlimited_one():
    """Same starts, same answers, same costs: 400 agents never let 400 orders wait."""
    orders = random_orders(400, seed=1)
    arguments = {"channels": {"voice": voice(retry_delay_hours=7.0)}, "capacity": centre(team(agents=400)),
                 "key": KEY, "month": 0}
    real, unlimited = work(orders, **arguments), work_unlimited(orders, **arguments)
    for name in ("order_id", "attempt", "disposition", "cost_cents"):
        assert getattr(real.attempts, name).tolist() == getattr(unlimited.attempts, name).tolist()
    assert real.attempts.start_hours == pytest.approx(unlimited.attempts.start_hours, abs=1e-12)
    assert real.outcomes.outcome.tolist() == unlimited.outcomes.outcome.tolist()
    assert set(unlimited.attempts.agent.tolist()) == {-1}
    assert len(real.attempts) > 600


def test_first_attempts_at_the_same_hour_have_the_same_answer_under_load():
    orders = random_orders(3000, seed=2)
    arguments = {"channels": {"voice": voice()}, "capacity": centre(team(agents=2)), "key": KEY, "month": 0}
    said = []
    for log in (work(orders, **arguments), work_unlimited(orders, **arguments)):
        a = log.attempts
        said.append({(i, int(h)): d for i, h, d in zip(a.order_id.tolist(), a.start_hours.tolist(),
                                                      a.disposition.tolist(), strict=True)})
    both = said[0].keys() & said[1].keys()
    assert len(both) > 100
    assert all(said[0][k] == said[1][k] for k in both)


def test_attempts_by_hand():
    """Friday 15:00 (nobody), then Monday 9:00; the deadline forbids a third."""
    orders = order_list(1, release_hours=111.0, deadline_hours=200.0, answer_habit=0.0)
    capacity = centre(team(agents=1, cost_per_hour_amount=20.0), team(agents=3, cost_per_hour_amount=40.0))
    log = work_unlimited(orders, channels={"voice": voice(retry_delay_hours=25.0, no_answer_minutes=60.0)},
                         capacity=capacity, key=KEY, month=0)
    assert log.attempts.start_hours.tolist() == [111.0, 177.0]
    assert log.attempts.cost_cents.tolist() == [3505, 3505]
    assert log.outcomes.outcome.tolist() == ["expired"]


def test_it_equals_the_plan_in_the_mean():
    """Constant answer probability; 4 standard errors of 20,000 orders: 6 in 100,000 seeds would fail each.

    The reach of a single attempt must fail.
    """
    n = 20_000
    habit = np.random.default_rng(3).gamma(4, 0.25, n)
    channel = voice(handle_scv=0.4)
    capacity = centre(team(weekdays=EVERY_DAY, productivity=1.25),
                      team(agents=5, cost_per_hour_amount=50.0, productivity=1.25))
    log = work_unlimited(order_list(n, answer_habit=habit), channels={"voice": channel}, capacity=capacity,
                         key=KEY, month=0)
    plan = planned_reach(channel, habit, capacity=capacity, name="voice")
    cost = np.bincount(log.attempts.order_id, weights=log.attempts.cost_cents / 100, minlength=n)
    for seen, planned in ((log.outcomes.reached, plan.reach), (log.outcomes.attempts, plan.attempts),
                          (cost, plan.cost_amount)):
        gap = seen - planned
        assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(n)
    gap = log.outcomes.reached - np.minimum(0.4 * habit, 1.0)
    assert abs(gap.mean()) > 4 * gap.std() / np.sqrt(n)


def test_messages_without_throttle_leave_at_once():
    orders = order_list(500, channel="sms", release_hours=np.linspace(0, 700, 500))
    log = work_unlimited(orders, channels={"sms": sms(throttle_per_hour=0.1)}, capacity=centre(), key=KEY,
                         month=0)
    hour = orders.release_hours % 24
    inside = (hour >= 8) & (hour < 21)
    start = np.empty(500)
    start[log.attempts.order_id] = log.attempts.start_hours
    assert np.array_equal(start[inside], orders.release_hours[inside])
    assert np.all(start[~inside] % 24 == 8)
    assert np.array_equal(log.attempts.end_hours, log.attempts.start_hours)
