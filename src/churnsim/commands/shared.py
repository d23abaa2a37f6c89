"""What several commands share: options, loading, and cells with progress."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnsim.console import Progress, note

if TYPE_CHECKING:
    from churnsim.core.executor import Engine
    from churnsim.experiment.load import Loaded
    from churnsim.experiment.run import Result

EXPERIMENT = click.argument("experiment", metavar="EXP", type=click.Path(path_type=Path))
SET = click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
                   help="Lay a value over the file, such as seed=2 or population.size=10000. May be repeated.")
OUT = click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
                   help="Results folder; finished cells in it are used. [default: results/NAME]")
JOBS = click.option("--jobs", "-j", metavar="N", type=click.IntRange(min=1),
                    help="Workers. Results do not depend on it.  [default: number of processors]")
ENGINE = click.option("--engine", type=click.Choice(["serial", "processes", "dask"]),
                      help="Where workers run: in this process, in processes of their own or on Dask. Results do not "
                           "depend on it.  [default: serial for one job, else processes]")
SCHEDULER = click.option("--scheduler", metavar="ADDRESS",
                         help="Scheduler of a running Dask cluster, such as tcp://10.0.0.1:8786, which must see the "
                              "results folder.  [default: a cluster on this machine]")
QUIET = click.option("--quiet", is_flag=True, help="No progress, no notes.")
FILE = click.Path(dir_okay=False, path_type=Path)


def load_experiment(path: Path, overrides: Sequence[str]) -> Loaded:
    """Load an experiment file with the values of --set over it."""
    # Before numpy is loaded: the learners' threads and the processes of --jobs stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from churnsim.experiment.load import load

    return load(path, overrides=overrides)


def default_out(loaded: Loaded) -> Path:
    """Return the results folder of an experiment when none is named."""
    return Path("results") / loaded.experiment.name


def run_cells(loaded: Loaded, folder: Path, *, jobs: int | None, engine: Engine | None, scheduler: str | None,
              quiet: bool) -> Result:
    """Run the cells that are not finished, with progress unless `quiet`; an interrupted run goes on from there."""
    from churnsim.core.executor import processors
    from churnsim.experiment.run import run as run_experiment
    from churnsim.experiment.store import Store
    from churnsim.experiment.tasks import make_tasks

    store = Store(folder)
    to_run = {task.key: task for tasks in make_tasks(loaded) for task in tasks if not store.has(task.key)}
    progress = None if quiet else Progress(list(to_run.values()))
    try:
        result = run_experiment(loaded, out=folder, jobs=jobs or (None if engine or scheduler else processors()),
                                engine=engine, scheduler=scheduler, report=progress.finished if progress else None)
    except KeyboardInterrupt:
        note(f"\ninterrupted: finished cells are kept in {folder}; the same command goes on from there")
        raise
    finally:
        if progress:
            progress.close()
    if not quiet:
        note(f"ran {result.ran} cells, reused {result.reused}")
    return result
