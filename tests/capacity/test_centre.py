"""Orders worked by hand, and against theory."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.settings import Shift
from churnsim.capacity.theory.outreach import expected_reached
from churnsim.capacity.work import work
from churnsim.core.draws import make_key

from .examples import EVERY_DAY, KEY, ROUND_THE_CLOCK, centre, hour_calls, order_list, team, voice

ALL_DAY = (0.0, 24.0)
ALWAYS = (1.0,) * 24
NOBODY_HABIT = 0.0


def run(orders, capacity, *, key=KEY, month=0, **channel):
    return work(orders, channels={"voice": voice(**channel)}, capacity=capacity, key=key, month=month)


def table(log):
    a = log.attempts
    return list(zip(a.order_id.tolist(), a.attempt.tolist(), a.agent.tolist(), a.start_hours.tolist(),
                    a.end_hours.tolist(), a.disposition.tolist(), strict=True))


def test_two_agents_by_hand():
    """Value first, lowest agent first; the call begun at 12 is finished at 13; the break is kept."""
    orders = order_list(10, value=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], release_hours=[0] * 9 + [9.5])
    log = run(orders, centre(team()), **hour_calls())
    assert table(log) == [
        (7, 1, 1, 9.0, 10.0, "reached"), (8, 1, 0, 9.0, 10.0, "reached"),
        (6, 1, 1, 10.0, 11.0, "reached"), (9, 1, 0, 10.0, 11.0, "reached"),
        (4, 1, 1, 11.0, 12.0, "reached"), (5, 1, 0, 11.0, 12.0, "reached"),
        (2, 1, 1, 12.0, 13.0, "reached"), (3, 1, 0, 12.0, 13.0, "reached"),
        (0, 1, 1, 14.0, 15.0, "reached"), (1, 1, 0, 14.0, 15.0, "reached"),
    ]
    assert log.outcomes.contact_hours.tolist() == [14, 14, 12, 12, 11, 11, 10, 9, 9, 10]


def test_a_call_in_progress_at_shift_end_is_finished():
    log = run(order_list(3), centre(team(agents=1)), **hour_calls(handle_minutes_mean=150.0))
    assert log.attempts.start_hours.tolist() == [9.0, 11.5, 14.0]
    assert log.attempts.end_hours.tolist() == [11.5, 14.0, 16.5]


def test_an_agent_busy_into_the_next_shift_takes_nothing_before_the_end():
    log = run(order_list(2), centre(team(agents=1)), **hour_calls(handle_minutes_mean=360.0))
    assert log.attempts.start_hours.tolist() == [9.0, 15.0]


def test_retries_wait_for_delay_window_and_shift():
    """Friday 15:00, again 25.5 h after its end: Monday 9:00; then Tuesday 11:30."""
    log = run(order_list(1, release_hours=4 * 24 + 15.0, answer_habit=NOBODY_HABIT), centre(team()),
              **hour_calls(retry_delay_hours=25.5))
    assert log.attempts.start_hours.tolist() == [111.0, 177.0, 203.5]
    assert log.attempts.attempt.tolist() == [1, 2, 3]
    assert log.outcomes.outcome.tolist() == ["exhausted"]
    assert log.outcomes.contact_hours.tolist() == [np.inf]


@pytest.mark.parametrize(("deadline", "made", "outcome"), [
    (8.9, 0, "expired"), (9.0, 1, "expired"), (33.9, 1, "expired"), (34.0, 2, "expired"),
    (300.0, 3, "exhausted"), (800.0, 3, "exhausted"),
])
def test_a_deadline_ends_an_order(deadline, made, outcome):
    orders = order_list(1, answer_habit=NOBODY_HABIT, deadline_hours=deadline)
    log = run(orders, centre(team()), **hour_calls())
    assert log.outcomes.attempts.tolist() == [made]
    assert log.outcomes.outcome.tolist() == [outcome]


@pytest.mark.parametrize(("dispatch", "first"), [
    ("value", [2, 0, 1, 3]), ("fifo", [1, 0, 2, 3]), ("lifo", [3, 2, 0, 1]), ("deadline", [0, 2, 1, 3]),
    ("priority", [3, 1, 0, 2]), ("value_answer", [0, 1, 2, 3]), ("c_mu", [0, 1, 2, 3]), ("c_mu_loss", [1, 0, 2, 3]),
    ("postponement", [1, 0, 2, 3]),
])
def test_dispatch(dispatch, first):
    """Order 3 has no deadline and is worth nothing; 2 is worth most and answers half as often."""
    orders = order_list(4, value=[1.2, 1.1, 2, 0], release_hours=[5, 4, 6, 7], deadline_hours=[50, 99, 60, np.inf],
                        priority=[1, 2, 0, 3], loss_rate_monthly=[0.1, 0.2, 0.1, 0.1], answer_habit=[1, 1, 0.5, 1])
    log = run(orders, centre(team(agents=1), dispatch=dispatch), **hour_calls(max_attempts=1))
    assert log.attempts.order_id.tolist() == first


def test_productivity_divides_the_talk_but_not_the_ringing():
    fast = centre(team(agents=1, productivity=2.0))
    log = run(order_list(2, answer_habit=[1.0, NOBODY_HABIT]), fast, **hour_calls(max_attempts=1))
    assert (log.attempts.end_hours - log.attempts.start_hours).tolist() == [0.5, 1.0]


def test_the_lowest_free_agent_is_taken():
    """Agents 0, 1, 2 ring for three hours, two hours, one hour and are free in the opposite order."""
    longer = {name: voice(**hour_calls(no_answer_minutes=minutes, max_attempts=1))
              for name, minutes in (("a", 180.0), ("b", 120.0), ("c", 60.0))}
    orders = order_list(6, channel=["a", "b", "c"] * 2, answer_habit=NOBODY_HABIT,
                        release_hours=[0] * 3 + [14.5] * 3)
    crew = team(agents=3, channels=("a", "b", "c"))
    log = work(orders, channels=longer, capacity=centre(crew), key=KEY, month=0)
    assert log.attempts.agent.tolist() == [0, 1, 2] * 2


def test_two_teams_and_two_channels_by_hand():
    """At 10 the window of "desk" opens before agent 0 is free, so that agent 1 takes the best order."""
    late = voice(**hour_calls(calling_window_hours=(10.0, 20.0)))
    channels = {"voice": voice(**hour_calls()), "desk": late}
    capacity = centre(team(agents=1, channels=("voice", "desk")), team(agents=1, channels=("desk",)))
    orders = order_list(4, channel=["voice", "desk", "desk", "voice"], value=[1, 9, 8, 2])
    log = work(orders, channels=channels, capacity=capacity, key=KEY, month=0)
    assert table(log) == [(3, 1, 0, 9.0, 10.0, "reached"), (1, 1, 1, 10.0, 11.0, "reached"),
                          (2, 1, 0, 10.0, 11.0, "reached"), (0, 1, 0, 11.0, 12.0, "reached")]
    assert log.attempts.team.tolist() == ["t0", "t1", "t0", "t0"]


def test_exact_hours_survive_simpys_delays():
    """A release and deadline at one moment are met exactly: no rounding of the clock may lose the order."""
    always = centre(team(agents=2, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK))
    for first in np.random.default_rng(1).uniform(0.1, 0.3, 20):
        moments = first * 2.7 ** np.arange(8)  # a delay above the time passed is where a sum may round
        orders = order_list(8, release_hours=moments, deadline_hours=moments)
        log = run(orders, always, calling_window_hours=ALL_DAY)
        assert log.attempts.start_hours.tolist() == moments.tolist()


def test_an_agent_goes_on_at_the_very_end_of_a_call():
    log = run(order_list(60), centre(team(agents=20, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK)),
              calling_window_hours=ALL_DAY, answer_prob_by_hour=ALWAYS)
    a = log.attempts
    for agent in range(20):
        mine = np.flatnonzero(a.agent == agent)
        assert a.start_hours[mine[1:]].tolist() == a.end_hours[mine[:-1]].tolist()


def test_an_answer_depends_on_subscriber_and_hour_only():
    draw = np.random.default_rng(2)
    columns = {"subscriber": np.arange(300) + 5, "release_hours": draw.uniform(0, 600, 300)}
    by_policy = [run(order_list(300, value=draw.random(300), **columns), centre(team(agents=agents)))
                 for agents in (1, 40)]
    seen: dict[tuple[int, int], str] = {}
    shared = 0
    for log in by_policy:
        a = log.attempts
        for key, said in zip(zip(a.subscriber.tolist(), a.start_hours.astype(int).tolist(), strict=True),
                             a.disposition.tolist(), strict=True):
            shared += key in seen
            assert seen.setdefault(key, said) == said
    assert shared > 100


def test_the_order_of_the_rows_does_not_matter():
    draw = np.random.default_rng(3)
    columns = {"order_id": np.arange(200), "subscriber": draw.integers(0, 1000, 200),
               "value": draw.integers(0, 5, 200), "release_hours": draw.integers(0, 300, 200)}
    shuffle = draw.permutation(200)
    log, mixed = (run(order_list(200, **{k: v[rows] for k, v in columns.items()}), centre(team(agents=1)))
                  for rows in (np.arange(200), shuffle))
    assert log.attempts.to_pandas().equals(mixed.attempts.to_pandas())
    assert (log.outcomes.outcome[shuffle] == mixed.outcomes.outcome).all()


# Truths


@pytest.mark.parametrize("dispatch", RULES)
def test_reached_with_a_limit_on_attempts_for_any_dispatch(dispatch):
    """100 orders, 200 attempts in all (25 days of 8 calls), 3 at most on each, 0.3 answered.

    30 batches of 4 months and 4 standard errors: 6 in 100,000 seeds would fail each. Two attempts on everybody,
    n (1 - (1 - p)^2) = 51, must fail. "price" may save attempts, so that only the ratio holds for it.
    """
    truth = expected_reached(100, 200, max_attempts=3, answer_prob=0.3)
    draw = np.random.default_rng(4)
    eight_hours = (Shift(start_hour=9.0, end_hour=17.0),)
    one = centre(team(agents=1, weekdays=EVERY_DAY[1:], shifts=eight_hours), dispatch=dispatch)
    channel = hour_calls(answer_prob_by_hour=(0.3,) * 24, retry_delay_hours=1e-6)
    means, gaps = [], []
    for batch in range(30):
        reached = attempts = 0
        for month in range(0, 28, 7):  # months that begin on Monday, so that each has 25 working days
            start = 720.0 * month
            orders = order_list(100, value=draw.random(100), release_hours=start + draw.uniform(0, 9, 100),
                                deadline_hours=start + draw.uniform(800, 900, 100), priority=draw.random(100),
                                loss_rate_monthly=draw.random(100))
            log = run(orders, one, key=make_key(seed=6, replicate=batch), month=month, **channel)
            assert len(log.attempts) <= 200
            attempts += len(log.attempts)
            reached += int(log.outcomes.reached.sum())
        means.append(reached / 4)
        gaps.append((reached - 0.3 * attempts) / 4)
    assert abs(np.mean(gaps)) < 4 * np.std(gaps, ddof=1) / np.sqrt(len(gaps))
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert dispatch == "price" or abs(np.mean(means) - truth) < 4 * error
    assert abs(np.mean(means) - 100 * (1 - 0.7**2)) > 4 * error


@pytest.mark.parametrize(("scv", "truth"), [(0.0, 2.0), (2.25, 6.5)])
def test_waits_of_one_agent_who_never_sleeps(scv, truth):
    """M/G/1 at load 0.8: Wq = lam E S^2 / (2 (1 - rho)) (Pollaczek-Khinchine), in mean handle times.

    30 months and 4 standard errors: 6 in 100,000 seeds would fail. The exponential formula, 4, must fail.
    """
    assert truth == pytest.approx(0.8 * (1 + scv) / (2 * 0.2))
    draw = np.random.default_rng(7)
    never_off = centre(team(agents=1, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK), dispatch="fifo")
    waits = []
    for month in range(30):
        release = 720.0 * month + np.cumsum(draw.exponential(0.125, 5500))
        log = run(order_list(5500, release_hours=release), never_off, month=month, handle_scv=scv,
                  answer_prob_by_hour=ALWAYS, calling_window_hours=ALL_DAY)
        calm = slice(500, 5000)  # the first find an empty queue, the last may be left at the month's end
        waits.append(np.mean(log.outcomes.contact_hours[calm] - release[calm]) / 0.1)
    error = np.std(waits, ddof=1) / np.sqrt(len(waits))
    assert abs(np.mean(waits) - truth) < 4 * error
    assert abs(np.mean(waits) - 4.0) > 4 * error
