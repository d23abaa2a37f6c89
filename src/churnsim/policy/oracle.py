"""The oracle: the best list that the true expected effects allow under the plan's budget and reach.

True effects are a type of their own, so that handing them to any other policy is a type error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrueEffects:
    """Expected effects of listing a subscriber for an arm (offer, channel) under the plan's reach, (n, arms).

    Attributes
    ----------
    net_value, net_value_se
        Discounted margin less offer and contact cost, and its standard error over inner draws (0 for one).
    staying
        Change of the probability to stay.
    """

    net_value: Float64
    net_value_se: Float64
    staying: Float64

    def of_list(self, arm: npt.NDArray[np.int64]) -> float:
        """Return the sum of the true net value of a list, `arm` (n,) positions, -1 for leaving alone."""
        rows = np.flatnonzero(arm >= 0)
        return float(self.net_value[rows, arm[rows]].sum())
