"""What a contact and an accepted offer do to a subscriber, and how it fades.

The treatment table is the only way in for anything that couples subscribers: what a campaign, or anything else
with limited money or staff, does to them stands there before the month is stepped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.core.compiled import njit
from churnsim.core.smooth import log_scalar
from churnsim.lifecycle.settings import Contact
from churnsim.offers.table import SUSPENDED, OfferTable

Rows = npt.NDArray[np.int64]
Times = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int8]
Amounts = npt.NDArray[np.float32]

POSTPAID = 0
MOST_CONTRACT_MONTHS = 120
LARGEST_SHARE = np.float32(0.95)
NEVER = np.int8(127)
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@dataclass(frozen=True)
class Resolutions:
    """How a contact centre resolved tickets opened in the first month of a run, one row a ticket.

    Attributes
    ----------
    row
        (k,) int64, ascending, each once: position of the subscriber in the base. Who opens no ticket in the month
        is named in vain.
    hours
        (k,) float64, above 0: hours from the complaint to the resolution; infinite if it was not resolved when the
        month ended.

    Raises
    ------
    ValueError
        Rows are out of order or occur twice, or hours are not above 0.
    """

    row: Rows
    hours: Times

    def __post_init__(self) -> None:
        if len(self.row) != len(self.hours):
            raise ValueError(f"row and hours must be equally long (got {len(self.row)}, {len(self.hours)})")
        if np.any(self.row[1:] <= self.row[:-1]):
            raise ValueError("tickets must be ordered by row, each row once; sort them")
        if not np.all(self.hours > 0.0):
            raise ValueError("the hours to a ticket's resolution must be above 0; write inf for one that is open")

    def __len__(self) -> int:
        return len(self.row)

    def view(self, low: int, high: int) -> Resolutions:
        """Return the tickets of rows [low, high), counted from `low`."""
        first, last = np.searchsorted(self.row, (low, high))
        return Resolutions(self.row[first:last] - low, self.hours[first:last])


@dataclass(frozen=True)
class Treatment:
    """The contacts of the first month of a run, one row a contact, and how a centre resolved tickets opened in it.

    Attributes
    ----------
    row
        (m,) int64, ascending: position of the subscriber in the base; several contacts of one stand together.
    time
        (m,) float64 in [0, 1): part of the month gone at the contact; ascending for each subscriber.
    accepted
        (m,) int8: code of the offer accepted in the contact, 0 for none; at most one a subscriber. It acts only
        on those who had not decided to leave before.
    tickets
        Take the place of the drawn hours of these tickets; None: all hours are drawn.

    Raises
    ------
    ValueError
        Rows are out of order, a time is outside [0, 1), a code below 0, or a subscriber accepts twice.
    """

    row: Rows
    time: Times
    accepted: Codes
    tickets: Resolutions | None = None

    def __post_init__(self) -> None:
        if not len(self.row) == len(self.time) == len(self.accepted):
            raise ValueError(f"row, time and accepted must be equally long (got {len(self.row)}, {len(self.time)}, "
                             f"{len(self.accepted)})")
        if np.any(self.accepted < 0):
            raise ValueError("the code of an accepted offer must be at least 0")
        same = self.row[1:] == self.row[:-1]
        if np.any(self.row[1:] < self.row[:-1]) or np.any(same & (self.time[1:] < self.time[:-1])):
            raise ValueError("contacts must be ordered by row, then time; sort them")
        if not np.all((self.time >= 0.0) & (self.time < 1.0)):
            raise ValueError("the time of a contact must lie in [0, 1)")
        takers = self.row[self.accepted > 0]
        if np.any(takers[1:] == takers[:-1]):
            raise ValueError("a subscriber accepts two offers in one month; keep one")

    def __len__(self) -> int:
        return len(self.row)

    def view(self, low: int, high: int) -> Treatment:
        """Return the contacts and tickets of rows [low, high), counted from `low`."""
        first, last = np.searchsorted(self.row, (low, high))
        tickets = None if self.tickets is None else self.tickets.view(low, high)
        return Treatment(self.row[first:last] - low, self.time[first:last], self.accepted[first:last], tickets)

    def touched(self) -> Rows:
        """Return the positions of those with a contact or a ticket, ascending, each once."""
        return np.unique(self.row) if self.tickets is None else np.union1d(self.row, self.tickets.row)

    def among(self, some: Rows) -> Treatment:
        """Return the treatment of a base that holds positions `some` of this one's, all touched among them."""
        tickets = None if self.tickets is None else Resolutions(np.searchsorted(some, self.tickets.row),
                                                                self.tickets.hours)
        return Treatment(np.searchsorted(some, self.row), self.time, self.accepted, tickets)

    def decisive(self) -> Rows:
        """Return the position of each treated subscriber's decisive contact: the accepted one, else the first."""
        first = np.ones(len(self), bool)
        first[1:] = self.row[1:] != self.row[:-1]
        position = np.flatnonzero(first)
        taken = np.flatnonzero(self.accepted > 0)
        position[np.searchsorted(self.row[position], self.row[taken])] = taken
        return position


