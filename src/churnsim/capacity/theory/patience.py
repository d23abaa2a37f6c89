"""Laws of patience: how long callers wait before they give up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from churnsim.capacity.theory.checks import require_patience
from churnsim.errors import CapacityError

Floats = npt.NDArray[np.float64]
PatienceName = Literal["exponential", "deterministic", "uniform"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


@dataclass(frozen=True)
class Patience:
    """A law of patience R by two functions of an array of hours.

    Attributes
    ----------
    survival
        ``P(R > x)``, not increasing.
    lived
        ``H(x)``, the integral of the survival from 0 to x, in hours.
    breaks_hours
        Where the survival jumps or has a kink.
    """

    survival: Callable[[Floats], Floats]
    lived: Callable[[Floats], Floats]
    breaks_hours: tuple[float, ...] = ()


def named_patience(name: PatienceName, mean_hours: float) -> Patience:
    """Return the law of patience of a name and a mean.

    Parameters
    ----------
    name
        "exponential", "deterministic" (everybody waits exactly the mean) or "uniform" (from 0 to twice the mean).
    mean_hours
        Above 0; inf for callers who never give up.

    Raises
    ------
    CapacityError
        The mean is not above 0, or the name is unknown.
    """
    require_patience(mean_hours=mean_hours)
    if np.isinf(mean_hours):
        return Patience(np.ones_like, np.copy)
    if name == "exponential":
        return piecewise_patience([0.0], [1 / mean_hours])
    if name == "deterministic":
        return Patience(
            lambda x: np.where(x < mean_hours, 1.0, 0.0), lambda x: np.minimum(x, mean_hours), (mean_hours,)
        )
    if name == "uniform":
        most = 2 * mean_hours

        def lived(x: Floats) -> Floats:
            inside = np.minimum(x, most)
            return np.asarray(inside * (1 - inside / (2 * most)))

        return Patience(lambda x: np.maximum(0.0, 1 - x / most), lived, (most,))
    raise CapacityError(f"patience is {name!r}; give exponential, deterministic or uniform")


def piecewise_patience(edges_hours: Sequence[float], hazards_per_hour: Sequence[float]) -> Patience:
    """Return the law whose rate of giving up is constant between edges.

    Parameters
    ----------
    edges_hours
        (k,) where each piece begins; the first is 0, the last piece has no end.
    hazards_per_hour
        (k,) rate of giving up in each piece, at least 0.

    Raises
    ------
    CapacityError
        The edges do not begin at 0 and increase, a rate is negative, or the lengths differ.
    """
    edges, hazards = np.asarray(edges_hours, float), np.asarray(hazards_per_hour, float)
    if edges.shape != hazards.shape or edges.size == 0:
        raise CapacityError(f"patience has {edges.size} edges and {hazards.size} rates; give one rate an edge")
    if edges[0] != 0 or not np.all(np.diff(edges) > 0):
        raise CapacityError(f"edges of patience are {edges.tolist()}; begin at 0 and increase")
    if not (np.all(np.isfinite(hazards)) and np.all(hazards >= 0)):
        raise CapacityError(f"rates of giving up are {hazards.tolist()}; give finite numbers of at least 0")
    widths = np.diff(edges)
    risk = np.concatenate([[0.0], np.cumsum(hazards[:-1] * widths)])
    kept = np.exp(-risk)
    before = np.concatenate([[0.0], np.cumsum(kept[:-1] * _lived_exponential(hazards[:-1], widths))])

    def survival(x: Floats) -> Floats:
        piece = np.searchsorted(edges, x, "right") - 1
        return np.asarray(np.exp(-risk[piece] - hazards[piece] * (x - edges[piece])))

    def lived(x: Floats) -> Floats:
        piece = np.searchsorted(edges, x, "right") - 1
        return np.asarray(before[piece] + kept[piece] * _lived_exponential(hazards[piece], x - edges[piece]))

    return Patience(survival, lived, tuple(edges[1:].tolist()))


def _lived_exponential(hazard: Floats, x: Floats) -> Floats:
    safe = np.where(hazard > 0, hazard, 1.0)
    return np.where(hazard > 0, -np.expm1(-safe * x) / safe, x)


def patience_of(survival: Callable[[Floats], Floats], *, breaks_hours: Sequence[float] = ()) -> Patience:
    """Return the law of a survival function; its integral is taken numerically.

    Parameters
    ----------
    survival
        Function of an array of hours: ``P(R > x)``, 1 at 0 and not increasing.
    breaks_hours
        Where it jumps or has a kink; leaving one out costs accuracy.
    """
    breaks = np.asarray(breaks_hours, float)

    def lived(x: Floats) -> Floats:
        hours = np.atleast_1d(x)
        most = hours.max(initial=0.0)
        cuts = np.unique(np.concatenate([np.linspace(0.0, most, 257), breaks[breaks < most], hours]))
        middle, half = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts) / 2
        pieces = half * (survival(middle[:, None] + half[:, None] * _NODES) @ _WEIGHTS)
        total = np.concatenate([[0.0], np.cumsum(pieces)])
        return np.asarray(total[np.searchsorted(cuts, hours)].reshape(np.shape(x)))

    return Patience(survival, lived, tuple(breaks.tolist()))
