"""Complaint tickets of a month as orders: what the centre makes of them alone, and beside a campaign's orders.

A ticket is an order on the tickets' channel, released when the complaint is made; the first answered attempt
resolves it when it ends. What agents do for a campaign they cannot do for tickets, and a ticket resolved late, or not
in the month, acts on a subscriber whom the campaign never meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.settings import TicketSettings
from churnsim.capacity.log import Attempts, ContactLog, Outcomes
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings
from churnsim.capacity.work import Channels, work
from churnsim.core.clock import HOURS_PER_MONTH
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers.service import opening_time
from churnsim.lifecycle.treatment import Resolutions, Treatment, nobody

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
AnyTable = TypeVar("AnyTable", Attempts, Outcomes)
# An id space of their own: who opts out of calls, or is called too often, has the ticket resolved all the same.
TICKET_IDS = 1 << 60


@dataclass(frozen=True)
class Tickets:
    """Tickets that open in a month, and how the centre resolves them when it has nothing else to do.

    Attributes
    ----------
    settings
        Channel, value and deadline of a ticket.
    row
        (k,) position of the subscriber in the base, ascending, each once.
    subscriber
        (k,) id.
    opened_hours
        (k,) moment of the complaint on the centre's clock.
    hours
        (k,) from there to the resolution without a campaign; infinite if it is not resolved when the month ends.
    """

    settings: TicketSettings
    row: Int64
    subscriber: Int64
    opened_hours: Float64
    hours: Float64

    def __len__(self) -> int:
        return len(self.row)

    def late(self, hours: Float64) -> npt.NDArray[np.bool_]:
        """Return which tickets that took so many hours are late, (k,) bool."""
        return hours > self.settings.deadline_hours

    def treatment(self, rows: Int64 | None = None) -> Treatment:
        """Return the reference world's treatment of the base, or of those at positions `rows` of it."""
        if rows is None:
            return replace(nobody(), tickets=Resolutions(self.row, self.hours))
        return replace(nobody(), tickets=Worked(self, self.hours).among(rows))

    def arrays(self) -> dict[str, Any]:
        """Return the tickets as arrays by name; :meth:`of` is the way back."""
        return {f"ticket.{name}": getattr(self, name) for name in COLUMNS}

    @classmethod
    def of(cls, settings: TicketSettings, arrays: Mapping[str, npt.NDArray[Any]]) -> Tickets | None:
        """Return the tickets among arrays; None if they are not coupled."""
        if settings.channel is None:
            return None
        return cls(settings, *(arrays[f"ticket.{name}"] for name in COLUMNS))

    def work_beside(self, orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key, month: int
                    ) -> tuple[ContactLog, Worked]:
        """Let the centre work a list of orders, and the tickets as they come.

        Parameters
        ----------
        orders
            Their ids count from 0; at equal rank they go first.

        Returns
        -------
        The log of the orders alone, and what became of the tickets.
        """
        n = len(orders)
        both, capacity = _by_due_time(_joined(orders, self._orders(n)), capacity, self._due(orders))
        log = work(both, channels=channels, capacity=capacity, key=key, month=month)
        last_end = np.zeros(n + len(self))
        np.maximum.at(last_end, log.attempts.order_id, log.attempts.end_hours)
        ticket = both.order_id[n:]
        hours = np.where(log.outcomes.reached[n:], last_end[ticket] - self.opened_hours, np.inf)
        own = replace(log, attempts=_taken(log.attempts, log.attempts.order_id < n),
                      outcomes=_taken(log.outcomes, np.arange(n)))
        return own, Worked(self, hours)

    def _orders(self, first_id: int) -> Orders:
        """Return a ticket an order; late ones are worked all the same, so that none expires."""
        k = len(self)
        return Orders(
            order_id=first_id + np.argsort(np.argsort(self.subscriber)),
            subscriber=TICKET_IDS + self.subscriber,
            channel=np.full(k, self.settings.channel),
            offer=np.full(k, ""),
            value=np.full(k, self.settings.value_amount),
            answer_habit=np.ones(k),
            release_hours=self.opened_hours,
            deadline_hours=np.full(k, np.inf),
            # What may be lost by waiting is that the ticket is late: a rate of one in the time it has.
            loss_rate_monthly=np.full(k, HOURS_PER_MONTH / self.settings.deadline_hours),
        )

    def _due(self, orders: Orders) -> Float64:
        return np.concatenate([orders.deadline_hours, self.opened_hours + self.settings.deadline_hours])


