"""What a driver is, and the checks that make an order of drivers a month."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from churnsim.core.columns import Column, Schema
from churnsim.core.draws import Stream, is_registered
from churnsim.errors import ConfigError
from churnsim.lifecycle.block import Block, Draws, Float32, Float64, Ids, Month

Step: TypeAlias = Callable[[Block, Month, Draws], None]


@dataclass(frozen=True)
class Change:
    """Something that happens to some subscribers within a month and may change their hazards from then on.

    Attributes
    ----------
    reads, writes
        Columns it uses and changes; a change may write columns of any owner.
    when
        ``when(block, month, draws)`` returns rows of the block, ascending, and the times they are hit, in
        months into the month, [0, 1); a row may stand there several times, its times ascending.
    act
        ``act(block, rows, hits, month, draws)`` changes rows of the block in place, each at most once; `hits`
        are their positions in what `when` returned. A row's hits come in the order of time.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    when: Callable[[Block, Month, Draws], tuple[Ids, Float64]]
    act: Callable[[Block, Ids, Ids, Month, Draws], None]


@dataclass(frozen=True)
class Driver:
    """A step of the month: a function on the columns of a block of subscribers.

    Attributes
    ----------
    name
        A driver owns the columns whose owner is "<name>" or "lifecycle.<name>", and those of `owns`.
    step
        ``step(block, month, draws)`` changes the written columns in place; None for a driver that only adds
        causes or changes.
    reads, writes
        Columns it uses and changes.
    streams
        Streams that it draws from.
    columns
        Columns it brings along, stored ones or scratch.
    causes, hazards
        Causes of leaving that it adds, and ``hazards(block)``, their monthly hazards, (causes, n) float32, of
        the columns it reads.
    update
        ``update(before, after, hazards, written)``: the hazards when the columns `written` went from what they
        are in the block `before` to what they are in `after`; None: ``hazards(after)``. For speed only.
    changes
        What may happen within the month.
    hosts
        Changes, its own or of others, that happen in its step: who reads what they write comes after it.
    after
        Names of drivers that must come before it. One that reads a "month" column comes after its writer
        anyway; else the listed order holds.
    start
        ``start(block)`` fills its "run" columns when a run starts.
    together
        ``together(ids)`` numbers groups of subscribers who look at each other, (n,); neighbours of one number are
        always in one block. None: nobody looks at others. With it no part of a group can be run alone.
    """

    name: str
    step: Step | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    streams: tuple[Stream, ...] = ()
    columns: tuple[Column, ...] = ()
    causes: tuple[str, ...] = ()
    hazards: Callable[[Block], Float32] | None = None
    update: Callable[[Block, Block, Float32, frozenset[str]], Float32] | None = None
    changes: tuple[Change, ...] = ()
    hosts: tuple[Change, ...] = ()
    after: tuple[str, ...] = ()
    start: Callable[[Block], None] | None = None
    owns: str = ""
    together: Callable[[Ids], Ids] | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """Owners of the columns that the driver may write."""
        names = (self.name, self.owns) if self.owns else (self.name,)
        return (*names, *(f"lifecycle.{name}" for name in names))


def full_schema(drivers: Sequence[Driver], schema: Schema) -> Schema:
    """Return the schema with the columns that drivers bring along."""
    return Schema((*schema.values(), *(column for driver in drivers for column in driver.columns)))


def in_order(drivers: Sequence[Driver], schema: Schema) -> tuple[Driver, ...]:
    """Check drivers and return them in the order of the month.

    Raises
    ------
    ConfigError
        One line a finding: two drivers of one name, an unknown column, a column of another owner, an unknown
        stream or one of two drivers, a cause of two drivers, an unknown driver in `after`, a cycle.
    """
    findings = [*_names(drivers), *(line for driver in drivers for line in _own_findings(driver, schema)),
                *_shared(drivers)]
    if findings:
        raise ConfigError("\n".join(findings))
    return _sorted(drivers, schema)


def _names(drivers: Sequence[Driver]) -> list[str]:
    names = [driver.name for driver in drivers]
    return [f"driver {name!r} stands {names.count(name)} times in the month; rename or remove it"
            for name in sorted(set(names)) if names.count(name) > 1] + [
        f"driver {driver.name!r} comes after {name!r}, which is not there; add it or correct the name"
        for driver in drivers for name in driver.after if name not in names]


def _own_findings(driver: Driver, schema: Schema) -> list[str]:
    who = f"driver {driver.name!r}"
    changed = [name for change in driver.changes for name in (*change.reads, *change.writes)]
    findings = [f"{who}: no column {name!r}; declare it in the schema or in the driver's columns"
                for name in dict.fromkeys((*driver.reads, *driver.writes, *changed)) if name not in schema]
    findings += [
        f"{who} writes {name!r}, which belongs to {schema[name].owner!r}; declare it with owner "
        f"'lifecycle.{driver.name}' or write another column"
        for name in driver.writes if name in schema and schema[name].owner not in driver.owners]
    findings += [f"{who}: stream {source.name!r} is not registered; make it with churnsim.core.draws.stream"
                 for source in driver.streams if not is_registered(source)]
    if bool(driver.causes) != (driver.hazards is not None):
        findings.append(f"{who}: causes and hazards belong together; give both or neither")
    return findings


def _shared(drivers: Sequence[Driver]) -> list[str]:
    findings = []
    for what, remedy, of in (("stream", "draws would be shared; give each its own", _stream_names),
                             ("cause", "rename one of them", lambda driver: driver.causes)):
        owner: dict[str, str] = {}
        for driver in drivers:
            for name in of(driver):
                first = owner.setdefault(name, driver.name)
                if first != driver.name:
                    findings.append(f"{what} {name!r} is declared by drivers {first!r} and {driver.name!r}; {remedy}")
    return findings


def _stream_names(driver: Driver) -> tuple[str, ...]:
    return tuple(source.name for source in driver.streams)


def _sorted(drivers: Sequence[Driver], schema: Schema) -> tuple[Driver, ...]:
    """Return the listed order, changed only as far as dependencies ask for."""
    position = {driver.name: k for k, driver in enumerate(drivers)}
    writers: dict[str, set[str]] = {}
    for driver in drivers:
        for name in (*driver.writes, *(name for change in driver.hosts for name in change.writes)):
            if schema[name].scope == "month":
                writers.setdefault(name, set()).add(driver.name)
    needs = {driver.name: set().union(*(writers.get(name, ()) for name in _reads(driver))) - {driver.name}
             | set(driver.after) for driver in drivers}
    ready = [position[name] for name, before in needs.items() if not before]
    heapq.heapify(ready)
    order: list[Driver] = []
    while ready:
        done = drivers[heapq.heappop(ready)]
        order.append(done)
        for name, before in needs.items():
            if done.name in before:
                before.discard(done.name)
                if not before:
                    heapq.heappush(ready, position[name])
    if len(order) < len(drivers):
        stuck = {name: before for name, before in needs.items() if before}
        raise ConfigError(f"drivers wait for each other: {' <- '.join(_cycle(stuck))}; take one of the "
                          "dependencies (after, or reading a column of the month) away")
    return tuple(order)


def _reads(driver: Driver) -> tuple[str, ...]:
    return (*driver.reads, *(name for change in driver.hosts for name in change.reads))


def _cycle(stuck: dict[str, set[str]]) -> list[str]:
    at = min(stuck)
    path = [at]
    while True:
        at = min(name for name in stuck[at] if name in stuck)
        if at in path:
            return [*path[path.index(at):], at]
        path.append(at)

