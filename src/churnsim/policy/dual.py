"""Prices of money, staff and segments: the Lagrangian dual of an allocation, minimised with cutting planes.

A plan gives each subscriber at most one arm. What it comes to is a row of *sums*: value, money, effort by arm and
subscribers by segment (the last one: of no segment). Each limit is linear in these sums, and so is what an arm is
worth to a subscriber once everything it takes is priced: `weights` over the same columns.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.compiled import njit
from churnsim.policy.choices import Choices, Flags, Float64, Floats, Limits

Int32 = npt.NDArray[np.int32]
Arms = npt.NDArray[np.int16]

CHUNK_ROWS = 1024
VALUE, MONEY, FIRST_ARM = 0, 1, 2

# Half way between the best prices so far and those that the cuts suggest, which alone jump about.
_STAY = 0.5
_MOST_ROUNDS = 1000
# Where the best value is 0 (a budget of 0), relative to what the plan without limits is worth.
_FLOOR = 1e-9
_HIGHS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True, eq=False)
class Rules:
    """The limits as ``matrix @ sums <= most``, one row each; infinite ones are left out.

    Attributes
    ----------
    matrix
        (J, columns of the sums).
    most
        (J,) right-hand sides; negative ones belong to segments' minimums.
    is_least
        (J,) whether the row is a segment's minimum.
    owner
        (J,) -1 for the budget, k for resource k, K + s for segment s.
    """

    matrix: Float64
    most: Float64
    is_least: Flags
    owner: npt.NDArray[np.int64]

    @staticmethod
    def of(limits: Limits, n_arms: int) -> Rules:
        """Return the rules of limits."""
        n_resources, n_segments = len(limits.resources), len(limits.segments)
        columns = FIRST_ARM + n_arms + n_segments + 1
        rows: list[tuple[Float64, float, bool, int]] = []
        money = np.zeros(columns)
        money[MONEY] = 1.0
        rows.append((money, limits.budget, False, -1))
        for k, resource in enumerate(limits.resources):
            taken = np.zeros(columns)
            taken[FIRST_ARM: FIRST_ARM + n_arms] = resource.per_effort
            rows.append((taken, resource.capacity, False, k))
        for s, segment in enumerate(limits.segments):
            count = np.zeros(columns)
            count[FIRST_ARM + n_arms + s] = 1.0
            rows.append((count, segment.most, False, n_resources + s))
            rows.append((-count, -segment.least if segment.least else np.inf, True, n_resources + s))
        kept = [row for row in rows if row[1] < np.inf]
        return Rules(
            matrix=np.array([row[0] for row in kept]).reshape(len(kept), columns),
            most=np.array([row[1] for row in kept], dtype=np.float64),
            is_least=np.array([row[2] for row in kept], dtype=np.bool_),
            owner=np.array([row[3] for row in kept], dtype=np.int64),
        )

    def weights(self, prices: Float64, *, worth: float = 1.0) -> Float64:
        """Return what a unit of each sum is worth at prices (J,), with values counted `worth` times."""
        weights = -(prices @ self.matrix)
        weights[VALUE] = worth
        return np.asarray(weights, dtype=np.float64)


def sums_by_chunk(choices: Choices, weights: Float64, *, threads: int = 1) -> Float64:
    """Return the sums of the plan that is best at given weights, a row for each 1,024 subscribers.

    All that the dual needs to know of a partition. Chunks are summed in order of the rows, so that nothing
    depends on threads, nor on how partitions are cut, if they are cut at multiples of 1,024.

    Parameters
    ----------
    choices
        The partition.
    weights
        (C,) of :meth:`Rules.weights`.
    threads
        How many share the work.
    """
    table = np.zeros((-(-len(choices) // CHUNK_ROWS), len(weights)))
    bounds = np.linspace(0, len(table), threads + 1).astype(np.int64)

    def fill(thread: int) -> None:
        _fill_sums(choices.values, choices.costs, choices.effort, choices.may, choices.segment, weights,
                   bounds[thread], bounds[thread + 1], table)

    if threads == 1:
        fill(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, range(threads)))
    return table


def best_arms(choices: Choices, weights: Float64) -> tuple[Arms, Float64]:
    """Return each subscriber's best arm at given weights, -1 for leaving alone, and its lead over the second best."""
    arm, lead = np.empty(len(choices), np.int16), np.empty(len(choices))
    _fill_best(choices.values, choices.costs, choices.effort, choices.may, choices.segment, weights, arm, lead)
    return arm, lead


