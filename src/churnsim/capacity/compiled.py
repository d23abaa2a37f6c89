"""The compiled engine: the discipline of :mod:`churnsim.capacity.floor` as a loop over heaps.

It leaves the same record as :mod:`churnsim.capacity.centre`, whose methods have the same names and order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.experimental import structref

from churnsim.capacity import heap
from churnsim.capacity.chance import draws_at, law_hours, practice
from churnsim.capacity.floor import (
    ABANDONED,
    BUSY,
    CALLBACK,
    CALLED_IN,
    DROPPED,
    EXHAUSTED,
    EXPIRED,
    HANDED_BACK,
    HUNG_UP,
    IS_HUNG_UP,
    IS_REACHED,
    IS_REFUSED,
    IS_WRONG,
    NEVER,
    NO_ANSWER,
    NOBODY,
    OPEN,
    OPTED_OUT,
    REACHED,
    REFUSED,
    SERVED,
    SLOT_HOURS,
    SUPPRESSED,
    VOICEMAIL,
    WAITING,
    WEEK_HOURS,
    WORK,
    WRONG_NUMBER,
    Floats,
    Floor,
    Ints,
    Table,
    real,
    record,
    whole,
)
from churnsim.capacity.ranks import new_ranks
from churnsim.capacity.record import Record
from churnsim.core.compiled import njit

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
    people: Table  # state, attempts ever
    memory: Floats  # (people, remembered) times of attempts, a ring
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


PERSON = record(*whole("state", "made"))
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


def work_compiled(f: Floor) -> Record:
    """Return what the centre makes of a month."""
    s = _start(f)
    _run(f, s)
    while s.tally[IS_FULL]:
        s = s._replace(log=np.concatenate([s.log, np.empty_like(s.log)]))
        _run(f, s)
    log = s.log[:s.tally[LOGGED]]
    return Record(**{name: log[name].copy() for name in LOG.names or ()}, state=s.work["state"].copy())


def _start(f: Floor) -> State:
    n, m, people = len(f.orders), len(f.calls), int(f.month["people"][0])
    in_queue = np.zeros(len(f.queues), np.int64)
    for row, several in enumerate(np.bincount(f.orders["plan"], minlength=len(f.plans))):
        for q in {q for q in f.plans["queue"][row].tolist() if q >= 0}:
            in_queue[q] += several
    work, callers, agents = np.zeros(n, WORK), np.zeros(m, CALLER), np.zeros(len(f.agents), AT_WORK)
    work["state"] = np.where(f.orders["suppressed"], SUPPRESSED, OPEN)
    work["last_slot"], work["promised_until"], agents["until"] = -1, -1.0, -1.0
    callers["leaves"] = f.calls["time"] + f.calls["patience"]
    memory = np.zeros((people, max(int(f.month["remembered"][0]), 1)))
    rows = int(f.steps["cap"].sum()) + 2 * m + MOST_LINES + 1
    return State(
        tally=np.zeros(COUNTS, np.int64), now=f.month["start"].copy(), work=work, rank=np.zeros(f.steps.shape),
        price=np.zeros(f.clear_rate.shape[1]), withheld=np.zeros(n, np.int64), people=np.zeros(people, PERSON),
        memory=memory, callers=callers, agents=agents,
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


# Instants


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
                _set_free(f, s, agent)
        elif s.agents[agent].idle:
            _unset_free(f, s, agent)
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
        _set_free(f, s, agent)
        _hand_out(f, s)


@njit
def _set_free(f: Floor, s: State, agent: int) -> None:
    team = f.agents[agent].team
    s.agents[agent].idle = True
    if not s.agents[agent].in_heap:
        s.agents[agent].in_heap = True
        s.teams[team].size = heap.push(s.idle, s.teams[team].base, s.teams[team].size, 0.0, agent)
    s.teams[team].free += 1
    s.tally[ALL_FREE] += 1


@njit
def _unset_free(f: Floor, s: State, agent: int) -> None:
    s.agents[agent].idle = False
    s.teams[f.agents[agent].team].free -= 1
    s.tally[ALL_FREE] -= 1


@njit
def _take_agent(f: Floor, s: State, team: int) -> int:
    base = s.teams[team].base
    while True:
        agent = s.idle[base].item
        s.teams[team].size = heap.pop(s.idle, base, s.teams[team].size)
        s.agents[agent].in_heap = False
        if s.agents[agent].idle:
            break
    _unset_free(f, s, agent)
    s.agents[agent].busy = True
    return int(agent)


@njit
def _begin(f: Floor, s: State, agent: int, end: float) -> None:
    item = s.tally[BEGUN] * f.agents.shape[0] + agent
    s.tally[BEGUN] += 1
    s.tally[ENDS] = heap.push(s.ends, 0, s.tally[ENDS], end, item)


@njit
def _rank(f: Floor, s: State, edge: int) -> None:
    new_ranks(f, edge, s.work, s.rank, s.price)
    for q in range(s.queues.shape[0]):
        base = s.queues[q].base
        for i in range(base, base + s.queues[q].size):
            if s.due[i].key != PROMISED:
                s.due[i].key = s.rank[s.due[i].item, s.work[s.due[i].item].step]
        heap.rebuild(s.due, base, s.queues[q].size)
    for i in range(s.tally[WITHHELD]):
        _join(f, s, s.withheld[i])
    s.tally[WITHHELD] = 0


# Handing out


@njit
def _hand_out(f: Floor, s: State) -> None:
    _drain(f, s)
    for team in range(s.teams.shape[0]):
        while s.teams[team].free and not s.tally[IS_FULL]:
            if s.tally[LOGGED] + MOST_LINES > s.log.shape[0]:
                s.tally[IS_FULL] = 1
            elif not (_take_caller(f, s, team) or _take_order(f, s, team)):
                break


@njit
def _drain(f: Floor, s: State) -> None:
    now, count = s.now[0], s.tally
    while count[RETRIES] and s.retry[0].key <= now:
        o = s.retry[0].item
        s.work[o].due_at = s.retry[0].key
        count[RETRIES] = heap.pop(s.retry, 0, count[RETRIES])
        _join(f, s, o)
    while count[RELEASED] < f.orders.shape[0] and f.orders[f.by_release[count[RELEASED]]].release <= now:
        o = f.by_release[count[RELEASED]]
        s.work[o].due_at = f.orders[o].release
        count[RELEASED] += 1
        if s.work[o].state == OPEN:
            _join(f, s, o)
    while count[CALLED] < f.calls.shape[0] and f.calls[count[CALLED]].time <= now:
        _wait(s, f.calls[count[CALLED]].stream, f.calls[count[CALLED]].time, count[CALLED])
        count[CALLED] += 1
    while count[RETRIALS] and s.retrial[0].key <= now:
        at, i = s.retrial[0].key, s.retrial[0].item
        count[RETRIALS] = heap.pop(s.retrial, 0, count[RETRIALS])
        _wait(s, f.calls[i].stream, at, i)


@njit
def _join(f: Floor, s: State, o: int) -> None:
    rank = PROMISED if s.work[o].promised_until >= 0.0 else s.rank[o, s.work[o].step]
    q = f.plans[f.orders[o].plan, s.work[o].step].queue
    s.queues[q].size = heap.push(s.due, s.queues[q].base, s.queues[q].size, rank, o)


@njit
def _wait(s: State, stream: int, at: float, i: int) -> None:
    s.streams[stream].size = heap.push(s.waiting, s.streams[stream].base, s.streams[stream].size, at, i)


@njit
def _retry(s: State, o: int, at: float) -> None:
    s.tally[RETRIES] = heap.push(s.retry, 0, s.tally[RETRIES], at, o)


@njit
def _log(s: State, is_call: int, item: int, attempt: int, place: int, agent: int, since: float, start: float,
         answer: float, end: float, hours: float, shift_end: float, code: int) -> None:
    k = s.tally[LOGGED]
    s.tally[LOGGED] = k + 1
    row = s.log[k]
    row.is_call, row.item, row.attempt, row.place, row.agent, row.code = is_call, item, attempt, place, agent, code
    row.since, row.start, row.answer = since, start, answer
    row.end, row.hours, row.shift_end = end, hours, shift_end


# Callers


@njit
def _take_caller(f: Floor, s: State, team: int) -> bool:
    for stream in f.team_stream[team]:
        if stream < 0:
            break
        base = s.streams[stream].base
        while s.streams[stream].size:
            # Those who gave up leave room for the attempt that may follow.
            if s.tally[LOGGED] + 1 + MOST_LINES > s.log.shape[0]:
                s.tally[IS_FULL] = 1
                return True
            since, i = s.waiting[base].key, s.waiting[base].item
            s.streams[stream].size = heap.pop(s.waiting, base, s.streams[stream].size)
            if s.now[0] <= s.callers[i].leaves:
                _serve(f, s, team, stream, i, since)
                return True
            _give_up(f, s, stream, i, since)
    return False


@njit
def _serve(f: Floor, s: State, team: int, stream: int, i: int, since: float) -> None:
    agent, now = _take_agent(f, s, team), s.now[0]
    hours = f.calls[i].handle / _speed(f, s, agent, team)
    end = now + hours
    _log(s, 1, i, s.callers[i].made + 1, stream, agent, since, now, now, end, hours, s.agents[agent].until, SERVED)
    s.agents[agent].contacts += 1
    person = f.calls[i].person
    if person >= 0 and s.people[person].state == OPEN:
        s.people[person].state = CALLED_IN
    _begin(f, s, agent, end)


@njit
def _give_up(f: Floor, s: State, stream: int, i: int, since: float) -> None:
    left = s.callers[i].leaves
    s.callers[i].made += 1
    k = s.callers[i].made
    _log(s, 1, i, k, stream, NOBODY, since, left, NEVER, left, 0.0, NEVER, ABANDONED)
    if f.streams[stream].retrial_prob > 0.0:
        counter = f.month[0].number << 16 | min(k, 0xFFFF)
        u, v, w = draws_at(f.calls[i].id, counter, f.streams[stream].retrial_number, f.month[0].k0, f.month[0].k1)
        if w < f.streams[stream].retrial_prob:
            at = left + law_hours(f.streams[stream].delay, u, v)
            u, v, _ = draws_at(f.calls[i].id, counter, f.streams[stream].patience_number, f.month[0].k0, f.month[0].k1)
            s.callers[i].leaves = at + law_hours(f.streams[stream].patience, u, v)
            if at <= s.now[0]:
                _wait(s, stream, at, i)
            else:
                s.tally[RETRIALS] = heap.push(s.retrial, 0, s.tally[RETRIALS], at, i)


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
                _give_up(f, s, stream, i, since)
            else:
                _log(s, 1, i, s.callers[i].made + 1, stream, NOBODY, since, f.month[0].end, NEVER, f.month[0].end, 0.0,
                     NEVER, WAITING)
    for o in range(s.work.shape[0]):
        if s.work[o].state == OPEN:
            s.work[o].state = EXPIRED if f.orders[o].deadline < f.month[0].end else s.people[f.orders[o].person].state


@njit
def _speed(f: Floor, s: State, agent: int, team: int) -> float:
    speed = f.agents[agent].productivity
    if f.teams[team].learn_start < 1.0:
        speed *= practice(f.teams[team].learn_start, f.teams[team].learn_half, s.agents[agent].contacts)
    return float(speed)


# Orders


@njit
def _take_order(f: Floor, s: State, team: int) -> bool:
    if s.teams[team].free <= f.teams[team].reserve:
        return False
    o, q = _first(f, s, f.team_queue[team])
    if o < 0:
        return False
    c, agent = f.queues[q].channel, _take_agent(f, s, team)
    several = _lines(f, s, c)
    if several == 1:
        code, w = _try(f, s, o, c)
        s.channels[c].answered += _is_answered(code)
        end = _tell(f, s, o, c, code, w, agent)
    else:
        end = _dial_several(f, s, o, q, several, agent)
    _begin(f, s, agent, end)
    return True


@njit
def _first(f: Floor, s: State, queues: Ints) -> tuple[int, int]:
    edge = s.tally[EDGE] - 1
    while True:
        queue, best = NOBODY, 0
        for q in queues:
            if q < 0:
                break
            if s.queues[q].size and f.edge_open[edge, f.queues[q].channel]:
                a = s.queues[q].base
                if queue < 0 or s.due[a].key < s.due[best].key or (
                        s.due[a].key == s.due[best].key and s.due[a].item < s.due[best].item):
                    queue, best = q, a
        if queue < 0:
            return NOBODY, NOBODY
        rank, o = s.due[best].key, s.due[best].item
        s.queues[queue].size = heap.pop(s.due, best, s.queues[queue].size)
        if _may_try(f, s, o, queue, rank):
            return int(o), int(queue)


@njit
def _may_try(f: Floor, s: State, o: int, q: int, rank: float) -> bool:
    now, person = s.now[0], f.orders[o].person
    if f.orders[o].deadline < now:
        s.work[o].state = EXPIRED
        return False
    if s.people[person].state != OPEN:
        s.work[o].state = s.people[person].state
        return False
    if 0.0 <= s.work[o].promised_until < now:
        at = s.work[o].promised_until + f.channels[f.queues[q].channel].callback[3]
        s.work[o].promised_until = -1.0
        _again(f, s, o, at)
        return False
    for k in range(f.caps.shape[0]):
        attempts, made = f.caps[k].attempts, s.people[person].made
        if made >= attempts:
            at = s.memory[person, (made - attempts) % f.month[0].remembered] + f.caps[k].hours
            if at > now:
                _again(f, s, o, at)
                return False
    if -rank <= s.price[f.queues[q].group]:
        s.withheld[s.tally[WITHHELD]] = o
        s.tally[WITHHELD] += 1
        return False
    return True


@njit
def _again(f: Floor, s: State, o: int, at: float) -> None:
    if at <= s.now[0]:
        s.work[o].due_at = at
        _join(f, s, o)
    else:
        _retry(s, o, at)


@njit
def _lines(f: Floor, s: State, c: int) -> int:
    lines = f.channels[c].lines
    if lines == 1.0 or s.channels[c].dropped > f.channels[c].dropped_limit * s.channels[c].answered:
        return 1
    s.channels[c].dials += 1
    return int(s.channels[c].dials * lines) - int((s.channels[c].dials - 1) * lines)


@njit
def _is_answered(code: int) -> bool:
    return code not in (NO_ANSWER, BUSY, VOICEMAIL)


@njit
def _dial_several(f: Floor, s: State, o: int, q: int, several: int, agent: int) -> float:
    c, dialled, connected, end = f.queues[q].channel, 0, NOBODY, 0.0
    queue = np.full(1, q, np.int64)
    while o >= 0:
        s.lines[dialled].order = o
        s.lines[dialled].code, s.lines[dialled].draw = _try(f, s, o, c)
        if _is_answered(s.lines[dialled].code):
            s.channels[c].answered += 1
            if connected < 0:
                connected = dialled
        dialled += 1
        o = _first(f, s, queue)[0] if dialled < several else NOBODY
    connected = max(connected, 0)
    for k in range(dialled):
        code = s.lines[k].code
        if k == connected:
            end = _tell(f, s, s.lines[k].order, c, code, s.lines[k].draw, agent)
        else:
            if _is_answered(code):
                s.channels[c].dropped += 1
                code = DROPPED
            _tell(f, s, s.lines[k].order, c, code, s.lines[k].draw, NOBODY)
    return end


@njit
def _try(f: Floor, s: State, o: int, c: int) -> tuple[int, float]:
    now, person = s.now[0], f.orders[o].person
    hour = int(now - f.month[0].start)
    month, source = f.month[0], f.channels[c].number
    u, v, w = draws_at(f.orders[o].subscriber, month.number << 16 | hour, source, month.k0, month.k1)
    prob = f.channels[c].prob[hour] * f.orders[o].habit
    prob *= f.channels[c].factor[min(s.work[o].tried, f.channels[c].factor.shape[0] - 1)]
    slot = hour % 24 // SLOT_HOURS
    if slot == s.work[o].last_slot:
        prob *= f.channels[c].same_slot
    s.work[o].last_slot = slot
    if f.month[0].remembered:
        recent, made = 0, s.people[person].made
        for k in range(max(made - f.month[0].remembered, 0), made):
            recent += s.memory[person, k % f.month[0].remembered] + WEEK_HOURS > now
        prob *= f.fatigue[recent]
        s.memory[person, made % f.month[0].remembered] = now
        s.people[person].made = made + 1
    s.work[o].tried += 1
    s.work[o].attempts += 1
    if not u < prob:
        if v < f.channels[c].unanswered_to[0]:
            return BUSY, w
        return (VOICEMAIL if v < f.channels[c].unanswered_to[1] else NO_ANSWER), w
    if f.steps[o, s.work[o].step].wrong:
        return WRONG_NUMBER, w
    if v < f.channels[c].answered_to[0]:
        return REFUSED, w
    if v < f.channels[c].answered_to[1]:
        return HUNG_UP, w
    return (CALLBACK if v < f.channels[c].answered_to[2] else REACHED), w


@njit
def _tell(f: Floor, s: State, o: int, c: int, code: int, w: float, agent: int) -> float:
    now = s.now[0]
    answer, until = NEVER, NEVER
    if _is_answered(code):
        hours = f.channels[c].preview + f.channels[c].ring
        answer = now + hours
        if code == REACHED:
            column = f.plans[f.orders[o].plan, s.work[o].step].first + s.work[o].tried - 1
            hours += f.handle[o, column] / _speed(f, s, agent, f.agents[agent].team)
        elif code != DROPPED:
            hours += f.channels[c].brief
    else:
        hours = f.channels[c].preview + f.channels[c].no_answer
    end = now + hours
    if agent >= 0:
        until = s.agents[agent].until
        if end > until and f.teams[f.agents[agent].team].hand_back:
            end, hours, code = until, until - now, HANDED_BACK
            answer = answer if answer <= end else NEVER
        elif code == REACHED:
            s.agents[agent].contacts += 1
    _log(s, 0, o, s.work[o].attempts, c, agent, s.work[o].due_at, now, answer, end, hours, until, code)
    _settle(f, s, o, c, code, w, end)
    return float(end)


@njit
def _settle(f: Floor, s: State, o: int, c: int, code: int, w: float, end: float) -> None:
    s.work[o].promised_until = -1.0
    if code == REACHED:
        s.work[o].state = IS_REACHED
        if w < f.channels[c].opt_out:
            s.people[f.orders[o].person].state = OPTED_OUT
        return
    step = s.work[o].step
    is_left = s.work[o].tried < f.steps[o, step].cap
    if code == CALLBACK and is_left:
        at = end + f.channels[c].callback[0] + (f.channels[c].callback[1] - f.channels[c].callback[0]) * w
        s.work[o].promised_until = at + f.channels[c].callback[2]
        _retry(s, o, at)
    elif f.channels[c].retry[code] >= 0.0 and is_left:
        _retry(s, o, end + f.channels[c].retry[code] + f.channels[c].spread[code] * w)
    elif code == REFUSED:
        s.work[o].state = IS_REFUSED
    elif code == HUNG_UP:
        s.work[o].state = IS_HUNG_UP
    elif f.plans[f.orders[o].plan, step + 1].queue >= 0:
        s.work[o].step, s.work[o].tried, s.work[o].last_slot = step + 1, 0, -1
        _retry(s, o, end + f.channels[c].step_delay)
    else:
        s.work[o].state = IS_WRONG if code == WRONG_NUMBER else EXHAUSTED
