"""The benchmark's results as Markdown: rates, their ratios, and the machine and versions they come from."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness import Outcome, Section


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
    header = (
        "engine",
        "subscribers",
        "million subscriber-months per CPU s",
        "slowest to fastest round",
        "CPU s",
        "wall s",
        "set-up CPU s",
        "peak MiB",
        "rounds",
        "summaries",
    )
    return markdown_table(header, [_rate_line(outcome) for outcome in outcomes])


def _rate_line(outcome: Outcome) -> list[str]:
    line = [outcome.row.name, f"{outcome.subscribers:,}"]
    if outcome.failure is not None:
        return [*line, *["-"] * 6, str(len(outcome.runs)), f"**failed**: {outcome.failure}"]
    millions = [rate / 1e6 for rate in outcome.rates]
    peak = max(run["peak_bytes"] for run in outcome.runs)
    return [
        *line,
        _three_digits(outcome.rate / 1e6),
        f"{_three_digits(min(millions))} to {_three_digits(max(millions))}",
        f"{outcome.median('cpu_s'):.3f}",
        f"{outcome.median('wall_s'):.3f}",
        f"{outcome.median('setup_cpu_s'):.1f}",
        f"{peak / 2**20:,.0f}" if peak else "not measured",
        str(len(outcome.runs)),
        "agree" if outcome.row.checked else "-",
    ]


def ratios(outcomes: Sequence[Outcome], against: Sequence[str]) -> str:
    """Return how many times as fast each row is as those it is compared with, by median rates."""
    rate = {outcome.row.name: outcome.rate for outcome in outcomes if outcome.failure is None}
    columns = [name for name in against if name in rate]
    lines = [[name, *(_three_digits(rate[name] / rate[column]) for column in columns)] for name in rate]
    return markdown_table(["times as fast as", *columns], lines)


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


def document(host: dict[str, Any], measured: Sequence[tuple[Section, Sequence[Outcome]]]) -> str:
    """Return the whole page: the machine, then each section at each size."""
    parts = [
        "# Engine benchmark",
        f"{host['date']}, {host['processor']}, {host['cores']} cores, {host['kernel']}, "
        f"load {host['load_before']} before the start. How to read this: [README](../README.md).",
        versions(outcome for _, outcomes in measured for outcome in outcomes),
    ]
    for section, outcomes in measured:
        largest = max(outcome.subscribers for outcome in outcomes)
        parts.append(f"## {section.title}: {largest:,} subscribers, {section.months} months")
        parts += [rates(outcomes), ratios(outcomes, section.against)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"
