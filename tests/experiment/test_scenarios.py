"""The file of scenarios: each loads over data_grounded and changes it; tests/realism measure what each reaches."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from churnsim.experiment.load import BASE_SCENARIO, Loaded, load

NAMES = {"call_list", "perils", "risk_unrelated", "risk_opposed", "no_tenure_terms", "foreseeable", "zero_net_growth",
         "price_war", "fast_repair", "predictive_maintenance", "big_in_big_out"}


@cache
def scenarios() -> Loaded:
    return load(Path(__file__).parents[2] / "experiments" / "scenarios.yaml")


def test_every_scenario_loads_and_differs_from_all_others() -> None:
    found = scenarios().scenarios
    assert set(found) == {BASE_SCENARIO, *NAMES}
    seen = [experiment.model_dump_json(exclude={"scenarios"}) for experiment in found.values()]
    assert len(set(seen)) == len(seen)


def test_no_scenario_adds_a_cause() -> None:
    """A cause of a new name would stand beside the one it means; perils alone adds an offer."""
    found = scenarios().scenarios
    usual = found[BASE_SCENARIO]
    for name, experiment in found.items():
        assert list(experiment.lifecycle.causes) == list(usual.lifecycle.causes), name
        extra = ["plan_recommendation"] if name == "perils" else []
        assert list(experiment.offers) == [*usual.offers, *extra], name
        assert list(experiment.market.competitors) == list(usual.market.competitors), name


def test_without_tenure_terms_no_cause_knows_tenure_or_contract() -> None:
    lifecycle = scenarios().scenarios["no_tenure_terms"].lifecycle
    tables = [cause.coefficients for cause in lifecycle.causes.values() if not cause.apparent]
    terms = ("newness", "contract_ending", "out_of_contract", "bound", "termination_fee", "device_age")
    assert all(table.get(term, 0.0) == 0.0 for table in (*tables, lifecycle.shopping.log_odds) for term in terms)
