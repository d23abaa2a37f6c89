"""Pictures of a base, beside a real table's."""

from __future__ import annotations

from pathlib import Path

import click

from churnsim.commands.shared import EXPERIMENT, FILE, SET, load_experiment
from churnsim.console import show


@click.command()
@EXPERIMENT
@click.option("--table", metavar="FILE", type=FILE, help="A real table, shown beside the simulated base.")
@click.option("--mapping", metavar="FILE", type=FILE, help="Its mapping file.")
@click.option("--out", metavar="FILE", type=FILE, default=Path("portrait.html"), show_default=True,
              help="Page to write; figures and numbers go to a folder of this name without .html.")
@SET
def portrait(experiment: Path, table: Path | None, mapping: Path | None, out: Path, overrides: tuple[str, ...]) -> None:
    """Draw an experiment's base: lifecycle, churn by tenure and contract, causes, revenue, usage before leaving."""
    loaded = load_experiment(experiment, overrides)
    from churnsim.report.portrait import write_portrait

    page = write_portrait(loaded, out, table=table, mapping=mapping)
    show(f"wrote {page}; figures and numbers are in {page.with_suffix('')}")
