"""Drawing columns of a base: each from a stream of its own, unless a table gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, Stream, normal, stream, uniform

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]


class Drawer:
    """Fills columns of a base, one after another; a table's value stands wherever the table has one.

    The draws of a column come from the stream "population.<column>", so what a table gives, or what else is drawn,
    never moves them.
    """

    def __init__(self, base: Subscribers, known: Mapping[str, Array], key: Key) -> None:
        self.base = base
        self.key = key
        self.filled: set[str] = set()
        self._known = known

    def uniform(self, column: str, *, index: int = 0) -> Float64:
        """Return the uniforms of a column, (n,); each index has its own."""
        return uniform(self.key, _stream(column), self.base.ids, index=index)

    def normal(self, column: str, *, index: int = 0) -> Float64:
        """Return the standard normals of a column, (n,)."""
        return normal(self.key, _stream(column), self.base.ids, index=index)

    def known(self, column: str) -> Float64 | None:
        """Return what a table gives for a column, NaN where it lacks a row; None where it lacks the column."""
        values = self._known.get(column)
        return None if values is None else np.asarray(values, dtype=np.float64)

    def put(self, column: str, values: npt.ArrayLike) -> None:
        """Fill a column: with what is known, else with `values`."""
        target = self.base[column]
        self.filled.add(column)
        known = self.known(column)
        if known is not None:
            values = np.where(np.isnan(known), values, known)
        target[...] = values


def _stream(column: str) -> Stream:
    return stream(f"population.{column}")


def pick(shares: Float64, u: Float64, row: Array | None = None) -> npt.NDArray[np.int64]:
    """Return positions by inversion, (n,): position k with the share that stands in column k.

    Parameters
    ----------
    shares
        (options,), or (rows, options) with `row`; each row adds to one.
    u
        (n,) uniforms.
    row
        (n,) row of `shares` that each takes.
    """
    table = np.atleast_2d(shares)
    edges = np.cumsum(table, axis=1)
    edges /= edges[:, -1:]
    last = table.shape[1] - 1 - np.argmax(table[:, ::-1] > 0.0, axis=1)
    if row is None:
        return np.asarray(np.minimum(np.searchsorted(edges[0], u, side="right"), last[0]), dtype=np.int64)
    of = np.asarray(row, dtype=np.int64)
    # One search for all rows: the edges of row k lie between k and k + 1.
    flat = (edges + np.arange(len(edges))[:, None]).ravel()
    found = np.searchsorted(flat, of + u, side="right") - of * table.shape[1]
    return np.asarray(np.minimum(found, last[of]))


def shift_odds(prob: npt.ArrayLike, log_odds: npt.ArrayLike) -> Float64:
    """Return probabilities whose log-odds are shifted; 0 and 1 stay.

    >>> shift_odds([0.0, 0.5, 1.0], np.log(3.0)).tolist()
    [0.0, 0.75, 1.0]
    """
    share, odds = np.asarray(prob, dtype=np.float64), np.exp(np.asarray(log_odds, dtype=np.float64))
    return np.asarray(share * odds / (1.0 - share + share * odds))


def lognormal(z: Float64, log_sd: float) -> Float64:
    """Return log-normal values of mean 1 from standard normals."""
    return np.exp(log_sd * z - 0.5 * log_sd**2)


def power(u: Float64, mean: float) -> Float64:
    """Return values in (0, 1) of mean `mean`: the Beta law of parameters mean / (1 - mean) and 1, u**(1/mean - 1)."""
    return np.asarray(u ** (1.0 / held_inside(mean) - 1.0))


def held_inside(mean: float) -> float:
    """Hold a mean strictly between 0 and 1, so that its Beta law exists."""
    return min(max(mean, 1e-6), 1.0 - 1e-6)


def geometric(u: Float64, mean: Float64) -> npt.NDArray[np.int64]:
    """Return failures before a success (0, 1, ...) of mean `mean` - 1, by inversion."""
    success = 1.0 / np.maximum(mean, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.floor(np.log(u) / np.log1p(-success))
    return np.where(success >= 1.0, 0, np.nan_to_num(draws, posinf=0.0)).astype(np.int64)