COLUMNS = tuple(field.name for field in fields(Tickets) if field.name != "settings")


@dataclass(frozen=True)
class Worked:
    """What became of tickets beside a campaign: (k,) hours from each complaint to the resolution, or infinite."""

    tickets: Tickets
    hours: Float64

    def changed(self) -> Int64:
        """Return the positions in the base of those whose ticket the campaign delayed or advanced."""
        return np.asarray(self.tickets.row[self.hours != self.tickets.hours])

    def metrics(self) -> dict[str, int]:
        """Return counts of tickets: all, late with the campaign and without it, delayed or advanced by it."""
        late, usually = (self.tickets.late(hours) for hours in (self.hours, self.tickets.hours))
        return {"tickets": len(self.tickets), "tickets_late": int(late.sum()),
                "tickets_late_in_reference": int(usually.sum()), "tickets_changed": len(self.changed())}

    def frame(self) -> pd.DataFrame:
        """Return a row a ticket: who opened it when, and its hours to resolution in both worlds."""
        t = self.tickets
        return pd.DataFrame({"subscriber": t.subscriber, "opened_hours": t.opened_hours, "reference_hours": t.hours,
                             "policy_hours": self.hours})

    def among(self, rows: Int64) -> Resolutions:
        """Return the resolutions for a base that holds positions `rows` of the tickets' base, each once."""
        order = np.argsort(rows)
        _, ticket, place = np.intersect1d(self.tickets.row, rows[order], assume_unique=True, return_indices=True)
        row = order[place]
        sort = np.argsort(row)
        return Resolutions(row[sort], self.hours[ticket][sort])


def propose_tickets(base: Subscribers, settings: TicketSettings, *, engine: Lifecycle, channels: Channels,
                    capacity: CapacitySettings, month: int) -> Tickets | None:
    """Return the tickets of a month in the untreated world, worked by the centre alone; None if not coupled.

    Parameters
    ----------
    base
        The month's start state; left as it is. Who is gone at the moment of a complaint makes none.
    """
    if settings.channel is None:
        return None
    base = base.copy()
    free = base["ticket_left_hours"] <= 0.0
    opens = np.zeros(len(base), np.bool_)

    def watch(block: Block) -> None:
        moment = month + opening_time(block.ids, key=engine.key, month=month)
        here = slice(block.low, block.high)
        opens[here] = block["complaint"] & free[here] & (moment < block["departure_time"])

    engine.run([(base, None)], start=month, months=1, observe=watch)
    row = np.flatnonzero(opens)
    opened = HOURS_PER_MONTH * (month + opening_time(base.ids[row], key=engine.key, month=month))
    tickets = Tickets(settings, row, base.ids[row], opened, np.full(len(row), np.inf))
    _, worked = tickets.work_beside(_no_orders(), channels=channels, capacity=capacity, key=engine.key, month=month)
    return replace(tickets, hours=worked.hours)


def _no_orders() -> Orders:
    ids, names, hours = np.zeros(0, np.int64), np.zeros(0, "<U1"), np.zeros(0)
    return Orders(ids, ids, names, names, hours, hours, hours, hours)


def _by_due_time(orders: Orders, capacity: CapacitySettings, due_hours: Float64) -> tuple[Orders, CapacitySettings]:
    """Return what makes the centre dispatch by deadline go by due times, after which a ticket still is worked."""
    if capacity.dispatch != "deadline":
        return orders, capacity
    return replace(orders, value=-due_hours), capacity.model_copy(update={"dispatch": "value"})


def _joined(first: Orders, second: Orders) -> Orders:
    return Orders(*(np.concatenate([getattr(first, field.name), getattr(second, field.name)])
                    for field in fields(Orders)))


def _taken(table: AnyTable, rows: npt.NDArray[Any]) -> AnyTable:
    return type(table)(*(getattr(table, field.name)[rows] for field in fields(table)))
