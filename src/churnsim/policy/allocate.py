"""One budget over many arms: the greedy path that gives the plan of every budget at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churnsim.core.compiled import njit
from churnsim.errors import DataError
from churnsim.policy.choices import Segment

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEFT_ALONE = -1

# A plan that costs exactly the budget must fit although its sum of thousands of costs is rounded.
SUM_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Allocation:
    """The plan of one budget.

    Attributes
    ----------
    arm : (n,) int64
        Arm of each subscriber; -1 is left alone.
    spend, value : float
        Cost and value of the plan, in the experiment's currency; `spend` passes the budget by rounding only.
    shadow_price : float
        Value that the next unit of money would buy; 0 when nothing more is worth buying.
    gap : float
        The best plan of whole subscribers is worth at most `value + gap`, the bound of the linear relaxation.
    """

    arm: Integers
    spend: float
    value: float
    shadow_price: float
    gap: float


@dataclass(frozen=True, eq=False)
class BudgetPath:
    """Steps that spend a growing budget, the best marginal value per money first.

    Attributes
    ----------
    subscriber, arm : (m,) int64
        Row that the step concerns and the arm it gives; a later step of a row replaces its earlier arm.
    spend, value : (m,) float64
        Cost and value of the plan after the step.
    price : (m,) float64
        Marginal value per money of the step, never rising; infinite for a step that costs nothing.
    n_subscribers : int
        Rows of the problem.
    """

    subscriber: Integers
    arm: Integers
    spend: Floats
    value: Floats
    price: Floats
    n_subscribers: int

    def at(self, budget: float) -> Allocation:
        """Take whole steps in order and stop at the first that does not fit.

        Later, cheaper steps that would fit are not looked for, so a larger budget only ever adds to a plan;
        what that can cost is `Allocation.gap`.

        Parameters
        ----------
        budget : float
            Money, at least 0; may be infinite. A budget below the first step gives an empty plan.

        Raises
        ------
        DataError
            If the budget is negative or NaN.
        """
        _check_budget(budget)
        taken = int(np.searchsorted(self.spend, budget * (1 + SUM_ROUNDING), side="right"))
        arm = np.full(self.n_subscribers, LEFT_ALONE, dtype=np.int64)
        arm[self.subscriber[:taken]] = self.arm[:taken]
        spend = float(self.spend[taken - 1]) if taken else 0.0
        value = float(self.value[taken - 1]) if taken else 0.0
        if taken == len(self.price):
            return Allocation(arm, spend, value, shadow_price=0.0, gap=0.0)
        price = float(self.price[taken])
        return Allocation(arm, spend, value, shadow_price=price, gap=price * max(budget - spend, 0.0))


def budget_path(values: ArrayLike, costs: ArrayLike, *, allowed: ArrayLike | None = None) -> BudgetPath:
    """Order every worthwhile step of a multiple-choice knapsack by marginal value per money.

    Each subscriber gets at most one arm; leaving alone is worth 0 and costs 0. Only arms on the upper convex
    hull of (cost, value) can be part of a best plan of the linear relaxation, and walking all hulls together
    in the order of their slopes solves that relaxation for every budget (Sinha and Zoltners, 1979).
    Equal slopes are taken by row, then along the hull; of arms equal in cost and value the first one counts.

    Parameters
    ----------
    values : (n, K) array
        Value of giving the arm rather than leaving alone, in the experiment's currency; may be negative.
    costs : (n, K) array
        Planned cost of the arm, at least 0. A free arm of positive value is taken before any other step.
    allowed : (n, K) bool array, optional
        Arms that may be given; values and costs of the others are not looked at. Default: all.

    Returns
    -------
    BudgetPath
        At most n * K steps, each with positive marginal value.

    Raises
    ------
    DataError
        If shapes differ, or an allowed arm has a value or cost that is not finite, or a negative cost.

    Examples
    --------
    >>> path = budget_path([[30, 10], [40, 50], [10, 55]], [[3, 6]] * 3)
    >>> path.spend, path.value
    (array([ 3.,  6., 12., 15.]), array([ 40.,  70., 125., 135.]))
    >>> path.at(9).arm, path.at(9).gap
    (array([ 0,  0, -1]), 27.5)
    """
    value_of, cost_of, usable = _checked(values, costs, allowed)
    rows, arms, step_cost, step_value, price = _walk_hulls(value_of, cost_of, usable)
    order = np.argsort(-price, kind="stable")
    return BudgetPath(
        subscriber=rows[order],
        arm=arms[order],
        spend=np.cumsum(step_cost[order]),
        value=np.cumsum(step_value[order]),
        price=price[order],
        n_subscribers=len(value_of),
    )


def fill_by_rank(order: ArrayLike, cost: ArrayLike, budget: float, *, wanted: int | None = None,
                 segment: ArrayLike | None = None, segments: Sequence[Segment] = ()) -> NDArray[np.bool_]:
    """Take people in rank order, each with one given arm, and stop before the spend would pass the budget.

    A segment's least number comes first, in rank order; who would be one more than its most is passed over.

    Parameters
    ----------
    order : (r,) int array
        Rows, the first to be taken first; rows left out are not taken.
    cost : (n,) array
        Planned cost of each row's arm, at least 0.
    budget : float
        Money, at least 0; may be infinite.
    wanted : int, optional
        Rows after so many are taken only as far as a segment's least number needs them. Default: all are wanted.
    segment : (n,) int array, optional
        Position of each row's segment in `segments`, -1 for none. Default: none.
    segments
        Least and most subscribers of each segment.

    Returns
    -------
    (n,) bool array
        Who is taken: without segments always the first rows of `order`, at most `wanted`.

    Raises
    ------
    DataError
        If `order` repeats a row or names one that is not there, a ranked cost is negative or not finite, or
        the budget is negative or NaN; or a segment's least number is more than can be taken.

    Examples
    --------
    >>> fill_by_rank([2, 0, 1], [5, 1, 4], 9)
    array([ True, False,  True])
    >>> fill_by_rank([2, 0, 1], [5, 1, 4], 9, segment=[0, -1, 0], segments=[Segment("students", most=1)])
    array([False,  True,  True])
    """
    _check_budget(budget)
    costs = np.asarray(cost, dtype=np.float64)
    ranked = _checked_order(order, len(costs))
    wrong = ~np.isfinite(costs[ranked]) | (costs[ranked] < 0)
    if wrong.any():
        row = ranked[wrong].min()
        raise DataError(f"cost of row {row}: must be a finite number of at least 0 (got {costs[row]})")
    wanted = len(ranked) if wanted is None else wanted
    if segments:
        ranked, first = _by_segment(ranked, wanted, np.asarray(segment), segments)
    else:
        ranked = ranked[:wanted]
    taken = np.searchsorted(np.cumsum(costs[ranked]), budget * (1 + SUM_ROUNDING), side="right")
    if segments and taken < first:
        named = ", ".join(f"{each.name} (at least {each.least:,})" for each in segments if each.least)
        raise DataError(f"segments {named}: the budget of {budget:,.2f} buys {taken:,} of the {first:,} subscribers; "
                        "lower the least numbers or raise the budget")
    mask = np.zeros(len(costs), dtype=np.bool_)
    mask[ranked[:taken]] = True
    return mask


def _by_segment(ranked: Integers, wanted: int, segment: Integers, segments: Sequence[Segment]
                ) -> tuple[Integers, int]:
    """Return who may be taken, those of the least numbers first, and how many these are."""
    of = segment[ranked]
    place = np.empty(len(ranked), np.int64)
    for code in range(-1, len(segments)):
        mine = np.flatnonzero(of == code)
        place[mine] = np.arange(len(mine))
        if code >= 0 and len(mine) < segments[code].least:
            raise DataError(f"segment {segments[code].name}: at least {segments[code].least:,} subscribers must be "
                            f"listed, but only {len(mine):,} can be; lower the least number")
    least = np.array([*(each.least for each in segments), 0], dtype=np.float64)[of]
    most = np.array([*(each.most for each in segments), np.inf])[of]
    must = place < least
    more = ~must & (place < most) & (np.arange(len(ranked)) < wanted)
    return np.concatenate([ranked[must], ranked[more]]), int(must.sum())


@njit
def _walk_hulls(
    values: Floats, costs: Floats, usable: NDArray[np.bool_]
) -> tuple[Integers, Integers, Floats, Floats, Floats]:
    """Row, arm, added cost, added value and slope of each step: row after row, each from leave-alone up."""
    n_rows, n_arms = values.shape
    row = np.empty(n_rows * n_arms, np.int64)
    arm = np.empty(n_rows * n_arms, np.int64)
    cost, value, price = np.empty(n_rows * n_arms), np.empty(n_rows * n_arms), np.empty(n_rows * n_arms)
    steps = 0
    for i in range(n_rows):
        at_cost, at_value, at_price = 0.0, 0.0, np.inf
        while True:
            best, best_cost, best_value, best_price = -1, 0.0, 0.0, 0.0
            for k in range(n_arms):
                more_cost, more_value = costs[i, k] - at_cost, values[i, k] - at_value
                if not usable[i, k] or more_value <= 0 or more_cost < 0:
                    continue
                slope = more_value / more_cost if more_cost > 0 else np.inf
                # The nearest of several corners on one line: small steps fit a budget better.
                if best < 0 or slope > best_price or (slope == best_price and more_cost < best_cost):
                    best, best_cost, best_value, best_price = k, more_cost, more_value, slope
            if best < 0:
                break
            # Slopes fall along a hull; rounding must not put a row's later step before its earlier one.
            at_cost, at_value, at_price = costs[i, best], values[i, best], min(at_price, best_price)
            row[steps], arm[steps], price[steps] = i, best, at_price
            cost[steps], value[steps] = best_cost, best_value
            steps += 1
    return row[:steps], arm[:steps], cost[:steps], value[:steps], price[:steps]


def _checked(
    values: ArrayLike, costs: ArrayLike, allowed: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    value_of = np.ascontiguousarray(values, dtype=np.float64)
    cost_of = np.ascontiguousarray(costs, dtype=np.float64)
    usable = np.ones(value_of.shape, np.bool_) if allowed is None else np.ascontiguousarray(allowed, np.bool_)
    if value_of.ndim != 2 or not value_of.shape == cost_of.shape == usable.shape:
        raise DataError(
            "values, costs and allowed must have one shape (subscribers, arms) "
            f"(got {value_of.shape}, {cost_of.shape}, {usable.shape})"
        )
    _refuse_cells("value", value_of, usable & ~np.isfinite(value_of), "a finite number")
    _refuse_cells(
        "cost", cost_of, usable & ~(np.isfinite(cost_of) & (cost_of >= 0)), "a finite number of at least 0"
    )
    return value_of, cost_of, usable


def _refuse_cells(what: str, table: Floats, wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        row, arm = (int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{what} of row {row}, arm {arm}: must be {rule} (got {table[row, arm]}); "
            f"{int(wrong.sum())} such cells. Correct them or mark them as not allowed"
        )


def _checked_order(order: ArrayLike, n_rows: int) -> Integers:
    ranked = np.asarray(order)
    if ranked.size == 0:
        return np.empty(0, np.int64)
    if ranked.ndim != 1 or not np.issubdtype(ranked.dtype, np.integer):
        raise DataError(f"order: must be a list of row numbers (got {ranked.dtype} of shape {ranked.shape})")
    outside = ranked[(ranked < 0) | (ranked >= n_rows)]
    if outside.size:
        raise DataError(f"order: names row {outside[0]}, but costs has rows 0 to {n_rows - 1}")
    named = np.bincount(ranked, minlength=n_rows)
    if named.max() > 1:
        raise DataError(f"order: names row {named.argmax()} {named.max()} times; rank each row once")
    return ranked.astype(np.int64)


def _check_budget(budget: float) -> None:
    if not budget >= 0:
        raise DataError(f"budget: must be a number of at least 0 (got {budget})")
