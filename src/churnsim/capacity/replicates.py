"""Means over seeds, with the interval that tells how well they are known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Mean(NamedTuple):
    """A mean and the limits of its 95 % interval; NaN limits for one seed."""

    mean: float
    low: float
    high: float


def mean_of(values: npt.ArrayLike) -> Mean:
    """Return the mean of independent seeds with its Student t interval.

    >>> mean_of([1.0, 1.0, 1.0])
    Mean(mean=1.0, low=1.0, high=1.0)
    """
    sample = np.asarray(values, np.float64)
    # From the first value: equal values have exactly that mean and no spread.
    away = sample - sample[0]
    mean = float(sample[0] + away.mean())
    if len(sample) < 2:
        return Mean(mean, np.nan, np.nan)
    half = float(stdtrit(len(sample) - 1, (1 + CONFIDENCE) / 2) * away.std(ddof=1) / np.sqrt(len(sample)))
    return Mean(mean, mean - half, mean + half)
