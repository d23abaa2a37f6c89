"""Queues whose callers give up: exponential patience (Erlang-A) and any other law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from churnsim.capacity.theory.checks import require_count, require_patience, require_positive
from churnsim.capacity.theory.erlang import Waits, erlang_c, inverse_blocking
from churnsim.capacity.theory.patience import Floats, Patience, named_patience
from churnsim.errors import CapacityError

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
# Waits whose density is this many powers of e below the largest are left out.
_DEPTH = 50.0


def erlang_a(agents: int, arrivals_per_hour: float, *, handle_hours: float, patience_hours: float) -> Waits:
    """Return the waits of callers with exponential patience (M/M/c+M, Palm 1957).

    Formulas as for :func:`mmc_general_patience`; with infinite patience those of Erlang C.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        lambda, above 0.
    handle_hours, patience_hours
        Means, above 0; patience may be inf.

    Raises
    ------
    CapacityError
        A number is out of range.

    Examples
    --------
    >>> waits = erlang_a(10, 12, handle_hours=1, patience_hours=2)
    >>> round(waits.wait_prob, 6), round(waits.abandon_prob, 6), round(waits.wait_mean_hours, 6)
    (0.850385, 0.195656, 0.391312)
    """
    require_patience(patience_hours=patience_hours)
    if np.isinf(patience_hours):
        return erlang_c(agents, arrivals_per_hour, handle_hours=handle_hours)
    patience = named_patience("exponential", patience_hours)
    return mmc_general_patience(agents, arrivals_per_hour, handle_hours=handle_hours, patience=patience)


def mmc_general_patience(
    agents: int, arrivals_per_hour: float, *, handle_hours: float, patience: Patience
) -> Waits:
    """Return the waits of callers with any law of patience R (M/M/c+G, Baccelli and Hebuterne 1981).

    With ``H(x) = int_0^x P(R > u) du``, ``J = int_0^inf exp(lambda H(x) - c mu x) dx`` and
    ``eps = sum_{j<c} a^j / j! / (a^{c-1} / (c-1)!)``: ``P(W > 0) = lambda J / (eps + lambda J)``, the wait V
    that a patient caller would see has the density ``v(x) = lambda exp(lambda H(x) - c mu x) / (eps + lambda J)``,
    and a caller is served if R > V (Zeltyn and Mandelbaum 2005). The exponent is concave, so the integrals
    run over one peak, scaled by its height: no overflow however large the load.

    Parameters
    ----------
    agents
        c, at least 1.
    arrivals_per_hour
        lambda, above 0.
    handle_hours
        Mean handle time 1 / mu, above 0.
    patience
        See :mod:`churnsim.capacity.theory.patience`.

    Raises
    ------
    CapacityError
        A number is out of range, or so many callers never give up that the queue grows without end.
    """
    require_count(agents=agents)
    require_positive(arrivals_per_hour=arrivals_per_hour, handle_hours=handle_hours)
    peak = _find_peak(arrivals_per_hour, agents / handle_hours, patience)
    x, weight = peak.density()
    idle = inverse_blocking(agents - 1, arrivals_per_hour * handle_hours) * np.exp(-peak.height)
    busy = arrivals_per_hour * weight.sum()
    waits = arrivals_per_hour / (idle + busy) * weight
    survival = patience.survival(x)
    # With hundreds of spare agents their weight may be beyond the largest number.
    at_once = 1.0 if np.isinf(idle) else float(idle / (idle + busy))

    def within(hours: float) -> float:
        upto, some = peak.density(hours)
        return min(1.0, at_once + float(arrivals_per_hour / (idle + busy) * (some @ patience.survival(upto))))

    return Waits(
        wait_prob=float(busy / (idle + busy)),
        abandon_prob=min(1.0, float(waits @ (1 - survival))),
        wait_mean_hours=float(waits @ patience.lived(x)),
        served_wait_mean_hours=float(waits @ (x * survival) / (at_once + waits @ survival)),
        within=within,
    )


@dataclass(frozen=True)
class _Peak:
    """The peak of ``exp(lambda H(x) - c mu x)``: its place and height, and where it is negligible."""

    arrivals: float
    capacity: float
    patience: Patience
    low: float
    top: float
    high: float
    height: float

    def density(self, most: float = np.inf) -> tuple[Floats, Floats]:
        """Return nodes x up to `most` and their weights times ``exp(lambda H(x) - c mu x - height)``."""
        cuts = np.concatenate([
            np.linspace(self.low, self.top, 49), np.linspace(self.top, self.high, 49),
            # Patience may be much shorter than the waits: finer towards 0.
            self.high * 0.5 ** np.arange(1, 50), self.patience.breaks_hours, [most],
        ])
        cuts = np.unique(cuts[(cuts >= self.low) & (cuts <= min(most, self.high))])
        middle, half = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts) / 2
        x = (middle[:, None] + half[:, None] * _NODES).ravel()
        weight = (half[:, None] * _WEIGHTS).ravel()
        exponent = self.arrivals * self.patience.lived(x) - self.capacity * x
        return x, weight * np.exp(exponent - self.height)


def _find_peak(arrivals: float, capacity: float, patience: Patience) -> _Peak:
    def survival(x: float) -> float:
        return float(patience.survival(np.array([x]))[0])

    def exponent(x: float) -> float:
        return arrivals * float(patience.lived(np.array([x]))[0]) - capacity * x

    top = 0.0
    if arrivals * survival(0.0) > capacity:
        top = _first(lambda x: arrivals * survival(x) <= capacity, 0.0, 1 / capacity)
    floor = exponent(top) - _DEPTH
    low = 0.0 if exponent(0.0) >= floor else _first(lambda x: exponent(x) >= floor, 0.0, top)
    high = _first(lambda x: exponent(x) <= floor, top, 1 / capacity)
    return _Peak(arrivals, capacity, patience, low, top, high, exponent(top))


def _first(holds: Callable[[float], bool], start: float, step: float) -> float:
    """Return where a condition that is false up to some x >= start and true from there on begins to hold."""
    low, high = start, start + step
    while not holds(high):
        low, step = high, 2 * step
        high = start + step
        if step > 1e12:
            raise CapacityError(
                "more callers than the agents can serve never give up; add agents or shorten the patience"
            )
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
