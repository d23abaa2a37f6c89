"""Every policy on a plan of five subscribers made by hand, and the oracle against all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_plans import (
    ARMS,
    CALL_GIFT,
    HIDDEN,
    KEEP_TO_BUDGET,
    KEY,
    ONE_LIST,
    best_at,
    chosen,
    given_of,
    made_plan,
    settings_of,
)

from churnsim.core.draws import make_key, stream, uniform
from churnsim.policy.choices import Resource
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan
from churnsim.policy.policies import shortlist
from churnsim.policy.settings import IN_PARTS


def test_planned_cost_and_value_by_hand() -> None:
    plan = made_plan(months={"value": np.full((5, 4), 0.5)})
    assert plan.planned_cost[0] == pytest.approx([1 + 0.5 * 0.5 * 4, 0.1 + 0.2 * 0.5 * 4, 11.0, 4.1])
    # Reach x (margin x months - accept x offer) - contact: 0.5 x (50 - 2) - 1 for the first.
    assert plan.planned_value("value")[0] == pytest.approx([23.0, 9.5, 14.0, 5.9])
    assert plan.planned_value("value")[4] == pytest.approx([-2.0, -0.5, -11.0, -4.1])
    assert [arm.name for arm in ARMS[:2]] == ["gift by call", "gift by sms"]
    assert plan.arm("device", "sms") == 3


def test_none_lists_nobody() -> None:
    found = chosen("none")
    assert found.arm.tolist() == [-1] * 5 and found.planned_spend == 0.0 and found.note == "" and found.gap == 0.0


@pytest.mark.parametrize("kind", ["everyone", "everyone_capacity"])
def test_everyone_is_all_who_may_be_given_the_offer(kind: str) -> None:
    allowed = np.ones((5, 4), bool)
    allowed[2, CALL_GIFT] = False
    found = chosen(kind, made_plan(allowed=allowed), budget=0.0)
    assert found.arm.tolist() == [0, 0, -1, 0, 0]
    assert found.planned_spend == pytest.approx(8.0)


def test_random_order_is_the_key_s() -> None:
    plan = made_plan()
    draws = uniform(KEY, stream("policy.random_order"), plan.ids)
    found = chosen("random", plan, budget=6.0)
    assert set(np.flatnonzero(found.arm >= 0)) == set(np.argsort(-draws)[:3])
    assert np.array_equal(found.priority, draws)
    # Fewer subscribers keep their places: it is a draw of the id.
    some = made_plan(ids=plan.ids + 1000)
    assert not np.array_equal(chosen("random", some).priority, draws)
    assert not np.array_equal(chosen("random", plan, key=make_key(seed=2, replicate=0)).priority, draws)


def test_churn_risk_takes_the_riskiest_until_the_budget_ends() -> None:
    found = chosen("churn_risk", budget=6.0)
    assert found.arm.tolist() == [-1, 0, -1, 0, 0]
    assert found.planned_spend == pytest.approx(6.0) and found.priority.tolist() == [0.1, 0.5, 0.2, 0.4, 0.3]
    assert found.note == "gift by call, best 100% on the pilot"
    assert (chosen("churn_risk", budget=7.9).arm == found.arm).all()
    assert (chosen("churn_risk", budget=8.0).arm >= 0).sum() == 4


def test_risk_value_ranks_by_risk_times_margin() -> None:
    # 10, 5, 6, 8, 0.
    assert chosen("risk_value", budget=4.0).arm.tolist() == [0, -1, -1, 0, -1]


@pytest.mark.parametrize(("depth", "listed"), [(1.0, [0, 1, 2, 3, 4]), (0.6, [1, 3, 4]), (0.2, [1]), (0.05, [1])])
def test_rankings_stop_at_the_pilots_best_depth(depth: float, listed: list[int]) -> None:
    found = chosen("churn_risk", made_plan(best=best_at(depth)))
    assert np.flatnonzero(found.arm >= 0).tolist() == listed


def test_depth_is_of_those_who_may_and_the_offer_is_the_pilots_best() -> None:
    allowed = np.ones((5, 4), bool)
    allowed[1, 2] = False
    found = chosen("churn_risk", made_plan(best=best_at(0.5, "device"), allowed=allowed))
    assert found.arm.tolist() == [-1, -1, -1, 2, 2]
    assert found.planned_spend == pytest.approx(22.0)


@pytest.mark.parametrize("kind", ["random", "churn_risk", "risk_value"])
@pytest.mark.parametrize("budget", [0.0, 1.99])
def test_a_budget_below_the_first_contact_gives_an_empty_list(kind: str, budget: float) -> None:
    found = chosen(kind, budget=budget)
    assert (found.arm == -1).all() and found.planned_spend == 0.0
    assert found.note == f"empty list: the budget of {budget:.2f} is below the first contact"


@pytest.mark.parametrize("budget", [0.0, 0.49])
def test_uplift_and_oracle_say_so_too(budget: float) -> None:
    plan = made_plan(months={"value": np.full((5, 4), 0.5)})
    truth = TrueEffects(np.full((5, 4), 3.0), np.zeros((5, 4)), np.zeros((5, 4)))
    for found in (chosen("uplift_value", plan, budget=budget), chosen("oracle", plan, budget=budget, truth=truth)):
        assert (found.arm == -1).all() and found.planned_spend == 0.0
        assert found.note == f"empty list: the budget of {budget:.2f} is below the first contact"


def test_nobody_to_contact_says_so() -> None:
    assert chosen("churn_risk", made_plan(allowed=np.zeros((5, 4), bool))).note == "nobody may be contacted"


def test_uplift_leaves_everybody_alone_when_nothing_is_worth_it() -> None:
    found = chosen("uplift_value", made_plan(months={"value": np.full((5, 4), 0.001)}))
    assert (found.arm == -1).all() and found.note == "nothing is worth its cost" and found.gap == 0.0


def test_uplift_gives_each_the_arm_worth_most_and_skips_the_rest() -> None:
    months = np.zeros((5, 4))
    months[0] = [0.5, 0.5, 1.0, 1.0]  # 23, 9.5, 39, 15.9
    months[1] = [0.9, 1.0, 0.0, 0.0]  # 2.5, 1.5, below 0
    months[3] = [0.1, 0.31, 0.1, 0.1]  # below 0, 0.74
    found = chosen("uplift_value", made_plan(months={"value": months}))
    assert found.arm.tolist() == [2, 0, -1, 1, -1]
    assert found.planned_spend == pytest.approx(11.0 + 2.0 + 0.5)
    assert found.priority == pytest.approx([39.0, 2.5, 0.0, 0.74, 0.0])
    # 9.5 for the first 0.5 is the best buy, then 1.5 for 0.5; the call of 0 would add 13.5 for 1.5.
    assert chosen("uplift_value", made_plan(months={"value": months}), budget=0.6).arm.tolist() == [1, -1, -1, -1, -1]


def test_uplift_respects_who_may_be_contacted() -> None:
    allowed = np.zeros((5, 4), bool)
    allowed[0, 1] = True
    found = chosen("uplift_value", made_plan(months={"value": np.full((5, 4), 5.0)}, allowed=allowed))
    assert found.arm.tolist() == [1, -1, -1, -1, -1]


def test_the_truth_is_for_the_oracle_alone() -> None:
    for kind in ONE_LIST:
        if kind != "oracle":
            chosen(kind, truth=HIDDEN)
    with pytest.raises(AssertionError, match="a policy read the true net_value"):
        chosen("oracle")


def test_value_of_a_list_by_hand() -> None:
    truth = TrueEffects(np.arange(8.0).reshape(2, 4), np.zeros((2, 4)), np.zeros((2, 4)))
    assert truth.of_list(np.array([3, -1])) == 3.0
    assert truth.of_list(np.array([1, 2])) == 7.0
    assert truth.of_list(np.array([-1, -1])) == 0.0


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Plan, TrueEffects, float]:
    seed, n = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 12))
    rng = np.random.default_rng(seed)
    plan = made_plan(
        ids=rng.permutation(1000)[:n],
        allowed=rng.random((n, 4)) < 0.8,
        reach=rng.random((n, 4)),
        contact_cost=rng.exponential(size=(n, 4)),
        accept=rng.random((n, 4)),
        offer_cost=10 * rng.random((n, 4)),
        risk=rng.random(n),
        margin=100 * rng.normal(size=n),
        minutes=rng.exponential(size=(n, 4)),
        segment=np.full(n, -1, np.int32),
        flags={"w1": rng.random(n) < 0.5},
        months={"value": rng.normal(size=(n, 4))},
        best=best_at(float(rng.choice([0.1, 0.5, 1.0])), str(rng.choice(["gift", "device"]))),
    )
    truth = TrueEffects(10 * rng.normal(size=(n, 4)), np.zeros((n, 4)), np.zeros((n, 4)))
    return plan, truth, draw(st.sampled_from([0.0, 1.0, 5.0, 20.0, 1e6]))


@given(worlds())
def test_the_oracle_is_best_within_its_gap_and_all_keep_to_the_budget(case: tuple[Plan, TrueEffects, float]) -> None:
    plan, truth, budget = case
    best = chosen("oracle", plan, budget=budget, truth=truth)
    if budget == 1e6:
        # Money for all: each gets the arm that is truly worth most, if any is worth something.
        worth = np.where(plan.allowed, truth.net_value, 0.0).max(axis=1)
        assert truth.of_list(best.arm) == pytest.approx(np.maximum(worth, 0.0).sum()) and best.gap == 0.0
    most = truth.of_list(best.arm) + best.gap
    for kind in KEEP_TO_BUDGET:
        found = chosen(kind, plan, budget=budget, truth=truth)
        assert truth.of_list(found.arm) <= most + 1e-9, kind
        rows = np.flatnonzero(found.arm >= 0)
        assert plan.allowed[rows, found.arm[rows]].all()
        assert found.planned_spend == pytest.approx(plan.planned_cost[rows, found.arm[rows]].sum())
        assert found.planned_spend <= budget * (1 + 1e-8)
        assert np.isfinite(found.priority).all() and (len(rows) > 0 or kind == "none" or found.note)


# Shortlists of parts


@st.composite
def parted(draw: st.DrawFn) -> tuple[Plan, list[np.ndarray[Any, Any]], float]:
    """Return a plan full of ties, its rows in several parts, and a budget."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, few = draw(st.integers(1, 25)), draw(st.sampled_from([1, 2, 1000]))

    def some(*shape: int) -> np.ndarray[Any, Any]:
        return rng.integers(0, few + 1, shape) / few

    plan = made_plan(
        ids=np.sort(rng.permutation(1000)[:n]),
        allowed=rng.random((n, 4)) < draw(st.sampled_from([0.1, 0.9])),
        reach=some(n, 4),
        contact_cost=some(n, 4),
        accept=some(n, 4),
        offer_cost=10 * some(n, 4),
        risk=some(n),
        margin=100 * some(n) - 20,
        minutes=some(n, 4),
        segment=np.full(n, -1, np.int32),
        flags={"w1": rng.random(n) < 0.5},
        months={"value": some(n, 4)},
        best=best_at(draw(st.sampled_from([0.05, 0.3, 0.5, 1.0])), draw(st.sampled_from(["gift", "device"]))),
    )
    part_of = rng.integers(0, draw(st.integers(1, 5)), n)
    parts = [np.flatnonzero(part_of == part) for part in range(part_of.max() + 2)]
    return plan, parts, draw(st.sampled_from([0.0, 0.3, 1.0, 3.0, 10.0, 1e9]))


