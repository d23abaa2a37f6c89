"""What the compiled engine does with agents, queues and the log."""

from __future__ import annotations

from churnsim.capacity import heap
from churnsim.capacity.chance import practice
from churnsim.capacity.compiled_state import ALL_FREE, BEGUN, ENDS, LOGGED, PROMISED, RETRIES, State
from churnsim.capacity.floor import Floor
from churnsim.core.compiled import njit


@njit
def set_free(f: Floor, s: State, agent: int) -> None:
    team = f.agents[agent].team
    s.agents[agent].idle = True
    if not s.agents[agent].in_heap:
        s.agents[agent].in_heap = True
        s.teams[team].size = heap.push(s.idle, s.teams[team].base, s.teams[team].size, 0.0, agent)
    s.teams[team].free += 1
    s.tally[ALL_FREE] += 1


@njit
def unset_free(f: Floor, s: State, agent: int) -> None:
    s.agents[agent].idle = False
    s.teams[f.agents[agent].team].free -= 1
    s.tally[ALL_FREE] -= 1


@njit
def take_agent(f: Floor, s: State, team: int) -> int:
    base = s.teams[team].base
    while True:
        agent = s.idle[base].item
        s.teams[team].size = heap.pop(s.idle, base, s.teams[team].size)
        s.agents[agent].in_heap = False
        if s.agents[agent].idle:
            break
    unset_free(f, s, agent)
    s.agents[agent].busy = True
    return int(agent)


@njit
def begin(f: Floor, s: State, agent: int, end: float) -> None:
    item = s.tally[BEGUN] * f.agents.shape[0] + agent
    s.tally[BEGUN] += 1
    s.tally[ENDS] = heap.push(s.ends, 0, s.tally[ENDS], end, item)


@njit
def join(f: Floor, s: State, o: int) -> None:
    rank = PROMISED if s.work[o].promised_until >= 0.0 else s.work[o].rank
    q = f.plans[f.orders[o].plan, s.work[o].step].queue
    s.queues[q].size = heap.push(s.due, s.queues[q].base, s.queues[q].size, rank, o)


@njit
def wait(s: State, stream: int, at: float, i: int) -> None:
    s.streams[stream].size = heap.push(s.waiting, s.streams[stream].base, s.streams[stream].size, at, i)


@njit
def retry_at(s: State, o: int, at: float) -> None:
    s.tally[RETRIES] = heap.push(s.retry, 0, s.tally[RETRIES], at, o)


@njit
def log(s: State, is_call: int, item: int, attempt: int, place: int, agent: int, since: float, start: float,
         answer: float, end: float, hours: float, shift_end: float, code: int) -> None:
    k = s.tally[LOGGED]
    s.tally[LOGGED] = k + 1
    row = s.log[k]
    row.is_call, row.item, row.attempt, row.place, row.agent, row.code = is_call, item, attempt, place, agent, code
    row.since, row.start, row.answer = since, start, answer
    row.end, row.hours, row.shift_end = end, hours, shift_end


@njit
def speed(f: Floor, s: State, agent: int, team: int) -> float:
    speed = f.agents[agent].productivity
    if f.teams[team].learn_start < 1.0:
        speed *= practice(f.teams[team].learn_start, f.teams[team].learn_half, s.agents[agent].contacts)
    return float(speed)
