"""Who is at work when: shifts, breaks, holidays and calling windows of a month, in hours on the centre's clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from churnsim.capacity.settings import (
    AutomaticChannel,
    BatchChannel,
    CapacitySettings,
    LiveChannel,
    Shift,
    Team,
    Weekday,
)
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_MONTH, WEEKDAYS, weekday
from churnsim.errors import CapacityError

Hours = npt.NDArray[np.float64]
Channels = Mapping[str, LiveChannel | BatchChannel]
Span = tuple[float, float]
LINES = " lines"


@dataclass(frozen=True)
class Opening:
    """Stretches of a month during which a channel may be used: [starts, ends), increasing and apart."""

    starts: Hours
    ends: Hours

    def next_open(self, at: Hours) -> Hours:
        """Return the first open moment at or after each of `at`; infinite when the month has none left."""
        k = np.searchsorted(self.ends, at, side="right")
        return np.asarray(np.maximum(at, np.append(self.starts, np.inf)[k]))

    def elapsed(self, at: Hours) -> Hours:
        """Return the open hours that have passed before each of `at`."""
        k = np.searchsorted(self.starts, at, side="right") - 1
        lengths = np.minimum(at, self.ends[k]) - self.starts[k]
        return np.where(k < 0, 0.0, (self._total() - (self.ends - self.starts))[k] + lengths)

    def moment(self, elapsed: Hours) -> Hours:
        """Return the open moment by which `elapsed` open hours have passed; infinite beyond the last."""
        total = self._total()
        k = np.searchsorted(total, elapsed, side="right")
        before = total - (self.ends - self.starts)
        return np.asarray(np.append(self.starts, np.inf)[k] + (elapsed - np.append(before, 0.0)[k]))

    def _total(self) -> Hours:
        return np.cumsum(self.ends - self.starts)


def month_start(month: int) -> float:
    """Return the hour on the centre's clock at which a month begins."""
    return float(HOURS_PER_MONTH * month)


def all_teams(channels: Channels, capacity: CapacitySettings) -> dict[str, Team]:
    """Return the teams by name, after them the lines of each automatic channel as a team without cost."""
    lines = {f"{name}{LINES}": _lines(name, channel) for name, channel in channels.items()
             if isinstance(channel, AutomaticChannel)}
    return {**capacity.teams, **lines}


def serving(name: str, channel: LiveChannel, capacity: CapacitySettings) -> dict[str, Team]:
    """Return the teams with agents that serve a channel, its own lines among them, by name."""
    teams = all_teams({name: channel}, capacity)
    return {key: team for key, team in teams.items() if name in team.channels and team.agents}


def _lines(name: str, channel: AutomaticChannel) -> Team:
    start, end = channel.calling_window_hours
    return Team(agents=channel.lines, cost_per_hour_amount=0.0, channels=(name,), weekdays=get_args(Weekday),
                shifts=(Shift(start_hour=start, end_hour=end),))


def spans(shift: Shift) -> Iterator[Span]:
    """Yield the hours of a day at work: the shift without its breaks."""
    at = shift.start_hour
    for start, end in sorted(shift.breaks):
        if start > at:
            yield at, start
        at = end
    if shift.end_hour > at:
        yield at, shift.end_hour


def working_days(team: Team, capacity: CapacitySettings, *, month: int) -> Iterator[int]:
    """Yield the days of a month, and the one before it, on which the shifts of a team begin.

    The day before: its shifts may run over midnight.
    """
    first = WEEKDAYS.index(capacity.start_weekday)
    for day in range(DAYS_PER_MONTH * month - 1, DAYS_PER_MONTH * (month + 1)):
        if WEEKDAYS[weekday(day, start_weekday=first)] in team.weekdays and day not in capacity.holidays and day >= 0:
            yield day


def day_hours(team: Team, day: int, *, month: int) -> Iterator[Span]:
    """Yield the hours at work of the shifts that begin on a day, cut at the month's ends, joined where they meet."""
    low, high = month_start(month), month_start(month + 1)
    joined: list[Span] = []
    for start, end in sorted(span for shift in team.shifts for span in spans(shift)):
        start, end = max(HOURS_PER_DAY * day + start, low), min(HOURS_PER_DAY * day + end, high)
        if start >= end:
            continue
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    yield from joined


