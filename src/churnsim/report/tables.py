"""The printed report, and the derived tables as files."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churnsim.experiment.store import writing
from churnsim.report.contents import (
    COMPARED_KINDS,
    Table,
    comparisons_table,
    pilot_table,
    policies_table,
    realised_table,
    recommendation,
    scenario_title,
)
from churnsim.report.derived import derived_tables
from churnsim.report.run_folder import Run, read_run
from churnsim.report.words import counted

GAP = "  "
PROSE_WIDTH = 100


def policy_text(summary: Mapping[str, Any], *, notes: Sequence[str] = (), width: int | None = None) -> str:
    """Return what a summary alone can tell; see :func:`run_text`."""
    return run_text(Run(summary, notes=tuple(notes)), width=width)


def run_text(run: Run, *, width: int | None = None) -> str:
    """Return the printed report: policies by scenario, the recommended one, comparisons, pilot, estimates.

    Parameters
    ----------
    run
        What its config or tables do not hold is left out.
    width
        Columns of the terminal: a wider table is printed as a list. None: tables as wide as they are.
    """
    blocks = [_wrapped(experiment_line(run), width)]
    for scenario in run.scenarios:
        blocks += _scenario_blocks(run, scenario, width)
    if run.notes:
        blocks.append("\n".join(["Notes", *(_wrapped(f"- {note}", width) for note in run.notes)]))
    return "\n\n".join(blocks) + "\n"


def experiment_line(run: Run) -> str:
    """Return what was run in a line."""
    summary, config = run.summary, run.config
    facts = [f"seed {summary['seed']}", counted(summary["replicates"], "replicate")]
    if run.subscribers is not None:
        facts.insert(0, counted(run.subscribers, "subscriber"))
    if config:
        facts = [
            f"preset {config['preset']}",
            *facts,
            f"horizon {counted(config['evaluation']['horizon_months'], 'month')}",
        ]
    return f"{summary['experiment']}: {', '.join(facts)}, amounts in {summary['currency']}"


def _scenario_blocks(run: Run, scenario: str, width: int | None) -> Iterator[str]:
    title = scenario_title(run, scenario)
    yield f"{title}\n{'=' * len(title)}"
    yield text_table(policies_table(run, scenario), width=width)
    yield _wrapped(recommendation(run, scenario), width)
    pilot = pilot_table(run, scenario)
    if scenario != run.scenarios[0] and pilot == pilot_table(run, run.scenarios[0]):
        pilot = None
    compared = comparisons_table(run, scenario, kinds=COMPARED_KINDS)
    for table in (compared, pilot, realised_table(run, scenario)):
        if table is not None:
            yield text_table(table, width=width)


def text_table(table: Table, *, width: int | None = None) -> str:
    """Return a table in aligned columns, words to the left, numbers to the right; as a list if too wide.

    >>> print(text_table(Table("Prices", ("plan", "price"), (("basic", "9"), ("plus", "12")))))
    Prices
    plan   price
    basic      9
    plus      12
    """
    heads = [head.split("\n") for head in table.heads]
    depth = max(map(len, heads))
    lines = [
        [head[line - depth + len(head)] if line >= depth - len(head) else "" for head in heads] for line in range(depth)
    ]
    lines += [list(row) for row in table.rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(heads))]
    if width is not None and sum(widths) + len(GAP) * (len(widths) - 1) > width:
        return _as_list(table, width)
    aligned = [
        GAP.join(f"{cell:{'<' if k in table.word_columns else '>'}{widths[k]}}" for k, cell in enumerate(line))
        for line in lines
    ]
    return "\n".join([_wrapped(table.caption, width), *(line.rstrip() for line in aligned)])


def _as_list(table: Table, width: int) -> str:
    names = [head.replace("\n", " ") for head in table.heads]
    out = [_wrapped(table.caption, width)]
    for row in table.rows:
        out.append(row[0])
        out += [f"  {name}: {cell}" for name, cell in zip(names[1:], row[1:], strict=True)]
    return "\n".join(out)


def _wrapped(text: str, width: int | None) -> str:
    return "\n".join(textwrap.wrap(text, min(width or PROSE_WIDTH, PROSE_WIDTH), break_long_words=False))


def write_tables(folder: str | Path) -> list[Path]:
    """Write the tables that the report derives from those of a run folder to its tables/ folder, as CSV.

    Returns
    -------
    list of Path
        The files, by name.

    Raises
    ------
    ResultsError
        The folder is not one of a finished run or cannot be written.
    """
    folder = Path(folder)
    aside = folder / f".tables.{os.getpid()}"
    written = []
    tables = derived_tables(read_run(folder))
    with writing(aside):
        aside.mkdir()
        for name, frame in sorted(tables.items()):
            frame.to_csv(aside / f"{name}.csv", index=False)
            os.replace(aside / f"{name}.csv", folder / "tables" / f"{name}.csv")
            written.append(folder / "tables" / f"{name}.csv")
        aside.rmdir()
    return written
