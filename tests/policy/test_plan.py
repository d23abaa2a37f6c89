"""Plans of some rows, and of several parts put together."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from churnsim.policy.plan import NAMED, ROWS, Arm, Plan
from churnsim.uplift.best import BestCampaign

ARMS = (Arm("gift", 1, "call"), Arm("device", 2, "call"))
BEST = {"churn_risk": BestCampaign("gift", 0.5, 1.0)}


def plan_of(*ids: int) -> Plan:
    """Return a plan whose numbers follow from the ids; who has an even one may be given the device."""
    id_ = np.array(ids)
    columns = {
        name: np.column_stack([id_, id_ + 100.0 * k]) for k, name in enumerate(
            ("reach", "contact_cost", "minutes", "accept", "offer_cost"), start=1)}
    allowed = np.column_stack([np.ones(len(id_), bool), id_ % 2 == 0])
    named = {name: {"value": columns["reach"] / k, "stay": columns["reach"] / (k + 2)}
             for k, name in enumerate(("effects", "kept"), start=7)}
    return Plan(ids=id_, arms=ARMS, allowed=allowed, **columns, risk=id_ / 1000.0, margin=id_ * 2.0,
                segment=(id_ % 3).astype(np.int32), **named, flags={"w1": id_ % 5 == 0}, best=BEST,
                pilot_channel="call")


def test_some_rows() -> None:
    plan = plan_of(4, 7, 8, 10)
    some = plan.take(np.array([3, 1]))
    assert some.ids.tolist() == [10, 7]
    alone = plan_of(10, 7)
    for name in ROWS:
        assert np.array_equal(getattr(some, name), getattr(alone, name)), name
    for group in NAMED:
        assert {name: values.tolist() for name, values in getattr(some, group).items()} == {
            name: values.tolist() for name, values in getattr(alone, group).items()}
    assert (some.arms, some.best, some.pilot_channel) == (plan.arms, plan.best, plan.pilot_channel)
    # How many there were stays known, however often some are taken.
    assert plan.may_be_listed() == (4, 3) and plan.listable is None
    for fewer in (some, some.take(np.array([0])), some.take(np.zeros(0, int))):
        assert fewer.may_be_listed() == fewer.listable == (4, 3)


def test_every_field_of_rows_is_taken() -> None:
    """A field that comes later is not forgotten: those that are no rows are named here."""
    assert {field.name for field in fields(Plan)} - {*ROWS, *NAMED} == {"arms", "best", "pilot_channel", "listable"}


def test_parts_put_together() -> None:
    parts = [plan_of(4, 7, 8).take(np.array([1])), plan_of(10), plan_of(12, 13).take(np.zeros(0, int))]
    found, expected = Plan.concat(parts), plan_of(7, 10)
    for name in ROWS:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    for group in NAMED:
        assert list(getattr(found, group)) == list(getattr(expected, group))
        for name, values in getattr(found, group).items():
            assert np.array_equal(values, getattr(expected, group)[name]), (group, name)
    assert found.listable == (3 + 1 + 2, 2 + 1 + 1)
    assert found.best == BEST and found.pilot_channel == "call"
