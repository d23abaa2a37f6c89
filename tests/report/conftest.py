"""A run folder made by hand: two scenarios, four policies, two replicates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from churnsim.evaluation.intervals import mean_interval, paired_difference
from churnsim.experiment.summary import METRICS
from churnsim.report.page import write_report

CONFIDENCE = 0.95
# Net value expected and realised in each replicate.
NET_VALUE = {
    "none": ([0.0, 0.0], [0.0, 0.0]),
    "churn_risk": ([-1500.5, -2000.25], [-1000.0, -2600.0]),
    "uplift_value": ([12000.25, 12500.75], [11000.0, 13000.0]),
    "oracle": ([20000.0, 24000.5], [26000.0, 19000.0]),
}
COUNTS = {
    "none": (0, 0, 0, 0),
    "churn_risk": (1000, 600, 590, 300),
    "uplift_value": (1200, 700, 690, 350),
    "oracle": (2000, 1300, 1290, 640),
}
CONFIG: dict[str, Any] = {
    "preset": "data_grounded",
    "population": {"size": 3000},
    "campaign": {"budget_amount": 15000.0},
    "evaluation": {"confidence": CONFIDENCE, "horizon_months": 24, "discount_rate_annual": 0.1},
    "pilot": {"size": 5000, "channel": "call"},
    "policies": {name: {"kind": name} for name in NET_VALUE},
    "scenarios": {"tight": {"campaign": {"budget_amount": 2500.0}}},
    "sweep": {},
}


def _limits(values: list[float]) -> dict[str, Any]:
    found = mean_interval(values, confidence=CONFIDENCE)
    return {"mean": found.mean, "low": found.low, "high": found.high, "per_replicate": values}


def _entry(name: str, scenario: str, scale: float) -> dict[str, Any]:
    expected, realised = ([scale * v for v in values] for values in NET_VALUE[name])
    values = {metric: [0.0, 0.0] for metric in METRICS}
    values |= {
        "net_value": expected,
        "net_value_realised": realised,
        "churn_rate": [0.2, 0.21],
        "saved_revenue": [abs(2.0 * v) for v in expected],
        "offer_cost": [abs(0.3 * v) for v in expected],
    }
    values |= {
        metric: [float(count)] * 2
        for metric, count in zip(("targeted", "reached", "reached_in_time", "accepted"), COUNTS[name], strict=True)
    }
    regret = [o * scale - v for o, v in zip(NET_VALUE["oracle"][0], expected, strict=True)]
    return {"name": name, "scenario": scenario, **{m: _limits(v) for m, v in values.items()}, "regret": _limits(regret)}


def make_summary() -> dict[str, Any]:
    scenarios = {"base": 1.0, "tight": 0.25}
    comparisons = []
    for scenario, scale in scenarios.items():
        for name in ("uplift_value", "oracle"):
            for against in ("none", "churn_risk"):
                found = paired_difference(
                    *(scale * np.array(NET_VALUE[p][0]) for p in (name, against)), confidence=CONFIDENCE
                )
                comparisons.append(
                    {
                        "scenario": scenario,
                        "policy": name,
                        "against": against,
                        "mean": found.mean,
                        "low": found.low,
                        "high": found.high,
                    }
                )
    return {
        "schema": 1,
        "experiment": "by_hand",
        "config_hash": "ab" * 32,
        "seed": 7,
        "replicates": 2,
        "currency": "EUR",
        "policies": [_entry(name, scenario, scale) for scenario, scale in scenarios.items() for name in NET_VALUE],
        "comparisons": comparisons,
        "recommended_policy": dict.fromkeys(scenarios, "uplift_value"),
    }


def make_lists() -> pd.DataFrame:
    rank = np.arange(1, 501)
    parts = [
        pd.DataFrame(
            {
                "scenario": scenario,
                "policy": policy,
                "replicate": 0,
                "arm": "discount by call",
                "risk": rank / 1000.0,
                "true_effect_amount": factor * np.sqrt(rank),
                "true_effect_on_staying": np.sqrt(rank) / 1000.0,
            }
        )
        for scenario in ("base", "tight")
        for policy, factor in (("churn_risk", -0.1), ("oracle", 1.0))
    ]
    return pd.concat(parts, ignore_index=True)


def make_tables() -> dict[str, pd.DataFrame]:
    pilot = [
        {
            "replicate": r,
            "learner": learner,
            "kind": "dr_ridge",
            "outcome": outcome,
            "offer": offer,
            "n_offer": 1000 + 2 * r,
            "n_control": 900,
            "left_offer": 100,
            "left_control": 110,
            "reached_share": 0.5,
            "effect_of_assignment": effect,
            "minimum_detectable_effect": 0.03,
        }
        for r in (0, 1)
        for learner, outcome in (("a", "stayed"), ("b", "stayed"), ("c", "margin_months"))
        for offer, effect in (("discount", 0.02), ("service", -0.05))
    ]
    months = [
        {"replicate": r, "month": m, "subscribers": 3000, "decided_to_leave": 50 + 20 * r}
        for r in (0, 1)
        for m in (0, 1)
    ]
    frames = {
        "pilot": pd.DataFrame(pilot),
        "months": pd.DataFrame(months),
        "causes": pd.DataFrame({"replicate": 0, "cause": ["price", "service"], "leavers": [75, 25]}),
        "arms": pd.DataFrame(
            {
                "replicate": [0],
                "arm": ["discount by call"],
                "subscribers": [2500],
                "mean_net_value": [-3.25],
                "share_worth_it": [0.25],
                "mean_effect_on_staying": [0.015],
                "share_harmed": [0.1],
                "mean_standard_error": [0.5],
            }
        ),
        "diagnostics": pd.DataFrame({"replicate": [0, 1], "risk_effect_spearman": [0.2, 0.3]}),
        "variance": pd.DataFrame({"policy": list(NET_VALUE), "variance_ratio": [np.nan, 2.0, 30.0, 40.5]}),
        "imported": pd.DataFrame(
            {
                "replicate": 0,
                "column": ["tenure_months", "region"],
                "origin": ["table column tenure", "imputed from preset"],
                "share_imputed": [0.0, 1.0],
            }
        ),
        "tenure_churn": pd.DataFrame(
            {
                "replicate": 0,
                "band": ["<6", "6-9"],
                "simulated_monthly_rate": [0.03, 0.02],
                "simulated_events": [30, 20],
                "table_rate_reweighted": [0.04, np.nan],
                "table_rows": [100, 0],
            }
        ),
    }
    return {name: pd.concat([frame.assign(scenario=s) for s in ("base", "tight")]) for name, frame in frames.items()}


def write_run(folder: Path) -> Path:
    """Write the folder of a finished run."""
    (folder / "tables").mkdir()
    (folder / "summary.json").write_text(json.dumps(make_summary()), encoding="utf-8")
    (folder / "notes.json").write_text(json.dumps(["churn_risk: discount by call, best 20% <on the pilot>"]))
    with (folder / "config.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(CONFIG, file)
    make_lists().to_parquet(folder / "lists.parquet", index=False)
    for name, frame in make_tables().items():
        frame.to_csv(folder / "tables" / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def summary() -> dict[str, Any]:
    return make_summary()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_run(tmp_path)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with its report, for tests that only read it."""
    folder = write_run(tmp_path_factory.mktemp("reported"))
    write_report(folder)
    return folder
