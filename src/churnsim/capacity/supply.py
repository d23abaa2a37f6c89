"""How much work teams and channels can do between two moments of a month: what a plan may ask of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from churnsim.capacity.calendar import all_teams, batch_opening, month_start, serving, team_hours
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel, Team
from churnsim.core.clock import HOURS_PER_DAY, HOURS_PER_MONTH

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Supply:
    """Work that some channels can do together.

    Attributes
    ----------
    name
        The teams, with the channels where the same teams have several limits; or the channel that sends messages.
    channels
        Whose work counts against it.
    amount
        Minutes of staff, callers taken off; messages.
    unit
        "minutes" or "messages".
    """

    name: str
    channels: tuple[str, ...]
    amount: float
    unit: str


def supplies(names: Sequence[str], *, channels: Mapping[str, LiveChannel | BatchChannel], capacity: CapacitySettings,
             month: int, start_hours: float, end_hours: float) -> list[Supply]:
    """Return what limits the work of channels between two moments of a month.

    Of live channels: for each set of them, what the teams that serve any of them can do together: work within all of
    these can be shared out among the teams (Hall's condition). Agents are counted at work inside the set's calling
    windows, without absences and those kept for callers, less the expected work of callers whom no other team could
    serve and who are more than those kept free can serve. Messages are counted as the throttle lets through.

    Parameters
    ----------
    names
        Channels of the plan.
    start_hours, end_hours
        On the centre's clock, within the month.
    """
    span = start_hours, end_hours
    found = []
    for name in names:
        channel = channels[name]
        if isinstance(channel, BatchChannel):
            opening = batch_opening(channel, month=month)
            hours = sum(_overlap((a, b), span) for a, b in zip(opening.starts, opening.ends, strict=True))
            found.append(Supply(name, (name,), hours * channel.throttle_per_hour, "messages"))
    live = {name: channel for name in names if isinstance(channel := channels[name], LiveChannel)}
    return [*_of_teams(live, capacity, month, span), *found]


def _of_teams(live: Mapping[str, LiveChannel], capacity: CapacitySettings, month: int, span: tuple[float, float]
              ) -> list[Supply]:
    """Return the supply of each set of live channels, but of none inside another with the same teams and minutes."""
    every = all_teams(live, capacity)
    found: list[Supply] = []
    for size in range(1, len(live) + 1):
        for some in combinations(live, size):
            serve = {name for each in some for name in serving(each, live[each], capacity)}
            teams = tuple(name for name in every if name in serve)
            parts = {name: _parts(every[name], {each: live[each] for each in some}, capacity, month, span)
                     for name in teams}
            minutes = sum(_minutes(every[name], parts[name]) for name in teams) - _callers(parts, capacity, month)
            new = Supply(" and ".join(teams), some, max(minutes, 0.0), "minutes")
            found = [each for each in found if (each.name, each.amount) != (new.name, new.amount)
                     or not set(each.channels) < set(some)]
            found.append(new)
    names = Counter(each.name for each in found)
    return [replace(each, name=f"{each.name} on {' and '.join(each.channels)}") if names[each.name] > 1 else each
            for each in found]


def _parts(team: Team, live: Mapping[str, LiveChannel], capacity: CapacitySettings, month: int,
           span: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the stretches of hours in which a team is at work and may call on any of some channels."""
    found = []
    for start, end in team_hours(team, capacity, month=month):
        windows = [live[name].calling_window_hours for name in team.channels if name in live]
        for low, high in _days(windows, start, end):
            low, high = max(low, start, span[0]), min(high, end, span[1])
            if low < high:
                found.append((low, high))
    return found


def _minutes(team: Team, parts: Sequence[tuple[float, float]]) -> float:
    """Return the minutes that a team's agents have for orders in some stretches of hours."""
    hours = sum(high - low for low, high in parts)
    return hours * MINUTES_PER_HOUR * max(team.agents * (1.0 - team.absence_prob) - team.reserve_agents, 0.0)


def _days(windows: Sequence[tuple[float, float]], start: float, end: float) -> Iterator[tuple[float, float]]:
    """Yield the hours inside any of the windows on the days that a stretch touches."""
    for day in range(int(start // HOURS_PER_DAY), int(end // HOURS_PER_DAY) + 1):
        at = 0.0
        for low, high in sorted(windows):
            if high > at:
                yield HOURS_PER_DAY * day + max(low, at), HOURS_PER_DAY * day + high
                at = high


def _callers(parts: Mapping[str, Sequence[tuple[float, float]]], capacity: CapacitySettings, month: int) -> float:
    """Return the expected minutes of callers whom these teams alone serve, beyond what their reserves can.

    In the stretches of hours of each team: who calls at other times takes nothing from orders.
    """
    total = 0.0
    for name, stream in capacity.inbound.items():
        crew = {key: team for key, team in capacity.teams.items() if name in team.inbound and team.agents}
        if crew and set(crew) <= set(parts):
            hours = {key: _by_hour(parts[key], month) for key in crew}
            answered = np.max(list(hours.values()), axis=0)
            calls = float(mean_calls(stream, start_weekday=capacity.start_weekday, month=month) @ answered)
            agents = sum(team.agents for team in crew.values())
            productivity = sum(team.agents * team.productivity for team in crew.values()) / agents
            kept = sum(team.reserve_agents * float(hours[key].sum()) for key, team in crew.items()) * MINUTES_PER_HOUR
            total += max(calls * stream.handle.mean_minutes / productivity - kept, 0.0)
    return total


def _by_hour(parts: Sequence[tuple[float, float]], month: int) -> Float64:
    """Return the share of each hour of a month that some stretches of hours take, (720,)."""
    begins = month_start(month) + np.arange(HOURS_PER_MONTH)
    share = np.zeros(HOURS_PER_MONTH)
    for start, end in parts:
        share += np.clip(np.minimum(begins + 1, end) - np.maximum(begins, start), 0.0, None)
    return share


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(min(one[1], other[1]) - max(one[0], other[0]), 0.0)
