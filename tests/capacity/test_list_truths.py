"""Lists of orders and ends of shifts on both engines against theory, with errors as in `test_truths.py`."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity import floor as fl
from churnsim.capacity.batch import work_batch
from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.settings import Shift
from churnsim.capacity.theory.outreach import expected_reached, list_worked_until, throttled_batch_in_time
from churnsim.core.draws import make_key

from .examples import EVERY_DAY, KEY, ROUND_THE_CLOCK, centre, order_list, sms, team, voice
from .truths import ENGINES, agree, estimate, reached_by, refuse, worked_list

HOURLY = {"handle_minutes_mean": 60.0, "no_answer_minutes": 60.0}
ALWAYS_CALLABLE = {"calling_window_hours": (0.0, 24.0), "handle_scv": 0.0, "retry_delay_hours": 0.0}


def reached_of(lists, rules, *, orders, attempts, most, prob, agents):
    """Orders reached by the first `attempts` attempts, and these attempts, of lists under several rules in turn."""
    hours = attempts // agents
    hourly = voice(answer_prob_by_hour=(prob,) * 24, max_attempts=most, **HOURLY, **ALWAYS_CALLABLE)
    made = {engine: np.zeros((lists, 2)) for engine in ENGINES}
    for k in range(lists):
        rng = np.random.default_rng([14, k])
        settings = centre(team(agents=agents, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK),
                          dispatch=rules[k % len(rules)])
        release = rng.uniform(-50.0, 0.0, orders)
        for engine, work in ENGINES.items():
            record = worked_list(
                orders, work, channel=hourly, settings=settings, key=make_key(seed=14, replicate=k),
                value=np.random.default_rng([15, k]).gamma(2.0, 50.0, orders), release_hours=release,
                priority=release % 3, deadline_hours=900 + release % 7, loss_rate_monthly=release % 0.1)
            made[engine][k] = reached_by(record, hours), (record.start < hours).sum()
    return made


@pytest.mark.parametrize("rule", RULES)
def test_attempts_reach_as_many_whatever_the_order(rule):
    """100 orders, one agent, 200 attempts of an hour each, tried again at once; no rule does better or worse.

    Under "price" orders are put aside, so that attempts are left over; each attempt still reaches with probability p.
    """
    made = reached_of(40, [rule], orders=100, attempts=200, most=3, prob=0.3, agents=1)
    found = {engine: {"reached": estimate(each[:, 0]),
                      "reached - p x attempts": estimate(each[:, 0] - 0.3 * each[:, 1])}
             for engine, each in made.items()}
    agree(f"list (100, .3, 200, 3), {rule}", found, {"reached - p x attempts": 0.0})
    if rule != "price":
        agree(f"list (100, .3, 200, 3), {rule}", found,
              {"reached": expected_reached(100, 200, max_attempts=3, answer_prob=0.3)})
        refuse(found, {"reached": expected_reached(100, 200, max_attempts=2, answer_prob=0.3)})


def test_attempts_of_four_agents_reach_as_many():
    rules = [rule for rule in RULES if rule != "price"]
    made = reached_of(45, rules, orders=1000, attempts=2000, most=4, prob=0.25, agents=4)
    found = {engine: {"reached": estimate(each[:, 0])} for engine, each in made.items()}
    agree("list (1000, .25, 2000, 4), all rules", found,
          {"reached": expected_reached(1000, 2000, max_attempts=4, answer_prob=0.25)})
    refuse(found, {"reached": expected_reached(1000, 2000, max_attempts=1, answer_prob=0.25)})


UNIT = 360.0  # hours: the two of the truth fill the month


def test_a_list_worked_until_an_hour():
    """An attempt is answered with p, else made again at once by the same agent: in all an exponential time 1 / (p mu).

    So long takes the only attempt here, as the engine's time of an unanswered attempt is fixed and a retry would have
    to be made before the deadline; here as in theory only orders that wait expire.
    """
    lists, orders, mean = 600, 20, UNIT / (6 * 0.35)
    channel = voice(answer_prob_by_hour=(1.0,) * 24, handle_minutes_mean=60.0 * mean, **ALWAYS_CALLABLE)
    settings = centre(team(agents=3, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK))
    counts = {engine: np.zeros((lists, 3)) for engine in ENGINES}
    for k in range(lists):
        rng = np.random.default_rng([16, k])
        deadline = rng.exponential(UNIT / 0.2, orders)
        handle = rng.exponential(mean, (orders, 3))
        for engine, work in ENGINES.items():
            record = worked_list(orders, work, channel=channel, settings=settings, handle_hours=handle,
                                 deadline_hours=deadline)
            done = reached_by(record, 2 * UNIT)
            expired = int((record.state == fl.EXPIRED).sum())
            counts[engine][k] = done, expired, orders - done - expired
    theory = {"handle_hours": 1 / 6, "answer_prob": 0.35, "end_hours": 2}
    truth = list_worked_until(20, 3, deadline_hours=5, **theory)._asdict()
    found = {engine: {name: estimate(each[:, i]) for i, name in enumerate(truth)} for engine, each in counts.items()}
    agree("list until T (20, 3, 6, .35, 2, .2)", found, truth)
    refuse(found, list_worked_until(20, 2, deadline_hours=5, **theory)._asdict())


def test_a_list_retried_at_once_until_an_hour():
    """The same without deadlines, by attempts of an hour: the exponential time rounded up, by half an hour in 171."""
    lists, prob = 40, -np.expm1(-6 * 0.35 / UNIT)
    channel = voice(answer_prob_by_hour=(prob,) * 24, max_attempts=720, **HOURLY, **ALWAYS_CALLABLE)
    settings = centre(team(agents=3, weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK), dispatch="fifo")
    found = {engine: {"reached": estimate([
        reached_by(worked_list(20, work, channel=channel, settings=settings, key=make_key(seed=17, replicate=k)), 720.0)
        for k in range(lists)])} for engine, work in ENGINES.items()}
    theory = {"handle_hours": 1 / 6, "answer_prob": 0.35, "deadline_hours": np.inf}
    agree("list until T (20, 3, 6, .35, 2, 0), hourly", found,
          {"reached": list_worked_until(20, 3, end_hours=2, **theory).reached})
    refuse(found, {"reached": list_worked_until(20, 2, end_hours=2, **theory).reached})


def test_a_throttled_batch():
    sent, blast = [], sms(throttle_per_hour=500.0, calling_window_hours=(0.0, 24.0))
    for k in range(200):
        deadline = np.random.default_rng([18, k]).exponential(10.0, 1000)
        orders = order_list(1000, channel="sms", deadline_hours=deadline)
        rows = np.arange(1000)
        sent.append(len(work_batch(
            orders, rows, np.zeros(1000), np.zeros(1000), np.ones(1000, np.int64), name="sms", number=0,
            channel=blast, key=KEY, month=0, throttled=True).row))
    found = {"arrays of both engines": {"in time": estimate(sent)}}
    agree("throttled batch (1000, 500, .1)", found,
          {"in time": throttled_batch_in_time(1000, 500, deadline_hours=10)})
    # As if all left with the last.
    refuse(found, {"in time": 1000 * np.exp(-0.2)})


# The end of a shift

MORNING = (Shift(start_hour=9.0, end_hour=13.0),)
WORKED_HOURS, TALK_HOURS = 120.0, 2.0


def worked_through_mornings(rule, orders, lists):
    """Return orders reached and overtime at a shift end, by engine: two agents, 30 mornings, talks of two hours."""
    channel = voice(answer_prob_by_hour=(1.0,) * 24, max_attempts=60, **ALWAYS_CALLABLE)
    settings = centre(team(agents=2, weekdays=EVERY_DAY, shifts=MORNING, shift_end=rule))
    found = {}
    for engine, work in ENGINES.items():
        counts = np.zeros((lists, 2))
        for k in range(lists):
            handle = np.random.default_rng([19, k]).exponential(TALK_HOURS, (orders, 60))
            record = worked_list(orders, work, channel=channel, settings=settings, handle_hours=handle)
            over = record.end - record.shift_end
            counts[k] = (record.code == fl.REACHED).sum(), over[over > 0].sum() / 60
        found[engine] = {"reached": estimate(counts[:, 0]), "overtime": estimate(counts[:, 1])}
    return found


def test_contacts_handed_back_lose_nothing_where_talks_have_no_memory():
    """What is broken off and begun anew takes as long as what goes on: the list is that of one shift of 120 hours."""
    found = worked_through_mornings("hand_back", 130, 60)
    theory = {"handle_hours": TALK_HOURS, "answer_prob": 1, "deadline_hours": np.inf}
    agree("hand back", found, {"reached": list_worked_until(130, 2, end_hours=WORKED_HOURS, **theory).reached})
    assert all(each["overtime"].mean == 0 for each in found.values())
    # As if what is broken off were finished.
    refuse(found, {"reached": list_worked_until(130, 2, end_hours=WORKED_HOURS + 30 * TALK_HOURS, **theory).reached})


def test_contacts_finished_take_their_rest_in_overtime():
    """What is left of a talk without memory at the end of a shift is as long as a whole talk: 60 in a month."""
    found = worked_through_mornings("finish", 400, 60)
    agree("finish", found, {"overtime": TALK_HOURS})
    # Half a talk, as the mean of what is left of one that just began or is nearly over.
    refuse(found, {"overtime": TALK_HOURS / 2})
