"""The live centre as events: agents pull the best due order when they come free.

SimPy's environment is the clock and nothing else. While every agent is busy a contact costs one event, its
end; releases and retries wait in sorted lists that a freed agent drains, and a wake-up is scheduled only
while somebody is idle.

The discipline, in writing:

* An order is due from its release, or from its retry time, until its deadline. Due orders of a channel are
  worked by dispatch key, then by order id; an agent who may call on several channels takes the best of all.
* Teams are asked in their order, idle agents of a team by lowest number.
* An attempt begins only inside a shift and the calling window; one in progress at the end is finished.
* At one instant the edges of shifts and windows come first, then ends and wake-ups in the order in which they
  were scheduled; each of them gives out work before the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from typing import Any

import numpy as np
import simpy
from simpy.events import Timeout

from churnsim.capacity.calendar import month_start, phases
from churnsim.capacity.chance import MINUTES_PER_HOUR, answer_stream, handle_hours, unit_at
from churnsim.capacity.log import Floats, Ints, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings, LiveChannel
from churnsim.core.clock import HOURS_PER_DAY
from churnsim.core.draws import Key

NEVER = float("inf")


def work_live(
    orders: Orders, *, channels: Mapping[str, LiveChannel], capacity: CapacitySettings, key: Key, month: int
) -> Tries:
    """Return the attempts of the teams on the orders of the live channels in one month."""
    return _Centre(orders, channels=channels, capacity=capacity, key=key, month=month).run()


def dispatch_key(orders: Orders, capacity: CapacitySettings) -> Floats:
    """Return the number by which orders are worked, smallest first."""
    if capacity.dispatch == "value":
        return -orders.value
    return orders.release_hours if capacity.dispatch == "fifo" else orders.deadline_hours


class _Centre:
    """One month of work; orders are known here by their rank in order id among the live ones."""

    def __init__(
        self,
        orders: Orders,
        *,
        channels: Mapping[str, LiveChannel],
        capacity: CapacitySettings,
        key: Key,
        month: int,
    ) -> None:
        self.channels = channels
        self.teams = list(capacity.teams.values())
        self.month_start = month_start(month)
        self.month_end = month_start(month + 1)
        self.calendar = phases(channels, capacity, month=month)
        self.phase = 0
        self._load_orders(orders, dispatch_key(orders, capacity))
        self._load_draws(orders, key, month)
        self.team_of: list[int] = [t for t, team in enumerate(self.teams) for _ in range(team.agents)]
        self.idle: list[list[int]] = [[] for _ in self.teams]
        for agent, t in enumerate(self.team_of):
            self.idle[t].append(agent)
        self.env = simpy.Environment(initial_time=self.month_start)
        # SimPy adds up delays, which can miss an hour's edge by a rounding: events carry their exact time.
        self.now = self.month_start
        self.wake_at = NEVER
        self.log: list[tuple[int, int, int, float, float, float, bool]] = []

    def _load_orders(self, orders: Orders, rank: Floats) -> None:
        names = list(self.channels)
        rows = np.flatnonzero(np.isin(orders.channel, names))
        self.rows: Ints = rows[np.argsort(orders.order_id[rows])]
        code = np.zeros(len(orders), np.int64)
        for c, name in enumerate(names):
            code[orders.channel == name] = c
        self.channel: list[int] = code[self.rows].tolist()
        self.rank: list[float] = rank[self.rows].tolist()
        self.deadline: list[float] = orders.deadline_hours[self.rows].tolist()
        self.habit: list[float] = orders.answer_habit[self.rows].tolist()
        self.attempts = [0] * len(self.rows)
        release = orders.release_hours[self.rows]
        order = np.argsort(release, kind="stable")
        self.releases: list[tuple[float, int]] = [*zip(release[order].tolist(), order.tolist(), strict=True)]
        self.releases.append((NEVER, -1))
        self.released = 0
        self.retries: list[tuple[float, int]] = [(NEVER, -1)]
        self.due: list[list[tuple[float, int]]] = [[] for _ in names]

    def _load_draws(self, orders: Orders, key: Key, month: int) -> None:
        subscribers = orders.subscriber[self.rows]
        code = np.array(self.channel, dtype=np.int64)
        self.width = max((c.max_attempts for c in self.channels.values()), default=1)
        hours = np.zeros((len(self.rows), self.width))
        for c, (name, channel) in enumerate(self.channels.items()):
            here = np.flatnonzero(code == c)
            for attempt in range(1, channel.max_attempts + 1):
                hours[here, attempt - 1] = handle_hours(
                    name, channel, subscribers[here], key=key, month=month, attempt=attempt
                )
        self.handle: list[float] = hours.ravel().tolist()
        self.subscriber: list[int] = subscribers.tolist()
        self.streams = [answer_stream(name).number for name in self.channels]
        self.probs = [channel.answer_prob_by_hour for channel in self.channels.values()]
        self.ring = [channel.no_answer_minutes / MINUTES_PER_HOUR for channel in self.channels.values()]
        self.delay = [channel.retry_delay_hours for channel in self.channels.values()]
        self.cap = [channel.max_attempts for channel in self.channels.values()]
        self.key, self.month = key, month

    def run(self) -> Tries:
        for edge in self.calendar.edges:
            self._at(edge, self._on_edge, edge)
        self.env.run()
        return self._tries()

    def _at(self, time: float, action: Callable[[Any], None], value: object) -> None:
        event = Timeout(self.env, max(0.0, time - self.env.now), value)
        event.callbacks.append(action)

    def _on_edge(self, event: Any) -> None:
        self._match(event.value)

    def _on_wake(self, event: Any) -> None:
        if event.value >= self.wake_at:
            self.wake_at = NEVER
        self._match(event.value)

    def _on_end(self, event: Any) -> None:
        agent, end = event.value
        heappush(self.idle[self.team_of[agent]], agent)
        self._match(end)

    def _match(self, time: float) -> None:
        """Give due orders to idle agents; wake up at the next due time if an agent stays idle."""
        now = self.now = max(self.now, time)
        edges = self.calendar.edges
        last = len(edges) - 1
        while self.phase < last and edges[self.phase + 1] <= now:
            self.phase += 1
        self._drain(now)
        waiting = False
        for t, channels in enumerate(self.calendar.menus[self.phase]):
            idle = self.idle[t]
            while channels and idle:
                order = self._best(channels, now)
                if order < 0:
                    waiting = True
                    break
                self._start(heappop(idle), order, now)
        if waiting:
            next_due = min(self.releases[self.released][0], self.retries[0][0])
            if next_due < self.wake_at and next_due < edges[self.phase + 1]:
                self.wake_at = next_due
                self._at(next_due, self._on_wake, next_due)

    def _drain(self, now: float) -> None:
        while self.releases[self.released][0] <= now:
            order = self.releases[self.released][1]
            self.released += 1
            heappush(self.due[self.channel[order]], (self.rank[order], order))
        while self.retries[0][0] <= now:
            order = heappop(self.retries)[1]
            heappush(self.due[self.channel[order]], (self.rank[order], order))

    def _best(self, channels: tuple[int, ...], now: float) -> int:
        best: list[tuple[float, int]] = []
        for c in channels:
            due = self.due[c]
            while due and self.deadline[due[0][1]] < now:
                heappop(due)
            if due and (not best or due[0] < best[0]):
                best = due
        return heappop(best)[1] if best else -1

    def _start(self, agent: int, order: int, now: float) -> None:
        c = self.channel[order]
        hour = int(now - self.month_start)
        attempt = self.attempts[order] = self.attempts[order] + 1
        draw = unit_at(
            self.subscriber[order], self.month << 16 | hour, self.streams[c], self.key.low, self.key.high
        )
        answered = draw < self.probs[c][hour % HOURS_PER_DAY] * self.habit[order]
        if answered:
            team = self.teams[self.team_of[agent]]
            hours = self.handle[order * self.width + attempt - 1] / team.productivity
        else:
            hours = self.ring[c]
        end = now + hours
        self.log.append((order, attempt, agent, now, end, hours, answered))
        if not answered and attempt < self.cap[c]:
            heappush(self.retries, (end + self.delay[c], order))
        self._at(end, self._on_end, (agent, end))

    def _tries(self) -> Tries:
        if not self.log:
            return Tries.joined([])
        columns = (np.array(column) for column in zip(*self.log, strict=True))
        order, attempt, agent, start, end, hours, answered = columns
        team = np.array(self.team_of)[agent]
        return Tries(
            row=self.rows[order], attempt=attempt, team=team, agent=agent, start_hours=start, end_hours=end,
            handled_hours=hours, hour_amount=np.array([t.cost_per_hour_amount for t in self.teams])[team],
            answered=answered,
        )
