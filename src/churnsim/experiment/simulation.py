"""A long simulation in partitions: months pass, one campaign may fall into them, and files tell what happened.

Partitions know nothing of each other. A campaign couples subscribers by budget and staff alone: each partition
sends the shortlist that could be on the campaign's list, the list is made and worked in one place, and those with
an order are stepped again from the campaign month, with and without it.

What a campaign needs is imported when there is one: learners take seconds to load.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.config.digest import digest
from churnsim.core.columns import Subscribers
from churnsim.core.executor import Engine, open_pool, processors
from churnsim.errors import ConfigError
from churnsim.evaluation.ledger import Bookkeeper, ledger_frame
from churnsim.experiment.load import Loaded
from churnsim.experiment.settings import Experiment
from churnsim.experiment.simulated import Simulated
from churnsim.experiment.store import Cell, Store, writing
from churnsim.experiment.tasks import PLAN_SECTIONS, WORLD_SECTIONS, input_digests, run_cells, surroundings
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.engine import Observer
from churnsim.lifecycle.record import Events, Labels, Panel, Summary, group_sizes, latent_part, state_table
from churnsim.policy.plan import ROWS, Plan
from churnsim.policy.policies import choose, shortlist
from churnsim.policy.settings import PolicySettings
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import active_rows, features, observe

if TYPE_CHECKING:
    from churnsim.uplift.models import Models

Arrays = dict[str, npt.NDArray[Any]]
WORLDS = ("reference", "policy")
MODELS = "models"


@dataclass(frozen=True)
class Simulation:
    """What is simulated; travels to workers.

    Attributes
    ----------
    folder
        Folder that paths in the experiment are relative to.
    """

    experiment: Experiment
    replicate: int
    folder: Path
    store: Store

    @property
    def months(self) -> int:
        """Months that pass."""
        return self.experiment.simulation.months

    @property
    def has_campaign(self) -> bool:
        """Whether a list is worked in the campaign month."""
        return self.experiment.simulation.policy is not None

    @property
    def labels(self) -> Labels:
        """Names of offers and causes."""
        return Labels(tuple(self.experiment.offers), tuple(self.experiment.lifecycle.causes))

    def world(self) -> World:
        """Return the world, whose market lasts as long as the simulation."""
        return make_world(self.experiment, replicate=self.replicate, folder=self.folder, months=self.months)

    def summary(self, *, start: int = 0) -> Summary:
        """Return an empty summary of the months from `start` on."""
        e = self.experiment
        regions = e.population.traits.regions
        return Summary(e.record.by, group_sizes(e.record.by, regions=regions), causes=len(e.lifecycle.causes),
                       start=start, months=self.months - start)

    def jobs(self) -> list[Job]:
        """Return the jobs, the models of the campaign first; a job's key tells all its cell depends on."""
        return _make_jobs(self)

    def unfinished(self) -> list[Job]:
        """Return the jobs whose cells are not finished."""
        return [job for job in self.jobs() if not self.store.has(job.key)]


@dataclass(frozen=True)
class Job:
    """One cell of a simulation: the models of its campaign, or a partition.

    Attributes
    ----------
    part
        Rows [low, high) of the start's subscribers; None: the models.
    """

    key: str
    number: int
    part: tuple[int, int] | None

    @property
    def group(self) -> str:
        """What the job is one of, for progress."""
        return MODELS if self.part is None else "partition"

    @property
    def label(self) -> str:
        """What the job is, for progress and messages."""
        return "models of the campaign" if self.part is None else f"partition {self.number}"


def _make_jobs(simulation: Simulation) -> list[Job]:
    e = simulation.experiment
    plain = e.plain()
    reads: dict[str, Any] = {name: plain[name] for name in WORLD_SECTIONS}
    reads |= {"inputs": input_digests(e, simulation.folder), "replicate": simulation.replicate,
              "code": surroundings()}
    jobs = []
    learns: dict[str, Any] = {}
    if simulation.has_campaign:
        learns = {name: plain[name] for name in (*PLAN_SECTIONS, "evaluation")}
        jobs.append(Job(digest({"stage": MODELS, "reads": reads, "learns": learns}), 0, None))
        learns |= {"campaign": plain["campaign"], "policy": plain["policies"][e.simulation.policy]}
    reads |= {"record": plain["record"], "signals": plain["signals"], "months": e.simulation.months}
    n = _subscribers(simulation)
    size = e.simulation.partition_size
    for number, low in enumerate(range(0, max(n, 1), size)):
        part = (low, min(low + size, n))
        jobs.append(Job(digest({"stage": "partition", "reads": reads, "learns": learns, "part": part, "of": n}),
                        number, part))
    return jobs


