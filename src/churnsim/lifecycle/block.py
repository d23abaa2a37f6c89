"""What a driver works on: a block of subscribers, the month that passes, and draws keyed by subscriber."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import HISTORY_MONTHS, Schema, Subscribers
from churnsim.core.draws import Key, Stream, uniform, uniform4
from churnsim.errors import ConfigError
from churnsim.lifecycle.treatment import Treatment

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Month:
    """The month that passes.

    Attributes
    ----------
    number
        Calendar month, from 0.
    first
        True in the first month of a run, in which its treatments act.
    realise
        False: nobody leaves; only probabilities are carried (for expectations).
    """

    number: int
    first: bool = False
    realise: bool = True


class Block(Subscribers):
    """Some rows of a base while months pass: its stored columns as views, and scratch columns beside them.

    Attributes
    ----------
    low, high
        Rows of the base that the block covers.
    arm
        Position of the base among the arms of the run.
    month
        The month that passes, or that has just passed when an observer looks.
    treatment
        What the block's subscribers are to meet in the first month of the run; None: nothing.
    """

    def __init__(self, schema: Schema, ids: Ids, columns: dict[str, Array], *, month: Month, low: int = 0,
                 arm: int = 0, treatment: Treatment | None = None) -> None:
        super().__init__(schema, ids, columns)
        self.low = low
        self.high = low + len(ids)
        self.arm = arm
        self.month = month
        self.treatment = treatment

    @classmethod
    def over(cls, base: Subscribers, schema: Schema, *, month: Month, low: int = 0, high: int | None = None,
             arm: int = 0, treatment: Treatment | None = None) -> Block:
        """Return rows [low, high) of a base as a block of `schema`; scratch columns are zero.

        Raises
        ------
        ConfigError
            The base lacks a stored column of `schema`.
        """
        high = len(base) if high is None else high
        columns: dict[str, Array] = {}
        for column in schema.values():
            if column.scope != "stored":
                columns[column.name] = np.zeros(high - low, column.dtype)
            elif column.name in base.columns:
                columns[column.name] = base.columns[column.name][..., low:high]
            else:
                raise ConfigError(f"the subscribers have no column {column.name!r}, which {column.owner!r} writes; "
                                  "make the base with the engine's schema")
        here = None if treatment is None else treatment.view(low, high)
        return cls(schema, base.ids[low:high], columns, month=month, low=low, arm=arm, treatment=here)

    def ago(self, name: str, months: int) -> Array:
        """Return a history column as it was `months` (0 to 5) before the month that passes; a writable view."""
        view: Array = self.columns[name][(self.month.number - months) % HISTORY_MONTHS]
        return view

    def some(self, rows: Ids, names: tuple[str, ...]) -> Block:
        """Return copies of the named columns at positions `rows`."""
        return Block(self.schema, self.ids[rows], {name: self.columns[name].take(rows, axis=-1) for name in names},
                     month=self.month, arm=self.arm)


class Draws:
    """Keyed draws of one block, kept for a month so that its arms (a subscriber and its twins) share them.

    Parameters
    ----------
    streams
        The streams that drivers declared; no other can be drawn from.
    """

    def __init__(self, key: Key, ids: Ids, streams: tuple[Stream, ...]) -> None:
        self.key = key
        self.ids = ids
        self.month = 0
        self._declared = frozenset(source.number for source in streams)
        self._lanes: dict[tuple[int, int], Float32] = {}
        self._made: dict[tuple[int, int], int] = {}

    def lanes(self, source: Stream, count: Literal[2, 3, 4] = 4) -> Float32:
        """Return uniform lanes of a stream this month, (count, n) float32; they are not to be changed.

        A lane is the same however many are asked for; fewer cost less.
        """
        place = source.number, count
        if self._made.get(place) != self.month:
            self._check(source)
            if place not in self._lanes:
                self._lanes[place] = np.empty((count, len(self.ids)), np.float32)
            uniform4(self.key, source, self.ids, month=self.month, out=self._lanes[place])
            self._made[place] = self.month
        return self._lanes[place]

    def uniform(self, source: Stream, rows: Ids | None = None, *, month: int | None = None) -> Float64:
        """Return uniforms of 52 bits, one for each row of the block or for each of `rows`.

        Parameters
        ----------
        month
            None: this month. 0 for a trait that stays.
        """
        self._check(source)
        ids = self.ids if rows is None else self.ids[rows]
        return uniform(self.key, source, ids, month=self.month if month is None else month)

    def _check(self, source: Stream) -> None:
        if source.number not in self._declared:
            raise ConfigError(f"stream {source.name!r} is drawn from, but no driver declares it; add it to the "
                              "driver's streams")
