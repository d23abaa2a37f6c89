"""What each arm is worth, costs and takes for each subscriber, and the limits that a plan must keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike

from churnsim.core.compiled import njit
from churnsim.core.draws import Key, stream, uniform
from churnsim.errors import ConfigError, DataError

Float64 = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
T = TypeVar("T", bound=np.generic)

HOLDOUT = stream("policy.holdout")
NO_SEGMENT = -1


@dataclass(frozen=True)
class Resource:
    """Staff minutes of a team, messages of a channel, or anything else that runs out.

    Attributes
    ----------
    name
        For messages and tables.
    capacity
        How much there is, at least 0; may be infinite.
    per_effort
        (A,) how much of it one unit of an arm's effort takes, at least 0: 1 for a team that makes the calls of
        the arm, 0 for a team that does not.
    unit
        What it is counted in, for tables.
    """

    name: str
    capacity: float
    per_effort: tuple[float, ...]
    unit: str = "minutes"

    def __post_init__(self) -> None:
        if not self.capacity >= 0:
            raise ConfigError(f"capacity of {self.name}: must be a number of at least 0 (got {self.capacity})")
        rates = np.asarray(self.per_effort, dtype=np.float64)
        if not (np.isfinite(rates) & (rates >= 0)).all():
            raise ConfigError(f"per_effort of {self.name}: must be finite numbers of at least 0 "
                              f"(got {self.per_effort})")


@dataclass(frozen=True)
class Segment:
    """How many subscribers of a segment get an arm: `least` to `most`; `most` may be infinite."""

    name: str
    least: int = 0
    most: float = np.inf

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise ConfigError(f"segment {self.name}: needs 0 <= least <= most "
                              f"(got least {self.least}, most {self.most})")


@dataclass(frozen=True)
class Limits:
    """What a plan must keep.

    Attributes
    ----------
    budget
        Money, at least 0; may be infinite.
    resources
        Staff and throttles.
    segments
        Segments with a least or most number of subscribers; a subscriber's segment is a position in them.
    """

    budget: float = np.inf
    resources: tuple[Resource, ...] = ()
    segments: tuple[Segment, ...] = ()

    def __post_init__(self) -> None:
        if not self.budget >= 0:
            raise ConfigError(f"budget: must be a number of at least 0 (got {self.budget})")


@dataclass(frozen=True, eq=False)
class Choices:
    """Subscribers of one partition and their arms; make it with :func:`choices`, which checks it.

    Attributes
    ----------
    values
        (n, A) value of giving the arm rather than leaving alone.
    costs, effort
        (n, A), or (1, A) where all subscribers have the same.
    may
        (n, A) bool: arms that may be given.
    segment
        (n,) int32, or (1,) where all are in the same; -1 is in none.
    """

    values: Floats
    costs: Floats
    effort: Floats
    may: Flags
    segment: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_arms(self) -> int:
        """Number of arms."""
        return int(self.values.shape[1])

    def take(self, rows: Int64) -> Choices:
        """Return the choices of some rows."""
        return Choices(self.values[rows], _rows(self.costs, rows), _rows(self.effort, rows), self.may[rows],
                       _rows(self.segment, rows))

    @staticmethod
    def concat(parts: Sequence[Choices]) -> Choices:
        """Return the choices of several partitions, in order."""
        return Choices(np.concatenate([part.values for part in parts]),
                       np.concatenate([_full(part.costs, len(part)) for part in parts]),
                       np.concatenate([_full(part.effort, len(part)) for part in parts]),
                       np.concatenate([part.may for part in parts]),
                       np.concatenate([_full(part.segment, len(part)) for part in parts]))

    def check(self, limits: Limits) -> None:
        """Refuse limits that speak of other arms or of fewer segments.

        Raises
        ------
        ConfigError, DataError
        """
        for resource in limits.resources:
            if len(resource.per_effort) != self.n_arms:
                raise ConfigError(f"per_effort of {resource.name}: must have a number for each of the "
                                  f"{self.n_arms} arms (got {len(resource.per_effort)})")
        last = int(self.segment.max(initial=NO_SEGMENT))
        if last >= len(limits.segments) and limits.segments:
            raise DataError(f"segment: names position {last}, but the limits have segments 0 to "
                            f"{len(limits.segments) - 1}; give subscribers of no segment -1")


def choices(values: ArrayLike, costs: ArrayLike, *, effort: ArrayLike | None = None, allowed: ArrayLike | None = None,
            segment: ArrayLike | None = None, holdout: ArrayLike | None = None) -> Choices:
    """Check the subscribers of one partition and their arms. Tables of float32 stay float32.

    Parameters
    ----------
    values : (n, A) array
        Value of giving the arm rather than leaving alone, in the experiment's currency; may be negative.
    costs : (n, A) or (A,) array
        Planned cost of the arm, at least 0.
    effort : (n, A) or (A,) array, optional
        Expected attempts or minutes of the arm, at least 0; `Resource.per_effort` says what they take of which
        resource. Default: 0.
    allowed : (n, A) bool array, optional
        Arms that may be given; the other cells are not looked at. Default: all.
    segment : (n,) int array, optional
        Position of each subscriber's segment in `Limits.segments`, -1 for none. Default: none.
    holdout : (n,) bool array, optional
        Subscribers who must be left alone, such as those of :func:`draw_holdout`. Default: nobody.

    Raises
    ------
    DataError
        If shapes differ, or an allowed cell is not finite, or its cost or effort is negative.
    """
    value_of = _table(values)
    if value_of.ndim != 2:
        raise DataError(f"values: must have the shape (subscribers, arms) (got {value_of.shape})")
    n, n_arms = value_of.shape
    may = np.ones((n, n_arms), np.bool_) if allowed is None else np.array(allowed, np.bool_, order="C")
    cost_of, effort_of = (_per_arm(name, np.zeros(n_arms) if table is None else table, n, n_arms)
                          for name, table in (("costs", costs), ("effort", effort)))
    _refuse_shape("allowed", may.shape, (n, n_arms))
    if holdout is not None:
        held = np.asarray(holdout, np.bool_)
        _refuse_shape("holdout", held.shape, (n,))
        may[held] = False
    codes = np.full(1, NO_SEGMENT, np.int32) if segment is None else _segment_codes(segment, n)
    for what, table, least in (("value", value_of, -np.inf), ("cost", cost_of, 0.0), ("effort", effort_of, 0.0)):
        _refuse_cells(what, table, may, least)
    return Choices(value_of, cost_of, effort_of, may, codes)


def draw_holdout(key: Key, ids: Int64, *, share: float, month: int = 0) -> Flags:
    """Draw who is left alone whatever the plan says, (n,) bool; an id's lot depends on nobody else's.

    Parameters
    ----------
    key
        Of the world.
    ids
        (n,) subscribers.
    share
        Chance of each, 0 to 1.
    month
        Another month draws anew.

    Raises
    ------
    ConfigError
        If the share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share of the holdout: must lie in [0, 1] (got {share})")
    return uniform(key, HOLDOUT, ids, month=month) < share


