"""One agent: any law of handle time, and callers who try again."""

from __future__ import annotations

from typing import NamedTuple

from churnsim.capacity.theory.checks import require_positive
from churnsim.errors import CapacityError


class WaitMoments(NamedTuple):
    """Mean (hours) and second moment (hours squared) of the wait of all callers."""

    mean_hours: float
    second_hours2: float


def pollaczek_khinchine(arrivals_per_hour: float, handle_moments: tuple[float, float, float]) -> WaitMoments:
    """Return the first two moments of the wait for one agent, first come first served (M/G/1).

    ``E W = lambda E S^2 / (2 (1 - rho))``, ``E W^2 = 2 (E W)^2 + lambda E S^3 / (3 (1 - rho))`` with
    ``rho = lambda E S`` (Pollaczek 1930, Khinchine 1932); both are infinite from a load of 1.

    Parameters
    ----------
    arrivals_per_hour
        lambda, above 0.
    handle_moments
        E S, E S^2 and E S^3 of the handle time, in hours to that power.

    Raises
    ------
    CapacityError
        A number is not above 0, or the moments belong to no law.

    Examples
    --------
    >>> round(pollaczek_khinchine(0.8, (1, 1, 1)).mean_hours, 6)
    2.0
    """
    first, second, third = handle_moments
    require_positive(arrivals_per_hour=arrivals_per_hour, first=first, second=second, third=third)
    slack = 1 - 1e-12
    if second < slack * first**2 or third * first < slack * second**2:
        raise CapacityError(
            f"handle_moments is {handle_moments}, of no law: "
            "E S^2 is at least (E S)^2, and E S^3 E S at least (E S^2)^2"
        )
    spare = 1 - arrivals_per_hour * first
    if spare <= 0:
        return WaitMoments(float("inf"), float("inf"))
    mean = arrivals_per_hour * second / (2 * spare)
    return WaitMoments(mean, 2 * mean**2 + arrivals_per_hour * third / (3 * spare))


def mm1_retrial(arrivals_per_hour: float, *, handle_hours: float, retry_hours: float) -> float:
    """Return the mean number of callers who found the line busy and will try again (M/M/1 retrial).

    ``N = rho^2 / (1 - rho) + (lambda / nu) rho / (1 - rho)``, ``nu = 1 / retry_hours`` (Falin and Templeton
    1997); infinite from a load of 1.

    Parameters
    ----------
    arrivals_per_hour
        lambda, above 0.
    handle_hours
        Mean handle time, exponential, above 0.
    retry_hours
        Mean time from one try of a caller to the next, exponential, above 0.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> round(mm1_retrial(0.5, handle_hours=1, retry_hours=1), 6)
    1.0
    """
    require_positive(arrivals_per_hour=arrivals_per_hour, handle_hours=handle_hours, retry_hours=retry_hours)
    load = arrivals_per_hour * handle_hours
    if load >= 1:
        return float("inf")
    return (load**2 + arrivals_per_hour * retry_hours * load) / (1 - load)
