"""Centres of which theory knows the truth, worked by both engines; estimates with their standard errors.

Times of a queue are in mean handle times; a month is scaled to hold as many of them as its calls need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from churnsim.capacity import floor as fl
from churnsim.capacity.calls import ANONYMOUS, Calls
from churnsim.capacity.centre import work_simpy
from churnsim.capacity.compiled import work_compiled
from churnsim.capacity.layout import lay_out
from churnsim.capacity.record import Record
from churnsim.capacity.settings import CapacitySettings, InboundStream, Law, LiveChannel, Team
from churnsim.core.clock import HOURS_PER_MONTH

from .examples import EVERY_DAY, KEY, ROUND_THE_CLOCK, order_list

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
Work = Callable[[fl.Floor], Record]
ENGINES: dict[str, Work] = {"compiled": work_compiled, "simpy": work_simpy}

# A sample differs from its truth by 4 standard errors of 40 batches in 27 of 100,000 cases (Student's law).
BATCHES = 40
MOST_ERRORS = 4.0
# A month begins with an empty floor: this share of the calls is left out.
WARM_UP = 0.05
# What is under way at the end of the calls is finished in the rest of the month.
FILLED = 0.95


class Estimate(NamedTuple):
    """A mean and its standard error."""

    mean: float
    error: float

    def errors_from(self, truth: float) -> float:
        """Return the distance from a value in standard errors."""
        return abs(self.mean - truth) / self.error


def estimate(values: npt.ArrayLike) -> Estimate:
    """Return the mean of independent values."""
    numbers = np.asarray(values, float)
    return Estimate(float(numbers.mean()), float(numbers.std(ddof=1) / np.sqrt(len(numbers))))


def batch_estimate(values: npt.ArrayLike) -> Estimate:
    """Return the mean of a series whose neighbours are alike, after the warm-up, by batch means.

    Where neighbouring batches are still alike, with correlation r, the error grows by sqrt((1 + r) / (1 - r)).
    """
    series = np.asarray(values, float)
    length = int(len(series) * (1 - WARM_UP)) // BATCHES
    means = series[len(series) - length * BATCHES:].reshape(BATCHES, length).mean(axis=1)
    mean, error = estimate(means)
    alike = max(float(np.corrcoef(means[1:], means[:-1])[0, 1]), 0.0)
    return Estimate(mean, error * np.sqrt((1 + alike) / (1 - alike)))


# Laws of durations, in mean handle times


def exponential(mean: float = 1.0) -> Draw:
    """Return the law of exponential durations."""
    return lambda rng, n: rng.exponential(mean, n)


def fixed(length: float = 1.0) -> Draw:
    """Return the law of equal durations; infinite: for ever."""
    return lambda rng, n: np.full(n, length)


def uniform_up_to(most: float) -> Draw:
    """Return the law of durations that are uniform from 0."""
    return lambda rng, n: rng.uniform(0.0, most, n)


def lognormal(scv: float) -> Draw:
    """Return the log-normal law of mean 1 and a squared coefficient of variation."""
    spread = np.sqrt(np.log1p(scv))
    return lambda rng, n: rng.lognormal(-(spread**2) / 2, spread, n)


MEMORYLESS, ENDLESS = exponential(), fixed(np.inf)


# Callers


@dataclass(frozen=True)
class Queue:
    """A centre that is called by Poisson streams, the first of which is served first.

    Attributes
    ----------
    rates
        Calls a mean handle time, one a stream.
    handle, patience
        Laws in mean handle times; one of patience a stream.
    retry_mean
        Mean time after which who gave up calls again, without any patience; 0: never.
    calls, short
        Length of the list and how much of its beginning the slower engine works.
    """

    agents: int
    rates: tuple[float, ...]
    handle: Draw = MEMORYLESS
    patience: tuple[Draw, ...] = (ENDLESS,)
    retry_mean: float = 0.0
    calls: int = 400_000
    short: int = 80_000

    @property
    def handle_hours(self) -> float:
        """Mean handle time by which the calls fill the month."""
        return FILLED * HOURS_PER_MONTH * sum(self.rates) / self.calls

    def settings(self) -> CapacitySettings:
        """Return a centre open round the clock; what calls bring with them is only named."""
        minutes = 60.0 * self.handle_hours
        stream = InboundStream(
            calls_per_hour_by_hour=(0.0,) * 24, patience=Law(law="fixed", mean_minutes=1e-9),
            handle=Law(law="fixed", mean_minutes=minutes), retrial_prob=1.0 if self.retry_mean else 0.0,
            retrial_delay=Law(law="exponential", mean_minutes=max(self.retry_mean, 1.0) * minutes))
        names = [f"s{k}" for k in range(len(self.rates))]
        crew = Team(agents=self.agents, cost_per_hour_amount=0.0, inbound=tuple(names), weekdays=EVERY_DAY,
                    shifts=ROUND_THE_CLOCK)
        return CapacitySettings(teams={"all": crew}, inbound=dict.fromkeys(names, stream))

    def draw(self, seed: int) -> Calls:
        """Return the list of calls."""
        rng = np.random.default_rng(seed)
        gaps = rng.exponential(self.handle_hours / sum(self.rates), self.calls)
        stream = rng.choice(len(self.rates), self.calls, p=np.array(self.rates) / sum(self.rates))
        patience = np.empty(self.calls)
        for k, law in enumerate(self.patience):
            patience[stream == k] = law(rng, int((stream == k).sum()))
        return calls_at(np.cumsum(gaps), stream=stream, patience_hours=self.handle_hours * patience,
                        handle_hours=self.handle_hours * self.handle(rng, self.calls))


def calls_at(time_hours: Floats, *, handle_hours: Floats, patience_hours: Floats | None = None,
             stream: npt.NDArray[np.int64] | None = None) -> Calls:
    """Return anonymous calls at given times, on streams "s0", "s1", ..."""
    n = len(time_hours)
    names = np.array([f"s{k}" for k in range(99)])
    return Calls(np.arange(n), np.full(n, "s0") if stream is None else names[stream], np.full(n, ANONYMOUS), time_hours,
                 np.full(n, np.inf) if patience_hours is None else patience_hours, handle_hours)


class Callers(NamedTuple):
    """How callers fared, by time: stream, wait from the first call on, whether they were served; (m,)."""

    stream: npt.NDArray[np.int64]
    wait: Floats
    served: npt.NDArray[np.bool_]

    def of(self, stream: int) -> Callers:
        """Return the callers of one stream."""
        mine = self.stream == stream
        return Callers(self.stream[mine], self.wait[mine], self.served[mine])


def first(calls: Calls, number: int) -> Calls:
    """Return the beginning of a list of calls."""
    return Calls(*(getattr(calls, name)[:number] for name in Calls.__dataclass_fields__))


def callers(calls: Calls, settings: CapacitySettings, work: Work, *, unit_hours: float = 1.0) -> Callers:
    """Return how callers fare in the first month, waits in units."""
    return callers_of(work(lay_out(order_list(0), calls, channels={}, capacity=settings, key=KEY, month=0).floor),
                      unit_hours=unit_hours)


def callers_of(record: Record, *, unit_hours: float = 1.0) -> Callers:
    """Return how the callers of a record fared; nobody may still wait at the month's end."""
    assert not (record.code == fl.WAITING).any()
    order = np.lexsort((record.attempt, record.item))
    item = record.item[order]
    last = np.append(item[1:] != item[:-1], True)
    begins = order[np.append(True, last[:-1])]
    ends = order[last]
    return Callers(record.place[ends], (record.start[ends] - record.since[begins]) / unit_hours,
                   record.code[ends] == fl.SERVED)


