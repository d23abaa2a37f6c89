"""The table of a finished pilot: what an operator would have of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

CONTROL = "control"

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Trial:
    """A randomised pilot, one row a subscriber in the order of ids.

    Attributes
    ----------
    offers
        (K,) names of the offers tried, in config order.
    X
        (n, features) at assignment.
    assigned
        (n,) "control" or the name of the offer; the same probabilities for everybody, but for those who had left.
    control_share
        Probability of control; the offers that may be assigned share the rest equally.
    eligible
        (n, K): who could be given each offer. Who was assigned an offer without being eligible got no contact
        and tells nothing about it.
    reached, accepted
        (n,): contacted; took the offer.
    planned_reach
        (n,): the chance of contact that the operator planned with.
    stayed
        (n,): active when the outcome months ended, if away in between or not.
    left_early
        (n,): left within the churn model's horizon, coming back or not.
    margin_months
        (n,): months active within the outcome months, discounted.
    margin_amount
        (n,): monthly margin at assignment.
    offer_cost_amount
        (n, K): planned cost of each offer on acceptance.
    contact_cost_amount
        (n,): planned cost of contact through the pilot's channel.
    lost
        (n,): had left, as far as the operator knew; None: nobody.
    for_lost
        Names of the offers to those, assigned to nobody else.
    """

    offers: tuple[str, ...]
    X: pd.DataFrame
    assigned: npt.NDArray[np.str_]
    control_share: float
    eligible: Flags
    reached: Flags
    accepted: Flags
    planned_reach: Float64
    stayed: Flags
    left_early: Flags
    margin_months: Float64
    margin_amount: Float64
    offer_cost_amount: Float64
    contact_cost_amount: Float64
    lost: Flags | None = None
    for_lost: tuple[str, ...] = ()

    @property
    def here(self) -> Flags:
        """Whether each was on the network, as far as the operator knew."""
        return np.ones(len(self.X), bool) if self.lost is None else ~self.lost

    def rows_for(self, offer: str) -> npt.NDArray[np.int64]:
        """Return the rows that tell about an offer: eligible for it, and assigned to it or to control."""
        k = self.offers.index(offer)
        return np.flatnonzero(self.eligible[:, k] & ((self.assigned == offer) | (self.assigned == CONTROL)))

    def propensity(self, offer: str) -> dict[str, float]:
        """Return the assignment probabilities among :meth:`rows_for`."""
        alike = sum((name in self.for_lost) == (offer in self.for_lost) for name in self.offers)
        arm_share = (1.0 - self.control_share) / alike
        total = self.control_share + arm_share
        return {CONTROL: self.control_share / total, offer: arm_share / total}
