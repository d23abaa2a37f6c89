"""The contact centre of churnsim on the benchmark's work: its engines alone, and a whole call of ``work``."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from churnsim.capacity.batch import work_batch
from churnsim.capacity.calls import ANONYMOUS, Calls
from churnsim.capacity.centre import work_simpy
from churnsim.capacity.compiled import work_compiled
from churnsim.capacity.floor import ABANDONED, CODES, REACHED, SERVED, Floor
from churnsim.capacity.layout import lay_out
from churnsim.capacity.log import ContactLog, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.record import Record
from churnsim.capacity.settings import (
    BatchChannel,
    CapacitySettings,
    ContactCap,
    Fatigue,
    InboundStream,
    Law,
    LiveChannel,
    Shift,
    Team,
)
from churnsim.capacity.work import work
from churnsim.core.draws import make_key

import contact_load as load
import row

ENGINES = {"compiled": work_compiled, "simpy": work_simpy}
KEY = make_key(seed=3, replicate=0)
SMALL = 2_000
EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STREAM, CHANNEL, SKILL = "callers", "call", "english"
# Callers come from a list, with a patience and a handle time each.
LISTED = InboundStream(
    calls_per_hour_by_hour=(0.0,) * 24,
    patience=Law(law="exponential", mean_minutes=1.0),
    handle=Law(law="exponential", mean_minutes=1.0),
)


class Task(NamedTuple):
    """What a centre is asked to do in month 0."""

    orders: Orders
    calls: Calls
    channels: dict[str, Any]
    capacity: CapacitySettings


def listed(callers: load.Callers) -> Calls:
    """Return callers as calls of people unknown to the operator."""
    ids = np.arange(len(callers.time))
    streams, unknown = np.full(len(ids), STREAM), np.full(len(ids), ANONYMOUS)
    return Calls(ids, streams, unknown, callers.time, patience_hours=callers.patience, handle_hours=callers.handle)


def no_orders() -> Orders:
    """Return an empty list."""
    ids, text, real = np.zeros(0, np.int64), np.zeros(0, "<U1"), np.zeros(0)
    return Orders(ids, ids, text, text, real, real, real, real)


def queue(callers: int) -> Task:
    """Return a queue of callers, served around the clock."""
    team = Team(
        agents=load.SERVERS,
        cost_per_hour_amount=30.0,
        inbound=(STREAM,),
        weekdays=EVERY_DAY,
        shifts=(Shift(start_hour=0.0, end_hour=24.0),),
    )
    capacity = CapacitySettings(teams={"desk": team}, inbound={STREAM: LISTED})
    return Task(no_orders(), listed(load.queue_of_callers(callers)), {}, capacity)


def outreach(orders: int) -> Task:
    """Return a list of orders under every feature of the benchmark."""
    given = load.list_of_orders(orders)
    channel = LiveChannel(
        kind="live",
        answer_prob_by_hour=load.ANSWER_PROB,
        handle_minutes_mean=load.TALK_MINUTES,
        handle_scv=load.TALK_SCV,
        no_answer_minutes=load.RING_MINUTES,
        brief_minutes=load.BRIEF_MINUTES,
        callback_prob=load.CALLBACK_PROB,
        callback_delay_hours=load.CALLBACK_HOURS,
        callback_window_hours=load.PROMISE_HOURS,
        missed_callback_delay_hours=load.MISSED_HOURS,
        max_attempts=load.MAX_ATTEMPTS,
        retry_delay_hours=load.RETRY_HOURS,
    )
    teams = {
        name: Team(
            agents=given.agents // 2,
            cost_per_hour_amount=30.0,
            channels=(CHANNEL,),
            inbound=(STREAM,),
            skills=skills,
            weekdays=EVERY_DAY,
            shifts=tuple(Shift(start_hour=start, end_hour=end) for start, end in shifts),
            productivity_cv=load.PRODUCTIVITY_CV,
        )
        for name, shifts, skills in (("early", load.EARLY, (SKILL,)), ("late", load.LATE, ()))
    }
    capacity = CapacitySettings(
        teams=teams,
        inbound={STREAM: LISTED},
        holidays=tuple(range(given.days, 30)),
        dispatch="value",
        fatigue=Fatigue(caps=tuple(ContactCap(days=float(days), attempts=attempts) for days, attempts in load.CAPS)),
    )
    listed_orders = Orders(
        order_id=np.arange(orders),
        subscriber=given.subscriber,
        channel=np.full(orders, CHANNEL),
        offer=np.full(orders, "offer"),
        value=given.value,
        answer_habit=np.ones(orders),
        release_hours=given.release,
        deadline_hours=given.deadline,
        skill=np.where(given.asks_skill, SKILL, ""),
    )
    return Task(listed_orders, listed(given.callers), {CHANNEL: channel}, capacity)


def messages(number: int) -> Task:
    """Return a list of messages."""
    channel = BatchChannel(
        kind="batch",
        read_prob=load.READ_PROB,
        throttle_per_hour=load.MESSAGES_PER_HOUR,
        send_delay_hours=load.READ_DELAY_HOURS,
        calling_window_hours=(0.0, 24.0),
    )
    value, deadline = load.list_of_messages(number)
    ids = np.arange(number)
    orders = Orders(ids, ids, np.full(number, "sms"), np.full(number, "offer"), value, np.ones(number),
                    np.zeros(number), deadline)
    return Task(orders, Calls.none(), {"sms": channel}, CapacitySettings())


def engine_alone(make: Callable[[int], Task], engine: str, size: int, months: int) -> Callable[[], Record]:
    """Return an engine's call on a floor that is laid out before; a small one has been worked, so all is compiled."""
    run = ENGINES[engine]
    run(floor_of(make(min(size, SMALL))))
    floor = floor_of(make(size))
    return lambda: run(floor)


