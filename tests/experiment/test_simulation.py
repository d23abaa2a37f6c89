"""Long simulations: the same whatever the partitions, workers and interruptions, and what a run of all would find.

All simulations share the models of one pilot, whose cell is copied from the first of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_examples import children, is_worker
from small_world import load_small

from churnsim.api import simulate as simulate_all
from churnsim.core.columns import Subscribers
from churnsim.errors import ConfigError, ResultsError
from churnsim.evaluation.ledger import COST_TO_SERVE, DISCOUNT, KINDS, REALISED, REVENUE, Bookkeeper
from churnsim.experiment import stages
from churnsim.experiment.load import Loaded
from churnsim.experiment.simulated import PARTED, Simulated
from churnsim.experiment.simulation import Simulation, open_simulation, simulate
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.events import Events
from churnsim.lifecycle.treatment import Treatment
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import features, listed_rows, observe

MONTHS, CAMPAIGN = 12, 8
SETTINGS = (
    f"simulation={{months: {MONTHS}, policy: risk_value}}",
    "record={events: true, panel_share: 0.1, latent: true, snapshot: {month: 4, outcome_months: 3}}",
    "market={arrivals_share_monthly: 0.03, arrivals_season_amplitude: 0.0}",
    "uplift.learners.stay=null",
)
N = 500


def opened(out: Path, *overrides: str, replicate: int = 0) -> Simulation:
    return open_simulation(load_small(*SETTINGS, *overrides), out, replicate=replicate)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated]:
    """The folder of a simulation in one partition, in this process, and what it found."""
    out = tmp_path_factory.mktemp("first")
    found = simulate(opened(out), engine="serial")
    return found.save(out, command=["simulate"]), found


@pytest.fixture
def out(first: tuple[Path, Simulated], tmp_path: Path) -> Path:
    """A folder that holds the finished models and nothing else."""
    models = opened(tmp_path).jobs()[0].key
    shutil.copytree(first[0] / "cells" / models, tmp_path / "out" / "cells" / models)
    return tmp_path / "out"


def run(out: Path, *overrides: str, engine: Any = "serial", **how: Any) -> Simulated:
    found = simulate(opened(out, *overrides), engine=engine, **how)
    found.save(out, command=["simulate"])
    return found


def by_subscriber(folder: Path) -> pa.Table:
    """Return the parts of a table as one, by subscriber and time."""
    table = pq.read_table(folder)
    keys = [(name, "ascending") for name in ("subscriber", "month", "day", "event") if name in table.column_names]
    whole = table.to_pandas().astype({"event": str} if "event" in table.column_names else {})
    order = whole.sort_values([name for name, _ in keys], kind="stable").index
    return table.take(pa.array(order)).unify_dictionaries().combine_chunks()


def assert_same_folders(one: Path, other: Path) -> None:
    """Every file but config and provenance holds the same; folders of parts hold the same rows."""
    names = {path.name for path in one.iterdir()} - {"cells", "config.yaml", "provenance.json"}
    assert names == {path.name for path in other.iterdir()} - {"cells", "config.yaml", "provenance.json"}
    for name in names:
        if name in PARTED:
            assert by_subscriber(one / name).equals(by_subscriber(other / name)), name
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def table(folder: Path, name: str) -> pd.DataFrame:
    return pq.read_table(folder / (name if name in PARTED else f"{name}.parquet")).to_pandas()


# Partitions and workers


def test_what_is_written(first: tuple[Path, Simulated]) -> None:
    folder, found = first
    assert {path.name for path in folder.iterdir()} == {
        *PARTED, "cells", "config.yaml", "dictionary.csv", "provenance.json", "summary.json", "summaries.parquet",
        "ledger.parquet", "contacts.parquet", "lists.parquet", "treated.parquet", "treated_latent.parquet",
        "treated_events.parquet"}
    assert (found.ran, found.reused, len(found.parts)) == (2, 0, 1)
    facts = json.loads((folder / "summary.json").read_text())
    assert {name: facts[name] for name in ("experiment", "seed", "replicate", "months", "policy", "currency")} == {
        "experiment": "small", "seed": 7, "replicate": 0, "months": MONTHS, "policy": "risk_value", "currency": "USD"}
    assert facts["campaign"] == found.metrics and facts["note"] == found.note != ""
    assert facts["subscribers"] == found.subscribers == N + 15 * (MONTHS - 1) == len(table(folder, "end_state"))
    about = json.loads((folder / "provenance.json").read_text())
    assert (about["cells_run"], about["cells_reused"], about["command"]) == (2, 0, ["simulate"])
    assert load_small(*SETTINGS).experiment.plain() == json.loads(json.dumps(found.experiment.plain()))


@pytest.mark.parametrize("size", [30, 100])
def test_partitions_change_no_number(size: int, first: tuple[Path, Simulated], out: Path) -> None:
    found = run(out, f"simulation.partition_size={size}")
    parts = -(-N // size)
    assert (found.ran, found.reused, len(found.parts)) == (parts, 1, parts)
    assert_same_folders(out, first[0])
    assert len(list((out / "end_state").iterdir())) == parts


def test_threads_and_no_campaign(first: tuple[Path, Simulated], tmp_path: Path) -> None:
    plain = "simulation.policy=null"
    run(tmp_path / "threads", plain, "simulation.partition_size=30", engine="threads", workers=2)
    found = run(tmp_path / "serial", plain)
    assert_same_folders(tmp_path / "threads", tmp_path / "serial")
    # Beside a campaign stands the same world without it.
    for name in PARTED:
        assert by_subscriber(tmp_path / "serial" / name).equals(by_subscriber(first[0] / name)), name
    summaries = first[1].summaries
    assert found.summaries.equals(summaries.filter(pa.compute.equal(summaries["world"], "reference")))


@pytest.mark.parametrize(("engine", "policy"), [("processes", "risk_value"), ("dask", "null")])
def test_a_worker_that_is_lost_changes_no_number(
    engine: str, policy: str, first: tuple[Path, Simulated], out: Path
) -> None:
    """With a campaign in one of the engines: its workers load learners, which takes seconds."""
    done: list[int] = []

    def kill_one(job: Any, seconds: float, count: int, total: int) -> None:
        done.append(job.number)
        if len(done) == 2:
            os.kill(next(filter(is_worker, children(os.getpid()))), signal.SIGKILL)

    found = run(out, "simulation.partition_size=50", f"simulation.policy={policy}", engine=engine, workers=2,
                report=kill_one)
    has_campaign = policy != "null"
    assert sorted(done) == list(range(10)) and (found.ran, found.reused) == (10, int(has_campaign))
    if has_campaign:
        assert_same_folders(out, first[0])
    for name in PARTED:
        assert by_subscriber(out / name).equals(by_subscriber(first[0] / name)), name
    summaries = first[1].summaries
    assert found.summaries.slice(0, len(summaries) // 2).equals(summaries.slice(0, len(summaries) // 2))


@pytest.mark.parametrize("sizes", [[500], [1, 499], [170, 100, 230], [0, 500], [250, 250], [499, 1]])
def test_parts_of_the_population_are_the_population(sizes: list[int]) -> None:
    loaded = load_small("market={arrivals_share_monthly: 0.031, arrivals_season_amplitude: 0.0}")
    world = make_world(loaded.experiment, replicate=0, folder=Path())
    whole = world.population(until=MONTHS)
    cuts = np.cumsum([0, *sizes])
    parts = [world.population(until=MONTHS, part=(int(low), int(high))) for low, high in pairwise(cuts)]
    found = Subscribers.concat(parts)
    found = found.take(np.argsort(found.ids))
    assert np.array_equal(found.ids, whole.ids) and len(whole) == N + 16 * (MONTHS - 1)
    for name in SCHEMA:
        assert np.array_equal(found[name], whole[name]), name
    assert len(world.population(until=0)) == len(world.population(until=1)) == N
    assert len(world.population()) == N + 16 * (CAMPAIGN - 1)


@pytest.mark.parametrize("months", [0, 1, 12])
def test_the_end_is_that_of_a_simulation_of_all(months: int, tmp_path: Path) -> None:
    settings = (f"simulation={{months: {months}, partition_size: 170}}", "record={latent: true, by: []}",
                "market.arrivals_share_monthly=0.03")
    found = simulate(open_simulation(load_small(*settings), tmp_path), engine="serial")
    found.save(tmp_path)
    history = simulate_all(load_small(*settings), months=months)
    assert by_subscriber(tmp_path / "end_state").equals(history.to_arrow())
    told = history.to_arrow(latent=True)
    latent = by_subscriber(tmp_path / "end_state_latent")
    assert latent.equals(told.select(latent.column_names))
    assert len(found.summaries) == months and found.subscribers == len(history)
    assert found.table_text().startswith(f"{len(history):,} subscribers in {months} months")


TABLE = "id,months,fee,zone\n" + "".join(f"c{k:02},{3 + k},{20 + k}.5,{k % 3}\n" for k in range(40))
MAPPING = """
schema: 1
source_id: id
currency: USD
columns:
  tenure_months: {from: months}
  plan_price_amount: {from: fee}
  region: {from: zone}
