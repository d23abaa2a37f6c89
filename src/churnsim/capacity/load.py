"""How much work orders and callers bring to the teams of a month, before anybody is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from churnsim.capacity.calendar import staffed_hours
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.inbound_checks import team_groups
from churnsim.capacity.orders import Orders, plan_steps
from churnsim.capacity.plan import planned_reach
from churnsim.capacity.settings import AutomaticChannel, BatchChannel, CapacitySettings, LiveChannel, Team
from churnsim.core.clock import HOURS_PER_MONTH


@dataclass(frozen=True)
class Load:
    """Work for teams that share channels or streams, in agent hours of a month.

    Attributes
    ----------
    teams
        Names.
    work_hours
        Expected agent time of all attempts that orders would take, and of all callers.
    staffed_hours
        On shift, absences taken off.
    """

    teams: tuple[str, ...]
    work_hours: float
    staffed_hours: float

    @property
    def ratio(self) -> float:
        """Work over staff; infinite without staff, 0 without work."""
        if not self.work_hours:
            return 0.0
        return self.work_hours / self.staffed_hours if self.staffed_hours else float("inf")

    def text(self) -> str:
        """Return the load as a line to read."""
        return (f"{', '.join(self.teams)}: {self.work_hours:,.0f} hours of work for {self.staffed_hours:,.0f} hours of "
                f"staff ({self.ratio:.2f} times)")


def offered_load(orders: Orders, *, channels: Mapping[str, LiveChannel | BatchChannel], capacity: CapacitySettings,
                 month: int) -> list[Load]:
    """Return the load of each group of teams that share channels or streams.

    Orders are expected to take the attempts of :func:`churnsim.capacity.plan.planned_reach`; those without consent, or
    due in later months, take none. What is on the next channel of a plan comes to those not reached before.
    """
    return [Load(tuple(teams), _order_hours(orders, set(names), channels, capacity, month)
                 + _caller_hours(names, list(teams.values()), capacity, month),
                 sum(staffed_hours(team, capacity, month=month) * (1.0 - team.absence_prob) for team in teams.values()))
            for names, teams in team_groups(capacity, lambda team: (*team.channels, *team.inbound))]


def overloads(loads: list[Load]) -> Iterator[str]:
    """Yield a warning for each group that has more work than hours."""
    for load in loads:
        if load.ratio > 1.0:
            yield f"{load.text()}: orders will expire or be left, callers will wait"


def _order_hours(orders: Orders, names: set[str], channels: Mapping[str, LiveChannel | BatchChannel],
                 capacity: CapacitySettings, month: int) -> float:
    due = orders.consent & (orders.release_hours < HOURS_PER_MONTH * (month + 1))
    hours = 0.0
    for plan in np.unique(orders.channel[due]).tolist():
        habit = orders.answer_habit[due & (orders.channel == plan)]
        left = np.ones(len(habit))
        for name in plan_steps(plan):
            channel = channels[name]
            found = planned_reach(channel, habit, capacity=capacity, name=name)
            if isinstance(channel, LiveChannel) and not isinstance(channel, AutomaticChannel) and name in names:
                hours += float((left * found.minutes).sum()) / MINUTES_PER_HOUR
            left = left * (1.0 - found.reach)
    return hours


def _caller_hours(names: list[str], teams: list[Team], capacity: CapacitySettings, month: int) -> float:
    return sum(float(mean_calls(stream, start_weekday=capacity.start_weekday, month=month).sum())
               * stream.handle.mean_minutes / MINUTES_PER_HOUR / _productivity([t for t in teams if name in t.inbound])
               for name in names if (stream := capacity.inbound.get(name)) is not None)


def _productivity(teams: list[Team]) -> float:
    weights = [team.agents for team in teams]
    return float(np.average([team.productivity for team in teams], weights=weights)) if any(weights) else 1.0
