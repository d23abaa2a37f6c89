"""Lists worked outwards: how many orders a budget of attempts, a shift or a throttle reaches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import gammainc, gammaln

from churnsim.capacity.theory.checks import require_count, require_patience, require_positive, require_prob


class WorkedList(NamedTuple):
    """Expected numbers of orders; they add up to the length of the list."""

    reached: float
    expired: float
    left: float


def expected_reached(orders: int, attempts: int, *, max_attempts: int, answer_prob: float) -> float:
    """Return how many orders are reached by a budget of attempts, whatever the order of work.

    ``p E min(A, sum_i min(Geom_i(p), m))``: every attempt made reaches with probability p, and a list worked
    to its end takes a capped geometric number of attempts an order. The law of the sum is found exactly, by
    convolution (fast Fourier transform over orders x max_attempts places).

    Parameters
    ----------
    orders, attempts
        Length of the list and attempts in all, at least 0.
    max_attempts
        m, most attempts on one order, at least 1.
    answer_prob
        p, the same for every attempt.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> round(expected_reached(100, 200, max_attempts=3, answer_prob=0.3), 4)
    59.9859
    """
    require_count(0, orders=orders, attempts=attempts)
    require_count(max_attempts=max_attempts)
    require_prob(answer_prob=answer_prob)
    most = orders * max_attempts
    if most == 0:
        return 0.0
    one = np.zeros(max_attempts + 1)
    one[1:] = answer_prob * (1 - answer_prob) ** np.arange(max_attempts)
    one[-1] = (1 - answer_prob) ** (max_attempts - 1)
    size = next_fast_len(most + 1, real=True)
    needed = irfft(rfft(one, size) ** orders, size)[: most + 1]
    return answer_prob * float(needed @ np.minimum(attempts, np.arange(most + 1)))


def list_worked_until(
    orders: int, agents: int, *, handle_hours: float, answer_prob: float, end_hours: float, deadline_hours: float
) -> WorkedList:
    """Return what becomes of a list worked with immediate retries until an hour.

    An attempt takes an exponential time and is answered with probability p, else made again at once by the
    same agent; an order that waits expires after an exponential time, one in progress does not. The number of
    open orders k is a pure death process of rate ``p mu min(c, k) + theta (k - c)+``, solved by uniformisation:
    sums of positive terms only (Jensen 1953).

    Parameters
    ----------
    orders, agents
        n at least 0 and c at least 1.
    handle_hours
        Mean time of an attempt 1 / mu, answered or not.
    answer_prob
        p.
    end_hours
        Hours worked.
    deadline_hours
        Mean time to expiry 1 / theta; inf for orders that never expire.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> result = list_worked_until(
    ...     20, 3, handle_hours=1 / 6, answer_prob=0.35, end_hours=2, deadline_hours=5)
    >>> [round(number, 4) for number in result]
    [12.2712, 3.4333, 4.2956]
    """
    require_count(0, orders=orders)
    require_count(agents=agents)
    require_positive(handle_hours=handle_hours, end_hours=end_hours)
    require_prob(answer_prob=answer_prob)
    require_patience(deadline_hours=deadline_hours)
    open_orders = np.arange(orders + 1)
    reach_rate = answer_prob / handle_hours * np.minimum(agents, open_orders)
    expiry_rate = np.maximum(0, open_orders - agents) / deadline_hours
    rate = reach_rate + expiry_rate
    step_rate = rate.max()
    if step_rate == 0:
        return WorkedList(0.0, 0.0, float(orders))
    events = step_rate * end_hours
    steps = np.arange(int(events + 12 * np.sqrt(events) + 60))
    at_end = np.exp(steps * np.log(events) - events - gammaln(steps + 1))
    # Mean hours spent in the k-th step before the end: P(Poisson > k) over its rate.
    hours_in = gammainc(steps + 1, events) / step_rate
    now = np.zeros(orders + 1)
    now[-1] = 1.0
    share, hours = np.zeros(orders + 1), np.zeros(orders + 1)
    gone = rate / step_rate
    for last, spent in zip(at_end, hours_in, strict=True):
        share += last * now
        hours += spent * now
        moved = now * gone
        now = now - moved
        now[:-1] += moved[1:]
    return WorkedList(float(hours @ reach_rate), float(hours @ expiry_rate), float(share @ open_orders))


def throttled_batch_in_time(messages: int, messages_per_hour: float, *, deadline_hours: float) -> float:
    """Return how many messages of a throttled batch leave before their exponential deadlines.

    The i-th message leaves at i / r hours, so ``sum_{i=1}^{n} exp(-theta i / r)``, a geometric sum.

    Parameters
    ----------
    messages
        n, at least 0.
    messages_per_hour
        r, above 0.
    deadline_hours
        Mean time to the deadline 1 / theta; inf for none.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> round(throttled_batch_in_time(1000, 500, deadline_hours=10), 3)
    906.256
    """
    require_count(0, messages=messages)
    require_positive(messages_per_hour=messages_per_hour)
    require_patience(deadline_hours=deadline_hours)
    loss = 1 / (messages_per_hour * deadline_hours)
    if loss == 0:
        return float(messages)
    return float(np.expm1(-messages * loss) / np.expm1(-loss) * np.exp(-loss))
