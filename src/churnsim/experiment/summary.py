"""From policy cells to the summary: means with intervals, comparisons, the recommended policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from churnsim.config.digest import digest
from churnsim.evaluation.intervals import Interval, mean_interval, paired_difference
from churnsim.experiment.settings import Experiment

METRICS = ("net_value", "saved_revenue", "saved_margin", "offer_cost", "offer_cost_to_stayers",
           "contact_cost", "churn_rate", "targeted", "reached", "reached_in_time", "accepted", "plan_value",
           "plan_gap", "planned_spend", "net_value_realised", "direct_effect", "spillover", "terminal_value",
           "acquisition_cost_avoided")
# There where the centre works tickets.
TICKET_METRICS = ("tickets", "tickets_late", "tickets_late_in_reference", "tickets_changed")
REFERENCE_POLICIES = ("none", "churn_risk", "risk_value")
ORACLE = "oracle"

Facts = Mapping[str, Sequence[Mapping[str, Any]]]


def summarise(scenarios: Mapping[str, Experiment], facts: Mapping[str, Facts]) -> dict[str, Any]:
    """Return the summary of a run as plain data, without time, path, machine or version.

    Parameters
    ----------
    scenarios
        The experiment by scenario, the file itself first: a scenario may add policies of its own.
    facts
        Scenario -> policy -> the facts of each replicate's policy cell.
    """
    experiment = next(iter(scenarios.values()))
    policies, comparisons, recommended = [], [], {}
    for scenario, by_policy in facts.items():
        kinds = {name: policy.kind for name, policy in scenarios[scenario].policies.items()}
        confidence = scenarios[scenario].evaluation.confidence
        values = {name: metrics_of(cells) for name, cells in by_policy.items()}
        oracle = next((name for name in values if kinds[name] == ORACLE), None)
        for name, metrics in values.items():
            entry: dict[str, Any] = {"name": name, "scenario": scenario}
            entry.update({metric: _interval(series, confidence) for metric, series in metrics.items()})
            regret = None if oracle is None else [
                o - v for o, v in zip(values[oracle]["net_value"], metrics["net_value"], strict=True)]
            entry["regret"] = None if regret is None else _interval(regret, confidence)
            policies.append(entry)
        comparisons += _comparisons(scenario, values, confidence)
        fair = {name: np.mean(metrics["net_value"]) for name, metrics in values.items()
                if kinds[name] != ORACLE}
        recommended[scenario] = max(fair, key=lambda name: float(fair[name])) if fair else None
    # `simulate` alone reads these.
    plain = {key: value for key, value in experiment.plain().items() if key not in ("simulation", "record")}
    return {"schema": experiment.schema_version, "experiment": experiment.name, "config_hash": digest(plain),
            "seed": experiment.seed, "replicates": experiment.replicates, "currency": experiment.currency,
            "policies": policies, "comparisons": comparisons, "recommended_policy": recommended}


def metrics_of(cells: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return metric -> value in each replicate."""
    there = (*METRICS, *(metric for metric in TICKET_METRICS if metric in cells[0]["metrics"]))
    return {metric: [cell["metrics"][metric] for cell in cells] for metric in there}


def _comparisons(scenario: str, values: Mapping[str, Mapping[str, list[float]]], confidence: float
                 ) -> list[dict[str, Any]]:
    """Return paired differences of net value of every policy against the usual ones."""
    rows = []
    for name, metrics in values.items():
        for against in REFERENCE_POLICIES:
            if against in values and against != name and name not in REFERENCE_POLICIES:
                found = paired_difference(metrics["net_value"], values[against]["net_value"],
                                          confidence=confidence)
                rows.append({"scenario": scenario, "policy": name, "against": against, **_limits(found)})
    return rows


def _interval(series: Sequence[float], confidence: float) -> dict[str, Any]:
    return {**_limits(mean_interval(series, confidence=confidence)), "per_replicate": list(series)}


def _limits(found: Interval) -> dict[str, Any]:
    return {"mean": found.mean, "low": found.low, "high": found.high}
