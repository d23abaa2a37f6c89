"""Classes of callers served by priority, between calls and never by breaking one off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve

from churnsim.capacity.theory.checks import require_count, require_patience, require_positive
from churnsim.capacity.theory.erlang import erlang_c, inverse_blocking
from churnsim.errors import CapacityError

Floats = npt.NDArray[np.float64]
# Queues longer than those of this probability are left out; more states than these are refused.
_TAIL = 1e-13
_MOST_STATES = 400_000


class TwoClasses(NamedTuple):
    """Two classes of callers: share who find every agent busy, who give up, and mean waits of all."""

    wait_prob: float
    abandon_prob: tuple[float, float]
    wait_mean_hours: tuple[float, float]


def cobham(agents: int, arrivals_per_hour: Sequence[float], *, handle_hours: float) -> Floats:
    """Return the mean waits of classes of callers who never give up, first class first (M/M/c).

    ``W_k = W_0 / ((1 - s_{k-1}) (1 - s_k))`` with ``W_0 = C / (c mu)`` and s_k the load of classes 1 to k
    for each agent (Cobham 1954). Classes from a load of 1 on wait without end; those above them still get by.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        (k,) rates, highest priority first, above 0.
    handle_hours
        Mean handle time of every class, above 0.

    Returns
    -------
    (k,) hours.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> cobham(5, [1, 3], handle_hours=1).round(6).tolist()
    [0.138528, 0.692641]
    """
    require_count(agents=agents)
    require_positive(handle_hours=handle_hours)
    for rate in arrivals_per_hour:
        require_positive(arrivals_per_hour=rate)
    rates = np.asarray(arrivals_per_hour, float)
    wait_prob = erlang_c(agents, float(rates.sum()), handle_hours=handle_hours).wait_prob
    free = np.maximum(0.0, 1 - np.concatenate([[0.0], np.cumsum(rates)]) * handle_hours / agents)
    both = free[:-1] * free[1:]
    waits = np.full(rates.size, np.inf)
    np.divide(wait_prob * handle_hours / agents, both, out=waits, where=both > 0)
    return waits


def two_class_priority_abandonment(
    agents: int,
    arrivals_per_hour: tuple[float, float],
    *,
    handle_hours: float,
    patience_hours: tuple[float, float],
) -> TwoClasses:
    """Return how two classes fare by priority when both give up (exponential patience of each class).

    The stationary law of the two queue lengths, from its balance equations on a rectangle. Its sides come from
    birth-death queues that are longer for certain: the first class as if it were alone with all agents busy,
    the second as if nobody served it, or as part of a common queue of the more patient class.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        Rates of the first (served first) and the second class, above 0.
    handle_hours
        Mean handle time of both, above 0.
    patience_hours
        Mean patience of each class, above 0; may be inf where the queue is stable without giving up.

    Raises
    ------
    CapacityError
        A number is out of range, the queue grows without end, or there would be over 400,000 states.

    Examples
    --------
    >>> result = two_class_priority_abandonment(5, (2, 3), handle_hours=1, patience_hours=(2, 20))
    >>> [round(prob, 6) for prob in result.abandon_prob]
    [0.100419, 0.072027]
    """
    require_count(agents=agents)
    first, second = arrivals_per_hour
    require_positive(handle_hours=handle_hours, first_arrivals_per_hour=first, second_arrivals_per_hour=second)
    require_patience(first_patience_hours=patience_hours[0], second_patience_hours=patience_hours[1])
    capacity, loss = agents / handle_hours, (1 / patience_hours[0], 1 / patience_hours[1])
    sides = (
        _longest_queue(first, capacity, loss[0]),
        min(_longest_queue(second, 0.0, loss[1]), _longest_queue(first + second, capacity, min(loss))),
    )
    if max(sides) > _MOST_STATES or (sides[0] + 1) * (sides[1] + 1) > _MOST_STATES:
        raise CapacityError(
            f"queues of up to {sides[0]:g} and {sides[1]:g} callers are too many states to solve, or grow "
            "without end; add agents or shorten the patience"
        )
    queues = _queue_law(arrivals_per_hour, capacity, loss, (int(sides[0]), int(sides[1])))
    # Relative to all agents busy and nobody waiting: p_{c-1} = p_c c mu / lambda, and Erlang's sum below it.
    load = (first + second) * handle_hours
    free = queues[0, 0] * agents / load * inverse_blocking(agents - 1, load)
    busy = queues.sum()
    waiting = np.array([queues.sum(1) @ np.arange(queues.shape[0]), queues.sum(0) @ np.arange(queues.shape[1])])
    waits = waiting / (busy + free) / np.array(arrivals_per_hour)
    abandon = waits * np.array(loss)
    return TwoClasses(
        float(busy / (busy + free)), (float(abandon[0]), float(abandon[1])), (float(waits[0]), float(waits[1]))
    )


def _longest_queue(arrivals: float, capacity: float, loss: float) -> float:
    """Return the length a birth-death queue with all agents busy exceeds with negligible probability, or inf."""
    if loss == 0 and arrivals >= capacity:
        return float("inf")
    weight, total, n = 1.0, 1.0, 0
    while n <= _MOST_STATES:
        n += 1
        ratio = arrivals / (capacity + loss * n)
        weight *= ratio
        total += weight
        # From here on every term is below the last times the ratio.
        if ratio < 1 and weight * ratio / (1 - ratio) < _TAIL * total:
            return n
        if weight > 1e200:
            weight, total = weight * 1e-200, total * 1e-200
    return float("inf")


def _queue_law(
    arrivals: tuple[float, float], capacity: float, loss: tuple[float, float], sides: tuple[int, int]
) -> Floats:
    """Return the law of both queues with all agents busy, up to a factor, as (first, second)."""
    number = np.arange((sides[0] + 1) * (sides[1] + 1)).reshape(sides[0] + 1, sides[1] + 1)
    one, two = np.meshgrid(np.arange(sides[0] + 1), np.arange(sides[1] + 1), indexing="ij")
    down_one = (capacity + loss[0] * one)[1:]
    down_two = (capacity * (one == 0) + loss[1] * two)[:, 1:]
    moves = [
        (number[:-1], number[1:], np.full_like(down_one, arrivals[0])),
        (number[:, :-1], number[:, 1:], np.full_like(down_two, arrivals[1])),
        (number[1:], number[:-1], down_one),
        (number[:, 1:], number[:, :-1], down_two),
    ]
    source, target, rate = (np.concatenate([part.ravel() for part in parts]) for parts in zip(*moves, strict=True))
    balance = coo_array(
        (np.concatenate([rate, -rate]), (np.concatenate([target, source]), np.concatenate([source, source])))
    ).tocsc()
    # One balance equation follows from the others; its state, among the likely ones, is given the weight 1.
    known = number[_likely(arrivals, capacity, loss)]
    others = np.delete(number.ravel(), known)
    law = np.ones(number.size)
    law[others] = spsolve(balance[others][:, others], -balance[others][:, [known]].toarray().ravel())
    return law.reshape(number.shape)


def _likely(arrivals: tuple[float, float], capacity: float, loss: tuple[float, float]) -> tuple[int, int]:
    """Return the queue lengths at which flows balance."""
    first_over = max(0.0, arrivals[0] - capacity)
    second_over = max(0.0, arrivals[1] - max(0.0, capacity - arrivals[0]))
    return (
        int(first_over / loss[0]) if first_over else 0,
        int(second_over / loss[1]) if second_over else 0,
    )
