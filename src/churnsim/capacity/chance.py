"""The draws of the contact centre: who answers at which hour and how long a talk takes, whatever the policy.

An answer is keyed by subscriber, month and hour of the month, a handle time by subscriber, month and attempt, what a
caller does by the call. Nothing depends on the order of the attempts, so two policies that call the same subscriber
at the same hour get the same answer, and a redial within the hour cannot change it.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import uint64

from churnsim.capacity.settings import Law, LiveChannel
from churnsim.core.compiled import njit
from churnsim.core.draws import Float64, Ids, Key, Stream, normal, philox, stream

MINUTES_PER_HOUR = 60.0
LAWS = ("fixed", "exponential", "lognormal", "weibull", "uniform")
Numbers = npt.NDArray[np.float64]


def answer_stream(channel: str) -> Stream:
    """Return the stream of answers (live) or readings (batch) of a channel."""
    return stream(f"capacity.answer.{channel}")


@njit
def draws_at(identity: int, counter: int, source: int, k0: int, k1: int) -> tuple[float, float, float]:
    """Return three independent uniforms inside (0, 1) of one counter: the first with 52 bits, two with 32.

    The first is that of :func:`churnsim.core.draws.uniform`; `counter` is month << 16 | index.
    """
    i = uint64(identity)
    high, low, second, third = philox(
        i & uint64(0xFFFFFFFF), i >> uint64(32), uint64(counter), uint64(source), uint64(k0), uint64(k1)
    )
    first = (np.float64((high >> uint64(6)) << uint64(26) | (low >> uint64(6))) + 0.5) * 2.0**-52
    return first, (np.float64(second) + 0.5) * 2.0**-32, (np.float64(third) + 0.5) * 2.0**-32


def law_numbers(law: Law | None) -> Numbers:
    """Return a law of durations as numbers for :func:`law_hours`; None is for ever.

    Code of the family, then: the mean (fixed, exponential, uniform), mean and shape of the logarithm (lognormal),
    scale and shape (weibull), in hours.
    """
    if law is None:
        return np.array([0.0, np.inf, 0.0])
    mean = law.mean_minutes / MINUTES_PER_HOUR
    a, b = mean, 0.0
    if law.law == "lognormal":
        variance = math.log1p(law.scv)
        a, b = math.log(mean) - variance / 2, math.sqrt(variance)
    elif law.law == "weibull":
        b = _weibull_shape(law.scv)
        a = mean / math.gamma(1.0 + 1.0 / b)
    return np.array([float(LAWS.index(law.law)), a, b])


def _weibull_shape(scv: float) -> float:
    from scipy.optimize import brentq

    def excess(shape: float) -> float:
        return math.exp(math.lgamma(1.0 + 2.0 / shape) - 2.0 * math.lgamma(1.0 + 1.0 / shape)) - 1.0 - scv

    return float(brentq(excess, 0.05, 100.0))


@njit
def law_hours(law: Numbers, u: float, v: float) -> float:
    """Return a duration, in hours, from two uniforms: by inversion, log-normal by Box and Muller."""
    code, a, b = law[0], law[1], law[2]
    if code == 1.0:
        return float(-a * math.log(u))
    if code == 2.0:
        return float(math.exp(a + b * math.sqrt(-2.0 * math.log(u)) * math.cos(2.0 * math.pi * v)))
    if code == 3.0:
        return float(a * math.pow(-math.log(u), 1.0 / b))
    if code == 4.0:
        return float(2.0 * a * u)
    return float(a)


@njit
def practice(start: float, half: float, contacts: int) -> float:
    """Return an agent's productivity over an experienced one's: ``1 - (1 - start) 2**(-contacts / half)``."""
    return float(1.0 - (1.0 - start) * math.pow(0.5, contacts / half))


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
