"""One wave: orders are worked, and the contacts become the treatment table of the month."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from churnsim.campaign.response import chosen_acceptance
from churnsim.campaign.tickets import Tickets, Worked
from churnsim.capacity.calendar import live_opening
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels, work, work_unlimited
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_MONTH, days_to_hours
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, stream, uniform
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.treatment import Treatment, contacts
from churnsim.offers.table import OfferTable

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

FIRST_ATTEMPT = stream("campaign.first_attempt")

# A contact at the very end of the month still falls into it.
LAST_MOMENT = 1.0 - 1e-9


@dataclass(frozen=True)
class Assignment:
    """Who is to be given what: one row an order.

    Attributes
    ----------
    row
        (m,) position of the subscriber in the base, each at most once.
    offer
        (m,) offer code, from 1.
    channel
        (m,) channel name.
    value
        (m,) what the order is worth to its policy if the subscriber is reached: what dispatch goes by.
    loss_rate_monthly
        (m,) predicted rate at which the chance to keep the subscriber passes.
    """

    row: Int64
    offer: Int64
    channel: npt.NDArray[np.str_]
    value: Float64
    loss_rate_monthly: Float64

    def __len__(self) -> int:
        return len(self.row)


def nobody_assigned() -> Assignment:
    """Return an empty list."""
    return Assignment(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, "<U1"), np.zeros(0), np.zeros(0))


@dataclass(frozen=True)
class Wave:
    """What came of an assignment: the centre's log of its orders and what each of the touched met, (k,) arrays.

    Attributes
    ----------
    touched
        Positions in the base of those with an order, and of those whose ticket the orders delayed or advanced: whose
        world can differ from the reference.
    contact_time
        Part of the month gone when each was reached, infinite if not.
    accepted
        Code of the offer each accepted, 0 for none.
    contact_cents
        Contact cost of each.
    attempted
        Whether an attempt was made on an order of each.
    tickets
        What became of the month's tickets; None if their hours are drawn.
    """

    assignment: Assignment
    log: ContactLog
    touched: Int64
    contact_time: Float64
    accepted: npt.NDArray[np.int8]
    contact_cents: Int64
    attempted: npt.NDArray[np.bool_]
    tickets: Worked | None

    @property
    def reached(self) -> npt.NDArray[np.bool_]:
        """Whether each was reached."""
        return np.isfinite(self.contact_time)

    @property
    def treatment(self) -> Treatment:
        """What the touched subscribers meet: row k of it is subscriber `touched[k]`."""
        met = contacts(self.contact_time, self.accepted)
        return met if self.tickets is None else replace(met, tickets=self.tickets.among(self.touched))

    @property
    def reference(self) -> Treatment | None:
        """What they meet without the campaign: their tickets, as the centre resolves them then."""
        return None if self.tickets is None else self.tickets.tickets.treatment(self.touched)


def make_orders(assignment: Assignment, base: Subscribers, *, channels: Channels, offers: OfferTable,
                month: int, release_days: float, deadline_days: float) -> Orders:
    """Return the work orders of an assignment; the order id is the rank of the subscriber's id."""
    ids = base.ids[assignment.row]
    start = float(month * HOURS_PER_MONTH)
    habit = np.zeros(len(assignment))
    for name, channel in channels.items():
        on = assignment.channel == name
        habit[on] = base["read_habit" if channel.kind == "batch" else "answer_habit"][assignment.row[on]]
    release = start + days_to_hours(release_days)
    deadline = start + days_to_hours(max(deadline_days, release_days))
    return Orders(
        order_id=np.argsort(np.argsort(ids)).astype(np.int64),
        subscriber=ids,
        channel=assignment.channel,
        offer=np.array(("", *offers.names))[assignment.offer],
        value=assignment.value,
        answer_habit=habit,
        release_hours=np.full(len(ids), release),
        deadline_hours=np.full(len(ids), deadline),
        loss_rate_monthly=assignment.loss_rate_monthly,
    )


