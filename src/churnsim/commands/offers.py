"""What each offer of the catalogue does to those who may have it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from churnsim.commands.shared import EXPERIMENT, FILE, SET, load_experiment
from churnsim.console import FORMATS, json_text, require_formats, show, write_table


@click.command()
@EXPERIMENT
@click.option("--offer", "names", metavar="NAME", multiple=True,
              help="An offer of the catalogue. May be repeated.  [default: all]")
@click.option("--years", metavar="N", type=int, default=3, show_default=True, help="Horizon.")
@click.option("--draws", metavar="N", type=int, help="Futures averaged over.  [default: evaluation.inner_draws]")
@click.option("--channel", metavar="NAME", help="Through which offers are made.  [default: pilot.channel]")
@click.option("--replicate", metavar="N", type=int, default=0, show_default=True, help="Which replicate, from 0.")
@click.option("--out", metavar="FILE", type=FILE, help=f"Also write the numbers; the name must end in {FORMATS}.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON instead of tables.")
@SET
def offers(experiment: Path, names: tuple[str, ...], years: int, draws: int | None, channel: str | None,
           replicate: int, out: Path | None, as_json: bool, overrides: tuple[str, ...]) -> None:
    """Show each offer's true effect, by cause and year, and what it costs and earns.

    Expected effects on those who may have the offer at the start of the campaign month; no campaign is run.
    """
    require_formats(out)
    loaded = load_experiment(experiment, overrides)
    from churnsim.experiment.offer_effects import offers_table
    from churnsim.report.offers import as_data, offers_text

    found = offers_table(loaded, offers=names or None, years=years, draws=draws, channel=channel, replicate=replicate)
    if out is not None:
        write_table(out, found.table)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show(json_text(as_data(found)) if as_json else offers_text(found, width=width))