def _subscribers(simulation: Simulation) -> int:
    size = simulation.experiment.population.size
    if simulation.experiment.population.table is None:
        assert size is not None
        return size
    table = simulation.world().table()
    assert table is not None
    return len(table.ids)


def run_job(simulation: Simulation, job: Job, models: str | None) -> float:
    """Compute and store one cell; return the seconds it took. Runs in a worker or in this process."""
    began = time.monotonic()
    if job.part is None:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        from churnsim.experiment.stages import fit_models

        with threadpool_limits(1):
            fitted = fit_models(simulation.world())
        packed = np.frombuffer(pickle.dumps(fitted), np.uint8)
        simulation.store.write(job.key, Cell(arrays={MODELS: packed}, frames={"pilot": fitted.report}))
    else:
        simulation.store.write(job.key, _partition(simulation, job.part, models))
    return time.monotonic() - began


def _partition(simulation: Simulation, part: tuple[int, int], models: str | None) -> Cell:
    """Let the months of a partition pass and keep its totals, its tables and its shortlist."""
    e, world, labels = simulation.experiment, simulation.world(), simulation.labels
    record, months = e.record, simulation.months
    base = world.population(until=months, part=part)
    summary, events = simulation.summary(), Events()
    panels = {"panel": False} | ({"panel_latent": True} if record.latent else {})
    panel = {name: Panel(record.panel_share, key=world.key, labels=labels, latent=latent)
             for name, latent in panels.items()}
    before_campaign = _At(e.campaign_month) if simulation.has_campaign else None
    before_snapshot = _At(record.snapshot.month) if record.snapshot else None
    observers: list[Observer] = [summary.observe]
    observers += [events.observe] if record.events else []
    observers += [each.observe for each in panel.values()] if record.panel_share > 0.0 else []
    observers += [at.observe for at in (before_campaign, before_snapshot) if at is not None]
    world.engine.run([(base, None)], start=0, months=months, observe=_all(observers))
    frames: dict[str, pa.Table | None] = {name: _own_part(name, each.table()) for name, each in panel.items()}
    if record.end_state:
        frames |= _states("end_state", simulation, base, source_id=world.source_id(base))
    frames |= {
        "events": events.table(labels) if record.events else None,
        "snapshot": _snapshot(world, before_snapshot.base(), base) if before_snapshot else None}
    arrays: Arrays = {"totals": summary.totals}
    if before_campaign is not None and models is not None:
        arrays |= _shortlisted(simulation, world, before_campaign.base(), models)
    return Cell({"subscribers": len(base)}, arrays,
                {name: table for name, table in frames.items() if table is not None})


def _states(name: str, simulation: Simulation, base: Subscribers,
            source_id: npt.NDArray[np.object_] | None = None) -> dict[str, pa.Table]:
    """Return the state at the end as the operator sees it, and apart what only the simulator knows, if asked for."""
    month, labels = simulation.months, simulation.labels
    tables = {name: state_table(base, month=month, labels=labels, latent=False, source_id=source_id)}
    if simulation.experiment.record.latent:
        tables[f"{name}_latent"] = latent_part(state_table(base, month=month, labels=labels, latent=True))
    return tables


def _own_part(name: str, table: pa.Table | None) -> pa.Table | None:
    return latent_part(table) if table is not None and name.endswith("_latent") else table


def _all(observers: Sequence[Observer]) -> Observer:
    def observe_all(block: Block) -> None:
        for one in observers:
            one(block)

    return observe_all


class _At:
    """Copies the stored columns of those on the network when a month starts, as an observer of the month before."""

    def __init__(self, month: int) -> None:
        self.month = month
        self._parts: list[tuple[int, Subscribers]] = []

    def observe(self, block: Block) -> None:
        if block.month.number == self.month - 1:
            some = block.some(active_rows(block, month=self.month), tuple(SCHEMA))
            self._parts.append((block.low, Subscribers(SCHEMA, some.ids, some.columns)))

    def base(self) -> Subscribers:
        return Subscribers.concat([part for _, part in sorted(self._parts, key=lambda item: item[0])])


def _snapshot(world: World, then: Subscribers, now: Subscribers) -> pa.Table:
    """Return features when a month starts and what came of the subscribers: `left`, and the months active.

    `left` is 1 for service that ended within the outcome months, `active_months` the bills of these months.
    """
    wanted = world.experiment.record.snapshot
    assert wanted is not None
    month, window = wanted.month, wanted.outcome_months
    seen = features(observe(then, month=month, settings=world.experiment.signals, key=world.key))
    rows = np.searchsorted(now.ids, then.ids)
    departure = now["departure_time"][rows]
    columns: dict[str, Any] = {"subscriber": then.ids, "month": np.full(len(then), month, np.int16)}
    columns |= {name: seen[name].to_numpy(np.float32) for name in seen.columns}
    columns["left"] = (departure <= month + window).astype(np.int8)
    columns["active_months"] = np.clip(np.ceil(departure - month), 0, window).astype(np.int16)
    return pa.table(columns)


