"""The plan of a month in words: which driver runs when, on what, with which draws."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.engine import Engine

WIDTH = 100
MARGIN = 11


def plan_text(engine: Engine) -> str:
    """Return the drivers of a month in the order in which they run, with what they read, write and draw."""
    count = Counter(column.scope for column in engine.schema.values())
    lines = [f"A month: {len(engine.drivers)} drivers on {count['stored']} stored columns, "
             f"{count['run']} carried through a run and {count['month']} of the month."]
    for number, driver in enumerate(engine.drivers, start=1):
        lines += ["", f"{number:2}. {driver.name}", *_parts(driver)]
    return "\n".join(lines)


def _parts(driver: Driver) -> Iterator[str]:
    yield from _part("reads", driver.reads)
    yield from _part("writes", driver.writes)
    yield from _part("draws", tuple(source.name for source in driver.streams))
    yield from _part("causes", driver.causes)
    yield from _part("after", driver.after)
    for change in driver.changes:
        yield from _part("may happen", (f"{change.name} within the month, which changes {', '.join(change.writes)}",))


def _part(title: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        first = f"    {title:{MARGIN}}"
        yield from textwrap.wrap(", ".join(dict.fromkeys(names)), WIDTH, initial_indent=first,
                                 subsequent_indent=" " * len(first))
