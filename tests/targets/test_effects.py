"""Targets about offers' true effects: how many are harmed, how risk and effect go together, in which scenario."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from churnsim.experiment import stages
from churnsim.experiment.store import Cell

from . import measure

WORLD = ("pilot.size=40000", "evaluation.inner_draws=4")


@cache
def judged(*overrides: str, size: int = 5_000, scenario: str | None = None) -> tuple[Cell, Cell]:
    """Return the plan and the truth of a world's campaign month, once."""
    made = measure.experiment(*WORLD, *overrides, size=size, scenario=scenario)
    place = measure.world(made)
    history = stages.history(place)
    return stages.plan(place, history), stages.truth(place, history)


def harmed(*overrides: str) -> dict[str, float]:
    """Return the share of those allowed an offer by a call whose chance to stay it lowers, by offer."""
    arms = judged(*overrides)[1].frames["arms"].set_index("arm")["share_harmed"]
    return {name: float(share) for name, share in arms.items() if name.endswith("call")}


def test_some_are_harmed_by_every_offer() -> None:
    """data_grounded; 5,000; effect on being there after the horizon of churn; 3-15 % of those allowed [A]."""
    for name, share in harmed().items():
        assert 0.03 <= share <= 0.15, (name, share)


def test_nobody_is_harmed_where_contacts_do_nothing() -> None:
    """The same world without wake-up, fatigue, goodwill and shocks: below the band."""
    found = harmed("lifecycle.contact.wake=0.0", "lifecycle.contact.fatigue_points=0.0",
                   "lifecycle.contact.goodwill_points=0.0", "lifecycle.contact.goodwill_points_by_attitude=0.0",
                   "lifecycle.contact.discount_shock_persistence=0.0")
    assert min(found.values()) < 0.03


@pytest.mark.parametrize(("scenario", "low", "high"), [
    (None, 0.3, 0.7), ("risk_unrelated", -0.1, 0.1), ("risk_opposed", -1.0, -0.2)])
def test_risk_and_effect(scenario: str | None, low: float, high: float) -> None:
    """Spearman of predicted risk and best true effect on staying; 5,000 subscribers, standard error .015."""
    found = stages.risk_and_effect(*judged(scenario=scenario))
    assert low <= found <= high
    for other in {(0.3, 0.7), (-0.1, 0.1), (-1.0, -0.2)} - {(low, high)}:
        assert not other[0] <= found <= other[1]
    assert np.isfinite(found)
