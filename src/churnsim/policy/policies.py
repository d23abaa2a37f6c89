"""The policies: each turns a plan into a list of (subscriber, arm) with priorities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from churnsim.core.draws import Key, stream, uniform
from churnsim.policy.allocate import budget_path, fill_by_rank
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan
from churnsim.policy.settings import PolicySettings

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

RANDOM_ORDER = stream("policy.random_order")


@dataclass(frozen=True)
class Choice:
    """A policy's list.

    Attributes
    ----------
    arm
        (n,) position of the arm in the plan, -1 for leaving alone.
    priority
        (n,) what the centre's dispatch by value goes by.
    planned_spend
        Expected planned spend.
    gap
        Upper bound on what the plan's value lacks to the best plan of whole subscribers; 0 where nothing is
        optimised.
    note
        What a reader should know, or empty.
    """

    arm: Int64
    priority: Float64
    planned_spend: float
    gap: float = 0.0
    note: str = ""


def choose(settings: PolicySettings, plan: Plan, *, budget: float, key: Key, truth: TrueEffects | None = None
           ) -> Choice:
    """Return the list of a policy.

    Parameters
    ----------
    settings
        The policy.
    plan
        What the operator knows.
    budget
        Expected planned spend that a budgeted policy may not pass.
    key
        Of the world; used by the random order.
    truth
        True expected effects: read by the oracle alone.
    """
    if settings.kind == "oracle":
        if truth is None:
            raise ValueError("the oracle needs the true effects")
        return _optimal(plan, truth.net_value, budget)
    return _CHOOSERS[settings.kind](settings, plan, budget, key)


def shortlist(settings: PolicySettings, plan: Plan, *, budget: float, key: Key) -> Int64:
    """Return the rows of a plan that could be on the policy's list were the plan a part of a larger one, ascending.

    A part that had the whole budget to itself would list everybody whom the whole lists in it, and perhaps more:
    what :func:`choose` makes of all parts' shortlists together is what it makes of all subscribers. The oracle
    cannot be had in parts.
    """
    # A subscriber more than the budget buys: the price of the next one is known then.
    most = budget + float(plan.planned_cost.max(initial=0.0))
    whole = replace(plan, best={name: replace(best, depth_share=1.0) for name, best in plan.best.items()})
    return np.flatnonzero(_CHOOSERS[settings.kind](settings, whole, most, key).arm >= 0)


def _none(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    return Choice(np.full(len(plan.ids), -1), np.zeros(len(plan.ids)), 0.0)


def _everyone(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    assert settings.offer is not None and settings.channel is not None
    column = plan.arm(settings.offer, settings.channel)
    listed = plan.allowed[:, column]
    arm = np.where(listed, column, -1)
    return Choice(arm, uniform(key, RANDOM_ORDER, plan.ids), float(plan.planned_cost[listed, column].sum()))


def _random(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    return _ranked(plan, "random", uniform(key, RANDOM_ORDER, plan.ids), budget)


def _churn_risk(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    return _ranked(plan, "churn_risk", plan.risk, budget)


def _risk_value(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    return _ranked(plan, "risk_value", plan.risk * plan.margin, budget)


def _uplift_value(settings: PolicySettings, plan: Plan, budget: float, key: Key) -> Choice:
    assert settings.learner is not None
    return _optimal(plan, plan.planned_value(settings.learner), budget)


def _ranked(plan: Plan, ranking: str, score: Float64, budget: float) -> Choice:
    """Take people in the order of a score, with the offer and to the depth that were best on the pilot."""
    best = plan.best[ranking]
    column = plan.arm(best.offer, plan.pilot_channel)
    may = np.flatnonzero(plan.allowed[:, column])
    depth = max(1, round(best.depth_share * plan.may_be_listed()[column]))
    order = may[np.argsort(-score[may], kind="stable")][:depth]
    cost = plan.planned_cost[:, column]
    taken = fill_by_rank(order, cost, budget)
    note = f"{plan.arms[column].name}, best {best.depth_share:.0%} on the pilot"
    return Choice(np.where(taken, column, -1), score, float(cost[taken].sum()),
                  note=note if taken.any() else _empty_note(cost[order], budget))


def _optimal(plan: Plan, value: Float64, budget: float) -> Choice:
    """Spend the budget where the value a unit of money is highest; stop where nothing is worth its cost."""
    cost = plan.planned_cost
    found = budget_path(value, cost, allowed=plan.allowed).at(budget)
    rows = np.arange(len(plan.ids))
    listed = found.arm >= 0
    density = np.zeros(len(plan.ids))
    density[listed] = value[rows[listed], found.arm[listed]]
    worth = plan.allowed & (value > 0)
    note = "" if listed.any() else ("nothing is worth its cost" if not worth.any()
                                    else _empty_note(cost[worth], budget))
    return Choice(found.arm, density, found.spend, found.gap, note)


def _empty_note(costs: Float64, budget: float) -> str:
    if not len(costs):
        return "nobody may be contacted"
    return f"empty list: the budget of {budget:,.2f} is below the first contact"


_CHOOSERS: dict[str, Callable[[PolicySettings, Plan, float, Key], Choice]] = {
    "none": _none, "everyone": _everyone, "everyone_capacity": _everyone, "random": _random,
    "churn_risk": _churn_risk, "risk_value": _risk_value, "uplift_value": _uplift_value,
}
