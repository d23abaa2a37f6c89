"""How many agents a team needs: the fewest for a service level, or the number that pays best."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.calendar import team_hours
from churnsim.capacity.calls import mean_calls
from churnsim.capacity.case import Case
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.lines import ratio
from churnsim.capacity.replicates import mean_of
from churnsim.capacity.roster import by_hour
from churnsim.capacity.settings import Team
from churnsim.capacity.shadow import require_team
from churnsim.capacity.staff_metrics import SECONDS_PER_HOUR, service_level
from churnsim.capacity.theory.staffing import agents_for_service_level
from churnsim.config.messages import did_you_mean
from churnsim.errors import CapacityError

Floats = npt.NDArray[np.float64]
# A goal that this many times the first guess does not reach is out of reach.
MOST_TIMES = 4
MOST_MORE = 10
# Numbers of agents tried, about.
GRID = 9
LEAST_BEND = 0.01
# What is measured at each number of agents; those with an interval have _low and _high beside them.
WITH_INTERVAL = ("service_level", "net_value_amount", "after_pay_amount")
MEASURES = ("service_level", "abandonment_rate", "occupancy", "reached_in_time", "net_value_amount",
            "before_pay_amount", "after_pay_amount", "contact_cost_amount", "handled_amount", "paid_amount")


@dataclass(frozen=True)
class ServiceGoal:
    """A share of a stream's calls to be answered within a time; those given up count as missed."""

    stream: str
    share: float
    seconds: float

    @classmethod
    def parse(cls, text: str) -> ServiceGoal:
        """Return the goal of a text such as "save_desk:0.8:20".

        Raises
        ------
        CapacityError
            The text is no such thing.
        """
        try:
            stream, share, seconds = text.split(":")
            goal = cls(stream, float(share), float(seconds))
        except ValueError:
            goal = cls("", np.nan, np.nan)
        if not (goal.stream and 0.0 < goal.share < 1.0 and goal.seconds >= 0.0):
            raise CapacityError(f"service level {text!r}: must be a stream, a share and seconds, such as "
                                "save_desk:0.8:20 for 80 % within 20 seconds")
        return goal

    def __str__(self) -> str:
        return f"{100.0 * self.share:g} % of {self.stream} answered within {self.seconds:g} s"


@dataclass(frozen=True)
class Staffing:
    """What a search found.

    Attributes
    ----------
    goal
        In words; `goal_share` the service level in it, if it is one.
    agents
        The answer; None: no number of agents reaches the goal.
    first_guess
        Agents that theory says, None where it says nothing.
    knee
        Agents at which the curve of value before pay bends most; None if it does not bend.
    curve
        A row for each number of agents tried: agents, the means over seeds of :data:`MEASURES`, limits of the 95 %
        intervals.
    notes
        What the numbers do not say.
    """

    team: str
    goal: str
    goal_share: float | None
    agents: int | None
    first_guess: int | None
    knee: int | None
    curve: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def answer(self) -> str:
        """What was found, in a sentence."""
        if self.agents is None:
            return f"{self.goal}: no number of agents of team {self.team} reaches it."
        return f"{self.goal}: {self.agents} agent{'' if self.agents == 1 else 's'} of team {self.team}."


@dataclass
class _Trials:
    """The case with each number of agents, worked once for each seed when it is first asked for."""

    case: Case
    team: str
    seeds: Sequence[int]
    goal: ServiceGoal | None
    rows: dict[int, dict[str, float]] = field(default_factory=dict)

    def at(self, agents: int) -> dict[str, float]:
        """Return the means with so many agents."""
        if agents not in self.rows:
            case = self.case.staffed(self.team, agents)
            found = pd.DataFrame([_measured(case, self.team, seed, self.goal) for seed in self.seeds])
            row: dict[str, float] = {"agents": agents}
            for name in MEASURES:
                each = mean_of(found[name].to_numpy())
                row[name] = each.mean
                if name in WITH_INTERVAL:
                    row |= {f"{name}_low": each.low, f"{name}_high": each.high}
            self.rows[agents] = row
        return self.rows[agents]

    def curve(self) -> pd.DataFrame:
        return pd.DataFrame([self.rows[agents] for agents in sorted(self.rows)]).astype({"agents": "int64"})


