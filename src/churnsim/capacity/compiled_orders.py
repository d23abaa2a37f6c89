"""Orders and attempts in the compiled engine."""

from __future__ import annotations

import numpy as np

from churnsim.capacity import heap
from churnsim.capacity.chance import draws_at
from churnsim.capacity.compiled_moves import begin, join, log, retry_at, speed, take_agent
from churnsim.capacity.compiled_state import EDGE, MADE, STATE, TIMES, WITHHELD, State
from churnsim.capacity.floor import (
    BUSY,
    CALLBACK,
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
    SLOT_HOURS,
    VOICEMAIL,
    WEEK_HOURS,
    WRONG_NUMBER,
    Floor,
    Ints,
)
from churnsim.core.compiled import njit


@njit
def take_order(f: Floor, s: State, team: int) -> bool:
    if s.teams[team].free <= f.teams[team].reserve:
        return False
    o, q = _first(f, s, f.team_queue[team])
    if o < 0:
        return False
    c, agent = f.queues[q].channel, take_agent(f, s, team)
    several = _lines(f, s, c)
    if several == 1:
        code, w = _try(f, s, o, c)
        s.channels[c].answered += _is_answered(code)
        end = _tell(f, s, o, c, code, w, agent)
    else:
        end = _dial_several(f, s, o, q, several, agent)
    begin(f, s, agent, end)
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
    if s.people[person, STATE] != OPEN or f.orders[o].gone <= now:
        s.work[o].state = int(s.people[person, STATE]) or OPTED_OUT
        return False
    if 0.0 <= s.work[o].promised_until < now:
        at = s.work[o].promised_until + f.channels[f.queues[q].channel].callback[3]
        s.work[o].promised_until = -1.0
        _again(f, s, o, at)
        return False
    for k in range(f.caps.shape[0]):
        attempts, made = f.caps[k].attempts, int(s.people[person, MADE])
        if made >= attempts:
            at = s.people[person, TIMES + (made - attempts) % f.month[0].remembered] + f.caps[k].hours
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
        join(f, s, o)
    else:
        retry_at(s, o, at)


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
        recent, made = 0, int(s.people[person, MADE])
        for k in range(min(made, f.month[0].remembered)):
            recent += s.people[person, TIMES + k] + WEEK_HOURS > now
        prob *= f.fatigue[recent]
        s.people[person, TIMES + made % f.month[0].remembered] = now
        s.people[person, MADE] = made + 1
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
            hours += f.handle[o, column] / speed(f, s, agent, f.agents[agent].team)
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
    log(s, 0, o, s.work[o].attempts, c, agent, s.work[o].due_at, now, answer, end, hours, until, code)
    _settle(f, s, o, c, code, w, end)
    return float(end)


@njit
def _settle(f: Floor, s: State, o: int, c: int, code: int, w: float, end: float) -> None:
    s.work[o].promised_until = -1.0
    if code == REACHED:
        s.work[o].state = IS_REACHED
        if w < f.channels[c].opt_out:
            s.people[f.orders[o].person, STATE] = OPTED_OUT
        return
    step = s.work[o].step
    is_left = s.work[o].tried < s.work[o].cap
    if code == CALLBACK and is_left:
        at = end + f.channels[c].callback[0] + (f.channels[c].callback[1] - f.channels[c].callback[0]) * w
        s.work[o].promised_until = at + f.channels[c].callback[2]
        retry_at(s, o, at)
    elif f.channels[c].retry[code] >= 0.0 and is_left:
        retry_at(s, o, end + f.channels[c].retry[code] + f.channels[c].spread[code] * w)
    elif code == REFUSED:
        s.work[o].state = IS_REFUSED
    elif code == HUNG_UP:
        s.work[o].state = IS_HUNG_UP
    elif f.plans[f.orders[o].plan, step + 1].queue >= 0:
        s.work[o].step, s.work[o].tried, s.work[o].last_slot = step + 1, 0, -1
        s.work[o].cap, s.work[o].rank = f.steps[o, step + 1].cap, s.rank[o, step + 1]
        retry_at(s, o, end + f.channels[c].step_delay)
    else:
        s.work[o].state = IS_WRONG if code == WRONG_NUMBER else EXHAUSTED
