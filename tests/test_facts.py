"""The list of facts names places that exist, leaves little as context, and its page is current."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from churnsim.config.source import parse_yaml, read_yaml
from churnsim.experiment.load import load_tree
from churnsim.lifecycle.covariates import COVARIATES
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA

ROOT = Path(__file__).parents[1]
# Groups of facts that are covered whole, with how many facts each has.
WHOLE = {"drivers": 23, "segmentation and offers": 18, "scope, causes": 4, "organisation and life cycle": 13,
         "broadband leave types and desk routine": 20, "facts, churn meaning and causes": 17, "retention means": 9}


def _maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_facts", ROOT / "docs" / "make_facts.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _maker()
FACTS: dict[int, dict[str, Any]] = MAKER.read_facts()


def _has(data: Any, dotted: str) -> bool:
    for part in dotted.split("."):
        if not isinstance(data, dict) or part not in data:
            return False
        data = data[part]
    return True


def _default() -> dict[str, Any]:
    text = "schema: 1\nname: facts\nseed: 1\npopulation: {size: 10}\n"
    return load_tree(parse_yaml(text, "facts.yaml"), folder=ROOT).experiment.plain()


def _code(name: str) -> bool:
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def _test(name: str) -> bool:
    path, _, function = name.partition("::")
    file = ROOT / path
    return file.is_file() and (not function or bool(re.search(rf"^def {function}\(", file.read_text(), re.MULTILINE)))


@pytest.fixture(scope="module")
def places() -> dict[str, Callable[[str], bool]]:
    from churnsim.cli import group

    default = _default()
    claims = parse_yaml((resources.files("churnsim") / "presets" / "source_claims.yaml").read_text(), "claims").data
    scenarios = read_yaml(ROOT / "experiments" / "scenarios.yaml").data["scenarios"]
    return {
        "config": lambda key: _has(default, key), "claim": lambda key: _has(claims, key),
        "column": lambda name: name in SCHEMA, "covariate": lambda name: name in COVARIATES,
        "cause": lambda name: name in default["lifecycle"]["causes"], "offer": lambda name: name in default["offers"],
        "state": lambda name: name in STATES, "scenario": lambda name: name in scenarios,
        "command": lambda name: name in group.commands,
        "code": _code, "test": _test}


def test_every_place_exists(places: dict[str, Callable[[str], bool]]) -> None:
    missing = [f"{number}: {place}" for number, fact in FACTS.items() for place in fact.get("at", ())
               if not places[place.partition(":")[0]](place.partition(":")[2])]
    assert missing == []


@pytest.mark.parametrize("place", [
    "config:lifecycle.service.mood", "claim:lifecycle.mood", "column:mood", "covariate:mood", "cause:mood",
    "offer:mood", "state:mood", "scenario:mood", "command:mood", "code:churnsim.mood", "code:churnsim.api.mood",
    "test:tests/test_mood.py", "test:tests/test_facts.py::test_mood"])
def test_a_place_that_is_not_there_is_found_out(places: dict[str, Callable[[str], bool]], place: str) -> None:
    kind, _, name = place.partition(":")
    assert not places[kind](name)


def test_groups_are_whole_and_little_is_context_only() -> None:
    for group, count in WHOLE.items():
        assert sum(fact["group"] == group for fact in FACTS.values()) == count, group
    mine = [fact for fact in FACTS.values() if fact["group"] in WHOLE]
    assert sum("context" in fact for fact in mine) <= 0.1 * len(mine)
    for number, fact in FACTS.items():
        assert ("context" in fact) != bool(fact.get("at")), number


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "facts.md").read_text(encoding="utf-8") == MAKER.page(), "run python docs/make_facts.py"