def team_hours(team: Team, capacity: CapacitySettings, *, month: int) -> list[Span]:
    """Return when a team is at work in a month: spans in hours on the centre's clock, in order of their days."""
    return [span for day in working_days(team, capacity, month=month) for span in day_hours(team, day, month=month)]


def live_opening(name: str, channel: LiveChannel, capacity: CapacitySettings, *, month: int) -> Opening:
    """Return when at least one team may call on a live channel."""
    window = _window_hours(channel, month=month)
    at_work = [span for team in serving(name, channel, capacity).values()
               for span in team_hours(team, capacity, month=month)]
    both = sorted((max(a, c), min(b, d)) for a, b in at_work for c, d in window if max(a, c) < min(b, d))
    merged: list[Span] = []
    for start, end in both:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return _opening(merged)


def batch_opening(channel: BatchChannel, *, month: int) -> Opening:
    """Return when a batch channel may send: its window on every day."""
    return _opening(_window_hours(channel, month=month))


def _window_hours(channel: LiveChannel | BatchChannel, *, month: int) -> list[Span]:
    start, end = channel.calling_window_hours
    days = range(DAYS_PER_MONTH * month, DAYS_PER_MONTH * (month + 1))
    return [(HOURS_PER_DAY * day + start, HOURS_PER_DAY * day + end) for day in days]


def _opening(found: list[Span]) -> Opening:
    pairs = np.array(found, dtype=np.float64).reshape(-1, 2)
    return Opening(pairs[:, 0].copy(), pairs[:, 1].copy())


def agent_hours_by_hour(name: str, channel: LiveChannel, capacity: CapacitySettings) -> Hours:
    """Return the agent hours of a week that may call on a channel, by hour of the day, shape (24,)."""
    hour = np.arange(HOURS_PER_DAY, dtype=np.float64)
    total = np.zeros(HOURS_PER_DAY)
    low, high = channel.calling_window_hours
    for team in serving(name, channel, capacity).values():
        for shift in team.shifts:
            for start, end in spans(shift):
                # A shift over midnight is worked on the early hours of the next day.
                for shift_by in (0.0, float(HOURS_PER_DAY)):
                    begins, ends = max(start - shift_by, low), min(end - shift_by, high)
                    inside = np.clip(np.minimum(hour + 1, ends) - np.maximum(hour, begins), 0.0, None)
                    total += team.agents * len(set(team.weekdays)) * inside
    return total


def mean_answer_prob(name: str, channel: LiveChannel, capacity: CapacitySettings) -> float:
    """Return the mean probability of an answer over the agent hours of a channel; 0 without any."""
    weights = agent_hours_by_hour(name, channel, capacity)
    return float(np.average(channel.answer_prob_by_hour, weights=weights)) if weights.any() else 0.0


def staffed_hours(team: Team, capacity: CapacitySettings, *, month: int) -> float:
    """Return the agent hours a team is on shift in a month, absences not taken off."""
    return team.agents * sum(end - start for start, end in team_hours(team, capacity, month=month))


@dataclass(frozen=True)
class HiredStaff:
    """An average agent of the teams that serve a channel, each team weighing as many as its agents."""

    cost_per_hour_amount: float
    productivity: float


def hired_staff(name: str, channel: LiveChannel, capacity: CapacitySettings) -> HiredStaff:
    """Return the staff that would be hired for a channel.

    Raises
    ------
    CapacityError
        No team that serves the channel has agents.
    """
    teams = serving(name, channel, capacity).values()
    if not teams:
        raise CapacityError(f"no agents serve the live channel {name!r}; "
                            "add it to a team with agents under capacity.teams")
    weights = [team.agents for team in teams]
    return HiredStaff(
        cost_per_hour_amount=float(np.average([t.cost_per_hour_amount for t in teams], weights=weights)),
        productivity=float(np.average([t.productivity for t in teams], weights=weights)),
    )
