"""The preset that names every policy, and the experiment that compares them."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from churnsim.config.source import parse_yaml
from churnsim.experiment.load import Loaded, load, load_tree
from churnsim.policy.settings import KINDS, rules_read
from churnsim.signals.rules import RULES

TEXT = (resources.files("churnsim") / "presets" / "every_policy.yaml").read_text(encoding="utf-8")
ROOT = Path(__file__).parents[2]


def loaded(preset: str) -> Loaded:
    text = f"schema: 1\nname: mine\nseed: 1\npreset: {preset}\npopulation: {{size: 100}}\n"
    return load_tree(parse_yaml(text, "mine.yaml"), folder=Path())


def test_it_names_every_kind_but_the_user_s_own() -> None:
    policies = loaded("every_policy").experiment.policies
    assert {policy.kind for policy in policies.values()} == set(KINDS) - {"own"}
    assert {"rules_w1", "rules_w1_or", "rules_w2", "rules_usage_fell", "rules_bill_fell", "driver_matched"} <= {
        *policies}


def test_it_changes_nothing_else_of_data_grounded() -> None:
    ours, usual = (loaded(preset).experiment.plain() for preset in ("every_policy", "data_grounded"))
    assert {name: ours["policies"][name] for name in usual["policies"]} == usual["policies"]
    assert {key for key in ours if ours[key] != usual[key]} == {"policies", "preset"}


def test_every_rule_of_the_sources_is_a_list_and_says_where_it_is_from() -> None:
    policies = loaded("every_policy").experiment.policies
    read = {rule for policy in policies.values() for rule in rules_read(policy)}
    assert {"w1", "w1_or", "w2", "usage_fell_20", "bill_fell_20", "complaints_rising", "contract_ending",
            "bill_rose_20"} <= read <= set(RULES)
    for name in (name for name, policy in policies.items() if rules_read(policy)):
        (line,) = re.findall(rf"^  {name}: .*$", TEXT, re.MULTILINE)
        assert re.search(r"# rows? \d+", line), line


@pytest.mark.parametrize("name", ["policies.yaml"])
def test_the_experiment_compares_them_all(name: str) -> None:
    found = load(ROOT / "experiments" / name)
    assert list(found.experiment.policies) == list(loaded("every_policy").experiment.policies)
    assert set(found.scenarios) == {"base", "few_hours"}
    assert "capacity_aware" in found.scenarios["few_hours"].policies
