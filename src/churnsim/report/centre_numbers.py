"""A centre's month by hour of the day, by attempt, by agent and by wait: what its figures show."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.calendar import month_start, team_hours
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.case import Case
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.log import ContactLog
from churnsim.capacity.roster import Roster, by_hour
from churnsim.capacity.settings import InboundStream
from churnsim.capacity.staff_metrics import SECONDS_PER_HOUR, wait_hours
from churnsim.capacity.theory.abandonment import erlang_a
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY
from churnsim.errors import CapacityError

Floats = npt.NDArray[np.float64]
# Rows of the figure of a day.
MOST_AGENTS = 40
SHOWN_SECONDS = np.arange(0.0, 181.0, 5.0)


class Span(NamedTuple):
    """A stretch of an agent's day: agent, what was done, and its hours of the day."""

    team: str
    agent: int
    what: str
    start: float
    end: float


def hours_of_day(log: ContactLog, case: Case, roster: Roster) -> pd.DataFrame:
    """Return the mean queue and each team's occupancy by hour of the day.

    Returns
    -------
    DataFrame
        hour, what ("callers waiting", "orders waiting", "occupancy"), team ("" for queues), value: of queues the mean
        number waiting, of occupancy the share of time at work; hours in which nobody is at work are left out.
    """
    month, attempts, calls = case.month, log.attempts, log.calls
    start, end = month_start(month), month_start(month + 1)
    untried = (log.outcomes.attempts == 0) & case.orders.consent
    since = np.concatenate([attempts.due_hours, case.orders.release_hours[untried]])
    until = np.concatenate([attempts.start_hours, np.minimum(case.orders.deadline_hours[untried], end)])
    since = np.maximum(since, start)
    queues = {"callers waiting": _of_day(by_hour(calls.call_hours, calls.call_hours + wait_hours(calls), month=month)),
              "orders waiting": _of_day(by_hour(np.minimum(since, until), until, month=month))}
    rows = [(hour, name, "", value / DAYS_PER_MONTH) for name, values in queues.items()
            for hour, value in enumerate(values)]
    for name in roster.teams:
        mine, called = attempts.team == name, (calls.team == name) & np.isfinite(calls.start_hours)
        busy = _of_day(by_hour(np.concatenate([attempts.start_hours[mine], calls.start_hours[called]]),
                               np.concatenate([attempts.end_hours[mine], calls.end_hours[called]]), month=month))
        there = roster.of(name)
        at_work = _of_day(by_hour(roster.start[there], roster.end[there], month=month))
        # Overtime may fill the hour in which few are left.
        rows += [(hour, "occupancy", name, min(busy[hour] / at_work[hour], 1.0))
                 for hour in np.flatnonzero(at_work > 0).tolist()]
    return pd.DataFrame(rows, columns=["hour", "what", "team", "value"])


def _of_day(hours: Floats) -> Floats:
    return np.asarray(hours.reshape(-1, HOURS_PER_DAY).sum(axis=0))


def reach_by_attempt(log: ContactLog) -> pd.DataFrame:
    """Return attempts by agents or lines and how many reached, by number of the attempt and hour of the day."""
    attempts = log.attempts
    live = attempts.team != ""
    frame = pd.DataFrame({"attempt": attempts.attempt[live], "hour": (attempts.start_hours[live] % 24).astype(np.int64),
                          "reached": attempts.is_reached[live].astype(np.int64)})
    frame = frame.groupby(["attempt", "hour"])["reached"].agg(attempts="size", reached="sum").reset_index()
    frame["reach_rate"] = frame["reached"] / frame["attempts"]
    return frame


