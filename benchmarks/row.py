"""What a row's own process does: prepare, time the simulation, write down what it took.

A module of rows maps the names of its cases to functions that build a simulation and return the function
to be timed. The harness starts it as ``python -m MODULE CASE SUBSCRIBERS MONTHS RESULT_FILE``; temporary
folders are the harness's, which removes them.
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
from typing import Any

WARM_UP_SUBSCRIBERS = 20_000

Summary = Sequence[Sequence[int]]
Prepare = Callable[[int, int], Callable[[], Any]]
"""Takes subscribers and months; the function it returns is timed."""
Facts = Callable[[Any], dict[str, Any]]
"""Takes what the timed function returned; see :func:`main`."""


def monthly_summary(summary: Summary | None) -> dict[str, Any]:
    """Return the facts of a simulation of the workload: a summary a month, None where there is none."""
    return {"summary": summary}


def cpu_seconds() -> float:
    """User and system seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main(
    cases: Mapping[str, Prepare],
    *,
    packages: Sequence[str] = (),
    facts: Facts = monthly_summary,
    warm_up: bool = True,
) -> None:
    """Run the case that the command line names and write its times, facts and versions to a file.

    Parameters
    ----------
    cases
        What can be run, by name.
    packages
        Those whose versions are reported.
    facts
        Called after the clock with what the timed function returned. It may tell "subscriber_months", if they
        are not subscribers times months; "written_bytes"; "digests" of results by name, which must be those of
        the section's first row; and it tells "summary" for a row that is checked.
    warm_up
        Whether a small base is simulated first.
    """
    case, subscribers, months, result_file = sys.argv[1:]
    prepare = cases[case]
    if warm_up:
        # Compiling and late imports happen here, before the clock.
        prepare(WARM_UP_SUBSCRIBERS, 2)()
    simulate = prepare(int(subscribers), int(months))
    cpu_start, wall_start = cpu_seconds(), time.perf_counter()
    done = simulate()
    cpu_end, wall_end = cpu_seconds(), time.perf_counter()
    result = {
        "cpu_s": cpu_end - cpu_start,
        "wall_s": wall_end - wall_start,
        "setup_cpu_s": cpu_start,
        "versions": {"Python": platform.python_version()}
        | {name: metadata.version(name) for name in packages},
    } | facts(done)
    Path(result_file).write_text(json.dumps(result))
