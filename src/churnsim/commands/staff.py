"""How many agents a team needs."""

from __future__ import annotations

from pathlib import Path

import click

from churnsim.commands.centre import CALLS, JSON, MONTH, ORDERS, REPORT, SEED, read, show_tables
from churnsim.commands.shared import EXPERIMENT, QUIET, SET, load_experiment
from churnsim.console import json_text, note, require_formats, show
from churnsim.errors import ConfigError

UNREACHED = 1


@click.command()
@EXPERIMENT
@click.option("--team", metavar="NAME", required=True, help="Whose agents are varied.")
@click.option("--service-level", metavar="STREAM:SHARE:SECONDS",
              help="Goal: the fewest agents, such as save_desk:0.8:20 for 80 % answered within 20 s.")
@click.option("--net-value", "budget", metavar="AMOUNT", type=click.FloatRange(min=0.0, min_open=True),
              help="Goal: the best net value after pay, with a team that costs at most so much an hour.")
@ORDERS
@CALLS
@SEED
@click.option("--seeds", metavar="N", type=click.IntRange(min=1), default=5, show_default=True,
              help="Months worked with each number of agents, with seeds from --seed on.")
@MONTH
@click.option("--dispatch", "rules", metavar="RULE", multiple=True,
              help="A rule of dispatch for the figure of --report. May be repeated.  [default: the experiment's, fifo]")
@REPORT
@JSON
@SET
@QUIET
def staff(experiment: Path, team: str, service_level: str | None, budget: float | None, orders: Path | None,
          calls: Path | None, seed: int, seeds: int, month: int, rules: tuple[str, ...], report: Path | None,
          as_json: bool, overrides: tuple[str, ...], quiet: bool) -> int:
    """Find the fewest agents of a team for a service level, or the number with the best net value."""
    if (service_level is None) == (budget is None):
        raise ConfigError("staff: give --service-level or --net-value, and not both")
    require_formats(orders, calls)
    loaded = load_experiment(experiment, overrides)
    from churnsim.api import centre_case
    from churnsim.api import staff as find
    from churnsim.report.centre_tables import staffing_table

    table, known, used = read(orders), read(calls), range(seed, seed + seeds)
    found = find(loaded, team=team, service_level=service_level, budget_per_hour_amount=budget, orders=table,
                 seeds=used, month=month, calls=known)
    currency = loaded.experiment.currency
    if report is not None:
        from churnsim.capacity.disciplines import compare_disciplines
        from churnsim.report.centre import write_staffing_report

        case = centre_case(table, loaded, month=month, calls=known)
        # Without orders all rules are alike.
        wanted = rules or tuple(dict.fromkeys((case.capacity.dispatch, "fifo")))
        curves = compare_disciplines(case, team, agents=found.curve["agents"].tolist(), seeds=used,
                                     rules=wanted if len(case.orders) else ())
        page = write_staffing_report(report, found, curves, name=loaded.experiment.name, currency=currency, seeds=used)
        if not quiet:
            note(f"wrote {page}")
    if not quiet:
        for text in found.notes:
            note(f"note: {text}")
    if as_json:
        answer = {"team": team, "goal": found.goal, "agents": found.agents, "first_guess": found.first_guess,
                  "knee": found.knee, "notes": found.notes, "curve": found.curve.to_dict("records")}
        show(json_text(answer))
    else:
        show_tables([staffing_table(found, currency=currency)])
        show(f"\n{found.answer}")
    return 0 if found.agents is not None else UNREACHED