def nobody() -> Treatment:
    """Return the treatment in which nobody is contacted."""
    return Treatment(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int8))


def everybody(n: int, *, contact_time: float, accepted: int) -> Treatment:
    """Return the treatment in which all are contacted at `contact_time` and accept offer code `accepted`."""
    return Treatment(np.arange(n), np.full(n, contact_time), np.full(n, accepted, np.int8))


def contacts(contact_time: Times, accepted: Codes) -> Treatment:
    """Return the treatment of one contact each: (n,) times, infinite for none, and (n,) accepted codes."""
    row = np.flatnonzero(np.isfinite(contact_time))
    return Treatment(row, contact_time[row], accepted[row])


def apply(base: Subscribers, rows: Rows, code: Codes, *, offers: OfferTable, contact: Contact) -> None:
    """Change the state of those contacted, in place.

    A contact wakes the inattentive who are bound by no contract, pleases or annoys, and tires who had many. An
    accepted offer starts its discount with the next bill, adds contract months, changes the plan and the bundle,
    clears complaints and starts its effect.

    Parameters
    ----------
    rows
        (m,) positions in the base, each once.
    code
        (m,) code of the accepted offer, 0 for none.
    """
    _meet(base, rows, contact)
    accepted = code > 0
    if accepted.any():
        rows, code = rows[accepted], code[accepted]
        _change_plan(base, rows, code, offers)
        _start_effect(base, rows, code, offers)


def _meet(base: Subscribers, rows: Rows, contact: Contact) -> None:
    """Let a contact act by itself."""
    free = (base["contract_left_months"][rows] == 0) & (base["payment"][rows] == POSTPAID)
    habit = ONE + np.float32(contact.wake_by_inertia) * base["inertia"][rows]
    woken = np.float32(contact.wake) * np.maximum(habit, ZERO) * (ONE - base["attention"][rows]) * free
    base["wake"][rows] = np.maximum(base["wake"][rows], woken)
    points = (np.float32(contact.goodwill_points)
              + np.float32(contact.goodwill_points_by_attitude) * base["attitude"][rows]
              + np.float32(contact.fatigue_points) * base["contact_stock"][rows])
    _please(base, rows, points)
    base["contact_stock"][rows] += ONE


def _please(base: Subscribers, rows: Rows, points: npt.NDArray[np.floating[Any]]) -> None:
    base["satisfaction"][rows] = np.clip(base["satisfaction"][rows] + points, 0.0, 100.0)


