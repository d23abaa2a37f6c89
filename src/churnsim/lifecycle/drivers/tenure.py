"""Months since joining, and the lifecycle state that follows from tenure, usage, bills and absence."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.drivers.base import Array, Driver, Month
from churnsim.population.columns import STATES
from churnsim.population.generate import initial_state

EVENTS = stream("lifecycle.tenure")
DECLINE, SUSPENDED, PROSPECT, ENTRY, CHURNED = (
    STATES.index(name) for name in ("decline", "suspended", "prospect", "entry", "churned"))
DECLINE_RATIO = np.float32(0.8)


def step(base: Subscribers, month: Month) -> None:
    """State at the start of the next month; a subscriber who left keeps running as its own what-if."""
    s = month.settings.suspension
    u_enter, u_resume, _, _ = month.lanes(EVENTS)
    joined = base["join_month"] <= month.number
    base["tenure_months"] = np.where(joined, base["tenure_months"] + 1, 0)
    state = np.where(declining(base, month=month.number) & (base["tenure_months"] >= 3), DECLINE,
                     initial_state(base["tenure_months"]))
    odds = np.float32(logit(s.enter_prob)) + np.float32(s.enter_log_odds_migrant) * base["locality"]
    paused = base["state"] == SUSPENDED
    pauses = np.where(paused, u_resume >= np.float32(s.resume_prob), u_enter < logistic32(odds))
    state = np.where(pauses, SUSPENDED, state)
    joins_next = base["join_month"] == month.number + 1
    base["state"] = np.where(joined, state, np.where(joins_next, ENTRY, PROSPECT))


def declining(base: Subscribers, *, month: int) -> Array:
    """True where usage or bill of the last three months is 20 % or more below the three months before."""
    falls = np.zeros(len(base), dtype=bool)
    for name in ("usage_gb", "bill_amount"):
        recent = sum(base.lag(name, month=month, months_ago=ago) for ago in (0, 1, 2))
        before = sum(base.lag(name, month=month, months_ago=ago) for ago in (3, 4, 5))
        falls |= recent <= DECLINE_RATIO * before
    return falls


def states_at(base: Subscribers, *, month: int) -> Array:
    """Return state codes at the start of `month`, churned where the subscriber has left, (n,) int8."""
    return np.where(base["departure_time"] <= month, np.int8(CHURNED), base["state"])


DRIVER = Driver("tenure", ("join_month", "tenure_months", "usage_gb", "bill_amount", "locality", "state"),
                ("tenure_months", "state"), step)
