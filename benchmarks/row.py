"""What a row's own process does: prepare, time the simulation, write down what it took.

A module of rows maps the names of its cases to functions that build a simulation and return the function
to be timed. The harness starts it as ``python -m MODULE CASE SUBSCRIBERS MONTHS RESULT_FILE``.
"""

from __future__ import annotations

import json
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

WARM_UP_SUBSCRIBERS = 20_000

Summary = Sequence[Sequence[int]]
Prepare = Callable[[int, int], Callable[[], Summary | None]]
"""Takes subscribers and months; the function it returns gives a summary a month, None where there is none."""


def cpu_seconds() -> float:
    """User and system seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main(cases: Mapping[str, Prepare], *, packages: Sequence[str] = ()) -> None:
    """Run the case that the command line names and write its times, summary and versions to a file."""
    case, subscribers, months, result_file = sys.argv[1:]
    prepare = cases[case]
    # Compiling and late imports happen here, before the clock.
    prepare(WARM_UP_SUBSCRIBERS, 2)()
    simulate = prepare(int(subscribers), int(months))
    cpu_start, wall_start = cpu_seconds(), time.perf_counter()
    summary = simulate()
    cpu_end, wall_end = cpu_seconds(), time.perf_counter()
    result = {
        "cpu_s": cpu_end - cpu_start,
        "wall_s": wall_end - wall_start,
        "setup_cpu_s": cpu_start,
        "summary": summary,
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in packages},
    }
    Path(result_file).write_text(json.dumps(result))
