"""Nobody is idle while work is due, and the first is taken: by a replay that shares no code with the engines."""

from __future__ import annotations

from collections import defaultdict
from math import inf

import numpy as np

from churnsim.capacity.calendar import mean_answer_prob
from churnsim.capacity.dispatch_index import RULES, index, service_rate

# What "postponement" and "price" count as work ahead depends on what an engine has noticed by then.
FIXED_RULES = RULES[:8]
ROUNDING = 1e-9


def staff_on(replay, team, moments):
    """Return how many agents of a team are on shift and in no contact at moments."""
    free = np.zeros(len(moments), np.int64)
    busy = defaultdict(list)
    for t in replay.all_tries:
        busy[t.agent].append((t.start, t.end))
    for call in replay.calls:
        busy[call[4]].append((call[6], call[7]))
    for agent, (name, stretches) in enumerate(replay.agents):
        if name == team:
            on, taken = (inside(spans, moments) for spans in (stretches, busy[agent]))
            free += on & ~taken
    return free


def inside(spans, moments):
    found = np.zeros(len(moments), np.bool_)
    for low, high in spans:
        found |= (low < moments) & (moments < high)
    return found


def middles(replay):
    """Return a moment between each two at which something may change."""
    case = replay.case
    grid = [hour for _, stretches in replay.agents for span in stretches for hour in span]
    grid += [24.0 * day + hour for day in range(30 * case.month, 30 * case.month + 30)
             for channel in case.channels.values() for hour in (0.0, *channel.calling_window_hours)]
    for t in replay.all_tries:
        grid += [t.start, t.end, *(t.start + 24.0 * cap.days for cap in case.capacity.fatigue.caps)]
    grid += [hour for waits in replay.waits for wait in waits for hour in (wait.since, wait.until)]
    grid += [hour for call in replay.calls for hour in call[5:8]]
    edges = np.unique(np.clip([hour for hour in grid if hour < inf], replay.start, replay.end))
    low, high = edges[:-1], edges[1:]
    return ((low + high) / 2)[high - low > ROUNDING]


def test_no_agent_is_idle_while_work_is_due(replays):
    """Due: permitted now by window, skill, retry time, cap, reserve and price."""
    for replay in replays:
        moments = middles(replay)
        may_wait = replay.case.capacity.dispatch == "price"
        due = {name: np.zeros(len(moments), np.bool_) for name in replay.teams}
        for row, waits in enumerate(replay.waits):
            permitted = replay.is_permitted(row, moments)
            for wait in waits:
                if wait.promised or not may_wait:
                    channel = replay.live_steps[row][wait.step]
                    now = inside([(wait.since, wait.until)], moments) & replay.is_open(channel, moments) & permitted
                    for team in replay.teams:
                        if replay.serves(team, row, wait.step):
                            due[team] |= now
        for name, team in replay.teams.items():
            free = staff_on(replay, name, moments)
            assert not (due[name] & (free > team.reserve_agents)).any()
            waiting = inside([(call[5], min(call[6], call[7])) for call in replay.calls if call[0] in team.inbound],
                             moments)
            assert not (waiting & (free > 0)).any()


def test_orders_leave_the_reserve_free(replays):
    """Just after an order was begun as many of the team are free as are kept, callers of the same moment aside."""
    seen = 0
    for replay in replays:
        for name, team in replay.teams.items():
            starts = np.unique([t.start for t in replay.all_tries if t.team == name])
            if team.reserve_agents and len(starts):
                callers = [sum(call[6] == start and call[3] == name for call in replay.calls) for start in starts]
                free = staff_on(replay, name, starts + ROUNDING)
                seen += len(starts)
                assert (free + callers >= team.reserve_agents).all()
    assert seen > 50


def rank(replay, row, step):
    """Return what an order is worked by: promises first, then this, then the id."""
    case, orders, name = replay.case, replay.case.orders, replay.live_steps[row][step]
    channel = case.channels[name]
    p = min(mean_answer_prob(name, channel, case.capacity) * orders.answer_habit[row], 1.0)
    mu = service_rate(p, channel.handle_minutes_mean / 60.0, channel.no_answer_minutes / 60.0)
    release = min(replay.first_due(row), orders.deadline_hours[row])
    return -index(RULES.index(case.capacity.dispatch), orders.value[row], p, mu, orders.loss_rate_monthly[row] / 720,
                  1.0, release, orders.deadline_hours[row], orders.priority[row])


def test_the_first_due_order_is_taken(replays):
    """No order that waited before and after a contact began goes before the one that was taken."""
    compared = 0
    for replay in replays:
        if replay.case.capacity.dispatch not in FIXED_RULES:
            continue
        waits = [wait for several in replay.waits for wait in several]
        key = {(w.row, w.step): (rank(replay, w.row, w.step), replay.case.orders.order_id[w.row]) for w in waits}
        chosen = {wait.by.at: wait for wait in waits if wait.by}
        for t in replay.all_tries:
            own = (not chosen[t.at].promised, *key[t.row, t.step])
            for other in waits:
                if other.since < t.start < other.until and is_rival(replay, t, other):
                    compared += 1
                    assert own < (not other.promised, *key[other.row, other.step])
    assert compared > 1000


def is_rival(replay, t, other):
    """Return whether the team that began an attempt might have tried another order then."""
    channel, skill = replay.live_steps[other.row][other.step], replay.case.orders.skill
    if replay.is_predictive(t.channel) and (channel != t.channel or skill[other.row] != skill[t.row]):
        return False
    team = t.team or next(name for name in replay.teams if replay.serves(name, t.row, t.step))
    at_once = any(each.start == t.start for each in replay.by_person[replay.subscriber[other.row]])
    is_closed = replay.closed.get(replay.subscriber[other.row], (inf, ""))[0] <= t.start
    return (replay.serves(team, other.row, other.step) and replay.is_open(channel, t.start) and not at_once
            and not is_closed and bool(replay.is_permitted(other.row, t.start)))


def test_callers_go_first_and_in_turn_and_the_lowest_free_agent_is_taken(replays):
    compared = 0
    for replay in replays:
        begun = [(t.start, t.agent, t.team, inf, inf) for t in replay.all_tries if t.agent >= 0]
        begun += [(call[6], call[4], call[3], replay.teams[call[3]].inbound.index(call[0]), call[5])
                  for call in replay.calls if call[8] == "served"]
        busy = defaultdict(list)
        for t in replay.all_tries:
            busy[t.agent].append((t.start, t.end))
        for call in replay.calls:
            busy[call[4]].append((call[6], call[7]))
        for start, agent, team, place, since in begun:
            for call in replay.calls:
                streams = replay.teams[team].inbound
                if call[0] in streams and call[5] < start < min(call[6], call[7]):
                    compared += 1
                    assert (place, since) <= (streams.index(call[0]), call[5])
            for lower in range(agent):
                name, stretches = replay.agents[lower]
                is_on = any(low < start < high for low, high in stretches)
                assert name != team or not is_on or any(low <= start <= high for low, high in busy[lower])
    assert compared > 1000
