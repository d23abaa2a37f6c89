"""An operator's table as the two parts that a calibration fits and judges itself on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from churnsim.calibration.simulated import Rows
from churnsim.core.draws import make_key
from churnsim.errors import ConfigError, DataError
from churnsim.population.table import ImportedTable, read_table

LEAST_ROWS, LEAST_EACH = 1000, 200
PARTS = ("fitted", "held_out")


@dataclass(frozen=True)
class Split:
    """A table in two parts.

    Attributes
    ----------
    parts
        "fitted" and "held_out" rows.
    columns
        Columns that the mapping gives.
    constant
        Those of them that tell nothing, and why.
    sha256
        Of the table's file.
    """

    parts: dict[str, Rows]
    columns: tuple[str, ...]
    constant: dict[str, str]
    sha256: str


def split_table(
    path: Path, mapping: Path, *, currency: str, seed: int, rows: int | None, holdout: float
) -> Split:
    """Read an operator's table and split it by a keyed hash of the source ids.

    Parameters
    ----------
    rows
        So many rows, those of lowest hash; None: all.
    holdout
        Share of the rows that the fit does not see.

    Raises
    ------
    ConfigError
        The mapping is wrong or names no outcome, or an argument is out of range.
    DataError
        The table cannot be read, or has too few rows or leavers for a calibration.
    """
    if not 0.1 <= holdout <= 0.9:
        raise ConfigError(f"holdout: must be at least 0.1 and at most 0.9 (got {holdout:g})")
    table = read_table(path, mapping, currency=currency, size=None, key=make_key(seed=seed, replicate=0))
    if table.churn is None or table.monthly_rate is None:
        raise ConfigError(
            f"{mapping}: churn: the mapping names no outcome, which calibration compares with; add churn with "
            "'from', 'values' and 'monthly_rate'"
        )
    usable = np.flatnonzero(~np.isnan(table.churn))
    order = np.array([_hash(seed, "rows", text) for text in table.source_id[usable]])
    if rows is not None:
        if not LEAST_ROWS <= rows <= len(usable):
            raise ConfigError(
                f"rows: must be at least {LEAST_ROWS} and at most {len(usable)}, the rows of {path} with an outcome "
                f"(got {rows})"
            )
        usable = np.sort(usable[np.argsort(order, kind="stable")[:rows]])
    _check_outcome(path, table.churn[usable])
    held = np.array([_hash(seed, "holdout", text) for text in table.source_id[usable]]) < holdout
    known = {name: values[..., usable] for name, values in table.known.items()}
    return Split(
        {"fitted": _part(table, usable[~held]), "held_out": _part(table, usable[held])},
        tuple(known),
        {name: why for name, values in known.items() if (why := _tells_nothing(values))},
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _check_outcome(path: Path, churn: npt.NDArray[np.float64]) -> None:
    left = int(churn.sum())
    stayed = len(churn) - left
    if len(churn) < LEAST_ROWS:
        raise DataError(
            f"{path}: {len(churn)} rows with an outcome; calibration needs at least {LEAST_ROWS}: give more rows"
        )
    if min(left, stayed) < LEAST_EACH:
        what = f"{left} of {len(churn)} rows left and {stayed} stayed"
        raise DataError(
            f"{path}: {what}; calibration needs at least {LEAST_EACH} of each: check churn.values in the mapping, "
            "or give more rows"
        )


def _part(table: ImportedTable, rows: npt.NDArray[np.int64]) -> Rows:
    assert table.churn is not None and table.monthly_rate is not None
    known = {name: values[..., rows] for name, values in table.known.items()}
    return Rows(table.ids[rows], known, table.churn[rows], table.monthly_rate, table.delay_months)


def _tells_nothing(values: npt.NDArray[np.float64]) -> str:
    there = values[..., ~np.isnan(np.atleast_2d(values)).any(axis=0)]
    if there.ndim == 2 and (there == there[0]).all():
        return "is the same in every month"
    if there.size == 0 or (there == there.flat[0]).all():
        return "is the same in every row"
    return ""


def _hash(seed: int, purpose: str, source_id: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the seed and the operator's own id."""
    text = f"{seed}/{purpose}/{source_id}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / 2.0**64
