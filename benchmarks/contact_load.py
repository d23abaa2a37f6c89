"""The work that contact centres of the benchmark do: a queue of callers, a list of orders, a list of messages.

Peers read it too, so it needs numpy alone. Times are hours from the start of a month of 720.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# A queue of callers: M/M/50+M at a load of one, patience twice the handle time.
SERVERS = 50
HANDLE_HOURS, PATIENCE_HOURS = 1 / 6, 1 / 3
CALLS_PER_HOUR = SERVERS / HANDLE_HOURS
MOST_CALLERS = 210_000  # who come within a month
# How far the clocks of engines may drift from one that adds no delays.
WAIT_TOLERANCE_HOURS = 1e-6

# A list of orders: 60 agents have a quarter too much of it.
CENTRE_AGENTS, CENTRE_ORDERS, ORDERS_PER_DAY, CALLS_PER_DAY = 60, 100_000, 4600, 900
EARLY, LATE = ((9.0, 13.0), (14.0, 17.5)), ((12.0, 16.0), (17.0, 20.5))
PRODUCTIVITY_CV = 0.3 / 12**0.5
SKILL_SHARE = 0.1
ANSWER_PROB = (0.15,) * 9 + (0.25,) * 3 + (0.30,) * 3 + (0.28,) * 2 + (0.38,) * 4 + (0.20,) * 3
TALK_MINUTES, TALK_SCV, RING_MINUTES, BRIEF_MINUTES = 5.0, 0.9, 0.6, 1.0
MAX_ATTEMPTS, RETRY_HOURS = 3, 4.5
CALLBACK_PROB, CALLBACK_HOURS, PROMISE_HOURS, MISSED_HOURS = 0.1, (2.0, 26.0), 0.25, 24.0
CAPS = ((1, 2), (7, 4))  # days, attempts at a subscriber
MONTH_HOURS = 720.0

# A list of messages.
MESSAGES_PER_HOUR, READ_PROB, READ_DELAY_HOURS = 50_000.0, 0.95, 1.13


class Callers(NamedTuple):
    """When each of n callers comes, how long an agent is busy and how long the caller waits."""

    time: Floats
    handle: Floats
    patience: Floats


class Outreach(NamedTuple):
    """A list of orders, and the centre that works it while callers come."""

    subscriber: npt.NDArray[np.int64]
    value: Floats
    release: Floats
    deadline: Floats
    asks_skill: npt.NDArray[np.bool_]
    callers: Callers
    agents: int
    """Half of them work early and have the skill, half late without it."""
    days: int


class Waits(NamedTuple):
    """What a model of the queue found for each caller, and the callers."""

    wait: Any
    gave_up: Any
    callers: Callers


def queue_of_callers(callers: int, *, seed: int = 7) -> Callers:
    """Return callers of M/M/50+M."""
    if callers > MOST_CALLERS:
        raise ValueError(f"{callers:,} callers do not come within a month; at most {MOST_CALLERS:,} do")
    rng = np.random.default_rng(seed)
    means = (1 / CALLS_PER_HOUR, HANDLE_HOURS, PATIENCE_HOURS)
    gap, handle, patience = (rng.exponential(mean, callers) for mean in means)
    return Callers(np.cumsum(gap), handle, patience)


def first_come(callers: Callers) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the waits in the queue and who gave up: who comes first takes the agent who is free first."""
    free_at = [0.0] * SERVERS
    waits = []
    for time, handle, patience in zip(*(column.tolist() for column in callers), strict=True):
        start = max(time, free_at[0])
        if start - time <= patience:
            heapq.heapreplace(free_at, start + handle)
        waits.append(start - time)
    wait = np.array(waits)
    return np.minimum(wait, callers.patience), wait > callers.patience


def list_of_orders(orders: int, *, seed: int = 3) -> Outreach:
    """Return a list of orders; 60 agents a 100,000 orders, fewer days for fewer orders."""
    rng = np.random.default_rng(seed)
    centres = max(1, round(orders / CENTRE_ORDERS))
    days = min(30, max(2, -(-orders // (ORDERS_PER_DAY * centres))))
    release = rng.uniform(0, 24 * max(1, days - 2), orders)
    calls = CALLS_PER_DAY * centres * days
    time = 24.0 * rng.integers(0, days, calls) + 9 + 11.5 * rng.beta(2.2, 2.0, calls)
    sigma = np.sqrt(np.log1p(TALK_SCV))
    callers = Callers(np.sort(time), 0.1 * rng.lognormal(-(sigma**2) / 2, sigma, calls), rng.exponential(1 / 30, calls))
    return Outreach(
        subscriber=rng.permutation(orders) // 2,
        value=rng.gamma(2, 60, orders),
        release=release,
        deadline=release + 6 + rng.exponential(6 * 24, orders),
        asks_skill=rng.random(orders) < SKILL_SHARE,
        callers=callers,
        agents=CENTRE_AGENTS * centres,
        days=days,
    )


def list_of_messages(messages: int) -> tuple[Floats, Floats]:
    """Return the value and the deadline of each message; all are released at once."""
    rng = np.random.default_rng(0)
    deadline = rng.exponential(20 * 24, messages)
    return rng.gamma(2, 60, messages), deadline


def facts(found: Waits | dict[str, int]) -> dict[str, Any]:
    """Tell how many contacts a model executed, and how its waits agree or what it counted.

    Raises
    ------
    ValueError
        Its waits are not those of :func:`first_come`.
    """
    if isinstance(found, dict):
        return {"contacts": found["attempts"] + found["served"], "counts": found}
    expected, gives_up = first_come(found.callers)
    others = int((np.asarray(found.gave_up, bool) != gives_up).sum())
    drift = float(np.abs(np.asarray(found.wait) - expected).max())
    if others or not drift <= WAIT_TOLERANCE_HOURS:
        raise ValueError(f"{others} others gave up, waits differ by up to {drift:.2g} hours")
    agrees = "same waits" if drift == 0 else f"same waits within {drift:.0e} h"
    return {"contacts": len(expected), "agrees": agrees, "abandoned_share": float(gives_up.mean())}
