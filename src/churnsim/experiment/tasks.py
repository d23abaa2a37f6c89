"""The cells of an experiment as a graph, and the running of those that are not finished yet."""

from __future__ import annotations

import importlib.metadata
import multiprocessing
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from churnsim.config.digest import digest
from churnsim.core.compiled import source_digest
from churnsim.errors import ConfigError, ResultsError
from churnsim.experiment.load import Loaded
from churnsim.experiment.settings import Experiment, policy_sections
from churnsim.experiment.store import Store

STAGES = ("history", "plan", "truth", "policy")
NUMERICAL = ("numpy", "scipy", "pandas", "numba", "scikit-learn", "lightgbm", "causalml", "simpy")
# Sections that each stage reads beyond those of the stages before it.
WORLD_SECTIONS = ("population", "market", "lifecycle", "offers", "currency", "seed")
PLAN_SECTIONS = ("channels", "capacity", "signals", "pilot", "uplift")


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
    def label(self) -> str:
        """What the task is, for progress and messages."""
        what = self.stage if self.policy is None else f"policy {self.policy}"
        where = "" if self.scenario == "base" else f", scenario {self.scenario}"
        return f"{what}, replicate {self.replicate}{where}"


def versions() -> dict[str, str]:
    """Return the versions that results may depend on."""
    found = {name: importlib.metadata.version(name) for name in NUMERICAL}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


@cache
def _surroundings() -> str:
    return digest({"sources": source_digest(), "versions": versions()})


def make_tasks(loaded: Loaded) -> list[list[Task]]:
    """Return the tasks of each scenario; equal cells of several scenarios have equal keys."""
    return [list(_scenario_tasks(name, experiment, loaded.folder))
            for name, experiment in loaded.scenarios.items()]


def _scenario_tasks(scenario: str, e: Experiment, folder: Path) -> Iterator[Task]:
    plain = e.plain()
    inputs = _input_digests(e, folder)
    world = {name: plain[name] for name in WORLD_SECTIONS}
    planning = {name: plain[name] for name in PLAN_SECTIONS}
    evaluation, channels = plain["evaluation"], plain["campaign"]["channels"]

    def key(stage: str, replicate: int, needs: tuple[str, ...], reads: Mapping[str, Any]) -> str:
        return digest({"stage": stage, "replicate": replicate, "needs": needs, "reads": reads,
                       "code": _surroundings()})

    for replicate in range(e.replicates):
        first = key("history", replicate, (), {"world": world, "inputs": inputs})
        yield Task(first, "history", scenario, replicate, None, (), e, folder)
        reads = {"planning": planning, "evaluation": evaluation, "channels": channels}
        knows = key("plan", replicate, (first,), reads)
        yield Task(knows, "plan", scenario, replicate, None, (first,), e, folder)
        judge = key("truth", replicate, (first,), {k: v for k, v in reads.items() if k != "planning"} | {
            "planning": {name: plain[name] for name in ("channels", "capacity", "signals")}})
        yield Task(judge, "truth", scenario, replicate, None, (first,), e, folder)
        for name in e.policies:
            needs = (first, knows, judge)
            own = key("policy", replicate, needs, policy_sections(e, name))
            yield Task(own, "policy", scenario, replicate, name, needs, e, folder)


def _input_digests(e: Experiment, folder: Path) -> dict[str, str]:
    """Return the sha256 of every input file."""
    import hashlib

    if e.population.table is None:
        return {}
    found = {}
    for field in ("path", "mapping"):
        path = folder / getattr(e.population.table, field)
        try:
            found[field] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"population.table.{field}: cannot read {path} ({error.strerror}); correct the "
                              "path, which is relative to the experiment file") from error
    return found


def run_task(task: Task, store: Store) -> float:
    """Compute and store one cell; return the seconds it took. Runs in a worker or in this process."""
    # Stages import the models, which takes seconds; a run with nothing to do need not.
    from churnsim.experiment import stages
    from churnsim.experiment.world import make_world

    began = time.monotonic()
    cells = [store.read(key) for key in task.needs]
    with threadpool_limits(1):
        world = make_world(task.experiment, replicate=task.replicate, folder=task.folder)
        if task.policy is None:
            cell = getattr(stages, task.stage)(world, *cells)
        else:
            cell = stages.policy(world, task.policy, *cells)
    store.write(task.key, cell)
    return time.monotonic() - began


Report = Callable[[Task, float, int, int], None]


def run_tasks(tasks: list[Task], store: Store, *, jobs: int, report: Report) -> tuple[int, int]:
    """Run every task whose cell is not finished; return how many ran and how many were there already.

    Parameters
    ----------
    jobs
        1: in this process. More: that many spawned worker processes. Results do not depend on it.
    report
        Called after each cell with the task, its seconds, cells done and cells to do.
    """
    wanted = {task.key: task for task in tasks}
    open_tasks = {key: task for key, task in wanted.items() if not store.has(key)}
    if jobs == 1:
        for count, task in enumerate(open_tasks.values(), start=1):
            report(task, run_task(task, store), count, len(open_tasks))
    elif open_tasks:
        _run_parallel(open_tasks, store, jobs, report)
    return len(open_tasks), len(wanted) - len(open_tasks)


def _run_parallel(open_tasks: dict[str, Task], store: Store, jobs: int, report: Report) -> None:
    # BLAS and OpenMP read this when they are loaded: busy libraries on few cores stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(min(jobs, len(open_tasks)), mp_context=multiprocessing.get_context("spawn"),
                               initializer=_follow_main_process)
    others = multiprocessing.active_children()
    try:
        _drain(open_tasks, store, pool, report)
    except KeyboardInterrupt:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        raise
    except BrokenProcessPool as error:
        raise ResultsError("a worker process died (killed, or out of memory); finished cells are kept: run "
                           "again, with fewer --jobs if memory is short") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _follow_main_process() -> None:
    """Leave Ctrl-C to the main process, and end when it does: a killed one cannot tell its workers."""
    main = multiprocessing.parent_process()
    assert main is not None

    def follow() -> None:
        main.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow, daemon=True).start()


def _drain(open_tasks: dict[str, Task], store: Store, pool: Executor, report: Report) -> None:
    waiting = dict(open_tasks)
    running: dict[Future[float], Task] = {}
    done = 0
    while waiting or running:
        unfinished = set(waiting) | {task.key for task in running.values()}
        for key in [k for k, task in waiting.items() if not unfinished.intersection(task.needs)]:
            task = waiting.pop(key)
            running[pool.submit(run_task, task, store)] = task
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            task = running.pop(future)
            done += 1
            report(task, future.result(), done, len(open_tasks))
