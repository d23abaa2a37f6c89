"""The tree that imitates a policy: its list by hand, its rules in words, and what it gives up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_plans import ARMS, best_at, given_of, made_plan, settings_of

from churnsim.errors import DataError
from churnsim.policy.choice import Choice
from churnsim.policy.choices import Segment
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose
from churnsim.policy.readable import grow
from churnsim.policy.settings import PolicySettings, Readable
from churnsim.policy.words import Question, questions


def readable(plan: Plan, imitated: PolicySettings, *, leaves: int = 8, budget: float = 1e9, **limits: Any) -> Choice:
    given = replace(given_of(plan, budget=budget, **limits), policies={"other": imitated}, currency="USD")
    return choose(Readable(kind="readable", imitates="other", max_leaves=leaves), given)


def many(n: int, **changes: Any) -> Plan:
    """Return a plan of n subscribers whose risk is 0, 1, 2 % and so on, tenure the other way round."""
    five = made_plan()
    wide = {name: np.tile(getattr(five, name)[:1], (n, 1))
            for name in ("allowed", "reach", "contact_cost", "minutes", "accept", "offer_cost")}
    usual = {**wide, "ids": np.arange(n), "risk": np.arange(n) / 100.0, "margin": np.full(n, 20.0),
             "segment": np.full(n, -1, np.int32), "flags": {}, "months": {"value": np.ones((n, 4))},
             "best": best_at(0.3), "table": {"tenure_months": np.arange(n)[::-1].astype(float)}}
    return made_plan(**{**usual, **changes})


def test_a_list_that_two_groups_tell_is_told_by_two_rules() -> None:
    # The riskiest 3 of 10, each a gift by call for 2 that is worth 0.5 x (20 - 2) - 1 = 8.
    found = readable(many(10, table={}), settings_of("churn_risk"))
    assert found.arm.tolist() == [-1] * 7 + [0] * 3
    assert found.planned_spend == pytest.approx(6.0) and found.priority.tolist() == [0.0] * 7 + [8.0] * 3
    rules = found.tables["rules"]
    assert rules["rule"].tolist() == ["risk of leaving at least 7.0 %", "risk of leaving below 7.0 %"]
    assert rules["arm"].tolist() == ["gift by call", "left alone"]
    assert rules[["subscribers", "listed"]].to_numpy().tolist() == [[3, 3], [7, 0]]
    assert rules["planned_spend_amount"].tolist() == [6.0, 0.0]
    assert rules["planned_value_amount"].tolist() == rules["imitated_value_amount"].tolist() == [24.0, 0.0]
    assert (rules["given_up_amount"] == 0.0).all() and (rules["alike_share"] == 1.0).all()
    assert found.note == ("2 rules in place of other, whose list is worth 24.00 USD by plan (learner value): they give "
                          "up 0.00 (0%)")


def test_what_a_tree_cannot_tell_it_gives_up_and_says_so() -> None:
    # Worth most: rows 2 (8) and 7 (8); the rest loses. Two leaves can part the rows at one place only.
    months = np.zeros((10, 4))
    months[[2, 7], 0] = 1.0
    plan = many(10, months={"value": months}, table={})
    found = readable(plan, settings_of("uplift_value"), leaves=2)
    rules = found.tables["rules"]
    assert rules["imitated_value_amount"].sum() == pytest.approx(16.0)
    assert rules["given_up_amount"].sum() == pytest.approx(16.0 - rules["planned_value_amount"].sum())
    assert f"they give up {rules['given_up_amount'].sum():,.2f}" in found.note
    exact = readable(plan, settings_of("uplift_value"), leaves=5)
    assert exact.arm.tolist() == choose(settings_of("uplift_value"), given_of(plan)).arm.tolist()
    assert exact.tables["rules"]["given_up_amount"].sum() == pytest.approx(0.0)
    assert "risk of leaving from 2.0 % to below 3.0 %" in exact.tables["rules"]["rule"].tolist()


def test_those_whose_treatment_matters_most_decide_a_group() -> None:
    # Of ten alike, nine would lose 2 by a call, one keeps 99: a group of all is called, though most are left alone.
    months = np.zeros((10, 4))
    months[9, 0] = 10.2
    plan = many(10, months={"value": months}, risk=np.full(10, 0.1), table={})
    found = readable(plan, settings_of("uplift_value"), leaves=2)
    assert found.arm.tolist() == [0] * 10
    assert found.tables["rules"]["rule"].tolist() == ["everybody"]
    assert found.tables["rules"]["planned_value_amount"].tolist() == pytest.approx([0.5 * (204 - 2) - 1 - 9 * 2])


def test_groups_are_listed_by_value_a_unit_of_money_and_inside_by_risk() -> None:
    # Gifts are worth 8 to the short of tenure and 3 to others: 2 each, and money for three.
    months = np.zeros((6, 4))
    months[:, 0] = [0.5, 0.5, 0.5, 1.0, 1.0, 0.0]
    plan = many(6, months={"value": months})
    imitated = settings_of("uplift_value")
    assert readable(plan, imitated).arm.tolist() == [0, 0, 0, 0, 0, -1]
    # The budget buys the imitated list rows 3 and 4, and the first of the others.
    assert readable(plan, imitated, budget=6.0).arm.tolist() == [0, -1, -1, 0, 0, -1]
    assert readable(plan, imitated, budget=2.0).arm.tolist() == [-1, -1, -1, 0, -1, -1]
    nobody = readable(plan, imitated, budget=1.9)
    assert (nobody.arm == -1).all() and nobody.note.startswith("empty list; 1 rules in place of other")


def test_inside_a_group_that_money_does_not_suffice_for_the_riskiest_come_first() -> None:
    # Risks differ by less than the words tell: all are one group, of which the imitated list has the last.
    months = np.zeros((10, 4))
    months[9, 0] = 10.2
    plan = many(10, months={"value": months}, risk=0.1 + 1e-5 * np.array([3, 9, 1, 8, 0, 2, 4, 5, 7, 6]), table={})
    found = readable(plan, settings_of("uplift_value"), budget=6.0)
    assert np.flatnonzero(found.arm == 0).tolist() == [1, 3, 8] and found.planned_spend == pytest.approx(6.0)


def test_who_may_not_have_the_offer_of_a_group_is_left_alone() -> None:
    allowed = np.ones((10, 4), bool)
    allowed[8] = False
    found = readable(many(10, allowed=allowed, table={}), settings_of("churn_risk"), leaves=2)
    assert found.arm.tolist() == [-1] * 6 + [0, 0, -1, 0]
    assert found.tables["rules"]["listed"].sum() == 3


def test_segments_are_kept_where_the_tree_lists_nobody() -> None:
    plan = many(10, segment=np.array([0] * 3 + [1] * 7, np.int32), table={})
    least = (Segment("calm", least=1), Segment("others", most=2))
    # Two groups cannot tell the calm one of the imitated list, row 2, from other calm ones: it is taken from that list.
    found = readable(plan, settings_of("churn_risk"), segments=least, leaves=2)
    assert np.flatnonzero(found.arm >= 0).tolist() == [2, 8, 9]
    assert found.tables["rules"]["listed"].tolist() == [2, 1]
    with pytest.raises(DataError, match="segment calm: at least 4 subscribers must be listed, but only 3 can be"):
        readable(plan, settings_of("churn_risk"), segments=(Segment("calm", least=4), Segment("others")))


def test_nobody_to_imitate_is_nobody() -> None:
    found = readable(made_plan(), settings_of("none"))
    assert (found.arm == -1).all() and found.tables["rules"]["rule"].tolist() == ["everybody"]
    empty = readable(many(0), settings_of("none"))
    assert not len(empty.arm) and empty.note.startswith("empty list")


@pytest.mark.parametrize(("codes", "threshold", "cut"), [
    ([60, 70], 65.0, 70), ([18, 23], 20.5, 20), ([18, 19], 18.5, 19), ([-3, 4], 0.5, 0), ([0, 1], 0.5, 1),
    ([1, 980, 1020, 1090], 1000.0, 1000), ([7, 12], 9.5, 10)])
def test_a_group_begins_at_the_roundest_number_that_parts_alike(codes: list[int], threshold: float, cut: int) -> None:
    assert Question("amount", np.array(codes)).cut(threshold) == cut


def test_questions_in_words() -> None:
    asked = {question.name: question for question in questions(made_plan(), currency="USD")}
    assert [name for name in asked if "gift" in name] == ["chance to take gift by call", "may have gift by call",
                                                          "may have gift by sms"]
    assert asked["monthly margin"].words(3, None) == "monthly margin at least 3 USD"
    assert asked["monthly margin"].words(None, 1200) == "monthly margin below 1,200 USD"
    assert asked["risk of leaving"].words(25, 130) == "risk of leaving from 2.5 % to below 13.0 %"
    assert asked["chance to be reached by sms"].words(None, 205) == "chance to be reached by sms below 20.5 %"
    assert asked["flagged by w1"].words(1, None) == "flagged by w1"
    assert asked["flagged by w1"].words(None, 1) == "not flagged by w1"
    assert asked["may have device by call"].words(None, 1) == "may not have device by call"
    table = {"tenure_months": np.full(5, 14.0), "complaint_stock": np.array([0.0, 0.1, 0.29, 0.3, 1.0])}
    told = {question.name: question for question in questions(made_plan(table=table), currency="USD")}
    assert told["tenure"].words(12, None) == "tenure at least 12 months"
    assert told["recent complaints"].words(None, 3) == "recent complaints below 0.3"
    assert told["recent complaints"].code.tolist() == [0, 1, 2, 3, 10]


def told_by(rule: str, measured: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Return whom a rule speaks of, reading its words."""
    keep = np.ones(len(next(iter(measured.values()))), bool)
    for part in (part for part in rule.split(" and ") if part != "everybody"):
        name = next(name for name in measured if part.startswith(name))
        low, high = None, None
        words = part.removeprefix(name).replace("%", "").split()
        if words[0] == "from":
            low, high = float(words[1]), float(words[4])
        elif words[0] == "below":
            high = float(words[1])
        else:
            low = float(words[2])
        keep &= (measured[name] >= (low if low is not None else -np.inf))
        keep &= (measured[name] < (high if high is not None else np.inf))
    return keep


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_the_words_say_who_is_in_a_group(seed: int, leaves: int) -> None:
    """Groups part the subscribers, and each is those whom its rule speaks of."""
    rng = np.random.default_rng(seed)
    n = 40
    shares, amounts = rng.integers(0, 1001, n), rng.integers(-50, 50, n)
    asked = [Question("share", shares, 0.001, "%"), Question("amount", amounts)]
    found = grow(asked, rng.integers(-1, 2, n), weight=rng.random(n), max_leaves=leaves)
    assert len(found) <= leaves
    assert np.sort(np.concatenate([leaf.rows for leaf in found])).tolist() == list(range(n))
    for leaf in found:
        spoken_of = told_by(leaf.rule, {"share": shares / 10.0, "amount": amounts.astype(float)})
        assert np.flatnonzero(spoken_of).tolist() == leaf.rows.tolist(), leaf.rule


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 3.0, 20.0, 1e9]),
       st.sampled_from(["churn_risk", "uplift_value", "value_tier", "profit_lift"]))
