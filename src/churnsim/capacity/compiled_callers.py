"""Callers in the compiled engine."""

from __future__ import annotations

from churnsim.capacity import heap
from churnsim.capacity.chance import draws_at, law_hours
from churnsim.capacity.compiled_moves import begin, log, speed, take_agent, wait
from churnsim.capacity.compiled_state import IS_FULL, LOGGED, MOST_LINES, RETRIALS, STATE, State
from churnsim.capacity.floor import ABANDONED, CALLED_IN, NEVER, NOBODY, OPEN, SERVED, Floor
from churnsim.core.compiled import njit


@njit
def take_caller(f: Floor, s: State, team: int) -> bool:
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
            give_up(f, s, stream, i, since)
    return False


@njit
def _serve(f: Floor, s: State, team: int, stream: int, i: int, since: float) -> None:
    agent, now = take_agent(f, s, team), s.now[0]
    hours = f.calls[i].handle / speed(f, s, agent, team)
    end = now + hours
    log(s, 1, i, s.callers[i].made + 1, stream, agent, since, now, now, end, hours, s.agents[agent].until, SERVED)
    s.agents[agent].contacts += 1
    person = f.calls[i].person
    if person >= 0 and s.people[person, STATE] == OPEN:
        s.people[person, STATE] = CALLED_IN
    begin(f, s, agent, end)


@njit
def give_up(f: Floor, s: State, stream: int, i: int, since: float) -> None:
    left = s.callers[i].leaves
    s.callers[i].made += 1
    k = s.callers[i].made
    log(s, 1, i, k, stream, NOBODY, since, left, NEVER, left, 0.0, NEVER, ABANDONED)
    if f.streams[stream].retrial_prob > 0.0:
        counter = f.month[0].number << 16 | min(k, 0xFFFF)
        u, v, w = draws_at(f.calls[i].id, counter, f.streams[stream].retrial_number, f.month[0].k0, f.month[0].k1)
        if w < f.streams[stream].retrial_prob:
            at = left + law_hours(f.streams[stream].delay, u, v)
            u, v, _ = draws_at(f.calls[i].id, counter, f.streams[stream].patience_number, f.month[0].k0, f.month[0].k1)
            s.callers[i].leaves = at + law_hours(f.streams[stream].patience, u, v)
            if at <= s.now[0]:
                wait(s, stream, at, i)
            else:
                s.tally[RETRIALS] = heap.push(s.retrial, 0, s.tally[RETRIALS], at, i)
