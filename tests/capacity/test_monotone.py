"""What more agents do under the same draws: never worse where attempts are alike; the exceptions, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.settings import Shift
from churnsim.capacity.work import work

from .examples import EVERY_DAY, KEY, centre, hour_calls, order_list, subscriber_with, team, voice


def reached(orders, agents, *, shifts=None, **channel):
    crew = team(agents=agents, weekdays=EVERY_DAY, **({"shifts": shifts} if shifts else {}))
    log = work(orders, channels={"voice": voice(**channel)}, capacity=centre(crew, dispatch="priority"), key=KEY,
               month=0)
    return log.outcomes.reached


@pytest.mark.parametrize("seed", range(12))
def test_more_agents_reach_no_fewer_in_time_where_attempts_are_alike(seed):
    """Identical agents, static priority, one attempt an order of fixed length that everybody answers.

    With one agent more the j-th attempt begins no later, whatever the order of work: it begins when the j-th order is
    released and the (j - c)-th attempt is over, by induction no later either. So no fewer are tried, and reached, by
    any hour.
    """
    draw = np.random.default_rng(seed)
    n = 150
    release = draw.integers(0, 400, n) / 4
    orders = order_list(n, priority=draw.integers(0, 9, n), release_hours=release)
    numbers = [int(reached(orders, agents, **hour_calls(max_attempts=1)).sum()) for agents in range(1, 7)]
    assert numbers == sorted(numbers)
    together = order_list(n, priority=draw.integers(0, 9, n), deadline_hours=60.0)
    in_time = [int(reached(together, agents, **hour_calls(max_attempts=1)).sum()) for agents in range(1, 7)]
    assert in_time == sorted(in_time) and in_time[0] < in_time[-1]


def test_more_agents_may_reach_fewer_where_answers_hang_on_the_hour():
    """The exception: alone, the agent comes to the second order at 10, and is answered; two ring at 9 in vain."""
    second = subscriber_with("voice", (9, 0, 0.6, 1.0), (10, 0, 0.0, 0.4))
    orders = order_list(2, subscriber=[second + 1, second], priority=[2, 1], answer_habit=[9.0, 1.0])
    channel = hour_calls(answer_prob_by_hour=(0.5,) * 24, max_attempts=1)
    assert reached(orders, 1, **channel).tolist() == [True, True]
    assert reached(orders, 2, **channel).tolist() == [True, False]


def test_more_agents_may_reach_fewer_where_long_talks_are_begun_sooner():
    """The exception of scheduling: three agents are through with three short orders at 10 and begin three long ones.

    The urgent order of 10:30 finds nobody free by 11. Of two agents one is still at the third short order then, and is
    free for it at 11; they reach all seven.
    """
    orders = order_list(7, channel=["voice"] * 3 + ["desk"] * 3 + ["voice"], priority=[5, 5, 5, 1, 1, 1, 9],
                        release_hours=[0, 0, 0, 9.9, 9.9, 9.9, 10.5], deadline_hours=[np.inf] * 6 + [11.0])
    channels = {"voice": voice(**hour_calls()), "desk": voice(**hour_calls(handle_minutes_mean=240.0))}
    numbers = []
    for agents in (2, 3, 4):
        crew = team(agents=agents, channels=("voice", "desk"), shifts=(Shift(start_hour=9.0, end_hour=18.0),))
        log = work(orders, channels=channels, capacity=centre(crew, dispatch="priority"), key=KEY, month=0)
        numbers.append(int(log.outcomes.reached.sum()))
    assert numbers == [7, 6, 7]


def test_more_agents_reach_more_on_average():
    """Hourly answers, three attempts: one more agent adds to the mean of 20 lists, by more than 4 standard errors."""
    draw = np.random.default_rng(8)
    gaps = []
    for _ in range(20):
        orders = order_list(200, subscriber=draw.integers(0, 10_000, 200), priority=draw.random(200),
                            deadline_hours=draw.uniform(30, 200, 200))
        short = (Shift(start_hour=9.0, end_hour=11.0),)
        gaps.append(int(reached(orders, 3, shifts=short).sum()) - int(reached(orders, 2, shifts=short).sum()))
    assert np.mean(gaps) > 4 * np.std(gaps, ddof=1) / np.sqrt(20)