def spread_over_day(orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key,
                    month: int) -> Orders:
    """Return the orders of live channels released at a keyed moment of the first day the centre is open.

    With as much staff as it takes, all would else be called the moment the centre opens, at the worst hour
    for an answer. Never past the deadline.
    """
    release = orders.release_hours.copy()
    for name, channel in channels.items():
        rows = np.flatnonzero(orders.channel == name)
        if channel.kind != "batch" and len(rows):
            opening = live_opening(name, channel, capacity, month=month)
            first = opening.elapsed(release[rows])
            day = opening.elapsed(opening.next_open(release[rows]) + HOURS_PER_DAY) - first
            release[rows] = opening.moment(
                first + day * uniform(key, FIRST_ATTEMPT, orders.subscriber[rows], month=month))
    return replace(orders, release_hours=np.minimum(release, orders.deadline_hours))


def run_wave(assignment: Assignment, base: Subscribers, *, engine: Lifecycle, channels: Channels,
             capacity: CapacitySettings, offers: OfferTable, month: int, release_days: float,
             deadline_days: float, unlimited: bool, tickets: Tickets | None = None) -> Wave:
    """Work an assignment in the centre (or with unlimited staff) and let those reached respond.

    `base` is the month's start state. Acceptance is a keyed draw; it has effect and cost only if the
    subscriber has not decided to leave before the contact, which the worlds settle. `tickets` are worked by the same
    agents; unlimited staff takes none of their time.
    """
    orders = make_orders(assignment, base, channels=channels, offers=offers, month=month,
                         release_days=release_days, deadline_days=deadline_days)
    accepted = chosen_acceptance(base.take(assignment.row), assignment.offer, assignment.channel, channels=channels,
                                 offers=offers, engine=engine, month=month)
    # What each would say is settled: the log tells it of those reached.
    orders = replace(orders, accept_prob=(accepted > 0).astype(np.float64))
    if unlimited:
        orders = spread_over_day(orders, channels=channels, capacity=capacity, key=engine.key, month=month)
    worked = None
    if tickets is not None and not unlimited:
        log, worked = tickets.work_beside(orders, channels=channels, capacity=capacity, key=engine.key, month=month)
    else:
        centre = work_unlimited if unlimited else work
        log = centre(orders, channels=channels, capacity=capacity, key=engine.key, month=month)
        worked = None if tickets is None else Worked(tickets, tickets.hours)
    reached = log.outcomes.reached
    moment = (log.outcomes.contact_hours - month * HOURS_PER_MONTH) / HOURS_PER_MONTH
    contact_time = np.where(reached, np.clip(moment, 0.0, LAST_MOMENT), np.inf)
    accepted = np.where(reached, accepted, 0).astype(np.int8)
    cents = np.zeros(len(assignment), np.int64)
    position = np.empty(len(assignment), np.int64)
    position[orders.order_id] = np.arange(len(assignment))
    np.add.at(cents, position[log.attempts.order_id], log.attempts.cost_cents)
    return _touching(Wave(assignment, log, assignment.row, contact_time, accepted, cents,
                          log.outcomes.attempts > 0, worked))


def _touching(wave: Wave) -> Wave:
    """Return the wave with those whose ticket it delayed or advanced among the touched."""
    changed = np.zeros(0, np.int64) if wave.tickets is None else wave.tickets.changed()
    if not len(changed):
        return wave
    touched = np.union1d(wave.touched, changed)
    at = np.searchsorted(touched, wave.touched)
    n = len(touched)
    contact_time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
    cents, attempted = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    contact_time[at], accepted[at] = wave.contact_time, wave.accepted
    cents[at], attempted[at] = wave.contact_cents, wave.attempted
    return replace(wave, touched=touched, contact_time=contact_time, accepted=accepted, contact_cents=cents,
                   attempted=attempted)


def planned_contact_time(release_days: float) -> float:
    """Return when in the month a plan expects a contact: a day after the orders' release [assumption]."""
    return min((release_days + 1.0) / DAYS_PER_MONTH, LAST_MOMENT)