def floor_of(task: Task) -> Floor:
    """Return the floor of month 0."""
    return lay_out(task.orders, task.calls, channels=task.channels, capacity=task.capacity, key=KEY, month=0).floor


def whole_work(make: Callable[[int], Task], engine: str, size: int, months: int) -> Callable[[], ContactLog]:
    """Return a call of ``work``: checks, layout, engine and log."""
    do_work(make(min(size, SMALL)), engine)
    task = make(size)
    return lambda: do_work(task, engine)


def do_work(task: Task, engine: str) -> ContactLog:
    """Work a task."""
    capacity = task.capacity.model_copy(update={"engine": engine})
    return work(task.orders, channels=task.channels, capacity=capacity, key=KEY, month=0, calls=task.calls)


def messages_alone(size: int, months: int) -> Callable[[], Tries]:
    """Return a call of ``work_batch``."""
    task = messages(size)
    orders, rows, first = task.orders, np.arange(size), np.ones(size, np.int64)
    ((name, channel),) = task.channels.items()
    more: dict[str, Any] = {"name": name, "number": 0, "channel": channel, "key": KEY, "month": 0, "throttled": True}

    def send() -> Tries:
        return work_batch(orders, rows, orders.release_hours, -orders.value, first, **more)

    if size > SMALL:
        messages_alone(SMALL, months)()
    return send


def messages_in_numpy(size: int, months: int) -> Callable[[], int]:
    """Return the arithmetic of a throttled list alone: who is sent when, and who reads it in time."""
    value, deadline = load.list_of_messages(size)
    rng = np.random.default_rng(1)

    def simulate() -> int:
        read_at = np.empty(size)
        read_at[np.argsort(-value, kind="stable")] = np.arange(1, size + 1) / load.MESSAGES_PER_HOUR
        read_at += load.READ_DELAY_HOURS
        return int(((rng.random(size) < load.READ_PROB) & (read_at <= deadline)).sum())

    return simulate


def in_a_process(filled: bool, orders: int, months: int) -> Callable[[], None]:
    """Return a fresh process's first list of orders, with an empty cache of compiled functions or a filled one."""
    command = [sys.executable, "-c", FIRST, str(orders)]
    environment = os.environ | {"XDG_CACHE_HOME": tempfile.mkdtemp()}

    def call() -> None:
        subprocess.run(command, env=environment, check=True)

    if filled:
        call()
    return call


FIRST = "import sys, capacity_run as c; c.do_work(c.outreach(int(sys.argv[1])), 'compiled')"


def facts(found: Any) -> dict[str, Any]:
    """Tell what came of a list, whatever worked it; the command line gives its length."""
    size = int(sys.argv[2])
    if isinstance(found, Record):
        return engine_facts(found, size)
    if isinstance(found, ContactLog):
        return log_facts(found, size)
    if isinstance(found, Tries):
        found = int(found.is_reached.sum())
    return {"contacts": size} | ({} if found is None else {"counts": {"read": found}})


def engine_facts(record: Record, size: int) -> dict[str, Any]:
    """Tell what an engine left: waits of a queue, else counts and a digest of the record."""
    if len(record.state) == 0:
        order = np.argsort(record.item)
        wait, gave_up = (record.end - record.since)[order], (record.code == ABANDONED)[order]
        wait = np.where(gave_up, wait, (record.start - record.since)[order])
        return load.facts(load.Waits(wait, gave_up, load.queue_of_callers(size)))
    digest = hashlib.sha256(b"".join(getattr(record, each.name).tobytes() for each in fields(record)))
    number = np.bincount(record.code, minlength=len(CODES)).tolist()
    counts = {
        "attempts": int((record.is_call == 0).sum()),
        "reached": number[REACHED],
        "served": number[SERVED],
        "abandoned": number[ABANDONED],
    }
    return load.facts(counts) | {"digests": {"record": digest.hexdigest()[:16]}}


def log_facts(log: ContactLog, size: int) -> dict[str, Any]:
    """Tell the same of a log, by its own columns."""
    calls, attempts = log.calls, log.attempts
    if not len(log.outcomes):
        wait = np.where(np.isfinite(calls.start_hours), calls.start_hours, calls.end_hours) - calls.call_hours
        gave_up = calls.disposition == "abandoned_in_queue"
        return load.facts(load.Waits(wait, gave_up, load.queue_of_callers(size)))
    if not len(calls):
        return {"contacts": size, "counts": {"read": int(attempts.is_reached.sum())}}
    return load.facts({
        "attempts": len(attempts),
        "reached": int(attempts.is_reached.sum()),
        "served": int((calls.disposition == "served").sum()),
        "abandoned": int((calls.disposition == "abandoned_in_queue").sum()),
    })


if __name__ == "__main__":
    cases = {
        f"{what} {engine}{' work' * (how is whole_work)}": partial(how, make, engine)
        for what, make in (("queue", queue), ("outreach", outreach))
        for engine in ENGINES
        for how in (engine_alone, whole_work)
    }
    cases |= {
        "messages": messages_alone,
        "messages work": partial(whole_work, messages, "compiled"),
        "messages numpy": messages_in_numpy,
        "first cold": partial(in_a_process, False),
        "first warm": partial(in_a_process, True),
    }
    row.main(cases, packages=["simpy", "numba", "numpy"], facts=facts, warm_up=False)
