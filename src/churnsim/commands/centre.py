"""The contact centre alone, on a table of orders."""

from __future__ import annotations

from pathlib import Path

import click

from churnsim.commands.shared import EXPERIMENT, FILE, SET, load_experiment
from churnsim.console import note, read_table, require_formats, show, write_table


@click.command()
@EXPERIMENT
@click.option("--orders", metavar="FILE", type=FILE, required=True, help="Orders: .parquet or .csv.")
@click.option("--seed", metavar="N", type=int, required=True, help="Answers and handle times depend on it.")
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Log to write: .parquet or .csv.")
@click.option("--outcomes", metavar="FILE", type=FILE, help="Also write what became of each order.")
@click.option("--calls", metavar="FILE", type=FILE, help="Also write the calls of the inbound streams.")
@click.option("--month", metavar="N", type=int, default=0, show_default=True,
              help="Month that is worked, from 0.")
@SET
def capacity(experiment: Path, orders: Path, seed: int, out: Path, outcomes: Path | None, calls: Path | None,
             month: int, overrides: tuple[str, ...]) -> None:
    """Let the contact centre of an experiment work a table of orders."""
    require_formats(orders, out, outcomes, calls)
    loaded = load_experiment(experiment, overrides)
    from churnsim.api import work

    worked = work(read_table(orders), loaded, seed=seed, month=month)
    write_table(out, worked.attempts)
    if outcomes is not None:
        write_table(outcomes, worked.outcomes)
    if calls is not None:
        write_table(calls, worked.calls)
    for text in worked.notes:
        note(text)
    cost = int(worked.attempts["cost_cents"].sum()) / 100
    answered = int((worked.calls["disposition"] == "served").sum())
    called = f"; {len(worked.calls)} calls, {answered} answered" if len(worked.calls) else ""
    show(f"wrote {out}: {len(worked.outcomes)} orders, {len(worked.attempts)} attempts, "
          f"{int(worked.outcomes['reached'].sum())} reached, cost {cost:,.2f} {loaded.experiment.currency}{called}")
