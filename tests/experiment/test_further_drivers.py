"""Drivers of one's own in an experiment: what they keep is kept everywhere, and the others' numbers stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from plugin_files import DRIVERS, STRIKE, SURVEYS, with_drivers
from small_world import load_small

from churnsim.api import simulate as simulate_all
from churnsim.api import twins
from churnsim.experiment import stages
from churnsim.experiment.load import Loaded
from churnsim.experiment.run import run
from churnsim.experiment.simulated import Simulated
from churnsim.experiment.simulation import open_simulation, simulate
from churnsim.experiment.tasks import make_tasks
from churnsim.experiment.world import World, make_world

SIMULATED = ("simulation={months: 5, partition_size: 170}", "population.size=500",
             "record={by: [region], events: true, panel_share: 0.2, latent: true, snapshot: {month: 2, "
             "outcome_months: 2}}")
INERT = ("lifecycle.drivers.surveys={driver: 'surveys:Surveys', settings: {ask_prob: 0.3}}",)


def world_of(loaded: Loaded) -> World:
    return make_world(loaded.experiment, replicate=0, folder=loaded.folder)


def simulated(loaded: Loaded, out: Path, **how: Any) -> Simulated:
    found = simulate(open_simulation(loaded, out), **{"engine": "serial", **how})
    found.save(out)
    return found


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    return {name: pq.read_table(folder / name).to_pandas()
            for name in ("end_state", "end_state_latent", "panel", "panel_latent", "events", "snapshot")}


def test_a_driver_that_nothing_reads_changes_no_number_of_a_run(tmp_path: Path) -> None:
    """It draws and writes columns of its own, in processes of their own."""
    settings = ("replicates=1", "evaluation={horizon_months: 20, inner_draws: 1}",
                "policies={everyone: null, everyone_capacity: null, random: null, risk_value: null, oracle: null}")
    more = run(with_drivers(tmp_path, *settings, drivers=INERT), jobs=2)
    plain = run(load_small(*settings))
    assert {**more.summary, "config_hash": ""} == {**plain.summary, "config_hash": ""}
    for name, table in plain.frames.arrow.items():
        assert more.frames.arrow[name].equals(table), name
    history = stages.history(world_of(with_drivers(tmp_path, drivers=INERT)))
    assert 0 < history.arrays["unhappy"].mean() < 1 and history.arrays["heard"].shape[0] == 6


def test_a_driver_that_nothing_reads_changes_no_number_of_a_simulation(tmp_path: Path) -> None:
    more = simulated(with_drivers(tmp_path, *SIMULATED, drivers=INERT), tmp_path / "more")
    plain = simulated(load_small(*SIMULATED), tmp_path / "plain")
    assert more.summaries.equals(plain.summaries)
    found, usual = tables(tmp_path / "more"), tables(tmp_path / "plain")
    heard = {f"heard_lag{ago}" for ago in range(1, 7)}
    for name, frame in usual.items():
        own = {"end_state": {"unhappy"}, "panel": {"unhappy"}, "end_state_latent": heard, "panel_latent": heard}
        assert set(found[name]) - set(frame) == own.get(name, set()), name
        pd.testing.assert_frame_equal(found[name][frame.columns], frame, check_exact=True)
    assert set(found["end_state"]["unhappy"].cat.categories) == {"fine", "bad"}
    # Satisfaction does not move between the driver and the month's end.
    latent = found["end_state_latent"]
    assert np.array_equal(latent["heard_lag1"], latent["satisfaction"])


@pytest.fixture(scope="module")
def strike(tmp_path_factory: pytest.TempPathFactory) -> tuple[Loaded, Simulated, dict[str, pd.DataFrame]]:
    """Both drivers, simulated in this process."""
    folder = tmp_path_factory.mktemp("strike")
    loaded = with_drivers(folder, *SIMULATED)
    return loaded, simulated(loaded, folder / "out"), tables(folder / "out")


def test_a_further_cause_has_its_label_wherever_causes_have(
    strike: tuple[Loaded, Simulated, dict[str, pd.DataFrame]]
) -> None:
    loaded, found, written = strike
    struck = written["end_state_latent"].query("cause == 'strike'")["subscriber"]
    region = written["end_state"].set_index("subscriber")["region"]
    assert len(struck) > 5 and (region[struck] == 3).all()
    events = written["events"]
    assert set(events.query("event == 'decided' and cause == 'strike'")["subscriber"]) == set(struck)
    summaries = found.summaries.to_pandas()
    assert summaries["left.strike"].sum() == len(struck)
    assert (summaries.loc[summaries["region"] != "3", "left.strike"] == 0).all()
    history = simulate_all(loaded, months=5).to_pandas(latent=True)
    assert set(history.query("cause == 'strike'")["subscriber"]) == set(struck)
    causes = stages.history(world_of(loaded)).frames["causes"].set_index("cause")["leavers"]
    assert causes.index[-1] == "strike" and causes["strike"] > len(struck)


def test_an_offer_protects_from_a_further_cause(tmp_path: Path) -> None:
    protects = ("offers.discount_30.hazard_multipliers.strike=0.01", "offers.discount_30.effect_months=12")
    found = {}
    for name, overrides in (("without", ()), ("with", protects)):
        loaded = with_drivers(tmp_path, "population.size=150", *overrides, "offers.discount_30.effect_months=12")
        history = simulate_all(loaded, months=3)
        truth = twins(history, offers=["discount_30"], draws=1)
        where = pd.Series(history.base["region"], history.base.ids)[truth.index] == 3
        found[name] = truth["discount_30_staying"].groupby(where).mean()
    gain = found["with"] - found["without"]
    assert abs(gain[False]) < 1e-3 < 0.2 < gain[True]


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_workers_find_the_files_and_the_same_bits(
    engine: str, strike: tuple[Loaded, Simulated, dict[str, pd.DataFrame]], tmp_path: Path
) -> None:
    loaded, expected, written = strike
    found = simulated(loaded, tmp_path, engine=engine, workers=2)
    assert found.ran == 3 and found.summaries.equals(expected.summaries)
    for name, frame in tables(tmp_path).items():
        pd.testing.assert_frame_equal(frame, written[name], check_exact=True)


# What is computed anew


def test_an_edited_driver_is_computed_anew(tmp_path: Path) -> None:
    overrides = ("simulation={months: 2}", "population.size=60")
    loaded = with_drivers(tmp_path, *overrides)
    keys = {task.key for task in make_tasks(loaded)[0]}
    first = simulated(loaded, tmp_path / "out")
    again = simulated(with_drivers(tmp_path, *overrides), tmp_path / "out")
    assert (first.ran, again.ran, again.reused) == (1, 0, 1)
    assert {task.key for task in make_tasks(loaded)[0]} == keys
    (tmp_path / "strike.py").write_text(STRIKE.replace("0.05", "0.95"))
    after = simulated(loaded, tmp_path / "out")
    assert (after.ran, after.reused) == (1, 0)
    left = [found.summaries.to_pandas()["left.strike"].sum() for found in (first, after)]
    assert left[1] > 3 > left[0]
    assert keys.isdisjoint(task.key for task in make_tasks(loaded)[0])


def test_the_order_of_drivers_causes_and_offers_is_part_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "surveys.py").write_text(SURVEYS)
    (tmp_path / "strike.py").write_text(STRIKE)

    def key(loaded: Loaded) -> str:
        return make_tasks(loaded)[0][0].key

    assert key(load_small(*DRIVERS, folder=tmp_path)) != key(load_small(*DRIVERS[::-1], folder=tmp_path))
    plain = load_small()
    e = plain.experiment
    turned = e.model_copy(update={"offers": dict(reversed(e.offers.items()))})
    causes = e.lifecycle.model_copy(update={"causes": dict(reversed(e.lifecycle.causes.items()))})
    for other in (turned, e.model_copy(update={"lifecycle": causes})):
        assert key(Loaded(other, {"base": other}, Path())) != key(plain)
