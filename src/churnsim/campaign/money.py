"""What the operator's books say about a subscriber before anything is simulated: margin and planned offer cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import discount_factor
from churnsim.lifecycle.settings import CostToServe
from churnsim.offers.table import OfferTable
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]


def monthly_margin(table: Observed, cost: CostToServe) -> Float64:
    """Return revenue less cost to serve a month, mean of the last three bills, (n,) amount; may be negative."""
    bill = sum((table.lag("bill_amount", month=table.month, months_ago=ago).astype(np.float64) for ago in (1, 2, 3)),
               np.zeros(len(table))) / 3.0
    return np.asarray(bill * (1.0 - cost.share_of_revenue) - cost.fixed_amount * table["lines"])


def offer_cost(table: Observed, offers: OfferTable, *, rate_annual: float) -> Float64:
    """Return the planned cost of each offer on acceptance, (n, offers) amount: direct cost and discounted bills."""
    out = np.empty((len(table), len(offers.names)))
    for column, name in enumerate(offers.names):
        offer = offers.settings[name]
        bills = sum(discount_factor(month, rate_annual=rate_annual) for month in range(1, offer.discount_months + 1))
        out[:, column] = (offer.direct_cost_per_line_amount * table["lines"]
                          + offer.discount_share * bills * table["plan_price_amount"])
    return out
