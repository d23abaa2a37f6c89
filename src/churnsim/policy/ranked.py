"""Policies that rank people, or give each group of them one offer; each is a score and who may have which arm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from churnsim.core.draws import stream, uniform
from churnsim.policy.allocate import fill_by_rank
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.plan import Plan
from churnsim.policy.settings import Everyone, NonePolicy, Ranked, RankedByEffect, RuleList, ValueTiers
from churnsim.uplift.best import campaign_name

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

RANDOM_ORDER = stream("policy.random_order")
NOT_WORTH = "nothing is worth its cost"


def none(settings: NonePolicy, given: Situation) -> Choice:
    """List nobody."""
    n = len(given.plan.ids)
    return Choice(np.full(n, -1), np.zeros(n), 0.0)


def everyone(settings: Everyone, given: Situation) -> Choice:
    """List all who may be given the offer, in random order."""
    plan = given.plan
    column = plan.arm(settings.offer, settings.channel)
    listed = plan.allowed[:, column]
    arm = np.where(listed, column, -1)
    return Choice(arm, uniform(given.key, RANDOM_ORDER, plan.ids), float(plan.planned_cost[listed, column].sum()))


def ranked(settings: Ranked, given: Situation) -> Choice:
    """Take people by a score that knows no effects."""
    plan = given.plan
    if settings.kind == "random":
        score = uniform(given.key, RANDOM_ORDER, plan.ids)
    else:
        score = plan.risk if settings.kind == "churn_risk" else plan.risk * plan.margin
    return _best_campaign(given, settings.kind, score)


def ranked_by_effect(settings: RankedByEffect, given: Situation) -> Choice:
    """Take people by a learned effect, or by what it is worth less what it costs, and nobody whose is not above 0."""
    plan, name = given.plan, campaign_name(settings.kind, settings.learner)
    column = plan.arm(plan.best[name].offer, plan.pilot_channel)
    if settings.kind == "uplift":
        effect = plan.reach[:, column] * plan.effects[settings.learner][:, column]
        return _best_campaign(given, name, effect, nobody="no effect is above 0")
    return _best_campaign(given, name, plan.planned_value(settings.learner)[:, column], nobody=NOT_WORTH)


def rule_list(settings: RuleList, given: Situation) -> Choice:
    """Give whom a rule flags its offer: of several rules the first whose offer a subscriber may have."""
    plan = given.plan
    arm = np.full(len(plan.ids), -1)
    for match in reversed(settings.match):
        column = plan.arm(match.offer, match.channel)
        arm[plan.flags[match.rule] & plan.allowed[:, column]] = column
    return _riskiest_first(given, arm)


def value_tiers(settings: ValueTiers, given: Situation) -> Choice:
    """Give each tier of monthly margin its offer."""
    plan = given.plan
    arm = np.full(len(plan.ids), -1)
    for tier in sorted(settings.tiers, key=lambda tier: tier.least_margin_amount):
        column = plan.arm(tier.offer, tier.channel)
        inside = plan.margin >= tier.least_margin_amount
        # One class, one policy: who may not have its offer gets none from a tier below.
        arm[inside] = np.where(plan.allowed[inside, column], column, -1)
    return _riskiest_first(given, arm)


def _best_campaign(given: Situation, name: str, score: Float64, nobody: str = "") -> Choice:
    """Take people in the order of a score, with the offer and to the depth that were best on the pilot.

    With `nobody`, only those whose score is above 0, and it says why if there are none.
    """
    plan = given.plan
    best = plan.best[name]
    column = plan.arm(best.offer, plan.pilot_channel)
    may = np.flatnonzero(plan.allowed[:, column])
    order = may[np.argsort(-score[may], kind="stable")]
    depth = max(1, round(best.depth_share * plan.may_be_listed()[column]))
    if nobody:
        depth = min(depth, int((score[may] > 0).sum()))
    note = f"{plan.arms[column].name}, best {best.depth_share:.0%} on the pilot"
    choice = _take(given, np.where(plan.allowed[:, column], column, -1), order, score, note, wanted=depth)
    return choice if depth or (choice.arm >= 0).any() else replace(choice, note=nobody)


def _riskiest_first(given: Situation, arm: Int64) -> Choice:
    """Take those who have an arm by predicted risk."""
    listed = np.flatnonzero(arm >= 0)
    order = listed[np.argsort(-given.plan.risk[listed], kind="stable")]
    return _take(given, arm, order, given.plan.risk, "")


def _take(given: Situation, arm: Int64, order: Int64, score: Float64, note: str, *, wanted: int | None = None
          ) -> Choice:
    """Take people in an order; those after the wanted ones for the least numbers of segments alone."""
    plan, limits = given.plan, given.limits
    cost = plan.planned_cost[np.arange(len(arm)), np.maximum(arm, 0)]
    taken = fill_by_rank(order, cost, limits.budget, wanted=wanted, segment=plan.segment, segments=limits.segments)
    return Choice(np.where(taken, arm, -1), score, float(cost[taken].sum()),
                  note=note if taken.any() else empty_note(cost[order], limits.budget))


def empty_note(costs: Float64, budget: float) -> str:
    """Say why nobody is listed, of whom listing would cost this."""
    if not len(costs):
        return "nobody may be contacted"
    return f"empty list: the budget of {budget:,.2f} is below the first contact"


def shortlisted(plan: Plan) -> Plan:
    """Return a plan whose rankings go to everybody: a part does not know how deep the whole goes."""
    return replace(plan, best={name: replace(best, depth_share=1.0) for name, best in plan.best.items()})
