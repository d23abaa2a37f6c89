"""Part of a month's list drawn at random with chances that are known, so that what comes of it can be learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.core.draws import Key, stream, uniform
from churnsim.policy.choices import Segment
from churnsim.policy.plan import Plan

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

WHO = stream("campaign.explore.who")
WHAT = stream("campaign.explore.what")


@dataclass(frozen=True)
class Exploration:
    """Who takes part, and what each is to get.

    Attributes
    ----------
    row
        (k,) positions in the plan, ascending.
    option
        (k,) what was drawn: 0 for leaving alone, else 1 + the position among the columns that were asked for.
    prob
        (k, 1 + columns) chance of each option, leaving alone first; rows sum to 1.
    cost
        (k,) planned cost of what was drawn.
    """

    row: Int64
    option: Int64
    prob: Float64
    cost: Float64


def explore(plan: Plan, columns: Sequence[int], *, money: float, budget: float, segments: Sequence[Segment], key: Key,
            month: int) -> Exploration:
    """Draw who takes part in a random order, and for each one arm or none, all that it may have equally likely.

    Who takes part never depends on what is drawn for it: the order is followed while the money lasts for what the
    draws cost on average, and while whatever is drawn next fits the budget.

    Parameters
    ----------
    columns
        Arms of the plan to draw from; who may have none of them does not take part.
    money
        Expected planned cost of all draws, at most.
    budget
        Planned cost of all draws, at most.
    segments
        Of a segment, no more take part than its list may hold.
    """
    may = plan.allowed[:, columns]
    rows = np.flatnonzero(may.any(axis=1))
    rows = rows[np.argsort(uniform(key, WHO, plan.ids[rows], month=month), kind="stable")]
    rows = rows[_within(plan.segment[rows], segments)]
    may, cost = may[rows], np.where(may[rows], plan.planned_cost[rows][:, columns], 0.0)
    options = 1 + may.sum(axis=1)
    prob = np.column_stack([np.ones(len(rows)), may]) / options[:, None]
    option = (prob.cumsum(axis=1) <= uniform(key, WHAT, plan.ids[rows], month=month)[:, None]).sum(axis=1)
    option = np.where(np.take_along_axis(prob, np.minimum(option, len(columns))[:, None], axis=1)[:, 0] > 0.0,
                      np.minimum(option, len(columns)), 0)
    drawn = np.where(option > 0, cost[np.arange(len(rows)), np.maximum(option, 1) - 1], 0.0)
    fits = (np.cumsum(cost.sum(axis=1) / options) <= money) & (np.cumsum(drawn) - drawn + cost.max(axis=1) <= budget)
    # Nobody takes part without money, even if it costs nothing.
    last = 0 if money <= 0.0 else len(fits) if fits.all() else int(np.argmin(fits))
    order = np.argsort(rows[:last])
    return Exploration(rows[order], option[order], prob[order], drawn[order])


def _within(segment: npt.NDArray[np.int32], segments: Sequence[Segment]) -> npt.NDArray[np.bool_]:
    """Return who is among the first of a segment that its list may hold, (n,) bool, in the order of the rows."""
    inside = np.ones(len(segment), np.bool_)
    for position, limit in enumerate(segments):
        own = np.flatnonzero(segment == position)
        inside[own] = np.arange(len(own)) < limit.most
    return inside
