"""What a policy would list at other budgets, from nothing to where nothing is left to buy, and what that is worth.

Lists are made under the plan and not worked by the centre. True values are the truth's expected effects under the
plan's reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import DataError
from churnsim.experiment.curve_grid import COARSE, MULTIPLES, ONE_POINT, ROUND_COUNTS
from churnsim.policy.allocate import budget_path
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import BUDGETED, RANKINGS, TRUTHFUL, PolicySettings

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# A list that costs exactly the budget must fit although its sum of thousands of costs is rounded.
_SUM_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Steps:
    """A list as it grows with the budget, the first step to be taken first.

    Attributes
    ----------
    subscriber, arm : (m,) int64
        Row that a step concerns and the arm it gives; a later step of a row replaces its arm.
    spend : (m,) float64
        Planned spend after the step.
    price : (m,) float64 or None
        Value that the step adds a unit of money; None for policies that do not go by it.
    """

    subscriber: Int64
    arm: Int64
    spend: Float64
    price: Float64 | None = None

    @property
    def before(self) -> Int64:
        """What each step's row had before it, -1 for nothing, (m,)."""
        return pd.Series(self.arm).groupby(self.subscriber).shift(fill_value=-1).to_numpy()

    def total(self, effects: Float64) -> Float64:
        """Return what the lists of the first 0, 1, ..., m steps sum to in effects (n, A), (m + 1,)."""
        before = self.before
        lost = np.where(before >= 0, effects[self.subscriber, before], 0.0)
        return np.append(0.0, np.cumsum(effects[self.subscriber, self.arm] - lost))

    def targeted(self) -> Float64:
        """Return how many subscribers are listed after 0, 1, ..., m steps, (m + 1,)."""
        return np.append(0.0, np.cumsum(self.before < 0))


def curve_frames(settings: PolicySettings, given: Situation, choice: Choice, *, known: TrueEffects,
                 truth: TrueEffects) -> dict[str, pd.DataFrame]:
    """Return the tables `curve` and `price_curve` of a policy; none of one that has no budget.

    Parameters
    ----------
    settings, given
        The policy and what it is given.
    choice
        Its list at the campaign's budget.
    known
        Effects that it is told if it is one that knows them.
    truth
        Expected effects.

    Returns
    -------
    dict
        ``curve``: a row a budget: ``budget_amount``, ``planned_spend_amount``, ``targeted``,
        ``planned_value_amount`` (by the policy's own belief, NaN where it has none), ``true_value_amount``.
        ``price_curve``, of policies that have shadow prices: a row a budget and limit: ``budget_amount``, ``limit``,
        ``unit``, ``shadow_price_amount``.
    """
    if settings.kind not in BUDGETED:
        return {}
    belief = _belief(settings, given.plan, known)
    budget = given.limits.budget
    own = [_point(budget, choice, belief, truth)]
    if settings.kind in ONE_POINT:
        return {"curve": _table(own)}
    steps = _steps(settings, given, belief, known)
    if steps is not None:
        return _by_steps(steps, budget, own, belief, truth)
    lists = [(budget, choice), *_searched(settings, given, choice, known)]
    points = own + [_point(each, found, belief, truth) for each, found in lists[1:]]
    prices = [found.tables["prices"].assign(budget_amount=each) for each, found in lists if "prices" in found.tables]
    return {"curve": _table(points), **({"price_curve": _prices(pd.concat(prices))} if prices else {})}


def _belief(settings: PolicySettings, plan: Plan, known: TrueEffects) -> Float64 | None:
    """Return what a policy believes each arm is worth, (n, A); None of one that values nothing."""
    if settings.kind in TRUTHFUL:
        return known.net_value
    learner = getattr(settings, "learner", None)
    return None if learner is None else plan.planned_value(learner)


