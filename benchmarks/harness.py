"""Runs the rows of a section in turn, each in a process of its own, and measures them from outside."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from checks import disagreement, reference
from environments import python_of

HERE = Path(__file__).parent
SAMPLE_S = 0.05
# Adding up the pages of gigabytes takes a while: no more than a twentieth of the time goes to it.
SAMPLE_SHARE = 0.05


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
    compared: Literal["rate", "cpu_s", "wall_s"] = "rate"
    """What its rows are compared by."""
    note: str = ""
    """What a reader of its table should know."""


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
        return self._subscriber_months / self.median("cpu_s")

    @property
    def rates(self) -> list[float]:
        """Subscriber-months per CPU second, a round each."""
        return [self._subscriber_months / run["cpu_s"] for run in self.runs]

    @property
    def peak_bytes(self) -> int:
        """The largest of the rounds; 0 where it is not measured."""
        return max(run["peak_bytes"] for run in self.runs)

    @property
    def _subscriber_months(self) -> int:
        return self.runs[0].get("subscriber_months", self.subscribers * self.months)


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
    with tempfile.TemporaryDirectory() as scratch:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": sources, "TMPDIR": scratch}
        result, log = Path(scratch, "result.json"), Path(scratch, "log.txt")
        size = [str(subscribers), str(months)]
        command = [python_of(row.environment), "-m", row.module, row.case, *size, str(result)]
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=HERE, env=environment, stdout=output, stderr=output)
        peak = 0
        try:
            while process.poll() is None:
                began = time.perf_counter()
                peak = max(peak, proportional_memory(process.pid))
                time.sleep(max(SAMPLE_S, (time.perf_counter() - began) / SAMPLE_SHARE))
        finally:
            process.kill()
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, log.read_text())
        return json.loads(result.read_text()) | {"peak_bytes": peak}


def attempt(outcome: Outcome, known: Mapping[str, str]) -> dict[str, Any]:
    """Add a round to an outcome and return it; a crash gives no round, and the outcome says why it failed.

    `known` are the digests of the section's first results; none yet: anything goes.
    """
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
    found = run.get("digests", {})
    others = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
    if known and others:
        outcome.failure = f"{others[0]} differs from that of the first row"
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
    known: dict[str, str] = {}
    for number in range(rounds):
        for outcome in outcomes:
            if outcome.failure is None and number < (outcome.row.rounds or rounds):
                run = attempt(outcome, known)
                known = known or run.get("digests", {})
                record(section, outcome, run)
    return outcomes
