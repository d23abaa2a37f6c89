"""Measure how fast contact centres are simulated: ``python benchmarks/capacity.py --help``; README.md says how."""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import capacity_page
import page
from capacity_sections import SECTIONS
from environments import python_of
from harness import HERE, Outcome, Row, Section, attempt

RESULTS = HERE / "results/capacity.md"

Key = tuple[str, int, str, int]
"""Section, size, row and round."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    names = sorted({name for section in SECTIONS for name in (section.name, *(row.name for row in section.rows))})
    does = "Measure churnsim's contact centre and other models of one. "
    does += "A run that was cut off goes on where it stopped, as long as no source has changed."
    parser = argparse.ArgumentParser(description=does)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"rows or sections: {names}")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", help="lengths of the lists, for every section")
    parser.add_argument("--rounds", type=int, default=3, help="runs a row (default 3); some rows have fewer")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the table; runs go to .jsonl beside it")
    parser.add_argument("--fresh", action="store_true", help="forget the runs that are there")
    return parser.parse_args()


def sources() -> str:
    """Return a digest of everything that a run depends on in this checkout."""
    own = [path for folder in (HERE, HERE / "peers") for path in folder.iterdir() if path.suffix in (".py", ".txt")]
    total = hashlib.sha256()
    for path in sorted([*own, *(HERE.parent / "src/churnsim").rglob("*.py")]):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def known_runs(path: Path) -> tuple[dict[str, Any], dict[Key, dict[str, Any]]]:
    """Return the machine and the runs written down for these sources; none if there are none."""
    if not path.exists():
        return {}, {}
    head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    if head["sources"] != sources():
        return {}, {}
    runs = {(line["section"], line["size"], line["row"], line["round"]): line["run"]
            for line in lines if line["failure"] is None}
    return head["machine"], runs


def rows_at(section: Section, size: int, sizes: list[int], only: list[str] | None) -> Iterator[Row]:
    """Yield the chosen rows; one that is too slow for a size is left out if a smaller size has it."""
    for row in section.rows:
        chosen = not only or section.name in only or row.name in only
        if chosen and (size <= (row.at_most or size) or row.at_most not in sizes):
            yield row


def measure(section: Section, size: int, outcomes: list[Outcome], *, rounds: int,
            known: dict[Key, dict[str, Any]], written: TextIO) -> None:
    """Run rows in turn, round by round; a run that is known is not repeated, a failed row not run again."""
    for outcome in outcomes:
        try:
            python_of(outcome.row.environment)
        except subprocess.CalledProcessError:
            outcome.failure = f"no environment could be made from peers/{outcome.row.environment}.txt"
    for number in range(rounds):
        for outcome in outcomes:
            if outcome.failure is not None or number >= (outcome.row.rounds or rounds):
                continue
            key = (section.name, size, outcome.row.name, number)
            if key in known:
                outcome.runs.append(known[key])
                continue
            run = attempt(outcome, {})
            line = dict(zip(("section", "size", "row", "round"), key, strict=True))
            print(json.dumps(line | {"run": run, "failure": outcome.failure}), file=written, flush=True)
            took = outcome.failure or f"{run['cpu_s']:.3f} CPU s"
            print(f"{section.name}, {size:,}: {outcome.row.name}: {took}", file=sys.stderr)
    capacity_page.compare(outcomes)


def main() -> int:
    """Run the chosen rows that are not known yet; the status is 1 if one of them failed."""
    chosen = arguments()
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    runs_file = chosen.out.with_suffix(".jsonl")
    host, known = ({}, {}) if chosen.fresh else known_runs(runs_file)
    measured: list[tuple[Section, int, list[Outcome]]] = []
    with runs_file.open("a" if host else "w") as written:
        if not host:
            host = page.machine()
            print(json.dumps({"machine": host, "sources": sources()}), file=written, flush=True)
        for section in SECTIONS:
            sizes = chosen.sizes or list(section.sizes)
            for size in sizes:
                rows = list(rows_at(section, size, sizes, chosen.only))
                outcomes = [Outcome(row, min(size, row.at_most or size), section.months) for row in rows]
                measured.append((section, size, outcomes))
                measure(section, size, outcomes, rounds=chosen.rounds, known=known, written=written)
                chosen.out.write_text(capacity_page.document(host, measured))
    print(chosen.out.read_text())
    return int(any(outcome.failure is not None for _, _, outcomes in measured for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
