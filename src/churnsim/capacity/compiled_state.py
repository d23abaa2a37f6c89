"""How things stand on the floor, as the compiled engine keeps it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.experimental import structref

from churnsim.capacity import heap
from churnsim.capacity.floor import (
    NEVER,
    OPEN,
    SUPPRESSED,
    WORK,
    Floats,
    Floor,
    Ints,
    Table,
    real,
    record,
    whole,
)

PROMISED = -NEVER
# Places of `tally`.
EDGE, RELEASED, CALLED, RETRIES, RETRIALS, ENDS, BEGUN, ALL_FREE, WITHHELD, LOGGED, IS_FULL, IS_OVER = range(12)
COUNTS = 12
# Attempts that one agent can begin at once.
MOST_LINES = 4


class State(NamedTuple):
    """How things stand on the floor."""

    tally: Ints  # see the places above
    now: Floats  # (1,)
    work: Table  # (n,) how each order stands
    rank: Floats  # (n, steps)
    price: Floats  # (groups,)
    withheld: Ints  # orders put aside
    people: Floats  # (people, 2 + remembered) state, attempts ever, and times of the last ones, a ring
    callers: Table  # (m,) when each gives up, calls made
    agents: Table
    teams: Table  # free agents, heap of them in `idle`
    queues: Table  # heap of each in `due`
    streams: Table  # heap of each in `waiting`
    channels: Table  # dialled, answered, dropped
    due: Table
    retry: Table
    waiting: Table
    retrial: Table
    idle: Table
    ends: Table
    lines: Table  # what is tried at once for one agent
    log: Table


# Columns of `people`: what is known of one is read together.
STATE, MADE, TIMES = range(3)
CALLER = record(*real("leaves"), *whole("made"))
AT_WORK = record(*whole("on", "busy", "idle", "in_heap", "contacts"), *real("until"))
HEAP = record(*whole("base", "size", "free"))
DIALLED = record(*whole("dials", "answered", "dropped"))
LINE = record(*whole("order", "code"), *real("draw"))
LOG = record(*whole("is_call", "item", "attempt", "place", "agent", "code"),
             *real("since", "start", "answer", "end", "hours", "shift_end"))


@structref.register
class _FloorRefType(types.StructRef):
    pass


@structref.register
class _StateRefType(types.StructRef):
    pass


class FloorRef(structref.StructRefProxy):
    """A floor that compiled functions pass on as one pointer: by value they would copy all its arrays."""


class StateRef(structref.StructRefProxy):
    """A state that compiled functions pass on as one pointer."""


structref.define_proxy(FloorRef, _FloorRefType, list(Floor._fields))  # type: ignore[no-untyped-call]
structref.define_proxy(StateRef, _StateRefType, list(State._fields))  # type: ignore[no-untyped-call]


def start(f: Floor) -> State:
    n, m, people = len(f.orders), len(f.calls), int(f.month["people"][0])
    in_queue = np.zeros(len(f.queues), np.int64)
    for row, several in enumerate(np.bincount(f.orders["plan"], minlength=len(f.plans))):
        for q in {q for q in f.plans["queue"][row].tolist() if q >= 0}:
            in_queue[q] += several
    work, callers, agents = np.zeros(n, WORK), np.zeros(m, CALLER), np.zeros(len(f.agents), AT_WORK)
    work["state"] = np.where(f.orders["suppressed"], SUPPRESSED, OPEN)
    work["last_slot"], work["promised_until"], agents["until"] = -1, -1.0, -1.0
    work["cap"] = f.steps["cap"][:, 0]
    callers["leaves"] = f.calls["time"] + f.calls["patience"]
    rows = int(f.steps["cap"].sum()) + 2 * m + MOST_LINES + 1
    return State(
        tally=np.zeros(COUNTS, np.int64), now=f.month["start"].copy(), work=work, rank=np.zeros(f.steps.shape),
        price=np.zeros(f.clear_rate.shape[1]), withheld=np.zeros(n, np.int64),
        people=np.zeros((people, TIMES + int(f.month["remembered"][0]))), callers=callers, agents=agents,
        teams=_heaps(np.bincount(f.agents["team"], minlength=len(f.teams))), queues=_heaps(in_queue),
        streams=_heaps(np.bincount(f.calls["stream"], minlength=len(f.streams))),
        channels=np.zeros(len(f.channels), DIALLED), due=np.zeros(int(in_queue.sum()), heap.PLACE),
        retry=np.zeros(n, heap.PLACE), waiting=np.zeros(m, heap.PLACE), retrial=np.zeros(m, heap.PLACE),
        idle=np.zeros(len(agents), heap.PLACE), ends=np.zeros(len(agents), heap.PLACE),
        lines=np.zeros(MOST_LINES, LINE), log=np.empty(rows, LOG),
    )


def _heaps(most: Ints) -> Table:
    heaps = np.zeros(len(most), HEAP)
    heaps["base"] = np.cumsum(most) - most
    return heaps
