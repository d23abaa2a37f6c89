"""From raw effects to honest scores: out-of-fold effects, doubly robust scores, shrinkage to what they show.

A learner's raw effects are too wide: ranking on them picks the luckiest errors. Here a score keeps as much of
the learner's spread, and of the average effect, as rows the learner never saw confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.learners import FittedLearner
from churnsim.uplift.learners_data import (
    Float64,
    Propensity,
    arm_codes,
    fold_of_row,
    propensity_by_row,
    propensity_of,
    refuse_gaps,
    trial_arrays,
)
from churnsim.uplift.learners_kinds import ridge


class FitFunction(Protocol):
    """What learns effects on a fold: :func:`churnsim.uplift.learners.fit` with its kind filled in."""

    def __call__(
        self,
        X: pd.DataFrame,
        y: Float64,
        /,
        *,
        treatment: npt.NDArray[np.str_],
        arms: Sequence[str],
        propensity: Propensity,
        seed: int,
    ) -> FittedLearner: ...


@dataclass(frozen=True)
class Calibration:
    """What out-of-fold rows say about a learner's effects, per arm; all arrays are (K,).

    Attributes
    ----------
    ate, ate_se
        Average effect against control and its standard error, in units of the outcome.
    slope, slope_se
        Change of the true effect per unit of predicted effect, and its standard error: 1 for a perfect
        learner, 0 for one that sorts no better than chance. No spread in the predictions gives 0 and
        infinity. The error takes the fits as given: with nothing to learn, 95 % intervals cover 0 in
        about 85 % of trials.
    shrink
        Share of `ate` that is kept, 0 to 1.
    mean_effect
        Mean predicted effect, where the line through `ate` is anchored.
    """

    ate: Float64
    ate_se: Float64
    slope: Float64
    slope_se: Float64
    shrink: Float64
    mean_effect: Float64

    @property
    def kept_slope(self) -> Float64:
        """Share of the spread of predicted effects that is kept, 0 to 1: the slope, shrunk, then clipped."""
        return np.clip(self.slope * _james_stein(self.slope, self.slope_se), 0.0, 1.0)


def doubly_robust_scores(
    y: npt.ArrayLike,
    *,
    treatment: npt.ArrayLike,
    arms: Sequence[str],
    propensity: Propensity,
    outcome_by_arm: Float64,
) -> Float64:
    """Return scores whose mean over any group of subscribers estimates the group's effect of each arm.

    psi_k = m_k - m_0 + 1[T = k] (y - m_k) / p_k - 1[T = 0] (y - m_0) / p_0, the augmented inverse-propensity
    score of Robins, Rotnitzky and Zhao (1994, doi 10.1080/01621459.1994.10476818). With known propensities it
    is unbiased however poor the outcome predictions m, as long as a row's prediction was made without that
    row.

    Parameters
    ----------
    y
        (n,) outcome.
    treatment, arms, propensity
        As in :func:`churnsim.uplift.learners.fit`.
    outcome_by_arm
        (n, K + 1) expected outcome of each row under each arm, in the order of `arms`, out of fold.

    Returns
    -------
    numpy.ndarray
        (n, K), in units of the outcome.

    Raises
    ------
    DataError
        Shapes that do not fit together, gaps, unknown arms, or propensities that do not sum to one.

    >>> doubly_robust_scores([3.0, 1.0], treatment=["call", "none"], arms=["none", "call"],
    ...                      propensity={"none": 0.5, "call": 0.5},
    ...                      outcome_by_arm=np.array([[1.0, 2.0], [1.0, 2.0]]))
    array([[3.],
           [1.]])
    """
    codes = arm_codes(treatment, arms)
    shares = propensity_by_row(propensity, arms, rows=len(codes))
    outcome = np.asarray(y, dtype=np.float64)
    expected = np.asarray(outcome_by_arm, dtype=np.float64)
    wanted = (len(codes), len(arms))
    if outcome.shape != wanted[:1] or expected.shape != wanted:
        raise DataError(
            f"outcome has shape {outcome.shape} and outcome_by_arm {expected.shape}; "
            f"for {wanted[0]} rows and {wanted[1]} arms give {wanted[:1]} and {wanted}"
        )
    refuse_gaps("outcome", outcome)
    refuse_gaps("outcome_by_arm", expected)
    rows = np.arange(len(codes))
    scored = expected.copy()
    scored[rows, codes] += (outcome - expected[rows, codes]) / shares[rows, codes]
    return scored[:, 1:] - scored[:, :1]


def cross_fit_outcomes(
    X: pd.DataFrame,
    y: npt.ArrayLike,
    *,
    treatment: npt.ArrayLike,
    arms: Sequence[str],
    folds: int,
    seed: int,
) -> Float64:
    """Return each row's expected outcome under each arm, by ridge regressions that never saw the row.

    Parameters
    ----------
    X, y, treatment, arms
        As in :func:`churnsim.uplift.learners.fit`.
    folds
        2 or more; the same `folds` and `seed` give the folds of :func:`cross_fit_effects`.

    Returns
    -------
    numpy.ndarray
        (n, K + 1), in the order of `arms`.
    """
    matrix, outcome, codes = trial_arrays(X, y, treatment=treatment, arms=arms)
    fold = fold_of_row(codes, folds=folds, rng=np.random.default_rng(seed))
    expected = np.empty((len(matrix), len(arms)))
    for held_out in range(folds):
        for code in range(len(arms)):
            train = (fold != held_out) & (codes == code)
            model = ridge().fit(matrix[train], outcome[train])
            expected[fold == held_out, code] = model.predict(matrix[fold == held_out])
    return expected


def cross_fit_effects(
    fit_fn: FitFunction,
    X: pd.DataFrame,
    y: npt.ArrayLike,
    *,
    treatment: npt.ArrayLike,
    arms: Sequence[str],
    propensity: Propensity,
    folds: int,
    seed: int,
) -> Float64:
    """Return each row's effects as predicted by learners that never saw the row.

    Folds hold the same share of every arm. They go by position: rows in a fixed order (by id) give fixed
    folds. Each fold is moved to the mean over folds: learners see low outcomes where the held-out fold has
    high ones, and this mirror image would drag the slope of :func:`calibrate` below zero.

    Parameters
    ----------
    fit_fn
        Such as ``functools.partial(fit, "t_ridge")``.
    X, y, treatment, arms, propensity
        As in :func:`churnsim.uplift.learners.fit`.
    folds
        2 or more.

    Returns
    -------
    numpy.ndarray
        (n, K), in units of the outcome.
    """
    matrix, outcome, codes = trial_arrays(X, y, treatment=treatment, arms=arms)
    propensity_by_row(propensity, arms, rows=len(matrix))
    names = np.asarray(arms)[codes]
    rng = np.random.default_rng(seed)
    fold = fold_of_row(codes, folds=folds, rng=rng)
    effects = np.empty((len(matrix), len(arms) - 1))
    fold_means = np.empty((folds, len(arms) - 1))
    for held_out in range(folds):
        train = fold != held_out
        learner = fit_fn(
            X.loc[train],
            outcome[train],
            treatment=names[train],
            arms=arms,
            propensity=propensity_of(propensity, train),
            seed=int(rng.integers(2**31)),
        )
        predicted = learner.predict(X.loc[~train]).to_numpy()
        fold_means[held_out] = predicted.mean(axis=0)
        effects[~train] = predicted - fold_means[held_out]
    return np.asarray(effects + fold_means.mean(axis=0), dtype=np.float64)


def calibrate(effects: Float64, pseudo: Float64) -> Calibration:
    """Measure how far out-of-fold effects can be believed: the best linear predictor of the true effect.

    Least squares of psi_k on 1 and tau_k - mean(tau_k), with heteroskedasticity-robust (HC1) standard errors,
    after Chernozhukov, Demirer, Duflo and Fernández-Val (2018, arXiv 1712.04802). The average effect keeps
    the positive-part James-Stein share 1 - se^2 / ate^2.

    Parameters
    ----------
    effects
        (n, K) out-of-fold predicted effects.
    pseudo
        (n, K) scores of :func:`doubly_robust_scores`.

    Raises
    ------
    DataError
        Shapes differ, fewer than 3 rows, or a value is missing.

    >>> found = calibrate(np.array([[0.0], [2.0], [0.0], [2.0]]), np.array([[1.0], [2.0], [1.0], [4.0]]))
    >>> found.ate, found.slope, found.slope_se, found.shrink
    (array([2.]), array([1.]), array([0.5]), array([0.875]))
    """
    if effects.ndim != 2 or effects.shape != pseudo.shape or len(effects) < 3:
        raise DataError(
            f"effects have shape {effects.shape} and scores {pseudo.shape}; "
            "give both the same (rows, arms), 3 rows or more"
        )
    refuse_gaps("effects", effects)
    refuse_gaps("scores", pseudo)
    n = len(effects)
    ate = pseudo.mean(axis=0)
    ate_se = pseudo.std(axis=0, ddof=1) / np.sqrt(n)
    mean_effect = effects.mean(axis=0)
    centred = effects - mean_effect
    # Equal predictions differ from their own mean by rounding only; that is no spread.
    flat = np.abs(centred).max(axis=0) <= 1e-9 * np.abs(effects).max(axis=0)
    spread = np.where(flat, 1.0, (centred**2).sum(axis=0))
    slope = np.where(flat, 0.0, (centred * pseudo).sum(axis=0) / spread)
    residual = pseudo - ate - slope * centred
    robust = np.sqrt((centred**2 * residual**2).sum(axis=0) * n / (n - 2)) / spread
    slope_se = np.where(flat, np.inf, robust)
    return Calibration(ate, ate_se, slope, slope_se, _james_stein(ate, ate_se), mean_effect)


def shrink(effects: Float64, calibration: Calibration) -> Float64:
    """Return effects drawn in to what was confirmed: kept ATE + kept slope * (effect - mean effect).

    Parameters
    ----------
    effects
        (n, K) raw effects of any subscribers.

    Returns
    -------
    numpy.ndarray
        (n, K), in units of the outcome.
    """
    kept_ate = calibration.shrink * calibration.ate
    kept_spread = calibration.kept_slope * (effects - calibration.mean_effect)
    return np.asarray(kept_ate + kept_spread, dtype=np.float64)


def minimum_detectable_effect(
    sd: float, *, n_arm: int, n_control: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest true effect that a two-sided test of arm against control finds with a given power.

    (z_{1 - alpha/2} + z_power) * sd * sqrt(1 / n_arm + 1 / n_control), in units of the outcome.

    Parameters
    ----------
    sd
        Standard deviation of the outcome; sqrt(q (1 - q)) for events that happen to a share q.
    n_arm, n_control
        Subscribers in each, 1 or more.
    alpha, power
        Probabilities strictly inside (0, 1).

    Raises
    ------
    ConfigError
        A number out of range.

    >>> round(minimum_detectable_effect(0.5, n_arm=1000, n_control=1000), 4)
    0.0626
    """
    if not (sd >= 0.0 and n_arm >= 1 and n_control >= 1 and 0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ConfigError(
            f"minimum detectable effect of sd={sd}, n_arm={n_arm}, n_control={n_control}, alpha={alpha}, "
            f"power={power}: sd must not be negative, counts at least 1, alpha and power inside (0, 1)"
        )
    z = NormalDist().inv_cdf
    return float((z(1.0 - alpha / 2.0) + z(power)) * sd * np.sqrt(1.0 / n_arm + 1.0 / n_control))


def _james_stein(estimate: Float64, se: Float64) -> Float64:
    """Positive part of 1 - se^2 / estimate^2; 0 for an estimate of 0."""
    ratio = np.divide(se, np.abs(estimate), out=np.full_like(estimate, np.inf), where=estimate != 0.0)
    return np.maximum(0.0, 1.0 - ratio**2)
