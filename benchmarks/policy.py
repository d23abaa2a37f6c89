"""Measure how fast lists are planned: ``python benchmarks/policy.py --help``; README.md says what and how."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import page
import policy_page
from harness import Outcome, Section, measure
from policy_sections import SECTIONS

RESULTS = Path(__file__).parent / "results/policy.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    names = sorted({name for section in SECTIONS for name in (section.name, *(row.name for row in section.rows))})
    parser = argparse.ArgumentParser(description="Measure churnsim's policies and a linear program.")
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"rows or sections: {names}")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="N", help="subscribers, for every section")
    parser.add_argument("--rounds", type=int, default=3, help="runs a row (default 3); some rows have fewer")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the table; runs go to .jsonl beside it")
    return parser.parse_args()


def main() -> int:
    """Run the chosen rows; the status is 1 if one of them failed."""
    chosen = arguments()
    host = page.machine()
    measured: list[tuple[Section, int, list[Outcome]]] = []
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    with chosen.out.with_suffix(".jsonl").open("w") as runs:
        print(json.dumps({"machine": host}), file=runs, flush=True)

        def record(section: Section, outcome: Outcome, run: dict[str, Any]) -> None:
            """Write a run down before the next one starts."""
            key = {"section": section.name, "row": outcome.row.name, "subscribers": outcome.subscribers}
            print(json.dumps(key | run | {"failure": outcome.failure}), file=runs, flush=True)
            took = outcome.failure or f"{run['cpu_s']:.3f} CPU s"
            print(f"{section.name}, {outcome.subscribers:,}: {outcome.row.name}: {took}", file=sys.stderr)

        for section in SECTIONS:
            named = not chosen.only or section.name in chosen.only
            rows = [row for row in section.rows if named or row.name in chosen.only]
            for subscribers in (chosen.sizes or section.sizes) if rows else ():
                outcomes = measure(section, rows, subscribers=subscribers, rounds=chosen.rounds, record=record)
                policy_page.compare(outcomes)
                measured.append((section, subscribers, outcomes))
                chosen.out.write_text(policy_page.document(host, measured))
    print(chosen.out.read_text())
    return int(any(outcome.failure is not None for _, _, outcomes in measured for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