def test_it_keeps_the_limits_and_its_table_adds_up(seed: int, budget: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n = 30
    plan = many(n, allowed=rng.random((n, 4)) < 0.7, months={"value": rng.normal(size=(n, 4))}, risk=rng.random(n),
                margin=50 * rng.random(n), best=best_at(0.5))
    found = readable(plan, settings_of(kind), budget=budget)
    rows = np.flatnonzero(found.arm >= 0)
    assert plan.allowed[rows, found.arm[rows]].all() and found.planned_spend <= budget * (1 + 1e-9)
    rules = found.tables["rules"]
    value = plan.planned_value("value")
    other = choose(settings_of(kind), given_of(plan, budget=budget)).arm
    listed = np.flatnonzero(other >= 0)
    assert rules["subscribers"].sum() == n and rules["listed"].sum() == len(rows)
    assert rules["planned_spend_amount"].sum() == pytest.approx(found.planned_spend)
    assert rules["planned_value_amount"].sum() == pytest.approx(value[rows, found.arm[rows]].sum())
    assert rules["imitated_value_amount"].sum() == pytest.approx(value[listed, other[listed]].sum())
    assert set(rules["arm"]) <= {*(arm.name for arm in ARMS), "left alone"}
    again = readable(plan, settings_of(kind), budget=budget)
    assert (again.arm == found.arm).all() and again.tables["rules"].equals(rules)
