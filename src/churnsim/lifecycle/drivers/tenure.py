"""Months pass: tenure, age of the device, and the lifecycle state that follows from usage, bills and absence."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.chance import chance
from churnsim.lifecycle.covariates import columns_read
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import Suspension
from churnsim.population.categories import STATES
from churnsim.population.generate import ENTRY_MONTHS, GROWTH_MONTHS

EVENTS = stream("lifecycle.tenure")
PROSPECT, ENTRY, GROWTH, STABLE, DECLINE, SUSPENDED, CHURNED = range(len(STATES))
DECLINE_RATIO = np.float32(0.8)


def step(settings: Suspension, block: Block, month: Month, draws: Draws) -> None:
    """State at the start of the next month; a subscriber who left keeps running as its own what-if.

    Months count from joining, or from coming back: entry below 3, growth below 12, then stable. Usage or bills that
    fell make it decline after the entry; who recovers, or resumes a paused service, is stable however young. Service
    is paused in any state. Whether it is never depends on whether the subscriber left, so that one who comes back
    while its what-if path pauses comes back suspended.
    """
    u_enter, u_resume = draws.lanes(EVENTS, 2)
    _age(u_enter, u_resume, _declining(block), block["join_month"], month.number, block["returned"],
         chance(settings.enter_prob, settings.enter_log_odds, block), np.float32(settings.resume_prob),
         block["tenure_months"], block["spell_months"], block["device_age_months"], block["state"])


@njit
def _age(u_enter: Float32, u_resume: Float32, declining: Array, join_month: Array, month: int, returned: Array,
         enter_prob: Float32, resume_prob: np.float32, tenure: Array, spell: Array, device: Array, state: Array
         ) -> None:
    for j in range(state.shape[0]):
        joined = join_month[j] <= month
        months = 1 if returned[j] else spell[j] + 1
        was = state[j]
        young = (was <= GROWTH) | returned[j]
        grown = STABLE if (months >= GROWTH_MONTHS) | (not young) else GROWTH
        now = DECLINE if declining[j] & (was != SUSPENDED) else grown
        now = ENTRY if young & (months < ENTRY_MONTHS) else now
        pauses = u_resume[j] >= resume_prob if was == SUSPENDED else u_enter[j] < enter_prob[j]
        now = SUSPENDED if pauses else now
        before = ENTRY if join_month[j] == month + 1 else PROSPECT
        tenure[j] = tenure[j] + 1 if joined else 0
        spell[j] = months if joined else 0
        device[j] += joined
        state[j] = now if joined else before


def _declining(block: Block) -> Array:
    falls = np.zeros(len(block), np.bool_)
    for name in ("usage_gb", "bill_amount"):
        a, b, c, d, e, f = (block.ago(name, months) for months in range(HISTORY_MONTHS))
        _fallen(a, b, c, d, e, f, falls)
    return falls


@njit
def _fallen(a: Float32, b: Float32, c: Float32, d: Float32, e: Float32, f: Float32, falls: Array) -> None:
    """Mark where the last three months (a, b, c) are 20 % or more below the three before (d, e, f)."""
    for j in range(falls.shape[0]):
        recent = a[j] + b[j] + c[j]
        before = d[j] + e[j] + f[j]
        falls[j] = falls[j] | (recent <= DECLINE_RATIO * before)


def states_at(base: Subscribers, *, month: int) -> Array:
    """Return state codes at the start of `month`, churned where the subscriber has left, (n,) int8."""
    return np.where(base["departure_time"] <= month, np.int8(CHURNED), base["state"])


def driver(settings: Suspension) -> Driver:
    """Return the driver."""
    return Driver("tenure", partial(step, settings),
                  reads=tuple(dict.fromkeys(("join_month", "returned", "tenure_months", "spell_months",
                                             "device_age_months", "usage_gb", "bill_amount", "state",
                                             *columns_read(settings.enter_log_odds)))),
                  writes=("tenure_months", "spell_months", "device_age_months", "state"), streams=(EVENTS,),
                  after=("leaving",))
