"""The benchmark's results as Markdown: rates, their ratios, and the machine and versions they come from."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import targets
from harness import Outcome, Section

Measured = Sequence[tuple[Section, Sequence[Outcome]]]
COMPARED = {"rate": "times as fast as", "cpu_s": "times the CPU s of", "wall_s": "times the wall s of"}


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        processor = models[0] if models else processor
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor,
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def markdown_table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are aligned to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines))


def rates(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what each row took; a failed row keeps its line and says why."""
    writes = any("written_bytes" in run for outcome in outcomes for run in outcome.runs)
    header = [
        "row",
        "subscribers",
        "million subscriber-months per CPU s",
        "slowest to fastest round",
        "CPU s",
        "wall s",
        "set-up CPU s",
        "peak MiB",
        *(["written MiB"] if writes else []),
        "rounds",
        "results",
    ]
    return markdown_table(header, [_rate_line(outcome, writes=writes) for outcome in outcomes])


def _rate_line(outcome: Outcome, *, writes: bool) -> list[str]:
    line = [outcome.row.name, f"{outcome.subscribers:,}"]
    if outcome.failure is not None:
        return [*line, *["-"] * (6 + writes), str(len(outcome.runs)), f"**failed**: {outcome.failure}"]
    millions = [rate / 1e6 for rate in outcome.rates]
    written = [_mebibytes(outcome.runs[0]["written_bytes"])] if writes else []
    return [
        *line,
        _three_digits(outcome.rate / 1e6),
        f"{_three_digits(min(millions))} to {_three_digits(max(millions))}",
        f"{outcome.median('cpu_s'):.3f}",
        f"{outcome.median('wall_s'):.3f}",
        f"{outcome.median('setup_cpu_s'):.1f}",
        _mebibytes(outcome.peak_bytes) if outcome.peak_bytes else "not measured",
        *written,
        str(len(outcome.runs)),
        _checked(outcome),
    ]


def _checked(outcome: Outcome) -> str:
    if outcome.row.checked:
        return "agree"
    return "same bits" if "digests" in outcome.runs[0] else "-"


def ratios(section: Section, outcomes: Sequence[Outcome]) -> str:
    """Return how each row compares with those that the section names, by medians; nothing if it names none."""
    by = section.compared
    number = {
        outcome.row.name: outcome.rate if by == "rate" else outcome.median(by)
        for outcome in outcomes
        if outcome.failure is None
    }
    columns = [name for name in section.against if name in number]
    lines = [[name, *(_three_digits(number[name] / number[column]) for column in columns)] for name in number]
    return markdown_table([COMPARED[by], *columns], lines) if columns else ""


def versions(outcomes: Iterable[Outcome]) -> str:
    """Return a list of the versions that each environment has, as its processes reported them."""
    found: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        for run in outcome.runs:
            found.setdefault(outcome.row.environment or "this environment", {}).update(run["versions"])
    return "\n".join(
        f"* {environment}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
        for environment, packages in found.items()
    )


def document(host: dict[str, Any], measured: Measured) -> str:
    """Return the whole page: the machine, targets, then each section with all its sizes."""
    parts = [
        "# Engine benchmark",
        f"{host['date']}, {host['processor']}, {host['cores']} cores, {host['kernel']}, "
        f"load {host['load_before']} before the start. How to read this: [README](../README.md).",
        versions(outcome for _, outcomes in measured for outcome in outcomes),
        "## Targets",
        markdown_table(["target", "asked", "measured", "met"], targets.lines(_by_key(measured))),
    ]
    for section, tables in groupby(measured, key=lambda item: item[0]):
        sizes = [outcomes for _, outcomes in tables]
        subscribers = ", ".join(f"{max(outcome.subscribers for outcome in outcomes):,}" for outcomes in sizes)
        months = f"{section.months} month" + "s" * (section.months > 1)
        parts += [f"## {section.title}: {subscribers} subscribers, {months}", section.note]
        parts.append(rates([outcome for outcomes in sizes for outcome in outcomes]))
        parts += [ratios(section, outcomes) for outcomes in sizes]
    return "\n\n".join(part for part in parts if part) + "\n"


def _by_key(measured: Measured) -> targets.Measured:
    return {
        (section.name, outcome.subscribers, outcome.row.name): outcome
        for section, outcomes in measured
        for outcome in outcomes
    }


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:,.0f}"


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"
