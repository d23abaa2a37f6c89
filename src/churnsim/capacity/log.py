"""The contact log: one row an attempt and one a call, and what became of every order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnsim.capacity import floor as fl
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.layout import FloorPlan
from churnsim.capacity.orders import Orders
from churnsim.capacity.record import Record
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.core.draws import Key, stream, uniform
from churnsim.core.money import to_cents

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Names = npt.NDArray[np.str_]

# How an attempt can end; the first two when the orders tell how likely each accepts.
DISPOSITIONS = np.array(("reached_accepted", "reached_declined", *fl.CODES[:fl.SERVED], "read", "unread"))
OUTCOMES = np.array(fl.STATES)
NO_AGENT = fl.NOBODY
LIVE, READ = 2, 2 + fl.SERVED


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
    """One row an attempt, by start, then order id, then attempt; arrays (k,).

    Attributes
    ----------
    attempt
        Number of the attempt on its order, from 1.
    team, agent
        Who made it; agents are numbered through the teams from 0. "" and -1: nobody of the centre.
    due_hours, start_hours, answer_hours, end_hours
        Hours on the centre's clock: when the attempt became due, began, was answered (infinite: was not) and ended. A
        message ends when it is read, or would be.
    handled_hours, wrap_hours, overtime_hours
        Agent time, after-call work in it, and what of it lies past the end of the agent's shift; 0 for a message.
    disposition
        "reached", or with orders that tell how likely each accepts "reached_accepted" and "reached_declined";
        "no_answer", "busy", "voicemail", "wrong_number", "refused", "hung_up", "callback", "dropped_by_dialer",
        "handed_back"; of messages "read" and "unread".
    cost_cents
        Cost of the attempt, its minutes, its conversion, and handled time x the team's cost an hour, with overtime;
        rounded once. Idle time is not charged to the campaign: the agents are there anyway and have other work.
    """

    order_id: Ints
    subscriber: Ints
    channel: Names
    offer: npt.NDArray[Any]
    attempt: Ints
    team: Names
    agent: Ints
    due_hours: Floats
    start_hours: Floats
    answer_hours: Floats
    end_hours: Floats
    handled_hours: Floats
    wrap_hours: Floats
    overtime_hours: Floats
    disposition: Names
    cost_cents: Ints

    @property
    def is_reached(self) -> Flags:
        """Whether each attempt brought the offer to the subscriber, (k,)."""
        return np.isin(self.disposition, ("reached", "reached_accepted", "reached_declined", "read"))


@dataclass(frozen=True)
class CallLog(_Table):
    """One row for each time that a caller called, by time, then caller; arrays (j,).

    Attributes
    ----------
    call_id
        Of the list of calls; one who gave up and called again keeps it.
    attempt
        How often the caller had called by then, from 1.
    subscriber
        -1: unknown.
    call_hours, start_hours, end_hours
        When the caller came, was answered (infinite: was not), and left.
    disposition
        "served", "abandoned_in_queue", or "waiting" when the month ends.
    cost_cents
        Cost of its minutes and handled time x the team's cost an hour, with overtime; rounded once.
    """

    call_id: Ints
    stream: Names
    subscriber: Ints
    attempt: Ints
    team: Names
    agent: Ints
    call_hours: Floats
    start_hours: Floats
    end_hours: Floats
    handled_hours: Floats
    wrap_hours: Floats
    overtime_hours: Floats
    disposition: Names
    cost_cents: Ints


def no_calls() -> CallLog:
    """Return the log of a centre that nobody called."""
    names = {"stream", "team", "disposition"}
    real = {each.name for each in fields(CallLog) if each.type == "Floats"}
    return CallLog(**{each.name: np.zeros(0, "<U1" if each.name in names else np.float64 if each.name in real
                                          else np.int64) for each in fields(CallLog)})


@dataclass(frozen=True)
class Outcomes(_Table):
    """What became of every order at the month's end, in the order of the list; arrays (n,).

    Attributes
    ----------
    contact_hours
        The moment the subscriber picked up or read, on the centre's clock; infinite when not reached.
    outcome
        "reached"; "exhausted" (no attempts left); "expired" (deadline before the month's end); "suppressed" (no
        consent); "refused", "hung_up", "wrong_number"; "opted_out" or "called_in" (the subscriber, meanwhile); "left".
    """

    order_id: Ints
    attempts: Ints
    reached: Flags
    contact_hours: Floats
    outcome: Names


@dataclass(frozen=True)
class ContactLog:
    """All attempts and calls of a month and the outcome of each order.

    Attributes
    ----------
    engine, note
        What worked the orders that need agents, and why not the engine of the settings, if so. Empty without a queue.
    """

    attempts: Attempts
    outcomes: Outcomes
    calls: CallLog = field(default_factory=no_calls)
    engine: str = ""
    note: str = ""


@dataclass(frozen=True)
class Tries:
    """Attempts as they are gathered, in any order; arrays (k,).

    `row` is the order's place in its list, `code` the place in :data:`DISPOSITIONS`, `team` the position among the
    teams or -1, `hour_amount` the cost of an agent hour.
    """

    row: Ints
    channel: Ints
    attempt: Ints
    team: Ints
    agent: Ints
    due_hours: Floats
    start_hours: Floats
    answer_hours: Floats
    end_hours: Floats
    handled_hours: Floats
    overtime_hours: Floats
    hour_amount: Floats
    code: Ints

    @classmethod
    def joined(cls, parts: list[Tries]) -> Tries:
        """Return the attempts of several channels as one list."""
        if not parts:
            empty: dict[str, Any] = {each.name: np.zeros(0, np.int64 if each.type == "Ints" else np.float64)
                                     for each in fields(cls)}
            return cls(**empty)
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    @property
    def is_reached(self) -> Flags:
        """Whether each attempt brought the offer to the subscriber, (k,)."""
        return np.asarray((self.code == LIVE + fl.REACHED) | (self.code == READ))


def tries_of(record: Record, plan: FloorPlan, channels: list[str]) -> Tries:
    """Return what an engine recorded of orders; `channels` are the names that `Tries.channel` numbers."""
    mine = np.flatnonzero(record.is_call == 0)
    agent = record.agent[mine]
    places = np.array([channels.index(name) for name in plan.channels] or [0], np.int64)
    team, handled, overtime, amount = _staffed(record, plan, mine)
    return Tries(
        row=plan.rows[record.item[mine]], channel=places[record.place[mine]], attempt=record.attempt[mine], team=team,
        agent=agent, due_hours=record.since[mine], start_hours=record.start[mine], answer_hours=record.answer[mine],
        end_hours=record.end[mine], handled_hours=handled, overtime_hours=overtime, hour_amount=amount,
        code=LIVE + record.code[mine])


def _staffed(record: Record, plan: FloorPlan, rows: Ints) -> tuple[Ints, Floats, Floats, Floats]:
    """Return team, handled hours, overtime and cost of an agent hour, overtime's surcharge in it; (k,) each."""
    agent = record.agent[rows]
    is_staffed = agent >= 0
    team = np.where(is_staffed, np.append(plan.floor.agents["team"], 0)[agent], -1)
    handled = np.where(is_staffed, record.hours[rows], 0.0)
    overtime = np.clip(record.end[rows] - record.shift_end[rows], 0.0, handled)
    teams = list(plan.teams.values())
    hour = np.array([*(each.cost_per_hour_amount for each in teams), 0.0])[team]
    extra = np.array([*(each.overtime_factor - 1.0 for each in teams), 0.0])[team]
    share = np.divide(overtime, handled, out=np.zeros(len(rows)), where=handled > 0)
    return team, handled, overtime, hour * (1.0 + extra * share)


