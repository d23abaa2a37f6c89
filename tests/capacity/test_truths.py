"""Both engines against queueing theory: every estimate within 4 standard errors of a truth that no run has touched.

Some 150 comparisons, each of which errs in 27 of 100,000 seeds: one seed in 25 would raise a false alarm somewhere.
The seeds are fixed. In each family a formula with a mistake that is easily made has to be refused by both engines.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churnsim.capacity import floor as fl
from churnsim.capacity.batch import work_batch
from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.settings import Shift
from churnsim.capacity.theory.abandonment import erlang_a, mmc_general_patience
from churnsim.capacity.theory.erlang import erlang_b, erlang_c, mmck
from churnsim.capacity.theory.outreach import expected_reached, list_worked_until, throttled_batch_in_time
from churnsim.capacity.theory.patience import named_patience
from churnsim.capacity.theory.priority import cobham, two_class_priority_abandonment
from churnsim.capacity.theory.single_agent import mm1_retrial, pollaczek_khinchine
from churnsim.capacity.theory.staffing import agents_for_abandonment, agents_for_service_level
from churnsim.capacity.theory.varying import expected_queue
from churnsim.core.draws import make_key

from .examples import EVERY_DAY, KEY, ROUND_THE_CLOCK, centre, order_list, sms, team, voice
from .truths import (
    ENGINES,
    MOST_ERRORS,
    Queue,
    callers,
    calls_at,
    estimate,
    exponential,
    far_off,
    first,
    first_come,
    fixed,
    lines,
    lognormal,
    measured,
    reached_by,
    uniform_up_to,
    worked_list,
)

BOTH = tuple(ENGINES)
# The same laws in other words: theory's names.
IMPATIENT = {"exponential": exponential(2.0), "deterministic": fixed(2.0), "uniform": uniform_up_to(4.0)}
HOURLY = {"handle_minutes_mean": 60.0, "no_answer_minutes": 60.0}
ALWAYS_CALLABLE = {"calling_window_hours": (0.0, 24.0), "handle_scv": 0.0, "retry_delay_hours": 0.0}


def agree(case, found, truth):
    for line in lines(case, found, truth):
        print(line)
    assert far_off(found, truth) == []


def refuse(found, wrong):
    """A wrong value is refused by both engines, each by itself."""
    assert len(far_off(found, wrong)) == len(found) * len(wrong)


def served_within(units):
    return lambda seen: seen.served & (seen.wait <= units)


def waits(seen):
    return ~seen.served | (seen.wait > 0)


def wait(seen):
    return seen.wait


def lost(seen):
    return ~seen.served


# Callers


@pytest.mark.parametrize(("agents", "rate", "calls"), [(5, 4.0, 500_000), (50, 48.0, 1_500_000)])
def test_callers_who_never_give_up(agents, rate, calls):
    queue = Queue(agents, (rate,), calls=calls, short=calls // 8)
    theory = erlang_c(agents, rate, handle_hours=1)
    truth = {"P(wait)": theory.wait_prob, "Wq": theory.wait_mean_hours, "P(W <= .1)": theory.within(0.1)}
    found = measured(queue, queue.draw(1), {"P(wait)": waits, "Wq": wait, "P(W <= .1)": served_within(0.1)})
    agree(f"M/M/c ({agents}, {rate:g})", found, truth)
    # The wait for the next agent as if nobody were ahead; Erlang's loss formula.
    refuse(found, {"Wq": theory.wait_prob / agents, "P(wait)": erlang_b(agents, rate)})


@pytest.mark.parametrize(("agents", "rate"), [(10, 12.0), (50, 50.0)])
def test_callers_with_exponential_patience(agents, rate):
    queue = Queue(agents, (rate,), patience=(exponential(2.0),))
    theory = erlang_a(agents, rate, handle_hours=1, patience_hours=2)
    truth = {"P(wait)": theory.wait_prob, "P(abandon)": theory.abandon_prob, "W of all": theory.wait_mean_hours,
             "W of the served": theory.served_wait_mean_hours, "P(served, W <= .1)": theory.within(0.1)}
    found = measured(queue, queue.draw(2), {"P(wait)": waits, "P(abandon)": lost, "W of all": wait,
                                            "W of the served": lambda seen: seen.wait[seen.served],
                                            "P(served, W <= .1)": served_within(0.1)})
    agree(f"M/M/c+M ({agents}, {rate:g}, .5)", found, truth)
    # P(abandon) = theta W with theta forgotten; half the patience.
    refuse(found, {"W of all": theory.abandon_prob,
                   "P(abandon)": erlang_a(agents, rate, handle_hours=1, patience_hours=1).abandon_prob})


@pytest.mark.parametrize(("agents", "rate"), [(10, 10.0), (100, 90.0)])
def test_callers_without_patience(agents, rate):
    queue = Queue(agents, (rate,), patience=(fixed(0.0),), calls=600_000, short=150_000)
    found = measured(queue, queue.draw(3), {"P(lost)": lost})
    agree(f"Erlang B ({agents}, {rate:g})", found, {"P(lost)": erlang_b(agents, rate)})
    # A tenth of the agents away.
    refuse(found, {"P(lost)": erlang_b(agents - agents // 10, rate)})


def test_callers_who_find_no_place():
    """The centre has no waiting room of a certain size: the test's door knows who is turned away, as without patience.

    The door is a recursion of its own; the engine has to turn away and to serve the same callers at the same moments.
    """
    queue = Queue(10, (12.0,), calls=400_000, short=100_000)
    calls = queue.draw(4)
    start = first_come(calls, 10, places=20)
    calls = replace(calls, patience_hours=np.where(np.isinf(start), 0.0, np.inf))
    theory = mmck(10, 12, places=20, handle_hours=1)
    truth = {"P(turned away)": theory.block_prob, "Lq": theory.queue_mean}
    found = measured(queue, calls, {"P(turned away)": lost, "Lq": lambda seen: 12 * seen.wait})
    agree("M/M/c/K (10, 20, 12)", found, truth)
    wrong = mmck(10, 12, places=30, handle_hours=1)
    refuse(found, {"P(turned away)": wrong.block_prob, "Lq": wrong.queue_mean})


@pytest.mark.parametrize("law", IMPATIENT)
def test_callers_with_any_patience(law):
    queue = Queue(50, (50.0,), patience=(IMPATIENT[law],), calls=800_000, short=120_000)
    theory = mmc_general_patience(50, 50, handle_hours=1, patience=named_patience(law, 2.0))
    truth = {"P(wait)": theory.wait_prob, "P(abandon)": theory.abandon_prob, "W of all": theory.wait_mean_hours}
    found = measured(queue, queue.draw(5), {"P(wait)": waits, "P(abandon)": lost, "W of all": wait})
    agree(f"M/M/50+G, {law}", found, truth)
    other = named_patience("exponential" if law == "deterministic" else "deterministic", 2.0)
    refuse(found, {"P(abandon)": mmc_general_patience(50, 50, handle_hours=1, patience=other).abandon_prob})


@pytest.mark.parametrize(("law", "handle", "moments"), [
    ("fixed", fixed(), (1.0, 1.0, 1.0)),
    ("exponential", exponential(), (1.0, 2.0, 6.0)),
    ("lognormal, scv 2.25", lognormal(2.25), (1.0, 3.25, 3.25**3)),
], ids=["fixed", "exponential", "lognormal"])
def test_one_agent(law, handle, moments):
    queue = Queue(1, (0.8,), handle=handle, calls=1_500_000, short=150_000)
    theory = pollaczek_khinchine(0.8, moments)
    truth = {"Wq": theory.mean_hours, "E W^2": theory.second_hours2}
    if law.startswith("lognormal"):
        del truth["E W^2"]  # its estimate has a tail too heavy for batch means of this length
    found = measured(queue, queue.draw(6), {"Wq": wait, "E W^2": lambda seen: seen.wait**2})
    agree(f"M/G/1 (.8), {law}", found, truth)
    # The half forgotten.
    refuse(found, {"Wq": 2 * theory.mean_hours})


@pytest.mark.parametrize(("agents", "rates", "calls"), [(5, (1.0, 3.0), 500_000), (50, (15.0, 32.0), 1_200_000)])
def test_two_classes(agents, rates, calls):
    queue = Queue(agents, rates, patience=(fixed(np.inf),) * 2, calls=calls, short=120_000)
    truth = dict(zip(("W1", "W2"), cobham(agents, rates, handle_hours=1).tolist(), strict=True))
    found = measured(queue, queue.draw(7), {"W1": lambda seen: seen.of(0).wait, "W2": lambda seen: seen.of(1).wait})
    agree(f"priority ({agents}, {rates[0]:g}, {rates[1]:g})", found, truth)
    # First come, first served; the classes confused.
    refuse(found, {"W1": erlang_c(agents, sum(rates), handle_hours=1).wait_mean_hours, "W2": truth["W1"]})


def test_two_classes_that_give_up():
    queue = Queue(5, (2.0, 3.0), patience=(exponential(2.0), exponential(20.0)), calls=800_000, short=160_000)
    theory = two_class_priority_abandonment(5, (2, 3), handle_hours=1, patience_hours=(2, 20))
    truth = {"Pab1": theory.abandon_prob[0], "Pab2": theory.abandon_prob[1], "W1": theory.wait_mean_hours[0],
             "W2": theory.wait_mean_hours[1]}
    found = measured(queue, queue.draw(8), {"Pab1": lambda seen: ~seen.of(0).served,
                                            "Pab2": lambda seen: ~seen.of(1).served,
                                            "W1": lambda seen: seen.of(0).wait, "W2": lambda seen: seen.of(1).wait})
    agree("priority + abandonment (5, 2, 3, .5, .05)", found, truth)
    other = two_class_priority_abandonment(5, (3, 2), handle_hours=1, patience_hours=(20, 2)).abandon_prob
    refuse(found, {"Pab1": other[1], "Pab2": other[0]})


@pytest.mark.parametrize(("rate", "retry"), [(0.5, 1.0), (0.7, 3.0)])
def test_callers_who_call_again(rate, retry):
    queue = Queue(1, (rate,), patience=(fixed(0.0),), retry_mean=retry, calls=300_000, short=60_000)
    found = measured(queue, queue.draw(9), {"N": lambda seen: rate * seen.wait})
    agree(f"M/M/1 retrial ({rate:g}, {1 / retry:.3g})", found,
          {"N": mm1_retrial(rate, handle_hours=1, retry_hours=retry)})
    # Without those whom the busy line keeps away.
    refuse(found, {"N": rate**2 / (1 - rate)})


def test_load_that_changes():
    """Replications from an empty floor, one after the other, with a pause in which every caller is done."""
    pause, per_month = 45.0, 3_000
    hours = 720.0 / (pause * per_month)
    at = 2 * np.pi * (3 + np.arange(4) / 4)
    crew = centre(team(agents=10, channels=(), inbound=("s0",), weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK),
                  inbound=Queue(1, (1.0,)).settings().inbound)
    found = {}
    for engine, replications in (("compiled", per_month), ("simpy", 400)):
        rng = np.random.default_rng(10)
        number = rng.poisson(14 * at[-1], replications)
        begin = np.repeat(pause * np.arange(replications), number)
        moment = rng.uniform(0.0, at[-1], number.sum())
        kept = rng.random(len(moment)) < (10 + 4 * np.sin(moment)) / 14
        time = np.sort((begin + moment)[kept])
        calls = calls_at(hours * time, handle_hours=hours * rng.exponential(size=len(time)),
                         patience_hours=hours * rng.exponential(2.0, len(time)))
        seen = callers(calls, crew, ENGINES[engine], unit_hours=hours)
        run = (time // pause).astype(np.int64)
        found[engine] = {
            f"E queue, k = {k}": estimate(np.bincount(
                run, (time % pause <= t) & (t < time % pause + seen.wait), minlength=replications))
            for k, t in enumerate(at)}

    def load(hour):
        return 10 + 4 * np.sin(hour)

    truth = expected_queue(10, load, handle_hours=1, patience_hours=2, at_hours=at)
    agree("Mt/M/10+M, 10 + 4 sin t", found, {f"E queue, k = {k}": value for k, value in enumerate(truth)})
    # Each moment as if its load had always been there.
    steady = [load(t) * erlang_a(10, load(t), handle_hours=1, patience_hours=2).wait_mean_hours for t in at]
    refuse(found, {f"E queue, k = {k}": value for k, value in enumerate(steady) if k in (0, 2)})


@pytest.mark.parametrize("first_guess", ["service level", "abandonment"])
def test_fewest_agents_do_and_one_less_does_not(first_guess):
    if first_guess == "service level":
        rate, patience, target = 10.0, 0.4, 0.8  # 120 calls of 5 minutes an hour, patience 2 minutes
        agents = agents_for_service_level(rate, handle_hours=1, patience_hours=patience, within_hours=1 / 15,
                                          target_prob=target)
        good = served_within(1 / 15)
    else:
        rate, patience, target = 10.0, 2.0, 0.948
        agents = agents_for_abandonment(rate, handle_hours=1, patience_hours=patience, target_prob=1 - target)

        def good(seen):
            return seen.served

    for staff, enough in ((agents, True), (agents - 1, False)):
        queue = Queue(staff, (rate,), patience=(exponential(patience),), calls=400_000, short=200_000)
        for engine, each in measured(queue, queue.draw(11), {"good": good}).items():
            mean, error = each["good"]
            print(f"| staffing, {first_guess} | {engine}, {staff} agents | {target:g} | {mean:.5g} ± {error:.2g} |")
            assert (mean > target) == enough
            assert abs(mean - target) > MOST_ERRORS * error


def test_midnight_is_no_edge():
    """Thirty nights in which the shift ends and begins: the callers are served as if there were none, to the bit."""
    queue = Queue(7, (6.3,), calls=60_000)
    calls = queue.draw(12)
    start = first_come(calls, 7)
    for work in ENGINES.values():
        seen = callers(calls, queue.settings(), work)
        assert seen.wait.tolist() == (start - calls.time_hours).tolist()


def test_the_shorter_run_is_the_beginning_of_the_longer():
    queue = Queue(5, (2.0, 3.0), patience=(exponential(2.0), exponential(20.0)), calls=60_000)
    calls = queue.draw(8)
    some = [callers(first(calls, 20_000), queue.settings(), work) for work in ENGINES.values()]
    everything = callers(calls, queue.settings(), ENGINES["compiled"])
    # The last of the beginning may have been overtaken by calls that the shorter list lacks.
    for name in ("wait", "served"):
        one, other = (getattr(seen, name)[:19_000].tolist() for seen in some)
        assert one == other == getattr(everything, name)[:19_000].tolist()


# Skills

STREAMS, PER_TEAM, LOAD = 6, 6, 5.4


def wait_by_skills(skills, engine, calls):
    """Mean wait where agents of team k serve the streams k, k + 1, ..., in that order."""
    inbound = Queue(1, (1.0,) * STREAMS).settings().inbound
    teams = [team(agents=PER_TEAM, channels=(), inbound=tuple(f"s{(k + j) % STREAMS}" for j in range(skills)),
                  weekdays=EVERY_DAY, shifts=ROUND_THE_CLOCK) for k in range(STREAMS)]
    return callers(calls, centre(*teams, inbound=inbound), ENGINES[engine]).wait.mean()


@pytest.mark.parametrize("engine", BOTH)
def test_two_skills_are_almost_as_good_as_all(engine):
    """Wallace and Whitt (2005): from one skill an agent to two brings most of what all six bring."""
    calls = Queue(1, (LOAD,) * STREAMS, patience=(fixed(np.inf),) * STREAMS, calls=60_000).draw(13)
    one, two, every = (wait_by_skills(skills, engine, calls) for skills in (1, 2, STREAMS))
    print(f"| skills | {engine}: mean wait with 1, 2, 6 skills over that with 1 | | {1:.3g}, {two / one:.3g}, "
          f"{every / one:.3g} |")
    assert every < two < one
    assert (one - two) > 0.85 * (one - every)


# Lists of orders


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


# The tests themselves


def test_the_engines_leave_the_same_record():
    queue = Queue(6, (2.0, 2.0), patience=(exponential(0.5), fixed(0.3)), retry_mean=1.5, calls=5_000)
    calls = queue.draw(20)
    seen = [callers(calls, queue.settings(), work) for work in ENGINES.values()]
    assert all(np.array_equal(*columns) for columns in zip(*seen, strict=True))
