"""Which offer, and how deep, would have done best on the pilot for a ranking of its subscribers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.uplift.best import BestCampaign

Float64 = npt.NDArray[np.float64]

# Depths that a ranking campaign tries on the pilot, as shares of those who may get the offer.
DEPTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Tried:
    """What the pilot says of an offer, one row a subscriber who tells about it.

    Attributes
    ----------
    gain
        (m,) doubly robust score of the offer's value, less planned cost.
    order_by
        ranking -> (m,): who comes first has the highest.
    """

    gain: Float64
    order_by: Mapping[str, Float64]


def best_campaign(tried: Mapping[str, Tried], ranking: str, *, depths: Sequence[float] = DEPTHS) -> BestCampaign:
    """Return the offer and depth with the highest value a subscriber of the pilot."""
    found = []
    for offer, rows in tried.items():
        running = np.cumsum(rows.gain[np.argsort(-rows.order_by[ranking], kind="stable")])
        for depth in depths:
            taken = max(1, round(depth * len(rows.gain)))
            found.append(BestCampaign(offer, depth, float(running[taken - 1] / len(rows.gain))))
    return max(found, key=lambda campaign: campaign.value_amount)