def as_one_part(plan: Plan, rows: np.ndarray[Any, Any]) -> Plan:
    """Return some rows as a partition makes its plan: with no knowledge of the others."""
    return replace(plan.take(rows), listable=None)


@pytest.mark.parametrize("kind", IN_PARTS)
@given(case=parted(), one_by_one=st.booleans())
def test_the_list_of_the_shortlists_is_the_list_of_all(
    kind: str, case: tuple[Plan, list[np.ndarray[Any, Any]], float], one_by_one: bool
) -> None:
    """The same list, priorities, spend, gap and note to the bit, whatever the parts and however they are merged."""
    plan, parts, budget = case
    policy = settings_of(kind)
    # Staff for a few calls; only lists by prices know of it.
    staff = {"resources": (Resource("desk", 6.0, (1.0, 0.0, 1.0, 0.0)),)}
    whole = chosen(kind, plan, budget=budget, **staff)
    some: Plan | None = None
    for rows in parts:
        part = as_one_part(plan, rows)
        part = part.take(shortlist(policy, given_of(part, budget=budget, **staff)))
        some = part if some is None else Plan.concat([some, part])
        some = some.take(np.argsort(some.ids))
        if one_by_one:
            some = some.take(shortlist(policy, given_of(some, budget=budget, **staff)))
    assert some is not None and some.listable == tuple(plan.allowed.sum(axis=0))
    found = chosen(kind, some, budget=budget, **staff)
    assert (found.planned_spend, found.gap, found.note) == (whole.planned_spend, whole.gap, whole.note)
    listed, of_all = (np.flatnonzero(choice.arm >= 0) for choice in (found, whole))
    assert some.ids[listed].tolist() == plan.ids[of_all].tolist()
    assert found.arm[listed].tolist() == whole.arm[of_all].tolist()
    assert found.priority[listed].tolist() == whole.priority[of_all].tolist()


