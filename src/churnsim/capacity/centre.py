"""The reference engine: the discipline of :mod:`churnsim.capacity.floor` on SimPy's clock.

SimPy's environment is the clock and nothing else: no process, no resource. While every agent is busy a contact costs
one event, its end; releases, retries and calls wait in sorted lists that a freed agent drains, and a wake-up is
scheduled only while somebody is free.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import simpy

from churnsim.capacity import floor as fl
from churnsim.capacity.chance import draws_at, law_hours, practice
from churnsim.capacity.floor import WORK, Floor
from churnsim.capacity.own_rule import Rule, ranks_by
from churnsim.capacity.ranks import new_ranks
from churnsim.capacity.record import Record

EDGE, END, WAKE = 0, 1, 2
NEVER = fl.NEVER
PROMISED = -NEVER
MOMENTS = ("since", "start", "answer", "end", "hours", "shift_end")
# Columns of a row of the log.
LOGGED = ("is_call", "item", "attempt", "place", "agent", *MOMENTS, "code")
UNANSWERED = (fl.NO_ANSWER, fl.BUSY, fl.VOICEMAIL)


class _Moment(simpy.Event):
    """An event that happens for certain and tells one listener: lighter to make than SimPy's own."""

    def __init__(self, action: Callable[[Any], None], value: object) -> None:
        self.callbacks = (action,)  # type: ignore[assignment]
        self._value, self._ok = value, True


class Clock(simpy.Environment):
    """SimPy's environment with events at exact times: adding delays up would miss an hour's edge by a rounding."""

    def at(self, time: float, kind: int, action: Callable[[Any], None], value: object) -> None:
        """Let `action` happen at a time; at one time lower kinds come first, then what was asked for first."""
        heappush(self._queue, (time, kind, next(self._eid), _Moment(action, value)))  # type: ignore[misc]


def work_simpy(f: Floor, rule: Rule | None = None) -> Record:
    """Return what the centre makes of a month; `rule` stands for the floor's own."""
    return _Centre(f, rule).run()


