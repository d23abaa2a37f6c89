"""The portrait of a base as a page, its figures as SVG and its numbers as CSV."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from churnsim.errors import ConfigError, ResultsError
from churnsim.experiment.load import Loaded
from churnsim.report.contents import Table, records
from churnsim.report.figures import Picture
from churnsim.report.page import Section, rendered
from churnsim.report.portrait_figures import draw_portrait
from churnsim.report.portrait_numbers import MONTHS, SIMULATED, Portrait, make_portrait
from churnsim.report.words import interval, number, percent

TITLES = {
    "states": "Lifecycle", "tenure": "Months in service", "contract_month": "Contracts", "causes": "Causes",
    "revenue": "Revenue", "usage_before": "Usage before leaving",
}


def write_portrait(experiment: Loaded, out: str | Path, *, table: str | Path | None = None,
                   mapping: str | Path | None = None) -> Path:
    """Write a page that shows an experiment's base, beside a real table if one is given.

    Parameters
    ----------
    experiment
        From :func:`churnsim.load`; the base scenario's first replicate is shown.
    out
        Page to write (.html). A folder beside it, of the same name without the ending, gets ``figures/*.svg`` and
        ``tables/*.csv``.
    table, mapping
        An operator's table and its mapping file, both or neither.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ConfigError
        `out` is no page's name, or one of `table` and `mapping` is missing, or the mapping is wrong.
    DataError
        The table cannot be used.
    ResultsError
        The files cannot be written.
    """
    page = Path(out)
    if page.suffix != ".html":
        raise ConfigError(f"{out}: a portrait's name must end in .html")
    if (table is None) != (mapping is None):
        raise ConfigError("--table and --mapping go together; give both or neither")
    portrait = make_portrait(experiment.experiment, experiment.folder, table=None if table is None else Path(table),
                             mapping=None if mapping is None else Path(mapping))
    pictures = draw_portrait(portrait)
    files = {f"figures/{picture.name}.svg": picture.svg for picture in pictures}
    files |= {f"tables/{name}.csv": frame.to_csv(index=False) for name, frame in portrait.frames.items()}
    folder = page.with_suffix("")
    aside = page.with_name(f".{page.name}.{os.getpid()}")
    try:
        for name, text in files.items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_text(text, encoding="utf-8")
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(aside / name, folder / name)
        (aside / page.name).write_text(portrait_text(portrait, pictures), encoding="utf-8")
        os.replace(aside / page.name, page)
    except OSError as error:
        raise ResultsError(f"{page}: cannot be written ({error.strerror or error}); free space or choose another place "
                           "with --out") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return page


def portrait_text(portrait: Portrait, pictures: list[Picture]) -> str:
    """Return the page of a portrait."""
    tables = {"tenure": _tenure_table(portrait), "causes": _causes_table(portrait)}
    sections = [Section(TITLES[p.name], (), tuple(t for name, t in tables.items() if name == p.name), (p,))
                for p in pictures]
    return rendered("portrait.html.j2", {"portrait": portrait, "facts": _facts(portrait), "sections": sections})


def _facts(portrait: Portrait) -> list[tuple[str, str]]:
    first = portrait.first_month
    return [
        ("Experiment", portrait.name), ("Preset", portrait.preset), ("Seed", str(portrait.seed)),
        ("Simulated subscribers", f"{number(portrait.subscribers)} at the start of month {first}"),
        ("Months counted", f"{first} to {first + MONTHS - 1}, nobody contacted; {number(portrait.leavers)} left"),
        ("Table", f"{number(portrait.table_rows)} rows" if portrait.table_rows else "none"),
    ]


def _tenure_table(portrait: Portrait) -> Table:
    """Return churn by months in service, a row a band, the table's beside the simulated."""
    frame = portrait.frames["tenure"]
    sources = list(frame["source"].unique())
    by_band: dict[str, list[str]] = {}
    for source in sources:
        for row in records(frame[frame["source"] == source]):
            there = bool(row["rows"])
            by_band.setdefault(str(row["band"]), []).extend((
                percent(row["monthly_rate"], decimals=2) if there else "",
                interval(100.0 * row["low"], 100.0 * row["high"], decimals=2) if there else "",
                number(row["rows"]) if there else "", number(row["leavers"]) if there else ""))
    rows = tuple((band, *cells) for band, cells in by_band.items() if any(cells))
    heads = (head for source in sources for head in (
        source, "95 % interval, %", "of months" if source == SIMULATED else "of rows", "leavers"))
    return Table("Monthly churn by months in service", ("months in service", *heads), rows, (0,))


def _causes_table(portrait: Portrait) -> Table:
    rows = tuple((str(row["cause"]).replace("_", " "), number(row["subscribers"]), percent(row["share"]))
                 for row in records(portrait.frames["causes"].sort_values("share", ascending=False)))
    return Table("Leavers by true cause", ("cause", "leavers", "share"), rows)
