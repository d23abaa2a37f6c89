"""The draws of the contact centre: who answers at which hour and how long a talk takes, whatever the policy.

An answer is keyed by subscriber, month and hour of the month, a handle time by subscriber, month and attempt.
Nothing depends on the order of the attempts, so two policies that call the same subscriber at the same hour
get the same answer, and a redial within the hour cannot change it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import uint64

from churnsim.capacity.settings import LiveChannel
from churnsim.core.compiled import njit
from churnsim.core.draws import Float64, Ids, Key, Stream, normal, philox, stream

MINUTES_PER_HOUR = 60.0


def answer_stream(channel: str) -> Stream:
    """Return the stream of answers (live) or readings (batch) of a channel."""
    return stream(f"capacity.answer.{channel}")


@njit
def unit_at(subscriber: int, counter: int, source: int, k0: int, k1: int) -> float:
    """Return one number of :func:`churnsim.core.draws.uniform`; `counter` is month << 16 | index."""
    i = uint64(subscriber)
    high, low, _, _ = philox(
        i & uint64(0xFFFFFFFF), i >> uint64(32), uint64(counter), uint64(source), uint64(k0), uint64(k1)
    )
    return (np.float64((high >> uint64(6)) << uint64(26) | (low >> uint64(6))) + 0.5) * 2.0**-52


def handle_hours(
    name: str, channel: LiveChannel, subscribers: Ids, *, key: Key, month: int, attempt: int
) -> Float64:
    """Return the handle times, were they answered, of an attempt by an agent of productivity 1.

    Parameters
    ----------
    subscribers
        (n,) int64.
    attempt
        Number of the attempt on the order, from 1.

    Returns
    -------
    (n,) hours, log-normal: ``exp(m + s z)``, ``s**2 = log(1 + scv)``, ``m = log(mean) - s**2 / 2``.
    """
    mean = channel.handle_minutes_mean / MINUTES_PER_HOUR
    variance = math.log1p(channel.handle_scv)
    z = normal(key, stream(f"capacity.handle.{name}"), subscribers, month=month, index=attempt)
    return np.asarray(mean * np.exp(math.sqrt(variance) * z - variance / 2))
