"""What a log implies, worked out from settings, orders and calls alone: none of the engines' code is used.

Draws are the world's, by key; everything else is computed again here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

import numpy as np

from churnsim.capacity.calendar import all_teams
from churnsim.capacity.chance import answer_stream, draws_at
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import plan_steps
from churnsim.capacity.settings import AutomaticChannel, BatchChannel, LiveChannel, Team
from churnsim.core.draws import stream, uniform

from .examples import EVERY_DAY
from .scenarios import Scenario

UNANSWERED = ("no_answer", "busy", "voicemail")
DROPPED_DELAY_HOURS = 72.0


@dataclass(frozen=True)
class Try:
    """An attempt at an order: `row` is the order's place, `step` that of the channel in its plan's calls."""

    at: int
    row: int
    step: int
    channel: str
    agent: int
    team: str
    due: float
    start: float
    answer: float
    end: float
    said: str
    draw: tuple[float, float, float]


@dataclass(frozen=True)
class Wait:
    """A span in which an order might be tried; `by` is the attempt that ended it, `promised` a promised call-back."""

    row: int
    step: int
    since: float
    until: float
    promised: bool
    by: Try | None


class Replay:
    """A month of a centre."""

    def __init__(self, case: Scenario, log: ContactLog) -> None:
        self.case, self.log = case, log
        self.start, self.end = 720.0 * case.month, 720.0 * (case.month + 1)
        self.teams = all_teams(case.channels, case.capacity)
        self.row_of = {int(order): row for row, order in enumerate(case.orders.order_id)}
        self.subscriber = case.orders.subscriber.tolist()
        self.calls = [tuple(getattr(log.calls, name)[j] for name in ("stream", "call_id", "attempt", "team", "agent",
                      "call_hours", "start_hours", "end_hours", "disposition", "subscriber"))
                      for j in range(len(log.calls))]

    # Staff

    @cached_property
    def agents(self) -> list[tuple[str, list[tuple[float, float]]]]:
        """The team of each agent and the stretches that the agent is at work."""
        return [(name, self._stretches(name, team, number)) for name, team in self.teams.items()
                for number in range(team.agents)]

    def _stretches(self, name: str, team: Team, number: int) -> list[tuple[float, float]]:
        case, found = self.case, []
        first = EVERY_DAY.index(case.capacity.start_weekday)
        for day in range(30 * case.month - 1, 30 * case.month + 30):
            if day < 0 or EVERY_DAY[(day + first) % 7] not in team.weekdays or day in case.capacity.holidays:
                continue
            draw = uniform(case.key, stream(f"capacity.absence.{name}"), np.array([day * 2**20 + number]))[0]
            if draw < team.absence_prob:
                continue
            for shift in team.shifts:
                bounds = [shift.start_hour, *(hour for each in sorted(shift.breaks) for hour in each), shift.end_hour]
                for low, high in zip(bounds[::2], bounds[1::2], strict=True):
                    low, high = max(24 * day + low, self.start), min(24 * day + high, self.end)
                    if low < high and found and found[-1][1] == low and low != 24 * day:
                        found[-1] = found[-1][0], high
                    elif low < high:
                        found.append((low, high))
        return found

    def stretch(self, agent: int, hour: float) -> tuple[float, float]:
        """Return the stretch of an agent's work around a moment; the test fails if there is none."""
        (found,) = [each for each in self.agents[agent][1] if each[0] <= hour < each[1]]
        return found

    def serves(self, team: str, row: int, step: int) -> bool:
        """Return whether a team may work an order on a step of its plan."""
        skill = str(self.case.orders.skill[row])
        settings = self.teams[team]
        return self.live_steps[row][step] in settings.channels and (not skill or skill in settings.skills)

    def is_open(self, channel: str, hour: Any) -> Any:
        """Return whether a channel's window is open at moments."""
        low, high = self.case.channels[channel].calling_window_hours
        return (low <= hour % 24) & (hour % 24 < high)

    # Orders

    @cached_property
    def live_steps(self) -> list[list[str]]:
        """The channels of each order's plan that are worked like calls."""
        return [[name for name in plan_steps(plan) if isinstance(self.case.channels[name], LiveChannel)]
                for plan in self.case.orders.channel.tolist()]

    def draws(self, row: int, channel: str, hour: float) -> tuple[float, float, float]:
        """Return the uniforms of an attempt."""
        case = self.case
        counter = case.month << 16 | int(hour - self.start)
        return draws_at(self.subscriber[row], counter, answer_stream(channel).number, *case.key)

    @cached_property
    def tries(self) -> list[list[Try]]:
        """The attempts by agents and lines at each order, in their order."""
        found: list[list[Try]] = [[] for _ in self.subscriber]
        a = self.log.attempts
        for at in range(len(a)):
            channel = str(a.channel[at])
            if isinstance(self.case.channels[channel], BatchChannel):
                continue
            row, start = self.row_of[int(a.order_id[at])], float(a.start_hours[at])
            said = str(a.disposition[at]).removesuffix("_accepted").removesuffix("_declined")
            found[row].append(Try(
                at, row, self.live_steps[row].index(channel), channel, int(a.agent[at]), str(a.team[at]),
                float(a.due_hours[at]), start, float(a.answer_hours[at]), float(a.end_hours[at]), said,
                self.draws(row, channel, start)))
        return found

    @cached_property
    def all_tries(self) -> list[Try]:
        """All of them, by start."""
        return sorted((each for several in self.tries for each in several), key=lambda t: t.start)

    @cached_property
    def by_person(self) -> dict[int, list[Try]]:
        """All of them by subscriber, by start."""
        found = defaultdict(list)
        for each in self.all_tries:
            found[self.subscriber[each.row]].append(each)
        return found

    @cached_property
    def messages(self) -> dict[int, list[int]]:
        """The rows of the log with messages, by order."""
        found = defaultdict(list)
        a = self.log.attempts
        for at in range(len(a)):
            if isinstance(self.case.channels[str(a.channel[at])], BatchChannel):
                found[self.row_of[int(a.order_id[at])]].append(at)
        return found

    @cached_property
    def closed(self) -> dict[int, tuple[float, str]]:
        """When and why the orders of a subscriber were closed by what the subscriber did."""
        events = [(t.start, "opted_out", self.subscriber[t.row]) for t in self.all_tries
                  if t.said == "reached" and t.draw[2] < self.case.channels[t.channel].opt_out_prob]
        events += [(call[6], "called_in", call[9]) for call in self.calls if call[8] == "served" and call[9] >= 0]
        found: dict[int, tuple[float, str]] = {}
        for time, why, person in sorted(events):
            found.setdefault(person, (time, why))
        return found

    def first_due(self, row: int) -> float:
        """Return when an order is first due for a call: after the message that its plan begins with."""
        first = plan_steps(str(self.case.orders.channel[row]))[0]
        release = float(self.case.orders.release_hours[row])
        sent = [at for at in self.messages[row] if self.log.attempts.channel[at] == first]
        channel = self.case.channels[first]
        if sent and isinstance(channel, BatchChannel):
            return float(self.log.attempts.end_hours[sent[0]]) + channel.next_channel_delay_hours
        return release

    def is_suppressed(self, row: int) -> bool:
        """Return whether no call may be made at an order at all."""
        read = any(self.log.attempts.disposition[at] != "unread" for at in self.messages[row]
                   if self.log.attempts.attempt[at] == 1)
        return (not self.case.orders.consent[row] or not self.live_steps[row] or read
                or self.first_due(row) > self.case.orders.deadline_hours[row])

    def cap(self, row: int, step: int) -> int:
        """Return the attempts allowed on a step."""
        return int(self.case.orders.max_attempts[row]) or self.case.channels[self.live_steps[row][step]].max_attempts

    def after(self, t: Try, tried: int) -> tuple[str, int, float, float]:
        """Return what follows an attempt: a final state or "", the next step, when it is due, and a promise's end."""
        channel, w, row = self.case.channels[t.channel], t.draw[2], t.row
        is_left = tried < self.cap(row, t.step)
        if t.said == "reached":
            return "reached", 0, inf, inf
        if t.said == "callback" and is_left:
            least, most = channel.callback_delay_hours
            at = t.end + least + (most - least) * w
            return "", t.step, at, at + channel.callback_window_hours
        delays = {"no_answer": channel.retry_delay_hours, "busy": channel.retry_delay_hours,
                  "voicemail": channel.retry_delay_hours, "dropped_by_dialer": DROPPED_DELAY_HOURS, "handed_back": 0.0}
        spread = 0.0
        if t.said in channel.retries:
            delays[t.said], spread = channel.retries[t.said].delay_hours, channel.retries[t.said].spread_hours
        if t.said in delays and is_left:
            return "", t.step, t.end + delays[t.said] + spread * w, inf
        if t.said in ("refused", "hung_up"):
            return t.said, 0, inf, inf
        if t.step + 1 < len(self.live_steps[row]):
            return "", t.step + 1, t.end + channel.retry_delay_hours, inf
        return ("wrong_number" if t.said == "wrong_number" else "exhausted"), 0, inf, inf

    @cached_property
    def waits(self) -> list[list[Wait]]:
        """The spans in which each order might have been tried."""
        return [self._waits(row)[0] for row in range(len(self.subscriber))]

    @cached_property
    def final(self) -> list[str]:
        """How each order stands after its last call; "": open."""
        return [self._waits(row)[1] for row in range(len(self.subscriber))]

    def _waits(self, row: int) -> tuple[list[Wait], str]:
        if self.is_suppressed(row):
            assert not self.tries[row]
            return [], ""
        found: list[Wait] = []
        step, due, window_end, tried, state = 0, self.first_due(row), inf, 0, ""
        closed_at = self.closed.get(self.subscriber[row], (inf, ""))[0]
        for t in [*self.tries[row], None]:
            until = t.start if t else min(float(self.case.orders.deadline_hours[row]), closed_at, self.end)
            assert t is None or (not state and t.step == step)
            if window_end < inf:
                found.append(Wait(row, step, due, min(until, window_end), True, t if until <= window_end else None))
                # It goes on as an ordinary order, at once if nobody was free to see that the promise was broken.
                due = window_end + self.case.channels[self.live_steps[row][step]].missed_callback_delay_hours
            if not state and until > (window_end if window_end < inf else -inf):
                found.append(Wait(row, step, due, until, False, t))
            if t:
                tried += 1
                state, following, due, window_end = self.after(t, tried)
                tried, step = (tried if following == step else 0), following
                if state:
                    return found, state
        return found, state

    def is_predictive(self, channel: str) -> bool:
        """Return whether a channel may dial several lines an agent."""
        settings = self.case.channels[channel]
        return isinstance(settings, LiveChannel) and settings.dialling == "predictive"

    def is_automatic(self, channel: str) -> bool:
        """Return whether a channel has lines instead of agents."""
        return isinstance(self.case.channels[channel], AutomaticChannel)

    # Limits on the same subscriber

    def is_permitted(self, row: int, hour: Any) -> Any:
        """Return whether the caps allow an attempt at moments, given the attempts that were made before."""
        hour = np.asarray(hour, np.float64)
        starts = np.array([t.start for t in self.by_person[self.subscriber[row]]])
        allowed = np.ones(hour.shape, np.bool_)
        for cap in self.case.capacity.fatigue.caps:
            recent = (starts < hour[..., None]) & (starts + 24.0 * cap.days > hour[..., None])
            allowed &= recent.sum(-1) < cap.attempts
        return allowed
