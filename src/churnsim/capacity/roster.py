"""The hours of each team in a month: paid, at work, in breaks and absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.capacity.calendar import all_teams, month_start, staffed_hours
from churnsim.capacity.instants import stretches
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel, Team
from churnsim.core.clock import HOURS_PER_MONTH
from churnsim.core.draws import Key

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Roster:
    """Who is at work when in a month, absences taken off.

    Attributes
    ----------
    teams
        By name, the lines of automatic channels among them.
    start, end, agent, team
        (k,) one stretch at work of one agent: hours on the centre's clock, the agent's number, the team's place.
    paid_hours
        By team: hours on shift, breaks and absences included. Time between two shifts is not paid.
    staffed_hours
        By team: the same without breaks.
    """

    teams: dict[str, Team]
    start: Floats
    end: Floats
    agent: Ints
    team: Ints
    paid_hours: dict[str, float]
    staffed_hours: dict[str, float]

    def of(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which stretches are of a team, (k,)."""
        return np.asarray(self.team == list(self.teams).index(name))

    def at_work_hours(self, name: str) -> float:
        """Return the hours that the agents of a team were at work."""
        mine = self.of(name)
        return float((self.end[mine] - self.start[mine]).sum())


def make_roster(channels: Mapping[str, LiveChannel | BatchChannel], capacity: CapacitySettings, *, key: Key,
                month: int) -> Roster:
    """Return the roster of a month, with the absences that the engines draw."""
    teams = all_teams(channels, capacity)
    start, end, agent = stretches(teams, capacity, key=key, month=month)
    first = np.cumsum([0, *(team.agents for team in teams.values())])
    return Roster(teams, start, end, agent, np.searchsorted(first, agent, side="right") - 1,
                  {name: paid_hours(team, capacity, month=month) for name, team in teams.items()},
                  {name: staffed_hours(team, capacity, month=month) for name, team in teams.items()})


def paid_hours(team: Team, capacity: CapacitySettings, *, month: int) -> float:
    """Return the agent hours of a team on shift in a month, breaks and absences included."""
    unbroken = tuple(shift.model_copy(update={"breaks": ()}) for shift in team.shifts)
    return staffed_hours(team.model_copy(update={"shifts": unbroken}), capacity, month=month)


def by_hour(start: Floats, end: Floats, *, month: int) -> Floats:
    """Return how much of the spans [start, end) lies in each hour of a month, (720,); they may overlap.

    >>> by_hour(np.array([0.5]), np.array([2.25]), month=0)[:3].tolist()
    [0.5, 1.0, 0.25]
    """
    edge = month_start(month) + np.arange(HOURS_PER_MONTH + 1, dtype=np.float64)

    def passed(times: Floats) -> Floats:
        times = np.sort(times)
        k = np.searchsorted(times, edge)
        return np.asarray(edge * k - np.append(0.0, np.cumsum(times))[k])

    return np.diff(passed(start) - passed(np.maximum(end, start)))
