"""Runs and simulations keep the calls of centres that are called, and say nothing of calls elsewhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_world import load_small

from churnsim.experiment.load import Loaded
from churnsim.experiment.run import run
from churnsim.experiment.simulation import open_simulation, simulate

CALLED = """
capacity:
  inbound:
    hotline:
      calls_per_hour_by_hour: [0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0, 0]
      patience: {law: exponential, mean_minutes: 2.0}
      handle: {law: exponential, mean_minutes: 6.0}
  teams:
    day: {inbound: [hotline]}
"""
ONLY = [f"policies.{name}=null" for name in ("random", "churn_risk", "risk_value", "uplift_value", "oracle")]
SMALLER = (*ONLY, "campaign.offers=[discount_30]", "population.size=300", "pilot.size=1500",
           "replicates=1", "evaluation.inner_draws=1")


def world(*, called: bool) -> Loaded:
    return load_small(*SMALLER, extra=CALLED if called else "")


def check(calls: pd.DataFrame) -> None:
    """Thirty days of 32 calls on average, in month 8; six standard deviations."""
    first = calls[calls["attempt"] == 1]
    assert 960 - 6 * 31 < len(first) < 960 + 6 * 31 and first["call_hours"].between(5760, 6480).all()
    assert set(calls["disposition"]) <= {"served", "abandoned_in_queue", "waiting"}
    assert (calls["disposition"] == "served").mean() > 0.5


def test_a_run_keeps_calls(tmp_path: Path) -> None:
    found = run(world(called=True))
    calls = found.frames["calls"]
    for policy, some in calls.groupby("policy", observed=True):
        # As if an agent were always free: no calls come in between.
        assert policy in ("none", "everyone_capacity"), policy
        check(some)
    found.save(tmp_path / "run")
    assert len(pd.read_parquet(tmp_path / "run" / "calls.parquet")) == len(calls)
    assert not (tmp_path / "run" / "tables" / "calls.csv").exists()


def test_a_run_without_callers_has_no_such_table(tmp_path: Path) -> None:
    found = run(world(called=False))
    assert "calls" not in found.frames
    found.save(tmp_path / "run")
    assert not (tmp_path / "run" / "calls.parquet").exists()


@pytest.mark.parametrize("called", [True, False])
def test_a_simulation_keeps_calls(called: bool, tmp_path: Path) -> None:
    loaded = load_small(*SMALLER, "simulation={months: 9, policy: everyone_capacity}", extra=CALLED if called else "")
    found = simulate(open_simulation(loaded, tmp_path), engine="serial")
    found.save(tmp_path)
    assert (tmp_path / "calls.parquet").exists() == called
    meanings = pd.read_csv(tmp_path / "dictionary.csv")
    if called:
        check(pd.read_parquet(tmp_path / "calls.parquet"))
    said = meanings[meanings["file"] == "calls.parquet"]
    assert len(said) == 14 * called and not said["meaning"].str.startswith("feature").any()
