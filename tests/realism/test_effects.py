"""Targets about offers' true effects: how many are harmed, how risk and effect go together, in which scenario.

An effect is what being listed for an offer and a channel adds to the chance to be there after twelve months; risk is
the chance to leave within three. Both are expected: the clocks of leaving are integrated out, four futures averaged.
"""

from __future__ import annotations

from functools import cache

import pytest

from . import measure

NO_CONTACT_EFFECT = ("wake=0.0", "fatigue_points=0.0", "goodwill_points=0.0", "goodwill_points_by_attitude=0.0",
                     "discount_shock_persistence=0.0")


@cache
def fates(*overrides: str, scenario: str | None = None) -> measure.Fates:
    """Return what becomes of 5,000 subscribers with and without the offers of the campaign, once."""
    return measure.fates(measure.experiment("evaluation.inner_draws=4", *overrides, size=5_000, scenario=scenario))


def test_some_are_harmed() -> None:
    """data_grounded; 5,000; month 8; 12 months: an effect below 0 in 3-15 % of allowed pairs of subscriber and arm."""
    assert 0.03 <= fates().harmed() <= 0.15


def test_nobody_is_harmed_where_contacts_do_nothing() -> None:
    """The same world without wake-up, fatigue, goodwill and shocks: below the band."""
    assert fates(*(f"lifecycle.contact.{key}" for key in NO_CONTACT_EFFECT)).harmed() < 0.03


BANDS = {None: (0.3, 0.7), "risk_unrelated": (-0.1, 0.1), "risk_opposed": (-1.0, -0.2)}


@pytest.mark.parametrize("scenario", BANDS)
def test_risk_and_effect(scenario: str | None) -> None:
    """Spearman of risk and best effect; 5,000 subscribers, month 8, standard error .015; each misses others' bands."""
    found = fates(scenario=scenario).risk_and_effect()
    assert [name for name, (low, high) in BANDS.items() if low <= found <= high] == [scenario]
