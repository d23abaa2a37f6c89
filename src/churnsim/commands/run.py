"""Run an experiment, compare two runs, write a report again."""

from __future__ import annotations

import shutil
import sys
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
from churnsim.console import json_text, note, read_json, show
from churnsim.errors import ConfigError

if TYPE_CHECKING:
    from churnsim.core.executor import Engine

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@EXPERIMENT
@OUT
@JOBS
@ENGINE
@SCHEDULER
@SET
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON instead of tables.")
@QUIET
def run(experiment: Path, out: Path | None, jobs: int | None, engine: Engine | None, scheduler: str | None,
        overrides: tuple[str, ...], as_json: bool, quiet: bool) -> None:
    """Run an experiment, write its results folder and print who should be offered what."""
    loaded = load_experiment(experiment, overrides)
    folder = out or default_out(loaded)
    result = run_cells(loaded, folder, jobs=jobs, engine=engine, scheduler=scheduler, quiet=quiet)
    from churnsim.experiment.run import command_line
    from churnsim.report.page import write_report
    from churnsim.report.run_folder import read_run
    from churnsim.report.tables import run_text

    result.save(folder, command=command_line())
    page = write_report(folder)
    if not quiet:
        for text in result.notes if as_json else ():
            note(f"note: {text}")
        note(f"wrote {page}")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show(json_text(result.summary) if as_json else run_text(read_run(folder), width=width).rstrip("\n"))


@click.command()
@click.argument("folder_a", metavar="DIR_A", type=FOLDER)
@click.argument("folder_b", metavar="DIR_B", type=FOLDER)
def compare(folder_a: Path, folder_b: Path) -> int:
    """Compare two results folders of one experiment and seed; DIR_A is the baseline."""
    summaries = [read_json(_in_results(folder, "summary.json")) for folder in (folder_a, folder_b)]
    from churnsim.config.digest import diff
    from churnsim.config.source import read_yaml
    from churnsim.experiment.gate import compare as gate

    a, b = (read_yaml(_in_results(folder, "config.yaml")).data for folder in (folder_a, folder_b))
    report = gate(*summaries, require_same_seed=True, margin_share=a["gate"]["margin_share"],
                  confidence=a["evaluation"]["confidence"], config_diff="\n".join(diff(a, b)) or None)
    show(str(report))
    return report.exit_code


@click.command()
@click.argument("folder", metavar="DIR", type=FOLDER)
def report(folder: Path) -> None:
    """Write report.html of a results folder again."""
    _in_results(folder, "summary.json")
    from churnsim.report.page import write_report

    show(f"wrote {write_report(folder)}")


def _in_results(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise ConfigError(f"{folder}: has no {name}; give a folder that `churnsim run` finished")
    return path