class _Centre:
    """The state of the floor in plain lists, which Python reads faster than arrays."""

    def __init__(self, f: Floor, rule: Rule | None) -> None:
        self.f, self.rule = f, rule
        n, agents, teams, people = len(f.orders), len(f.agents), len(f.teams), int(f.month["people"][0])
        self._copy()
        self.env = Clock(initial_time=self.start)
        self.now, self.wake_at, self.edge = self.start, NEVER, -1
        self.state: list[int] = np.where(f.orders["suppressed"], fl.SUPPRESSED, fl.OPEN).tolist()
        self.step, self.tried, self.attempts = [0] * n, [0] * n, [0] * n
        self.due_at, self.promised_until, self.last_slot = [0.0] * n, [-1.0] * n, [-1] * n
        self.person_state = [fl.OPEN] * people
        self.rank: list[float] = [0.0] * (n * self.steps)
        self.price: list[float] = []
        self.withheld: list[int] = []
        self.memory: list[deque[float]] = []
        if remembered := int(f.month["remembered"][0]):
            self.memory = [deque(maxlen=remembered) for _ in range(people)]
        self.due: list[list[tuple[float, int]]] = [[] for _ in f.queues]
        self.retries: list[tuple[float, int]] = [(NEVER, -1)]
        self.waiting: list[list[tuple[float, int]]] = [[] for _ in f.streams]
        self.retrials: list[tuple[float, int]] = [(NEVER, -1)]
        self.released, self.called, self.next_due = 0, 0, -NEVER
        self.calls_made = [0] * len(f.calls)
        self.on, self.busy, self.is_idle = [False] * agents, [False] * agents, [False] * agents
        self.until, self.contacts = [-1.0] * agents, [0] * agents
        self.idle: list[list[int]] = [[] for _ in range(teams)]
        self.free, self.all_free = [0] * teams, 0
        self.open_queues: list[list[int]] = [[] for _ in range(teams)]
        self.dials, self.answered, self.dropped = ([0] * len(f.channels) for _ in range(3))
        # Rows of the log, one after the other: making and reading a list of tuples would cost as much as the rest.
        self.log = array("d")

    def _copy(self) -> None:
        """Copy what is read for every contact into lists."""
        f, orders, calls = self.f, self.f.orders, self.f.calls
        self.start, self.end = float(f.month["start"][0]), float(f.month["end"][0])
        self.k0, self.k1, self.counter = (int(f.month[name][0]) for name in ("k0", "k1", "number"))
        self.counter <<= 16
        self.deadline, self.habit, self.person = (orders[name].tolist() for name in ("deadline", "habit", "person"))
        self.gone = orders["gone"].tolist()
        self.subscriber, self.plan = orders["subscriber"].tolist(), orders["plan"].tolist()
        # One flat list each: lists of lists take Python long to make.
        self.steps, self.width = f.plans.shape[1], f.handle.shape[1]
        self.handle, self.cap = f.handle.ravel().tolist(), f.steps["cap"].ravel().tolist()
        self.wrong = f.steps["wrong"].ravel().tolist() if f.steps["wrong"].any() else None
        self.plan_queue, self.plan_first = f.plans["queue"].tolist(), f.plans["first"].tolist()
        self.by_release: list[int] = f.by_release.tolist()
        self.release: list[float] = [*orders["release"][f.by_release].tolist(), NEVER]
        self.call_time: list[float] = [*calls["time"].tolist(), NEVER]
        self.call_stream, self.call_handle = calls["stream"].tolist(), calls["handle"].tolist()
        self.leaves: list[float] = (calls["time"] + calls["patience"]).tolist()
        self.call_person, self.call_id = calls["person"].tolist(), calls["id"].tolist()
        self.retrial_prob = f.streams["retrial_prob"].tolist()
        self.team_of, self.productivity = f.agents["team"].tolist(), f.agents["productivity"].tolist()
        self.reserve, self.hand_back = f.teams["reserve"].tolist(), f.teams["hand_back"].tolist()
        self.learning = [*zip(f.teams["learn_start"].tolist(), f.teams["learn_half"].tolist(), strict=True)]
        self.team_queues = [[q for q in row if q >= 0] for row in f.team_queue.tolist()]
        self.team_streams = [[s for s in row if s >= 0] for row in f.team_stream.tolist()]
        self.queue_channel = f.queues["channel"].tolist()
        channels = f.channels
        self.prob, self.number = channels["prob"].tolist(), channels["number"].tolist()
        self.preview, self.ring, self.brief = (channels[name].tolist() for name in ("preview", "ring", "brief"))
        self.no_answer, self.step_delay = channels["no_answer"].tolist(), channels["step_delay"].tolist()
        self.unanswered_to, self.answered_to = channels["unanswered_to"].tolist(), channels["answered_to"].tolist()
        self.retry, self.spread = channels["retry"].tolist(), channels["spread"].tolist()
        self.callback, self.opt_out = channels["callback"].tolist(), channels["opt_out"].tolist()
        self.lines, self.dropped_limit = channels["lines"].tolist(), channels["dropped_limit"].tolist()
        self.factor = channels["factor"].tolist() if (channels["factor"] != 1.0).any() else None
        self.same_slot = channels["same_slot"].tolist() if (channels["same_slot"] != 1.0).any() else None
        self.caps = list(zip(f.caps["hours"].tolist(), f.caps["attempts"].tolist(), strict=True))
        self.fatigue = f.fatigue.tolist()
        self.edges: list[float] = f.edges["time"].tolist()
        self.last_edge = len(f.edges) - 2
        self.changes = list(zip(f.changes["agent"].tolist(), f.changes["until"].tolist(), strict=True))
        self.first_change = f.edges["change"].tolist()

    def run(self) -> Record:
        for k, time in enumerate(self.edges[:-1]):
            self.env.at(time, EDGE, self._on_edge, k)
        self.env.run()
        self._hang_up()
        rows = np.frombuffer(self.log).reshape(-1, len(LOGGED)).T
        columns: dict[str, Any] = {name: row.astype(np.float64 if name in MOMENTS else np.int64)
                                   for name, row in zip(LOGGED, rows, strict=True)}
        return Record(**columns, state=np.array(self.state, np.int64))

    # Instants

    def _on_edge(self, event: Any) -> None:
        f, k = self.f, event._value
        self.edge, self.now = k, self.edges[k]
        for agent, until in self.changes[self.first_change[k]:self.first_change[k + 1]]:
            self.on[agent] = until >= 0.0
            if until >= 0.0:
                self.until[agent] = until
                if not self.busy[agent]:
                    self._set_free(agent)
            elif self.is_idle[agent]:
                self._unset_free(agent)
        is_open = f.edge_open[k]
        self.open_queues = [[q for q in queues if is_open[self.queue_channel[q]]] for queues in self.team_queues]
        if f.edges["day"][k]:
            self._rank()
        if k < self.last_edge:
            self._hand_out()

    def _on_end(self, event: Any) -> None:
        agent = event._value
        self.now = self.env._now
        self.busy[agent] = False
        if self.on[agent]:
            self._set_free(agent)
            self._hand_out()

    def _on_wake(self, event: Any) -> None:
        self.now = self.env._now
        if event._value >= self.wake_at:
            self.wake_at = NEVER
        self._hand_out()

    def _set_free(self, agent: int) -> None:
        team = self.team_of[agent]
        self.is_idle[agent] = True
        heappush(self.idle[team], agent)
        self.free[team] += 1
        self.all_free += 1

    def _unset_free(self, agent: int) -> None:
        self.is_idle[agent] = False
        self.free[self.team_of[agent]] -= 1
        self.all_free -= 1

    def _take_agent(self, team: int) -> int:
        idle = self.idle[team]
        while not self.is_idle[agent := heappop(idle)]:
            pass
        self._unset_free(agent)
        self.busy[agent] = True
        return agent

    def _rank(self) -> None:
        f = self.f
        work = np.zeros(len(self.state), WORK)
        work["state"], work["step"], work["tried"] = self.state, self.step, self.tried
        rank, price = np.zeros(f.steps.shape), np.zeros(f.clear_rate.shape[1])
        clear_hours = new_ranks(f, self.edge, work, rank, price)
        if self.rule is not None:
            work["attempts"] = self.attempts
            rank = ranks_by(self.rule, f, work, clear_hours, now_hours=self.now)
            price[:] = np.nan
        self.rank, self.price = rank.ravel().tolist(), price[f.queues["group"]].tolist()
        for queue in self.due:
            queue[:] = [(r if r == PROMISED else self.rank[o * self.steps + self.step[o]], o)
                        for r, o in queue]
            heapify(queue)
        again, self.withheld = self.withheld, []
        for o in again:
            self._join(o)

    # Handing out

    def _hand_out(self) -> None:
        """Give due work to free agents; wake up when the next becomes due if an agent stays free."""
        if self.next_due <= self.now:
            self._drain()
        if not self.all_free:
            return
        for team, free in enumerate(self.free):
            if free:
                while self._take_caller(team) or self._take_order(team):
                    if not self.free[team]:
                        break
        if self.all_free and self.next_due < self.wake_at and self.next_due < self.edges[self.edge + 1]:
            self.wake_at = self.next_due
            self.env.at(self.wake_at, WAKE, self._on_wake, self.wake_at)

    def _drain(self) -> None:
        now = self.now
        while self.retries[0][0] <= now:
            at, o = heappop(self.retries)
            self.due_at[o] = at
            self._join(o)
        while self.release[self.released] <= now:
            o = self.by_release[self.released]
            self.due_at[o] = self.release[self.released]
            self.released += 1
            if self.state[o] == fl.OPEN:
                self._join(o)
        while self.call_time[self.called] <= now:
            i = self.called
            heappush(self.waiting[self.call_stream[i]], (self.call_time[i], i))
            self.called = i + 1
        while self.retrials[0][0] <= now:
            at, i = heappop(self.retrials)
            heappush(self.waiting[self.call_stream[i]], (at, i))
        self.next_due = min(self.release[self.released], self.retries[0][0], self.call_time[self.called],
                            self.retrials[0][0])

    def _due_later(self, heap: list[tuple[float, int]], at: float, item: int) -> None:
        heappush(heap, (at, item))
        if at < self.next_due:
            self.next_due = at

    def _join(self, o: int) -> None:
        step = self.step[o]
        rank = PROMISED if self.promised_until[o] >= 0.0 else self.rank[o * self.steps + step]
        heappush(self.due[self.plan_queue[self.plan[o]][step]], (rank, o))

    # Callers

    def _take_caller(self, team: int) -> bool:
        for s in self.team_streams[team]:
            waiting = self.waiting[s]
            while waiting:
                since, i = heappop(waiting)
                if self.now <= self.leaves[i]:
                    self._serve(team, s, i, since)
                    return True
                self._give_up(s, i, since)
        return False

    def _serve(self, team: int, s: int, i: int, since: float) -> None:
        agent, now = self._take_agent(team), self.now
        hours = self.call_handle[i] / self._speed(agent, team)
        end = now + hours
        self.log.extend((1, i, self.calls_made[i] + 1, s, agent, since, now, now, end, hours, self.until[agent],
                         fl.SERVED))
        self.contacts[agent] += 1
        person = self.call_person[i]
        if person >= 0 and self.person_state[person] == fl.OPEN:
            self.person_state[person] = fl.CALLED_IN
        self.env.at(end, END, self._on_end, agent)

    def _give_up(self, s: int, i: int, since: float) -> None:
        f, left = self.f, self.leaves[i]
        self.calls_made[i] = k = self.calls_made[i] + 1
        self.log.extend((1, i, k, s, fl.NOBODY, since, left, NEVER, left, 0.0, NEVER, fl.ABANDONED))
        if self.retrial_prob[s] > 0.0:
            stream, counter, identity = f.streams[s], self.counter | min(k, 0xFFFF), self.call_id[i]
            u, v, w = draws_at(identity, counter, int(stream["retrial_number"]), self.k0, self.k1)
            if w < self.retrial_prob[s]:
                at = left + law_hours(stream["delay"], u, v)
                u, v, _ = draws_at(identity, counter, int(stream["patience_number"]), self.k0, self.k1)
                self.leaves[i] = at + law_hours(stream["patience"], u, v)
                if at <= self.now:
                    heappush(self.waiting[s], (at, i))
                else:
                    self._due_later(self.retrials, at, i)

    def _hang_up(self) -> None:
        """At the month's end: who has given up by now has, who has not still waits."""
        self.now = self.end
        self._drain()
        for s, waiting in enumerate(self.waiting):
            while waiting:
                since, i = heappop(waiting)
                if self.leaves[i] < self.now:
                    self._give_up(s, i, since)
                else:
                    self.log.extend((1, i, self.calls_made[i] + 1, s, fl.NOBODY, since, self.now, NEVER, self.now, 0.0,
                                     NEVER, fl.WAITING))
        for o, state in enumerate(self.state):
            if state == fl.OPEN:
                gone = fl.OPTED_OUT if self.gone[o] <= self.now else fl.OPEN
                self.state[o] = (fl.EXPIRED if self.deadline[o] < self.now
                                 else self.person_state[self.person[o]] or gone)

    def _speed(self, agent: int, team: int) -> float:
        speed = self.productivity[agent]
        if self.learning[team][0] < 1.0:
            speed *= practice(*self.learning[team], self.contacts[agent])
        return float(speed)

    # Orders

    def _take_order(self, team: int) -> bool:
        if self.free[team] <= self.reserve[team]:
            return False
        o, q = self._first(self.open_queues[team])
        if o < 0:
            return False
        c, agent = self.queue_channel[q], self._take_agent(team)
        several = self._lines(c)
        if several == 1:
            code, w = self._try(o, c)
            self.answered[c] += code not in UNANSWERED
            end = self._tell(o, c, code, w, agent)
        else:
            end = self._dial_several(o, q, several, agent)
        self.env.at(end, END, self._on_end, agent)
        return True

    def _first(self, queues: list[int]) -> tuple[int, int]:
        """Return the first order of some queues that may be tried now, and its queue; -1: there is none."""
        while True:
            best: list[tuple[float, int]] = []
            queue = -1
            for q in queues:
                due = self.due[q]
                if due and (queue < 0 or due[0] < best[0]):
                    best, queue = due, q
            if queue < 0:
                return -1, -1
            rank, o = heappop(best)
            if self._may_try(o, queue, rank):
                return o, queue

    def _may_try(self, o: int, q: int, rank: float) -> bool:
        now, person = self.now, self.person[o]
        if self.deadline[o] < now:
            self.state[o] = fl.EXPIRED
            return False
        if self.person_state[person] or self.gone[o] <= now:
            self.state[o] = self.person_state[person] or fl.OPTED_OUT
            return False
        if 0.0 <= self.promised_until[o] < now:
            at = self.promised_until[o] + self.callback[self.queue_channel[q]][3]
            self.promised_until[o] = -1.0
            self._again(o, at)
            return False
        if self.caps:
            made = self.memory[person]
            for hours, attempts in self.caps:
                if len(made) >= attempts and made[-attempts] + hours > now:
                    self._again(o, made[-attempts] + hours)
                    return False
        if -rank <= self.price[q]:
            self.withheld.append(o)
            return False
        return True

    def _again(self, o: int, at: float) -> None:
        if at <= self.now:
            self.due_at[o] = at
            self._join(o)
        else:
            self._due_later(self.retries, at, o)

    def _lines(self, c: int) -> int:
        lines = self.lines[c]
        if lines == 1.0:
            return 1
        if self.dropped[c] > self.dropped_limit[c] * self.answered[c]:
            return 1
        self.dials[c] = k = self.dials[c] + 1
        return int(k * lines) - int((k - 1) * lines)

    def _dial_several(self, o: int, q: int, several: int, agent: int) -> float:
        c, end = self.queue_channel[q], 0.0
        tried = [(o, *self._try(o, c))]
        while len(tried) < several and (more := self._first([q])[0]) >= 0:
            tried.append((more, *self._try(more, c)))
        connected = next((k for k, (_, code, _) in enumerate(tried) if code not in UNANSWERED), 0)
        for k, (order, code, w) in enumerate(tried):
            if code not in UNANSWERED:
                self.answered[c] += 1
            if k == connected:
                end = self._tell(order, c, code, w, agent)
            else:
                if code not in UNANSWERED:
                    self.dropped[c] += 1
                    code = fl.DROPPED
                self._tell(order, c, code, w, fl.NOBODY)
        return end

    def _try(self, o: int, c: int) -> tuple[int, float]:
        """Return what comes of an attempt, and a uniform that is left."""
        now = self.now
        hour = int(now - self.start)
        u, v, w = draws_at(self.subscriber[o], self.counter | hour, self.number[c], self.k0, self.k1)
        prob = self.prob[c][hour] * self.habit[o]
        if self.factor is not None:
            prob *= self.factor[c][min(self.tried[o], len(self.factor[c]) - 1)]
        if self.same_slot is not None:
            slot = hour % 24 // fl.SLOT_HOURS
            if slot == self.last_slot[o]:
                prob *= self.same_slot[c]
            self.last_slot[o] = slot
        if self.memory:
            made = self.memory[self.person[o]]
            prob *= self.fatigue[sum(time + fl.WEEK_HOURS > now for time in made)]
            made.append(now)
        self.tried[o] += 1
        self.attempts[o] += 1
        if not u < prob:
            busy, mailbox = self.unanswered_to[c]
            return (fl.BUSY if v < busy else fl.VOICEMAIL if v < mailbox else fl.NO_ANSWER), w
        if self.wrong is not None and self.wrong[o * self.steps + self.step[o]]:
            return fl.WRONG_NUMBER, w
        refused, hung_up, callback = self.answered_to[c]
        return (fl.REFUSED if v < refused else fl.HUNG_UP if v < hung_up
                else fl.CALLBACK if v < callback else fl.REACHED), w

    def _tell(self, o: int, c: int, code: int, w: float, agent: int) -> float:
        """Log an attempt and settle the order; return its end."""
        now = self.now
        answer, until = NEVER, NEVER
        if code in UNANSWERED:
            hours = self.preview[c] + self.no_answer[c]
        else:
            hours = self.preview[c] + self.ring[c]
            answer = now + hours
            if code == fl.REACHED:
                column = self.plan_first[self.plan[o]][self.step[o]] + self.tried[o] - 1
                hours += self.handle[o * self.width + column] / self._speed(agent, self.team_of[agent])
            elif code != fl.DROPPED:
                hours += self.brief[c]
        end = now + hours
        if agent >= 0:
            until = self.until[agent]
            if end > until and self.hand_back[self.team_of[agent]]:
                end, hours, code = until, until - now, fl.HANDED_BACK
                answer = answer if answer <= end else NEVER
            elif code == fl.REACHED:
                self.contacts[agent] += 1
        self.log.extend((0, o, self.attempts[o], c, agent, self.due_at[o], now, answer, end, hours, until,
                         code))
        self._settle(o, c, code, w, end)
        return float(end)

    def _settle(self, o: int, c: int, code: int, w: float, end: float) -> None:
        self.promised_until[o] = -1.0
        if code == fl.REACHED:
            self.state[o] = fl.IS_REACHED
            if w < self.opt_out[c]:
                self.person_state[self.person[o]] = fl.OPTED_OUT
            return
        step = self.step[o]
        is_left = self.tried[o] < self.cap[o * self.steps + step]
        if code == fl.CALLBACK and is_left:
            least, most, window, _ = self.callback[c]
            at = end + least + (most - least) * w
            self.promised_until[o] = at + window
            self._due_later(self.retries, at, o)
        elif (delay := self.retry[c][code]) >= 0.0 and is_left:
            self._due_later(self.retries, end + delay + self.spread[c][code] * w, o)
        elif code == fl.REFUSED or code == fl.HUNG_UP:
            self.state[o] = fl.IS_REFUSED if code == fl.REFUSED else fl.IS_HUNG_UP
        elif self.plan_queue[self.plan[o]][step + 1] >= 0:
            self.step[o], self.tried[o], self.last_slot[o] = step + 1, 0, -1
            self._due_later(self.retries, end + self.step_delay[c], o)
        else:
            self.state[o] = fl.IS_WRONG if code == fl.WRONG_NUMBER else fl.EXHAUSTED