"""
IMPORTED = ("population={size: null, table: {path: table.csv, mapping: table.yaml}}", "simulation={months: 3}",
            "market={arrivals_share_monthly: 0.1, arrivals_season_amplitude: 0.0}")


def test_an_operators_table_in_partitions(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "table.yaml").write_text(MAPPING)
    for size in (40, 7):
        loaded = load_small(*IMPORTED, f"simulation.partition_size={size}", folder=tmp_path)
        simulate(open_simulation(loaded, tmp_path / str(size)), engine="serial").save(tmp_path / str(size))
    assert_same_folders(tmp_path / "7", tmp_path / "40")
    history = simulate_all(loaded, months=3)
    assert by_subscriber(tmp_path / "7" / "end_state").equals(history.to_arrow())
    assert history.to_arrow()["source_id"].to_pylist() == [f"c{k:02}" for k in range(40)] + [None] * 8


def test_an_edited_table_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "table.yaml").write_text(MAPPING)
    loaded = load_small(*IMPORTED, folder=tmp_path)
    before = simulate(open_simulation(loaded, tmp_path / "out"), engine="serial")
    (tmp_path / "table.csv").write_text(TABLE.replace(",20.5,", ",99.5,"))
    os.utime(tmp_path / "table.csv", (1, 1))
    after = simulate(open_simulation(loaded, tmp_path / "out"), engine="serial")
    assert (after.ran, after.reused) == (1, 0)
    prices = [pq.read_table(found.parts[0] / "end_state.parquet")["plan_price_amount"][0].as_py()
              for found in (before, after)]
    assert prices == [20.5, 99.5]


def test_partitions_of_which_nobody_is_left_at_the_campaign(out: Path) -> None:
    leave = ("population.size=12", "lifecycle.causes.need_gone.intercept=-2.0")
    models = opened(out, *leave).jobs()[0].key
    known = next((out / "cells").iterdir())
    # Models of another world do for this: most subscribers are gone, and some partitions are empty.
    known.rename(out / "cells" / models)
    alone = run(out, *leave, "simulation.partition_size=1")
    end = table(out, "end_state")
    there = (end["departure_time"].isna() | (end["departure_time"] > CAMPAIGN)).sum()
    assert 0 < there < 12 and alone.metrics["targeted"] <= there
    whole = run(out, *leave)
    assert alone.metrics == whole.metrics and alone.summaries.equals(whole.summaries)


# Snapshot, panel and events


def test_rows_stand_twice_in_a_snapshot_if_data_are_to_be_dirty(first: tuple[Path, Simulated], tmp_path: Path) -> None:
    run(tmp_path, "simulation.policy=null", "signals.data_quality.duplicate_share=0.2")
    twice, once = (table(folder, "snapshot") for folder in (tmp_path, first[0]))
    times = twice["subscriber"].value_counts()
    assert set(times) == {1, 2} and 0.1 < (times == 2).mean() < 0.3
    by_id = [rows.sort_values("subscriber", ignore_index=True) for rows in (twice.drop_duplicates(), once)]
    pd.testing.assert_frame_equal(*by_id)


def test_the_snapshot_is_what_the_operator_saw_and_what_came_of_it(first: tuple[Path, Simulated]) -> None:
    loaded = load_small(*SETTINGS)
    then = simulate_all(loaded, months=4).base
    world = make_world(loaded.experiment, replicate=0, folder=Path())
    then = then.take(listed_rows(then, month=4, silent_days=90.0))
    seen = features(observe(then, month=4, settings=loaded.experiment.signals, key=world.key))
    snapshot = table(first[0], "snapshot").sort_values("subscriber", ignore_index=True)
    assert snapshot["subscriber"].tolist() == then.ids.tolist() and (snapshot["month"] == 4).all()
    assert snapshot.columns.tolist() == ["subscriber", "month", *seen.columns, "left", "active_months"]
    for name in seen:
        assert np.array_equal(snapshot[name], seen[name].astype(np.float32)), name
    latent = {column.name for column in SCHEMA.values() if column.visibility == "latent"}
    assert not latent & set(snapshot.columns)
    assert_outcomes(snapshot, loaded)
    assert 10 < snapshot["left"].sum() < 100 and set(snapshot["active_months"]) == {0, 1, 2, 3}


def assert_outcomes(snapshot: pd.DataFrame, loaded: Loaded) -> int:
    """Compare outcomes of months 4 to 6 with a run month by month; return how many left and came back."""
    world = make_world(loaded.experiment, replicate=0, folder=Path())
    base = world.population(until=MONTHS)
    departure = {}
    for month in range(7):
        world.engine.run([(base, None)], start=month, months=1)
        departure[month] = dict(zip(base.ids.tolist(), base["departure_time"].tolist(), strict=True))
    back = 0
    for row in snapshot.itertuples():
        one = row.subscriber
        assert row.left == any(departure[month][one] <= month + 1 for month in (3, 4, 5, 6)), row
        # On the network when a month starts: a bill.
        assert row.active_months == sum(departure[month][one] > month for month in (4, 5, 6)), row
        back += row.left and departure[6][one] > 7
    return back


def test_who_comes_back_has_left_all_the_same(tmp_path: Path) -> None:
    returns = ("simulation.policy=null", "lifecycle.win_back.return_prob=0.14",
               "population.size=2000")
    run(tmp_path, *returns)
    assert assert_outcomes(table(tmp_path, "snapshot"), load_small(*SETTINGS, *returns)) > 3


def test_the_log_is_of_the_world_without_the_campaign(first: tuple[Path, Simulated]) -> None:
    folder, _ = first
    log = table(folder, "events")
    assert set(log["event"]) == {"joined", "returned", "complaint", "cheaper_plan", "downgraded", "substituted",
                                 "porting_request", "decided", "left"}
    end = table(folder, "end_state").merge(table(folder, "end_state_latent"), on="subscriber", suffixes=("", "_latent"))
    times = pd.crosstab(log["subscriber"], log["event"].astype(str)).reindex(end["subscriber"], fill_value=0)
    # Everybody comes back from every leaving but the last, from which some do not.
    assert ((times["left"] - times["returned"]).to_numpy() == (end["departure_time_latent"] <= MONTHS)).all()
    assert ((times["decided"] - times["returned"]).to_numpy() == end["decision_time"].notna()).all()
    assert times["returned"].to_numpy().tolist() == end["spell"].tolist() and times["returned"].any()
    assert (log["month"].between(0, MONTHS - 1) | (log["event"] == "left")).all()


# The campaign


@cache
def everybody_at_campaign() -> tuple[World, Subscribers]:
    """Return the world and all who are in the simulation, as month 8 starts, those who come later included."""
    loaded = load_small(*SETTINGS)
    world = make_world(loaded.experiment, replicate=0, folder=Path())
    base = world.population(until=MONTHS)
    world.engine.run([(base, None)], start=0, months=CAMPAIGN)
    return world, base


def treatment_of(folder: Path, ids: np.ndarray[Any, Any]) -> Treatment:
    """Return what the log of those with an order says of contacts, rows being positions in `ids`."""
    log = table(folder, "treated_events")
    contact = log[log["event"] == "contact"].set_index("subscriber")
    taken = log[log["event"] == "accepted"].set_index("subscriber")["offer"]
    names = ["none", *load_small().experiment.offers]
    codes = [names.index(offer) for offer in contact.index.map(taken).fillna("none")]
    assert (contact["month"] == CAMPAIGN).all()
    row = np.searchsorted(ids, contact.index.to_numpy())
    return Treatment(row, contact["day"].to_numpy() / 30.0, np.array(codes, np.int8))


def test_contacts_are_the_centres_and_acceptances_the_metrics(first: tuple[Path, Simulated]) -> None:
    folder, found = first
    log, contacts = table(folder, "treated_events"), table(folder, "contacts")
    said = contacts["disposition"]
    reached = contacts[said.isin(["reached_accepted", "reached_declined", "read"])].sort_values("subscriber")
    logged = log[log["event"] == "contact"]
    assert found.metrics["reached"] == len(reached)
    # Whose call was answered after they left: the number was theirs no more.
    vain = set(reached["subscriber"]) - set(logged["subscriber"])
    gone = set(log.loc[(log["event"] == "left") & (log["month"] == CAMPAIGN), "subscriber"])
    # Or before the month, without being missed.
    base = everybody_at_campaign()[1]
    silent = set(base.ids[base["departure_time"] <= CAMPAIGN].tolist())
    assert vain <= gone | silent and vain & silent
    reached = reached[~reached["subscriber"].isin(vain)]
    assert logged["subscriber"].tolist() == reached["subscriber"].tolist()
    hours = logged["month"].to_numpy() * 720.0 + logged["day"].to_numpy() * 24.0
    assert (hours >= reached["start_hours"].to_numpy() - 1e-6).all()
    assert (hours <= reached["end_hours"].to_numpy() + 1e-6).all()
    assert (log["event"] == "accepted").sum() == found.metrics["accepted"] > 5
    lists = table(folder, "lists")
    assert len(lists) == found.metrics["targeted"] and set(contacts["subscriber"]) <= set(lists["subscriber"])
    assert set(log["subscriber"]) <= set(lists["subscriber"])
    assert lists["planned_cost_amount"].sum() == pytest.approx(found.metrics["planned_spend"])
    treated = table(folder, "treated")
    assert treated["subscriber"].tolist() == lists["subscriber"].tolist()
    taken = log.loc[log["event"] == "accepted", ["subscriber", "offer"]].to_numpy().tolist()
    took = treated.set_index("subscriber")["offer_code"]
    assert all(took[subscriber] == offer for subscriber, offer in taken)


def test_the_world_with_the_campaign_is_that_of_everybody_under_it(first: tuple[Path, Simulated]) -> None:
    """Summaries, end states and events: those without an order are as they were, those with one as stepped again."""
    folder, found = first
    world, base = everybody_at_campaign()
    simulation = opened(folder)
    base, summary = base.copy(), simulation.summary(start=CAMPAIGN)
    events = Events()

    def watch(block: Block) -> None:
        summary.observe(block)
        events.observe(block)

    world.engine.run([(base, treatment_of(folder, base.ids))], start=CAMPAIGN, months=MONTHS - CAMPAIGN, observe=watch)
    own = summary.table(simulation.labels, regions=8).to_pandas()
    summaries = found.summaries.to_pandas()
    policy, reference = (summaries[summaries["world"] == name].drop(columns="world").reset_index(drop=True)
                         for name in ("policy", "reference"))
    counted = [name for name in own if name != "expected_subscribers"]
    late = policy[policy["month"] >= CAMPAIGN].reset_index(drop=True)
    pd.testing.assert_frame_equal(late[counted], own[counted])
    pd.testing.assert_frame_equal(policy[policy["month"] < CAMPAIGN], reference[reference["month"] < CAMPAIGN])
    assert not late[counted].equals(reference[reference["month"] >= CAMPAIGN].reset_index(drop=True)[counted])
    # The two runs weigh with other clocks: what both expect is told until they part.
    assert policy["expected_subscribers"].isna().tolist() == (policy["month"] >= CAMPAIGN).tolist()
    assert reference["expected_subscribers"].notna().all()
    log, own_log = table(folder, "treated_events"), events.table(simulation.labels).to_pandas()
    own_log = own_log[own_log["subscriber"].isin(table(folder, "treated")["subscriber"])].reset_index(drop=True)
    assert log.columns.tolist() == [*own_log, "stated_reason"]
    pd.testing.assert_frame_equal(log[own_log.columns], own_log, rtol=0, atol=1e-9)
    # What a contact does to the path of who had left before is not in the log.
    reached = table(folder, "contacts").query("disposition in ['reached', 'read']")["subscriber"]
    vain = set(reached) - set(log.loc[log["event"] == "contact", "subscriber"])
    treated = table(folder, "treated_latent")
    treated = treated[~treated["subscriber"].isin(vain)]
    rows = np.searchsorted(base.ids, treated["subscriber"])
    told = {name: base.take(rows)[name] for name in ("satisfaction", "wake", "discount_shock", "departure_time")}
    for name, values in told.items():
        assert np.array_equal(treated[name].fillna(np.inf), values), name


def test_the_money_of_both_worlds_differs_by_the_ledger_month_by_month(out: Path) -> None:
    folder, found = out, run(out, f"simulation={{months: {MONTHS}, policy: everyone, partition_size: 170}}")
    world, base = everybody_at_campaign()
    touched = base.take(np.searchsorted(base.ids, table(folder, "treated")["subscriber"]))
    judged = world.experiment.evaluation
    books = Bookkeeper(judged, world.offers, start=CAMPAIGN, n=len(touched), arms=2)
    world.engine.run([(touched.copy(), None), (touched.copy(), treatment_of(folder, touched.ids))], start=CAMPAIGN,
                     months=judged.horizon_months, observe=books.observe)
    monthly = (books.worlds[1].monthly - books.worlds[0].monthly)[:, :, REALISED, 0]
    sums = found.summaries.to_pandas().groupby(["world", "month"]).sum(numeric_only=True)
    added = (sums.loc["policy"] - sums.loc["reference"]).loc[CAMPAIGN:]
    for name, kind in (("revenue", REVENUE), ("cost_to_serve", COST_TO_SERVE), ("discount", DISCOUNT)):
        assert added[f"{name}_cents"].tolist() == monthly[:MONTHS - CAMPAIGN, kind].tolist(), name
        assert added[f"{name}_cents"].any(), name
    # Over the horizon it is the ledger that was written.
    ledger = table(folder, "ledger")
    written = ledger[ledger["estimate"] == "realised"].groupby(["world", "kind"], observed=False)["undiscounted_cents"]
    for kind in ("revenue", "cost_to_serve", "retention_discount", "direct_offer_cost"):
        totals = [books.worlds[k].monthly[:, KINDS.index(kind), REALISED, 0].sum() for k in (0, 1)]
        assert [written.sum()[name, kind] for name in ("reference", "policy")] == totals, kind
    assert written.sum()["policy", "contact_cost"] == table(folder, "contacts")["cost_cents"].sum()


@pytest.fixture(scope="module")
def cells() -> dict[str, Any]:
    """The cells of `churnsim run` that policies read, in the same world."""
    loaded = load_small(*SETTINGS)
    world = make_world(loaded.experiment, replicate=0, folder=Path())
    history = stages.history(world)
    return {"history": history, "plan": stages.plan(world, history), "truth": stages.truth(world, history)}


KINDS_OF_POLICY = [name for name in load_small().experiment.policies if name != "oracle"]


@pytest.mark.parametrize("policy", KINDS_OF_POLICY)
def test_a_campaign_is_that_of_a_run(policy: str, cells: dict[str, Any], out: Path) -> None:
    """A run has no arrivals after the campaign month starts; its list is of the same subscribers all the same."""
    world = make_world(load_small(*SETTINGS).experiment, replicate=0, folder=Path())
    expected = stages.policy(world, policy, *cells.values())
    found = run(out, f"simulation={{months: 9, policy: {policy}, partition_size: 170}}")
    assert found.note == expected.facts["note"]
    metrics = expected.facts["metrics"]
    assert found.metrics == {name: metrics[name] for name in found.metrics}
    assert set(metrics) - set(found.metrics) == {"churn_rate", "plan_value"}
    for name in ("ledger", "contacts", "lists"):
        frame = expected.frames[name]
        mine = table(out, name)
        assert len(mine) == len(frame)
        for column in mine:
            assert mine[column].tolist() == frame[column].tolist(), (name, column)
    assert len(expected.frames["lists"]) == (0 if policy == "none" else metrics["targeted"])


def test_a_list_under_a_small_budget_does_not_depend_on_partitions(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few to a partition, and more than half: shortlists are merged one by one, a few together, and all at once."""
    for policy in ("risk_value", "churn_risk", "uplift_value"):
        settings = (f"simulation={{months: 9, policy: {policy}}}", "campaign.budget_amount=400.0",
                    "signals.churn_model=lightgbm", "record={panel_share: 0.0, latent: false, snapshot: null}")
        whole = run(tmp_path, *settings)
        lists, contacts = table(tmp_path, "lists"), table(tmp_path, "contacts")
        assert 5 < len(lists) < 250
        for size, together in ((23, 0), (23, 60), (251, 0), (251, 1000)):
            monkeypatch.setattr("churnsim.experiment.simulated_campaign.MERGED_ROWS", together)
            found = run(tmp_path, *settings, f"simulation.partition_size={size}")
            assert found.metrics == whole.metrics and found.note == whole.note
            pd.testing.assert_frame_equal(table(tmp_path, "lists"), lists, check_exact=True)
            pd.testing.assert_frame_equal(table(tmp_path, "contacts"), contacts, check_exact=True)


