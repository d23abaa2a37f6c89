"""How many agents a service level or an abandonment target takes, as a first guess before simulating."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from churnsim.capacity.theory.abandonment import erlang_a
from churnsim.capacity.theory.checks import require_patience, require_positive
from churnsim.errors import CapacityError


def agents_for_service_level(
    arrivals_per_hour: float,
    *,
    handle_hours: float,
    patience_hours: float,
    within_hours: float,
    target_prob: float,
) -> int:
    """Return the fewest agents that serve a target share of all callers within a time (M/M/c+M).

    Parameters
    ----------
    arrivals_per_hour
        At least 0.
    handle_hours, patience_hours
        Means, above 0; with infinite patience Erlang C.
    within_hours
        At least 0.
    target_prob
        Share of all callers, those who give up counted as missed, in [0, 1).

    Returns
    -------
    0 where nobody calls.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    80 % within 20 seconds, 120 calls of 5 minutes an hour, callers who give up after 2 minutes on average:

    >>> agents_for_service_level(
    ...     120, handle_hours=5 / 60, patience_hours=2 / 60, within_hours=20 / 3600, target_prob=0.8)
    12
    """
    if not within_hours >= 0:
        raise CapacityError(f"within_hours is {within_hours}; give hours of at least 0")
    if not 0 <= target_prob < 1:
        raise CapacityError(f"target_prob is {target_prob}; give a share of at least 0 and below 1")

    def enough(agents: int) -> bool:
        waits = erlang_a(agents, arrivals_per_hour, handle_hours=handle_hours, patience_hours=patience_hours)
        return waits.within(within_hours) >= target_prob

    return _fewest(enough, arrivals_per_hour, handle_hours=handle_hours, patience_hours=patience_hours)


def agents_for_abandonment(
    arrivals_per_hour: float, *, handle_hours: float, patience_hours: float, target_prob: float
) -> int:
    """Return the fewest agents with which at most a target share of callers gives up (M/M/c+M).

    Parameters
    ----------
    arrivals_per_hour
        At least 0.
    handle_hours, patience_hours
        Means, above 0 and finite.
    target_prob
        In (0, 1].

    Returns
    -------
    0 where nobody calls.

    Raises
    ------
    CapacityError
        A number is out of range; callers who never give up need a service level instead.

    Examples
    --------
    >>> agents_for_abandonment(50, handle_hours=1, patience_hours=2, target_prob=0.05)
    50
    """
    if not 0 < target_prob <= 1:
        raise CapacityError(f"target_prob is {target_prob}; give a share above 0 and at most 1")
    if np.isinf(patience_hours):
        raise CapacityError("patience_hours is inf: nobody ever gives up; use agents_for_service_level")

    def enough(agents: int) -> bool:
        waits = erlang_a(agents, arrivals_per_hour, handle_hours=handle_hours, patience_hours=patience_hours)
        return waits.abandon_prob <= target_prob

    return _fewest(enough, arrivals_per_hour, handle_hours=handle_hours, patience_hours=patience_hours)


def _fewest(
    enough: Callable[[int], bool], arrivals_per_hour: float, *, handle_hours: float, patience_hours: float
) -> int:
    """Return the least number of agents that is enough; more agents never hurt."""
    require_positive(handle_hours=handle_hours)
    require_patience(patience_hours=patience_hours)
    if arrivals_per_hour == 0:
        return 0
    low, high = 0, max(1, round(arrivals_per_hour * handle_hours))
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
