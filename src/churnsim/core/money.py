"""Money: int64 in 1/100 of the experiment's currency, rounded half-even once, when it is posted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CENTS = 100


def to_cents(amount: npt.ArrayLike, weight: npt.ArrayLike = 1.0) -> npt.NDArray[np.int64]:
    """Return ``amount * weight`` in cents, rounded half to even.

    >>> to_cents([0.125, 0.375, 2.0]).tolist()
    [12, 38, 200]
    """
    product = np.asarray(amount, dtype=np.float64) * np.asarray(weight, dtype=np.float64)
    return np.rint(product * CENTS).astype(np.int64)


def from_cents(cents: int) -> float:
    """Return an amount in the currency; exact to the cent for sums below 90 million million."""
    return cents / CENTS
