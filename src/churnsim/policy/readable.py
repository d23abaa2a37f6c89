"""A shallow decision tree that imitates a policy, for people to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from churnsim.policy.allocate import LEFT_ALONE, budget_path, fill_by_rank
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.plan import Plan
from churnsim.policy.settings import Readable
from churnsim.policy.words import Question, questions

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# The tree shuffles features where two split alike: the shuffle is always this one.
TREE_SEED = 0
LEAST_WEIGHT = 0.01


@dataclass(frozen=True)
class Leaf:
    """A group of subscribers who are treated alike.

    Attributes
    ----------
    rule
        Who they are, in words.
    rows
        Rows of the plan.
    arm
        What they get, -1 for nothing; who may not have it is left alone.
    """

    rule: str
    rows: Int64
    arm: int


def choose(settings: Readable, given: Situation, choose_other: Callable[..., Choice]) -> Choice:
    """Grow the tree on the list of the imitated policy, and list whom it would.

    The tree learns who gets which arm and who is left alone; each counts by what it would cost to treat it as others.
    Groups are listed in the order of planned value a unit of money, those of the highest risk first inside a group,
    until the budget ends.
    """
    plan, limits = given.plan, given.limits
    imitated = given.policies[settings.imitates]
    learner = getattr(imitated, "learner", None) or next(iter(plan.kept))
    value = plan.planned_value(learner)
    target = choose_other(imitated, given)
    asked = questions(plan, currency=given.currency)
    leaves = grow(asked, target.arm, weight=_weights(given, value, target.arm), max_leaves=settings.max_leaves)
    arm = np.full(len(plan.ids), LEFT_ALONE)
    for leaf in leaves:
        arm[leaf.rows] = np.where(plan.allowed[leaf.rows, leaf.arm], leaf.arm, LEFT_ALONE) if leaf.arm >= 0 else -1
    leaves = sorted(leaves, key=lambda leaf: -_worth(plan, value, leaf.rows, arm))
    order = np.concatenate([leaf.rows[np.argsort(-plan.risk[leaf.rows], kind="stable")] for leaf in leaves])
    wanted = order[arm[order] >= 0]
    # A segment's least number may need people of groups left alone: those of the imitated list.
    arm = np.where(arm >= 0, arm, target.arm)
    order = np.concatenate([wanted, np.setdiff1d(np.flatnonzero(arm >= 0), wanted)])
    taken = fill_by_rank(order, _of_list(plan.planned_cost, arm), limits.budget, wanted=len(wanted),
                         segment=plan.segment, segments=limits.segments)
    arm = np.where(taken, arm, LEFT_ALONE)
    rules = rule_table(plan, value, leaves, arm, target.arm)
    return Choice(arm, _leaf_values(value, leaves, arm), float(_of_list(plan.planned_cost, arm).sum()),
                  note=_note(settings, learner, rules, given.currency), tables={"rules": rules})


def grow(asked: Sequence[Question], arm: Int64, *, weight: Float64, max_leaves: int) -> list[Leaf]:
    """Return the leaves of a tree that tells who gets which arm.

    Parameters
    ----------
    asked
        What the tree may ask.
    arm
        (n,) what it has to tell.
    weight
        (n,) what it costs to be wrong, at least 0; all 0 counts as all alike.
    max_leaves
        Most leaves.
    """
    if not len(arm):
        return [Leaf("everybody", np.zeros(0, np.int64), LEFT_ALONE)]
    X = np.column_stack([question.code for question in asked]).astype(np.float32)
    tree = DecisionTreeClassifier(max_leaf_nodes=max_leaves, random_state=TREE_SEED)
    tree.fit(X, arm, sample_weight=weight if weight.any() else None)
    leaf_of = tree.apply(X)
    return [Leaf(words, np.flatnonzero(leaf_of == node),
                 int(tree.classes_[tree.tree_.value[node, 0].argmax()])) for node, words in _paths(tree.tree_, asked)]


def _paths(tree: object, asked: Sequence[Question]) -> Iterator[tuple[int, str]]:
    """Yield each leaf of a tree with the conditions on the way to it, in words."""
    left, right, of, at = (getattr(tree, name) for name in
                           ("children_left", "children_right", "feature", "threshold"))
    waiting: list[tuple[int, dict[int, tuple[int | None, int | None]]]] = [(0, {})]
    while waiting:
        node, bounds = waiting.pop()
        if left[node] < 0:
            yield node, " and ".join(asked[k].words(*bound) for k, bound in sorted(bounds.items())) or "everybody"
            continue
        k = int(of[node])
        cut = asked[k].cut(float(at[node]))
        low, high = bounds.get(k, (None, None))
        waiting += [(right[node], {**bounds, k: (cut, high)}), (left[node], {**bounds, k: (low, cut)})]


def rule_table(plan: Plan, value: Float64, leaves: Sequence[Leaf], arm: Int64, imitated: Int64) -> pd.DataFrame:
    """Return a row a group, in the order in which they are listed.

    Columns: the rule in words, the arm, subscribers, how many of them are listed, planned spend and value, the value of
    the imitated list among them and what the tree gives up of it, and the share that both lists treat alike.
    """
    own, other = _of_list(value, arm), _of_list(value, imitated)
    cost = _of_list(plan.planned_cost, arm)
    names = [*(each.name for each in plan.arms), "left alone"]
    return pd.DataFrame([{
        "rule": leaf.rule, "arm": names[leaf.arm], "subscribers": len(leaf.rows),
        "listed": int((arm[leaf.rows] >= 0).sum()), "planned_spend_amount": float(cost[leaf.rows].sum()),
        "planned_value_amount": float(own[leaf.rows].sum()),
        "imitated_value_amount": float(other[leaf.rows].sum()),
        "given_up_amount": float(other[leaf.rows].sum() - own[leaf.rows].sum()),
        "alike_share": float((arm[leaf.rows] == imitated[leaf.rows]).mean()) if len(leaf.rows) else 1.0,
    } for leaf in leaves])


def _weights(given: Situation, value: Float64, arm: Int64) -> Float64:
    """Return what it costs to treat each as the imitated list treats others, at the price of money, (n,).

    That is the mean over the other arms, and leaving alone, by how many the list treats so.
    """
    plan, n = given.plan, len(arm)
    price = budget_path(value, plan.planned_cost, allowed=plan.allowed).at(given.limits.budget).shadow_price
    gain = np.zeros((n, len(plan.arms) + 1))
    # Who may not have a group's arm is left alone in it: that costs a wrong leaf nothing.
    gain[:, :-1] = np.where(plan.allowed, value - price * plan.planned_cost, 0.0)
    used = np.bincount(arm % gain.shape[1], minlength=gain.shape[1])
    lost = np.abs(gain[np.arange(n), arm][:, None] - gain) @ used / np.maximum(n - used[arm], 1)
    # Those for whom it makes no difference, such as the last whom the money buys, count a little.
    return np.maximum(lost, LEAST_WEIGHT * lost.mean()) if n else lost


def _worth(plan: Plan, value: Float64, rows: Int64, arm: Int64) -> float:
    """Return the planned value of a group a unit of money; last come those who cost nothing and bring nothing."""
    mine = np.full(len(arm), LEFT_ALONE)
    mine[rows] = arm[rows]
    cost, worth = _of_list(plan.planned_cost, mine).sum(), _of_list(value, mine).sum()
    return float(worth / cost) if cost else (np.inf if worth > 0 else -np.inf)


def _leaf_values(value: Float64, leaves: Sequence[Leaf], arm: Int64) -> Float64:
    """Return the mean planned value of those listed in each subscriber's group, (n,)."""
    priority, own = np.zeros(len(arm)), _of_list(value, arm)
    for leaf in leaves:
        listed = leaf.rows[arm[leaf.rows] >= 0]
        if len(listed):
            priority[listed] = own[listed].mean()
    return priority


def _of_list(table: Float64, arm: Int64) -> Float64:
    """Return each subscriber's entry of an (n, A) table at the arm, 0 where left alone, (n,)."""
    return np.where(arm >= 0, table[np.arange(len(arm)), np.maximum(arm, 0)], 0.0)


def _note(settings: Readable, learner: str, rules: pd.DataFrame, currency: str) -> str:
    lost, whole = rules["given_up_amount"].sum(), rules["imitated_value_amount"].sum()
    share = f" ({lost / whole:.0%})" if whole > 0 else ""
    nobody = "empty list; " if not rules["listed"].sum() else ""
    return (f"{nobody}{len(rules)} rules in place of {settings.imitates}, whose list is worth {whole:,.2f} {currency} "
            f"by plan (learner {learner}): they give up {lost:,.2f}{share}")
