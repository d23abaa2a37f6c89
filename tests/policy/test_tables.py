"""Allocation from tables: names instead of positions, the index kept, what does not fit refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from churnsim.errors import ConfigError, DataError
from churnsim.policy.choices import Segment
from churnsim.policy.tables import Team, allocate, budget_steps

VALUES = pd.DataFrame({"gift": [30, 40, 10], "device": [10, 50, 55]}, index=["ann", "bob", "cem"])
COSTS = {"device": 6, "gift": 3}


def test_the_path_by_hand() -> None:
    steps = budget_steps(VALUES, COSTS)
    assert steps["spend"].tolist() == [3, 6, 12, 15] and steps["value"].tolist() == [40, 70, 125, 135]
    assert steps["subscriber"].tolist() == ["bob", "ann", "cem", "bob"]
    assert steps["arm"].tolist() == ["gift", "gift", "device", "device"]
    for spend, value in zip(steps["spend"], steps["value"], strict=True):
        found = allocate(VALUES, COSTS, budget=spend)
        assert (found.spend, found.value) == (spend, value)
        assert found.arm.index.equals(VALUES.index)


def test_costs_are_paired_by_name_and_not_by_place() -> None:
    table = pd.DataFrame({"device": [6.0] * 3, "gift": [3.0] * 3}, index=VALUES.index)
    for costs in (COSTS, dict(reversed(COSTS.items())), table):
        assert allocate(VALUES, costs, budget=12).arm.tolist() == ["gift", "gift", "device"]


def test_staff_by_hand() -> None:
    """Four minutes, of which a device takes two: bob and cem; ann has the gift."""
    team = {"desk": Team(4, ["device"])}
    found = allocate(VALUES, COSTS, budget=15, minutes={"gift": 0, "device": 2}, staff=team)
    assert found.arm.tolist() == ["gift", "device", "device"] and found.value == 135.0
    assert found.limits["limit"].tolist() == ["budget", "desk"] and found.limits["used"].tolist() == [15.0, 4.0]
    # A minute less: one device, of cem, who has 45 from it; bob's would be 10 better than his gift.
    short = allocate(VALUES, COSTS, budget=15, minutes={"gift": 0, "device": 2}, staff={"desk": Team(3, ["device"])})
    assert short.arm.tolist() == ["gift", "gift", "device"] and short.value == 125.0
    assert short.limits.set_index("limit")["shadow_price_amount"]["desk"] == pytest.approx(5.0, rel=1e-4)


def test_segments_allowed_and_infinite_budget() -> None:
    segment = pd.Series(["vip", None, "vip"], index=VALUES.index)
    found = allocate(VALUES, COSTS, budget=np.inf, segment=segment, segments=[Segment("vip", most=1)])
    assert found.arm.tolist() == [None, "device", "device"]
    assert found.limits["limit"].tolist() == ["vip"] and found.limits["used"].tolist() == [1.0]
    allowed = pd.DataFrame({"gift": [True] * 3, "device": [False] * 3}, index=VALUES.index)
    assert allocate(VALUES, COSTS, budget=np.inf, allowed=allowed).arm.tolist() == ["gift"] * 3
    assert set(budget_steps(VALUES, COSTS, allowed=allowed)["arm"]) == {"gift"}


def test_nobody_is_a_valid_list() -> None:
    for values, budget in ((VALUES, 0.0), (VALUES, 2.9), (-VALUES, 100.0)):
        found = allocate(values, COSTS, budget=budget)
        assert found.arm.isna().all() and found.value == found.spend == 0.0


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "unknown cost": ({"costs": {"gift": 3, "device": 6, "gfit": 1}}, "costs: no arm 'gfit'; there are gift, device. "
                     "Did you mean 'gift'?"),
    "missing cost": ({"costs": {"gift": 3}}, "costs: nothing for arm 'device'; give a number for each of gift, device"),
    "negative cost": ({"costs": {"gift": 3, "device": -6}}, "cost of row 0, arm 1: must be a finite number of at least "
                      "0 (got -6.0)"),
    "NaN": ({"values": VALUES.where(VALUES != 50)}, "value of row 1, arm 1: must be a finite number (got nan)"),
    "text": ({"values": VALUES.astype(str)}, "values: arm 'gift' is of type"),
    "twice": ({"values": VALUES.set_axis(["gift", "gift"], axis=1)}, "values: arm 'gift' stands there twice"),
    "other index": ({"allowed": VALUES.reset_index(drop=True) > 0}, "allowed: must have the index of the values"),
    "no minutes": ({"staff": {"desk": Team(4, ["device"])}}, "minutes: staff is given, but not what the arms take"),
    "unknown arm of a team": ({"staff": {"desk": Team(4, ["call"])}, "minutes": {"gift": 1, "device": 1}},
                              "staff desk: no arm 'call'; there are gift, device"),
    "unknown segment": ({"segment": pd.Series(["a", "b", None], index=VALUES.index), "segments": [Segment("a")]},
                        "segment: no segment 'b'; there are a"),
    "infeasible": ({"segment": pd.Series(["a", "a", None], index=VALUES.index), "segments": [Segment("a", least=3)]},
                   "segment a: at least 3 subscribers must get an arm, but only 2 may"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_fit_is_refused(case: str) -> None:
    changes, text = BAD[case]
    given: dict[str, Any] = {"values": VALUES, "costs": COSTS, "budget": 15, **changes}
    with pytest.raises(DataError) as error:
        allocate(given.pop("values"), given.pop("costs"), **given)
    assert text in str(error.value)


def test_a_budget_below_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"budget: must be a number of at least 0 \(got -1\)"):
        allocate(VALUES, COSTS, budget=-1)
