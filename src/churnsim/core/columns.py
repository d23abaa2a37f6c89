"""One schema for the columns of a subscriber: name, type, unit, who may see it, who writes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from churnsim.errors import DataError

HISTORY_MONTHS = 6

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Column:
    """One column of the subscriber table.

    Attributes
    ----------
    name, unit, meaning
        `unit` is "1" for shares and flags, "amount" for money a month, "code" for categories.
    dtype
        numpy type name.
    visibility
        "observed": the operator's systems hold it. "latent": only the simulator knows it.
    owner
        The one part that writes it after the population is made.
    categories
        Labels of an int8 code, in code order; empty for other columns.
    history
        True: the last six months are kept, shape (6, n), read by lag.
    scope
        "stored": part of a subscriber's state. "run": carried from month to month of one run, from zero.
        "month": scratch of one month; until its writer has run it shows the month before, zero in the first.
    """

    name: str
    dtype: str
    unit: str
    visibility: Literal["observed", "latent"]
    owner: str
    meaning: str
    categories: tuple[str, ...] = ()
    history: bool = False
    scope: Literal["stored", "run", "month"] = "stored"


class Schema(Mapping[str, Column]):
    """Columns by name, in order; a name is declared once."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._columns: dict[str, Column] = {}
        for column in columns:
            if column.name in self._columns:
                raise DataError(f"column {column.name!r} is declared twice; rename one of the two")
            self._columns[column.name] = column

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that are part of a subscriber's state."""
        return tuple(column for column in self._columns.values() if column.scope == "stored")


class Subscribers:
    """A base of subscribers as struct of arrays: `ids` (n,) int64 and one contiguous array a column.

    A history column has shape (6, n) and is a ring: month `m` stands in row ``m % 6``.
    """

    def __init__(self, schema: Schema, ids: npt.NDArray[np.int64], columns: Mapping[str, Array]) -> None:
        self.schema = schema
        self.ids = ids
        self.columns: dict[str, Array] = dict(columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __setitem__(self, name: str, values: npt.ArrayLike) -> None:
        self.columns[name][...] = values

    @classmethod
    def empty(cls, schema: Schema, ids: npt.NDArray[np.int64]) -> Subscribers:
        """Return a base whose stored columns are all zero."""
        return cls(schema, ids, {}).completed(schema)

    def completed(self, schema: Schema) -> Subscribers:
        """Return a base of a wider schema: what it has, not copied, and its further stored columns, all zero."""
        n = len(self)
        more = {c.name: np.zeros((HISTORY_MONTHS, n) if c.history else n, c.dtype)
                for c in schema.stored if c.name not in self.columns}
        return Subscribers(schema, self.ids, {**self.columns, **more})

    def lag(self, name: str, *, month: int, months_ago: int) -> Array:
        """Return a history column as it was `months_ago` (0 to 5) before `month`; a writable view."""
        view: Array = self.columns[name][(month - months_ago) % HISTORY_MONTHS]
        return view

    def view(self, low: int, high: int) -> Subscribers:
        """Return rows [low, high) as views: writing to them writes here."""
        return Subscribers(self.schema, self.ids[low:high],
                           {name: column[..., low:high] for name, column in self.columns.items()})

    def take(self, rows: npt.NDArray[np.int64]) -> Subscribers:
        """Return copies of the rows at positions `rows`."""
        return Subscribers(self.schema, self.ids[rows], {
            name: np.ascontiguousarray(column[..., rows]) for name, column in self.columns.items()})

    @staticmethod
    def concat(parts: Sequence[Subscribers]) -> Subscribers:
        """Return the rows of several bases of one schema, in order."""
        first = parts[0]
        return Subscribers(first.schema, np.concatenate([part.ids for part in parts]), {
            name: np.concatenate([part.columns[name] for part in parts], axis=-1) for name in first.columns})

    def copy(self) -> Subscribers:
        """Return a base that shares nothing with this one."""
        return Subscribers(self.schema, self.ids.copy(), {name: c.copy() for name, c in self.columns.items()})

    def labels(self, name: str) -> npt.NDArray[np.str_]:
        """Return a coded column as its labels."""
        return np.array(self.schema[name].categories)[self.columns[name]]
