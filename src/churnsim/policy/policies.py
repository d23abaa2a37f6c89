"""The policies: each turns what an operator knows into a list of (subscriber, arm) with priorities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.policy import capacity_aware, optimal, own, ranked, readable
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.settings import TRUTHFUL, PolicySettings

Int64 = npt.NDArray[np.int64]

Chooser = Callable[[Any, Situation], Choice]


def choose(settings: PolicySettings, given: Situation, *, truth: TrueEffects | None = None) -> Choice:
    """Return the list of a policy.

    Parameters
    ----------
    settings
        The policy.
    given
        What the operator knows.
    truth
        True effects: expected for the oracle, realised for the clairvoyant; read by them alone.
    """
    if settings.kind in TRUTHFUL:
        if truth is None:
            raise ValueError(f"{settings.kind} needs the true effects")
        return optimal.by_money(given, truth.net_value)
    if settings.kind == "readable":
        return readable.choose(settings, given, choose)
    return CHOOSERS[settings.kind](settings, given)


def shortlist(settings: PolicySettings, given: Situation) -> Int64:
    """Return the rows of a plan that could be on the policy's list were the plan a part of a larger one, ascending.

    A part that had the whole budget to itself would list everybody whom the whole lists in it, and perhaps more:
    what :func:`choose` makes of all parts' shortlists together is what it makes of all subscribers. Only kinds of
    :data:`churnsim.policy.settings.IN_PARTS` can be had in parts.
    """
    plan, limits = given.plan, given.limits
    if settings.kind == "budget_staff":
        # Prices of several limits do not only fall when there is more of each: all whom an arm is worth something.
        return optimal.worth_listing(plan, plan.planned_value(settings.learner))
    # A subscriber more than the budget buys: the price of the next one is known then.
    most = replace(limits, budget=limits.budget + float(plan.planned_cost.max(initial=0.0)))
    given = replace(given, plan=ranked.shortlisted(plan), limits=most)
    return np.flatnonzero(CHOOSERS[settings.kind](settings, given).arm >= 0)


CHOOSERS: dict[str, Chooser] = {
    "none": ranked.none, "everyone": ranked.everyone, "everyone_capacity": ranked.everyone,
    "random": ranked.ranked, "churn_risk": ranked.ranked, "risk_value": ranked.ranked,
    "uplift": ranked.ranked_by_effect, "profit_lift": ranked.ranked_by_effect,
    "rules": ranked.rule_list, "value_tier": ranked.value_tiers,
    "uplift_value": optimal.uplift_value, "budget_staff": optimal.budget_staff,
    "capacity_aware": capacity_aware.choose, "own": own.choose,
}
"""Kinds that make one list of what an operator knows."""