# Interruptions, and what changes


class Stop(Exception):
    """Ends a simulation from its report."""


def test_what_is_finished_is_used(first: tuple[Path, Simulated], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(job: Any, seconds: float, done: int, total: int) -> None:
        assert (job.label, total) == (f"partition {done - 1}", 5)
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        run(out, "simulation.partition_size=100", report=stop)
    assert len(opened(out, "simulation.partition_size=100").unfinished()) == 3
    found = run(out, "simulation.partition_size=100")
    assert (found.ran, found.reused) == (3, 3)
    assert_same_folders(out, first[0])
    # With nothing to do no worker is started, and no cluster.
    monkeypatch.setitem(sys.modules, "distributed", None)
    again = run(out, "simulation.partition_size=100", engine="dask")
    assert (again.ran, again.reused) == (0, 6)
    assert_same_folders(out, first[0])


@pytest.mark.parametrize(
    ("change", "afresh"),
    [
        ("name=other", set()),
        ("gate.margin_share=0.5", set()),
        ("simulation.partition_size=251", {"partition"}),
        ("simulation.months=13", {"partition"}),
        ("simulation.policy=random", {"partition"}),
        ("record.events=false", {"partition"}),
        ("record.by=[]", {"partition"}),
        ("campaign.budget_amount=5.0", {"partition"}),
        ("policies.risk_value.kind=churn_risk", {"partition"}),
        ("policies.random.kind=churn_risk", set()),
        ("pilot.size=4001", {"models", "partition"}),
        ("evaluation.horizon_months=25", {"models", "partition"}),
        ("signals.list_delay_days=3.0", {"models", "partition"}),
        ("seed=8", {"models", "partition"}),
        ("market.network.persistence=0.5", {"models", "partition"}),
    ],
)
def test_jobs_that_a_change_makes_anew(change: str, afresh: set[str], first: tuple[Path, Simulated]) -> None:
    assert {job.group for job in opened(first[0], change).unfinished()} == afresh
    assert {job.group for job in opened(first[0], replicate=1).unfinished()} == {"models", "partition"}


def test_without_a_campaign_nothing_but_the_world_counts(tmp_path: Path) -> None:
    plain = ("simulation.policy=null", "record.snapshot=null")
    keys = [[job.key for job in opened(tmp_path, *plain, *more).jobs()] for more in (
        (), ("pilot.size=4001",), ("campaign.budget_amount=5.0",), ("evaluation.horizon_months=25",))]
    assert len(keys[0]) == 1 and all(other == keys[0] for other in keys)


def test_sources_and_input_files_are_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "table.yaml").write_text(MAPPING)
    simulation = open_simulation(load_small(*IMPORTED, folder=tmp_path), tmp_path)
    keys = [job.key for job in simulation.jobs()]
    (tmp_path / "table.csv").write_text(TABLE + "d01,5,30.0,1\n")
    other = [job.key for job in simulation.jobs()]
    monkeypatch.setattr("churnsim.experiment.simulation.surroundings", lambda: {"churnsim": "other sources"})
    assert len({*keys, *other, *(job.key for job in simulation.jobs())}) == 3