def staff_for_service_level(case: Case, team: str, goal: ServiceGoal, *, seeds: Sequence[int]) -> Staffing:
    """Return the fewest agents of a team with which the mean service level over seeds reaches a goal.

    Theory (Erlang-A at the rate an average caller meets) makes the first guess; steps away from it, each twice as long,
    and bisection find the number. Seeds share their draws between numbers of agents.

    Raises
    ------
    CapacityError
        The team is unknown, or the stream is, or the team does not serve it.
    """
    require_team(team, case)
    inbound = case.capacity.inbound
    if goal.stream not in inbound:
        raise CapacityError(f"service level: no stream {goal.stream!r}; there are {', '.join(inbound) or 'none'}"
                            f"{did_you_mean(goal.stream, inbound)}")
    if goal.stream not in case.capacity.teams[team].inbound:
        raise CapacityError(f"service level: team {team!r} does not take calls of {goal.stream!r}; "
                            f"add it to capacity.teams.{team}.inbound")
    guess, out_of_hours = _first_guess(case, team, goal)
    trials = _Trials(case.for_runs(GRID * len(seeds)), team, seeds, goal)
    most = MOST_TIMES * guess + MOST_MORE

    def enough(agents: int) -> bool:
        return trials.at(agents)["service_level"] >= goal.share

    best = _fewest(enough, guess, most)
    notes = [f"{100.0 * out_of_hours:.1f} % of the calls come while the team is not at work"] if out_of_hours else []
    if best is None:
        reached = trials.at(most)["service_level"]
        notes.append(f"no number of agents reaches the goal: {most} reach {100.0 * reached:.1f} %; "
                     "move shifts to where the calls come, or state another goal")
    else:
        for agents in range(max(1, best - 2), best + 3):
            trials.at(agents)
        if trials.at(best)["service_level_low"] < goal.share:
            notes.append(f"the interval with {best} reaches below the goal: more seeds would tell whether one agent "
                         "more is needed")
    curve = trials.curve()
    bend = knee(curve["agents"], curve["before_pay_amount"])
    return Staffing(team, str(goal), goal.share, best, guess, bend, curve, tuple(notes))


def staff_for_net_value(case: Case, team: str, *, budget_per_hour_amount: float, seeds: Sequence[int]) -> Staffing:
    """Return the number of agents of a team with the best net value after pay, within a cost an hour.

    Net value after pay is the value of those reached in time, less the cost of attempts, less the pay of all hours on
    shift, idle ones too. A grid over what the budget buys, then all numbers beside its best.

    Raises
    ------
    CapacityError
        The team is unknown, there are no orders, or the budget buys no agent.
    """
    require_team(team, case)
    cost = case.capacity.teams[team].cost_per_hour_amount
    if not len(case.orders):
        raise CapacityError("net value: there are no orders, and callers bring no value here; give orders or a "
                            "service level")
    if not cost > 0.0:
        raise CapacityError(f"net value: agents of team {team!r} cost nothing, so that any number pays; set "
                            f"capacity.teams.{team}.cost_per_hour_amount")
    most = int(budget_per_hour_amount / cost + 1e-9)
    if most < 1:
        raise CapacityError(f"net value: {budget_per_hour_amount:g} an hour buys no agent of team {team!r} at "
                            f"{cost:g}; raise the budget")
    trials = _Trials(case.for_runs(GRID * len(seeds)), team, seeds, None)

    def worth(agents: int) -> float:
        return trials.at(agents)["after_pay_amount"]

    tried = [int(n) for n in np.unique(np.round(np.linspace(1, most, min(most, GRID))))]
    best = max(tried, key=worth)
    while len(around := _between(tried, best)):
        tried = sorted({*tried, *around})
        best = max(tried, key=worth)
    notes = []
    if best == most:
        notes.append("the best is all that the budget buys: more agents may pay")
    if best == 1:
        notes.append("one agent is the fewest tried: the team may not pay at all")
    curve = trials.curve()
    goal = f"best net value after pay, at most {budget_per_hour_amount:g} an hour"
    bend = knee(curve["agents"], curve["before_pay_amount"])
    return Staffing(team, goal, None, best, None, bend, curve, tuple(notes))