def sums_of(choices: Choices, arm: Arms, columns: int) -> Float64:
    """Return the sums of a plan, a row for each 1,024 subscribers."""
    table = np.zeros((-(-len(choices) // CHUNK_ROWS), columns))
    _add_plan(choices.values, choices.costs, choices.effort, choices.segment, arm, table)
    return table


Evaluate = Callable[[Float64], Float64]
"""Takes weights and returns the sums of the best plan at them, of all partitions."""


@dataclass
class Dual:
    """The dual function as far as it is known: each plan that was the best at some prices is a cutting plane.

    At prices y the dual is max over plans of value + y (most - sums), which is convex in y, never below the best
    plan's value, and least at the shadow prices. A master problem, the least of the cuts known so far, gives a
    lower bound of its minimum and new prices (Kelley, 1960); what is tried lies between them and the best prices so
    far (Ben-Ameur and Neto, 2007).
    """

    rules: Rules
    evaluate: Evaluate
    values: list[float] = field(init=False)
    slacks: list[Float64] = field(init=False)
    rounds: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        # Leaving everybody alone is a plan too: it bounds the master problem from below.
        self.values, self.slacks = [0.0], [self.rules.most]

    def at(self, prices: Float64, worth: float) -> float:
        """Return the dual at prices, and keep its plan."""
        sums = self.evaluate(self.rules.weights(prices, worth=worth))
        slack = self.rules.most - self.rules.matrix @ sums
        self.values.append(float(sums[VALUE]))
        self.slacks.append(slack)
        self.rounds += 1
        return float(worth * sums[VALUE] + prices @ slack)

    def minimise(self, *, tolerance: float, highest: Float64, worth: float = 1.0, size: float = 0.0
                 ) -> tuple[Float64, float]:
        """Return prices and the dual's value there, which is least to a relative tolerance.

        Parameters
        ----------
        tolerance
            Relative to the value, or to `size` where that is more.
        highest
            (J,) highest price of each limit; may be infinite.
        worth
            How often values count: 0 asks only how far limits can be kept.
        size
            A value that is not small.
        """
        best = np.zeros(len(self.rules.most))
        lowest = self.at(best, worth)
        floor = max(size, _FLOOR * abs(lowest))
        if not len(best):
            return best, lowest
        unit = np.maximum(np.abs(self.rules.most), np.abs(self.rules.most - self.slacks[-1]))
        unit[unit == 0] = 1.0
        for _ in range(_MOST_ROUNDS):
            scale = max(abs(lowest), floor) or 1.0
            found = _master(np.array(self.values) * worth / scale, np.array(self.slacks) / unit,
                            highest * unit / scale)
            if found is None:
                break
            prices, bound = found[0] * scale / unit, found[1] * scale
            if lowest - bound <= tolerance * max(abs(lowest), floor):
                break
            tried = _STAY * best + (1 - _STAY) * prices
            value = self.at(tried, worth)
            if value < lowest:
                best, lowest = tried, value
        return best, lowest


def _master(values: Float64, slacks: Float64, highest: Float64) -> tuple[Float64, float] | None:
    """Return the prices at which the highest cut is lowest, and its height; None where the solver gives up."""
    from scipy.optimize import linprog

    objective = np.append(np.zeros(slacks.shape[1]), 1.0)
    cuts = np.column_stack([slacks, -np.ones(len(values))])
    bounds = [*((0.0, high) for high in highest), (None, None)]
    solved: Any = linprog(objective, A_ub=cuts, b_ub=-values, bounds=bounds, method="highs", options=_HIGHS)
    return (np.asarray(solved.x[:-1]), float(solved.fun)) if solved.status == 0 else None


@njit
def _fill_sums(values: Floats, costs: Floats, effort: Floats, may: Flags, segment: Int32, weights: Float64,
               first: int, last: int, table: Float64) -> None:
    n, n_arms = values.shape
    cost_step, effort_step, segment_step = int(len(costs) > 1), int(len(effort) > 1), int(len(segment) > 1)
    first_segment = FIRST_ARM + n_arms
    n_segments = len(weights) - first_segment
    for chunk in range(first, last):
        for i in range(chunk * CHUNK_ROWS, min(n, (chunk + 1) * CHUNK_ROWS)):
            s = first_segment + segment[i * segment_step] % n_segments
            best, highest = -1, -weights[s]
            for a in range(n_arms):
                net = (weights[VALUE] * values[i, a] + weights[MONEY] * costs[i * cost_step, a]
                       + weights[FIRST_ARM + a] * effort[i * effort_step, a])
                if net > highest and may[i, a]:
                    best, highest = a, net
            if best >= 0:
                table[chunk, VALUE] += values[i, best]
                table[chunk, MONEY] += costs[i * cost_step, best]
                table[chunk, FIRST_ARM + best] += effort[i * effort_step, best]
                table[chunk, s] += 1.0


@njit
def _fill_best(values: Floats, costs: Floats, effort: Floats, may: Flags, segment: Int32, weights: Float64,
               arm: Arms, lead: Float64) -> None:
    n, n_arms = values.shape
    cost_step, effort_step, segment_step = int(len(costs) > 1), int(len(effort) > 1), int(len(segment) > 1)
    first_segment = FIRST_ARM + n_arms
    n_segments = len(weights) - first_segment
    for i in range(n):
        s = first_segment + segment[i * segment_step] % n_segments
        best, highest, second = -1, -weights[s], -np.inf
        for a in range(n_arms):
            if not may[i, a]:
                continue
            net = (weights[VALUE] * values[i, a] + weights[MONEY] * costs[i * cost_step, a]
                   + weights[FIRST_ARM + a] * effort[i * effort_step, a])
            if net > highest:
                best, highest, second = a, net, highest
            elif net > second:
                second = net
        arm[i], lead[i] = best, highest - second


@njit
def _add_plan(values: Floats, costs: Floats, effort: Floats, segment: Int32, arm: Arms, table: Float64) -> None:
    n_arms = values.shape[1]
    cost_step, effort_step, segment_step = int(len(costs) > 1), int(len(effort) > 1), int(len(segment) > 1)
    first_segment = FIRST_ARM + n_arms
    n_segments = table.shape[1] - first_segment
    for i in range(len(arm)):
        a, chunk = arm[i], i // CHUNK_ROWS
        if a >= 0:
            table[chunk, VALUE] += values[i, a]
            table[chunk, MONEY] += costs[i * cost_step, a]
            table[chunk, FIRST_ARM + a] += effort[i * effort_step, a]
            table[chunk, first_segment + segment[i * segment_step] % n_segments] += 1.0