def _shortlisted(simulation: Simulation, world: World, base: Subscribers, models: str) -> Arrays:
    """Return the partition's shortlist: its part of the plan, and the subscribers as the campaign month starts."""
    from churnsim.experiment.stages import make_plan

    e = simulation.experiment
    assert e.simulation.policy is not None
    fitted = pickle.loads(simulation.store.arrays(models)[MODELS].tobytes())
    settings = e.policies[e.simulation.policy]
    plan = make_plan(world, fitted, base, learners=(settings.learner,) if settings.learner else ())
    rows = shortlist(settings, plan, budget=e.campaign.budget_amount, key=world.key)
    short, some = plan.take(rows), base.take(rows)
    assert short.listable is not None
    arrays: Arrays = {"listable": np.array(short.listable)}
    arrays |= {f"plan.{name}": getattr(short, name) for name in ROWS}
    arrays |= {f"months.{name}": values for name, values in short.months.items()}
    arrays |= {f"base.{name}": some[name] for name in SCHEMA}
    return arrays


Report = Callable[[Job, float, int, int], None]


def open_simulation(loaded: Loaded, out: Path, *, replicate: int = 0) -> Simulation:
    """Return the simulation of an experiment whose cells are kept in the folder `out`.

    Raises
    ------
    ConfigError
        `replicate` is below 0, or the folder holds the results of a run.
    """
    if replicate < 0:
        raise ConfigError(f"replicate: must be at least 0 (got {replicate})")
    if (out / "cells.parquet").exists():
        raise ConfigError(f"{out}: holds the results of `churnsim run`; choose another folder for the simulation")
    return Simulation(loaded.experiment, replicate, loaded.folder.absolute(), Store(out.absolute()))


def simulate(simulation: Simulation, *, engine: Engine | None = None, workers: int | None = None,
             scheduler: str | None = None, report: Report | None = None) -> Simulated:
    """Let the months pass, partition by partition; finished cells are used.

    Parameters
    ----------
    engine, workers, scheduler
        See :func:`churnsim.core.executor.open_pool`; None: processes, as many as processors. Results do not
        depend on them.
    report
        Called after each cell with the job, its seconds, cells done and cells to do.

    Raises
    ------
    ConfigError, DataError, ResultsError
        The engine cannot be had; the operator's table cannot be used; results cannot be written.
    """
    if engine == "threads" and simulation.has_campaign:
        raise ConfigError("engine threads: the models of a campaign share state within a process; choose processes, "
                          "serial or dask, or simulate without simulation.policy")
    store, jobs = simulation.store, simulation.jobs()
    with writing(store.folder / ".new"):
        store.folder.mkdir(parents=True, exist_ok=True)
    store.sweep()
    todo = {job.key: job for job in simulation.unfinished()}
    models = jobs[0].key if jobs[0].part is None else None
    needs = {key: [models] for key in todo if models is not None and key != models}
    workplace = open_pool(engine or ("dask" if scheduler else "processes"), workers=workers, scheduler=scheduler)
    if todo:
        with workplace as pool:
            done = run_cells(pool, {key: partial(run_job, simulation, job, models) for key, job in todo.items()},
                             store=store, needs=needs, label=lambda key: todo[key].label)
            for count, (key, seconds) in enumerate(done, start=1):
                if report is not None:
                    report(todo[key], seconds, count, len(todo))
    parts = [job for job in jobs if job.part is not None]
    return _collect(simulation, parts, models, ran=len(todo), reused=len(jobs) - len(todo))


def _collect(simulation: Simulation, parts: list[Job], models: str | None, *, ran: int, reused: int) -> Simulated:
    store = simulation.store
    summary = simulation.summary()
    for job in parts:
        summary.totals += store.arrays(job.key)["totals"]
    regions = simulation.experiment.population.traits.regions
    totals = {WORLDS[0]: summary}
    tables: dict[str, pa.Table] = {}
    metrics: dict[str, float] = {}
    note = ""
    if models is not None:
        totals[WORLDS[1]], tables, metrics, note = _campaign(simulation, parts, models, summary)
    # Those with an order are weighed from the campaign month on in their second run: no common expectation.
    known = {WORLDS[0]: None, WORLDS[1]: simulation.experiment.campaign_month}
    worlds = [total.table(simulation.labels, regions=regions, expected_until=known[world])
              for world, total in totals.items()]
    named = [table.add_column(0, "world", pa.array([world] * len(table), pa.string()))
             for world, table in zip(totals, worlds, strict=True)]
    subscribers = sum(store.facts(job.key)["subscribers"] for job in parts)
    e = simulation.experiment
    return Simulated(e, simulation.replicate, pa.concat_tables(named),
                     tuple(store.folder / job.key for job in parts), tables, metrics, note, subscribers, ran, reused)


