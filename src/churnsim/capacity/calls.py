"""Inbound calls: who calls when, and with how much patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.chance import draws_at, law_hours, law_numbers
from churnsim.capacity.settings import InboundStream, Weekday
from churnsim.core.clock import DAYS_PER_MONTH, HOURS_PER_MONTH, WEEKDAYS, weekday
from churnsim.core.compiled import njit
from churnsim.core.draws import Float64, Ids, Key, stream, uniform
from churnsim.errors import DataError

ANONYMOUS = -1
# Callers of one hour are numbered from hour x CALLERS on: an id space of their own.
CALLERS = 1 << 20


@dataclass(frozen=True)
class Calls:
    """A list of inbound calls, one array (m,) a field, by time; checked when it is made.

    Attributes
    ----------
    call_id
        int64, unique within a stream; what its draws are keyed by.
    stream
        str, names of inbound streams.
    subscriber
        int64; -1: unknown to the operator. When one who has open orders is served, these are closed.
    time_hours
        float, when the call comes, on the centre's clock.
    patience_hours, handle_hours
        float, how long the caller waits at the first call, infinite for ever, and how long an agent of productivity 1
        is busy.

    Raises
    ------
    DataError
        A column of another length, a time that is not finite, a negative or unknown duration.
    """

    call_id: Ids
    stream: npt.NDArray[np.str_]
    subscriber: Ids
    time_hours: Float64
    patience_hours: Float64
    handle_hours: Float64

    def __post_init__(self) -> None:
        for column in fields(self):
            if len(getattr(self, column.name)) != len(self.call_id):
                raise DataError(f"calls: column {column.name!r} has {len(getattr(self, column.name))} rows, call_id "
                                f"has {len(self.call_id)}; give one value a call")
        for name, wrong, why in (
                ("time_hours", ~np.isfinite(self.time_hours), "is not finite; give an hour on the centre's clock"),
                ("patience_hours", ~(self.patience_hours >= 0),
                 "is no duration; give hours of 0 or more, inf for ever"),
                ("handle_hours", ~(np.isfinite(self.handle_hours) & (self.handle_hours >= 0)),
                 "is no finite duration; give hours of 0 or more")):
            rows = np.flatnonzero(wrong)
            if len(rows):
                raise DataError(f"calls: column {name!r}, row {rows[0]} (call_id {self.call_id[rows[0]]}): "
                                f"{getattr(self, name)[rows[0]].item()!r} {why}")
        if len(self) and (np.diff(self.time_hours) < 0).any():
            order = np.argsort(self.time_hours, kind="stable")
            for column in fields(self):
                object.__setattr__(self, column.name, getattr(self, column.name)[order])

    def __len__(self) -> int:
        return len(self.call_id)

    @classmethod
    def none(cls) -> Calls:
        """Return an empty list."""
        no_ids, no_times = np.zeros(0, np.int64), np.zeros(0)
        return cls(no_ids, np.zeros(0, "<U1"), no_ids, no_times, no_times, no_times)

    @classmethod
    def joined(cls, parts: list[Calls]) -> Calls:
        """Return several lists as one, by time; calls at the same time keep the order of the lists."""
        if not parts:
            return cls.none()
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def to_pandas(self) -> pd.DataFrame:
        """Return the list as a table."""
        columns: dict[str, Any] = {column.name: getattr(self, column.name) for column in fields(self)}
        return pd.DataFrame(columns)


def anonymous_calls(name: str, settings: InboundStream, *, start_weekday: Weekday, key: Key, month: int) -> Calls:
    """Return the calls of a stream in a month, from callers unknown to the operator.

    The number in each clock hour is Poisson with the stream's mean for the hour and weekday and of bursts, the moments
    uniform in it; every draw is keyed by the hour and the caller's ordinal.
    """
    from scipy.stats import poisson

    hours = np.arange(HOURS_PER_MONTH, dtype=np.int64)
    means = mean_calls(settings, start_weekday=start_weekday, month=month)
    number = poisson.ppf(uniform(key, stream(f"capacity.arrivals.{name}"), hours, month=month), means).astype(np.int64)
    hour = np.repeat(hours, number)
    ordinal = np.arange(len(hour)) - np.repeat(np.cumsum(number) - number, number)
    ids = hour * CALLERS + ordinal
    moment = uniform(key, stream(f"capacity.arrival_time.{name}"), ids, month=month)
    time = HOURS_PER_MONTH * month + hour + moment
    order = np.argsort(time, kind="stable")
    ids, time = ids[order], time[order]
    return Calls(ids, np.full(len(ids), name), np.full(len(ids), ANONYMOUS), time,
                 patience_hours(name, settings, ids, key=key, month=month),
                 caller_handle_hours(name, settings, ids, key=key, month=month))


def mean_calls(settings: InboundStream, *, start_weekday: Weekday, month: int) -> Float64:
    """Return the mean number of calls in each hour of a month, (720,)."""
    first = WEEKDAYS.index(start_weekday)
    by_hour = np.array(settings.calls_per_hour_by_hour)
    days = [settings.weekday_factors[weekday(DAYS_PER_MONTH * month + day, start_weekday=first)] * by_hour
            for day in range(DAYS_PER_MONTH)]
    means = np.concatenate(days)
    begins = HOURS_PER_MONTH * month + np.arange(HOURS_PER_MONTH, dtype=np.float64)
    for burst in settings.bursts:
        end = burst.start_hours + burst.length_hours
        means += burst.calls_per_hour * np.clip(
            np.minimum(begins + 1, end) - np.maximum(begins, burst.start_hours), 0.0, None)
    return means


def patience_hours(name: str, settings: InboundStream, call_id: Ids, *, key: Key, month: int) -> Float64:
    """Return how long each caller waits at the first call, (m,) hours."""
    source = stream(f"capacity.patience.{name}").number
    return _laws(law_numbers(settings.patience), call_id, month << 16, source, *key)


def caller_handle_hours(name: str, settings: InboundStream, call_id: Ids, *, key: Key, month: int) -> Float64:
    """Return how long an agent of productivity 1 is busy with each caller, (m,) hours."""
    source = stream(f"capacity.call_handle.{name}").number
    return _laws(law_numbers(settings.handle), call_id, month << 16, source, *key)


@njit
def _laws(law: Float64, ids: Ids, counter: int, source: int, k0: int, k1: int) -> Float64:
    out = np.empty(ids.shape[0])
    for j in range(ids.shape[0]):
        u, v, _ = draws_at(ids[j], counter, source, k0, k1)
        out[j] = law_hours(law, u, v)
    return out


def require_streams(calls: Calls, known: Mapping[str, InboundStream]) -> None:
    """Raise DataError at the first call on a stream that is not among `known`."""
    for row in np.flatnonzero(~np.isin(calls.stream, list(known)))[:1]:
        name = str(calls.stream[row])
        raise DataError(f"calls: column 'stream', row {row} (call_id {calls.call_id[row]}): {name!r} is "
                        f"no inbound stream; known are {', '.join(known) or 'none'}")