def call_log(record: Record, plan: FloorPlan, capacity: CapacitySettings) -> CallLog:
    """Return what an engine recorded of callers."""
    rows = np.flatnonzero(record.is_call == 1)
    item = record.item[rows]
    rows = rows[np.lexsort((record.attempt[rows], item, record.since[rows]))]
    item, place = record.item[rows], record.place[rows]
    team, handled, overtime, amount = _staffed(record, plan, rows)
    settings = [capacity.inbound[name] for name in plan.streams]
    wrap = np.array([*(each.wrap_share for each in settings), 0.0])[place]
    minute = np.array([*(each.cost_per_minute_amount for each in settings), 0.0])[place]
    return CallLog(
        call_id=plan.floor.calls["id"][item], stream=np.array([*plan.streams, ""])[place],
        subscriber=plan.subscriber_of_call[item], attempt=record.attempt[rows],
        team=np.array([*plan.teams, ""])[team], agent=record.agent[rows], call_hours=record.since[rows],
        start_hours=record.answer[rows], end_hours=record.end[rows], handled_hours=handled, wrap_hours=wrap * handled,
        overtime_hours=overtime, disposition=np.array(fl.CODES)[record.code[rows]],
        cost_cents=to_cents(handled * (amount + minute * MINUTES_PER_HOUR)))