def busiest_day(log: ContactLog, case: Case, roster: Roster) -> tuple[int, list[Span]]:
    """Return the day on which most contacts began, and what the agents of teams did on it."""
    attempts, calls = log.attempts, log.calls
    made, taken = attempts.agent >= 0, (calls.agent >= 0) & np.isfinite(calls.start_hours)
    begun = np.concatenate([attempts.start_hours[made], calls.start_hours[taken]])
    if not len(begun):
        return DAYS_PER_MONTH * case.month, []
    days, count = np.unique((begun // HOURS_PER_DAY).astype(np.int64), return_counts=True)
    day = int(days[count.argmax()])
    what = np.where(attempts.is_reached, "reached", "not reached")
    own = list(case.capacity.teams)
    at_work = [Span(own[team], int(agent), "at work", start, end) for team, agent, start, end in
               zip(roster.team, roster.agent, roster.start, roster.end, strict=True) if team < len(own)]
    done = [Span(*each) for each in zip(attempts.team[made], attempts.agent[made], what[made],
                                        attempts.start_hours[made], attempts.end_hours[made], strict=True)]
    done += [Span(*each) for each in zip(calls.team[taken], calls.agent[taken], ["caller"] * int(taken.sum()),
                                         calls.start_hours[taken], calls.end_hours[taken], strict=True)]
    first = float(HOURS_PER_DAY * day)
    return day, [Span(str(team), int(agent), what, float(begin) - first, float(end) - first)
                 for team, agent, what, begin, end in at_work + done
                 if first <= begin < first + HOURS_PER_DAY and team in own]


def waits(log: ContactLog, case: Case, stream: str) -> pd.DataFrame:
    """Return the share of a stream's callers not yet answered after some seconds, beside Erlang-A.

    Erlang-A hour by hour: in each hour as if its rate and its agents, less mean absence, had always been there and the
    stream had them for itself; who calls while nobody is at work is not answered.

    Returns
    -------
    DataFrame
        seconds, simulated, erlang_a (NaN if more call than can be served and nobody gives up).
    """
    calls = log.calls
    mine = calls.stream == stream
    wait = np.where(calls.disposition[mine] == "served", wait_hours(calls)[mine] * SECONDS_PER_HOUR, np.inf)
    simulated = [float((wait > second).mean()) if len(wait) else 0.0 for second in SHOWN_SECONDS]
    return pd.DataFrame({"seconds": SHOWN_SECONDS, "simulated": simulated,
                         "erlang_a": 1.0 - _within(case, stream, case.capacity.inbound[stream])})


def _within(case: Case, name: str, stream: InboundStream) -> Floats:
    rates = mean_calls(stream, start_weekday=case.capacity.start_weekday, month=case.month)
    hours, speed, manned = np.zeros(len(rates)), np.zeros(len(rates)), np.zeros(len(rates))
    for team in case.capacity.teams.values():
        if name in team.inbound and team.agents:
            spans = np.array(team_hours(team, case.capacity, month=case.month)).reshape(-1, 2)
            there = by_hour(spans[:, 0], spans[:, 1], month=case.month)
            manned = np.maximum(manned, there)
            hours = hours + there * team.agents * (1.0 - team.absence_prob)
            speed = speed + there * team.agents * (1.0 - team.absence_prob) * team.productivity
    patience = np.inf if stream.patience is None else stream.patience.mean_minutes / MINUTES_PER_HOUR
    kinds = pd.DataFrame({"rate": rates, "manned": manned, "agents": np.rint(hours / np.maximum(manned, 1e-9)),
                          "productivity": speed / np.maximum(hours, 1e-9)}).round(6)
    kinds = kinds[kinds["rate"] > 0].value_counts().reset_index()
    answered = np.zeros(len(SHOWN_SECONDS))
    handle = stream.handle.mean_minutes / MINUTES_PER_HOUR
    for rate, share, count, productivity, number in kinds.to_numpy(np.float64):
        if count < 1:
            continue
        try:
            found = erlang_a(int(count), float(rate), handle_hours=handle / float(productivity),
                             patience_hours=patience)
        except CapacityError:
            return np.full(len(SHOWN_SECONDS), np.nan)
        within = np.array([found.within(second / SECONDS_PER_HOUR) for second in SHOWN_SECONDS])
        answered += rate * share * number * within
    return answered / max(float((kinds["rate"] * kinds["count"]).sum()), 1e-300)
