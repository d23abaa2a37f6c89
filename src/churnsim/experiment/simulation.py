"""A long simulation in partitions: months pass, one campaign may fall into them, and files tell what happened.

Partitions know nothing of each other; what a campaign needs is in :mod:`churnsim.experiment.simulated_campaign`,
which is imported when there is one: learners take seconds to load.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.config.digest import digest
from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.core.executor import Engine, open_pool
from churnsim.errors import ConfigError
from churnsim.evaluation.churn_rates import ChurnCounts
from churnsim.experiment.dictionary import dictionary
from churnsim.experiment.load import Loaded
from churnsim.experiment.settings import Experiment
from churnsim.experiment.simulated import Simulated, file_schemas
from churnsim.experiment.store import Cell, Store, writing
from churnsim.experiment.tasks import (
    PLAN_SECTIONS,
    centre_order,
    estimators_read,
    run_cells,
    surroundings,
    world_reads,
)
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.engine import Observer
from churnsim.lifecycle.events import Events
from churnsim.lifecycle.panel import Panel
from churnsim.lifecycle.reasons import add_reasons, reasons_of_leavers
from churnsim.lifecycle.record import Labels, choose_columns, latent_part, state_table
from churnsim.lifecycle.record_settings import Snapshot
from churnsim.lifecycle.summary import Summary, group_sizes
from churnsim.signals.observe import features, listed_rows, observe
from churnsim.signals.quality import repeated_rows

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

    @cached_property
    def labels(self) -> Labels:
        """Names of offers and causes."""
        return self.world().labels

    def world(self) -> World:
        """Return the world, whose market lasts as long as the simulation."""
        return make_world(self.experiment, replicate=self.replicate, folder=self.folder, months=self.months)

    def summary(self, *, start: int = 0) -> Summary:
        """Return an empty summary of the months from `start` on."""
        e = self.experiment
        regions = e.population.traits.regions
        return Summary(e.record.by, group_sizes(e.record.by, regions=regions), causes=len(self.labels.causes),
                       start=start, months=self.months - start)

    def states(self, name: str, base: Subscribers, source_id: npt.NDArray[np.object_] | None = None
               ) -> dict[str, pa.Table]:
        """Return the state at the end as the operator sees it and, if asked for, what only the simulator knows."""
        e = self.experiment
        seen = state_table(base, month=self.months, labels=self.labels, latent=False, source_id=source_id)
        said = reasons_of_leavers(base, month=self.months, settings=e.lifecycle,
                                  key=make_key(seed=e.seed, replicate=self.replicate))
        wanted = e.record.columns
        tables = {name: choose_columns(seen.append_column("stated_reason", said), wanted, base.schema)}
        if e.record.latent:
            whole = state_table(base, month=self.months, labels=self.labels, latent=True)
            tables[f"{name}_latent"] = choose_columns(latent_part(whole, base.schema), wanted, base.schema)
        return tables

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
    reads = {**world_reads(e, simulation.folder), "replicate": simulation.replicate, "code": surroundings()}
    jobs = []
    learns: dict[str, Any] = {}
    if simulation.has_campaign:
        learns = {name: plain[name] for name in (*PLAN_SECTIONS, "evaluation")}
        learns |= {name: plain["campaign"][name] for name in ("offers", "lost_months")}
        learns |= {"order": centre_order(e), "estimators": estimators_read(e, simulation.folder)}
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
        from churnsim.experiment.simulated_campaign import models_cell

        simulation.store.write(job.key, models_cell(simulation.world()))
    else:
        simulation.store.write(job.key, _partition(simulation, job.part, models))
    return time.monotonic() - began


def _partition(simulation: Simulation, part: tuple[int, int], models: str | None) -> Cell:
    """Let the months of a partition pass and keep its totals, its tables and its shortlist."""
    e, world, labels = simulation.experiment, simulation.world(), simulation.labels
    record, months = e.record, simulation.months
    base = world.population(until=months, part=part)
    summary, events, last_year = simulation.summary(), Events(), ChurnCounts(start=months - MONTHS_PER_YEAR)
    panels = {"panel": False} | ({"panel_latent": True} if record.latent else {})
    panel = {name: Panel(record.panel_share, key=world.key, labels=labels, latent=latent)
             for name, latent in panels.items()}
    before_campaign = _At(e.campaign_month, silent_days=e.signals.silent_days,
                          lost_months=e.campaign.lost_months) if simulation.has_campaign else None
    before_snapshot = _At(record.snapshot.month, silent_days=e.signals.silent_days) if record.snapshot else None
    outcome = _Outcome(len(base), record.snapshot) if record.snapshot else None
    observers: list[Observer] = [summary.observe, last_year.observe]
    observers += [events.observe] if record.events else []
    observers += [each.observe for each in panel.values()] if record.panel_share > 0.0 else []
    observers += [at.observe for at in (before_campaign, before_snapshot, outcome) if at is not None]
    world.engine.run([(base, None)], start=0, months=months, observe=_all(observers))
    frames: dict[str, pa.Table | None] = {name: each.table() for name, each in panel.items()}
    if frames.get("panel_latent") is not None:
        frames["panel_latent"] = latent_part(frames["panel_latent"], base.schema)
    if record.end_state:
        frames |= simulation.states("end_state", base, world.source_id(base))
    frames |= {
        "events": add_reasons(events.table(labels), settings=e.lifecycle, key=world.key) if record.events else None,
        "snapshot": _snapshot(world, before_snapshot.base(), base, outcome) if before_snapshot and outcome else None}
    arrays: Arrays = {"totals": summary.totals, "last_year": last_year.totals}
    if before_campaign is not None and models is not None:
        from churnsim.experiment.simulated_campaign import fitted_models, shortlisted

        arrays |= shortlisted(world, before_campaign.base(), fitted_models(simulation.store, models))
    return Cell({"subscribers": len(base)}, arrays,
                {name: table for name, table in frames.items() if table is not None})


def _all(observers: Sequence[Observer]) -> Observer:
    def observe_all(block: Block) -> None:
        for one in observers:
            one(block)

    return observe_all


class _At:
    """Copies the stored columns of those whom the operator counts as active when a month starts.

    An observer of the month before.
    """

    def __init__(self, month: int, *, silent_days: float, lost_months: int = 0) -> None:
        self.month = month
        self.silent_days = silent_days
        self.lost_months = lost_months
        self._parts: list[tuple[int, Subscribers]] = []

    def observe(self, block: Block) -> None:
        if block.month.number == self.month - 1:
            rows = listed_rows(block, month=self.month, silent_days=self.silent_days, lost_months=self.lost_months)
            some = block.some(rows, tuple(column.name for column in block.schema.stored))
            self._parts.append((block.low, Subscribers(block.schema, some.ids, some.columns)))

    def base(self) -> Subscribers:
        return Subscribers.concat([part for _, part in sorted(self._parts, key=lambda item: item[0])])


class _Outcome:
    """Counts what comes of everybody in the months after a snapshot; an observer.

    Attributes
    ----------
    left
        (n,): whether service ended before the outcome months did, coming back or not.
    active_months
        (n,): bills of the outcome months.
    """

    def __init__(self, n: int, wanted: Snapshot) -> None:
        self.start, self.end = wanted.month, wanted.month + wanted.outcome_months
        self.left = np.zeros(n, bool)
        self.active_months = np.zeros(n, np.int16)

    def observe(self, block: Block) -> None:
        """Count one month of one block."""
        month, rows = block.month.number, slice(block.low, block.high)
        if self.start - 1 <= month < self.end:
            # Who left before and is not missed yet: of the month before, whoever is gone when it ends.
            self.left[rows] |= block["departure_time"] <= month + 1
        if self.start <= month < self.end:
            self.active_months[rows] += block["active"]


def _snapshot(world: World, then: Subscribers, now: Subscribers, outcome: _Outcome) -> pa.Table:
    """Return features when a month starts and what came of the subscribers: `left`, and the months active.

    `left` is 1 for service that ended before the outcome months did, even if who left came back; `active_months` the
    bills of these months: 0 of who pays in advance and had left already without being missed. Some rows stand twice
    if the data are to be dirty.
    """
    wanted = world.experiment.record.snapshot
    assert wanted is not None
    seen = features(observe(then, month=wanted.month, settings=world.experiment.signals, key=world.key))
    rows = np.searchsorted(now.ids, then.ids)
    columns: dict[str, Any] = {"subscriber": then.ids, "month": np.full(len(then), wanted.month, np.int16)}
    columns |= {name: seen[name].to_numpy(np.float32) for name in seen.columns}
    columns["left"] = outcome.left[rows].astype(np.int8)
    columns["active_months"] = outcome.active_months[rows]
    twice = repeated_rows(then.ids, month=wanted.month, settings=world.experiment.signals.data_quality, key=world.key)
    return pa.table(columns).take(twice)


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
    last_year = ChurnCounts(start=simulation.months - MONTHS_PER_YEAR)
    for job in parts:
        arrays = store.arrays(job.key, starting=("totals", "last_year"))
        summary.totals += arrays["totals"]
        last_year.totals += arrays["last_year"]
    regions = simulation.experiment.population.traits.regions
    totals = {WORLDS[0]: summary}
    tables: dict[str, pa.Table] = {}
    metrics: dict[str, float] = {}
    note = ""
    if models is not None:
        from churnsim.experiment.simulated_campaign import work_campaign

        worked = work_campaign(simulation, [job.key for job in parts], models)
        policy = simulation.summary()
        policy.totals += summary.totals
        policy.totals[simulation.experiment.campaign_month:] += worked.change
        totals[WORLDS[1]], tables, metrics, note = policy, worked.tables, worked.metrics, worked.note
    # Those with an order are weighed from the campaign month on in their second run: no common expectation.
    known = {WORLDS[0]: None, WORLDS[1]: simulation.experiment.campaign_month}
    worlds = [total.table(simulation.labels, regions=regions, expected_until=known[world])
              for world, total in totals.items()]
    named = [table.add_column(0, "world", pa.array([world] * len(table), pa.string()))
             for world, table in zip(totals, worlds, strict=True)]
    subscribers = sum(store.facts(job.key)["subscribers"] for job in parts)
    e, summaries = simulation.experiment, pa.concat_tables(named)
    folders = tuple(store.folder / job.key for job in parts)
    meanings = dictionary(file_schemas(summaries, folders, tables), schema=simulation.world().engine.schema,
                          labels=simulation.labels)
    return Simulated(e, simulation.replicate, summaries, folders, tables, meanings, metrics, note, last_year.rates(),
                     subscribers, ran, reused)
