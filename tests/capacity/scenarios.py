"""Random small centres with every feature, from a seed: for equal engines and for rules that hold on every log.

Times lie on quarters of an hour and durations are often fixed, so that releases, retries, ends of contacts, edges of
shifts and calls meet at the same instants.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np

from churnsim.capacity.calls import Calls, anonymous_calls
from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.layout import FloorPlan, lay_out
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import (
    AutomaticChannel,
    BatchChannel,
    Burst,
    CapacitySettings,
    ContactCap,
    Fatigue,
    InboundStream,
    Law,
    Learning,
    LiveChannel,
    Retry,
    Shift,
    Team,
)
from churnsim.capacity.work import work
from churnsim.core.draws import Key, make_key

from .examples import EVERY_DAY

SHIFTS = (
    (Shift(start_hour=9.0, end_hour=13.0), Shift(start_hour=14.0, end_hour=18.0)),
    (Shift(start_hour=8.0, end_hour=16.0, breaks=((10.0, 10.25), (12.0, 13.0))),),
    (Shift(start_hour=20.0, end_hour=30.0, breaks=((24.0, 24.5),)),),
    (Shift(start_hour=0.0, end_hour=24.0),),
    (Shift(start_hour=0.0, end_hour=12.0), Shift(start_hour=12.0, end_hour=24.0)),
    (Shift(start_hour=10.0, end_hour=10.0 + 1 / 3600),),
)
WINDOWS = ((8.0, 21.0), (0.0, 24.0), (9.5, 14.0))
WEEKDAYS = (EVERY_DAY, EVERY_DAY[:5], EVERY_DAY[1:3])
LIVE_PLANS = ("voice", "desk", "robot", "voice>desk", "desk>robot>voice")
PLANS = (*LIVE_PLANS, "sms", "voice>mail", "sms>voice", "sms>robot>mail")
HOURS = 24


@dataclass(frozen=True)
class Scenario:
    """A centre and its month's work."""

    orders: Orders
    calls: Calls
    channels: dict[str, LiveChannel | BatchChannel]
    capacity: CapacitySettings
    key: Key
    month: int

    def all_calls(self) -> Calls:
        """Return the known calls and those of the streams' own rates."""
        streams = [anonymous_calls(name, stream, start_weekday=self.capacity.start_weekday, key=self.key,
                                   month=self.month) for name, stream in self.capacity.inbound.items()]
        return Calls.joined([self.calls, *streams])

    def floor_plan(self) -> FloorPlan:
        """Return the floor both engines work from."""
        return lay_out(self.orders, self.all_calls(), channels=self.channels, capacity=self.capacity, key=self.key,
                       month=self.month)

    def log(self) -> ContactLog:
        """Return the log of the compiled engine, of centres that are refused too: without agents, say."""
        with mock.patch("churnsim.capacity.work.check_capacity", return_value=[]):
            return work(self.orders, channels=self.channels, capacity=self.capacity, key=self.key, month=self.month,
                        calls=self.calls)


def seed_of_the_day() -> int:
    """Return the first seed for `make nightly`: CHURNSIM_SEED, a date such as 20260131, times a million."""
    return int(os.environ["CHURNSIM_SEED"]) * 1_000_000


def scenario(seed: int) -> Scenario:
    """Return the centre of a seed."""
    draw = _Draw(np.random.default_rng(seed))
    month = draw.one(0, 0, 5)
    channels = draw.channels()
    inbound = {name: draw.stream(month) for name in ("hot", "cold")[:draw.one(0, 1, 2)]}
    capacity = CapacitySettings(
        teams={f"t{i}": draw.team(list(channels), list(inbound)) for i in range(draw.one(1, 2, 3))}, inbound=inbound,
        start_weekday=draw.one(*EVERY_DAY), holidays=draw.one((), (0, 1, 30 * month + 2)),
        dispatch=draw.one(*RULES), fatigue=draw.fatigue(),
        engine="compiled")
    orders = draw.orders(draw.one(0, 1, 6, 25, 40), capacity, month)
    return Scenario(orders, draw.calls(list(inbound), orders, month), channels, capacity,
                    make_key(seed=seed, replicate=0), month)


