"""The preset of the sources' claims: it stands on data_grounded and reaches what the sources say of their case.

What its offers do, and its maintenance, at seed 7; its monthly churn and its stated reasons are in tests/realism.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from churnsim.config.source import parse_yaml
from churnsim.experiment.load import Loaded, load_tree, presets
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.treatment import everybody

FILE = "schema: 1\nname: claims\nseed: 7\npreset: {preset}\npopulation: {{size: {n}}}\n"


def loaded(preset: str = "source_claims", *overrides: str, n: int = 30_000) -> Loaded:
    return load_tree(parse_yaml(FILE.format(preset=preset, n=n), "claims.yaml"), folder=Path(), overrides=overrides)


def world_of(*overrides: str, n: int) -> World:
    return make_world(loaded("source_claims", *overrides, n=n).experiment, replicate=0, folder=Path())


def test_it_stands_on_data_grounded() -> None:
    assert {"data_grounded", "source_claims"} <= set(presets())
    claims, usual = loaded().experiment, loaded("data_grounded").experiment
    # A name of its own would be a new cause or offer beside the one it means.
    assert list(claims.lifecycle.causes) == list(usual.lifecycle.causes)
    assert list(claims.offers) == list(usual.offers)
    assert claims.preset == "source_claims"
    for section in ("population", "channels", "capacity", "policies", "evaluation"):
        assert getattr(claims, section) == getattr(usual, section)
    changed = {name for name in usual.offers if claims.offers[name] != usual.offers[name]}
    assert changed == {"dedicated_manager", "contract_device", "smart_home_bundle"}


def months_of(offer: str, months: int, *, rich: bool = False) -> list[tuple[float, float]]:
    """Return mean monthly hazard and revenue a head of those eligible for an offer, without it and all accepting it."""
    world, start = world_of(n=8000), 8
    base = world.population(until=start)
    world.engine.run([(base, None)], start=0, months=start)
    may = (base["decision_time"] == np.inf) & (base["join_month"] < start)
    may &= world.offers.eligible(offer, base, month=start)
    if rich:
        may &= base["plan_price_amount"] > np.median(base["plan_price_amount"])
    base = base.take(np.flatnonzero(may))
    sums = np.zeros((2, 4))

    def look(block) -> None:  # type: ignore[no-untyped-def]
        here, weight = block["active_prob"], block["undecided_prob"]
        sums[block.arm] += (weight * block["hazard"]).sum(), weight.sum(), (here * block["revenue"]).sum(), here.sum()

    accepted = everybody(len(base), contact_time=0.0, accepted=world.offers.code(offer))
    world.engine.run([(base.copy(), None), (base, accepted)], start=start, months=months, observe=look, realise=False)
    return [(hazard / weight, revenue / here) for hazard, weight, revenue, here in sums.tolist()]


def test_a_manager_takes_off_23_percent_of_the_churn_of_high_value() -> None:
    """Row 29; a ratio of two expectations on the same draws."""
    (usual, _), (managed, _) = months_of("dedicated_manager", 12)
    assert managed / usual == pytest.approx(0.77, abs=0.02)


def test_a_contract_with_a_device_brings_high_value_down_to_eight_per_mille() -> None:
    """Rows 56 and 57."""
    (_, _), (extended, _) = months_of("contract_device", 12, rich=True)
    assert extended == pytest.approx(0.008, abs=0.001)


def test_a_smart_home_raises_revenue_and_takes_off_one_and_a_half_points() -> None:
    """Row 60."""
    (usual, bill), (bundled, raised) = months_of("smart_home_bundle", 24)
    assert usual - bundled == pytest.approx(0.015, abs=0.003)
    assert raised / bill == pytest.approx(1.30, abs=0.03)


def test_maintenance_takes_off_40_percent_of_the_faults() -> None:
    """Row 35, by mending 80 % (row 10) in the cells that look loaded."""
    found = []
    for share in (0.0, 0.8):
        world = world_of(f"market.network.predictive_share={share}", n=6000)
        faults = []
        world.engine.run([(world.population(until=8), None)], start=0, months=8,
                         observe=lambda block, faults=faults: faults.append(int(block["fault"].sum())))
        found.append(sum(faults))
    assert 1.0 - found[1] / found[0] == pytest.approx(0.40, abs=0.06)
