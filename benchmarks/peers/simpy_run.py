"""Contact centres as users of SimPy write them: a process a caller, and a process an agent."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log, sqrt
from random import Random
from typing import Any

import numpy as np
import simpy

import row
from contact_load import (
    ANSWER_PROB,
    BRIEF_MINUTES,
    CALLBACK_HOURS,
    CALLBACK_PROB,
    CAPS,
    EARLY,
    LATE,
    MAX_ATTEMPTS,
    MISSED_HOURS,
    MONTH_HOURS,
    PRODUCTIVITY_CV,
    PROMISE_HOURS,
    RETRY_HOURS,
    RING_MINUTES,
    SERVERS,
    TALK_MINUTES,
    TALK_SCV,
    Outreach,
    Waits,
    facts,
    list_of_orders,
    queue_of_callers,
)

Process = Iterator[simpy.Event]


def queue(callers: int, months: int) -> Callable[[], Waits]:
    """A process a caller, who requests an agent of a resource or times out."""
    list_ = queue_of_callers(callers)
    wait, gave_up = np.empty(callers), np.empty(callers, bool)
    times, handles, patiences = (column.tolist() for column in list_)

    def caller(env: simpy.Environment, agents: simpy.Resource, number: int) -> Process:
        came = env.now
        with agents.request() as request:
            result = yield request | env.timeout(patiences[number])
            wait[number], gave_up[number] = env.now - came, request not in result
            if request in result:
                yield env.timeout(handles[number])

    def source(env: simpy.Environment, agents: simpy.Resource) -> Process:
        for number, time in enumerate(times):
            yield env.timeout(time - env.now)
            env.process(caller(env, agents, number))

    def simulate() -> Waits:
        env = simpy.Environment()
        env.process(source(env, simpy.Resource(env, SERVERS)))
        env.run()
        return Waits(wait, gave_up, list_)

    return simulate


@dataclass(slots=True)
class Order:
    """One order."""

    number: int
    subscriber: int
    value: float
    release: float
    deadline: float
    asks_skill: bool
    attempts: int = 0
    promised_until: float = -1.0


class Centre:
    """A centre whose agents are processes: at work, asleep until something comes, or off."""

    def __init__(self, load: Outreach, *, seed: int) -> None:
        self.env, self.random, self.load = simpy.Environment(), Random(seed), load
        columns = (column.tolist() for column in load[:5])
        orders = (Order(number, *cells) for number, cells in enumerate(zip(*columns, strict=True)))
        self.orders = sorted(orders, key=lambda order: order.release)
        # Those that ask for nothing, and those that ask for the skill.
        self.due: tuple[list[Any], list[Any]] = ([], [])
        self.callers: deque[int] = deque()
        self.times, self.handles, self.patiences = (column.tolist() for column in load.callers)
        self.asleep: list[tuple[bool, simpy.Event]] = []
        self.made: dict[int, list[float]] = {}
        self.counts: Counter[str] = Counter(dict.fromkeys(("attempts", "reached", "served", "abandoned"), 0))
        self.env.process(self.releases())
        self.env.process(self.calls())
        for agent in range(load.agents):
            skilled = agent < load.agents // 2
            speed = self.lognormal(1.0, PRODUCTIVITY_CV**2)
            self.env.process(self.agent(skilled, EARLY if skilled else LATE, speed))

    def lognormal(self, mean: float, scv: float) -> float:
        sigma = sqrt(log(1 + scv))
        return mean * self.random.lognormvariate(-(sigma**2) / 2, sigma)

    def releases(self) -> Process:
        for order in self.orders:
            yield self.env.timeout(order.release - self.env.now)
            self.join(order)

    def calls(self) -> Process:
        for caller, time in enumerate(self.times):
            yield self.env.timeout(time - self.env.now)
            self.callers.append(caller)
            self.wake(skill=False)

    def again(self, order: Order, time: float) -> Process:
        yield self.env.timeout(max(time - self.env.now, 0))
        self.join(order)

    def join(self, order: Order) -> None:
        rank = (order.promised_until < 0, -order.value, order.number)
        heapq.heappush(self.due[order.asks_skill], (rank, order))
        self.wake(skill=order.asks_skill)

    def wake(self, *, skill: bool) -> None:
        for place, (skilled, event) in enumerate(self.asleep):
            if skilled or not skill:
                del self.asleep[place]
                event.succeed()
                return

    def agent(self, skilled: bool, shifts: tuple[tuple[float, float], ...], speed: float) -> Process:
        env = self.env
        for day in range(self.load.days):
            for start, end in shifts:
                yield env.timeout(max(24 * day + start - env.now, 0))
                until = 24 * day + end
                while env.now < until:
                    hours = self.next_contact(skilled, speed)
                    if hours is not None:
                        yield env.timeout(hours)
                        continue
                    place = (skilled, env.event())
                    self.asleep.append(place)
                    yield place[1] | env.timeout(until - env.now)
                    if not place[1].triggered:
                        self.asleep.remove(place)

    def next_contact(self, skilled: bool, speed: float) -> float | None:
        """Begin what comes first and return how long it takes; None if nothing is due."""
        while self.callers:
            caller = self.callers.popleft()
            if self.env.now - self.times[caller] <= self.patiences[caller]:
                self.counts["served"] += 1
                return self.handles[caller] / speed
            self.counts["abandoned"] += 1
        while due := [heap for heap in self.due[: 1 + skilled] if heap]:
            _, order = heapq.heappop(min(due, key=lambda heap: heap[0][0]))
            if self.may_try(order):
                return self.attempt(order, speed)
        return None

    def may_try(self, order: Order) -> bool:
        now = self.env.now
        if order.deadline < now:
            return False
        if 0 <= order.promised_until < now:
            missed, order.promised_until = order.promised_until, -1.0
            self.env.process(self.again(order, missed + MISSED_HOURS))
            return False
        made = self.made.setdefault(order.subscriber, [])
        for days, attempts in CAPS:
            if len(made) >= attempts and made[-attempts] + 24 * days > now:
                self.env.process(self.again(order, made[-attempts] + 24 * days))
                return False
        made.append(now)
        return True

    def attempt(self, order: Order, speed: float) -> float:
        now, draw = self.env.now, self.random.random
        self.counts["attempts"] += 1
        order.attempts += 1
        order.promised_until = -1.0
        is_left = order.attempts < MAX_ATTEMPTS
        if draw() >= ANSWER_PROB[int(now) % 24]:
            hours = RING_MINUTES / 60
            if is_left:
                self.env.process(self.again(order, now + hours + RETRY_HOURS))
        elif draw() < CALLBACK_PROB:
            hours = BRIEF_MINUTES / 60
            if is_left:
                at = now + hours + self.random.uniform(*CALLBACK_HOURS)
                order.promised_until = at + PROMISE_HOURS
                self.env.process(self.again(order, at))
        else:
            hours = self.lognormal(TALK_MINUTES / 60, TALK_SCV) / speed
            self.counts["reached"] += 1
        return hours

    def work(self) -> dict[str, int]:
        self.env.run(until=MONTH_HOURS)
        self.counts["abandoned"] += len(self.callers)
        return dict(self.counts)


def outreach(orders: int, months: int) -> Callable[[], dict[str, int]]:
    """The centre on the list of orders; as with the other engines, laying it out comes before the clock."""
    return Centre(list_of_orders(orders), seed=5).work


if __name__ == "__main__":
    row.main({"queue": queue, "outreach": outreach}, packages=["simpy", "numpy"], facts=facts, warm_up=False)
