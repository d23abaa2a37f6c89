"""Fit a preset to an operator's own table."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from churnsim.commands.shared import FILE, QUIET, SET, load_experiment
from churnsim.console import note, show
from churnsim.errors import ConfigError


@click.command()
@click.argument("table", metavar="TABLE", type=FILE)
@click.option("--mapping", metavar="FILE", type=FILE, required=True,
              help="Mapping file: which column is what, and which one the outcome.")
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Preset to write (.yaml).")
@click.option("--experiment", metavar="EXP", type=click.Path(path_type=Path),
              help="Where the fit starts; its base scenario.  [default: the default preset]")
@click.option("--seed", metavar="N", type=int, default=1, show_default=True,
              help="Which rows are held out, and every draw of the simulation.")
@click.option("--rows", metavar="N", type=int, help="Take so many rows, drawn by the seed.  [default: all]")
@click.option("--holdout", metavar="SHARE", type=float, default=0.5, show_default=True,
              help="Share of the rows that the fit does not see.")
@QUIET
@SET
def calibrate(table: Path, mapping: Path, out: Path, experiment: Path | None, seed: int, rows: int | None,
              holdout: float, quiet: bool, overrides: tuple[str, ...]) -> None:
    """Fit the constants of a preset to an operator's own table.

    TABLE (.csv, .csv.gz or .parquet) is read through the mapping, as population.table is. Prints every moment, its
    target and the value reached, on the rows fitted and on those held out, and what the table does not tell. A killed
    run goes on where it was.
    """
    if overrides and experiment is None:
        raise ConfigError("--set: lays values over an experiment file; name one with --experiment")
    # Before numpy is loaded: the trees' threads are of no use here.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    loaded = None if experiment is None else load_experiment(experiment, overrides)
    from churnsim.calibration.calibrate import calibrate as fit

    progress = _Lines(quiet)
    try:
        found = fit(table, mapping=mapping, out=out, experiment=loaded, seed=seed, rows=rows, holdout=holdout,
                    report=progress.line)
    except KeyboardInterrupt:
        note(f"\ninterrupted: finished evaluations are kept in {out}.work; the same command goes on from there")
        raise
    finally:
        progress.close()
    show(f"{found}\n\nwrote {out}; use it in an experiment file: preset: ./{out.name}")


class _Lines:
    """Progress: one changing line on a terminal, a line an iteration elsewhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.is_terminal = sys.stderr.isatty()

    def line(self, text: str) -> None:
        if self.quiet:
            return
        if self.is_terminal:
            click.echo(f"\r\x1b[K{text}", nl=False, err=True)
        else:
            note(text)

    def close(self) -> None:
        if self.is_terminal and not self.quiet:
            click.echo("\r\x1b[K", nl=False, err=True)
