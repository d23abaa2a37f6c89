"""The sections of the contact centre's benchmark, and what churnsim is meant to reach in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness import Outcome, Row, Section
from targets import LIMITS

OWN = "capacity_run"
MILLION = 1_000_000

QUEUE = Section(
    name="queue",
    title="Callers alone: M/M/50+M",
    rows=(
        Row("compiled", OWN, "queue compiled", checked=False),
        Row("compiled, work()", OWN, "queue compiled work", checked=False),
        Row("SimPy", OWN, "queue simpy", checked=False),
        Row("SimPy, work()", OWN, "queue simpy work", checked=False),
        Row("naive SimPy", "peers.simpy_run", "queue", checked=False),
        Row("Ciw", "peers.ciw_run", "queue", environment="ciw", rounds=2, checked=False),
        Row("salabim", "peers.salabim_run", "queue", environment="salabim", at_most=50_000, rounds=2, checked=False),
    ),
    against=("naive SimPy", "SimPy", "Ciw", "salabim"),
    sizes=(200_000,),
    months=1,
    note="50 agents around the clock, load 1, patience twice the handle time. All rows serve the same callers: "
    "moments, handle times and patience are given. Waits are compared with a first-come recursion, caller by caller.",
)

OUTREACH = Section(
    name="outreach",
    title="Orders and callers under every feature",
    rows=(
        Row("compiled", OWN, "outreach compiled", checked=False),
        Row("compiled, work()", OWN, "outreach compiled work", checked=False),
        Row("SimPy", OWN, "outreach simpy", at_most=100_000, checked=False),
        Row("agent processes", "peers.simpy_run", "outreach", at_most=100_000, checked=False),
    ),
    against=("agent processes", "SimPy"),
    sizes=(10_000, 100_000, MILLION),
    months=1,
    note="A skill that half of the agents have and a tenth of the orders ask for, split shifts, productivity, three "
    "attempts with a delay between them, answers by the hour, deadlines, call-backs, two attempts a day and four a "
    "week at a subscriber, callers with patience before any order. 60 agents a 100,000 orders. A contact is an attempt "
    "at an order or a caller who is served. `agent processes` has random numbers of its own: counts differ by chance.",
)

MESSAGES = Section(
    name="messages",
    title="Messages",
    rows=(
        Row("work_batch", OWN, "messages", checked=False),
        Row("work()", OWN, "messages work", checked=False),
        Row("numpy alone", OWN, "messages numpy", checked=False),
    ),
    against=("numpy alone",),
    sizes=(MILLION,),
    months=1,
    note="50,000 an hour, all released at once; one that would be read past its deadline is not sent. `numpy alone` "
    "is the least that must be done: sort, send, draw. A contact is a message of the list.",
)

FIRST = Section(
    name="first call",
    title="First call",
    rows=(
        Row("empty cache", OWN, "first cold", rounds=1, checked=False),
        Row("filled cache", OWN, "first warm", rounds=1, checked=False),
    ),
    against=("filled cache",),
    sizes=(1_000,),
    months=1,
    compared="cpu_s",
    note="A fresh process from its start to its end: import, and `work` of the orders above, compiled. The cache is "
    "that of compiled functions, so the first row is what compiling takes; no other row has it in its time.",
)

SECTIONS = (QUEUE, OUTREACH, MESSAGES, FIRST)

Measured = Mapping[tuple[str, int, str], Outcome]
"""Outcomes by section, size of the section and row."""


def rate(outcome: Outcome) -> float:
    """Return contacts a CPU second, from the median of the rounds."""
    return outcome.runs[0].get("contacts", math.nan) / outcome.median("cpu_s")


def times_as_fast(one: Outcome, other: Outcome) -> float:
    """Return the ratio of two rates."""
    return rate(one) / rate(other)


def wall_seconds(outcome: Outcome) -> float:
    """Return the median wall time."""
    return outcome.median("wall_s")


@dataclass(frozen=True)
class Target:
    """A number that rows of a section at a size give, and the limit that it should keep."""

    what: str
    section: Section
    size: int
    rows: tuple[str, ...]
    number: Callable[..., float]
    """Takes the outcomes of the rows."""
    asked: str
    """A word of :data:`targets.LIMITS`."""
    limit: float
    unit: str = ""

    def line(self, measured: Measured) -> list[str]:
        """Return the target's line of a table: what, asked, measured, met."""
        start = [f"{self.section.title}, {self.size:,}: {self.what}", f"{self.asked} {self.limit:,g}{self.unit}"]
        found = [measured.get((self.section.name, self.size, name)) for name in self.rows]
        if not all(outcome is not None and (outcome.runs or outcome.failure) for outcome in found):
            return [*start, "not measured", "-"]
        if any(outcome is not None and outcome.failure for outcome in found):
            return [*start, "a row failed", "**no**"]
        number = self.number(*found)
        met = "yes" if LIMITS[self.asked](number, self.limit) else "**no**"
        return [*start, f"{number:,.3g}{self.unit}" if number < 1000 else f"{number:,.0f}{self.unit}", met]


SIMPY_BOTH, PEER_BOTH = ("SimPy", "naive SimPy"), ("compiled", "agent processes")

TARGETS = (
    Target("SimPy, contacts a CPU s", OUTREACH, 100_000, ("SimPy",), rate, "at least", 30_000),
    Target("SimPy, times as fast as naive SimPy", QUEUE, 200_000, SIMPY_BOTH, times_as_fast, "at least", 3),
    Target("compiled, times as fast as agent processes", OUTREACH, 100_000, PEER_BOTH, times_as_fast,
           "at least", 20),
    Target("compiled, times as fast as SimPy", OUTREACH, 100_000, ("compiled", "SimPy"), times_as_fast, "at least", 10),
    Target("wall time of work(), compiled", OUTREACH, MILLION, ("compiled, work()",), wall_seconds, "below", 60, " s"),
)