class _Draw:
    """Random settings: a feature is often off, so that the others are met alone and in pairs."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random

    def one(self, *options: Any) -> Any:
        return options[self.random.integers(len(options))]

    def law(self) -> Law:
        return Law(law=self.one("fixed", "exponential", "lognormal", "weibull", "uniform"),
                   mean_minutes=self.one(0.5, 15.0, 60.0), scv=self.one(0.5, 2.0))

    def channels(self) -> dict[str, LiveChannel | BatchChannel]:
        # All with as many factors: engines are compiled anew for another number of them.
        factors = (1.0, self.one(1.0, 0.5), self.one(1.0, 0.5, 0.0))
        return {
            "voice": LiveChannel(kind="live", **self.live(answer_attempt_factors=factors)),
            "desk": LiveChannel(kind="live", **self.live()),
            "robot": AutomaticChannel(kind="automatic", lines=self.one(1, 3), **self.live()),
            "sms": self.batch(), "mail": self.batch(),
        }

    def batch(self) -> BatchChannel:
        return BatchChannel(
            kind="batch", cost_per_attempt_amount=0.03, cost_per_conversion_amount=self.one(0.0, 1.5),
            read_prob=self.one(0.2, 0.9), throttle_per_hour=self.one(0.5, 4.0, 1000.0),
            send_delay_hours=self.one(0.0, 0.5), next_channel_delay_hours=self.one(0.0, 1.0, 24.0),
            calling_window_hours=self.one(*WINDOWS))

    def live(self, **changes: Any) -> dict[str, Any]:
        level = self.one(0.2, 0.5, 1.0)
        by_hour = self.random.choice([0.0, 0.3, 0.8], HOURS).tolist()
        return {
            "cost_per_attempt_amount": self.one(0.0, 0.05), "cost_per_minute_amount": self.one(0.0, 0.01),
            "cost_per_conversion_amount": self.one(0.0, 2.0), "opt_out_prob": self.one(0.0, 0.3),
            "calling_window_hours": self.one(*WINDOWS),
            "answer_prob_by_hour": tuple(self.one([level] * HOURS, [0.5, *by_hour[1:]])),
            "answer_weekday_factors": self.one((1.0,) * 7, (1.0, 0.5, 1.0, 0.0, 1.2, 2.0, 0.7)),
            "same_slot_factor": self.one(1.0, 0.5), "handle_minutes_mean": self.one(15.0, 60.0, 300.0),
            "handle_scv": self.one(0.0, 0.0, 0.9), "wrap_share": self.one(0.0, 0.3),
            "ring_minutes": self.one(0.0, 0.2, 15.0), "no_answer_minutes": self.one(0.6, 15.0, 45.0),
            "brief_minutes": self.one(1.0, 15.0), "busy_prob": self.one(0.0, 0.3), "voicemail_prob": self.one(0.0, 0.4),
            "wrong_number_prob": self.one(0.0, 0.2), "refusal_prob": self.one(0.0, 0.2),
            "hang_up_prob": self.one(0.0, 0.2), "callback_prob": self.one(0.0, 0.4),
            "callback_delay_hours": self.one((0.0, 0.0), (1.0, 1.0), (2.0, 26.0)),
            "callback_window_hours": self.one(0.25, 3.0), "missed_callback_delay_hours": self.one(0.25, 24.0),
            "max_attempts": self.one(1, 2, 4), "retry_delay_hours": self.one(0.25, 4.0, 24.0),
            "retries": {name: Retry(delay_hours=self.one(0.25, 1.0, 24.0), spread_hours=self.one(0.0, 2.0))
                        for name in ("busy", "voicemail", "refused", "hung_up", "dropped_by_dialer") if self.one(0, 1)},
            "dialling": self.one("preview", "progressive", "predictive"), "preview_minutes": self.one(0.0, 2.0, 15.0),
            "lines_per_agent": self.one(1.0, 1.5, 2.0, 3.0), "dropped_limit": self.one(0.0, 0.03, 0.5, 1.0), **changes,
        }

    def team(self, channels: list[str], streams: list[str]) -> Team:
        served = tuple(name for name in channels if name in ("voice", "desk") and self.one(0, 1, 1))
        return Team(
            agents=self.one(0, 1, 1, 2, 3, 5), cost_per_hour_amount=self.one(0.0, 33.33), channels=served,
            inbound=tuple(name for name in streams if self.one(0, 1)), skills=self.one((), ("en",), ("en", "de")),
            weekdays=self.one(*WEEKDAYS), shifts=self.one(*SHIFTS), productivity=self.one(1.0, 1.7),
            productivity_cv=self.one(0.0, 0.3), absence_prob=self.one(0.0, 0.3),
            learning=self.one(None, Learning(start_factor=0.5, half_contacts=3.0)),
            reserve_agents=self.one(0, 0, 1), shift_end=self.one("finish", "hand_back"),
            overtime_factor=self.one(1.0, 1.5))

    def stream(self, month: int) -> InboundStream:
        burst = Burst(start_hours=720.0 * month + 33.0, length_hours=0.5, calls_per_hour=40.0)
        return InboundStream(
            calls_per_hour_by_hour=self.one((0.0,) * HOURS, (0.0,) * 9 + (0.15,) * 9 + (0.0,) * 6),
            weekday_factors=self.one((1.0,) * 7, (1.0, 0.0, 2.0, 1.0, 1.0, 0.5, 0.5)), bursts=self.one((), (burst,)),
            patience=self.one(None, self.law()), handle=self.law(), wrap_share=self.one(0.0, 0.2),
            retrial_prob=self.one(0.0, 0.5, 0.9), retrial_delay=self.law(),
            cost_per_minute_amount=self.one(0.0, 0.02))

    def fatigue(self) -> Fatigue:
        caps = (ContactCap(days=1.0, attempts=1), ContactCap(days=7.0, attempts=2), ContactCap(days=0.125, attempts=1))
        return Fatigue(caps=self.one((), caps[:1], caps[:2], caps[2:]), answer_factor=self.one(1.0, 0.8))

    def orders(self, n: int, capacity: CapacitySettings, month: int) -> Orders:
        random, start = self.random, 720.0 * month
        quarters = start + random.integers(-20, 400, n) / 4
        release = self.one(np.full(n, start + 10.0), quarters, quarters + random.random(n),
                           start + random.choice([-5.0, 9.0, 34.0, 700.0, 800.0], n))
        skills = {skill for team in capacity.teams.values() if team.agents
                  and {"voice", "desk"} <= set(team.channels) for skill in team.skills}
        channel = random.choice(self.one(PLANS, LIVE_PLANS, PLANS[:1]), n)
        able = np.array(["robot" not in plan for plan in channel.tolist()], np.bool_)
        return Orders(
            order_id=random.permutation(n) * 3, subscriber=random.integers(0, max(n // self.one(1, 2), 1), n),
            channel=channel, offer=np.full(n, "discount"), value=random.integers(0, 4, n).astype(float),
            answer_habit=random.choice([0.0, 0.5, 1.0, 1.0, 3.0], n), release_hours=release,
            deadline_hours=release + random.choice([0.0, 5.0, 60.0, 300.0, np.inf, np.inf], n),
            skill=np.where(able, random.choice(["", "", *sorted(skills)], n), ""),
            priority=random.integers(0, 3, n).astype(float), loss_rate_monthly=random.choice([0.0, 0.02, 2.0], n),
            max_attempts=random.choice([0, 0, 1, 5], n), consent=random.random(n) < self.one(1.0, 1.0, 0.8),
            accept_prob=self.one(np.full(n, np.nan), random.random(n)))

    def calls(self, streams: list[str], orders: Orders, month: int) -> Calls:
        m = self.one(0, 3, 20) if streams else 0
        random = self.random
        people = np.append(orders.subscriber, [-1, 999])
        time = np.sort(720.0 * month + self.one(random.integers(30, 250, m) / 4, np.full(m, 58.0)))
        return Calls(
            np.arange(m), random.choice(streams or [""], m), random.choice(people, m), time,
            random.choice([0.0, 0.01, 0.25, 4.0, np.inf], m), random.choice([0.0, 0.25, 1.3], m))
