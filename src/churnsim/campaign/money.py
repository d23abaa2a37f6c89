"""What the operator's books say of a subscriber before anything is simulated: margin, planned offer cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import discount_factor
from churnsim.lifecycle.settings import CostToServe
from churnsim.offers.table import OfferTable
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]


def monthly_margin(table: Observed, cost: CostToServe) -> Float64:
    """Return monthly revenue less cost to serve, by the last three bills, (n,) amount; may be negative."""
    bills = [table.lag("bill_amount", month=table.month, months_ago=ago) for ago in (1, 2, 3)]
    bill = np.mean(bills, axis=0, dtype=np.float64)
    return np.asarray(bill * (1.0 - cost.share_of_revenue) - cost.fixed_amount * table["lines"])


def offer_cost(table: Observed, offers: OfferTable, *, rate_annual: float) -> Float64:
    """Return the planned cost of each offer on acceptance, (n, offers): direct cost and waived fees."""
    out = np.empty((len(table), len(offers.names)))
    for column, name in enumerate(offers.names):
        offer = offers.settings[name]
        months = range(1, offer.discount_months + 1)
        bills = sum(discount_factor(month, rate_annual=rate_annual) for month in months)
        out[:, column] = (offer.direct_cost_per_line_amount * table["lines"]
                          + offer.discount_share * bills * table["plan_price_amount"])
    return out
