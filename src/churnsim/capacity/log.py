"""The contact log: one row an attempt, and what became of every order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnsim.capacity.calendar import month_start
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import BatchChannel, LiveChannel
from churnsim.core.money import to_cents

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]

DISPOSITIONS = np.array(("reached", "no_answer", "read", "unread"))
OUTCOMES = np.array(("reached", "exhausted", "expired", "left"))
NO_AGENT = -1


@dataclass(frozen=True)
class _Table:
    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def to_arrow(self) -> pa.Table:
        """Return the table with names as dictionaries."""
        columns = {f.name: pa.array(getattr(self, f.name)) for f in fields(self)}
        return pa.table({name: column.dictionary_encode() if pa.types.is_string(column.type) else column
                         for name, column in columns.items()})

    def to_pandas(self) -> pd.DataFrame:
        """Return the table with names as categories."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame


@dataclass(frozen=True)
class Attempts(_Table):
    """One row an attempt, by start, then order id; arrays (k,).

    Attributes
    ----------
    attempt
        Number of the attempt on its order, from 1.
    team, agent
        Who made it; agents are numbered through the teams from 0. "" and -1: nobody of the centre.
    start_hours, end_hours
        Hours on the centre's clock. A message ends when it is read, or would be.
    handled_hours
        Agent time; 0 for a message.
    disposition
        "reached" or "no_answer" (live), "read" or "unread" (batch).
    cost_cents
        Cost of the attempt plus handled time x the team's cost an hour, rounded once. Idle time is not
        charged to the campaign: the agents are there anyway and have other work.
    """

    order_id: Ints
    subscriber: Ints
    channel: Names
    offer: npt.NDArray[Any]
    attempt: Ints
    team: Names
    agent: Ints
    start_hours: Floats
    end_hours: Floats
    handled_hours: Floats
    disposition: Names
    cost_cents: Ints


@dataclass(frozen=True)
class Outcomes(_Table):
    """What became of every order at the month's end, in the order of the list; arrays (n,).

    Attributes
    ----------
    contact_hours
        The moment the subscriber picked up or read, on the centre's clock; infinite when not reached.
    outcome
        "reached"; "exhausted" (no attempts left); "expired" (deadline before the month's end); "left".
    """

    order_id: Ints
    attempts: Ints
    reached: Flags
    contact_hours: Floats
    outcome: Names


@dataclass(frozen=True)
class ContactLog:
    """All attempts of a month and the outcome of each order."""

    attempts: Attempts
    outcomes: Outcomes


@dataclass(frozen=True)
class Tries:
    """Attempts as an engine records them, in any order; arrays (k,).

    `row` is the order's position in the list, `team` a position among the teams or -1,
    `hour_amount` the cost of an agent hour.
    """

    row: Ints
    attempt: Ints
    team: Ints
    agent: Ints
    start_hours: Floats
    end_hours: Floats
    handled_hours: Floats
    hour_amount: Floats
    answered: Flags

    @classmethod
    def joined(cls, parts: list[Tries]) -> Tries:
        """Return the attempts of several channels as one list."""
        if not parts:
            none, zero = np.zeros(0, np.int64), np.zeros(0)
            return cls(none, none, none, none, zero, zero, zero, zero, np.zeros(0, np.bool_))
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


def build_log(
    orders: Orders,
    tries: Tries,
    *,
    channels: Mapping[str, LiveChannel | BatchChannel],
    teams: list[str],
    month: int,
) -> ContactLog:
    """Return the log of what an engine recorded."""
    by_row = {name: np.flatnonzero(orders.channel == name) for name in channels}
    batch = np.zeros(len(orders), np.bool_)
    cost = np.zeros(len(orders))
    cap = np.ones(len(orders), np.int64)
    for name, channel in channels.items():
        cost[by_row[name]] = channel.cost_per_attempt_amount
        if isinstance(channel, BatchChannel):
            batch[by_row[name]] = True
        else:
            cap[by_row[name]] = channel.max_attempts
    sort = np.lexsort((orders.order_id[tries.row], tries.start_hours))
    row = tries.row[sort]
    attempts = Attempts(
        order_id=orders.order_id[row],
        subscriber=orders.subscriber[row],
        channel=orders.channel[row],
        offer=orders.offer[row],
        attempt=tries.attempt[sort],
        team=np.array([*teams, ""])[tries.team[sort]],
        agent=tries.agent[sort],
        start_hours=tries.start_hours[sort],
        end_hours=tries.end_hours[sort],
        handled_hours=tries.handled_hours[sort],
        disposition=DISPOSITIONS[np.where(tries.answered[sort], 0, 1) + np.where(batch[row], 2, 0)],
        cost_cents=to_cents(cost[row] + tries.handled_hours[sort] * tries.hour_amount[sort]),
    )
    return ContactLog(attempts, _outcomes(orders, tries, batch=batch, cap=cap, month=month))


def _outcomes(orders: Orders, tries: Tries, *, batch: Flags, cap: Ints, month: int) -> Outcomes:
    made = np.bincount(tries.row, minlength=len(orders)).astype(np.int64)
    contact = np.full(len(orders), np.inf)
    hit = tries.row[tries.answered]
    contact[hit] = np.where(batch[hit], tries.end_hours[tries.answered], tries.start_hours[tries.answered])
    reached = np.isfinite(contact)
    over = orders.deadline_hours < month_start(month + 1)
    code = np.select([reached, made == cap, over], [0, 1, 2], default=3)
    return Outcomes(orders.order_id, made, reached, contact, OUTCOMES[code])