def knee(agents: Iterable[float], value: Iterable[float]) -> int | None:
    """Return where a curve is farthest above the straight line between its ends (Satopaa et al. 2011).

    >>> knee([1, 2, 3, 4, 5], [10, 18, 20, 21, 21.5])
    2

    None for fewer than three points, or a curve that lies above the line by less than a hundredth of its height, as
    noise does [assumption].
    """
    x, y = np.asarray(list(agents), np.float64), np.asarray(list(value), np.float64)
    if len(x) < 3:
        return None
    above = y - (y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0]))
    return int(x[above.argmax()]) if above.max() > LEAST_BEND * np.abs(y).max() else None


def _measured(case: Case, team: str, seed: int, goal: ServiceGoal | None) -> dict[str, float]:
    log = case.work(seed)
    money, roster = case.money(log, seed), case.roster(seed)
    mine, called = log.attempts.team == team, log.calls.team == team
    handled = float(log.attempts.handled_hours[mine].sum()) + float(log.calls.handled_hours[called].sum())
    overtime = float(log.attempts.overtime_hours[mine].sum()) + float(log.calls.overtime_hours[called].sum())
    on_stream = np.ones(len(log.calls), np.bool_) if goal is None else log.calls.stream == goal.stream
    gave_up = on_stream & (log.calls.disposition == "abandoned_in_queue")
    return {
        "service_level": 0.0 if goal is None else service_level(log.calls, goal.stream, within_seconds=goal.seconds),
        "abandonment_rate": ratio(int(gave_up.sum()), int(on_stream.sum())),
        "occupancy": ratio(handled - overtime, roster.at_work_hours(team)),
        "reached_in_time": float(case.in_time(log).sum()),
        "net_value_amount": money.net_value_amount, "before_pay_amount": money.before_pay_amount,
        "after_pay_amount": money.after_pay_amount, "contact_cost_amount": money.contact_cost_amount,
        "handled_amount": money.agents_amount, "paid_amount": money.paid_amount}


def _first_guess(case: Case, name: str, goal: ServiceGoal) -> tuple[int, float]:
    """Return the agents that theory says, at least 1, and the share of calls that come outside the team's hours."""
    team, stream = case.capacity.teams[name], case.capacity.inbound[goal.stream]
    calls = mean_calls(stream, start_weekday=case.capacity.start_weekday, month=case.month)
    there = _hours_at_work(team, case)
    met = calls * there
    # What an average caller meets: the busier the hour, the more callers.
    rate = ratio(float((met * calls).sum()), float(met.sum()))
    patience = np.inf if stream.patience is None else stream.patience.mean_minutes / MINUTES_PER_HOUR
    needed = agents_for_service_level(
        rate, handle_hours=stream.handle.mean_minutes / MINUTES_PER_HOUR / team.productivity, patience_hours=patience,
        within_hours=goal.seconds / SECONDS_PER_HOUR, target_prob=goal.share)
    others = sum(each.agents * (1.0 - each.absence_prob) * ratio(float((_hours_at_work(each, case) * met).sum()),
                                                                 float(met.sum()))
                 for key, each in case.capacity.teams.items() if key != name and goal.stream in each.inbound)
    missed = 1.0 - ratio(float(met.sum()), float(calls.sum())) if calls.any() else 0.0
    absent = min(team.absence_prob, 0.9)
    return max(1, int(np.ceil((needed - others) / (1.0 - absent)))), missed


def _hours_at_work(team: Team, case: Case) -> Floats:
    """Return which share of each hour of the month a team is at work, (720,)."""
    spans = np.array(team_hours(team, case.capacity, month=case.month)).reshape(-1, 2)
    return by_hour(spans[:, 0], spans[:, 1], month=case.month)


def _fewest(enough: Callable[[int], bool], guess: int, most: int) -> int | None:
    """Return the least number up to `most` that is enough, None if `most` is not; more never hurt."""
    low, high, step = 0, guess, 1
    if enough(guess):
        while high > 1 and enough(max(1, high - step)):
            high, step = max(1, high - step), 2 * step
        low = max(0, high - step) if high > 1 else 0
    else:
        low = guess
        while not enough(high := min(low + step, most)):
            if high == most:
                return None
            low, step = high, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _between(tried: list[int], best: int) -> list[int]:
    """Return the middles of the gaps beside the best number."""
    place = tried.index(best)
    beside = tried[max(place - 1, 0):place + 2]
    return [(a + b) // 2 for a, b in pairwise(beside) if b - a > 1]
