"""Means over replicates with Student t intervals, and paired differences of two policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from churnsim.errors import ConfigError, DataError


@dataclass(frozen=True)
class Interval:
    """A mean over `n` replicates and the limits of its confidence interval.

    One replicate tells nothing about the spread: `low` and `high` are then None, which JSON writes as null.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Mean and Student t interval, mean -+ t(n - 1) * s / sqrt(n), of independent replicates.

    Parameters
    ----------
    values : (n,) array
        One finite value per replicate, n at least 1. Equal values give an interval of no width.
    confidence : float
        Share of intervals that cover the truth, above 0 and below 1; exact for normal replicates.

    Raises
    ------
    DataError
        If there are no values or one is not finite.
    ConfigError
        If `confidence` is out of range.

    Examples
    --------
    >>> mean_interval([1, 2, 3], confidence=0.5)
    Interval(mean=2.0, low=1.5285954792089682, high=2.471404520791032, n=3)
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence: must be above 0 and below 1 (got {confidence})")
    sample = _replicates(values)
    n = len(sample)
    # Measured from the first value, equal values have exactly that mean and no spread.
    away = sample - sample[0]
    mean = float(sample[0] + away.mean())
    if n == 1:
        return Interval(mean, None, None, n)
    half_width = float(stdtrit(n - 1, (1 + confidence) / 2) * away.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half_width, mean + half_width, n)


def paired_difference(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Interval of the mean of `a - b` when replicate i of both shares its draws.

    Parameters
    ----------
    a, b : (n,) array
        One finite value per replicate, in the same order of replicates.
    confidence : float
        As in `mean_interval`.

    Raises
    ------
    DataError
        If the lengths differ, there are no values or one is not finite.
    ConfigError
        If `confidence` is out of range.
    """
    first, second = _replicates(a), _replicates(b)
    if len(first) != len(second):
        raise DataError(f"paired values need the same replicates (got {len(first)} and {len(second)} values)")
    return mean_interval(first - second, confidence=confidence)


def variance_ratio(a: ArrayLike, b: ArrayLike) -> float | None:
    """Variance of `a` over replicates, divided by that of `b`.

    Parameters
    ----------
    a, b : (n,), (m,) array
        One finite value per replicate.

    Returns
    -------
    float or None
        None where the ratio is not defined: fewer than two values on a side, or a `b` that does not vary.

    Examples
    --------
    >>> variance_ratio([0, 4], [1, 3])
    4.0
    """
    first, second = _replicates(a), _replicates(b)
    if min(len(first), len(second)) < 2 or np.ptp(second) == 0:
        return None
    return float((first - first[0]).var(ddof=1) / (second - second[0]).var(ddof=1))


def _replicates(values: ArrayLike) -> NDArray[np.float64]:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise DataError(f"values by replicate: need a list of at least one number (got shape {sample.shape})")
    wrong = np.flatnonzero(~np.isfinite(sample))
    if wrong.size:
        raise DataError(f"value of replicate {wrong[0]}: must be a finite number (got {sample[wrong[0]]})")
    return sample
