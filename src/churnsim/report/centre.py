"""A contact centre's month, or a search for staff, as a page with its figures and numbers beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from churnsim.capacity.case import Case
from churnsim.capacity.log import ContactLog
from churnsim.capacity.staffing import Staffing
from churnsim.experiment.store import writing
from churnsim.report.centre_figures import (
    gantt_figure,
    hours_figure,
    reach_heat_map,
    service_figure,
    shadow_figure,
    staffing_figure,
    waits_figure,
    waterfall_figure,
)
from churnsim.report.centre_numbers import busiest_day, hours_of_day, reach_by_attempt, waits
from churnsim.report.centre_tables import metric_tables, shadow_table, staffing_table
from churnsim.report.figures import Picture
from churnsim.report.page import Section, rendered
from churnsim.report.words import number

PAGE = "centre.html"
TITLES = {"waterfall": "Where orders are lost", "gantt": "A day of the agents", "hours": "Through the day",
          "reach_by_attempt": "When attempts reach", "waits": "How long callers wait"}


def write_centre_report(folder: str | Path, case: Case, log: ContactLog, metrics: pd.DataFrame, *, name: str,
                        currency: str, seed: int, shadow: pd.DataFrame | None = None, shadow_seeds: int = 0) -> Path:
    """Write centre.html, figures/*.svg and tables/*.csv of a month into a folder; returns the page.

    Parameters
    ----------
    metrics
        From :func:`churnsim.capacity.metrics.centre_metrics`.
    shadow
        From :func:`churnsim.capacity.shadow.shadow_prices`, with `shadow_seeds` seeds; None: left out.

    Raises
    ------
    ResultsError
        The folder cannot be written.
    """
    roster = case.roster(seed)
    frames = {"metrics": metrics, "hours": hours_of_day(log, case, roster), "reach_by_attempt": reach_by_attempt(log)}
    day, spans = busiest_day(log, case, roster)
    waited = {stream: waits(log, case, stream) for stream in case.capacity.inbound}
    pictures = [waterfall_figure(metrics)] if len(case.orders) else []
    if spans:
        pictures += [gantt_figure(day, spans), hours_figure(frames["hours"])]
    if len(frames["reach_by_attempt"]):
        pictures.append(reach_heat_map(frames["reach_by_attempt"]))
    if waited:
        pictures.append(waits_figure(waited))
        frames["waits"] = pd.concat([frame.assign(stream=stream) for stream, frame in waited.items()])
    sections = [Section("Metrics", (), tuple(metric_tables(metrics, currency=currency)))]
    sections += [Section(TITLES[picture.name], (), (), (picture,)) for picture in pictures]
    if shadow is not None and len(shadow):
        frames["shadow_prices"] = shadow
        pictures.append(shadow_figure(shadow, currency=currency, seeds=shadow_seeds))
        table = shadow_table(shadow, currency=currency)
        sections.append(Section("One more agent hour", (), (table,), (pictures[-1],)))
    facts = [("Experiment", name), ("Month", str(case.month)), ("Seed", str(seed)),
             ("Orders", number(len(case.orders))), ("Attempts", number(len(log.attempts))),
             ("Calls", number(len(log.calls))), ("Dispatch", case.capacity.dispatch), ("Currency", currency)]
    return _write(Path(folder), f"{name}: a month of the contact centre", facts, sections, pictures, frames)


def write_staffing_report(folder: str | Path, found: Staffing, curves: pd.DataFrame, *, name: str, currency: str,
                          seeds: Sequence[int]) -> Path:
    """Write the page, figure and numbers of a search for staff.

    Parameters
    ----------
    curves
        From :func:`churnsim.capacity.disciplines.compare_disciplines`; without rows they are not drawn.

    Raises
    ------
    ResultsError
        The folder cannot be written.
    """
    pictures = [] if found.goal_share is None else [service_figure(found, seeds=len(seeds))]
    if len(curves):
        chosen = found.agents if found.goal_share is None else None
        pictures.append(staffing_figure(curves, team=found.team, currency=currency, seeds=len(seeds), chosen=chosen))
    frames = {"staffing": found.curve} | ({"disciplines": curves} if len(curves) else {})
    facts = [("Experiment", name), ("Team", found.team), ("Goal", found.goal), ("Answer", found.answer),
             ("Seeds", ", ".join(map(str, seeds))), ("Currency", currency)]
    section = Section("Agents and what they bring", found.notes, (staffing_table(found, currency=currency),),
                      tuple(pictures))
    return _write(Path(folder), f"{name}: staff of team {found.team}", facts, [section], pictures, frames)


def _write(folder: Path, title: str, facts: list[tuple[str, str]], sections: list[Section],
           pictures: Sequence[Picture], frames: Mapping[str, pd.DataFrame]) -> Path:
    """Write all files aside, then move them: what was there stays until the new ones are whole."""
    files = {f"figures/{picture.name}.svg": picture.svg for picture in pictures}
    files |= {f"tables/{name}.csv": frame.to_csv(index=False) for name, frame in frames.items()}
    files[PAGE] = rendered("centre.html.j2", {"title": title, "facts": facts, "sections": sections})
    aside = folder / f".report.{os.getpid()}"
    with writing(aside):
        for name, text in files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_text(text, encoding="utf-8")
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(aside / name, folder / name)
        shutil.rmtree(aside)
    return folder / PAGE
