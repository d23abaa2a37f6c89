"""Rankings by learned effects, rule lists and value tiers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_plans import best_at, chosen, given_of, made_plan, settings_of

from churnsim.policy.choice import Choice
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose

# Months of margin that a contact with each arm keeps; of the gift by call for five subscribers.
MONTHS = np.zeros((5, 4))
MONTHS[:, 0] = [0.5, 0.9, 0.3, 0.0, 0.8]
SCORED = {"months": {"value": MONTHS}}


def listed_by(plan: Plan, kind: str, *, budget: float = 1e9, **changes: object) -> Choice:
    return choose(settings_of(kind, **changes), given_of(plan, budget=budget))


def test_uplift_ranks_by_the_effect_of_being_listed_whatever_it_is_worth() -> None:
    found = chosen("uplift", made_plan(**SCORED), budget=6.0)
    assert found.arm.tolist() == [0, 0, -1, -1, 0]
    assert found.priority == pytest.approx(0.5 * MONTHS[:, 0])
    assert (found.planned_spend, found.note) == (6.0, "gift by call, best 100% on the pilot")
    # The fourth has no effect: money for all buys it nothing.
    assert chosen("uplift", made_plan(**SCORED)).arm.tolist() == [0, 0, 0, -1, 0]
    assert chosen("uplift", made_plan(**SCORED, best=best_at(0.4))).arm.tolist() == [-1, 0, -1, -1, 0]


def test_uplift_counts_the_reach_of_each() -> None:
    reach = made_plan().reach.copy()
    reach[:, 0] = [1.0, 0.1, 1.0, 1.0, 0.1]
    assert chosen("uplift", made_plan(**SCORED, reach=reach, best=best_at(0.4))).arm.tolist() == [0, -1, 0, -1, -1]


def test_profit_lift_ranks_by_effect_times_value_less_cost() -> None:
    # Reach x (margin x months - accept x offer) - contact: 0.5 x (50 - 2) - 1, 0.5 x (9 - 2) - 1, and so on.
    found = chosen("profit_lift", made_plan(**SCORED))
    assert found.priority == pytest.approx([23.0, 2.5, 2.5, -2.0, -2.0])
    assert found.arm.tolist() == [0, 0, 0, -1, -1]
    assert chosen("profit_lift", made_plan(**SCORED), budget=4.0).arm.tolist() == [0, 0, -1, -1, -1]


@pytest.mark.parametrize(("kind", "note"), [
    ("uplift", "no effect is above 0"), ("profit_lift", "nothing is worth its cost"),
    ("uplift_value", "nothing is worth its cost"), ("budget_staff", "nothing is worth its cost")])
def test_negative_effects_list_nobody(kind: str, note: str) -> None:
    found = chosen(kind, made_plan(months={"value": np.full((5, 4), -0.1)}))
    assert (found.arm == -1).all() and (found.note, found.planned_spend) == (note, 0.0)


MATCH = [{"rule": "w1", "offer": "gift", "channel": "sms"}, {"rule": "w2", "offer": "device", "channel": "call"}]
FLAGS = {"w1": np.array([True, True, True, False, False]), "w2": np.array([False, False, True, True, False])}


def test_the_first_rule_whose_offer_one_may_have_decides() -> None:
    found = listed_by(made_plan(flags=FLAGS), "rules", match=MATCH)
    assert found.arm.tolist() == [1, 1, 1, 2, -1]
    assert found.planned_spend == pytest.approx(3 * 0.5 + 11.0)
    assert found.priority.tolist() == made_plan().risk.tolist()
    allowed = np.ones((5, 4), bool)
    allowed[[1, 2], 1] = False
    assert listed_by(made_plan(flags=FLAGS, allowed=allowed), "rules", match=MATCH).arm.tolist() == [1, -1, 2, 2, -1]


@pytest.mark.parametrize(("budget", "arm"), [
    (12.0, [-1, 1, 1, 2, -1]),  # the riskiest first: rows 1, 3, 2, 0
    (11.5, [-1, 1, -1, 2, -1]),
    (0.5, [-1, 1, -1, -1, -1]),
    (0.49, [-1] * 5),
])
def test_rules_take_the_riskiest_within_the_budget(budget: float, arm: list[int]) -> None:
    found = listed_by(made_plan(flags=FLAGS), "rules", budget=budget, match=MATCH)
    assert found.arm.tolist() == arm
    assert ("below the first contact" in found.note) == (budget < 0.5)


def test_nobody_flagged_is_nobody_to_contact() -> None:
    assert chosen("rules").note == "nobody may be contacted"


def test_a_tier_has_one_offer_and_none_below() -> None:
    # Margins 100, 10, 30, 20, 0: from 25 the device by call, from 5 the gift by SMS.
    assert chosen("value_tier").arm.tolist() == [2, 1, 2, 1, -1]
    allowed = np.ones((5, 4), bool)
    allowed[0, 2] = False
    assert chosen("value_tier", made_plan(allowed=allowed)).arm.tolist() == [-1, 1, 2, 1, -1]
    # The riskiest first: rows 1, 3, then row 2 for 11.
    assert chosen("value_tier", budget=11.9).arm.tolist() == [-1, 1, -1, 1, -1]
    edge = made_plan(margin=np.array([25.0, 24.9, 5.0, 4.9, -3.0]))
    assert chosen("value_tier", edge).arm.tolist() == [2, 1, 1, -1, -1]


def test_the_order_of_tiers_in_the_file_does_not_matter() -> None:
    settings = settings_of("value_tier")
    turned = settings.model_copy(update={"tiers": settings.tiers[::-1]})  # type: ignore[union-attr]
    given = given_of(made_plan())
    assert (choose(settings, given).arm == choose(turned, given).arm).all()


def test_the_margin_does_not_move_uplift_nor_the_risk_profit_lift() -> None:
    plan = made_plan(**SCORED)
    assert (chosen("uplift", replace(plan, margin=plan.margin[::-1]), budget=4.0).arm
            == chosen("uplift", plan, budget=4.0).arm).all()
    assert (chosen("profit_lift", replace(plan, risk=plan.risk[::-1]), budget=4.0).arm
            == chosen("profit_lift", plan, budget=4.0).arm).all()
