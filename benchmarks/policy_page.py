"""The results of the policy benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import Outcome, Section
from page import markdown_table, ratios, versions
from policy_sections import LEARNERS, LISTS, TARGETS

Measured = Sequence[tuple[Section, int, Sequence[Outcome]]]
"""Outcomes of each section at each size."""

BOUND_TOLERANCE = 1e-6
HEADER = ("row", "subscribers", "wall s", "CPU s", "fastest to slowest round, CPU s", "set-up CPU s", "peak MiB",
          "rounds")
PLANS = ("rounds of prices", "bound", "gap, %")
FITS = ("PEHE",)
LISTED = ("shortlisted", "listed", "gap, %")


def compare(outcomes: Sequence[Outcome]) -> None:
    """Let a row fail whose bound, or whose plan, is not that of the first row at the same size."""
    first = next((outcome.runs[0] for outcome in outcomes if outcome.runs), {})
    for outcome in outcomes:
        for run in outcome.runs:
            outcome.failure = outcome.failure or _difference(run, first)


def _difference(run: dict[str, Any], first: dict[str, Any]) -> str | None:
    if "bound" not in run:
        return None
    if run.get("arms", first.get("arms")) != first.get("arms"):
        return "its plan is not that of the first row"
    if abs(run["bound"] - first["bound"]) > BOUND_TOLERANCE * abs(first["bound"]):
        return f"its bound is {run['bound']:,.3f} instead of {first['bound']:,.3f}"
    return None


def _line(outcome: Outcome, columns: int) -> list[str]:
    start, rounds = [outcome.row.name, f"{outcome.subscribers:,}"], str(len(outcome.runs))
    if outcome.failure is not None or not outcome.runs:
        return [*start, *["-"] * 5, rounds, *["-"] * (columns - 1), f"**failed**: {outcome.failure}"]
    run, seconds = outcome.runs[0], [run["cpu_s"] for run in outcome.runs]
    return [
        *start,
        f"{outcome.median('wall_s'):.2f}",
        f"{outcome.median('cpu_s'):.2f}",
        f"{min(seconds):.2f} to {max(seconds):.2f}",
        f"{outcome.median('setup_cpu_s'):.1f}",
        f"{outcome.peak_bytes / 2**20:,.0f}" if outcome.peak_bytes else "not measured",
        rounds,
        *_found(run),
    ]


def _found(run: dict[str, Any]) -> list[str]:
    if "pehe" in run:
        return [f"{run['pehe']:.4f}"]
    gap = f"{100 * run['gap_share']:.5f}" if "gap_share" in run else "-"
    if "shortlisted" in run:
        return [f"{run['shortlisted']:,}", f"{run['listed']:,}", gap]
    return [str(run.get("price_rounds", "-")), f"{run['bound']:,.2f}", gap]


def document(host: dict[str, Any], measured: Measured) -> str:
    """Return the whole page: the machine, targets, then each section with all its sizes."""
    found = {(section.name, size, each.row.name): each for section, size, rows in measured for each in rows}
    parts = [
        "# Policy benchmark",
        f"{host['date']}, {host['processor']}, {host['cores']} cores, {host['kernel']}, "
        f"load {host['load_before']} before the start. How to read this: [README](../README.md).",
        versions(outcome for _, _, outcomes in measured for outcome in outcomes),
        "## Targets",
        markdown_table(["target", "asked", "measured", "met"], [target.line(found) for target in TARGETS]),
    ]
    for section in dict.fromkeys(section for section, _, _ in measured):
        sizes = [outcomes for each, _, outcomes in measured if each is section]
        parts += [f"## {section.title}", section.note]
        more = FITS if section is LEARNERS else LISTED if section is LISTS else PLANS
        lines = [_line(outcome, len(more)) for outcomes in sizes for outcome in outcomes]
        parts.append(markdown_table((*HEADER, *more), lines))
        parts += [ratios(section, outcomes) for outcomes in sizes]
    return "\n\n".join(part for part in parts if part) + "\n"