def build_log(orders: Orders, tries: Tries, calls: CallLog, state: Ints, *,
              channels: Mapping[str, LiveChannel | BatchChannel], teams: list[str], key: Key, month: int) -> ContactLog:
    """Return the log of what was gathered; `state` (n,) is how each order stands."""
    sort = np.lexsort((tries.attempt, orders.order_id[tries.row], tries.start_hours))
    row, channel = tries.row[sort], tries.channel[sort]
    settings = list(channels.values())

    def of_channel(name: str) -> Floats:
        return np.array([*(getattr(each, name, 0.0) for each in settings), 0.0], np.float64)[channel]

    code, handled, answer = tries.code[sort], tries.handled_hours[sort], tries.answer_hours[sort]
    code, accepted = _told(orders, row, code, key=key, month=month)
    is_live = code != READ
    lasted = (tries.end_hours - tries.start_hours)[sort]
    minutes = np.where(is_live & (code != READ + 1), lasted, 0.0) * MINUTES_PER_HOUR
    talked = np.where(np.isfinite(answer), tries.end_hours[sort] - np.where(np.isfinite(answer), answer, 0.0), 0.0)
    attempts = Attempts(
        order_id=orders.order_id[row], subscriber=orders.subscriber[row], channel=np.array([*channels, ""])[channel],
        offer=orders.offer[row], attempt=tries.attempt[sort], team=np.array([*teams, ""])[tries.team[sort]],
        agent=tries.agent[sort], due_hours=tries.due_hours[sort], start_hours=tries.start_hours[sort],
        answer_hours=answer, end_hours=tries.end_hours[sort], handled_hours=handled,
        wrap_hours=np.where(handled > 0, of_channel("wrap_share") * talked, 0.0),
        overtime_hours=tries.overtime_hours[sort], disposition=DISPOSITIONS[code],
        cost_cents=to_cents(of_channel("cost_per_attempt_amount") + minutes * of_channel("cost_per_minute_amount")
                            + accepted * of_channel("cost_per_conversion_amount")
                            + handled * tries.hour_amount[sort]))
    return ContactLog(attempts, _outcomes(orders, tries, state), calls)


def _told(orders: Orders, row: Ints, code: Ints, *, key: Key, month: int) -> tuple[Ints, Flags]:
    """Return dispositions that tell who accepted, where the orders say how likely that is; and who did."""
    prob = orders.accept_prob[row]
    told = np.isfinite(prob) & ((code == LIVE + fl.REACHED) | (code == READ))
    if not told.any():
        return code, np.zeros(len(row), np.bool_)
    draw = uniform(key, stream("capacity.accept"), orders.subscriber[row], month=month)
    accepted = told & (draw < prob)
    live = told & (code != READ)
    return np.where(live, np.where(accepted, 0, 1), code), accepted


def _outcomes(orders: Orders, tries: Tries, state: Ints) -> Outcomes:
    made = np.bincount(tries.row, minlength=len(orders)).astype(np.int64)
    contact = np.full(len(orders), np.inf)
    hit = tries.is_reached
    contact[tries.row[hit]] = np.where(tries.code[hit] == READ, tries.end_hours[hit], tries.answer_hours[hit])
    return Outcomes(orders.order_id, made, np.isfinite(contact), contact, OUTCOMES[state])
