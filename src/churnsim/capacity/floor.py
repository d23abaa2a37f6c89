"""The floor of the centre in numbers: what both engines work from, and the discipline they share.

The discipline, in writing. Whatever is not said here an engine may do as it likes, since it changes no record.

* *Queues.* Orders of the same channel and skill wait in one queue, callers of the same stream in one. A team serves the
  queues of its channels whose skill is none or its own, and its streams, in the order of the settings.
* *Agents* are numbered through the teams from 0. One is free while on shift and in no contact.
* *Instants.* At one instant come, in this order: shift ends, shift starts, openings and closings of calling windows,
  and at a day's start the new ranks; then ends of contacts in the order in which they were begun; then what has become
  due. The edges of an instant together, each end of a contact, and a wake-up hand out work before the next.
* *Handing out.* Retries that are due, releases and calls join their queues. Then the teams in their order, while an
  agent of theirs is free, take the caller who came first of the first stream where somebody waits; else, while more
  than `reserve_agents` of the team are free, the first of the due orders they may work now: promised call-backs by id,
  then by rank, then by id. The free agent of the lowest number takes it. A caller may be taken until the very end of
  his patience.
* *An order that is first* is, in this order: expired, if its deadline has passed; closed, if its subscriber opted out
  (of a message read by now, too) or called in; due later with its ordinary rank, if it was a promise and its window
  has passed; due when the oldest of the attempts counted by a cap leaves its window, if a cap forbids another; put
  aside until the next day, if its index is no more than the price. Else it is tried.
* *Attempts.* An attempt begins inside a shift and a calling window; the uniforms of subscriber, channel and hour of the
  month say whether it is answered and what comes of it. Predictive dialling tries several orders of the queue at
  once for one agent, in the order above: who answers first in that order is connected, others who answer are dropped.
* *After it* the order is done, or due again after its delay, or, with the channel's attempts used up or the number
  wrong, on the next channel of its plan after the channel's delay for attempts nobody answers.
* *When a shift ends* nothing new begins. Calls in progress are finished; attempts too, or, if the team hands back,
  broken off at that moment: they count as attempts, and the order is due again.
* *The end.* At the end of the month nothing begins; what is in progress is finished.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from churnsim.core.clock import HOURS_PER_MONTH

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

Table = npt.NDArray[np.void]

NEVER = float("inf")
NOBODY = -1
WEEK_HOURS = 168.0
# What came of an attempt at an order or a call; the first is an answered offer.
REACHED, NO_ANSWER, BUSY, VOICEMAIL, WRONG_NUMBER, REFUSED, HUNG_UP, CALLBACK, DROPPED, HANDED_BACK = range(10)
SERVED, ABANDONED, WAITING = 10, 11, 12
CODES = ("reached", "no_answer", "busy", "voicemail", "wrong_number", "refused", "hung_up", "callback",
         "dropped_by_dialer", "handed_back", "served", "abandoned_in_queue", "waiting")
# How an order stands.
OPEN, IS_REACHED, EXHAUSTED, EXPIRED, SUPPRESSED, IS_REFUSED, IS_WRONG, OPTED_OUT, CALLED_IN, IS_HUNG_UP = range(10)
STATES = ("left", "reached", "exhausted", "expired", "suppressed", "refused", "wrong_number", "opted_out", "called_in",
          "hung_up")
SLOT_HOURS = 3


def record(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    """Return the type of a record, its fields where processors like them."""
    return np.dtype(list(fields), align=True)


def real(*names: str) -> list[tuple[str, str]]:
    """Return fields of numbers."""
    return [(name, "f8") for name in names]


def whole(*names: str) -> list[tuple[str, str]]:
    """Return fields of whole numbers, of codes and of flags."""
    return [(name, "i8") for name in names]


def small(*names: str) -> list[tuple[str, str]]:
    """Return fields of small whole numbers."""
    return [(name, "i4") for name in names]


class Floor(NamedTuple):
    """One month of a centre: n orders, m calls, a agents, t teams, c live channels, q queues, s streams.

    Hours are on the centre's clock. Orders are known by their rank in order id among the live ones, calls by their
    place in time, everything else by its place in the settings. Lists of unequal length are padded with -1. Tables of
    records, since compiled code passes every array it is given by value: few of them compile and run faster.
    """

    month: Table  # (1,) start, end, number, k0, k1, rule, remembered, people
    orders: Table  # (n,) loss_rate an hour; gone: when a message read makes the subscriber opt out, inf: never
    by_release: Ints  # (n,) orders in the order of their release
    plans: Table  # (plans, steps) queue, channel, column of the first attempt in `handle`
    steps: Table  # (n, steps) attempts allowed, whether the number is wrong
    handle: Floats  # (n, width) hours were it answered
    channels: Table  # (c,)
    streams: Table  # (s,)
    calls: Table  # (m,) time, stream, id, person, patience, handle
    agents: Table  # (a,) team, productivity
    teams: Table  # (t,)
    team_queue: Ints  # (t, most)
    team_stream: Ints  # (t, most)
    queues: Table  # (q,) channel, group: queues that share teams
    edges: Table  # (e,) time, whether a day begins, first of its changes
    edge_open: Flags  # (e, c)
    clear_rate: Floats  # (e, groups) agent hours an hour from here to the month's end
    changes: Table  # agent, until: end of the stretch that starts; -1: one ends
    caps: Table  # hours, attempts
    fatigue: Floats  # (remembered + 1,) factor by attempts of the last week


MONTH = record(*real("start", "end"), *whole("number", "k0", "k1", "rule", "remembered", "people"))
# What every attempt reads comes first: records lie all over the memory, and a line of the cache holds 64 bytes.
ORDER = record(*whole("subscriber", "person", "plan"), *real("deadline", "habit", "gone", "release"),
               *whole("suppressed"), *real("value", "priority", "loss_rate"))
PLAN = record(*whole("queue", "channel", "first"))
STEP = record(*whole("cap", "wrong"))
STREAM = record(("patience", "f8", (3,)), ("delay", "f8", (3,)), *real("retrial_prob"),
                 *whole("patience_number", "retrial_number"))
CALL = record(*real("time", "patience", "handle"), *whole("stream", "id", "person"))
AGENT = record(*whole("team"), *real("productivity"))
TEAM = record(*real("learn_start", "learn_half"), *whole("reserve", "hand_back"))
QUEUE = record(*whole("channel", "group"))
EDGE = record(*real("time"), *whole("day", "change"))
CHANGE = record(*whole("agent"), *real("until"))
CAP = record(*real("hours"), *whole("attempts"))
# How an order stands.
WORK = record(*small("state", "step", "tried", "attempts", "last_slot", "cap"),
              *real("due_at", "promised_until", "rank"))


def channel_record(factors: int) -> np.dtype[Any]:
    """Return the record of a channel whose answers depend on so many attempts.

    Hours and shares: `unanswered_to` cumulates busy and voicemail, `answered_to` refused, hung up and call-back;
    `callback` is the least and most delay, the window and the delay after a missed one; `retry` the delay by code, -1
    for none, `spread` its spread; `step_delay` is that to the next channel of a plan; `plan_prob` and `plan_handle` are
    what dispatch counts on.
    """
    return record(
        *whole("number"), *real("ring", "no_answer", "brief", "preview", "wrap", "same_slot", "opt_out", "step_delay",
                                  "lines", "dropped_limit", "plan_prob", "plan_handle"),
        ("prob", "f8", (HOURS_PER_MONTH,)), ("factor", "f8", (factors,)), ("unanswered_to", "f8", (2,)),
        ("answered_to", "f8", (3,)), ("callback", "f8", (4,)), ("retry", "f8", (len(CODES),)),
        ("spread", "f8", (len(CODES),)))


def table(kind: np.dtype[Any], **columns: Any) -> Table:
    """Return an array of records from all its columns, the first of which has one number a record."""
    if set(columns) != set(kind.names or ()):
        raise ValueError(f"columns {sorted(columns)} are not those of the record: {kind.names}")
    out = np.zeros(np.shape(next(iter(columns.values()))), kind)
    for name, values in columns.items():
        out[name] = values
    return out
