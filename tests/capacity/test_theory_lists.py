"""Priorities, one agent, outreach lists and changing load: limits, the same numbers found another way, refusals."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from churnsim.capacity.theory.abandonment import erlang_a, mmc_general_patience
from churnsim.capacity.theory.erlang import erlang_b, erlang_c, mmck
from churnsim.capacity.theory.outreach import expected_reached, list_worked_until, throttled_batch_in_time
from churnsim.capacity.theory.patience import named_patience, patience_of, piecewise_patience
from churnsim.capacity.theory.priority import cobham, two_class_priority_abandonment
from churnsim.capacity.theory.single_agent import mm1_retrial, pollaczek_khinchine
from churnsim.capacity.theory.staffing import agents_for_abandonment, agents_for_service_level
from churnsim.capacity.theory.varying import expected_queue
from churnsim.errors import CapacityError

INF = math.inf


@pytest.mark.parametrize(
    "module", ["abandonment", "erlang", "outreach", "priority", "single_agent", "staffing"]
)
def test_examples_of_the_docstrings(module):
    result = doctest.testmod(importlib.import_module(f"churnsim.capacity.theory.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_second_moment_of_the_wait_is_that_of_m_m_1():
    # With exponential handle times the wait is 0, or with probability rho exponential of rate mu - lambda.
    mean, second = pollaczek_khinchine(0.7, (1, 2, 6))
    assert mean == pytest.approx(0.7 / 0.3)
    assert second == pytest.approx(0.7 * 2 / 0.3**2)


def test_retrial_queue_by_its_balance_equations():
    # States: line free or busy, n callers away; 400 of them hold all but 1e-20 of the time.
    arrivals, retry, most = 0.6, 2.5, 400
    flow = np.zeros((2 * most, 2 * most))
    for n in range(most):
        free, busy = 2 * n, 2 * n + 1
        flow[free, busy] += arrivals
        flow[busy, free] += 1
        if n:
            flow[free, busy - 2] += n * retry
        if n + 1 < most:
            flow[busy, busy + 2] += arrivals
    np.fill_diagonal(flow, -flow.sum(1))
    balance = np.vstack([flow.T[1:], np.ones(2 * most)])
    share = np.linalg.solve(balance, np.eye(2 * most)[-1])
    away = share @ (np.arange(2 * most) // 2)
    assert mm1_retrial(arrivals, handle_hours=1, retry_hours=1 / retry) == pytest.approx(away, rel=1e-9)


@given(
    agents=st.integers(1, 40), first=st.floats(0.05, 0.9), second=st.floats(0.05, 1.5), theta=st.floats(0.05, 2)
)
@settings(max_examples=20, deadline=None)
def test_two_classes_alike_add_up_to_one_queue(agents, first, second, theta):
    rates = (agents * first, agents * second)
    both = two_class_priority_abandonment(agents, rates, handle_hours=1, patience_hours=(1 / theta, 1 / theta))
    one = erlang_a(agents, sum(rates), handle_hours=1, patience_hours=1 / theta)
    assert both.wait_prob == pytest.approx(one.wait_prob, rel=1e-8)
    assert np.dot(rates, both.abandon_prob) == pytest.approx(sum(rates) * one.abandon_prob, rel=1e-8)
    assert np.dot(rates, both.wait_mean_hours) == pytest.approx(sum(rates) * one.wait_mean_hours, rel=1e-8)
    assert both.wait_mean_hours[0] < both.wait_mean_hours[1]


def test_two_patient_classes_are_cobham():
    result = two_class_priority_abandonment(5, (1, 3), handle_hours=1, patience_hours=(INF, INF))
    assert result.wait_mean_hours == pytest.approx(cobham(5, [1, 3], handle_hours=1).tolist(), rel=1e-9)
    assert result.abandon_prob == (0, 0)


def test_overload_of_the_first_class_leaves_nothing_for_the_second():
    result = two_class_priority_abandonment(100, (120, 80), handle_hours=1, patience_hours=(2, 5))
    # Fluid: 100 of 120 are served.
    assert result.abandon_prob == pytest.approx((1 / 6, 1), abs=2e-3)


@given(agents=st.integers(1, 100), loads=st.lists(st.floats(0.01, 0.3), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_priorities_conserve_the_wait_of_all(agents, loads):
    rates = agents * np.array(loads)
    waits = cobham(agents, rates.tolist(), handle_hours=1)
    one = erlang_c(agents, rates.sum(), handle_hours=1)
    assert rates @ waits == pytest.approx(rates.sum() * one.wait_mean_hours, rel=1e-9)
    assert np.all(np.diff(waits) > 0)


def reached_by_enumeration(orders: int, attempts: int, most: int, prob: float) -> float:
    """Work one order after the other through every pattern of answers."""
    total = 0.0
    for pattern in itertools.product([0, 1], repeat=attempts):
        order, tried, reached = 0, 0, 0
        for answer in pattern:
            if order == orders:
                break
            reached += answer
            tried += 1
            if answer or tried == most:
                order, tried = order + 1, 0
        total += reached * prob ** sum(pattern) * (1 - prob) ** (attempts - sum(pattern))
    return total


@pytest.mark.parametrize(("orders", "attempts", "most"), [(1, 1, 1), (3, 5, 2), (4, 9, 3), (2, 9, 4), (9, 4, 3)])
@pytest.mark.parametrize("prob", [0.0, 0.2, 0.7, 1.0])
def test_reached_by_enumeration(orders, attempts, most, prob):
    found = expected_reached(orders, attempts, max_attempts=most, answer_prob=prob)
    assert found == pytest.approx(reached_by_enumeration(orders, attempts, most, prob), abs=1e-12)


def test_reached_without_budget_or_without_orders():
    assert expected_reached(0, 10, max_attempts=3, answer_prob=0.5) == 0
    assert expected_reached(10, 0, max_attempts=3, answer_prob=0.5) == pytest.approx(0, abs=1e-12)
    everything = expected_reached(10_000, 10**6, max_attempts=3, answer_prob=0.25)
    assert everything == pytest.approx(10_000 * (1 - 0.75**3), rel=1e-9)


@pytest.mark.parametrize("deadline_hours", [0.5, 5.0, INF])
def test_worked_list_by_the_matrix_exponential(deadline_hours):
    orders, agents, handle_hours, prob, end_hours = 15, 4, 0.2, 0.3, 1.7
    size = orders + 1
    flow = np.zeros((size + 2, size + 2))  # the last two columns count reached and expired
    for k in range(1, size):
        reach = prob / handle_hours * min(agents, k)
        expiry = max(0, k - agents) / deadline_hours
        flow[k, k - 1], flow[k, k], flow[k, -2], flow[k, -1] = reach + expiry, -reach - expiry, reach, expiry
    after = expm(flow * end_hours)[orders]
    result = list_worked_until(
        orders, agents, handle_hours=handle_hours, answer_prob=prob, end_hours=end_hours,
        deadline_hours=deadline_hours,
    )
    assert result == pytest.approx((after[-2], after[-1], after[:size] @ np.arange(size)), rel=1e-10)


@given(
    orders=st.integers(0, 400), agents=st.integers(1, 60), prob=st.floats(0, 1), end_hours=st.floats(0.01, 30),
    deadline_hours=st.floats(0.05, 100),
)
@settings(max_examples=30, deadline=None)
def test_worked_list_accounts_for_every_order(orders, agents, prob, end_hours, deadline_hours):
    now, more = (
        list_worked_until(
            orders, c, handle_hours=0.2, answer_prob=prob, end_hours=end_hours, deadline_hours=deadline_hours
        )
        for c in (agents, agents + 1)
    )
    assert sum(now) == pytest.approx(orders, rel=1e-9)
    assert min(now) >= 0
    assert more.reached >= now.reached - 1e-9


def test_throttled_batch_by_hand():
    by_hand = sum(math.exp(-i / 10) for i in (1, 2, 3))
    assert throttled_batch_in_time(3, 2, deadline_hours=5) == pytest.approx(by_hand)
    assert throttled_batch_in_time(3, 2, deadline_hours=INF) == 3
    assert throttled_batch_in_time(0, 2, deadline_hours=5) == 0


@pytest.mark.parametrize(("agents", "arrivals"), [(3, 4.0), (200, 210.0)])
def test_steady_load_comes_to_erlang_a(agents, arrivals):
    queue = expected_queue(
        agents, lambda hour: arrivals, handle_hours=0.5, patience_hours=1, at_hours=[0, 40]
    )
    steady = erlang_a(agents, arrivals, handle_hours=0.5, patience_hours=1)
    assert queue == pytest.approx([0, arrivals * steady.wait_mean_hours], rel=1e-6, abs=1e-9)


def test_queue_of_a_short_start_by_the_matrix_exponential():
    # From empty, one agent, constant load: 60 callers are beyond anything reached.
    n = np.arange(61)
    flow = np.diag(np.full(60, 2.0), 1) + np.diag(np.minimum(n[1:], 1) + 0.5 * np.maximum(0, n[1:] - 1), -1)
    np.fill_diagonal(flow, -flow.sum(1))
    waiting = [expm(flow * hour)[0] @ np.maximum(0, n - 1) for hour in (0.3, 2.0)]
    found = expected_queue(1, lambda hour: 2.0, handle_hours=1, patience_hours=2, at_hours=[0.3, 2.0])
    assert found == pytest.approx(waiting, rel=1e-6)


def test_an_overload_is_followed_however_long_the_queue():
    queue = expected_queue(2, lambda hour: 50.0, handle_hours=1, patience_hours=INF, at_hours=[0, 10])
    assert queue[1] == pytest.approx(50 * 10 - 2 * 10, rel=0.01)


HANDLE = {"handle_hours": 0.1}
REFUSED = {
    "agents": (lambda: erlang_c(0, 1, **HANDLE), "agents is 0; give a whole number of at least 1"),
    "half an agent": (lambda: erlang_b(2.5, 1), "agents is 2.5; give a whole number of at least 0"),
    "load": (lambda: erlang_b(2, -1), "load is -1; give a finite number above 0"),
    "handle": (lambda: erlang_c(2, 1, handle_hours=math.nan), "handle_hours is nan; give a finite number above 0"),
    "patience": (
        lambda: erlang_a(2, 1, handle_hours=1, patience_hours=0),
        "patience_hours is 0; give hours above 0, or inf for callers who never give up",
    ),
    "places": (lambda: mmck(5, 1, places=4, handle_hours=1), "places is 4 for 5 agents; give at least one place"),
    "endless queue": (
        lambda: mmc_general_patience(2, 5, handle_hours=1, patience=patience_of(lambda x: np.full_like(x, 0.9))),
        "more callers than the agents can serve never give up; add agents or shorten the patience",
    ),
    "law": (
        lambda: named_patience("normal", 1),
        "patience is 'normal'; give exponential, deterministic or uniform",
    ),
    "edges": (lambda: piecewise_patience([1], [1]), "edges of patience are [1.0]; begin at 0 and increase"),
    "hazards": (lambda: piecewise_patience([0, 1], [1]), "patience has 2 edges and 1 rates; give one rate an edge"),
    "negative hazard": (lambda: piecewise_patience([0], [-1]), "rates of giving up are [-1.0]; give finite numbers"),
    "moments": (lambda: pollaczek_khinchine(0.5, (1, 0.5, 1)), "handle_moments is (1, 0.5, 1), of no law"),
    "priority": (lambda: cobham(2, [1, -1], **HANDLE), "arrivals_per_hour is -1; give a finite number above 0"),
    "two endless classes": (
        lambda: two_class_priority_abandonment(2, (1, 2), handle_hours=1, patience_hours=(1, INF)),
        "queues of up to 13 and inf callers are too many states to solve, or grow without end",
    ),
    "answers": (
        lambda: expected_reached(1, 1, max_attempts=1, answer_prob=1.5),
        "answer_prob is 1.5; give a probability between 0 and 1",
    ),
    "hours": (
        lambda: expected_queue(1, lambda hour: 1.0, patience_hours=1, at_hours=[2, 1], **HANDLE),
        "at_hours is [2.0, 1.0]; give hours from 0 on that do not decrease",
    ),
    "negative load": (
        lambda: expected_queue(1, lambda hour: -1.0, patience_hours=1, at_hours=[1], **HANDLE),
        "arrivals_per_hour is -1.0 at hour 0; give a finite rate of at least 0",
    ),
    "too many callers": (
        lambda: expected_queue(99_981, lambda hour: 1.0, patience_hours=1, at_hours=[1], **HANDLE),
        "more than 200000 callers would be there at once; add agents, or give fewer hours or arrivals",
    ),
    "target": (
        lambda: agents_for_service_level(1, patience_hours=1, within_hours=1, target_prob=1, **HANDLE),
        "target_prob is 1; give a share of at least 0 and below 1",
    ),
    "time": (
        lambda: agents_for_service_level(1, patience_hours=1, within_hours=-1, target_prob=0.8, **HANDLE),
        "within_hours is -1; give hours of at least 0",
    ),
    "nobody may give up": (
        lambda: agents_for_abandonment(1, patience_hours=1, target_prob=0, **HANDLE),
        "target_prob is 0; give a share above 0 and at most 1",
    ),
    "nobody gives up": (
        lambda: agents_for_abandonment(1, patience_hours=INF, target_prob=0.1, **HANDLE),
        "patience_hours is inf: nobody ever gives up; use agents_for_service_level",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals_name_what_was_found(call, message):
    with pytest.raises(CapacityError) as caught:
        call()
    assert message in str(caught.value)
