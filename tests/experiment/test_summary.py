"""The summary of made-up cells by hand: means, regret, comparisons, recommendation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from small_world import load_small

from churnsim.experiment.summary import METRICS, metrics_of, summarise

# t(1 degree of freedom, 95 %) = 12.7062; the half width of two values that differ by 2 is t * sqrt(2) / sqrt(2).
T1 = 12.706204736


def cell(net_value: float, **metrics: float) -> dict[str, Any]:
    return {"metrics": dict.fromkeys(METRICS, 0.0) | {"net_value": net_value} | metrics, "note": ""}


NET = {"none": (0.0, 0.0), "churn_risk": (-3.0, -5.0), "uplift_value": (10.0, 12.0), "oracle": (20.0, 24.0)}
ONLY = [f"policies.{name}=null" for name in ("everyone", "everyone_capacity", "random", "risk_value")]


def facts(values: dict[str, tuple[float, float]] = NET) -> dict[str, list[dict[str, Any]]]:
    return {name: [cell(value, targeted=7.0) for value in pair] for name, pair in values.items()}


def entry(summary: dict[str, Any], name: str, scenario: str = "base") -> dict[str, Any]:
    (found,) = [p for p in summary["policies"] if (p["name"], p["scenario"]) == (name, scenario)]
    return dict(found)


def test_means_intervals_and_regret_by_hand() -> None:
    summary = summarise(load_small(*ONLY).scenarios, {"base": facts()})
    found = entry(summary, "uplift_value")
    assert found["net_value"]["mean"] == 11.0 and found["net_value"]["per_replicate"] == [10.0, 12.0]
    assert found["net_value"]["low"] == pytest.approx(11.0 - T1) and found["net_value"]["high"] == pytest.approx(
        11 + T1
    )
    assert found["targeted"] == {"mean": 7.0, "low": 7.0, "high": 7.0, "per_replicate": [7.0, 7.0]}
    assert found["regret"]["per_replicate"] == [10.0, 12.0] and found["regret"]["mean"] == 11.0
    assert entry(summary, "oracle")["regret"]["per_replicate"] == [0.0, 0.0]
    assert list(found) == ["name", "scenario", *METRICS, "regret"]


def test_comparisons_are_paired_by_replicate() -> None:
    summary = summarise(load_small(*ONLY).scenarios, {"base": facts()})
    pairs = {(row["policy"], row["against"]): row for row in summary["comparisons"]}
    assert list(pairs) == [
        ("uplift_value", "none"),
        ("uplift_value", "churn_risk"),
        ("oracle", "none"),
        ("oracle", "churn_risk"),
    ]
    # 10 + 3 and 12 + 5.
    assert pairs["uplift_value", "churn_risk"]["mean"] == 15.0
    assert pairs["uplift_value", "churn_risk"]["low"] == pytest.approx(15.0 - 2.0 * T1)


def test_the_best_is_recommended_but_never_the_oracle() -> None:
    loaded = load_small(*ONLY)
    assert summarise(loaded.scenarios, {"base": facts()})["recommended_policy"] == {"base": "uplift_value"}
    worse = NET | {"uplift_value": (-1.0, -1.0)}
    assert summarise(loaded.scenarios, {"base": facts(worse)})["recommended_policy"] == {"base": "none"}


def test_without_an_oracle_there_is_no_regret() -> None:
    loaded = load_small(*ONLY, "policies.oracle=null")
    some = {name: pair for name, pair in NET.items() if name != "oracle"}
    summary = summarise(loaded.scenarios, {"base": facts(some)})
    assert entry(summary, "none")["regret"] is None


def test_a_scenario_has_policies_and_confidence_of_its_own() -> None:
    loaded = load_small(
        *ONLY,
        extra="""
scenarios:
  wide: {evaluation: {confidence: 0.5}, policies: {best_guess: {kind: oracle}, oracle: null}}
""",
    )
    other = {"none": (0.0, 0.0), "uplift_value": (10.0, 12.0), "best_guess": (20.0, 24.0)}
    summary = summarise(loaded.scenarios, {"base": facts(), "wide": facts(other)})
    # t(1, 75 %) = 1: half the interval is 1 x s / sqrt(2) = 1.
    assert entry(summary, "uplift_value", "wide")["net_value"]["low"] == pytest.approx(10.0)
    assert entry(summary, "uplift_value")["net_value"]["low"] == pytest.approx(11.0 - T1)
    assert entry(summary, "uplift_value", "wide")["regret"]["mean"] == 11.0
    assert summary["recommended_policy"] == {"base": "uplift_value", "wide": "uplift_value"}


def test_one_replicate_has_no_interval_and_json_holds_it() -> None:
    loaded = load_small(*ONLY, "replicates=1")
    summary = summarise(loaded.scenarios, {"base": {name: cells[:1] for name, cells in facts().items()}})
    assert entry(summary, "none")["net_value"] == {"mean": 0.0, "low": None, "high": None, "per_replicate": [0.0]}
    assert json.loads(json.dumps(summary)) == summary


def test_the_head_names_the_experiment() -> None:
    loaded = load_small(*ONLY)
    summary = summarise(loaded.scenarios, {"base": facts()})
    head = {key: summary[key] for key in ("schema", "experiment", "seed", "replicates", "currency")}
    assert head == {"schema": 1, "experiment": "small", "seed": 7, "replicates": 2, "currency": "USD"}
    other = summarise(load_small(*ONLY, "seed=8").scenarios, {"base": facts()})
    assert summary["config_hash"] != other["config_hash"] and len(summary["config_hash"]) == 64


def test_metrics_of_cells() -> None:
    assert metrics_of([cell(1.0), cell(2.0)])["net_value"] == [1.0, 2.0]