def _campaign(simulation: Simulation, parts: list[Job], models: str, reference: Summary
              ) -> tuple[Summary, dict[str, pa.Table], dict[str, float], str]:
    """Make and work the list, step those with an order again, and add up what that changed."""
    from churnsim.experiment.stages import campaign_metrics, resolve, work_list

    e, world = simulation.experiment, simulation.world()
    assert e.simulation.policy is not None
    settings = e.policies[e.simulation.policy]
    fitted = pickle.loads(simulation.store.arrays(models)[MODELS].tobytes())
    plan, base = _whole_shortlist(simulation, parts, world, settings, fitted)
    choice = choose(settings, plan, budget=e.campaign.budget_amount, key=world.key)
    wave = work_list(world, settings, plan, choice, base)
    touched = base.take(wave.touched)
    books, in_time = resolve(world, touched, wave, threads=processors())
    metrics, _ = campaign_metrics(choice, books, wave, in_time)
    start = e.campaign_month
    without, treated = touched.copy(), touched.copy()
    changed = [simulation.summary(start=start) for _ in WORLDS]
    events = Events()

    def watch(block: Block) -> None:
        changed[block.arm].observe(block)
        if e.record.events and block.arm == 1:
            events.observe(block)

    world.engine.run([(without, None), (treated, wave.treatment)], start=start, months=simulation.months - start,
                     observe=watch, threads=processors())
    policy = simulation.summary()
    policy.totals += reference.totals
    policy.totals[start:] += changed[1].totals - changed[0].totals
    tables = {"ledger": _ledger(touched, books), "contacts": pa.Table.from_pandas(wave.log.attempts.to_pandas()),
              "lists": _lists(plan, choice.arm, choice.priority), **_states("treated", simulation, treated)}
    if e.record.events:
        tables["treated_events"] = events.table(simulation.labels)
    return policy, tables, metrics, choice.note


def _whole_shortlist(simulation: Simulation, parts: list[Job], world: World, settings: PolicySettings, fitted: Models
                     ) -> tuple[Plan, Subscribers]:
    """Return the shortlist of all partitions, by id as in one partition: ties are broken by place.

    Partitions are added one by one, so that no more is kept than the budget buys and one partition.
    """
    budget = simulation.experiment.campaign.budget_amount
    whole: tuple[Plan, Subscribers] | None = None
    for arrays in (simulation.store.arrays(job.key) for job in parts):
        columns = {name: arrays[f"plan.{name}"] for name in ROWS}
        months = {name.removeprefix("months."): values for name, values in arrays.items()
                  if name.startswith("months.")}
        plan = Plan(arms=world.arms(), **columns, months=months, best=fitted.best,
                    pilot_channel=simulation.experiment.pilot.channel, listable=tuple(arrays["listable"].tolist()))
        base = Subscribers(SCHEMA, columns["ids"], {name: arrays[f"base.{name}"] for name in SCHEMA})
        if whole is not None:
            plan, base = Plan.concat([whole[0], plan]), Subscribers.concat([whole[1], base])
        order = np.argsort(plan.ids)
        rows = order[shortlist(settings, plan.take(order), budget=budget, key=world.key)]
        whole = plan.take(rows), base.take(rows)
    assert whole is not None
    return whole


def _ledger(touched: Subscribers, books: Bookkeeper) -> pa.Table:
    return pa.Table.from_pandas(ledger_frame(touched.ids, *books.worlds), preserve_index=False)


def _lists(plan: Plan, arm: npt.NDArray[np.int64], priority: npt.NDArray[np.float64]) -> pa.Table:
    """Return the list: who was to be given what."""
    rows = np.flatnonzero(arm >= 0)
    names = [known.name for known in plan.arms]
    chosen = pa.DictionaryArray.from_arrays(pa.array(arm[rows].astype(np.int16)), pa.array(names))
    return pa.table({"subscriber": plan.ids[rows], "arm": chosen, "risk": plan.risk[rows],
                     "priority": priority[rows], "planned_cost_amount": plan.planned_cost[rows, arm[rows]]})