def test_files_of_an_earlier_simulation_do_not_stay(first: tuple[Path, Simulated], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(first[0], tmp_path / "copy"))
    found = run(folder, "simulation.policy=null", "record={events: false, latent: false, snapshot: null}",
                "simulation.partition_size=200")
    assert {path.name for path in folder.iterdir()} == {
        "cells", "config.yaml", "dictionary.csv", "provenance.json", "summary.json", "summaries.parquet", "end_state",
        "panel"}
    assert len(list((folder / "end_state").iterdir())) == 3
    assert set(found.summaries["world"].to_pylist()) == {"reference"} and found.metrics == {} and found.note == ""
    # Subscribers, the last month and churn of the year.
    assert found.table_text().count("\n") == 2


def test_the_text_by_hand(first: tuple[Path, Simulated]) -> None:
    _, found = first
    sums = found.summaries.to_pandas().groupby(["world", "month"]).sum(numeric_only=True).loc["policy"]
    m = found.metrics
    rate = sums["decided"].sum() / sums["subscribers"].sum()
    lines = found.table_text().splitlines()
    assert lines[0] == "665 subscribers in 12 months"
    assert lines[2] == (
        f"policy: {sums['subscribers'][11]} active in the last month, {rate:.2%} decide to leave a month, revenue "
        f"{sums['revenue_cents'].sum() / 100:,.0f} USD")
    assert lines[3].startswith("churn of the last year: ")
    assert lines[4] == (
        f"policy risk_value in month 8: {m['targeted']} targeted, {m['reached_in_time']} reached in time, "
        f"{m['accepted']} accepted; net value over 24 months {m['net_value']:,.0f} USD (realised "
        f"{m['net_value_realised']:,.0f})")
    assert lines[5] == found.note and len(lines) == 6