def _table(cells: ArrayLike) -> Floats:
    table = np.asarray(cells)
    return np.ascontiguousarray(table, dtype=np.float32 if table.dtype == np.float32 else np.float64)


def _per_arm(name: str, cells: ArrayLike, n: int, n_arms: int) -> Floats:
    table = _table(cells)
    if table.shape == (n_arms,):
        return table[None, :]
    if table.shape != (n, n_arms):
        raise DataError(f"{name}: must have the shape ({n}, {n_arms}) of the values, or ({n_arms},) "
                        f"for all subscribers (got {table.shape})")
    return table


def _rows(table: npt.NDArray[T], rows: Int64) -> npt.NDArray[T]:
    return table if len(table) == 1 else table[rows]


def _full(table: npt.NDArray[T], n: int) -> npt.NDArray[T]:
    return np.broadcast_to(table, (n, *table.shape[1:]))


def _segment_codes(segment: ArrayLike, n: int) -> npt.NDArray[np.int32]:
    codes = np.asarray(segment)
    _refuse_shape("segment", codes.shape, (n,))
    if n and not (np.issubdtype(codes.dtype, np.integer) and codes.min() >= NO_SEGMENT):
        raise DataError("segment: must be positions in the limits' segments, or -1 for none "
                        f"(got {codes.min()} among {codes.dtype} numbers)")
    return np.ascontiguousarray(codes, np.int32)


def _refuse_shape(name: str, found: tuple[int, ...], asked: tuple[int, ...]) -> None:
    if found != asked:
        raise DataError(f"{name}: must have the shape {asked} of the values (got {found})")


def _refuse_cells(what: str, table: Floats, may: Flags, least: float) -> None:
    wrong, row, arm = _wrong_cells(table, may, least)
    if wrong:
        rule = "a finite number" if least == -np.inf else f"a finite number of at least {least:g}"
        found = table[row if len(table) > 1 else 0, arm]
        raise DataError(f"{what} of row {row}, arm {arm}: must be {rule} (got {found}); {wrong} such cells. "
                        "Correct them or mark them as not allowed")


@njit
def _wrong_cells(table: Floats, may: Flags, least: float) -> tuple[int, int, int]:
    """Number of allowed cells that are not finite or below `least`, and row and arm of the first."""
    step = 1 if len(table) > 1 else 0
    wrong, row, arm = 0, -1, -1
    for i in range(len(may)):
        for a in range(may.shape[1]):
            cell = table[i * step, a]
            if may[i, a] and not (np.isfinite(cell) and cell >= least):
                if wrong == 0:
                    row, arm = i, a
                wrong += 1
    return wrong, row, arm
