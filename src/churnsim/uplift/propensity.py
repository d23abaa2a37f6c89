"""Who got which arm, where nobody drew lots: a model of assignment, and a check that every arm could have been got."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.learners_data import Flags, Float64, Propensity, assigned_arrays, fold_of_row, propensity_by_row


def cross_fit_propensity(X: pd.DataFrame, treatment: npt.ArrayLike, *, arms: Sequence[str], folds: int, seed: int,
                         clip: float) -> dict[str, Float64]:
    """Return each row's probability of each arm, by logistic models that never saw the row.

    Multinomial logistic regressions on standardised features, one a fold. Probabilities below `clip` are raised to
    it, those above 1 - `clip` lowered, and each row is divided by its sum. Check overlap with a bound above `clip`:
    what is clipped hides what :func:`require_overlap` looks for.

    Parameters
    ----------
    X
        (n,) rows of numeric features without gaps, those that the choice of arms went by among them.
    treatment
        (n,) name of the arm each row got.
    arms
        Names of all arms, control first.
    folds
        2 or more.
    seed
        Of the folds.
    clip
        0 or more, and below 1 / the number of arms.

    Returns
    -------
    dict
        By arm, (n,); they sum to one in each row.

    Raises
    ------
    ConfigError
        `clip` or `folds` out of range; arms repeated, or fewer than two.
    DataError
        An arm that nobody got, or too few; gaps in features.
    """
    if not 0.0 <= clip < 1.0 / len(arms):
        raise ConfigError(f"propensity clip is {clip}; give 0 or more, and below {1.0 / len(arms):.3g} (one by the "
                          "number of arms)")
    matrix, codes = assigned_arrays(X, treatment, arms=arms)
    fold = fold_of_row(codes, folds=folds, rng=np.random.default_rng(seed))
    found = np.empty((len(matrix), len(arms)))
    for held_out in range(folds):
        train = fold != held_out
        # Newton reaches the optimum itself, so the result does not hang on a stopping rule.
        model = make_pipeline(StandardScaler(), LogisticRegression(solver="newton-cholesky"))
        model.fit(matrix[train], codes[train])
        found[~train] = model.predict_proba(matrix[~train])
    found = np.clip(found, clip, 1.0 - clip)
    found /= found.sum(axis=1, keepdims=True)
    return {arm: found[:, column] for column, arm in enumerate(arms)}


def overlapping(propensity: Propensity, *, rows: int, least: float) -> Flags:
    """Return whether each row's probability of every arm lies in [`least`, 1 - `least`], (rows,)."""
    shares = propensity_by_row(propensity, list(propensity), rows=rows)
    return np.asarray(((shares >= least) & (shares <= 1.0 - least)).all(axis=1))


def require_overlap(propensity: Propensity, *, rows: int, least: float) -> None:
    """Refuse a table in which an arm was next to impossible, or certain, for some rows: they have nobody to compare to.

    Parameters
    ----------
    propensity
        Probability of each arm: one for all rows, or (rows,).
    rows
        How many rows there are.
    least
        Smallest probability that counts as possible, above 0 and at most 1 / the number of arms.

    Raises
    ------
    ConfigError
        `least` is out of range.
    DataError
        Some rows lie outside, or the propensities are none.

    >>> require_overlap({"none": np.array([0.5, 0.995]), "call": np.array([0.5, 0.005])}, rows=2, least=0.01)
    Traceback (most recent call last):
    churnsim.errors.DataError: no overlap: arm 'none' has a propensity outside [0.01, 0.99] for 1 of 2 rows (50 %), \
such as 0.995 at row 1; leave out such rows (overlapping of churnsim.uplift.propensity finds them), drop the arm, \
or run a randomised pilot
    """
    if not 0.0 < least <= 1.0 / len(propensity):
        raise ConfigError(f"least propensity is {least}; give a number above 0, and at most "
                          f"{1.0 / len(propensity):.3g} (one by the number of arms)")
    shares = propensity_by_row(propensity, list(propensity), rows=rows)
    for column, arm in enumerate(propensity):
        outside = np.flatnonzero((shares[:, column] < least) | (shares[:, column] > 1.0 - least))
        if len(outside):
            share = shares[outside[0], column]
            raise DataError(
                f"no overlap: arm {arm!r} has a propensity outside [{least:g}, {1.0 - least:g}] for {len(outside)} of "
                f"{rows} rows ({100 * len(outside) / rows:.3g} %), such as {share:.3g} at row {outside[0]}; leave out "
                "such rows (overlapping of churnsim.uplift.propensity finds them), drop the arm, or run a randomised "
                "pilot")
