"""The results of the contact centre's benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from capacity_sections import TARGETS, rate
from harness import Outcome, Section
from page import COMPARED, markdown_table, versions

Measured = Sequence[tuple[Section, int, Sequence[Outcome]]]
"""Outcomes of each section at each size."""

# Counts of a model with random numbers of its own may differ by a share, and by so many standard errors.
SHARE_TOLERANCE, STANDARD_ERRORS = 0.02, 5
HEADER = ("row", "list", "contacts", "thousand contacts per CPU s", "slowest to fastest round", "CPU s", "wall s",
          "set-up CPU s", "peak MiB", "rounds", "results")


def compare(outcomes: Sequence[Outcome]) -> None:
    """Let a row fail whose record, or whose counts, are not those of the section's first row at the same size."""
    first = next((outcome.runs[0] for outcome in outcomes if outcome.runs), {})
    for outcome in outcomes:
        for run in outcome.runs:
            outcome.failure = outcome.failure or _difference(run, first)


def _difference(run: dict[str, Any], first: dict[str, Any]) -> str | None:
    if run.get("digests", first.get("digests")) != first.get("digests"):
        return "its record is not that of the first row"
    for name, expected in first.get("counts", {}).items():
        found = run["counts"][name]
        if abs(found - expected) > SHARE_TOLERANCE * expected + STANDARD_ERRORS * (2 * expected + 1) ** 0.5:
            return f"{name}: {found:,} instead of {expected:,}"
    return None


def rates(outcomes: Sequence[Outcome], first: dict[str, Any]) -> list[list[str]]:
    """Return the lines of rows at one size; a failed row keeps its line and says why."""
    return [_line(outcome, first) for outcome in outcomes if outcome.runs or outcome.failure]


def _line(outcome: Outcome, first: dict[str, Any]) -> list[str]:
    start, rounds = [outcome.row.name, f"{outcome.subscribers:,}"], str(len(outcome.runs))
    if outcome.failure is not None:
        return [*start, *["-"] * (len(HEADER) - 4), rounds, f"**failed**: {outcome.failure}"]
    contacts = outcome.runs[0]["contacts"]
    thousands = [contacts / run["cpu_s"] / 1000 for run in outcome.runs]
    return [
        *start,
        f"{contacts:,}",
        three_digits(rate(outcome) / 1000),
        f"{three_digits(min(thousands))} to {three_digits(max(thousands))}",
        f"{outcome.median('cpu_s'):.3f}",
        f"{outcome.median('wall_s'):.3f}",
        f"{outcome.median('setup_cpu_s'):.1f}",
        f"{outcome.peak_bytes / 2**20:,.0f}" if outcome.peak_bytes else "not measured",
        rounds,
        _agrees(outcome.runs[0], first),
    ]


def _agrees(run: dict[str, Any], first: dict[str, Any]) -> str:
    if "agrees" in run:
        return run["agrees"]
    if "counts" not in run or "counts" not in first:
        return "-"
    if "digests" in run:
        return "same record"
    if run["counts"] == first["counts"]:
        return "same counts"
    all_found, all_first = sum(run["counts"].values()), sum(first["counts"].values())
    return f"counts {100 * (all_found / all_first - 1):+.2f} %"


def ratios(section: Section, size: int, outcomes: Sequence[Outcome]) -> str:
    """Return how each row compares with those that the section names, by medians."""
    by_rate = section.compared == "rate"
    number = {
        outcome.row.name: rate(outcome) if by_rate else outcome.median(section.compared)
        for outcome in outcomes
        if outcome.failure is None and outcome.runs
    }
    columns = [name for name in section.against if name in number]
    lines = [[name, *(three_digits(number[name] / number[column]) for column in columns)] for name in number]
    return markdown_table([f"{size:,}: {COMPARED[section.compared]}", *columns], lines) if columns else ""


def document(host: dict[str, Any], measured: Measured) -> str:
    """Return the whole page: the machine, targets, then each section with all its sizes."""
    found = {(section.name, size, each.row.name): each for section, size, rows in measured for each in rows}
    parts = [
        "# Contact centre benchmark",
        f"{host['date']}, {host['processor']}, {host['cores']} cores, {host['kernel']}, "
        f"load {host['load_before']} before the start. How to read this: [README](../README.md).",
        versions(outcome for _, _, outcomes in measured for outcome in outcomes),
        "## Targets",
        markdown_table(["target", "asked", "measured", "met"], [target.line(found) for target in TARGETS]),
    ]
    for section, group in groupby(measured, key=lambda item: item[0]):
        sizes = [(size, outcomes) for _, size, outcomes in group]
        lines = []
        for _, outcomes in sizes:
            first = next((outcome.runs[0] for outcome in outcomes if outcome.runs), {})
            lines += rates(outcomes, first)
        if lines:
            parts += [f"## {section.title}", section.note, markdown_table(HEADER, lines)]
            parts += [ratios(section, size, outcomes) for size, outcomes in sizes]
    return "\n\n".join(part for part in parts if part) + "\n"


def three_digits(number: float) -> str:
    """Return a number with three digits at least."""
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"
