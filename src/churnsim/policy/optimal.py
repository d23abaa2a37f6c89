"""Policies that look for the best list: over all offers and channels, under a budget, staff and segments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from churnsim.policy.allocate import budget_path
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits
from churnsim.policy.plan import Plan
from churnsim.policy.prices import plan_by_prices, price_table
from churnsim.policy.ranked import NOT_WORTH, empty_note
from churnsim.policy.settings import BudgetStaff, UpliftValue

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


def uplift_value(settings: UpliftValue, given: Situation) -> Choice:
    """Spend the budget where the learned value a unit of money is highest; stop where nothing is worth its cost."""
    return by_money(given, given.plan.planned_value(settings.learner))


def budget_staff(settings: BudgetStaff, given: Situation) -> Choice:
    """Do the same under staff and throttles, and tell what an hour of each would be worth."""
    return by_prices(given, given.plan.planned_value(settings.learner), given.limits)


def by_money(given: Situation, value: Float64) -> Choice:
    """Return the best list under the budget, and under segments if there are any, for values (n, A)."""
    plan, limits = given.plan, given.limits
    if limits.segments:
        return by_prices(given, value, replace(limits, resources=()))
    found = budget_path(value, plan.planned_cost, allowed=plan.allowed).at(limits.budget)
    return _choice(given, value, found.arm, found.spend, found.gap)


def by_prices(given: Situation, value: Float64, limits: Limits) -> Choice:
    """Return the best list under all of some limits, with the price of each."""
    plan, least = given.plan, any(segment.least for segment in limits.segments)
    # Whom no arm is worth anything is left alone at any price, unless a segment must have so many.
    rows = np.arange(len(plan.ids)) if least else worth_listing(plan, value)
    found = plan_by_prices(plan.choices(value).take(rows), limits)
    arm = np.full(len(plan.ids), -1)
    arm[rows] = found.arm
    table = price_table(limits, found.prices, spend=found.spend, used=found.used, listed=found.listed)
    return replace(_choice(given, value, arm, found.spend, found.gap), tables={"prices": table})


def worth_listing(plan: Plan, value: Float64) -> Int64:
    """Return the rows for whom an arm that they may be given is worth something, ascending."""
    return np.flatnonzero((plan.allowed & (value > 0)).any(axis=1))


def _choice(given: Situation, value: Float64, arm: Int64, spend: float, gap: float) -> Choice:
    plan = given.plan
    rows = np.flatnonzero(arm >= 0)
    priority = np.zeros(len(arm))
    priority[rows] = value[rows, arm[rows]]
    worth = plan.allowed & (value > 0)
    note = "" if len(rows) else (NOT_WORTH if not worth.any()
                                 else empty_note(plan.planned_cost[worth], given.limits.budget))
    return Choice(arm, priority, spend, gap, note)
