"""What the operator's books say of a subscriber before anything is simulated: margin, planned offer cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import discount_factor
from churnsim.lifecycle.settings import CostToServe
from churnsim.offers.table import OfferTable, recent_bill
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]


def monthly_margin(table: Observed, cost: CostToServe) -> Float64:
    """Return monthly revenue less cost to serve, by the last three bills, (n,) amount; may be negative.

    Of who has left, what it would be at the fee of the last plan.
    """
    bill = recent_bill(table, month=table.month)
    return np.asarray(bill * (1.0 - cost.share_of_revenue) - cost.fixed_amount * table["lines"])


def offer_cost(table: Observed, offers: OfferTable, names: Sequence[str], *, rate_annual: float) -> Float64:
    """Return the planned cost of the named offers on acceptance, (n, names).

    Direct cost, waived fees and monthly cost, of a subscriber who stays as long as they fall due. A lasting change
    of the fee is no cost: it stands in the margin.
    """

    def worth(months: int) -> float:
        return float(sum(discount_factor(month, rate_annual=rate_annual) for month in range(1, months + 1)))

    out = np.empty((len(table), len(names)))
    for column, name in enumerate(names):
        offer = offers.settings[name]
        out[:, column] = (offer.direct_cost_per_line_amount * table["lines"] + offer.direct_cost_amount
                          + offer.discount * worth(offer.discounted_bills) * table["plan_price_amount"]
                          + offer.monthly_cost_amount * worth(offer.effect_months))
    return out
