"""What churnsim is meant to reach, and whether the measured rows reach it."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness import Outcome, Section
from sections import ENGINES, FIRST, SCALE, TWINS, WORKLOAD

LIMITS = {"at least": operator.ge, "at most": operator.le, "below": operator.lt}

Measured = Mapping[tuple[str, int, str], Outcome]
"""Outcomes by section, subscribers and row."""


@dataclass(frozen=True)
class Target:
    """A number that rows of a section at its largest size give, and the limit that it should keep."""

    what: str
    section: Section
    rows: tuple[str, ...]
    number: Callable[..., float]
    """Takes the outcomes of the rows."""
    asked: str
    """A word of :data:`LIMITS`."""
    limit: float
    unit: str = ""

    def line(self, measured: Measured) -> list[str]:
        """Return the target's line of a table: what, asked, measured, met."""
        size = f"{max(self.section.sizes):,} x {self.section.months}"
        start = [f"{self.section.title}, {size}: {self.what}", self._with_unit(self.asked, f"{self.limit:g}")]
        outcomes = [measured.get((self.section.name, max(self.section.sizes), name)) for name in self.rows]
        found = [outcome for outcome in outcomes if outcome is not None]
        if len(found) < len(outcomes):
            return [*start, "not measured", "-"]
        if any(outcome.failure is not None for outcome in found):
            return [*start, "a row failed", "**no**"]
        number = self.number(*found)
        met = "yes" if LIMITS[self.asked](number, self.limit) else "**no**"
        return [*start, self._with_unit(f"{number:.3g}"), met]

    def _with_unit(self, *words: str) -> str:
        return " ".join(word for word in (*words, self.unit) if word)


def times_as_fast(one: Outcome, other: Outcome) -> float:
    """Return the ratio of two rates."""
    return one.rate / other.rate


def times_the_cpu(one: Outcome, other: Outcome) -> float:
    """Return the ratio of two CPU times."""
    return one.median("cpu_s") / other.median("cpu_s")


def wall_seconds(outcome: Outcome) -> float:
    """Return the median wall time."""
    return outcome.median("wall_s")


def peak_gib(outcome: Outcome) -> float:
    """Return the largest peak memory; where it is not measured, a number that meets no limit."""
    return outcome.peak_bytes / 2**30 or math.nan


def other_results(*outcomes: Outcome) -> int:
    """Return how many results there are that differ from the first run's."""
    return len({tuple(sorted(run["digests"].items())) for outcome in outcomes for run in outcome.runs}) - 1


SIMULATE, TWIN_ROWS = ("churnsim simulate",), ("base and 8 offers", "base alone")
ENGINE_NAMES = tuple(row.name for row in ENGINES.rows)

TARGETS = (
    Target("churnsim, times as fast as numpy", WORKLOAD, ("churnsim", "numpy"), times_as_fast, "at least", 10),
    Target("churnsim, times as fast as starsim", WORKLOAD, ("churnsim", "starsim"), times_as_fast, "at least", 10),
    Target("churnsim, times as fast as vivarium", WORKLOAD, ("churnsim", "vivarium"), times_as_fast, "at least", 80),
    Target("the bound, times as fast as churnsim", WORKLOAD, ("draws alone", "churnsim"), times_as_fast, "at most", 3),
    Target("base and 8 offers, times the base", TWINS, TWIN_ROWS, times_the_cpu, "at most", 2.2),
    Target("wall time, 2 processes", SCALE, SIMULATE, wall_seconds, "below", 120, "s"),
    Target("peak memory, 2 processes", SCALE, SIMULATE, peak_gib, "below", 3, "GiB"),
    Target("results that differ from serial's", ENGINES, ENGINE_NAMES, other_results, "at most", 0),
    Target("wall time, filled cache", FIRST, ("filled cache",), wall_seconds, "below", 2, "s"),
)


def lines(measured: Measured) -> list[list[str]]:
    """Return the lines of the table of targets."""
    return [target.line(measured) for target in TARGETS]
