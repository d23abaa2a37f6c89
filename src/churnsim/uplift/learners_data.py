"""A table that learners are fitted on, checked: features, outcomes, arms, and the chances that rows had of arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError, DataError

Float64 = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Propensity: TypeAlias = Mapping[str, float | Float64]
"""Probability of every arm, control included: one number for all rows, or one a row."""

# The doubly robust learner fits each arm on thirds of its rows; far fewer rows could leave a third empty.
MIN_ROWS_PER_ARM = 30
SUM_TOLERANCE = 1e-9


def feature_matrix(X: pd.DataFrame) -> Float64:
    """Return the features as (n, columns) floats, refusing text and gaps.

    Raises
    ------
    DataError
        A column is not numeric or appears twice, or a value is missing or infinite.
    """
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise DataError(f"features hold column {twice!r} twice; drop one of them")
    for name in X.columns:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise DataError(f"feature {name!r} is of type {X[name].dtype}; encode it as numbers")
    matrix = X.to_numpy(dtype=np.float64, na_value=np.nan)
    gaps = np.argwhere(~np.isfinite(matrix))
    if len(gaps):
        row, column = gaps[0]
        raise DataError(
            f"feature {X.columns[column]!r} is {matrix[row, column]} at row {row} (index {X.index[row]!r}), "
            f"the first of {len(gaps)} such values; fill or drop them before fitting"
        )
    return matrix


def trial_arrays(
    X: pd.DataFrame, y: npt.ArrayLike, *, treatment: npt.ArrayLike, arms: Sequence[str]
) -> tuple[Float64, Float64, Codes]:
    """Return a checked trial: features (n, columns), outcome (n,), each row's position in `arms` (n,).

    Raises
    ------
    ConfigError
        Arms are repeated or fewer than two.
    DataError
        Lengths differ, a value is missing, an arm is unknown or has fewer than `MIN_ROWS_PER_ARM` rows.
    """
    matrix, codes = assigned_arrays(X, treatment, arms=arms)
    outcome = np.asarray(y, dtype=np.float64)
    if outcome.shape != (len(matrix),):
        raise DataError(f"outcome has shape {outcome.shape} for {len(matrix)} rows; give one value a row")
    refuse_gaps("outcome", outcome)
    return matrix, outcome, codes


def assigned_arrays(X: pd.DataFrame, treatment: npt.ArrayLike, *, arms: Sequence[str]) -> tuple[Float64, Codes]:
    """Return checked features (n, columns) and each row's position in `arms` (n,); raises as :func:`trial_arrays`."""
    matrix = feature_matrix(X)
    codes = arm_codes(treatment, arms)
    if codes.shape != (len(matrix),):
        raise DataError(f"treatment has shape {codes.shape} for {len(matrix)} rows; give one arm a row")
    for arm, rows in zip(arms, np.bincount(codes, minlength=len(arms)), strict=True):
        if rows < MIN_ROWS_PER_ARM:
            raise DataError(
                f"arm {arm!r} has {rows} rows in the trial; assign at least {MIN_ROWS_PER_ARM}, or drop it"
            )
    return matrix, codes


def refuse_gaps(name: str, values: Float64) -> None:
    """Raise a DataError that shows the first missing or infinite value of an array by its row."""
    gaps = np.argwhere(~np.isfinite(values))
    if len(gaps):
        raise DataError(
            f"{name} is {values[tuple(gaps[0])]} at row {gaps[0][0]}, the first of {len(gaps)} such values; "
            "leave out those rows"
        )


def arm_codes(treatment: npt.ArrayLike, arms: Sequence[str]) -> Codes:
    """Return the position in `arms` of each assigned arm.

    Raises
    ------
    ConfigError
        Arms are repeated or fewer than two.
    DataError
        A row names an arm that is not in `arms`.

    >>> arm_codes(["call", "none"], ["none", "gift", "call"])
    array([2, 0])
    """
    if len(arms) < 2 or len(set(arms)) < len(arms):
        raise ConfigError(f"arms are {list(arms)}; name a control and at least one other arm, each once")
    names = np.asarray(treatment).astype(str)
    codes = np.asarray(pd.Index(list(arms)).get_indexer(pd.Index(names)), dtype=np.int64)
    unknown = np.flatnonzero(codes < 0)
    if len(unknown):
        raise DataError(
            f"treatment is {str(names[unknown[0]])!r} at row {unknown[0]}, not among the arms {list(arms)}; "
            "add the arm or leave out the row"
        )
    return codes


def fold_of_row(codes: Codes, *, folds: int, rng: np.random.Generator) -> Codes:
    """Return a fold for each row, 0 to `folds` - 1, with the same share of every arm in each."""
    if folds < 2:
        raise ConfigError(f"folds is {folds}; give 2 or more")
    fold = np.empty(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        fold[rng.permutation(rows)] = np.arange(len(rows)) % folds
    return fold


def propensity_by_row(propensity: Propensity, arms: Sequence[str], *, rows: int) -> Float64:
    """Return each row's probability of each arm, (rows, arms), in the order of `arms`.

    Raises
    ------
    DataError
        An arm has none, an unknown arm has one, an array is not one number a row, a probability is not above 0,
        or those of a row do not sum to one (within 1e-9).

    >>> propensity_by_row({"call": np.array([0.25, 0.5]), "none": np.array([0.75, 0.5])}, ["none", "call"], rows=2)
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    if set(propensity) != set(arms):
        raise DataError(
            f"propensity is given for {sorted(propensity)}; give one for each of the arms {list(arms)}"
        )
    shares = np.empty((rows, len(arms)))
    for column, arm in enumerate(arms):
        given = np.asarray(propensity[arm], dtype=np.float64)
        if given.shape not in ((), (rows,)):
            raise DataError(f"propensity of arm {arm!r} has shape {given.shape} for {rows} rows; give one number for "
                            "all of them, or one a row")
        low = np.flatnonzero(~(np.atleast_1d(given) > 0.0))
        if len(low):
            where = f" at row {low[0]}, the first of {len(low)} such rows" if given.ndim else ""
            raise DataError(f"propensity of arm {arm!r} is {np.atleast_1d(given)[low[0]]}{where}; give a share above "
                            f"0, or {'leave out the rows' if given.ndim else 'drop the arm'}")
        shares[:, column] = given
    sums = shares.sum(axis=1)
    off = np.flatnonzero(~(np.abs(sums - 1.0) <= SUM_TOLERANCE))
    if len(off):
        where = "" if len(off) == rows else f" at row {off[0]}, the first of {len(off)} such rows"
        raise DataError(f"propensity sums to {sums[off[0]]:.9g} over the arms {list(arms)}{where}; it must sum to 1")
    return shares


def propensity_of(propensity: Propensity, rows: Flags) -> dict[str, float | Float64]:
    """Return the propensities of some rows, given as a mask."""
    return {arm: share if np.ndim(share) == 0 else np.asarray(share)[rows] for arm, share in propensity.items()}
