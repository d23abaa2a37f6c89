"""The gate: compare an experiment with its baseline, or record one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnsim.commands.shared import (
    ENGINE,
    EXPERIMENT,
    JOBS,
    OUT,
    QUIET,
    SCHEDULER,
    SET,
    default_out,
    load_experiment,
    run_cells,
)
from churnsim.console import json_text, read_json, show, write_file
from churnsim.errors import ConfigError

if TYPE_CHECKING:
    from churnsim.core.executor import Engine
    from churnsim.experiment.load import Loaded

BASELINE = click.option("--baseline", metavar="FILE", type=click.Path(path_type=Path),
                        help="Baseline. [default: ../results/baselines/NAME.json, seen from EXP's folder]")


@click.command()
@EXPERIMENT
@BASELINE
@OUT
@JOBS
@ENGINE
@SCHEDULER
@SET
@QUIET
def check(experiment: Path, baseline: Path | None, out: Path | None, jobs: int | None, engine: Engine | None,
          scheduler: str | None, overrides: tuple[str, ...], quiet: bool) -> int:
    """Compare an experiment with its baseline.

    Exit code 0: the same or equivalent, 1: changed, 4: not comparable or inconclusive. Finished cells in
    --out are used; its report and summary stay as they are.
    """
    loaded = load_experiment(experiment, overrides)
    path = baseline or _default_baseline(loaded)
    if not path.is_file():
        raise ConfigError(f"{path}: no such baseline; record one with `churnsim accept` or name one with "
                          "--baseline")
    before = read_json(path)
    result = run_cells(loaded, out or default_out(loaded), jobs=jobs, engine=engine, scheduler=scheduler,
                       quiet=quiet)
    from churnsim.experiment.gate import compare as gate

    e = loaded.experiment
    report = gate(before, result.summary, require_same_seed=False, margin_share=e.gate.margin_share,
                  confidence=e.evaluation.confidence)
    show(str(report))
    return report.exit_code


@click.command()
@EXPERIMENT
@BASELINE
@OUT
@JOBS
@ENGINE
@SCHEDULER
@QUIET
def accept(experiment: Path, baseline: Path | None, out: Path | None, jobs: int | None, engine: Engine | None,
           scheduler: str | None, quiet: bool) -> None:
    """Run an experiment and record its summary as the baseline."""
    loaded = load_experiment(experiment, ())
    path = baseline or _default_baseline(loaded)
    result = run_cells(loaded, out or default_out(loaded), jobs=jobs, engine=engine, scheduler=scheduler,
                       quiet=quiet)
    write_file(path, lambda aside: aside.write_text(json_text(result.summary) + "\n", encoding="utf-8"))
    show(f"wrote {path}")


def _default_baseline(loaded: Loaded) -> Path:
    path = loaded.folder.parent / "results" / "baselines" / f"{loaded.experiment.name}.json"
    return Path(os.path.relpath(path))
