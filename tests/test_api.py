"""The public surface of the package, and what it simulates without a campaign."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_examples import write

import churnsim
from churnsim.campaign.wave import planned_contact_time
from churnsim.core.columns import HISTORY_MONTHS
from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.truth import realised_responses
from churnsim.experiment import stages
from churnsim.experiment.load import Loaded
from churnsim.experiment.world import make_world
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import active_rows, listed_rows, observe

ROOT = Path(__file__).parents[1]
FUTURES = 3


@pytest.fixture(scope="module")
def exp(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    path = write(tmp_path_factory.mktemp("experiment"))
    return churnsim.load(path, overrides=["population.size=600", f"evaluation.inner_draws={FUTURES}"])


@pytest.fixture(scope="module")
def history(exp: Loaded) -> churnsim.History:
    return churnsim.simulate(exp)


@pytest.fixture(scope="module")
def truth(history: churnsim.History) -> pd.DataFrame:
    return churnsim.twins(history, channel="sms")


# Names


def test_all_names_can_be_imported_and_are_listed():
    code = "from churnsim import *; import churnsim; print([n for n in churnsim.__all__ if n not in globals()])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert set(dir(churnsim)) == {*churnsim.__all__, "__version__"}


def test_version_is_the_installed_one(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", {"churnsim": "9.8.7"}.get)
    assert churnsim.__version__ == "9.8.7"


def test_an_unknown_name_lists_the_public_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'Load'; public names: Allocated, Calibration, History, "):
        churnsim.Load  # noqa: B018


def test_run_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path)
    small = churnsim.load(path, overrides=["population.size=300", "replicates=1"])
    result = churnsim.run(small)
    assert result.ran == 4 + len(small.experiment.policies)
    assert result.policies["policy"].tolist() == list(small.experiment.policies)
    assert list(tmp_path.iterdir()) == [path]


# Histories


def test_simulate_is_the_history_of_a_run(exp, history):
    cell = stages.history(make_world(exp.experiment, replicate=0, folder=exp.folder))
    rows = listed_rows(history.base, month=8, silent_days=exp.experiment.signals.silent_days)
    assert history.month == 8
    assert len(rows) < len(history)
    assert np.array_equal(history.base.ids[rows], cell.arrays["ids"])
    for name in SCHEMA:
        assert np.array_equal(history.base[name][..., rows], cell.arrays[name]), name


@pytest.mark.parametrize("months", [0, 1, 5, 60])
def test_other_months_tell_the_same_story(exp, history, months):
    other = churnsim.simulate(exp, months=months)
    longer, shorter = (other, history) if months > history.month else (history, other)
    common = np.isin(longer.base.ids, shorter.base.ids)
    assert np.array_equal(longer.base.ids[common], shorter.base.ids)
    later, then = longer.base.take(np.flatnonzero(common)), shorter.base
    # Who came back since begins a spell anew.
    same = later["spell"] == then["spell"]
    assert same.mean() > 0.9 and (later["spell"] >= then["spell"]).all()
    told = [np.where(base["departure_time"] <= shorter.month, base["departure_time"], np.inf)[same]
            for base in (later, then)]
    assert np.array_equal(*told)
    joined = longer.base["join_month"][~common]
    assert (joined >= shorter.month).all() and (joined < longer.month).all()


def test_replicates_differ(exp, history):
    other = churnsim.simulate(exp, replicate=1)
    assert not np.array_equal(other.base["price_sensitivity"], history.base["price_sensitivity"])


def test_table_of_a_history(history):
    frame, base = history.to_pandas(), history.base
    assert np.array_equal(frame["subscriber"], base.ids)
    for ago in range(1, HISTORY_MONTHS + 1):
        assert np.array_equal(frame[f"usage_gb_lag{ago}"], base.lag("usage_gb", month=8, months_ago=ago))
    assert frame["customer_type"].tolist() == base.labels("customer_type").tolist()
    assert set(frame["offer_code"]) == {"none"}
    gone = base["departure_time"] <= 8
    assert gone.any()
    assert np.array_equal(frame["state"] == "churned", gone)
    assert np.array_equal(frame["departure_time"].notna(), gone)
    assert np.array_equal(frame["departure_time"][gone], base["departure_time"][gone])


def test_latent_columns_only_when_asked_for(history):
    latent = {column.name for column in SCHEMA.values() if column.visibility == "latent"}
    assert latent & set(history.to_pandas().columns) == {"departure_time"}
    frame, base = history.to_pandas(latent=True), history.base
    assert latent <= set(frame.columns)
    decided = np.isfinite(base["decision_time"])
    assert np.array_equal(frame["decision_time"].notna(), decided)
    assert np.array_equal(frame["departure_time"].notna(), decided)
    assert (decided & (base["departure_time"] > 8)).any()
    assert np.array_equal(frame["cause"] != "none", decided)
    assert set(frame["cause"]) - {"none"} <= set(history.experiment.lifecycle.causes)


def test_arrow_keeps_codes_as_dictionaries(history):
    table = history.to_arrow(latent=True)
    for name in ("customer_type", "state", "offer_code", "cause"):
        assert pa.types.is_dictionary(table.schema.field(name).type), name


def test_source_ids_of_an_operators_table():
    exp = churnsim.load(ROOT / "experiments/operator_table.yaml",
                        overrides=["population.size=50", "market.arrivals_share_monthly=0.1"])
    history = churnsim.simulate(exp, months=2)
    frame = history.to_pandas()
    table = make_world(exp.experiment, replicate=0, folder=exp.folder).table()
    assert len(frame) > len(table) == 50
    assert frame["source_id"][:50].tolist() == table.source_id.tolist()
    assert frame["source_id"][50:].isna().all()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"months": -1}, r"^months: must be 0 to 600 \(got -1\)$"),
    ({"months": 601}, r"^months: must be 0 to 600 \(got 601\)$"),
    ({"replicate": -1}, r"^replicate: must be at least 0 \(got -1\)$")])
def test_simulate_refuses(exp, arguments, message):
    with pytest.raises(ConfigError, match=message):
        churnsim.simulate(exp, **arguments)


# Long simulations


def test_simulate_to_writes_the_state_at_the_end(tmp_path):
    exp = churnsim.load(write(tmp_path), overrides=[
        "population.size=300", "simulation.months=5", "simulation.partition_size=120", "record.latent=true"])
    found = churnsim.simulate_to(exp, tmp_path / "out", jobs=2, engine="threads")
    assert isinstance(found, churnsim.Simulated)
    assert (found.ran, found.reused) == (3, 0)
    history = churnsim.simulate(exp, months=5)
    direct, told = history.to_pandas(), history.to_pandas(latent=True)
    written = {name: pd.read_parquet(tmp_path / "out" / name).sort_values("subscriber", ignore_index=True)
               for name in ("end_state", "end_state_latent")}
    pd.testing.assert_frame_equal(written["end_state"], direct, check_exact=True)
    latent = [column.name for column in SCHEMA.values() if column.visibility == "latent"]
    pd.testing.assert_frame_equal(written["end_state_latent"], told[["subscriber", *latent]], check_exact=True)
    assert found.subscribers == len(direct)
    assert pq.read_table(tmp_path / "out" / "summaries.parquet").equals(found.summaries)
    other = churnsim.simulate_to(exp, str(tmp_path / "other"), replicate=1, engine="serial")
    assert not other.summaries.equals(found.summaries)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"replicate": -1}, r"^replicate: must be at least 0 \(got -1\)$"),
    ({"jobs": 0}, r"^workers: must be at least 1 \(got 0\)$"),
    ({"engine": "serial", "jobs": 2}, "^engine serial: has one worker "),
    ({"engine": "gpu"}, "^engine: must be one of serial, threads, processes, dask ")])
def test_simulate_to_refuses(exp, arguments, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        churnsim.simulate_to(exp, tmp_path / "out", **arguments)


# Twins


def test_twins_are_the_truth_of_a_run(exp, history, truth):
    world = make_world(exp.experiment, replicate=0, folder=exp.folder)
    before = stages.history(world)
    found = stages.truth(world, before)
    base = stages.decision_base(before, world.engine.schema)
    # Twins are of those on the network; who left and is not missed yet stands in the run's list too.
    there = active_rows(base, month=8)
    table = observe(base, month=8, settings=exp.experiment.signals, key=world.key)
    plans = world.reach(table)
    reach, contact_cost = plans.reach[there], plans.contact_cost[there]
    assert np.array_equal(truth.index, base.ids[there])
    for k, arm in enumerate(world.arms()):
        if arm.channel == "sms":
            a = truth[f"{arm.offer}_accept_prob"]
            for kind, cost in (("value", contact_cost[:, k]), ("staying", 0.0)):
                listed = reach[:, k] * (a * truth[f"{arm.offer}_{kind}"] + (1 - a) * truth[f"contact_{kind}"]) - cost
                expected = found.arrays["net_value" if kind == "value" else "staying"][there, k]
                assert np.allclose(listed, expected, rtol=0, atol=1e-9), arm


def test_standard_error_of_two_draws_by_hand(history):
    one, two = (churnsim.twins(history, draws=draws) for draws in (1, 2))
    first = one["discount_30_value"]
    second = 2 * two["discount_30_value"] - first
    assert (first != second).mean() > 0.9
    assert np.allclose(two["discount_30_value_se"], (first - second).abs() / 2, rtol=1e-9, atol=1e-9)


def test_one_draw_has_no_standard_error(history):
    assert churnsim.twins(history, draws=1).filter(like="_se").isna().all(axis=None)


def test_the_effect_of_an_offer_does_not_depend_on_the_others_asked_for(history, truth):
    alone = churnsim.twins(history, offers=["service_recovery"])
    assert [name for name in alone if name.startswith("service_recovery")]
    assert not [name for name in alone if name.startswith("discount_30")]
    pd.testing.assert_frame_equal(alone, truth[alone.columns])


def test_an_earlier_month_is_as_if_simulated_until_then(exp, history):
    earlier = churnsim.twins(history, at_month=5, draws=1, offers=["discount_30"])
    direct = churnsim.twins(churnsim.simulate(exp, months=5), draws=1, offers=["discount_30"])
    pd.testing.assert_frame_equal(earlier, direct)


@pytest.mark.parametrize("realised", [False, True])
def test_the_effect_on_one_does_not_depend_on_who_else_is_asked_for(history, realised):
    whole = churnsim.twins(history, channel="sms", realised=realised)
    for some in (whole.index[::7].tolist()[::-1], set(whole.index[:1]), whole.index[[5, 5, 3]].to_numpy(), whole.index):
        found = churnsim.twins(history, channel="sms", subscribers=some, realised=realised)
        pd.testing.assert_frame_equal(found, whole.loc[sorted(set(some))], check_exact=True)
    nobody = churnsim.twins(history, channel="sms", subscribers=[], realised=realised)
    assert len(nobody) == 0 and nobody.columns.tolist() == whole.columns.tolist()


def test_subscribers_of_an_earlier_month(history):
    gone = history.base.ids[(history.base["departure_time"] > 5) & (history.base["departure_time"] <= 8)][:3]
    assert len(gone) == 3
    earlier = churnsim.twins(history, at_month=5, draws=1, subscribers=gone)
    whole = churnsim.twins(history, at_month=5, draws=1)
    pd.testing.assert_frame_equal(earlier, whole.loc[gone], check_exact=True)


def test_realised_twins_stand_beside_the_expected_ones(exp, history, truth):
    found = churnsim.twins(history, channel="sms", realised=True)
    pd.testing.assert_frame_equal(found[truth.columns], truth)
    world = make_world(exp.experiment, replicate=0, folder=exp.folder)
    base = stages.decision_base(stages.history(world), world.engine.schema)
    base = base.take(active_rows(base, month=8))
    once = realised_responses(base, world.engine, exp.experiment.evaluation, offers=exp.experiment.campaign.offers,
                              month=8, contact_time=planned_contact_time(exp.experiment.signals.list_delay_days))
    for code, name in enumerate(("contact", *exp.experiment.campaign.offers)):
        assert np.array_equal(found[f"{name}_value_realised"], once.value[0, code])
        assert np.array_equal(found[f"{name}_staying_realised"], once.staying[0, code])
    assert set(np.unique(found.filter(like="_staying_realised"))) == {-1.0, 0.0, 1.0}
    assert (found["discount_30_value_realised"] != found["discount_30_value"]).mean() > 0.5
    assert found.columns.tolist()[:5] == ["contact_value", "contact_value_se", "contact_staying",
                                          "contact_value_realised", "contact_staying_realised"]
    assert not truth.filter(like="_realised").size


@pytest.mark.parametrize(("arguments", "message"), [
    ({"at_month": 9}, r"^at_month: must be 0 to 8 \(got 9\)$"),
    ({"offers": ["discount_03"]}, r"^offers: no offer 'discount_03'; there are discount_30, contract_device, "
                                  r"service_recovery, .*\. Did you mean 'discount_30'\?$"),
    ({"channel": "pigeon"}, "^channel: no channel 'pigeon'; there are call, sms$"),
    ({"draws": 0}, r"^draws: must be 1 to 1000 \(got 0\)$"),
    ({"subscribers": [3, 10_000_000, -5]}, r"^subscribers: -5 is not on the network in month 8 \(2 such ids\); leave "
                                           r"them out$")])
def test_twins_refuse(history, arguments, message):
    with pytest.raises(ConfigError, match=message):
        churnsim.twins(history, **arguments)


# The contact centre


def orders(count: int = 60) -> pd.DataFrame:
    rows = np.arange(count)
    return pd.DataFrame({"order_id": rows, "subscriber": rows, "channel": np.where(rows % 3, "call", "sms"),
                         "offer": "discount_30", "value": 1.0, "answer_habit": 1.0, "release_hours": 720.0 + 48.0,
                         "deadline_hours": np.inf})


def test_work(exp):
    attempts, outcomes, calls, notes, metrics = churnsim.work(orders(), exp, seed=1, month=1)
    assert len(calls) == 0 and notes == ()
    assert metrics.loc[0].tolist() == ["targeted", "all", "orders", 60.0, "orders"]
    assert np.array_equal(outcomes["order_id"], np.arange(60))
    assert np.array_equal(attempts.groupby("order_id").size(), outcomes["attempts"])
    assert attempts["start_hours"].min() >= 768.0
    again = churnsim.work(orders(), exp, seed=1, month=1)
    pd.testing.assert_frame_equal(again.attempts, attempts)
    assert not churnsim.work(orders(), exp, seed=2, month=1).outcomes.equals(outcomes)


def test_work_refuses(exp):
    with pytest.raises(DataError, match=r"^orders: column 'value' is absent; the table has order_id, "):
        churnsim.work(orders().drop(columns="value"), exp, seed=1)
    with pytest.raises(ConfigError, match=r"^seed and month: must be at least 0 \(got -1 and 0\)$"):
        churnsim.work(orders(), exp, seed=-1)
