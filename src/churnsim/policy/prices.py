"""The best plan under a budget, staff, throttles and segments' limits, with the price of each limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError, DataError
from churnsim.policy.choices import Choices, Float64, Limits
from churnsim.policy.dual import FIRST_ARM, MONEY, VALUE, Arms, Dual, Rules, best_arms, sums_by_chunk, sums_of
from churnsim.policy.repair import repair

Int64 = npt.NDArray[np.int64]
Part = Callable[[], Choices]
"""Reads one partition."""
Spread = Callable[..., Iterable[Any]]
"""Calls a function with each item, in order, as `map` and `Executor.map` do."""

# Subscribers whose arms may change in the repair, the least decided ones: more only where these do not suffice.
UNDECIDED_ROWS = 1 << 18


@dataclass(frozen=True, eq=False)
class Prices:
    """What one more unit of each limit would be worth, in the experiment's currency; 0 where a limit does not bind.

    Attributes
    ----------
    money : float
        Of a unit of money in the budget.
    resources : (K,) float64
        Of a unit of each resource: a price of 0.5 a minute is 30 an agent hour.
    segments : (S,) float64
        Of one more subscriber in a segment: positive where its most binds, negative where its least does.
    """

    money: float
    resources: Float64
    segments: Float64


@dataclass(frozen=True, eq=False)
class PricedPlan:
    """A plan of whole subscribers that keeps all limits.

    Attributes
    ----------
    arm : (n,) int16
        Arm of each subscriber; -1 is left alone.
    value, spend : float
        Value and cost of the plan, in the experiment's currency.
    used : (K,) float64
        Of each resource.
    listed : (S,) int64
        Subscribers of each segment who get an arm.
    prices : Prices
        Shadow prices.
    bound : float
        No plan is worth more, not even one with shares of subscribers.
    rounds : int
        How often all subscribers were priced.
    """

    arm: Arms
    value: float
    spend: float
    used: Float64
    listed: Int64
    prices: Prices
    bound: float
    rounds: int

    @property
    def gap(self) -> float:
        """The best plan is worth at most `value + gap`."""
        return max(self.bound - self.value, 0.0)


def plan_by_prices(choices: Choices, limits: Limits, *, tolerance: float = 1e-6, threads: int = 1) -> PricedPlan:
    """Choose at most one arm for each subscriber so that the value is highest and all limits are kept.

    Leaving alone is worth 0, costs 0 and takes nothing. Each limit has a price; at given prices every subscriber
    has a best arm of its own, and the prices are those at which the sum of these is least (Lagrangian dual, equal
    to the linear relaxation; Sinha and Zoltners, 1979, for one budget). The plan that is best at them is repaired
    to whole subscribers within the limits.

    Parameters
    ----------
    choices
        Subscribers, of :func:`churnsim.policy.choices.choices`.
    limits
        Budget, resources and segments.
    tolerance
        Of the bound, relative to the best possible one.
    threads
        How many price the subscribers; the plan has the same bits for any number.

    Raises
    ------
    ConfigError
        If a resource speaks of another number of arms, or the tolerance or threads make no sense.
    DataError
        If a subscriber's segment is not one of the limits', or the least numbers of segments cannot be had.

    Examples
    --------
    Four minutes of staff, which arm 1 takes two of each time: one subscriber has to take arm 0 instead.

    >>> from churnsim.policy.choices import Resource, choices
    >>> base = choices([[30, 40], [40, 50], [10, 55]], [3, 6], effort=[0, 2])
    >>> plan = plan_by_prices(base, Limits(15, (Resource("team", 4, (0, 1)),)))
    >>> plan.arm, plan.value, plan.spend, plan.used
    (array([0, 1, 1], dtype=int16), 135.0, 15.0, array([4.]))
    """
    return plan_parts_by_prices([lambda: choices], limits, tolerance=tolerance, threads=threads)


def plan_parts_by_prices(parts: Sequence[Part], limits: Limits, *, tolerance: float = 1e-6, threads: int = 1,
                         spread: Spread = map) -> PricedPlan:
    """Do the same for subscribers in partitions, which are read one at a time, again for each round of prices.

    Parameters
    ----------
    parts
        Functions that each read a partition, in the order of the plan's rows. If partitions are cut at multiples of
        1,024 rows, the plan has the same bits however many there are.
    limits, tolerance, threads
        As of :func:`plan_by_prices`.
    spread
        How a function is called for each partition: `map`, or the `map` of an executor, for which parts must be
        picklable. Only sums, arms and undecided subscribers come back.
    """
    if not 0 < tolerance < 1 or threads < 1:
        raise ConfigError(f"needs a tolerance in (0, 1) and at least 1 thread (got {tolerance}, {threads})")
    if not parts:
        raise DataError("there must be at least one partition; give one without rows where nobody may be listed")
    n_arms = _check(list(spread(partial(_facts, limits), parts)), limits)
    rules = Rules.of(limits, n_arms)

    def evaluate(weights: Float64) -> Float64:
        tables = list(spread(partial(_sums, weights, threads), parts))
        return np.asarray(np.concatenate(tables).sum(axis=0), dtype=np.float64)

    dual = Dual(rules, evaluate)
    prices, bound = _best_prices(dual, limits, tolerance)
    arm, sums = _whole(parts, rules, rules.weights(prices), spread)
    return PricedPlan(
        arm=arm,
        value=float(sums[VALUE]),
        spend=float(sums[MONEY]),
        used=np.array([sums[FIRST_ARM: FIRST_ARM + n_arms] @ resource.per_effort for resource in limits.resources]),
        listed=sums[FIRST_ARM + n_arms: -1].astype(np.int64),
        prices=_named(prices, rules, limits),
        bound=bound,
        rounds=dual.rounds,
    )


def price_table(limits: Limits, prices: Prices, *, spend: float, used: Sequence[float] | Float64 = (),
                listed: Sequence[int] | Int64 = ()) -> pd.DataFrame:
    """Return a row a limit: least, most, how much a plan uses, and what one more unit would be worth.

    Parameters
    ----------
    spend, used, listed
        Of the plan: money, each resource, subscribers of each segment. An infinite budget has no row.
    """
    rows: list[tuple[str, str, float, float, float, float]] = []
    if limits.budget < np.inf:
        rows.append(("budget", "money", 0.0, limits.budget, spend, prices.money))
    rows += [(resource.name, resource.unit, 0.0, resource.capacity, float(taken), float(price))
             for resource, taken, price in zip(limits.resources, used, prices.resources, strict=True)]
    rows += [(segment.name, "subscribers", float(segment.least), float(segment.most), float(count), float(price))
             for segment, count, price in zip(limits.segments, listed, prices.segments, strict=True)]
    return pd.DataFrame(rows, columns=["limit", "unit", "least", "most", "used", "shadow_price_amount"])


def _best_prices(dual: Dual, limits: Limits, tolerance: float) -> tuple[Float64, float]:
    """Minimise the dual, where there are least numbers only after making sure that they can be had."""
    rules = dual.rules
    least = rules.is_least
    highest = np.full(len(least), np.inf)
    if least.any():
        asked = float(-rules.most[least].sum())
        prices, missing = dual.minimise(tolerance=tolerance, highest=np.where(least, 1.0, np.inf), worth=0.0,
                                        size=asked)
        if missing < -tolerance * asked:
            owners = rules.owner[least & (prices > prices[least].max() / 2)]
            short = [limits.segments[owner - len(limits.resources)] for owner in owners]
            wanted = ", ".join(f"{segment.name} (at least {segment.least:,})" for segment in short)
            raise DataError(f"segments {wanted}: budget, resources and other limits fall short of this by "
                            f"{-missing:,.1f} subscribers; lower the least numbers or raise what runs out")
        # One more subscriber of a segment is not worth more than everything: keeps the cuts' prices finite.
        highest[least] = 10 * (max(np.abs(dual.values)) + abs(dual.at(np.zeros(len(least)), 1.0)))
    return dual.minimise(tolerance=tolerance, highest=highest)


def _whole(parts: Sequence[Part], rules: Rules, weights: Float64, spread: Spread) -> tuple[Arms, Float64]:
    """Return the plan that is best at the prices, repaired, and its sums."""
    columns, found = len(weights), list(spread(partial(_best, weights), parts))
    arm, lead = (np.concatenate(each) for each in zip(*found, strict=True))
    lengths = [len(each) for each, _ in found]
    undecided = UNDECIDED_ROWS
    while True:
        rows = np.sort(np.argsort(lead, kind="stable")[:undecided])
        fixed = arm.copy()
        fixed[rows] = -1
        others = _plan_sums(parts, fixed, lengths, columns, spread)
        sub = Choices.concat(list(spread(_take, parts, _by_part(rows, lengths))))
        mended, kept = repair(sub, arm[rows], rules, weights=weights, others=others)
        if kept:
            fixed[rows] = mended
            return fixed, _plan_sums(parts, fixed, lengths, columns, spread)
        if undecided >= len(arm):
            raise DataError("the least numbers of segments can be had with shares of subscribers only, not with whole "
                            "ones; lower them by one, or raise what runs out a little")
        undecided *= 4


def _plan_sums(parts: Sequence[Part], arm: Arms, lengths: Sequence[int], columns: int, spread: Spread) -> Float64:
    arms = np.split(arm, np.cumsum(lengths)[:-1])
    tables = list(spread(partial(_given, columns), parts, arms))
    return np.asarray(np.concatenate(tables).sum(axis=0), dtype=np.float64)


def _by_part(rows: Int64, lengths: Sequence[int]) -> list[Int64]:
    """Return ascending rows as rows of each partition."""
    ends = np.cumsum(lengths)
    return [each - end + length for each, end, length
            in zip(np.split(rows, np.searchsorted(rows, ends[:-1])), ends, lengths, strict=True)]


def _named(prices: Float64, rules: Rules, limits: Limits) -> Prices:
    by_owner = np.zeros(1 + len(limits.resources) + len(limits.segments))
    np.add.at(by_owner, 1 + rules.owner, np.where(rules.is_least, -prices, prices))
    first = 1 + len(limits.resources)
    return Prices(float(by_owner[0]), by_owner[1:first], by_owner[first:])


def _check(facts: Sequence[tuple[int, Int64]], limits: Limits) -> int:
    """Return the number of arms; refuse least numbers that are more than all who may be listed."""
    widths = sorted({n_arms for n_arms, _ in facts})
    if len(widths) > 1:
        raise DataError(f"all partitions must have the same arms (got {widths} arms)")
    listable = np.sum([counts for _, counts in facts], axis=0)
    for segment, most in zip(limits.segments, listable, strict=True):
        if segment.least > most:
            raise DataError(f"segment {segment.name}: at least {segment.least:,} subscribers must get an arm, but only "
                            f"{most:,} may; lower the least number or allow more arms")
    return widths[0]


# What runs where a partition is: module-level functions, so that processes can be sent them.


def _facts(limits: Limits, part: Part) -> tuple[int, Int64]:
    """Number of arms, and how many of each segment may get one."""
    choices = part()
    choices.check(limits)
    codes = np.broadcast_to(choices.segment, len(choices))[np.asarray(choices.may.any(axis=1))]
    counts = np.bincount(codes[codes >= 0], minlength=len(limits.segments))
    return choices.n_arms, counts[: len(limits.segments)]


def _sums(weights: Float64, threads: int, part: Part) -> Float64:
    return sums_by_chunk(part(), weights, threads=threads)


def _best(weights: Float64, part: Part) -> tuple[Arms, Float64]:
    return best_arms(part(), weights)


def _take(part: Part, rows: Int64) -> Choices:
    return part().take(rows)


def _given(columns: int, part: Part, arm: Arms) -> Float64:
    return sums_of(part(), arm, columns)
