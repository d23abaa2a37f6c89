"""The cells of an experiment as a graph, and the running of those that are not finished yet."""

from __future__ import annotations

import importlib.metadata
import platform
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from churnsim.config.digest import digest
from churnsim.core.compiled import source_digest
from churnsim.core.executor import Pool, run_jobs
from churnsim.errors import ConfigError, ResultsError
from churnsim.experiment.load import Loaded
from churnsim.experiment.policy_cells import policy_sections
from churnsim.experiment.settings import Experiment
from churnsim.experiment.store import Store
from churnsim.lifecycle.plugin import driver_digests

STAGES = ("history", "plan", "truth", "accuracy", "policy")
NUMERICAL = ("numpy", "scipy", "pandas", "numba", "scikit-learn", "lightgbm", "causalml", "simpy")
# Sections that each stage reads beyond those of the stages before it.
WORLD_SECTIONS = ("population", "market", "lifecycle", "offers", "currency", "seed")
PLAN_SECTIONS = ("channels", "capacity", "signals", "pilot", "uplift")
_SHARE = ("results must be in a folder that all workers and this process share: name one with --out (in Python: "
          "out=), or run without --scheduler")


@dataclass(frozen=True)
class Task:
    """One cell: a stage of one replicate, or one policy in it.

    Attributes
    ----------
    key
        Digest of everything the cell depends on.
    needs
        Keys of the cells it reads, in the order its stage takes them.
    """

    key: str
    stage: str
    scenario: str
    replicate: int
    policy: str | None
    needs: tuple[str, ...]
    experiment: Experiment
    folder: Path

    @property
    def group(self) -> str:
        """What the task is one of, for progress."""
        return self.stage if self.policy is None else f"policy {self.policy}"

    @property
    def label(self) -> str:
        """What the task is, for progress and messages."""
        where = "" if self.scenario == "base" else f", scenario {self.scenario}"
        return f"{self.group}, replicate {self.replicate}{where}"


def versions() -> dict[str, str]:
    """Return the versions that results may depend on."""
    found = {name: importlib.metadata.version(name) for name in NUMERICAL}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


@cache
def surroundings() -> dict[str, str]:
    """Return the sources and versions that every cell depends on."""
    return {"churnsim": source_digest()[:16], **versions()}


def make_tasks(loaded: Loaded) -> list[list[Task]]:
    """Return the tasks of each scenario; equal cells of several scenarios have equal keys."""
    return [list(_scenario_tasks(name, experiment, loaded.folder))
            for name, experiment in loaded.scenarios.items()]


def _scenario_tasks(scenario: str, e: Experiment, folder: Path) -> Iterator[Task]:
    plain = e.plain()
    world = world_reads(e, folder)
    planning = {name: plain[name] for name in PLAN_SECTIONS} | {
        "estimators": estimators_read(e, folder), "order": [list(e.uplift.learners), centre_order(e)]}
    evaluation = plain["evaluation"]
    campaign = {name: plain["campaign"][name] for name in ("offers", "channels", "lost_months", "limits")}
    # A subscriber belongs to the first segment that fits.
    campaign["segments"] = list(e.campaign.limits.segments)
    listed = {"silent_days": plain["signals"]["silent_days"], "lost_months": plain["campaign"]["lost_months"]}

    def key(stage: str, replicate: int, needs: tuple[str, ...], reads: Mapping[str, Any]) -> str:
        return digest({"stage": stage, "replicate": replicate, "needs": needs, "reads": reads,
                       "code": surroundings()})

    for replicate in range(e.replicates):
        first = key("history", replicate, (), {**world, "listed": listed})
        yield Task(first, "history", scenario, replicate, None, (), e, folder)
        reads = {"planning": planning, "evaluation": evaluation, "campaign": campaign}
        knows = key("plan", replicate, (first,), reads)
        yield Task(knows, "plan", scenario, replicate, None, (first,), e, folder)
        judge = key("truth", replicate, (first,), {k: v for k, v in reads.items() if k != "planning"} | {
            "planning": {name: plain[name] for name in ("channels", "capacity", "signals")},
            "tickets": plain["campaign"]["tickets"], "order": centre_order(e),
            **({"pilot": plain["pilot"]} if e.pilot.holdout_share else {})})
        yield Task(judge, "truth", scenario, replicate, None, (first,), e, folder)
        needs = (first, knows, judge)
        judged = key("accuracy", replicate, needs, {"budget_amount": plain["campaign"]["budget_amount"]})
        yield Task(judged, "accuracy", scenario, replicate, None, needs, e, folder)
        for name in e.policies:
            own = key("policy", replicate, needs, policy_sections(e, name, folder))
            yield Task(own, "policy", scenario, replicate, name, needs, e, folder)


def centre_order(e: Experiment) -> list[list[str]]:
    """Return the order of what a contact centre takes in turn: callers of earlier streams go first."""
    return [list(e.channels), list(e.capacity.teams), list(e.capacity.inbound)]


def world_reads(e: Experiment, folder: Path) -> dict[str, Any]:
    """Return what a world depends on: sections, the order of what has codes by place, and the files it reads."""
    plain = e.plain()
    order = {"offers": list(e.offers), "causes": list(e.lifecycle.causes), "drivers": list(e.lifecycle.drivers)}
    return {**{name: plain[name] for name in WORLD_SECTIONS}, "order": order, "inputs": input_digests(e, folder)}


