"""Limits that lists of every kind keep: segments' numbers, budget, who may be listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plans import KEY, best_at, made_plan, settings_of

from churnsim.errors import DataError
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits, Segment, draw_holdout
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import UNBUDGETED, Readable

KINDS = ("random", "churn_risk", "risk_value", "uplift", "profit_lift", "rules", "value_tier", "uplift_value",
         "budget_staff", "oracle", "clairvoyant", "readable")
RANKINGS = KINDS[:5]


def some_plan(rng: np.random.Generator, n: int, **changes: Any) -> Plan:
    usual = {
        "ids": np.sort(rng.permutation(1000)[:n]), "allowed": rng.random((n, 4)) < 0.9, "reach": rng.random((n, 4)),
        "contact_cost": rng.exponential(size=(n, 4)), "minutes": rng.exponential(size=(n, 4)),
        "accept": rng.random((n, 4)), "offer_cost": 10 * rng.random((n, 4)), "risk": rng.random(n),
        "margin": 100 * rng.random(n), "segment": rng.integers(-1, 2, n).astype(np.int32),
        "flags": {"w1": rng.random(n) < 0.5}, "months": {"value": rng.normal(size=(n, 4))}, "best": best_at(0.5)}
    return made_plan(**{**usual, **changes})


def listed_by(kind: str, plan: Plan, limits: Limits, rng: np.random.Generator) -> Choice:
    shape = plan.allowed.shape
    truth = TrueEffects(10 * rng.normal(size=shape), np.zeros(shape), np.zeros(shape))
    policies = {"other": settings_of("uplift_value")}
    policy = Readable(kind="readable", imitates="other") if kind == "readable" else settings_of(kind)
    return choose(policy, Situation(plan, limits, KEY, policies=policies), truth=truth)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), budget=st.sampled_from([5.0, 30.0, 1e6]), least=st.integers(0, 3),
       most=st.integers(0, 3))
def test_every_kind_keeps_segments_or_says_which_it_cannot(kind: str, seed: int, budget: float, least: int, most: int
                                                           ) -> None:
    rng = np.random.default_rng(seed)
    plan = some_plan(rng, 25)
    limits = Limits(budget, segments=(Segment("students", least=least), Segment("families", most=most)))
    refused = ""
    try:
        found = listed_by(kind, plan, limits, rng)
    except DataError as error:
        refused = str(error)
    if refused:
        assert "students" in refused and "at least" in refused and least > 0
        return
    rows = np.flatnonzero(found.arm >= 0)
    numbers = np.bincount(plan.segment[rows] + 1, minlength=3)
    assert numbers[1] >= least and numbers[2] <= most
    assert plan.allowed[rows, found.arm[rows]].all()
    assert plan.planned_cost[rows, found.arm[rows]].sum() <= budget * (1 + 1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_a_least_number_is_had_where_it_can_be(kind: str) -> None:
    """Nobody is worth a contact, the pilot's depth is one subscriber: three students are listed all the same."""
    rng, n = np.random.default_rng(1), 12
    segment = np.array([0] * 6 + [-1] * 6, np.int32)
    plan = some_plan(rng, n, allowed=np.ones((n, 4), bool), segment=segment, best=best_at(0.05),
                     months={"value": np.full((n, 4), -1.0)}, flags={"w1": np.ones(n, bool)}, margin=np.full(n, 30.0))
    found = listed_by(kind, plan, Limits(1e6, segments=(Segment("students", least=3),)), rng)
    assert (found.arm[:6] >= 0).sum() >= 3
    if kind in RANKINGS:
        assert (found.arm[:6] >= 0).sum() == 3 and (found.arm[6:] >= 0).sum() <= 1
    if kind in ("uplift", "profit_lift", "uplift_value", "budget_staff", "readable"):
        assert (found.arm >= 0).sum() == 3


def test_a_ranking_takes_the_first_of_a_segment_then_the_first_of_all() -> None:
    # Risks .1 .5 .2 .4 .3; two of rows 0 and 2, though the riskiest are others; 2 each, money for three.
    plan = made_plan(segment=np.array([0, 1, 0, 1, -1], np.int32))
    least = Limits(6.0, segments=(Segment("a", least=2), Segment("b")))
    assert choose(settings_of("churn_risk"), Situation(plan, least, KEY)).arm.tolist() == [0, 0, 0, -1, -1]
    most = Limits(6.0, segments=(Segment("a"), Segment("b", most=1)))
    assert choose(settings_of("churn_risk"), Situation(plan, most, KEY)).arm.tolist() == [-1, 0, 0, -1, 0]


@pytest.mark.parametrize(("kind", "budget", "message"), [
    ("churn_risk", 100.0, "segment students: at least 3 subscribers must be listed, but only 2 can be; lower the least "
     "number"),
    ("uplift_value", 100.0, "segment students: at least 3 subscribers must get an arm, but only 2 may"),
    ("budget_staff", 100.0, "segment students: at least 3 subscribers must get an arm, but only 2 may"),
])
def test_an_infeasible_least_number_is_named(kind: str, budget: float, message: str) -> None:
    plan = made_plan(segment=np.array([0, 0, -1, -1, -1], np.int32))
    with pytest.raises(DataError, match=message):
        choose(settings_of(kind), Situation(plan, Limits(budget, segments=(Segment("students", least=3),)), KEY))


@pytest.mark.parametrize(("kind", "message"), [
    ("churn_risk", r"segments students \(at least 2\): the budget of 3.00 buys 1 of the 2 subscribers; lower the least "
     "numbers or raise the budget"),
    ("oracle", r"segments students \(at least 2\): budget, resources and other limits fall short of this by"),
])
def test_a_least_number_that_the_budget_cannot_buy_is_named(kind: str, message: str) -> None:
    plan = made_plan(segment=np.array([0, 0, -1, -1, -1], np.int32),
                     allowed=np.tile([True, False, False, False], (5, 1)))
    truth = TrueEffects(np.ones((5, 4)), np.zeros((5, 4)), np.zeros((5, 4)))
    limits = Limits(3.0, segments=(Segment("students", least=2),))
    with pytest.raises(DataError, match=message):
        choose(settings_of(kind), Situation(plan, limits, KEY), truth=truth)


@pytest.mark.parametrize("kind", [*KINDS, *UNBUDGETED])
def test_who_is_held_out_is_on_no_list(kind: str) -> None:
    """Whatever the policy knows: also of those who know the truth, and of the list of everybody."""
    rng, n = np.random.default_rng(2), 400
    plan = some_plan(rng, n, allowed=np.ones((n, 4), bool))
    held = draw_holdout(KEY, plan.ids, share=0.3)
    free, kept = (listed_by(kind, replace(plan, allowed=plan.allowed & may[:, None]), Limits(1e9),
                            np.random.default_rng(3)) for may in (np.ones(n, bool), ~held))
    assert 0 < held.sum() < n and (kept.arm[held] == -1).all()
    assert kind == "none" or (free.arm[held] >= 0).any()


@pytest.mark.parametrize("kind", KINDS)
def test_no_money_lists_nobody_and_says_so(kind: str) -> None:
    rng = np.random.default_rng(4)
    found = listed_by(kind, some_plan(rng, 20), Limits(0.0), rng)
    assert (found.arm == -1).all() and found.planned_spend == 0.0 and "empty list" in found.note
