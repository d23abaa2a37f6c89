"""Preset, file, assignments, scenarios, sweeps: what wins, what is removed, and where a finding points."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_world import load_small

from churnsim.errors import ConfigError
from churnsim.experiment.load import BASE_SCENARIO, load, presets

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def refused(*overrides: str, extra: str = "") -> list[str]:
    """Return the lines of the error."""
    with pytest.raises(ConfigError) as caught:
        load_small(*overrides, extra=extra)
    return str(caught.value).splitlines()


def test_file_wins_over_preset_and_assignments_over_the_file() -> None:
    assert presets() == ("contact_centre", "data_grounded", "every_policy", "source_claims")
    assert load_small().experiment.population.size == 500
    e = load_small("population.size=300", "population.size=200", "market.network.persistence=0.25").experiment
    assert (e.population.size, e.market.network.persistence, e.seed) == (200, 0.25, 7)
    assert e.campaign_month == e.lifecycle.history_months


def test_the_experiments_of_the_repository_load() -> None:
    found = load(EXPERIMENTS / "quickstart.yaml")
    assert found.folder == EXPERIMENTS.resolve() and found.experiment.name == "quickstart"


def test_null_takes_a_named_entry_out() -> None:
    e = load_small(
        "policies.random=null",
        "offers.lottery=null",
        "lifecycle.causes.handset_lost=null",
        "uplift.learners.stay=null",
        "capacity.teams.evening=null",
        extra="\nscenarios:\n  other: {policies: {oracle: null}}\n  gone: null\n",
    )
    assert "random" not in e.experiment.policies and "oracle" in e.experiment.policies
    usual = load_small().experiment
    assert list(e.experiment.offers) == [name for name in usual.offers if name != "lottery"]
    assert list(e.experiment.lifecycle.causes) == [name for name in usual.lifecycle.causes if name != "handset_lost"]
    assert list(e.experiment.uplift.learners) == ["value"] and list(e.experiment.capacity.teams) == ["day"]
    assert list(e.scenarios) == [BASE_SCENARIO, "other"]
    assert "oracle" not in e.scenarios["other"].policies


def test_null_elsewhere_is_a_value_and_refused() -> None:
    assert refused("seed=null") == ["--set: seed: expected a whole number (got null)"]
    assert refused("offers=null") == ["--set: offers: expected a mapping (got null)"]


def test_scenarios_are_patches_over_everything() -> None:
    extra = """
scenarios:
  poor: {campaign: {budget_amount: 10.0}}
  deaf:
    channels: {call: {max_attempts: 1}}
    policies: {extra: {kind: random}}
"""
    found = load_small("campaign.budget_amount=77.0", extra=extra)
    assert list(found.scenarios) == ["base", "poor", "deaf"] and found.scenarios["base"] is found.experiment
    assert [s.campaign.budget_amount for s in found.scenarios.values()] == [77.0, 10.0, 77.0]
    assert found.scenarios["deaf"].channels["call"].max_attempts == 1
    assert "extra" in found.scenarios["deaf"].policies and "extra" not in found.experiment.policies


def test_a_sweep_is_every_combination() -> None:
    found = load_small(extra="\nsweep:\n  campaign.budget_amount: [1.0, 2.0]\n  uplift.folds: [3, 4]\n")
    assert list(found.scenarios) == [
        "base",
        "campaign.budget_amount=1.0,uplift.folds=3",
        "campaign.budget_amount=1.0,uplift.folds=4",
        "campaign.budget_amount=2.0,uplift.folds=3",
        "campaign.budget_amount=2.0,uplift.folds=4",
    ]
    last = found.scenarios["campaign.budget_amount=2.0,uplift.folds=4"]
    assert (last.campaign.budget_amount, last.uplift.folds) == (2.0, 4)


def test_findings_name_the_file_line_the_assignment_the_scenario_and_the_sweep() -> None:
    assert refused("population.sise=3") == ["--set: population.sise: unknown key (got 3). Did you mean 'size'?"]
    assert refused(extra="\nmarket: {season_amplitude: -1.0}\n") == [
        "small.yaml:10: market.season_amplitude: must be at least 0 (got -1.0)"
    ]
    assert refused(extra="\nscenarios:\n  poor:\n    campaign: {budget_amount: -5.0}\n") == [
        "small.yaml:12: campaign.budget_amount: must be at least 0 (got -5.0)"
    ]
    assert refused("scenarios.poor={campaign: {budget_amount: -5.0}}") == [
        "scenario poor: campaign.budget_amount: must be at least 0 (got -5.0)"
    ]
    assert refused(extra="\nsweep: {campaign.budget_amount: [-5.0]}\n") == [
        "sweep campaign.budget_amount=-5.0: campaign.budget_amount: must be at least 0 (got -5.0)"
    ]
    assert refused("lifecycle.causes.price.intercept=.nan") == [
        "--set: lifecycle.causes.price.intercept: must be a finite number (got nan)"
    ]


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    assert refused("preset=data_groundet") == [
        "--set: preset: no preset 'data_groundet'; there are contact_centre, data_grounded, every_policy, "
        "source_claims. Did you mean 'data_grounded'?"
    ]


@pytest.mark.parametrize(
    "key", ["schema", "preset", "name", "seed", "replicates", "currency", "scenarios", "sweep", "gate"]
)
def test_what_scenarios_share_cannot_be_patched(key: str) -> None:
    assert refused(extra=f"\nscenarios:\n  other:\n    {key}: 1\n") == [
        f"small.yaml:12: {key}: a scenario cannot change it; remove it"
    ]


def test_a_scenario_called_base_is_refused() -> None:
    assert refused(extra="\nscenarios:\n  base: {uplift: {folds: 4}}\n") == [
        "small.yaml:11: scenarios.base: this name is taken; choose another"
    ]


def test_several_findings_come_together_in_the_order_of_lines() -> None:
    lines = refused("campaign.deadline_days=31.0", extra="\nmarket: {season_amplitude: -1.0, wether: 2}\n")
    assert len(lines) == 1 and lines[0].startswith("small.yaml:10: market.wether: unknown key")
    lines = refused("campaign.deadline_days=31.0", extra="\nmarket: {season_amplitude: -1.0}\n")
    assert sorted(line.split(": ")[1] for line in lines) == ["campaign.deadline_days", "market.season_amplitude"]
