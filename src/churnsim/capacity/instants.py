"""The edges of a month at which something opens, closes, begins or ends, as numbers for the engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.capacity.calendar import day_hours, month_start, working_days
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.floor import CHANGE, EDGE
from churnsim.capacity.settings import CapacitySettings, LiveChannel, Team
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_MONTH
from churnsim.core.draws import Key, stream, uniform

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
# One id a day and agent.
AGENTS = 1 << 20


def instants(teams: Mapping[str, Team], live: Mapping[str, LiveChannel], capacity: CapacitySettings, *,
             groups: Ints, team_queue: Ints, key: Key, month: int) -> dict[str, Any]:
    """Return the edges of a month in order: `edges`, `edge_open`, `clear_rate` and `changes` of the floor.

    A last edge at infinity ends the list of changes.

    A change is the start or the end of a stretch that one agent is at work; at one edge ends come first, then starts
    by agent.
    """
    starts, ends, agents = stretches(teams, capacity, key=key, month=month)
    time = np.concatenate([ends, starts])
    until = np.concatenate([np.full(len(ends), -1.0), ends])
    agent = np.concatenate([agents, agents])
    order = np.lexsort((agent, until >= 0, time))
    time, until, agent = time[order], until[order], agent[order]
    days = HOURS_PER_DAY * np.arange(DAYS_PER_MONTH * month, DAYS_PER_MONTH * (month + 1) + 1, dtype=np.float64)
    windows = [days[:-1] + hour for channel in live.values() for hour in channel.calling_window_hours]
    edge = np.unique(np.concatenate([time, days, *windows]))
    in_day = edge % HOURS_PER_DAY
    low = np.array([channel.calling_window_hours[0] for channel in live.values()])
    high = np.array([channel.calling_window_hours[1] for channel in live.values()])
    is_open = (low <= in_day[:, None]) & (in_day[:, None] < high) & (edge[:, None] < month_start(month + 1))
    edges, changes = np.zeros(len(edge) + 1, EDGE), np.zeros(len(time), CHANGE)
    edges["time"][:-1], edges["time"][-1] = edge, np.inf
    edges["day"][:-1] = np.isin(edge, days[:-1])
    edges["change"] = np.append(np.searchsorted(time, edge), len(time))
    changes["agent"], changes["until"] = agent, until
    return {
        "edges": edges, "changes": changes, "edge_open": is_open,
        "clear_rate": _clear_rate(edge, teams, capacity, starts, ends, agents, groups, team_queue, month=month),
    }


def stretches(teams: Mapping[str, Team], capacity: CapacitySettings, *, key: Key, month: int
               ) -> tuple[Floats, Floats, Ints]:
    """Return the stretches that agents are at work, absences left out: starts, ends and agents."""
    parts, first = [np.zeros((0, 3))], 0
    for name, team in teams.items():
        own = np.arange(team.agents)
        for day in working_days(team, capacity, month=month):
            away = np.zeros(team.agents, np.bool_)
            if team.absence_prob:
                ids = (day * AGENTS + own).astype(np.int64)
                away = uniform(key, stream(f"capacity.absence.{name}"), ids) < team.absence_prob
            here = first + own[~away]
            for start, end in day_hours(team, day, month=month):
                parts.append(np.column_stack([np.full(len(here), start), np.full(len(here), end), here]))
        first += team.agents
    table = np.concatenate(parts)
    return table[:, 0], table[:, 1], table[:, 2].astype(np.int64)


def _clear_rate(edge: Floats, teams: Mapping[str, Team], capacity: CapacitySettings, starts: Floats, ends: Floats,
                agents: Ints, groups: Ints, team_queue: Ints, *, month: int) -> Floats:
    """Return the agent hours an hour that each group of queues may count on from each edge to the month's end.

    Planned handle time of callers is taken off, (edges, groups), at least 0.
    """
    first, number = 0, int(groups.max(initial=-1)) + 1
    left = np.zeros((len(edge), number))
    remaining = np.maximum(month_start(month + 1) - edge, 1.0 / HOURS_PER_MONTH)
    for t, team in enumerate(teams.values()):
        own = np.flatnonzero((agents >= first) & (agents < first + team.agents))
        first += team.agents
        served = np.unique(groups[team_queue[t][team_queue[t] >= 0]])
        if not len(served):
            continue
        begins, finishes = np.sort(starts[own]), np.sort(ends[own])
        hours = _after(finishes, edge) - _after(begins, edge)
        left[:, served[0]] += hours
        for name in team.inbound:
            load = mean_calls(capacity.inbound[name], start_weekday=capacity.start_weekday, month=month)
            sharing = sum(each.agents for each in teams.values() if name in each.inbound)
            work = load * capacity.inbound[name].handle.mean_minutes / MINUTES_PER_HOUR * team.agents / max(sharing, 1)
            moments = month_start(month) + np.arange(1, HOURS_PER_MONTH + 1, dtype=np.float64)
            left[:, served[0]] -= np.interp(edge, moments, np.cumsum(work[::-1])[::-1])
    return np.maximum(left, 0.0) / remaining[:, None]


def _after(times: Floats, edge: Floats) -> Floats:
    """Return the sum of ``max(time - edge, 0)`` over sorted times, for each edge."""
    k = np.searchsorted(times, edge)
    total = np.append(np.cumsum(times[::-1])[::-1], 0.0)
    return np.asarray(total[k] - edge * (len(times) - k))