def test_a_shortlist_is_no_longer_than_the_budget_buys_and_one_more() -> None:
    # A gift costs 2 and the dearest arm 11: 6 buys three, and what could be bought for 17 is on the shortlist.
    plan = made_plan(**{name: np.tile(getattr(made_plan(), name), (10, 1)) for name in (
        "allowed", "reach", "contact_cost", "minutes", "accept", "offer_cost")}, ids=np.arange(50),
        segment=np.full(50, -1, np.int32), flags={},
        risk=np.arange(50.0), margin=np.ones(50), months={"value": np.zeros((50, 4))})
    assert shortlist(settings_of("churn_risk"), given_of(plan, budget=6.0)).tolist() == list(range(42, 50))
    assert shortlist(settings_of("none"), given_of(plan, budget=6.0)).tolist() == []
    assert shortlist(settings_of("everyone"), given_of(plan, budget=6.0)).tolist() == list(range(50))
    assert shortlist(settings_of("uplift_value"), given_of(plan, budget=6.0)).tolist() == []


def test_the_pilots_depth_is_of_all_and_not_of_a_shortlist() -> None:
    plan = made_plan(best=best_at(0.4))
    alone = plan.take(np.array([1, 3]))
    assert alone.listable == (5, 5, 5, 5)
    assert chosen("churn_risk", alone).arm.tolist() == [0, 0]
    assert chosen("churn_risk", replace(alone, listable=None)).arm.tolist() == [0, -1]