Measure = Callable[[Callers], npt.ArrayLike]


def measured(queue: Queue, calls: Calls, measures: Mapping[str, Measure]) -> dict[str, dict[str, Estimate]]:
    """Return estimates by engine and measure; SimPy works the beginning of the list."""
    found = {}
    for engine, work in ENGINES.items():
        some = calls if engine == "compiled" else first(calls, queue.short)
        seen = callers(some, queue.settings(), work, unit_hours=queue.handle_hours)
        found[engine] = {name: batch_estimate(measure(seen)) for name, measure in measures.items()}
    return found


def first_come(calls: Calls, agents: int, *, places: float = np.inf) -> Floats:
    """Return when patient callers begin to be served, first come, first served; inf: no place was free.

    Parameters
    ----------
    places
        Callers in service and waiting together.
    """
    free, inside = [0.0] * agents, list[float]()
    start = np.full(len(calls), np.inf)
    for i, (time, hours) in enumerate(zip(calls.time_hours.tolist(), calls.handle_hours.tolist(), strict=True)):
        while inside and inside[0] <= time:
            heappop(inside)
        if len(inside) < places:
            begin = max(time, heappop(free))
            heappush(free, begin + hours)
            heappush(inside, begin + hours)
            start[i] = begin
    return start


# Orders


def worked_list(number: int, work: Work, *, channel: LiveChannel, settings: CapacitySettings, key: Any = KEY,
                handle_hours: Floats | None = None, **columns: Any) -> Record:
    """Return what an engine makes of a list on channel "voice"; the settings need not pass `check_capacity`.

    Parameters
    ----------
    handle_hours
        (n, attempts): in place of the channel's law.
    columns
        Of the orders.
    """
    plan = lay_out(order_list(number, **columns), Calls.none(), channels={"voice": channel}, capacity=settings, key=key,
                   month=0)
    return work(plan.floor if handle_hours is None else plan.floor._replace(handle=handle_hours))


def reached_by(record: Record, hours: float) -> int:
    """Return how many orders are reached by contacts that end by an hour."""
    return int(((record.code == fl.REACHED) & (record.end <= hours)).sum())


# Verdicts


def far_off(found: Mapping[str, Mapping[str, Estimate]], truth: Mapping[str, float]) -> list[str]:
    """Return what lies 4 standard errors or more from its truth, in words."""
    return [f"{engine}: {name} is {each[name].mean:.6g} with error {each[name].error:.2g}, not {value:.6g}"
            for engine, each in found.items() for name, value in truth.items()
            if not each[name].errors_from(value) < MOST_ERRORS]


def lines(case: str, found: Mapping[str, Mapping[str, Estimate]], truth: Mapping[str, float]) -> Sequence[str]:
    """Return a table row a measure: case, measure, truth, each engine with its error."""
    return [f"| {case} | {name} | {value:.6g} | "
            + " | ".join(f"{each[name].mean:.5g} ± {each[name].error:.2g}" for each in found.values()) + " |"
            for name, value in truth.items()]


def agree(case: str, found: Mapping[str, Mapping[str, Estimate]], truth: Mapping[str, float]) -> None:
    """Print a row a measure, and require that every engine agrees with every truth."""
    for line in lines(case, found, truth):
        print(line)
    assert far_off(found, truth) == []


def refuse(found: Mapping[str, Mapping[str, Estimate]], wrong: Mapping[str, float]) -> None:
    """Require that every engine by itself refuses every wrong value."""
    assert len(far_off(found, wrong)) == len(found) * len(wrong)
