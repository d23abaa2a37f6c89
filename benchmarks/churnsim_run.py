"""The workload as drivers of churnsim: one compiled driver, the same in plain numpy, and three compiled ones.

They use what the drivers of any lifecycle use: declared columns, streams and blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from churnsim.core.columns import Column, Schema, Subscribers
from churnsim.core.compiled import inlined
from churnsim.core.draws import make_key, stream
from churnsim.core.smooth import exp_scalar
from churnsim.lifecycle.block import Block, Draws, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.engine import Engine
from numba import njit

import row
import workload as w

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]

NEW, ACTIVE, AT_RISK, NOTICE, CHURNED = map(np.int32, w.STATES)
ZERO, HALF, ONE = map(np.float32, (0, 0.5, 1))
USAGE_KEPT, USAGE_NOISE, COMPLAINT_KEPT = map(np.float32, (w.USAGE_KEPT, w.USAGE_NOISE, w.COMPLAINT_KEPT))
PROB, PROB_AT_RISK = map(np.float32, (w.COMPLAINT_PROB, w.COMPLAINT_PROB_AT_RISK))
INTERCEPT, BY_USAGE, BY_COMPLAINTS = map(np.float32, (w.INTERCEPT, w.BY_USAGE, w.BY_COMPLAINTS))
BY_TENURE, BY_PRICE, BY_CONTRACT = map(np.float32, (w.BY_TENURE, w.BY_PRICE, w.BY_CONTRACT))
LOW_USAGE, MANY_COMPLAINTS = map(np.float32, (w.LOW_USAGE, w.MANY_COMPLAINTS))
NEW_MONTHS, ONE_MONTH, NO_MONTHS = map(np.int32, (w.NEW_MONTHS, 1, 0))

# Not kept in numba's cache, which would not notice another constant in workload.py.
compiled = njit(nogil=True, error_model="numpy")

LIFE, DRIFT, COMPLAINTS, LEAVING = (
    stream(f"benchmark.{name}") for name in ("life", "drift", "complaints", "leaving")
)
PRICE, CHANGING = "price_amount", (*w.CHANGING, "complains")


# One subscriber. The values of those who have left go on, unseen: that costs less than to hold them.


@inlined
def drifted(usage: Any, u: Any) -> Any:
    return USAGE_KEPT * usage + USAGE_NOISE * (u - HALF)


@inlined
def complaint(state: Any, u: Any) -> Any:
    return (u < (PROB_AT_RISK if state == AT_RISK else PROB)) & (state != CHURNED)


@inlined
def remembered(complaints: Any, complains: Any) -> Any:
    return COMPLAINT_KEPT * complaints + (ONE if complains else ZERO)


@inlined
def decision(usage: Any, complaints: Any, price: Any, tenure: Any, contract: Any, u: Any) -> Any:
    x = INTERCEPT + BY_USAGE * usage + BY_COMPLAINTS * complaints + BY_PRICE * price
    x += BY_TENURE * np.float32(tenure) + BY_CONTRACT * np.float32(contract)
    return u * (ONE + exp_scalar(-x)) < ONE


@inlined
def moved(state: Any, decides: Any, usage: Any, complaints: Any, tenure: Any, contract: Any) -> Any:
    settled = AT_RISK if (usage < LOW_USAGE) | (complaints > MANY_COMPLAINTS) else ACTIVE
    young = ACTIVE if tenure >= NEW_MONTHS else NEW
    after = young if state == NEW else settled
    leaving = NOTICE if contract > NO_MONTHS else CHURNED
    after = leaving if decides else after
    return CHURNED if (state == NOTICE) | (state == CHURNED) else after


# One compiled driver.


@compiled
def _live(
    u1: Array,
    u2: Array,
    u3: Array,
    price: Array,
    usage: Array,
    complaints: Array,
    tenure: Array,
    contract: Array,
    state: Array,
    complains: Array,
) -> None:
    for j in range(state.shape[0]):
        now = np.int32(state[j])
        used = drifted(usage[j], u1[j])
        says = complaint(now, u2[j])
        memory = remembered(complaints[j], says)
        decides = decision(used, memory, price[j], tenure[j], contract[j], u3[j])
        months = np.int32(tenure[j]) + ONE_MONTH
        left = max(np.int32(contract[j]) - ONE_MONTH, NO_MONTHS)
        usage[j], complaints[j], tenure[j], contract[j] = used, memory, months, left
        state[j], complains[j] = moved(now, decides, used, memory, months, left), says


def live(block: Block, month: Month, draws: Draws) -> None:
    """Let a month pass, compiled."""
    _live(*draws.lanes(LIFE, 3), block[PRICE], *(block[name] for name in CHANGING))


# The same in plain numpy.


def live_in_numpy(block: Block, month: Month, draws: Draws) -> None:
    """Let a month pass, by the arithmetic that numpy, starsim and vivarium have."""
    present = block["state"] != w.BYTES.churned
    changed, complains = w.advance(block.columns, draws.lanes(LIFE, 3), codes=w.BYTES)
    changed["state"] = np.where(present, changed["state"], w.BYTES.churned)
    for name, values in changed.items():
        block[name] = values
    block["complains"] = complains & present


# Three compiled drivers, each with draws of its own.


@compiled
def _drift(u: Array, usage: Array) -> None:
    for j in range(usage.shape[0]):
        usage[j] = drifted(usage[j], u[j])


@compiled
def _complain(u: Array, state: Array, complaints: Array, complains: Array) -> None:
    for j in range(state.shape[0]):
        says = complaint(np.int32(state[j]), u[j])
        complaints[j], complains[j] = remembered(complaints[j], says), says


@compiled
def _leave(
    u: Array, usage: Array, complaints: Array, price: Array, tenure: Array, contract: Array, state: Array
) -> None:
    for j in range(state.shape[0]):
        decides = decision(usage[j], complaints[j], price[j], tenure[j], contract[j], u[j])
        months = np.int32(tenure[j]) + ONE_MONTH
        left = max(np.int32(contract[j]) - ONE_MONTH, NO_MONTHS)
        state[j] = moved(np.int32(state[j]), decides, usage[j], complaints[j], months, left)
        tenure[j], contract[j] = months, left


def drift(block: Block, month: Month, draws: Draws) -> None:
    """Change the usage."""
    _drift(draws.lanes(DRIFT, 2)[0], block["usage"])


def complain(block: Block, month: Month, draws: Draws) -> None:
    """Let some complain."""
    _complain(draws.lanes(COMPLAINTS, 2)[0], block["state"], block["complaints"], block["complains"])


def leave(block: Block, month: Month, draws: Draws) -> None:
    """Let some leave, and the others grow older."""
    columns = (block[name] for name in ("usage", "complaints", PRICE, "tenure_months", "contract_months", "state"))
    _leave(draws.lanes(LEAVING, 2)[0], *columns)


# Drivers, and what counts the states that they leave.


def column(name: str, owner: str) -> Column:
    """Return a column of the workload; who complains is of interest in the same month only."""
    if name == "complains":
        return Column(name, "bool", "1", "latent", owner, name, scope="month")
    return Column(name, w.population(0)[name].dtype.name, "1", "latent", owner, name)


def driver(name: str, step: Any, *, reads: Sequence[str], writes: Sequence[str], draws: Any) -> Driver:
    """Return a driver that brings the columns that it writes."""
    columns = tuple(column(written, name) for written in writes)
    return Driver(name, step, reads=tuple(reads), writes=tuple(writes), streams=(draws,), columns=columns)


FUSED = (driver("life", live, reads=[PRICE], writes=CHANGING, draws=LIFE),)
IN_NUMPY = (driver("life", live_in_numpy, reads=[PRICE], writes=CHANGING, draws=LIFE),)
THREE = (
    driver("drift", drift, reads=[], writes=["usage"], draws=DRIFT),
    driver("complaints", complain, reads=["state"], writes=["complaints", "complains"], draws=COMPLAINTS),
    driver(
        "leaving",
        leave,
        reads=["usage", "complaints", PRICE],
        writes=["tenure_months", "contract_months", "state"],
        draws=LEAVING,
    ),
)


@compiled
def count(state: Array, complains: Array, total: Counts) -> None:
    """Add up those in each state but churned, and complaints."""
    for code in range(CHURNED):
        found = NO_MONTHS
        for j in range(state.shape[0]):
            found = np.int32(found + np.int32(state[j] == code))
        total[code] += found
    found = NO_MONTHS
    for j in range(state.shape[0]):
        found = np.int32(found + np.int32(complains[j]))
    total[CHURNED] += found


def count_in_numpy(state: Array, complains: Array, total: Counts) -> None:
    """Do the same in numpy."""
    total += [*(np.count_nonzero(state == code) for code in w.BYTES[:4]), np.count_nonzero(complains)]


def prepare(
    drivers: Sequence[Driver], counting: Callable[[Array, Array, Counts], None], subscribers: int, months: int
) -> Callable[[], row.Summary]:
    """Make an engine of drivers and a base; the months of its run are counted by an observer."""
    schema = Schema([column(PRICE, "population")])
    engine = Engine(drivers, schema=schema, key=make_key(seed=3, replicate=0))
    base = Subscribers(engine.schema, np.arange(subscribers), w.population(subscribers))
    totals = np.zeros((months, len(w.STATES)), np.int64)

    def watch(block: Block) -> None:
        counting(block["state"], block["complains"], totals[block.month.number])

    def simulate() -> row.Summary:
        engine.run([(base, None)], start=0, months=months, observe=watch)
        summaries, present = [], subscribers
        for *staying, complaints in totals.tolist():
            counted = {"complaints": complaints, "present": present}
            summaries.append(w.summary(staying, **counted, subscribers=subscribers))
            present = sum(staying)
        return summaries

    return simulate


if __name__ == "__main__":
    cases = {
        "fused": partial(prepare, FUSED, count),
        "numpy": partial(prepare, IN_NUMPY, count_in_numpy),
        "three": partial(prepare, THREE, count),
    }
    row.main(cases, packages=["numba", "numpy"])
