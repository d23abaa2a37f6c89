"""The committed preset of Cell2Cell, on the rows that its fit did not see.

The fit took half of the rows by their ids and seed 1; here are the others, 9,934 rows. Everything is seeded: no test
gives a false alarm while table, preset and code stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from churnsim.calibration.moments import MOMENTS, Estimate, with_score
from churnsim.calibration.sample import Float64, Sample, known_features, observed_columns
from churnsim.calibration.simulated import Rows, drawn_sample, first_table, simulated_samples
from churnsim.calibration.table import split_table
from churnsim.config.source import parse_yaml
from churnsim.experiment.load import load_tree
from churnsim.experiment.settings import Experiment

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
PRESET = "presets/cell2cell.yaml"
SEED = 1
BY_NAME = {m.name: m for m in MOMENTS}
# Nobody in the table is older.
BANDS = [m.name for m in MOMENTS if m.group == "tenure" and "62+" not in m.name]
LIFT, AREA = "lift of usage -20 %", "AUC of boosted trees"
NO_CONTRACTS = """\
lifecycle:
  causes:
    contract_end: {coefficients: {contract_ending: 0.0, out_of_contract: 0.0, contract_just_ended: 0.0}}
"""
DEAF_TOO = "    need_gone: {coefficients: {usage_drop: 0.0}}\n"
DEAF = f"lifecycle:\n  causes:\n{DEAF_TOO}"


@dataclass(frozen=True)
class HeldOut:
    """The rows, what is observed of them, and the hash of their table."""

    rows: Rows
    columns: dict[str, Float64]
    sha256: str


def experiment(preset: str, changes: str = "") -> Experiment:
    text = f"schema: 1\npreset: {preset}\nname: held_out\nseed: {SEED}\npopulation: {{size: 1}}\n{changes}"
    return load_tree(parse_yaml(text, "held_out.yaml"), folder=EXPERIMENTS).experiment


@pytest.fixture(scope="module")
def kept() -> list[HeldOut]:
    return []


@pytest.fixture
def held_out(data_dir: Path, kept: list[HeldOut]) -> HeldOut:
    if not kept:
        split = split_table(data_dir / "cell2cell_dev" / "cell2cell_dev.csv.gz",
                            EXPERIMENTS / "mappings" / "cell2cell.yaml", currency="USD", seed=SEED, rows=None,
                            holdout=0.5)
        rows = split.parts["held_out"]
        table = first_table(rows, experiment("data_grounded"), EXPERIMENTS)
        features = known_features(table, split.columns)
        kept.append(HeldOut(rows, observed_columns(table, with_features=features), split.sha256))
    return kept[0]


def real(held_out: HeldOut) -> dict[str, Estimate]:
    rows = held_out.rows
    table = Sample(held_out.columns, rows.churn, np.ones(len(rows)), rows.monthly_rate, rows.outcome_share)
    return {name: BY_NAME[name].measure(table) for name in (*BANDS, LIFT)}


def simulated(held_out: HeldOut, world: Experiment) -> Sample:
    return simulated_samples(held_out.rows, world, EXPERIMENTS, wanted={"rows"})["rows"]


def outside(held_out: HeldOut, sample: Sample) -> set[str]:
    """Return the bands of months in service whose churn is outside the table's 95 % interval."""
    target = real(held_out)
    return {name for name in BANDS
            if abs(BY_NAME[name].measure(sample).value - target[name].value) > 1.96 * target[name].se}


def area(held_out: HeldOut, sample: Sample) -> float:
    drawn = drawn_sample(held_out.rows, sample, columns=held_out.columns, seed=SEED)
    return BY_NAME[AREA].measure(with_score(drawn)).value


def test_the_preset_names_this_table(held_out: HeldOut) -> None:
    head = (EXPERIMENTS / PRESET).read_text().splitlines()[:2]
    assert head[0] == f"# Calibrated to cell2cell_dev.csv.gz (sha256 {held_out.sha256}),"
    assert head[1].startswith(f"# seed {SEED}, 10066 rows fitted, {len(held_out.rows)} held out;")


def test_churn_by_months_in_service_is_the_tables(held_out: HeldOut) -> None:
    assert len(BANDS) == 10
    assert len(outside(held_out, simulated(held_out, experiment(PRESET)))) <= 3


def test_without_contracts_or_without_a_fit_it_is_not(held_out: HeldOut) -> None:
    for world in (experiment(PRESET, NO_CONTRACTS), experiment("data_grounded")):
        assert len(outside(held_out, simulated(held_out, world))) > 3


def test_a_fall_of_usage_means_what_it_means_in_the_table(held_out: HeldOut) -> None:
    found = BY_NAME[LIFT].measure(simulated(held_out, experiment(PRESET))).value
    assert 1.15 <= found <= 1.4
    assert 1.15 <= real(held_out)[LIFT].value <= 1.4
    deaf = simulated(held_out, experiment(PRESET, DEAF))
    assert BY_NAME[LIFT].measure(deaf).value < 1.15


def test_a_churn_model_tells_as_much_as_on_the_tables_outcomes(held_out: HeldOut) -> None:
    assert 0.62 <= area(held_out, simulated(held_out, experiment(PRESET))) <= 0.72
    assert area(held_out, simulated(held_out, experiment(PRESET, NO_CONTRACTS + DEAF_TOO))) < 0.62
