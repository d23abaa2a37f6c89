"""Months pass: blocks of subscribers, and their twins under other treatments, through the same draws.

A block goes through all its months before the next one is taken. The engine knows no driver; nothing here
couples subscribers: a result for an id never depends on which other ids are run, nor on blocks or threads. Only
a driver that says who must stay together may look at others, and then at those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np

from churnsim.core.columns import Schema, Subscribers
from churnsim.core.draws import Key
from churnsim.lifecycle.block import Block, Draws, Ids, Month
from churnsim.lifecycle.driver import Driver, full_schema, in_order
from churnsim.lifecycle.treatment import Treatment

BLOCK = 16_384

Observer: TypeAlias = Callable[[Block], None]
ArmInput: TypeAlias = tuple[Subscribers, Treatment | None]


class Engine:
    """Drivers in the order of a month, under one key.

    Parameters
    ----------
    drivers
        In any order that their dependencies allow; see :class:`churnsim.lifecycle.driver.Driver`.
    schema
        Columns beside those that drivers bring along.
    key
        Every draw depends on it.

    Attributes
    ----------
    drivers
        In the order in which they run.
    schema
        All columns; the stored ones are what a base must have.
    coupled
        Names of drivers in which subscribers look at each other.

    Raises
    ------
    ConfigError
        Drivers do not fit together; one line a finding.

    Examples
    --------
    A driver in plain numpy: a subscriber meets on average one fault in ten months.

    >>> import numpy as np
    >>> from churnsim.core.columns import Column
    >>> from churnsim.core.draws import make_key, stream
    >>> FAULTS = stream("doctest.faults")
    >>> def step(block, month, draws):
    ...     block["faults"] += draws.lanes(FAULTS)[0] < 0.1
    >>> faults = Driver("faults", step, writes=("faults",), streams=(FAULTS,), columns=(
    ...     Column("faults", "int32", "faults", "latent", "faults", "faults felt so far"),))
    >>> engine = Engine([faults], schema=Schema(()), key=make_key(seed=1, replicate=0))
    >>> base = Subscribers.empty(engine.schema, np.arange(10_000))
    >>> engine.run([(base, None)], start=0, months=10)
    >>> round(float(base["faults"].mean()), 2)
    1.0
    """

    def __init__(self, drivers: Sequence[Driver], *, schema: Schema, key: Key) -> None:
        self.schema = full_schema(drivers, schema)
        self.drivers = in_order(drivers, self.schema)
        self.key = key
        self.coupled = tuple(driver.name for driver in self.drivers if driver.together is not None)
        self._steps = tuple(driver.step for driver in self.drivers if driver.step is not None)
        self._starts = tuple(driver.start for driver in self.drivers if driver.start is not None)
        self._streams = tuple(source for driver in self.drivers for source in driver.streams)

    def run(self, arms: Sequence[ArmInput], *, start: int, months: int, observe: Observer | None = None,
            realise: bool = True, block: int = BLOCK, threads: int = 1) -> None:
        """Let `months` months pass from `start`, changing the bases in place.

        Parameters
        ----------
        arms
            Bases of the same ids in the same order, each with its treatment in month `start` (None: nobody is
            contacted). Arms share every draw: they are twins.
        observe
            Called after every block and month of every arm, with the block as the month left it; from several
            threads if `threads` > 1. The block is valid during the call only.
        realise
            False: nobody leaves; only probabilities are carried (for expectations).
        """
        n = len(arms[0][0])
        for base, treatment in arms:
            if not np.array_equal(base.ids, arms[0][0].ids):
                raise ValueError("the arms of a run have the same ids in the same order; run others apart")
            rows = np.zeros(0, np.int64) if treatment is None else treatment.touched()
            if len(rows) and not 0 <= rows[0] <= rows[-1] < n:
                raise ValueError(f"a treatment names rows {rows[0]} to {rows[-1]}, but the base has rows 0 to {n - 1}")
        cuts = self._cuts(arms[0][0].ids, block)
        bounds = list(zip((0, *cuts), (*cuts, n), strict=True)) if n else []

        def one(bound: tuple[int, int]) -> None:
            self._run_block(arms, bound, start, months, observe, realise)

        if threads == 1:
            for bound in bounds:
                one(bound)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(one, bounds))

    def _cuts(self, ids: Ids, block: int) -> list[int]:
        """Return rows at which new blocks start: every `block` rows, or as little before as cuts no group."""
        cuts = np.arange(block, len(ids), block)
        if self.coupled:
            numbers = [driver.together(ids) for driver in self.drivers if driver.together is not None]
            starts = np.flatnonzero(np.all([n[1:] != n[:-1] for n in numbers], axis=0)) + 1
            at = np.searchsorted(starts, cuts, side="right") - 1
            cuts = np.unique(starts[at[at >= 0]])
        return [int(cut) for cut in cuts]

    def _run_block(self, arms: Sequence[ArmInput], bound: tuple[int, int], start: int, months: int,
                   observe: Observer | None, realise: bool) -> None:
        low, high = bound
        month = Month(start, first=True, realise=realise)
        blocks = [Block.over(base, self.schema, month=month, low=low, high=high, arm=arm, treatment=treatment)
                  for arm, (base, treatment) in enumerate(arms)]
        for block in blocks:
            for begin in self._starts:
                begin(block)
        draws = Draws(self.key, blocks[0].ids, self._streams)
        for number in range(start, start + months):
            month = Month(number, first=number == start, realise=realise)
            draws.month = number
            for block in blocks:
                block.month = month
                for step in self._steps:
                    step(block, month, draws)
                if observe is not None:
                    observe(block)
