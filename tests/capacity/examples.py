"""Small centres and lists of orders for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from churnsim.capacity.calls import Calls
from churnsim.capacity.chance import answer_stream, draws_at
from churnsim.capacity.log import ContactLog
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import (
    BatchChannel,
    CapacitySettings,
    InboundStream,
    Law,
    LiveChannel,
    Shift,
    Team,
)
from churnsim.capacity.work import work
from churnsim.core.draws import make_key

KEY = make_key(seed=20, replicate=0)
EVERY_DAY = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ROUND_THE_CLOCK = (Shift(start_hour=0.0, end_hour=24.0),)


def voice(**changes: Any) -> LiveChannel:
    """Return a call channel: answer probability 0.4 all day, 6 minutes a talk, 3 attempts a day apart."""
    values: dict[str, Any] = {
        "kind": "live", "cost_per_attempt_amount": 0.05, "answer_prob_by_hour": (0.4,) * 24,
        "handle_minutes_mean": 6.0, "no_answer_minutes": 0.6, "max_attempts": 3, "retry_delay_hours": 24.0,
    }
    return LiveChannel(**{**values, **changes})


def sms(**changes: Any) -> BatchChannel:
    """Return a message channel: 100 an hour, half of them read."""
    values: dict[str, Any] = {
        "kind": "batch", "cost_per_attempt_amount": 0.03, "read_prob": 0.5, "throttle_per_hour": 100.0,
    }
    return BatchChannel(**{**values, **changes})


def team(**changes: Any) -> Team:
    """Return two agents on "voice", Monday to Friday, 9-13 and 14-18, at 30 an hour."""
    values: dict[str, Any] = {"agents": 2, "cost_per_hour_amount": 30.0, "channels": ("voice",)}
    return Team(**{**values, **changes})


def centre(*teams: Team, **changes: Any) -> CapacitySettings:
    """Return a centre of the teams t0, t1, ..."""
    return CapacitySettings(teams={f"t{i}": each for i, each in enumerate(teams)}, **changes)


def order_list(n: int, **columns: Any) -> Orders:
    """Return n orders on "voice", released at 0, without deadlines, alike but for their ids."""
    values: dict[str, Any] = {
        "order_id": np.arange(n), "subscriber": np.arange(n), "channel": "voice", "offer": "discount",
        "value": 1.0, "answer_habit": 1.0, "release_hours": 0.0, "deadline_hours": np.inf,
    }
    filled = {name: np.broadcast_to(np.asarray(v), (n,)).copy() for name, v in {**values, **columns}.items()}
    return Orders(**filled)


def hour_calls(**changes: Any) -> dict[str, Any]:
    """Return a call channel's settings with which every attempt takes exactly an hour and everybody answers."""
    return {"answer_prob_by_hour": (1.0,) * 24, "handle_minutes_mean": 60.0, "handle_scv": 0.0,
            "no_answer_minutes": 60.0, "brief_minutes": 60.0, **changes}


def work_by_both(orders: Orders, channels: dict[str, Any], capacity: CapacitySettings, *, calls: Calls | None = None,
                 month: int = 0) -> ContactLog:
    """Return the log of a month, which both engines must leave alike."""
    logs = [work(orders, channels=channels, capacity=capacity.model_copy(update={"engine": engine}), key=KEY,
                 month=month, calls=calls) for engine in ("simpy", "compiled")]
    for part in ("attempts", "outcomes", "calls"):
        one, other = (getattr(log, part).to_pandas() for log in logs)
        assert one.equals(other)
    return logs[0]


def subscriber_with(channel: str, *bounds: tuple[int, int, float, float], month: int = 0) -> int:
    """Return the first subscriber whose uniforms lie in bounds: each (hour of the month, which of three, low, high)."""
    source = answer_stream(channel).number
    return next(person for person in range(100_000) if all(
        low <= draws_at(person, month << 16 | hour, source, *KEY)[which] < high for hour, which, low, high in bounds))


def call_list(*calls: tuple[float, int, float, float], stream: str = "hot") -> Calls:
    """Return calls, each (hour, subscriber, patience hours, handle hours)."""
    time, subscriber, patience, handle = (np.array(column) for column in zip(*calls, strict=True))
    return Calls(np.arange(len(calls)), np.full(len(calls), stream), subscriber, time.astype(float),
                 patience.astype(float), handle.astype(float))


def inbound(**changes: Any) -> InboundStream:
    """Return a stream without calls of its own, handled and waited for a minute."""
    minute = Law(law="fixed", mean_minutes=1.0)
    return InboundStream(**{"calls_per_hour_by_hour": (0.0,) * 24, "patience": minute, "handle": minute, **changes})
