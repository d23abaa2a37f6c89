"""What the outcome months of a pilot bring, as the operator's books show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.campaign.settings import PilotSettings
from churnsim.core.clock import discount_factor
from churnsim.core.columns import Subscribers
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import Treatment
from churnsim.offers.table import OfferTable
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# The margin to come is told from so many bills, as the one before the pilot is.
RECENT_BILLS = 3


@dataclass(frozen=True)
class Followed:
    """What came of the pilot's subscribers; all arrays are (n,).

    Attributes
    ----------
    margin_months
        Discounted months active.
    net_margin_amount
        Discounted revenue less cost to serve as billed, less what offers cost: discounts, direct and monthly costs.
    margin_after_amount
        Mean monthly revenue less cost to serve of the last bills, before retention discounts: what the books expect
        of the months to come.
    decided_late
        Had decided to leave before the contact.
    left_early
        Service ended within the churn model's horizon, coming back or not.
    """

    margin_months: Float64
    net_margin_amount: Float64
    margin_after_amount: Float64
    decided_late: Flags
    left_early: Flags


def follow(base: Subscribers, treatment: Treatment | None, engine: Lifecycle, settings: PilotSettings, *,
           rate_annual: float, horizon: int) -> Followed:
    """Let the outcome months pass with the contacts of the first one; `base` is changed.

    Parameters
    ----------
    rate_annual
        Discount rate; amounts and months are discounted to the month of assignment.
    horizon
        Months of `left_early`.
    """
    n, outcome_months = len(base), settings.outcome_months
    months, net, after = np.zeros(n), np.zeros(n), np.zeros(n)
    decided = np.zeros(n, bool)
    left = base["departure_time"] <= settings.start_month
    recent = min(RECENT_BILLS, outcome_months)

    def count(block: Block) -> None:
        rows = slice(block.low, block.high)
        age = block.month.number - settings.start_month
        factor = discount_factor(age, rate_annual=rate_annual)
        months[rows] += factor * block["active"]
        margin = block["revenue"].astype(np.float64) - block["cost_to_serve"]
        net[rows] += factor * (block["active"] * margin - block["undecided"] * _direct(engine.offers, block)
                               - block["billed"] * (block["discount"] + block["upkeep"].astype(np.float64)))
        if age >= outcome_months - recent:
            after[rows] += margin / recent
        if age == 0:
            decided[rows] = ~block["undecided"]
        if age < horizon:
            left[rows] |= block["departure_time"] <= block.month.number + 1

    engine.run([(base, treatment)], start=settings.start_month, months=outcome_months, observe=count)
    return Followed(months, net, after, decided, left)


def planned_after(table: Observed, offers: OfferTable, names: Sequence[str], *, months: int, rate_annual: float
                  ) -> Float64:
    """Return what of the planned cost of the named offers falls due later than `months` after acceptance, (n, names).

    Waived fees and monthly cost; direct cost is due at once. Discounted to the acceptance.
    """

    def worth(last: int) -> float:
        return float(sum(discount_factor(month, rate_annual=rate_annual) for month in range(months, last + 1)))

    fee = table["plan_price_amount"].astype(np.float64)
    return np.column_stack([
        offers.settings[name].discount * worth(offers.settings[name].discounted_bills) * fee
        + offers.settings[name].monthly_cost_amount * worth(offers.settings[name].effect_months) for name in names])


def _direct(offers: OfferTable, block: Block) -> Float64:
    return offers.direct_cost(block["accepted"], block["lines"])
