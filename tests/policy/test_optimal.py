"""Best lists under staff and segments by hand, with the price of each limit."""

from __future__ import annotations

import numpy as np
import pytest
from made_plans import HIDDEN, chosen, made_plan

from churnsim.errors import DataError
from churnsim.policy.choices import Resource, Segment
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan


def calls_worth() -> Plan:
    """Return a plan whose gifts by call are worth 23, 3, 4, 5 and -2; four minutes each; no other arm may be given."""
    months = np.zeros((5, 4))
    months[:4, 0] = [0.5, 1.0, 0.4, 0.7]
    allowed = np.zeros((5, 4), bool)
    allowed[:, 0] = True
    return made_plan(months={"value": months}, allowed=allowed)


def desk(minutes: float) -> Resource:
    return Resource("desk", minutes, (1.0, 0.0, 1.0, 0.0))


def test_staff_for_two_calls_makes_the_two_best_and_the_price_is_that_of_the_third() -> None:
    found = chosen("budget_staff", calls_worth(), budget=100.0, resources=(desk(8.0),))
    assert found.arm.tolist() == [0, -1, -1, 0, -1]
    assert found.priority == pytest.approx([23.0, 0.0, 0.0, 5.0, 0.0])
    assert found.planned_spend == pytest.approx(4.0) and found.gap == pytest.approx(0.0, abs=1e-6)
    table = found.tables["prices"].set_index("limit")
    assert table.columns.tolist() == ["unit", "least", "most", "used", "shadow_price_amount"]
    assert table.loc["desk", ["unit", "most", "used"]].tolist() == ["minutes", 8.0, 8.0]
    # Four minutes more would buy the call that is worth 4; four less would lose the one that is worth 5.
    assert 4.0 / 4 - 1e-6 <= table.loc["desk", "shadow_price_amount"] <= 5.0 / 4 + 1e-6
    assert table.loc["budget", ["most", "used", "shadow_price_amount"]].tolist() == [100.0, 4.0, 0.0]


def test_enough_staff_is_the_plan_without_staff() -> None:
    plan = calls_worth()
    for budget in (2.0, 5.0, 100.0):
        free, bound = (chosen(kind, plan, budget=budget, resources=(desk(16.0),))
                       for kind in ("uplift_value", "budget_staff"))
        assert bound.arm.tolist() == free.arm.tolist()
    assert bound.tables["prices"].set_index("limit").loc["desk", "shadow_price_amount"] == 0.0


def test_uplift_value_knows_no_staff() -> None:
    assert chosen("uplift_value", calls_worth(), resources=(desk(4.0),)).arm.tolist() == [0, 0, 0, 0, -1]


def test_a_segment_takes_the_least_bad_and_no_more_than_its_most() -> None:
    plan = made_plan(months=calls_worth().effects, allowed=calls_worth().allowed,
                     segment=np.array([0, 0, 0, -1, 1], np.int32))
    segments = (Segment("family", most=1), Segment("other", least=1))
    for kind in ("uplift_value", "budget_staff"):
        # Staff for one call, which uplift_value does not look at.
        found = chosen(kind, plan, segments=segments, resources=(desk(4.0 if kind == "uplift_value" else 99.0),))
        assert found.arm.tolist() == [0, -1, -1, 0, 0]
        table = found.tables["prices"].set_index("limit")
        assert table.loc["family", ["least", "most", "used"]].tolist() == [0.0, 1.0, 1.0]
        assert table.loc["other", ["least", "most", "used"]].tolist() == [1.0, np.inf, 1.0]
        # One fewer would save 2; one more cannot be had.
        assert table.loc["other", "shadow_price_amount"] <= -2.0
    with pytest.raises(DataError, match="segment other: at least 2 subscribers must get an arm, but only 1 may"):
        chosen("budget_staff", plan, segments=(Segment("family"), Segment("other", least=2)))


def test_the_clairvoyant_is_the_oracle_of_one_future() -> None:
    value = np.array([[3.0, -1, 2, 1], [-5, -1, -2, -3], [0.1, 0.4, -1, 0], [1, 9, 30, 2], [8, -8, -8, -8]])
    truth = TrueEffects(value, np.zeros((5, 4)), np.zeros((5, 4)))
    for kind in ("oracle", "clairvoyant"):
        found = chosen(kind, truth=truth)
        assert found.arm.tolist() == [0, -1, 1, 2, 0]
        assert found.priority.tolist() == [3.0, 0.0, 0.4, 30.0, 8.0]
        # 9 for 0.5 is the best buy, then 8 for 2; the device by call adds 21 for 10.5.
        assert chosen(kind, truth=truth, budget=2.4).arm.tolist() == [-1, -1, -1, 1, -1]
        assert chosen(kind, truth=truth, budget=2.5).arm.tolist() == [-1, -1, -1, 1, 0]
    with pytest.raises(AssertionError, match="a policy read the true net_value"):
        chosen("clairvoyant", truth=HIDDEN)
