"""Orders and calls in, contact log out: the centre as it is staffed, and as if it had no limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from churnsim.capacity import floor as fl
from churnsim.capacity.batch import work_batch
from churnsim.capacity.calendar import month_start
from churnsim.capacity.calls import Calls, anonymous_calls, require_streams
from churnsim.capacity.checks import check_capacity
from churnsim.capacity.layout import FloorPlan, lay_out
from churnsim.capacity.log import (
    READ,
    CallLog,
    ContactLog,
    Floats,
    Ints,
    Tries,
    build_log,
    call_log,
    no_calls,
    tries_of,
)
from churnsim.capacity.orders import Orders, plan_steps, require_channels
from churnsim.capacity.own_rule import Rule
from churnsim.capacity.record import Record
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.capacity.unlimited import work_live_unlimited
from churnsim.core.draws import Key, stream, uniform
from churnsim.errors import CapacityError, DataError

Channels = Mapping[str, LiveChannel | BatchChannel]
# Orders and calls from which compiling is worth its time.
COMPILED_FROM = 100_000


def work(orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key, month: int,
         calls: Calls | None = None, rule: Rule | None = None) -> ContactLog:
    """Return what the teams and the message channels make of a list of orders in one month, with callers in between.

    Live orders and calls are worked event by event (see :mod:`churnsim.capacity.floor`), messages by their throttle:
    those a plan begins with before, those it ends with after the rest, behind messages released before them; where one
    of the first is released later, the two may share a slot of the throttle. Orders that are neither reached, exhausted
    nor expired at the month's end are left.

    Parameters
    ----------
    channels
        By name.
    key
        Of the world; the same key gives a subscriber the same answer at the same hour, whatever else is
        ordered.
    month
        Hours [720 month, 720 (month + 1)) are worked.
    calls
        From subscribers, or other calls known beforehand; those of the inbound streams' own rates come on top.
    rule
        Of your own, in place of ``capacity.dispatch``; see :func:`churnsim.capacity.own_rule.ranks_by`. The compiled
        engine cannot ask it: the log's `engine` and `note` say that the reference engine worked.

    Raises
    ------
    DataError
        An order is on an unknown channel, a plan has messages between calls, or a call is of an unknown stream.
    CapacityError
        :func:`churnsim.capacity.checks.check_capacity` found something, or an order needs a skill that nobody has.
    """
    _require_workable(orders, channels, capacity, month)
    _require_skills(orders, channels, capacity)
    own = Calls.none() if calls is None else calls
    require_streams(own, capacity.inbound)
    streams = [anonymous_calls(name, settings, start_weekday=capacity.start_weekday, key=key, month=month)
               for name, settings in capacity.inbound.items()]
    work = _Work(orders, channels, key=key, month=month, throttled=True)
    work.send_first()
    plan = lay_out(work.after_messages(), Calls.joined([own, *streams]), channels=channels, capacity=capacity, key=key,
                   month=month, gone_hours=work.gone)
    record, engine, note = _engine(capacity, plan, rule)
    work.add_calls(tries_of(record, plan, list(channels)))
    # Whose next channel would come too late was kept off the floor, and has expired or is left.
    is_worked = (work.state[plan.rows] == fl.OPEN) & (record.state != fl.SUPPRESSED)
    work.state[plan.rows] = np.where(is_worked, record.state, work.state[plan.rows])
    work.send_last()
    log = work.log(list(plan.teams), call_log(record, plan, capacity))
    return replace(log, engine=engine, note=note)


def _engine(capacity: CapacitySettings, plan: FloorPlan, rule: Rule | None) -> tuple[Record, str, str]:
    """Return the record of the engine that was asked for, or can do what was asked for; its name; and a note."""
    size = len(plan.floor.orders) + len(plan.floor.calls)
    wanted = capacity.engine if capacity.engine != "auto" else "compiled" if size >= COMPILED_FROM else "simpy"
    if wanted == "simpy" or rule is not None:
        from churnsim.capacity.centre import work_simpy

        note = "" if wanted == "simpy" else (
            "worked by engine simpy: the compiled engine cannot ask a dispatch rule written in Python")
        return work_simpy(plan.floor, rule), "simpy", note
    from churnsim.capacity.compiled import work_compiled

    return work_compiled(plan.floor), "compiled", ""


def work_unlimited(orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key, month: int
                   ) -> ContactLog:
    """Return the log of the same list as if an agent were always free and messages had no throttle.

    Parameters and errors as for :func:`work`. Handled time costs the mean of the teams that serve the
    channel, each weighing as many as its agents. Of a plan, only the first channel is used.
    """
    _require_workable(orders, channels, capacity, month)
    work = _Work(orders, channels, key=key, month=month, throttled=False)
    work.send_first()
    first = np.array([plan_steps(plan)[0] for plan in work.plans.tolist()] or [""])[work.plan]
    for number, (name, channel) in enumerate(channels.items()):
        rows = np.flatnonzero((first == name) & (work.state == fl.OPEN))
        if isinstance(channel, LiveChannel) and len(rows):
            work.tries.append(work_live_unlimited(
                orders, rows, orders.release_hours[rows], name=name, number=number, channel=channel, capacity=capacity,
                key=key, month=month))
            cap = channel.max_attempts
            made = work.tries[-1]
            work.state[rows[np.bincount(made.row, minlength=len(orders))[rows] == cap]] = fl.EXHAUSTED
            work.state[made.row[made.is_reached]] = fl.IS_REACHED
    return work.log([], no_calls())


class _Work:
    """A list in work: what has been tried and how each order stands."""

    def __init__(self, orders: Orders, channels: Channels, *, key: Key, month: int, throttled: bool) -> None:
        self.orders, self.channels, self.key, self.month, self.throttled = orders, channels, key, month, throttled
        self.plans, self.plan = np.unique(orders.channel, return_inverse=True)
        self.steps = [plan_steps(plan) for plan in self.plans.tolist()]
        self.state = np.where(orders.consent, fl.OPEN, fl.SUPPRESSED).astype(np.int64)
        self.release = orders.release_hours.copy()
        self.tries: list[Tries] = []
        # When a message that was read made the subscriber of each order opt out of all others.
        self.gone = np.full(len(orders), np.inf)

    def send_first(self) -> None:
        """Send the messages that plans begin with."""
        first = np.array([steps[0] for steps in self.steps] or [""])[self.plan]
        goes_on = np.array([len(steps) > 1 for steps in self.steps] or [False])[self.plan]
        for number, (name, channel) in enumerate(self.channels.items()):
            if isinstance(channel, BatchChannel):
                rows = np.flatnonzero((first == name) & (self.state == fl.OPEN))
                sent = self._send(rows, self.orders.release_hours[rows], np.ones(len(rows), np.int64), number, name)
                self.release[sent.row] = sent.end_hours + channel.next_channel_delay_hours
                self.state[sent.row[~goes_on[sent.row] & (sent.code != READ)]] = fl.EXHAUSTED

    def after_messages(self) -> Orders:
        """Return the orders that are still open, those with a message to begin with released after it."""
        release = np.minimum(self.release, self.orders.deadline_hours)
        late = self.release > self.orders.deadline_hours
        return replace(self.orders, release_hours=release, consent=(self.state == fl.OPEN) & ~late)

    def add_calls(self, calls: Tries) -> None:
        """Add the attempts of the engine, numbered on after the messages."""
        sent = np.bincount(Tries.joined(self.tries).row, minlength=len(self.orders)).astype(np.int64)
        self.tries.append(replace(calls, attempt=calls.attempt + sent[calls.row]))

    def send_last(self) -> None:
        """Send the messages that plans end with, to those whose calls came to nothing."""
        last = np.array([steps[-1] if len(steps) > 1 else "" for steps in self.steps] or [""])[self.plan]
        so_far = Tries.joined(self.tries)
        made = np.bincount(so_far.row, minlength=len(self.orders)).astype(np.int64)
        end = np.full(len(self.orders), -np.inf)
        np.maximum.at(end, so_far.row, so_far.end_hours)
        for number, (name, channel) in enumerate(self.channels.items()):
            if isinstance(channel, BatchChannel):
                rows = np.flatnonzero((last == name) & np.isin(self.state, (fl.EXHAUSTED, fl.IS_WRONG))
                                      & (end < self.gone))
                self._send(rows, end[rows], made[rows] + 1, number, name)

    def _send(self, rows: Ints, release: Floats, attempt: Ints, number: int, name: str) -> Tries:
        channel = self.channels[name]
        assert isinstance(channel, BatchChannel)
        before = [tries for tries in self.tries if len(tries.row) and tries.channel[0] == number]
        queue = np.concatenate([tries.row for tries in before] + [rows])
        first = np.concatenate([tries.due_hours for tries in before] + [release])
        numbers = np.concatenate([tries.attempt for tries in before] + [attempt])
        sent = work_batch(self.orders, queue, first, -self.orders.value[queue], numbers, name=name, number=number,
                          channel=channel, key=self.key, month=self.month, throttled=self.throttled)
        mine = np.isin(sent.row, rows) & (sent.attempt > 1 if before else True)
        found = Tries(*(getattr(sent, field)[mine] for field in Tries.__dataclass_fields__))
        self.tries.append(found)
        read = found.row[found.is_reached]
        self.state[read] = fl.IS_REACHED
        self._opt_out(read, found.end_hours[found.is_reached], channel.opt_out_prob, name)
        return found

    def _opt_out(self, rows: Ints, hours: Floats, prob: float, name: str) -> None:
        """Let some of those who read a message opt out of what else is ordered for them; sent messages stay sent."""
        draw = uniform(self.key, stream(f"capacity.opt_out.{name}"), self.orders.subscriber[rows], month=self.month)
        rows, hours = rows[draw < prob], hours[draw < prob]
        if len(rows):
            _, person = np.unique(self.orders.subscriber, return_inverse=True)
            gone = np.full(person.max() + 1, np.inf)
            np.minimum.at(gone, person[rows], hours)
            self.gone = np.minimum(self.gone, gone[person])

    def log(self, teams: list[str], calls: CallLog) -> ContactLog:
        """Return the log; orders neither done nor in time have expired."""
        over = self.orders.deadline_hours < month_start(self.month + 1)
        state = np.where((self.state == fl.OPEN) & over, fl.EXPIRED, self.state)
        return build_log(self.orders, Tries.joined(self.tries), calls, state, channels=self.channels,
                         teams=teams, key=self.key, month=self.month)


def _require_workable(orders: Orders, channels: Channels, capacity: CapacitySettings, month: int) -> None:
    require_channels(orders, channels)
    plans = [plan_steps(plan) for plan in np.unique(orders.channel).tolist()]
    for steps in plans:
        inside = [name for name in steps[1:-1] if isinstance(channels[name], BatchChannel)]
        if inside or (len(steps) > 1 and not any(isinstance(channels[name], LiveChannel) for name in steps)):
            raise DataError(f"orders: column 'channel': the plan {'>'.join(steps)!r} has messages "
                            f"{'between calls' if inside else 'only'}; messages may stand first or last in a plan, "
                            "with calls beside them")
    used = sorted({name for steps in plans for name in steps})
    findings = list(check_capacity(channels, capacity, used, months=(month,)))
    if findings:
        raise CapacityError("\n".join(f"{'.'.join(map(str, path))}: {message}" for path, message in findings))
    _require_delay(orders, channels)


def _require_delay(orders: Orders, channels: Channels) -> None:
    """Refuse orders with attempts of their own on a channel that has one, and so may have no delay."""
    for name, channel in channels.items():
        if isinstance(channel, LiveChannel) and channel.retry_delay_hours == 0:
            plans = [plan for plan in np.unique(orders.channel).tolist() if name in plan_steps(plan)]
            for row in np.flatnonzero((orders.max_attempts > 1) & np.isin(orders.channel, plans))[:1]:
                raise CapacityError(
                    f"orders: column 'max_attempts', row {row} (order_id {orders.order_id[row]}): "
                    f"{orders.max_attempts[row]} attempts on channel {name!r}, whose retry_delay_hours is 0, are a "
                    "loop of instant redials; give the channel a delay above 0, or write 1")


def _require_skills(orders: Orders, channels: Channels, capacity: CapacitySettings) -> None:
    pairs = np.unique(np.array([orders.channel, orders.skill]), axis=1).T.tolist() if len(orders) else []
    for plan, skill in pairs:
        for name in plan_steps(plan):
            able = [team for team, settings in capacity.teams.items() if name in settings.channels
                    and settings.agents and skill in settings.skills]
            if skill and isinstance(channels[name], LiveChannel) and not able:
                known = sorted({each for team in capacity.teams.values() for each in team.skills})
                row = np.flatnonzero((orders.channel == plan) & (orders.skill == skill))[0]
                raise CapacityError(
                    f"orders: column 'skill', row {row} (order_id {orders.order_id[row]}): no agent who serves channel "
                    f"{name!r} has skill {skill!r}; skills of the teams are {', '.join(known) or 'none'}: add it to a "
                    "team under capacity.teams, or leave the cell empty")
