"""Runs the rows of a section in turn, each in a process of its own, and measures them from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from checks import disagreement, reference
from environments import python_of

HERE = Path(__file__).parent
SAMPLE_S = 0.05


@dataclass(frozen=True)
class Row:
    """One line of a table: a case of a module that calls :func:`row.main`."""

    name: str
    module: str
    case: str
    environment: str | None = None
    """The peer whose pins it needs; None runs it with this interpreter."""
    at_most: int | None = None
    """The largest base it is given."""
    rounds: int | None = None
    """The largest number of rounds, for a row that takes minutes."""
    checked: bool = True
    """Whether its summaries must be those of the workload."""


@dataclass(frozen=True)
class Section:
    """Rows that belong in one table, and those among them that the others are compared with."""

    name: str
    title: str
    rows: tuple[Row, ...]
    against: tuple[str, ...]
    sizes: tuple[int, ...]
    months: int


@dataclass
class Outcome:
    """What the rounds of a row at one size took."""

    row: Row
    subscribers: int
    months: int
    runs: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None

    def median(self, key: str) -> float:
        return median(run[key] for run in self.runs)

    @property
    def rate(self) -> float:
        """Subscriber-months per CPU second, from the median of the rounds."""
        return self.subscribers * self.months / self.median("cpu_s")

    @property
    def rates(self) -> list[float]:
        """Subscriber-months per CPU second, a round each."""
        return [self.subscribers * self.months / run["cpu_s"] for run in self.runs]


def proportional_memory(pid: int) -> int:
    """Return the bytes (PSS: shared pages are split among their users) of a process and its descendants.

    Linux only; 0 elsewhere and for a process that has ended.
    """
    total = 0
    with suppress(OSError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total = 1024 * int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0])
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(proportional_memory(int(child)) for child in (task / "children").read_text().split())
    return total


def run_once(row: Row, *, subscribers: int, months: int) -> dict[str, Any]:
    """Run a row in a fresh process; return what it wrote down and its peak memory.

    Raises
    ------
    subprocess.CalledProcessError
        The process failed; `output` holds what it printed.
    """
    # Our own rows import churnsim from this checkout, whether it is installed or not.
    sources = str(HERE.parent / "src") if row.environment is None else ""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": sources}
    with tempfile.TemporaryDirectory() as scratch:
        result, log = Path(scratch, "result.json"), Path(scratch, "log.txt")
        size = [str(subscribers), str(months)]
        command = [python_of(row.environment), "-m", row.module, row.case, *size, str(result)]
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=output, stderr=output)
        peak = 0
        try:
            while process.poll() is None:
                peak = max(peak, proportional_memory(process.pid))
                time.sleep(SAMPLE_S)
        finally:
            process.kill()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, log.read_text())
        return json.loads(result.read_text()) | {"peak_bytes": peak}


def attempt(outcome: Outcome) -> dict[str, Any]:
    """Add a round to an outcome and return it; a crash gives no round, and the outcome says why it failed."""
    row, subscribers, months = outcome.row, outcome.subscribers, outcome.months
    try:
        run = run_once(row, subscribers=subscribers, months=months)
    except subprocess.CalledProcessError as error:
        outcome.failure = error.output.strip().rpartition("\n")[2] or f"exit status {error.returncode}"
        return {}
    outcome.runs.append(run)
    if row.checked:
        outcome.failure = disagreement(
            run["summary"], reference(subscribers, months), subscribers=subscribers
        )
    return run


def measure(
    section: Section,
    rows: Sequence[Row],
    *,
    subscribers: int,
    rounds: int,
    record: Callable[[Section, Outcome, dict[str, Any]], None],
) -> list[Outcome]:
    """Run the rows of a section at a size in turn, round by round; a failed row is not run again.

    `record` is called after each run with the section, the outcome so far and the run, empty if it crashed.
    """
    outcomes = [Outcome(row, min(subscribers, row.at_most or subscribers), section.months) for row in rows]
    for outcome in outcomes:
        try:
            python_of(outcome.row.environment)
        except subprocess.CalledProcessError:
            outcome.failure = f"no environment could be made from peers/{outcome.row.environment}.txt"
            record(section, outcome, {})
    for number in range(rounds):
        for outcome in outcomes:
            if outcome.failure is None and number < (outcome.row.rounds or rounds):
                record(section, outcome, attempt(outcome))
    return outcomes
