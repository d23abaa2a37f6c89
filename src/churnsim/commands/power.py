"""How large a pilot must be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from churnsim.commands.shared import EXPERIMENT, FILE, QUIET, SET, load_experiment
from churnsim.console import FORMATS, json_text, note, require_formats, show, write_table
from churnsim.errors import ConfigError


@click.command()
@EXPERIMENT
@click.option("--sizes", metavar="N,N", help="Values of pilot.size.  [default: a quarter to four times pilot.size]")
@click.option("--subscribers", metavar="N", type=int, default=20_000, show_default=True,
              help="Simulated under every arm; more tell the true effects more exactly.")
@click.option("--pilots", metavar="N", type=int, default=2_000, show_default=True, help="Pilots drawn for each size.")
@click.option("--alpha", metavar="SHARE", type=float, default=0.05, show_default=True, help="Size of the test.")
@click.option("--power", "wanted", metavar="SHARE", type=float, default=0.8, show_default=True,
              help="Power for the detectable effect and the size needed.")
@click.option("--replicate", metavar="N", type=int, default=0, show_default=True, help="Which replicate, from 0.")
@click.option("--out", metavar="FILE", type=FILE, help=f"Also write the numbers; the name must end in {FORMATS}.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as JSON instead of a table.")
@SET
@QUIET
def power(experiment: Path, sizes: str | None, subscribers: int, pilots: int, alpha: float, wanted: float,
          replicate: int, out: Path | None, as_json: bool, overrides: tuple[str, ...], quiet: bool) -> None:
    """Show what pilots of several sizes can find of each offer's true effect on staying."""
    require_formats(out)
    asked = None if sizes is None else _numbers(sizes)
    loaded = load_experiment(experiment, overrides)
    from churnsim.experiment.power import pilot_power
    from churnsim.report.power import as_data, power_text

    found = pilot_power(loaded, sizes=asked, subscribers=subscribers, pilots=pilots, alpha=alpha, power=wanted,
                        replicate=replicate, report=None if quiet else note)
    if out is not None:
        write_table(out, found.table)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show(json_text(as_data(found)) if as_json else power_text(found, width=width))


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--sizes: give whole numbers with commas between them, such as 5000,20000 (got {text!r})"
                          ) from None