def _steps(settings: PolicySettings, given: Situation, belief: Float64 | None, known: TrueEffects) -> Steps | None:
    """Return the steps of a policy whose larger budget only ever adds to its list; None for others."""
    plan = given.plan
    if given.limits.segments:
        return None
    if settings.kind in (*TRUTHFUL, "uplift_value") and belief is not None:
        path = budget_path(belief, plan.planned_cost, allowed=plan.allowed)
        return Steps(path.subscriber, path.arm, path.spend, path.price)
    if settings.kind in RANKINGS:
        whole = choose(settings, _with_budget(given, np.inf), truth=known)
        listed = np.flatnonzero(whole.arm >= 0)
        # Equal ones are taken by row.
        listed = listed[np.argsort(-whole.priority[listed], kind="stable")]
        arm = whole.arm[listed]
        return Steps(listed, arm, np.cumsum(plan.planned_cost[listed, arm]))
    return None


def _by_steps(steps: Steps, budget: float, own: list[dict[str, float]], belief: Float64 | None, truth: TrueEffects
              ) -> dict[str, pd.DataFrame]:
    spend, targeted, worth = np.append(0.0, steps.spend), steps.targeted(), steps.total(truth.net_value)
    planned = np.full(len(spend), np.nan) if belief is None else steps.total(belief)
    budgets = np.unique([budget * multiple for multiple in MULTIPLES])
    budgets = budgets[: 1 + np.searchsorted(budgets * (1 + _SUM_ROUNDING), spend[-1])]
    bought = np.searchsorted(steps.spend, budgets * (1 + _SUM_ROUNDING), side="right")
    counts = [count for count in ROUND_COUNTS if count <= targeted[-1]]
    # The last step counts in any case: nothing is left to buy.
    counted = np.append(np.searchsorted(targeted[1:], counts, side="right"), len(steps.spend))
    points = own + [
        {"budget_amount": float(amount), "planned_spend_amount": spend[k], "targeted": targeted[k],
         "planned_value_amount": planned[k], "true_value_amount": worth[k]}
        for amount, k in (*zip(budgets, bought, strict=True), *((spend[k], k) for k in counted)) if amount != budget]
    frames = {"curve": _table(points)}
    if steps.price is not None:
        price = np.append(steps.price, 0.0)[bought]
        frames["price_curve"] = _prices(pd.DataFrame({"budget_amount": budgets, "limit": "budget", "unit": "money",
                                                      "shadow_price_amount": price}))
    return frames


def _searched(settings: PolicySettings, given: Situation, choice: Choice, known: TrueEffects
              ) -> Iterator[tuple[float, Choice]]:
    """Yield other budgets and the lists at them, up to where more money buys nothing more."""
    budget, last = given.limits.budget, choice
    for multiple in COARSE:
        if multiple == 1.0 or budget == 0.0:
            continue
        try:
            found = choose(settings, _with_budget(given, budget * multiple), truth=known)
        except DataError:
            # Too little money for the least numbers of segments.
            continue
        yield budget * multiple, found
        if multiple > 1.0:
            if np.array_equal(found.arm, last.arm):
                return
            last = found


def _with_budget(given: Situation, budget: float) -> Situation:
    return replace(given, limits=replace(given.limits, budget=budget))


def _point(budget: float, choice: Choice, belief: Float64 | None, truth: TrueEffects) -> dict[str, float]:
    rows = np.flatnonzero(choice.arm >= 0)
    planned = np.nan if belief is None else float(belief[rows, choice.arm[rows]].sum())
    return {"budget_amount": float(budget), "planned_spend_amount": choice.planned_spend, "targeted": float(len(rows)),
            "planned_value_amount": planned, "true_value_amount": truth.of_list(choice.arm)}


def _table(points: list[dict[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(points).sort_values(["budget_amount", "planned_spend_amount"], kind="stable")
    return table.drop_duplicates("budget_amount").astype({"targeted": np.int64}).reset_index(drop=True)


def _prices(found: pd.DataFrame) -> pd.DataFrame:
    columns = ["budget_amount", "limit", "unit", "shadow_price_amount"]
    return found[columns].sort_values("budget_amount", kind="stable").reset_index(drop=True)
