"""A tiny experiment and ways to run commands on it, for the tests of the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HEADER = "schema: 1\nname: tiny\nseed: 1\n"
TINY = HEADER + """\
replicates: 2
population: {size: 1500}
pilot: {size: 4000}
campaign: {budget_amount: 500.0}
evaluation: {horizon_months: 20, inner_draws: 1}
"""
ADDED = "policies:\n  stay: {kind: uplift_value, learner: stay}\n"
POLICIES = 8
CELLS = 2 * (4 + POLICIES)
PROGRAM = [sys.executable, "-m", "churnsim.cli"]


def write(folder: Path, text: str = TINY, name: str = "tiny.yaml") -> Path:
    """Write an experiment file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def program(*args: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([*PROGRAM, *map(str, args)], text=True, check=False, **options)


def _hear_interrupts() -> None:
    # A shell starts what it puts in the background deaf to SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def started(*args: Any) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, as a terminal would."""
    return subprocess.Popen([*PROGRAM, *map(str, args)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True,
                            preexec_fn=_hear_interrupts)


def cells(folder: Path) -> set[str]:
    """Return the keys of the finished cells of a results folder."""
    at = folder / "cells"
    return {path.name for path in at.iterdir() if path.name[0] != "."} if at.is_dir() else set()


def provenance(folder: Path) -> tuple[int, int]:
    """Return how many cells the last run computed and how many it found."""
    found = json.loads((folder / "provenance.json").read_text())
    return found["cells_run"], found["cells_reused"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a results folder but its cells."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path: path.relative_to(folder) for path in paths}
    return {str(name): path.read_bytes() for path, name in names.items() if name.parts[0] != "cells"}


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that still run."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def is_worker(pid: int) -> bool:
    """Return whether a process was spawned by multiprocessing to run jobs."""
    try:
        return "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def ignores(pid: int, number: int) -> bool:
    """Return whether a process ignores a signal."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigIgn"], 16) >> (number - 1) & 1)


def runs(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