def input_digests(e: Experiment, folder: Path) -> dict[str, str]:
    """Return the sha256 of every input file: the operator's table and its mapping, the modules of further drivers."""
    import hashlib

    found = {f"lifecycle.drivers.{name}": sha for name, sha in driver_digests(e.lifecycle.drivers, folder).items()}
    if e.population.table is None:
        return found
    for field in ("path", "mapping"):
        path = folder / getattr(e.population.table, field)
        try:
            found[field] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"population.table.{field}: cannot read {path} ({error.strerror}); correct the "
                              "path, which is relative to the experiment file") from error
    return found


def estimators_read(e: Experiment, folder: Path) -> dict[str, str]:
    """Return the sha256 of the module of every learner's own estimator, by the learner's name."""
    if not any(learner.estimator for learner in e.uplift.learners.values()):
        return {}
    from churnsim.uplift.estimators import estimator_digests

    return estimator_digests(e.uplift.learners, folder)


def run_task(task: Task, store: Store) -> float:
    """Compute and store one cell; return the seconds it took."""
    # Stages import the models, which takes seconds; a run with nothing to do need not.
    from churnsim.experiment import stages
    from churnsim.experiment.accuracy import accuracy
    from churnsim.experiment.world import make_world

    began = time.monotonic()
    cells = [store.read(key) for key in task.needs]
    with threadpool_limits(1):
        world = make_world(task.experiment, replicate=task.replicate, folder=task.folder)
        if task.stage == "accuracy":
            cell = accuracy(world, *cells)
        elif task.policy is None:
            cell = getattr(stages, task.stage)(world, *cells)
        else:
            cell = stages.policy(world, task.policy, *cells)
    store.write(task.key, cell)
    return time.monotonic() - began


Report = Callable[[Task, float, int, int], None]


def run_tasks(tasks: list[Task], store: Store, *, pool: AbstractContextManager[Pool],
              report: Report) -> tuple[int, int]:
    """Run every task whose cell is not finished; return how many ran and how many were there already.

    Parameters
    ----------
    pool
        From :func:`churnsim.core.executor.open_pool`; opened if there is something to run.
    report
        Called after each cell with the task, its seconds, cells done and cells to do.
    """
    wanted = {task.key: task for task in tasks}
    open_tasks = {key: task for key, task in wanted.items() if not store.has(key)}
    if open_tasks:
        with pool as workers:
            _run_open(open_tasks, store, workers, report)
    return len(open_tasks), len(wanted) - len(open_tasks)


def _run_open(open_tasks: dict[str, Task], store: Store, pool: Pool, report: Report) -> None:
    jobs = {key: partial(run_task, replace(task, folder=task.folder.absolute()), store)
            for key, task in open_tasks.items()}
    finished = run_cells(pool, jobs, store=store, needs={key: task.needs for key, task in open_tasks.items()},
                         label=lambda key: open_tasks[key].label)
    for done, (key, seconds) in enumerate(finished, start=1):
        report(open_tasks[key], seconds, done, len(open_tasks))


def run_cells(pool: Pool, jobs: Mapping[str, Callable[[], float]], *, store: Store,
              needs: Mapping[str, Collection[str]], label: Callable[[str], str]) -> Iterator[tuple[str, float]]:
    """Run jobs that write cells, wherever the workers are; yield key and seconds of each finished cell.

    Parameters
    ----------
    jobs
        By the key of its cell, a function that computes the cell, writes it to `store` and returns the
        seconds it took. Paths in it are absolute.
    store
        Where the cells are for this process and all workers.
    needs
        By key, the keys of the cells that a job reads.
    label
        Names a job in messages.

    Raises
    ------
    ConfigError
        A worker has other sources or versions than this process, for which the keys stand.
    ResultsError
        A worker does not share the store, or is lost again and again.
    """
    there = {key: partial(compute_there, job, key, needs.get(key, ()), store, surroundings())
             for key, job in jobs.items()}
    for key, seconds in run_jobs(pool, there, needs=needs, label=label):
        if not store.appears(key):
            raise ResultsError(f"{store.folder}: the cell of {label(key)} was computed and is not here; {_SHARE}")
        yield key, seconds


def compute_there(compute: Callable[[], float], key: str, needs: Collection[str], store: Store,
                  expected: Mapping[str, str]) -> float:
    """Compute a cell on a worker, unless it is there; refuse if it would not be the cell the key stands for."""
    here = surroundings()
    if here != expected:
        other = ", ".join(f"{name} {here.get(name)} (expected {value})" for name, value in expected.items()
                          if here.get(name) != value)
        raise ConfigError(f"worker on {socket.gethostname()}: has {other}; install there what the main process has "
                          "and start the workers again, or, if sources were edited during the run, run again")
    if not store.folder.is_dir() or not all(map(store.appears, needs)):
        raise ResultsError(f"{store.folder}: the worker on {socket.gethostname()} does not see what is in this "
                           f"folder; {_SHARE}")
    return 0.0 if store.has(key) else compute()