# What cannot be


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file")
    with pytest.raises(ResultsError) as caught:
        run(blocked / "out")
    assert str(caught.value) == (
        f"{blocked / 'out/cells'}: cannot write results (Not a directory); free space or choose another folder with "
        "--out, then run again: finished cells are kept")


def test_a_replicate_below_zero_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        opened(tmp_path, replicate=-1)
    assert str(caught.value) == "replicate: must be at least 0 (got -1)"
    assert list(tmp_path.iterdir()) == []


def test_threads_cannot_share_models(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, engine="threads")
    assert str(caught.value) == (
        "engine threads: the models of a campaign share state within a process; choose processes, serial or dask, or "
        "simulate without simulation.policy")


def test_the_folder_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells.parquet").touch()
    with pytest.raises(ConfigError) as caught:
        opened(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds the results of `churnsim run`; choose another folder for the simulation")


def test_an_unreadable_cell_says_what_to_do(first: tuple[Path, Simulated], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(first[0], tmp_path / "copy"))
    cell = folder / "cells" / opened(folder).jobs()[1].key
    (cell / "arrays.npz").write_bytes(b"torn")
    with pytest.raises(ResultsError) as caught:
        run(folder)
    assert str(caught.value).startswith(f"{cell}: cannot read this cell (")
    assert str(caught.value).endswith("; delete the folder and run again")
