"""Orders, calls and settings of a month laid out as the tables that engines read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from churnsim.capacity.calendar import all_teams, mean_answer_prob, month_start
from churnsim.capacity.calls import ANONYMOUS, Calls
from churnsim.capacity.chance import MINUTES_PER_HOUR, answer_stream, handle_hours, law_numbers
from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.floor import (
    AGENT,
    BUSY,
    CALL,
    CAP,
    CODES,
    DROPPED,
    HANDED_BACK,
    MONTH,
    NO_ANSWER,
    NOBODY,
    ORDER,
    PLAN,
    QUEUE,
    STEP,
    STREAM,
    TEAM,
    VOICEMAIL,
    Floats,
    Floor,
    Ints,
    Table,
    channel_record,
    table,
)
from churnsim.capacity.instants import instants
from churnsim.capacity.orders import Orders, plan_steps
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel, Team
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_DAY, HOURS_PER_MONTH, WEEKDAYS, weekday
from churnsim.core.draws import Key, normal, stream, uniform

# A channel, by number, and a skill.
Queue: TypeAlias = tuple[int, str]

# Operators may not call again for 72 hours whom a dialler dropped (Ofcom).
DROPPED_DELAY_HOURS = 72.0
# The length is part of the type that engines are compiled for: a common one saves compiling again.
MOST_FACTORS = 8
# More attempts of a week than these tire nobody further.
WEEK_REMEMBERED = 16


@dataclass(frozen=True)
class FloorPlan:
    """A floor and what its numbers stand for.

    Attributes
    ----------
    rows
        (n,) rows of the orders in their list.
    subscriber_of_call
        (m,) ids, -1: unknown.
    teams, channels, streams
        What teams, channels and streams are numbered by; automatic channels have a team each, after the others.
    """

    floor: Floor
    rows: Ints
    subscriber_of_call: Ints
    teams: dict[str, Team]
    channels: dict[str, LiveChannel]
    streams: tuple[str, ...]


def lay_out(orders: Orders, calls: Calls, *, channels: Mapping[str, LiveChannel | BatchChannel],
            capacity: CapacitySettings, key: Key, month: int, gone_hours: Floats | None = None) -> FloorPlan:
    """Return the floor of a month, for the calls and for the orders whose plan has a live channel.

    `gone_hours`, one for every order, is when a message makes its subscriber opt out; None: never.
    """
    live = {name: channel for name, channel in channels.items() if isinstance(channel, LiveChannel)}
    teams = all_teams(channels, capacity)
    pairs = np.char.add(np.char.add(orders.channel, "\n"), orders.skill)
    texts, plan = np.unique(pairs, return_inverse=True)
    steps = [_steps(text, live) for text in texts.tolist()]
    has_live = np.array([bool(each) for each in steps], np.bool_)
    rows = np.flatnonzero(has_live[plan]) if len(plan) else np.zeros(0, np.int64)
    rows = rows[np.argsort(orders.order_id[rows], kind="stable")]
    people, person = np.unique(np.concatenate([orders.subscriber[rows], calls.subscriber]), return_inverse=True)
    queues = sorted({queue for each in steps for queue in each}) or [(0, "")]
    own = plan[rows] if len(plan) else rows
    plans, per_step, handle = _plan_numbers(orders, rows, own, steps, queues, live, key=key, month=month)
    team_numbers, agents, team_queue, team_stream, group = _staff_numbers(teams, queues, list(live),
                                                                          list(capacity.inbound), key=key)
    caps, fatigue = _fatigue_numbers(capacity)
    floor = Floor(
        month=table(MONTH, start=[month_start(month)], end=[month_start(month + 1)], number=[month], k0=[key.low],
                    k1=[key.high], rule=[RULES.index(capacity.dispatch)], remembered=[len(fatigue) - 1],
                    people=[len(people)]),
        orders=table(ORDER, subscriber=orders.subscriber[rows], person=person[:len(rows)], plan=own,
                     suppressed=~orders.consent[rows], habit=orders.answer_habit[rows], value=orders.value[rows],
                     priority=orders.priority[rows], loss_rate=orders.loss_rate_monthly[rows] / HOURS_PER_MONTH,
                     release=orders.release_hours[rows], deadline=orders.deadline_hours[rows],
                     gone=np.full(len(rows), np.inf) if gone_hours is None else gone_hours[rows]),
        by_release=np.argsort(orders.release_hours[rows], kind="stable"),
        plans=plans, steps=per_step, handle=handle,
        channels=_channel_numbers(live, capacity, month=month), streams=_stream_numbers(capacity),
        calls=table(CALL, time=calls.time_hours, patience=calls.patience_hours, handle=calls.handle_hours,
                    stream=_codes(calls.stream, list(capacity.inbound)), id=calls.call_id,
                    person=np.where(calls.subscriber == ANONYMOUS, NOBODY, person[len(rows):])),
        agents=agents, teams=team_numbers, team_queue=team_queue, team_stream=team_stream,
        queues=table(QUEUE, channel=[c for c, _ in queues], group=group),
        **instants(teams, live, capacity, groups=group, team_queue=team_queue, key=key, month=month),
        caps=caps, fatigue=fatigue)
    return FloorPlan(floor, rows, calls.subscriber, teams, live, tuple(capacity.inbound))


def _codes(names: npt.NDArray[np.str_], known: list[str]) -> Ints:
    code = np.zeros(len(names), np.int64)
    for number, name in enumerate(known):
        code[names == name] = number
    return code


def _steps(text: str, live: Mapping[str, LiveChannel]) -> list[Queue]:
    plan, skill = text.split("\n")
    return [(list(live).index(name), skill) for name in plan_steps(plan) if name in live]


def _padded(lists: Sequence[Sequence[int]]) -> Ints:
    out = np.full((max(len(lists), 1), max((len(each) for each in lists), default=0) + 1), NOBODY, np.int64)
    for row, each in enumerate(lists):
        out[row, :len(each)] = each
    return out


def _plan_numbers(orders: Orders, rows: Ints, plan: Ints, steps: list[list[Queue]], queues: list[Queue],
                  live: Mapping[str, LiveChannel], *, key: Key, month: int) -> tuple[Table, Table, Floats]:
    """Return what orders meet on each step of their plan: queues, attempts, handle times, wrong numbers."""
    plan_queue = _padded([[queues.index(queue) for queue in each] for each in steps])
    plan_channel = _padded([[channel for channel, _ in each] for each in steps])
    plan_first = np.zeros_like(plan_channel)
    n, width = len(rows), plan_channel.shape[1]
    cap, wrong = np.zeros((n, width), np.int64), np.zeros((n, width), np.bool_)
    most = {c: max(channel.max_attempts, int(orders.max_attempts[rows].max(initial=0)))
            for c, channel in enumerate(live.values())}
    for row, each in enumerate(steps):
        plan_first[row, 1:len(each) + 1] = np.cumsum([most[c] for c, _ in each])
    handle = np.zeros((n, int(plan_first.max(initial=0)) or 1))
    for c, (name, channel) in enumerate(live.items()):
        is_wrong = (uniform(key, stream(f"capacity.wrong_number.{name}"), orders.subscriber[rows])
                    < channel.wrong_number_prob) if channel.wrong_number_prob else np.zeros(n, np.bool_)
        for step in range(width):
            here = np.flatnonzero(plan_channel[plan, step] == c)
            if not len(here):
                continue
            own = orders.max_attempts[rows[here]]
            cap[here, step] = np.where(own > 0, own, channel.max_attempts)
            wrong[here, step] = is_wrong[here]
            for attempt in range(1, most[c] + 1):
                handle[here, plan_first[plan[here], step] + attempt - 1] = handle_hours(
                    name, channel, orders.subscriber[rows[here]], key=key, month=month, attempt=attempt)
    return (table(PLAN, queue=plan_queue, channel=plan_channel, first=plan_first), table(STEP, cap=cap, wrong=wrong),
            handle)


def _channel_numbers(channels: Mapping[str, LiveChannel], capacity: CapacitySettings, *, month: int) -> Table:
    live = list(channels.values())
    first = WEEKDAYS.index(capacity.start_weekday)
    days = [weekday(DAYS_PER_MONTH * month + day, start_weekday=first) for day in range(DAYS_PER_MONTH)]
    prob = [np.outer([c.answer_weekday_factors[day] for day in days], c.answer_prob_by_hour).ravel() for c in live]
    most = max([MOST_FACTORS, *(len(c.answer_attempt_factors) for c in live)])
    factors = [[*c.answer_attempt_factors, *[(c.answer_attempt_factors or (1.0,))[-1]] * most][:most] for c in live]
    retry, spread = np.full((len(live), len(CODES)), -1.0), np.zeros((len(live), len(CODES)))
    for row, channel in enumerate(live):
        retry[row, [NO_ANSWER, BUSY, VOICEMAIL]] = channel.retry_delay_hours
        retry[row, DROPPED], retry[row, HANDED_BACK] = DROPPED_DELAY_HOURS, 0.0
        for name, policy in channel.retries.items():
            retry[row, CODES.index(name)] = policy.delay_hours
            spread[row, CODES.index(name)] = policy.spread_hours

    def one(value: Callable[[LiveChannel], float]) -> list[float]:
        return [value(channel) for channel in live]

    rows = table(
        channel_record(most), number=[answer_stream(name).number for name in channels],
        ring=one(lambda c: c.ring_minutes / MINUTES_PER_HOUR),
        no_answer=one(lambda c: c.no_answer_minutes / MINUTES_PER_HOUR),
        brief=one(lambda c: c.brief_minutes / MINUTES_PER_HOUR),
        preview=one(lambda c: c.preview_minutes / MINUTES_PER_HOUR if c.dialling == "preview" else 0.0),
        wrap=one(lambda c: c.wrap_share), same_slot=one(lambda c: c.same_slot_factor),
        opt_out=one(lambda c: c.opt_out_prob), step_delay=one(lambda c: c.retry_delay_hours),
        lines=one(lambda c: c.lines_per_agent if c.dialling == "predictive" else 1.0),
        dropped_limit=one(lambda c: c.dropped_limit),
        plan_prob=[mean_answer_prob(name, channel, capacity) for name, channel in channels.items()],
        plan_handle=one(lambda c: c.handle_minutes_mean / MINUTES_PER_HOUR),
        prob=np.array(prob).reshape(len(live), HOURS_PER_MONTH), factor=np.array(factors).reshape(len(live), most),
        unanswered_to=np.array([(c.busy_prob, c.busy_prob + c.voicemail_prob) for c in live]).reshape(-1, 2),
        answered_to=np.array([np.cumsum((c.refusal_prob, c.hang_up_prob, c.callback_prob))
                              for c in live]).reshape(-1, 3),
        callback=np.array([(*c.callback_delay_hours, c.callback_window_hours, c.missed_callback_delay_hours)
                           for c in live]).reshape(-1, 4),
        retry=retry, spread=spread)
    return rows


def _stream_numbers(capacity: CapacitySettings) -> Table:
    streams = list(capacity.inbound.values())
    return table(
        STREAM, retrial_prob=[s.retrial_prob for s in streams],
        patience=np.array([law_numbers(s.patience) for s in streams]).reshape(-1, 3),
        delay=np.array([law_numbers(s.retrial_delay) for s in streams]).reshape(-1, 3),
        patience_number=[stream(f"capacity.patience.{name}").number for name in capacity.inbound],
        retrial_number=[stream(f"capacity.retrial.{name}").number for name in capacity.inbound])


def _staff_numbers(teams: Mapping[str, Team], queues: list[Queue], channels: list[str], streams: list[str], *,
                   key: Key) -> tuple[Table, Table, Ints, Ints, Ints]:
    """Return teams, agents, the queues and the streams of each team, and the groups of queues."""
    served = [[q for name in team.channels for q, (c, skill) in enumerate(queues)
               if channels[c:c + 1] == [name] and (not skill or skill in team.skills)] for team in teams.values()]
    team_stream = [[streams.index(name) for name in team.inbound] for team in teams.values()]
    productivity = []
    for name, team in teams.items():
        spread = np.sqrt(np.log1p(team.productivity_cv**2))
        z = normal(key, stream(f"capacity.productivity.{name}"), np.arange(team.agents))
        productivity.append(team.productivity * np.exp(spread * z - spread**2 / 2))
    learning = [team.learning for team in teams.values()]
    rows = table(
        TEAM, learn_start=[each.start_factor if each else 1.0 for each in learning],
        learn_half=[each.half_contacts if each else 1.0 for each in learning],
        reserve=[team.reserve_agents for team in teams.values()],
        hand_back=[team.shift_end == "hand_back" for team in teams.values()])
    agents = table(AGENT, team=np.repeat(np.arange(len(teams)), [team.agents for team in teams.values()]),
                   productivity=np.concatenate([*productivity, np.zeros(0)]))
    return rows, agents, _padded(served), _padded(team_stream), _groups(served, len(queues))


def _groups(served: list[list[int]], queues: int) -> Ints:
    """Return the group of each queue: those that a team serves are in one group."""
    group = np.arange(queues)
    for own in served:
        group[np.isin(group, group[own])] = group[own].min(initial=queues)
    return np.asarray(np.unique(group, return_inverse=True)[1], np.int64)


def _fatigue_numbers(capacity: CapacitySettings) -> tuple[Table, Floats]:
    fatigue = capacity.fatigue
    remembered = max([cap.attempts for cap in fatigue.caps] + [WEEK_REMEMBERED if fatigue.answer_factor < 1.0 else 0])
    caps = table(CAP, hours=[cap.days * HOURS_PER_DAY for cap in fatigue.caps],
                 attempts=[cap.attempts for cap in fatigue.caps])
    return caps, np.asarray(fatigue.answer_factor ** np.arange(remembered + 1), np.float64)
