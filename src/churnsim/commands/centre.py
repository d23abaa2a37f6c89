"""The contact centre alone, on a table of orders."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from churnsim.commands.shared import EXPERIMENT, FILE, QUIET, SET, load_experiment
from churnsim.console import json_text, note, read_table, require_formats, show, write_table
from churnsim.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from churnsim.report.contents import Table

FOLDER = click.Path(file_okay=False, path_type=Path)
ORDERS = click.option("--orders", metavar="FILE", type=FILE, help="Orders: .parquet or .csv.  [default: callers only]")
CALLS = click.option("--calls", metavar="FILE", type=FILE,
                     help="Calls known beforehand; those of the streams' own rates come on top.")
MONTH = click.option("--month", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Month that is worked, from 0.")
SEED = click.option("--seed", metavar="N", type=click.IntRange(min=0), required=True,
                    help="Answers and handle times depend on it.")
REPORT = click.option("--report", metavar="DIR", type=FOLDER, help="Also write centre.html, figures and numbers here.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


@click.command()
@EXPERIMENT
@ORDERS
@SEED
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Log of attempts to write: .parquet or .csv.")
@CALLS
@click.option("--outcomes", metavar="FILE", type=FILE, help="Also write what became of each order.")
@click.option("--calls-out", metavar="FILE", type=FILE, help="Also write the log of calls.")
@MONTH
@click.option("--engine", type=click.Choice(["auto", "compiled", "simpy"]),
              help="All give the same log; simpy starts at once, compiled is faster on long lists.")
@click.option("--shadow", "seeds", metavar="SEEDS", type=click.IntRange(min=1),
              help="Also find what one more agent hour is worth, by team and hour, as a mean over so many seeds.")
@REPORT
@JSON
@SET
@QUIET
def capacity(experiment: Path, orders: Path | None, seed: int, out: Path, calls: Path | None, outcomes: Path | None,
             calls_out: Path | None, month: int, engine: str | None, seeds: int | None, report: Path | None,
             as_json: bool, overrides: tuple[str, ...], quiet: bool) -> None:
    """Let the contact centre of an experiment work a table of orders, and its callers, for a month."""
    if orders is None and calls is None and seeds is not None:
        raise ConfigError("--shadow: net value comes from orders; give --orders")
    require_formats(orders, out, calls, outcomes, calls_out)
    overrides = (*overrides, f"capacity.engine={engine}") if engine else overrides
    loaded = load_experiment(experiment, overrides)
    from churnsim.api import centre_case, centre_notes
    from churnsim.capacity.metrics import centre_metrics
    from churnsim.capacity.shadow import shadow_prices
    from churnsim.report.centre import write_centre_report
    from churnsim.report.centre_tables import metric_tables, shadow_table

    case = centre_case(read(orders), loaded, month=month, calls=read(calls))
    log = case.work(seed)
    metrics = centre_metrics(log, case.orders, channels=case.channels, capacity=case.capacity, key=case.key(seed),
                             month=month, hindsight=case.hindsight)
    prices = None if seeds is None else shadow_prices(case, seeds=range(seed, seed + seeds))
    written = {out: log.attempts, outcomes: log.outcomes, calls_out: log.calls}
    for path, table in written.items():
        if path is not None:
            write_table(path, table.to_pandas())
    currency, name = loaded.experiment.currency, loaded.experiment.name
    page = None if report is None else write_centre_report(
        report, case, log, metrics, name=name, currency=currency, seed=seed, shadow=prices, shadow_seeds=seeds or 0)
    if not quiet:
        for text in (*centre_notes(case, log), *(f"wrote {path}" for path in (*written, page) if path is not None)):
            note(text)
    if as_json:
        show(json_text({"metrics": metrics.to_dict("records"),
                        **({} if prices is None else {"shadow_prices": prices.to_dict("records")})}))
        return
    tables = [*metric_tables(metrics, currency=currency),
              *([] if prices is None else [shadow_table(prices, currency=currency)])]
    show_tables(tables)


def read(path: Path | None) -> pd.DataFrame | None:
    """Return the table of a file, None if none is named."""
    return None if path is None else read_table(path)


def show_tables(tables: Sequence[Table]) -> None:
    """Print tables, as lists where they are wider than the terminal."""
    from churnsim.report.tables import text_table

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show("\n\n".join(text_table(table, width=width) for table in tables))