def _change_plan(base: Subscribers, rows: Rows, code: Codes, offers: OfferTable) -> None:
    """Change fee, allowance, bundle, contract, lock-in and state as the accepted offers say."""
    fee = base["plan_price_amount"][rows] * (ONE + offers.price_change_share[code])
    base["plan_price_amount"][rows] = fee + offers.price_added_amount[code]
    base["allowance_gb"][rows] *= ONE + offers.allowance_change_share[code]
    for name, adds in (("broadband", offers.adds_broadband), ("smart_home", offers.adds_smart_home)):
        base[name][rows[adds[code]]] = 1
    base["device_age_months"][rows[offers.adds_device[code]]] = 0
    base["need_met"][rows[offers.meets_needs[code, base["need"][rows]]]] = 1
    bound, added = base["contract_left_months"][rows], offers.contract_months_added[code]
    # Contracts end on the account's day of the month: of one signed by the free, the month of signing is a part.
    left = bound + added + ((bound == 0) & (added > 0))
    base["contract_left_months"][rows] = np.minimum(left, MOST_CONTRACT_MONTHS)
    base["lock_in_amount"][rows] += offers.lock_in_amount[code] * base["lines"][rows]
    base["lock_in_left_months"][rows] = np.maximum(base["lock_in_left_months"][rows], offers.lock_in_months[code])
    base["state"][rows[offers.suspends[code]]] = SUSPENDED


def _start_effect(base: Subscribers, rows: Rows, code: Codes, offers: OfferTable) -> None:
    """Start discounts and effects, and mend what went wrong."""
    _please(base, rows, offers.satisfaction_points[code])
    for stock in ("complaint_stock", "fault_stock"):
        base[stock][rows] *= ONE - offers.complaint_relief[code]
    gives_discount = offers.discount_months[code] > 0
    discounted, taken = rows[gives_discount], code[gives_discount]
    base["discount_share"][discounted] = offers.discount_share[taken]
    base["discount_left_months"][discounted] = offers.discount_months[taken]
    base["discount_shock"][discounted] = 0.0
    # An offer still in effect is from now on one accepted before.
    base["habituation"][rows] += base["offer_left_months"][rows] > 0
    base["offer_code"][rows] = code
    base["offer_left_months"][rows] = offers.effect_months[code] + 1
    base["months_since_offer"][rows] = 0


def in_effect(base: Subscribers, factors: Amounts) -> Amounts:
    """Return a factor of the offer in effect, 1 without one, (n,) float32.

    Parameters
    ----------
    factors
        (1 + offers,): a column of the offer table, such as ``ticket_hours_factor`` or ``return_factor``.
    """
    return np.asarray(factors[np.where(base["offer_left_months"] > 0, base["offer_code"], 0)])


def fade(base: Subscribers, *, contact: Contact) -> None:
    """End a month.

    Discounts that ran out leave a price shock; shocks, wake-ups and the stocks of contacts and of offers accepted
    before fade; effects and lock-ins run down. An offer whose effect ends is one accepted before.
    """
    _fade(np.float32(contact.discount_shock_persistence), np.float32(contact.wake_persistence),
          np.float32(contact.stock_persistence), np.float32(contact.habituation_persistence),
          base["discount_left_months"], base["discount_shock"], base["discount_share"], base["wake"],
          base["offer_left_months"], base["contact_stock"], base["habituation"], base["months_since_offer"],
          base["lock_in_amount"], base["lock_in_left_months"])


@njit
def _fade(keep_shock: np.float32, keep_wake: np.float32, keep_contacts: np.float32, keep_habit: np.float32,
          discount_left: Codes, shock: Amounts, share: Amounts, wake: Amounts, offer_left: Codes, contacts: Amounts,
          habituation: Amounts, since_offer: Codes, lock_in: Amounts, lock_in_left: Codes) -> None:
    for j in range(wake.shape[0]):
        ends = (share[j] > ZERO) & (discount_left[j] == 0)
        step = -log_scalar(ONE - min(share[j], LARGEST_SHARE))
        shock[j] = step if ends else keep_shock * shock[j]
        share[j] = ZERO if ends else share[j]
        wake[j] = keep_wake * wake[j]
        contacts[j] = keep_contacts * contacts[j]
        habituation[j] = keep_habit * habituation[j] + np.float32(offer_left[j] == 1)
        offer_left[j] -= np.int8(offer_left[j] > 0)
        since_offer[j] += np.int8(since_offer[j] < NEVER)
        left = np.float32(lock_in_left[j])
        lock_in[j] = lock_in[j] * (left - ONE) / left if left > ONE else ZERO
        lock_in_left[j] -= np.int8(left > ZERO)
