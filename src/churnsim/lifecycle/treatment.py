"""What a contact and an accepted offer do to a subscriber, and how it fades.

The treatment table is the only way in for anything a campaign does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.lifecycle.settings import Contact
from churnsim.offers.table import OfferTable

POSTPAID = 0
LARGEST_SHARE = np.float32(0.95)


@dataclass(frozen=True)
class Treatment:
    """One row a subscriber of a base, for the first month of a run.

    Attributes
    ----------
    contact_time
        (n,) float64: part of the month gone at the contact, in [0, 1); infinite if there was none.
    accepted
        (n,) int8: code of the accepted offer, 0 for none and for those without contact. It acts only on those
        who had not decided to leave before the contact.
    """

    contact_time: npt.NDArray[np.float64]
    accepted: npt.NDArray[np.int8]

    def view(self, low: int, high: int) -> Treatment:
        """Return rows [low, high)."""
        return Treatment(self.contact_time[low:high], self.accepted[low:high])


def nobody(n: int) -> Treatment:
    """Return the treatment in which nobody is contacted."""
    return Treatment(np.full(n, np.inf), np.zeros(n, np.int8))


def everybody(n: int, *, contact_time: float, accepted: int) -> Treatment:
    """Return the treatment in which all are contacted at `contact_time` and accept offer code `accepted`."""
    return Treatment(np.full(n, contact_time), np.full(n, accepted, np.int8))


def bill_discount(base: Subscribers, bill: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the retention discount on this month's bill, (n,) amount, and count the bill as discounted."""
    running = base["discount_left_months"] > 0
    fee = np.minimum(base["plan_price_amount"], bill)
    base["discount_left_months"] = base["discount_left_months"] - running
    return base["discount_share"] * fee * running


def apply(base: Subscribers, treatment: Treatment, *, offers: OfferTable, contact: Contact) -> None:
    """Change the state of those contacted, in place.

    A contact wakes the inattentive who are bound by no contract and pleases or annoys; an accepted offer
    starts its discount with the next bill, adds contract months, clears complaints and starts its effect.
    """
    rows = np.flatnonzero(np.isfinite(treatment.contact_time))
    if not len(rows):
        return
    free = (base["contract_left_months"][rows] == 0) & (base["payment"][rows] == POSTPAID)
    woken = np.float32(contact.wake) * (np.float32(1.0) - base["attention"][rows]) * free
    base["wake"][rows] = np.maximum(base["wake"][rows], woken)
    code = treatment.accepted[rows]
    points = np.float32(contact.goodwill_points) + offers.satisfaction_points[code]
    base["satisfaction"][rows] = np.clip(base["satisfaction"][rows] + points, 0.0, 100.0)
    keep = np.float32(1.0) - offers.complaint_relief[code]
    for stock in ("complaint_stock", "fault_stock"):
        base[stock][rows] *= keep
    left = base["contract_left_months"][rows] + offers.contract_months_added[code]
    base["contract_left_months"][rows] = np.minimum(left, 120)
    discounted = rows[offers.discount_months[code] > 0]
    base["discount_share"][discounted] = offers.discount_share[treatment.accepted[discounted]]
    base["discount_left_months"][discounted] = offers.discount_months[treatment.accepted[discounted]]
    base["discount_shock"][discounted] = 0.0
    accepted = rows[code > 0]
    base["offer_code"][accepted] = treatment.accepted[accepted]
    base["offer_left_months"][accepted] = offers.effect_months[treatment.accepted[accepted]] + 1


def fade(base: Subscribers, *, contact: Contact) -> None:
    """End a month: discounts that ran out leave a price shock; shocks and wake-ups fade; effects run down."""
    ended = (base["discount_share"] > 0) & (base["discount_left_months"] == 0)
    step = -np.log1p(-np.minimum(base["discount_share"], LARGEST_SHARE))
    faded = np.float32(contact.discount_shock_persistence) * base["discount_shock"]
    base["discount_shock"] = np.where(ended, step, faded)
    base["discount_share"][ended] = 0.0
    base["wake"] = np.float32(contact.wake_persistence) * base["wake"]
    base["offer_left_months"] = np.maximum(base["offer_left_months"] - 1, 0)
