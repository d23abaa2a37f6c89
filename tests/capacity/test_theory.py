"""Queueing theory: published reference points, limits, and the same numbers found another way.

Time unit of the reference points: the mean handle time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

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

INF = math.inf


def abandoning_of(patience: str) -> float:
    return mmc_general_patience(50, 50, handle_hours=1, patience=named_patience(patience, 2)).abandon_prob


def mean_wait(scv: float | None) -> float:
    """Return the mean wait of M/G/1 at load .8; handle times are log-normal, or exponential without scv."""
    moments = (1, 2, 6) if scv is None else (1, 1 + scv, (1 + scv) ** 3)
    return pollaczek_khinchine(0.8, moments).mean_hours


def priority_abandoning() -> tuple[float, float]:
    result = two_class_priority_abandonment(5, (2, 3), handle_hours=1, patience_hours=(1 / 0.5, 1 / 0.05))
    return result.abandon_prob


def worked_list() -> tuple[float, float, float]:
    return list_worked_until(
        20, 3, handle_hours=1 / 6, answer_prob=0.35, end_hours=2, deadline_hours=1 / 0.2
    )


def delays(agents: int, arrivals: float) -> tuple[float, float, float]:
    waits = erlang_c(agents, arrivals, handle_hours=1)
    return waits.wait_prob, waits.wait_mean_hours, waits.within(0.1)


def losses(agents: int, arrivals: float, theta: float) -> tuple[float, float, float]:
    waits = erlang_a(agents, arrivals, handle_hours=1, patience_hours=1 / theta)
    return waits.wait_prob, waits.abandon_prob, waits.wait_mean_hours


def limited() -> tuple[float, float]:
    queue = mmck(10, 12, places=20, handle_hours=1)
    return queue.block_prob, queue.queue_mean


def sine_queue() -> np.ndarray:
    quarters = 2 * np.pi * (3 + np.arange(4) / 4)
    return expected_queue(
        10, lambda hour: 10 + 4 * math.sin(hour), handle_hours=1, patience_hours=2, at_hours=quarters
    )


TRUTHS: list[tuple[str, Callable[[], object], str]] = [
    ("M/M/5", lambda: delays(5, 4), ".554113 .554113 .498618"),
    ("M/M/50", lambda: delays(50, 48), ".694456 .347228 .431428"),
    ("M/M/10+M", lambda: losses(10, 12, 0.5), ".850385 .195656 .391312"),
    ("M/M/50+M", lambda: losses(50, 50, 0.5), ".601168 .0466846 .0933692"),
    ("Erlang B", lambda: [erlang_b(10, 10), erlang_b(100, 90)], ".214582 .0269574"),
    ("M/M/c/K", limited, ".179666 6.26049"),
    ("exponential patience", lambda: abandoning_of("exponential"), ".0466846"),
    ("fixed patience", lambda: abandoning_of("deterministic"), ".00912882"),
    ("uniform patience", lambda: abandoning_of("uniform"), ".0380696"),
    ("M/G/1", lambda: [mean_wait(0), mean_wait(None), mean_wait(2.25)], "2.000000 4.000000 6.500000"),
    ("two classes, 5 agents", lambda: cobham(5, [1, 3], handle_hours=1), ".138528 .692641"),
    ("two classes, 50 agents", lambda: cobham(50, [15, 32], handle_hours=1), ".016228 .270467"),
    ("priority and abandonment", priority_abandoning, ".100419 .0720272"),
    ("reached of 100", lambda: expected_reached(100, 200, max_attempts=3, answer_prob=0.3), "59.9859"),
    ("reached of 1000", lambda: expected_reached(1000, 2000, max_attempts=4, answer_prob=0.25), "500.000000"),
    ("list until T", worked_list, "12.2712 3.43328 4.29556"),
    ("throttled batch", lambda: throttled_batch_in_time(1000, 500, deadline_hours=1 / 0.1), "906.256"),
    ("sine of load", sine_queue, ".707635 3.47856 4.40702 1.18117"),
]


@pytest.mark.parametrize(("compute", "printed"), [t[1:] for t in TRUTHS], ids=[t[0] for t in TRUTHS])
def test_reference_points_to_the_printed_digits(compute, printed):
    numbers = np.atleast_1d(np.asarray(compute(), float))
    digits = [len(text.split(".")[1]) for text in printed.split()]
    found = [f"{number:.{d}f}".removeprefix("0") for number, d in zip(numbers, digits, strict=True)]
    assert " ".join(found) == printed


def birth_death(agents: int, arrivals: float, theta: float, most: int) -> np.ndarray:
    """Return the share of time with 0..most callers, handle time 1, from the ratios of neighbours."""
    n = np.arange(1, most + 1)
    deaths = np.minimum(n, agents) + theta * np.maximum(0, n - agents)
    weight = np.concatenate([[0.0], np.cumsum(np.log(arrivals / deaths))])
    share = np.exp(weight - weight.max())
    return share / share.sum()


@pytest.mark.parametrize(
    ("agents", "arrivals", "theta"),
    [
        (1, 1, 100), (1, 0.01, 5), (5, 5, 1000), (10, 1000, 0.05), (300, 30, 1), (400, 10, 1), (500, 500, 0.5),
        (500, 800, 0.1),
    ],
)
def test_erlang_a_is_the_birth_death_queue(agents, arrivals, theta):
    share = birth_death(agents, arrivals, theta, most=30_000)
    waiting = share @ np.maximum(0, np.arange(share.size) - agents)
    assert losses(agents, np.float64(arrivals), theta) == pytest.approx(
        (share[agents:].sum(), theta * waiting / arrivals, waiting / arrivals), rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize(("agents", "arrivals"), [(1, 0.9), (3, 2.5), (400, 380)])
def test_erlang_b_c_and_limited_places_are_birth_death_queues(agents, arrivals):
    share = birth_death(agents, arrivals, 0.0, most=30_000)
    waits = erlang_c(agents, arrivals, handle_hours=1)
    assert waits.wait_prob == pytest.approx(share[agents:].sum(), rel=1e-9)
    assert erlang_b(agents, arrivals) == pytest.approx(birth_death(agents, arrivals, 0.0, agents)[-1], rel=1e-9)
    places = agents + 7
    share = birth_death(agents, arrivals, 0.0, places)
    limited_waits = mmck(agents, arrivals, places=places, handle_hours=1)
    waiting = share @ np.maximum(0, np.arange(places + 1) - agents)
    assert limited_waits.block_prob == pytest.approx(share[-1], rel=1e-9)
    assert limited_waits.queue_mean == pytest.approx(waiting, rel=1e-9)
    assert limited_waits.wait_mean_hours == pytest.approx(waiting / arrivals / (1 - share[-1]), rel=1e-9)
    assert limited_waits.wait_prob == pytest.approx(share[agents:-1].sum() / (1 - share[-1]), rel=1e-9)


def served_within(agents: int, theta: float, share: np.ndarray, hours: float) -> float:
    """Return P(served, W <= t) by following a caller with j others ahead until served or gone."""
    ahead = share.size - agents
    follow = np.zeros((ahead + 1, ahead + 1))
    for j in range(ahead):
        forward = agents + theta * j
        follow[j, j - 1 if j else ahead] += forward
        follow[j, j] -= forward + theta
    return float(share[:agents].sum() + share[agents:] @ expm(follow * hours)[:-1, -1])


@pytest.mark.parametrize("hours", [0.0, 0.02, 0.3, 5.0])
def test_served_in_time_by_following_a_caller(hours):
    waits = erlang_a(4, 5, handle_hours=1, patience_hours=1 / 0.7)
    share = birth_death(4, 5, 0.7, most=80)
    assert waits.within(hours) == pytest.approx(served_within(4, 0.7, share, hours), rel=1e-9)
    # Of limited places: nobody gives up, and those let in do not find the last place.
    share = birth_death(4, 5, 0.0, most=12)[:-1]
    queue = mmck(4, 5, places=12, handle_hours=1)
    assert queue.within(hours) == pytest.approx(served_within(4, 0.0, share / share.sum(), hours), rel=1e-9)


def test_mean_wait_of_the_served_is_the_area_above_their_waits():
    waits = erlang_a(4, 5, handle_hours=1, patience_hours=1.5)
    hours = np.linspace(0, 12, 1201)
    missing = 1 - waits.abandon_prob - np.array([waits.within(t) for t in hours])
    area = np.trapezoid(missing, hours) / (1 - waits.abandon_prob)
    assert waits.served_wait_mean_hours == pytest.approx(area, rel=1e-4)
    assert waits.served_wait_mean_hours < waits.wait_mean_hours


PATIENCES = {
    "exponential": named_patience("exponential", 0.7),
    "deterministic": named_patience("deterministic", 0.7),
    "uniform": named_patience("uniform", 0.7),
    "piecewise": piecewise_patience([0, 0.1, 0.5], [3.0, 0.0, 1.0]),
    "Weibull": patience_of(lambda x: np.exp(-((x / 0.7) ** 2))),
    "some leave at once": patience_of(lambda x: 0.9 * np.exp(-x)),
}


@pytest.mark.parametrize("name", PATIENCES)
@pytest.mark.parametrize(("agents", "arrivals"), [(3, 2), (20, 22), (200, 300)])
def test_served_callers_are_the_ends_of_service(name, agents, arrivals):
    waits = mmc_general_patience(agents, arrivals, handle_hours=1, patience=PATIENCES[name])
    # With an agent free the number of callers is that of the loss system with c - 1 agents.
    busy_then = arrivals * (1 - erlang_b(agents - 1, arrivals))
    busy = waits.wait_prob * agents + (1 - waits.wait_prob) * busy_then
    assert arrivals * (1 - waits.abandon_prob) == pytest.approx(busy, rel=1e-9)
    assert waits.within(0) == pytest.approx(1 - waits.wait_prob, abs=1e-12)
    assert waits.within(1e6) == pytest.approx(1 - waits.abandon_prob, rel=1e-9)


def test_laws_of_patience_are_the_integrals_of_their_survival():
    hours = np.array([0.0, 0.05, 0.1, 0.3, 0.7, 1.3, 2.0, 9.0])
    for law in PATIENCES.values():
        integral = patience_of(law.survival, breaks_hours=law.breaks_hours).lived(hours)
        assert law.lived(hours) == pytest.approx(integral, rel=1e-11)
    # One piece is exponential; H of the piecewise law by hand at .3: (1 - e^-.3) / 3 + .2 e^-.3.
    assert piecewise_patience([0], [2.0]).survival(hours) == pytest.approx(np.exp(-2 * hours))
    by_hand = (1 - math.exp(-0.3)) / 3 + 0.2 * math.exp(-0.3)
    assert PATIENCES["piecewise"].lived(np.array([0.3])) == pytest.approx(by_hand)


@given(agents=st.integers(1, 60), load=st.floats(0.05, 0.95))
@settings(max_examples=25, deadline=None)
def test_endless_patience_and_endless_places_give_erlang_c(agents, load):
    arrivals = agents * load
    truth = erlang_c(agents, arrivals, handle_hours=1)
    nearly = erlang_a(agents, arrivals, handle_hours=1, patience_hours=1e9)
    general = mmc_general_patience(agents, arrivals, handle_hours=1, patience=named_patience("uniform", INF))
    endless = mmck(agents, arrivals, places=agents + 2000, handle_hours=1)
    for queue in (nearly, general, endless):
        assert queue.wait_prob == pytest.approx(truth.wait_prob, rel=1e-6)
        assert queue.wait_mean_hours == pytest.approx(truth.wait_mean_hours, rel=1e-6)
        assert queue.within(0.2) == pytest.approx(truth.within(0.2), rel=1e-6)
    assert erlang_a(agents, arrivals, handle_hours=1, patience_hours=INF).wait_prob == truth.wait_prob
    assert mmck(agents, arrivals, places=agents, handle_hours=1).block_prob == pytest.approx(
        erlang_b(agents, arrivals)
    )


def test_no_patience_gives_erlang_b():
    waits = erlang_a(7, 9, handle_hours=1, patience_hours=1e-9)
    assert waits.abandon_prob == pytest.approx(erlang_b(7, 9), rel=1e-6)


def test_an_overloaded_patient_queue_serves_nobody_in_time():
    waits = erlang_c(5, 5, handle_hours=1)
    assert (waits.wait_prob, waits.wait_mean_hours, waits.within(100)) == (1, INF, 0)
    assert pollaczek_khinchine(1, (1, 1, 1)) == (INF, INF)
    assert mm1_retrial(1, handle_hours=1, retry_hours=1) == INF
    assert cobham(5, [2, 4], handle_hours=1).tolist() == pytest.approx([1 / 5 / (1 - 0.4), INF])


@given(
    agents=st.integers(1, 200), load=st.floats(0.02, 3), handle=st.floats(0.01, 10),
    patience=st.floats(0.001, 100), hours=st.floats(0, 10),
)
@settings(max_examples=60, deadline=None)
def test_more_agents_never_hurt_and_shares_are_shares(agents, load, handle, patience, hours):
    arrivals = agents * load / handle
    less = erlang_a(agents, arrivals, handle_hours=handle, patience_hours=patience)
    more = erlang_a(agents + 1, arrivals, handle_hours=handle, patience_hours=patience)
    for waits in (less, more):
        assert 0 <= waits.wait_prob <= 1
        assert 0 <= waits.abandon_prob <= 1
        assert 0 <= waits.within(hours) <= waits.within(2 * hours) + 1e-12 <= 1 + 1e-12
        # Little's law: those who give up at rate theta are the callers waiting.
        assert waits.abandon_prob == pytest.approx(waits.wait_mean_hours / patience, rel=1e-9, abs=1e-14)
    assert more.wait_prob <= less.wait_prob + 1e-12
    assert more.abandon_prob <= less.abandon_prob + 1e-12
    assert more.within(hours) >= less.within(hours) - 1e-12
    assert erlang_b(agents + 1, agents * load) < erlang_b(agents, agents * load)


@given(
    arrivals=st.floats(0.1, 300), patience=st.sampled_from([0.02, 0.5, INF]), seconds=st.floats(0, 120),
    target=st.floats(0.05, 0.99),
)
@settings(max_examples=30, deadline=None)
def test_fewest_agents_are_enough_and_one_less_is_not(arrivals, patience, seconds, target):
    service = {"handle_hours": 0.1, "patience_hours": patience}
    within = seconds / 3600
    agents = agents_for_service_level(arrivals, **service, within_hours=within, target_prob=target)
    assert erlang_a(agents, arrivals, **service).within(within) >= target
    if agents > 1:
        assert erlang_a(agents - 1, arrivals, **service).within(within) < target
    if patience < INF:
        agents = agents_for_abandonment(arrivals, **service, target_prob=1 - target)
        assert erlang_a(agents, arrivals, **service).abandon_prob <= 1 - target
        assert agents == 1 or erlang_a(agents - 1, arrivals, **service).abandon_prob > 1 - target


def test_nobody_calls_nobody_is_needed():
    service = {"handle_hours": 0.1, "patience_hours": 0.05}
    assert agents_for_service_level(0, **service, within_hours=0.01, target_prob=0.8) == 0
    assert agents_for_abandonment(0, **service, target_prob=0.05) == 0
