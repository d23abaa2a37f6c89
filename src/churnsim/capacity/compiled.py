"""The compiled engine: the discipline of :mod:`churnsim.capacity.floor` as a loop over heaps.

It leaves the same record as :mod:`churnsim.capacity.centre`, whose methods have the same names.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from churnsim.capacity import heap
from churnsim.capacity.compiled_callers import give_up, take_caller
from churnsim.capacity.compiled_moves import join, log, set_free, unset_free, wait
from churnsim.capacity.compiled_orders import take_order
from churnsim.capacity.compiled_state import (
    ALL_FREE,
    CALLED,
    EDGE,
    ENDS,
    IS_FULL,
    IS_OVER,
    LOG,
    LOGGED,
    MOST_LINES,
    PROMISED,
    RELEASED,
    RETRIALS,
    RETRIES,
    STATE,
    WITHHELD,
    FloorRef,
    State,
    StateRef,
    start,
)
from churnsim.capacity.floor import EXPIRED, NEVER, NOBODY, OPEN, OPTED_OUT, WAITING, Floor
from churnsim.capacity.ranks import new_ranks
from churnsim.capacity.record import Record
from churnsim.core.compiled import njit


def work_compiled(f: Floor) -> Record:
    """Return what the centre makes of a month."""
    s = start(f)
    _run(f, s)
    while s.tally[IS_FULL]:
        s = s._replace(log=np.concatenate([s.log, np.empty_like(s.log)]))
        _run(f, s)
    rows = s.log[:s.tally[LOGGED]]
    return Record(**{name: rows[name] for name in LOG.names or ()}, state=s.work["state"].astype(np.int64))


@njit
def _run(floor: Floor, state: State) -> None:
    """Let instants pass until the month is over or the log is full; then it goes on where it stopped."""
    f: Any = FloorRef(*floor)  # type: ignore[no-untyped-call]
    s: Any = StateRef(*state)  # type: ignore[no-untyped-call]
    count, edges = s.tally, f.edges.shape[0] - 1
    if count[IS_FULL]:
        count[IS_FULL] = 0
        if count[IS_OVER]:
            _hang_up(f, s)
            return
        _hand_out(f, s)
    while not count[IS_FULL]:
        edge = f.edges[count[EDGE]].time if count[EDGE] < edges else NEVER
        end = s.ends[0].key if count[ENDS] else NEVER
        due = _next_due(f, s) if count[ALL_FREE] else NEVER
        now = min(edge, end, due)
        if now == NEVER:
            break
        s.now[0] = now
        if edge == now:
            _on_edge(f, s)
        elif end == now:
            _on_end(f, s)
        else:
            _hand_out(f, s)
    if not count[IS_FULL]:
        count[IS_OVER] = 1
        _hang_up(f, s)


@njit
def _next_due(f: Floor, s: State) -> float:
    due, count = NEVER, s.tally
    if count[RELEASED] < f.orders.shape[0]:
        due = min(due, f.orders[f.by_release[count[RELEASED]]].release)
    if count[RETRIES]:
        due = min(due, s.retry[0].key)
    if count[CALLED] < f.calls.shape[0]:
        due = min(due, f.calls[count[CALLED]].time)
    if count[RETRIALS]:
        due = min(due, s.retrial[0].key)
    return due


@njit
def _on_edge(f: Floor, s: State) -> None:
    k = s.tally[EDGE]
    s.tally[EDGE] = k + 1
    for i in range(f.edges[k].change, f.edges[k + 1].change):
        agent, until = f.changes[i].agent, f.changes[i].until
        s.agents[agent].on = until >= 0.0
        if until >= 0.0:
            s.agents[agent].until = until
            if not s.agents[agent].busy:
                set_free(f, s, agent)
        elif s.agents[agent].idle:
            unset_free(f, s, agent)
    if f.edges[k].day:
        _rank(f, s, k)
    if k < f.edges.shape[0] - 2:
        _hand_out(f, s)


@njit
def _on_end(f: Floor, s: State) -> None:
    agent = s.ends[0].item % f.agents.shape[0]
    s.tally[ENDS] = heap.pop(s.ends, 0, s.tally[ENDS])
    s.agents[agent].busy = False
    if s.agents[agent].on:
        set_free(f, s, agent)
        _hand_out(f, s)


@njit
def _rank(f: Floor, s: State, edge: int) -> None:
    new_ranks(f, edge, s.work, s.rank, s.price)
    for o in range(s.work.shape[0]):
        s.work[o].rank = s.rank[o, s.work[o].step]
    for q in range(s.queues.shape[0]):
        base = s.queues[q].base
        for i in range(base, base + s.queues[q].size):
            if s.due[i].key != PROMISED:
                s.due[i].key = s.work[s.due[i].item].rank
        heap.rebuild(s.due, base, s.queues[q].size)
    for i in range(s.tally[WITHHELD]):
        join(f, s, s.withheld[i])
    s.tally[WITHHELD] = 0


@njit
def _hand_out(f: Floor, s: State) -> None:
    _drain(f, s)
    for team in range(s.teams.shape[0]):
        while s.teams[team].free and not s.tally[IS_FULL]:
            if s.tally[LOGGED] + MOST_LINES > s.log.shape[0]:
                s.tally[IS_FULL] = 1
            elif not (take_caller(f, s, team) or take_order(f, s, team)):
                break


@njit
def _drain(f: Floor, s: State) -> None:
    now, count = s.now[0], s.tally
    while count[RETRIES] and s.retry[0].key <= now:
        o = s.retry[0].item
        s.work[o].due_at = s.retry[0].key
        count[RETRIES] = heap.pop(s.retry, 0, count[RETRIES])
        join(f, s, o)
    while count[RELEASED] < f.orders.shape[0] and f.orders[f.by_release[count[RELEASED]]].release <= now:
        o = f.by_release[count[RELEASED]]
        s.work[o].due_at = f.orders[o].release
        count[RELEASED] += 1
        if s.work[o].state == OPEN:
            join(f, s, o)
    while count[CALLED] < f.calls.shape[0] and f.calls[count[CALLED]].time <= now:
        wait(s, f.calls[count[CALLED]].stream, f.calls[count[CALLED]].time, count[CALLED])
        count[CALLED] += 1
    while count[RETRIALS] and s.retrial[0].key <= now:
        at, i = s.retrial[0].key, s.retrial[0].item
        count[RETRIALS] = heap.pop(s.retrial, 0, count[RETRIALS])
        wait(s, f.calls[i].stream, at, i)


@njit
def _hang_up(f: Floor, s: State) -> None:
    s.now[0] = f.month[0].end
    _drain(f, s)
    for stream in range(s.streams.shape[0]):
        base = s.streams[stream].base
        while s.streams[stream].size:
            if s.tally[LOGGED] + 1 > s.log.shape[0]:
                s.tally[IS_FULL] = 1
                return
            since, i = s.waiting[base].key, s.waiting[base].item
            s.streams[stream].size = heap.pop(s.waiting, base, s.streams[stream].size)
            if s.callers[i].leaves < f.month[0].end:
                give_up(f, s, stream, i, since)
            else:
                log(s, 1, i, s.callers[i].made + 1, stream, NOBODY, since, f.month[0].end, NEVER, f.month[0].end, 0.0,
                     NEVER, WAITING)
    for o in range(s.work.shape[0]):
        if s.work[o].state == OPEN:
            state = int(s.people[f.orders[o].person, STATE])
            if state == OPEN and f.orders[o].gone <= f.month[0].end:
                state = OPTED_OUT
            s.work[o].state = EXPIRED if f.orders[o].deadline < f.month[0].end else state
