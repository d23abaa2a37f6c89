"""Lists by segment, counted by hand."""

from __future__ import annotations

import numpy as np
from small_world import small_world

from churnsim.experiment.allocation import allocation


def test_segments_are_counted_by_arm() -> None:
    world = small_world("population.size=6")
    base = world.population().take(np.arange(6))
    base["value_tier"][:] = [0, 0, 1, 1, 2, 2]
    base["tenure_months"][:] = [0, 5, 6, 24, 59, 60]
    base["payment"][:] = [1, 0, 0, 0, 0, 0]
    base["contract_left_months"][:] = [0, 0, 1, 3, 4, 24]
    found = allocation(base, np.array([0, -1, 1, 1, -1, 0]), world.arms())
    by = found.set_index(["by", "segment", "arm"])
    first, second = (arm.name for arm in world.arms()[:2])
    assert (found.groupby("by")["listed"].sum() == 4).all()
    assert by.loc[("value tier", "low", first), ["subscribers", "listed"]].tolist() == [2, 1]
    assert by.loc[("value tier", "mid", second), "listed"] == 2
    assert by.loc[("tenure", "under 6 months", first), ["subscribers", "listed"]].tolist() == [2, 1]
    assert by.loc[("tenure", "60 months or more", first), ["subscribers", "listed"]].tolist() == [1, 1]
    assert [by.loc[("contract", name, first), "subscribers"] for name in (
        "prepaid", "no contract", "ends within 3 months", "bound for longer")] == [1, 1, 2, 2]
