"""Move the tunables until simulated moments are as near as they get to the table's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from churnsim.calibration.tunables import Tunable

Float64 = npt.NDArray[np.float64]
Steps = Mapping[str, float]
Distances = Callable[[Steps], Float64]

DIFFERENCE = 0.05
REACTS = 1.0
ALIKE = 0.01
MOST_TRIES = 20
INSIDE = 0.1


@dataclass(frozen=True)
class Fit:
    """Where a fit ended.

    Attributes
    ----------
    steps
        Step of every tunable that was fitted.
    standard_errors
        Of the steps, from the curvature at the end; what the table's own sampling error makes of them.
    unidentified
        Tunable -> why the moments do not tell it; it stays at the preset's value.
    iterations
        Times that the Jacobian was taken.
    converged
        False: it was stopped while it still came nearer.
    """

    steps: dict[str, float]
    standard_errors: dict[str, float]
    unidentified: dict[str, str]
    iterations: int
    converged: bool = True


def fit(tunables: Sequence[Tunable], distances: Distances, *, report: Callable[[int, float], None]) -> Fit:
    """Fit tunables by least squares on distances of moments, in standard errors.

    Parameters
    ----------
    tunables
        Those whose keys and moments are there.
    distances
        Steps by name -> (moments,) distance of each moment from its target.
    report
        Called in every iteration with its number and the root mean square distance.
    """
    start = {t.name: min(max(0.0, t.low), t.high) for t in tunables}
    slopes = _slopes(tunables, start, distances)
    unidentified = unidentified_tunables([t.name for t in tunables], slopes * np.array([t.size for t in tunables]))
    kept = [t for t in tunables if t.name not in unidentified]
    if not kept:
        return Fit({}, {}, unidentified, 0)
    sizes = np.array([t.size for t in kept])
    count = 0

    def steps(x: Float64) -> dict[str, float]:
        return {t.name: float(s) for t, s in zip(kept, x * sizes, strict=True)}

    def residuals(x: Float64) -> Float64:
        return np.concatenate([distances(steps(x)), x])

    def jacobian(x: Float64) -> Float64:
        nonlocal count
        here = distances(steps(x))
        report(count, float(np.sqrt(np.mean(here**2))))
        count += 1
        return np.vstack([_slopes(kept, steps(x), distances) * sizes, np.eye(len(kept))])

    low = np.array([t.low for t in kept]) / sizes
    high = np.array([t.high for t in kept]) / sizes
    # On a bound, where a step of 0 may be, the reflective method would hardly move.
    begin = np.clip(np.zeros(len(kept)), low + INSIDE, high - INSIDE)
    found = least_squares(residuals, begin, jac=jacobian, bounds=(low, high), xtol=1e-3, ftol=4e-3, gtol=1e-6,
                          max_nfev=MOST_TRIES)
    report(count, float(np.sqrt(np.mean(found.fun[: -len(kept)] ** 2))))
    spread = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac))) * sizes
    return Fit(steps(found.x), {t.name: float(s) for t, s in zip(kept, spread, strict=True)}, unidentified, count,
               bool(found.status > 0))


def unidentified_tunables(names: Sequence[str], slopes: Float64) -> dict[str, str]:
    """Return why some tunables cannot be told, looking at them in order.

    Parameters
    ----------
    slopes
        (moments, tunables): change of each distance, in standard errors, by a step of the tunable's size.
    """
    why: dict[str, str] = {}
    basis: list[Float64] = []
    taken: list[int] = []
    for k, name in enumerate(names):
        column = slopes[:, k]
        length = float(np.linalg.norm(column))
        if length < REACTS:
            why[name] = "no moment reacts to it"
            continue
        rest = column.copy()
        for direction in basis:
            rest = rest - (rest @ direction) * direction
        if np.linalg.norm(rest) < max(REACTS, ALIKE * length):
            nearest = max(taken, key=lambda j: abs(column @ slopes[:, j]) / float(np.linalg.norm(slopes[:, j])))
            why[name] = f"it moves the moments as '{names[nearest]}' and those before it do"
            continue
        basis.append(rest / np.linalg.norm(rest))
        taken.append(k)
    return why


def _slopes(tunables: Sequence[Tunable], at: Steps, distances: Distances) -> Float64:
    """Return the change of every distance by a step of 1 of each tunable, (moments, tunables)."""
    here = distances(at)
    columns = []
    for t in tunables:
        step = DIFFERENCE * t.size
        if at[t.name] + step > t.high:
            step = -step
        columns.append((distances({**at, t.name: at[t.name] + step}) - here) / step)
    return np.column_stack(columns) if columns else np.empty((len(here), 0))
