"""Synthetic subscribers as data: one table, or a folder of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnsim.commands.shared import EXPERIMENT, FILE, JOBS, QUIET, SCHEDULER, SET, default_out, load_experiment
from churnsim.console import FORMATS, Progress, note, require_formats, show, table_format, write_table
from churnsim.errors import ConfigError

if TYPE_CHECKING:
    from churnsim.core.executor import Engine
    from churnsim.experiment.load import Loaded

SIMULATION_ENGINE = click.option(
    "--engine", type=click.Choice(["serial", "threads", "processes", "dask"]),
    help="Where partitions are simulated. Results do not depend on it.  [default: processes]")


@click.command()
@EXPERIMENT
@click.option("--months", metavar="N", type=int, help="Months that pass, from the start. [default: simulation.months]")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="Folder to write; finished partitions in it are used. A name in .parquet, .csv, .csv.gz, .arrow or "
                   ".feather: everybody's state at the end as one table, and a dictionary of its columns. [default: "
                   "results/NAME/simulation]")
@click.option("--latent", metavar="FILE", type=FILE,
              help="With --out FILE: also write what only the simulator knows. In a folder, record.latent does.")
@click.option("--replicate", metavar="N", type=int, default=0, show_default=True,
              help="Which replicate, from 0.")
@SIMULATION_ENGINE
@JOBS
@SCHEDULER
@QUIET
@SET
def simulate(experiment: Path, months: int | None, out: Path | None, latent: Path | None, replicate: int,
             engine: Engine | None, jobs: int | None, scheduler: str | None, quiet: bool,
             overrides: tuple[str, ...]) -> None:
    """Let months pass, in partitions that fit into memory, and write what `record` asks for.

    A campaign falls into them if simulation.policy names one.
    """
    loaded = load_experiment(experiment, (*overrides, *([] if months is None else [f"simulation.months={months}"])))
    if out is not None and table_format(out):
        require_formats(latent)
        if latent is not None and latent.name == out.name:
            raise ConfigError(f"--latent {latent}: --out has this name too, by which the dictionary tells tables "
                              "apart; give another name")
        if engine or jobs or scheduler:
            raise click.UsageError("--engine, --jobs and --scheduler go with a folder; one table is made here")
        _simulate_table(loaded, out, latent, replicate)
    elif out is not None and out.suffix[1:].isalpha():
        raise ConfigError(f"{out}: the name must end in {FORMATS}, or be a folder's")
    elif latent is not None:
        raise click.UsageError("--latent goes with one table, --out FILE; in a folder, --set record.latent=true")
    else:
        folder = out or default_out(loaded) / ("simulation" if replicate == 0 else f"simulation-{replicate}")
        show(_simulate_folder(loaded, folder, replicate, jobs=jobs, engine=engine, scheduler=scheduler, quiet=quiet))


def _simulate_table(loaded: Loaded, out: Path, latent: Path | None, replicate: int) -> None:
    from churnsim.api import simulate as simulated
    from churnsim.experiment.dictionary import dictionary
    from churnsim.lifecycle.record import choose_columns, latent_part

    e = loaded.experiment
    if e.simulation.policy is not None:
        raise ConfigError(f"{out}: one table shows no campaign; give a folder, or --set simulation.policy=null")
    history = simulated(loaded, months=e.simulation.months, replicate=replicate)
    schema = history.base.schema
    tables = {out: history.to_arrow()}
    if latent is not None:
        tables[latent] = latent_part(history.to_arrow(latent=True), schema)
    tables = {path: choose_columns(table, e.record.columns, schema) for path, table in tables.items()}
    for path, table in tables.items():
        write_table(path, table.to_pandas())
    kinds = {path.name: kind for path, kind in zip(tables, ("end_state", "end_state_latent"), strict=False)}
    meanings = dictionary({path.name: table.schema for path, table in tables.items()}, schema=schema,
                          labels=history.labels, kinds=kinds)
    write_table(out.with_name(f"{out.name}.dictionary.csv"), meanings.to_pandas())
    show(f"wrote {out}: {len(history):,} subscribers after {e.simulation.months} months")


def _simulate_folder(loaded: Loaded, folder: Path, replicate: int, *, jobs: int | None, engine: Engine | None,
                     scheduler: str | None, quiet: bool) -> str:
    from churnsim.experiment.run import command_line
    from churnsim.experiment.simulation import open_simulation, simulate

    simulation = open_simulation(loaded, folder, replicate=replicate)
    progress = None if quiet else Progress(simulation.unfinished())
    try:
        found = simulate(simulation, engine=engine, workers=jobs, scheduler=scheduler,
                         report=progress.finished if progress else None)
    except KeyboardInterrupt:
        note(f"\ninterrupted: finished partitions are kept in {folder}; the same command goes on from there")
        raise
    finally:
        if progress:
            progress.close()
    found.save(folder, command=command_line())
    return f"{found.table_text()}\n\nwrote {folder}"
