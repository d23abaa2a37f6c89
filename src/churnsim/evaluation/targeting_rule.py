"""Whom to treat when the offer costs only on those who take it: the closed form that learned policies must respect."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.errors import DataError
from churnsim.uplift.learners_data import Float64, refuse_gaps


def treatment_profit(stay_with: npt.ArrayLike, stay_without: npt.ArrayLike, *, lifetime_value: npt.ArrayLike,
                     offer_cost: npt.ArrayLike, contact_cost: npt.ArrayLike) -> Float64:
    """Return the expected profit of treating rather than leaving alone: (s1 - s0) V - s1 d - c.

    Treat where it is above 0 (Haupt and Lessmann, 2022, EJOR, arXiv 2003.06271): all who stay take the offer, those
    too who would have stayed without it. Who acts as if only the saved took it, (s1 - s0)(V - d) > c, pays for sure
    stayers; who charges the offer to everybody, (s1 - s0) V > d + c, leaves out some that pay.

    Parameters
    ----------
    stay_with, stay_without
        (n,) s1, s0: probabilities to stay if treated and if left alone.
    lifetime_value, offer_cost, contact_cost
        (n,) or one for all: V, d, c.

    Raises
    ------
    DataError
        Values that are no probabilities, or gaps.

    Examples
    --------
    Both gain 5 points; the second would stay anyhow:

    >>> treatment_profit([0.35, 0.95], [0.30, 0.90], lifetime_value=200, offer_cost=10, contact_cost=1)
    array([ 5.5, -0.5])
    """
    with_it, without = np.asarray(stay_with, dtype=np.float64), np.asarray(stay_without, dtype=np.float64)
    for name, values in (("stay_with", with_it), ("stay_without", without)):
        refuse_gaps(name, np.atleast_1d(values))
        if ((values < 0.0) | (values > 1.0)).any():
            raise DataError(f"{name} runs from {values.min():g} to {values.max():g}; give probabilities")
    return np.asarray((with_it - without) * np.asarray(lifetime_value) - with_it * np.asarray(offer_cost)
                      - np.asarray(contact_cost), dtype=np.float64)
