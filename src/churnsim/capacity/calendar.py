"""Who may call on which channel when: shifts, weekdays and calling windows folded into phases of a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel, Team
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_MONTH, WEEKDAYS, weekday
from churnsim.errors import CapacityError

Hours = npt.NDArray[np.float64]
Menu = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Phases:
    """Stretches of a month within which nothing opens or closes.

    Attributes
    ----------
    edges
        Hours on the centre's clock, increasing; phase `k` is [edges[k], edges[k + 1]). The last edge is the
        month's end.
    menus
        For each phase, for each team, the positions of the channels it may call; empty from the last edge on.
    """

    edges: list[float]
    menus: list[Menu]


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


def phases(channels: Mapping[str, LiveChannel], capacity: CapacitySettings, *, month: int) -> Phases:
    """Return the phases of a month; the menus number channels and teams in their order."""
    teams = list(capacity.teams.values())
    cuts = sorted({0.0} | {h for c in channels.values() for h in c.calling_window_hours}
                  | {h for t in teams for s in t.shifts for h in (s.start_hour, s.end_hour)})
    first = WEEKDAYS.index(capacity.start_weekday)
    edges: list[float] = []
    menus: list[Menu] = []
    for day in range(DAYS_PER_MONTH * month, DAYS_PER_MONTH * (month + 1)):
        name = WEEKDAYS[weekday(day, start_weekday=first)]
        for hour in cuts:
            menu = tuple(_callable(team, channels, name, hour) for team in teams)
            if hour < HOURS_PER_DAY and (not menus or menu != menus[-1]):
                edges.append(HOURS_PER_DAY * day + hour)
                menus.append(menu)
    edges.append(month_start(month + 1))
    menus.append(((),) * len(teams))
    return Phases(edges, menus)


def _callable(team: Team, channels: Mapping[str, LiveChannel], day_name: str, hour: float) -> tuple[int, ...]:
    if day_name not in team.weekdays or not any(s.start_hour <= hour < s.end_hour for s in team.shifts):
        return ()
    return tuple(i for i, (name, channel) in enumerate(channels.items()) if name in team.channels
                 and channel.calling_window_hours[0] <= hour < channel.calling_window_hours[1])


def live_opening(name: str, channel: LiveChannel, capacity: CapacitySettings, *, month: int) -> Opening:
    """Return when at least one team may call on a live channel."""
    calendar = phases({name: channel}, capacity, month=month)
    is_open = [any(menu) for menu in calendar.menus]
    changes = [k for k in range(len(is_open)) if is_open[k] != (k > 0 and is_open[k - 1])]
    return _opening([calendar.edges[k] for k in changes])


def batch_opening(channel: BatchChannel, *, month: int) -> Opening:
    """Return when a batch channel may send: its window on every day."""
    days = range(DAYS_PER_MONTH * month, DAYS_PER_MONTH * (month + 1))
    return _opening([HOURS_PER_DAY * day + hour for day in days for hour in channel.calling_window_hours])


def _opening(edges: Sequence[float]) -> Opening:
    pairs = np.array(edges, dtype=np.float64).reshape(-1, 2)
    return Opening(pairs[:, 0].copy(), pairs[:, 1].copy())


def agent_hours_by_hour(name: str, channel: LiveChannel, capacity: CapacitySettings) -> Hours:
    """Return the agent hours of a week that may call on a channel, by hour of the day, shape (24,)."""
    hour = np.arange(HOURS_PER_DAY, dtype=np.float64)
    total = np.zeros(HOURS_PER_DAY)
    for team in capacity.teams.values():
        if name not in team.channels:
            continue
        for shift in team.shifts:
            start = max(shift.start_hour, channel.calling_window_hours[0])
            end = min(shift.end_hour, channel.calling_window_hours[1])
            inside = np.clip(np.minimum(hour + 1, end) - np.maximum(hour, start), 0.0, None)
            total += team.agents * len(set(team.weekdays)) * inside
    return total


def staffed_hours(team: Team, capacity: CapacitySettings, *, month: int) -> float:
    """Return the agent hours a team is on shift in a month."""
    first = WEEKDAYS.index(capacity.start_weekday)
    days = range(DAYS_PER_MONTH * month, DAYS_PER_MONTH * (month + 1))
    worked = sum(WEEKDAYS[weekday(day, start_weekday=first)] in team.weekdays for day in days)
    return team.agents * worked * sum(s.end_hour - s.start_hour for s in team.shifts)


@dataclass(frozen=True)
class HiredStaff:
    """An average agent of the teams that serve a channel, each team weighing as many as its agents."""

    cost_per_hour_amount: float
    productivity: float


def hired_staff(name: str, capacity: CapacitySettings) -> HiredStaff:
    """Return the staff that would be hired for a channel.

    Raises
    ------
    CapacityError
        No team that serves the channel has agents.
    """
    teams = [team for team in capacity.teams.values() if name in team.channels and team.agents]
    if not teams:
        raise CapacityError(f"no agents serve the live channel {name!r}; "
                            "add it to a team with agents under capacity.teams")
    weights = [team.agents for team in teams]
    return HiredStaff(
        cost_per_hour_amount=float(np.average([t.cost_per_hour_amount for t in teams], weights=weights)),
        productivity=float(np.average([t.productivity for t in teams], weights=weights)),
    )
