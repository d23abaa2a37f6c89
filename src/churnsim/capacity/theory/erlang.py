"""Erlang's loss and delay formulas, and the queue with a limited number of places.

Times are in hours. Arrivals are Poisson, handle times exponential, agents alike, first come first served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import gammainc, gammaln

from churnsim.capacity.theory.checks import require_count, require_positive
from churnsim.errors import CapacityError


@dataclass(frozen=True)
class Waits:
    """How the callers of a queue fare in the long run.

    Attributes
    ----------
    wait_prob
        Share of callers who find every agent busy.
    abandon_prob
        Share of callers who give up before they are served.
    wait_mean_hours
        Mean wait of all callers: of those served at once, served later and of those who gave up.
    served_wait_mean_hours
        Mean wait of the served ("average speed of answer"), those served at once included.
    within
        Function of t in hours, at least 0: the share of callers who are served and waited at most t.
    """

    wait_prob: float
    abandon_prob: float
    wait_mean_hours: float
    served_wait_mean_hours: float
    within: Callable[[float], float] = field(repr=False, compare=False)


@dataclass(frozen=True)
class LimitedWaits:
    """A queue with a limited number of places: those turned away, and the waits of those let in.

    Attributes
    ----------
    block_prob
        Share of callers who find every place taken.
    queue_mean
        Mean number of callers waiting.
    wait_prob, wait_mean_hours
        Share of the callers let in who wait, and the mean wait of all let in.
    within
        Function of t in hours, at least 0: the share of callers let in who waited at most t.
    """

    block_prob: float
    queue_mean: float
    wait_prob: float
    wait_mean_hours: float
    within: Callable[[float], float] = field(repr=False, compare=False)


def inverse_blocking(agents: int, load: float) -> float:
    """Return 1 / B of Erlang's loss formula, inf where B is below the smallest number.

    Also the sum of load^j / j! over j <= agents, over its last term.
    """
    # Python's numbers go to inf in silence, numpy's warn.
    inverse, load = 1.0, float(load)
    for k in range(1, agents + 1):
        inverse = 1.0 + k / load * inverse
    return inverse


def erlang_b(agents: int, load: float) -> float:
    """Return the share of calls lost where nobody waits (M/G/c/c).

    ``1 / B_k = 1 + (k / a) / B_{k-1}``, ``B_0 = 1`` (Jagerman 1974).

    Parameters
    ----------
    agents
        c, at least 0.
    load
        a, arrivals an hour times mean handle hours, above 0.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> round(erlang_b(10, 10), 6)
    0.214582
    """
    require_count(0, agents=agents)
    require_positive(load=load)
    return 1.0 / inverse_blocking(agents, load)


def erlang_c(agents: int, arrivals_per_hour: float, *, handle_hours: float) -> Waits:
    """Return the waits of callers who never give up (M/M/c).

    ``C = c B / (c - a (1 - B))``, ``Wq = C / (c mu - lambda)``, ``P(W <= t) = 1 - C exp(-(c mu - lambda) t)``
    with mu = 1 / handle_hours and a = lambda / mu (Erlang 1917). At a load of c or more nobody is served in
    the long run: everybody waits, without end.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        lambda, above 0.
    handle_hours
        Mean handle time, above 0.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> waits = erlang_c(5, 4, handle_hours=1)
    >>> round(waits.wait_prob, 6), round(waits.within(0.1), 6)
    (0.554113, 0.498618)
    """
    require_count(agents=agents)
    require_positive(arrivals_per_hour=arrivals_per_hour, handle_hours=handle_hours)
    load = arrivals_per_hour * handle_hours
    if load >= agents:
        return Waits(1.0, 0.0, float("inf"), float("inf"), lambda hours: 0.0)
    wait_prob = agents / (inverse_blocking(agents, load) * (agents - load) + load)
    spare_rate = (agents - load) / handle_hours
    mean = wait_prob / spare_rate

    def within(hours: float) -> float:
        return 1.0 - wait_prob * float(np.exp(-spare_rate * hours))

    return Waits(wait_prob, 0.0, mean, mean, within)


def mmck(agents: int, arrivals_per_hour: float, *, places: int, handle_hours: float) -> LimitedWaits:
    """Return blocking and waits where callers beyond a number of places are turned away (M/M/c/K).

    The share of time with n callers is proportional to ``a^n / n!`` up to c, then falls by a / c each. A
    caller let in who finds n >= c waits for n - c + 1 ends, a gamma time of rate c mu (Gross and Harris).

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        lambda, above 0.
    places
        K, callers in service and waiting together, at least `agents`.
    handle_hours
        Mean handle time, above 0.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> round(mmck(10, 12, places=20, handle_hours=1).queue_mean, 5)
    6.26049
    """
    require_count(agents=agents, places=places)
    require_positive(arrivals_per_hour=arrivals_per_hour, handle_hours=handle_hours)
    if places < agents:
        raise CapacityError(f"places is {places} for {agents} agents; give at least one place an agent")
    load = arrivals_per_hour * handle_hours
    n = np.arange(places + 1)
    busy = np.minimum(n, agents)
    weight = n * np.log(load) - gammaln(busy + 1) - (n - busy) * np.log(agents)
    share = np.exp(weight - weight.max())
    share /= share.sum()
    block_prob = float(share[-1])
    queue_mean = float(share @ (n - busy))
    found = share[:-1] / share[:-1].sum()
    ends = n[agents:-1] - agents + 1

    def within(hours: float) -> float:
        in_time = gammainc(ends, agents / handle_hours * hours) if hours > 0 else np.zeros(ends.size)
        return float(found[:agents].sum() + found[agents:] @ in_time)

    wait_mean_hours = queue_mean / (arrivals_per_hour * (1 - block_prob))
    return LimitedWaits(block_prob, queue_mean, float(found[agents:].sum()), wait_mean_hours, within)
