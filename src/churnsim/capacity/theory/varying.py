"""A queue whose arrivals change with the hour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.integrate import solve_ivp

from churnsim.capacity.theory.checks import require_count, require_patience, require_positive
from churnsim.errors import CapacityError

Floats = npt.NDArray[np.float64]
# Probability that may leave through the largest number of callers followed.
_LEAK = 1e-9
_MOST_CALLERS = 200_000


def expected_queue(
    agents: int,
    arrivals_per_hour: Callable[[float], float],
    *,
    handle_hours: float,
    patience_hours: float,
    at_hours: npt.ArrayLike,
) -> Floats:
    """Return the expected number of callers waiting at given hours, from empty at hour 0 (Mt/M/c+M).

    Kolmogorov's forward equations for the number of callers, followed up to a number that grows until less
    than 1e-9 of probability leaves through it.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        Rate at an hour, at least 0.
    handle_hours, patience_hours
        Means of exponential laws, above 0; patience may be inf.
    at_hours
        (k,) hours, at least 0, not decreasing.

    Returns
    -------
    (k,) expected queue lengths.

    Raises
    ------
    CapacityError
        A number is out of range, or over 200,000 callers would be there at once.
    """
    require_count(agents=agents)
    require_positive(handle_hours=handle_hours)
    require_patience(patience_hours=patience_hours)
    hours = np.asarray(at_hours, float)
    if hours.ndim != 1 or hours.size == 0 or hours[0] < 0 or np.any(np.diff(hours) < 0):
        raise CapacityError(f"at_hours is {hours.tolist()}; give hours from 0 on that do not decrease")
    if hours[-1] == 0:
        return np.zeros(hours.size)
    most = 2 * agents + 40
    while most <= _MOST_CALLERS:
        callers = np.arange(most + 1)
        waiting = np.maximum(0, callers - agents)
        end_rate = (callers - waiting) / handle_hours + waiting / patience_hours
        prob = _follow(arrivals_per_hour, end_rate, hours)
        if prob[:, -1].sum() > 1 - _LEAK:
            return np.asarray(waiting @ prob)
        most *= 2
    raise CapacityError(
        f"more than {_MOST_CALLERS} callers would be there at once; add agents, or give fewer hours or arrivals"
    )


def _follow(arrivals_per_hour: Callable[[float], float], end_rate: Floats, hours: Floats) -> Floats:
    """Return the probabilities (callers, hours); those beyond the last number of callers are lost."""

    def flow(hour: float, prob: Floats) -> Floats:
        rate = arrivals_per_hour(hour)
        if not 0 <= rate < np.inf:
            raise CapacityError(f"arrivals_per_hour is {rate} at hour {hour:g}; give a finite rate of at least 0")
        change = -(rate + end_rate) * prob
        change[1:] += rate * prob[:-1]
        change[:-1] += end_rate[1:] * prob[1:]
        return change

    start = np.zeros(end_rate.size)
    start[0] = 1.0
    solved = solve_ivp(
        flow, (0.0, float(hours[-1])), start, method="LSODA", t_eval=hours, lband=1, uband=1,
        rtol=1e-9, atol=1e-13,
    )
    return np.asarray(solved.y)
